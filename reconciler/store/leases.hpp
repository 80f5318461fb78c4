// Who is alive: leases and their deadlines on the monotonic clock. The stores own one each; what a lease's end means
// (its keys go) is theirs. Deadlines live in memory only, so keeping a lease costs no write. Thread-safe.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <vector>
#include "reconciler/store/store.hpp"
#include "specs/core/time.hpp"

namespace trove {

class LeaseTable {
 public:
  explicit LeaseTable(const Clock& clock) : clock_(clock) {}

  void add(uint64_t id, Millis ttl);
  void erase(uint64_t id);
  Result<void> keep(uint64_t id);
  bool alive(uint64_t id) const;
  size_t size() const;
  // Leases past their deadline. From now on they cannot be kept any more, even if their removal has to be tried again.
  std::vector<uint64_t> expire();
  bool any_due() const;

 private:
  struct Entry {
    Millis ttl{0};
    Millis deadline{0};
    bool expired = false;
  };
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Entry> leases_;  // guarded by mutex_
};

}  // namespace trove
