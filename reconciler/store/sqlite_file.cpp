#include "reconciler/store/sqlite_file.hpp"
#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace trove {

namespace {

constexpr int64_t kQuickCheckBytes = 64 << 20;  // bigger files are not read whole at each start

// Version 1, from which every file begins, the new ones too. Small columns come before `value`, so that judging a guard never reads a big value's overflow pages.
const char* const kStoreSchema = R"sql(
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, floor INTEGER NOT NULL,
                    log_changes INTEGER NOT NULL, log_bytes INTEGER NOT NULL, last_lease INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0, 0, 0);
CREATE TABLE kv (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, created INTEGER NOT NULL, modified INTEGER NOT NULL,
                 lease INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE INDEX kv_lease ON kv (lease) WHERE lease != 0;
CREATE TABLE log (place INTEGER PRIMARY KEY, key BLOB NOT NULL, created INTEGER NOT NULL, deleted INTEGER NOT NULL,
                  sum INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
CREATE TABLE txn (id BLOB PRIMARY KEY, revision INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX txn_at ON txn (at_ms);
CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT;
)sql";

// What brings a file from one version to the next; never changed once it was released.
const char* const kUpgrades[] = {
    // 2: the past can be read. Each change says when what stood before it was written (0 = nothing stood there); that
    // value is in the log itself, or in `old` when the log has forgotten it. Of the changes that are in the log already
    // nobody knows: reading begins with today (state.past).
    R"sql(
ALTER TABLE log ADD COLUMN before INTEGER NOT NULL DEFAULT 0;
CREATE TABLE old (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, created INTEGER NOT NULL,
                  modified INTEGER NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
ALTER TABLE state ADD COLUMN past INTEGER NOT NULL DEFAULT 0;
UPDATE state SET past = revision;
)sql"};
static_assert(std::size(kUpgrades) == kStoreSchemaVersion - 1);

void upgrade(SQLite::Database& db, int from) {
  for (int version = from; version < kStoreSchemaVersion; ++version) db.exec(kUpgrades[version - 1]);
  db.exec("PRAGMA user_version = " + std::to_string(kStoreSchemaVersion));
}

Result<void> check_schema(SQLite::Database& db) {
  const int application = db.execAndGet("PRAGMA application_id").getInt();
  const int version = db.execAndGet("PRAGMA user_version").getInt();
  const int tables = db.execAndGet("SELECT count(*) FROM sqlite_schema").getInt();
  if (tables == 0 && application == 0 && version == 0) {
    db.exec("BEGIN IMMEDIATE");
    db.exec(kStoreSchema);
    db.exec("PRAGMA application_id = " + std::to_string(kStoreApplicationId));
    upgrade(db, 1);
    db.exec("COMMIT");
    return {};
  }
  if (application != kStoreApplicationId)
    return fail(Code::invalid, "the file is a database, but not a trove store", "name another database file");
  if (version > kStoreSchemaVersion)
    return fail(Code::invalid,
                "the store has schema version " + std::to_string(version) + "; this program knows up to " +
                    std::to_string(kStoreSchemaVersion),
                "run the newer troved that wrote it");
  if (version < 1) return fail(Code::invalid, "the store has the unknown schema version " + std::to_string(version));
  if (version == kStoreSchemaVersion) return {};
  db.exec("BEGIN IMMEDIATE");
  upgrade(db, version);
  db.exec("COMMIT");
  return {};
}

// SQLite calls a file damaged also when the disk refused to read it, and then only the file remembers why.
int refused_read(sqlite3* db) {
  int error = 0;
  sqlite3_file* log = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  if (error == EIO || error == ENXIO) return error;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log && log->pMethods) log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error == EIO || error == ENXIO ? error : 0;
}

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325ULL;
constexpr uint64_t kFnvPrime = 0x100000001b3ULL;

uint64_t mix(uint64_t sum, std::string_view bytes) {
  for (const char c : bytes) sum = (sum ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return sum;
}

uint64_t mix(uint64_t sum, uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) sum = (sum ^ ((number >> shift) & 0xff)) * kFnvPrime;
  return sum;
}

// As mix() of each.
void mix_lanes(std::array<uint64_t, 4>& sums, const std::array<std::string_view, 4>& bytes) {
  const size_t common = std::min({bytes[0].size(), bytes[1].size(), bytes[2].size(), bytes[3].size()});
  auto [a, b, c, d] = sums;
  for (size_t i = 0; i < common; ++i) {
    a = (a ^ static_cast<unsigned char>(bytes[0][i])) * kFnvPrime;
    b = (b ^ static_cast<unsigned char>(bytes[1][i])) * kFnvPrime;
    c = (c ^ static_cast<unsigned char>(bytes[2][i])) * kFnvPrime;
    d = (d ^ static_cast<unsigned char>(bytes[3][i])) * kFnvPrime;
  }
  sums = {mix(a, bytes[0].substr(common)), mix(b, bytes[1].substr(common)), mix(c, bytes[2].substr(common)),
          mix(d, bytes[3].substr(common))};
}

}  // namespace

Result<void> prepare_store(SQLite::Database& db) {
  // Small caches, no mmap: an idle daemon is to stay small, and a mapped file turns I/O errors into SIGBUS.
  db.exec("PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = 1");
  if (auto ok = check_schema(db); !ok) return ok;
  if (db.execAndGet("PRAGMA journal_mode = WAL").getString() != "wal")
    return fail(Code::unavailable, "the store's file system does not support a write-ahead log");
  // The log's file keeps its size from one checkpoint to the next: cutting it makes the commit after that wait for tens of
  // milliseconds, and each one that lets it grow again for the file system's journal. Quiet moments give the space back.
  db.exec("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864");
  const int64_t bytes = db.execAndGet("PRAGMA page_count").getInt64() * db.execAndGet("PRAGMA page_size").getInt64();
  if (bytes > kQuickCheckBytes) return {};
  const std::string verdict = db.execAndGet("PRAGMA quick_check(1)").getString();
  if (const int error = verdict == "ok" ? 0 : refused_read(db.getHandle()))
    return fail(Code::unavailable, "cannot read the store: " + std::string(std::strerror(error)));
  if (verdict != "ok")
    return fail(Code::corrupt, "the store is damaged: " + verdict, "keep the file, and restore the newest backup");
  return {};
}

// FNV-1a: each step is a bijection, so no single changed byte goes unnoticed.
uint64_t row_sum(std::string_view key, std::string_view value, Revision created, Revision modified) {
  uint64_t sum = mix(kFnvOffset, static_cast<uint64_t>(key.size()));
  sum = mix(sum, created);
  sum = mix(sum, modified);
  sum = mix(sum, key);
  return mix(sum, value);
}

std::optional<size_t> first_damaged(const std::vector<KeyValue>& rows, const std::vector<uint64_t>& sums) {
  constexpr size_t kLanes = 4;
  size_t i = 0;
  for (; i + kLanes <= rows.size(); i += kLanes) {
    const KeyValue* row = rows.data() + i;
    std::array<uint64_t, kLanes> sum;
    for (size_t lane = 0; lane < kLanes; ++lane)
      sum[lane] = mix(mix(mix(kFnvOffset, static_cast<uint64_t>(row[lane].key.size())), row[lane].created), row[lane].modified);
    mix_lanes(sum, {row[0].key, row[1].key, row[2].key, row[3].key});
    mix_lanes(sum, {row[0].value, row[1].value, row[2].value, row[3].value});
    for (size_t lane = 0; lane < kLanes; ++lane)
      if (sum[lane] != sums[i + lane]) return i + lane;
  }
  for (; i < rows.size(); ++i)
    if (row_sum(rows[i].key, rows[i].value, rows[i].created, rows[i].modified) != sums[i]) return i;
  return std::nullopt;
}

Error sqlite_error(int primary, int extended, sqlite3* db, const std::string& doing) {
  int system_error = db ? sqlite3_system_errno(db) : 0;
  std::string message = "cannot " + doing + ": " + sqlite3_errstr(primary) + ", code " +
                        std::to_string(extended > 0 ? extended : primary);
  Code code = Code::internal;
  switch (primary) {
    case SQLITE_FULL:
      code = Code::no_space;
      break;
    case SQLITE_IOERR: {
      const bool full = system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
      code = full ? Code::no_space : Code::unavailable;
      if (system_error != 0) message += std::string(" (") + std::strerror(system_error) + ")";
      break;
    }
    case SQLITE_CORRUPT:
      system_error = db ? refused_read(db) : 0;
      code = system_error != 0 ? Code::unavailable : Code::corrupt;
      if (system_error != 0) message += std::string(" (") + std::strerror(system_error) + ")";
      break;
    case SQLITE_NOTADB:
      code = Code::corrupt;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
      code = Code::unavailable;
      break;
    default:
      break;
  }
  Error error{code, std::move(message)};
  if (code == Code::corrupt) error.hint = "stop, keep the file, and restore the newest backup";
  if (code == Code::no_space) error.hint = "free space on the disk; the store recovers by itself";
  return error;
}

Error sqlite_error(const SQLite::Exception& exception, sqlite3* db, const std::string& doing) {
  return sqlite_error(exception.getErrorCode(), exception.getExtendedErrorCode(), db, doing);
}

Error corrupt_row(const std::string& key) {
  return Error{Code::corrupt, "the stored value of " + key + " fails its checksum",
               "put it again, or restore it from a backup"};
}

std::string blob(const SQLite::Column& column) {
  const auto* bytes = static_cast<const char*>(column.getBlob());
  const int size = column.getBytes();
  return bytes ? std::string(bytes, static_cast<size_t>(size)) : std::string();
}

void bind_blob(SQLite::Statement& statement, int index, std::string_view bytes) {
  // A null pointer would be bound as NULL, not as an empty value.
  statement.bindNoCopy(index, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()));
}

Using::~Using() {
  statement_.tryReset();  // its result repeats an error that was reported already
}

}  // namespace trove
