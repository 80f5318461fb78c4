#include "reconciler/store/hub.hpp"
#include <algorithm>

namespace trove {

namespace {

// Events of one commit are in key order.
auto first_in_range(const Committed& commit, const std::string& first) {
  return std::lower_bound(commit.events.begin(), commit.events.end(), first,
                          [](const StoreEvent& event, const std::string& key) { return event.key < key; });
}

}  // namespace

class WatchHub::Watcher final : public Watch {
 public:
  Watcher(std::shared_ptr<WatchHub> hub, std::string first, std::string last)
      : hub_(std::move(hub)), first_(std::move(first)), last_(std::move(last)) {}
  ~Watcher() override {
    const std::lock_guard lock(hub_->mutex_);
    hub_->watchers_.remove(this);
  }
  WatchBatch next(Millis wait) override { return hub_->next(*this, wait); }
  void cancel() override {
    const std::lock_guard lock(hub_->mutex_);
    cancelled_ = true;
    wake_.notify_all();
  }
  bool matches(const Committed& commit) const {
    auto event = first_in_range(commit, first_);
    return event != commit.events.end() && in_range(event->key, first_, last_);
  }

  const std::shared_ptr<WatchHub> hub_;  // shared: a watch may outlive its store
  const std::string first_, last_;
  std::condition_variable wake_;
  // Guarded by hub_->mutex_.
  Revision position_ = 0;  // everything up to here was delivered, or did not concern this watcher
  bool pending_ = false;   // there may be something for it after position_
  bool compacted_ = false;
  bool cancelled_ = false;
};

void WatchHub::start(Revision newest, Revision floor) {
  const std::lock_guard lock(mutex_);
  newest_ = window_after_ = newest;
  floor_ = floor;
}

void WatchHub::set_floor(Revision floor) {
  const std::lock_guard lock(mutex_);
  floor_ = std::max(floor_, floor);
}

void WatchHub::publish(std::vector<Committed> commits) {
  const std::lock_guard lock(mutex_);
  for (Committed& commit : commits) {
    newest_ = commit.revision;
    for (Watcher* watcher : watchers_) {
      if (watcher->pending_ || watcher->position_ >= commit.revision) continue;
      if (watcher->matches(commit)) {
        watcher->pending_ = true;
        watcher->wake_.notify_all();
      } else {
        watcher->position_ = commit.revision;  // keeps idle watchers out of the log
      }
    }
    window_events_ += commit.events.size();
    window_bytes_ += commit.bytes;
    window_.push_back(std::move(commit));
    while (window_events_ > kWindowEvents || window_bytes_ > kWindowBytes) {
      window_after_ = window_.front().revision;
      window_events_ -= window_.front().events.size();
      window_bytes_ -= window_.front().bytes;
      window_.pop_front();
    }
  }
}

Result<std::unique_ptr<Watch>> WatchHub::watch(const std::string& first, const std::string& last, Revision after,
                                               Revision newest) {
  auto watcher = std::make_unique<Watcher>(shared_from_this(), first, last);
  const std::lock_guard lock(mutex_);
  if (watchers_.size() >= kMaxWatches)
    return fail(Code::throttled, "there are " + std::to_string(kMaxWatches) + " watches already");
  watcher->position_ = after;
  watcher->pending_ = after < newest_;
  // A revision that was never made comes from before a restore: what its owner knows is another history.
  watcher->compacted_ = after > std::max(newest, newest_) || after + 1 < floor_;
  watchers_.push_back(watcher.get());
  return watcher;
}

bool WatchHub::take_from_window(Watcher& watcher, WatchBatch& batch) {
  if (watcher.position_ < window_after_) return false;
  // All that is left of the window: it is never more than a batch may hold.
  static_assert(kWindowEvents <= kWatchBatchEvents && kWindowBytes <= kWatchBatchBytes);
  auto commit = std::upper_bound(window_.begin(), window_.end(), watcher.position_,
                                 [](Revision revision, const Committed& c) { return revision < c.revision; });
  for (; commit != window_.end(); ++commit) {
    for (auto event = first_in_range(*commit, watcher.first_);
         event != commit->events.end() && in_range(event->key, watcher.first_, watcher.last_); ++event)
      batch.events.push_back(*event);
    watcher.position_ = commit->revision;
  }
  return true;
}

WatchBatch WatchHub::next(Watcher& watcher, Millis wait) {
  WatchBatch batch;
  std::unique_lock lock(mutex_);
  if (!closed_ && !watcher.pending_) {
    ++active_reads_;
    ChangeLog* log = log_;
    lock.unlock();
    log->watcher_waits();
    lock.lock();
    if (--active_reads_ == 0) reads_done_.notify_all();
  }
  // A wait of nothing must not ask the kernel: even a deadline in the past costs a sleep of its timer's slack.
  if (wait > Millis{0})
    watcher.wake_.wait_for(lock, wait,
                           [&] { return watcher.pending_ || watcher.cancelled_ || watcher.compacted_ || closed_; });
  while (watcher.pending_ && !watcher.cancelled_ && !watcher.compacted_ && !closed_ && batch.events.empty()) {
    if (watcher.position_ + 1 < floor_) {
      watcher.compacted_ = true;
    } else if (!take_from_window(watcher, batch)) {
      const Revision after = watcher.position_, through = newest_;
      ++active_reads_;
      ChangeLog* log = log_;
      lock.unlock();
      auto slice = log->read_log(watcher.first_, watcher.last_, after, through);
      lock.lock();
      if (--active_reads_ == 0) reads_done_.notify_all();
      if (!slice) {
        // A damaged row in the log is gone history. Anything else passes: the watcher asks again.
        if (slice.error().code == Code::corrupt) watcher.compacted_ = true;
        break;
      }
      if (slice->compacted) {
        watcher.compacted_ = true;
      } else {
        batch.events = std::move(slice->events);
        watcher.position_ = slice->through;
      }
    }
    watcher.pending_ = watcher.position_ < newest_;
  }
  batch.revision = watcher.position_;
  batch.compacted = watcher.compacted_;
  return batch;
}

void WatchHub::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (Watcher* watcher : watchers_) watcher->wake_.notify_all();
  reads_done_.wait(lock, [&] { return active_reads_ == 0; });
  log_ = nullptr;
}

}  // namespace trove
