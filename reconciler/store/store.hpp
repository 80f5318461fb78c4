// The revisioned store: the one truth. get, list, compare-and-swap, watch from a revision, lease.
// Keys are paths; values are opaque bytes. No SQL leaks above this; no feature is used that etcd lacks.
// Every implementation is thread-safe and passes tests/store's conformance suite.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "specs/core/result.hpp"

namespace trove {

using Revision = uint64_t;  // one global, strictly increasing with each commit; 0 = never

inline constexpr size_t kMaxValueBytes = 256u << 10;
inline constexpr size_t kMaxTxnOps = 30'000;  // one apply of 6,000 documents is one transaction
inline constexpr size_t kMaxTxnBytes = 64u << 20;
inline constexpr size_t kMaxKeyBytes = 2u << 10;
inline constexpr size_t kMaxTxnIdBytes = 128;
inline constexpr size_t kDefaultPageItems = 10'000;
inline constexpr size_t kMaxPageBytes = 64u << 20;  // a page ends early, with `more`, once it holds so much

// Written by every opening of a store: how often it was opened, as decimal text. A transaction that guards its
// modified revision cannot be committed by, or on behalf of, an earlier process.
inline constexpr const char* kBootEpochKey = "/store/boot_epoch";

struct KeyValue {
  std::string key, value;
  Revision created = 0, modified = 0;
  uint64_t lease = 0;
};
struct Guard {
  enum class What { absent, present, modified_is, created_is } what = What::absent;
  std::string key;
  Revision revision = 0;
};
// A removal of an absent key changes nothing; a transaction that changes nothing makes no revision. A guard sees an
// absent key as created and modified at 0.
struct Op {
  enum class Kind { put, remove } kind = Kind::put;
  std::string key, value;
  uint64_t lease = 0;
};
struct Txn {
  std::vector<Guard> guards;
  std::vector<Op> ops;  // a key at most once (as etcd has it): otherwise invalid
  std::string id;       // makes a retry after outcome_unknown safe; "" = not needed
};
struct Page {
  std::vector<KeyValue> items;  // in key order
  Revision revision = 0;        // the store's when it was read, or the one that was asked for
  bool more = false;
};
// One key's change. A delete has an empty value and `deleted` set. Batches hold whole revisions, each in key order.
struct StoreEvent {
  Revision revision = 0;
  std::string key, value;
  bool deleted = false;
  Revision created = 0;
};
struct WatchBatch {
  std::vector<StoreEvent> events;
  Revision revision = 0;   // progress: everything up to here has been delivered
  bool compacted = false;  // the asked revision is gone (or never was, after a restore): list again, then watch
                           // from the list's revision
};
class Watch {
 public:
  virtual ~Watch() = default;
  virtual WatchBatch next(Millis wait) = 0;  // waits at most so long; an empty batch when nothing came
  virtual void cancel() = 0;                 // wakes next(); thread-safe
};
struct Lease {
  uint64_t id = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // Durable when it returns a revision (power loss included, where the implementation is durable at all).
  // conflict: a guard did not hold; nothing was changed, and the message names the key. too_large, no_space,
  // outcome_unknown. throttled: the queue is full.
  virtual Result<Revision> commit(const Txn& txn) = 0;
  // The same without waiting: `done` is called once, from the committer's thread; it must not wait for the store.
  // (From the caller's thread in the memory store, and when the queue is full: throttled.)
  virtual void commit_async(Txn txn, std::function<void(Result<Revision>)> done) = 0;
  virtual Result<std::optional<KeyValue>> get(const std::string& key) = 0;
  // Keys in [first, last), at most `limit` (0 = 10,000). Use prefix_end() for "everything below"; `last` "" = no end.
  // `at`: as of that revision (0 = now; leases are then not told). expired: the changes since are no longer kept.
  virtual Result<Page> range(const std::string& first, const std::string& last, size_t limit, Revision at = 0) = 0;
  virtual Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after) = 0;
  // A lease outlives a restart with its whole time to live. Expired keys go with the next commit or within a moment.
  virtual Result<Lease> grant(Millis ttl) = 0;
  virtual Result<void> keep(Lease lease) = 0;         // not_found once expired
  virtual Result<void> revoke(Lease lease) = 0;       // its keys go with it
  // Forgets changes before; watches from there answer compacted, and reads of what was before them expired.
  virtual Result<void> compact(Revision before) = 0;
  virtual Result<void> backup(const std::string& path) = 0;  // a consistent copy; memory: unsupported (invalid)
  virtual Revision revision() = 0;
  virtual Result<void> health() = 0;
};

std::string prefix_end(std::string_view prefix);  // the smallest key after every key that starts with prefix

// How much history is kept for watches and reads of the past; tests make it small.
struct StoreBounds {
  uint64_t log_changes = 100'000;
  uint64_t log_bytes = 256u << 20;
  uint64_t wal_bytes = 32u << 20;  // SQLite: checkpoint even when busy once the log file passes this
};

class Clock;
// Watches may outlive the store that made them: they then answer empty batches at once.
std::unique_ptr<Store> open_memory_store(const Clock& clock, StoreBounds bounds = {});
// Takes an exclusive lock beside the file; conflict when another process has it, with its pid in the message.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Clock& clock, StoreBounds bounds = {});

}  // namespace trove
