#include "providers/local/launch.hpp"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include "providers/local/files.hpp"

namespace trove::local {

namespace {

// Descriptors of the agent. 5 carries news of the start and closes when the program begins.
enum { kNull = 0, kOut = 1, kErr = 2, kServerLock = 3, kVolumeLock = 4, kNews = 5, kFirstFree = 6 };
constexpr int kOutOfTheWay = 64;         // sources move above the numbers they are to be copied to
enum Step : int { started = 1, log_step, lock_step, volume_step, exec_step, fork_step };
struct News {
  int step = 0;
  int value = 0;                         // a pid, or errno
};

struct Prepared {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* log_file;
  const char* server_lock;
  const char* volume_lock;               // nullptr = none
  int null, news, group;                 // group -1 = none
};

[[noreturn]] void give_up(Step step) {
  const News news{step, errno};
  [[maybe_unused]] ssize_t n = write(kNews, &news, sizeof news);
  _exit(127);
}

void open_at(const char* path, int flags, mode_t mode, int place, Step step) {
  const int fd = open(path, flags | O_NOFOLLOW, mode);
  if (fd < 0) give_up(step);
  if (fd != place && (dup2(fd, place) < 0 || close(fd) != 0)) give_up(step);
}

void take_lock(int fd, Step step) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_SETLK, &lock) != 0) give_up(step);
}

// From here to execve only system calls: the parent may have had threads holding any lock of the C library.
[[noreturn]] void become_agent(const Prepared& what) {
  for (int number = 1; number < 65; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(022);
  [[maybe_unused]] int moved = chdir("/");
  if (dup2(what.news, kNews) < 0 || fcntl(kNews, F_SETFD, FD_CLOEXEC) != 0) _exit(127);
  if (what.group >= 0) {
    [[maybe_unused]] ssize_t n = write(what.group, "0", 1);   // best effort
  }
  if (dup2(what.null, kNull) < 0) give_up(log_step);
  open_at(what.log_file, O_WRONLY | O_CREAT | O_APPEND, 0640, kOut, log_step);
  if (dup2(kOut, kErr) < 0) give_up(log_step);
  open_at(what.server_lock, O_RDWR | O_CREAT, 0600, kServerLock, lock_step);
  if (what.volume_lock) {
    open_at(what.volume_lock, O_RDWR | O_CREAT, 0600, kVolumeLock, volume_step);
  } else {
    close(kVolumeLock);
  }
  // Closing any descriptor of a locked file gives the lock up, so locks come after the last close.
  close_range(kFirstFree, ~0u, 0);
  take_lock(kServerLock, lock_step);
  if (what.volume_lock) take_lock(kVolumeLock, volume_step);
  const News news{started, getpid()};
  [[maybe_unused]] ssize_t n = write(kNews, &news, sizeof news);
  execve(what.program, what.arguments, what.environment);
  give_up(exec_step);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

bool read_news(int fd, News& news) {
  ssize_t n;
  do n = read(fd, &news, sizeof news);
  while (n < 0 && errno == EINTR);
  return n == sizeof news;
}

}  // namespace

Result<pid_t> launch_detached(const Launch& launch) {
  std::vector<std::string> argument_texts = {launch.program}, environment_texts = launch.environment;
  argument_texts.insert(argument_texts.end(), launch.arguments.begin(), launch.arguments.end());
  const auto arguments = pointers(argument_texts), environment = pointers(environment_texts);
  const auto fetch = [](const char* path, int flags) {
    const Fd low(open(path, flags | O_CLOEXEC));
    return Fd(low ? fcntl(low.get(), F_DUPFD_CLOEXEC, kOutOfTheWay) : -1);
  };
  const Fd null = fetch("/dev/null", O_RDWR);
  const Fd group =
      launch.memory_group.empty() ? Fd() : fetch((launch.memory_group + "/cgroup.procs").c_str(), O_WRONLY);
  int ends[2];
  if (!null || pipe2(ends, O_CLOEXEC) != 0) return tl::unexpected(errno_error("start", launch.program));
  const Fd reader(ends[0]);
  Fd writer(fcntl(ends[1], F_DUPFD_CLOEXEC, kOutOfTheWay));
  close(ends[1]);
  const Prepared what{launch.program.c_str(),   arguments.data(), environment.data(),
                      launch.log_file.c_str(),  launch.server_lock.c_str(),
                      launch.volume_lock.empty() ? nullptr : launch.volume_lock.c_str(),
                      null.get(),               writer.get(),     group.get()};
  const pid_t middle = fork();
  if (middle < 0) return fail(Code::unavailable, std::string("cannot fork: ") + strerror(errno));
  if (middle == 0) {
    // Twice, so that the agent is nobody's child and we never have to reap it.
    setsid();
    const pid_t agent = fork();
    if (agent == 0) become_agent(what);
    if (agent < 0) {
      const News news{fork_step, errno};
      [[maybe_unused]] ssize_t n = write(what.news, &news, sizeof news);
    }
    _exit(0);
  }
  writer.reset();
  while (waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {
  }
  News news, next;
  if (!read_news(reader.get(), news))
    return fail(Code::unavailable, "cannot start " + launch.program + ": it was killed at once");
  if (news.step == started && !read_news(reader.get(), next)) return news.value;
  const News& trouble = news.step == started ? next : news;
  const std::string reason = strerror(trouble.value);
  const bool locked = trouble.value == EAGAIN;
  if (trouble.step == lock_step && locked) return fail(Code::conflict, "another agent of this server is running");
  if (trouble.step == volume_step && locked)
    return fail(Code::conflict, "an agent of another server still holds this volume");
  const std::string doing = trouble.step == log_step    ? "open " + launch.log_file
                            : trouble.step == exec_step ? "start the guest program " + launch.program
                            : trouble.step == fork_step ? "fork"
                                                        : "lock " + launch.server_lock;
  return fail(Code::unavailable, "cannot " + doing + ": " + reason);
}

std::optional<pid_t> lock_holder(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::nullopt;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0) return std::nullopt;
  return lock.l_pid;
}

}  // namespace trove::local
