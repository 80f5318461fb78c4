// The files of the local cloud as structs: what Nova, Cinder and Neutron keep in their databases. Decoding is strict: a
// file that does not fit is corrupt, and then unknown, never absent. Plain values; thread-safe.
#pragma once
#include <string>
#include <vector>
#include "providers/cloud.hpp"

namespace trove::local {

inline constexpr size_t kMaxRecordBytes = 64u << 10;

struct PortRecord {
  Port port;
  std::string project;
  std::string server_token;      // of the server that uses it, as text: finds its processes when its directory is gone
};
struct VolumeRecord {
  CloudVolume volume;            // status is not kept: it follows from the attachment
  std::string project;
  std::string server_token;      // as in PortRecord
};
struct ServerRecord {
  Server server;                 // status is not kept: it follows from `state` and the agent's process
  std::string project, datastore, version;
  // build: reserved, its agent never started; built: once started; deleting: on its way out, whatever happens.
  enum class State { build, built, deleting } state = State::build;
};
// Which process runs a server. Times of start differ after a reuse of the pid, boots after a reboot.
struct AgentRecord {
  int pid = 0;
  uint64_t start_time = 0;       // clock ticks since boot, field 22 of /proc/<pid>/stat
  std::string boot;              // of this boot of the machine
  std::string memory_group;      // directory of its memory cgroup; "" = none
};

Value to_value(const PortRecord& record);
Value to_value(const VolumeRecord& record);
Value to_value(const ServerRecord& record);
Value to_value(const AgentRecord& record);

// corrupt: what is wrong. `id` is the one the file's name claims.
Result<PortRecord> port_from(const Value& value, const std::string& id);
Result<VolumeRecord> volume_from(const Value& value, const std::string& id);
Result<ServerRecord> server_from(const Value& value, const std::string& id);
Result<AgentRecord> agent_from(const Value& value, const std::string& id);

// flavors.json under the root, [{"name", "ram", "vcpus"}] with Nova's words (ram in MiB), replaces this table.
std::vector<Flavor> built_in_flavors();
Result<std::vector<Flavor>> flavors_from(const Value& value, const std::string& id);

}  // namespace trove::local
