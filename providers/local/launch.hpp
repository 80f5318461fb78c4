// Starting an agent so that it outlives us: its own session, no descriptor of ours, a lock that only one agent of a
// server and one of a volume can hold. Free functions; thread-safe.
#pragma once
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::local {

struct Launch {
  std::string program;                       // absolute
  std::vector<std::string> arguments;        // without the program
  std::vector<std::string> environment;      // all of it
  std::string log_file;                      // stdout and stderr, appended
  // Locked by the agent itself (fcntl, so its children do not inherit them) for as long as it lives, on descriptors 3
  // and 4.
  std::string server_lock, volume_lock;      // volume_lock "" = none
  std::string memory_group;                  // joined before the program starts, where that works; "" = none
};
// The agent's pid. conflict: another one holds a lock. unavailable: it could not be started; the message says why.
Result<pid_t> launch_detached(const Launch& launch);

// Who holds such a lock; nullopt when nobody does.
std::optional<pid_t> lock_holder(const std::string& path);

}  // namespace trove::local
