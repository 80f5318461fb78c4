// Time and chance that a test owns. Made by the test, lent to what it tests; any thread may call them.
#pragma once
#include <atomic>
#include "specs/core/time.hpp"

namespace trove {

// Stands still until it is moved. Starts at 2026-09-27T12:00:00Z.
class FakeClock final : public Clock {
 public:
  FakeClock() = default;
  explicit FakeClock(Time start) : wall_ms_(start.ms) {}
  Time wall() const override { return {wall_ms_.load()}; }
  Millis monotonic() const override { return Millis{monotonic_ms_.load()}; }
  // Both clocks move on.
  void advance(Millis d) {
    wall_ms_ += d.count();
    monotonic_ms_ += d.count();
  }
  // Only the wall clock jumps, also backwards, as when an operator or NTP sets it.
  void set_wall(Time t) { wall_ms_ = t.ms; }

 private:
  std::atomic<int64_t> wall_ms_{1'790'510'400'000};
  std::atomic<int64_t> monotonic_ms_{1'000'000};
};

// The same seed gives the same numbers (SplitMix64: a counter, mixed).
class SeededRng final : public Rng {
 public:
  explicit SeededRng(uint64_t seed = 1) : state_(seed) {}
  uint64_t next() override {
    uint64_t z = state_.fetch_add(0x9E3779B97F4A7C15ULL) + 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // Uniform enough for tests over 0 .. bound - 1.
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  std::atomic<uint64_t> state_;
};

}  // namespace trove
