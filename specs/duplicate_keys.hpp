// Keys that a map holds twice, found by both parsers at the end of each map. Pure; thread-safe.
#pragma once
#include <vector>
#include "specs/value.hpp"

namespace trove {

struct DuplicateKey {
  const Value::Member* first;   // pointers into the map that was handed in
  const Value::Member* later;
};
// In the order of writing; n log n, because the map comes from outside.
std::vector<DuplicateKey> duplicate_keys(const Value::Map& map);

}  // namespace trove
