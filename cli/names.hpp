// What people type for objects, "inst/orders-db" or "inst orders-db shop-db", as kinds and names. Pure; thread-safe.
#pragma once
#include <string>
#include <vector>
#include "cli/failure.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::cli {

struct Target {
  const Kind* kind = nullptr;
  std::string name;                 // "" = every object of the kind
  int64_t generation = 0;           // for waits: the least generation that counts; 0 = the object's own
};

std::string to_string(const Target& target);   // "databaseinstance/orders-db"
std::string lower(std::string_view text);

// A kind by any spelling; a usage error with "did you mean" otherwise.
Try<const Kind*> kind_named(const std::string& word);
// Every name must be given: `KIND/NAME…` or `KIND NAME…`.
Try<std::vector<Target>> parse_targets(const std::vector<std::string>& words);
// The same, but a kind alone (or a list "inst,db") stands for all of its objects.
Try<std::vector<Target>> parse_targets_or_kinds(const std::vector<std::string>& words);
// Exactly one object.
Try<Target> parse_target(const std::vector<std::string>& words);
// One instance: "inst/x", "inst x" or just "x".
Try<Target> parse_instance(const std::vector<std::string>& words);

}  // namespace trove::cli
