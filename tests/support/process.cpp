#include "support/process.hpp"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

extern char** environ;

namespace trove {
namespace {

constexpr size_t kMostOutput = 16u << 20;        // per stream; the rest is read and dropped
constexpr Millis kDrain{500};                    // for output still in the pipe after the end; a grandchild may hold it

using Point = std::chrono::steady_clock::time_point;
Point after(Millis d) { return std::chrono::steady_clock::now() + d; }
int left_ms(Point deadline) {
  const auto left = std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

[[noreturn]] void fail_errno(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) fail_errno(errno, "pipe2");
    read = fds[0];
    write = fds[1];
  }
};

void close_fd(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

std::vector<std::string> environment(const ProcessOptions& options) {
  std::vector<std::string> all = options.env;
  if (options.clean_env) return all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::any_of(options.env.begin(), options.env.end(),
                                      [&](const std::string& own) { return own.starts_with(name); });
    if (!replaced) all.emplace_back(text);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Appends what can be read; false at the end of the stream.
bool read_some(int fd, std::string& into, std::mutex& mutex) {
  char buffer[65536];
  const ssize_t got = read(fd, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  std::lock_guard lock(mutex);
  if (into.size() < kMostOutput) into.append(buffer, static_cast<size_t>(got));
  return true;
}

}  // namespace

Process::Process(std::vector<std::string> argv, ProcessOptions options) {
  static const auto ignored = std::signal(SIGPIPE, SIG_IGN);   // a program may end before it has read its input
  static_cast<void>(ignored);
  Pipe in, out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  if (!options.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults, none;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  auto env = environment(options);
  const int error = posix_spawnp(&pid_, argv.at(0).c_str(), &actions, &attributes, pointers(argv).data(),
                                 pointers(env).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(in.read);
  close(out.write);
  close(err.write);
  in_fd_ = in.write;
  out_fd_ = out.read;
  err_fd_ = err.read;
  if (error) {
    close_fd(in_fd_);
    close_fd(out_fd_);
    close_fd(err_fd_);
    fail_errno(error, "cannot start " + argv[0]);
  }
  fcntl(in_fd_, F_SETFL, O_NONBLOCK);
  pid_fd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));   // the header of glibc 2.36 lacks extern "C"
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pending_input_ = std::move(options.input);
  input_ends_ = options.close_stdin;
  collector_ = std::thread([this] { collect(); });
}

Process::~Process() {
  // Also after the program itself has ended: it may have left children in its group.
  kill(-pid_, SIGKILL);
  reap(Millis{10'000});
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  collector_.join();
  for (int* fd : {&pid_fd_, &wake_fd_, &in_fd_, &out_fd_, &err_fd_}) close_fd(*fd);
}

void Process::wake() {
  const uint64_t one = 1;
  static_cast<void>(!::write(wake_fd_, &one, sizeof one));
}

void Process::feed(std::string_view bytes) {
  {
    std::lock_guard lock(mutex_);
    pending_input_ += bytes;
  }
  wake();
}

void Process::close_stdin() {
  {
    std::lock_guard lock(mutex_);
    input_ends_ = true;
  }
  wake();
}

// The only code that touches the three pipes after the start.
void Process::collect() {
  for (;;) {
    bool has_input = false;
    {
      std::lock_guard lock(mutex_);
      if (stop_) return;
      has_input = !pending_input_.empty();
      if (!has_input && input_ends_) close_fd(in_fd_);
    }
    // poll() ignores negative descriptors, so closed streams may stay in the table.
    pollfd watched[4] = {{wake_fd_, POLLIN, 0}, {out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0},
                         {has_input ? in_fd_ : -1, POLLOUT, 0}};
    poll(watched, 4, -1);
    if (watched[0].revents) {
      uint64_t count;
      static_cast<void>(!read(wake_fd_, &count, sizeof count));
    }
    if (watched[1].revents && !read_some(out_fd_, out_, mutex_)) close_fd(out_fd_);
    if (watched[2].revents && !read_some(err_fd_, err_, mutex_)) close_fd(err_fd_);
    std::lock_guard lock(mutex_);
    if (watched[3].revents) {
      const ssize_t written = ::write(in_fd_, pending_input_.data(), pending_input_.size());
      if (written > 0) pending_input_.erase(0, static_cast<size_t>(written));
      if (written < 0 && errno != EAGAIN && errno != EINTR) {
        pending_input_.clear();   // nobody reads any more
        close_fd(in_fd_);
      }
    }
    drained_ = out_fd_ < 0 && err_fd_ < 0;
    changed_.notify_all();
  }
}

void Process::signal(int number) { kill(-pid_, number); }

bool Process::reap(Millis deadline) {
  if (status_) return true;
  const Point end = after(deadline);
  pollfd watched{pid_fd_, POLLIN, 0};
  while (poll(&watched, 1, left_ms(end)) < 0 && errno == EINTR) {
  }
  if (!watched.revents) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
  status_ = status;
  return true;
}

bool Process::running() { return !reap(Millis{0}); }

std::optional<Exit> Process::wait(Millis deadline) {
  if (!reap(deadline)) return {};
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kDrain, [&] { return drained_; });
  Exit exit{0, 0, false, out_, err_};
  if (WIFSIGNALED(*status_)) {
    exit.signal = WTERMSIG(*status_);
    exit.code = 128 + exit.signal;
  } else {
    exit.code = WEXITSTATUS(*status_);
  }
  return exit;
}

std::string Process::out() const {
  std::lock_guard lock(mutex_);
  return out_;
}

std::string Process::err() const {
  std::lock_guard lock(mutex_);
  return err_;
}

bool Process::wait_for(std::string_view text, Millis deadline) {
  std::unique_lock lock(mutex_);
  const auto seen = [&] { return out_.find(text) != std::string::npos || err_.find(text) != std::string::npos; };
  changed_.wait_until(lock, after(deadline), [&] { return seen() || drained_; });
  return seen();
}

Exit run(std::vector<std::string> argv, ProcessOptions options, Millis deadline) {
  Process process(std::move(argv), std::move(options));
  if (auto exit = process.wait(deadline)) return *exit;
  process.signal(SIGKILL);
  Exit exit = process.wait(Millis{10'000}).value_or(Exit{128 + SIGKILL, SIGKILL, true, process.out(), process.err()});
  exit.timed_out = true;
  return exit;
}

}  // namespace trove
