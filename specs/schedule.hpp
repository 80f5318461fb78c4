// Five-field cron in an IANA time zone. Pure but for the time zone database, which is read once. Thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/core/time.hpp"

namespace date {
class time_zone;
}

namespace trove {

// Fields: minute hour day-of-month month day-of-week, with lists, ranges, steps and names, and @hourly @daily @weekly
// @monthly @yearly. As in Vixie cron, day-of-month and day-of-week are or-ed when both are restricted.
// DST: a time that does not exist runs at the first moment after the gap; one that exists twice runs once, the first time.
class Schedule {
 public:
  // invalid: six fields (says so), impossible dates (Feb 30), unknown zone, out of range; the message names the field.
  static Result<Schedule> parse(std::string_view cron, std::string_view time_zone = "UTC");
  // The first due time strictly after `t`.
  Time next(Time t) const;
  // The last due time at or before `t` and strictly after `since`; found by arithmetic, not by stepping through all.
  std::optional<Time> last(Time since, Time t) const;

 private:
  // Due moments of one local day are numbered in order: index = hour index * minutes + minute index.
  size_t moments() const { return hours_.size() * minutes_.size(); }
  Time moment(int64_t local_day, size_t index) const;
  int64_t local_day(Time t) const;
  bool due_on(int64_t local_day) const;
  // The local day at or after (step 1) or at or before (step -1) `day` with a due moment; none within the search bound.
  std::optional<int64_t> due_day(int64_t day, int step, int& budget) const;

  std::vector<uint8_t> minutes_, hours_;   // sorted
  uint32_t days_ = 0, months_ = 0;         // bit n = day or month n
  uint32_t weekdays_ = 0;                  // bit 0 = Sunday
  bool day_star_ = true, weekday_star_ = true;
  const date::time_zone* zone_ = nullptr;  // of the process-wide database, never freed; nullptr = UTC
};

}  // namespace trove
