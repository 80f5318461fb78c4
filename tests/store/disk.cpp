// libc's file calls, taken over for this whole program; see disk.hpp. Without a Disk they only pass through.
#undef _FORTIFY_SOURCE  // its inline wrappers have the names that are defined below
#define _FORTIFY_SOURCE 0
#include "tests/store/disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include "tests/support/temp_dir.hpp"

namespace trove {

namespace {

using Kind = DiskOp::Kind;

struct Watched {
  struct Open {
    uint64_t file = 0;  // 0: a directory
    std::string path;
  };
  std::mutex mutex;
  std::string root;
  bool recording = false;
  std::vector<DiskOp> notes;
  Disk::Fault fault;
  std::map<int, Open> open;
  std::map<std::string, uint64_t> files;  // by their names of now
  uint64_t last_file = 0;
  long file_system = 0;  // what to pretend

  // Nullopt for a path outside; "" is the root itself.
  std::optional<std::string> below(const char* path) const {
    const std::string_view text(path ? path : "");
    if (!text.starts_with(root)) return std::nullopt;
    if (text.size() == root.size()) return "";
    if (text[root.size()] != '/') return std::nullopt;
    return std::string(text.substr(root.size() + 1));
  }
  // SQLite's shared index is made again from the log by whoever opens first: it is not part of what must survive.
  static bool survives(const std::string& path) { return !path.ends_with("-shm"); }
  void note(DiskOp op) {
    if (recording && survives(op.path)) notes.push_back(std::move(op));
  }
  int refusal(DiskCall call, const std::string& path) { return fault ? fault(call, path) : 0; }
};

std::atomic<Watched*> watched{nullptr};

// Holds the disk for the length of a call; empty when there is none.
class Hold {
 public:
  Hold() : disk_(watched.load()) {
    if (disk_) disk_->mutex.lock();
  }
  ~Hold() {
    if (disk_) disk_->mutex.unlock();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  explicit operator bool() const { return disk_ != nullptr; }
  Watched* operator->() { return disk_; }
  Watched::Open* find(int fd) {
    if (!disk_) return nullptr;
    auto found = disk_->open.find(fd);
    return found == disk_->open.end() ? nullptr : &found->second;
  }

 private:
  Watched* disk_;
};

int refuse(int error) {
  errno = error;
  return -1;
}

int open_file(const char* path, int flags, mode_t mode) {
  const auto really = [&] { return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode)); };
  Hold disk;
  if (!disk) return really();
  const auto name = disk->below(path);
  if (!name) return really();
  const bool there = ::access(path, F_OK) == 0;
  const DiskCall call = there || !(flags & O_CREAT) ? DiskCall::open : DiskCall::create;
  if (const int error = disk->refusal(call, *name)) return refuse(error);
  const int fd = really();
  if (fd < 0) return fd;
  struct stat st {};
  ::fstat(fd, &st);
  if (S_ISDIR(st.st_mode)) {
    disk->open[fd] = {0, *name};
    return fd;
  }
  uint64_t& file = disk->files[*name];
  if (file == 0) {
    file = ++disk->last_file;
    disk->note({.kind = Kind::create, .path = *name, .file = file});
  }
  if (flags & O_TRUNC) disk->note({.kind = Kind::truncate, .path = *name, .file = file, .at = 0});
  disk->open[fd] = {file, *name};
  return fd;
}

// `at` below 0: where the file stands.
ssize_t write_file_at(int fd, const void* bytes, size_t size, off_t at) {
  const auto really = [&](size_t length) -> ssize_t {
    return at < 0 ? ::syscall(SYS_write, fd, bytes, length) : ::syscall(SYS_pwrite64, fd, bytes, length, at);
  };
  Hold disk;
  Watched::Open* file = disk.find(fd);
  if (!file) return really(size);
  const int error = disk->refusal(DiskCall::write, file->path);
  const off_t from = at >= 0 ? at : ::syscall(SYS_lseek, fd, 0, SEEK_CUR);
  const ssize_t written = error && size < 2 ? 0 : really(error ? size / 2 : size);
  if (written > 0)
    disk->note({.kind = Kind::write,
                .path = file->path,
                .file = file->file,
                .at = static_cast<uint64_t>(from),
                .bytes = std::string(static_cast<const char*>(bytes), static_cast<size_t>(written))});
  return error ? refuse(error) : written;
}

ssize_t read_file_at(int fd, void* bytes, size_t size, off_t at) {
  {
    Hold disk;
    if (Watched::Open* file = disk.find(fd))
      if (const int error = disk->refusal(DiskCall::read, file->path)) return refuse(error);
  }
  return ::syscall(SYS_pread64, fd, bytes, size, at);
}

int truncate_file(int fd, off_t size) {
  Hold disk;
  Watched::Open* file = disk.find(fd);
  if (!file) return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
  if (const int error = disk->refusal(DiskCall::truncate, file->path)) return refuse(error);
  const int result = static_cast<int>(::syscall(SYS_ftruncate, fd, size));
  if (result == 0)
    disk->note({.kind = Kind::truncate, .path = file->path, .file = file->file, .at = static_cast<uint64_t>(size)});
  return result;
}

// Below a Disk nothing is really synced: what would survive is the model's to say, and tests sync thousands of times.
int sync_file(int fd, long number) {
  Hold disk;
  Watched::Open* file = disk.find(fd);
  if (!file) return static_cast<int>(::syscall(number, fd));
  const bool directory = file->file == 0;
  if (const int error = disk->refusal(directory ? DiskCall::sync_directory : DiskCall::sync, file->path)) {
    if (!directory) disk->note({.kind = Kind::lose, .path = file->path, .file = file->file});
    return refuse(error);
  }
  disk->note({.kind = directory ? Kind::sync_directory : Kind::sync, .path = file->path, .file = file->file});
  return 0;
}

int remove_name(const char* path) {
  const auto really = [&] { return static_cast<int>(::syscall(SYS_unlink, path)); };
  Hold disk;
  const auto name = disk ? disk->below(path) : std::nullopt;
  if (!name) return really();
  if (const int error = disk->refusal(DiskCall::remove, *name)) return refuse(error);
  const int result = really();
  if (result == 0) {
    disk->files.erase(*name);
    disk->note({.kind = Kind::remove, .path = *name});
  }
  return result;
}

int second_name(const char* from, const char* to, Kind kind, long number) {
  const auto really = [&] { return static_cast<int>(::syscall(number, from, to)); };
  Hold disk;
  const auto old_name = disk ? disk->below(from) : std::nullopt, name = disk ? disk->below(to) : std::nullopt;
  if (!old_name || !name) return really();
  if (const int error = disk->refusal(DiskCall::rename, *name)) return refuse(error);
  const int result = really();
  if (result == 0) {
    disk->files[*name] = disk->files[*old_name];
    if (kind == Kind::rename) disk->files.erase(*old_name);
    disk->note({.kind = kind, .path = *name, .to = *old_name});
  }
  return result;
}

int make_directory(const char* path, mode_t mode) {
  const auto really = [&] { return static_cast<int>(::syscall(SYS_mkdir, path, mode)); };
  Hold disk;
  const auto name = disk ? disk->below(path) : std::nullopt;
  if (!name) return really();
  if (const int error = disk->refusal(DiskCall::create, *name)) return refuse(error);
  const int result = really();
  if (result == 0) disk->note({.kind = Kind::make_directory, .path = *name, .file = ++disk->last_file});
  return result;
}

int restrict_file(int fd, mode_t mode) {
  Hold disk;
  if (Watched::Open* file = disk.find(fd))
    if (const int error = disk->refusal(DiskCall::restrict, file->path)) return refuse(error);
  return static_cast<int>(::syscall(SYS_fchmod, fd, mode));
}

int control_file(int fd, int command, void* argument) {
  if (command == F_OFD_SETLK) {
    Hold disk;
    if (Watched::Open* file = disk.find(fd))
      if (const int error = disk->refusal(DiskCall::lock, file->path)) return refuse(error);
  }
  return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}

int examine_file_system(const char* path, struct statfs* out) {
  const int result = static_cast<int>(::syscall(SYS_statfs, path, out));
  Hold disk;
  if (disk && disk->file_system != 0 && disk->below(path)) out->f_type = disk->file_system;
  return result;
}

}  // namespace

Disk::Disk(const std::string& root) {
  auto disk = std::make_unique<Watched>();
  disk->root = std::filesystem::canonical(root);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(disk->root))
    disk->files[*disk->below(entry.path().c_str())] = ++disk->last_file;
  Watched* none = nullptr;
  if (!watched.compare_exchange_strong(none, disk.get())) throw std::logic_error("there is a Disk already");
  disk.release();
}

Disk::~Disk() { delete watched.exchange(nullptr); }

void Disk::record() {
  Hold disk;
  disk->recording = true;
  for (const auto& [path, file] : disk->files) {
    const std::string place = disk->root + "/" + path;
    if (std::filesystem::is_directory(place)) {
      disk->note({.kind = Kind::make_directory, .path = path, .file = file});
    } else {
      disk->note({.kind = Kind::create, .path = path, .file = file});
      disk->note({.kind = Kind::write, .path = path, .file = file, .bytes = read_file(place)});
      disk->note({.kind = Kind::sync, .path = path, .file = file});
    }
    const size_t slash = path.rfind('/');
    disk->note({.kind = Kind::sync_directory, .path = slash == std::string::npos ? "" : path.substr(0, slash)});
  }
}

std::vector<DiskOp> Disk::take_notes() {
  Hold disk;
  return std::exchange(disk->notes, {});
}

void Disk::mark(uint64_t what) {
  Hold disk;
  disk->note({.kind = Kind::mark, .at = what});
}

void Disk::on_call(Fault fault) {
  Hold disk;
  disk->fault = std::move(fault);
}

void Disk::call_itself(long file_system) {
  Hold disk;
  disk->file_system = file_system;
}

}  // namespace trove

// Both spellings of each call: with and without large file support.
extern "C" {
int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return trove::open_file(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return trove::open_file(path, flags, mode);
}
int close(int fd) {
  {
    trove::Hold disk;
    if (disk) disk->open.erase(fd);
  }
  return static_cast<int>(::syscall(SYS_close, fd));
}
ssize_t write(int fd, const void* bytes, size_t size) { return trove::write_file_at(fd, bytes, size, -1); }
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) { return trove::write_file_at(fd, bytes, size, at); }
ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  return trove::write_file_at(fd, bytes, size, at);
}
ssize_t pread(int fd, void* bytes, size_t size, off_t at) { return trove::read_file_at(fd, bytes, size, at); }
ssize_t pread64(int fd, void* bytes, size_t size, off64_t at) { return trove::read_file_at(fd, bytes, size, at); }
int ftruncate(int fd, off_t size) noexcept { return trove::truncate_file(fd, size); }
int ftruncate64(int fd, off64_t size) noexcept { return trove::truncate_file(fd, size); }
int fsync(int fd) { return trove::sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return trove::sync_file(fd, SYS_fdatasync); }
int unlink(const char* path) noexcept { return trove::remove_name(path); }
int link(const char* from, const char* to) noexcept {
  return trove::second_name(from, to, trove::DiskOp::Kind::link, SYS_link);
}
int rename(const char* from, const char* to) noexcept {
  return trove::second_name(from, to, trove::DiskOp::Kind::rename, SYS_rename);
}
int fchmod(int fd, mode_t mode) noexcept { return trove::restrict_file(fd, mode); }
int statfs(const char* path, struct statfs* out) noexcept { return trove::examine_file_system(path, out); }
int fcntl(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);  // an int or a pointer: either fits
  va_end(more);
  return trove::control_file(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  return trove::control_file(fd, command, argument);
}
int mkdir(const char* path, mode_t mode) noexcept { return trove::make_directory(path, mode); }
}
