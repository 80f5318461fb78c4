#include "specs/core/real.hpp"
#include <cerrno>
#include <sys/random.h>

namespace trove {

Time RealClock::wall() const {
  using namespace std::chrono;
  return {duration_cast<Millis>(system_clock::now().time_since_epoch()).count()};
}

Millis RealClock::monotonic() const {
  using namespace std::chrono;
  return duration_cast<Millis>(steady_clock::now().time_since_epoch());
}

uint64_t RealRng::next() {
  uint64_t bits = 0;
  // Eight bytes are never cut short once the pool is ready; a signal may interrupt only the wait for that.
  for (;;) {
    const ssize_t got = getrandom(&bits, sizeof bits, 0);
    if (got == static_cast<ssize_t>(sizeof bits)) return bits;
    TROVE_CHECK(got >= 0 || errno == EINTR);
  }
}

}  // namespace trove
