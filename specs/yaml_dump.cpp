#include <cmath>
#include "specs/core/utf8.hpp"
#include "specs/yaml.hpp"
#include "specs/yaml_scalar.hpp"

namespace trove {
namespace {

constexpr size_t kLongestSimpleKey = 1000;   // YAML allows 1024 characters before the ":" on one line

bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' ||
         c == '.' || (c & 0x80);
}

// One line of characters that need no escape.
bool is_printable_line(std::string_view text) { return visible(text, text.size()) == text; }

bool can_be_plain(std::string_view text) {
  if (text.empty() || !is_word_start(text[0]) || text.back() == ' ' || text.back() == ':') return false;
  if (text.find(": ") != text.npos || text.find(" #") != text.npos || !is_printable_line(text)) return false;
  if (text.starts_with("...") || is_null_word(text)) return false;
  const PlainScalar read = read_plain_scalar(text);
  return read.refusal.empty() && read.value.is_string();
}

// Several lines that read well as they are, without trailing or leading white space that could get lost.
bool can_be_literal(std::string_view text) {
  if (text.find('\n') == text.npos || text[0] == ' ' || text[0] == '\n' || text.ends_with("\n\n")) return false;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    const auto line = text.substr(0, newline);
    if (!is_printable_line(line) || line.ends_with(' ')) return false;
    text.remove_prefix(newline == text.npos ? text.size() : newline + 1);
  }
  return true;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const size_t length = utf8_length(text.substr(i));
    const auto character = text.substr(i, length ? length : 1);
    i += character.size();
    if (length == 0) {
      out += "\xEF\xBF\xBD";   // U+FFFD
    } else {
      // Escapes of visible() are escapes of YAML too.
      out += visible(character, 1, true);
    }
  }
  out += '"';
}

void append_indent(std::string& out, int level) { out.append(static_cast<size_t>(level) * 2, ' '); }

void append_literal(std::string& out, std::string_view text, int level) {
  out += text.ends_with('\n') ? "|" : "|-";
  if (text.ends_with('\n')) text.remove_suffix(1);
  for (;;) {
    const auto newline = text.find('\n');
    const auto line = text.substr(0, newline);
    out += '\n';
    if (!line.empty()) append_indent(out, level);
    out += line;
    if (newline == text.npos) return;
    text.remove_prefix(newline + 1);
  }
}

void append_number(std::string& out, const Value& value) {
  if (!std::isfinite(value.number_or(0))) {
    out += "null";   // as in JSON; our parsers never make one
    return;
  }
  const std::string written = value.as_written();
  const PlainScalar read = read_plain_scalar(written);
  out += read.value == value && read.refusal.empty() ? written : Value(value.number_or(0)).as_written();
}

// A scalar, or an empty list or map: what fits behind "key: ".
void append_scalar(std::string& out, const Value& value, int level) {
  switch (value.type()) {
    case Value::Type::null: out += "null"; return;
    case Value::Type::boolean:
    case Value::Type::integer: out += value.as_written(); return;
    case Value::Type::number: append_number(out, value); return;
    case Value::Type::list: out += "[]"; return;
    case Value::Type::map: out += "{}"; return;
    case Value::Type::string: break;
  }
  const std::string& text = value.text();
  if (can_be_plain(text)) {
    out += text;
  } else if (level > 0 && can_be_literal(text)) {
    append_literal(out, text, level);
  } else {
    append_quoted(out, text);
  }
}

// Writes a block whose first line continues the current one (after "- ") or starts at column `level`.
void append_block(std::string& out, const Value& value, int level);

void append_member(std::string& out, const Value::Member& member, int level) {
  std::string key;
  if (can_be_plain(member.key)) {
    key = member.key;
  } else {
    append_quoted(key, member.key);
  }
  if (key.size() > kLongestSimpleKey) {
    out += "? ";
    key += '\n';
    append_indent(key, level);
  }
  out += key;
  out += ':';
  const Value& value = member.value;
  if (value.empty()) {
    out += ' ';
    append_scalar(out, value, level + 1);
    out += '\n';
    return;
  }
  // Items of a list stand below their key without indentation, as kubectl writes them.
  const int below = value.is_list() ? level : level + 1;
  out += '\n';
  append_indent(out, below);
  append_block(out, value, below);
}

void append_block(std::string& out, const Value& value, int level) {
  bool first = true;
  const auto next_line = [&] {
    if (!first) append_indent(out, level);
    first = false;
  };
  for (const auto& member : value.members()) {
    next_line();
    append_member(out, member, level);
  }
  for (const auto& item : value.items()) {
    next_line();
    out += "- ";
    if (item.empty()) {
      append_scalar(out, item, level + 1);
      out += '\n';
    } else {
      append_block(out, item, level + 1);
    }
  }
}

}  // namespace

std::string dump_yaml(const Value& value) {
  std::string out;
  if (value.empty()) {
    append_scalar(out, value, 0);
    out += '\n';
  } else {
    append_block(out, value, 0);
  }
  return out;
}

}  // namespace trove
