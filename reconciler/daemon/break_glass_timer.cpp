#include "reconciler/daemon/break_glass_timer.hpp"

#include <algorithm>

#include "specs/core/log.hpp"

namespace trove {
namespace {

// The wall clock may be set meanwhile, and a store that failed is asked again.
constexpr Millis kLookAtLeast{60'000};

}  // namespace

BreakGlassTimer::BreakGlassTimer(Applier& applier, const Clock& clock) : applier_(applier), clock_(clock) {
  applier_.on_earlier_end = [this] {
    std::lock_guard lock(mutex_);
    woken_ = true;
    wake_.notify_one();
  };
  thread_ = std::thread([this] { run(); });
}

BreakGlassTimer::~BreakGlassTimer() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

void BreakGlassTimer::run() {
  while (true) {
    Millis wait = kLookAtLeast;
    if (auto next = applier_.end_break_glass()) {
      if (next->set()) wait = std::clamp(*next - clock_.wall(), Millis{1}, kLookAtLeast);
    } else {
      log::warning("break-glass edits could not be looked at", {{"why", next.error().message}});
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, wait, [this] { return woken_ || stop_; });
    if (stop_) return;
    woken_ = false;
  }
}

}  // namespace trove
