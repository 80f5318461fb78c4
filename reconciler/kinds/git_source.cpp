// A GitSource is carried out by reconciler/gitops, which also writes its status: a status has one writer. What is left
// to plan is its end.
#include "reconciler/kinds/plan.hpp"

namespace trove {

Plan plan_git_source(const Object& object, const World&) {
  Plan plan;
  plan.keep_status = true;
  if (object.deleting())
    plan.actions.push_back({RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none});
  return plan;
}

}  // namespace trove
