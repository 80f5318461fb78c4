#include "providers/guest/engines/files.hpp"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace trove::guest {

namespace fs = std::filesystem;

namespace {

tl::unexpected<Error> system_failure(const std::string& what, int error) {
  const Code code = error == ENOENT                      ? Code::not_found
                    : error == ENOSPC || error == EDQUOT ? Code::no_space
                    : error == EACCES || error == EPERM  ? Code::denied
                                                         : Code::unavailable;
  return fail(code, what + ": " + strerror(error));
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t most) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_failure("cannot read " + path, errno);
  std::string text;
  char buffer[16'384];
  for (;;) {
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_failure("cannot read " + path, errno);
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > most) return fail(Code::too_large, path + " is too large");
    text.append(buffer, static_cast<size_t>(n));
  }
}

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode, const OsUser* owner) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  UniqueFd fd(open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd) return system_failure("cannot write " + path, errno);
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_failure("cannot write " + path, errno);
    done += static_cast<size_t>(n);
  }
  if (fchmod(fd.get(), mode) != 0) return system_failure("cannot set the mode of " + path, errno);
  if (owner && owner->uid != geteuid() && fchown(fd.get(), owner->uid, owner->gid) != 0) {
    return system_failure("cannot give " + path + " to " + owner->name, errno);
  }
  if (fdatasync(fd.get()) != 0) return system_failure("cannot write " + path, errno);
  return rename_durably(draft, path);
}

Result<bool> write_file_if_changed(const std::string& path, std::string_view text, mode_t mode, const OsUser* owner) {
  const auto now = read_file(path, text.size());
  if (now && *now == text) return false;
  auto written = write_file(path, text, mode, owner);
  if (!written) return tl::unexpected<Error>(written.error());
  return true;
}

Result<void> make_directory(const std::string& path, mode_t mode, const OsUser* owner) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return system_failure("cannot make " + path, errno);
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return system_failure("cannot open the directory " + path, errno);
  struct stat info{};
  if (fstat(fd.get(), &info) != 0) return system_failure("cannot look at " + path, errno);
  const uid_t uid = owner ? owner->uid : geteuid();
  if (info.st_uid != uid && fchown(fd.get(), uid, owner ? owner->gid : getegid()) != 0) {
    return system_failure("cannot change the owner of " + path, errno);
  }
  if ((info.st_mode & 07777) != mode && fchmod(fd.get(), mode) != 0) {
    return system_failure("cannot set the mode of " + path, errno);
  }
  return {};
}

Result<void> remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return fail(Code::unavailable, "cannot remove " + path + ": " + error.message());
  return {};
}

Result<void> chown_tree(const std::string& path, const OsUser& owner) {
  std::error_code error;
  const auto give = [&](const fs::path& p) {
    if (lchown(p.c_str(), owner.uid, owner.gid) != 0 && errno != ENOENT) error = {errno, std::generic_category()};
  };
  give(path);
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    give(it->path());
  if (error) return fail(Code::denied, "cannot give " + path + " to " + owner.name + ": " + error.message());
  return {};
}

Result<void> rename_durably(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return system_failure("cannot rename " + from, errno);
  UniqueFd directory(open(parent_of(to).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) fsync(directory.get());
  return {};
}

bool exists(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

int64_t disk_usage(const std::string& path, size_t most_entries) {
  int64_t bytes = 0;
  size_t entries = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error), end;
  while (!error && it != end && entries++ < most_entries) {
    struct stat info{};
    if (lstat(it->path().c_str(), &info) == 0) bytes += info.st_blocks * int64_t{512};
    it.increment(error);
  }
  return bytes;
}

std::string last_words(const std::string& path, int64_t from, size_t most) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return "";
  const int64_t size = lseek(fd.get(), 0, SEEK_END);
  const int64_t start = std::max<int64_t>(from, size - static_cast<int64_t>(most));
  if (size <= start) return "";
  std::string text(static_cast<size_t>(size - start), '\0');
  const ssize_t n = pread(fd.get(), text.data(), text.size(), start);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

std::string closed_directory(const std::string& path, const OsUser& user) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    struct stat info{};
    if (stat(part.c_str(), &info) != 0) return "";   // not there yet: nothing closed so far
    const mode_t bit = info.st_uid == user.uid ? S_IXUSR : info.st_gid == user.gid ? S_IXGRP : S_IXOTH;
    if (S_ISDIR(info.st_mode) && user.uid != 0 && !(info.st_mode & bit)) return part;
    if (slash == std::string::npos) return "";
  }
}

}  // namespace trove::guest
