// Another program, run to its end: argv without a shell, an environment of its own, a deadline, bounds on what it may
// print, and the whole process group killed when any of them is passed or the work is called off. Blocks the caller;
// `Cancel` may be used from any thread.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/core/time.hpp"

namespace trove::gitops {

// Ends what is running, and everything that is started later.
class Cancel {
 public:
  Cancel();
  ~Cancel();
  Cancel(const Cancel&) = delete;
  Cancel& operator=(const Cancel&) = delete;
  void cancel();
  bool cancelled() const { return cancelled_; }
  int fd() const { return fd_; }  // readable once cancelled

 private:
  int fd_ = -1;
  std::atomic<bool> cancelled_{false};
};

struct ProcessOrder {
  std::vector<std::string> argv;         // argv[0] is looked for in PATH
  std::vector<std::string> environment;  // nothing else is passed on
  std::string input;
  Millis deadline{30'000};
  size_t most_output = 64u << 20;  // of stdout; passing it is an error
  // Asked about ten times a second; an error ends the program with it.
  std::function<Result<void>()> watch;
};
struct Ran {
  int code = 0;     // exit status; 128 + signal
  std::string out;  // stdout
  std::string err;  // stderr, its last 16 KiB
};

// unavailable: not started, called off, or past its deadline (with a message that says which). too_large: too much output. Otherwise what `watch` says, or how it ended.
Result<Ran> run_process(const ProcessOrder& order, const Clock& clock, const Cancel& cancel);

}  // namespace trove::gitops
