// Where requests go: connections to the origins of a cloud's services. Thread-safe.
#pragma once
#include <memory>
#include <string>
#include "providers/http/client.hpp"

namespace trove::openstack {

class Transport {
 public:
  virtual ~Transport() = default;
  // `origin` is scheme://host:port. What comes back is what http::Client::call says.
  virtual Result<http::Answer> call(const std::string& origin, const http::Call& call) = 0;
  virtual void stop() = 0;  // ends calls in progress, and every later one
};

// Reads share kept connections; a write always has a new one, for a kept one may be closed at the very moment, and then
// nobody knows whether the write was done.
std::unique_ptr<Transport> make_transport(std::string ca_file);

// "http://host:8774/v2.1" to "http://host:8774" and "/v2.1"; the path has no slash at its end.
struct Url {
  std::string origin, path;
};
Url split_url(std::string_view url);

}  // namespace trove::openstack
