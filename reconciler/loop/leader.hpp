// Who acts: of all control planes over one store, the one that holds /owner/loop under a lease. Its key's revision is
// the epoch, and every transaction of the loop guards it: a plane that was paused for longer than its lease cannot
// record an intent, and so creates nothing, when it wakes. Used by the loop's thread; sure() and fence() also from the
// executor's.
#pragma once
#include <atomic>
#include <optional>
#include <string>
#include "reconciler/store/store.hpp"
#include "specs/core/time.hpp"

namespace trove {

inline constexpr const char* kOwnerKey = "/owner/loop";
inline constexpr Millis kLeaseTtl{10'000};
inline constexpr Millis kLeaseRenew{3'000};
inline constexpr Millis kLeaseSelfStop{
    7'000};  // without a renewal, by the monotonic clock: sooner than anybody takes over
inline constexpr Millis kLeaseRetry{1'000};

class Leader {
 public:
  Leader(Store& store, const Clock& clock, std::string name) : store_(store), clock_(clock), name_(std::move(name)) {}
  ~Leader();  // gives the lead up, so that the next one need not wait

  // Takes or keeps the lead. True when we lead now.
  bool tick();
  // Another look at the next tick: a commit was refused, perhaps because we lead no more.
  void suspect() { suspected_ = true; }
  // We led a moment ago and nobody can have taken over yet.
  bool sure() const;
  void fence(Txn& txn) const;
  Millis next_tick() const { return next_tick_; }  // monotonic
  uint64_t epoch() const { return epoch_; }        // 0 = not leading

 private:
  bool take();
  void drop();

  Store& store_;
  const Clock& clock_;
  std::string name_;
  Lease lease_;
  std::atomic<uint64_t> epoch_{0};
  std::atomic<int64_t> kept_ms_{0};  // monotonic, before the renewal was sent
  std::atomic<bool> suspected_{false};
  Millis next_tick_{0};
  Revision other_ = 0;  // the owner that was seen last, and is of this boot
  std::string other_boot_;
};

}  // namespace trove
