// What only a durable store can do wrong.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <thread>
#include "tests/store/trouble.hpp"

using namespace trove;

namespace {

// Flips one bit in every copy of `text` in the file; how many there were.
int damage(const std::string& path, const std::string& text) {
  std::string bytes = read_file(path);
  int copies = 0;
  for (size_t at = 0; (at = bytes.find(text, at)) != std::string::npos; ++at, ++copies) bytes[at] ^= 1;
  write_file(path, bytes);
  return copies;
}

mode_t mode_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? st.st_mode & 0777 : 0;
}

// No file may grow beyond `bytes`, as on a full disk, until this ends. (SQLite does not always pass on which error the
// write met, so that `unavailable` is as good an answer as `no_space`.)
bool refused_by_disk(const std::string& code) { return code == "no_space" || code == "unavailable"; }
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = before_;
    small.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() { lift(); }
  void lift() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace

TEST_CASE("values and revisions survive closing and opening") {
  StoreUnderTest store(Backend::sqlite);
  const Revision a = put_now(*store, "/a", "1");
  store.reopen();
  CHECK(value_of(*store, "/a") == "1");
  CHECK(store->get("/a").value()->modified == a);
  CHECK(put_now(*store, "/a", "2") == a + 2);  // the opening is a commit of its own
  CHECK(collect(*store->watch("/a", "/b", 0).value(), a + 2).size() == 2);
}

TEST_CASE("every opening raises the boot epoch") {
  StoreUnderTest store(Backend::sqlite);
  CHECK(value_of(*store, kBootEpochKey) == "1");
  const Revision epoch = store->get(kBootEpochKey).value()->modified;
  store.reopen();
  CHECK(value_of(*store, kBootEpochKey) == "2");
  CHECK(code_of(store->commit(txn({modified_is(kBootEpochKey, epoch)}, {put("/a", "stale")}))) == "conflict");
}

TEST_CASE("leases survive a restart with their whole time to live") {
  StoreUnderTest store(Backend::sqlite);
  const Lease lease = store->grant(Millis{10'000}).value();
  REQUIRE(store->commit(txn({}, {put("/held", "x", lease.id)})));
  store.clock.advance(Millis{9'000});
  store.reopen();
  store.clock.advance(Millis{9'000});
  CHECK(store->keep(lease));
  CHECK(store->grant(Millis{1'000})->id > lease.id);
  store.clock.advance(Millis{10'000});
  REQUIRE(store->commit(Txn{}));
  CHECK(value_of(*store, "/held") == "-");
}

TEST_CASE("a transaction id is remembered across a restart") {
  StoreUnderTest store(Backend::sqlite);
  const Txn create = txn({absent("/a")}, {put("/a", "1")}, "once");
  const Revision revision = store->commit(create).value();
  store.reopen();
  CHECK(store->commit(create).value() == revision);
}

TEST_CASE("a second opening is refused and names the process") {
  StoreUnderTest store(Backend::sqlite);
  auto second = open_sqlite_store(store.path(), store.clock);
  REQUIRE(code_of(second) == "conflict");
  CHECK(second.error().message.find("process " + std::to_string(::getpid()) + " ") != std::string::npos);
  CHECK(put_now(*store, "/a", "1") > 0);
  store.close();
  CHECK(code_of(open_sqlite_store(store.path(), store.clock)) == "ok");
}

TEST_CASE("the files are private") {
  StoreUnderTest store(Backend::sqlite);
  put_now(*store, "/a", "1");
  CHECK(mode_of(store.path()) == 0600);
  CHECK(mode_of(store.path() + "-wal") == 0600);
  CHECK(mode_of(store.path() + ".lock") == 0600);
  CHECK(mode_of(std::filesystem::path(store.path()).parent_path()) == 0700);
  store.close();
  ::chmod(store.path().c_str(), 0644);
  store.reopen();
  CHECK(mode_of(store.path()) == 0600);
}

TEST_CASE("a newer schema is refused") {
  StoreUnderTest store(Backend::sqlite);
  store.close();
  run_sql(store.path(), "PRAGMA user_version = 99");
  auto opened = open_sqlite_store(store.path(), store.clock);
  REQUIRE(code_of(opened) == "invalid");
  CHECK(opened.error().message.find("99") != std::string::npos);
}

TEST_CASE("the database of another program is refused and left alone") {
  TempDir directory;
  FakeClock clock;
  const std::string path = directory / "other.db";
  run_sql(path, "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
  const std::string before = read_file(path);
  CHECK(code_of(open_sqlite_store(path, clock)) == "invalid");
  CHECK(read_file(path) == before);
  write_file(directory / "text", std::string(5'000, 'x'));
  CHECK(code_of(open_sqlite_store(directory / "text", clock)) == "corrupt");
  CHECK(code_of(open_sqlite_store("", clock)) == "invalid");
}

TEST_CASE("a flipped bit in a value is reported with its key and never returned") {
  StoreUnderTest store(Backend::sqlite);
  const Revision before = store->revision();
  put_now(*store, "/good", "fine");
  put_now(*store, "/rotten", "a value that nobody else has");
  const Revision newest = put_now(*store, "/zebra", "fine");
  store.close();
  REQUIRE(damage(store.path(), "a value that nobody else has") == 2);  // the value and the log
  store.reopen();
  const auto got = store->get("/rotten");
  REQUIRE(code_of(got) == "corrupt");
  CHECK(got.error().message.find("/rotten") != std::string::npos);
  CHECK(code_of(store->range("/good", "/zz", 0)) == "corrupt");
  CHECK(value_of(*store, "/good") == "fine");
  CHECK(value_of(*store, "/zebra") == "fine");
  auto watch = store->watch("/good", "/zz", before).value();
  CHECK(collect(*watch, newest) == std::vector<std::string>{"compacted"});

  put_now(*store, "/rotten", "written again");
  CHECK(value_of(*store, "/rotten") == "written again");
}

TEST_CASE("a damaged structure keeps the store closed") {
  StoreUnderTest store(Backend::sqlite);
  std::vector<Op> ops;
  for (int i = 0; i < 500; ++i) ops.push_back(put("/k/" + std::to_string(i), std::string(200, 'v')));
  REQUIRE(store->commit(txn({}, ops)));
  store.close();
  std::string bytes = read_file(store.path());
  for (size_t page = 4; page < 20; ++page) bytes.replace(page * 4096, 64, std::string(64, '\x55'));
  write_file(store.path(), bytes);
  CHECK(code_of(open_sqlite_store(store.path(), store.clock)) == "corrupt");
}

TEST_CASE("a full disk refuses writes and serves reads and recovers by itself") {
  StoreUnderTest store(Backend::sqlite);
  put_now(*store, "/a", "before");
  {
    SmallDisk disk(std::filesystem::file_size(store.path() + "-wal") + 40'000);
    std::string refused = "ok";
    for (int i = 0; i < 50 && refused == "ok"; ++i) {
      const Op filling = put("/fill/" + std::to_string(i), std::string(8'000, 'f'));
      refused = code_of(store->commit(txn({}, {filling, put("/a", "during")})));
    }
    CHECK(refused_by_disk(refused));
    CHECK(refused_by_disk(code_of(store->health())));
    CHECK(value_of(*store, "/a") == "during");
    CHECK(store->range("/fill/", prefix_end("/fill/"), 0)->items.size() < 50);
    CHECK(refused_by_disk(code_of(store->commit(txn({}, {put("/b", std::string(100'000, 'b'))})))));
    CHECK(value_of(*store, "/b") == "-");
  }
  CHECK(eventually([&] { return store->health().has_value(); }));  // nobody writes meanwhile
  const Revision newest = put_now(*store, "/b", "after");
  CHECK(newest == store->revision());
  store.reopen();
  CHECK(value_of(*store, "/b") == "after");
}

TEST_CASE("one transaction too big for the disk does not fail its neighbours") {
  StoreUnderTest store(Backend::sqlite);
  for (int i = 0; i < 20; ++i) put_now(*store, "/warm", std::string(4'000, 'w'));
  SmallDisk disk(std::filesystem::file_size(store.path() + "-wal") + 600'000);
  std::vector<Op> huge;
  for (int i = 0; i < 30; ++i) huge.push_back(put("/huge/" + std::to_string(i), std::string(100'000, 'h')));
  std::mutex mutex;
  std::vector<std::string> answers;
  for (int i = 0; i < 21; ++i) {
    Txn change = i == 10 ? txn({}, huge) : txn({}, {put("/small/" + std::to_string(i), "s")});
    store->commit_async(std::move(change), [&](Result<Revision> result) {
      const std::lock_guard lock(mutex);
      answers.push_back(code_of(result));
    });
  }
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return answers.size() == 21;
  }));
  CHECK(std::count(answers.begin(), answers.end(), "ok") == 20);
  CHECK(std::count_if(answers.begin(), answers.end(), refused_by_disk) == 1);
}

TEST_CASE("a backup is a complete private copy of one moment") {
  StoreUnderTest store(Backend::sqlite);
  std::vector<Op> ops;
  for (int i = 0; i < 3'000; ++i) ops.push_back(put("/k/" + std::to_string(i), std::string(2'000, 'v')));
  const Revision revision = store->commit(txn({}, ops)).value();
  std::atomic<bool> stop{false};
  std::thread writer([&] {  // the copy must not mind
    for (int i = 0; !stop; ++i) {
      const std::string same = std::to_string(i);
      (void)store->commit(txn({}, {put("/x", same), put("/y", same)}));
    }
  });
  TempDir elsewhere;
  const auto taken = store->backup(elsewhere / "copy.db");
  stop = true;
  writer.join();
  REQUIRE(code_of(taken) == "ok");
  CHECK(mode_of(elsewhere / "copy.db") == 0600);
  CHECK_FALSE(std::filesystem::exists(elsewhere / "copy.db.partial"));
  auto copy = open_sqlite_store(elsewhere / "copy.db", store.clock);
  REQUIRE(code_of(copy) == "ok");
  CHECK((*copy)->range("/k/", prefix_end("/k/"), 0)->items.size() == 3'000);
  CHECK((*copy)->get("/k/0").value()->modified == revision);
  CHECK(value_of(**copy, "/x") == value_of(**copy, "/y"));

  CHECK(code_of(store->backup(elsewhere / "nowhere/copy.db")) == "invalid");
  CHECK(code_of(open_memory_store(store.clock)->backup(elsewhere / "memory.db")) == "invalid");
}

TEST_CASE("the write-ahead log is kept short while writers never rest") {
  StoreBounds bounds;
  bounds.wal_bytes = 1 << 20;
  StoreUnderTest store(Backend::sqlite, bounds);
  for (int i = 0; i < 400; ++i) put_now(*store, "/k/" + std::to_string(i % 20), std::string(20'000, 'v'));
  CHECK(std::filesystem::file_size(store.path() + "-wal") < (8u << 20));  // 16 MB of values were written
}

TEST_CASE("5000 operations of a kilobyte are one quick commit") {
  StoreUnderTest store(Backend::sqlite);
  std::vector<Op> ops;
  for (int i = 0; i < 5'000; ++i) ops.push_back(put("/spec/p/Database/" + std::to_string(i), std::string(1'000, 'v')));
  for (int round = 0; round < 2; ++round) CHECK(code_of(store->commit(txn({}, ops))) == "ok");
  CHECK(store->range("/spec/", prefix_end("/spec/"), 0)->items.size() == 5'000);
}
