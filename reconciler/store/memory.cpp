// The model that every other store is compared with: a map, a log, one lock. Nothing survives the process.
#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include "reconciler/store/hub.hpp"
#include "reconciler/store/leases.hpp"
#include "reconciler/store/txn.hpp"

namespace trove {

namespace {

class MemoryStore final : public Store, private ChangeLog {
 public:
  MemoryStore(const Clock& clock, StoreBounds bounds)
      : clock_(clock),
        bounds_(bounds),
        leases_(clock),
        hub_(std::make_shared<WatchHub>(static_cast<ChangeLog&>(*this))) {
    Txn boot;
    boot.ops.push_back({Op::Kind::put, kBootEpochKey, "1"});
    TROVE_CHECK(apply(boot).has_value());
  }
  ~MemoryStore() override { hub_->close(); }

  Result<Revision> commit(const Txn& txn) override {
    if (auto ok = may_wait(); !ok) return tl::unexpected(ok.error());
    return commit_now(txn);
  }

  // As where a committer answers: what a callback asks for is done after it has returned, in order.
  void commit_async(Txn txn, std::function<void(Result<Revision>)> done) override {
    if (answering && answering->store == this) {
      answering->later.emplace_back(std::move(txn), std::move(done));
      return;
    }
    Answering here{this, answering, {}};
    answering = &here;
    done(commit_now(txn));
    for (; !here.later.empty(); here.later.pop_front()) here.later.front().second(commit_now(here.later.front().first));
    answering = here.outer;
  }

  Result<std::optional<KeyValue>> get(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    expire();
    auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }

  Result<Page> range(const std::string& first, const std::string& last, size_t limit, Revision at) override {
    const std::lock_guard lock(mutex_);
    expire();
    if (limit == 0) limit = kDefaultPageItems;
    std::map<std::string_view, const KeyValue*> then;  // what was changed since, as it was
    if (at != 0) {
      if (auto ok = check_past(at, oldest_readable(floor_), revision_); !ok) return tl::unexpected(ok.error());
      for (auto commit = after_revision(at); commit != log_.end(); ++commit)
        for (size_t i = 0; i < commit->events.size(); ++i)
          if (in_range(commit->events[i].key, first, last)) then.emplace(commit->events[i].key, &commit->before[i]);
    }
    Page page;
    page.revision = at != 0 ? at : revision_;
    size_t bytes = 0;
    auto now = values_.lower_bound(first);
    for (auto old = then.begin();;) {
      while (at != 0 && now != values_.end() && now->second.modified > at) ++now;
      while (old != then.end() && old->second->modified == 0) ++old;  // there was nothing
      const bool has_now = now != values_.end() && in_range(now->first, first, last);
      if (!has_now && old == then.end()) break;
      if (page.items.size() == limit || bytes >= kMaxPageBytes) {
        page.more = true;
        break;
      }
      const bool take_now = has_now && (old == then.end() || now->first < old->first);
      const KeyValue& item = take_now ? (now++)->second : *(old++)->second;
      bytes += item.key.size() + item.value.size();
      page.items.push_back(item);
      if (at != 0) page.items.back().lease = 0;
    }
    return page;
  }

  Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after) override {
    return hub_->watch(first, last, after, revision());
  }

  Result<Lease> grant(Millis ttl) override {
    if (auto ok = check_ttl(ttl); !ok) return tl::unexpected(ok.error());
    if (auto ok = may_wait(); !ok) return tl::unexpected(ok.error());
    const std::lock_guard lock(mutex_);
    expire();
    if (leases_.size() >= kMaxLeases) return too_many_leases();
    leases_.add(++last_lease_, ttl);
    return Lease{last_lease_};
  }

  Result<void> keep(Lease lease) override {
    const std::lock_guard lock(mutex_);
    expire();
    return leases_.keep(lease.id);
  }

  Result<void> revoke(Lease lease) override {
    if (auto ok = may_wait(); !ok) return ok;
    const std::lock_guard lock(mutex_);
    expire();
    if (!leases_.alive(lease.id)) return fail(Code::not_found, "lease " + std::to_string(lease.id) + " has expired");
    end_lease(lease.id);
    return {};
  }

  Result<void> compact(Revision before) override {
    if (auto ok = may_wait(); !ok) return ok;
    const std::lock_guard lock(mutex_);
    if (auto ok = check_compact(before, revision_); !ok) return ok;
    while (log_.front().revision < before) forget_oldest();  // the newest stays: it is not before itself
    if (before > floor_) floor_ = before;
    hub_->set_floor(floor_);
    return {};
  }

  Result<void> backup(const std::string&) override { return fail(Code::invalid, "a store in memory has no backup"); }

  Revision revision() override {
    const std::lock_guard lock(mutex_);
    expire();
    return revision_;
  }

  Result<void> health() override { return {}; }

 private:
  struct Logged : Committed {
    std::vector<KeyValue> before;  // one an event; modified 0: the key was absent
    size_t before_bytes = 0;
  };
  struct Remembered {
    Revision revision = 0;
    Millis at{0};
  };
  // A callback that runs now on this thread, and the commits that it asked for.
  struct Answering {
    const MemoryStore* store;
    Answering* outer;  // of another store
    std::deque<std::pair<Txn, std::function<void(Result<Revision>)>>> later;
  };
  static thread_local Answering* answering;

  // Nothing here ever waits; where a committer does the work, a callback that waited for it would wait for itself.
  Result<void> may_wait() const {
    for (const Answering* one = answering; one; one = one->outer)
      if (one->store == this) return waits_in_callback();
    return {};
  }

  Result<Revision> commit_now(const Txn& txn) {
    const std::lock_guard lock(mutex_);
    expire();
    return apply(txn);
  }

  // All below with mutex_ held.
  Result<Revision> apply(const Txn& txn) {
    auto ops = check_txn(txn);
    if (!ops) return tl::unexpected(ops.error());
    sweep_ids();
    if (!txn.id.empty())
      if (auto known = ids_.find(txn.id); known != ids_.end()) return known->second.revision;
    for (const Guard& guard : txn.guards) {
      auto found = values_.find(guard.key);
      const bool there = found != values_.end();
      auto ok = check_guard(guard, there ? found->second.created : 0, there ? found->second.modified : 0);
      if (!ok) return tl::unexpected(ok.error());
    }
    for (const Op* op : *ops)
      if (op->kind == Op::Kind::put && op->lease != 0 && !leases_.alive(op->lease))
        return fail(Code::not_found, "lease " + std::to_string(op->lease) + " of " + op->key + " has expired");

    Logged commit = next_commit();
    for (const Op* op : *ops) {
      if (op->kind == Op::Kind::put)
        put(*op, commit);
      else
        remove(op->key, commit);
    }
    publish(std::move(commit));
    if (!txn.id.empty()) {
      const Millis now = clock_.monotonic();
      ids_[txn.id] = Remembered{revision_, now};
      id_order_.emplace_back(now, txn.id);
    }
    return revision_;
  }

  Logged next_commit() const {
    Logged commit;
    commit.revision = revision_ + 1;
    return commit;
  }

  void put(const Op& op, Logged& commit) {
    KeyValue& kv = values_[op.key];
    if (kv.lease != 0) lease_keys_[kv.lease].erase(op.key);
    KeyValue before{op.key, std::move(kv.value), kv.created, kv.modified, 0};
    if (kv.created == 0) kv.created = commit.revision;
    kv.key = op.key;
    kv.value = op.value;
    kv.modified = commit.revision;
    kv.lease = op.lease;
    if (kv.lease != 0) lease_keys_[kv.lease].insert(op.key);
    add(commit, StoreEvent{commit.revision, op.key, op.value, false, kv.created}, std::move(before));
  }

  void remove(const std::string& key, Logged& commit) {
    auto found = values_.find(key);
    if (found == values_.end()) return;
    if (found->second.lease != 0) lease_keys_[found->second.lease].erase(key);
    add(commit, StoreEvent{commit.revision, key, "", true, found->second.created}, std::move(found->second));
    values_.erase(found);
  }

  static void add(Logged& commit, StoreEvent event, KeyValue before) {
    commit.bytes += bytes_of(event);
    commit.before_bytes += before.value.size();
    commit.events.push_back(std::move(event));
    commit.before.push_back(std::move(before));
  }

  void publish(Logged commit) {
    if (commit.events.empty()) return;
    revision_ = commit.revision;
    log_changes_ += commit.events.size();
    log_bytes_ += commit.bytes + commit.before_bytes;
    std::vector<Committed> commits{static_cast<const Committed&>(commit)};
    log_.push_back(std::move(commit));
    while (log_.size() > 1 && (log_changes_ > bounds_.log_changes || log_bytes_ > bounds_.log_bytes)) forget_oldest();
    hub_->set_floor(floor_);
    hub_->publish(std::move(commits));
  }

  void forget_oldest() {
    log_changes_ -= log_.front().events.size();
    log_bytes_ -= log_.front().bytes + log_.front().before_bytes;
    floor_ = log_.front().revision + 1;
    log_.pop_front();
  }

  void expire() {
    for (uint64_t id : leases_.expire()) end_lease(id);
  }

  // One commit removes the keys of one lease; a very big one takes several.
  void end_lease(uint64_t id) {
    std::set<std::string> keys = std::move(lease_keys_[id]);
    lease_keys_.erase(id);
    Logged commit = next_commit();
    for (const std::string& key : keys) {
      remove(key, commit);
      if (commit.events.size() == kMaxTxnOps) {
        publish(std::move(commit));
        commit = next_commit();
      }
    }
    publish(std::move(commit));
    leases_.erase(id);
  }

  void sweep_ids() {
    const Millis now = clock_.monotonic();
    while (!id_order_.empty() && id_order_.front().first + kTxnIdLife <= now) {
      ids_.erase(id_order_.front().second);
      id_order_.pop_front();
    }
  }

  // ChangeLog; without mutex_ held.
  Result<Slice> read_log(const std::string& first, const std::string& last, Revision after, Revision through) override {
    const std::lock_guard lock(mutex_);
    Slice slice;
    slice.compacted = after + 1 < floor_;
    slice.through = through;
    size_t bytes = 0;
    for (auto commit = after_revision(after); commit != log_.end() && commit->revision <= through && !slice.compacted; ++commit) {
      if (slice.events.size() >= kWatchBatchEvents || bytes >= kWatchBatchBytes) {
        slice.through = commit->revision - 1;
        break;
      }
      for (const StoreEvent& event : commit->events) {
        if (!in_range(event.key, first, last)) continue;
        bytes += bytes_of(event);
        slice.events.push_back(event);
      }
    }
    return slice;
  }

  std::deque<Logged>::const_iterator after_revision(Revision revision) const {
    return std::upper_bound(log_.begin(), log_.end(), revision,
                            [](Revision r, const Committed& commit) { return r < commit.revision; });
  }

  void watcher_waits() override {
    const std::lock_guard lock(mutex_);
    expire();
  }

  const Clock& clock_;
  const StoreBounds bounds_;
  std::mutex mutex_;  // taken before the hub's, never after it
  LeaseTable leases_;
  const std::shared_ptr<WatchHub> hub_;  // shared with the watches, which may outlive the store
  // All below guarded by mutex_.
  std::map<std::string, KeyValue> values_;
  std::map<uint64_t, std::set<std::string>> lease_keys_;
  std::deque<Logged> log_;
  uint64_t log_changes_ = 0, log_bytes_ = 0;
  Revision revision_ = 0, floor_ = 0;
  uint64_t last_lease_ = 0;
  std::map<std::string, Remembered> ids_;
  std::deque<std::pair<Millis, std::string>> id_order_;
};

thread_local MemoryStore::Answering* MemoryStore::answering = nullptr;

}  // namespace

std::unique_ptr<Store> open_memory_store(const Clock& clock, StoreBounds bounds) {
  return std::make_unique<MemoryStore>(clock, bounds);
}

}  // namespace trove
