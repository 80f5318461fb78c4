// The one read-write connection: every write, checkpoint and backup of a SQLite store goes through here (two writing or
// checkpointing connections can corrupt a WAL database of this SQLite version). It knows nothing of threads, queues and
// watchers. Owned by the store and used by its committer thread only.
#pragma once
#include <memory>
#include <string>
#include <vector>
#include "reconciler/store/txn.hpp"

namespace trove {

class LeaseTable;

class SqliteWriter {
 public:
  struct StoredLease {
    uint64_t id = 0;
    Millis ttl{0};
  };

  // The file exists. Makes or checks the schema; `now` restarts the life of the transaction ids of earlier processes.
  static Result<std::unique_ptr<SqliteWriter>> open(const std::string& path, const StoreBounds& bounds, Millis now);
  ~SqliteWriter();
  SqliteWriter(const SqliteWriter&) = delete;
  SqliteWriter& operator=(const SqliteWriter&) = delete;

  Revision revision() const;  // within a batch: the newest of the batch
  Revision floor() const;
  // As they were when it was opened.
  const std::vector<StoredLease>& leases() const;
  uint64_t boots() const;  // the value of kBootEpochKey; 0 when there was none yet

  // A batch: begin, any number of changes, then finish or abandon. A change that fails leaves no trace, unless
  // batch_lost(), when SQLite gave up the whole batch and only abandon() remains.
  Result<void> begin();
  // `ops` is what check_txn() made of `txn`.
  Result<Revision> apply(const Txn& txn, const std::vector<const Op*>& ops, const LeaseTable& leases, Millis now,
                         std::vector<Committed>& committed);
  Result<uint64_t> grant(Millis ttl);
  Result<void> end_lease(uint64_t id, std::vector<Committed>& committed);
  Result<void> compact(Revision before);
  bool batch_lost() const;
  // Durable when it succeeds; false when there was nothing to write. outcome_unknown when nobody can tell; any other
  // error: nothing of it happened.
  Result<bool> finish();
  void abandon();

  // Upkeep, outside of batches, each call a bounded slice. True when there is more to do.
  Result<bool> upkeep(Millis now);
  bool upkeep_overdue() const;          // the log has grown far beyond its bound: do not wait for a quiet moment
  Result<void> checkpoint(bool quiet);  // when the WAL is big enough to be worth it
  bool checkpoint_due(bool quiet) const;
  Result<void> probe();  // one durable write that changes nothing: does the disk take writes again?

  Result<void> start_backup(const std::string& path);  // conflict when one is running
  Result<bool> step_backup();                          // true when it is complete, renamed and durable
  bool backing_up() const;

 private:
  struct Impl;
  explicit SqliteWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trove
