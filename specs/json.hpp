// JSON text to Value and back. The parser library hides in json.cpp. Thread-safe.
#pragma once
#include <string>
#include <string_view>
#include "specs/core/result.hpp"
#include "specs/value.hpp"

namespace trove {

struct JsonLimits {
  size_t bytes = 8u << 20;
  int depth = 64;
  size_t nodes = 2'000'000;
};

// Refuses duplicate keys, integers beyond int64, NaN, invalid UTF-8, trailing text, and what passes a limit.
// Positions are set (line and column of each value).
Result<Value> parse_json(std::string_view text, JsonLimits limits = {});
// The same without positions: of what was written by dump_json nobody wants to know line and column.
Result<Value> parse_stored_json(std::string_view text);
std::string dump_json(const Value& value);             // compact; members in their order; invalid UTF-8 replaced
std::string dump_json_pretty(const Value& value);      // two spaces
std::string canonical_json(const Value& value);        // compact with sorted keys: for digests and comparison
}  // namespace trove
