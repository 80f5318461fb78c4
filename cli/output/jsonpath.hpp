// A small JSONPath: what people use of kubectl's. {.a.b} {.list[0]} {.list[-1]} {.list[*].name} {.list[?(@.x=="y")].z}
// {['a key']} {range .items[*]}…{end} {"\n"}, text outside braces as it is. Pure; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/value.hpp"

namespace trove::cli {

inline constexpr size_t kTemplateBytes = 16u << 10;
inline constexpr int kTemplateRanges = 8;           // nested
inline constexpr size_t kTemplateOutput = 64u << 20;

// A template evaluated over `root`. Several results of one {…} are joined by spaces; a path that finds nothing is
// empty.
Result<std::string> jsonpath(std::string_view text, const Value& root);
// One path with or without braces and leading dot (".status.phase"): all it finds.
Result<std::vector<const Value*>> find_all(std::string_view path, const Value& root);
// A scalar as text, a list or map as JSON.
std::string plain_text(const Value& value);

}  // namespace trove::cli
