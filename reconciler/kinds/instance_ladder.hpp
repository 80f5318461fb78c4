// The state of one instance's plan while it goes down its rungs. Shared by database_instance.cpp (volume, port, server)
// and instance_guest.cpp (what the guest is told and what it says); nobody else.
#pragma once
#include <algorithm>

#include "reconciler/kinds/plan.hpp"

namespace trove {

// A guest sends a heartbeat every 20 s; silent for longer than this it is unreachable. After a restart of our own it
// gets the same time to call again before anything is said about it.
inline constexpr Millis kGuestSilence{90'000};
inline constexpr Millis kFirstCall{15 * 60'000};  // of a new server's guest

inline constexpr std::string_view kCarried[] = {"endpoints",   "members",       "datastore",   "volume",
                                                "restartWord", "bootstrapped",  "rootEnabled", "appliedParameters",
                                                "incarnation", "pendingRestart"};

struct Ladder {
  const Object& object;
  const World& world;
  const DatabaseInstanceSpec& want;
  const std::string& flavor;  // the name of the one that is wanted
  const Value& before;        // the last status
  DriftJudge drift;
  StatusBuilder status;
  Plan plan;
  const Server* server = nullptr;
  std::string volume_id;           // "" = none is wanted
  std::optional<CloudVolume> volume;
  Port port;
  bool type_waits = false;         // its volume shall have another type, and does not have it yet
  bool flavor_waits = false;       // another one is wanted, and may wait for approval

  Ladder(const Object& o, const World& w)
      : object(o), world(w), want(o.as<DatabaseInstanceSpec>()), flavor(w.flavor_name(want.flavor)),
        before(o.resource.status), drift(o, w), status(o, w) {
    status.fields().mutable_members().reserve(16);
    status.carry(kCarried).drift(drift);
  }
  Ladder(const Ladder&) = delete;  // the status refers to the judge
  // The cloud is asked who it was; the answer takes a moment, and until then what was said stands.
  Plan ask() {
    plan.actions.clear();
    for (const CloudAction& question : drift.asks()) plan.actions.push_back({question, object.key(), Change::none});
    plan.keep_status = true;
    return std::move(plan);
  }
  bool was_ready() const {
    const auto conditions = conditions_of(before);
    const Condition* ready = find_condition(conditions, "Ready");
    return ready && ready->status == "True";
  }

  // The plan that carried the current spec in showed no interruption, and it has not come about yet: what needs one all
  // the same is held, whatever disruptiveChanges says. "" = no such plan; else its id.
  std::string calm_plan() const {
    const bool reached = before["syncedGeneration"].int_or(0) >= object.meta().generation;
    if (const std::string& id = object.meta().annotations[kCalmPlan].text(); !id.empty() && !reached) return id;
    const auto conditions = conditions_of(before);
    const Condition* synced = find_condition(conditions, "Synced");
    if (want.configuration_ref.empty() || (synced && synced->status == "True")) return "";
    const Object* group = world.find({object.meta().project, "ConfigurationGroup", want.configuration_ref});
    return group ? group->meta().annotations[kCalmPlan].text() : std::string();
  }
  bool interruption_allowed() const {
    return want.disruptive == DatabaseInstanceSpec::Disruptive::immediate && calm_plan().empty();
  }

  void wake_at(Time at) {
    if (!plan.wake || at < *plan.wake) plan.wake = at;
  }

  // Every rung ends in one of these.
  Plan act(Action action, std::string_view reason, std::string message) {
    action.object = object.key();
    plan.actions.push_back(std::move(action));
    status.progressing(reason, message).synced(false, "Progressing", std::move(message));
    if (!was_ready())
      status.phase("BUILD");
    else if (before["phase"].is_string())
      status.phase(before["phase"].text());
    status.ready(false, reason, "");
    status.observed(0);
    plan.status = status.build();
    return std::move(plan);
  }
  Plan wait(std::string_view reason, std::string message) {
    plan.waiting_reason = reason;
    plan.waiting_message = message;
    status.ready(false, reason, message).synced(false, reason, message);
    status.phase(was_ready() ? "SHUTDOWN" : "BUILD").observed(0);
    plan.status = status.build();
    return std::move(plan);
  }
  Plan stall(Trouble trouble) {
    plan.waiting_reason = trouble.code;
    plan.waiting_message = trouble.message;
    status.ready(false, "TerminalError", trouble.message).synced(false, "TerminalError", trouble.message);
    status.phase("ERROR").stalled(std::move(trouble)).observed(0);
    plan.status = status.build();
    return std::move(plan);
  }
  Plan unknown(std::string message) {
    plan.keep_status = true;
    plan.waiting_reason = "ObservationFailed";
    plan.waiting_message = std::move(message);
    return std::move(plan);
  }
};

// A restart Operation that is not finished; `word` becomes its uid, the oldest one's when there are several.
bool restart_asked(const Object& object, const World& world, std::string* word);

// The last rung: the document, and the status from the report.
Plan guest_rung(Ladder& ladder);

}  // namespace trove
