// What a world looks like without what differs from run to run.
#include <algorithm>
#include <set>

#include "reconciler/simulate/oracle.hpp"
#include "reconciler/world.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"

namespace trove::simulate {
namespace {

using Names = std::map<std::string, std::string>;  // uid -> "databaseinstance/orders-db"

std::string name_of(const Names& names, const Token& token, const std::string& otherwise) {
  auto found = names.find(token.uid);
  return found == names.end() ? "nobody (" + otherwise + ")" : found->second;
}

// Runs of a schedule are named after their times; how many there are, and which failed, depends on how long the faults
// lasted. That the good ones stay is an invariant of its own.
std::string schedule_of(const Resource& resource) {
  if (resource.kind != "Backup") return "";
  for (const OwnerReference& owner : resource.metadata.owner_references)
    if (owner.kind == "BackupSchedule") return owner.name;
  return "";
}

std::string text_of_status(const Resource& resource) {
  std::string text = resource.status["phase"].text();
  for (const Condition& condition : conditions_of(resource.status))
    text += " " + condition.type + "=" + condition.status + "/" + condition.reason;
  if (resource.status["rootEnabled"].bool_or(false)) text += " rootEnabled";
  for (const char* field : {"size", "pendingRestart", "usedBy", "cinderStatus"})
    if (const Value* value = resource.status.find(field)) text += std::string(" ") + field + "=" + dump_json(*value);
  // Names that were reset are remembered with no value: whether there is one to remember depends on how fast things
  // went.
  for (const Value::Member& parameter : resource.status["appliedParameters"].members())
    if (!parameter.value.text().empty()) text += " applied " + parameter.key + "=" + parameter.value.text();
  return text;
}

// A map is what it says, whatever the order it was written in.
void sort_maps(Value& value) {
  if (value.is_list())
    for (Value& item : value.mutable_items()) sort_maps(item);
  if (!value.is_map()) return;
  Value::Map& members = value.mutable_members();
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  for (Value::Member& member : members) sort_maps(member.value);
}

Value spec_shown(const Resource& resource) {
  const Kind* kind = find_kind(resource.kind);
  Value spec = kind ? with_defaults(*kind, resource.spec) : resource.spec;
  if (resource.kind == "Secret")
    if (Value* data = spec.find("data"))
      for (Value::Member& member : data->mutable_members()) member.value = "(sealed)";
  sort_maps(spec);
  return spec;
}

// `resource` with its status.
std::string object_line(const Resource& resource) {
  std::string text = to_string(resource.key());
  text += resource.deleting() ? " (being deleted) " : " ";
  text += dump_json(spec_shown(resource)) + " " + text_of_status(resource);
  for (const OwnerReference& owner : resource.metadata.owner_references) text += " of " + owner.kind + "/" + owner.name;
  return text;
}

// Of databases and logins only those that somebody declares there: one that was retained, or came with a backup, may
// never have been made.
std::string disk_text(const SimDisk& disk, const Names& names, const std::set<std::string>& declared) {
  std::string text = disk.initialised ? disk.engine : "never initialised";
  if (!disk.mark.empty()) text += " of " + name_of(names, {disk.mark, "", 0}, "marked");
  // Once the instance is there, where its first rows came from is history that its spec may forget.
  if (!disk.restored_from.empty() && declared.contains("restored " + disk.mark)) text += " restored";
  for (const auto& [database, rows] : disk.databases)
    if (declared.contains("database " + disk.mark + " " + database)) text += " database " + database;
  for (const auto& [user, digest] : disk.users)
    if (declared.contains("user " + disk.mark + " " + user.substr(0, user.find('@')))) text += " user " + user;
  for (const auto& [name, value] : disk.parameters) text += " " + name + "=" + value;
  if (disk.memory_mib != 0) text += " " + std::to_string(disk.memory_mib) + " MiB";
  return text;
}

}  // namespace

std::string normal_state(const Facts& facts) {
  std::set<std::string> lines;
  Names names;
  std::vector<Resource> all;
  for (const auto& [key, resource] : facts.stored) {
    names[resource.metadata.uid] = to_string(key);
    all.push_back(resource);
    all.back().status = facts.status_of(resource);
  }
  std::set<std::string> declared;
  const auto uid_of = [&](const Resource& of, const std::string& instance) {
    auto found = facts.stored.find({of.metadata.project, "DatabaseInstance", instance});
    return found == facts.stored.end() ? std::string() : found->second.metadata.uid;
  };
  for (const Resource& resource : all) {
    if (resource.kind == "DatabaseInstance") {
      declared.insert("user " + resource.metadata.uid + " root");
      if (resource.spec.find("bootstrapFrom")) declared.insert("restored " + resource.metadata.uid);
    } else if (resource.kind == "Database") {
      const DatabaseSpec spec = database_spec(resource.spec, resource.metadata.name);
      declared.insert("database " + uid_of(resource, spec.instance) + " " + spec.name);
    } else if (resource.kind == "User") {
      const UserSpec spec = user_spec(resource.spec, resource.metadata.name);
      declared.insert("user " + uid_of(resource, spec.instance) + " " + spec.name);
    }
  }
  for (const Resource& resource : all) {
    if (!schedule_of(resource).empty()) continue;
    // An operation that has ended goes when its time has come, which a clock that jumps decides.
    if (resource.kind == "Operation" && resource.status["phase"].text() == "Succeeded") continue;
    lines.insert(object_line(resource));
  }
  for (const auto& [id, server] : *facts.servers) {
    if (facts.foreign.contains(id)) continue;
    auto disk = facts.disks->find(server.volume_id.empty() ? id : server.volume_id);
    lines.insert("server of " + name_of(names, server.token, server.name) + " " +
                 std::string(to_string(server.status)) + " " + server.flavor +
                 (server.port_id.empty() ? "" : " with port") + (server.volume_id.empty() ? "" : " with volume") +
                 (disk == facts.disks->end() ? "" : ", disk: " + disk_text(disk->second, names, declared)));
  }
  for (const auto& [id, volume] : *facts.volumes) {
    if (facts.foreign.contains(id)) continue;
    auto disk = facts.disks->find(id);
    // Whose spec names no type keeps the one that it has, which is history.
    const bool typed = std::any_of(all.begin(), all.end(), [&, uid = volume.token.uid](const Resource& owner) {
      return owner.metadata.uid == uid && owner.spec.find("type");
    });
    lines.insert("volume of " + name_of(names, volume.token, volume.name) + " " +
                 std::string(to_string(volume.status)) + " " + std::to_string(volume.size_gib) + " GiB " +
                 (typed ? volume.type : "") +
                 (disk == facts.disks->end() ? "" : ", disk: " + disk_text(disk->second, names, declared)));
  }
  for (const auto& [id, port] : *facts.ports) {
    if (facts.foreign.contains(id)) continue;
    std::string line = "port of " + name_of(names, port.token, port.name) + (port.device_id.empty() ? "" : " in use");
    for (const std::string& cidr : port.allowed_cidrs) line += " " + cidr;
    lines.insert(std::move(line));
  }
  for (const auto& [key, object] : *facts.objects) {
    const std::string uid = guest::backup_uid(key);
    const Resource* backup = nullptr;
    for (const auto& [k, resource] : facts.stored)
      if (resource.metadata.uid == uid) backup = &resource;
    if (backup && !schedule_of(*backup).empty()) continue;
    lines.insert("stored " + (backup ? to_string(backup->key()) : "object of nobody"));
  }
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

namespace {

const Server* server_of(const Facts& facts, const std::string& uid, bool also_resized) {
  for (const auto& [id, server] : *facts.servers)
    if (server.token.uid == uid &&
        (server.status == Server::Status::active || (also_resized && server.status == Server::Status::verify_resize)))
      return &server;
  return nullptr;
}

const SimDisk* disk_of_instance(const Facts& facts, const std::string& project, const std::string& name) {
  auto instance = facts.stored.find({project, "DatabaseInstance", name});
  if (instance == facts.stored.end()) return nullptr;
  const Server* server = server_of(facts, instance->second.metadata.uid, true);
  if (!server) return nullptr;
  auto disk = facts.disks->find(server->volume_id.empty() ? server->id : server->volume_id);
  return disk == facts.disks->end() ? nullptr : &disk->second;
}

bool instance_matches(const Facts& facts, const Object& object) {
  const auto& want = object.as<DatabaseInstanceSpec>();
  const Server* server = server_of(facts, object.meta().uid, false);
  const Flavor* flavor = find_flavor(facts.options->flavors, want.flavor);
  if (!server || !flavor || server->flavor != flavor->name) return false;
  auto port = facts.ports->find(server->port_id);
  std::vector<std::string> cidrs = want.allowed_cidrs;
  std::sort(cidrs.begin(), cidrs.end());
  if (port == facts.ports->end() || port->second.allowed_cidrs != cidrs) return false;
  if (want.volume_gib == 0 && want.volume_ref.empty()) return true;
  auto volume = facts.volumes->find(server->volume_id);
  return volume != facts.volumes->end();  // its size is the Volume object's claim
}

}  // namespace

std::optional<bool> matches_truth(const Facts& facts, const Object& object) {
  if (object.deleting()) return std::nullopt;
  const Resource& resource = object.resource;
  const Common& common = common_of(object.spec);
  // What others made of an object that ignores them need not be what it says.
  if (common.observe_only || common.suspend || common.drift == Drift::ignore) return std::nullopt;
  if (resource.kind == "DatabaseInstance") return instance_matches(facts, object);
  if (resource.kind == "Volume") {
    const auto& want = object.as<VolumeSpec>();
    for (const auto& [id, volume] : *facts.volumes)
      if (volume.token.uid == resource.metadata.uid && volume.size_gib >= want.size_gib &&
          (want.type.empty() || same_volume_type(facts.options->volume_types, want.type, volume.type).value_or(false)))
        return true;
    return false;
  }
  if (resource.kind == "Database") {
    const auto& want = object.as<DatabaseSpec>();
    const SimDisk* disk = disk_of_instance(facts, resource.metadata.project, want.instance);
    return disk && disk->databases.contains(want.name);
  }
  if (resource.kind == "User") {
    const auto& want = object.as<UserSpec>();
    const SimDisk* disk = disk_of_instance(facts, resource.metadata.project, want.instance);
    if (!disk) return false;
    for (const auto& [user, digest] : disk->users)
      if (user == want.name || user.starts_with(want.name + "@")) return true;
    return false;
  }
  return std::nullopt;
}

}  // namespace trove::simulate
