// The threads around a Loop: its own, and one that carries the store's changes to it. Owned by main.
#pragma once
#include <atomic>
#include <memory>
#include <thread>
#include "reconciler/loop/loop.hpp"

namespace trove {

class Runner {
 public:
  // Loads the loop and starts both threads.
  static Result<std::unique_ptr<Runner>> start(Loop& loop, Store& store);
  ~Runner();  // stops and joins

 private:
  Runner(Loop& loop, Store& store) : loop_(loop), store_(store) {}
  void pump();
  void read_again();
  void run();

  Loop& loop_;
  Store& store_;
  std::unique_ptr<Watch> watch_;
  std::atomic<bool> stopping_{false};
  std::thread pump_thread_, loop_thread_;
};

}  // namespace trove
