#include "providers/sim/sim_cloud.hpp"
#include <algorithm>
#include "providers/guest/protocol.hpp"
#include "specs/core/digest.hpp"
#include "specs/core/overload.hpp"

namespace trove {
namespace {

template <class Things>
auto values(const Things& things) {
  std::vector<typename Things::mapped_type> list;
  list.reserve(things.size());
  for (const auto& [id, thing] : things) list.push_back(thing);
  return list;
}

Result<Outcome> told(const SimResult<void>& done) {
  if (!done) return tl::unexpected<Error>(done.error().error());
  return Outcome{};
}
Result<Outcome> told(const SimResult<std::string>& made) {
  if (!made) return tl::unexpected<Error>(made.error().error());
  return Outcome{*made, ""};
}
// Deleting what is gone has been done.
Result<Outcome> gone(const SimResult<void>& done) {
  if (!done && done.error().code == Code::not_found) return Outcome{};
  return told(done);
}

// "nothing without our token is changed": denied, unless what is there carries the action's token.
template <class Things>
std::optional<Error> foreign(const Things& things, const std::string& id, const Token& token) {
  const auto found = things.find(id);
  if (found == things.end() || (found->second.token == token && !token.uid.empty())) return std::nullopt;
  return Error{Code::denied, id + " does not carry the token " + to_string(token), {}, {}};
}

}  // namespace

SimBackup backup_of(const SimDisk& disk) {
  SimBackup backup;
  backup.content.engine = disk.engine;
  backup.content.initialised = true;
  backup.content.databases = disk.databases;
  backup.content.users = disk.users;
  backup.content.position = disk.position;
  backup.sha256 = content_digest(backup.content);
  backup.bytes = 1024 + 64 * disk.rows();
  return backup;
}

// Of the documentation's network, for life.
std::string public_address_of(const Token& token) {
  return "203.0.113." + std::to_string(std::stoul(sha256_hex(to_string(token)).substr(0, 2), nullptr, 16));
}

std::string content_digest(const SimDisk& disk) {
  std::string text = disk.engine + "\n" + std::to_string(disk.position) + "\n";
  for (const auto& [name, rows] : disk.databases) text += "d " + name + " " + std::to_string(rows) + "\n";
  for (const auto& [name, digest] : disk.users) text += "u " + name + " " + digest + "\n";
  return sha256_hex(text);
}

SimCloud::SimCloud(const Clock& clock, Rng& rng, SimOptions options)
    : disks(model_.disks), clock_(clock), rng_(rng), model_(clock, rng, std::move(options)) {}

Inventory SimCloud::observe(const std::vector<Sought>& sought) {
  model_.settle();
  Inventory seen;
  seen.as_of = clock_.wall();
  seen.servers.reserve(model_.servers.size());
  for (const auto& [id, server] : model_.servers) {
    if (model_.is_hidden(id)) continue;
    seen.servers.push_back(server);
    // Its task says that it is on its way: as a client of Nova reads the two together.
    auto more = model_.server_more.find(id);
    if (more == model_.server_more.end()) continue;
    const std::string& task = more->second.task;
    if (server.status == Server::Status::shutoff && task == "powering-on")
      seen.servers.back().status = Server::Status::reboot;
    if (server.status == Server::Status::verify_resize && task == "resize_confirming")
      seen.servers.back().status = Server::Status::resize;
  }
  seen.volumes = values(model_.volumes);
  seen.ports = values(model_.ports);
  seen.strays = strays;
  seen.objects = values(objects_);
  seen.flavors = model_.options.flavors;
  seen.volume_types = model_.options.volume_types;
  seen.limits = model_.limits();
  seen.servers_known = seen.volumes_known = seen.ports_known = seen.objects_known = true;
  if (chance(faults.blind_observe)) {
    // A list that broke off: what is missing from it is unknown, not absent.
    switch (rng_.next() % 3) {
      case 0:
        seen.servers_known = false, seen.servers.clear();
        break;
      case 1:
        seen.volumes_known = false, seen.volumes.clear();
        break;
      default:
        seen.ports_known = false, seen.ports.clear();
        break;
    }
    seen.trouble = "the list broke off";
  }
  for (const Sought& wanted : sought) answer(seen, wanted);
  return seen;
}

// A direct look at one thing, as a GET of its id or a query by its token.
void SimCloud::answer(Inventory& seen, const Sought& wanted) {
  const auto fits = [&](const auto& thing) {
    return wanted.id.empty() ? thing.token == wanted.token : thing.id == wanted.id;
  };
  const auto look = [&](auto& list, const auto& things) {
    if (std::any_of(list.begin(), list.end(), fits)) return true;
    for (const auto& [id, thing] : things)
      if (fits(thing)) return list.push_back(thing), true;
    return false;
  };
  switch (wanted.what) {
    case Sought::What::server: {
      if (std::any_of(seen.servers.begin(), seen.servers.end(), fits)) return;
      bool silent_cell = model_.cell_down;
      for (const auto& [id, server] : model_.servers) {
        const bool hidden = model_.is_hidden(id);
        silent_cell = silent_cell || hidden;
        // Nova knows the ids of a cell that is down, and nothing else of it.
        if (!fits(server) || (hidden && wanted.id.empty())) continue;
        seen.servers.push_back(server);
        if (hidden) {
          Server& shown = seen.servers.back();
          shown.status = Server::Status::unknown;
          shown.flavor.clear(), shown.port_id.clear(), shown.volume_id.clear(), shown.fault.clear();
        }
        return;
      }
      if (!wanted.id.empty() || !silent_cell) seen.absent.push_back(wanted);
      return;
    }
    case Sought::What::volume:
      if (!look(seen.volumes, model_.volumes)) seen.absent.push_back(wanted);
      return;
    case Sought::What::port:
      if (!look(seen.ports, model_.ports)) seen.absent.push_back(wanted);
      return;
  }
}

Result<Outcome> SimCloud::perform(const CloudAction& action) {
  ++calls_;
  model_.settle();
  model_.acting = "trove";
  if (chance(faults.lost_request)) return fail(Code::outcome_unknown, "no answer");
  const bool silent = chance(faults.lost_reply);
  Result<Outcome> outcome = apply(action);
  model_.settle();  // what takes no time
  if (silent) return fail(Code::outcome_unknown, "no answer");
  return outcome;
}

Result<Outcome> SimCloud::apply(const CloudAction& action) {
  const auto ours = [](std::optional<Error> refusal, auto act) -> Result<Outcome> {
    if (refusal) return tl::unexpected<Error>(std::move(*refusal));
    return act();
  };
  const auto server = [&](const auto& a, auto act) { return ours(foreign(model_.servers, a.id, a.token), act); };
  const auto volume = [&](const auto& a, auto act) { return ours(foreign(model_.volumes, a.id, a.token), act); };
  const auto port = [&](const auto& a, auto act) { return ours(foreign(model_.ports, a.id, a.token), act); };
  const auto zone = [&](const std::string& name) -> Result<void> {
    if (name.empty() || model_.options.zones.contains(name)) return {};
    return fail(Code::invalid, "Availability zone '" + name + "' is invalid.");
  };
  return std::visit(
      Overload{[&](const CreatePort& a) -> Result<Outcome> {
                 Port row;
                 row.name = a.name;
                 row.token = a.token;
                 row.allowed_cidrs = a.allowed_cidrs;
                 if (a.is_public) row.public_address = public_address_of(a.token);
                 std::sort(row.allowed_cidrs.begin(), row.allowed_cidrs.end());
                 SimPortMore more;
                 more.project = a.project;
                 more.mac = sim_mac(a.token);
                 return told(model_.create_port(std::move(row), std::move(more)));
               },
               [&](const UpdatePort& a) {
                 return port(a, [&]() -> Result<Outcome> {
                   if (!model_.ports.contains(a.id))
                     return fail(Code::not_found, "PortNotFound: Port " + a.id + " could not be found.");
                   change_port(a.id, a.allowed_cidrs);
                   model_.ports.at(a.id).public_address = a.is_public ? public_address_of(a.token) : "";
                   return Outcome{};
                 });
               },
               [&](const DeletePort& a) { return port(a, [&] { return gone(model_.delete_port(a.id)); }); },
               [&](const DeleteAddress& a) -> Result<Outcome> {
                 std::erase_if(strays, [&](const auto& one) { return one.id == a.id && one.token == a.token; });
                 return Outcome{};
               },
               [&](const CreateVolume& a) -> Result<Outcome> {
                 if (auto known = zone(a.zone); !known) return tl::unexpected<Error>(known.error());
                 CloudVolume row;
                 row.name = a.name;
                 row.token = a.token;
                 row.size_gib = a.size_gib;
                 row.type = a.type;
                 SimVolumeMore more;
                 more.project = a.project;
                 more.zone = a.zone;
                 return told(model_.create_volume(std::move(row), std::move(more)));
               },
               [&](const ExtendVolume& a) {
                 return volume(a, [&]() -> Result<Outcome> {
                   const auto found = model_.volumes.find(a.id);
                   if (found != model_.volumes.end() && found->second.size_gib == a.to_gib) return Outcome{};
                   return told(model_.extend_volume(a.id, a.to_gib));
                 });
               },
               [&](const RetypeVolume& a) {
                 return volume(a, [&]() -> Result<Outcome> {
                   const auto found = model_.volumes.find(a.id);
                   if (found != model_.volumes.end() &&
                       same_volume_type(model_.options.volume_types, a.to_type, found->second.type).value_or(false))
                     return Outcome{};
                   return told(model_.retype_volume(a.id, a.to_type));
                 });
               },
               [&](const DeleteVolume& a) {
                 return volume(a, [&] {
                   const auto found = model_.volumes.find(a.id);
                   const bool stuck =
                       found != model_.volumes.end() && found->second.status == CloudVolume::Status::error_deleting;
                   return gone(model_.delete_volume(a.id, stuck));
                 });
               },
               [&](const CreateServer& a) -> Result<Outcome> {
                 if (auto known = zone(a.zone); !known) return tl::unexpected<Error>(known.error());
                 if (!a.group.empty() && !model_.options.server_groups.contains(a.group))
                   return fail(Code::invalid, "there is no server group " + a.group);
                 SimServerRequest request;
                 request.row.name = a.name;
                 request.row.token = a.token;
                 request.row.flavor = a.flavor;
                 request.more.project = a.project;
                 request.more.zone = a.zone;
                 request.more.group = a.group;
                 if (!a.port_id.empty()) request.more.ports = {a.port_id};
                 if (!a.volume_id.empty()) request.more.volumes = {a.volume_id};
                 return told(model_.create_server(std::move(request)));
               },
               [&](const StartServer& a) { return server(a, [&] { return told(model_.start_server(a.id)); }); },
               [&](const ResizeServer& a) {
                 return server(a, [&] { return told(model_.resize_server(a.id, a.to_flavor)); });
               },
               [&](const ConfirmResize& a) { return server(a, [&] { return told(model_.confirm_resize(a.id)); }); },
               [&](const RevertResize& a) { return server(a, [&] { return told(model_.revert_resize(a.id)); }); },
               [&](const DeleteServer& a) { return server(a, [&] { return gone(model_.delete_server(a.id)); }); },
               [&](const AttachVolume& a) {
                 return volume(a, [&] { return told(model_.attach_volume(a.server_id, a.id, "/dev/vdb")); });
               },
               [&](const DetachVolume& a) {
                 return volume(a, [&]() -> Result<Outcome> {
                   const auto found = model_.volumes.find(a.id);
                   if (found != model_.volumes.end() && found->second.server_id.empty()) return Outcome{};
                   // A server whose row is gone: the attachment itself is deleted.
                   if (found != model_.volumes.end() && found->second.server_id == a.server_id &&
                       !model_.servers.contains(a.server_id))
                     return model_.release_volume(a.id), Outcome{};
                   return told(model_.detach_volume(a.server_id, a.id));
                 });
               },
               [&](const ExplainServer& a) {
                 return server(a, [&]() -> Result<Outcome> {
                   const auto found = model_.server_more.find(a.id);
                   if (found == model_.server_more.end())
                     return fail(Code::not_found, "Instance " + a.id + " could not be found.");
                   if (model_.is_hidden(a.id)) return fail(Code::unavailable, "its cell does not answer");
                   return Outcome{a.id, "", found->second.deeds};
                 });
               },
               [&](const DeleteStoredObject& a) -> Result<Outcome> {
                 objects_.erase(a.key);
                 backups_.erase(a.key);
                 return Outcome{};
               }},
      action);
}

void SimCloud::stop_server(const std::string& id) { model_.settle(), model_.halt_server(id); }
Result<void> SimCloud::outside(const std::string& user, const std::function<SimResult<void>(SimModel&)>& act) {
  model_.settle();
  model_.acting = user;
  const SimResult<void> done = act(model_);
  model_.acting = "trove";
  model_.settle();
  if (!done) return tl::unexpected<Error>(done.error().error());
  return {};
}
void SimCloud::lose_server(std::string id) { model_.settle(), model_.drop_server(id); }
void SimCloud::break_server(const std::string& id, const std::string& fault) {
  model_.settle(), model_.break_server(id, fault);
}
void SimCloud::hide_servers(bool down) {
  model_.cell_down = down;
  if (!down)
    for (auto& [id, more] : model_.server_more) more.hidden = false;
}
void SimCloud::hide_server(const std::string& id, bool down) { model_.server_more.at(id).hidden = down; }
void SimCloud::lose_volume(std::string id) { model_.settle(), model_.drop_volume(id); }
void SimCloud::detach_volume(const std::string& id) { model_.settle(), model_.release_volume(id); }
void SimCloud::lose_port(std::string id) { model_.settle(), model_.drop_port(id); }
void SimCloud::change_port(const std::string& id, std::vector<std::string> cidrs) {
  std::sort(cidrs.begin(), cidrs.end());
  model_.ports.at(id).allowed_cidrs = std::move(cidrs);
  model_.port_more.at(id).updated = clock_.wall();
}

void SimCloud::plant(Server server) {
  SimServerMore& more = model_.server_more[server.id];
  more.ports.clear(), more.volumes.clear();
  for (const auto& [id, port] : model_.ports)
    if (port.device_id == server.id || id == server.port_id) more.ports.push_back(id);
  for (const auto& [id, volume] : model_.volumes)
    if (volume.server_id == server.id || id == server.volume_id) more.volumes.push_back(id);
  more.port_claimed = true;
  model_.servers[server.id] = std::move(server);
}
void SimCloud::plant(CloudVolume volume) {
  model_.volume_more[volume.id];
  if (const auto holder = model_.server_more.find(volume.server_id); holder != model_.server_more.end())
    if (auto& held = holder->second.volumes; std::find(held.begin(), held.end(), volume.id) == held.end())
      held.push_back(volume.id);
  model_.volumes[volume.id] = std::move(volume);
}
void SimCloud::plant(Port port) {
  model_.port_more[port.id];
  if (const auto holder = model_.server_more.find(port.device_id); holder != model_.server_more.end())
    if (auto& held = holder->second.ports; std::find(held.begin(), held.end(), port.id) == held.end())
      held.push_back(port.id);
  const std::string id = port.id;
  model_.ports[id] = std::move(port);
  model_.index_port(id);
}

const Server* SimCloud::find_server(const std::string& id) {
  model_.settle();
  const auto found = model_.servers.find(id);
  return found == model_.servers.end() ? nullptr : &found->second;
}

SimDisk* SimCloud::disk_of(const std::string& server_id) {
  const Server* server = find_server(server_id);
  if (!server) return nullptr;
  if (server->volume_id.empty()) return &disks[server_id];
  const auto volume = model_.volumes.find(server->volume_id);
  if (volume == model_.volumes.end() || volume->second.server_id != server_id) return nullptr;
  return &disks[server->volume_id];
}

void SimCloud::store(const std::string& key, SimBackup backup, int segments) {
  const int64_t share = backup.bytes / segments;
  for (int number = 1; number < segments; ++number) {
    const std::string segment = guest::segment_url(key + ".", number);
    objects_[segment] = {segment, share};
  }
  objects_[key] = {key, backup.bytes - share * (segments - 1)};
  backups_[key] = std::move(backup);
}

}  // namespace trove
