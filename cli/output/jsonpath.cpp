#include "cli/output/jsonpath.hpp"

#include <charconv>
#include <optional>
#include "specs/json.hpp"

namespace trove::cli {
namespace {

struct Step {
  enum class What { key, index, all, filter } what = What::key;
  std::string key;
  int64_t index = 0;
  // filter: [?(@.path OP literal)]; no operator = exists
  std::vector<Step> path;
  std::string op;
  Value literal;
};

tl::unexpected<Error> bad(std::string_view text, size_t at, const std::string& what) {
  return fail(Code::invalid, "jsonpath: " + what + " at character " + std::to_string(at + 1) + " of \"" +
                                 std::string(text.substr(0, 80)) + "\"");
}

class PathParser {
 public:
  explicit PathParser(std::string_view text) : text_(text) {}

  Result<std::vector<Step>> whole() {
    skip_blanks();
    if (peek() == '$' || peek() == '@') ++at_;
    auto steps = path();
    if (!steps) return steps;
    skip_blanks();
    if (at_ != text_.size()) return bad(text_, at_, "unexpected character");
    return steps;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  static bool ends_key(char c) {
    return c == '\0' || std::string_view(".[]{}()=!<> \t").find(c) != std::string_view::npos;
  }

  Result<std::vector<Step>> path() {
    std::vector<Step> steps;
    bool first = true;
    for (;;) {
      if (peek() == '.') {
        ++at_;
        if (peek() == '.') return bad(text_, at_, "\"..\" is not supported");
        if (peek() == '[' || at_ == text_.size()) continue;   // ".[0]", and "." alone is the root
        if (peek() == '*') {
          ++at_;
          steps.push_back({Step::What::all});
          continue;
        }
        std::string key = bare_key();
        if (key.empty()) return bad(text_, at_, "a name is missing after \".\"");
        steps.push_back({Step::What::key, key});
      } else if (peek() == '[') {
        auto step = bracket();
        if (!step) return tl::unexpected(step.error());
        steps.push_back(std::move(*step));
      } else if (first && !ends_key(peek())) {
        steps.push_back({Step::What::key, bare_key()});   // "a.b" without its dot
      } else {
        return steps;
      }
      first = false;
    }
  }
  std::string bare_key() {
    std::string key;
    while (!ends_key(peek())) {
      if (peek() == '\\' && at_ + 1 < text_.size()) ++at_;   // "labels.app\.kubernetes\.io/name"
      key += text_[at_++];
    }
    return key;
  }
  Result<std::string> quoted() {
    char quote = text_[at_++];
    std::string key;
    while (peek() != quote) {
      if (at_ == text_.size()) return bad(text_, at_, "a quote is not closed");
      if (peek() == '\\' && at_ + 1 < text_.size()) ++at_;
      key += text_[at_++];
    }
    ++at_;
    return key;
  }
  Result<Step> bracket() {
    ++at_;
    skip_blanks();
    Step step;
    if (peek() == '*') {
      ++at_;
      step.what = Step::What::all;
    } else if (peek() == '\'' || peek() == '"') {
      auto key = quoted();
      if (!key) return tl::unexpected(key.error());
      step.key = *key;
    } else if (peek() == '?') {
      auto filter = condition();
      if (!filter) return filter;
      step = std::move(*filter);
    } else {
      step.what = Step::What::index;
      const char* begin = text_.data() + at_;
      auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), step.index);
      if (error != std::errc()) return bad(text_, at_, "expected a number, *, 'key' or ?(…) in brackets");
      at_ += static_cast<size_t>(end - begin);
    }
    skip_blanks();
    if (peek() != ']') return bad(text_, at_, "\"]\" is missing");
    ++at_;
    return step;
  }
  Result<Step> condition() {
    Step step;
    step.what = Step::What::filter;
    ++at_;
    if (peek() != '(') return bad(text_, at_, "\"(\" is missing after \"?\"");
    ++at_;
    skip_blanks();
    if (peek() != '@') return bad(text_, at_, "a condition starts with @");
    ++at_;
    auto inner = path();
    if (!inner) return tl::unexpected(inner.error());
    step.path = std::move(*inner);
    skip_blanks();
    for (std::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
      if (text_.substr(at_, op.size()) == op) {
        step.op = op;
        at_ += op.size();
        break;
      }
    }
    if (!step.op.empty()) {
      skip_blanks();
      if (peek() == '\'' || peek() == '"') {
        auto text = quoted();
        if (!text) return tl::unexpected(text.error());
        step.literal = Value(*text);
      } else {
        size_t from = at_;
        while (peek() != ')' && peek() != ' ' && peek() != '\0') ++at_;
        auto value = parse_json(text_.substr(from, at_ - from));
        if (!value) return bad(text_, from, "expected a string in quotes, a number, true or false");
        step.literal = std::move(*value);
      }
      skip_blanks();
    }
    if (peek() != ')') return bad(text_, at_, "\")\" is missing");
    ++at_;
    return step;
  }

  std::string_view text_;
  size_t at_ = 0;
};

void walk(const std::vector<Step>& steps, size_t next, const Value& value, std::vector<const Value*>& found);

bool compares(const Step& step, const Value& value) {
  if (step.op == "==") return value == step.literal;
  if (step.op == "!=") return !(value == step.literal);
  int order = 0;
  if (value.is_number() && step.literal.is_number()) {
    double a = value.number_or(0), b = step.literal.number_or(0);
    order = a < b ? -1 : a > b ? 1 : 0;
  } else if (value.is_string() && step.literal.is_string()) {
    order = value.text().compare(step.literal.text());
  } else {
    return false;
  }
  if (step.op == "<") return order < 0;
  if (step.op == "<=") return order <= 0;
  if (step.op == ">") return order > 0;
  return order >= 0;
}

bool passes(const Step& step, const Value& item) {
  std::vector<const Value*> found;
  walk(step.path, 0, item, found);
  if (step.op.empty()) return !found.empty();
  for (const Value* value : found) {
    if (compares(step, *value)) return true;
  }
  return false;
}

void walk(const std::vector<Step>& steps, size_t next, const Value& value, std::vector<const Value*>& found) {
  if (next == steps.size()) {
    found.push_back(&value);
    return;
  }
  const Step& step = steps[next];
  switch (step.what) {
    case Step::What::key:
      if (const Value* child = value.find(step.key)) walk(steps, next + 1, *child, found);
      return;
    case Step::What::index: {
      auto size = static_cast<int64_t>(value.items().size());
      int64_t index = step.index < 0 ? size + step.index : step.index;
      if (index >= 0 && index < size) walk(steps, next + 1, value.items()[static_cast<size_t>(index)], found);
      return;
    }
    case Step::What::all:
      for (const Value& item : value.items()) walk(steps, next + 1, item, found);
      for (const auto& member : value.members()) walk(steps, next + 1, member.value, found);
      return;
    case Step::What::filter:
      for (const Value& item : value.items()) {
        if (passes(step, item)) walk(steps, next + 1, item, found);
      }
      return;
  }
}

// The template cut into pieces; a range holds the pieces up to its end.
struct Piece {
  enum class What { text, path, range } what = What::text;
  std::string text;
  std::vector<Step> steps;
  std::vector<Piece> inner;
};

class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  Result<std::vector<Piece>> pieces(int depth) {
    std::vector<Piece> result;
    while (at_ < text_.size()) {
      if (text_[at_] != '{') {
        size_t brace = std::min(text_.find('{', at_), text_.size());
        result.push_back({Piece::What::text, std::string(text_.substr(at_, brace - at_))});
        at_ = brace;
        continue;
      }
      size_t open = at_;
      auto inside = braces();
      if (!inside) return tl::unexpected(inside.error());
      std::string_view body = *inside;
      if (body == "end") {
        if (depth == 0) return bad(text_, open, "{end} without {range …}");
        closed_ = true;
        return result;
      }
      if (body.substr(0, 6) == "range ") {
        if (depth >= kTemplateRanges) return bad(text_, open, "too many nested ranges");
        auto steps = PathParser(body.substr(6)).whole();
        if (!steps) return tl::unexpected(steps.error());
        closed_ = false;
        auto inner = pieces(depth + 1);
        if (!inner) return inner;
        if (!closed_) return bad(text_, open, "{end} is missing for this {range …}");
        closed_ = false;
        result.push_back({Piece::What::range, "", std::move(*steps), std::move(*inner)});
        continue;
      }
      if (body.size() >= 2 && (body[0] == '"' || body[0] == '\'') && body.back() == body[0]) {
        result.push_back({Piece::What::text, unescaped(body.substr(1, body.size() - 2))});
        continue;
      }
      auto steps = PathParser(body).whole();
      if (!steps) return tl::unexpected(steps.error());
      result.push_back({Piece::What::path, "", std::move(*steps)});
    }
    return result;
  }

 private:
  Result<std::string_view> braces() {
    size_t from = ++at_;
    char quote = '\0';
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (quote) {
        if (c == '\\') ++at_;
        else if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '}') {
        std::string_view body = text_.substr(from, at_ - from);
        ++at_;
        while (!body.empty() && body.front() == ' ') body.remove_prefix(1);
        while (!body.empty() && body.back() == ' ') body.remove_suffix(1);
        return body;
      }
    }
    return bad(text_, from - 1, "a brace is not closed");
  }
  static std::string unescaped(std::string_view text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 == text.size()) {
        result += text[i];
        continue;
      }
      char c = text[++i];
      result += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
    return result;
  }

  std::string_view text_;
  size_t at_ = 0;
  bool closed_ = false;
};

bool render(const std::vector<Piece>& pieces, const Value& root, std::string& out) {
  for (const Piece& piece : pieces) {
    if (piece.what == Piece::What::text) {
      out += piece.text;
    } else {
      std::vector<const Value*> found;
      walk(piece.steps, 0, root, found);
      bool first = true;
      for (const Value* value : found) {
        if (piece.what == Piece::What::range) {
          if (!render(piece.inner, *value, out)) return false;
          continue;
        }
        if (!first) out += ' ';
        first = false;
        out += plain_text(*value);
      }
    }
    if (out.size() > kTemplateOutput) return false;
  }
  return true;
}

}  // namespace

std::string plain_text(const Value& value) {
  if (value.is_null()) return "";
  if (value.is_list() || value.is_map()) return dump_json(value);
  return value.as_written();
}

Result<std::vector<const Value*>> find_all(std::string_view path, const Value& root) {
  if (path.size() >= 2 && path.front() == '{' && path.back() == '}') path = path.substr(1, path.size() - 2);
  auto steps = PathParser(path).whole();
  if (!steps) return tl::unexpected(steps.error());
  std::vector<const Value*> found;
  walk(*steps, 0, root, found);
  return found;
}

Result<std::string> jsonpath(std::string_view text, const Value& root) {
  if (text.size() > kTemplateBytes) return fail(Code::too_large, "jsonpath: the template is too long");
  std::string braced;
  if (text.find('{') == std::string_view::npos) {
    braced = "{" + std::string(text) + "}";   // -o jsonpath=.status.phase
    text = braced;
  }
  auto pieces = TemplateParser(text).pieces(0);
  if (!pieces) return tl::unexpected(pieces.error());
  std::string out;
  if (!render(*pieces, root, out)) return fail(Code::too_large, "jsonpath: the output is too large");
  return out;
}

}  // namespace trove::cli
