// Full queues, more readers than connections, long readers, others who hold a lock: bounds that hold, and ends of
// waiting.
#include <poll.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <thread>

#include "reconciler/store/seal.hpp"
#include "reconciler/store/sqlite_readers.hpp"
#include "tests/store/trouble.hpp"

using namespace trove;

TEST_CASE("a store beyond the bound of the check at start opens without being read whole") {
  OnDisk on;
  {
    auto store = on.open().value();
    for (int i = 0; i < 70; ++i) {
      std::vector<Op> ops;
      for (int n = 0; n < 4; ++n)
        ops.push_back(put("/k/" + std::to_string(i * 4 + n), std::string(kMaxValueBytes, 'v')));
      REQUIRE(store->commit(txn({}, ops)));
    }
  }
  std::atomic<int> reads{0};
  on.disk.on_call([&](DiskCall call, const std::string&) {
    reads += call == DiskCall::read;
    return 0;
  });
  auto store = on.open().value();
  CHECK(reads < 100);
  CHECK(value_of(*store, "/k/279") == std::string(kMaxValueBytes, 'v'));
}

TEST_CASE("a full queue turns commits away and what is in it is answered even while the store closes") {
  OnDisk on;
  auto store = on.open().value();
  const Revision base = store->revision();
  Hang hang(on.disk, DiskCall::sync, "-wal");
  Answers answers;
  store->commit_async(txn({}, {put("/first", "x")}), answers.one());
  hang.wait();
  size_t accepted = 0;
  for (std::string refused; refused != "throttled"; ++accepted) {  // the answer of a refused one comes at once
    Answers one;
    store->commit_async(txn({}, {put("/k/" + std::to_string(accepted % 50), "x")}),
                        [&](Result<Revision> result) { answers.one()(result); });
    if (accepted >= 4'096) refused = answers.wait_for(1).front();
  }
  CHECK(accepted == 4'097);
  CHECK(code_of(store->health()) == "ok");
  std::thread closing([&] { store.reset(); });
  hang.end();
  closing.join();
  const auto codes = answers.wait_for(4'098);
  CHECK(std::count(codes.begin(), codes.end(), "ok") == 4'097);
  on.disk.on_call({});
  CHECK(on.open().value()->revision() == base + 4'097 + 1);
}

TEST_CASE("a queue full of bytes turns commits away and batches are cut by bytes") {
  OnDisk on;
  auto store = on.open().value();
  Hang hang(on.disk, DiskCall::sync, "-wal");
  Answers answers, refused;
  store->commit_async(txn({}, {put("/first", "x")}), answers.one());
  hang.wait();
  const auto big = [](int number) {
    Txn change;
    for (int i = 0; i < 100; ++i)
      change.ops.push_back(put("/big/" + std::to_string(number) + "/" + std::to_string(i), std::string(200'000, 'b')));
    return change;
  };
  for (int i = 0; i < 6; ++i) store->commit_async(big(i), answers.one());  // 120 of 128 MiB
  store->commit_async(big(6), refused.one());
  CHECK(refused.wait_for(1).front() == "throttled");
  store->commit_async(txn({}, {put("/small", "x")}), answers.one());
  hang.end();
  const auto codes = answers.wait_for(8);
  CHECK(std::count(codes.begin(), codes.end(), "ok") == 8);
  CHECK(store->range("/big/", "/bih", 1'000)->items.size() > 0);
  CHECK(value_of(*store, "/big/6/0") == "-");
}

TEST_CASE("more readers than connections wait for each other") {
  OnDisk on;
  auto store = on.open().value();
  put_now(*store, "/a", "1");
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  {
    Hang hang(on.disk, DiskCall::open, "trove.db");  // each new connection opens the file
    for (size_t i = 0; i < kMaxReaders + 6; ++i) threads.emplace_back([&] { right += value_of(*store, "/a") == "1"; });
    hang.wait();
    hang.end();
    for (auto& thread : threads) thread.join();
    on.disk.on_call({});
  }
  CHECK(right == kMaxReaders + 6);
}

TEST_CASE("a shell that holds the write lock delays commits and refuses them after a second") {
  StoreUnderTest store(Backend::sqlite);
  put_now(*store, "/a", "before");
  {
    const Shell shell(store.path(), "BEGIN IMMEDIATE");
    const auto refused = store->commit(txn({}, {put("/a", "after")}));
    CHECK(code_of(refused) == "unavailable");
    CHECK(value_of(*store, "/a") == "before");
    CHECK(code_of(store->health()) == "unavailable");
  }
  CHECK(eventually([&] { return store->health().has_value(); }));  // by itself
  put_now(*store, "/a", "after");
}

TEST_CASE("a shell that reads for long only keeps the log from being given back") {
  OnDisk on;
  auto store = on.open().value();
  put_now(*store, "/a", "before");
  const std::string log = on.path + "-wal";
  {
    const Shell shell(on.path, "BEGIN; SELECT * FROM kv");
    std::vector<Op> ops;
    for (int i = 0; i < 8; ++i) ops.push_back(put("/k/" + std::to_string(i), std::string(200'000, 'v')));
    REQUIRE(store->commit(txn({}, ops)));
    ::poll(nullptr, 0, 600);  // two quiet moments
    CHECK(store->health());
    CHECK(std::filesystem::file_size(log) > 1'000'000);
  }
  put_now(*store, "/a", "after");
  CHECK(eventually([&] { return std::filesystem::file_size(log) == 0; }));
}

TEST_CASE("one backup at a time and none outlives the store") {
  OnDisk on;
  auto store = on.open().value();
  std::vector<Op> ops;
  for (int i = 0; i < 50; ++i) ops.push_back(put("/k/" + std::to_string(i), std::string(200'000, 'v')));
  REQUIRE(store->commit(txn({}, ops)));
  Hang hang(on.disk, DiskCall::write, "copy.db.partial");
  std::string first, second;
  std::thread one([&] { first = code_of(store->backup(on.directory / "copy.db")); });
  hang.wait();
  std::atomic<bool> asked{false};
  std::thread two([&] {
    asked = true;
    second = code_of(store->backup(on.directory / "other.db"));
  });
  CHECK(eventually([&] { return asked.load(); }));
  ::poll(nullptr, 0, 50);  // it stands in the queue
  std::thread closing([&] { store.reset(); });
  ::poll(nullptr, 0, 50);
  hang.end();
  one.join();
  two.join();
  closing.join();
  CHECK(second == "conflict");
  CHECK((first == "unavailable" || first == "ok"));  // cut off, or through in time
  CHECK_FALSE(std::filesystem::exists(on.directory / "copy.db.partial"));
}

TEST_CASE("two that make the same key file at once get the same key") {
  TempDir directory;
  for (int round = 0; round < 20; ++round) {
    const std::string path = directory / ("key-" + std::to_string(round));
    std::vector<std::string> derived(3);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < derived.size(); ++i)
      threads.emplace_back([&, i] {
        SeededRng rng(100 * static_cast<uint64_t>(round) + i);
        // The loser of the race for the partial file may be told so; the second try finds the winner's key.
        for (int tries = 0; tries < 50 && derived[i].empty(); ++tries)
          if (auto sealer = Sealer::open(path, true, rng)) derived[i] = sealer->derive("x").reveal();
      });
    for (auto& thread : threads) thread.join();
    CHECK_FALSE(derived[0].empty());
    CHECK(derived[1] == derived[0]);
    CHECK(derived[2] == derived[0]);
  }
}
