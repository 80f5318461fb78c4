#include "reconciler/guard/guard.hpp"
#include "reconciler/objects.hpp"

#include <algorithm>
#include "specs/core/overload.hpp"

namespace trove {
namespace {

constexpr Millis kBrakeWindow{60'000};
constexpr size_t kBrakeLeast = 3;
constexpr size_t kBrakePercent = 5;

tl::unexpected<Error> refuse(std::string why) { return fail(Code::denied, "refused by the guardian: " + why); }

template <class Thing>
const Thing* by_id(const std::vector<Thing>& things, const std::string& id) {
  for (const Thing& thing : things)
    if (thing.id == id) return &thing;
  return nullptr;
}

// Nothing without our token is ever changed or deleted: the id and the token must belong together in what was read.
template <class Thing>
Result<const Thing*> ours(const std::vector<Thing>& things, bool known, const std::string& id, const Token& token,
                          std::string_view what) {
  if (!known) return refuse(std::string(what) + " list is unknown");
  const Thing* thing = by_id(things, id);
  if (!thing) return fail(Code::not_found, std::string(what) + " " + id + " is not in the cloud any more");
  if (token.uid.empty() || thing->token != token)
    return refuse(std::string(what) + " " + id + " does not carry our token " + to_string(token));
  return thing;
}

}  // namespace

// The action's object as the store has it now; null when it is gone.
Result<const Object*> Guardian::owner(const Action& action, const World& world, const std::string& uid) const {
  const Object* object = world.find(action.object);
  if (!object || object->meta().uid != uid)
    return refuse("its owner " + to_string(action.object) + " is not the one it names");
  return object;
}

// What carries the token of an owner that was deleted and forgotten, by our own record; never of one that we just do
// not know.
Result<const Gone*> Guardian::orphan(const Action& action, const World& world, const std::string& uid) const {
  auto gone = world.gone->find(uid);
  if (gone == world.gone->end() || action.object.name != uid)
    return refuse("there is no record that the owner " + uid + " was deleted");
  auto fresh = read_(gone->second.key);
  if (!fresh) return tl::unexpected(fresh.error());
  if (*fresh && (*fresh)->metadata.uid == uid) return refuse("its owner lives");
  return &gone->second;
}

// What nobody owns goes only by the operator's word, and after its time of grace.
Result<void> Guardian::leak(const Action& action, const World& world, const std::string& id, const Token& token) const {
  if (!world.remove_leaks_after) return refuse("what has leaked is only reported here");
  auto leak = world.leaks.find(id);
  if (leak == world.leaks.end() || action.object.name != id || leak->second.token != token)
    return refuse(id + " has not leaked");
  if (world.steady - leak->second.since < *world.remove_leaks_after) return refuse("its time of grace is not over");
  if (world.gone->contains(token.uid)) return refuse("its owner is known");
  for (const auto& [key, object] : world.objects())
    if (object->meta().uid == token.uid) return refuse("its owner lives");
  return {};
}

Result<void> Guardian::check(const Action& action, const World& world) {
  if (const auto* cloud = std::get_if<CloudAction>(&action.effect)) return check_cloud(*cloud, action, world);
  if (const auto* put = std::get_if<PutGuestDocument>(&action.effect)) return check_document(*put, action, world);
  if (const auto* remove = std::get_if<RemoveObject>(&action.effect)) {
    // Forgetting an object before its servers are gone would leave them behind without an owner.
    const Object* object = world.find(remove->key);
    if (!object || object->meta().uid != remove->uid) return fail(Code::not_found, "the object is gone already");
    if (remove->key.kind == "DatabaseInstance" && !common_of(object->spec).observe_only) {
      if (world.servers_doubtful(remove->uid) || world.port_of(remove->uid).is_unknown())
        return refuse("the cloud is unknown");
      if (!world.servers_of(remove->uid).empty() || world.port_of(remove->uid).is_known())
        return refuse("servers or ports of " + to_string(remove->key) + " still exist");
    }
    if (remove->key.kind == "Volume" && !common_of(object->spec).observe_only &&
        common_of(object->spec).deletion == Common::Deletion::remove && !world.volume_of(remove->uid).is_absent())
      return refuse("the cloud volume of " + to_string(remove->key) + " is not known to be gone");
    if (!object->deleting() && remove->key.kind != "Operation")
      return refuse(to_string(remove->key) + " is not being deleted");
    return {};
  }
  if (const auto* gone = std::get_if<DeleteObject>(&action.effect)) {
    const Object* object = world.find(gone->key);
    if (!object || object->meta().uid != gone->uid) return fail(Code::not_found, "the object is gone already");
    // Only what one of ours made for itself is ever deleted by a plan, and a schedule never deletes its last good
    // backup.
    const Object* by = world.find(action.object);
    bool owned = false;
    for (const OwnerReference& reference : object->meta().owner_references)
      owned = owned || (by && reference.uid == by->meta().uid);
    if (!owned) return refuse(to_string(gone->key) + " does not belong to " + to_string(action.object));
    if (gone->key.kind == "Backup" && object->resource.status["phase"].text() == "Completed") {
      size_t good = 0;
      const std::string& instance = object->as<BackupSpec>().instance;
      for (const Key& key : world.referrers({gone->key.project, "DatabaseInstance", instance})) {
        const Object* other = world.find(key);
        good += key.kind == "Backup" && other && !other->deleting() &&
                other->resource.status["phase"].text() == "Completed";
      }
      if (good <= 1) return refuse("it is the last good backup of " + instance);
    }
    if (gone->key.kind == "Volume") {
      auto fresh = read_(action.object);
      if (!fresh) return tl::unexpected(fresh.error());
      if (!*fresh || !(*fresh)->deleting() || (*fresh)->spec["deletionPolicy"].text() != "Delete")
        return refuse("the instance is not being deleted with deletionPolicy Delete");
    }
    return {};
  }
  return {};
}

Result<void> Guardian::check_cloud(const CloudAction& action, const Action& whole, const World& world) {
  const Inventory& cloud = *world.inventory;
  return std::visit(
      Overload{[&](const CreatePort& a) -> Result<void> {
                 const Observed<Port> seen = world.port_of(a.token.uid);
                 if (seen.is_unknown()) return refuse("the ports are unknown");
                 if (seen.is_known()) return refuse("a port with this token exists");
                 return owner(whole, world, a.token.uid).map([](auto) {});
               },
               [&](const UpdatePort& a) -> Result<void> {
                 return ours(cloud.ports, cloud.ports_known, a.id, a.token, "port").map([](auto) {});
               },
               [&](const DeleteAddress& a) -> Result<void> {
                 auto address = ours(cloud.strays, cloud.ports_known, a.id, a.token, "floating IP");
                 if (!address) return tl::unexpected(address.error());
                 if (whole.object.kind == kOrphan) return orphan(whole, world, a.token.uid).map([](auto) {});
                 if (whole.object.kind == kLeak) return leak(whole, world, a.id, a.token);
                 return refuse("its instance lives");
               },
               [&](const DeletePort& a) -> Result<void> {
                 auto port = ours(cloud.ports, cloud.ports_known, a.id, a.token, "port");
                 if (!port) return tl::unexpected(port.error());
                 if (whole.object.kind == kOrphan) return orphan(whole, world, a.token.uid).map([](auto) {});
                 if (whole.object.kind == kLeak) return leak(whole, world, a.id, a.token);
                 auto object = owner(whole, world, a.token.uid);
                 if (!object) return tl::unexpected(object.error());
                 if (!(*object)->deleting())
                   return refuse("an address outlives its server: the instance is not being deleted");
                 if (!(*port)->device_id.empty() && by_id(cloud.servers, (*port)->device_id))
                   return refuse("a server uses the port");
                 return {};
               },
               [&](const CreateVolume& a) -> Result<void> {
                 const Observed<CloudVolume> seen = world.volume_of(a.token.uid);
                 if (seen.is_unknown()) return refuse("the volumes are unknown");
                 if (seen.is_known()) return refuse("a volume with this token exists");
                 auto object = owner(whole, world, a.token.uid);
                 if (!object) return tl::unexpected(object.error());
                 if (!bound_volume((*object)->resource).empty() &&
                     !(*object)->resource.status["unused"].bool_or(false))
                   return refuse("a volume that had data is not replaced by an empty one");
                 return {};
               },
               [&](const ExtendVolume& a) -> Result<void> {
                 auto volume = ours(cloud.volumes, cloud.volumes_known, a.id, a.token, "volume");
                 if (!volume) return tl::unexpected(volume.error());
                 if (a.to_gib <= (*volume)->size_gib) return refuse("a volume never shrinks");
                 return {};
               },
               [&](const RetypeVolume& a) -> Result<void> {
                 auto volume = ours(cloud.volumes, cloud.volumes_known, a.id, a.token, "volume");
                 if (!volume) return tl::unexpected(volume.error());
                 auto fresh = read_(whole.object);
                 if (!fresh) return tl::unexpected(fresh.error());
                 if (!*fresh || (*fresh)->metadata.uid != a.token.uid)
                   return refuse("the volume's object is not the one it names");
                 // It may copy all the data, for hours: nobody's wish of a while ago.
                 if ((*fresh)->deleting() || a.to_type.empty() || (*fresh)->spec["type"].text() != a.to_type)
                   return refuse("no spec asks for type " + a.to_type + " of the volume");
                 return {};
               },
               [&](const DeleteVolume& a) -> Result<void> {
                 auto volume = ours(cloud.volumes, cloud.volumes_known, a.id, a.token, "volume");
                 if (!volume) return tl::unexpected(volume.error());
                 if (!(*volume)->server_id.empty())
                   return refuse("the volume is attached to server " + (*volume)->server_id);
                 if (whole.object.kind == kOrphan) {
                   auto gone = orphan(whole, world, a.token.uid);
                   if (!gone) return tl::unexpected(gone.error());
                   if (!(*gone)->destroy) return refuse("the volume's object was deleted with deletionPolicy Retain");
                   return {};
                 }
                 auto fresh = read_(whole.object);
                 if (!fresh) return tl::unexpected(fresh.error());
                 if (!*fresh || (*fresh)->metadata.uid != a.token.uid)
                   return refuse("the volume's object is not the one it names");
                 // One that cinder failed to make, and that by our own record was never of use.
                 if (disposable((*volume)->status) && (*volume)->status != CloudVolume::Status::available &&
                     (*fresh)->status["unused"].bool_or(false))
                   return {};
                 // A second one from a create that was answered late: empty, for it was never attached, while the one
                 // that the object is bound to is there.
                 const std::string& bound = (*fresh)->status["id"].text();
                 if (!bound.empty() && a.id != bound && disposable((*volume)->status))
                   if (const CloudVolume* kept = by_id(cloud.volumes, bound); kept && kept->token == a.token) return {};
                 if (!(*fresh)->deleting() || (*fresh)->spec["deletionPolicy"].text() != "Delete")
                   return refuse("data goes only when its object is deleted with deletionPolicy Delete");
                 return {};
               },
               [&](const CreateServer& a) -> Result<void> {
                 if (!cloud.servers_known || !cloud.volumes_known || !cloud.ports_known)
                   return refuse("the cloud is unknown");
                 auto object = owner(whole, world, a.token.uid);
                 if (!object) return tl::unexpected(object.error());
                 if ((*object)->deleting()) return refuse("the instance is being deleted");
                 if (!world.servers_of(a.token.uid).empty()) return refuse("the instance has a server");
                 if (world.servers_doubtful(a.token.uid))
                   return refuse("a server that was made is not known to be gone");
                 if (const Observed<Port> port = world.port_of(a.token.uid); !port.is_known() || port->id != a.port_id)
                   return refuse("port " + a.port_id + " is not the instance's");
                 if (!a.volume_id.empty()) {
                   const CloudVolume* volume = by_id(cloud.volumes, a.volume_id);
                   if (!volume) return refuse("volume " + a.volume_id + " is not in the cloud");
                   if (!volume->server_id.empty() && by_id(cloud.servers, volume->server_id))
                     return refuse("volume " + a.volume_id + " is attached to server " + volume->server_id);
                 }
                 if (a.token.incarnation > 1) {
                   std::erase_if(replacements_,
                                 [&](const auto& entry) { return world.steady - entry.second > kBrakeWindow; });
                   size_t instances = 0;
                   for (const auto& [key, unused] : world.objects()) instances += key.kind == "DatabaseInstance";
                   const size_t most = std::max(kBrakeLeast, instances * kBrakePercent / 100);
                   if (!replacements_.contains(a.token) && replacements_.size() >= most)
                     return fail(Code::throttled,
                                 "the brake holds: " + std::to_string(replacements_.size()) +
                                     " servers were replaced within a minute; is the cloud telling the truth?");
                   replacements_.try_emplace(a.token, world.steady);
                 }
                 return {};
               },
               [&](const StartServer& a) -> Result<void> {
                 return ours(cloud.servers, cloud.servers_known, a.id, a.token, "server").map([](auto) {});
               },
               [&](const ResizeServer& a) -> Result<void> {
                 return ours(cloud.servers, cloud.servers_known, a.id, a.token, "server").map([](auto) {});
               },
               [&](const ConfirmResize& a) -> Result<void> {
                 return ours(cloud.servers, cloud.servers_known, a.id, a.token, "server").map([](auto) {});
               },
               [&](const RevertResize& a) -> Result<void> {
                 return ours(cloud.servers, cloud.servers_known, a.id, a.token, "server").map([](auto) {});
               },
               [&](const ExplainServer& a) -> Result<void> {
                 return ours(cloud.servers, cloud.servers_known, a.id, a.token, "server").map([](auto) {});
               },
               [&](const DeleteServer& a) -> Result<void> {
                 auto server = ours(cloud.servers, cloud.servers_known, a.id, a.token, "server");
                 if (!server) return tl::unexpected(server.error());
                 if (whole.object.kind == kOrphan) return orphan(whole, world, a.token.uid).map([](auto) {});
                 if (whole.object.kind == kLeak) return leak(whole, world, a.id, a.token);
                 auto object = owner(whole, world, a.token.uid);
                 if (!object) return tl::unexpected(object.error());
                 const auto servers = world.servers_of(a.token.uid);
                 const bool duplicate = servers.size() > 1 && current_server(servers) != *server;
                 // One that is being deleted may be asked to go once more.
                 const bool broken =
                     (*server)->status == Server::Status::error || (*server)->status == Server::Status::deleting;
                 if (!(*object)->deleting() && !broken && !duplicate)
                   return refuse("server " + a.id + " works and its instance is not being deleted");
                 return {};
               },
               [&](const AttachVolume& a) -> Result<void> {
                 auto volume = ours(cloud.volumes, cloud.volumes_known, a.id, a.token, "volume");
                 if (!volume) return tl::unexpected(volume.error());
                 if (!(*volume)->server_id.empty())
                   return refuse("the volume is attached to server " + (*volume)->server_id);
                 if (!cloud.servers_known) return refuse("the server list is unknown");
                 const Server* server = by_id(cloud.servers, a.server_id);
                 if (!server) return fail(Code::not_found, "server " + a.server_id + " is not in the cloud any more");
                 // The volume is its own object; the server has to be of the instance that plans this.
                 auto object = owner(whole, world, server->token.uid);
                 if (!object) return tl::unexpected(object.error());
                 if (!server->volume_id.empty() && server->volume_id != a.id)
                   return refuse("server " + a.server_id + " has volume " + server->volume_id);
                 return {};
               },
               [&](const DetachVolume& a) -> Result<void> {
                 auto volume = ours(cloud.volumes, cloud.volumes_known, a.id, a.token, "volume");
                 if (!volume) return tl::unexpected(volume.error());
                 if (by_id(cloud.servers, a.server_id)) return refuse("server " + a.server_id + " still has it");
                 return {};
               },
               [&](const DeleteStoredObject& a) -> Result<void> {
                 if (whole.object.kind == kOrphan) {
                   auto gone = orphan(whole, world, guest::backup_uid(a.key));
                   if (!gone) return tl::unexpected(gone.error());
                   if (!(*gone)->destroy) return refuse("the backup was deleted with deletionPolicy Retain");
                   return {};
                 }
                 auto fresh = read_(whole.object);
                 if (!fresh) return tl::unexpected(fresh.error());
                 if (!*fresh || guest::backup_key(a.key) != (*fresh)->metadata.project + "/" + (*fresh)->metadata.uid)
                   return refuse("the stored backup is not the object's");
                 if (!(*fresh)->deleting() || (*fresh)->spec["deletionPolicy"].text() != "Delete")
                   return refuse("a backup goes only when its object is deleted with deletionPolicy Delete");
                 return {};
               }},
      action);
}

// A document may name as dropped only what a person deleted with deletionPolicy Delete, by a fresh read.
Result<void> Guardian::check_document(const PutGuestDocument& put, const Action& whole, const World& world) {
  auto object = owner(whole, world, put.server.uid);
  if (!object) return tl::unexpected(object.error());
  auto consented = [&](const std::string& kind, auto matches) -> Result<bool> {
    for (const Key& key : world.referrers(whole.object)) {
      const Object* child = world.find(key);
      if (key.kind != kind || !child || !child->deleting() || !matches(*child)) continue;
      auto fresh = read_(key);
      if (!fresh) return tl::unexpected(fresh.error());
      if (*fresh && (*fresh)->deleting() && common_of(make_object(**fresh)->spec).deletion == Common::Deletion::remove)
        return true;
    }
    return false;
  };
  for (const std::string& name : put.document.dropped_databases) {
    auto yes = consented("Database", [&](const Object& o) { return o.as<DatabaseSpec>().name == name; });
    if (!yes) return tl::unexpected(yes.error());
    if (!*yes) return refuse("no deleted Database with deletionPolicy Delete is named " + name);
  }
  for (const auto& [name, host] : put.document.dropped_users) {
    if (name == "root" && !(*object)->as<DatabaseInstanceSpec>().root_access) continue;
    auto yes = consented("User", [&, wanted = name](const Object& o) { return o.as<UserSpec>().name == wanted; });
    if (!yes) return tl::unexpected(yes.error());
    if (!*yes) return refuse("no deleted User with deletionPolicy Delete is named " + name);
  }
  return {};
}

}  // namespace trove
