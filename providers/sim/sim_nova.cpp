// Nova's verbs.
#include <algorithm>
#include "providers/sim/sim_model.hpp"

namespace trove {

namespace {

std::string_view vm_state(Server::Status status) {
  switch (status) {
    case Server::Status::build:
      return "building";
    case Server::Status::shutoff:
      return "stopped";
    case Server::Status::verify_resize:
      return "resized";
    case Server::Status::error:
      return "error";
    default:
      return "active";
  }
}

constexpr size_t kMostDeeds = 1000;  // of one server

std::string no_server(const std::string& id) { return "Instance " + id + " could not be found."; }

}  // namespace

SimResult<Server*> SimModel::reachable_server(const std::string& id) {
  const auto found = servers.find(id);
  if (found == servers.end()) return refuse(Code::not_found, 404, "", no_server(id));
  if (is_hidden(id)) return refuse(Code::unavailable, 503, "", "The cell of instance " + id + " does not answer.");
  return &found->second;
}

void SimModel::note_deed(const std::string& server, std::string_view action) {
  auto& deeds = server_more[server].deeds;
  if (deeds.size() >= kMostDeeds) deeds.erase(deeds.begin());
  deeds.push_back({std::string(action), acting, "req-" + std::to_string(++next_request_), now()});
}

// A task in progress, or a state that the action is not for: 409.
SimResult<Server*> SimModel::idle_server(const std::string& id, std::string_view action,
                                         std::initializer_list<Server::Status> allowed) {
  auto server = reachable_server(id);
  if (!server) return server;
  const std::string& task = server_more[id].task;
  const auto state = (*server)->status;
  const bool fits = std::find(allowed.begin(), allowed.end(), state) != allowed.end();
  if (task.empty() && fits) return server;
  const bool building = state == Server::Status::build;
  const std::string why = task.empty() || building ? "vm_state " + std::string(vm_state(state)) : "task_state " + task;
  return refuse(Code::conflict, 409, "",
                "Cannot '" + std::string(action) + "' instance " + id + " while it is in " + why);
}

SimResult<CloudVolume*> SimModel::reserve_volume(const std::string& id) {
  const auto found = volumes.find(id);
  if (found == volumes.end())
    return refuse(Code::not_found, 404, "VolumeNotFound", "Volume " + id + " could not be found.");
  CloudVolume& volume = found->second;
  if (volume.status != CloudVolume::Status::available || !volume.server_id.empty()) {
    return refuse(Code::conflict, 400, "InvalidVolume",
                  "Invalid input received: Invalid volume: Volume " + id +
                      " status must be available or downloading to reserve, but the current status is " +
                      std::string(to_string(volume.status)) + ". (HTTP 400)");
  }
  return &volume;
}

SimResult<std::string> SimModel::create_server(SimServerRequest request) {
  SimServerMore& more = request.more;
  if (!flavor(request.row.flavor))
    return refuse(Code::invalid, 400, "", "Flavor " + request.row.flavor + " could not be found.");
  const Flavor& size = *flavor(request.row.flavor);
  if (auto fits = check_compute(1, size.vcpus, size.ram_mib); !fits) return tl::unexpected(fits.error());
  for (const std::string& port : more.ports) {
    const auto found = ports.find(port);
    if (found == ports.end())
      return refuse(Code::not_found, 400, "PortNotFound", "Port " + port + " could not be found.");
    if (!found->second.device_id.empty())
      return refuse(Code::conflict, 409, "PortInUse", "Port " + port + " is still in use.");
  }
  std::vector<CloudVolume*> taken;
  for (const std::string& volume : more.volumes) {
    auto reserved = reserve_volume(volume);
    if (!reserved) {
      SimRefusal refusal = reserved.error();
      refusal.status = 400;
      return tl::unexpected<SimRefusal>(std::move(refusal));
    }
    taken.push_back(*reserved);
  }
  const std::string id = new_id();
  for (CloudVolume* volume : taken) {
    volume->server_id = id;
    set_status(*volume, CloudVolume::Status::reserved);
    volume_more[volume->id].attachment_id = options.uuids ? new_uid(rng_) : "attachment-" + volume->id;
  }
  Server& row = servers[id] = std::move(request.row);
  row.id = id;
  row.port_id = more.ports.empty() ? "" : more.ports.front();
  row.volume_id = more.volumes.empty() ? "" : more.volumes.front();
  row.status = Server::Status::build;
  row.created = now();
  row.fault.clear();
  more.task = "scheduling";
  more.doomed = chance(options.server_error) || more.doomed;
  more.updated = row.created;
  server_more[id] = std::move(more);
  note_deed(id, "create");
  later(std::min(options.port_claim, options.server_build), Step::claim_port, id);
  return id;
}

SimResult<void> SimModel::start_server(const std::string& id) {
  auto server = idle_server(id, "start", {Server::Status::shutoff});
  if (!server) return tl::unexpected(server.error());
  note_deed(id, "start");
  set_status(id, Server::Status::shutoff, "powering-on");
  later(options.server_boot, Step::started, id);
  return {};
}

SimResult<void> SimModel::stop_server(const std::string& id) {
  auto server = idle_server(id, "stop", {Server::Status::active, Server::Status::error});
  if (!server) return tl::unexpected(server.error());
  note_deed(id, "stop");
  set_status(id, (*server)->status, "powering-off");
  later(options.server_stop, Step::stopped, id);
  return {};
}

SimResult<void> SimModel::reboot_server(const std::string& id) {
  auto server = idle_server(id, "reboot", {Server::Status::active, Server::Status::shutoff});
  if (!server) return tl::unexpected(server.error());
  note_deed(id, "reboot");
  set_status(id, Server::Status::reboot, "rebooting_hard");
  later(options.server_boot, Step::started, id);
  return {};
}

SimResult<void> SimModel::rebuild_server(const std::string& id, const std::string& image) {
  auto server = idle_server(id, "rebuild", {Server::Status::active, Server::Status::shutoff, Server::Status::error});
  if (!server) return tl::unexpected(server.error());
  server_more[id].image = image;
  (*server)->fault.clear();
  disks.erase(id);  // the root disk is new; volumes stay
  note_deed(id, "rebuild");
  set_status(id, Server::Status::build, "rebuilding");
  later(options.server_build, Step::rebuilt, id);
  return {};
}

SimResult<void> SimModel::resize_server(const std::string& id, const std::string& to) {
  auto server = idle_server(id, "resize", {Server::Status::active, Server::Status::shutoff});
  if (!server) return tl::unexpected(server.error());
  if (!flavor(to)) return refuse(Code::invalid, 400, "", "Flavor " + to + " could not be found.");
  if ((*server)->flavor == to)
    return refuse(Code::conflict, 400, "CannotResizeToSameFlavor", "When resizing, instances must change flavor!");
  const Flavor &next = *flavor(to), *last = flavor((*server)->flavor);
  if (auto fits = check_compute(0, next.vcpus - (last ? last->vcpus : 0), next.ram_mib - (last ? last->ram_mib : 0)); !fits)
    return tl::unexpected(fits.error());
  SimServerMore& more = server_more[id];
  more.was_off = (*server)->status == Server::Status::shutoff;
  more.old_flavor = (*server)->flavor;
  more.doomed = chance(options.resize_error);
  note_deed(id, "resize");
  set_status(id, Server::Status::resize, "resize_prep");
  later(options.server_resize, Step::resized, id, to);
  return {};
}

SimResult<void> SimModel::confirm_resize(const std::string& id) {
  auto server = idle_server(id, "confirmResize", {Server::Status::verify_resize});
  if (!server) return tl::unexpected(server.error());
  note_deed(id, "confirmResize");
  set_status(id, Server::Status::verify_resize, "resize_confirming");
  later(options.server_confirm, Step::confirmed, id);
  return {};
}

SimResult<void> SimModel::revert_resize(const std::string& id) {
  auto server = idle_server(id, "revertResize", {Server::Status::verify_resize});
  if (!server) return tl::unexpected(server.error());
  note_deed(id, "revertResize");
  set_status(id, Server::Status::resize, "resize_reverting");
  later(options.server_confirm, Step::reverted, id, server_more[id].old_flavor);
  return {};
}

// In any state, and again while it is being deleted: that is what moves one that hangs.
SimResult<void> SimModel::delete_server(const std::string& id) {
  auto server = reachable_server(id);
  if (!server) return tl::unexpected(server.error());
  SimServerMore& more = server_more[id];
  if ((*server)->status == Server::Status::deleting) {
    if (std::exchange(more.stuck, false)) later(options.server_delete, Step::server_gone, id);
    return {};
  }
  cancel(id);
  more.before = (*server)->status;
  note_deed(id, "delete");
  set_status(id, Server::Status::deleting, "deleting");
  for (const std::string& held : more.volumes)
    if (const auto volume = volumes.find(held); volume != volumes.end() && volume->second.server_id == id &&
                                                volume->second.status == CloudVolume::Status::in_use)
      set_status(volume->second, CloudVolume::Status::detaching);
  more.stuck = chance(options.stuck_delete);
  if (!more.stuck) later(options.server_delete, Step::server_gone, id);
  return {};
}

SimResult<void> SimModel::attach_volume(const std::string& server_id, const std::string& volume_id,
                                        const std::string& device) {
  auto server = idle_server(server_id, "attach_volume",
                            {Server::Status::active, Server::Status::shutoff, Server::Status::verify_resize});
  if (!server) return tl::unexpected(server.error());
  auto volume = reserve_volume(volume_id);
  if (!volume) return tl::unexpected(volume.error());
  (*volume)->server_id = server_id;
  SimVolumeMore& more = volume_more[volume_id];
  more.attachment_id = options.uuids ? new_uid(rng_) : "attachment-" + volume_id;
  more.device = device;
  SimServerMore& holder = server_more[server_id];
  holder.volumes.push_back(volume_id);
  if ((*server)->volume_id.empty()) (*server)->volume_id = volume_id;
  set_status(**volume, CloudVolume::Status::attaching);
  later(options.attach, Step::attached, volume_id, server_id);
  return {};
}

SimResult<void> SimModel::detach_volume(const std::string& server_id, const std::string& volume_id) {
  const auto found = volumes.find(volume_id);
  if (found == volumes.end() || found->second.server_id != server_id)
    return refuse(Code::not_found, 404, "", "volume_id not found: " + volume_id);
  auto server = idle_server(server_id, "detach_volume",
                            {Server::Status::active, Server::Status::shutoff, Server::Status::verify_resize});
  if (!server) return tl::unexpected(server.error());
  CloudVolume& volume = found->second;
  if (volume.status != CloudVolume::Status::in_use) {
    return refuse(Code::conflict, 400, "InvalidVolume",
                  "Invalid volume: Invalid input received: Invalid volume: Unable to detach volume. Volume status must "
                  "be 'in-use' and attach_status must be 'attached' to detach. (HTTP 400)");
  }
  set_status(volume, CloudVolume::Status::detaching);
  later(options.attach, Step::detached, volume_id);
  return {};
}

SimResult<void> SimModel::attach_port(const std::string& server_id, const std::string& port_id) {
  auto server = idle_server(server_id, "attach_interface", {Server::Status::active, Server::Status::shutoff});
  if (!server) return tl::unexpected(server.error());
  const auto port = ports.find(port_id);
  if (port == ports.end())
    return refuse(Code::not_found, 404, "PortNotFound", "Port " + port_id + " could not be found.");
  if (!port->second.device_id.empty())
    return refuse(Code::conflict, 400, "PortInUse", "Port " + port_id + " is still in use.");
  port->second.device_id = server_id;
  port_more[port_id].device_owner = "compute:nova";
  server_more[server_id].ports.push_back(port_id);
  if ((*server)->port_id.empty()) (*server)->port_id = port_id;
  return {};
}

SimResult<void> SimModel::detach_port(const std::string& server_id, const std::string& port_id) {
  auto server = idle_server(server_id, "detach_interface", {Server::Status::active, Server::Status::shutoff});
  if (!server) return tl::unexpected(server.error());
  const auto port = ports.find(port_id);
  if (port == ports.end() || port->second.device_id != server_id)
    return refuse(Code::not_found, 404, "", "Instance " + server_id + " does not have a port with id " + port_id);
  SimServerMore& more = server_more[server_id];
  std::erase(more.ports, port_id);
  if ((*server)->port_id == port_id) (*server)->port_id = more.ports.empty() ? "" : more.ports.front();
  port->second.device_id.clear();
  port_more[port_id].device_owner.clear();
  return {};
}

}  // namespace trove
