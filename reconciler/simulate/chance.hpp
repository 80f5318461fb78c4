// Time and chance of one simulated world. One thread.
#pragma once
#include "specs/core/time.hpp"

namespace trove::simulate {

inline constexpr Millis kStart{1'000'000};        // the monotonic clock's first reading
inline constexpr Time kEpoch{1'790'510'400'000};  // 2026-09-27T12:00:00Z

class SimClock final : public Clock {
 public:
  Time wall() const override { return wall_; }
  Millis monotonic() const override { return monotonic_; }
  Millis since_start() const { return monotonic_ - kStart; }
  void advance(Millis by) {
    wall_ = wall_ + by;
    monotonic_ += by;
  }
  void jump_wall(Millis by) { wall_ = wall_ + by; }

 private:
  Time wall_ = kEpoch;
  Millis monotonic_ = kStart;
};

// SplitMix64: a counter, mixed. The same seed gives the same numbers everywhere. The seed is mixed before it counts, or
// neighbours would draw the same numbers one place later.
class SimRng final : public Rng {
 public:
  explicit SimRng(uint64_t seed) : state_(mix(seed)) {}
  uint64_t next() override { return mix(state_ += 0x9E3779B97F4A7C15ULL); }
  int64_t below(int64_t bound) { return bound <= 0 ? 0 : static_cast<int64_t>(next() % static_cast<uint64_t>(bound)); }

 private:
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

}  // namespace trove::simulate
