// Values of engine parameters: whether two spellings mean the same, and whether text may stand in a configuration file.
// Pure; thread-safe.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace trove::guest {

// "128M" = 134217728, "ON" = "1" = "true", "0.50" = "0.5", lists of words in any order; letter case does not count.
bool same_setting(std::string_view a, std::string_view b);
// An integer with an optional suffix K M G T (powers of 1024, a trailing B allowed).
std::optional<int64_t> size_of(std::string_view text);
// 1, 0, or nothing when the text is no boolean word.
std::optional<bool> boolean_of(std::string_view text);
std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string_view trimmed(std::string_view text);
// "" when fine: letters, digits, _ . - in the name; no control characters in the value; both of sane length.
std::string unsafe_parameter(std::string_view name, std::string_view value);

}  // namespace trove::guest
