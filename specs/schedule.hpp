// Five-field cron in an IANA time zone. Pure but for the time zone database, which is read once. Thread-safe.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/core/time.hpp"

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
  std::vector<bool> minutes_, hours_, days_, months_, weekdays_;
  bool day_star_ = true, weekday_star_ = true;
  std::string zone_;
};

}  // namespace trove
