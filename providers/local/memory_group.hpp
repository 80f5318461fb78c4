// Memory limits of servers: one memory cgroup each (version 1 or 2) below this process's own. A convenience: where this
// user may not make them, there are none and nothing else changes. Free functions on paths; thread-safe.
#pragma once
#include <cstdint>
#include <string>

namespace trove::local {

// The directory under which groups can be made, "" when there is none. `proc_self_cgroup` is the text of
// /proc/self/cgroup, `mount` where cgroups are mounted.
std::string memory_group_base(const std::string& proc_self_cgroup, const std::string& mount = "/sys/fs/cgroup");
// Makes <base>/trove-<id>, or takes the one that is there; "" when it may not.
std::string make_memory_group(const std::string& base, const std::string& id, int64_t ram_mib);
bool limit_memory_group(const std::string& group,
                        int64_t ram_mib);  // flavor plus a quarter: page cache, backups, the agent
void remove_memory_group(const std::string& group);                   // while it still has processes: stays
// At a start: groups without processes, whoever left them. A server that starts again makes its own again.
void remove_empty_memory_groups(const std::string& base);

}  // namespace trove::local
