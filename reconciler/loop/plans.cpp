// The plans that people read: the loop's own planner run ahead on a copy of the world.
#include "reconciler/kinds/preview.hpp"
#include "reconciler/loop/checks.hpp"
#include "reconciler/loop/loop.hpp"
#include "specs/decode.hpp"

namespace trove {
namespace {

// What a step of a guest costs is not known by itself; its document is worked through as a whole.
std::string timed_as(const std::string& action) {
  return action.starts_with("guest.") ? "guest.document.put" : action;
}

Value step_to_value(const PreviewStep& step, int64_t number, const Durations& durations) {
  Value value = Value::map({{"step", number},
                            {"object", to_string(step.object)},
                            {"action", step.action},
                            {"detail", step.detail},
                            {"change", to_string(step.change)}});
  if (!step.interrupts.empty()) value.set("interrupts", step.interrupts);
  if (const auto expected = durations.expected(timed_as(step.action)))
    value.set("expected", Value::map({{"p50Ms", expected->p50.count()},
                                      {"p95Ms", expected->p95.count()},
                                      {"n", static_cast<int64_t>(expected->n)}}));
  return value;
}

// Flavors that instances among `keys` name.
std::set<std::string> flavors_of(const World& world, const std::vector<Key>& keys) {
  std::set<std::string> out;
  for (const Key& key : keys)
    if (const Object* object = world.find(key); object && key.kind == "DatabaseInstance" && !object->deleting())
      out.insert(world.flavor_name(object->as<DatabaseInstanceSpec>().flavor));
  return out;
}

Value planned(World world, const std::vector<Key>& keys, const Durations& durations, Value plan) {
  const std::set<std::string> flavors = flavors_of(world, keys);
  const std::shared_ptr<const Inventory> cloud = world.inventory;
  const Preview ahead = preview(std::move(world), keys);
  Value checks = checks_of(ahead.needs, flavors, *cloud);
  Value actions = Value::list();
  int64_t number = 0;
  for (const PreviewStep& step : ahead.steps) actions.push_back(step_to_value(step, ++number, durations));
  Value waiting = Value::list();
  for (const PreviewWait& wait : ahead.waits)
    waiting.push_back(
        Value::map({{"object", to_string(wait.object)}, {"reason", wait.reason}, {"message", wait.message}}));
  plan.set("checks", std::move(checks));
  plan.set("actions", std::move(actions));
  plan.set("waiting", std::move(waiting));
  plan.set("complete", ahead.complete);
  return plan;
}

Value changes_to_value(const std::vector<FieldChange>& changes) {
  Value list = Value::list();
  for (const FieldChange& change : changes)
    list.push_back(Value::map({{"path", change.path},
                               {"before", change.before},
                               {"after", change.after},
                               {"change", to_string(change.change)}}));
  return list;
}

// What a plan rests on, of the instances and volumes that it touches: what does not hold any more when it is to be
// carried out, stops it. Words that change by themselves (a volume's use, a time) have no place here.
Value facts_of(const World& world, const std::set<Key>& keys) {
  Value facts = Value::map();
  for (const Key& key : keys) {
    const Object* object = world.find(key);
    if (!object) continue;
    const std::string name = to_string(key), uid = object->meta().uid;
    if (key.kind == "DatabaseInstance") {
      std::string servers;
      for (const Server* server : world.servers_of(uid))
        servers += (servers.empty() ? "" : ", ") + std::string(to_string(server->status)) + ' ' + server->flavor;
      if (world.servers_doubtful(uid)) servers = "not known";
      facts.set(name + " server", servers.empty() ? "none" : servers);
      const auto guest = world.guests.find("trove-" + uid + "-server-0-" +
                                           object->resource.status["incarnation"].as_written());
      const bool heard = guest != world.guests.end() && guest->second.report;
      facts.set(name + " engine", heard ? guest->second.report->engine_state + ' ' + guest->second.report->engine_version
                                        : std::string("not heard"));
    } else if (key.kind == "Volume") {
      const auto volume = world.bound_volume_of(uid, bound_volume(object->resource));
      facts.set(name + " volume", volume.is_unknown()  ? std::string("not known")
                                  : volume.is_absent() ? std::string("none")
                                                       : std::string(to_string(volume->status)) + ' ' +
                                                             std::to_string(volume->size_gib) + " GiB" +
                                                             (volume->type.empty() ? "" : " " + volume->type));
    }
  }
  return facts;
}

}  // namespace

World Loop::snapshot() {
  std::lock_guard lock(world_mutex_);
  return world_;
}

Result<Value> Loop::plan(const std::string& project, const std::vector<Resource>& proposed,
                         const std::vector<Key>& removed) {
  const Revision stored = objects_.store().revision();
  std::unique_lock lock(world_mutex_);
  caught_up_.wait_for(lock, options_.plan_wait, [&] { return revision_ >= stored; });
  World world = world_;
  const Durations durations = durations_;
  lock.unlock();
  return plan_to_json(project, std::move(world), durations, proposed, removed);
}

Value Loop::plan_to_json(const std::string& project, World world, const Durations& durations,
                         const std::vector<Resource>& proposed, const std::vector<Key>& removed) {
  world.failures.clear();  // a plan says what would be done, not when it is tried again
  std::set<Key> near;
  for (const Resource& wanted : proposed)
    for (const Key& affected : world.affected_by(wanted.key())) near.insert(affected);
  for (const Key& key : removed)
    for (const Key& affected : world.affected_by(key)) near.insert(affected);
  Value facts = facts_of(world, near);
  Value objects = Value::list();
  int64_t add = 0, change = 0, destroy = 0, forget = 0;
  std::vector<Key> keys;
  for (const Resource& wanted : proposed) {
    const Key key = wanted.key();
    const Object* current = world.find(key);
    const Kind* kind = find_kind(wanted.kind);
    Value entry = Value::map({{"kind", wanted.kind}, {"name", wanted.metadata.name}});
    Resource next = wanted;
    Value changes = Value::list();
    Value notes = Value::list();
    if (!current) {
      entry.set("op", "create");
      ++add;
      if (!objects_.take_retained(next))
        next.metadata.uid = "new-" + wanted.kind + "-" + wanted.metadata.name;
      else
        notes.push_back("takes back the volume that was kept, with its data");
      next.metadata.generation = 1;
      next.metadata.creation_timestamp = world.now;
      next.metadata.resource_version = 0;
      if (kind) {
        auto fields = diff_specs(*kind, Value::map(), wanted.spec);
        for (FieldChange& field : fields) field.change = Change::none;  // nothing runs yet that could be disturbed
        changes = changes_to_value(fields);
      }
      if (wanted.kind == "User" && wanted.spec.find_path("password.generate"))
        notes.push_back("password generated into secret/" + wanted.metadata.name + "-password");
    } else {
      next.metadata = current->meta();
      next.metadata.labels = wanted.metadata.labels;
      next.metadata.annotations = wanted.metadata.annotations;
      next.status = current->resource.status;
      if (kind) changes = changes_to_value(diff_specs(*kind, current->resource.spec, wanted.spec));
      const bool same = changes.empty();
      if (!same) ++next.metadata.generation, ++change;
      entry.set("op", same ? "unchanged" : "update");
    }
    if (wanted.kind == "ConfigurationGroup" && current) {
      int64_t instances = 0;
      for (const Key& referrer : world.referrers(key)) instances += referrer.kind == "DatabaseInstance";
      if (instances > 1) notes.push_back("shared by " + std::to_string(instances) + " instances");
    }
    entry.set("changes", std::move(changes));
    entry.set("notes", std::move(notes));
    objects.push_back(std::move(entry));
    world.put(make_object(std::move(next)));
    keys.push_back(key);
  }
  // A login whose password is only known once its Secret is stored still shows up in the plan.
  for (const Key& key : keys) {
    const Object* object = world.find(key);
    if (key.kind != "User" || !object) continue;
    const auto& user = object->as<UserSpec>();
    if (!user.secret_name.empty() && world.find({key.project, "Secret", user.secret_name}))
      world.verifiers.try_emplace(key, "(from its Secret)");
  }
  for (const Key& key : removed) {
    const Object* current = world.find(key);
    if (!current) continue;
    const Common& common = common_of(current->spec);
    const bool goes = common.deletion == Common::Deletion::remove;
    ++(goes ? destroy : forget);
    Value notes = Value::list();
    notes.push_back(goes ? "deletionPolicy Delete" : "deletionPolicy Retain: forgotten, not dropped");
    objects.push_back(Value::map({{"op", goes ? "delete" : "forget"},
                                  {"kind", key.kind},
                                  {"name", key.name},
                                  {"changes", Value::list()},
                                  {"notes", std::move(notes)}}));
    Resource next = current->resource;
    next.metadata.deletion_timestamp = world.now;
    world.put(make_object(std::move(next)));
    keys.push_back(key);
  }
  Value plan = Value::map(
      {{"project", project},
       {"revision", std::to_string(objects_.store().revision())},
       {"observedAt", format_time(world.inventory->as_of)},
       {"objects", std::move(objects)},
       {"summary", Value::map({{"add", add}, {"change", change}, {"destroy", destroy}, {"forget", forget}})}});
  std::set<Key> start;
  for (const Key& key : keys)
    for (const Key& affected : world.affected_by(key)) start.insert(affected);
  plan.set("facts", std::move(facts));
  return planned(std::move(world), {start.begin(), start.end()}, durations, std::move(plan));
}

Result<Value> Loop::plan_of(const Key& key) {
  const Revision stored = objects_.store().revision();
  std::unique_lock lock(world_mutex_);
  caught_up_.wait_for(lock, options_.plan_wait, [&] { return revision_ >= stored; });
  World world = world_;
  const Durations durations = durations_;
  lock.unlock();
  if (!world.find(key)) return fail(Code::not_found, to_string(key) + " does not exist");
  const std::vector<Key> keys = world.affected_by(key);
  Value plan = Value::map({{"project", key.project},
                           {"object", to_string(key)},
                           {"revision", std::to_string(objects_.store().revision())},
                           {"observedAt", format_time(world.inventory->as_of)}});
  return planned(std::move(world), keys, durations, std::move(plan));
}

}  // namespace trove
