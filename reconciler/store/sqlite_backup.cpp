#include "reconciler/store/sqlite_backup.hpp"
#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include "reconciler/store/file_lock.hpp"
#include "reconciler/store/sqlite_file.hpp"

namespace trove {

struct SqliteBackup::Impl {
  Impl(std::string target, SQLite::Database& source_db)
      : path(std::move(target)), partial(path + ".partial"), source(source_db) {}
  ~Impl() {
    backup.reset();
    copy.reset();
    if (made && !renamed) ::unlink(partial.c_str());
  }

  Result<void> publish() {
    backup.reset();
    copy.reset();
    const int fd = ::open(partial.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::fsync(fd) == 0;
    const int error = errno;
    if (fd >= 0) ::close(fd);
    if (!synced) return fail(Code::unavailable, "cannot sync the backup " + partial + ": " + std::strerror(error));
    if (std::rename(partial.c_str(), path.c_str()) != 0)
      return fail(Code::unavailable, "cannot rename the backup to " + path + ": " + std::strerror(errno));
    renamed = true;
    return sync_directory_of(path);
  }

  const std::string path, partial;
  SQLite::Database& source;
  bool made = false, renamed = false;
  std::unique_ptr<SQLite::Database> copy;
  std::unique_ptr<SQLite::Backup> backup;  // before `copy` in death
};

SqliteBackup::SqliteBackup(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteBackup::~SqliteBackup() = default;

Result<std::unique_ptr<SqliteBackup>> SqliteBackup::start(SQLite::Database& source, const std::string& path) {
  if (path.empty()) return fail(Code::invalid, "a backup needs a path");
  auto impl = std::make_unique<Impl>(path, source);
  ::unlink(impl->partial.c_str());  // left by a crash
  const int fd = ::open(impl->partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const Code code = errno == ENOENT || errno == EACCES || errno == ENOTDIR ? Code::invalid : Code::unavailable;
    return fail(code, "cannot make the backup " + impl->partial + ": " + std::strerror(errno));
  }
  ::close(fd);
  impl->made = true;
  try {
    impl->copy = std::make_unique<SQLite::Database>(impl->partial, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX);
    // No journal: a copy that breaks off is thrown away. Synced once, at the end.
    impl->copy->exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -256");
    impl->backup = std::make_unique<SQLite::Backup>(*impl->copy, source);
  } catch (const SQLite::Exception& e) {
    return tl::unexpected(sqlite_error(e, impl->copy ? impl->copy->getHandle() : nullptr, "start a backup"));
  }
  return std::unique_ptr<SqliteBackup>(new SqliteBackup(std::move(impl)));
}

Result<bool> SqliteBackup::step() {
  try {
    const int result = impl_->backup->executeStep(kBackupPages);
    if (result != SQLITE_DONE) return false;
  } catch (const SQLite::Exception& e) {
    return tl::unexpected(sqlite_error(e, impl_->copy->getHandle(), "write the backup"));
  }
  if (auto ok = impl_->publish(); !ok) return tl::unexpected(ok.error());
  return true;
}

}  // namespace trove
