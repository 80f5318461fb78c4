// Changes of several kinds as one queue. Each kind has a thread that lists, then follows the server's stream, and
// starts over when the stream breaks; so after any trouble the reader gets a whole new list and misses nothing. One
// reader; its constructor's thread owns it. Destroying it ends the threads.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include "cli/api.hpp"
#include "cli/context.hpp"

namespace trove::cli {

inline constexpr size_t kWatchQueue = 4096;
inline constexpr Millis kWatchRetryFirst{250};
inline constexpr Millis kWatchRetryMost{5'000};

struct WatchEvent {
  enum class What { listed, changed, deleted, trouble } what = What::listed;
  const Kind* kind = nullptr;
  std::vector<Value> objects;   // listed: all there are; changed, deleted: one
  Failure failure;              // trouble: it goes on trying
};

class Watcher {
 public:
  // The selectors go into the lists; a stream is filtered by the reader.
  Watcher(const Settings& settings, Interrupt& interrupt, std::vector<const Kind*> kinds, std::string selector = {},
          std::string fields = {});
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  // nullopt: nothing within `most`, or interrupted.
  std::optional<WatchEvent> next(Millis most);

 private:
  void follow(const Kind& kind);
  void push(WatchEvent event);
  bool stopped_after(Millis pause);

  const Settings settings_;
  Interrupt& interrupt_;
  const std::string selector_, fields_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<WatchEvent> queue_;
  std::vector<Api*> open_;      // the connections in use, to be stopped
  bool stop_ = false;
  bool interrupted_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace trove::cli
