#include "providers/local/memory_group.hpp"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include "providers/local/files.hpp"

namespace trove::local {

namespace {

constexpr std::string_view kName = "trove-";
constexpr int kRemovalTries = 20;        // the kernel lets go of a killed process a little after its end
constexpr int kRemovalPause_ms = 10;

bool write_value(const std::string& path, const std::string& value) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

// The path behind "N:<controllers>:" in a line of /proc/self/cgroup.
bool path_for(const std::string& text, const std::string& controller, std::string& path) {
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const size_t first = line.find(':'), second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers.find("," + controller + ",") == std::string::npos) continue;
    path = line.substr(second + 1);
    return true;
  }
  return false;
}

}  // namespace

std::string memory_group_base(const std::string& proc_self_cgroup, const std::string& mount) {
  std::string own;
  if (path_for(proc_self_cgroup, "memory", own)) {
    const std::string base = mount + "/memory" + (own == "/" ? "" : own);
    return access((base + "/memory.limit_in_bytes").c_str(), F_OK) == 0 && access(base.c_str(), W_OK) == 0 ? base : "";
  }
  if (!path_for(proc_self_cgroup, "", own)) return {};
  // Version 2 keeps processes in leaves only, so the controller must have been handed down to children already: by
  // systemd's Delegate= to a service that moved its processes into a child, or by whoever made this tree.
  const std::string base = mount + (own == "/" ? "" : own);
  const auto handed_down = read_file(base + "/cgroup.subtree_control", 4096);
  if (!handed_down || handed_down->find("memory") == std::string::npos || access(base.c_str(), W_OK) != 0) return {};
  return base;
}

std::string make_memory_group(const std::string& base, const std::string& id, int64_t ram_mib) {
  if (base.empty()) return {};
  const std::string group = base + "/" + std::string(kName) + id;
  if (mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return {};
  if (!limit_memory_group(group, ram_mib)) {
    rmdir(group.c_str());
    return {};
  }
  return group;
}

bool limit_memory_group(const std::string& group, int64_t ram_mib) {
  const std::string bytes = std::to_string((ram_mib + ram_mib / 4) << 20);
  return write_value(group + "/memory.max", bytes) || write_value(group + "/memory.limit_in_bytes", bytes);
}

void remove_memory_group(const std::string& group) {
  if (group.empty()) return;
  for (int n = 0; n < kRemovalTries && rmdir(group.c_str()) != 0 && errno == EBUSY; ++n)
    poll(nullptr, 0, kRemovalPause_ms);
}

void remove_empty_memory_groups(const std::string& base) {
  const auto entries = base.empty() ? Result<std::vector<Entry>>{} : list_directory(base);
  for (const Entry& entry : entries ? *entries : std::vector<Entry>{}) {
    if (!entry.directory || !entry.name.starts_with(kName)) continue;
    if (is_uuid(std::string_view(entry.name).substr(kName.size()))) rmdir((base + "/" + entry.name).c_str());
  }
}

}  // namespace trove::local
