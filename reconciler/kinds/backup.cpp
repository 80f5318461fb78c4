// A Backup: one run. The guest takes it because its document asks for it; what it reports ends here and is final.
#include <algorithm>
#include <functional>

#include "reconciler/kinds/plan.hpp"

namespace trove {
namespace {

constexpr size_t kMostDeletedAtOnce = 100;  // objects in one plan; the next look shows what is left

const guest::BackupState* reported(const InstanceView& view, const std::string& uid) {
  if (!view.guest || !view.guest->report) return nullptr;
  for (const guest::BackupState& state : view.guest->report->backups)
    if (state.id == uid) return &state;
  return nullptr;
}

// An instance that still restores from this backup keeps it.
const Object* restoring(const Object& backup, const World& world) {
  for (const Key& key : world.referrers(backup.key())) {
    const Object* referrer = world.find(key);
    if (key.kind == "DatabaseInstance" && referrer && !referrer->deleting() &&
        !referrer->resource.status["bootstrapped"].bool_or(false))
      return referrer;
  }
  return nullptr;
}

// What is stored of a backup, the last segment first and the object itself at the end. The next plan finds the rest.
std::vector<std::string> stored_keys(const Inventory& inventory, const std::string& key) {
  std::vector<std::string> keys;
  for (const StoredObject& o : inventory.objects)
    if (guest::backup_key(o.key) == key) keys.push_back(o.key);
  std::sort(keys.begin(), keys.end(), std::greater<>());
  if (keys.size() > kMostDeletedAtOnce) keys.resize(kMostDeletedAtOnce);
  return keys;
}

Plan plan_deletion(const Object& object, const World& world, StatusBuilder& status) {
  Plan plan;
  const auto& want = object.as<BackupSpec>();
  status.phase(object.resource.status["phase"].text_or("Pending")).ready(false, "Progressing", "being deleted");
  const std::string key = object.meta().project + "/" + object.meta().uid;
  if (const Object* user = restoring(object, world)) {
    plan.waiting_reason = "DeletionBlocked";
    plan.waiting_message = "instance " + user->meta().name + " restores from this backup";
    status.synced(false, plan.waiting_reason, plan.waiting_message);
  } else if (want.deletion == Common::Deletion::remove && !world.inventory->objects_known) {
    plan.waiting_reason = "ObservationFailed";
    plan.waiting_message = "the backup store could not be read";
    status.synced(false, plan.waiting_reason, plan.waiting_message);
  } else {
    const std::vector<std::string> keys = stored_keys(*world.inventory, key);
    const bool stored = !keys.empty();
    if (want.deletion == Common::Deletion::remove && stored)
      for (const std::string& part : keys)
        plan.actions.push_back(
            {CloudAction{DeleteStoredObject{part}}, object.key(), Change::none, "the backup is destroyed"});
    else
      plan.actions.push_back({RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none});
  }
  plan.status = status.build();
  return plan;
}

}  // namespace

Plan plan_backup(const Object& object, const World& world) {
  const auto& want = object.as<BackupSpec>();
  const Value& before = object.resource.status;
  StatusBuilder status(object, world);
  for (const char* field : {"bytes", "segments", "sha256", "startedAt", "finishedAt", "key", "engine", "engineVersion",
                            "message"})
    if (!before[field].is_null()) status.fields().set(field, before[field]);
  if (object.deleting()) return plan_deletion(object, world, status);
  Plan plan;
  const std::string phase = before["phase"].text_or("Pending");
  if (phase == "Completed" || phase == "Failed") {
    plan.keep_status = true;
    return plan;
  }
  InstanceView view = view_instance(world, object.meta().project, want.instance);
  const Time deadline = object.meta().creation_timestamp + want.timeout;
  auto failed = [&](std::string message) {
    status.fields().set("message", message);
    status.phase("Failed").ready(false, "TerminalError", message);
    status.stalled({"ENGINE_ERROR", "User", message});
    plan.status = status.build();
    return plan;
  };
  if (view.going()) return failed("instance " + want.instance + " is gone");
  const guest::BackupState* state = reported(view, object.meta().uid);
  if (state && state->state == "Completed") {
    status.fields().set("bytes", state->bytes);
    status.fields().set("segments", state->segments);
    status.fields().set("sha256", state->sha256);
    status.fields().set("startedAt", format_time(state->started));
    status.fields().set("finishedAt", format_time(state->finished));
    status.fields().set("key", object.meta().project + "/" + object.meta().uid);
    status.fields().set("engine", to_string(view.instance->as<DatabaseInstanceSpec>().engine));
    status.fields().set("engineVersion", view.guest->report->engine_version);
    status.phase("Completed").ready(true, "Available", "stored");
    plan.status = status.build();
    return plan;
  }
  if (state && state->state == "Failed") return failed(state->message);
  if (world.now >= deadline) return failed("not finished within " + format_duration(want.timeout));
  plan.wake = deadline;
  plan.waiting_reason = "Progressing";
  if (!state && phase == "Running" && !view.spoken()) {
    plan.keep_status = true;  // the guest has not spoken since we started
    return plan;
  }
  if (state) {
    status.fields().set("startedAt", format_time(state->started));
    status.phase("Running");
    plan.waiting_message = "the guest takes the backup";
  } else {
    status.phase("Pending");
    plan.waiting_message = "waiting for the guest of " + want.instance;
  }
  status.ready(false, "Progressing", plan.waiting_message).progressing("BackingUp", plan.waiting_message);
  plan.status = status.build();
  return plan;
}

}  // namespace trove
