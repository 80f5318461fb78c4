// Disks that fail: the kernel refuses what the store asks for, once or for a while, anywhere.
#include <fcntl.h>
#include <unistd.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>

#include "specs/core/real.hpp"
#include "tests/store/story.hpp"

using namespace trove;

namespace {

// The directory of one store, on a disk that can be told to refuse syncs or writes.
class FailingDisk {
 public:
  FailingDisk() : disk_(directory_.path()) {
    disk_.on_call([this](DiskCall call, const std::string&) {
      syncs += call == DiskCall::sync;
      if (call == DiskCall::sync && fail_sync) return EIO;
      return (call == DiskCall::write || call == DiskCall::truncate) && fail_write ? ENOSPC : 0;
    });
    reopen();
  }
  void reopen() {
    store_.reset();
    store_ = open_sqlite_store(directory_ / "state/trove.db", clock).value();
  }
  Store* operator->() { return store_.get(); }
  Store& operator*() { return *store_; }
  std::string operator/(const std::string& name) const { return directory_ / name; }

  FakeClock clock;
  std::atomic<int> syncs{0};
  std::atomic<bool> fail_sync{false}, fail_write{false};

 private:
  TempDir directory_;
  Disk disk_;
  std::unique_ptr<Store> store_;
};

}  // namespace

TEST_CASE("a commit waits for one sync and many waiting commits share one") {
  FailingDisk store;
  for (int i = 0; i < 3; ++i) put_now(*store, "/warm", "up");
  int before = store.syncs;
  for (int i = 0; i < 5; ++i) put_now(*store, "/a", std::to_string(i));
  CHECK(store.syncs - before == 5);

  before = store.syncs;
  std::atomic<int> done{0};
  for (int i = 0; i < 500; ++i)
    store->commit_async(txn({}, {put("/b", std::to_string(i))}),
                        [&](Result<Revision> result) { done += result ? 1 : 0; });
  CHECK(eventually([&] { return done == 500; }));
  CHECK(store.syncs - before >= 1);
  CHECK(store.syncs - before < 250);
}

TEST_CASE("a failed sync leaves the outcome unknown and the transaction id settles it") {
  FailingDisk store;
  put_now(*store, "/a", "before");
  const Revision base = store->revision();
  auto watch = store->watch("/a", "/b", base).value();
  const Txn change = txn({modified_is("/a", base)}, {put("/a", "after")}, "settle");
  store.fail_sync = true;
  CHECK(code_of(store->commit(change)) == "outcome_unknown");
  CHECK(code_of(store->commit(txn({absent("/a")}, {}))) == "conflict");  // reads go on
  CHECK(code_of(store->health()) != "ok");
  CHECK(store->revision() == base);
  CHECK(watch->next(Millis{0}).events.empty());  // nothing is told before it is durable
  store.fail_sync = false;
  const Revision settled = store->commit(change).value();
  CHECK(value_of(*store, "/a") == "after");
  CHECK(store->commit(change).value() == settled);
  CHECK(code_of(store->health()) == "ok");
  CHECK(collect(*watch, settled).size() == 1);
  store.reopen();
  CHECK(value_of(*store, "/a") == "after");
}

TEST_CASE("a write that found the disk full did not happen") {
  FailingDisk store;
  const Lease lease = store->grant(Millis{1'000}).value();
  const Revision base = store->commit(txn({}, {put("/a", "before"), put("/held", "x", lease.id)})).value();
  store.fail_write = true;
  const auto refused = store->commit(txn({}, {put("/a", "after")}, "later"));
  REQUIRE(code_of(refused) == "no_space");
  CHECK_FALSE(refused.error().hint.empty());
  CHECK(code_of(store->health()) == "no_space");
  CHECK(code_of(store->grant(Millis{1'000})) == "no_space");
  CHECK(code_of(store->revoke(lease)) == "no_space");
  CHECK(store->keep(lease));  // costs no write
  CHECK(value_of(*store, "/a") == "before");
  CHECK(store->range("/", "", 0)->revision == base);
  CHECK(code_of(store->backup(store / "copy.db")) == "no_space");
  CHECK_FALSE(std::filesystem::exists(store / "copy.db"));
  CHECK_FALSE(std::filesystem::exists(store / "copy.db.partial"));

  store.clock.advance(Millis{1'000});  // an end that has to wait for space
  CHECK(code_of(store->keep(lease)) == "not_found");
  CHECK(code_of(store->commit(Txn{})) == "no_space");
  CHECK(code_of(store->keep(lease)) == "not_found");  // once ended, for ever
  CHECK(value_of(*store, "/held") == "x");            // although its key is still there
  store.fail_write = false;
  CHECK(eventually([&] { return store->health().has_value() && value_of(*store, "/held") == "-"; }));
  CHECK(code_of(store->revoke(lease)) == "not_found");
  CHECK(code_of(store->commit(txn({}, {put("/a", "after")}, "later"))) == "ok");
  CHECK(store->revision() == base + 2);
}

namespace {

struct FaultFigures {
  uint64_t runs = 0, refused = 0, unknown = 0, crashes = 0, reopened = 0;
};

// A small life in which a stretch of the disk's calls is refused. Whatever is refused is tried again with the same
// transaction id until it works: then everything has to be there exactly once.
class Survivor {
 public:
  struct Refusal {
    uint64_t from = 0, length = 1;  // which of the calls
    int error = 0;
    bool reads = false;  // opening and reading what is there; otherwise all that change something
    enum class Then { retry, reopen, crash } then = Then::retry;
  };

  Survivor(const std::string& root, Refusal refusal, FaultFigures& figures)
      : root_(root), path_(root + "/state/trove.db"), refusal_(refusal), figures_(figures) {
    put_files(root_, {});
    start_disk();
  }

  // "" or what is wrong.
  std::string live() {
    ++figures_.runs;
    open();
    for (int i = 0; i < 9 && wrong_.empty(); ++i) {
      Txn change = txn({}, {put("/count", std::to_string(i)), put("/k/" + std::to_string(i % 5), text(i))},
                       "id-" + std::to_string(i));
      if (i % 4 == 3) change.ops.push_back(removal("/k/" + std::to_string((i + 1) % 5)));
      if (i == 6) {
        close();
        open();
      }
      if (wrong_.empty()) insist(change);
      if (i == 4 && wrong_.empty()) (void)store_->compact(store_->revision() - 2);  // it may be refused
    }
    if (!wrong_.empty()) return wrong_;
    disk_->on_call({});
    insist(txn({}, {put("/count", "end")}, "end"));
    if (!store_->health()) return "all works again, and it calls itself unhealthy";
    close();
    figures_.refused += refused_;
    // Exactly what was acknowledged, also after a loss of power.
    collect_notes();
    for (const auto& [how, files] :
         {std::pair{"as it is", model_.cached()}, std::pair{"without power", model_.durable()}}) {
      put_files(root_, files);
      if (std::string wrong = examine(); !wrong.empty()) return std::string(how) + ": " + wrong;
    }
    return "";
  }
  uint64_t calls() const { return calls_; }

 private:
  static std::string text(int i) { return std::to_string(i) + std::string(i % 3 == 0 ? 6'000 : 40, 'v'); }
  static bool honest(Code code) {
    return code == Code::no_space || code == Code::unavailable || code == Code::outcome_unknown;
  }

  void start_disk() {
    disk_.reset();
    disk_ = std::make_unique<Disk>(root_);
    disk_->record();
    disk_->on_call([this](DiskCall call, const std::string&) {
      if ((call == DiskCall::read || call == DiskCall::open) != refusal_.reads) return 0;
      const uint64_t number = ++calls_;
      const bool refuse = number >= refusal_.from && number - refusal_.from < refusal_.length;
      if (refuse) ++refused_;
      return refuse ? refusal_.error : 0;
    });
  }

  void open() {
    for (int tries = 0; tries < 60; ++tries) {
      auto opened = open_sqlite_store(path_, clock_, {.log_changes = 8, .log_bytes = 20'000, .wal_bytes = 60'000});
      if (opened) {
        store_ = std::move(*opened);
        if (store_->revision() <= newest_) wrong_ = "opening made no new revision";
        newest_ = store_->revision();
        return;
      }
      if (!honest(opened.error().code)) wrong_ = "opening was refused: " + opened.error().message;
    }
    wrong_ = "it does not open again";
  }
  void close() { store_.reset(); }

  void collect_notes() {
    for (const DiskOp& op : disk_->take_notes()) model_.apply(op);
  }

  // As kill -9: what the kernel had at this moment is what the next process finds. (Power losses have a test of their
  // own: what was there now counts as durable.)
  void crash() {
    ++figures_.crashes;
    collect_notes();
    const DiskModel::Files files = model_.cached();
    close();
    put_files(root_, files);
    model_ = {};
    start_disk();
  }

  void insist(const Txn& change) {
    for (int tries = 0; tries < 60 && wrong_.empty(); ++tries) {
      const auto done = store_->commit(change);
      if (done) {
        // After a crash its first try may turn out to have been kept, from before the newest opening.
        if (*done <= committed_) wrong_ = "revision " + std::to_string(*done) + " after " + std::to_string(committed_);
        committed_ = *done;
        newest_ = std::max(newest_, *done);
        for (const Op& op : change.ops) {
          if (op.kind == Op::Kind::put)
            expected_[op.key] = {op.value, *done};
          else
            expected_.erase(op.key);
        }
        return;
      }
      if (!honest(done.error().code)) wrong_ = "commit: " + done.error().message;
      if (done.error().code == Code::outcome_unknown) ++figures_.unknown;
      if (!refusal_.reads) {  // what was acknowledged can be read meanwhile
        if (store_->health()) wrong_ = "a refused write, and it calls itself healthy";
        const auto page = store_->range("/count", "/l", 0);
        if (!page)
          wrong_ = "not read: " + page.error().message;
        else if (page->items.size() != expected_.size())
          wrong_ = "something is missing while the disk fails";
      }
      if (refusal_.then == Refusal::Then::retry) continue;
      ++figures_.reopened;
      if (refusal_.then == Refusal::Then::crash) crash();
      close();
      open();
      // Only an unknown outcome may turn out either way.
      if (wrong_.empty() && done.error().code != Code::outcome_unknown && !refusal_.reads &&
          value_of(*store_, "/count") == change.ops.front().value)
        wrong_ = "it was refused as " + std::string(to_string(done.error().code)) + ", and it happened";
    }
    if (wrong_.empty()) wrong_ = "it never works again";
  }

  std::string examine() {
    auto store = open_sqlite_store(path_, clock_);
    if (!store) return "cannot be opened: " + store.error().message;
    const auto page = (*store)->range("/count", "/l", 0).value();
    if (page.items.size() != expected_.size()) return "holds " + std::to_string(page.items.size()) + " keys";
    for (const KeyValue& kv : page.items) {
      const auto& [value, revision] = expected_.at(kv.key);
      if (kv.value != value || kv.modified != revision) return kv.key + " is not what was acknowledged";
    }
    if (page.revision != newest_ + 1) return "is at revision " + std::to_string(page.revision);
    store->reset();
    return structure_of(path_);
  }

  const std::string root_, path_;
  const Refusal refusal_;
  FaultFigures& figures_;
  std::unique_ptr<Disk> disk_;
  DiskModel model_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::map<std::string, std::pair<std::string, Revision>> expected_;
  Revision newest_ = 0, committed_ = 0;
  std::atomic<uint64_t> calls_{0}, refused_{0};
  std::string wrong_;
};

// No log lines: there would be thousands, all expected.
class Silence {
 public:
  Silence() : before_(::dup(STDERR_FILENO)) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
  }
  ~Silence() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
  }

 private:
  int before_;
};

}  // namespace

TEST_CASE("whatever call the disk refuses nothing acknowledged is lost and nothing is done twice") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr uint64_t kThinning = 9;  // the same code at a fraction of the speed
#else
  constexpr uint64_t kThinning = 1;
#endif
  const bool all = std::getenv("TROVE_EVERY_FAULT") != nullptr;
  using Then = Survivor::Refusal::Then;
  struct Row {
    const char* name;
    uint64_t every;  // of the calls; TROVE_EVERY_FAULT=1 tries all in each row
    uint64_t length;
    int error;
    bool reads;
    Then then;
  };
  const std::vector<Row> rows = {
      {"EIO once", 1, 1, EIO, false, Then::retry},
      {"EIO once, then closed and opened", 3, 1, EIO, false, Then::reopen},
      {"EIO once, then killed", 1, 1, EIO, false, Then::crash},
      {"ENOSPC for a while", 3, 12, ENOSPC, false, Then::retry},
      {"ENOSPC for a while, then closed and opened", 5, 12, ENOSPC, false, Then::reopen},
      {"a read fails", 1, 1, EIO, true, Then::retry},
      {"a read fails, then closed and opened", 2, 1, EIO, true, Then::reopen},
  };
  RealClock clock;
  const Millis begin = clock.monotonic();
  const Silence silence;
  const MemoryDir directory;
  FaultFigures figures;
  for (const Row& row : rows) {
    uint64_t last = 1;
    const uint64_t stride = all ? 1 : row.every * kThinning;
    for (uint64_t n = 1; n <= last; n += stride) {
      Survivor survivor(directory.path(), {n, row.length, row.error, row.reads, row.then}, figures);
      INFO(row.name << ", call " << n << " of " << last);
      REQUIRE(survivor.live() == "");
      if (n == 1) last = survivor.calls();
    }
    CHECK(last > 50);
  }
  CHECK(figures.unknown > 0);
  std::printf(
      "{\"row\":\"disk_faults\",\"runs\":%llu,\"refused_calls\":%llu,\"outcome_unknown\":%llu,\"crashes\":%llu,"
      "\"lost\":0,\"seconds\":%.1f}\n",
      static_cast<unsigned long long>(figures.runs), static_cast<unsigned long long>(figures.refused),
      static_cast<unsigned long long>(figures.unknown), static_cast<unsigned long long>(figures.crashes),
      static_cast<double>((clock.monotonic() - begin).count()) / 1000);
}
