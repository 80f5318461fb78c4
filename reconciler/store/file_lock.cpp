#include "reconciler/store/file_lock.hpp"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace trove {

namespace {

constexpr unsigned long kNfsMagic = 0x6969;
constexpr unsigned long kCifsMagic = 0xff534d42;
constexpr unsigned long kSmb2Magic = 0xfe534d42;

tl::unexpected<Error> failed(const std::string& what, const std::string& path) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return fail(full ? Code::no_space : Code::unavailable, "cannot " + what + " " + path + ": " + std::strerror(error));
}

std::filesystem::path directory_of(const std::string& path) {
  auto directory = std::filesystem::path(path).parent_path();
  return directory.empty() ? std::filesystem::path(".") : directory;
}

// 0, or what was wrong.
int sync_errno(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  errno = sync_errno(directory);
  if (errno != 0) return failed("sync", directory);
  return {};
}

// A new directory is as durable as its name in the one above it.
Result<void> make_directories(const std::filesystem::path& directory) {
  struct stat st {};
  if (::stat(directory.c_str(), &st) == 0) return {};
  const auto above = directory_of(directory);  // ends at "." or "/", which are there
  if (auto ok = make_directories(above); !ok) return ok;
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the directory", directory);
  return sync_directory(above);
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("open the lock", path);
  FileLock lock(fd);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES) return failed("lock", path);
    char owner[32] = {};
    const ssize_t n = ::pread(fd, owner, sizeof owner - 1, 0);
    std::string pid(owner, n > 0 ? static_cast<size_t>(n) : 0);
    pid = pid.substr(0, pid.find_first_not_of("0123456789"));
    return fail(Code::conflict, "the store is in use by process " + (pid.empty() ? "?" : pid) + " (" + path + ")",
                "stop that process first, or name another database file");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return failed("write", path);
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> prepare_private_file(const std::string& path) {
  const auto directory = directory_of(path);
  if (auto ok = make_directories(directory); !ok) return ok;
  struct statfs fs {};
  (void)::statfs(directory.c_str(), &fs);  // what is wrong with it, opening the file will tell
  const auto type = static_cast<unsigned long>(fs.f_type) & 0xffffffffUL;
  if (type == kNfsMagic || type == kCifsMagic || type == kSmb2Magic)
    return fail(Code::invalid, directory.string() + " is on a network file system", "put the database on a local disk");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return failed("open", path);
  struct stat st {};
  const bool ok = ::fstat(fd, &st) == 0 && ((st.st_mode & 0777) == 0600 || ::fchmod(fd, 0600) == 0);
  if (!ok) {
    auto error = failed("restrict the mode of", path);
    ::close(fd);
    return error;
  }
  ::close(fd);
  if (auto ok = sync_directory(directory); !ok) return ok;
  // Whoever made the directory may have done so a moment ago and not have waited for the disk. Where this process may
  // not look into the one above it, that was an administrator, long before.
  std::error_code unknown;
  errno = sync_errno(std::filesystem::canonical(directory, unknown).parent_path());
  if (errno != 0 && errno != EACCES) return failed("sync the name of", directory);
  return {};
}

Result<void> sync_directory_of(const std::string& path) { return sync_directory(directory_of(path)); }

}  // namespace trove
