// The processes of one server, found in /proc and ended. Nothing is signalled that does not belong to the server beyond
// doubt, and never a process that took over a pid meanwhile. Free functions; thread-safe. Waits are real and bounded.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::local {

inline constexpr const char* kServerVariable = "TROVE_SERVER";   // in the environment of all that a server runs

struct ProcessInfo {
  pid_t pid = 0, parent = 0;
  char state = '?';
  uint64_t start_time = 0;         // clock ticks since boot
  bool ended() const { return state == 'Z' || state == 'X'; }
};
std::optional<ProcessInfo> read_process(pid_t pid);   // nullopt: there is none
std::string read_boot_id();                           // changes with every start of the machine
// nullopt when the environment cannot be read.
std::optional<bool> has_token(pid_t pid, const std::string& token);

// How a server's processes are known: TROVE_SERVER in their environment; a parent of whom that is true; the server's
// memory cgroup; or a place of work inside its directories by one whose environment its own title overwrote (Redis,
// PostgreSQL).
struct Belonging {
  std::string token;                       // text; never empty
  std::vector<std::string> directories;    // of the server and its volume, absolute
  std::string memory_group;                // "" = none
};
std::vector<ProcessInfo> processes_of(const Belonging& server);   // by pid; ended ones left out; never the caller

// SIGTERM to all, the agents first; SIGKILL to what is left after `grace`. Ends when none is left. unavailable: some
// cannot be ended (their pids are named).
Result<void> end_processes(const Belonging& server, Millis grace);

// A process that works inside `directory` with a file open for writing there, whosever it is.
std::optional<pid_t> writer_in(const std::string& directory);

}  // namespace trove::local
