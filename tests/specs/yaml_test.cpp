#include "specs/yaml.hpp"
#include <catch2/catch.hpp>
#include "specs/json.hpp"
#include "support/clock.hpp"

using namespace trove;

namespace {

std::string as_json(std::string_view text) {
  const YamlStream stream = parse_yaml(text, "t.yaml");
  INFO(text);
  INFO(to_string(stream.problems));
  REQUIRE(stream.problems.empty());
  std::string all;
  for (const auto& document : stream.documents) all += (all.empty() ? "" : " ") + dump_json(document);
  return all;
}

// The first problem, as a user sees it.
std::string problem(std::string_view text, YamlLimits limits = {}) {
  const YamlStream stream = parse_yaml(text, "t.yaml", limits);
  INFO(text.substr(0, 200));
  REQUIRE_FALSE(stream.problems.empty());
  CHECK(stream.documents.empty());
  return to_string(stream.problems.front());
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

void check_round_trip(const Value& value) {
  const std::string text = dump_yaml(value);
  const YamlStream stream = parse_yaml(text, "");
  INFO(text);
  INFO(to_string(stream.problems));
  REQUIRE(stream.problems.empty());
  if (value.is_null()) return;   // an empty document is no document
  REQUIRE(stream.documents.size() == 1);
  CHECK(stream.documents[0] == value);
  CHECK(dump_json(stream.documents[0]) == dump_json(value));
}

}  // namespace

TEST_CASE("yaml becomes values of the expected types") {
  CHECK(as_json("a: 1\nb: -2\nc: 2.5\nd: true\ne: false\nf: text\ng: \"7\"\nh: 'true'\n") ==
        R"({"a":1,"b":-2,"c":2.5,"d":true,"e":false,"f":"text","g":"7","h":"true"})");
  CHECK(as_json("a:\nb: ~\nc: null\nd: ''\n") == R"({"a":null,"b":null,"c":null,"d":""})");
  CHECK(as_json("[1, {a: b}, [x, z]]") == R"([1,{"a":"b"},["x","z"]])");
  CHECK(as_json("a:\n- 1\n- b: 2\n  c: 3\n") == R"({"a":[1,{"b":2,"c":3}]})");
  CHECK(as_json("a: |\n  one\n  two\nb: >-\n  x\n  y\n") == R"({"a":"one\ntwo\n","b":"x y"})");
  CHECK(as_json("a: 2026-09-27T11:59:02Z\nb: 10.11.6\nc: db.m1.large\nd: 10.0.0.0/8\ne: 1-5\nf: 2001:db8::1\n") ==
        R"({"a":"2026-09-27T11:59:02Z","b":"10.11.6","c":"db.m1.large","d":"10.0.0.0/8","e":"1-5","f":"2001:db8::1"})");
  CHECK(as_json("yes: 1\n8: 2\ntrue: 3\n") == R"({"yes":1,"8":2,"true":3})");
  CHECK(as_json("{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\n}\n") == R"({"a":[1,2]})");
}

TEST_CASE("an unquoted version keeps its spelling") {
  const YamlStream stream = parse_yaml("a: 8.0\nb: 10.10\nc: 17\n", "");
  REQUIRE(stream.documents.size() == 1);
  CHECK(stream.documents[0]["a"].is_number());
  CHECK(stream.documents[0]["a"].as_written() == "8.0");
  CHECK(stream.documents[0]["b"].as_written() == "10.10");
  CHECK(stream.documents[0]["c"].as_written() == "17");
}

TEST_CASE("several documents and empty ones between them") {
  CHECK(as_json("a: 1\n---\nb: 2\n") == R"({"a":1} {"b":2})");
  CHECK(as_json("---\n---\n# nothing\n---\na: 1\n...\n---\n\n--- \nb: 2\n---") == R"({"a":1} {"b":2})");
  CHECK(as_json("%YAML 1.2\n---\na: 1\n") == R"({"a":1})");
  CHECK(as_json("") == "");
  CHECK(as_json("# only a comment\n") == "");
  CHECK(as_json("a: 1\r\nb: 2\r\n---\r\nc: 3\r\n") == R"({"a":1,"b":2} {"c":3})");
}

TEST_CASE("every yaml value knows its line and column across documents") {
  const YamlStream stream = parse_yaml("# c\na:\n  b: \"x\"\n---\nc:\n  - 1\n  - {d: 2}\ne:\n", "f");
  REQUIRE(stream.documents.size() == 2);
  const auto at = [](Position p, int line, int column) { return p.line == line && p.column == column; };
  const Value& first = stream.documents[0];
  CHECK(at(first.at, 2, 1));
  CHECK(at(first["a"].at, 3, 3));
  CHECK(at(first.at_path("a.b").at, 3, 6));
  const Value& second = stream.documents[1];
  CHECK(at(second.at_path("c[0]").at, 6, 5));
  CHECK(at(second.at_path("c[1].d").at, 7, 9));
  CHECK(at(second.at_path("c[1]").members()[0].key_at, 7, 6));
  CHECK(at(second["e"].at, 8, 1));
}

TEST_CASE("quoted strings say so") {
  const YamlStream stream = parse_yaml("a: x\nb: \"x\"\nc: 'x'\nd: |\n  x\n", "");
  REQUIRE(stream.documents.size() == 1);
  CHECK_FALSE(stream.documents[0]["a"].quoted);
  CHECK(stream.documents[0]["b"].quoted);
  CHECK(stream.documents[0]["c"].quoted);
  CHECK(stream.documents[0]["d"].quoted);
}

TEST_CASE("words that yaml readers disagree about are refused with advice") {
  for (const char* word : {"yes", "No", "ON", "off", "y", "N", "True", "FALSE"}) {
    CHECK(has(problem(std::string("spec:\n  a: ") + word + "\n"),
              std::string("t.yaml:2:6  spec.a: \"") + word + "\" is a boolean"));
  }
  for (const char* word : {"010", "-07", "08", "00", "0x1F", "0o17", "0b101", "1_000", "12:30", "1:30:00", "00.5"}) {
    CHECK(has(problem(std::string("a: ") + word), "quote it"));
  }
  for (const char* word : {".inf", "-.INF", "+.Inf", ".nan", ".NaN"})
    CHECK(has(problem(std::string("a: ") + word), "finite"));
  CHECK(has(problem("a: 9223372036854775808"), "does not fit 64 bits"));
  CHECK(has(problem("a: 1e999"), "out of range"));
  CHECK(as_json("a: \"yes\"\nb: '010'\nc: \"0x1F\"\nd: yes please\ne: nope\nf: 0\ng: 0.5\nh: 12:30pm\ni: .info\n") ==
        R"({"a":"yes","b":"010","c":"0x1F","d":"yes please","e":"nope","f":0,"g":0.5,"h":"12:30pm","i":".info"})");
}

TEST_CASE("all problems are reported and other documents are still read") {
  const YamlStream stream = parse_yaml("a: yes\nb: 010\n---\nok: 1\n---\nx: [1\n---\nfine: 2\n", "t.yaml");
  REQUIRE(stream.problems.size() == 3);
  CHECK(stream.problems[0].at.line == 1);
  CHECK(stream.problems[1].at.line == 2);
  CHECK(stream.problems[2].at.line == 6);
  REQUIRE(stream.documents.size() == 2);
  CHECK(stream.documents[1]["fine"].int_or(0) == 2);
}

TEST_CASE("duplicate keys name both places") {
  CHECK(problem("spec:\n  a: 1\n  b: 2\n  a: 3\n") ==
        "t.yaml:4:3  spec: the key \"a\" is written twice; the first is at 2:3");
  const YamlStream stream = parse_yaml("a: 1\na: 2\na: 3\nb: {c: 1, c: 1}\n", "");
  CHECK(stream.problems.size() == 3);
}

TEST_CASE("aliases anchors tags and merge keys are refused") {
  CHECK(has(problem("a: &x 1\n"), "1:4  a: anchors"));
  CHECK(has(problem("a: &x [1, *x]\n"), "anchors"));
  CHECK(has(problem("a: *x\n"), "anchor"));
  CHECK(has(problem("a: !!str 5\n"), "1:4  a: tags"));
  CHECK(has(problem("a: ! x\n"), "tags"));
  CHECK(has(problem("a: !t {b: 1}\n"), "tags"));
  CHECK(has(problem("a: !t [1]\n"), "tags"));
  CHECK(has(problem("<<: {a: 1}\n"), "merge keys"));
  CHECK(as_json("a: \"&x\"\nb: '*x'\nc: \"!x\"\n\"<<\": 1\n") == R"({"a":"&x","b":"*x","c":"!x","<<":1})");
}

TEST_CASE("broken yaml gives a problem at the right place") {
  CHECK(has(problem("a: [1, 2"), "t.yaml:1:4  this \"[\" is not closed"));
  CHECK(has(problem("a:\n  b: {c: 1\nd: 2\n"), "t.yaml:2:6  this \"{\" is not closed"));
  CHECK(has(problem("a: \"xyz\nb: 1\n"), "t.yaml:1:4  a: this quote (\") is never closed"));
  CHECK(has(problem("a: 'it''s\n"), "is never closed"));
  CHECK(has(problem("a: b: c\n"), "1:5  a \":\" cannot stand here"));
  CHECK(has(problem("a: 1\n  b: 2\n"), "2:4  a \":\" cannot stand here"));
  CHECK(has(problem("a: - b\n"), "line of its own"));
  CHECK(has(problem("a: @x\n"), "quote it"));
  CHECK(has(problem("[1, 2\n"), "t.yaml:1:1  this \"[\" is never closed"));
  CHECK(has(problem("%TAG ! tag:x:\n"), "t.yaml:1:1  this directive"));
  CHECK(has(problem("]"), "closes nothing"));
  CHECK(has(problem("a: 'x' y\n"), "closing quote"));
  CHECK(has(problem("- a\nb: 1\n"), "2:1  this does not belong to the document above"));
  CHECK(has(problem("? [1]\n: 2\n"), "which must be plain text"));
  CHECK(has(problem("~: 1\n"), "key is missing"));
  CHECK(has(problem(": 1\n"), "key is missing"));
  CHECK(has(problem("a: {b: 1,, c: 2}\n"), "key is missing"));
  CHECK(has(problem("a: \"\\q\"\n"), "escape"));
  CHECK(has(problem("%YAML 3.0\n"), "t.yaml:1:1  YAML major version"));
}

TEST_CASE("tabs as indentation are named as such") {
  CHECK(has(problem("a:\n\tb: 1\n"), "t.yaml:2:"));
  CHECK(has(problem("a:\n\tb: 1\n"), "a tab cannot indent"));
  CHECK(has(problem("a:\n  b: 1\n\tc: 2\n"), "a tab cannot indent"));
  CHECK(has(problem("\ta: 1"), "a tab cannot indent"));
  CHECK(has(problem("a:\n\t- 1\n"), "a tab cannot indent"));
  CHECK(as_json("a: 1\t# note\nb:\t2\n") == R"({"a":1,"b":2})");
}

TEST_CASE("a comma alone ends in a problem instead of never") {
  CHECK(has(problem(","), "does not belong"));
  CHECK(has(problem(",\n---\n,\n"), "does not belong"));
}

TEST_CASE("bytes that are no text are refused with their place") {
  CHECK(has(problem(std::string_view("a: 1\nb: \0", 9)), "t.yaml:2:4  a NUL byte"));
  CHECK(has(problem("a: \xff"), "t.yaml:1:4  this byte (\\xff) is not UTF-8"));
  CHECK(has(problem("a: \xed\xa0\x80"), "is not UTF-8"));
  CHECK(has(problem("a: \x1b[31m"), "control character (\\x1b)"));
  CHECK(has(problem("a: x\ra: y"), "carriage return"));
  CHECK(has(problem("\xff\xfe\x61"), "is not UTF-8"));
  CHECK(as_json("\xEF\xBB\xBF" "a: é\n") == R"({"a":"é"})");
}

TEST_CASE("yaml limits hold at the bound") {
  CHECK(parse_yaml("a: [[1]]", "", {.depth = 3}).problems.empty());
  CHECK(has(problem("a: [[[1]]]", {.depth = 3}), "nested deeper than 3 levels"));
  CHECK(parse_yaml("[1, 2]", "", {.nodes = 3}).problems.empty());
  CHECK(has(problem("[1, 2, 3]", {.nodes = 3}), "more than 3 values"));
  CHECK(parse_yaml("a: 1\nb: 2\n", "", {.nodes = 3}).problems.empty());   // keys are free
  CHECK(parse_yaml("a: 1", "", {.bytes = 4}).problems.empty());
  CHECK(has(problem("a: 12", {.bytes = 4}), "at most 4"));
  CHECK(parse_yaml("a\n---\nb\n", "", {.documents = 2}).problems.empty());
  const YamlStream stream = parse_yaml("a\n---\nb\n---\nc\n---\nd\n", "", {.documents = 2});
  REQUIRE(stream.problems.size() == 1);
  CHECK(stream.problems[0].code == Code::too_large);
  CHECK(stream.documents.size() == 2);
}

TEST_CASE("hostile yaml ends in a problem quickly") {
  const auto repeat = [](std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  CHECK(has(problem(std::string(10u << 20, 'a')), "at most 1048576"));
  CHECK(has(problem("#\n---\n" + repeat("[", 10'000)), "t.yaml:3:1001  more than 1000 brackets"));
  CHECK(has(problem(repeat("{a: ", 10'000)), "more than 1000 brackets"));
  CHECK(has(problem(repeat("[", 100) + repeat("]", 100)), "nested deeper"));
  CHECK(has(problem("k: " + repeat("{a: ", 100)), "nested deeper"));
  CHECK(as_json("a: '" + repeat("[", 900) + "'").size() == 908);
  CHECK(has(problem(repeat("- ", 10'000)), "nested deeper"));
  std::string stairs;
  for (int i = 0; i < 1'400; ++i) stairs += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  CHECK(has(problem(stairs), "nested deeper"));
  CHECK(has(problem("k: [" + repeat("1,", 500'000)), "more than 100000"));
  CHECK(has(problem("[" + repeat("1,", 500'000) + "1]"), "more than 100000"));
  CHECK(has(problem("{" + repeat("a,", 500'000) + "a}"), "more than 100000"));
  problem(repeat("? ", 10'000));
  problem(repeat("[{", 10'000));
  problem(repeat("!a ", 10'000));
  problem(repeat("&a ", 10'000));
  problem(repeat("yes\n---\n", 10'000));
  problem(repeat("\"", 999'999));
  parse_yaml(repeat("---\n", 250'000), "");
  parse_yaml(repeat(" ", 1'000'000), "");
  parse_yaml(repeat("\n", 1'000'000), "");
  parse_yaml(repeat("a ", 500'000), "");
  parse_yaml(repeat("a\n", 500'000), "");
  parse_yaml(repeat("a: ", 300'000), "");
  parse_yaml(repeat("# c\n", 250'000), "");
  parse_yaml("a: |\n" + repeat(" \n", 400'000), "");
  parse_yaml("a: \"" + repeat("\\\n", 400'000), "");
}

TEST_CASE("random texts never crash or hang the yaml parser") {
  static constexpr std::string_view pieces[] = {
      "a",   "b: ", ": ", "- ", "\n",    "\n  ",  "[", "]",  "{", "}", ",",   "\"",   "'",  "|", ">",   "&x ",
      "*x ", "!t ", "? ", "# ", "---\n", "...\n", "%", "\t", "~", "1", "yes", "<<: ", "\\", "é", "\r\n"};
  SeededRng rng(42);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = rng.below(24); n > 0; --n) text += pieces[rng.below(std::size(pieces))];
    INFO(text);
    const YamlStream stream = parse_yaml(text, "f");
    for (const auto& found : stream.problems) {
      if (found.at.line < 1 || found.at.column < 1 || found.message.empty()) FAIL(to_string(found));
    }
    for (const auto& document : stream.documents) {
      const YamlStream again = parse_yaml(dump_yaml(document), "");
      if (again.documents.size() != 1 || !(again.documents[0] == document)) FAIL(dump_yaml(document));
    }
  }
}

TEST_CASE("dumped yaml looks as people write it") {
  const Value v = *parse_json(
      R"({"apiVersion":"trove/v1alpha1","spec":{"version":8.0,"on":"yes","list":[{"a":1,"b":["x"]},[1,2],"t"],
    "empty":{},"none":[],"nothing":null,"text":"one\ntwo\n","cidr":"10.0.0.0/8","pct":"%","time":"12:30"}})");
  CHECK(
      dump_yaml(v) ==
      "apiVersion: trove/v1alpha1\nspec:\n  version: 8.0\n  \"on\": \"yes\"\n  list:\n  - a: 1\n    b:\n    - x\n  - - "
      "1\n    - 2\n"
      "  - t\n  empty: {}\n  none: []\n  nothing: null\n  text: |\n    one\n    two\n  cidr: 10.0.0.0/8\n  pct: \"%\"\n"
      "  time: \"12:30\"\n");
  check_round_trip(v);
}

TEST_CASE("every string survives a round trip") {
  for (const char* text : {"",
                           " ",
                           "a ",
                           " a",
                           "null",
                           "~",
                           "Null",
                           "true",
                           "True",
                           "yes",
                           "n",
                           "1",
                           "-1",
                           "+1",
                           "1.5",
                           "1e3",
                           "010",
                           "0x1F",
                           "1_0",
                           ".inf",
                           ".nan",
                           "12:30",
                           "-",
                           "- a",
                           "a: b",
                           "a:",
                           ":a",
                           "a #b",
                           "#a",
                           "a#b",
                           "[a",
                           "{a",
                           "]",
                           "a,b",
                           ",",
                           "&a",
                           "*a",
                           "!a",
                           "|",
                           ">",
                           "'",
                           "\"",
                           "it's",
                           "say \"hi\"",
                           "%",
                           "@",
                           "`",
                           "?",
                           "? a",
                           "---",
                           "...",
                           "--- a",
                           "<<",
                           "=",
                           "a\nb",
                           "a\nb\n",
                           "a\n\nb",
                           "\n",
                           "\na",
                           "a\n\n",
                           " a\nb",
                           "a \nb",
                           "a\n b",
                           "a\n---\nb",
                           "a\tb",
                           "\t",
                           "a\r\nb",
                           "\x01",
                           "\x7f",
                           "\x1b[0m",
                           "é",
                           "日本語",
                           "😀",
                           "\xC2\x85",
                           "\xE2\x80\xA8",
                           "\xEF\xBB\xBF",
                           "\\",
                           "\\n",
                           "a\\",
                           "2026-09-27",
                           "10.11.6",
                           "a\n# b\n",
                           "a: |\n",
                           "/",
                           ".",
                           ".a"}) {
    check_round_trip(Value(text));
    check_round_trip(Value::map({{"k", text}}));
    check_round_trip(Value::map({{text, text}}));
    check_round_trip(Value::list({text, Value::list({text}), Value::map({{text, Value::map({{text, text}})}})}));
  }
  check_round_trip(
      Value::map({{std::string(3000, 'k'), 1}, {std::string(2000, 'm'), Value::map({{"a", Value::list({1})}})}}));
}

TEST_CASE("random values survive a round trip") {
  SeededRng rng(7);
  const auto random_value = [&](auto& self, int depth) -> Value {
    switch (rng.below(depth > 0 ? 8 : 6)) {
      case 0: return {};
      case 1: return rng.below(2) == 0;
      case 2: return static_cast<int64_t>(rng.next());
      case 3: return static_cast<double>(static_cast<int64_t>(rng.next())) / 1024.0;
      case 4:
      case 5: {
        std::string text;
        for (uint64_t n = rng.below(12); n > 0; --n) text += "ab \n:-#'\"\\,[]{}1.\t"[rng.below(18)];
        return text;
      }
      case 6: {
        Value list = Value::list();
        for (uint64_t n = rng.below(4); n > 0; --n) list.push_back(self(self, depth - 1));
        return list;
      }
      default: {
        Value map = Value::map();
        for (uint64_t n = rng.below(4); n > 0; --n) map.set(self(self, 0).as_written(), self(self, depth - 1));
        return map;
      }
    }
  };
  for (int i = 0; i < 2'000; ++i) check_round_trip(random_value(random_value, 5));
}
