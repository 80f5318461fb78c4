#include "providers/sim/sim_cloud.hpp"
#include "specs/core/overload.hpp"

namespace trove {
namespace {

template <class Things>
auto values(const Things& things) {
  std::vector<typename Things::mapped_type> list;
  for (const auto& [id, thing] : things) list.push_back(thing);
  return list;
}

}  // namespace

Inventory SimCloud::observe(const std::vector<Sought>& sought) {
  Inventory seen;
  seen.as_of = clock_.wall();
  seen.servers = values(servers_);
  seen.volumes = values(volumes_);
  seen.ports = values(ports_);
  seen.objects = values(objects_);
  seen.flavors = {{"db.nano", 256, 1}, {"db.tiny", 512, 1}, {"db.small", 1024, 1}};
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
  answer_from_lists(seen, sought);
  return seen;
}

Result<Outcome> SimCloud::perform(const CloudAction& action) {
  ++calls_;
  if (chance(faults.lost_request)) return fail(Code::outcome_unknown, "no answer");
  const bool silent = chance(faults.lost_reply);
  Result<Outcome> outcome = apply(action);
  if (silent) return fail(Code::outcome_unknown, "no answer");
  return outcome;
}

Result<Outcome> SimCloud::apply(const CloudAction& action) {
  const std::string id = "sim-" + std::to_string(next_id_ + 1);
  auto release = [this](const std::string& server) {
    for (auto& [unused, volume] : volumes_)
      if (volume.server_id == server) volume.server_id.clear(), volume.status = CloudVolume::Status::available;
    for (auto& [unused, port] : ports_)
      if (port.device_id == server) port.device_id.clear();
  };
  return std::visit(
      Overload{
          [&](const CreatePort& a) -> Result<Outcome> {
            ++next_id_;
            ports_[id] = {id, a.name, a.token, "127.1.0." + std::to_string(next_id_ % 250 + 1), a.allowed_cidrs, ""};
            return Outcome{id, ""};
          },
          [&](const UpdatePort& a) -> Result<Outcome> {
            if (!ports_.contains(a.id)) return fail(Code::not_found, "no such port");
            ports_[a.id].allowed_cidrs = a.allowed_cidrs;
            return Outcome{};
          },
          [&](const DeletePort& a) -> Result<Outcome> { return ports_.erase(a.id), Outcome{}; },
          [&](const CreateVolume& a) -> Result<Outcome> {
            ++next_id_;
            volumes_[id] = {id, a.name, a.token, CloudVolume::Status::available, a.size_gib, a.type, ""};
            return Outcome{id, ""};
          },
          [&](const ExtendVolume& a) -> Result<Outcome> {
            if (!volumes_.contains(a.id)) return fail(Code::not_found, "no such volume");
            volumes_[a.id].size_gib = a.to_gib;
            return Outcome{};
          },
          [&](const DeleteVolume& a) -> Result<Outcome> {
            if (volumes_.contains(a.id) && !volumes_[a.id].server_id.empty()) return fail(Code::conflict, "in-use");
            volumes_.erase(a.id);
            disks.erase(a.id);
            return Outcome{};
          },
          [&](const CreateServer& a) -> Result<Outcome> {
            // Nova has no idempotency key; it reserves the volume and the port.
            if (!a.volume_id.empty()) {
              auto volume = volumes_.find(a.volume_id);
              if (volume == volumes_.end() || !volume->second.server_id.empty())
                return fail(Code::conflict, "InvalidVolume");
              volume->second.server_id = id;
              volume->second.status = CloudVolume::Status::in_use;
            }
            auto port = ports_.find(a.port_id);
            if (port == ports_.end() || (!port->second.device_id.empty() && servers_.contains(port->second.device_id)))
              return fail(Code::conflict, "PortInUse");
            port->second.device_id = id;
            ++next_id_;
            servers_[id] = {id,          a.name,        a.token, Server::Status::active, a.flavor, a.port_id,
                            a.volume_id, clock_.wall(), ""};
            return Outcome{id, ""};
          },
          [&](const StartServer& a) -> Result<Outcome> {
            if (!servers_.contains(a.id)) return fail(Code::not_found, "no such server");
            servers_[a.id].status = Server::Status::active;
            return Outcome{};
          },
          [&](const ResizeServer& a) -> Result<Outcome> {
            if (!servers_.contains(a.id)) return fail(Code::not_found, "no such server");
            servers_[a.id].flavor = a.to_flavor;
            return Outcome{};
          },
          [&](const DeleteServer& a) -> Result<Outcome> {
            servers_.erase(a.id);
            release(a.id);
            return Outcome{};
          },
          [&](const ConfirmResize&) -> Result<Outcome> { return fail(Code::conflict, "no resize waits"); },
          [&](const AttachVolume&) -> Result<Outcome> { return fail(Code::conflict, "not while it runs"); },
          [&](const DetachVolume& a) -> Result<Outcome> {
            if (auto v = volumes_.find(a.id); v != volumes_.end()) v->second.server_id.clear();
            return Outcome{};
          },
          [&](const DeleteStoredObject& a) -> Result<Outcome> { return objects_.erase(a.key), Outcome{}; }},
      action);
}

void SimCloud::stop_server(const std::string& id) { servers_.at(id).status = Server::Status::shutoff; }

void SimCloud::lose_server(std::string id) {
  servers_.erase(id);
  for (auto& [unused, volume] : volumes_)
    if (volume.server_id == id) volume.server_id.clear(), volume.status = CloudVolume::Status::available;
  for (auto& [unused, port] : ports_)
    if (port.device_id == id) port.device_id.clear();
}

guest::Report sim_guest_report(const guest::Document& document, std::set<std::string>& disk, Time now) {
  guest::Report report;
  report.document_digest = guest::digest(document);
  report.engine_state = "Running";
  report.engine_version = "1.0";
  report.applied_restart = document.restart;
  report.applied_memory_mib = document.memory_mib;
  for (const auto& d : document.databases) disk.insert(d.name), report.databases.push_back({d.name, "", "Applied", ""});
  for (const auto& name : document.dropped_databases)
    disk.erase(name), report.databases.push_back({name, "", "Dropped", ""});
  for (const auto& u : document.users) report.users.push_back({u.name, u.host, "Applied", ""});
  for (const auto& [name, host] : document.dropped_users) report.users.push_back({name, host, "Dropped", ""});
  for (const auto& p : document.parameters) report.parameters.push_back({p.name, p.value, false, "Applied", ""});
  for (const auto& b : document.backups)
    report.backups.push_back({b.id, "Completed", std::string(64, 'a'), 1, now, now, ""});
  if (document.restore) report.restore_state = "Restored";
  return report;
}

}  // namespace trove
