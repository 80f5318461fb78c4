// Watches: every store, every way of being behind.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include "reconciler/store/hub.hpp"
#include "reconciler/store/txn.hpp"
#include "tests/store/stores.hpp"

using namespace trove;
using Events = std::vector<std::string>;

TEST_CASE("a watch delivers what follows its revision and only its range") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision base = put_now(*store, "/a/1", "old");
  auto watch = store->watch("/a/", prefix_end("/a/"), base).value();
  put_now(*store, "/a/1", "new");
  put_now(*store, "/b/1", "elsewhere");
  REQUIRE(store->commit(txn({}, {put("/a/3", "c"), removal("/a/1"), put("/b/2", "x"), put("/a/2", "b")})));
  CHECK(collect(*watch, base + 3) ==
        Events{text_of({base + 1, "/a/1", "new", false, base}), text_of({base + 3, "/a/1", "", true, base}),
               text_of({base + 3, "/a/2", "b", false, base + 3}), text_of({base + 3, "/a/3", "c", false, base + 3})});
}

TEST_CASE("a batch holds whole revisions and progress without events") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision base = store->revision();
  auto watch = store->watch("/a/", prefix_end("/a/"), base).value();
  std::vector<Op> ops;
  for (int i = 0; i < 3'000; ++i) ops.push_back(put("/a/" + std::to_string(10'000 + i), "x"));
  REQUIRE(store->commit(txn({}, ops)));
  const WatchBatch whole = watch->next(Millis{5'000});
  CHECK(whole.events.size() == 3'000);
  CHECK(whole.revision == base + 1);

  put_now(*store, "/elsewhere", "x");
  const WatchBatch progress = watch->next(Millis{0});
  CHECK(progress.events.empty());
  CHECK(progress.revision == base + 2);
}

TEST_CASE("a watch from the past catches up and goes on live") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision base = store->revision();
  for (int i = 0; i < 2'500; ++i) {  // more than the hub's window
    const std::string key = "/k/" + std::to_string(i % 7);
    store->commit_async(txn({}, {put(key, std::to_string(i))}), [](Result<Revision>) {});
  }
  REQUIRE(eventually([&] { return store->revision() == base + 2'500; }));
  auto watch = store->watch("/k/", prefix_end("/k/"), base).value();
  const Events seen = collect(*watch, base + 2'500);
  REQUIRE(seen.size() == 2'500);
  for (size_t i = 0; i < seen.size(); ++i) {
    const std::string start = std::to_string(base + 1 + i) + " /k/" + std::to_string(i % 7) + "=" + std::to_string(i);
    if (seen[i].rfind(start, 0) != 0) FAIL("event " << i << " is " << seen[i] << ", not " << start);
  }
  put_now(*store, "/k/live", "1");
  CHECK(collect(*watch, base + 2'501).size() == 1);
  CHECK(watch->next(Millis{0}).events.empty());
}

TEST_CASE("a watch wakes up when something comes") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  auto watch = store->watch("/a", "/b", store->revision()).value();
  std::thread writer([&] {
    ::poll(nullptr, 0, 30);
    put_now(*store, "/a", "1");
  });
  const WatchBatch batch = watch->next(Millis{20'000});
  writer.join();
  CHECK(batch.events.size() == 1);
}

TEST_CASE("a cancelled watch returns at once") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  auto watch = store->watch("/a", "/b", store->revision()).value();
  std::thread other([&] {
    ::poll(nullptr, 0, 30);
    watch->cancel();
  });
  const WatchBatch batch = watch->next(Millis{60'000});
  other.join();
  CHECK(batch.events.empty());
  put_now(*store, "/a", "1");
  CHECK(watch->next(Millis{60'000}).events.empty());
}

TEST_CASE("a watch may outlive its store") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  auto watch = store->watch("/a", "/b", 0).value();
  store.close();
  CHECK(watch->next(Millis{60'000}).events.empty());
}

TEST_CASE("a watch from a forgotten revision says so") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision base = put_now(*store, "/a", "1");
  put_now(*store, "/a", "2");
  const Revision newest = put_now(*store, "/a", "3");
  auto behind = store->watch("/a", "/b", base).value();
  auto current = store->watch("/a", "/b", newest).value();
  REQUIRE(store->compact(newest));
  CHECK(code_of(store->compact(newest + 1)) == "invalid");
  CHECK(code_of(store->compact(base)) == "ok");  // forgotten already

  CHECK(collect(*behind, newest) == Events{"compacted"});
  CHECK(collect(*store->watch("/a", "/b", 0).value(), newest) == Events{"compacted"});
  CHECK(collect(*store->watch("/a", "/b", newest - 2).value(), newest) == Events{"compacted"});
  CHECK(collect(*store->watch("/a", "/b", newest - 1).value(), newest) ==
        Events{text_of({newest, "/a", "3", false, base})});
  put_now(*store, "/a", "4");
  CHECK(collect(*current, newest + 1) == Events{text_of({newest + 1, "/a", "4", false, base})});
  CHECK(value_of(*store, "/a") == "4");
}

TEST_CASE("a watch from a revision that never was says compacted") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  CHECK(collect(*store->watch("/a", "/b", store->revision() + 5).value(), 0) == Events{"compacted"});
}

TEST_CASE("the log forgets by itself what is beyond its bound") {
  StoreBounds bounds;
  bounds.log_changes = 50;
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), bounds);
  const Revision base = store->revision();
  for (int i = 0; i < 200; ++i) put_now(*store, "/a", std::to_string(i));
  const Revision newest = base + 200;
  CHECK(eventually(
      [&] { return collect(*store->watch("/a", "/b", newest - 60).value(), newest) == Events{"compacted"}; }));
  CHECK(collect(*store->watch("/a", "/b", newest - 45).value(), newest).size() == 45);
  CHECK(value_of(*store, "/a") == "199");
}

TEST_CASE("watchers that come at any moment see every event once and in order") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  constexpr int kWriters = 3, kEach = 700, kWatchers = 4;
  const Revision base = store->revision();
  const Revision end = base + kWriters * kEach;
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < kEach; ++i) {
        Txn change = txn({}, {put("/h/" + std::to_string(w), std::to_string(i)), put("/other", "x")});
        if (i % 20 == 0)
          (void)store->commit(change);
        else
          store->commit_async(std::move(change), [](Result<Revision>) {});
      }
    });
  }
  std::vector<Events> seen(kWatchers);
  std::vector<Revision> from(kWatchers);
  for (int w = 0; w < kWatchers; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < w; ++i) ::poll(nullptr, 0, 15);  // some come later
      from[w] = w % 2 ? store->revision() : base;
      auto watch = store->watch("/h/", prefix_end("/h/"), from[w]).value();
      for (Revision at = from[w]; at < end;) {
        const WatchBatch batch = watch->next(Millis{20'000});
        for (const StoreEvent& event : batch.events) seen[w].push_back(text_of(event));
        if (batch.compacted || batch.revision == at) break;
        at = batch.revision;
        if (w == 2) ::poll(nullptr, 0, 20);  // and one is slow
      }
    });
  }
  for (auto& thread : threads) thread.join();
  REQUIRE(store->revision() == end);
  const Events all = collect(*store->watch("/h/", prefix_end("/h/"), base).value(), end);
  REQUIRE(all.size() == kWriters * kEach);
  for (int w = 0; w < kWatchers; ++w) {
    INFO("watcher " << w << " from " << from[w] - base);
    CHECK(seen[w] == Events(all.begin() + static_cast<long>(from[w] - base), all.end()));
  }
}

TEST_CASE("watches have a bound and one that goes makes room") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  std::vector<std::unique_ptr<Watch>> watches;
  for (size_t i = 0; i < kMaxWatches; ++i) watches.push_back(store->watch("/a", "/b", 0).value());
  CHECK(code_of(store->watch("/a", "/b", 0)) == "throttled");
  watches.pop_back();
  CHECK(code_of(store->watch("/a", "/b", 0)) == "ok");
}

TEST_CASE("a watch far behind gets batches of a bounded size") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  const Revision base = store->revision();
  for (int i = 0; i < 40; ++i) put_now(*store, "/k/" + std::to_string(i), std::string(250'000, 'v'));
  auto watch = store->watch("/k/", "/l", base).value();
  size_t events = 0, batches = 0;
  while (events < 40) {
    const WatchBatch batch = watch->next(Millis{0});
    REQUIRE_FALSE(batch.events.empty());
    CHECK(batch.events.size() * 250'000 < kWatchBatchBytes + 300'000);
    events += batch.events.size();
    ++batches;
  }
  CHECK(events == 40);
  CHECK(batches >= 3);
}

TEST_CASE("watches that catch up at the same time do not disturb each other") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  const Revision base = store->revision();
  for (int i = 0; i < 200; ++i) put_now(*store, "/k/" + std::to_string(i), std::string(20'000, 'v'));
  const Revision newest = store->revision();
  std::atomic<int> whole{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) whole += collect(*store->watch("/k/", "/l", base).value(), newest).size() == 200;
    });
  for (auto& thread : threads) thread.join();
  CHECK(whole == 30);
}

TEST_CASE("the log is bounded in bytes as well") {
  StoreBounds bounds;
  bounds.log_bytes = 300'000;
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), bounds, StoreUnderTest::Syncs::none);
  const Revision base = store->revision();
  for (int i = 0; i < 30; ++i) put_now(*store, "/k/" + std::to_string(i), std::string(40'000, 'v'));
  CHECK(eventually([&] { return store->watch("/k/", "/l", base).value()->next(Millis{0}).compacted; }));
  const Revision newest = store->revision();
  CHECK(collect(*store->watch("/k/", "/l", newest - 1).value(), newest).size() == 1);
  REQUIRE(store->compact(newest));
  CHECK(store->watch("/k/", "/l", newest - 2).value()->next(Millis{0}).compacted);
}
