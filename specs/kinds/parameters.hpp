// What is known about engine parameters, so that a wrong value, a needed restart or a name that belongs to trove is
// told before anything is touched. Names that are not in here are the engine's to judge. Constant tables; thread-safe.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/value.hpp"

namespace trove {

enum class ParameterType {
  integer,
  number,         // with decimals
  size,           // bytes; "128M" as the engine writes sizes, and N%ram
  boolean,
  enumeration,
  string,
};
std::string_view to_string(ParameterType type);

struct Parameter {
  std::string_view name;                 // canonical: MariaDB with _, Memcached its long option
  ParameterType type = ParameterType::string;
  Change change = Change::live;          // live or restart
  std::string_view default_text = {};    // as the engine writes it; "" = depends or empty
  std::string_view doc = {};
  int64_t min = INT64_MIN, max = INT64_MAX;   // of integers and numbers; of sizes in bytes
  bool above_min = false;                // a number that must be more than min
  std::vector<std::string_view> values = {};  // of enumerations
  // Sizes: what a plain number counts, in bytes. PostgreSQL's shared_buffers counts blocks of 8192, memcached's
  // memory-limit megabytes.
  int64_t unit = 1;
  std::string_view unit_name = {};       // "ms", "s": for people
  std::string_view flag = {};            // Memcached: "-m", or "-o" for an extended option
};

std::span<const Parameter> known_parameters(Engine engine);
std::string_view engine_title(Engine engine);   // "MariaDB 10.11": what the catalogue describes

// The one spelling of a name: lower case; in MariaDB - and _ are one; Memcached's flags become long options.
std::string canonical_parameter(Engine engine, std::string_view name);
// nullptr: not in the catalogue. Any spelling.
const Parameter* find_parameter(Engine engine, std::string_view name);
// Why users may not set it, or "". Covers the engines' own abbreviations and prefixes (skip-, loose_).
std::string is_owned_parameter(Engine engine, std::string_view name);

// The bare text of the value (a writer of configuration files still quotes it): N%ram in bytes or the engine's unit,
// booleans in the engine's words. invalid: owned name, wrong type, out of bounds, control characters.
// With memory_mib 0 the memory is not known yet: N%ram is checked for its shape only and comes back as it is.
Result<std::string> render_parameter(Engine engine, std::string_view name, const Value& value, int64_t memory_mib);

}  // namespace trove
