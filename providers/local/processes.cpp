#include "providers/local/processes.hpp"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
extern "C" {
#include <sys/pidfd.h>   // glibc 2.36 forgot to say so itself
}
#include <sys/timerfd.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include "providers/local/files.hpp"

namespace trove::local {

namespace {

constexpr size_t kMaxStatBytes = 4u << 10;
constexpr size_t kMaxEnvironmentBytes = 256u << 10;
constexpr size_t kMaxGroupBytes = 1u << 20;
constexpr int kMaxKillRounds = 20;
constexpr Millis kKillRound{100};
constexpr Millis kLookAgain{500};      // for children that were born while we waited

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir("/proc"), closedir);
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size() && pid > 1 && pid != getpid()) pids.push_back(pid);
  }
  return pids;
}

std::string proc(pid_t pid, const char* what) { return "/proc/" + std::to_string(pid) + "/" + what; }

std::string link_target(const std::string& path) {
  char target[4096];
  const ssize_t n = readlink(path.c_str(), target, sizeof target);
  return n <= 0 ? std::string() : std::string(target, static_cast<size_t>(n));
}

bool is_inside(std::string_view path, const std::string& directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

enum class Environment { unreadable, has_token, another, overwritten };

// A program that sets its process title writes over its environment: nothing of the form NAME= is left at its start.
Environment environment_of(pid_t pid, const std::string& token) {
  const auto text = read_file(proc(pid, "environ"), kMaxEnvironmentBytes);
  if (!text || text->empty()) return Environment::unreadable;
  const std::string wanted = std::string(kServerVariable) + "=" + token;
  bool any = false;
  for (size_t at = 0; at < text->size();) {
    const std::string_view entry(text->data() + at);
    if (entry == wanted) return Environment::has_token;
    any = any || entry.find('=') != std::string_view::npos;
    at += entry.size() + 1;
  }
  return any ? Environment::another : Environment::overwritten;
}

std::set<pid_t> members_of(const std::string& memory_group) {
  std::set<pid_t> pids;
  if (memory_group.empty()) return pids;
  const auto text = read_file(memory_group + "/cgroup.procs", kMaxGroupBytes);
  for (size_t at = 0; text && at < text->size();) {
    size_t end = text->find('\n', at);
    if (end == std::string::npos) end = text->size();
    pid_t pid = 0;
    std::from_chars(text->data() + at, text->data() + end, pid);
    if (pid > 1) pids.insert(pid);
    at = end + 1;
  }
  return pids;
}

// A process held by a descriptor: the number cannot go to another one behind our back.
struct Held {
  ProcessInfo process;
  Fd fd;
};
std::optional<Held> hold(const ProcessInfo& process) {
  Held held{process, Fd(pidfd_open(process.pid, 0))};
  if (!held.fd) return std::nullopt;   // gone; or out of descriptors, and then the next round finds it again
  const auto now = read_process(process.pid);
  if (!now || now->start_time != process.start_time) return std::nullopt;
  return held;
}

// True when all ended before the timer.
bool wait_for_end(std::vector<Held>& held, int timer) {
  while (!held.empty()) {
    std::vector<pollfd> fds;
    for (const Held& h : held) fds.push_back({h.fd.get(), POLLIN, 0});
    fds.push_back({timer, POLLIN, 0});
    if (poll(fds.data(), fds.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    for (size_t i = held.size(); i-- > 0;) {
      if (fds[i].revents) held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (fds.back().revents) return held.empty();
  }
  return true;
}

Fd timer_of(Millis after) {
  Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  itimerspec when{};
  when.it_value.tv_sec = after.count() / 1000;
  when.it_value.tv_nsec = std::max<int64_t>(after.count() % 1000 * 1'000'000, 1);
  if (timer) timerfd_settime(timer.get(), 0, &when, nullptr);
  return timer;
}

bool is_due(const Fd& timer) {
  pollfd p{timer.get(), POLLIN, 0};
  return poll(&p, 1, 0) != 0;
}

}  // namespace

std::optional<ProcessInfo> read_process(pid_t pid) {
  const auto text = read_file(proc(pid, "stat"), kMaxStatBytes);
  if (!text) return std::nullopt;
  // "pid (name) state ppid …": the name may hold anything, so look for its last parenthesis.
  const size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size()) return std::nullopt;
  ProcessInfo process;
  process.pid = pid;
  const char* at = text->data() + name_end + 2;
  const char* end = text->data() + text->size();
  process.state = *at;
  for (int field = 3; at < end && field <= 22; ++field) {
    const char* stop = std::find(at, end, ' ');
    if (field == 4) std::from_chars(at, stop, process.parent);
    if (field == 22) std::from_chars(at, stop, process.start_time);
    at = stop + 1;
  }
  return process;
}

std::string read_boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id", 100);
  if (!text) return {};
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

std::optional<bool> has_token(pid_t pid, const std::string& token) {
  const Environment environment = environment_of(pid, token);
  if (environment == Environment::unreadable) return std::nullopt;
  return environment == Environment::has_token;
}

std::vector<ProcessInfo> processes_of(const Belonging& server) {
  TROVE_CHECK(!server.token.empty());
  const std::set<pid_t> group = members_of(server.memory_group);
  std::map<pid_t, ProcessInfo> all;
  std::set<pid_t> ours;
  for (const pid_t pid : all_pids()) {
    const auto process = read_process(pid);
    if (!process || process->ended()) continue;
    all.emplace(pid, *process);
    const Environment environment = environment_of(pid, server.token);
    bool belongs = environment == Environment::has_token || group.contains(pid);
    if (!belongs && environment == Environment::overwritten) {
      const std::string cwd = link_target(proc(pid, "cwd"));
      belongs = std::any_of(server.directories.begin(), server.directories.end(),
                            [&](const std::string& directory) { return is_inside(cwd, directory); });
    }
    if (belongs) ours.insert(pid);
  }
  for (bool grew = !ours.empty(); grew;) {
    grew = false;
    for (const auto& [pid, process] : all) {
      if (ours.contains(process.parent) && ours.insert(pid).second) grew = true;
    }
  }
  ours.erase(getpid());
  std::vector<ProcessInfo> found;
  for (const pid_t pid : ours) {
    if (const auto it = all.find(pid); it != all.end()) found.push_back(it->second);
  }
  return found;
}

Result<void> end_processes(const Belonging& server, Millis grace) {
  // Parents before children: an agent that was told first does not start its engine again.
  const auto parents_first = [](std::vector<ProcessInfo>& processes) {
    std::set<pid_t> pids;
    for (const auto& p : processes) pids.insert(p.pid);
    std::stable_sort(processes.begin(), processes.end(), [&](const ProcessInfo& a, const ProcessInfo& b) {
      return pids.contains(a.parent) < pids.contains(b.parent);
    });
  };
  const Fd deadline = timer_of(grace);
  std::set<std::pair<pid_t, uint64_t>> told;
  while (deadline && grace.count() > 0) {
    auto processes = processes_of(server);
    if (processes.empty()) return {};
    parents_first(processes);
    std::vector<Held> held;
    for (const auto& process : processes) {
      auto h = hold(process);
      if (!h) continue;
      if (told.insert({process.pid, process.start_time}).second) {
        pidfd_send_signal(h->fd.get(), SIGTERM, nullptr, 0);
        pidfd_send_signal(h->fd.get(), SIGCONT, nullptr, 0);   // a stopped one would not hear it
      }
      held.push_back(std::move(*h));
    }
    const Fd look_again = timer_of(std::min(kLookAgain, grace));
    (void)wait_for_end(held, look_again.get());
    if (is_due(deadline)) break;
  }
  for (int round = 0; round < kMaxKillRounds; ++round) {
    const auto processes = processes_of(server);
    if (processes.empty()) return {};
    std::vector<Held> held;
    for (const auto& process : processes) {
      auto h = hold(process);
      if (!h) continue;
      pidfd_send_signal(h->fd.get(), SIGKILL, nullptr, 0);
      held.push_back(std::move(*h));
    }
    const Fd enough = timer_of(kKillRound);
    (void)wait_for_end(held, enough.get());
  }
  const auto processes = processes_of(server);
  if (processes.empty()) return {};
  std::string pids;
  for (const auto& process : processes) pids += (pids.empty() ? "" : ", ") + std::to_string(process.pid);
  return fail(Code::unavailable, "processes of " + server.token + " do not end: " + pids,
              "they wait for a device or belong to another user; it is tried again");
}

std::optional<pid_t> writer_in(const std::string& directory) {
  for (const pid_t pid : all_pids()) {
    if (!is_inside(link_target(proc(pid, "cwd")), directory)) continue;
    const auto files = list_directory(proc(pid, "fd"));
    if (!files) continue;
    for (const Entry& file : *files) {
      if (!is_inside(link_target(proc(pid, "fd") + "/" + file.name), directory)) continue;
      const auto info = read_file(proc(pid, "fdinfo") + "/" + file.name, kMaxStatBytes);
      const size_t at = info ? info->find("flags:") : std::string::npos;
      if (at == std::string::npos) continue;
      const int flags = static_cast<int>(strtol(info->c_str() + at + 6, nullptr, 8));
      if ((flags & O_ACCMODE) != O_RDONLY) return pid;
    }
  }
  return std::nullopt;
}

}  // namespace trove::local
