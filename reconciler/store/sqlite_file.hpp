// What the writing and the reading connections to one SQLite file have in common: the schema, the checksum of a row,
// the place of a change in the log, and how SQLite's errors become ours. Plain functions; thread-safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "reconciler/store/store.hpp"

struct sqlite3;
namespace SQLite {
class Column;
class Database;
class Exception;
class Statement;
}  // namespace SQLite

namespace trove {

inline constexpr int kStoreSchemaVersion = 2;
inline constexpr int kStoreApplicationId = 0x74726f76;  // "trov"; file(1) shows it

// Durable, small, and ours: sets the read-write connection up, makes the schema, or checks it and brings it up to date.
// invalid for another program's database and for a schema newer than this program; corrupt when a structural check fails.
Result<void> prepare_store(SQLite::Database& db);

// The columns kv.sum and log.sum cover what the row says, so that a damaged row is reported and never believed.
uint64_t row_sum(std::string_view key, std::string_view value, Revision created, Revision modified);

// The first of these rows whose sum is not as stored; nullopt: all are as they were written. Several at once take little
// more than one: each byte waits for the one before it.
std::optional<size_t> first_damaged(const std::vector<KeyValue>& rows, const std::vector<uint64_t>& sums);

// A change's row id in the log: revisions in order and, within one, keys in order; no index needed.
inline constexpr int kLogPlaceBits = 15;
static_assert(kMaxTxnOps < (size_t{1} << kLogPlaceBits));
inline int64_t log_place(Revision revision, size_t n) {
  return static_cast<int64_t>(revision << kLogPlaceBits) + static_cast<int64_t>(n);
}
inline Revision log_revision(int64_t place) { return static_cast<Revision>(place) >> kLogPlaceBits; }

Error sqlite_error(const SQLite::Exception& exception, sqlite3* db, const std::string& doing);
Error sqlite_error(int primary, int extended, sqlite3* db, const std::string& doing);
Error corrupt_row(const std::string& key);

std::string blob(const SQLite::Column& column);
// The bytes must outlive the step of the statement.
void bind_blob(SQLite::Statement& statement, int index, std::string_view bytes);

// Makes a kept statement ready for the next use, whatever happened in this one.
class Using {
 public:
  explicit Using(SQLite::Statement& statement) : statement_(statement) {}
  ~Using();
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;
  SQLite::Statement* operator->() { return &statement_; }
  SQLite::Statement& operator*() { return statement_; }

 private:
  SQLite::Statement& statement_;
};

}  // namespace trove
