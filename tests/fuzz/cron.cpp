// A schedule, a time zone and a moment, one a line. Due times rise, are found from both sides, and in UTC are those
// that counting minutes finds.
#include <charconv>
#include "specs/schedule.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr int64_t kMinute = 60'000, kDay = 24 * 60 * kMinute;
constexpr int64_t kFirst = -62'135'596'800'000, kLast = 253'402'300'799'000;  // the years 1 to 9999
constexpr Millis kFarthest{int64_t{41} * 366 * kDay};
constexpr int64_t kCounted = 2 * kDay;  // counted minute by minute

// The fields once more, as simply as can be: of a text that Schedule accepted.
struct Plain {
  uint64_t minutes = 0, hours = 0, days = 0, months = 0, weekdays = 0;
  bool either = false;

  explicit Plain(std::string_view cron) {
    std::string text(cron);
    for (const auto& [word, five] : {std::pair{"@hourly", "0 * * * *"},
                                     {"@daily", "0 0 * * *"},
                                     {"@midnight", "0 0 * * *"},
                                     {"@weekly", "0 0 * * 0"},
                                     {"@monthly", "0 0 1 * *"},
                                     {"@yearly", "0 0 1 1 *"},
                                     {"@annually", "0 0 1 1 *"}})
      if (text.find(word) != text.npos) text = five;
    std::vector<std::string> fields(1);
    for (char c : text) {
      if (c != ' ' && c != '\t')
        fields.back() += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      else if (!fields.back().empty())
        fields.emplace_back();
    }
    minutes = bits(fields[0], 0, 59, "");
    hours = bits(fields[1], 0, 23, "");
    days = bits(fields[2], 1, 31, "");
    months = bits(fields[3], 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec");
    weekdays = bits(fields[4], 0, 7, "sunmontuewedthufrisat");
    if (weekdays >> 7 & 1) weekdays |= 1;
    either = fields[2][0] != '*' && fields[4][0] != '*';
  }

  static int number(const std::string& text, int first, std::string_view names) {
    if (text[0] >= '0' && text[0] <= '9') return std::stoi(text);
    return first + static_cast<int>(names.find(text) / 3);
  }
  static uint64_t bits(std::string field, int first, int last, std::string_view names) {
    uint64_t all = 0;
    field += ',';
    for (size_t at = 0; at < field.size();) {
      std::string item = field.substr(at, field.find(',', at) - at);
      at += item.size() + 1;
      int step = 1, from = first, to = last;
      if (const auto slash = item.find('/'); slash != item.npos) {
        step = std::stoi(item.substr(slash + 1));
        item.resize(slash);
      }
      if (item != "*") {
        const auto dash = item.find('-');
        from = number(item.substr(0, dash), first, names);
        to = dash == item.npos ? from : number(item.substr(dash + 1), first, names);
        if (last == 7 && to < from) to += 7;
      } else if (last == 7) {
        to = 6;
      }
      for (int n = from; n <= to; n += step) all |= uint64_t{1} << n;
    }
    return all;
  }

  bool due(int64_t minute) const {
    int64_t day = minute / 1440, of_day = minute % 1440;
    if (of_day < 0) of_day += 1440, --day;
    if (!(minutes >> (of_day % 60) & 1) || !(hours >> (of_day / 60) & 1)) return false;
    // Days since 1970 to a date (a year that begins in March).
    const int64_t shifted = day + 719'468;
    const int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
    const int64_t of_era = shifted - era * 146'097;
    const int64_t year = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const int64_t shifted_month = (5 * of_year + 2) / 153;
    const int64_t date = of_year - (153 * shifted_month + 2) / 5 + 1;
    const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    const int64_t weekday = ((day + 4) % 7 + 7) % 7;
    if (!(months >> month & 1)) return false;
    const bool by_date = days >> date & 1, by_weekday = weekdays >> weekday & 1;
    return either ? by_date || by_weekday : by_date && by_weekday;
  }
};

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

void check_counting(std::string_view cron, const Schedule& schedule, Time t) {
  const Plain plain(cron);
  const Time next = schedule.next(t);
  for (int64_t minute = floor_div(t.ms, kMinute) + 1; minute * kMinute <= t.ms + kCounted; ++minute) {
    const bool due = plain.due(minute);
    if (minute * kMinute < next.ms) expect(!due, "no due time is passed over", [&] { return std::to_string(minute); });
    if (minute * kMinute == next.ms) return expect(due, "a due time fits its fields");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = text_of(data, size);
  const auto cron = take(text, "\n"), zone = take(text, "\n"), moment = take(text, "\n");
  auto schedule = Schedule::parse(cron, zone);
  if (!schedule) {
    const Error& error = schedule.error();
    expect(error.code == Code::invalid && !error.message.empty() && error.message.size() < 500,
           "a bad schedule is refused in a few words", [&] { return error.message; });
    return 0;
  }
  Time t{1'790'510'400'000};
  std::from_chars(moment.data(), moment.data() + moment.size(), t.ms);
  t.ms = std::clamp(t.ms, kFirst, kLast);
  const bool middle = t.ms > kFirst + 10 * kDay && t.ms < kLast - kFarthest.count() * 2;
  Time from = t;
  for (int i = 0; i < 2; ++i) {
    const Time next = schedule->next(from);
    expect(next > from, "the next due time is later");
    if (!middle) break;
    expect(next - from <= kFarthest, "every schedule comes round", [&] { return std::to_string(from.ms); });
    // Nothing is due between; seen from any moment there it is the same one.
    expect(schedule->next({next.ms - 1}) == next && schedule->next({from.ms + (next.ms - from.ms) / 2}) == next,
           "the next due time is the same until it comes",
           [&] { return std::to_string(from.ms) + " " + std::to_string(next.ms); });
    expect(schedule->last(from, next) == next, "the last due time is the one that was next");
    expect(!schedule->last(from, {next.ms - 1}), "nothing was due before the next");
    from = next;
  }
  if (middle) {
    const auto last = schedule->last({from.ms - kFarthest.count()}, from);
    expect(last == from || from == t, "a due time is its own last");
    if (zone == "UTC") check_counting(cron, *schedule, t);
  }
  return 0;
}
