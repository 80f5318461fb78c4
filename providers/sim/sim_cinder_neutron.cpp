// Cinder's and Neutron's verbs.
#include <algorithm>
#include "providers/sim/sim_model.hpp"

namespace trove {

namespace {

std::string dotted(uint32_t address) {
  return std::to_string(address >> 24) + "." + std::to_string((address >> 16) & 255) + "." +
         std::to_string((address >> 8) & 255) + "." + std::to_string(address & 255);
}

std::string made_mac(int number) {
  constexpr char digits[] = "0123456789abcdef";
  std::string mac = "fa:16:3e";
  for (int shift : {16, 8, 0}) {
    const int byte = (number >> shift) & 255;
    mac += std::string(":") + digits[byte >> 4] + digits[byte & 15];
  }
  return mac;
}

tl::unexpected<SimRefusal> no_volume(const std::string& id) {
  return refuse(Code::not_found, 404, "", "Volume " + id + " could not be found.");
}

tl::unexpected<SimRefusal> no_port(const std::string& id) {
  return refuse(Code::not_found, 404, "PortNotFound", "Port " + id + " could not be found.");
}

}  // namespace

SimResult<void> SimModel::check_gigabytes(int64_t asked) const {
  if (options.max_gigabytes < 0) return {};
  int64_t used = 0;
  for (const auto& [id, volume] : volumes) used += volume.size_gib;
  for (const auto& [id, more] : volume_more)
    if (more.growing_to > 0) used += more.growing_to - volumes.at(id).size_gib;
  if (used + asked <= options.max_gigabytes) return {};
  return refuse(Code::no_space, 413, "VolumeSizeExceedsAvailableQuota",
                "Requested volume or snapshot exceeds allowed gigabytes quota. Requested " + std::to_string(asked) +
                    "G, quota is " + std::to_string(options.max_gigabytes) + "G and " + std::to_string(used) +
                    "G has been consumed.");
}

SimResult<std::string> SimModel::type_named(const std::string& name_or_id) const {
  for (const VolumeType& type : options.volume_types)
    if (name_or_id.empty() || type.id == name_or_id || type.name == name_or_id) return type.name;
  return refuse(Code::invalid, 404, "VolumeTypeNotFoundByName",
                "Volume type with name " + name_or_id + " could not be found.");
}

SimResult<std::string> SimModel::create_volume(CloudVolume row, SimVolumeMore more) {
  auto type = type_named(row.type);
  if (!type) return tl::unexpected(type.error());
  row.type = std::move(*type);
  if (row.size_gib < 1) {
    return refuse(Code::invalid, 400, "InvalidInput",
                  "Volume size '" + std::to_string(row.size_gib) + "' must be an integer and greater than 0");
  }
  if (options.max_volumes >= 0 && static_cast<int64_t>(volumes.size()) >= options.max_volumes) {
    return refuse(Code::no_space, 413, "VolumeLimitExceeded",
                  "Maximum number of volumes allowed (" + std::to_string(options.max_volumes) +
                      ") exceeded for quota 'volumes'.");
  }
  if (auto fits = check_gigabytes(row.size_gib); !fits) return tl::unexpected(fits.error());
  const std::string id = row.id = new_id();
  row.status = CloudVolume::Status::creating;
  row.server_id.clear();
  row.created = more.updated = now();
  more.doomed = chance(options.volume_error);
  volumes[id] = std::move(row);
  volume_more[id] = std::move(more);
  later(options.volume_create, Step::volume_created, id);
  return id;
}

SimResult<void> SimModel::extend_volume(const std::string& id, int64_t gib) {
  const auto found = volumes.find(id);
  if (found == volumes.end()) return no_volume(id);
  CloudVolume& volume = found->second;
  using Status = CloudVolume::Status;
  if (volume.status != Status::available && volume.status != Status::in_use) {
    return refuse(Code::conflict, 400, "InvalidVolume",
                  "Volume " + id + " status must be '(\"available\", \"in-use\")' to extend, currently " +
                      std::string(to_string(volume.status)) + ".");
  }
  if (gib <= volume.size_gib) {
    return refuse(Code::invalid, 400, "InvalidInput",
                  "New size for extend must be greater than current size. (current: " +
                      std::to_string(volume.size_gib) + ", extended: " + std::to_string(gib) + ").");
  }
  if (auto fits = check_gigabytes(gib - volume.size_gib); !fits) return fits;
  SimVolumeMore& more = volume_more[id];
  more.growing_to = gib;
  more.doomed = chance(options.extend_error);
  set_status(volume, Status::extending);
  later(options.volume_extend, Step::volume_extended, id);
  return {};
}

SimResult<void> SimModel::retype_volume(const std::string& id, const std::string& name) {
  const auto found = volumes.find(id);
  if (found == volumes.end()) return no_volume(id);
  CloudVolume& volume = found->second;
  auto type = type_named(name);
  if (!type) return tl::unexpected(type.error());
  using Status = CloudVolume::Status;
  const bool settled = volume.status == Status::available || volume.status == Status::in_use;
  if (!settled || volume.type == *type) {
    return refuse(settled ? Code::invalid : Code::conflict, 400, "InvalidVolume",
                  "Retype needs volume to be in available or in-use state, not be part of an active migration or a "
                  "consistency group, requested type has to be different that the one from the volume, and for in-use "
                  "volumes front-end qos specs cannot change.");
  }
  SimVolumeMore& more = volume_more[id];
  more.retyping_to = std::move(*type);
  more.doomed = chance(options.retype_error);
  set_status(volume, Status::retyping);
  later(options.volume_retype, Step::volume_retyped, id);
  return {};
}

SimResult<void> SimModel::delete_volume(const std::string& id, bool force) {
  const auto found = volumes.find(id);
  if (found == volumes.end()) return no_volume(id);
  CloudVolume& volume = found->second;
  using Status = CloudVolume::Status;
  const bool deletable = volume.status == Status::available || volume.status == Status::error ||
                         volume.status == Status::error_extending || (force && volume.status != Status::deleting);
  if (!volume.server_id.empty() || !deletable) {
    return refuse(Code::conflict, 400, "InvalidVolume",
                  "Volume status must be available or error or error_restoring or error_extending or error_managing "
                  "and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be "
                  "disassociated from snapshots after volume transfer.");
  }
  cancel(id);
  volume_more[id].stuck = !force && chance(options.stuck_delete);
  set_status(volume, Status::deleting);
  later(options.volume_delete, Step::volume_gone, id);
  return {};
}

SimResult<void> SimModel::reset_volume(const std::string& id, CloudVolume::Status status) {
  const auto found = volumes.find(id);
  if (found == volumes.end()) return no_volume(id);
  cancel(id);
  volume_more[id].growing_to = 0;
  volume_more[id].retyping_to.clear();
  set_status(found->second, status);
  return {};
}

// ---- Neutron ------------------------------------------------------------------------------------------------------

bool SimModel::address_used(const std::string& network, const std::string& address, const std::string& but) const {
  const auto entry = by_address_.find(network + " " + address);
  if (entry == by_address_.end() || entry->second == but) return false;
  const auto port = ports.find(entry->second);
  return port != ports.end() && port->second.address == address && port_more.at(port->first).network == network;
}

bool SimModel::mac_used(const std::string& network, const std::string& mac, const std::string& but) const {
  const auto entry = by_mac_.find(network + " " + mac);
  if (entry == by_mac_.end() || entry->second == but) return false;
  const auto more = port_more.find(entry->second);
  return more != port_more.end() && more->second.mac == mac && more->second.network == network;
}

void SimModel::index_port(const std::string& id) {
  const SimPortMore& more = port_more.at(id);
  by_address_[more.network + " " + ports.at(id).address] = id;
  if (!more.mac.empty()) by_mac_[more.network + " " + more.mac] = id;
}

// The next one in turn, so that an address that was given back is not handed out at once.
std::optional<std::string> SimModel::free_address(const SimPortMore& more) {
  for (uint32_t tried = 0; tried < more.addresses; ++tried) {
    std::string address = dotted(more.first_address + next_address_++ % more.addresses);
    if (!address_used(more.network, address, "")) return address;
  }
  return std::nullopt;
}

SimResult<std::string> SimModel::create_port(Port row, SimPortMore more) {
  if (options.max_ports >= 0 && static_cast<int64_t>(ports.size()) >= options.max_ports)
    return refuse(Code::no_space, 409, "OverQuota", "Quota exceeded for resources: ['port'].");
  if (!more.mac.empty() && mac_used(more.network, more.mac, "")) {
    return refuse(
        Code::conflict, 409, "MacAddressInUse",
        "Unable to complete operation for network " + more.network + ". The mac address " + more.mac + " is in use.");
  }
  if (row.address.empty()) {
    auto address = free_address(more);
    if (!address) {
      return refuse(Code::no_space, 409, "IpAddressGenerationFailure",
                    "No more IP addresses available on network " + more.network + ".");
    }
    row.address = std::move(*address);
  } else if (address_used(more.network, row.address, "")) {
    return refuse(Code::conflict, 409, "IpAddressAlreadyAllocated",
                  "IP address " + row.address + " already allocated in subnet " + more.subnet);
  }
  const std::string id = row.id = new_id();
  if (more.mac.empty()) more.mac = made_mac(++next_mac_);
  more.created = more.updated = now();
  ports[id] = std::move(row);
  port_more[id] = std::move(more);
  index_port(id);
  return id;
}

SimResult<void> SimModel::move_port(const std::string& id, const std::string& address) {
  const auto found = ports.find(id);
  if (found == ports.end()) return no_port(id);
  if (address_used(port_more[id].network, address, id)) {
    return refuse(Code::conflict, 409, "IpAddressAlreadyAllocated",
                  "IP address " + address + " already allocated in subnet " + port_more[id].subnet);
  }
  found->second.address = address;
  index_port(id);
  return {};
}

SimResult<void> SimModel::delete_port(const std::string& id) {
  if (!ports.contains(id)) return no_port(id);
  drop_port(id);
  return {};
}

}  // namespace trove
