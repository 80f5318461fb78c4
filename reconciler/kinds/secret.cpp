// A Secret and, alike in this, a ConfigurationGroup do nothing by themselves: others read them.
#include "reconciler/kinds/plan.hpp"

namespace trove {
namespace {

Plan plan_passive(const Object& object, const World& world, std::string_view phase) {
  Plan plan;
  StatusBuilder status(object, world);
  status.phase(phase).ready(true, "Available");
  if (object.deleting()) {
    for (const Key& key : world.referrers(object.key())) {
      const Object* referrer = world.find(key);
      if (!referrer || referrer->deleting()) continue;
      plan.waiting_reason = "DeletionBlocked";
      plan.waiting_message = to_string(key) + " still refers to this; change or delete it first";
      status.phase("DELETING").synced(false, plan.waiting_reason, plan.waiting_message);
      plan.status = status.build();
      return plan;
    }
    plan.actions.push_back({RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none});
    status.phase("DELETING");
  }
  plan.status = status.build();
  return plan;
}

}  // namespace

Plan plan_secret(const Object& object, const World& world) { return plan_passive(object, world, "Stored"); }

Plan plan_configuration_group(const Object& object, const World& world) {
  Plan plan = plan_passive(object, world, "Stored");
  int64_t used_by = 0;
  for (const Key& key : world.referrers(object.key())) used_by += key.kind == "DatabaseInstance";
  plan.status.set("usedBy", used_by);
  return plan;
}

}  // namespace trove
