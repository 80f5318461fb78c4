#include <algorithm>
#include "cli/command.hpp"
#include "cli/commands/relations.hpp"
#include "cli/output/columns.hpp"
#include "cli/output/style.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

constexpr int kChain = 6;   // links from "not ready" to the cause

// Why one object is not where its spec says, as its own status tells it.
struct State {
  bool converged = false;
  std::string headline;     // "observed generation 2 of 3"
  const Condition* telling = nullptr;
};

State state_of(const Value& object, const std::vector<Condition>& conditions) {
  State state;
  std::string kind = object["kind"].text();
  if (kind == "Backup" || kind == "Operation") {
    std::string phase = object.at_path("status.phase").text();
    state.converged = phase == "Completed" || phase == "Succeeded";
    state.headline = "phase " + (phase.empty() ? "Pending" : phase);
  } else {
    int64_t generation = object.at_path("metadata.generation").int_or(0);
    int64_t observed = object.at_path("status.observedGeneration").int_or(0);
    auto* ready = find_condition(conditions, "Ready");
    auto* synced = find_condition(conditions, "Synced");
    bool quiet = !ready && (kind == "Secret" || kind == "ConfigurationGroup");
    state.converged =
        quiet || (ready && ready->status == "True" && observed >= generation && (!synced || synced->status == "True"));
    state.headline = "generation " + std::to_string(generation) + ", observed " + std::to_string(observed);
    if (ready && ready->status == "True" && !state.converged) state.headline += "; it serves, but changes are open";
  }
  if (object.at_path("metadata.deletionTimestamp").is_string()) {
    state.converged = false;
    state.headline = "being deleted";
  }
  for (const char* type : {"Stalled", "Progressing"}) {
    auto* condition = find_condition(conditions, type);
    if (!state.telling && condition && condition->status == "True") state.telling = condition;
  }
  for (const char* type : {"Ready", "Synced"}) {
    auto* condition = find_condition(conditions, type);
    if (!state.telling && condition && condition->status != "True") state.telling = condition;
  }
  return state;
}

class Chain {
 public:
  Chain(Context& context, Api& api, const Relations& relations)
      : context_(context), api_(api), relations_(relations), style_(context.colour(context.out_tty)) {}

  // Prints the object's own trouble, then what it waits for, one level deeper each.
  void print(const Value& object, int depth) {
    auto conditions = conditions_of(object["status"]);
    State state = state_of(object, conditions);
    std::string indent = depth == 0 ? "" : std::string(static_cast<size_t>(depth - 1) * 3, ' ') + "└─ ";
    std::string inner(static_cast<size_t>(depth) * 3, ' ');
    std::string head = printable(object_name(object), 300);
    context_.out << indent << style_.strong(head) << (state.converged ? " is converged" : " is NOT converged") << " ("
                 << state.headline << ")";
    if (!state.converged && state.telling && state.telling->last_transition_time.set()) {
      context_.out << ", for " << format_age(context_.clock.wall() - state.telling->last_transition_time);
    }
    context_.out << '\n';
    if (state.converged) return;
    if (state.telling) {
      context_.out << inner << "   " << state.telling->type << ": " << printable(state.telling->reason, 100);
      if (!state.telling->message.empty()) context_.out << "  " << printable(state.telling->message, 500);
      context_.out << '\n';
    } else {
      context_.out << inner << "   the control plane has not looked at it yet\n";
    }
    print_error(object, inner);
    bool explained = print_plan(object, inner);
    if (state.telling && (state.telling->reason == "WaitingForApproval")) {
      context_.out << inner << "   To approve: trovectl restart " << printable(instance_of(object), 100) << '\n';
    }
    if (depth + 1 >= kChain) return;
    bool deeper = false;
    for (const Value* need : relations_.needs(object)) {
      auto theirs = conditions_of((*need)["status"]);
      if (state_of(*need, theirs).converged || std::find(visited_.begin(), visited_.end(), need) != visited_.end())
        continue;
      visited_.push_back(need);
      print(*need, depth + 1);
      deeper = true;
    }
    if (!deeper && !explained && !state.telling) context_.out << inner << "   see: trovectl events " << head << '\n';
  }

 private:
  static std::string instance_of(const Value& object) {
    return object["kind"].text() == "DatabaseInstance" ? object.at_path("metadata.name").text()
                                                       : object.at_path("spec.instanceRef.name").text();
  }

  void print_error(const Value& object, const std::string& inner) {
    const Value& error = object.at_path("status.lastError");
    if (!error.is_map() || error["code"].text().empty()) return;
    context_.out << inner << "   " << style_.bad(printable(error["code"].text(), 60)) << ": "
                 << printable(error["message"].text(), 500) << '\n';
    std::string who = error["actor"].text();
    context_.out << inner << "   Who must act: " << (who.empty() ? "unknown" : printable(who, 60));
    if (who == "System") context_.out << " (it tries again by itself)";
    if (auto since = parse_time(error["since"].text())) context_.out << ".  Since " << error["since"].text();
    context_.out << '\n';
    if (auto next = parse_time(error["nextRetry"].text())) {
      Millis left = *next - context_.clock.wall();
      context_.out << inner << "   Next try: " << format_time(*next)
                   << (left > Millis{0} ? " (in " + format_age(left) + ")" : " (due now)") << '\n';
    }
  }

  bool print_plan(const Value& object, const std::string& inner) {
    const Kind* kind = find_kind(object["kind"].text());
    if (!kind) return false;
    auto plan = api_.plan_of(*kind, object.at_path("metadata.name").text());
    if (!plan) return false;   // why explains what it can; a missing plan is no reason to say nothing
    bool said = false;
    for (const Value& entry : (*plan)["waiting"].items()) {
      context_.out << inner << "   Waiting: " << printable(entry["object"].text(), 200) << "  "
                   << printable(entry["reason"].text(), 100);
      if (!entry["message"].text().empty()) context_.out << "  " << printable(entry["message"].text(), 500);
      context_.out << '\n';
      said = true;
    }
    const auto& actions = (*plan)["actions"].items();
    if (!actions.empty()) {
      const Value& next = actions.front();
      context_.out << inner << "   Next step: " << printable(next["action"].text(), 100) << "  "
                   << printable(next["object"].text(), 200);
      if (!next["detail"].text().empty()) context_.out << "  " << printable(next["detail"].text(), 300);
      if (actions.size() > 1)
        context_.out << "  (then " << actions.size() - 1 << " more; see: trovectl plan " << object_name(object) << ")";
      context_.out << '\n';
      said = true;
    }
    return said;
  }

  Context& context_;
  Api& api_;
  const Relations& relations_;
  Style style_;
  std::vector<const Value*> visited_;
};

}  // namespace

Try<int> run_why(Context& context) {
  auto target = parse_target(context.args.words);
  if (!target) return tl::unexpected(target.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto object = (*api)->get(*target->kind, target->name);
  if (!object) return tl::unexpected(object.error());
  auto relations = Relations::read(**api);
  if (!relations) return tl::unexpected(relations.error());
  if (!(*object)["kind"].is_string()) object->set("kind", target->kind->name);
  Chain(context, **api, *relations).print(*object, 0);
  return kOk;
}

}  // namespace trove::cli
