// Wall time and where it comes from. Only a program's main.cpp makes the real clock and random source;
// everything else receives them, so that tests and simulations own time and chance.
#pragma once
#include <chrono>
#include <cstdint>
#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include "specs/core/result.hpp"

namespace trove {

// Milliseconds since 1970-01-01T00:00:00Z. 0 means "not set".
struct Time {
  int64_t ms = 0;
  auto operator<=>(const Time&) const = default;
  bool set() const { return ms != 0; }
};
inline Time operator+(Time t, Millis d) { return {t.ms + d.count()}; }
inline Time operator-(Time t, Millis d) { return {t.ms - d.count()}; }
inline Millis operator-(Time a, Time b) { return Millis{a.ms - b.ms}; }

std::string format_time(Time t);                            // 2026-09-27T11:59:02Z; milliseconds shown only if not 0
std::optional<Time> parse_time(std::string_view rfc3339);   // needs a zone; up to 3 fraction digits kept
std::string format_age(Millis age);                         // 5s 3m 2h 41d, as kubectl prints ages
std::optional<Millis> parse_duration(std::string_view s);   // 30s 15m 2h 7d 1h30m 250ms; nothing negative
std::string format_duration(Millis d);                      // the shortest text that parse_duration reads back

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time wall() const = 0;          // for timestamps and schedules
  virtual Millis monotonic() const = 0;   // for time-outs, back-off and leases
};

class Rng {
 public:
  virtual ~Rng() = default;
  virtual uint64_t next() = 0;            // uniform over 64 bits; thread-safe; the real one is cryptographic
};

// RFC 4122 version 4 text made from `rng`.
std::string new_uid(Rng& rng);
// `length` characters, uniform over A-Z a-z 0-9.
std::string random_text(Rng& rng, size_t length);

}  // namespace trove
