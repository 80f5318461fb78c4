// What every store does alike, so that it cannot differ: the limits of a transaction, how a guard is judged, what a
// commit hands to the watchers. Pure functions and plain values; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include <vector>
#include "reconciler/store/store.hpp"

namespace trove {

inline constexpr Millis kTxnIdLife{60 * 60 * 1000};  // how long a retry of a transaction id is recognised
inline constexpr Millis kMaxLeaseTtl{8 * 24 * 3'600'000LL};
inline constexpr size_t kMaxLeases = 10'000;
inline constexpr size_t kMaxWatches = 10'000;

// One revision, as the watchers get it: its events in key order.
struct Committed {
  Revision revision = 0;
  std::vector<StoreEvent> events;
  size_t bytes = 0;
};
size_t bytes_of(const StoreEvent& event);

// too_large when a named bound is passed, invalid for an empty or a repeated key. On success the ops in key order:
// the order in which both stores apply and report them.
Result<std::vector<const Op*>> check_txn(const Txn& txn);
Result<void> check_ttl(Millis ttl);
// conflict when `guard` does not hold for a key that was created and modified then (0, 0 = absent).
Result<void> check_guard(const Guard& guard, Revision created, Revision modified);
Result<void> check_compact(Revision before, Revision newest);
tl::unexpected<Error> too_many_leases();
tl::unexpected<Error> waits_in_callback();  // internal: see Store::commit_async

// Whether `key` lies in [first, last), where an empty `last` means no end.
inline bool in_range(std::string_view key, std::string_view first, std::string_view last) {
  return key >= first && (last.empty() || key < last);
}

}  // namespace trove
