#include "specs/schedule.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <date/tz.h>
#include <limits>
#include "specs/problem.hpp"

namespace trove {
namespace {

constexpr size_t kLongestCron = 256;
// A leap day on one weekday comes back after 40 years at worst ("0 0 29 2 */7"); nothing a field can say is rarer.
constexpr int kSearchDays = 41 * 366;
constexpr int64_t kSecond = 1000, kDay = 86'400'000;
constexpr int64_t kFirstMs = -62'135'596'800'000;   // year 1
constexpr int64_t kLastMs = 253'402'300'799'000;    // year 9999
constexpr Time kNever{std::numeric_limits<int64_t>::max()};

struct FieldRule {
  const char* name;
  int min, max;
  std::string_view names;   // three letters each, from min upwards
};
constexpr std::array<FieldRule, 5> kFields{{
    {"minute", 0, 59, ""},
    {"hour", 0, 23, ""},
    {"day-of-month", 1, 31, ""},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day-of-week", 0, 7, "sunmontuewedthufrisat"},   // 0 and 7 are Sunday
}};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

std::string quoted(std::string_view text) { return "\"" + printable(text, 40) + "\""; }

tl::unexpected<Error> refuse(const FieldRule& rule, std::string_view item, const std::string& why) {
  return fail(Code::invalid, std::string(rule.name) + " " + quoted(item) + ": " + why);
}

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return {};
  return number;
}

// A number or a name; -1 when it is neither, -2 when it is out of range.
int value_in(const FieldRule& rule, std::string_view text) {
  if (const auto number = number_in(text)) return *number >= rule.min && *number <= rule.max ? *number : -2;
  if (text.size() != 3) return -1;
  const auto found = rule.names.find(lower(text));
  return found == rule.names.npos || found % 3 != 0 ? -1 : rule.min + static_cast<int>(found / 3);
}

// One of: * a a-b, each with an optional /step where it is a range. Sets a bit for every number.
Result<uint64_t> read_item(const FieldRule& rule, std::string_view item) {
  const auto bad_value = [&](int code) {
    if (code == -2) {
      return refuse(rule, item, "out of range " + std::to_string(rule.min) + "-" + std::to_string(rule.max));
    }
    return refuse(rule, item, std::string("not a number") + (rule.names.empty() ? "" : " or a three-letter name") +
                                  ", range (1-5), list (1,2) or step (*/2)");
  };
  const auto slash = item.find('/');
  const auto range = item.substr(0, slash);
  int first = rule.min, last = rule.max, step = 1;
  const bool star = range == "*";
  if (!star) {
    const auto dash = range.find('-');
    first = last = value_in(rule, range.substr(0, dash));
    if (first < 0) return bad_value(first);
    if (dash != range.npos) {
      last = value_in(rule, range.substr(dash + 1));
      if (last < 0) return bad_value(last);
      if (rule.max == 7 && last == 0 && first > 0) last = 7;   // sat-sun
      if (last < first) return refuse(rule, item, "the range runs backwards; write it as two, such as 22-23,0-5");
    } else if (slash != item.npos) {
      return refuse(rule, item, "a step needs a range, such as */10 or 5-59/10");
    }
  }
  if (slash != item.npos) {
    const auto number = number_in(item.substr(slash + 1));
    if (!number || *number < 1 || *number > rule.max) {
      return refuse(rule, item, "the step must be a number from 1 to " + std::to_string(rule.max));
    }
    step = *number;
  }
  if (star && rule.max == 7) last = 6;
  uint64_t bits = 0;
  for (int n = first; n <= last; n += step) bits |= 1ULL << (rule.max == 7 ? n % 7 : n);
  return bits;
}

Result<uint64_t> read_field(const FieldRule& rule, std::string_view field) {
  uint64_t bits = 0;
  for (;;) {
    const auto comma = field.find(',');
    const auto item = read_item(rule, field.substr(0, comma));
    if (!item) return item;
    bits |= *item;
    if (comma == field.npos) return bits;
    field.remove_prefix(comma + 1);
  }
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const auto start = text.find_first_not_of(" \t");
    if (start == text.npos) return words;
    text.remove_prefix(start);
    const auto end = std::min(text.find_first_of(" \t"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::string_view expand(std::string_view cron) {
  if (cron == "@hourly") return "0 * * * *";
  if (cron == "@daily" || cron == "@midnight") return "0 0 * * *";
  if (cron == "@weekly") return "0 0 * * 0";
  if (cron == "@monthly") return "0 0 1 * *";
  if (cron == "@yearly" || cron == "@annually") return "0 0 1 1 *";
  return cron;
}

std::vector<uint8_t> numbers_of(uint64_t bits) {
  std::vector<uint8_t> numbers;
  for (uint8_t n = 0; n < 64; ++n) {
    if (bits >> n & 1) numbers.push_back(n);
  }
  return numbers;
}

// "day 30 does not exist in February": when no month of the field has any day of the field.
std::string impossible_date(uint32_t days, uint32_t months) {
  static constexpr int longest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int first_day = 1;
  while (!(days >> first_day & 1)) ++first_day;
  int most = 0;
  for (int month = 1; month <= 12; ++month) {
    if (months >> month & 1) most = std::max(most, longest[month]);
  }
  if (first_day <= most) return {};
  return "day-of-month " + std::to_string(first_day) + ": no such day in the chosen month" +
         (months & (months - 1) ? "s" : "") + " (at most " + std::to_string(most) + ")";
}

Result<const date::time_zone*> find_zone(std::string_view name) {
  if (name == "UTC" || name == "Etc/UTC") return nullptr;   // also on a machine without a time zone database
  try {
    const auto& zones = date::get_tzdb().zones;
    std::vector<std::string_view> names;
    for (const auto& zone : zones) {
      if (zone.name() == name) return &zone;
      names.push_back(zone.name());
    }
    // Links (Asia/Calcutta) are found by name only.
    if (!name.empty() && name.size() < 64) {
      try {
        return date::locate_zone(std::string(name));
      } catch (const std::exception&) {
      }
    }
    const std::string near = nearest(name, names);
    return fail(Code::invalid,
                "unknown time zone " + quoted(name) + (near.empty() ? "" : "; did you mean \"" + near + "\"?"),
                "use an IANA name such as Europe/Berlin, or UTC");
  } catch (const std::exception& thrown) {
    return fail(Code::unavailable, std::string("the time zone database cannot be read: ") + printable(thrown.what()),
                "install the package tzdata, or use UTC");
  }
}

Time clamp(Time t) { return {std::clamp(t.ms, kFirstMs, kLastMs)}; }

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

Result<Schedule> Schedule::parse(std::string_view cron, std::string_view time_zone) {
  if (cron.size() > kLongestCron) {
    return fail(Code::invalid, "the schedule is longer than " + std::to_string(kLongestCron) + " characters");
  }
  const auto words = split(cron);
  if (words.size() == 1 && words[0][0] == '@' && expand(words[0]) == words[0]) {
    return fail(Code::invalid, "unknown schedule " + quoted(words[0]),
                "known are @hourly, @daily, @weekly, @monthly and @yearly");
  }
  const auto fields = words.size() == 1 ? split(expand(words[0])) : words;
  if (fields.size() == 6) {
    return fail(Code::invalid,
                "six fields: a schedule has five (minute hour day-of-month month day-of-week), without seconds",
                "leave out the first field if it holds seconds");
  }
  if (fields.size() != kFields.size()) {
    return fail(Code::invalid,
                "a schedule has five fields (minute hour day-of-month month day-of-week), this one has " +
                    std::to_string(fields.size()),
                "for example \"0 2 * * *\" or @daily");
  }
  std::array<uint64_t, 5> bits{};
  for (size_t i = 0; i < kFields.size(); ++i) {
    const auto read = read_field(kFields[i], fields[i]);
    if (!read) return tl::unexpected<Error>(read.error());
    bits[i] = *read;
  }
  Schedule schedule;
  schedule.minutes_ = numbers_of(bits[0]);
  schedule.hours_ = numbers_of(bits[1]);
  schedule.days_ = static_cast<uint32_t>(bits[2]);
  schedule.months_ = static_cast<uint32_t>(bits[3]);
  schedule.weekdays_ = static_cast<uint32_t>(bits[4]);
  schedule.day_star_ = fields[2][0] == '*';        // as Vixie has it, */2 counts as a star
  schedule.weekday_star_ = fields[4][0] == '*';
  if (schedule.day_star_ || schedule.weekday_star_) {
    if (std::string why = impossible_date(schedule.days_, schedule.months_); !why.empty()) {
      return fail(Code::invalid, std::move(why), "the schedule would never run");
    }
  }
  const auto zone = find_zone(time_zone);
  if (!zone) return tl::unexpected<Error>(zone.error());
  schedule.zone_ = *zone;
  return schedule;
}

Time Schedule::moment(int64_t local_day, size_t index) const {
  const int64_t minutes = hours_[index / minutes_.size()] * 60 + minutes_[index % minutes_.size()];
  const date::local_seconds local{std::chrono::seconds{local_day * 86'400 + minutes * 60}};
  if (!zone_) return {local.time_since_epoch().count() * kSecond};
  // `earliest` is the rule: the first of two; and for a time that the clock skips, the moment after the gap.
  return {zone_->to_sys(local, date::choose::earliest).time_since_epoch().count() * kSecond};
}

int64_t Schedule::local_day(Time t) const {
  if (!zone_) return floor_div(t.ms, kDay);
  const date::sys_seconds point{std::chrono::seconds{floor_div(t.ms, kSecond)}};
  return floor_div(zone_->to_local(point).time_since_epoch().count(), 86'400);
}

bool Schedule::due_on(int64_t local_day) const {
  const date::local_days day{date::days{local_day}};
  const date::year_month_day ymd{day};
  if (!(months_ >> unsigned{ymd.month()} & 1)) return false;
  const bool by_day = days_ >> unsigned{ymd.day()} & 1;
  const bool by_weekday = weekdays_ >> date::weekday{day}.c_encoding() & 1;
  return day_star_ || weekday_star_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<int64_t> Schedule::due_day(int64_t day, int step, int& budget) const {
  for (; budget > 0; --budget, day += step) {
    if (due_on(day)) return day;
  }
  return {};
}

// Moments never fall while their numbers rise, not even where the clock changes: gaps map many numbers to one moment,
// and of two equal wall times only the first counts. So each day is searched by halves.
Time Schedule::next(Time t) const {
  t = clamp(t);
  int budget = kSearchDays;
  // A day early, because a zone may set its clock back across midnight.
  for (auto day = due_day(local_day(t) - 1, 1, budget); day; day = due_day(*day + 1, 1, budget)) {
    if (moment(*day, moments() - 1) <= t) continue;
    size_t low = 0, high = moments() - 1;   // the answer is in [low, high]
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (moment(*day, middle) > t) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return moment(*day, low);
  }
  return kNever;
}

std::optional<Time> Schedule::last(Time since, Time t) const {
  t = clamp(t);
  int budget = kSearchDays;
  for (auto day = due_day(local_day(t) + 1, -1, budget); day; day = due_day(*day - 1, -1, budget)) {
    // `since` may be long ago: stop at the first day that lies wholly before it.
    if (moment(*day, moments() - 1) <= since) return {};
    if (moment(*day, 0) > t) continue;
    size_t low = 0, high = moments() - 1;
    while (low < high) {
      const size_t middle = (low + high + 1) / 2;
      if (moment(*day, middle) <= t) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    const Time found = moment(*day, low);
    return found > since ? std::optional(found) : std::nullopt;
  }
  return {};
}

}  // namespace trove
