// Where effects run: threads in production, at once in a simulation.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace trove {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> work) = 0;
};

class InlineExecutor final : public Executor {
 public:
  void post(std::function<void()> work) override { work(); }
};

// The queue's bound is the loop's own: it has at most kMaxInFlight effects out.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(int threads);
  ~ThreadExecutor() override;
  void post(std::function<void()> work) override;
  // Finishes what has begun, drops the rest, joins. Before whatever the work refers to goes away.
  void stop();

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace trove
