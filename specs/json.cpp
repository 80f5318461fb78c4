#include "specs/json.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include "specs/core/utf8.hpp"
#include "specs/duplicate_keys.hpp"
#include "specs/problem.hpp"

namespace trove {
namespace {

using nlohmann::json;

std::string place(Position at) {
  return "line " + std::to_string(at.line) + ", column " + std::to_string(at.column) + ": ";
}

Position position_of(std::string_view text, size_t offset) {
  const auto before = text.substr(0, offset);
  const auto newline = before.rfind('\n');
  const auto line_start = newline == std::string_view::npos ? 0 : newline + 1;
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(offset - line_start) + 1};
}

// Follows the parser through the text. The library's events carry no position, but they come in the order of the
// text and only for tokens it has accepted; so the next token always starts after white space, a comma or a colon.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) next_ = line_start_ = 3;
  }
  // Steps over the next token and returns where it started.
  Position step() {
    for (; next_ < text_.size(); ++next_) {
      const char c = text_[next_];
      if (c == '\n') {
        ++line_;
        line_start_ = next_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r' && c != ',' && c != ':') {
        break;
      }
    }
    const Position at{line_, static_cast<int>(next_ - line_start_) + 1};
    skip_token();
    return at;
  }

 private:
  void skip_token() {
    if (next_ >= text_.size()) return;
    const char first = text_[next_++];
    if (first == '"') {
      while (next_ < text_.size() && text_[next_] != '"') next_ += text_[next_] == '\\' ? 2 : 1;
      next_ = std::min(next_ + 1, text_.size());
    } else if (first != '{' && first != '}' && first != '[' && first != ']') {
      while (next_ < text_.size() && is_word(text_[next_])) ++next_;
    }
  }
  static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '+' || c == '-' || c == 'E';
  }

  std::string_view text_;
  size_t next_ = 0, line_start_ = 0;
  int line_ = 1;
};

// The parser's events become Values in place: the stack points into the tree. That is safe because a container grows
// only while its children are complete.
class Builder final : public nlohmann::json_sax<json> {
 public:
  enum class Positions { none, each };
  Builder(std::string_view text, const JsonLimits& limits, Positions positions)
      : text_(text), limits_(limits), positions_(positions), cursor_(text) {}

  Value take_root() { return std::move(root_); }
  Error take_error() { return std::move(error_); }

  bool null() override { return add(Value()); }
  bool boolean(bool b) override { return add(Value(b)); }
  bool number_integer(int64_t i) override { return add(Value(i)); }
  bool number_unsigned(uint64_t u) override {
    if (u > static_cast<uint64_t>(INT64_MAX)) return integer_too_big(step(), std::to_string(u));
    return add(Value(u));
  }
  bool number_float(double d, const std::string& token) override {
    // Integers past 64 bits arrive here as doubles.
    if (token.find_first_of(".eE") == std::string::npos) return integer_too_big(step(), token);
    return add(Value::number(d, token));
  }
  // Copied and not moved: the parser's buffer keeps its room, and the copy has just the room that it needs.
  bool string(std::string& s) override {
    Value value{std::string_view(s)};
    value.quoted = true;
    return add(std::move(value));
  }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(size_t) override {
    Value map = Value::map();
    map.mutable_members().reserve(kMembers);
    return open(std::move(map));
  }
  bool start_array(size_t) override { return open(Value::list()); }
  bool end_array() override { return close(); }
  bool end_object() override { return no_duplicates(*stack_.back()) && close(); }
  bool key(std::string& s) override {
    const Position at = step();
    auto& members = stack_.back()->mutable_members();
    members.push_back(Value::Member{std::string(std::string_view(s)), {}, at});
    return true;
  }
  bool parse_error(size_t offset, const std::string&, const nlohmann::detail::exception& thrown) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing …"
    std::string_view what = thrown.what();
    if (const auto bracket = what.find("] "); bracket != std::string_view::npos) what.remove_prefix(bracket + 2);
    if (const auto colon = what.find(": "); colon != std::string_view::npos && what.starts_with("parse error")) {
      what.remove_prefix(colon + 2);
    }
    return refuse(Code::invalid, position_of(text_, offset > 0 ? offset - 1 : 0), printable(what, kMessage));
  }

 private:
  static constexpr size_t kMessage = 200;
  static constexpr size_t kMembers = 6;  // of most maps there are not more

  bool refuse(Code code, Position at, std::string message) {
    error_ = Error{code, place(at) + std::move(message)};
    return false;
  }
  Position step() { return positions_ == Positions::each ? cursor_.step() : Position{}; }
  bool integer_too_big(Position at, const std::string& token) {
    return refuse(Code::invalid, at, "the integer " + printable(token, 40) + " does not fit 64 bits");
  }
  bool add(Value value) { return place_value(step(), std::move(value)) != nullptr; }

  Value* place_value(Position at, Value value) {
    if (++nodes_ > limits_.nodes) {
      refuse(Code::too_large, at, "more than " + std::to_string(limits_.nodes) + " values");
      return nullptr;
    }
    value.at = at;
    if (stack_.empty()) return &(root_ = std::move(value));
    Value& parent = *stack_.back();
    if (parent.is_list()) return &parent.push_back(std::move(value));
    return &(parent.mutable_members().back().value = std::move(value));
  }
  bool open(Value value) {
    const Position at = step();
    if (static_cast<int>(stack_.size()) >= limits_.depth) {
      return refuse(Code::too_large, at, "nested deeper than " + std::to_string(limits_.depth) + " levels");
    }
    Value* placed = place_value(at, std::move(value));
    if (placed) stack_.push_back(placed);
    return placed != nullptr;
  }
  bool close() {
    (void)step();
    stack_.pop_back();
    return true;
  }
  bool no_duplicates(const Value& map) {
    const auto twins = duplicate_keys(map.members());
    if (twins.empty()) return true;
    const auto& [first, later] = twins.front();
    return refuse(Code::invalid, later->key_at,
                  "the key \"" + printable(later->key) + "\" is written twice (first at line " +
                      std::to_string(first->key_at.line) + ", column " + std::to_string(first->key_at.column) + ")");
  }

  std::string_view text_;
  const JsonLimits& limits_;
  const Positions positions_;
  Cursor cursor_;
  Value root_;
  std::vector<Value*> stack_;
  size_t nodes_ = 0;
  Error error_{Code::internal, "the JSON parser stopped without saying why"};
};

// Bytes that stand in a JSON string as they are and are a character each.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

void append_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  size_t copied = 0;   // everything before this offset is in `out`
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (kPlain[c]) {
      ++i;
      continue;
    }
    const size_t length = c < 0x80 ? 1 : utf8_length(text.substr(i));
    if (c >= 0x80 && length > 0) {
      i += length;
      continue;
    }
    out.append(text, copied, i - copied);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      default:
        if (c >= 0x80) {
          out += "\xEF\xBF\xBD";   // U+FFFD
        } else {
          out += "\\u00";
          out += hex[c >> 4];
          out += hex[c & 15];
        }
    }
    copied = ++i;
  }
  out.append(text, copied);
  out += '"';
}

// JSON is stricter than YAML about numbers: "+1.5", ".5" and "1." are not JSON.
bool is_json_number(std::string_view s) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t before = i;
    while (i < s.size() && s[i] >= '0' && s[i] <= '9') ++i;
    return i - before;
  };
  if (i < s.size() && s[i] == '-') ++i;
  const size_t start = i;
  const size_t whole = digits();
  if (whole == 0 || (whole > 1 && s[start] == '0')) return false;
  if (i < s.size() && s[i] == '.' && (++i, digits() == 0)) return false;
  if (i < s.size() && (s[i] | 0x20) == 'e') {
    ++i;
    if (i < s.size() && (s[i] == '+' || s[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == s.size();
}

constexpr size_t kRoom = 1024;  // most objects and statuses are shorter

enum class Style { compact, pretty, canonical };

void append_number(std::string& out, const Value& value, Style style) {
  char buffer[32];
  if (value.is_int()) {
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value.int_or(0)).ptr);
    return;
  }
  const double d = value.number_or(0);
  if (!std::isfinite(d)) {
    out += "null";   // JSON has no word for it; our parsers never make one
    return;
  }
  // Values that are equal have one canonical text: 1.0 is 1, whatever its author wrote.
  if (style == Style::canonical && std::trunc(d) == d && std::fabs(d) < 9223372036854775808.0) {
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, static_cast<int64_t>(d)).ptr);
    return;
  }
  if (style != Style::canonical) {
    const std::string written = value.as_written();
    if (is_json_number(written)) {
      out += written;
      return;
    }
  }
  const std::string_view shortest(buffer, std::to_chars(buffer, buffer + sizeof buffer, d).ptr);
  out += shortest;
  if (shortest.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_newline(std::string& out, int level) {
  out += '\n';
  out.append(static_cast<size_t>(level) * 2, ' ');
}

void append(std::string& out, const Value& value, Style style, int level) {
  const bool pretty = style == Style::pretty;
  switch (value.type()) {
    case Value::Type::null: out += "null"; return;
    case Value::Type::boolean: out += value.bool_or(false) ? "true" : "false"; return;
    case Value::Type::integer:
    case Value::Type::number: append_number(out, value, style); return;
    case Value::Type::string: append_string(out, value.text()); return;
    case Value::Type::list: {
      out += '[';
      bool first = true;
      for (const auto& item : value.items()) {
        if (!std::exchange(first, false)) out += ',';
        if (pretty) append_newline(out, level + 1);
        append(out, item, style, level + 1);
      }
      if (pretty && !first) append_newline(out, level);
      out += ']';
      return;
    }
    case Value::Type::map: {
      out += '{';
      bool first = true;
      const auto member = [&](const Value::Member& m) {
        if (!std::exchange(first, false)) out += ',';
        if (pretty) append_newline(out, level + 1);
        append_string(out, m.key);
        out += pretty ? ": " : ":";
        append(out, m.value, style, level + 1);
      };
      if (style == Style::canonical) {
        std::vector<const Value::Member*> sorted;
        sorted.reserve(value.size());
        for (const auto& m : value.members()) sorted.push_back(&m);
        std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->key < b->key; });
        for (const auto* m : sorted) member(*m);
      } else {
        for (const auto& m : value.members()) member(m);
      }
      if (pretty && !first) append_newline(out, level);
      out += '}';
      return;
    }
  }
}

Result<Value> parse(std::string_view text, const JsonLimits& limits, Builder::Positions positions) {
  if (text.size() > limits.bytes) {
    return fail(Code::too_large, "the JSON text has " + std::to_string(text.size()) + " bytes; at most " +
                                     std::to_string(limits.bytes) + " are accepted");
  }
  // The library takes a NUL for the end of the text and would ignore what follows.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(Code::invalid, place(position_of(text, nul)) + "a NUL byte");
  }
  Builder builder(text, limits, positions);
  try {
    if (json::sax_parse(text.begin(), text.end(), &builder)) return builder.take_root();
  } catch (const json::exception& thrown) {
    return fail(Code::invalid, printable(thrown.what(), 200));
  }
  return tl::unexpected<Error>(builder.take_error());
}

std::string dump(const Value& value, Style style) {
  std::string out;
  out.reserve(kRoom);
  append(out, value, style, 0);
  return out;
}

}  // namespace

Result<Value> parse_json(std::string_view text, JsonLimits limits) {
  return parse(text, limits, Builder::Positions::each);
}
Result<Value> parse_stored_json(std::string_view text) { return parse(text, {}, Builder::Positions::none); }

std::string dump_json(const Value& value) { return dump(value, Style::compact); }
std::string dump_json_pretty(const Value& value) { return dump(value, Style::pretty); }
std::string canonical_json(const Value& value) { return dump(value, Style::canonical); }

}  // namespace trove
