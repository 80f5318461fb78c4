// What the store tests share: a store of either kind on a clock that the test moves, and short ways to say things.
#pragma once
#include <poll.h>
#include <algorithm>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>
#include "reconciler/store/store.hpp"
#include "tests/store/disk.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove {

enum class Backend { memory, sqlite };
inline std::ostream& operator<<(std::ostream& out, Backend backend) {
  return out << (backend == Backend::memory ? "memory" : "sqlite");
}

class StoreUnderTest {
 public:
  enum class Syncs { real, none };  // none: for lives that are too long to wait for the disk each time
  explicit StoreUnderTest(Backend backend, StoreBounds bounds = {}, Syncs syncs = Syncs::real) : bounds_(bounds) {
    if (syncs == Syncs::none) disk_.emplace(directory_.path());
    if (backend == Backend::memory)
      store_ = open_memory_store(clock, bounds);
    else
      reopen();
  }
  // SQLite only: closes it and opens the same file again.
  void reopen() {
    store_.reset();
    auto opened = open_sqlite_store(path(), clock, bounds_);
    if (!opened) throw std::runtime_error("cannot open: " + opened.error().message);
    store_ = std::move(*opened);
  }
  void close() { store_.reset(); }
  std::string path() const { return directory_ / "state/trove.db"; }
  Store* operator->() { return store_.get(); }
  Store& operator*() { return *store_; }

  FakeClock clock;

 private:
  StoreBounds bounds_;
  TempDir directory_;
  std::optional<Disk> disk_;
  std::unique_ptr<Store> store_;
};

inline Op put(std::string key, std::string value, uint64_t lease = 0) {
  return {Op::Kind::put, std::move(key), std::move(value), lease};
}
inline Op removal(std::string key) { return {Op::Kind::remove, std::move(key), "", 0}; }
inline Guard absent(std::string key) { return {Guard::What::absent, std::move(key), 0}; }
inline Guard present(std::string key) { return {Guard::What::present, std::move(key), 0}; }
inline Guard modified_is(std::string key, Revision r) { return {Guard::What::modified_is, std::move(key), r}; }
inline Guard created_is(std::string key, Revision r) { return {Guard::What::created_is, std::move(key), r}; }

inline Txn txn(std::vector<Guard> guards, std::vector<Op> ops, std::string id = "") {
  return {std::move(guards), std::move(ops), std::move(id)};
}
inline Revision put_now(Store& store, const std::string& key, const std::string& value) {
  return store.commit(txn({}, {put(key, value)})).value();
}
// "-" when absent, "!code" when it cannot be read.
inline std::string value_of(Store& store, const std::string& key) {
  auto found = store.get(key);
  if (!found) return "!" + std::string(to_string(found.error().code));
  return *found ? (*found)->value : "-";
}
template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "ok" : std::string(to_string(result.error().code));
}
inline std::string text_of(const StoreEvent& event) {
  return std::to_string(event.revision) + (event.deleted ? " -" : " ") + event.key +
         (event.deleted ? "" : "=" + event.value) + "@" + std::to_string(event.created);
}
// Everything up to `until`, as text; "compacted" ends it.
inline std::vector<std::string> collect(Watch& watch, Revision until, Millis patience = Millis{5'000}) {
  std::vector<std::string> seen;
  for (;;) {
    const WatchBatch batch = watch.next(patience);
    for (const StoreEvent& event : batch.events) seen.push_back(text_of(event));
    if (batch.compacted) seen.push_back("compacted");
    if (batch.compacted || batch.revision >= until) return seen;
    if (batch.events.empty()) {
      seen.push_back("nothing came");
      return seen;
    }
  }
}
template <class Condition>
bool eventually(Condition condition, int seconds = 10) {
  for (int i = 0; i < seconds * 100; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 10);
  }
  return condition();
}

}  // namespace trove
