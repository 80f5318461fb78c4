// Where the fields of a document were written, as a value of its own that can travel beside it: JSON carries no lines.
// {"/spec/flavor": 6}, by JSON pointer. Pure; thread-safe.
#pragma once
#include "specs/value.hpp"

namespace trove {

Value lines_of(const Value& document);
// The reverse: what `lines` does not name is at line 0, not known.
void locate(Value& document, const Value& lines);

}  // namespace trove
