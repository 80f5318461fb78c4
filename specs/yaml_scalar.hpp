// What an unquoted YAML word means here. Shared by the reader and the writer, so that what is written reads back.
// Pure; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include "specs/value.hpp"

namespace trove {

struct PlainScalar {
  Value value;          // boolean, integer, number or string; the string itself when it was refused
  std::string refusal;  // why the word must be written otherwise; "" = fine
};
// Words that YAML readers disagree about (yes, 010, 0x1F, 1_000, 12:30, .inf) are refused. "~", "null" and "" are
// not words: the parser library takes them for null before anybody asks.
PlainScalar read_plain_scalar(std::string_view word);
bool is_null_word(std::string_view word);

}  // namespace trove
