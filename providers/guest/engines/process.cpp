#include "providers/guest/engines/process.hpp"
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include "providers/guest/engines/files.hpp"

namespace trove::guest {

namespace {

constexpr size_t kTailBytes = 400;               // of a tool's log, quoted in errors
constexpr size_t kMostEnviron = 256u << 10;      // of a process we look at
constexpr Millis kAskAgain{1'000};               // between requests to end
constexpr rlim_t kMostFiles = 16'384;            // open files of an engine, where the hard limit allows

int64_t monotonic_ms() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1'000'000;
}

std::vector<std::string> child_environment(const std::string& home) {
  std::vector<std::string> env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                  "HOME=" + home};
  for (const char* name : {"TROVE_SERVER", "TZ"}) {
    if (const char* value = getenv(name)) env.push_back(std::string(name) + "=" + value);
  }
  return env;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& t : texts) out.push_back(t.data());
  out.push_back(nullptr);
  return out;
}

// Runs between fork and exec of a threaded program: system calls only.
[[noreturn]] void become(const Spawn& what, bool switch_user, int in, int out, int err, int trouble, char* const* argv,
                         char* const* env) {
  const auto give_up = [trouble](int step) {
    const int words[2] = {step, errno};
    [[maybe_unused]] ssize_t n = write(trouble, words, sizeof words);
    _exit(127);
  };
  setsid();
  for (int s = 1; s < 32; ++s) signal(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(077);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < kMostFiles) {
    files.rlim_cur = std::min(files.rlim_max, kMostFiles);
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) give_up(1);
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  if (switch_user && (setgroups(0, nullptr) != 0 || setgid(what.user.gid) != 0 || setuid(what.user.uid) != 0))
    give_up(2);
  if (chdir(what.directory.c_str()) != 0) give_up(3);
  execve(argv[0], argv, env);
  give_up(4);
  _exit(127);
}

}  // namespace

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Cancel::Cancel() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { TROVE_CHECK(event_.get() >= 0); }

void Cancel::set() {
  set_.store(true);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t n = write(event_.get(), &one, sizeof one);
}

bool pause_for(Millis ms, const Cancel& cancel) {
  pollfd p{cancel.fd(), POLLIN, 0};
  poll(&p, 1, static_cast<int>(std::clamp<int64_t>(ms.count(), 0, 3'600'000)));
  return cancel.is_set();
}

OsUser current_os_user() {
  OsUser user{geteuid(), getegid(), ""};
  std::string buffer(16'384, '\0');
  passwd entry{}, *found = nullptr;
  if (getpwuid_r(user.uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found) user.name = found->pw_name;
  return user;
}

std::optional<OsUser> find_os_user(const std::string& name) {
  std::string buffer(16'384, '\0');
  passwd entry{}, *found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return std::nullopt;
  return OsUser{found->pw_uid, found->pw_gid, found->pw_name};
}

Result<pid_t> spawn(const Spawn& what) {
  TROVE_CHECK(!what.argv.empty());
  const bool switch_user = what.user.uid != geteuid();
  auto argv_texts = what.argv;
  auto env_texts = child_environment(what.directory);
  const auto argv = pointers(argv_texts);
  const auto env = pointers(env_texts);
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail(Code::unavailable, std::string("cannot open /dev/null: ") + strerror(errno));
  // dup2 onto 0..2 in the child must not overwrite a source that it still needs.
  int trouble[2];
  if (pipe2(trouble, O_CLOEXEC) != 0)
    return fail(Code::unavailable, std::string("cannot make a pipe: ") + strerror(errno));
  UniqueFd read_end(trouble[0]), write_end(trouble[1]);
  const int in = what.in >= 0 ? what.in : null.get();
  const int out = what.out >= 0 ? what.out : null.get();
  const int err = what.err >= 0 ? what.err : null.get();
  const pid_t pid = fork();
  if (pid < 0) return fail(Code::unavailable, std::string("cannot fork: ") + strerror(errno));
  if (pid == 0) become(what, switch_user, in, out, err, write_end.get(), argv.data(), env.data());
  write_end.reset();
  int words[2] = {0, 0};
  ssize_t n;
  do n = read(read_end.get(), words, sizeof words);
  while (n < 0 && errno == EINTR);
  if (n != sizeof words) return pid;
  waitpid(pid, nullptr, 0);
  static constexpr const char* kSteps[] = {"", "cannot redirect the output of ", "cannot change the user for ",
                                           "cannot change the directory for ", "cannot run "};
  return fail(words[1] == ENOENT ? Code::not_found : Code::unavailable,
              kSteps[std::clamp(words[0], 0, 4)] + what.argv[0] + ": " + strerror(words[1]));
}

std::optional<ProcessMark> mark_process(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!stat) return std::nullopt;
  // The name may hold spaces and brackets: count from the last one.
  const size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= stat->size()) return std::nullopt;
  if ((*stat)[name_end + 2] == 'Z' || (*stat)[name_end + 2] == 'X') return std::nullopt;
  size_t at = name_end + 1;
  for (int field = 3; field < 22; ++field) {
    at = stat->find(' ', at + 1);
    if (at == std::string::npos) return std::nullopt;
  }
  return ProcessMark{pid, strtoull(stat->c_str() + at, nullptr, 10)};
}

bool is_alive(const ProcessMark& mark) { return mark.pid > 0 && mark_process(mark.pid) == mark; }

void reap(pid_t pid) {
  if (pid > 0) waitpid(pid, nullptr, WNOHANG);
}

UniqueFd watch_process(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

bool is_called(pid_t pid, const std::string& program) {
  const auto comm = read_file("/proc/" + std::to_string(pid) + "/comm", 64);
  return comm && *comm == program.substr(0, 15) + "\n";
}

std::optional<ProcessMark> find_ours(const std::string& program, const std::string& directory) {
  const char* token = getenv("TROVE_SERVER");
  if (!token || !*token) return std::nullopt;
  const std::string wanted = std::string("TROVE_SERVER=") + token;
  DIR* proc = opendir("/proc");
  if (!proc) return std::nullopt;
  std::optional<ProcessMark> found;
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string base = "/proc/" + std::to_string(pid);
    if (!is_called(pid, program)) continue;
    char where[PATH_MAX];
    const ssize_t length = readlink((base + "/cwd").c_str(), where, sizeof where);
    if (length <= 0 || directory != std::string_view(where, static_cast<size_t>(length))) continue;
    const auto environ = read_file(base + "/environ", kMostEnviron);
    // Each variable ends with a NUL; ours must be whole, or server-0-1 would find the engine of server-0-10.
    if (!environ || (std::string("\0", 1) + *environ).find(std::string("\0", 1) + wanted + std::string("\0", 1)) ==
                        std::string::npos) {
      continue;
    }
    const auto mark = mark_process(pid);
    if (mark && (!found || mark->started < found->started)) found = mark;
  }
  closedir(proc);
  return found;
}

bool end_process(const ProcessMark& mark, int signal, Millis patience, const Cancel* cancel) {
  if (!is_alive(mark)) return reap(mark.pid), true;
  UniqueFd watch = watch_process(mark.pid);
  const auto wait = [&](Millis ms) {
    const int64_t until = monotonic_ms() + ms.count();
    while (is_alive(mark)) {
      const int64_t left = until - monotonic_ms();
      if (left <= 0 || (cancel && cancel->is_set())) return false;
      pollfd p[2] = {{watch.get(), POLLIN, 0}, {cancel ? cancel->fd() : -1, POLLIN, 0}};
      poll(p, 2, static_cast<int>(std::min<int64_t>(left, watch ? 1000 : 20)));
    }
    reap(mark.pid);
    return true;
  };
  // Asked again and again: Redis forgets a request that comes while it writes its first log file.
  for (Millis left = patience; left > Millis{0}; left -= kAskAgain) {
    if (is_alive(mark)) kill(mark.pid, signal);
    if (wait(std::min(left, kAskAgain))) return true;
    if (cancel && cancel->is_set()) return false;
  }
  // Only the process itself is known to be ours; its session is ours as well when it leads one.
  if (getsid(mark.pid) == mark.pid) kill(-mark.pid, SIGKILL);
  kill(mark.pid, SIGKILL);
  return wait(Millis{10'000});
}

Result<std::unique_ptr<Tool>> Tool::start(Options options) {
  std::unique_ptr<Tool> tool(new Tool);
  UniqueFd child_in, child_out;
  const auto make_pipe = [](UniqueFd& read_end, UniqueFd& write_end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    return true;
  };
  if ((options.pipe_in && !make_pipe(child_in, tool->in_)) || (options.pipe_out && !make_pipe(tool->out_, child_out))) {
    return fail(Code::unavailable, std::string("cannot make a pipe: ") + strerror(errno));
  }
  // Our end only: a tool that stops reading must not stop us from noticing a cancel.
  if (tool->in_) fcntl(tool->in_.get(), F_SETFL, O_NONBLOCK);
  UniqueFd log;
  if (!options.log_file.empty()) {
    log.reset(open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (log) tool->log_from_ = lseek(log.get(), 0, SEEK_END);
  }
  auto pid = spawn({.argv = options.argv, .user = options.user, .in = child_in.get(),
                    .out = child_out ? child_out.get() : log.get(), .err = log.get(), .directory = options.directory});
  if (!pid) return tl::unexpected<Error>(pid.error());
  tool->pid_ = *pid;
  tool->watch_ = watch_process(*pid);
  tool->options_ = std::move(options);
  return tool;
}

Tool::~Tool() { end(); }

void Tool::end() {
  if (ended_ || pid_ <= 0) return;
  ended_ = true;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

Result<void> Tool::finish(Millis deadline, const Cancel& cancel) {
  in_.reset();
  out_.reset();
  const std::string name = options_.argv[0].substr(options_.argv[0].rfind('/') + 1);
  if (ended_) return fail(Code::unavailable, name + " was ended");
  const int64_t until = monotonic_ms() + deadline.count();
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    const int64_t left = until - monotonic_ms();
    if (cancel.is_set() || left <= 0) {
      end();
      return fail(Code::unavailable, name + (cancel.is_set() ? " was interrupted" : " did not end in time"));
    }
    pollfd p[2] = {{watch_.get(), POLLIN, 0}, {cancel.fd(), POLLIN, 0}};
    poll(p, 2, static_cast<int>(std::min<int64_t>(left, watch_ ? 1000 : 20)));
  }
  ended_ = true;
  if (WIFEXITED(status)) exit_code_ = WEXITSTATUS(status);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string words = options_.log_file.empty() ? "" : last_words(options_.log_file, log_from_, kTailBytes);
  const std::string how = WIFEXITED(status) ? "ended with code " + std::to_string(WEXITSTATUS(status))
                                            : "was killed by signal " + std::to_string(WTERMSIG(status));
  return fail(Code::unavailable, name + " " + how + (words.empty() ? "" : ": " + words));
}

Result<void> run_tool(Tool::Options options, Millis deadline, const Cancel& cancel) {
  auto tool = Tool::start(std::move(options));
  if (!tool) return tl::unexpected<Error>(tool.error());
  return (*tool)->finish(deadline, cancel);
}

std::string find_program(const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

}  // namespace trove::guest
