// A DatabaseInstance: one port, one data volume, one server, and what its guest is told. A ladder, most urgent rung
// first.
#include <algorithm>

#include "reconciler/kinds/instance_ladder.hpp"
#include "reconciler/objects.hpp"

namespace trove {
namespace {

constexpr const char* kFlavor = "/flavor";
constexpr const char* kVolumeType = "/volume/type";
constexpr const char* kPower = "/power";  // not of the spec: that a server runs is always wanted

Token token_of(const Object& object, std::string_view role, int incarnation = 1) {
  return {object.meta().uid, std::string(role), incarnation};
}

std::string member_name(const Object& object) { return object.meta().name + "-0"; }

bool owned_by(const Object& thing, const Object& owner) {
  for (const OwnerReference& reference : thing.meta().owner_references)
    if (reference.uid == owner.meta().uid) return true;
  return false;
}

// Deletion: server, volume, port, object; it never asks the guest.
Plan plan_deletion(Ladder& ladder) {
  const Object& object = ladder.object;
  const World& world = ladder.world;
  ladder.drift.forget_all();
  ladder.status.phase("DELETING").ready(false, "Progressing", "being deleted");
  auto act = [&](Action action, std::string message) {
    action.object = object.key();
    ladder.plan.actions.push_back(std::move(action));
    ladder.status.progressing("Deleting", message);
    ladder.plan.status = ladder.status.build();
    return std::move(ladder.plan);
  };
  auto wait = [&](std::string message) {
    ladder.plan.waiting_reason = "Progressing";
    ladder.plan.waiting_message = message;
    ladder.status.progressing("Deleting", std::move(message));
    ladder.plan.status = ladder.status.build();
    return std::move(ladder.plan);
  };
  if (ladder.want.observe_only)
    return act({RemoveObject{object.key(), object.meta().uid}, {}, Change::none},
               "observed only: nothing of it is touched");
  if (!world.inventory->servers_known || !world.inventory->ports_known || !world.inventory->volumes_known)
    return ladder.unknown("the cloud could not be read: " + world.doubt());
  const auto servers = world.servers_of(object.meta().uid);
  for (const Server* server : servers)
    if (server->status == Server::Status::unknown)
      return wait("nova does not know what server " + server->id + " does");
  for (const Server* server : servers)
    if (server->status != Server::Status::deleting)
      return act(
          {CloudAction{DeleteServer{server->token, server->id}}, {}, Change::none, "the database stops for good"},
          "deleting server " + server->id);
  for (const Server* server : servers) {
    const Time again = world.ledger->ask_again(server->id);
    if (world.steady >= again)
      return act({CloudAction{DeleteServer{server->token, server->id}}, {}, Change::none},
                 "server " + server->id + " does not go; asking again");
    ladder.wake_at(world.at(again));
  }
  if (!servers.empty()) return wait("nova deletes the server");
  if (world.servers_doubtful(object.meta().uid)) return wait("making sure that the server is gone");
  for (const Key& key : world.referrers(object.key())) {
    const Object* owned = world.find(key);
    if (!owned || !owned_by(*owned, object) || owned->deleting()) continue;
    if (key.kind == "Volume" && ladder.want.deletion == Common::Deletion::retain) {
      Resource released = owned->resource;
      std::erase_if(released.metadata.owner_references,
                    [&](const OwnerReference& reference) { return reference.uid == object.meta().uid; });
      released.metadata.annotations.set("trove/retained-from", object.meta().name);
      return act({UpdateObject{std::move(released), "kept: deletionPolicy Retain"}, {}, Change::none},
                 "keeping " + to_string(key));
    }
    // The policy may have been changed a moment before the deletion: the volume follows it still.
    if (key.kind == "Volume" && owned->as<VolumeSpec>().deletion == Common::Deletion::retain) {
      Resource follows = owned->resource;
      follows.spec.set("deletionPolicy", "Delete");
      return act({UpdateObject{std::move(follows), "deletionPolicy Delete"}, {}, Change::none},
                 "deletionPolicy Delete for " + to_string(key));
    }
    return act({DeleteObject{key, owned->meta().uid, "its instance is deleted"}, {}, Change::none},
               "deleting " + to_string(key));
  }
  for (const Key& key : world.referrers(object.key())) {
    const Object* owned = world.find(key);
    if (owned && key.kind == "Volume" && owned_by(*owned, object)) return wait("waiting for " + to_string(key));
  }
  const Observed<Port> port = world.port_of(object.meta().uid);
  if (port.is_unknown()) return wait("making sure that the port is gone");
  if (port.is_known())
    return act({CloudAction{DeletePort{port->token, port->id}}, {}, Change::none}, "deleting port " + port->id);
  return act({RemoveObject{object.key(), object.meta().uid}, {}, Change::none}, "done");
}

Action create_port(const Ladder& ladder) {
  std::vector<std::string> cidrs = ladder.want.allowed_cidrs;
  std::sort(cidrs.begin(), cidrs.end());
  return {CloudAction{CreatePort{token_of(ladder.object, "port-0"), ladder.object.meta().project,
                                 member_name(ladder.object), std::move(cidrs), ladder.want.is_public}},
          ladder.object.key()};
}

// The port needs nothing of the volume: it is made while the volume is.
void port_meanwhile(Ladder& ladder) {
  if (ladder.world.port_of(ladder.object.meta().uid).is_absent()) ladder.plan.actions.push_back(create_port(ladder));
}

// A deletion that hangs is asked for again, whatever else there is to do.
void hurry_deletions(Ladder& ladder) {
  for (const Server* server : ladder.world.servers_of(ladder.object.meta().uid)) {
    if (server->status != Server::Status::deleting) continue;
    const Time again = ladder.world.ledger->ask_again(server->id);
    if (ladder.world.steady >= again)
      ladder.plan.actions.push_back(
          {CloudAction{DeleteServer{server->token, server->id}}, ladder.object.key(), Change::none});
    else
      ladder.wake_at(ladder.world.at(again));
  }
}

// What the owned Volume's spec says, brought to what the instance's says; null: it does.
std::optional<Action> volume_follows(Ladder& ladder, const Object& volume, bool type_too) {
  const auto& spec = volume.as<VolumeSpec>();
  const DatabaseInstanceSpec& want = ladder.want;
  const bool grows = spec.size_gib < want.volume_gib, other_policy = spec.deletion != want.deletion,
             other_type = type_too && spec.type != want.volume_type;
  if (!grows && !other_policy && !other_type) return std::nullopt;
  Resource follow = volume.resource;
  std::string what;
  const auto say = [&](std::string change) { what += (what.empty() ? "" : ", ") + std::move(change); };
  if (grows) {
    follow.spec.set("size", want.volume_gib);
    say("size " + std::to_string(spec.size_gib) + " to " + std::to_string(want.volume_gib) + " GiB");
  }
  if (other_type) {
    const auto or_none = [](const std::string& type) { return type.empty() ? "none" : type; };
    if (want.volume_type.empty())
      follow.spec.erase("type");
    else
      follow.spec.set("type", want.volume_type);
    say("type " + or_none(spec.type) + " to " + or_none(want.volume_type));
    ladder.drift.forget(kVolumeType);  // from here on a difference is ours, whatever becomes of the spec meanwhile
  }
  if (other_policy) {
    const std::string_view policy = want.deletion == Common::Deletion::remove ? "Delete" : "Retain";
    follow.spec.set("deletionPolicy", policy);
    say("deletionPolicy " + std::string(policy));
  }
  return Action{UpdateObject{std::move(follow), std::move(what)}, ladder.object.key(), Change::live};
}

// The volume. A plan when this rung has something to do; nullopt when the volume is there (ladder.volume_id) or none is
// wanted.
std::optional<Plan> volume_rung(Ladder& ladder) {
  const Object& object = ladder.object;
  const World& world = ladder.world;
  const DatabaseInstanceSpec& want = ladder.want;
  if (want.volume_gib == 0 && want.volume_ref.empty()) return std::nullopt;
  const bool inlined = want.volume_ref.empty();
  const Key key{object.meta().project, "Volume", inlined ? object.meta().name + "-data" : want.volume_ref};
  const Object* volume = world.find(key);
  const std::string_view policy = want.deletion == Common::Deletion::remove ? "Delete" : "Retain";
  if (!volume) {
    if (!inlined) return ladder.wait("WaitingForDependency", "volume " + key.name + " does not exist (spec.volumeRef)");
    Resource owned;
    owned.kind = "Volume";
    owned.metadata.name = key.name;
    owned.metadata.project = key.project;
    owned.metadata.owner_references.push_back({"DatabaseInstance", object.meta().name, object.meta().uid});
    owned.spec = Value::map({{"size", want.volume_gib}, {"deletionPolicy", policy}});
    if (!want.volume_type.empty()) owned.spec.set("type", want.volume_type);
    if (!want.zone.empty()) owned.spec.set("availabilityZone", want.zone);
    // Its object first: then Cinder is asked for the volume while Neutron makes the port.
    Plan plan = ladder.act({CreateObject{std::move(owned)}, {}, Change::none}, "CreatingVolume",
                           "volume " + key.name + " of " + std::to_string(want.volume_gib) + " GiB");
    if (world.port_of(object.meta().uid).is_absent()) plan.actions.push_back(create_port(ladder));
    return plan;
  }
  if (volume->deleting()) return ladder.wait("WaitingForDependency", "volume " + key.name + " is being deleted");
  if (inlined && !owned_by(*volume, object)) {
    // Retained by an earlier instance of this name: applying the instance again brings its data back.
    const bool retained = volume->meta().owner_references.empty() &&
                          volume->meta().annotations["trove/retained-from"].text() == object.meta().name;
    if (!retained)
      return ladder.stall({"CONFLICT", "User",
                           "volume " + key.name +
                               " exists and belongs to something else; name it in "
                               "spec.volumeRef, or rename it"});
    Resource adopted = volume->resource;
    adopted.metadata.owner_references.push_back({"DatabaseInstance", object.meta().name, object.meta().uid});
    return ladder.act({UpdateObject{std::move(adopted), "adopted with its data"}, {}, Change::none}, "AdoptingVolume",
                      "volume " + key.name + " was kept from an earlier instance of this name");
  }
  const bool unused = volume->resource.status["unused"].bool_or(false);
  const std::string bound = unused ? "" : bound_volume(volume->resource);
  const Observed<CloudVolume> seen = world.bound_volume_of(volume->meta().uid, bound);
  // The instance goes on meanwhile. What is judged follows only where the judge's word is written down with it.
  if (inlined)
    if (auto follows = volume_follows(ladder, *volume, !seen.is_unknown()))
      ladder.plan.actions.push_back(std::move(*follows));
  if (seen.is_unknown()) return ladder.unknown("the cloud's volumes are not known for certain: " + world.doubt());
  if (seen.is_absent()) {
    if (!bound.empty())
      return ladder.stall({"DATA_SAFETY_HOLD", "User", "the data volume " + key.name + " is gone from the cloud"});
    port_meanwhile(ladder);
    return ladder.wait("WaitingForDependency", "volume " + key.name + " is being created");
  }
  const bool failed = seen->status == CloudVolume::Status::error || seen->status == CloudVolume::Status::error_deleting;
  if (failed && unused)
    return ladder.wait("WaitingForDependency", "volume " + key.name + " could not be made; it is made again");
  if (seen->status == CloudVolume::Status::error)
    return ladder.stall({"CLOUD_DEPENDENCY", "CloudOperator", "cinder reports volume " + key.name + " in error"});
  if (seen->status == CloudVolume::Status::error_extending || seen->status == CloudVolume::Status::error_deleting)
    return ladder.stall({"CLOUD_DEPENDENCY", "CloudOperator",
                         "cinder reports volume " + key.name + " in " + std::string(to_string(seen->status))});
  if (seen->status == CloudVolume::Status::creating) port_meanwhile(ladder);
  if (seen->status == CloudVolume::Status::creating || seen->status == CloudVolume::Status::deleting)
    return ladder.wait("WaitingForDependency", "volume " + key.name + ": " + std::string(to_string(seen->status)));
  // No server can be given it while cinder copies it.
  if (seen->status == CloudVolume::Status::retyping && seen->server_id.empty())
    return ladder.wait("WaitingForDependency", "volume " + key.name + " is being given another type");
  // Its object still says that it may be thrown away: a moment later it does not.
  if (unused) return ladder.wait("WaitingForDependency", "volume " + key.name + " is being created");
  ladder.volume_id = seen->id;
  ladder.volume = *seen;
  if (inlined) {
    ladder.drift.judge_size("/volume/size", want.volume_gib, seen->size_gib,
                            "to accept it set volume.size to " + std::to_string(seen->size_gib));
    const auto finding = ladder.drift.judge_type(kVolumeType, want.volume_type, *seen);
    ladder.type_waits = finding == DriftJudge::Finding::change || finding == DriftJudge::Finding::correct;
  }
  Value volume_status = Value::map({{"size", seen->size_gib}});
  for (const char* field : {"usedPercent", "usableMib"})  // the guest's to say; until it speaks, what it said
    if (!ladder.before["volume"][field].is_null()) volume_status.set(field, ladder.before["volume"][field]);
  ladder.status.fields().set("volume", std::move(volume_status));
  return std::nullopt;
}

Value list_of(const std::vector<std::string>& texts) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

// The port.
std::optional<Plan> port_rung(Ladder& ladder) {
  const Object& object = ladder.object;
  const Observed<Port> port = ladder.world.port_of(object.meta().uid);
  if (port.is_unknown()) return ladder.unknown("the cloud's ports are not known for certain: " + ladder.world.doubt());
  std::vector<std::string> cidrs = ladder.want.allowed_cidrs;
  std::sort(cidrs.begin(), cidrs.end());
  if (port.is_absent()) return ladder.act(create_port(ladder), "CreatingPort", "creating a port");
  ladder.port = *port;
  const std::string at = ":" + std::to_string(engine_port(ladder.want.engine));
  Value endpoints = Value::map({{"primary", port->address + at}});
  if (!port->public_address.empty()) endpoints.set("public", port->public_address + at);
  ladder.status.fields().set("endpoints", std::move(endpoints));
  const bool has_public = !port->public_address.empty(), wants_public = ladder.want.is_public;
  bool update = false;
  // What is left as it is, is asked for as it is.
  const auto settle = [&](DriftFact fact) {
    const std::string path = fact.path;
    const auto finding = ladder.drift.judge(std::move(fact));
    if (finding == DriftJudge::Finding::correct) ladder.drift.corrected(path);
    const bool acts = finding == DriftJudge::Finding::correct || finding == DriftJudge::Finding::change;
    update = update || acts;
    return acts || finding == DriftJudge::Finding::fits;
  };
  if (!settle({"/access/allowedCidrs", list_of(cidrs), list_of(port->allowed_cidrs), port->allowed_cidrs == cidrs}))
    cidrs = port->allowed_cidrs;
  // Most instances never had one: nothing is remembered of it for them.
  const bool concerned = wants_public || has_public || ladder.before["inSync"].find("/access/public");
  const bool is_public =
      concerned && settle({"/access/public", wants_public, has_public, has_public == wants_public}) ? wants_public
                                                                                                    : has_public;
  if (update)
    ladder.plan.actions.push_back(
        {CloudAction{UpdatePort{port->token, port->id, cidrs, is_public}}, object.key(), Change::live});
  return std::nullopt;
}

// A server that somebody stopped. nullopt: start it.
std::optional<Plan> stopped_rung(Ladder& ladder) {
  const Server& server = *ladder.server;
  const auto finding = ladder.drift.judge({kPower, "ACTIVE", "SHUTOFF", false, server.id}, server, "stop");
  if (finding == DriftJudge::Finding::asking) return ladder.ask();
  if (finding != DriftJudge::Finding::left) return std::nullopt;
  const bool reported = ladder.drift.drifted(kPower);
  return ladder.wait("Drifted", reported ? "the server was stopped outside and stays off (drift: Report): start it, or "
                                           "set drift to Correct"
                                         : "the server is off, and that is left to whoever stopped it (drift: Ignore)");
}

// Of a server that runs, or waits to be told whether its new flavor stays: its flavor. A plan when it is resized.
std::optional<Plan> flavor_rung(Ladder& ladder) {
  const Server& server = *ladder.server;
  const std::string& want = ladder.flavor;
  const auto finding =
      ladder.drift.judge({kFlavor, ladder.want.flavor, server.flavor, server.flavor == want}, server, "resize");
  if (finding == DriftJudge::Finding::asking) return ladder.ask();
  ladder.flavor_waits = finding == DriftJudge::Finding::change || finding == DriftJudge::Finding::correct;
  if (!ladder.flavor_waits) return std::nullopt;
  const bool allowed = ladder.interruption_allowed() ||
                       restart_asked(ladder.object, ladder.world, nullptr);
  if (!allowed) {
    ladder.drift.waits_for(kFlavor, "approval: trovectl restart inst/" + ladder.object.meta().name);
    return std::nullopt;
  }
  ladder.drift.corrected(kFlavor);
  if (server.status == Server::Status::verify_resize)
    return ladder.act({CloudAction{RevertResize{server.token, server.id, server.flavor, want}},
                       {},
                       Change::reboot,
                       "the database stops for one restart"},
                      "Resizing", server.flavor + " back to " + want);
  return ladder.act({CloudAction{ResizeServer{server.token, server.id, server.flavor, want}},
                     {},
                     Change::reboot,
                     "the database stops for one restart"},
                    "Resizing", server.flavor + " to " + want);
}

// The server.
std::optional<Plan> server_rung(Ladder& ladder) {
  const Object& object = ladder.object;
  const World& world = ladder.world;
  if (!world.inventory->servers_known)
    return ladder.unknown("the cloud's servers could not be read: " + world.doubt());
  const auto servers = world.servers_of(object.meta().uid);
  ladder.server = current_server(servers);
  for (const Server* surplus : servers)
    if (surplus != ladder.server && surplus->status != Server::Status::deleting)
      return ladder.act({CloudAction{DeleteServer{surplus->token, surplus->id}}, {}, Change::none}, "RemovingDuplicate",
                        "server " + surplus->id + " carries the same token as " + ladder.server->id);
  const int64_t last = ladder.before["incarnation"].int_or(0);
  if (!ladder.server) {
    if (!servers.empty()) return ladder.wait("WaitingForNova", "nova deletes the old server");
    if (world.servers_doubtful(object.meta().uid))
      return ladder.unknown("the cloud's servers are not known for certain: " + world.doubt());
    // As after an instance of the same name, which left the volume behind. Of a server that is not ours nobody will take it
    // away: that is for the guardian to refuse, and for people to read.
    if (ladder.volume && !ladder.volume->server_id.empty())
      for (const Server& other : world.inventory->servers)
        if (other.id == ladder.volume->server_id && !other.token.uid.empty())
          return ladder.wait("WaitingForNova", "volume " + ladder.volume_id + " is attached to server " + other.id + " still");
    const bool was_seen = ladder.before["members"].size() > 0;
    int incarnation = static_cast<int>(was_seen ? last + 1 : std::max<int64_t>(last, 1));
    Token newest;
    if (const Intent* intent = world.ledger->newest(object.meta().uid, "server-0", &newest))
      incarnation = std::max(incarnation, newest.incarnation + (intent->id.empty() ? 0 : 1));
    const bool again = incarnation > 1;
    return ladder.act({CloudAction{CreateServer{token_of(object, "server-0", incarnation), object.meta().project,
                                                member_name(object), ladder.flavor, ladder.want.datastore_type,
                                                ladder.want.version, ladder.port.id, ladder.volume_id,
                                                ladder.want.zone, ladder.want.server_group}},
                       {},
                       again ? Change::rebuild : Change::live,
                       again ? "the database is down until the new server runs" : ""},
                      again ? "ReplacingServer" : "CreatingServer",
                      again ? "the server is gone; a new one takes its volume and address" : "creating the server");
  }
  const Server& server = *ladder.server;
  ladder.status.fields().set("incarnation", std::max<int64_t>(last, server.token.incarnation));
  Value& members = ladder.status.fields().set("members", Value::list());
  Value::Map& member = members.push_back(Value::map()).mutable_members();
  member.reserve(9);
  member.push_back({"name", member_name(object), {}});
  member.push_back({"role", "Primary", {}});
  member.push_back({"server", server.id, {}});
  member.push_back({"serverStatus", to_string(server.status), {}});
  member.push_back({"flavor", server.flavor, {}});
  member.push_back({"port", ladder.port.id, {}});
  member.push_back({"address", ladder.port.address, {}});
  member.push_back({"health", "UNKNOWN", {}});
  if (!ladder.volume_id.empty()) member.push_back({"volume", ladder.volume_id, {}});
  switch (server.status) {
    case Server::Status::error:
      return ladder.act(
          {CloudAction{DeleteServer{server.token, server.id}}, {}, Change::rebuild, "the broken server is replaced"},
          "ReplacingServer", "nova reports the server in ERROR: " + server.fault);
    case Server::Status::shutoff:
      if (auto plan = stopped_rung(ladder)) return std::move(*plan);
      return ladder.act({CloudAction{StartServer{server.token, server.id}}, {}, Change::live}, "StartingServer",
                        "the server is off; starting it");
    case Server::Status::build:
      return ladder.wait("WaitingForNova", "nova builds the server");
    case Server::Status::verify_resize:
      // What it had is what the spec says: undone it costs one restart, confirmed and resized again it costs two.
      if (ladder.before["members"].items().size() == 1 &&
          ladder.before["members"].items().front()["flavor"].text() == ladder.flavor)
        if (auto plan = flavor_rung(ladder)) return std::move(*plan);
      return ladder.act({CloudAction{ConfirmResize{server.token, server.id}}, {}, Change::live}, "Resizing",
                        "nova asks to confirm the resize");
    case Server::Status::reboot:
    case Server::Status::resize:
    case Server::Status::deleting:
    case Server::Status::unknown:
      return ladder.wait("WaitingForNova", "nova says " + std::string(to_string(server.status)));
    case Server::Status::active:
      ladder.drift.judge({kPower, "ACTIVE", "ACTIVE", true, server.id});
      break;
  }
  // Detached behind our back: an engine without its volume must not pass for a healthy one.
  if (ladder.volume && ladder.volume->server_id != server.id) {
    const CloudVolume& volume = *ladder.volume;
    const std::string says = "volume " + volume.id + " is not attached to its server (cinder says " +
                             std::string(to_string(volume.status)) + ")";
    if (volume.server_id.empty() && volume.status == CloudVolume::Status::available)
      return ladder.act({CloudAction{AttachVolume{volume.token, volume.id, server.id}},
                         {},
                         Change::reboot,
                         "the engine starts again on its volume"},
                        "AttachingVolume", says);
    return ladder.wait("WaitingForCinder", says);
  }
  return flavor_rung(ladder);
}

Plan plan_rungs(Ladder& ladder) {
  const Object& object = ladder.object;
  const World& world = ladder.world;
  if (object.deleting()) return plan_deletion(ladder);
  if (ladder.want.observe_only) {
    ladder.drift.forget_all();
    ladder.status.phase("ACTIVE").ready_unknown("Observing", "managementPolicy Observe").synced(true, "Observing");
    ladder.plan.status = ladder.status.build();
    return std::move(ladder.plan);
  }
  const bool flavors_known = !world.inventory->flavors.empty();
  // A flavor may be retired while servers still have it: they go on.
  const Server* server = current_server(world.servers_of(object.meta().uid));
  const bool has_it = server && server->flavor == ladder.want.flavor;
  if (flavors_known && !has_it && world.flavor_ram_mib(ladder.want.flavor) == 0) {
    std::string there;
    for (const Flavor& flavor : world.inventory->flavors) there += (there.empty() ? "" : ", ") + flavor.name;
    return ladder.stall(
        {"CONFIG_INVALID", "User", "flavor " + ladder.want.flavor + " does not exist; there are: " + there});
  }
  if (!ladder.want.bootstrap_backup.empty() && !ladder.before["bootstrapped"].bool_or(false)) {
    const Object* backup = world.find({object.meta().project, "Backup", ladder.want.bootstrap_backup});
    if (!backup)
      return ladder.wait("WaitingForDependency", "backup " + ladder.want.bootstrap_backup + " does not exist");
    const std::string phase = backup->resource.status["phase"].text_or("Pending");
    if (phase == "Failed")
      return ladder.stall(
          {"REF_NOT_READY", "User", "backup " + ladder.want.bootstrap_backup + " failed; name another one"});
    if (phase != "Completed")
      return ladder.wait("WaitingForDependency", "backup " + ladder.want.bootstrap_backup + " is not completed yet");
  }
  const Key root_secret{object.meta().project, "Secret", object.meta().name + "-root"};
  const Object* root = world.find(root_secret);
  if (ladder.want.root_access && !root && !ladder.want.suspend)
    ladder.plan.actions.push_back(
        {GenerateSecret{root_secret, {"DatabaseInstance", object.meta().name, object.meta().uid}, 32}, object.key(),
         Change::none});
  // The login is gone from the engine: nobody needs its password any more.
  if (!ladder.want.root_access && root && owned_by(*root, object) && !root->deleting() &&
      !ladder.before["rootEnabled"].bool_or(false))
    ladder.plan.actions.push_back(
        {DeleteObject{root_secret, root->meta().uid, "root access was taken away"}, object.key(), Change::none});
  if (restart_asked(object, world, nullptr)) ladder.drift.try_again();
  if (!ladder.want.suspend) {
    hurry_deletions(ladder);
    if (auto plan = volume_rung(ladder)) return std::move(*plan);
    if (auto plan = port_rung(ladder)) return std::move(*plan);
    if (auto plan = server_rung(ladder)) return std::move(*plan);
  } else {
    // Suspended: nothing in the cloud is corrected; the guest is told to hold still.
    const Observed<Port> port = world.port_of(object.meta().uid);
    ladder.server = current_server(world.servers_of(object.meta().uid));
    if (!port.is_known() || !ladder.server) {
      ladder.status.phase("SHUTDOWN").ready(false, "Suspended").synced(false, "Suspended", "spec.suspend is true");
      ladder.plan.status = ladder.status.build();
      return std::move(ladder.plan);
    }
    ladder.port = *port;
    ladder.flavor_waits = ladder.server->flavor != ladder.flavor;
  }
  return guest_rung(ladder);
}

}  // namespace

Plan plan_database_instance(const Object& object, const World& world) {
  Ladder ladder(object, world);
  return looked_at_again(plan_rungs(ladder), ladder.drift);
}

}  // namespace trove
