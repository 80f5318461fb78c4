// Keeps a second control plane away from the same database. The lock belongs to the open file, is given up by the
// kernel when the process ends however it ends, and is held for as long as this object lives. Not synchronised.
#pragma once
#include <string>
#include "specs/core/result.hpp"

namespace trove {

class FileLock {
 public:
  // conflict, naming the process that has it.
  static Result<FileLock> take(const std::string& path);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// The directory of `path` (0700 where it has to be made) and an empty file (0600) if there is none; an existing file is
// narrowed to 0600. invalid on a network file system, where neither locks nor SQLite's shared index can be trusted.
Result<void> prepare_private_file(const std::string& path);
Result<void> sync_directory_of(const std::string& path);

}  // namespace trove
