#include "reconciler/store/sqlite_readers.hpp"
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <algorithm>
#include <iterator>
#include <map>
#include "reconciler/store/sqlite_file.hpp"

namespace trove {

namespace {

constexpr int kReaderBusyMs = 5'000;  // a writer never blocks readers; recovery of the log at start may

// Readers see one moment: the revision, the floor and the rows belong together.
class Snapshot {
 public:
  explicit Snapshot(SQLite::Database& db) : db_(db) { db_.exec("BEGIN"); }
  ~Snapshot() { db_.tryExec("COMMIT"); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  SQLite::Database& db_;
};

// Both are in key order and have no key in common; the page keeps its bounds.
void merge(Page& page, std::vector<KeyValue> more, size_t limit) {
  std::vector<KeyValue> all;
  all.reserve(page.items.size() + more.size());
  std::merge(std::move_iterator(page.items.begin()), std::move_iterator(page.items.end()),
             std::move_iterator(more.begin()), std::move_iterator(more.end()), std::back_inserter(all),
             [](const KeyValue& a, const KeyValue& b) { return a.key < b.key; });
  size_t bytes = 0, n = 0;
  for (; n < all.size() && n < limit && bytes < kMaxPageBytes; ++n) bytes += all[n].key.size() + all[n].value.size();
  page.more = page.more || n < all.size();
  all.resize(n);
  page.items = std::move(all);
}

// No key is as long as this, so it is after all of them.
std::string end_of(const std::string& last) { return last.empty() ? std::string(kMaxKeyBytes + 1, '\xff') : last; }

}  // namespace

static_assert(kLogPlaceBits == 15);  // the statements say it in a number

struct SqliteReaders::Connection {
  struct State {
    Revision revision = 0, floor = 0, past = 0;
  };
  struct Statements {
    explicit Statements(SQLite::Database& db)
        : state(db, "SELECT revision, floor, past FROM state"),
          get(db, "SELECT key, created, modified, lease, sum, value FROM kv WHERE key = ?"),
          range(db,
                "SELECT key, created, modified, lease, sum, value FROM kv WHERE key >= ? AND key < ? AND modified <= ? "
                "ORDER BY key LIMIT ?"),
          changed(db, "SELECT place, key FROM log WHERE place >= ? AND key >= ? AND key < ? ORDER BY place"),
          before(db, "SELECT before FROM log WHERE place = ?"),
          first_place(db, "SELECT place FROM log WHERE place >= ? AND place < ? ORDER BY place LIMIT 1"),
          last_place(db, "SELECT place FROM log WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1"),
          key_at(db, "SELECT key FROM log WHERE place = ?"),
          logged(db, "SELECT key, created, place >> 15, 0, sum, value FROM log WHERE place = ?"),
          old(db, "SELECT key, created, modified, 0, sum, value FROM old WHERE key = ?"),
          log(db,
              "SELECT place, key, created, deleted, sum, value FROM log "
              "WHERE place >= ? AND place < ? AND key >= ? AND key < ? ORDER BY place") {}
    SQLite::Statement state, get, range, changed, before, first_place, last_place, key_at, logged, old, log;
  };

  explicit Connection(const std::string& path)
      : db(path, SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX, kReaderBusyMs) {}
  // Apart from the constructor: when it fails, the open connection can say why.
  void prepare() {
    sqlite3_db_config(db.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    db.exec("PRAGMA cache_size = -256; PRAGMA mmap_size = 0; PRAGMA query_only = 1");
    sql = std::make_unique<Statements>(db);
  }
  // `sum` is what the row says of itself.
  static KeyValue unchecked(SQLite::Statement& statement, uint64_t& sum) {
    KeyValue kv;
    kv.key = blob(statement.getColumn(0));
    kv.created = static_cast<Revision>(statement.getColumn(1).getInt64());
    kv.modified = static_cast<Revision>(statement.getColumn(2).getInt64());
    kv.lease = static_cast<uint64_t>(statement.getColumn(3).getInt64());
    kv.value = blob(statement.getColumn(5));
    sum = static_cast<uint64_t>(statement.getColumn(4).getInt64());
    return kv;
  }
  static Result<KeyValue> row(SQLite::Statement& statement) {
    uint64_t sum = 0;
    KeyValue kv = unchecked(statement, sum);
    if (sum != row_sum(kv.key, kv.value, kv.created, kv.modified)) return tl::unexpected(corrupt_row(kv.key));
    return kv;
  }

  Result<State> state() {
    Using state(sql->state);
    if (!state->executeStep()) return fail(Code::corrupt, "the store has no state row");
    return State{static_cast<Revision>(state->getColumn(0).getInt64()),
                 static_cast<Revision>(state->getColumn(1).getInt64()),
                 static_cast<Revision>(state->getColumn(2).getInt64())};
  }
  // What stood at `at` under the keys of [first, end) that were changed since: of each its first change tells.
  Result<std::vector<KeyValue>> changed_since(const std::string& first, const std::string& end, Revision at) {
    std::map<std::string, int64_t> places;
    {
      Using changed(sql->changed);
      changed->bind(1, log_place(at + 1, 0));
      bind_blob(*changed, 2, first);
      bind_blob(*changed, 3, end);
      while (changed->executeStep()) places.emplace(blob(changed->getColumn(1)), changed->getColumn(0).getInt64());
    }
    std::vector<KeyValue> then;
    for (const auto& [key, place] : places) {
      Using before(sql->before);
      before->bind(1, place);
      if (!before->executeStep()) return tl::unexpected(corrupt_row(key));
      const auto written = static_cast<Revision>(before->getColumn(0).getInt64());
      if (written == 0) continue;  // there was nothing
      auto kv = written_at(key, written);
      if (!kv) return tl::unexpected(kv.error());
      then.push_back(std::move(*kv));
    }
    return then;
  }
  // The value that a key was given at a revision: in the log, or what was saved of it.
  Result<KeyValue> written_at(const std::string& key, Revision revision) {
    // The changes of one revision are in key order and their places without gaps.
    int64_t low = end_of_revision(sql->first_place, revision), high = end_of_revision(sql->last_place, revision);
    while (low > 0 && low <= high) {
      const int64_t middle = low + (high - low) / 2;
      Using at(sql->key_at);
      at->bind(1, middle);
      if (!at->executeStep()) break;
      const int order = blob(at->getColumn(0)).compare(key);
      if (order == 0) {
        Using logged(sql->logged);
        logged->bind(1, middle);
        if (!logged->executeStep()) break;
        return row(*logged);
      }
      (order < 0 ? low : high) = order < 0 ? middle + 1 : middle - 1;
    }
    Using old(sql->old);
    bind_blob(*old, 1, key);
    if (!old->executeStep()) return tl::unexpected(corrupt_row(key));
    auto kv = row(*old);
    if (kv && kv->modified != revision) return tl::unexpected(corrupt_row(key));
    return kv;
  }
  // The first or the last place of a revision's changes; 0 = none is left.
  int64_t end_of_revision(SQLite::Statement& statement, Revision revision) {
    Using end(statement);
    end->bind(1, log_place(revision, 0));
    end->bind(2, log_place(revision + 1, 0));
    return end->executeStep() ? end->getColumn(0).getInt64() : 0;
  }

  SQLite::Database db;
  std::unique_ptr<Statements> sql;
};

SqliteReaders::SqliteReaders(std::string path) : path_(std::move(path)) {}
SqliteReaders::~SqliteReaders() = default;

Result<std::unique_ptr<SqliteReaders::Connection>> SqliteReaders::borrow() {
  std::unique_lock lock(mutex_);
  given_back_.wait(lock, [&] { return borrowed_ < kMaxReaders; });
  ++borrowed_;
  if (!idle_.empty()) {
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }
  lock.unlock();
  std::unique_ptr<Connection> connection;
  Error error;
  try {
    connection = std::make_unique<Connection>(path_);
    connection->prepare();
    return connection;
  } catch (const SQLite::Exception& e) {
    error = sqlite_error(e, connection ? connection->db.getHandle() : nullptr, "open the store for reading");
  }
  give_back(nullptr);
  return tl::unexpected(error);
}

void SqliteReaders::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  --borrowed_;
  if (connection && idle_.size() < kIdleReaders) idle_.push_back(std::move(connection));
  given_back_.notify_one();
}

template <class T, class Read>
Result<T> SqliteReaders::with_connection(Read read) {
  auto connection = borrow();
  if (!connection) return tl::unexpected(connection.error());
  Result<T> result;
  try {
    result = read(**connection);
  } catch (const SQLite::Exception& e) {
    result = tl::unexpected(sqlite_error(e, (*connection)->db.getHandle(), "read the store"));
    connection->reset();  // whatever state it is in, the next reader gets a fresh one
  }
  give_back(std::move(*connection));
  return result;
}

Result<std::optional<KeyValue>> SqliteReaders::get(const std::string& key) {
  using Found = std::optional<KeyValue>;
  return with_connection<Found>([&](Connection& connection) -> Result<Found> {
    Using get(connection.sql->get);
    bind_blob(*get, 1, key);
    if (!get->executeStep()) return Found{};
    auto kv = Connection::row(*get);
    if (!kv) return tl::unexpected(kv.error());
    return Found{std::move(*kv)};
  });
}

Result<Page> SqliteReaders::range(const std::string& first, const std::string& last, size_t limit, Revision at) {
  if (limit == 0) limit = kDefaultPageItems;
  const std::string end = end_of(last);
  return with_connection<Page>([&](Connection& connection) -> Result<Page> {
    const Snapshot snapshot(connection.db);
    auto state = connection.state();
    if (!state) return tl::unexpected(state.error());
    if (at != 0) {
      const Revision oldest = std::max(oldest_readable(state->floor), state->past);
      if (auto ok = check_past(at, oldest, state->revision); !ok) return tl::unexpected(ok.error());
    }
    Page page;
    page.revision = at != 0 ? at : state->revision;
    Using range(connection.sql->range);
    bind_blob(*range, 1, first);
    bind_blob(*range, 2, end);
    range->bind(3, static_cast<int64_t>(page.revision));
    range->bind(4, static_cast<int64_t>(std::min<size_t>(limit, INT32_MAX)) + 1);
    size_t bytes = 0;
    std::vector<uint64_t> sums;
    while (range->executeStep()) {
      if (page.items.size() == limit || bytes >= kMaxPageBytes) {
        page.more = true;
        break;
      }
      page.items.push_back(Connection::unchecked(*range, sums.emplace_back()));
      bytes += page.items.back().key.size() + page.items.back().value.size();
    }
    if (auto damaged = first_damaged(page.items, sums)) return tl::unexpected(corrupt_row(page.items[*damaged].key));
    if (at == 0) return page;
    for (KeyValue& kv : page.items) kv.lease = 0;
    if (at == state->revision) return page;
    // Only up to the last key that was found: beyond it the next page begins.
    auto then = connection.changed_since(first, page.more ? page.items.back().key : end, at);
    if (!then) return tl::unexpected(then.error());
    if (!then->empty()) merge(page, std::move(*then), limit);
    return page;
  });
}

Result<ChangeLog::Slice> SqliteReaders::read_log(const std::string& first, const std::string& last, Revision after,
                                                 Revision through) {
  const std::string end = end_of(last);
  return with_connection<ChangeLog::Slice>([&](Connection& connection) -> Result<ChangeLog::Slice> {
    const Snapshot snapshot(connection.db);
    auto state = connection.state();
    if (!state) return tl::unexpected(state.error());
    ChangeLog::Slice slice;
    slice.through = through;
    slice.compacted = after + 1 < state->floor;
    if (slice.compacted) return slice;
    Using log(connection.sql->log);
    log->bind(1, log_place(after + 1, 0));
    log->bind(2, log_place(through + 1, 0));
    bind_blob(*log, 3, first);
    bind_blob(*log, 4, end);
    size_t bytes = 0;
    Revision current = after;
    while (log->executeStep()) {
      StoreEvent event;
      event.revision = log_revision(log->getColumn(0).getInt64());
      if (event.revision != current && (slice.events.size() >= kWatchBatchEvents || bytes >= kWatchBatchBytes)) {
        slice.through = event.revision - 1;
        break;
      }
      current = event.revision;
      event.key = blob(log->getColumn(1));
      event.created = static_cast<Revision>(log->getColumn(2).getInt64());
      event.deleted = log->getColumn(3).getInt() != 0;
      event.value = blob(log->getColumn(5));
      if (static_cast<uint64_t>(log->getColumn(4).getInt64()) !=
          row_sum(event.key, event.value, event.created, event.revision))
        return tl::unexpected(corrupt_row(event.key));
      bytes += bytes_of(event);
      slice.events.push_back(std::move(event));
    }
    return slice;
  });
}

Result<Revision> SqliteReaders::newest() {
  return with_connection<Revision>([](Connection& connection) -> Result<Revision> {
    auto state = connection.state();
    if (!state) return tl::unexpected(state.error());
    return state->revision;
  });
}

}  // namespace trove
