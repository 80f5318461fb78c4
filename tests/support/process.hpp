// A program under test: started with a plain argv, its output kept, and the whole process group killed at the end.
// Owned by one test thread; a thread of its own feeds stdin and collects output, so a chatty program never blocks.
#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <thread>
#include <vector>
#include "specs/core/result.hpp"

namespace trove {

struct ProcessOptions {
  std::vector<std::string> env;      // "KEY=value"; added to the environment of the test, and wins over it
  bool clean_env = false;            // nothing but `env`
  std::string directory;             // "" = where the test runs
  std::string input;                 // fed to stdin at once
  bool close_stdin = true;           // after `input`; false when the test will feed() more
};

// How a program ended: by itself (code) or by a signal (code is 128 + signal, as a shell says).
struct Exit {
  int code = 0;
  int signal = 0;
  bool timed_out = false;            // killed because the deadline passed
  std::string out, err;
};

class Process {
 public:
  // argv[0] is searched in PATH when it holds no slash. Throws std::system_error when it cannot be started.
  explicit Process(std::vector<std::string> argv, ProcessOptions options = {});
  ~Process();                        // SIGKILL to the group, then reaped
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void feed(std::string_view bytes);
  void close_stdin();
  void signal(int number);           // to the whole group
  bool running();
  // Waits for the end; empty when `deadline` passed first (the program goes on).
  std::optional<Exit> wait(Millis deadline);
  // What was written so far.
  std::string out() const;
  std::string err() const;
  // True once `text` was written to either stream; false when `deadline` passes or the program ends without it.
  bool wait_for(std::string_view text, Millis deadline);

 private:
  void collect();
  void wake();
  bool reap(Millis deadline);

  pid_t pid_ = -1;
  int pid_fd_ = -1, wake_fd_ = -1;
  int in_fd_ = -1, out_fd_ = -1, err_fd_ = -1;
  std::optional<int> status_;        // of waitpid
  mutable std::mutex mutex_;         // guards what follows
  std::condition_variable changed_;
  std::string pending_input_, out_, err_;
  bool input_ends_ = false, drained_ = false, stop_ = false;
  std::thread collector_;
};

// Start, feed, wait, collect. On the deadline the group is killed and timed_out is set.
Exit run(std::vector<std::string> argv, ProcessOptions options = {}, Millis deadline = Millis{30'000});

}  // namespace trove
