#include "reconciler/kinds/plan.hpp"

#include <cstdlib>

namespace trove {
namespace {

Condition condition(std::string_view type, std::string_view status, std::string_view reason) {
  Condition c;
  c.type = type;
  c.status = status;
  c.reason = reason;
  return c;
}

}  // namespace

StatusBuilder::StatusBuilder(const Object& object, const World& world)
    : object_(object),
      world_(world),
      ready_(condition("Ready", "False", "Progressing")),
      synced_(condition("Synced", "True", "InSync")),
      progressing_(condition("Progressing", "False", "Idle")),
      stalled_(condition("Stalled", "False", "AsExpected")),
      drifted_(condition("Drifted", "False", "NoDrift")),
      generation_(object.meta().generation) {}

StatusBuilder& StatusBuilder::carry(std::span<const std::string_view> fields) {
  carried_ = fields;
  return *this;
}
StatusBuilder& StatusBuilder::phase(std::string_view phase) {
  fields_.set("phase", phase);
  return *this;
}
StatusBuilder& StatusBuilder::ready(bool is, std::string_view reason, std::string message) {
  ready_ = condition("Ready", is ? "True" : "False", reason);
  ready_.message = std::move(message);
  return *this;
}
StatusBuilder& StatusBuilder::ready_unknown(std::string_view reason, std::string message) {
  ready_ = condition("Ready", "Unknown", reason);
  ready_.message = std::move(message);
  return *this;
}
StatusBuilder& StatusBuilder::synced(bool is, std::string_view reason, std::string message) {
  synced_ = condition("Synced", is ? "True" : "False", reason);
  synced_.message = std::move(message);
  return *this;
}
StatusBuilder& StatusBuilder::progressing(std::string_view reason, std::string message) {
  progressing_ = condition("Progressing", "True", reason);
  progressing_.message = std::move(message);
  return *this;
}
StatusBuilder& StatusBuilder::stalled(Trouble trouble, std::string_view reason) {
  stalled_ = condition("Stalled", "True", reason.empty() ? std::string_view(trouble.code) : reason);
  stalled_.message = trouble.message;
  trouble_ = std::move(trouble);
  return *this;
}
StatusBuilder& StatusBuilder::trouble(Trouble trouble, Time next) {
  trouble_ = std::move(trouble);
  // Counted from two clocks, the same moment comes out a little different each time.
  const auto said = parse_time(object_.resource.status["lastError"]["nextRetry"].text());
  next_retry_ = said && std::abs((*said - next).count()) <= 1000 ? *said : next;
  return *this;
}
StatusBuilder& StatusBuilder::drift(const DriftJudge& judge) {
  judge_ = &judge;
  return *this;
}
StatusBuilder& StatusBuilder::observed(int64_t generation) {
  generation_ = generation;
  return *this;
}

void set_transition_time(Value& condition, Value since) {
  Value::Map& map = condition.mutable_members();
  const bool last = !map.empty() && map.back().key == "observedGeneration";
  map.insert(map.end() - (last ? 1 : 0), {"lastTransitionTime", std::move(since), {}});
}

Value StatusBuilder::build() {
  if (judge_ && judge_->drifted()) {
    drifted_ = condition("Drifted", "True", "Drift");
    drifted_.message = judge_->message();
  }
  if (const std::string why = judge_ ? judge_->flapping() : ""; !why.empty() && !trouble_)
    stalled({"CONFLICT", "User",
             why + ": somebody else wants it so. It is corrected again after the next change of the spec (suspend: true "
                   "and back is one) or a restart"},
            "ReconcileFlapping");
  if (generation_ == 0) generation_ = object_.resource.status["observedGeneration"].int_or(0);
  std::optional<Time> next_retry = next_retry_;
  std::optional<Time> since;
  if (auto failed = world_.failures.find(object_.key()); failed != world_.failures.end() && !failed->second.stale) {
    const Failure& failure = failed->second;
    if (!trouble_) trouble_ = trouble_of(failure);
    since = failure.since;
    next_retry = failure.next_retry;
    synced_ = condition("Synced", "False", "TransientError");
    synced_.message = failure.action + ": " + failure.message;
    // Waiting longer does not help with what a person has to change.
    if (failure.code == Code::invalid || failure.code == Code::denied) {
      stalled_ = condition("Stalled", "True", trouble_->code);
      stalled_.message = failure.action + ": " + failure.message;
    }
  }
  Value status = std::move(fields_);
  for (std::string_view field : carried_)
    if (const Value* before = object_.resource.status.find(field); before && !status.find(field))
      status.set(field, *before);
  if (judge_) judge_->write(status);
  status.set("observedGeneration", generation_);
  Value list = Value::list();
  list.mutable_items().reserve(5);
  const Value::List& before = object_.resource.status["conditions"].items();
  for (Condition* c : {&ready_, &progressing_, &stalled_, &synced_, &drifted_}) {
    c->observed_generation = generation_;
    Value value = to_value(*c);
    // One that did not turn keeps its time, as text: most passes change nothing, and then nothing is formatted or read.
    for (const Value& old : before) {
      if (old["type"].text() != c->type) continue;
      const Value& since = old["lastTransitionTime"];
      if (old["status"].text() == c->status && since.is_string()) set_transition_time(value, since);
      break;
    }
    list.push_back(std::move(value));
  }
  status.set("conditions", std::move(list));
  if (trouble_) {
    Value error = Value::map({{"code", trouble_->code}, {"actor", trouble_->actor}, {"message", trouble_->message}});
    if (since) error.set("since", format_time(*since));
    if (next_retry) error.set("nextRetry", format_time(*next_retry));
    status.set("lastError", std::move(error));
  }
  return status;
}

Trouble trouble_of(const Failure& failure) {
  struct Row {
    Code code;
    const char *name, *actor;
  };
  static constexpr Row kRows[] = {
      {Code::no_space, "CLOUD_QUOTA_EXCEEDED", "CloudOperator"},
      {Code::throttled, "CLOUD_RATE_LIMITED", "System"},
      {Code::unauthenticated, "CLOUD_UNAUTHENTICATED", "CloudOperator"},
      {Code::denied, "DATA_SAFETY_HOLD", "User"},
      {Code::invalid, "CONFIG_INVALID", "User"},
      {Code::conflict, "CONFLICT", "System"},
      {Code::internal, "INTERNAL", "System"},
  };
  const std::string message = failure.action + ": " + failure.message;
  for (const Row& row : kRows)
    if (row.code == failure.code) return {row.name, row.actor, message};
  return {"CLOUD_DEPENDENCY", "CloudOperator", message};
}

}  // namespace trove
