#include "providers/local/files.hpp"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace trove::local {

namespace {

constexpr size_t kUuidLength = 36;

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_name(const std::string& path) {
  const size_t slash = path.rfind('/');
  return path.substr(0, slash + 1) + "." + path.substr(slash + 1) + ".tmp";
}

Result<void> write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(errno_error("write", path));
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Error errno_error(std::string_view doing, const std::string& path) {
  const int number = errno;
  Code code = Code::unavailable;
  if (number == ENOENT) code = Code::not_found;
  if (number == ENOSPC || number == EDQUOT) code = Code::no_space;
  if (number == EACCES || number == EPERM || number == EROFS) code = Code::denied;
  return Error{code, "cannot " + std::string(doing) + " " + path + ": " + strerror(number), {}, {}};
}

Fd open_directory(const std::string& path) {
  return Fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

Result<Stamp> stamp_of(const std::string& path, const Fd* directory) {
  struct stat s {};
  const int at = directory ? directory->get() : AT_FDCWD;
  if (fstatat(at, path.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) return tl::unexpected(errno_error("read", path));
  if (!S_ISREG(s.st_mode)) return fail(Code::corrupt, path + " is not a regular file");
  const auto nanoseconds = [](const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  return Stamp{s.st_dev, s.st_ino, s.st_size, nanoseconds(s.st_mtim), nanoseconds(s.st_ctim)};
}

Result<std::string> read_file(const std::string& path, size_t most) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return tl::unexpected(errno_error("read", path));
  std::string text;
  char piece[16'384];
  for (;;) {
    const ssize_t n = read(fd.get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(errno_error("read", path));
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > most) {
      return fail(Code::too_large, path + " holds more than " + std::to_string(most) + " bytes");
    }
    text.append(piece, static_cast<size_t>(n));
  }
}

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string temporary = temporary_name(path);
  unlink(temporary.c_str());   // what a crash left, perhaps with another mode
  Fd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return tl::unexpected(errno_error("write", path));
  auto done = write_all(fd.get(), text, path);
  if (done && (fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0)) done = tl::unexpected(errno_error("write", path));
  fd.reset();
  if (done && rename(temporary.c_str(), path.c_str()) != 0) done = tl::unexpected(errno_error("write", path));
  if (!done) {
    unlink(temporary.c_str());
    return done;
  }
  return sync_directory(directory_of(path));
}

Result<void> make_directory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return tl::unexpected(errno_error("make", path));
  struct stat s {};
  if (lstat(path.c_str(), &s) != 0) return tl::unexpected(errno_error("make", path));
  if (!S_ISDIR(s.st_mode)) return fail(Code::invalid, path + " is not a directory");
  if ((s.st_mode & 07777) != mode && chmod(path.c_str(), mode) != 0) return tl::unexpected(errno_error("make", path));
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) return tl::unexpected(errno_error("sync", path));
  return {};
}

Result<void> rename_path(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return tl::unexpected(errno_error("move", from));
  const std::string source = directory_of(from), target = directory_of(to);
  if (auto done = sync_directory(target); !done || source == target) return done;
  return sync_directory(source);
}

Result<std::vector<Entry>> list_directory(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
  if (!dir) return tl::unexpected(errno_error("list", path));
  std::vector<Entry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = readdir(dir.get());
    if (!found && errno != 0) return tl::unexpected(errno_error("list", path));
    if (!found) break;
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    if (entries.size() == kMaxEntries) {
      return fail(Code::unavailable, path + " holds more than " + std::to_string(kMaxEntries) + " entries");
    }
    Entry entry{std::string(name), found->d_type == DT_DIR, found->d_type == DT_REG};
    if (found->d_type == DT_UNKNOWN) {
      struct stat s {};
      if (fstatat(dirfd(dir.get()), found->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) continue;   // gone meanwhile
      entry.directory = S_ISDIR(s.st_mode);
      entry.regular = S_ISREG(s.st_mode);
    }
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

Result<Fd> hold_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return tl::unexpected(errno_error("open", path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(Code::conflict, path + " is held by another process");
  return tl::unexpected(errno_error("lock", path));
}

bool exists(const std::string& path) {
  struct stat s {};
  return lstat(path.c_str(), &s) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

Result<void> remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) return {};
  errno = error.value();
  return tl::unexpected(errno_error("remove", path));
}

Result<int64_t> free_bytes(const std::string& path) {
  struct statvfs s {};
  if (statvfs(path.c_str(), &s) != 0) return tl::unexpected(errno_error("measure", path));
  return static_cast<int64_t>(s.f_bavail) * static_cast<int64_t>(s.f_frsize);
}

bool is_uuid(std::string_view text) {
  if (text.size() != kUuidLength) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
      return false;
  }
  return true;
}

}  // namespace trove::local
