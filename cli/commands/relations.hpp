// Who belongs to whom: read once from the server, asked by tree, why and delete. Plain values; one thread.
#pragma once
#include <string>
#include <vector>
#include "cli/api.hpp"
#include "cli/names.hpp"
#include "specs/resource.hpp"

namespace trove::cli {

class Relations {
 public:
  // Lists every kind: one request each.
  static Try<Relations> read(Api& api);
  const Value* find(const std::string& kind, const std::string& name) const;
  // Objects that this one refers to in its spec (its instance, volume, configuration, password's secret, backup).
  std::vector<const Value*> needs(const Value& object) const;
  // Objects that name this one as their owner or their instance; in the order of kinds, then names.
  std::vector<const Value*> dependants(const Value& object) const;
  // Objects whose spec refers to this one.
  size_t users_of(const Value& object) const;

 private:
  std::vector<Value> objects_;
};

}  // namespace trove::cli
