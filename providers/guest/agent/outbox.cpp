#include "providers/guest/agent/outbox.hpp"
#include <algorithm>
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostEvents = 200;           // kept while nobody listens; the newest win
constexpr Millis kHeartbeat{20'000};
constexpr Millis kFirstPause{100}, kLongestPause{5'000};

bool same_news(Report a, Report b) {
  for (Report* r : {&a, &b}) {
    r->volume_used_bytes = 0;
    r->events.clear();
  }
  return a == b;
}

}  // namespace

Millis back_off(int failures, Rng& rng) {
  const int64_t base = std::min(kLongestPause.count(), kFirstPause.count() << std::min(std::max(failures - 1, 0), 10));
  return Millis{base * 3 / 4 + static_cast<int64_t>(rng.next() % static_cast<uint64_t>(base / 2 + 1))};
}

bool Outbox::has_news() const { return any_ && (!any_sent_ || !events_.empty() || !same_news(latest_, sent_)); }

void Outbox::put(Report report) {
  std::lock_guard lock(mutex_);
  latest_ = std::move(report);
  any_ = true;
  if (has_news()) wake_.notify_all();
}

void Outbox::add_events(std::vector<std::string> events) {
  std::lock_guard lock(mutex_);
  for (auto& event : events) events_.push_back(std::move(event));
  if (events_.size() > kMostEvents) events_.erase(events_.begin(), events_.end() - kMostEvents);
}

void Outbox::run(Plane& plane, Rng& rng) {
  int failures = 0;
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (!has_news() && failures == 0) {
      wake_.wait_for(lock, kHeartbeat, [&] { return stopped_ || has_news(); });
      if (stopped_) return;
    }
    if (!any_) continue;
    Report report = latest_;
    report.events = events_;
    lock.unlock();
    const auto sent = plane.report(report);
    lock.lock();
    if (sent) {
      if (failures > 0) log::info("the control plane takes reports again");
      failures = 0;
      any_sent_ = true;
      // New ones may have come in meanwhile, and old ones may have been pushed out: remove by value, in order.
      for (const auto& event : report.events) {
        if (!events_.empty() && events_.front() == event) events_.erase(events_.begin());
      }
      sent_ = std::move(report);
      continue;
    }
    if (++failures == 1) log::warning("a report was not taken; retrying", {{"error", sent.error().message}});
    wake_.wait_for(lock, back_off(failures, rng), [&] { return stopped_; });
  }
}

void Outbox::stop() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  wake_.notify_all();
}

}  // namespace trove::guest
