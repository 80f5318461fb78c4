// What is wrong with an input: all of it, not just the first. Thread-safe: plain values.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/value.hpp"

namespace trove {

struct Problem {
  std::string file;      // "" when not from a file
  Position at;
  std::string path;      // "spec.volume.size"; "" for the whole document
  std::string message;   // 'unknown field. Did you mean "volume"?'
  std::string hint;      // next step; may be empty
  int document = -1;     // index in the set that was handed in; -1 when it does not matter
  Code code = Code::invalid;  // invalid, conflict, not_found (a reference), denied (protection)
};
using Problems = std::vector<Problem>;

// "file:line:col  path: message" and, on a second line, the hint. Control characters are escaped.
std::string to_string(const Problem& problem);
std::string to_string(const Problems& problems);
// The candidate nearest to `word` by edit distance, "" when none is near enough to be a slip of the fingers.
std::string nearest(std::string_view word, const std::vector<std::string_view>& candidates);
// User text made safe to print: control characters escaped, cut to `most` characters.
std::string printable(std::string_view text, size_t most = 120);

}  // namespace trove
