#include "specs/core/utf8.hpp"
#include <cstdio>

namespace trove {

namespace {

unsigned code_point(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  switch (character.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    case 3: return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    default: return 0x10000;   // nothing beyond the basic plane needs escaping
  }
}

// Characters that move the cursor, start an escape sequence or turn the text around.
bool is_control(unsigned c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

}  // namespace

size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto more = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;   // a continuation byte, or an overlong form
  if (first < 0xE0) return more(1) ? 2 : 0;
  if (first < 0xF0) {
    if (!more(1) || !more(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;    // overlong
    if (first == 0xED && byte(1) >= 0xA0) return 0;   // surrogates
    return 3;
  }
  if (first > 0xF4 || !more(1) || !more(2) || !more(3)) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;      // overlong
  if (first == 0xF4 && byte(1) >= 0x90) return 0;     // beyond U+10FFFF
  return 4;
}

size_t find_invalid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string visible(std::string_view text, size_t most, bool quotes) {
  std::string out;
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++characters) {
    if (characters == most) return out + "…";
    const size_t length = utf8_length(text.substr(i));
    const auto character = text.substr(i, length ? length : 1);
    i += character.size();
    char escaped[16] = "";
    if (length == 0) {
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(character[0]));
    } else if (character == "\n") {
      out += "\\n";
      continue;
    } else if (character == "\t") {
      out += "\\t";
      continue;
    } else if (const unsigned c = code_point(character); is_control(c)) {
      std::snprintf(escaped, sizeof escaped, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
    } else if (quotes && (c == '"' || c == '\\')) {
      out += '\\';
    }
    if (escaped[0]) {
      out += escaped;
    } else {
      out += character;
    }
  }
  return out;
}

}  // namespace trove
