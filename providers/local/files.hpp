// Files that survive a crash: whole or not there. Paths are absolute; nothing follows a symlink at its end.
// Free functions; thread-safe.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::local {

inline constexpr size_t kMaxEntries = 200'000;  // of one directory; more: unavailable, so that nothing counts as absent

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { const int fd = fd_; fd_ = -1; return fd; }
  void reset(int fd = -1);

 private:
  int fd_;
};

// What changes when a file is replaced or rewritten.
struct Stamp {
  uint64_t device = 0, inode = 0;
  int64_t size = 0, modified_ns = 0, changed_ns = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};
struct Entry {
  std::string name;
  bool directory = false, regular = false;
};

Error errno_error(std::string_view doing, const std::string& path);   // from errno; the code says what to do
// not_found; corrupt when not a regular file. `path` may be relative to the open `directory`: half the price of walking
// it.
Result<Stamp> stamp_of(const std::string& path, const Fd* directory = nullptr);
Fd open_directory(const std::string& path);                           // none: it cannot be opened
Result<std::string> read_file(const std::string& path, size_t most);  // not_found, too_large
// Temporary file, fsync, rename, fsync of the directory. The temporary name begins with '.' and ends in ".tmp".
Result<void> write_file(const std::string& path, std::string_view text, mode_t mode);
Result<void> make_directory(const std::string& path, mode_t mode);    // there already: made `mode`
Result<void> sync_directory(const std::string& path);
Result<void> rename_path(const std::string& from, const std::string& to);   // and syncs both directories
Result<std::vector<Entry>> list_directory(const std::string& path);   // sorted; without . and ..
Result<Fd> hold_file(const std::string& path);                        // made and locked; conflict: held elsewhere
bool exists(const std::string& path);                                 // false only when it is known not to be there
Result<void> remove_tree(const std::string& path);                    // nothing there: success
Result<int64_t> free_bytes(const std::string& path);

bool is_uuid(std::string_view text);

}  // namespace trove::local
