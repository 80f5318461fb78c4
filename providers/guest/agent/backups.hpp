// Backups to take, one at a time, on a thread of their own while the engine keeps serving. A finished one is remembered
// and never taken again; one that an agent's end interrupted is taken again under the same id, a bounded number of
// times. Called by the reconcile thread; the worker thread touches only its own job and the mutex-guarded result.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include "providers/guest/agent/memory.hpp"
#include "providers/guest/agent/plane.hpp"

namespace trove::guest {

class Backups {
 public:
  // `wake` is called from the worker thread when a job ended.
  Backups(EngineDriver& driver, Memory& memory, Plane& plane, const Clock& clock, std::function<void()> wake);
  ~Backups();                            // interrupts a job in progress; it is taken again by the next agent

  // Takes in what ended, starts what is next. `save` must make memory durable before a job begins.
  void pass(const Document& document, const std::function<void()>& save);
  std::vector<BackupState> states(const Document& document) const;
  bool busy() const { return worker_.joinable(); }

 private:
  struct Job;
  void start(const BackupOrder& order, Memory::Backup& entry);
  void collect();

  EngineDriver& driver_;
  Memory& memory_;
  Plane& plane_;
  const Clock& clock_;
  std::function<void()> wake_;
  std::unique_ptr<Job> job_;
  std::thread worker_;
  Millis next_try_{0};
};

}  // namespace trove::guest
