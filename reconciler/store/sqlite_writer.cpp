#include "reconciler/store/sqlite_writer.hpp"
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <algorithm>
#include <charconv>
#include <set>
#include "reconciler/store/leases.hpp"
#include "reconciler/store/sqlite_backup.hpp"
#include "reconciler/store/sqlite_file.hpp"

namespace trove {

namespace {

constexpr int kBusyMs = 1'000;          // nobody else writes; an operator's shell may look
constexpr int64_t kUpkeepRows = 2'000;  // per slice
constexpr uint64_t kRowOverhead = 64;
constexpr uint64_t kFrameBytes = 4'096 + 24;
constexpr uint64_t kQuietCheckpointFrames = 256;    // 1 MiB: worth it when nothing else is going on
constexpr uint64_t kCheckpointRetryFrames = 1'000;  // a reader may have been in the way

int64_t number(Revision revision) { return static_cast<int64_t>(revision); }
Revision revision_at(const SQLite::Column& column) { return static_cast<Revision>(column.getInt64()); }

}  // namespace

struct SqliteWriter::Impl {
  struct State {
    Revision revision = 0, floor = 0;
    uint64_t log_changes = 0, log_bytes = 0, last_lease = 0;
  };
  struct Row {
    int64_t id = 0;
    Revision created = 0, modified = 0;  // 0, 0: absent
    size_t bytes = 0;                    // of the value
  };

  // The statements are kept for life; each is used through Using.
  struct Statements {
    explicit Statements(SQLite::Database& db)
        : begin(db, "BEGIN IMMEDIATE"),
          commit(db, "COMMIT"),
          mark(db, "SAVEPOINT change"),
          keep(db, "RELEASE change"),
          undo(db, "ROLLBACK TO change"),
          find(db, "SELECT id, created, modified, length(value) FROM kv WHERE key = ?"),
          insert(db, "INSERT INTO kv (key, created, modified, lease, sum, value) VALUES (?, ?, ?, ?, ?, ?)"),
          update(db, "UPDATE kv SET modified = ?, lease = ?, sum = ?, value = ? WHERE id = ?"),
          remove(db, "DELETE FROM kv WHERE id = ?"),
          log(db, "INSERT INTO log (place, key, created, deleted, sum, value, before) VALUES (?, ?, ?, ?, ?, ?, ?)"),
          find_old(db, "SELECT id, length(value) FROM old WHERE key = ?"),
          drop_old(db, "DELETE FROM old WHERE id = ?"),
          save_live(db,
                    "INSERT INTO old (key, created, modified, sum, value) "
                    "SELECT key, created, modified, sum, value FROM kv WHERE id = ?"),
          save_logged(db,
                      "INSERT INTO old (key, created, modified, sum, value) "
                      "SELECT key, created, ?, sum, value FROM log WHERE place = ?"),
          known_id(db, "SELECT revision FROM txn WHERE id = ? AND at_ms > ?"),
          remember_id(db, "INSERT OR REPLACE INTO txn (id, revision, at_ms) VALUES (?, ?, ?)"),
          sweep_ids(db, "DELETE FROM txn WHERE id IN (SELECT id FROM txn WHERE at_ms <= ? ORDER BY at_ms LIMIT ?)"),
          has_lease(db, "SELECT 1 FROM lease WHERE id = ?"),
          add_lease(db, "INSERT INTO lease (id, ttl_ms) VALUES (?, ?)"),
          drop_lease(db, "DELETE FROM lease WHERE id = ?"),
          leased(db, "SELECT key FROM kv WHERE lease = ? ORDER BY key LIMIT ?"),
          save(db, "UPDATE state SET revision = ?, floor = ?, log_changes = ?, log_bytes = ?, last_lease = ?"),
          garbage(db,
                  "SELECT place, key, deleted, length(key) + length(value) FROM log WHERE place < ? "
                  "ORDER BY place LIMIT ?"),
          forget(db, "DELETE FROM log WHERE place <= ?"),
          nth(db, "SELECT place FROM log ORDER BY place LIMIT 1 OFFSET ?") {}
    SQLite::Statement begin, commit, mark, keep, undo, find, insert, update, remove, log, find_old, drop_old, save_live, save_logged,
        known_id, remember_id,
        sweep_ids, has_lease, add_lease, drop_lease, leased, save, garbage, forget, nth;
  };

  explicit Impl(const std::string& path, const StoreBounds& limits)
      : bounds(limits), db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX | SQLite::OPEN_PRIVATECACHE, kBusyMs) {}

  Error error(const SQLite::Exception& e, const std::string& doing) { return sqlite_error(e, db.getHandle(), doing); }

  Result<void> prepare(Millis now);

  Row find(const std::string& key) {
    Using find(sql->find);
    bind_blob(*find, 1, key);
    if (!find->executeStep()) return {};
    return {find->getColumn(0).getInt64(), revision_at(find->getColumn(1)), revision_at(find->getColumn(2)),
            static_cast<size_t>(find->getColumn(3).getInt64())};
  }
  Result<Revision> change(const Txn& txn, const std::vector<const Op*>& ops, const LeaseTable& leases, Millis now,
                          std::vector<Committed>& committed);
  void put(const Op& op, Committed& commit);
  void remove(const std::string& key, Committed& commit);
  void log(StoreEvent event, uint64_t sum, const Row& before, Committed& commit);
  struct Garbage {
    int64_t place = 0;
    std::string key;
    bool deleted = false;
    uint64_t bytes = 0;
  };
  void forget_old(const std::string& key);
  void retire(const Garbage& row);
  bool accept(Committed commit, std::vector<Committed>& committed);
  void step(SQLite::Statement& statement) {
    Using use(statement);
    use->executeStep();
  }
  void save() {
    Using save(sql->save);
    save->bind(1, number(state.revision));
    save->bind(2, number(state.floor));
    save->bind(3, number(state.log_changes));
    save->bind(4, number(state.log_bytes));
    save->bind(5, number(state.last_lease));
    save->executeStep();
  }
  // Runs `body` in a savepoint: all of it or none of it.
  template <class Body>
  auto all_or_nothing(const std::string& doing, Body body) -> decltype(body()) {
    const State before = state;
    try {
      step(sql->mark);
      auto result = body();
      if (!result) {
        state = before;
        step(sql->undo);
      }
      step(sql->keep);
      return result;
    } catch (const SQLite::Exception& e) {
      Error why = error(e, doing);
      state = before;
      if (!lost()) {
        db.tryExec("ROLLBACK TO change; RELEASE change");
      }
      return tl::unexpected(std::move(why));
    }
  }
  bool lost() const { return sqlite3_get_autocommit(db.getHandle()) != 0; }

  const StoreBounds bounds;
  SQLite::Database db;
  std::unique_ptr<Statements> sql;
  std::vector<StoredLease> leases;  // when it was opened
  uint64_t boots = 0;
  State state, durable;  // in this batch; as of the last COMMIT
  bool changed = false;
  bool garbage = true;  // rows below the floor may be left in the log
  uint64_t wal_frames = 0;
  uint64_t checkpoint_tried_at = 0, truncation_tried_at = 0;  // frames; a reader may be in the way of either
  std::unique_ptr<SqliteBackup> backup;                       // before `db` in death
};

// ---- opening ----

Result<void> SqliteWriter::Impl::prepare(Millis now) {
  if (auto ok = prepare_store(db); !ok) return ok;
  sqlite3_wal_hook(
      db.getHandle(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<Impl*>(self)->wal_frames = static_cast<uint64_t>(frames);
        return SQLITE_OK;
      },
      this);
  sql = std::make_unique<Statements>(db);
  {
    SQLite::Statement load(db, "SELECT revision, floor, log_changes, log_bytes, last_lease FROM state");
    if (!load.executeStep()) return fail(Code::corrupt, "the store has no state row");
    state.revision = revision_at(load.getColumn(0));
    state.floor = revision_at(load.getColumn(1));
    state.log_changes = revision_at(load.getColumn(2));
    state.log_bytes = revision_at(load.getColumn(3));
    state.last_lease = revision_at(load.getColumn(4));
  }
  durable = state;
  {
    SQLite::Statement all(db, "SELECT id, ttl_ms FROM lease");
    while (all.executeStep())
      leases.push_back({static_cast<uint64_t>(all.getColumn(0).getInt64()), Millis{all.getColumn(1).getInt64()}});
  }
  {
    SQLite::Statement get(db, "SELECT value FROM kv WHERE key = ?");
    bind_blob(get, 1, kBootEpochKey);
    const std::string text = get.executeStep() ? blob(get.getColumn(0)) : "0";
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), boots);
    if (bad != std::errc{} || end != text.data() + text.size()) return tl::unexpected(corrupt_row(kBootEpochKey));
  }
  // The monotonic clock started anew: ids of earlier processes live for another hour.
  SQLite::Statement restart(db, "UPDATE txn SET at_ms = ?");
  restart.bind(1, static_cast<int64_t>(now.count()));
  restart.exec();
  return {};
}

SqliteWriter::SqliteWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteWriter::~SqliteWriter() = default;

Result<std::unique_ptr<SqliteWriter>> SqliteWriter::open(const std::string& path, const StoreBounds& bounds,
                                                         Millis now) {
  std::unique_ptr<Impl> impl;
  try {
    impl = std::make_unique<Impl>(path, bounds);
    if (auto ok = impl->prepare(now); !ok) {
      Error error = ok.error();
      error.message += " (" + path + ")";
      return tl::unexpected(error);
    }
  } catch (const SQLite::Exception& e) {
    return tl::unexpected(sqlite_error(e, impl ? impl->db.getHandle() : nullptr, "open the store " + path));
  }
  return std::unique_ptr<SqliteWriter>(new SqliteWriter(std::move(impl)));
}

Revision SqliteWriter::revision() const { return impl_->state.revision; }
Revision SqliteWriter::floor() const { return impl_->state.floor; }

const std::vector<SqliteWriter::StoredLease>& SqliteWriter::leases() const { return impl_->leases; }
uint64_t SqliteWriter::boots() const { return impl_->boots; }

// ---- a batch ----

Result<void> SqliteWriter::begin() {
  try {
    impl_->step(impl_->sql->begin);
    impl_->changed = false;
    return {};
  } catch (const SQLite::Exception& e) {
    return tl::unexpected(impl_->error(e, "begin a transaction"));
  }
}

// Before the row of kv changes. What it says is in the log already, unless that has forgotten it (or is about to): then
// it is saved as it is, with its checksum, damaged or not.
void SqliteWriter::Impl::log(StoreEvent event, uint64_t sum, const Row& before, Committed& commit) {
  if (before.modified && before.modified < state.floor) {
    forget_old(event.key);
    Using save(sql->save_live);
    save->bind(1, before.id);
    save->executeStep();
    state.log_bytes += kRowOverhead + event.key.size() + before.bytes;
  }
  Using log(sql->log);
  log->bind(1, log_place(event.revision, commit.events.size()));
  bind_blob(*log, 2, event.key);
  log->bind(3, number(event.created));
  log->bind(4, event.deleted ? 1 : 0);
  log->bind(5, static_cast<int64_t>(sum));
  bind_blob(*log, 6, event.value);
  log->bind(7, number(before.modified));
  log->executeStep();
  ++state.log_changes;
  state.log_bytes += kRowOverhead + event.key.size() + event.value.size();
  commit.bytes += bytes_of(event);
  commit.events.push_back(std::move(event));
}

void SqliteWriter::Impl::forget_old(const std::string& key) {
  int64_t id = 0;
  uint64_t bytes = 0;
  {
    Using find(sql->find_old);
    bind_blob(*find, 1, key);
    if (!find->executeStep()) return;
    id = find->getColumn(0).getInt64();
    bytes = kRowOverhead + key.size() + static_cast<uint64_t>(find->getColumn(1).getInt64());
  }
  Using drop(sql->drop_old);
  drop->bind(1, id);
  drop->executeStep();
  state.log_bytes -= std::min(state.log_bytes, bytes);
}

// A change leaves the log. What it wrote is kept while a later change in the log replaced it; whatever was kept of this
// key until now, nobody can ask for any more.
void SqliteWriter::Impl::retire(const Garbage& row) {
  forget_old(row.key);
  if (row.deleted || find(row.key).modified == log_revision(row.place)) return;
  Using save(sql->save_logged);
  save->bind(1, number(log_revision(row.place)));
  save->bind(2, row.place);
  save->executeStep();
  state.log_bytes += row.bytes;
}

void SqliteWriter::Impl::put(const Op& op, Committed& commit) {
  const Row row = find(op.key);
  const Revision created = row.created ? row.created : commit.revision;
  const uint64_t sum = row_sum(op.key, op.value, created, commit.revision);
  log(StoreEvent{commit.revision, op.key, op.value, false, created}, sum, row, commit);
  if (row.modified) {
    Using update(sql->update);
    update->bind(1, number(commit.revision));
    update->bind(2, number(op.lease));
    update->bind(3, static_cast<int64_t>(sum));
    bind_blob(*update, 4, op.value);
    update->bind(5, row.id);
    update->executeStep();
  } else {
    Using insert(sql->insert);
    bind_blob(*insert, 1, op.key);
    insert->bind(2, number(created));
    insert->bind(3, number(commit.revision));
    insert->bind(4, number(op.lease));
    insert->bind(5, static_cast<int64_t>(sum));
    bind_blob(*insert, 6, op.value);
    insert->executeStep();
  }
}

void SqliteWriter::Impl::remove(const std::string& key, Committed& commit) {
  const Row row = find(key);
  if (!row.modified) return;
  const uint64_t sum = row_sum(key, "", row.created, commit.revision);
  log(StoreEvent{commit.revision, key, "", true, row.created}, sum, row, commit);
  Using remove(sql->remove);
  remove->bind(1, row.id);
  remove->executeStep();
}

bool SqliteWriter::Impl::accept(Committed commit, std::vector<Committed>& committed) {
  if (commit.events.empty()) return false;
  state.revision = commit.revision;
  changed = true;
  committed.push_back(std::move(commit));
  return true;
}

Result<Revision> SqliteWriter::Impl::change(const Txn& txn, const std::vector<const Op*>& ops, const LeaseTable& leases,
                                            Millis now, std::vector<Committed>& committed) {
  if (!txn.id.empty()) {
    Using known(sql->known_id);
    bind_blob(*known, 1, txn.id);
    known->bind(2, static_cast<int64_t>((now - kTxnIdLife).count()));
    if (known->executeStep()) return revision_at(known->getColumn(0));
  }
  for (const Guard& guard : txn.guards) {
    const Row row = find(guard.key);
    if (auto ok = check_guard(guard, row.created, row.modified); !ok) return tl::unexpected(ok.error());
  }
  for (const Op* op : ops) {
    if (op->kind != Op::Kind::put || op->lease == 0) continue;
    Using has(sql->has_lease);
    has->bind(1, number(op->lease));
    if (!has->executeStep() || !leases.alive(op->lease))
      return fail(Code::not_found, "lease " + std::to_string(op->lease) + " of " + op->key + " has expired");
  }
  Committed commit{state.revision + 1};
  commit.events.reserve(ops.size());
  for (const Op* op : ops) {
    if (op->kind == Op::Kind::put)
      put(*op, commit);
    else
      remove(op->key, commit);
  }
  const Revision revision = commit.events.empty() ? state.revision : commit.revision;
  if (!txn.id.empty()) {
    Using remember(sql->remember_id);
    bind_blob(*remember, 1, txn.id);
    remember->bind(2, number(revision));
    remember->bind(3, static_cast<int64_t>(now.count()));
    remember->executeStep();
    changed = true;
  }
  accept(std::move(commit), committed);
  return revision;
}

Result<Revision> SqliteWriter::apply(const Txn& txn, const std::vector<const Op*>& ops, const LeaseTable& leases,
                                     Millis now, std::vector<Committed>& committed) {
  const size_t before = committed.size();
  auto result = impl_->all_or_nothing("commit", [&] { return impl_->change(txn, ops, leases, now, committed); });
  if (!result) committed.resize(before);
  return result;
}

Result<uint64_t> SqliteWriter::grant(Millis ttl) {
  return impl_->all_or_nothing("grant a lease", [&]() -> Result<uint64_t> {
    const uint64_t id = ++impl_->state.last_lease;
    Using add(impl_->sql->add_lease);
    add->bind(1, number(id));
    add->bind(2, static_cast<int64_t>(ttl.count()));
    add->executeStep();
    impl_->changed = true;
    return id;
  });
}

Result<void> SqliteWriter::end_lease(uint64_t id, std::vector<Committed>& committed) {
  const size_t before = committed.size();
  auto result = impl_->all_or_nothing("end a lease", [&]() -> Result<void> {
    // One commit removes the keys of one lease; a very big one takes several.
    for (;;) {
      std::vector<std::string> keys;
      {
        Using leased(impl_->sql->leased);
        leased->bind(1, number(id));
        leased->bind(2, static_cast<int64_t>(kMaxTxnOps));
        while (leased->executeStep()) keys.push_back(blob(leased->getColumn(0)));
      }
      Committed commit{impl_->state.revision + 1};
      for (const std::string& key : keys) impl_->remove(key, commit);
      if (!impl_->accept(std::move(commit), committed)) break;
    }
    Using drop(impl_->sql->drop_lease);
    drop->bind(1, number(id));
    drop->executeStep();
    impl_->changed = true;
    return {};
  });
  if (!result) committed.resize(before);
  return result;
}

Result<void> SqliteWriter::compact(Revision before) {
  if (auto ok = check_compact(before, impl_->state.revision); !ok) return ok;
  if (before <= impl_->state.floor) return {};
  impl_->state.floor = before;  // the rows themselves go during upkeep
  impl_->garbage = impl_->changed = true;
  return {};
}

bool SqliteWriter::batch_lost() const { return impl_->lost(); }

Result<bool> SqliteWriter::finish() {
  if (!impl_->changed) {  // guards that held, repeated ids: there is nothing to make durable
    abandon();
    return false;
  }
  bool committing = false;
  try {
    impl_->save();
    committing = true;
    impl_->step(impl_->sql->commit);
    impl_->durable = impl_->state;
    return true;
  } catch (const SQLite::Exception& e) {
    Error why = impl_->error(e, "commit");
    // A frame that could not be written is not a commit. After that point (a failed sync, say) the last frame may or
    // may not be found by the next recovery, although this process goes on without it.
    const bool never_written =
        !committing || e.getErrorCode() == SQLITE_FULL || e.getExtendedErrorCode() == SQLITE_IOERR_WRITE;
    abandon();
    if (!never_written) why.code = Code::outcome_unknown;
    return tl::unexpected(std::move(why));
  }
}

void SqliteWriter::abandon() {
  if (!impl_->lost()) impl_->db.tryExec("ROLLBACK");
  impl_->state = impl_->durable;
  impl_->changed = false;
}

// ---- upkeep ----

Result<bool> SqliteWriter::upkeep(Millis now) {
  Impl& impl = *impl_;
  const bool grown = impl.state.log_changes > impl.bounds.log_changes + impl.bounds.log_changes / 8 ||
                     impl.state.log_bytes > impl.bounds.log_bytes;
  bool more = false;
  if (auto ok = begin(); !ok) return tl::unexpected(ok.error());
  try {
    {
      Using sweep(impl.sql->sweep_ids);
      sweep->bind(1, static_cast<int64_t>((now - kTxnIdLife).count()));
      sweep->bind(2, kUpkeepRows);
      sweep->executeStep();
      const int swept = sqlite3_changes(impl.db.getHandle());
      impl.changed |= swept > 0;
      more |= swept == kUpkeepRows;
    }
    if (impl.garbage) {
      std::vector<Impl::Garbage> rows;
      {
        Using garbage(impl.sql->garbage);
        garbage->bind(1, log_place(impl.state.floor, 0));
        garbage->bind(2, kUpkeepRows);
        while (garbage->executeStep())
          rows.push_back({garbage->getColumn(0).getInt64(), blob(garbage->getColumn(1)),
                          garbage->getColumn(2).getInt() != 0,
                          kRowOverhead + static_cast<uint64_t>(garbage->getColumn(3).getInt64())});
      }
      if (!rows.empty()) {
        uint64_t bytes = 0;
        std::set<std::string_view> retired;  // only the last change of a key matters
        for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
          if (retired.insert(row->key).second) impl.retire(*row);
          bytes += row->bytes;
        }
        Using forget(impl.sql->forget);
        forget->bind(1, rows.back().place);
        forget->executeStep();
        impl.state.log_changes -= std::min<uint64_t>(impl.state.log_changes, rows.size());
        impl.state.log_bytes -= std::min(impl.state.log_bytes, bytes);
        impl.changed = true;
      }
      const bool full = rows.size() == static_cast<size_t>(kUpkeepRows);
      more |= full || grown;
      impl.garbage = full;
    } else if (grown) {
      // Too many changes: down to the bound. Too many bytes: the oldest eighth, and look again.
      const uint64_t over = impl.state.log_changes > impl.bounds.log_changes
                                ? impl.state.log_changes - impl.bounds.log_changes
                                : impl.state.log_changes / 8 + 1;
      Using nth(impl.sql->nth);
      nth->bind(1, number(over));
      const Revision from = nth->executeStep() ? log_revision(nth->getColumn(0).getInt64()) : impl.state.revision;
      if (from > impl.state.floor) {
        impl.state.floor = from;
        impl.garbage = impl.changed = more = true;
      }
    }
  } catch (const SQLite::Exception& e) {
    Error why = impl.error(e, "tidy the store");
    impl.garbage = true;
    abandon();
    return tl::unexpected(std::move(why));
  }
  if (auto ok = finish(); !ok) {
    impl.garbage = true;
    return tl::unexpected(ok.error());
  }
  return more;
}

bool SqliteWriter::upkeep_overdue() const {
  return impl_->state.log_changes / 2 > impl_->bounds.log_changes ||
         impl_->state.log_bytes / 2 > impl_->bounds.log_bytes;
}

bool SqliteWriter::checkpoint_due(bool quiet) const {
  const Impl& impl = *impl_;
  if (quiet) return impl.wal_frames >= kQuietCheckpointFrames && impl.wal_frames != impl.truncation_tried_at;
  return impl.wal_frames * kFrameBytes >= impl.bounds.wal_bytes &&
         (impl.checkpoint_tried_at == 0 || impl.wal_frames < impl.checkpoint_tried_at ||
          impl.wal_frames >= impl.checkpoint_tried_at + kCheckpointRetryFrames);
}

// PASSIVE while there is work: the log starts over with the next write once no reader needs it. TRUNCATE in quiet
// moments gives its space back. Neither waits for readers.
Result<void> SqliteWriter::checkpoint(bool quiet) {
  Impl& impl = *impl_;
  sqlite3* db = impl.db.getHandle();
  sqlite3_busy_timeout(db, 0);
  const int mode = quiet ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int result = sqlite3_wal_checkpoint_v2(db, nullptr, mode, nullptr, nullptr);
  sqlite3_busy_timeout(db, kBusyMs);
  impl.checkpoint_tried_at = impl.wal_frames;
  if (quiet) impl.truncation_tried_at = impl.wal_frames;
  if (result == SQLITE_OK && quiet) impl.wal_frames = impl.checkpoint_tried_at = impl.truncation_tried_at = 0;
  if (quiet) sqlite3_db_release_memory(db);
  if (result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY) return {};
  return tl::unexpected(sqlite_error(result & 0xff, sqlite3_extended_errcode(db), db, "checkpoint"));
}

Result<void> SqliteWriter::probe() {
  if (auto ok = begin(); !ok) return ok;
  impl_->changed = true;
  if (auto ok = finish(); !ok) return tl::unexpected(ok.error());
  return {};
}

Result<void> SqliteWriter::start_backup(const std::string& path) {
  if (impl_->backup) return fail(Code::conflict, "a backup is being taken already");
  auto backup = SqliteBackup::start(impl_->db, path);
  if (!backup) return tl::unexpected(backup.error());
  impl_->backup = std::move(*backup);
  return {};
}

Result<bool> SqliteWriter::step_backup() {
  auto done = impl_->backup->step();
  if (!done || *done) impl_->backup.reset();
  return done;
}

bool SqliteWriter::backing_up() const { return impl_->backup != nullptr; }

}  // namespace trove
