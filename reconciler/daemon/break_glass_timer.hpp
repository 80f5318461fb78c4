// Ends break-glass edits when their time is over: one thread that sleeps until then, woken by an edit that ends earlier.
#pragma once
#include <condition_variable>
#include <mutex>
#include <thread>
#include "reconciler/api/applier.hpp"

namespace trove {

class BreakGlassTimer {
 public:
  BreakGlassTimer(Applier& applier, const Clock& clock);
  ~BreakGlassTimer();

 private:
  void run();

  Applier& applier_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace trove
