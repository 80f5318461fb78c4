// An Operation: a verb that happens once. Restart is asked of the guest by a word in its document (the operation's
// uid).
#include "reconciler/kinds/plan.hpp"

namespace trove {

Plan plan_operation(const Object& object, const World& world) {
  const auto& want = object.as<OperationSpec>();
  Plan plan;
  StatusBuilder status(object, world);
  const std::string phase = object.resource.status["phase"].text_or("Pending");
  const Action remove{RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none};
  const Time expires = object.meta().creation_timestamp + want.ttl;
  if (object.deleting() || (world.now >= expires && phase != "Pending")) {
    plan.actions.push_back(remove);
    plan.status = status.phase(phase).build();
    return plan;
  }
  if (phase == "Succeeded" || phase == "Failed") {
    plan.keep_status = true;
    plan.wake = expires;
    return plan;
  }
  InstanceView view = view_instance(world, object.meta().project, want.instance);
  if (view.going()) {
    status.phase("Failed").ready(false, "TerminalError", "instance " + want.instance + " is gone");
    status.stalled({"REF_NOT_FOUND", "User", "instance " + want.instance + " is gone"});
    plan.status = status.build();
    return plan;
  }
  // Operations of one instance run one after the other, oldest first.
  for (const Key& key : world.referrers(view.instance->key())) {
    const Object* other = world.find(key);
    if (key.kind != "Operation" || !other || other == &object) continue;
    const std::string other_phase = other->resource.status["phase"].text_or("Pending");
    const bool older = std::pair(other->meta().creation_timestamp, other->meta().uid) <
                       std::pair(object.meta().creation_timestamp, object.meta().uid);
    if (older && other_phase != "Succeeded" && other_phase != "Failed") {
      plan.waiting_reason = "WaitingForDependency";
      plan.waiting_message = "operation " + key.name + " runs first";
      status.phase("Pending").ready(false, plan.waiting_reason, plan.waiting_message);
      plan.status = status.build();
      return plan;
    }
  }
  const bool done = view.guest && view.guest->report && view.guest->report->applied_restart == object.meta().uid &&
                    view.guest->report->engine_state == "Running" && view.settled();
  if (done) {
    status.phase("Succeeded").ready(true, "Available", "restarted");
    plan.wake = expires;
  } else {
    plan.waiting_reason = "Progressing";
    plan.waiting_message = "the guest of " + want.instance + " has not restarted its engine yet";
    status.phase("Running").ready(false, "Progressing", plan.waiting_message);
    status.progressing("Restarting", plan.waiting_message);
  }
  plan.status = status.build();
  return plan;
}

}  // namespace trove
