#include "specs/value.hpp"
#include <catch2/catch.hpp>

using namespace trove;

TEST_CASE("equality ignores the order of members and where they were written") {
  Value a = Value::map({{"x", 1}, {"y", Value::list({1, 2})}});
  Value b = Value::map({{"y", Value::list({1, 2})}, {"x", 1}});
  b.at = {7, 3};
  CHECK(a == b);
  b.set("z", 1);
  CHECK_FALSE(a == b);
  CHECK_FALSE(Value::list({1, 2}) == Value::list({2, 1}));
}

TEST_CASE("equality of big maps does not depend on order either") {
  Value a = Value::map(), b = Value::map();
  for (int i = 0; i < 100; ++i) a.set("key" + std::to_string(i), i);
  for (int i = 99; i >= 0; --i) b.set("key" + std::to_string(i), i);
  CHECK(a == b);
  b.set("key50", -1);
  CHECK_FALSE(a == b);
}

TEST_CASE("an integer equals the number of the same size and no other") {
  CHECK(Value(1) == Value(1.0));
  CHECK(Value(1.0) == Value(1));
  CHECK_FALSE(Value(1) == Value(1.5));
  CHECK_FALSE(Value(int64_t{9007199254740993}) == Value(9007199254740992.0));
  CHECK_FALSE(Value(INT64_MAX) == Value(9223372036854775808.0));
  CHECK_FALSE(Value(1) == Value("1"));
  CHECK_FALSE(Value(1) == Value(true));
  CHECK_FALSE(Value() == Value(0));
}

TEST_CASE("readers of the wrong type give the fallback and never throw") {
  const Value text("x");
  CHECK(text.int_or(7) == 7);
  CHECK(text.bool_or(true));
  CHECK(text.number_or(1.5) == 1.5);
  CHECK(text.items().empty());
  CHECK(text.members().empty());
  CHECK(text["k"].is_null());
  CHECK(Value(5).text() == "");
  CHECK(Value(5).text_or("none") == "none");
  CHECK(Value(2).number_or(0) == 2.0);
  CHECK(Value(2.5).int_or(9) == 9);
}

TEST_CASE("a dotted path walks maps and list indexes") {
  Value v = Value::map();
  v.set_path("spec.volume.size", 10);
  v.set("members", Value::list({Value::map({{"name", "a"}}), Value::map({{"name", "b"}})}));
  CHECK(v.at_path("spec.volume.size").int_or(0) == 10);
  CHECK(v.at_path("members[1].name").text() == "b");
  CHECK(v.find_path("members[2].name") == nullptr);
  CHECK(v.find_path("members[x]") == nullptr);
  CHECK(v.find_path("members[1") == nullptr);
  CHECK(v.find_path("members[99999999999999999999]") == nullptr);
  CHECK(v.find_path("spec.volume.size.more") == nullptr);
  CHECK(v.find_path("") == nullptr);
  CHECK(v.at_path("members").find_path("[0].name")->text() == "a");
}

TEST_CASE("a key that holds dots is found behind its path") {
  Value v = Value::map();
  v.set("parameters", Value::map({{"pg_stat_statements.track", "all"}}));
  CHECK(v.at_path("parameters.pg_stat_statements.track").text() == "all");
}

TEST_CASE("writers turn a null into what they need") {
  Value v;
  v.set("a", 1);
  CHECK(v.is_map());
  CHECK(v.set("a", 2).int_or(0) == 2);
  CHECK(v.size() == 1);
  Value list;
  list.push_back(1);
  CHECK(list.is_list());
  CHECK(v.erase("a"));
  CHECK_FALSE(v.erase("a"));
  CHECK_FALSE(list.erase("a"));
}

TEST_CASE("a number remembers how it was written") {
  CHECK(Value::number(8.0, "8.0").as_written() == "8.0");
  CHECK(Value::number(8.1, "8.10").as_written() == "8.10");
  CHECK(Value::number(8.1, "8.10") == Value(8.1));
  CHECK(Value(3.0).as_written() == "3.0");
  CHECK(Value(0.25).as_written() == "0.25");
  CHECK(Value(true).as_written() == "true");
  CHECK(Value(-4).as_written() == "-4");
  CHECK(Value::list({1}).as_written() == "");
  const std::string long_spelling = "1.0000000000000000000000000000000000000";
  CHECK(Value::number(1.0, long_spelling).as_written() == "1.0");
}
