// Wakes the loop when an agent dies or something is removed by hand, so that nothing has to poll for it. Owned by the
// local cloud; one thread of its own; every method may be called from any thread.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <sys/types.h>
#include <thread>
#include <vector>
#include "providers/local/files.hpp"

namespace trove::local {

class Watcher {
 public:
  static constexpr size_t kMaxWatched = 8'192;    // agents; and never more than half of the descriptors we may open

  // `directories`: of entries named by a UUID, whose removal is news.
  explicit Watcher(const std::vector<std::string>& directories);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Waits for a call in progress to end, unless called from it.
  void on_change(std::function<void()> callback);
  // Holds on to a process that was just seen alive. False: no room; ask /proc each time instead.
  bool watch(pid_t pid, uint64_t start_time);
  // True only while it is watched and has not ended.
  bool is_alive(pid_t pid, uint64_t start_time);

 private:
  void run();
  void tell();

  Fd epoll_, stop_, removals_;
  size_t most_;
  std::mutex mutex_;                                              // guards agents_
  std::map<std::pair<pid_t, uint64_t>, Fd> agents_;
  std::recursive_mutex calling_;                                  // guards callback_; held while it runs
  std::function<void()> callback_;
  std::thread thread_;
};

}  // namespace trove::local
