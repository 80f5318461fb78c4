// Databases and users: the instance's plan puts them into its guest's document; these plans read what the guest says of
// each and decide when a deleted one may be forgotten. Neither ever needs a healthy guest to go away with its instance.
#include "reconciler/kinds/plan.hpp"

namespace trove {
namespace {

const guest::ItemState* find_item(const std::vector<guest::ItemState>& items, const std::string& name,
                                  const std::string& host) {
  for (const guest::ItemState& item : items)
    if (item.name == name && item.host == host) return &item;
  return nullptr;
}

struct Item {
  std::string instance, name, host;
  const Common& common;
  bool is_user = false;
};

// What differs, field by field, in the engine's words; what is secret is never shown.
// True when the agent has put it back too often and has stopped.
bool report_drift(DriftJudge& drift, const Object& object, const Common& common, const guest::ItemState& state,
                  bool held) {
  const bool flapping = common.drift == Drift::correct && !held;
  const std::string wait = held ? "the instance is suspended" : flapping ? "put back too often; stopped" : "";
  drift.clear_reported();
  if (state.changed.empty()) drift.report("/", "(as declared)", state.message, common.drift, wait);
  for (const auto& [facet, actual] : state.changed) {
    const std::string path(guest::path_of_facet(facet));
    const bool secret = path == "/password";
    const Value& desired = object.resource.spec[std::string_view(path).substr(1)];
    drift.report(path, secret ? Value("(sensitive)") : desired.is_null() ? Value("(default)") : desired,
                 secret ? "(sensitive, changed)" : actual, common.drift_at(path), wait);
  }
  return flapping;
}

// What is said when an object's deletion still has to reach the engine, and when it does not.
Plan plan_item(const Object& object, const World& world, const Item& item, std::vector<Action> first) {
  Plan plan;
  DriftJudge drift(object, world);
  StatusBuilder status(object, world);
  status.drift(drift);
  const Value& before = object.resource.status;
  if (!before["secret"].is_null()) status.fields().set("secret", before["secret"]);
  InstanceView view = view_instance(world, object.meta().project, item.instance);
  const Action remove{RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none};

  if (object.deleting()) {
    drift.forget_all();
    status.phase("DELETING").ready(false, "Progressing", "being deleted");
    const bool keep = item.common.deletion == Common::Deletion::retain || item.common.observe_only;
    const bool ever_applied = before["applied"].bool_or(false);
    if (ever_applied) status.fields().set("applied", true);
    const guest::ItemState* state = nullptr;
    if (view.settled())
      state = find_item(item.is_user ? view.guest->report->users : view.guest->report->databases, item.name, item.host);
    if (view.going() || keep || (state && state->state == "Dropped") || (!ever_applied && !view.server)) {
      plan.actions = std::move(first);
      plan.actions.push_back(remove);
    } else {
      plan.waiting_reason = "Progressing";
      plan.waiting_message = state && state->state == "Failed"
                                 ? "the engine refuses to drop it: " + state->message
                                 : "the guest of " + item.instance +
                                       " has not dropped it yet; deleting the instance, or "
                                       "deletionPolicy Retain, ends this without the guest";
      status.synced(false, "DeletionBlocked", plan.waiting_message);
    }
    plan.status = status.build();
    return plan;
  }

  if (view.going()) {
    status.phase("PENDING").observed(0);
    plan.waiting_reason = "WaitingForDependency";
    plan.waiting_message = "instance " + item.instance + (view.instance ? " is being deleted" : " does not exist");
    status.ready(false, plan.waiting_reason, plan.waiting_message)
        .synced(false, plan.waiting_reason, plan.waiting_message);
    plan.status = status.build();
    return plan;
  }
  plan.actions = std::move(first);
  if (!plan.actions.empty()) status.progressing("Progressing", describe(plan.actions.front()));
  if (item.common.suspend || item.common.observe_only) {
    const char* why = item.common.suspend ? "Suspended" : "Observing";
    if (item.common.observe_only) drift.forget_all();
    status.phase("ACTIVE").ready(before["applied"].bool_or(false), why).synced(false, why, "not managed at the moment");
    if (before["applied"].bool_or(false)) status.fields().set("applied", true);
    plan.status = status.build();
    return plan;
  }
  const bool applied_before = before["applied"].bool_or(false);
  if (applied_before) status.fields().set("applied", true);
  const guest::ItemState* state = nullptr;
  if (view.settled())
    state = find_item(item.is_user ? view.guest->report->users : view.guest->report->databases, item.name, item.host);
  if (!state || state->state == "Pending") {
    if (applied_before && !view.spoken() && plan.actions.empty()) {
      plan.keep_status = true;  // nothing has been said since we started: nothing new is known
      return plan;
    }
    plan.waiting_reason = "WaitingForDependency";
    plan.waiting_message = "waiting for the guest of " + item.instance;
    status.phase("PENDING").observed(0);
    status.ready(applied_before, applied_before ? "Available" : "Progressing", plan.waiting_message);
    status.synced(false, "Progressing", plan.waiting_message);
  } else if (state->state == "Failed") {
    status.phase("ERROR").ready(false, "TerminalError", state->message);
    status.synced(false, "TerminalError", state->message);
    status.stalled({"ENGINE_ERROR", "User", state->message});
  } else if (state->state == "Drifted") {
    status.fields().set("applied", true);
    const bool held = view.instance->as<DatabaseInstanceSpec>().suspend;
    if (report_drift(drift, object, item.common, *state, held))
      status.stalled({"CONFLICT", "User",
                      (state->message.empty() ? drift.message() : state->message) +
                          ": somebody else wants it so. It is corrected again after the next change of what is declared"},
                     "ReconcileFlapping");
    status.phase("ACTIVE").ready(true, "Available").synced(false, "Drifted", drift.message());
  } else {
    drift.clear_reported();
    status.fields().set("applied", true);
    status.phase("ACTIVE").ready(true, "Available");
  }
  plan.status = status.build();
  return plan;
}

// The last status says that this generation is what the engine has.
bool in_effect(const Object& object) {
  const Value& status = object.resource.status;
  if (status["observedGeneration"].int_or(0) != object.meta().generation) return false;
  for (const Value& condition : status["conditions"].items())
    if (condition["type"].text() == "Synced") return condition["status"].text() == "True";
  return false;
}

}  // namespace

Plan plan_database(const Object& object, const World& world) {
  const auto& want = object.as<DatabaseSpec>();
  return plan_item(object, world, {want.instance, want.name, "", want, false}, {});
}

Plan plan_user(const Object& object, const World& world) {
  const auto& want = object.as<UserSpec>();
  std::vector<Action> first;
  const Key secret{object.meta().project, "Secret", object.meta().name + "-password"};
  const Object* stored = world.find(secret);
  if (want.generate_length > 0 && !object.deleting() && !want.suspend && !want.observe_only && !stored)
    first.push_back({GenerateSecret{secret, {"User", object.meta().name, object.meta().uid}, want.generate_length},
                     object.key(), Change::none});
  // A password that was generated and is chosen by a person now goes once the new one is in effect.
  const bool replaced = want.generate_length == 0 && in_effect(object);
  if (stored && !stored->deleting() && (object.deleting() || replaced)) {
    const char* why = replaced ? "another password took its place" : "its user is deleted";
    for (const OwnerReference& owner : stored->meta().owner_references)
      if (owner.uid == object.meta().uid)
        first.push_back({DeleteObject{secret, stored->meta().uid, why}, object.key(), Change::none});
  }
  InstanceView view = view_instance(world, object.meta().project, want.instance);
  const bool has_hosts = view.instance && view.instance->as<DatabaseInstanceSpec>().engine == Engine::mariadb;
  Plan plan =
      plan_item(object, world, {want.instance, want.name, has_hosts ? want.host : "", want, true}, std::move(first));
  if (!plan.keep_status) plan.status.set("secret", want.generate_length > 0 ? secret.name : want.secret_name);
  return plan;
}

}  // namespace trove
