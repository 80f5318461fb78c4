// The subset of JSONPath, one sentence each.
#include <catch2/catch.hpp>
#include "cli/output/jsonpath.hpp"
#include "specs/json.hpp"

namespace trove::cli {
namespace {

const Value& sample() {
  static const Value value = *parse_json(R"({
    "kind": "List", "empty": [], "yes": true, "none": null, "a key": "spaced", "ratio": 1.5,
    "labels": {"app.example/name": "shop"},
    "items": [
      {"name": "a", "size": 3, "tags": ["x", "y"], "on": {"ready": "True"}},
      {"name": "b", "size": 10, "tags": [], "on": {"ready": "False"}},
      {"name": "c", "size": 7, "tags": ["z"]}]})");
  return value;
}
std::string eval(const std::string& text) {
  auto result = jsonpath(text, sample());
  return result ? *result : "ERROR " + result.error().message;
}

TEST_CASE("jsonpath follows names indexes and stars") {
  CHECK(eval("{.kind}") == "List");
  CHECK(eval(".kind") == "List");
  CHECK(eval("{$.kind}") == "List");
  CHECK(eval("{.items[0].name}") == "a");
  CHECK(eval("{.items[-1].name}") == "c");
  CHECK(eval("{.items[*].name}") == "a b c");
  CHECK(eval("{.items[*].tags[*]}") == "x y z");
  CHECK(eval("{['a key']}") == "spaced");
  CHECK(eval("{.labels.app\\.example/name}") == "shop");
  CHECK(eval("{.labels['app.example/name']}") == "shop");
  // A backslash at the end escapes nothing, and nothing behind the end is read (a view without a NUL behind it).
  CHECK(find_all(std::string_view(".kind\\X", 6), Value::map({{"kind\\", 1}, {"kindX", 2}}))->size() == 1);
  CHECK(find_all(std::string_view(".kind\\X", 6), Value::map({{"kindX", 2}}))->empty());
}

TEST_CASE("jsonpath prints scalars bare and the rest as json") {
  CHECK(eval("{.yes} {.ratio} {.items[1].size}") == "true 1.5 10");
  CHECK(eval("{.items[0].tags}") == R"(["x","y"])");
  CHECK(eval("{.none}{.absent}{.items[9].name}{.empty[0]}{.empty[-1]}") == "");
}

TEST_CASE("jsonpath filters lists") {
  CHECK(eval(R"({.items[?(@.name=="b")].size})") == "10");
  CHECK(eval(R"({.items[?(@.name!='b')].name})") == "a c");
  CHECK(eval("{.items[?(@.size>3)].name}") == "b c");
  CHECK(eval("{.items[?(@.size<=7)].name}") == "a c");
  CHECK(eval("{.items[?(@.on)].name}") == "a b");
  CHECK(eval(R"({.items[?(@.on.ready=="True")].name})") == "a");
}

TEST_CASE("jsonpath ranges over lists") {
  CHECK(eval(R"({range .items[*]}{.name}={.size}{"\n"}{end})") == "a=3\nb=10\nc=7\n");
  CHECK(eval(R"({range .items[*]}{.name}:{range .tags[*]}[{@}]{end};{end})") == "a:[x][y];b:;c:[z];");
  CHECK(eval("kind is {.kind}!") == "kind is List!");
}

TEST_CASE("jsonpath says where a template is wrong") {
  for (const char* bad : {"{.items[}", "{.items[0}", "{.a", "{range .items[*]}{.name}", "{end}", "{.items[?(name)]}",
                          "{..a}", "{.items[?(@.a==)]}", "{.a b}", "{'open}", "{.items[?(@.a=='x]}"}) {
    INFO(bad);
    CHECK(eval(bad).find("ERROR jsonpath: ") == 0);
  }
}

TEST_CASE("jsonpath bounds template nesting and length") {
  std::string deep;
  for (int i = 0; i < kTemplateRanges + 1; ++i) deep += "{range .items[*]}";
  CHECK(eval(deep).find("too many nested ranges") != std::string::npos);
  CHECK(eval(std::string(kTemplateBytes + 1, 'x')).find("too long") != std::string::npos);
  CHECK(eval(std::string(kTemplateBytes, '{')).find("ERROR") == 0);
  CHECK(eval("{" + std::string(5000, '[') + "}").find("ERROR") == 0);
}

}  // namespace
}  // namespace trove::cli
