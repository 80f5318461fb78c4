#include "reconciler/loop/leader.hpp"

#include <algorithm>

#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove {

Leader::~Leader() {
  if (epoch_ != 0) (void)store_.revoke(lease_);
}

bool Leader::sure() const { return epoch_ != 0 && clock_.monotonic() - Millis{kept_ms_.load()} < kLeaseSelfStop; }

void Leader::fence(Txn& txn) const {
  const uint64_t epoch = epoch_;
  // Not leading: a revision that never was (0 would be "absent", and hold while nobody leads).
  txn.guards.push_back({Guard::What::modified_is, kOwnerKey, epoch != 0 ? epoch : ~uint64_t{0}});
}

void Leader::drop() {
  epoch_ = 0;
  log::warning("the lead was lost; nothing is acted on until it is won again");
}

bool Leader::tick() {
  const Millis now = clock_.monotonic();
  const bool suspected = suspected_.exchange(false);
  if (epoch_ != 0 && suspected) {
    auto owner = store_.get(kOwnerKey);
    if (owner && (!*owner || (*owner)->modified != epoch_.load())) drop();
  }
  if (epoch_ == 0) {
    if (now < next_tick_) return false;
    next_tick_ = now + kLeaseRetry;
    return take();
  }
  const Millis kept{kept_ms_.load()};
  if (now - kept >= kLeaseRenew) {
    if (auto renewed = store_.keep(lease_); renewed) {
      kept_ms_ = now.count();
    } else if (renewed.error().code == Code::not_found) {
      drop();
      next_tick_ = now;
      return false;
    }
  }
  // The store may be out of reach: then stop before somebody else may start. The lease itself can still be renewed.
  if (!sure()) {
    next_tick_ = now + kLeaseRetry;
    return false;
  }
  next_tick_ = std::max(Millis{kept_ms_.load()} + kLeaseRenew, now + kLeaseRetry);
  return true;
}

bool Leader::take() {
  auto owner = store_.get(kOwnerKey);
  auto boot = store_.get(kBootEpochKey);
  if (!owner || !boot) return false;
  const std::string epoch = *boot ? (*boot)->value : "";
  Txn txn;
  if (*owner) {
    // An embedded store has one process: an owner of an earlier boot is dead, and its lease need not be waited for.
    if ((*owner)->modified == other_ && epoch == other_boot_) return false;
    other_ = (*owner)->modified;
    other_boot_ = epoch;
    Result<Value> value = parse_stored_json((*owner)->value);
    if (!value || (*value)["boot"].text() == epoch) return false;
    other_ = 0;
    txn.guards.push_back({Guard::What::modified_is, kOwnerKey, (*owner)->modified});
  } else {
    txn.guards.push_back({Guard::What::absent, kOwnerKey, 0});
  }
  const Millis before = clock_.monotonic();
  auto lease = store_.grant(kLeaseTtl);
  if (!lease) return false;
  txn.ops.push_back({Op::Kind::put, kOwnerKey, dump_json(Value::map({{"name", name_}, {"boot", epoch}})), lease->id});
  auto taken = store_.commit(txn);
  if (!taken) {
    (void)store_.revoke(*lease);
    return false;
  }
  lease_ = *lease;
  epoch_ = *taken;
  kept_ms_ = before.count();
  next_tick_ = before + kLeaseRenew;
  return true;
}

}  // namespace trove
