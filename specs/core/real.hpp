// The real clock and random source. Included by main.cpp files (and the test support) only; a test greps for others.
#pragma once
#include "specs/core/time.hpp"

namespace trove {

class RealClock final : public Clock {
 public:
  Time wall() const override;
  Millis monotonic() const override;
};

class RealRng final : public Rng {  // getrandom(2)
 public:
  uint64_t next() override;
};

}  // namespace trove
