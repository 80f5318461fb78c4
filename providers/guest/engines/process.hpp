// Processes that the agent starts: engines, which outlive it, and tools, which do not. Arguments are argv, never a
// shell's. Children get a small environment and TROVE_SERVER, by which the cloud finds what a dead server left behind.
// Free functions are thread-safe; a Tool belongs to one thread at a time.
#pragma once
#include <sys/types.h>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::guest {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Says "give up" to long work; set from any thread, never unset.
class Cancel {
 public:
  Cancel();
  void set();
  bool is_set() const { return set_.load(std::memory_order_relaxed); }
  int fd() const { return event_.get(); }        // readable once set

 private:
  std::atomic<bool> set_{false};
  UniqueFd event_;
};

struct OsUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};
OsUser current_os_user();
std::optional<OsUser> find_os_user(const std::string& name);

struct Spawn {
  std::vector<std::string> argv;     // argv[0] is an absolute path
  OsUser user;                       // switched to when it is not the agent's own
  int in = -1, out = -1, err = -1;   // -1 = /dev/null
  std::string directory = "/";
};
// Starts a process in a session of its own. not_found when the program is missing, unavailable for anything else.
Result<pid_t> spawn(const Spawn& what);

// A process that cannot be mistaken for a later one with the same number.
struct ProcessMark {
  pid_t pid = 0;
  uint64_t started = 0;              // clock ticks after boot, from /proc/<pid>/stat
  friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};
std::optional<ProcessMark> mark_process(pid_t pid);      // nullopt: gone, or a zombie
bool is_alive(const ProcessMark& mark);
void reap(pid_t pid);                                    // collects an ended child; does nothing for anything else
UniqueFd watch_process(pid_t pid);                       // readable when it ended
// The topmost process called `program` that works in `directory` and carries our TROVE_SERVER: an engine whose pid file
// was never written.
std::optional<ProcessMark> find_ours(const std::string& program, const std::string& directory);
bool is_called(pid_t pid, const std::string& program);   // by the kernel's 15 characters
// Sends the signal, waits, then kills the whole session. True when it is gone.
bool end_process(const ProcessMark& mark, int signal, Millis patience, const Cancel* cancel);

// A helper program with pipes. Ended (with its session) when the object goes.
class Tool {
 public:
  struct Options {
    std::vector<std::string> argv;
    OsUser user;
    bool pipe_in = false, pipe_out = false;
    std::string log_file;            // stderr, and stdout when it is not piped; its end explains a failure
    std::string directory = "/";
  };
  static Result<std::unique_ptr<Tool>> start(Options options);
  ~Tool();
  Tool(const Tool&) = delete;
  Tool& operator=(const Tool&) = delete;
  int in() const { return in_.get(); }
  int out() const { return out_.get(); }
  void close_in() { in_.reset(); }
  UniqueFd take_out() { return std::move(out_); }
  // Waits for the end. An exit code other than 0 is an Error with the log's last words.
  Result<void> finish(Millis deadline, const Cancel& cancel);
  void end();                        // at once; harmless when it has ended
  int exit_code() const { return exit_code_; }  // after finish(); -1 = a signal, or not its own end

 private:
  Tool() = default;
  Options options_;
  pid_t pid_ = 0;
  bool ended_ = false;
  int exit_code_ = -1;
  int64_t log_from_ = 0;
  UniqueFd in_, out_, watch_;
};
Result<void> run_tool(Tool::Options options, Millis deadline, const Cancel& cancel);

// The first of these that is an executable file; "" when none is.
std::string find_program(const std::vector<std::string>& paths);

// Waits until `ms` passed or cancel was set; true when cancelled. Lives here because polling is what agents do.
bool pause_for(Millis ms, const Cancel& cancel);

}  // namespace trove::guest
