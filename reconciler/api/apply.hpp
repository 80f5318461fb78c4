// What one apply, put or plan is about to do. Private to reconciler/api.
#pragma once
#include "reconciler/api/api.hpp"
#include "reconciler/api/snapshot.hpp"

namespace trove {

using Findings = std::vector<std::pair<Problem, std::string>>;  // with the code that problem+json shows

struct Api::Conditions {
  bool must_be_absent = false;  // If-None-Match: *
  std::string must_match;       // If-Match: "7" or *; "" = no condition
};

struct Api::Item {
  std::optional<Resource> before;
  Resource after;
  enum class What { created, configured, unchanged } what = What::unchanged;
  bool spec_changed = false;
  std::string message;  // of the event
  std::vector<std::string> warnings;
};

struct Api::Prepared {
  std::vector<Value> documents;
  std::vector<Resource> wanted;  // decoded, in the same order
  std::vector<Item> items;       // made anew by every check()
};

// Checks that need more than one object. `changed` are indexes into `set`: what stays as it is was checked before.
void check_rules(const std::vector<Resource>& set, const std::vector<size_t>& changed, Snapshot& snapshot,
                 Findings& findings);

// The documents of a body: {documents: [{source, object}]} or a YAML stream. Adds `remove` of a plan's body.
struct Body {
  std::vector<Value> documents;
  Value remove;
};
Attempt<Body> read_body(const http::Request& request);

}  // namespace trove
