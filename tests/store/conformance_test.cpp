// What every store does. Each test runs against all of them.
#include <sys/resource.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>
#include "reconciler/store/txn.hpp"
#include "tests/store/stores.hpp"

using namespace trove;

TEST_CASE("a value is read back with its revisions") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision first = put_now(*store, "/a", "one");
  const Revision second = put_now(*store, "/a", "two");
  REQUIRE(second == first + 1);
  const auto kv = store->get("/a").value();
  REQUIRE(kv.has_value());
  CHECK(kv->key == "/a");
  CHECK(kv->value == "two");
  CHECK(kv->created == first);
  CHECK(kv->modified == second);
  CHECK(store->revision() == second);
  CHECK(value_of(*store, "/b") == "-");
}

TEST_CASE("keys and values are any bytes") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  put_now(*store, "/k" + bytes, bytes);
  put_now(*store, "/empty", "");
  CHECK(value_of(*store, "/k" + bytes) == bytes);
  CHECK(value_of(*store, "/empty").empty());
  CHECK(store->range("/k", prefix_end("/k"), 0)->items.at(0).key == "/k" + bytes);
}

TEST_CASE("one commit is one revision whatever it holds") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision before = store->revision();
  const auto revision = store->commit(txn({}, {put("/a", "1"), put("/b", "2"), put("/c", "3")}));
  CHECK(revision.value() == before + 1);
  const auto page = store->range("/a", "/d", 0).value();
  REQUIRE(page.items.size() == 3);
  for (const auto& item : page.items) {
    CHECK(item.created == before + 1);
    CHECK(item.modified == before + 1);
  }
}

TEST_CASE("a commit that changes nothing makes no revision") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision before = put_now(*store, "/a", "1");
  CHECK(store->commit(Txn{}).value() == before);
  CHECK(store->commit(txn({present("/a")}, {})).value() == before);
  CHECK(store->commit(txn({}, {removal("/nowhere")})).value() == before);
  CHECK(store->revision() == before);
}

TEST_CASE("a removed key that returns is created anew") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision first = put_now(*store, "/a", "1");
  REQUIRE(store->commit(txn({}, {removal("/a")})).value() == first + 1);
  CHECK(value_of(*store, "/a") == "-");
  CHECK(put_now(*store, "/a", "2") == first + 2);
  CHECK(store->get("/a").value()->created == first + 2);
}

TEST_CASE("each kind of guard holds and fails") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision created = put_now(*store, "/a", "1");
  const Revision modified = put_now(*store, "/a", "2");
  struct Row {
    Guard guard;
    bool holds;
  };
  const std::vector<Row> rows = {
      {absent("/none"), true},
      {absent("/a"), false},
      {present("/a"), true},
      {present("/none"), false},
      {modified_is("/a", modified), true},
      {modified_is("/a", created), false},
      {modified_is("/none", modified), false},
      {modified_is("/none", 0), true},
      {created_is("/a", created), true},
      {created_is("/a", modified), false},
      {created_is("/none", created), false},
      {created_is("/none", 0), true},
  };
  for (const Row& row : rows) {
    const Revision before = store->revision();
    const auto result = store->commit(txn({row.guard}, {put("/b", "x")}));
    INFO(row.guard.key << " " << static_cast<int>(row.guard.what) << " " << row.guard.revision);
    CHECK(code_of(result) == (row.holds ? "ok" : "conflict"));
    if (!row.holds) {
      CHECK(result.error().message.find(row.guard.key) != std::string::npos);
      CHECK(store->revision() == before);
    }
  }
}

TEST_CASE("one failing guard leaves every key as it was") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Revision before = put_now(*store, "/a", "old");
  const auto result =
      store->commit(txn({present("/a"), absent("/a")}, {put("/a", "new"), put("/b", "new"), removal("/a2")}, "id-1"));
  CHECK(code_of(result) == "conflict");
  CHECK(value_of(*store, "/a") == "old");
  CHECK(value_of(*store, "/b") == "-");
  CHECK(store->revision() == before);
}

TEST_CASE("a range is read in pages in key order") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  std::vector<Op> ops;
  for (int i = 99; i >= 0; --i) ops.push_back(put("/p/" + std::to_string(100 + i), std::to_string(i)));
  ops.push_back(put("/o", "before"));
  ops.push_back(put("/p", "before, too"));
  ops.push_back(put("/p0", "after"));
  REQUIRE(store->commit(txn({}, ops)));

  std::vector<std::string> keys;
  std::string from = "/p/";
  size_t pages = 0;
  for (bool more = true; more; ++pages) {
    const auto page = store->range(from, prefix_end("/p/"), 30).value();
    CHECK(page.items.size() <= 30);
    CHECK(page.revision == store->revision());
    for (const auto& item : page.items) keys.push_back(item.key);
    from = page.items.back().key + '\0';
    more = page.more;
  }
  CHECK(pages == 4);
  CHECK(keys.size() == 100);
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  CHECK(store->range("/p/", prefix_end("/p/"), 100)->more == false);
  CHECK(store->range("/p/", prefix_end("/p/"), 99)->more == true);
  CHECK(store->range("/p/", "/p/", 0)->items.empty());
  CHECK(store->range("/z", "/a", 0)->items.empty());
  CHECK(store->range("/p/150", "", 0)->items.size() == 50 + 1 + 1);  // "/p0" and the boot epoch are last
}

TEST_CASE("the end of a prefix is the next key after all that start with it") {
  CHECK(prefix_end("/a/") == "/a0");
  CHECK(prefix_end("a\xff") == "b");
  CHECK(prefix_end("\xff\xff").empty());
  CHECK(prefix_end("").empty());
}

TEST_CASE("a transaction id makes a repetition harmless") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Txn create = txn({absent("/a")}, {put("/a", "1")}, "create-a");
  const Revision revision = store->commit(create).value();
  put_now(*store, "/a", "2");
  CHECK(store->commit(create).value() == revision);
  CHECK(value_of(*store, "/a") == "2");

  // A refused one is not remembered.
  const Txn refused = txn({absent("/a")}, {put("/b", "1")}, "create-b");
  CHECK(code_of(store->commit(refused)) == "conflict");
  REQUIRE(store->commit(txn({}, {removal("/a")})));
  CHECK(code_of(store->commit(refused)) == "ok");
  CHECK(value_of(*store, "/b") == "1");

  store.clock.advance(Millis{60 * 60 * 1000});
  CHECK(code_of(store->commit(create)) == "ok");  // forgotten after an hour: done again
  CHECK(value_of(*store, "/a") == "1");
}

TEST_CASE("limits hold at the bound and one beyond it") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  CHECK(code_of(store->commit(txn({}, {put("/v", std::string(kMaxValueBytes, 'v'))}))) == "ok");
  CHECK(code_of(store->commit(txn({}, {put("/v", std::string(kMaxValueBytes + 1, 'v'))}))) == "too_large");
  CHECK(code_of(store->commit(txn({}, {put(std::string(kMaxKeyBytes, 'k'), "")}))) == "ok");
  CHECK(code_of(store->commit(txn({}, {put(std::string(kMaxKeyBytes + 1, 'k'), "")}))) == "too_large");
  CHECK(code_of(store->commit(txn({}, {put("", "")}))) == "invalid");
  CHECK(code_of(store->commit(txn({absent("")}, {}))) == "invalid");
  CHECK(code_of(store->commit(txn({}, {put("/x", "1"), put("/y", "2"), removal("/x")}))) == "invalid");
  CHECK(code_of(store->commit(txn({}, {}, std::string(kMaxTxnIdBytes + 1, 'i')))) == "too_large");

  std::vector<Op> ops;
  for (size_t i = 0; i < kMaxTxnOps; ++i) ops.push_back(put("/many/" + std::to_string(i), ""));
  CHECK(code_of(store->commit(txn({}, ops))) == "ok");
  ops.push_back(put("/many/more", ""));
  CHECK(code_of(store->commit(txn({}, ops))) == "too_large");
  CHECK(value_of(*store, "/many/more") == "-");
  CHECK(store->range("/many/", prefix_end("/many/"), 0)->items.size() == kDefaultPageItems);

  ops.clear();
  for (size_t i = 0; i * kMaxValueBytes < kMaxTxnBytes; ++i)
    ops.push_back(put("/big/" + std::to_string(i), std::string(kMaxValueBytes, 'b')));
  CHECK(code_of(store->commit(txn({}, ops))) == "too_large");  // the keys are what is too much
}

TEST_CASE("a page ends early once it holds many bytes") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const size_t enough = kMaxPageBytes / kMaxValueBytes + 2;
  for (size_t i = 0; i < enough; i += 100) {
    std::vector<Op> ops;
    for (size_t n = i; n < std::min(enough, i + 100); ++n)
      ops.push_back(put("/" + std::to_string(1000 + n), std::string(kMaxValueBytes, 'v')));
    REQUIRE(store->commit(txn({}, ops)));
  }
  const auto page = store->range("/1", "/2", 0).value();
  CHECK(page.more);
  CHECK(page.items.size() < enough);
  CHECK(page.items.size() * kMaxValueBytes >= kMaxPageBytes - kMaxValueBytes);
}

TEST_CASE("four writers count to the same number") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  put_now(*store, "/counter", "0");
  constexpr int kEach = 50;
  std::atomic<int> failures{0};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&] {
      for (int done = 0; done < kEach;) {
        auto now = store->get("/counter");
        if (!now || !*now) {
          ++failures;
          return;
        }
        const std::string next = std::to_string(std::stoi((*now)->value) + 1);
        auto result = store->commit(txn({modified_is("/counter", (*now)->modified)}, {put("/counter", next)}));
        if (result)
          ++done;
        else if (result.error().code != Code::conflict) {
          ++failures;
          return;
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(failures == 0);
  CHECK(value_of(*store, "/counter") == std::to_string(4 * kEach));
}

TEST_CASE("asynchronous commits are answered once each with rising revisions") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  constexpr size_t kCount = 200;
  std::mutex mutex;
  std::vector<std::string> answers;
  Revision last = store->revision();
  bool rising = true;
  for (size_t i = 0; i < kCount; ++i) {
    Txn change = txn({}, {put("/async/" + std::to_string(i), "x")});
    if (i % 10 == 9) change.guards.push_back(present("/nowhere"));
    if (i % 50 == 1) change.ops.push_back(put("", ""));
    store->commit_async(std::move(change), [&](Result<Revision> result) {
      const std::lock_guard lock(mutex);
      answers.push_back(code_of(result));
      if (result) {
        rising = rising && *result == last + 1;
        last = *result;
      }
    });
  }
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return answers.size() == kCount;
  }));
  CHECK(std::count(answers.begin(), answers.end(), "conflict") == kCount / 10);
  CHECK(std::count(answers.begin(), answers.end(), "invalid") == kCount / 50);
  CHECK(rising);
}

TEST_CASE("a lease takes its keys with it when it expires") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Lease lease = store->grant(Millis{10'000}).value();
  const Revision held = store->commit(txn({}, {put("/held", "x", lease.id), put("/free", "x")})).value();
  CHECK(store->get("/held").value()->lease == lease.id);

  store.clock.advance(Millis{9'999});
  CHECK(store->keep(lease));
  store.clock.advance(Millis{9'999});
  CHECK(value_of(*store, "/held") == "x");
  store.clock.advance(Millis{1});
  CHECK(code_of(store->keep(lease)) == "not_found");
  CHECK(store->commit(Txn{}).value() == held + 1);
  CHECK(value_of(*store, "/held") == "-");
  CHECK(value_of(*store, "/free") == "x");
  CHECK(code_of(store->revoke(lease)) == "not_found");
  CHECK(code_of(store->commit(txn({}, {put("/held", "x", lease.id)}))) == "not_found");
}

TEST_CASE("an expired lease is noticed without a commit") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Lease lease = store->grant(Millis{1'000}).value();
  const Revision held = store->commit(txn({}, {put("/held", "x", lease.id)})).value();
  auto watch = store->watch("/held", "/helf", held).value();
  store.clock.advance(Millis{1'000});
  CHECK(collect(*watch, held + 1) == std::vector<std::string>{text_of({held + 1, "/held", "", true, held})});
}

TEST_CASE("a revoked lease takes its keys with it in one revision") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Lease lease = store->grant(Millis{10'000}).value();
  const Lease other = store->grant(Millis{10'000}).value();
  CHECK(lease.id != other.id);
  const Revision before =
      store->commit(txn({}, {put("/1", "", lease.id), put("/2", "", lease.id), put("/3", "", other.id)})).value();
  put_now(*store, "/2", "not leased any more");
  REQUIRE(store->revoke(lease));
  CHECK(store->revision() == before + 2);
  CHECK(value_of(*store, "/1") == "-");
  CHECK(value_of(*store, "/2") == "not leased any more");
  CHECK(value_of(*store, "/3").empty());
  CHECK(code_of(store->keep(lease)) == "not_found");
  CHECK(code_of(store->grant(Millis{0})) == "invalid");
}

TEST_CASE("an absent guard wins over an expired lease") {
  // Taking over an owner key: the old owner's lease is gone, so its key is, in the same commit at the latest.
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Lease lease = store->grant(Millis{1'000}).value();
  REQUIRE(store->commit(txn({absent("/owner")}, {put("/owner", "a", lease.id)})));
  CHECK(code_of(store->commit(txn({absent("/owner")}, {put("/owner", "b")}))) == "conflict");
  store.clock.advance(Millis{1'000});
  CHECK(code_of(store->commit(txn({absent("/owner")}, {put("/owner", "b")}))) == "ok");
  CHECK(value_of(*store, "/owner") == "b");
}

TEST_CASE("a callback that waits for the store gets an error instead of a deadlock") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Lease lease = store->grant(Millis{10'000}).value();
  std::atomic<bool> answered{false};
  std::string codes;
  store->commit_async(txn({}, {put("/a", "1")}), [&](Result<Revision>) {
    codes = code_of(store->commit(Txn{})) + " " + code_of(store->grant(Millis{1'000})) + " " +
            code_of(store->revoke(lease)) + " " + code_of(store->compact(1)) + " " + code_of(store->get("/a")) + " " +
            code_of(store->keep(lease));
    answered = true;
  });
  REQUIRE(eventually([&] { return answered.load(); }));
  CHECK(codes == "internal internal internal internal ok ok");
  CHECK(code_of(store->revoke(lease)) == "ok");
}

TEST_CASE("what a callback commits comes after it has returned and in order") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  std::mutex mutex;
  std::vector<std::string> told;
  const auto tell = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    told.push_back(what);
  };
  const Revision base = store->revision();
  store->commit_async(txn({}, {put("/a", "1")}), [&](Result<Revision> first) {
    tell("first " + std::to_string(*first - base));
    for (const char* name : {"second", "third"})
      store->commit_async(txn({}, {put("/a", name)}), [&, name](Result<Revision> done) {
        tell(name + (" " + std::to_string(*done - base)));
        if (name == std::string("second"))
          store->commit_async(txn({}, {put("/b", "x")}),
                              [&](Result<Revision> last) { tell("last " + std::to_string(*last - base)); });
      });
    tell("returned");
  });
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return told.size() == 5;
  }));
  CHECK(told == std::vector<std::string>{"first 1", "returned", "second 2", "third 3", "last 4"});
  CHECK(value_of(*store, "/a") == "third");
}

TEST_CASE("looking at a watch without patience never sleeps") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  auto watch = store->watch("/a", "/b", store->revision()).value();
  rusage before{}, after{};
  ::getrusage(RUSAGE_THREAD, &before);
  for (int i = 0; i < 2'000; ++i) CHECK(watch->next(Millis{0}).events.empty());
  ::getrusage(RUSAGE_THREAD, &after);
  CHECK(after.ru_nvcsw - before.ru_nvcsw < 200);  // it used to be one each
}

TEST_CASE("there is room for so many leases and one that goes makes room again") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  std::vector<Lease> leases;
  for (size_t i = 0; i < kMaxLeases; ++i) leases.push_back(store->grant(Millis{i < 10 ? 1'000 : 60'000}).value());
  CHECK(code_of(store->grant(Millis{1'000})) == "throttled");
  REQUIRE(store->revoke(leases.back()));
  CHECK(code_of(store->revoke(leases.back())) == "not_found");
  CHECK(code_of(store->grant(Millis{60'000})) == "ok");
  CHECK(code_of(store->grant(Millis{60'000})) == "throttled");
  store.clock.advance(Millis{1'000});
  for (int i = 0; i < 10; ++i) CHECK(code_of(store->grant(Millis{60'000})) == "ok");  // in the place of the expired
  CHECK(code_of(store->grant(Millis{60'000})) == "throttled");
  CHECK(code_of(store->grant(kMaxLeaseTtl)) == "throttled");
  CHECK(code_of(store->grant(kMaxLeaseTtl + Millis{1})) == "too_large");
}

TEST_CASE("stores of their own may be used in each other's callbacks") {
  StoreUnderTest one(GENERATE(Backend::memory, Backend::sqlite)), other(Backend::memory);
  std::atomic<int> answers{0};
  one->commit_async(txn({}, {put("/a", "1")}), [&](Result<Revision>) {
    answers += other->commit(txn({}, {put("/a", "1")})).has_value();
    other->commit_async(txn({}, {put("/b", "1")}), [&](Result<Revision> done) {
      answers += done.has_value();
      answers += code_of(one->commit(Txn{})) == "internal";  // still inside of its own
    });
  });
  CHECK(eventually([&] { return answers == 3; }));
  CHECK(one->health());
  CHECK(other->health());
}

TEST_CASE("a lease may hold more keys than one transaction can name") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  const Lease lease = store->grant(Millis{60'000}).value();
  for (int half = 0; half < 2; ++half) {
    std::vector<Op> ops;
    for (size_t i = 0; i < kMaxTxnOps * 3 / 4; ++i)
      ops.push_back(put("/k/" + std::to_string(half) + "/" + std::to_string(i), "", lease.id));
    REQUIRE(store->commit(txn({}, ops)));
  }
  const Revision before = store->revision();
  REQUIRE(store->revoke(lease));
  CHECK(store->revision() == before + 2);
  CHECK(store->range("/k/", "/l", 0)->items.empty());
}

TEST_CASE("guards have a bound of their own and a nonsense guard is refused") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  std::vector<Guard> guards(kMaxTxnOps + 1, absent("/nowhere"));
  CHECK(code_of(store->commit(txn(guards, {put("/a", "1")}))) == "too_large");
  guards.pop_back();
  CHECK(code_of(store->commit(txn(guards, {put("/a", "1")}))) == "ok");
  CHECK(code_of(store->commit(txn({{static_cast<Guard::What>(9), "/a", 0}}, {put("/b", "1")}))) == "internal");
  CHECK(value_of(*store, "/b") == "-");
}

TEST_CASE("a lease that expired cannot be used in the same moment") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite));
  const Lease lease = store->grant(Millis{1'000}).value();
  store.clock.advance(Millis{1'000});
  CHECK(code_of(store->commit(txn({}, {put("/a", "x", lease.id)}))) == "not_found");
  CHECK(code_of(store->commit(txn({}, {put("/a", "x", 999)}))) == "not_found");
  CHECK(code_of(store->revoke(lease)) == "not_found");
  CHECK(value_of(*store, "/a") == "-");
}
