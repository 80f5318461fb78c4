// Disks that lie or fail: SQLite's own file calls go through a layer that counts and refuses them.
#include <atomic>
#include <catch2/catch.hpp>
#include <sqlite3.h>
#include "tests/store/stores.hpp"

using namespace trove;

namespace {

std::atomic<int> syncs{0};
std::atomic<bool> fail_sync{false}, fail_write{false};

// The methods of database files and of all others (SQLite locks only the former) with two calls replaced.
sqlite3_io_methods watched[2];
const sqlite3_io_methods* genuine[2];
sqlite3_vfs* real_vfs = nullptr;

int which(const sqlite3_file* file) { return file->pMethods == &watched[1] ? 1 : 0; }

int watched_sync(sqlite3_file* file, int flags) {
  ++syncs;
  if (fail_sync) return SQLITE_IOERR_FSYNC;
  return genuine[which(file)]->xSync(file, flags);
}

int watched_write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  if (fail_write) return SQLITE_FULL;
  return genuine[which(file)]->xWrite(file, bytes, size, at);
}

int watched_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const int result = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
  if (result != SQLITE_OK || !file->pMethods) return result;
  const int kind = flags & SQLITE_OPEN_MAIN_DB ? 1 : 0;
  if (!genuine[kind]) {
    genuine[kind] = file->pMethods;
    watched[kind] = *file->pMethods;
    watched[kind].xSync = watched_sync;
    watched[kind].xWrite = watched_write;
  }
  file->pMethods = &watched[kind];
  return result;
}

// While it lives, every database opens on the watched layer. Made before the store, gone after it.
class WatchedDisk {
 public:
  WatchedDisk() {
    real_vfs = sqlite3_vfs_find(nullptr);
    vfs_ = *real_vfs;
    vfs_.zName = "watched";
    vfs_.pNext = nullptr;
    vfs_.xOpen = watched_open;
    sqlite3_vfs_register(&vfs_, 1);
    fail_sync = fail_write = false;
  }
  ~WatchedDisk() {
    fail_sync = fail_write = false;
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_vfs, 1);
  }

 private:
  sqlite3_vfs vfs_;
};

}  // namespace

TEST_CASE("a commit waits for one sync and many waiting commits share one") {
  const WatchedDisk disk;
  StoreUnderTest store(Backend::sqlite);
  for (int i = 0; i < 3; ++i) put_now(*store, "/warm", "up");
  int before = syncs;
  for (int i = 0; i < 5; ++i) put_now(*store, "/a", std::to_string(i));
  CHECK(syncs - before == 5);

  before = syncs;
  std::atomic<int> done{0};
  for (int i = 0; i < 500; ++i)
    store->commit_async(txn({}, {put("/b", std::to_string(i))}),
                        [&](Result<Revision> result) { done += result ? 1 : 0; });
  CHECK(eventually([&] { return done == 500; }));
  CHECK(syncs - before >= 1);
  CHECK(syncs - before < 250);
}

TEST_CASE("a failed sync leaves the outcome unknown and the transaction id settles it") {
  const WatchedDisk disk;
  StoreUnderTest store(Backend::sqlite);
  put_now(*store, "/a", "before");
  const Revision base = store->revision();
  auto watch = store->watch("/a", "/b", base).value();
  const Txn change = txn({modified_is("/a", base)}, {put("/a", "after")}, "settle");
  fail_sync = true;
  CHECK(code_of(store->commit(change)) == "outcome_unknown");
  CHECK(code_of(store->commit(txn({absent("/a")}, {}))) == "conflict");   // reads go on
  CHECK(code_of(store->health()) != "ok");
  CHECK(store->revision() == base);
  CHECK(watch->next(Millis{0}).events.empty());                           // nothing is told before it is durable
  fail_sync = false;
  const Revision settled = store->commit(change).value();
  CHECK(value_of(*store, "/a") == "after");
  CHECK(store->commit(change).value() == settled);
  CHECK(code_of(store->health()) == "ok");
  CHECK(collect(*watch, settled).size() == 1);
  store.reopen();
  CHECK(value_of(*store, "/a") == "after");
}

TEST_CASE("a write that found the disk full did not happen") {
  const WatchedDisk disk;
  StoreUnderTest store(Backend::sqlite);
  const Lease lease = store->grant(Millis{1'000}).value();
  const Revision base = store->commit(txn({}, {put("/a", "before"), put("/held", "x", lease.id)})).value();
  fail_write = true;
  const auto refused = store->commit(txn({}, {put("/a", "after")}, "later"));
  REQUIRE(code_of(refused) == "no_space");
  CHECK_FALSE(refused.error().hint.empty());
  CHECK(code_of(store->health()) == "no_space");
  CHECK(code_of(store->grant(Millis{1'000})) == "no_space");
  CHECK(code_of(store->revoke(lease)) == "no_space");
  CHECK(store->keep(lease));                                              // costs no write
  CHECK(value_of(*store, "/a") == "before");
  CHECK(store->range("/", "", 0)->revision == base);
  TempDir elsewhere;
  CHECK(code_of(store->backup(elsewhere / "copy.db")) == "no_space");
  CHECK(std::filesystem::is_empty(elsewhere.path()));

  store.clock.advance(Millis{1'000});                                     // an end that has to wait for space
  CHECK(code_of(store->keep(lease)) == "not_found");
  fail_write = false;
  CHECK(eventually([&] { return store->health().has_value() && value_of(*store, "/held") == "-"; }));
  CHECK(code_of(store->commit(txn({}, {put("/a", "after")}, "later"))) == "ok");
  CHECK(store->revision() == base + 2);
}
