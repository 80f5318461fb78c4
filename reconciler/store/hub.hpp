// Tells watchers what was committed, in order, without loss and without repetition. It keeps one short window of the
// newest commits for everybody; a watcher that is further behind (a new one, a slow one) reads the store's log instead.
// Both are addressed by revision alone, so there is no moment of handing over in which an event could be lost.
// The store owns the hub and each watch shares it, because a watch may outlive the store. Thread-safe.
#pragma once
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include "reconciler/store/txn.hpp"

namespace trove {

inline constexpr size_t kWindowEvents = 1'000;  // shared by all watchers
inline constexpr size_t kWindowBytes = 1u << 20;
inline constexpr size_t kWatchBatchEvents = 1'000;  // a batch ends after the revision that passes one of these
inline constexpr size_t kWatchBatchBytes = 4u << 20;

// What the hub needs from its store. Called without the hub's lock.
class ChangeLog {
 public:
  struct Slice {
    std::vector<StoreEvent> events;  // whole revisions of (after, through], in order
    Revision through = 0;
    bool compacted = false;
  };
  virtual ~ChangeLog() = default;
  // Changes of [first, last) after one revision and up to another; may stop early at the batch bounds.
  virtual Result<Slice> read_log(const std::string& first, const std::string& last, Revision after,
                                 Revision through) = 0;
  virtual void watcher_waits() = 0;  // a chance to expire leases
};

class WatchHub : public std::enable_shared_from_this<WatchHub> {
 public:
  explicit WatchHub(ChangeLog& log) : log_(&log) {}

  void start(Revision newest, Revision floor);
  void publish(std::vector<Committed> commits);  // in order; after they are durable
  void set_floor(Revision floor);                // changes before it are gone
  // `newest` is what the store has now; it may be ahead of what was published.
  Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after,
                                       Revision newest);
  void close();  // wakes all watches, waits until none reads the log, and forgets the store

 private:
  class Watcher;
  bool take_from_window(Watcher& watcher, WatchBatch& batch);  // false: the window starts later
  WatchBatch next(Watcher& watcher, Millis wait);

  std::mutex mutex_;
  std::condition_variable reads_done_;
  // All below guarded by mutex_.
  ChangeLog* log_;
  bool closed_ = false;
  size_t active_reads_ = 0;
  Revision newest_ = 0;
  Revision floor_ = 0;
  Revision window_after_ = 0;  // the window holds everything after this revision
  std::deque<Committed> window_;
  size_t window_events_ = 0, window_bytes_ = 0;
  std::list<Watcher*> watchers_;
};

}  // namespace trove
