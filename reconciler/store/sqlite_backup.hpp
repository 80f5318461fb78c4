// One running online backup: the source's pages in slices between commits, into a private file beside the target, which
// takes the target's name only when it is complete and on disk. Owned by the writer, on the committer's thread.
#pragma once
#include <memory>
#include <string>
#include "specs/core/result.hpp"

namespace SQLite {
class Database;
}

namespace trove {

inline constexpr int kBackupPages = 1'000;  // of 4 KiB, per slice

class SqliteBackup {
 public:
  static Result<std::unique_ptr<SqliteBackup>> start(SQLite::Database& source, const std::string& path);
  ~SqliteBackup();  // removes what is not complete
  SqliteBackup(const SqliteBackup&) = delete;
  SqliteBackup& operator=(const SqliteBackup&) = delete;
  Result<bool> step();  // true when done

 private:
  struct Impl;
  explicit SqliteBackup(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trove
