// What only a failing kernel or a meddling operator can reach: every refusal has a code, and none is for ever.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <thread>

#include "reconciler/store/seal.hpp"
#include "reconciler/store/sqlite_file.hpp"
#include "tests/store/trouble.hpp"

using namespace trove;

TEST_CASE("an opening that the kernel refuses says so and works when it does not") {
  struct Row {
    DiskCall call;
    int error;
    std::string ending, code;
  };
  const std::vector<Row> rows = {
      {DiskCall::create, ENOSPC, "a", "no_space"},           {DiskCall::create, EIO, "a/b", "unavailable"},
      {DiskCall::sync_directory, EIO, "", "unavailable"},    {DiskCall::create, EDQUOT, "trove.db", "no_space"},
      {DiskCall::create, EFBIG, "trove.db", "no_space"},     {DiskCall::restrict, EPERM, "trove.db", "unavailable"},
      {DiskCall::sync_directory, EIO, "a/b", "unavailable"}, {DiskCall::sync_directory, EIO, "a", "unavailable"},
      {DiskCall::create, EROFS, ".lock", "unavailable"},     {DiskCall::lock, ENOLCK, ".lock", "unavailable"},
      {DiskCall::truncate, EIO, ".lock", "unavailable"},     {DiskCall::write, ENOSPC, ".lock", "no_space"},
      {DiskCall::open, EIO, "trove.db", "unavailable"},      {DiskCall::create, ENOSPC, "-shm", "unavailable"},
      {DiskCall::create, ENOSPC, "-wal", "unavailable"},     {DiskCall::sync, EIO, "-wal", "outcome_unknown"},
      {DiskCall::write, ENOSPC, "-wal", "no_space"},
  };
  for (const Row& row : rows) {
    INFO("call " << static_cast<int>(row.call) << " on " << row.ending << ", error " << row.error);
    OnDisk on;
    // A file that somebody made with another mode, so that it has to be narrowed.
    if (row.call == DiskCall::restrict || row.call == DiskCall::open) {
      std::filesystem::create_directories(on.directory.path() / "a/b");
      write_file(on.path, "");
      std::filesystem::permissions(on.path, std::filesystem::perms(0644));
    }
    on.disk.on_call([&](DiskCall call, const std::string& path) {
      const bool hit = row.ending.empty() ? path.empty()
                                          : path == row.ending || path.ends_with("/" + row.ending) ||
                                                path.ends_with("trove.db" + row.ending);
      return call == row.call && hit ? row.error : 0;
    });
    CHECK(on.code_of_opening() == row.code);
    on.disk.on_call({});
    CHECK(on.code_of_opening() == "ok");
  }
}

TEST_CASE("a directory above that may not be looked into is somebody else's to have made durable") {
  OnDisk on;
  std::filesystem::create_directories(on.directory.path() / "a/b");
  on.disk.on_call(
      [](DiskCall call, const std::string& path) { return call == DiskCall::open && path == "a" ? EACCES : 0; });
  CHECK(on.code_of_opening() == "ok");
}

TEST_CASE("a network file system is refused by name") {
  for (const long type : {0x6969L, 0xff534d42L, 0xfe534d42L}) {
    OnDisk on;
    on.disk.call_itself(type);
    const auto refused = on.open();
    REQUIRE(code_of(refused) == "invalid");
    CHECK(refused.error().message.find("network file system") != std::string::npos);
    on.disk.call_itself(0xef53);
    CHECK(on.code_of_opening() == "ok");
  }
}

TEST_CASE("a lock whose owner left no number is a conflict all the same") {
  TempDir directory;
  FakeClock clock;
  const int fd = ::open((directory / "trove.db.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  REQUIRE(::fcntl(fd, F_OFD_SETLK, &whole) == 0);
  const auto refused = open_sqlite_store(directory / "trove.db", clock);
  REQUIRE(code_of(refused) == "conflict");
  CHECK(refused.error().message.find("process ? ") != std::string::npos);
  ::close(fd);
  CHECK(code_of(open_sqlite_store(directory / "trove.db", clock)) == "ok");
}

TEST_CASE("reads that the disk refuses are unavailable and never wrong") {
  OnDisk on;
  auto store = on.open().value();
  const Revision base = store->revision();
  // More than the window of the hub and the caches hold.
  for (int i = 0; i < 12; ++i) {
    std::vector<Op> ops;
    for (int n = 0; n < 5; ++n)
      ops.push_back(put("/k/" + std::to_string(i) + "/" + std::to_string(n), std::string(100'000, 'v')));
    REQUIRE(store->commit(txn({}, ops)));
  }
  const Revision newest = store->revision();
  auto watch = store->watch("/k/", "/l", base).value();
  for (const bool fresh : {false, true}) {  // with connections that are open already, and without
    if (fresh) {
      store.reset();
      store = on.open().value();
      watch = store->watch("/k/", "/l", base).value();
    }
    on.disk.on_call(refuse(fresh ? DiskCall::open : DiskCall::read, EIO));
    CHECK(code_of(store->get("/k/0/0")) == "unavailable");
    CHECK(code_of(store->range("/k/", "/l", 0)) == "unavailable");
    CHECK(code_of(store->watch("", "", newest + 9)) == "unavailable");  // it has to ask what is the newest
    const WatchBatch batch = watch->next(Millis{0});
    CHECK(batch.events.empty());
    CHECK_FALSE(batch.compacted);
    on.disk.on_call({});
    CHECK(value_of(*store, "/k/0/0") == std::string(100'000, 'v'));
    CHECK(store->range("/k/", "/l", 0)->items.size() == 60);
    CHECK(collect(*watch, newest).size() == 60);
  }
}

TEST_CASE("a big store whose pages cannot be read opens later and loses nothing") {
  OnDisk on;
  {
    auto store = on.open().value();
    const Lease lease = store->grant(Millis{60'000}).value();
    for (int i = 0; i < 30; ++i) {
      std::vector<Op> ops;
      for (int n = 0; n < 150; ++n)
        ops.push_back(put("/k/" + std::to_string(n * 30 + i), std::string(1'000, 'v'), n == 0 ? lease.id : 0));
      REQUIRE(store->commit(txn({}, ops, "id-" + std::to_string(i))));
    }
  }
  std::atomic<uint64_t> reads{0}, refused_from{0};
  on.disk.on_call([&](DiskCall call, const std::string&) {
    return call == DiskCall::read && refused_from != 0 && ++reads >= refused_from ? EIO : 0;
  });
  // How many reads it takes to open, and to do a little of everything.
  const auto little_of_everything = [&](Store& store) {
    std::vector<std::string> codes = {
        code_of(store.commit(txn({present("/k/77"), absent("/nowhere")}, {put("/k/4000", "new"), removal("/k/2222")}))),
        code_of(store.grant(Millis{1'000})),
        code_of(store.revoke({1})),
        code_of(store.compact(10)),
        code_of(store.get("/k/1234")),
        code_of(store.range("/k/3", "/k/4", 5))};
    codes.erase(std::remove_if(codes.begin(), codes.end(), [](const auto& c) { return c == "ok" || c == "not_found"; }),
                codes.end());
    return codes;
  };
  refused_from = UINT64_MAX;
  uint64_t whole = 0;
  {
    auto store = on.open().value();
    whole = reads;
  }
  REQUIRE(whole > 1'000);
  size_t refused = 0, opened = 0, quiet = 0;
  // The first reads of an opening, some of its long look through the file, and then all, until nothing is refused.
  for (uint64_t place = 1; quiet == 0 && place < 2 * whole;
       place += place < 15 || place + 40 > whole ? 1 : whole / 12) {
    INFO("read " << place << " of " << whole);
    reads = 0;
    refused_from = place;
    auto store = on.open();
    if (!store) {
      ++refused;
      CHECK(code_of(store) == "unavailable");
      continue;
    }
    ++opened;
    const std::vector<std::string> codes = little_of_everything(**store);
    for (const std::string& code : codes) CHECK((code == "unavailable" || code == "outcome_unknown"));
    quiet += reads < place;
    refused += codes.size();
    refused_from = UINT64_MAX;
    CHECK(little_of_everything(**store).empty());
    CHECK(value_of(**store, "/k/4000") == "new");
  }
  CHECK(refused > 30);
  CHECK(opened > 3);
  CHECK(quiet == 1);
  on.disk.on_call({});
  auto store = on.open().value();
  CHECK(store->range("/k/", "/l", 0)->items.size() == 30 * 150 - 1 - 30);
  store.reset();
  CHECK(structure_of(on.path) == "");
}

TEST_CASE("an end of a lease and a sweep of the log that cannot read their pages are made up for") {
  OnDisk on;
  Lease lease;
  {
    auto store = on.open().value();
    lease = store->grant(Millis{60'000}).value();
    for (int i = 0; i < 40; ++i) {
      std::vector<Op> ops;
      for (int n = 0; n < 100; ++n)
        ops.push_back(put("/k/" + std::to_string(n * 40 + i), std::string(2'000, 'v'), n == 50 ? lease.id : 0));
      REQUIRE(store->commit(txn({}, ops)));
    }
  }
  // The look through the file at start filled the cache with other pages than these two need.
  auto store = on.open().value();
  const Revision base = store->revision();
  on.disk.on_call(refuse(DiskCall::read, EIO));
  on.clock.advance(Millis{60'000});
  CHECK(code_of(store->commit(Txn{})) == "unavailable");
  CHECK(code_of(store->keep(lease)) == "not_found");
  CHECK(code_of(store->health()) == "unavailable");
  on.disk.on_call({});
  CHECK(eventually([&] { return store->health() && value_of(*store, "/k/2000") == "-"; }));
  CHECK(store->revision() == base + 1);
  CHECK(store->range("/k/", "/l", 0)->items.size() == 39 * 100 + 60);

  store.reset();
  std::atomic<bool> opened{false};  // the first commit's sync: from then on only the sweep has something to read
  on.disk.on_call([&](DiskCall call, const std::string& path) {
    if (call == DiskCall::sync && path.ends_with("-wal")) opened = true;
    return opened && call == DiskCall::read ? EIO : 0;
  });
  store = on.open({.log_changes = 500}).value();
  CHECK(eventually([&] { return code_of(store->health()) == "unavailable"; }));
  on.disk.on_call({});
  CHECK(eventually([&] { return store->watch("/k/", "/l", base - 10).value()->next(Millis{0}).compacted; }));
  CHECK(eventually([&] { return store->health().has_value(); }));
  store.reset();
  CHECK(structure_of(on.path) == "");
}

TEST_CASE("a row of state that somebody removed is damage") {
  OnDisk on;
  auto store = on.open().value();
  put_now(*store, "/a", "1");
  run_sql(on.path, "DELETE FROM state");
  CHECK(code_of(store->range("/", "", 0)) == "corrupt");
  CHECK(code_of(store->watch("", "", 99)) == "corrupt");
  store.reset();
  CHECK(on.code_of_opening() == "corrupt");
}

TEST_CASE("a boot epoch that is no number and a schema that never was keep the store closed") {
  OnDisk on;
  REQUIRE(on.code_of_opening() == "ok");
  run_sql(on.path, "PRAGMA user_version = -1");
  CHECK(on.code_of_opening() == "invalid");
  run_sql(on.path, "PRAGMA user_version = " + std::to_string(kStoreSchemaVersion) + "; UPDATE kv SET value = x'31783233'");  // 1x23
  CHECK(on.code_of_opening() == "corrupt");
  run_sql(on.path, "UPDATE kv SET value = x'78'");
  CHECK(on.code_of_opening() == "corrupt");
}

TEST_CASE("a backup that fails leaves nothing and says why") {
  OnDisk on;
  auto store = on.open().value();
  put_now(*store, "/a", "1");
  const std::string copy = on.directory / "copy.db";
  struct Row {
    DiskCall call;
    int error;
    std::string code;
  };
  const std::vector<Row> rows = {
      {DiskCall::create, EACCES, "invalid"},         {DiskCall::create, EMFILE, "unavailable"},
      {DiskCall::open, EIO, "unavailable"},          {DiskCall::write, ENOSPC, "no_space"},
      {DiskCall::sync, EIO, "unavailable"},          {DiskCall::rename, EIO, "unavailable"},
      {DiskCall::sync_directory, EIO, "unavailable"}};
  for (const Row& row : rows) {
    INFO("call " << static_cast<int>(row.call));
    on.disk.on_call([&](DiskCall call, const std::string& path) {
      return call == row.call && (path.starts_with("copy.db") || path.empty()) ? row.error : 0;
    });
    CHECK(code_of(store->backup(copy)) == row.code);
    CHECK_FALSE(std::filesystem::exists(copy + ".partial"));
    on.disk.on_call({});
    CHECK(store->health());
  }
  CHECK(code_of(store->backup("")) == "invalid");
  CHECK(code_of(store->backup(on.directory / "trove.db-is-no-directory/copy.db")) == "invalid");
  CHECK(code_of(store->backup(copy)) == "ok");
}

TEST_CASE("a key file that cannot be made or read says why and leaves nothing") {
  struct Row {
    DiskCall call;
    int error;
    std::string code;
    bool made;  // before
  };
  const std::vector<Row> rows = {
      {DiskCall::create, ENOSPC, "no_space", false},    {DiskCall::create, EDQUOT, "no_space", false},
      {DiskCall::create, EACCES, "unavailable", false}, {DiskCall::write, ENOSPC, "no_space", false},
      {DiskCall::sync, EIO, "unavailable", false},      {DiskCall::rename, EIO, "unavailable", false},
      {DiskCall::rename, EEXIST, "not_found", false},   {DiskCall::sync_directory, EIO, "unavailable", false},
      {DiskCall::open, EACCES, "unavailable", true},    {DiskCall::read, EIO, "unavailable", true}};
  for (const Row& row : rows) {
    INFO("call " << static_cast<int>(row.call) << ", error " << row.error);
    OnDisk on;
    SeededRng rng(1);
    const std::string path = on.directory / "master.key";
    if (row.made) REQUIRE(Sealer::open(path, true, rng));
    on.disk.on_call([&](DiskCall call, const std::string& name) {
      const bool hit = call == DiskCall::sync_directory ? name.empty() : name.starts_with("master.key");
      return call == row.call && hit ? row.error : 0;
    });
    CHECK(code_of(Sealer::open(path, true, rng)) == row.code);
    CHECK_FALSE(std::filesystem::exists(path + ".partial"));
    on.disk.on_call({});
    CHECK(code_of(Sealer::open(path, true, rng)) == "ok");
  }
}
