#include "reconciler/gitops/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trove::gitops {
namespace {

constexpr size_t kMostErrors = 16u << 10;
constexpr Millis kWatchEvery{100};
constexpr Millis kDrain{200};  // for output in the pipes after the end; a grandchild may hold them open
constexpr rlim_t kMostMemory = rlim_t{4} << 30;
constexpr size_t kBuffer = 64u << 10;

struct Descriptor {
  int fd = -1;
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

bool make_pipe(Descriptor& read, Descriptor& write) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return false;
  read.fd = fds[0];
  write.fd = fds[1];
  return true;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

int start(const ProcessOrder& order, int in, int out, int err, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_adddup2(&actions, err, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const auto argv = pointers(order.argv), environment = pointers(order.environment);
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

// False at the end of the stream.
bool take(int fd, std::string& into, size_t most, bool& passed) {
  char buffer[kBuffer];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  into.append(buffer, static_cast<size_t>(got));
  passed = into.size() > most;
  return true;
}

}  // namespace

Cancel::Cancel() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { TROVE_CHECK(fd_ >= 0); }
Cancel::~Cancel() { ::close(fd_); }
void Cancel::cancel() {
  cancelled_ = true;
  const uint64_t one = 1;
  static_cast<void>(!::write(fd_, &one, sizeof one));
}

Result<Ran> run_process(const ProcessOrder& order, const Clock& clock, const Cancel& cancel) {
  const std::string& program = order.argv.at(0);
  const auto called_off = [&] { return fail(Code::unavailable, program + " was called off"); };
  if (cancel.cancelled()) return called_off();
  Descriptor in_read, in_write, out_read, out_write, err_read, err_write;
  if (!make_pipe(in_read, in_write) || !make_pipe(out_read, out_write) || !make_pipe(err_read, err_write))
    return fail(Code::unavailable, std::string("no pipe: ") + std::strerror(errno));
  pid_t pid = -1;
  if (const int error = start(order, in_read.fd, out_write.fd, err_write.fd, pid); error != 0)
    return fail(Code::unavailable, "cannot start " + program + ": " + std::strerror(error),
                error == ENOENT ? "install the package " + program : "");
  const rlimit memory{kMostMemory, kMostMemory};
  ::prlimit(pid, RLIMIT_AS, &memory, nullptr);
  in_read.close();
  out_write.close();
  err_write.close();
  Descriptor ended;
  ended.fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  ::fcntl(in_write.fd, F_SETFL, O_NONBLOCK);

  Ran ran;
  std::optional<Error> trouble;
  std::string_view input = order.input;
  if (input.empty()) in_write.close();
  const Millis deadline = clock.monotonic() + order.deadline;
  bool over = ended.fd < 0;
  if (over) trouble = Error{Code::unavailable, "cannot watch " + program};
  while (!over && !trouble) {
    const Millis left = deadline - clock.monotonic();
    if (left <= Millis{0}) {
      trouble = Error{Code::unavailable, program + " did not end within " + format_duration(order.deadline)};
      break;
    }
    // poll() passes over closed descriptors.
    pollfd fds[5] = {{cancel.fd(), POLLIN, 0}, {ended.fd, POLLIN, 0}, {out_read.fd, POLLIN, 0},
                     {err_read.fd, POLLIN, 0}, {in_write.fd, POLLOUT, 0}};
    const Millis wait = order.watch ? std::min(left, kWatchEvery) : left;
    const int ready = ::poll(fds, 5, static_cast<int>(std::min<int64_t>(wait.count(), 60'000)));
    if (ready < 0 && errno != EINTR) trouble = Error{Code::unavailable, std::string("poll: ") + std::strerror(errno)};
    if (order.watch) {
      if (auto fine = order.watch(); !fine) trouble = fine.error();
    }
    if (ready <= 0) continue;
    if (fds[0].revents) return [&]() -> Result<Ran> {
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return called_off();
      }();
    bool passed = false, ignored = false;
    if (fds[2].revents && !take(out_read.fd, ran.out, order.most_output, passed)) out_read.close();
    if (fds[3].revents && !take(err_read.fd, ran.err, kMostErrors, ignored)) err_read.close();
    if (ran.err.size() > kMostErrors) ran.err.erase(0, ran.err.size() - kMostErrors);
    if (passed)
      trouble = Error{Code::too_large, program + " printed more than " + std::to_string(order.most_output >> 20) + " MiB"};
    if (fds[4].revents) {
      const ssize_t sent = ::write(in_write.fd, input.data(), input.size());
      if (sent > 0) input.remove_prefix(static_cast<size_t>(sent));
      if (input.empty() || (sent < 0 && errno != EAGAIN && errno != EINTR)) in_write.close();
    }
    over = fds[1].revents != 0;
  }
  // What it has left behind in its group goes as well.
  if (trouble) ::kill(-pid, SIGKILL);
  const Millis drained = clock.monotonic() + kDrain;
  while (!trouble && (out_read.fd >= 0 || err_read.fd >= 0)) {
    const Millis left = drained - clock.monotonic();
    pollfd fds[2] = {{out_read.fd, POLLIN, 0}, {err_read.fd, POLLIN, 0}};
    if (left <= Millis{0} || ::poll(fds, 2, static_cast<int>(left.count())) <= 0) break;
    bool passed = false, ignored = false;
    if (fds[0].revents && !take(out_read.fd, ran.out, order.most_output, passed)) out_read.close();
    if (fds[1].revents && !take(err_read.fd, ran.err, kMostErrors, ignored)) err_read.close();
    if (passed) trouble = Error{Code::too_large, program + " printed too much"};
  }
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (trouble) return tl::unexpected(*trouble);
  ran.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return ran;
}

}  // namespace trove::gitops
