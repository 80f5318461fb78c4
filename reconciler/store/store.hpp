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

using Revision = uint64_t;   // one global, strictly increasing with each commit; 0 = never

inline constexpr size_t kMaxValueBytes = 256u << 10;
inline constexpr size_t kMaxTxnOps = 20'000;         // one apply of 5,000 documents is one transaction
inline constexpr size_t kMaxTxnBytes = 64u << 20;

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
struct Op {
  enum class Kind { put, remove } kind = Kind::put;
  std::string key, value;
  uint64_t lease = 0;
};
struct Txn {
  std::vector<Guard> guards;
  std::vector<Op> ops;
  std::string id;       // makes a retry after outcome_unknown safe; "" = not needed
};
struct Page {
  std::vector<KeyValue> items;   // in key order
  Revision revision = 0;         // the store's when it was read
  bool more = false;
};
// One key's change. A delete has an empty value and `deleted` set. Batches hold whole revisions.
struct StoreEvent {
  Revision revision = 0;
  std::string key, value;
  bool deleted = false;
  Revision created = 0;
};
struct WatchBatch {
  std::vector<StoreEvent> events;
  Revision revision = 0;      // progress: everything up to here has been delivered
  bool compacted = false;     // the asked revision is gone: list again, then watch from the list's revision
};
class Watch {
 public:
  virtual ~Watch() = default;
  virtual WatchBatch next(Millis wait) = 0;   // waits at most so long; an empty batch when nothing came
  virtual void cancel() = 0;                  // wakes next(); thread-safe
};
struct Lease {
  uint64_t id = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // Durable when it returns a revision (power loss included, where the implementation is durable at all).
  // conflict: a guard did not hold; nothing was changed, and the message names the key. too_large, no_space, outcome_unknown.
  virtual Result<Revision> commit(const Txn& txn) = 0;
  // The same without waiting: `done` is called once, from the committer's thread.
  virtual void commit_async(Txn txn, std::function<void(Result<Revision>)> done) = 0;
  virtual Result<std::optional<KeyValue>> get(const std::string& key) = 0;
  // Keys in [first, last), at most `limit` (0 = 10,000). Use prefix_end() for "everything below".
  virtual Result<Page> range(const std::string& first, const std::string& last, size_t limit) = 0;
  virtual Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after) = 0;
  virtual Result<Lease> grant(Millis ttl) = 0;
  virtual Result<void> keep(Lease lease) = 0;       // not_found once expired
  virtual Result<void> revoke(Lease lease) = 0;     // its keys go with it
  virtual Result<void> compact(Revision before) = 0;  // forget changes before; watches from there answer compacted
  virtual Result<void> backup(const std::string& path) = 0;  // a consistent copy; memory: unsupported (invalid)
  virtual Revision revision() = 0;
  virtual Result<void> health() = 0;
};

std::string prefix_end(std::string_view prefix);    // the smallest key after every key that starts with prefix

class Clock;
std::unique_ptr<Store> open_memory_store(const Clock& clock);
// Takes an exclusive lock beside the file; conflict when another process has it, with its pid in the message.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Clock& clock);

}  // namespace trove
