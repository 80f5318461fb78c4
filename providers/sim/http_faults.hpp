// Which request fails how. Private to the face; called under its lock.
#pragma once
#include <optional>
#include <string>
#include <vector>
#include "providers/http/server.hpp"
#include "providers/sim/http_face.hpp"
#include "specs/value.hpp"

namespace trove::sim {

class Faults {
 public:
  explicit Faults(Rng& rng) : rng_(rng) {}
  void add(SimHttpFault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }
  // The first that fits; counts it.
  std::optional<SimHttpFault> draw(const std::string& service, const http::Request& request);
  Value list() const;

 private:
  Rng& rng_;
  std::vector<SimHttpFault> faults_;
};

Result<SimHttpFault> fault_from(const Value& value);  // invalid: an unknown kind or a wrong type
// The answer in place of the real one: error, throttled, over_limit, html.
http::Response instead(const SimHttpFault& fault, const std::string& service);

}  // namespace trove::sim
