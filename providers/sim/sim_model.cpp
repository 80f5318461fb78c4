#include "providers/sim/sim_model.hpp"
#include <algorithm>
#include "specs/core/digest.hpp"

namespace trove {

namespace {
constexpr size_t kMostDeleted = 10'000;
}

std::string sim_mac(const Token& token) {
  const std::string hash = sha256_raw(to_string(token));
  std::string bytes = hash.substr(0, 6);
  bytes[0] = static_cast<char>((static_cast<unsigned char>(bytes[0]) & 0xFC) | 0x02);
  std::string mac;
  for (char c : bytes) mac += (mac.empty() ? "" : ":") + to_hex(std::string_view(&c, 1));
  return mac;
}

std::string SimModel::new_id() {
  if (options.uuids) return new_uid(rng_);
  return "sim-" + std::to_string(++next_id_);
}

const Flavor* SimModel::flavor(const std::string& name) const {
  for (const Flavor& flavor : options.flavors)
    if (flavor.name == name) return &flavor;
  return nullptr;
}

Limits SimModel::limits() const {
  Quota instances{static_cast<int64_t>(servers.size()), options.max_servers}, cores{0, options.max_cores},
      ram{0, options.max_ram_mib}, held{static_cast<int64_t>(volumes.size()), options.max_volumes},
      gigabytes{0, options.max_gigabytes};
  for (const auto& [id, server] : servers)
    if (const Flavor* known = flavor(server.flavor)) cores.used += known->vcpus, ram.used += known->ram_mib;
  for (const auto& [id, volume] : volumes) gigabytes.used += volume.size_gib;
  return {instances, cores, ram, held, gigabytes};
}

// In Nova's words, which name every quota that is exceeded.
SimResult<void> SimModel::check_compute(int64_t more_servers, int64_t more_cores, int64_t more_ram_mib) const {
  const Limits now = limits();
  std::string over, asked, used, most;
  const auto look = [&](const char* name, const Quota& quota, int64_t more) {
    if (quota.most < 0 || more <= 0 || quota.used + more <= quota.most) return;
    for (auto [text, what] : {std::pair{&over, std::string(name)}, std::pair{&asked, std::to_string(more)},
                              std::pair{&used, std::to_string(quota.used)}, std::pair{&most, std::to_string(quota.most)}})
      *text += (text->empty() ? "" : ", ") + what;
  };
  look("cores", *now.cores, more_cores);
  look("instances", *now.instances, more_servers);
  look("ram", *now.ram_mib, more_ram_mib);
  if (over.empty()) return {};
  return refuse(Code::no_space, 403, "",
                "Quota exceeded for " + over + ": Requested " + asked + ", but already used " + used + " of " + most + " " +
                    over);
}

bool SimModel::is_hidden(const std::string& server) const {
  const auto more = server_more.find(server);
  return more != server_more.end() && (cell_down || more->second.hidden);
}

// ---- What happens later -------------------------------------------------------------------------------------------

void SimModel::later(Millis wait, Step step, const std::string& id, const std::string& other) {
  cancel(id);
  const TaskKey key{running_at_.value_or(clock_.monotonic()) + wait, ++next_task_};
  tasks_.emplace(key, Task{step, id, other});
  pending_[id] = key;
}

Time SimModel::now() const {
  if (!running_at_) return clock_.wall();
  return clock_.wall() - (clock_.monotonic() - *running_at_);
}

void SimModel::cancel(const std::string& id) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  tasks_.erase(found->second);
  pending_.erase(found);
}

std::optional<Millis> SimModel::next_change() const {
  if (tasks_.empty()) return std::nullopt;
  return std::max(tasks_.begin()->first.first - clock_.monotonic(), Millis{0});
}

void SimModel::settle() {
  const Millis now = clock_.monotonic();
  while (!tasks_.empty() && tasks_.begin()->first.first <= now) {
    auto node = tasks_.extract(tasks_.begin());
    running_at_ = node.key().first;
    pending_.erase(node.mapped().id);
    run(node.mapped());
    running_at_.reset();
  }
}

void SimModel::run(const Task& task) {
  const auto server = servers.find(task.id);
  const auto volume = volumes.find(task.id);
  const bool of_volume = task.step >= Step::volume_created;
  if (of_volume ? volume == volumes.end() : server == servers.end()) return;
  switch (task.step) {
    case Step::claim_port:
      return claim_ports(task.id);
    case Step::begin_attach:
      return begin_attachments(task.id);
    case Step::built:
      return finish_build(task.id);
    case Step::server_gone:
      return drop_server(task.id);
    case Step::started:
    case Step::rebuilt:
      ++server_more[task.id].boots;
      return set_status(task.id, Server::Status::active);
    case Step::stopped:
      return set_status(task.id, Server::Status::shutoff);
    case Step::resized:
      if (server_more[task.id].doomed) {
        server_more[task.id].doomed = false;
        return break_server(task.id, "No valid host was found. There are not enough hosts available.");
      }
      server->second.flavor = task.other;
      ++server_more[task.id].boots;
      return set_status(task.id, Server::Status::verify_resize);
    case Step::reverted:
      server->second.flavor = task.other;
      ++server_more[task.id].boots;
      [[fallthrough]];
    case Step::confirmed:
      return set_status(task.id, server_more[task.id].was_off ? Server::Status::shutoff : Server::Status::active);
    case Step::volume_created:
      return set_status(volume->second,
                        volume_more[task.id].doomed ? CloudVolume::Status::error : CloudVolume::Status::available);
    case Step::volume_gone:
      if (volume_more[task.id].stuck) {
        volume_more[task.id].stuck = false;
        return set_status(volume->second, CloudVolume::Status::error_deleting);
      }
      return drop_volume(task.id);
    case Step::volume_extended: {
      SimVolumeMore& more = volume_more[task.id];
      const bool failed = std::exchange(more.doomed, false);
      if (!failed) volume->second.size_gib = more.growing_to;
      more.growing_to = 0;
      if (failed) return set_status(volume->second, CloudVolume::Status::error_extending);
      return set_status(volume->second, volume->second.server_id.empty() ? CloudVolume::Status::available
                                                                         : CloudVolume::Status::in_use);
    }
    case Step::volume_retyped: {
      SimVolumeMore& more = volume_more[task.id];
      if (!std::exchange(more.doomed, false)) volume->second.type = more.retyping_to;
      more.retyping_to.clear();
      return set_status(volume->second, volume->second.server_id.empty() ? CloudVolume::Status::available
                                                                         : CloudVolume::Status::in_use);
    }
    case Step::attached:
      if (volume->second.server_id == task.other) set_status(volume->second, CloudVolume::Status::in_use);
      return;
    case Step::detached:
      return release_volume(task.id);
  }
}

// ---- Nova's build -------------------------------------------------------------------------------------------------

void SimModel::set_status(const std::string& id, Server::Status status, std::string task) {
  servers.at(id).status = status;
  server_more[id].task = std::move(task);
  server_more[id].updated = now();
}

void SimModel::set_status(CloudVolume& volume, CloudVolume::Status status) {
  volume.status = status;
  volume_more[volume.id].updated = now();
}

void SimModel::claim_ports(const std::string& id) {
  SimServerMore& more = server_more[id];
  if (more.doomed) return fail_build(id, "No valid host was found. There are not enough hosts available.");
  for (const std::string& port : more.ports) {
    const auto found = ports.find(port);
    if (found == ports.end()) return fail_build(id, "Port " + port + " could not be found.");
    if (!found->second.device_id.empty() && found->second.device_id != id)
      return fail_build(id, "Port " + port + " is still in use.");
  }
  for (const std::string& port : more.ports) {
    ports[port].device_id = id;
    port_more[port].device_owner = "compute:nova";
    port_more[port].updated = now();
  }
  more.port_claimed = true;
  more.task = "spawning";
  const Millis rest = options.server_build - options.port_claim - options.attach;
  later(std::max(rest, Millis{0}), Step::begin_attach, id);
}

void SimModel::begin_attachments(const std::string& id) {
  for (const std::string& volume : server_more[id].volumes) {
    const auto found = volumes.find(volume);
    if (found == volumes.end() || found->second.server_id != id)
      return fail_build(id, "Volume " + volume + " could not be found.");
    set_status(found->second, CloudVolume::Status::attaching);
  }
  later(options.attach, Step::built, id);
}

void SimModel::finish_build(const std::string& id) {
  for (const std::string& volume : server_more[id].volumes) {
    const auto found = volumes.find(volume);
    if (found == volumes.end() || found->second.server_id != id)
      return fail_build(id, "Volume " + volume + " could not be found.");
    set_status(found->second, CloudVolume::Status::in_use);
  }
  ++server_more[id].boots;
  set_status(id, Server::Status::active);
}

// A port of ours is unbound again; a volume stays reserved until the row is deleted.
void SimModel::fail_build(const std::string& id, std::string why) {
  unbind_ports(id, server_more[id].ports);
  server_more[id].port_claimed = false;
  servers.at(id).fault = std::move(why);
  set_status(id, Server::Status::error);
}

// ---- Behind everybody's back --------------------------------------------------------------------------------------

void SimModel::release_volume(const std::string& id) {
  const auto found = volumes.find(id);
  if (found == volumes.end()) return;
  CloudVolume& volume = found->second;
  SimVolumeMore& more = volume_more[id];
  if (const auto holder = server_more.find(volume.server_id); holder != server_more.end()) {
    std::erase(holder->second.volumes, id);
    Server& server = servers.at(holder->first);
    if (server.volume_id == id) server.volume_id = holder->second.volumes.empty() ? "" : holder->second.volumes.front();
  }
  volume.server_id.clear();
  more.attachment_id.clear();
  more.device.clear();
  using Status = CloudVolume::Status;
  for (Status held : {Status::reserved, Status::attaching, Status::in_use, Status::detaching})
    if (volume.status == held) return cancel(id), set_status(volume, Status::available);
}

void SimModel::drop_server(const std::string& id) {
  const auto found = servers.find(id);
  if (found == servers.end()) return;
  cancel(id);
  SimServerMore more = std::move(server_more[id]);
  server_more.erase(id);
  for (const std::string& volume : more.volumes)
    if (const auto held = volumes.find(volume); held != volumes.end() && held->second.server_id == id)
      release_volume(volume);
  unbind_ports(id, more.ports);
  for (const std::string& port : more.own_ports) drop_port(port);
  more.task.clear();
  more.updated = now();
  deleted_servers.push_back({std::move(found->second), std::move(more), now()});
  if (deleted_servers.size() > kMostDeleted) deleted_servers.pop_front();
  servers.erase(found);
  disks.erase(id);
}

void SimModel::unbind_ports(const std::string& server, const std::vector<std::string>& held) {
  for (const std::string& port : held)
    if (const auto found = ports.find(port); found != ports.end() && found->second.device_id == server)
      found->second.device_id.clear(), port_more[port].device_owner.clear();
}

void SimModel::break_server(const std::string& id, const std::string& fault) {
  cancel(id);
  servers.at(id).fault = fault;
  set_status(id, Server::Status::error);
}

void SimModel::halt_server(const std::string& id) {
  cancel(id);
  set_status(id, Server::Status::shutoff);
}

// Nova goes on believing that the server has it.
void SimModel::drop_volume(const std::string& id) {
  cancel(id);
  volumes.erase(id);
  volume_more.erase(id);
  disks.erase(id);
}

void SimModel::drop_port(const std::string& id) {
  const auto found = ports.find(id);
  if (found == ports.end()) return;
  if (const auto holder = server_more.find(found->second.device_id); holder != server_more.end()) {
    std::erase(holder->second.ports, id);
    Server& server = servers.at(holder->first);
    if (server.port_id == id) server.port_id = holder->second.ports.empty() ? "" : holder->second.ports.front();
  }
  const SimPortMore& more = port_more[id];
  for (auto [index, key] : {std::pair{&by_address_, more.network + " " + found->second.address},
                            std::pair{&by_mac_, more.network + " " + more.mac}})
    if (const auto entry = index->find(key); entry != index->end() && entry->second == id) index->erase(entry);
  ports.erase(found);
  port_more.erase(id);
}

}  // namespace trove
