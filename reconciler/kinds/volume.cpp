// A Volume: one Cinder volume with a life of its own.
#include "reconciler/kinds/plan.hpp"
#include "reconciler/objects.hpp"

namespace trove {
namespace {

Plan converged(StatusBuilder& status) {
  Plan plan;
  plan.status = status.build();
  return plan;
}

Plan act(StatusBuilder& status, Action action, std::string_view reason, std::string message) {
  Plan plan;
  plan.actions.push_back(std::move(action));
  status.progressing(reason, message).synced(false, "Progressing", std::move(message)).observed(0);
  plan.status = status.build();
  return plan;
}

Plan wait(StatusBuilder& status, std::string_view reason, std::string message) {
  Plan plan;
  plan.waiting_reason = reason;
  plan.waiting_message = message;
  status.synced(false, reason, std::move(message)).observed(0);
  plan.status = status.build();
  return plan;
}

// Asks for the deletion; one that failed is asked for again after a while.
Plan remove(StatusBuilder& status, const World& world, const Object& object, const CloudVolume& volume,
            std::string_view reason, std::string message, std::string_view interrupts = "") {
  const Time again = world.ledger->ask_again(volume.id);
  if (volume.status == CloudVolume::Status::error_deleting && world.steady < again) {
    Plan plan = wait(status, "WaitingForCinder", "cinder could not delete volume " + volume.id + "; it is asked again");
    plan.wake = world.at(again);
    return plan;
  }
  return act(status,
             {CloudAction{DeleteVolume{volume.token, volume.id}}, object.key(), Change::none, std::string(interrupts)},
             reason, std::move(message));
}

// What a volume may be before it has been of use.
bool never_ready(CloudVolume::Status status) {
  return status == CloudVolume::Status::creating || status == CloudVolume::Status::error ||
         status == CloudVolume::Status::deleting || status == CloudVolume::Status::error_deleting;
}

// The instance that uses the volume now, or would the moment it exists again.
const Object* user_of(const Object& object, const World& world) {
  for (const Key& key : world.referrers(object.key()))
    if (const Object* referrer = world.find(key); referrer && key.kind == "DatabaseInstance") return referrer;
  for (const OwnerReference& owner : object.meta().owner_references)
    if (const Object* instance = world.find({object.meta().project, owner.kind, owner.name});
        instance && instance->meta().uid == owner.uid)
      return instance;
  return nullptr;
}

// Whether another type than it has is to be asked for now.
bool wants_retype(const Object& object, const World& world, DriftJudge& drift, const CloudVolume& seen) {
  const std::string& type = object.as<VolumeSpec>().type;
  if (object.meta().owner_references.empty()) {
    const auto finding = drift.judge_type("/type", type, seen);
    return finding == DriftJudge::Finding::change || finding == DriftJudge::Finding::correct;
  }
  if (type.empty() || world.has_type(seen, type).value_or(true)) return false;
  // What an instance made for itself is judged by its instance.
  const Object* owner = user_of(object, world);
  return !owner || to_be_done(*owner, "/volume/type", type);
}

// An instance that only looks on, or goes, changes nothing of its volume. null: there is none such.
const Object* onlooker(const Object& object, const World& world) {
  if (object.meta().owner_references.empty()) return nullptr;
  const Object* owner = user_of(object, world);
  return owner && (owner->deleting() || common_of(owner->spec).observe_only) ? owner : nullptr;
}

// Cinder puts a volume whose type it cannot change back as it was, and tells nobody why.
Plan retype(StatusBuilder& status, const Object& object, const World& world, const CloudVolume& seen) {
  const std::string& type = object.as<VolumeSpec>().type;
  const Time again = world.ledger->ask_again(seen.id, type);
  if (const Asked* asked = world.ledger->asked(seen.id, type); asked && world.steady < again) {
    const std::string what = "cinder took the request to change volume " + seen.id + " to type " + type +
                             " and left it as it was, " + seen.type + "; asked " + std::to_string(asked->times) +
                             (asked->times == 1 ? " time" : " times") +
                             ", and again after a pause that grows, or at the next change of the spec. Why, say the logs of "
                             "cinder-scheduler and cinder-volume; to give it up set the type to " + seen.type +
                             " or take it out of the spec";
    status.trouble({"CLOUD_DEPENDENCY", "CloudOperator", what}, world.at(again));
    Plan plan = wait(status, "RetypeNotDone", what);
    plan.wake = world.at(again);
    return plan;
  }
  return act(status,
             {CloudAction{RetypeVolume{seen.token, seen.id, seen.type, type}}, object.key(), Change::live},
             "Retyping", "type " + (seen.type.empty() ? "none" : seen.type) + " to " + type);
}

Plan plan_steps(const Object& object, const World& world, DriftJudge& drift) {
  const auto& want = object.as<VolumeSpec>();
  const Token token{object.meta().uid, "data", 1};
  const std::string bound = bound_volume(object.resource);
  const bool was_unused = object.resource.status["unused"].bool_or(false);
  const Observed<CloudVolume> seen = object.deleting() || was_unused
                                         ? world.volume_of(object.meta().uid, bound)
                                         : world.bound_volume_of(object.meta().uid, bound);
  StatusBuilder status(object, world);
  status.drift(drift);
  if (object.deleting() || want.observe_only) drift.forget_all();
  if (!bound.empty()) status.fields().set("id", bound);

  if (seen.is_unknown()) {
    Plan plan;
    plan.keep_status = true;
    plan.waiting_reason = "ObservationFailed";
    plan.waiting_message = "the cloud's volumes are not known for certain: " + world.doubt();
    return plan;
  }
  // Made by us and never yet seen to be of use: then it holds nothing. No server gets it while this is said of it.
  const bool unused =
      was_unused && seen.is_known() && seen->server_id.empty() && never_ready(seen->status);
  if (unused || (was_unused && seen.is_absent())) status.fields().set("unused", true);
  if (seen.is_known()) {
    // While it goes away, an empty one that came late is seen as well; it is not what there was data on.
    const bool stands_in = seen->id != bound && seen->server_id.empty() && !bound.empty() && !was_unused;
    if (!stands_in) status.fields().set("id", seen->id);
    status.fields().set("size", seen->size_gib);
    status.fields().set("cinderStatus", to_string(seen->status));
    if (const Object* user = user_of(object, world); user && !seen->server_id.empty())
      status.fields().set("attachedTo", user->meta().name);
    status.phase(to_string(seen->status));
    status.ready(true, "Available");
  }
  if (seen.is_known() && seen->id == bound && !want.observe_only && !want.suspend)
    for (const CloudVolume* surplus : world.surplus_volumes(object.meta().uid, bound))
      return remove(status, world, object, *surplus, "RemovingDuplicate",
                    "volume " + surplus->id + " is a second one, empty and never used");
  if (object.deleting()) {
    status.phase("DELETING").ready(false, "Progressing", "being deleted");
    const Object* user = user_of(object, world);
    if (user && !user->deleting()) {
      return wait(status, "DeletionBlocked",
                  "instance " + user->meta().name + " uses this volume; delete the instance first");
    }
    if (want.deletion == Common::Deletion::retain || want.observe_only || seen.is_absent()) {
      return act(status, {RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none}, "Forgetting",
                 seen.is_known() ? "deletionPolicy Retain: the cloud volume stays" : "the cloud volume is gone");
    }
    if (!seen->server_id.empty()) return wait(status, "DeletionBlocked", "still attached to server " + seen->server_id);
    if (seen->status == CloudVolume::Status::deleting)
      return wait(status, "WaitingForCinder", "cinder deletes the volume");
    if (seen->status == CloudVolume::Status::retyping)
      return wait(status, "WaitingForCinder", "cinder has to end changing its type first");
    return remove(status, world, object, *seen, "Deleting", "deletionPolicy Delete", "the data is destroyed");
  }
  if (want.suspend) {
    status.synced(false, "Suspended", "spec.suspend is true");
    return converged(status);
  }
  const bool remade = seen.is_absent() && was_unused;
  if (seen.is_absent() && !bound.empty() && !remade) {
    // An empty volume in place of a lost one would look like a healthy database without its data. Nor does one go that
    // carries the same mark: somebody may have brought the data back in it.
    std::string others;
    for (const CloudVolume* other : world.surplus_volumes(object.meta().uid, bound)) others += " " + other->id;
    if (!others.empty()) others = "; not used and not touched, though they carry its mark:" + others;
    status.phase("LOST").ready(false, "TerminalError", "volume " + bound + " is gone from the cloud" + others);
    status.stalled({"DATA_SAFETY_HOLD", "User",
                    "volume " + bound +
                        " is gone from the cloud and is not replaced by an empty one; restore a backup "
                        "into a new instance, or delete this object to give the data up"});
    return wait(status, "TerminalError", "volume " + bound + " is gone from the cloud");
  }
  if (want.observe_only) {
    status.synced(true, "Observing", "managementPolicy Observe");
    return converged(status);
  }
  if (seen.is_absent()) {
    status.phase("CREATING").ready(false, "Progressing", "the volume does not exist yet");
    status.fields().set("unused", true);
    status.fields().set("id", "");
    if (const Time again = world.ledger->try_again(token); remade && world.steady < again) {
      Plan plan = wait(status, "WaitingForCinder", "cinder could not make the volume; it is tried again");
      plan.wake = world.at(again);
      return plan;
    }
    return act(status,
               {CloudAction{CreateVolume{token, object.meta().project, object.meta().name, want.size_gib, want.type,
                                         want.zone}},
                object.key()},
               "Creating", "creating " + std::to_string(want.size_gib) + " GiB");
  }
  switch (seen->status) {
    case CloudVolume::Status::creating:
    case CloudVolume::Status::extending:
    case CloudVolume::Status::retyping:
    case CloudVolume::Status::deleting:
    case CloudVolume::Status::unknown:
      // Whoever uses it goes on using it while it is copied.
      if (seen->status != CloudVolume::Status::retyping || seen->server_id.empty())
        status.ready(false, "Progressing", "cinder says " + std::string(to_string(seen->status)));
      return wait(status, "WaitingForCinder", "cinder says " + std::string(to_string(seen->status)));
    case CloudVolume::Status::error:
    case CloudVolume::Status::error_deleting:
      if (unused)
        return remove(status, world, object, *seen, "Remaking",
                      "cinder could not make the volume; it never held anything");
      [[fallthrough]];
    case CloudVolume::Status::error_extending:
      status.ready(false, "TerminalError", "cinder says error");
      status.stalled({"CLOUD_DEPENDENCY", "CloudOperator", "cinder reports volume " + seen->id + " in error"});
      return wait(status, "TerminalError", "cinder reports the volume in error");
    case CloudVolume::Status::available:
    case CloudVolume::Status::in_use:
    case CloudVolume::Status::reserved:
    case CloudVolume::Status::attaching:
    case CloudVolume::Status::detaching:
      break;
  }
  // What an instance made for itself is judged by its instance.
  if (object.meta().owner_references.empty())
    drift.judge_size("/size", want.size_gib, seen->size_gib,
                     "to accept it set size to " + std::to_string(seen->size_gib));
  else
    drift.forget_all();
  const bool another_type = wants_retype(object, world, drift, *seen);
  if (seen->size_gib < want.size_gib) {
    return act(status,
               {CloudAction{ExtendVolume{token, seen->id, seen->size_gib, want.size_gib}}, object.key(), Change::live},
               "Extending", std::to_string(seen->size_gib) + " GiB to " + std::to_string(want.size_gib) + " GiB");
  }
  if (another_type) {
    if (const Object* owner = onlooker(object, world))
      return wait(status, "WaitingForDependency",
                  "instance " + owner->meta().name + " is being deleted or only observed: its volume stays a " + seen->type);
    if (seen->status != CloudVolume::Status::available && seen->status != CloudVolume::Status::in_use)
      return wait(status, "WaitingForCinder", "cinder says " + std::string(to_string(seen->status)));
    return retype(status, object, world, *seen);
  }
  if (drift.drifted()) status.synced(false, "Drifted", drift.message());
  return converged(status);
}

}  // namespace

Plan plan_volume(const Object& object, const World& world) {
  DriftJudge drift(object, world);
  return looked_at_again(plan_steps(object, world, drift), drift);
}

}  // namespace trove
