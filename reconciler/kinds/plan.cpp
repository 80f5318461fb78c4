#include "reconciler/kinds/plan.hpp"

#include <algorithm>
#include <array>
#include "specs/core/overload.hpp"

namespace trove {
namespace {

struct Planner {
  std::string_view kind;
  Plan (*plan)(const Object&, const World&);
};
constexpr std::array kPlanners = {
    Planner{"DatabaseInstance", plan_database_instance},
    Planner{"Database", plan_database},
    Planner{"User", plan_user},
    Planner{"Volume", plan_volume},
    Planner{"Secret", plan_secret},
    Planner{"ConfigurationGroup", plan_configuration_group},
    Planner{"BackupSchedule", plan_backup_schedule},
    Planner{"Backup", plan_backup},
    Planner{"Operation", plan_operation},
    Planner{"GitSource", plan_git_source},
};

}  // namespace

namespace {

// While something is still to be done, no status says that the new generation is in effect.
void keep_honest(const Object& object, Plan& plan) {
  if (plan.keep_status || !plan.status.find("conditions")) return;
  const auto first = std::find_if(plan.actions.begin(), plan.actions.end(), [](const Action& a) { return !reads(a); });
  if (first == plan.actions.end()) return;
  const int64_t before = object.resource.status["observedGeneration"].int_or(0);
  if (plan.status.find("observedGeneration")) plan.status.set("observedGeneration", before);
  for (Value& condition : plan.status.find("conditions")->mutable_items()) {
    if (condition["type"].text() != "Synced" || condition["status"].text() != "True") continue;
    Condition honest;
    honest.type = "Synced";
    honest.status = "False";
    honest.reason = "Progressing";
    honest.message = describe(*first);
    honest.observed_generation = before;
    condition = to_value(honest);
  }
}

}  // namespace

Plan looked_at_again(Plan plan, const DriftJudge& drift) {
  if (drift.suspects().empty()) return plan;
  plan.actions.clear();
  plan.suspects = drift.suspects();
  plan.keep_status = true;
  return plan;
}

Plan plan_object(const Object& object, const World& world) {
  for (const Planner& planner : kPlanners) {
    if (planner.kind != object.resource.kind) continue;
    Plan plan = planner.plan(object, world);
    keep_honest(object, plan);
    return plan;
  }
  Plan nothing;
  nothing.keep_status = true;
  return nothing;
}

bool reads(const Action& action) {
  const auto* cloud = std::get_if<CloudAction>(&action.effect);
  return cloud && std::holds_alternative<ExplainServer>(*cloud);
}

std::string_view action_name(const Action& action) {
  return std::visit(Overload{[](const CloudAction& a) { return action_name(a); },
                             [](const PutGuestDocument&) -> std::string_view { return "guest.apply"; },
                             [](const CreateObject&) -> std::string_view { return "object.create"; },
                             [](const UpdateObject&) -> std::string_view { return "object.update"; },
                             [](const DeleteObject&) -> std::string_view { return "object.delete"; },
                             [](const RemoveObject&) -> std::string_view { return "object.remove"; },
                             [](const GenerateSecret&) -> std::string_view { return "secret.generate"; }},
                    action.effect);
}

std::string describe(const Action& action) {
  return std::visit(Overload{[](const CloudAction& a) { return describe(a); },
                             [](const PutGuestDocument& a) {
                               return std::to_string(a.document.databases.size()) + " databases, " +
                                      std::to_string(a.document.users.size()) + " users, " +
                                      std::to_string(a.document.parameters.size()) + " parameters";
                             },
                             [](const CreateObject& a) { return to_string(a.resource.key()); },
                             [](const UpdateObject& a) { return to_string(a.resource.key()) + ": " + a.what; },
                             [](const DeleteObject& a) { return to_string(a.key) + ": " + a.why; },
                             [](const RemoveObject& a) { return to_string(a.key); },
                             [](const GenerateSecret& a) {
                               return to_string(a.secret) + ", " + std::to_string(a.length) + " characters";
                             }},
                    action.effect);
}

const Server* current_server(const std::vector<const Server*>& servers) {
  const Server* best = nullptr;
  for (const Server* server : servers) {
    if (server->status == Server::Status::deleting) continue;
    if (!best) {
      best = server;
      continue;
    }
    const bool better_volume = !server->volume_id.empty() && best->volume_id.empty();
    const bool worse_volume = server->volume_id.empty() && !best->volume_id.empty();
    if (better_volume || (!worse_volume && server->token.incarnation > best->token.incarnation)) best = server;
  }
  return best;
}

InstanceView view_instance(const World& world, const std::string& project, const std::string& name) {
  InstanceView view;
  view.instance = world.find({project, "DatabaseInstance", name});
  if (!view.instance) return view;
  view.server = current_server(world.servers_of(view.instance->meta().uid));
  if (view.server) {
    auto guest = world.guests.find(to_string(view.server->token));
    if (guest != world.guests.end()) view.guest = &guest->second;
  }
  return view;
}

}  // namespace trove
