// Reads of the past: every store shows at a revision exactly what stood there then, or says that it no longer knows.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <mutex>
#include <thread>
#include "reconciler/store/sqlite_file.hpp"
#include "reconciler/store/txn.hpp"
#include "tests/store/trouble.hpp"

using namespace trove;

namespace {

std::string text_of(const Page& page) {
  std::string out;
  for (const KeyValue& kv : page.items)
    out += kv.key + "=" + kv.value + "@" + std::to_string(kv.created) + "/" + std::to_string(kv.modified) + " ";
  return out;
}
// Walks all pages; "!code" when one cannot be read.
std::string at_revision(Store& store, Revision at, size_t limit, const std::string& first = "/k/") {
  std::string out, from = first;
  for (;;) {
    auto page = store.range(from, prefix_end("/k/"), limit, at);
    if (!page) return "!" + code_of(page);
    if (at != 0 && page->revision != at) return "another revision";
    if (page->items.size() > limit) return "too many";
    out += text_of(*page);
    if (!page->more) return out;
    if (page->items.empty()) return "an empty page that is not the last";
    from = page->items.back().key + std::string(1, '\0');
  }
}

// A random life in one project of keys; what stood at each revision.
class Life {
 public:
  Life(StoreUnderTest& store, uint64_t seed) : store_(store), rng_(seed) { note(); }
  void step() {
    std::map<std::string, Op> ops;
    for (uint64_t n = 1 + rng_.below(4); n > 0; --n) {
      const std::string key = "/k/" + std::to_string(rng_.below(12));
      ops[key] = rng_.below(3) ? put(key, random_text(rng_, rng_.below(20))) : removal(key);
    }
    Txn change;
    for (auto& [key, op] : ops) change.ops.push_back(op);
    change.ops.push_back(put("/other", std::to_string(++steps_)));
    if (!store_->commit(change)) throw std::runtime_error("commit failed");
    note();
  }
  void note() { then_[store_->revision()] = at_revision(*store_, 0, 1'000); }
  const std::map<Revision, std::string>& then() const { return then_; }

 private:
  StoreUnderTest& store_;
  SeededRng rng_;
  uint64_t steps_ = 0;
  std::map<Revision, std::string> then_;
};

}  // namespace

TEST_CASE("a read at a revision shows what stood then whatever came after") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  Life life(store, 7);
  for (int i = 0; i < 150; ++i) life.step();
  for (const auto& [revision, text] : life.then())
    for (size_t limit : {1, 3, 100}) {
      INFO("revision " << revision << ", pages of " << limit);
      CHECK(at_revision(*store, revision, limit) == text);
    }
  CHECK(at_revision(*store, 0, 3) == life.then().rbegin()->second);
}

TEST_CASE("what is forgotten cannot be read and what is kept can at every state of forgetting") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  Life life(store, 11);
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 15; ++i) life.step();
    const Revision newest = store->revision(), before = newest - 10;
    REQUIRE(store->compact(before));
    for (int i = 0; i < 3; ++i) life.step();  // also of keys that were not touched since
    for (const auto& [revision, text] : life.then()) {
      INFO("round " << round << ", revision " << revision << ", compacted before " << before);
      CHECK(at_revision(*store, revision, 4) == (revision + 1 < before ? "!expired" : text));
    }
    // SQLite forgets the rows themselves when nothing else is to be done; the answers stay the same.
    if (round % 4 == 3) ::poll(nullptr, 0, 600);
  }
  auto gone = store->range("/k/", "", 0, 1);
  REQUIRE(code_of(gone) == "expired");
  CHECK(gone.error().message.find("revision 1 is no longer kept; the oldest is ") == 0);
  CHECK(gone.error().hint == "list again");
  CHECK(code_of(store->range("/k/", "", 0, store->revision() + 1)) == "expired");
}

TEST_CASE("the past survives closing and opening") {
  StoreUnderTest store(Backend::sqlite, {}, StoreUnderTest::Syncs::none);
  Life life(store, 3);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) life.step();
    store.reopen();
    if (round == 2) {
      REQUIRE(store->compact(store->revision() - 15));
      ::poll(nullptr, 0, 600);
    }
  }
  const Revision oldest = life.then().rbegin()->first - 40;
  for (auto it = life.then().lower_bound(oldest); it != life.then().end(); ++it)
    CHECK(at_revision(*store, it->first, 5) == it->second);
  store.close();
  CHECK(structure_of(store.path()) == "");
}

TEST_CASE("readers of one revision agree page by page while writers change everything") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  for (int i = 0; i < 60; ++i) put_now(*store, "/k/" + std::to_string(100 + i), "start");
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int w = 0; w < 2; ++w)
    threads.emplace_back([&, w] {
      SeededRng rng(static_cast<uint64_t>(w) + 1);
      for (int i = 0; !stop; ++i) {
        const std::string key = "/k/" + std::to_string(100 + rng.below(90));
        (void)store->commit(txn({}, {rng.below(3) ? put(key, std::to_string(i)) : removal(key)}));
      }
    });
  std::vector<std::string> wrong;
  std::mutex mutex;
  for (int r = 0; r < 2; ++r)
    threads.emplace_back([&] {
      for (int i = 0; i < 60; ++i) {
        const Page now = store->range("/k/", prefix_end("/k/"), 1'000).value();
        const std::string again = at_revision(*store, now.revision, 7);
        const std::lock_guard lock(mutex);
        if (again != text_of(now)) wrong.push_back(std::to_string(now.revision) + ": " + text_of(now) + "\n" + again);
      }
    });
  threads[2].join();
  threads[3].join();
  stop = true;
  threads[0].join();
  threads[1].join();
  INFO((wrong.empty() ? "" : wrong.front()));
  CHECK(wrong.empty());
}

TEST_CASE("a page of the past ends early once it holds many bytes") {
  StoreUnderTest store(GENERATE(Backend::memory, Backend::sqlite), {}, StoreUnderTest::Syncs::none);
  const size_t count = kMaxPageBytes / kMaxValueBytes + 10;
  for (size_t i = 0; i < count; ++i) put_now(*store, "/k/" + std::to_string(1'000 + i), std::string(kMaxValueBytes, 'a'));
  const Revision then = store->revision();
  for (size_t i = 0; i < count; i += 2) put_now(*store, "/k/" + std::to_string(1'000 + i), "b");
  std::string from = "/k/";
  size_t seen = 0, pages = 0;
  for (bool more = true; more; ++pages) {
    const Page page = store->range(from, prefix_end("/k/"), 0, then).value();
    size_t bytes = 0;
    for (const KeyValue& kv : page.items) bytes += kv.value.size();
    CHECK(bytes <= kMaxPageBytes + kMaxValueBytes);
    seen += page.items.size();
    CHECK(bytes == page.items.size() * kMaxValueBytes);
    if (page.items.empty()) break;
    from = page.items.back().key + std::string(1, '\0');
    more = page.more;
  }
  CHECK(seen == count);
  CHECK(pages == 2);
}

TEST_CASE("a saved value that was damaged is reported and never returned") {
  StoreUnderTest store(Backend::sqlite);
  put_now(*store, "/k/a", "precious");
  const Revision then = put_now(*store, "/k/b", "1");
  REQUIRE(store->compact(then));
  put_now(*store, "/k/a", "new");
  CHECK(at_revision(*store, then, 5).find("precious") != std::string::npos);
  ::poll(nullptr, 0, 600);  // until the log has forgotten the change itself
  CHECK(at_revision(*store, then, 5).find("precious") != std::string::npos);
  store.close();
  run_sql(store.path(), "UPDATE old SET value = x'00' WHERE key = CAST('/k/a' AS BLOB)");
  store.reopen();
  CHECK(at_revision(*store, then, 5) == "!corrupt");
  CHECK(value_of(*store, "/k/a") == "new");
}

TEST_CASE("a database of version 1 is brought up to date and loses nothing") {
  TempDir directory;
  FakeClock clock;
  const std::string path = directory / "trove.db";
  // As the first released version wrote it: revision 5, of which the log holds 3 to 5.
  const auto sum = [](const char* key, const char* value, Revision created, Revision modified) {
    return std::to_string(static_cast<int64_t>(row_sum(key, value, created, modified)));
  };
  const auto blob_of = [](const std::string& text) { return "CAST('" + text + "' AS BLOB)"; };
  const auto place = [](Revision revision, size_t n) { return std::to_string(log_place(revision, n)); };
  std::string sql = R"sql(
PRAGMA journal_mode = WAL;
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, floor INTEGER NOT NULL,
                    log_changes INTEGER NOT NULL, log_bytes INTEGER NOT NULL, last_lease INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES (1, 5, 3, 4, 276, 7);
CREATE TABLE kv (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, created INTEGER NOT NULL, modified INTEGER NOT NULL,
                 lease INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE INDEX kv_lease ON kv (lease) WHERE lease != 0;
CREATE TABLE log (place INTEGER PRIMARY KEY, key BLOB NOT NULL, created INTEGER NOT NULL, deleted INTEGER NOT NULL,
                  sum INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE TABLE txn (id BLOB PRIMARY KEY, revision INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX txn_at ON txn (at_ms);
CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT;
INSERT INTO lease VALUES (7, 60000);
PRAGMA application_id = 1953656694;
PRAGMA user_version = 1;
)sql";
  const auto kv = [&](const char* key, const char* value, Revision created, Revision modified, int lease) {
    sql += "INSERT INTO kv (key, created, modified, lease, sum, value) VALUES (" + blob_of(key) + "," +
           std::to_string(created) + "," + std::to_string(modified) + "," + std::to_string(lease) + "," +
           sum(key, value, created, modified) + "," + blob_of(value) + ");\n";
  };
  const auto log = [&](Revision revision, size_t n, const char* key, const char* value, Revision created, int deleted) {
    sql += "INSERT INTO log VALUES (" + place(revision, n) + "," + blob_of(key) + "," + std::to_string(created) + "," +
           std::to_string(deleted) + "," + sum(key, value, created, revision) + "," + blob_of(value) + ");\n";
  };
  kv(kBootEpochKey, "1", 1, 1, 0);
  kv("/k/cold", "c", 2, 2, 0);
  kv("/k/hot", "h2", 2, 4, 7);
  kv("/k/new", "n", 5, 5, 0);
  log(3, 0, "/k/gone", "", 2, 1);
  log(4, 0, "/k/hot", "h2", 2, 0);
  log(5, 0, "/k/gone", "g", 5, 0);
  log(5, 1, "/k/new", "n", 5, 0);
  kv("/k/gone", "g", 5, 5, 0);
  sql += "UPDATE state SET log_bytes = (SELECT sum(64 + length(key) + length(value)) FROM log);\n";
  sql += "INSERT INTO txn VALUES (CAST('once' AS BLOB), 4, 0);\n";
  write_file(path, "");
  run_sql(path, sql);

  for (int opening = 0; opening < 2; ++opening) {
    auto store = open_sqlite_store(path, clock);
    REQUIRE(code_of(store) == "ok");
    CHECK(value_of(**store, kBootEpochKey) == std::to_string(2 + opening));
    CHECK(value_of(**store, "/k/gone") == "g");
    CHECK((*store)->keep(Lease{7}));
    if (opening == 0) {
      CHECK((*store)->commit(txn({}, {put("/x", "1")}, "once")).value() == 4);  // known from before
      // The changes that were kept can still be watched; the moments between them never could be read.
      CHECK(collect(*(*store)->watch("/k/", "/l", 2).value(), 6) ==
            std::vector<std::string>{"3 -/k/gone@2", "4 /k/hot=h2@2", "5 /k/gone=g@5", "5 /k/new=n@5"});
      CHECK(at_revision(**store, 4, 2) == "!expired");
      put_now(**store, "/k/cold", "c2");
      put_now(**store, "/k/hot", "h3");
      REQUIRE((*store)->commit(txn({}, {removal("/k/new"), put("/k/newer", "!")})));
    }
    CHECK(at_revision(**store, 5, 2) == "/k/cold=c@2/2 /k/gone=g@5/5 /k/hot=h2@2/4 /k/new=n@5/5 ");
    CHECK(at_revision(**store, 7, 2) == "/k/cold=c2@2/7 /k/gone=g@5/5 /k/hot=h2@2/4 /k/new=n@5/5 ");
    CHECK(at_revision(**store, 0, 2) == "/k/cold=c2@2/7 /k/gone=g@5/5 /k/hot=h3@2/8 /k/newer=!@9/9 ");
  }
  CHECK(structure_of(path) == "");
}
