// UTF-8, byte by byte: what every text that enters or leaves is checked against. Pure; thread-safe.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace trove {

// Bytes of the well-formed character that `text` starts with; 0 when it starts with none (stray or missing
// continuation bytes, overlong forms, surrogates, beyond U+10FFFF, or empty text).
size_t utf8_length(std::string_view text);
// The offset of the first byte that is not part of a well-formed character; npos when all is well.
size_t find_invalid_utf8(std::string_view text);

// `text` made safe for a terminal or a log: control characters (C0, C1, text direction, line separators) and bytes
// that are not UTF-8 become \n, \t, \x1b, \u202e and so on. Cut to `most` characters, with "…" in place of the rest.
// Without `quotes` the result is left alone by a second pass; with `quotes`, " and \ are escaped as well.
std::string visible(std::string_view text, size_t most, bool quotes = false);

}  // namespace trove
