#include "providers/local/machine.hpp"
#include "providers/local/memory_group.hpp"
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <unordered_set>

namespace trove {

Result<std::unique_ptr<LocalCloud>> open_local_cloud(LocalOptions options) {
  const auto subnet = local::parse_subnet(options.subnet);
  if (!subnet) return tl::unexpected(subnet.error());
  if (!options.root.starts_with("/")) return fail(Code::invalid, "the local cloud's root is not an absolute path");
  std::error_code error;
  std::filesystem::create_directories(options.root, error);
  if (error) return fail(Code::invalid, "cannot make " + options.root + ": " + error.message());
  // The names by which the kernel knows our directories, for processes are recognised by where they work.
  options.root = std::filesystem::canonical(options.root, error).string();
  if (error) return fail(Code::invalid, "cannot open the local cloud's root: " + error.message());
  auto machine = std::make_unique<local::Machine>(std::move(options), *subnet);
  if (auto ready = machine->prepare(); !ready) return tl::unexpected(ready.error());
  return machine;
}

namespace local {

namespace {

constexpr size_t kTroublesShown = 3;

std::string joined(std::vector<std::string> troubles) {
  std::sort(troubles.begin(), troubles.end());
  std::string text;
  for (size_t i = 0; i < std::min(troubles.size(), kTroublesShown); ++i) text += (i ? "; " : "") + troubles[i];
  if (troubles.size() > kTroublesShown) text += "; and " + std::to_string(troubles.size() - kTroublesShown) + " more";
  return text;
}

void append(std::vector<std::string>& all, const std::vector<std::string>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

Result<void> check_token(const Token& found, const Token& wanted, const std::string& what) {
  if (!found.uid.empty() && found == wanted) return {};
  return fail(Code::denied, what + " does not carry the token " + to_string(wanted));
}

Machine::Machine(LocalOptions options, Subnet subnet)
    : options_(std::move(options)),
      subnet_(subnet),
      state_(options_.root),
      objects_(state_.objects(), options_.object_key, options_.clock, options_.rng),
      boot_(read_boot_id()) {
  const auto groups = options_.limit_memory ? read_file("/proc/self/cgroup", 64u << 10) : Result<std::string>{};
  if (groups) memory_base_ = memory_group_base(*groups);
}

Result<void> Machine::prepare() {
  if (auto ready = state_.prepare(); !ready) return ready;
  objects_.prepare();
  remove_empty_memory_groups(memory_base_);
  watcher_ = std::make_unique<Watcher>(std::vector{state_.servers(), state_.volumes(), state_.ports()});
  return resume_all();
}

Inventory Machine::observe(const std::vector<Sought>& sought) {
  Inventory seen;
  seen.as_of = options_.clock.wall();
  std::vector<std::string> trouble;
  {
    const auto lock = state_.read_lock();
    const auto servers = state_.all_servers();
    const Fd directory = open_directory(state_.servers());
    std::unordered_set<std::string> present;
    for (const ServerRecord* record : servers.rows) {
      using State = ServerRecord::State;
      Server server = record->server;
      const auto agent = state_.agent(server.id, &directory);
      const bool running = agent && is_running(**agent, to_string(server.token));
      server.status = record->state == State::deleting ? Server::Status::deleting
                      : running                        ? Server::Status::active
                      : record->state == State::build  ? Server::Status::build
                                                       : Server::Status::shutoff;
      present.insert(server.id);
      seen.servers.push_back(std::move(server));
    }
    seen.servers_known = servers.known;
    append(trouble, servers.trouble);
    // An attachment to a server that is gone is none; it is cleared on disk when the volume or port is used next.
    const auto attached = [&](const std::string& id) {
      return present.contains(id) || (!servers.known && !id.empty()) ? id : "";
    };

    const auto volumes = state_.all_volumes();
    for (const VolumeRecord* record : volumes.rows) {
      CloudVolume volume = record->volume;
      volume.server_id = attached(volume.server_id);
      volume.status = volume.server_id.empty() ? CloudVolume::Status::available : CloudVolume::Status::in_use;
      seen.volumes.push_back(std::move(volume));
    }
    seen.volumes_known = volumes.known;
    append(trouble, volumes.trouble);

    const auto ports = state_.all_ports();
    for (const PortRecord* record : ports.rows) {
      seen.ports.push_back(record->port);
      seen.ports.back().device_id = attached(record->port.device_id);
    }
    seen.ports_known = ports.known;
    append(trouble, ports.trouble);

    auto flavors = state_.flavors();
    if (!flavors) trouble.push_back(flavors.error().message);
    seen.flavors = flavors ? std::move(*flavors) : built_in_flavors();
    seen.limits = {Quota{}, Quota{}, Quota{}, Quota{}, Quota{}};  // nobody counts here
    state_.sweep();
  }
  auto objects = objects_.list();
  seen.objects = std::move(objects.objects);
  seen.objects_known = objects.known;
  append(trouble, objects.trouble);
  seen.trouble = joined(std::move(trouble));
  answer_from_lists(seen, sought);
  return seen;
}

Result<Outcome> Machine::perform(const CloudAction& action) {
  return std::visit([this](const auto& a) { return run(a); }, action);
}

Result<Outcome> Machine::run(const DeleteStoredObject& action) {
  if (auto done = objects_.remove(action.key); !done) return tl::unexpected(done.error());
  return Outcome{};
}

Result<void> Machine::check_space() const {
  const auto free = free_bytes(state_.root());
  if (!free) return tl::unexpected(free.error());
  if (*free < options_.least_free_bytes) {
    return fail(Code::no_space, "fewer than " + std::to_string(options_.least_free_bytes >> 20) +
                                    " MiB are free below " + state_.root());
  }
  return {};
}

Result<int64_t> Machine::ram_of(const std::string& flavor) {
  const auto flavors = state_.flavors();
  if (!flavors) return tl::unexpected(flavors.error());
  std::string names;
  for (const Flavor& known : *flavors) {
    if (known.name == flavor) return known.ram_mib;
    names += (names.empty() ? "" : ", ") + known.name;
  }
  return fail(Code::invalid, "FlavorNotFound: Flavor " + flavor + " could not be found", "there are: " + names);
}

std::string Machine::memory_group_of(const std::string& server_id) const {
  return memory_base_.empty() || server_id.empty() ? "" : memory_base_ + "/trove-" + server_id;
}

Belonging Machine::belonging(const std::string& server_id, const std::string& server_token,
                             const std::string& volume_id) const {
  Belonging server{server_token, {}, memory_group_of(server_id)};
  if (!server_id.empty()) server.directories.push_back(state_.server_dir(server_id));
  if (!volume_id.empty()) server.directories.push_back(state_.volume_disk(volume_id));
  return server;
}

Result<void> Machine::end_left_over(std::vector<Belonging> left_over, const std::string& except_id) {
  std::erase_if(left_over, [](const Belonging& server) { return server.token.empty(); });   // attached by hand
  if (left_over.empty()) return {};
  {
    // A server that lives carries the token again: when it was made, what was left over of the older one was ended.
    const auto lock = state_.read_lock();
    const auto servers = state_.all_servers();
    if (!servers.known) return fail(Code::unavailable, "not every server can be read: " + servers.trouble.front());
    for (const ServerRecord* record : servers.rows) {
      if (record->server.id == except_id) continue;
      std::erase_if(left_over,
                    [&](const Belonging& server) { return server.token == to_string(record->server.token); });
    }
  }
  for (const Belonging& server : left_over) {
    if (auto done = end_processes(server, options_.stop_grace); !done) return done;
    remove_memory_group(server.memory_group);
  }
  return {};
}

}  // namespace local
}  // namespace trove
