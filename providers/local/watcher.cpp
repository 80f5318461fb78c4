#include "providers/local/watcher.hpp"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
extern "C" {
#include <sys/pidfd.h>   // glibc 2.36 forgot to say so itself
}
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include "providers/local/processes.hpp"

namespace trove::local {

namespace {

constexpr uint64_t kStop = 1ull << 63, kRemovals = 1ull << 62;   // beside these an event carries a pid
constexpr int kEventsAtOnce = 64;
constexpr std::string_view kJson = ".json";

bool is_ours(std::string_view name) {
  if (name.ends_with(kJson)) name.remove_suffix(kJson.size());
  return is_uuid(name);
}

bool add(const Fd& epoll, int fd, uint64_t data) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = data;
  return epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

size_t room() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 256;
  return std::min<size_t>(Watcher::kMaxWatched, files.rlim_cur / 2);
}

// True when something that could be ours went.
bool read_removals(int fd) {
  alignas(inotify_event) char buffer[16'384];
  bool found = false;
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return found;
    for (ssize_t at = 0; at < n;) {
      inotify_event event;
      memcpy(&event, buffer + at, sizeof event);
      const char* name = buffer + at + sizeof event;
      found = found || (event.mask & IN_Q_OVERFLOW) || (event.len > 0 && is_ours(name));
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

}  // namespace

Watcher::Watcher(const std::vector<std::string>& directories)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      removals_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      most_(room()) {
  TROVE_CHECK(epoll_ && stop_ && add(epoll_, stop_.get(), kStop));
  // Without inotify (its instances are limited per user) a removal is seen by the next regular observation.
  if (removals_) {
    for (const auto& directory : directories)
      inotify_add_watch(removals_.get(), directory.c_str(), IN_DELETE | IN_MOVED_FROM);
    add(epoll_, removals_.get(), kRemovals);
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);   // signals are for the program's main thread
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watcher::~Watcher() {
  on_change({});
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t n = write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void Watcher::on_change(std::function<void()> callback) {
  const std::lock_guard lock(calling_);
  callback_ = std::move(callback);
}

bool Watcher::watch(pid_t pid, uint64_t start_time) {
  const std::lock_guard lock(mutex_);
  const std::pair key(pid, start_time);
  if (agents_.contains(key)) return true;
  if (agents_.size() >= most_) return false;
  Fd fd(pidfd_open(pid, 0));
  if (!fd) return false;
  const auto now = read_process(pid);
  if (!now || now->start_time != start_time) return false;
  if (!add(epoll_, fd.get(), static_cast<uint64_t>(pid))) return false;
  agents_.emplace(key, std::move(fd));
  return true;
}

bool Watcher::is_alive(pid_t pid, uint64_t start_time) {
  const std::lock_guard lock(mutex_);
  const auto it = agents_.find({pid, start_time});
  if (it == agents_.end()) return false;
  pollfd p{it->second.get(), POLLIN, 0};   // the thread may not have been told yet
  return poll(&p, 1, 0) == 0;
}

void Watcher::tell() {
  const std::lock_guard lock(calling_);
  if (callback_) {
    const auto callback = callback_;   // it may replace itself
    callback();
  }
}

void Watcher::run() {
  epoll_event events[kEventsAtOnce];
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, -1);
    if (count < 0 && errno != EINTR) return;
    bool news = false;
    for (int i = 0; i < count; ++i) {
      const uint64_t what = events[i].data.u64;
      if (what == kStop) return;
      if (what == kRemovals) {
        news = read_removals(removals_.get()) || news;
        continue;
      }
      const std::lock_guard lock(mutex_);
      const auto pid = static_cast<pid_t>(what);
      for (auto it = agents_.lower_bound({pid, 0}); it != agents_.end() && it->first.first == pid;) {
        pollfd p{it->second.get(), POLLIN, 0};
        it = poll(&p, 1, 0) != 0 ? agents_.erase(it) : std::next(it);
        news = true;
      }
    }
    if (news) tell();
  }
}

}  // namespace trove::local
