#include "reconciler/kinds/preview.hpp"

#include <algorithm>
#include <deque>

#include "specs/kinds/parameters.hpp"

namespace trove {
namespace {

std::string fake_id(const Token& token) { return "new-" + token.role + "-" + token.uid; }

// A guest that has done all that its document says.
guest::Report obedient(const guest::Document& document, const guest::Report* last, Time now) {
  guest::Report report;
  if (last)
    report.cuts_backups = last->cuts_backups, report.engine_version = last->engine_version,
    report.volume_used_bytes = last->volume_used_bytes,
    report.volume_total_bytes = last->volume_total_bytes;
  report.engine_state = "Running";
  report.applied_restart = document.restart;
  const bool restarted = !last || last->applied_restart != document.restart;
  report.applied_memory_mib = restarted ? document.memory_mib : last->applied_memory_mib;
  for (const auto& d : document.databases) report.databases.push_back({d.name, "", "Applied", ""});
  for (const auto& name : document.dropped_databases) report.databases.push_back({name, "", "Dropped", ""});
  for (const auto& u : document.users) report.users.push_back({u.name, u.host, "Applied", ""});
  for (const auto& [name, host] : document.dropped_users) report.users.push_back({name, host, "Dropped", ""});
  for (const auto& p : document.parameters) {
    const Parameter* known = find_parameter(document.engine, p.name);
    const guest::ParameterState* running = nullptr;
    if (last)
      for (const auto& state : last->parameters)
        if (state.name == p.name) running = &state;
    const bool same = running && running->value == p.value && !running->pending_restart;
    const bool pending = !restarted && !same && known && known->change == Change::restart;
    report.parameters.push_back({p.name, p.value, pending, "Applied", ""});
  }
  for (const auto& b : document.backups) report.backups.push_back({b.id, "Completed", "", 0, 1, now, now, ""});
  if (document.restore) report.restore_state = "Restored";
  return report;
}

}  // namespace

void apply_expected(World& world, const Action& action) {
  if (const auto* cloud = std::get_if<CloudAction>(&action.effect)) {
    if (const auto* a = std::get_if<ExplainServer>(cloud)) {
      world.explained[{a->id, a->path}] = {a->actual, {}};
      return;
    }
    const auto forget = [&](const Token& token) { world.edit_ledger().forget_one(token); };
    if (const auto* a = std::get_if<DeletePort>(cloud)) forget(a->token);
    if (const auto* a = std::get_if<DeleteVolume>(cloud)) forget(a->token);
    if (const auto* a = std::get_if<DeleteServer>(cloud)) forget(a->token);
    const bool removes = std::holds_alternative<DeletePort>(*cloud) || std::holds_alternative<DeleteVolume>(*cloud) ||
                         std::holds_alternative<DeleteServer>(*cloud);
    world.edit_inventory(!removes, [&](Inventory& own) {
      Inventory* inventory = &own;
      auto find = [](auto& things, const std::string& id) {
        return std::find_if(things.begin(), things.end(), [&](const auto& t) { return t.id == id; });
      };
      if (const auto* a = std::get_if<CreatePort>(cloud)) {
        inventory->ports.push_back({fake_id(a->token), a->name, a->token, "(new address)", a->allowed_cidrs, "",
                                    a->is_public ? "(new public address)" : ""});
      } else if (const auto* a = std::get_if<UpdatePort>(cloud)) {
        if (auto p = find(inventory->ports, a->id); p != inventory->ports.end()) {
          p->allowed_cidrs = a->allowed_cidrs;
          if (!a->is_public)
            p->public_address.clear();
          else if (p->public_address.empty())
            p->public_address = "(new public address)";
        }
      } else if (const auto* a = std::get_if<DeletePort>(cloud)) {
        std::erase_if(inventory->ports, [&](const Port& p) { return p.id == a->id; });
      } else if (const auto* a = std::get_if<CreateVolume>(cloud)) {
        inventory->volumes.push_back(
            {fake_id(a->token), a->name, a->token, CloudVolume::Status::available, a->size_gib, a->type, ""});
      } else if (const auto* a = std::get_if<ExtendVolume>(cloud)) {
        if (auto v = find(inventory->volumes, a->id); v != inventory->volumes.end()) v->size_gib = a->to_gib;
      } else if (const auto* a = std::get_if<RetypeVolume>(cloud)) {
        if (auto v = find(inventory->volumes, a->id); v != inventory->volumes.end()) v->type = a->to_type;
      } else if (const auto* a = std::get_if<DeleteVolume>(cloud)) {
        std::erase_if(inventory->volumes, [&](const CloudVolume& v) { return v.id == a->id; });
      } else if (const auto* a = std::get_if<CreateServer>(cloud)) {
        const std::string id = fake_id(a->token);
        inventory->servers.push_back(
            {id, a->name, a->token, Server::Status::active, a->flavor, a->port_id, a->volume_id, world.now, ""});
        if (auto v = find(inventory->volumes, a->volume_id); v != inventory->volumes.end())
          v->server_id = id, v->status = CloudVolume::Status::in_use;
        if (auto p = find(inventory->ports, a->port_id); p != inventory->ports.end()) p->device_id = id;
      } else if (const auto* a = std::get_if<StartServer>(cloud)) {
        if (auto s = find(inventory->servers, a->id); s != inventory->servers.end()) s->status = Server::Status::active;
      } else if (const auto* a = std::get_if<ResizeServer>(cloud)) {
        if (auto s = find(inventory->servers, a->id); s != inventory->servers.end()) s->flavor = a->to_flavor;
      } else if (const auto* a = std::get_if<RevertResize>(cloud)) {
        if (auto s = find(inventory->servers, a->id); s != inventory->servers.end())
          s->flavor = a->to_flavor, s->status = Server::Status::active;
      } else if (const auto* a = std::get_if<ConfirmResize>(cloud)) {
        if (auto s = find(inventory->servers, a->id); s != inventory->servers.end()) s->status = Server::Status::active;
      } else if (const auto* a = std::get_if<AttachVolume>(cloud)) {
        if (auto v = find(inventory->volumes, a->id); v != inventory->volumes.end())
          v->server_id = a->server_id, v->status = CloudVolume::Status::in_use;
      } else if (const auto* a = std::get_if<DeleteServer>(cloud)) {
        std::erase_if(inventory->servers, [&](const Server& s) { return s.id == a->id; });
        for (CloudVolume& v : inventory->volumes)
          if (v.server_id == a->id) v.server_id.clear(), v.status = CloudVolume::Status::available;
        for (Port& p : inventory->ports)
          if (p.device_id == a->id) p.device_id.clear();
      } else if (const auto* a = std::get_if<DetachVolume>(cloud)) {
        if (auto v = find(inventory->volumes, a->id); v != inventory->volumes.end())
          v->server_id.clear(), v->status = CloudVolume::Status::available;
      } else if (const auto* a = std::get_if<DeleteStoredObject>(cloud)) {
        std::erase_if(inventory->objects, [&](const StoredObject& o) { return o.key == a->key; });
      }
    });
  } else if (const auto* put = std::get_if<PutGuestDocument>(&action.effect)) {
    GuestState& guest = world.guests[to_string(put->server)];
    guest::Report report = obedient(put->document, guest.report ? &*guest.report : nullptr, world.now);
    guest.document = put->document;
    guest.document_digest = "previewed";
    report.document_digest = guest.document_digest;
    guest.report = std::move(report);
    guest.heard = world.steady;
  } else if (const auto* create = std::get_if<CreateObject>(&action.effect)) {
    Resource resource = create->resource;
    resource.metadata.uid = "new-" + resource.kind + "-" + resource.metadata.name;
    resource.metadata.generation = 1;
    resource.metadata.creation_timestamp = world.now;
    world.put(make_object(std::move(resource)));
  } else if (const auto* update = std::get_if<UpdateObject>(&action.effect)) {
    Resource resource = update->resource;
    ++resource.metadata.generation;
    world.put(make_object(std::move(resource)));
  } else if (const auto* gone = std::get_if<DeleteObject>(&action.effect)) {
    if (const Object* object = world.find(gone->key)) {
      Resource resource = object->resource;
      resource.metadata.deletion_timestamp = world.now;
      world.put(make_object(std::move(resource)));
    }
  } else if (const auto* remove = std::get_if<RemoveObject>(&action.effect)) {
    world.remove(remove->key);
  } else if (const auto* secret = std::get_if<GenerateSecret>(&action.effect)) {
    Resource resource;
    resource.kind = "Secret";
    resource.metadata.name = secret->secret.name;
    resource.metadata.project = secret->secret.project;
    resource.metadata.uid = "new-secret-" + secret->secret.name;
    resource.metadata.owner_references.push_back(secret->owner);
    resource.spec = Value::map({{"data", Value::map()}});
    world.put(make_object(std::move(resource)));
    world.verifiers[{secret->secret.project, secret->owner.kind, secret->owner.name}] = "(generated)";
  }
}

std::vector<PreviewStep> guest_steps(const Key& object, const guest::Document* before, const guest::Document& after,
                                     const guest::Report* report) {
  static const guest::Document nothing;
  const guest::Document& old = before ? *before : nothing;
  std::vector<PreviewStep> steps;
  auto add = [&](std::string action, std::string detail, Change change = Change::live, std::string interrupts = {}) {
    steps.push_back({object, std::move(action), std::move(detail), change, std::move(interrupts)});
  };
  if (!before) {
    if (after.restore) add("guest.restore", "backup " + after.restore->id);
    add("guest.engine.start",
        std::string(to_string(after.engine)) + " on " + after.address + ":" + std::to_string(after.port));
  }
  for (const auto& p : after.parameters) {
    auto was =
        std::find_if(old.parameters.begin(), old.parameters.end(), [&](const auto& o) { return o.name == p.name; });
    if (was != old.parameters.end() && was->value == p.value) continue;
    const Parameter* known = find_parameter(after.engine, p.name);
    const bool restart = known && known->change == Change::restart && before;
    add("guest.set-global", p.name + "=" + p.value, restart ? Change::restart : Change::live,
        restart ? "takes effect at the next restart" : "");
  }
  for (const std::string& name : after.reset_parameters)
    if (std::find(old.reset_parameters.begin(), old.reset_parameters.end(), name) == old.reset_parameters.end())
      add("guest.reset-global", name + " to the engine's default");
  for (const auto& d : after.databases) {
    auto was =
        std::find_if(old.databases.begin(), old.databases.end(), [&](const auto& o) { return o.name == d.name; });
    if (was == old.databases.end())
      add("guest.db.create", d.name);
    else if (!(*was == d))
      add("guest.db.alter", d.name);
  }
  for (const auto& u : after.users) {
    auto was = std::find_if(old.users.begin(), old.users.end(),
                            [&](const auto& o) { return o.name == u.name && o.host == u.host; });
    const std::string who = u.host.empty() ? u.name : u.name + "@" + u.host;
    if (was == old.users.end())
      add("guest.user.create",
          who + (u.superuser ? ", all privileges" : ", " + std::to_string(u.grants.size()) + " grants"));
    else if (!(*was == u))
      add("guest.user.alter", who + (was->verifier == u.verifier ? "" : ", password (sensitive, changed)"));
  }
  for (const std::string& name : after.dropped_databases)
    if (std::find(old.dropped_databases.begin(), old.dropped_databases.end(), name) == old.dropped_databases.end())
      add("guest.db.drop", name, Change::live, "the database's data is destroyed");
  for (const auto& dropped : after.dropped_users)
    if (std::find(old.dropped_users.begin(), old.dropped_users.end(), dropped) == old.dropped_users.end())
      add("guest.user.drop", dropped.second.empty() ? dropped.first : dropped.first + "@" + dropped.second);
  for (const auto& b : after.backups)
    if (std::none_of(old.backups.begin(), old.backups.end(), [&](const auto& o) { return o.id == b.id; }))
      add("guest.backup", "backup " + b.id);
  if (before && old.allowed_cidrs != after.allowed_cidrs) add("guest.access", "allowed networks");
  if (before && report && report->applied_restart != after.restart && !after.restart.empty())
    add("guest.restart", "the engine restarts once", Change::restart, "the database stops for one restart");
  for (const auto& d : old.databases)
    if (std::none_of(after.databases.begin(), after.databases.end(), [&](const auto& o) { return o.name == d.name; }) &&
        std::find(after.dropped_databases.begin(), after.dropped_databases.end(), d.name) ==
            after.dropped_databases.end())
      add("guest.db.forget", d.name + " stays in the engine");
  for (const auto& u : old.users)
    if (std::none_of(after.users.begin(), after.users.end(),
                     [&](const auto& o) { return o.name == u.name && o.host == u.host; }) &&
        std::find(after.dropped_users.begin(), after.dropped_users.end(), std::pair(u.name, u.host)) ==
            after.dropped_users.end())
      add("guest.user.forget", u.name + " stays in the engine");
  return steps;
}

namespace {

// What performing `action` adds to what the project uses of its quotas, or takes from it.
void count_needs(const World& world, const CloudAction& action, Needs& needs) {
  const Inventory& cloud = *world.inventory;
  const auto flavor = [&](const std::string& name, int64_t times) {
    for (const Flavor& known : cloud.flavors)
      if (known.name == name) {
        needs.cores += times * known.vcpus, needs.ram_mib += times * known.ram_mib;
        return;
      }
  };
  const auto by_id = [](const auto& things, const std::string& id) {
    const auto found = std::find_if(things.begin(), things.end(), [&](const auto& t) { return t.id == id; });
    return found == things.end() ? nullptr : &*found;
  };
  if (const auto* a = std::get_if<CreateServer>(&action)) {
    ++needs.instances;
    flavor(a->flavor, 1);
  } else if (const auto* a = std::get_if<DeleteServer>(&action)) {
    if (const Server* server = by_id(cloud.servers, a->id)) --needs.instances, flavor(server->flavor, -1);
  } else if (const auto* a = std::get_if<ResizeServer>(&action)) {
    flavor(a->to_flavor, 1), flavor(a->from_flavor, -1);
  } else if (const auto* a = std::get_if<CreateVolume>(&action)) {
    ++needs.volumes, needs.gigabytes += a->size_gib;
  } else if (const auto* a = std::get_if<ExtendVolume>(&action)) {
    needs.gigabytes += a->to_gib - a->from_gib;
  } else if (const auto* a = std::get_if<DeleteVolume>(&action)) {
    if (const CloudVolume* volume = by_id(cloud.volumes, a->id)) --needs.volumes, needs.gigabytes -= volume->size_gib;
  }
}

void keep_most(const Needs& now, Needs& most) {
  for (int64_t Needs::*what : {&Needs::instances, &Needs::cores, &Needs::ram_mib, &Needs::volumes, &Needs::gigabytes})
    most.*what = std::max(most.*what, now.*what);
}

}  // namespace

Preview preview(World world, const std::vector<Key>& keys) {
  world.second_look = false;
  Preview result;
  Needs running;
  std::deque<Key> queue(keys.begin(), keys.end());
  std::set<Key> queued(keys.begin(), keys.end());
  std::map<Key, PreviewWait> waits;
  size_t passes = 0;
  while (!queue.empty()) {
    if (++passes > kMaxPreviewSteps || result.steps.size() > kMaxPreviewSteps) {
      result.complete = false;
      break;
    }
    const Key key = queue.front();
    queue.pop_front();
    queued.erase(key);
    const Object* object = world.find(key);
    if (!object) continue;
    Plan plan = plan_object(*object, world);
    waits.erase(key);
    if (plan.actions.empty() && !plan.waiting_reason.empty())
      waits[key] = {key, plan.waiting_reason, plan.waiting_message};
    if (plan.waiting_reason == "ObservationFailed") result.complete = false;
    bool status_changed = false;
    if (!plan.keep_status && !(object->resource.status == plan.status)) {
      Resource updated = object->resource;
      updated.status = plan.status;
      status_changed = true;
      world.put(make_object(std::move(updated)));
    }
    std::set<Key> touched;
    if (status_changed)
      for (const Key& k : world.affected_by(key)) touched.insert(k);
    for (const Action& action : plan.actions) {
      if (const auto* put = std::get_if<PutGuestDocument>(&action.effect)) {
        const GuestState& guest = world.guests[to_string(put->server)];
        auto steps = guest_steps(key, guest.document ? &*guest.document : nullptr, put->document,
                                 guest.report ? &*guest.report : nullptr);
        result.steps.insert(result.steps.end(), steps.begin(), steps.end());
      } else if (!std::holds_alternative<RemoveObject>(action.effect) && !reads(action)) {
        result.steps.push_back(
            {key, std::string(action_name(action)), describe(action), action.change, action.interrupts});
      }
      for (const Key& k : world.affected_by(key)) touched.insert(k);
      if (const auto* cloud = std::get_if<CloudAction>(&action.effect)) {
        count_needs(world, *cloud, running);
        keep_most(running, result.needs);
      }
      apply_expected(world, action);
      for (const Key& k : world.affected_by(key)) touched.insert(k);
      if (const auto* created = std::get_if<CreateObject>(&action.effect)) touched.insert(created->resource.key());
    }
    for (const Key& k : touched)
      if (queued.insert(k).second) queue.push_back(k);
  }
  for (auto& [key, wait] : waits)
    if (world.find(key)) result.waits.push_back(std::move(wait));
  return result;
}

}  // namespace trove
