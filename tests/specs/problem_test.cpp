#include "specs/problem.hpp"
#include <catch2/catch.hpp>
#include "specs/core/utf8.hpp"

using namespace trove;

TEST_CASE("a problem says where and what and what next") {
  Problem p;
  p.file = "crm.yaml";
  p.at = {9, 3};
  p.path = "spec.volumme";
  p.message = "unknown field. Did you mean \"volume\"?";
  CHECK(to_string(p) == "crm.yaml:9:3  spec.volumme: unknown field. Did you mean \"volume\"?");
  p.hint = "see trovectl explain inst.spec";
  CHECK(to_string(p) ==
        "crm.yaml:9:3  spec.volumme: unknown field. Did you mean \"volume\"?\n  see trovectl explain inst.spec");
  CHECK(to_string(Problem{"", {2, 1}, "", "bad"}) == "2:1  bad");
  CHECK(to_string(Problem{"a.yaml", {}, "spec", "bad"}) == "a.yaml  spec: bad");
  CHECK(to_string(Problem{"", {}, "", "bad"}) == "bad");
  CHECK(to_string(Problems{{"", {}, "", "one"}, {"", {}, "", "two"}}) == "one\ntwo");
}

TEST_CASE("a problem cannot smuggle control characters onto a terminal") {
  const std::string text =
      to_string(Problem{"a\x1b]0;x\x07.yaml", {1, 1}, "spec.\r", "line\nbreak \xe2\x80\xae \xff", "h\x9bint"});
  CHECK(text == "a\\x1b]0;x\\x07.yaml:1:1  spec.\\x0d: line\\nbreak \\u202e \\xff\n  h\\x9bint");
}

TEST_CASE("printable cuts by characters and leaves its own output alone") {
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("abcd", 3) == "abc…");
  CHECK(printable("äöü", 3) == "äöü");
  CHECK(printable("äöüß", 3) == "äöü…");
  CHECK(printable(printable("a\n\x1b")) == printable("a\n\x1b"));
  CHECK(printable("C:\\dir \"x\"") == "C:\\dir \"x\"");
}

TEST_CASE("invalid UTF-8 is found at its first byte") {
  CHECK(find_invalid_utf8("plain é€😀") == std::string_view::npos);
  CHECK(find_invalid_utf8("ab\xff") == 2);
  for (const char* text : {"\x80", "\xc0\xaf", "\xc1\x81", "\xc3", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80",
                           "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    CHECK(find_invalid_utf8(text) == 0);
  }
}

TEST_CASE("nearest finds slips of the fingers") {
  const std::vector<std::string_view> fields{"volume", "version", "flavor", "size", "deletionPolicy", "type", "on"};
  CHECK(nearest("volumme", fields) == "volume");
  CHECK(nearest("szie", fields) == "size");
  CHECK(nearest("flavour", fields) == "flavor");
  CHECK(nearest("deletionpolicy", fields) == "deletionPolicy");
  CHECK(nearest("deletoinPolcy", fields) == "deletionPolicy");
  CHECK(nearest("tpye", fields) == "type");
  CHECK(nearest("ON", fields) == "on");
}

TEST_CASE("nearest stays silent when nothing is near") {
  const std::vector<std::string_view> fields{"volume", "size", "on"};
  CHECK(nearest("replicas", fields) == "");
  CHECK(nearest("of", fields) == "");
  CHECK(nearest("", fields) == "");
  CHECK(nearest("vxlxmx", fields) == "");
  CHECK(nearest(std::string(10'000, 'v'), fields) == "");
  CHECK(nearest("volume", {}) == "");
}
