// The newest report and the events that no control plane has acknowledged yet. Written by the reconcile thread, sent by
// the report thread; one mutex between them.
#pragma once
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>
#include "providers/guest/agent/plane.hpp"

namespace trove::guest {

class Outbox {
 public:
  // Keeps the report; wakes the sender when it says something new (how full the volume is alone is not new).
  void put(Report report);
  void add_events(std::vector<std::string> events);
  // Sends until stopped: at once when there is news, otherwise every heartbeat; backs off while nobody listens.
  void run(Plane& plane, Rng& rng);
  void stop();

 private:
  bool has_news() const;

  std::mutex mutex_;
  std::condition_variable wake_;
  Report latest_, sent_;                 // guarded by mutex_
  std::vector<std::string> events_;
  bool any_ = false, any_sent_ = false, stopped_ = false;
};

// 100 ms, 200 ms … 5 s, each made longer or shorter by up to a quarter.
Millis back_off(int failures, Rng& rng);

}  // namespace trove::guest
