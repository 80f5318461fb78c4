#include "specs/json.hpp"
#include <catch2/catch.hpp>
#include "support/clock.hpp"

using namespace trove;

namespace {

Value parsed(std::string_view text) {
  auto value = parse_json(text);
  INFO(text);
  REQUIRE(value.has_value());
  return *value;
}

Error refused(std::string_view text, JsonLimits limits = {}) {
  const auto value = parse_json(text, limits);
  INFO(text.substr(0, 100));
  REQUIRE_FALSE(value.has_value());
  return value.error();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The character that a value's position points at.
bool starts_where_it_says(const Value& value, const std::vector<std::string>& lines) {
  const auto line = static_cast<size_t>(value.at.line - 1);
  const auto column = static_cast<size_t>(value.at.column - 1);
  if (line >= lines.size() || column >= lines[line].size()) return false;
  const char c = lines[line][column];
  switch (value.type()) {
    case Value::Type::null: return c == 'n';
    case Value::Type::boolean: return c == (value.bool_or(false) ? 't' : 'f');
    case Value::Type::string: return c == '"';
    case Value::Type::list: break;
    case Value::Type::map: break;
    default: return c == '-' || (c >= '0' && c <= '9');
  }
  if (c != (value.is_list() ? '[' : '{')) return false;
  for (const auto& item : value.items()) {
    if (!starts_where_it_says(item, lines)) return false;
  }
  for (const auto& member : value.members()) {
    if (!starts_where_it_says(member.value, lines)) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("json round trips through a value") {
  const std::string text = R"({"a":[1,-2,3.5,true,false,null,"x"],"b":{},"c":[],"d":{"e":"f"}})";
  CHECK(dump_json(parsed(text)) == text);
  CHECK(parsed(dump_json_pretty(parsed(text))) == parsed(text));
}

TEST_CASE("pretty json indents by two and keeps empty containers short") {
  CHECK(dump_json_pretty(parsed(R"({"a":[1,{"b":2}],"c":{},"d":[]})")) ==
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}");
}

TEST_CASE("every json value knows its line and column") {
  const Value v = parsed("{\n  \"a\": [1,\n\t\"x \\\" y\", {\"k\" : true}],\n  \"b\":-2.5e3 , \"c\": {}\n}");
  const auto at = [](const Value& value, int line, int column) {
    return value.at.line == line && value.at.column == column;
  };
  CHECK(at(v, 1, 1));
  CHECK(at(v["a"], 2, 8));
  CHECK(at(v.at_path("a[0]"), 2, 9));
  CHECK(at(v.at_path("a[1]"), 3, 2));
  CHECK(at(v.at_path("a[2]"), 3, 12));
  CHECK(at(v.at_path("a[2].k"), 3, 19));
  CHECK(at(v["b"], 4, 7));
  CHECK(at(v["c"], 4, 21));
  CHECK(v.members()[1].key_at.line == 4);
  CHECK(v.members()[1].key_at.column == 3);
}

TEST_CASE("a byte order mark at the start of json does not shift positions") {
  CHECK(parsed("\xEF\xBB\xBF{\"a\": 1}")["a"].at.column == 7);
}

TEST_CASE("duplicate json keys are refused with both places") {
  const Error error = refused("{\"a\": 1,\n \"b\": 2, \"a\": 3}");
  CHECK(error.code == Code::invalid);
  CHECK(has(error.message, "line 2, column 10"));
  CHECK(has(error.message, "line 1, column 2"));
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\": 0, ";
  CHECK(has(refused(many + "\"k42\": 1}").message, "\"k42\" is written twice"));
}

TEST_CASE("integers beyond 64 bits are refused instead of rounded") {
  CHECK(parsed("9223372036854775807").int_or(0) == INT64_MAX);
  CHECK(parsed("-9223372036854775808").int_or(0) == INT64_MIN);
  CHECK(has(refused("[9223372036854775808]").message, "line 1, column 2"));
  CHECK(has(refused("-9223372036854775809").message, "does not fit"));
  CHECK(has(refused("123456789012345678901234567890").message, "does not fit"));
  refused("1e999");
}

TEST_CASE("what is not json is refused with its place") {
  for (const char* text :
       {"",   " ",  "{",   "[1,",      "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "nul",   "tru",     "01",     "+1",
        ".5", "1.", "NaN", "Infinity", "'x'",  "\"a",      "\"\\q\"",   "[1] x", "{} {}", "// c\n1", "\"\t\"", "]"}) {
    const Error error = refused(text);
    INFO(error.message);
    CHECK(error.code == Code::invalid);
    CHECK(has(error.message, "line 1, column"));
  }
  CHECK(has(refused("{\n  \"a\": 1,\n  \"b\": x}").message, "line 3, column 8"));
}

TEST_CASE("invalid UTF-8 and NUL bytes in json are refused") {
  refused("\"\xff\"");
  refused("\"\xc0\x80\"");
  refused("\"\xed\xa0\x80\"");
  refused("\"\\ud800\"");
  CHECK(has(refused(std::string_view("{}\0{}", 5)).message, "NUL"));
  CHECK(parsed("\"\\u0000\"").text() == std::string(1, '\0'));
}

TEST_CASE("error messages hold no control characters of the input") {
  const Error error = refused("{\"a\": \x1b[31m}");
  CHECK_FALSE(has(error.message, "\x1b"));
}

TEST_CASE("json limits hold at the bound") {
  CHECK(parse_json("[[[1]]]", {.depth = 3}).has_value());
  CHECK(refused("[[[[1]]]]", {.depth = 3}).code == Code::too_large);
  CHECK(parse_json("[1,2]", {.nodes = 3}).has_value());
  CHECK(refused("[1,2,3]", {.nodes = 3}).code == Code::too_large);
  CHECK(parse_json("[1]", {.bytes = 3}).has_value());
  CHECK(refused("[12]", {.bytes = 3}).code == Code::too_large);
  CHECK(refused(std::string(1'000'000, '[')).code == Code::too_large);
  std::string maps;
  for (int i = 0; i < 10'000; ++i) maps += "{\"a\":";
  CHECK(refused(maps).code == Code::too_large);
}

TEST_CASE("dumped json escapes what must be escaped") {
  CHECK(dump_json(Value("a\"b\\c\n\t\r\x01\x1f/")) == R"("a\"b\\c\n\t\r\u0001\u001f/")");
  CHECK(dump_json(Value("é€😀")) == "\"é€😀\"");
  CHECK(dump_json(Value("a\xffz")) == "\"a\xEF\xBF\xBDz\"");
  CHECK(dump_json(Value("\xe2\x82")) == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("dumped strings parse back as they were") {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  all += "é€😀";
  CHECK(parsed(dump_json(Value(all))).text() == all);
}

TEST_CASE("numbers keep their spelling in json and lose it in canonical json") {
  CHECK(dump_json(parsed("[8.0, 8.10, 1E5]")) == "[8.0,8.10,1E5]");
  CHECK(canonical_json(parsed("[8.0, 8.10, 1E5]")) == "[8,8.1,100000]");
  CHECK(dump_json(Value(8.0)) == "8.0");
  CHECK(parsed(dump_json(Value(1e300))) == Value(1e300));
  CHECK(parsed(dump_json(Value(0.1))) == Value(0.1));
  CHECK(dump_json(Value::number(1.5, "+1.5")) == "1.5");
  CHECK(dump_json(Value::number(0.5, ".5")) == "0.5");
}

TEST_CASE("canonical json is the same for equal values") {
  const Value a = parsed(R"({"b":1.0,"a":{"y":[2],"x":null}})");
  const Value b = parsed(R"({ "a": {"x": null, "y": [2.0]}, "b": 1})");
  CHECK(a == b);
  CHECK(canonical_json(a) == canonical_json(b));
  CHECK(canonical_json(a) == R"({"a":{"x":null,"y":[2]},"b":1})");
}

TEST_CASE("random json either fails or knows its places and survives a round trip") {
  static constexpr std::string_view pieces[] = {
      "[",    "]",    "{", "}",  ",",  ":",        "\"a\":", "\"b\\\"\":",  "\"x,]\"", "1", "-2.5e3",
      "true", "null", " ", "\n", "\t", "\"\\\\\"", "0",      "\"\\u00e9\"", "é",       "\""};
  SeededRng rng(11);
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (uint64_t n = 1 + rng.below(9); n > 0; --n) text += pieces[rng.below(std::size(pieces))];
    const auto value = parse_json(text);
    if (!value) {
      if (value.error().message.empty()) FAIL(text);
      continue;
    }
    ++accepted;
    std::vector<std::string> lines(1);
    for (const char c : text) {
      if (c == '\n') {
        lines.emplace_back();
      } else {
        lines.back() += c;
      }
    }
    if (!starts_where_it_says(*value, lines)) FAIL(text);
    if (!(parse_json(dump_json(*value)) == *value)) FAIL(text);
  }
  CHECK(accepted > 1000);
}

TEST_CASE("what was stored is read the same, without positions") {
  const std::string text =
      R"({"a":[1,-2,8.0,1e3,true,null],"text":"\u00fc \"q\" a string that is longer than most","deep":{"x":{"y":[[]]}}})";
  const auto placed = parse_json(text), stored = parse_stored_json(text);
  REQUIRE(placed);
  REQUIRE(stored);
  CHECK(*placed == *stored);
  CHECK(dump_json(*stored) == dump_json(*placed));
  CHECK((*placed)["deep"].at.line == 1);
  CHECK((*stored)["deep"].at.line == 0);
  CHECK((*stored)["text"].quoted);
  for (const char* bad : {"{\"a\":1,\"a\":2}", "[1", "[18446744073709551615]", "[184467440737095516150]", "[1]x"})
    CHECK_FALSE(parse_stored_json(bad));
}
