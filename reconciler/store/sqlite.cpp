// The durable store: one committer thread in front of SqliteWriter. Requests queue up while a batch is on its way to
// the disk and become the next batch: many transactions, one COMMIT, one fsync (group commit). Nothing is acknowledged
// or published before COMMIT has returned.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include "reconciler/store/file_lock.hpp"
#include "reconciler/store/hub.hpp"
#include "reconciler/store/leases.hpp"
#include "reconciler/store/sqlite_readers.hpp"
#include "reconciler/store/sqlite_writer.hpp"
#include "reconciler/store/txn.hpp"
#include "specs/core/log.hpp"

namespace trove {

namespace {

constexpr size_t kMaxQueued = 4'096;            // requests; the next one is throttled
constexpr size_t kMaxQueuedBytes = 128u << 20;  // one transaction of any size is always accepted into an empty queue
constexpr size_t kMaxBatch = 1'024;             // requests in one COMMIT
constexpr size_t kMaxBatchBytes = 16u << 20;
constexpr Millis kQuiet{250};  // no request for so long: time for upkeep; also the leases' tick
constexpr Millis kBusyUpkeep{1};
constexpr Millis kProbe{1'000};  // after a failed write
constexpr Millis kIdle{30'000};

using Done = std::function<void(Result<uint64_t>)>;

struct Request {
  enum class Kind { commit, grant, revoke, compact, backup } kind = Kind::commit;
  Txn owned = {};            // of commit_async; commit() lends its caller's
  const Txn* txn = nullptr;  // null: `owned`
  std::vector<const Op*> ops = {};
  std::optional<Error> refused = {};  // by check_txn
  uint64_t number = 0;                // the lease, the revision, or the time to live
  std::string path = {};
  size_t bytes = 0;
  Done done = {};
};

size_t bytes_of(const Txn& txn) {
  size_t bytes = sizeof(Request);
  for (const Op& op : txn.ops) bytes += sizeof(Op) + op.key.size() + op.value.size();
  for (const Guard& guard : txn.guards) bytes += sizeof(Guard) + guard.key.size();
  return bytes;
}

class SqliteStore final : public Store, private ChangeLog {
 public:
  SqliteStore(FileLock lock, std::unique_ptr<SqliteWriter> writer, const std::string& path, const Clock& clock)
      : lock_(std::move(lock)),
        clock_(clock),
        writer_(std::move(writer)),
        readers_(path),
        leases_(clock),
        hub_(std::make_shared<WatchHub>(static_cast<ChangeLog&>(*this))) {}

  // Before the thread exists: the leases that were, and the boot epoch as the first transaction.
  Result<void> start() {
    for (const auto& lease : writer_->leases()) leases_.add(lease.id, lease.ttl);
    Request boot;
    boot.owned.ops.push_back({Op::Kind::put, kBootEpochKey, std::to_string(writer_->boots() + 1)});
    boot.ops = {&boot.owned.ops.front()};
    Change change;
    if (auto ok = writer_->begin(); !ok) return ok;
    auto applied = apply(boot, change);
    if (!applied) {
      writer_->abandon();
      return tl::unexpected(applied.error());
    }
    if (auto ok = writer_->finish(); !ok) return tl::unexpected(ok.error());
    revision_ = writer_->revision();
    hub_->start(writer_->revision(), writer_->floor());
    committer_ = std::thread([this] { run(); });
    return {};
  }

  ~SqliteStore() override {
    if (committer_.joinable()) {
      {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_.notify_one();
      }
      committer_.join();
    }
    hub_->close();
  }

  Result<Revision> commit(const Txn& txn) override {
    Request request;
    request.txn = &txn;
    return wait_for(std::move(request));
  }

  void commit_async(Txn txn, std::function<void(Result<Revision>)> done) override {
    Request request;
    request.owned = std::move(txn);
    request.done = std::move(done);
    submit(std::move(request));
  }

  Result<std::optional<KeyValue>> get(const std::string& key) override {
    poke_if_due();
    return readers_.get(key);
  }
  Result<Page> range(const std::string& first, const std::string& last, size_t limit, Revision at) override {
    poke_if_due();
    return readers_.range(first, last, limit, at);
  }
  Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after) override {
    Revision newest = revision_;
    if (after > newest) {  // a reader may have seen a commit that is about to be published
      auto committed = readers_.newest();
      if (!committed) return tl::unexpected(committed.error());
      newest = *committed;
    }
    return hub_->watch(first, last, after, newest);
  }

  Result<Lease> grant(Millis ttl) override {
    if (auto ok = check_ttl(ttl); !ok) return tl::unexpected(ok.error());
    auto id = wait_for(request_of(Request::Kind::grant, static_cast<uint64_t>(ttl.count())));
    if (!id) return tl::unexpected(id.error());
    return Lease{*id};
  }
  Result<void> keep(Lease lease) override {
    poke_if_due();
    return leases_.keep(lease.id);
  }
  Result<void> revoke(Lease lease) override { return nothing(wait_for(request_of(Request::Kind::revoke, lease.id))); }
  Result<void> compact(Revision before) override {
    return nothing(wait_for(request_of(Request::Kind::compact, before)));
  }
  Result<void> backup(const std::string& path) override {
    Request request = request_of(Request::Kind::backup, 0);
    request.path = path;
    return nothing(wait_for(std::move(request)));
  }

  Revision revision() override { return revision_; }

  Result<void> health() override {
    const std::lock_guard lock(mutex_);
    if (failure_) return tl::unexpected(*failure_);
    return {};
  }

 private:
  static Request request_of(Request::Kind kind, uint64_t number) {
    Request request;
    request.kind = kind;
    request.number = number;
    return request;
  }
  static Result<void> nothing(Result<uint64_t> result) {
    if (!result) return tl::unexpected(result.error());
    return {};
  }

  // ---- callers' threads ----

  void submit(Request request) {
    if (request.kind == Request::Kind::commit) {
      const Txn& txn = request.txn ? *request.txn : request.owned;
      auto ops = check_txn(txn);
      if (ops)
        request.ops = std::move(*ops);
      else
        request.refused = ops.error();
      request.bytes = bytes_of(txn);
    }
    {
      const std::lock_guard lock(mutex_);
      const bool full =
          queue_.size() >= kMaxQueued || (!queue_.empty() && queued_bytes_ + request.bytes > kMaxQueuedBytes);
      if (!full) {
        queued_bytes_ += request.bytes;
        queue_.push_back(std::move(request));
        wake_.notify_one();
        return;
      }
    }
    request.done(fail(Code::throttled, "the store's queue is full"));
  }

  Result<uint64_t> wait_for(Request request) {
    if (std::this_thread::get_id() == committer_.get_id()) return waits_in_callback();
    struct {
      std::mutex mutex;
      std::condition_variable arrived;
      std::optional<Result<uint64_t>> result;
    } reply;
    request.done = [&reply](Result<uint64_t> result) {
      const std::lock_guard lock(reply.mutex);  // notified under the lock: `reply` lives on the waiter's stack
      reply.result = std::move(result);
      reply.arrived.notify_one();
    };
    submit(std::move(request));
    std::unique_lock lock(reply.mutex);
    reply.arrived.wait(lock, [&] { return reply.result.has_value(); });
    return std::move(*reply.result);
  }

  // Expired leases are the committer's to end; somebody who looks makes it look too.
  void poke_if_due() {
    if (!leases_.any_due()) return;
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    poked_ = true;
    wake_.notify_one();
  }

  // ChangeLog
  Result<Slice> read_log(const std::string& first, const std::string& last, Revision after, Revision through) override {
    return readers_.read_log(first, last, after, through);
  }
  void watcher_waits() override { poke_if_due(); }

  // ---- the committer's thread ----

  void run() {
    bool more_upkeep = true;
    for (;;) {
      std::deque<Request> batch;
      bool stop = false;
      {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, patience(more_upkeep), [&] { return stopping_ || poked_ || !queue_.empty(); });
        stop = stopping_ && queue_.empty();
        poked_ = false;
        take_batch(batch);
      }
      if (stop) break;
      const bool quiet = batch.empty();
      if (!quiet || leases_.any_due()) run_batch(std::move(batch));
      if (quiet || writer_->upkeep_overdue() || writer_->checkpoint_due(false))
        more_upkeep = upkeep(quiet);
      else
        more_upkeep = true;
      if (writer_->backing_up()) step_backup();
    }
    if (backup_done_) backup_done_(fail(Code::unavailable, "the store was closed during the backup"));
  }

  // With mutex_ held.
  void take_batch(std::deque<Request>& batch) {
    size_t bytes = 0;
    while (!queue_.empty() && batch.size() < kMaxBatch &&
           (batch.empty() || bytes + queue_.front().bytes <= kMaxBatchBytes)) {
      bytes += queue_.front().bytes;
      queued_bytes_ -= queue_.front().bytes;
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  }

  // With mutex_ held: how long to sleep when nobody comes.
  Millis patience(bool more_upkeep) const {
    if (writer_->backing_up()) return Millis{0};
    if (failure_) return kProbe;
    if (upkeep_running_) return kBusyUpkeep;
    return more_upkeep || leases_.size() > 0 ? kQuiet : kIdle;
  }

  // What one transaction of SQLite has done so far.
  struct Change {
    std::vector<Committed> committed;
    std::vector<uint64_t> ended;  // leases
    size_t granted = 0;
  };

  Result<uint64_t> apply(const Request& request, Change& change) {
    if (request.refused) return tl::unexpected(*request.refused);
    switch (request.kind) {
      case Request::Kind::commit:
        return writer_->apply(request.txn ? *request.txn : request.owned, request.ops, leases_, clock_.monotonic(),
                              change.committed);
      case Request::Kind::grant: {
        if (leases_.size() - change.ended.size() + change.granted >= kMaxLeases) return too_many_leases();
        auto id = writer_->grant(Millis{static_cast<int64_t>(request.number)});
        if (id) ++change.granted;
        return id;
      }
      case Request::Kind::revoke:
        if (!leases_.alive(request.number) || std::count(change.ended.begin(), change.ended.end(), request.number) > 0)
          return fail(Code::not_found, "lease " + std::to_string(request.number) + " has expired");
        if (auto ok = writer_->end_lease(request.number, change.committed); !ok) return tl::unexpected(ok.error());
        change.ended.push_back(request.number);
        return request.number;
      case Request::Kind::compact:
        if (auto ok = writer_->compact(request.number); !ok) return tl::unexpected(ok.error());
        return request.number;
      case Request::Kind::backup:
        break;
    }
    return fail(Code::internal, "an unknown kind of request");
  }

  void run_batch(std::deque<Request> batch) {
    for (Request& request : batch) {  // outside of any transaction
      if (request.kind != Request::Kind::backup) continue;
      auto started = writer_->start_backup(request.path);
      if (started)
        backup_done_ = std::move(request.done);
      else
        request.done(tl::unexpected(started.error()));
      request.done = nullptr;
    }
    std::erase_if(batch, [](const Request& request) { return !request.done; });

    std::vector<Result<uint64_t>> results;
    auto written = write(batch, results);
    if (!written && batch.size() > 1 && written.error().code != Code::outcome_unknown) {
      // Nothing of it happened; perhaps one of them is too much for the disk. Each for itself.
      for (Request& request : batch) {
        std::deque<Request> one;
        one.push_back(std::move(request));
        run_batch(std::move(one));
      }
      return;
    }
    if (!written)  // also those whose guard failed: perhaps because of a neighbour that did not get through
      results.assign(batch.size(), tl::unexpected(written.error()));
    for (size_t i = 0; i < batch.size(); ++i) batch[i].done(std::move(results[i]));
  }

  // One transaction of SQLite. On success it is durable, published, and `results` hold an answer for each request.
  Result<void> write(const std::deque<Request>& batch, std::vector<Result<uint64_t>>& results) {
    if (auto ok = writer_->begin(); !ok) return note(ok);
    Change change;
    for (uint64_t id : leases_.expire()) {
      if (auto ok = writer_->end_lease(id, change.committed); !ok) return give_up(ok.error());
      change.ended.push_back(id);
    }
    for (const Request& request : batch) {
      auto result = apply(request, change);
      if (!result && writer_->batch_lost()) return give_up(result.error());
      results.push_back(std::move(result));
    }
    auto wrote = writer_->finish();
    if (!wrote) return note(tl::unexpected(wrote.error()));
    for (size_t i = 0; i < batch.size(); ++i)
      if (results[i] && batch[i].kind == Request::Kind::grant)
        leases_.add(*results[i], Millis{static_cast<int64_t>(batch[i].number)});
    for (uint64_t id : change.ended) leases_.erase(id);
    revision_ = writer_->revision();
    hub_->set_floor(writer_->floor());
    hub_->publish(std::move(change.committed));
    return *wrote ? note({}) : Result<void>{};  // guards alone say nothing about the disk
  }

  Result<void> give_up(Error error) {
    writer_->abandon();
    return note(tl::unexpected(std::move(error)));
  }

  // Remembers for health() whether the last write worked.
  Result<void> note(Result<void> outcome) {
    const std::lock_guard lock(mutex_);
    if (!outcome && !failure_)
      log::error("the store cannot write",
                 {{"code", to_string(outcome.error().code)}, {"error", outcome.error().message}});
    if (outcome && failure_) log::info("the store writes again");
    if (outcome)
      failure_.reset();
    else
      failure_ = outcome.error();
    return outcome;
  }

  // True when there is something left to do in the next quiet moment.
  bool upkeep(bool quiet) {
    bool failing = false;
    {
      const std::lock_guard lock(mutex_);
      failing = failure_.has_value();
      upkeep_running_ = false;
    }
    if (failing) {
      if (quiet) note(writer_->probe());
      return true;
    }
    if (writer_->checkpoint_due(quiet))
      if (auto ok = writer_->checkpoint(quiet); !ok) {
        note(ok);
        return true;
      }
    auto more = writer_->upkeep(clock_.monotonic());
    if (!more) {
      note(tl::unexpected(more.error()));
      return true;
    }
    hub_->set_floor(writer_->floor());
    const std::lock_guard lock(mutex_);
    upkeep_running_ = *more;
    return *more;
  }

  void step_backup() {
    auto done = writer_->step_backup();
    if (done && !*done) return;
    Done tell = std::move(backup_done_);
    backup_done_ = nullptr;
    if (done)
      tell(uint64_t{0});
    else
      tell(tl::unexpected(done.error()));
  }

  const FileLock lock_;  // first to come, last to go
  const Clock& clock_;
  std::unique_ptr<SqliteWriter> writer_;  // the committer's alone; closes after the readers, with a last checkpoint
  SqliteReaders readers_;
  LeaseTable leases_;
  const std::shared_ptr<WatchHub> hub_;  // shared with the watches, which may outlive the store
  std::atomic<Revision> revision_{0};    // the newest that was published

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::deque<Request> queue_;
  size_t queued_bytes_ = 0;
  bool stopping_ = false, poked_ = false;
  bool upkeep_running_ = false;
  std::optional<Error> failure_;

  Done backup_done_;  // the committer's alone
  std::thread committer_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path, const Clock& clock, StoreBounds bounds) {
  if (path.empty()) return fail(Code::invalid, "the store needs the path of a file");
  if (auto ok = prepare_private_file(path); !ok) return tl::unexpected(ok.error());
  auto lock = FileLock::take(path + ".lock");
  if (!lock) return tl::unexpected(lock.error());
  auto writer = SqliteWriter::open(path, bounds, clock.monotonic());
  if (!writer) return tl::unexpected(writer.error());
  auto store = std::make_unique<SqliteStore>(std::move(*lock), std::move(*writer), path, clock);
  if (auto ok = store->start(); !ok) return tl::unexpected(ok.error());
  // SQLite has made its log by now. It syncs the new name as well, but does not tell when that fails.
  if (auto ok = sync_directory_of(path); !ok) return tl::unexpected(ok.error());
  return store;
}

}  // namespace trove
