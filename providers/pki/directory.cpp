#include "providers/pki/directory.hpp"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace trove::pki {
namespace {

constexpr size_t kFileBytes = 64u << 10;

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

tl::unexpected<Error> failed(const std::string& what, const std::string& path) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT;
  return fail(full ? Code::no_space : Code::unavailable, "cannot " + what + ' ' + path + ": " + std::strerror(error));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

Result<void> check_private(const struct stat& st, const std::string& path) {
  if ((st.st_mode & 077) != 0)
    return fail(Code::denied, "the key file " + path + " can be read by others than its owner", "chmod 600 " + path);
  if (st.st_uid != ::geteuid() && st.st_uid != 0)
    return fail(Code::denied, "the key file " + path + " belongs to another user", "chown it to the user of troved");
  return {};
}

}  // namespace

Result<Directory> Directory::hold(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed("make the directory", path);
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed("open", path);
  Directory directory(fd, path);
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return failed("lock", path);
  }
  return directory;
}

Directory::Directory(Directory&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
Directory::~Directory() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::optional<std::string>> Directory::read(const char* name, bool secret) const {
  const std::string path = path_of(name);
  // Not blocking: opening a pipe would wait for somebody at its other end.
  const Descriptor file{::openat(fd_, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.fd < 0 && errno == ENOENT) return std::nullopt;
  struct stat st {};
  if ((file.fd < 0 && errno == ELOOP) || (file.fd >= 0 && (::fstat(file.fd, &st) != 0 || !S_ISREG(st.st_mode))))
    return fail(Code::denied, path + " is not a regular file");
  if (file.fd < 0) return failed("read", path);
  if (secret) {
    if (auto fine = check_private(st, path); !fine) return tl::unexpected(fine.error());
  }
  std::string text(kFileBytes + 1, '\0');
  size_t length = 0;
  while (length < text.size()) {
    const ssize_t n = ::read(file.fd, text.data() + length, text.size() - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read", path);
    if (n == 0) break;
    length += static_cast<size_t>(n);
  }
  if (length > kFileBytes) return fail(Code::corrupt, path + " is larger than any key or certificate");
  text.resize(length);
  return text;
}

Result<std::optional<std::string>> Directory::read(const char* name) const { return read(name, false); }

Result<std::optional<Secret>> Directory::read_private(const char* name) const {
  auto text = read(name, true);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  return Secret(std::move(**text));
}

// Written beside and linked into place: no crash leaves half of it, and linking replaces nothing.
Result<void> Directory::add(const char* name, std::string_view text, mode_t mode) const {
  const std::string path = path_of(name), partial = std::string(name) + ".partial";
  ::unlinkat(fd_, partial.c_str(), 0);  // what a crash left
  bool fine = false;
  {
    const Descriptor file{::openat(fd_, partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)};
    fine = file.fd >= 0 && ::fchmod(file.fd, mode) == 0 && write_all(file.fd, text) && ::fsync(file.fd) == 0;
  }
  fine = fine && ::linkat(fd_, partial.c_str(), fd_, name, 0) == 0;
  auto error = failed("write", path);
  ::unlinkat(fd_, partial.c_str(), 0);
  if (!fine) return error;
  return sync();
}

Result<void> Directory::sync() const {
  if (::fsync(fd_) != 0) return failed("sync", path_);
  std::error_code unknown;
  const auto above = std::filesystem::canonical(path_, unknown).parent_path();
  const Descriptor folder{::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  // Where this process may not look, an administrator made the directory, long before.
  if (folder.fd < 0 && errno == EACCES) return {};
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) return failed("sync the name of", path_);
  return {};
}

}  // namespace trove::pki
