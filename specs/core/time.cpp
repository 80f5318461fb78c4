#include "specs/core/time.hpp"
#include <array>
#include <cstdio>
#include <cstdlib>

namespace trove {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
constexpr int64_t kLongestDuration = 36500 * kDay;   // keeps every sum of times far from overflow

struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr std::array<Unit, 5> kUnits{{{"d", kDay}, {"h", kHour}, {"m", kMinute}, {"s", kSecond}, {"ms", 1}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `width` digits from the front.
std::optional<int> take_digits(std::string_view& text, size_t width) {
  if (text.size() < width) return {};
  int number = 0;
  for (size_t i = 0; i < width; ++i) {
    if (!is_digit(text[i])) return {};
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return number;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || (text[0] | 0x20) != (wanted | 0x20)) return false;   // RFC 3339 allows t and z
  text.remove_prefix(1);
  return true;
}

// Minutes east of UTC.
std::optional<int> take_zone(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return {};
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2);
  if (!hours || text.empty() || text[0] != ':') return {};
  text.remove_prefix(1);
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return {};
  return sign * (*hours * 60 + *minutes);
}

}  // namespace

std::string format_time(Time t) {
  using namespace std::chrono;
  const sys_time<Millis> point{Millis{t.ms}};
  const auto midnight = floor<days>(point);
  const year_month_day date{midnight};
  const int64_t in_day = (point - midnight).count();
  // By hand: a status holds several of these, and printf was a fortieth of what a reconcile costs.
  std::string text = int{date.year()} < 0 ? "-" : "";
  const auto append = [&](int number, int width, char before) {
    if (before) text += before;
    char digits[12];
    int length = 0;
    for (; number > 0 || length < width; number /= 10) digits[length++] = static_cast<char>('0' + number % 10);
    while (length > 0) text += digits[--length];
  };
  append(std::abs(int{date.year()}), 4, 0);
  append(static_cast<int>(unsigned{date.month()}), 2, '-');
  append(static_cast<int>(unsigned{date.day()}), 2, '-');
  append(static_cast<int>(in_day / kHour), 2, 'T');
  append(static_cast<int>(in_day / kMinute % 60), 2, ':');
  append(static_cast<int>(in_day / kSecond % 60), 2, ':');
  if (const int fraction = static_cast<int>(in_day % kSecond)) append(fraction, 3, '.');
  text += 'Z';
  return text;
}

std::optional<Time> parse_time(std::string_view text) {
  const auto years = take_digits(text, 4);
  if (!years || text.empty() || text[0] != '-') return {};
  text.remove_prefix(1);
  const auto months = take_digits(text, 2);
  if (!months || text.empty() || text[0] != '-') return {};
  text.remove_prefix(1);
  const auto days = take_digits(text, 2);
  if (!days || !take(text, 'T')) return {};
  const auto hours = take_digits(text, 2);
  if (!hours || text.empty() || text[0] != ':') return {};
  text.remove_prefix(1);
  const auto minutes = take_digits(text, 2);
  if (!minutes || text.empty() || text[0] != ':') return {};
  text.remove_prefix(1);
  const auto seconds = take_digits(text, 2);
  if (!seconds) return {};
  int millis = 0;
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    size_t digits = 0;
    for (; !text.empty() && is_digit(text[0]); ++digits, text.remove_prefix(1)) {
      if (digits < 3) millis = millis * 10 + (text[0] - '0');
    }
    if (digits == 0) return {};
    for (; digits < 3; ++digits) millis *= 10;
  }
  const auto zone = take_zone(text);
  const year_month_day date{year{*years}, month{static_cast<unsigned>(*months)}, day{static_cast<unsigned>(*days)}};
  if (!zone || !text.empty() || !date.ok() || *hours > 23 || *minutes > 59 || *seconds > 59) return {};
  const int64_t midnight = sys_days{date}.time_since_epoch().count() * kDay;
  return Time{midnight + *hours * kHour + (*minutes - *zone) * kMinute + *seconds * kSecond + millis};
}

std::string format_age(Millis age) {
  // Two units while the second one still says something, as kubectl has it.
  const auto one = [](int64_t n, const char* unit) { return std::to_string(n) + unit; };
  const auto two = [&](int64_t n, const char* unit, int64_t rest, const char* rest_unit) {
    return rest ? one(n, unit) + one(rest, rest_unit) : one(n, unit);
  };
  const int64_t seconds = age.count() < 0 ? 0 : age.count() / kSecond;
  const int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24, years = days / 365;
  if (seconds < 120) return one(seconds, "s");
  if (minutes < 10) return two(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return one(minutes, "m");
  if (hours < 8) return two(hours, "h", minutes % 60, "m");
  if (hours < 48) return one(hours, "h");
  if (days < 8) return two(days, "d", hours % 24, "h");
  if (days < 730) return one(days, "d");
  if (years < 8) return two(years, "y", days % 365, "d");
  return one(years, "y");
}

std::optional<Millis> parse_duration(std::string_view text) {
  if (text.empty()) return {};
  int64_t total = 0;
  size_t next_unit = 0;   // units fall in size, each at most once
  while (!text.empty()) {
    int64_t number = 0;
    size_t digits = 0;
    for (; digits < text.size() && is_digit(text[digits]); ++digits) {
      number = number * 10 + (text[digits] - '0');
      if (number > kLongestDuration) return {};
    }
    if (digits == 0) return {};
    text.remove_prefix(digits);
    size_t letters = 0;
    while (letters < text.size() && !is_digit(text[letters])) ++letters;
    const auto name = text.substr(0, letters);
    text.remove_prefix(letters);
    while (next_unit < kUnits.size() && kUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kUnits.size() || number > kLongestDuration / kUnits[next_unit].ms) return {};
    total += number * kUnits[next_unit++].ms;
    if (total > kLongestDuration) return {};
  }
  return Millis{total};
}

std::string format_duration(Millis d) {
  if (d.count() <= 0) return "0s";
  // 90m is shorter than 1h30m, 1d1s shorter than 86401s: try every choice of units and keep the shortest.
  std::string best;
  for (unsigned chosen = 1; chosen < 1u << kUnits.size(); ++chosen) {
    std::string text;
    int64_t rest = d.count();
    for (size_t i = 0; i < kUnits.size(); ++i) {
      if (!(chosen >> i & 1)) continue;
      if (const int64_t number = rest / kUnits[i].ms) {
        text += std::to_string(number);
        text += kUnits[i].name;
      }
      rest %= kUnits[i].ms;
    }
    if (rest == 0 && (best.empty() || text.size() < best.size())) best = text;
  }
  return best;
}

std::string new_uid(Rng& rng) {
  const uint64_t high = (rng.next() & ~0xF000ULL) | 0x4000ULL;                    // version 4
  const uint64_t low = (rng.next() & ~(3ULL << 62)) | (2ULL << 62);                 // variant 10
  char buffer[37];
  std::snprintf(buffer, sizeof buffer, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xFFFF), static_cast<unsigned>(high & 0xFFFF),
                static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFULL));
  return buffer;
}

std::string random_text(Rng& rng, size_t length) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr unsigned kFair = 256 / letters.size() * letters.size();   // bytes above would favour the first letters
  std::string text;
  text.reserve(length);
  while (text.size() < length) {
    uint64_t bits = rng.next();
    for (int i = 0; i < 8 && text.size() < length; ++i, bits >>= 8) {
      if ((bits & 0xFF) < kFair) text += letters[(bits & 0xFF) % letters.size()];
    }
  }
  return text;
}

}  // namespace trove
