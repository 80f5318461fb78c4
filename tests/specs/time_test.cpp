#include "specs/core/time.hpp"
#include <catch2/catch.hpp>
#include <set>
#include "support/clock.hpp"

using namespace trove;

TEST_CASE("times are written in UTC with milliseconds only when there are some") {
  CHECK(format_time(Time{0}) == "1970-01-01T00:00:00Z");
  CHECK(format_time(Time{1'790'510'400'000}) == "2026-09-27T12:00:00Z");
  CHECK(format_time(Time{1'790'510'400'007}) == "2026-09-27T12:00:00.007Z");
  CHECK(format_time(Time{-1}) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("times are read with their zone") {
  CHECK(parse_time("2026-09-27T12:00:00Z") == Time{1'790'510'400'000});
  CHECK(parse_time("2026-09-27T14:00:00+02:00") == Time{1'790'510'400'000});
  CHECK(parse_time("2026-09-27T06:30:00-05:30") == Time{1'790'510'400'000});
  CHECK(parse_time("2026-09-27t12:00:00z") == Time{1'790'510'400'000});
  CHECK(parse_time("2026-09-27T12:00:00.5Z") == Time{1'790'510'400'500});
  CHECK(parse_time("2026-09-27T12:00:00.123999Z") == Time{1'790'510'400'123});
  CHECK(parse_time("2024-02-29T00:00:00Z").has_value());
}

TEST_CASE("what is not a time is refused") {
  for (const char* text : {"",
                           "2026-09-27",
                           "2026-09-27T12:00:00",
                           "2026-09-27 12:00:00Z",
                           "2026-09-27T12:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "2026-04-31T00:00:00Z",
                           "2026-09-27T24:00:00Z",
                           "2026-09-27T12:60:00Z",
                           "2026-09-27T12:00:60Z",
                           "2026-09-27T12:00:00.Z",
                           "2026-09-27T12:00:00+2",
                           "2026-09-27T12:00:00+0200",
                           "2026-09-27T12:00:00+24:00",
                           "2026-09-27T12:00:00Zx",
                           "+026-09-27T12:00:00Z",
                           "2026-9-27T12:00:00Z",
                           "now"}) {
    INFO(text);
    CHECK_FALSE(parse_time(text).has_value());
  }
}

TEST_CASE("every time reads back as it was written") {
  SeededRng rng(3);
  for (int i = 0; i < 10'000; ++i) {
    const Time t{static_cast<int64_t>(rng.below(253'402'300'799'999))};
    if (parse_time(format_time(t)) != t) FAIL(format_time(t));
  }
}

TEST_CASE("ages use one or two units") {
  const auto age = [](int64_t seconds) { return format_age(Millis{seconds * 1000}); };
  CHECK(age(-5) == "0s");
  CHECK(age(0) == "0s");
  CHECK(age(5) == "5s");
  CHECK(age(119) == "119s");
  CHECK(age(120) == "2m");
  CHECK(age(185) == "3m5s");
  CHECK(age(15 * 60 + 5) == "15m");
  CHECK(age(3 * 3600 + 60) == "3h1m");
  CHECK(age(20 * 3600 + 60) == "20h");
  CHECK(age(50 * 3600) == "2d2h");
  CHECK(age(41 * 86400) == "41d");
  CHECK(age(800 * 86400) == "2y70d");
  CHECK(age(3650LL * 86400) == "10y");
}

TEST_CASE("durations are read") {
  CHECK(parse_duration("30s") == Millis{30'000});
  CHECK(parse_duration("15m") == Millis{900'000});
  CHECK(parse_duration("2h") == Millis{7'200'000});
  CHECK(parse_duration("7d") == Millis{604'800'000});
  CHECK(parse_duration("1h30m") == Millis{5'400'000});
  CHECK(parse_duration("250ms") == Millis{250});
  CHECK(parse_duration("1m1ms") == Millis{60'001});
  CHECK(parse_duration("0s") == Millis{0});
  for (const char* text : {"", "5", "s", "-5s", "1.5h", "5 s", "1m1h", "1s1s", "5x", "5S", "99999999999999999999s",
                           "9999999999d", "1h30"}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text).has_value());
  }
}

TEST_CASE("durations are written as shortly as possible and read back") {
  CHECK(format_duration(Millis{0}) == "0s");
  CHECK(format_duration(Millis{30'000}) == "30s");
  CHECK(format_duration(Millis{90'000}) == "90s");
  CHECK(format_duration(Millis{604'800'000}) == "7d");
  CHECK(format_duration(Millis{5'400'000}) == "90m");
  CHECK(format_duration(Millis{86'401'000}) == "1d1s");
  CHECK(format_duration(Millis{1'500}) == "1500ms");
  CHECK(format_duration(Millis{86'400'250}) == "1d250ms");
  SeededRng rng(5);
  for (int i = 0; i < 5'000; ++i) {
    const Millis d{static_cast<int64_t>(rng.below(1'000'000'000))};
    if (parse_duration(format_duration(d)) != d) FAIL(format_duration(d));
  }
}

TEST_CASE("a uid is a version 4 uuid") {
  SeededRng rng;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string uid = new_uid(rng);
    REQUIRE(uid.size() == 36);
    CHECK((uid[8] == '-' && uid[13] == '-' && uid[18] == '-' && uid[23] == '-'));
    CHECK(uid[14] == '4');
    CHECK(std::string("89ab").find(uid[19]) != std::string::npos);
    CHECK(uid.find_first_not_of("0123456789abcdef-") == std::string::npos);
    seen.insert(uid);
  }
  CHECK(seen.size() == 1000);
}

TEST_CASE("random text has the length asked for and uses all letters evenly") {
  SeededRng rng;
  CHECK(random_text(rng, 0) == "");
  const std::string text = random_text(rng, 62'000);
  CHECK(text.size() == 62'000);
  int count[256] = {};
  for (const unsigned char c : text) ++count[c];
  int letters = 0;
  for (int c = 0; c < 256; ++c) {
    if (!count[c]) continue;
    ++letters;
    CHECK((count[c] > 800 && count[c] < 1200));
  }
  CHECK(letters == 62);
}
