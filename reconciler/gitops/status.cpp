#include "reconciler/gitops/status.hpp"

#include <algorithm>

namespace trove::gitops {
namespace {

std::string short_of(const std::string& commit) { return commit.substr(0, 7); }

std::string place_of(const Broken& broken) {
  std::string out = broken.file;
  if (broken.at.line > 0) out += ":" + std::to_string(broken.at.line) + ":" + std::to_string(broken.at.column);
  return out;
}

std::string ref_of(const GitSourceSpec& spec) {
  if (!spec.commit.empty()) return "commit " + short_of(spec.commit);
  return spec.tag.empty() ? "branch " + spec.branch : "tag " + spec.tag;
}

// What stands in the way, the gravest first.
std::optional<GitTrouble> trouble_of(const SourceFacts& facts) {
  if (facts.trouble) return facts.trouble;
  if (facts.broken.empty()) return std::nullopt;
  const Broken& first = facts.broken.front();
  std::string message = place_of(first) + "  " + first.message;
  if (facts.broken.size() > 1) message += " (and " + std::to_string(facts.broken.size() - 1) + " more files)";
  message += facts.plan ? "; the other files are in the plan that waits" : "; the other files are applied";
  return GitTrouble{"FilesBroken", "CONFIG_INVALID", "User",
                    std::move(message) + ", and nothing is pruned until it is mended", true};
}

Value condition(const Resource& resource, Time now, const char* type, bool is, std::string reason, std::string message) {
  Condition out;
  out.type = type;
  out.status = is ? "True" : "False";
  out.reason = std::move(reason);
  out.message = std::move(message);
  out.observed_generation = resource.metadata.generation;
  const auto before = conditions_of(resource.status);
  const Condition* was = find_condition(before, type);
  out.last_transition_time =
      was && was->status == out.status && was->last_transition_time.set() ? was->last_transition_time : now;
  return to_value(out);
}

Value list_of(const std::vector<std::string>& all) {
  Value out = Value::list();
  for (size_t i = 0; i < std::min(all.size(), kMostShown); ++i) out.push_back(printable(all[i], 500));
  return out;
}

Value to_value(const WaitingPlan& plan) {
  Value out = Value::map({{"id", plan.id},
                          {"commit", plan.commit},
                          {"generation", plan.generation},
                          {"create", plan.create},
                          {"configure", plan.configure},
                          {"delete", plan.remove},
                          {"interrupts", list_of(plan.interrupts)},
                          {"since", format_time(plan.since)}});
  if (!plan.confirmed.empty()) {
    Value list = Value::list();  // all of them: the plan that waits is made with them again
    for (const std::string& word : plan.confirmed) list.push_back(word);
    out.set("confirmed", std::move(list));
  }
  if (!plan.replaces.empty()) out.set("replaces", printable(plan.replaces, 500));
  return out;
}

std::string waits_for(const Resource& resource, const WaitingPlan& plan) {
  std::string out = "plan " + plan.id + " of " + short_of(plan.commit) + " (" + counts_of(plan);
  if (!plan.interrupts.empty()) out += ", interrupts " + std::to_string(plan.interrupts.size());
  out += ") waits: trovectl git plan " + resource.metadata.name + ", then " + approval_of(resource.metadata.name, plan);
  return plan.replaces.empty() ? out : out + "; " + plan.replaces;
}

std::optional<WaitingPlan> plan_from(const Value& value) {
  if (!value.is_map()) return std::nullopt;
  WaitingPlan out;
  out.id = value["id"].text();
  out.commit = value["commit"].text();
  out.generation = value["generation"].int_or(0);
  out.create = value["create"].int_or(0);
  out.configure = value["configure"].int_or(0);
  out.remove = value["delete"].int_or(0);
  for (const Value& text : value["interrupts"].items()) out.interrupts.push_back(text.text());
  for (const Value& word : value["confirmed"].items()) out.confirmed.insert(word.text());
  out.replaces = value["replaces"].text();
  out.since = parse_time(value["since"].text()).value_or(Time{});
  return out;
}

}  // namespace

Value status_of(const Resource& resource, const GitSourceSpec& spec, const SourceFacts& facts, const Attempted& attempted) {
  const auto trouble = spec.suspend ? std::nullopt : trouble_of(facts);
  const bool waits = !facts.unconfirmed.empty();
  const bool applied = !facts.applied.empty();
  Value out = Value::map();
  out.set("phase", spec.suspend         ? "Suspended"
                   : trouble            ? trouble->reason
                   : spec.observe_only  ? "Observed"
                   : facts.plan         ? "WaitingForApproval"
                   : waits              ? "WaitingForConfirmation"
                   : applied            ? "Applied"
                                        : "Pending");
  const auto word = [&](const char* name, const std::string& text) {
    if (!text.empty()) out.set(name, text);
  };
  word("observedCommit", facts.observed);
  word("appliedCommit", facts.applied);
  word("lastGoodCommit", facts.last_good);
  word("author", facts.author);
  word("subject", facts.subject);
  if (facts.applied_at.set()) out.set("appliedAt", format_time(facts.applied_at));
  word("verifiedBy", facts.verified);
  word("rewrittenFrom", facts.rewritten);
  out.set("files", facts.files);
  out.set("skippedFiles", facts.skipped);
  out.set("objects", facts.objects);
  if (!facts.broken.empty()) {
    out.set("brokenFiles", static_cast<int64_t>(facts.broken.size()));
    Value list = Value::list();
    for (size_t i = 0; i < std::min(facts.broken.size(), kMostShown); ++i) {
      const Broken& broken = facts.broken[i];
      Value item = Value::map({{"file", broken.file}});
      if (broken.at.line > 0) {
        item.set("line", broken.at.line);
        item.set("column", broken.at.column);
      }
      item.set("message", printable(broken.message, 500));
      list.push_back(std::move(item));
    }
    out.set("broken", std::move(list));
  }
  std::string confirm;
  const std::string stay = std::to_string(facts.unconfirmed.size()) +
                           " objects with data are no longer in Git and stay until confirmed: ";
  if (waits) {
    Value list = Value::list();
    confirm = "trovectl git sync " + resource.metadata.name;
    for (size_t i = 0; i < std::min(facts.unconfirmed.size(), kMostShown); ++i) {
      list.push_back(facts.unconfirmed[i]);
      confirm += " --confirm " + facts.unconfirmed[i];
    }
    out.set("unconfirmed", std::move(list));
  }
  if (!facts.held.empty()) {
    Value list = Value::list();
    for (size_t i = 0; i < std::min(facts.held.size(), kMostShown); ++i) list.push_back(facts.held[i]);
    out.set("protected", std::move(list));
  }
  if (facts.plan) out.set("plan", to_value(*facts.plan));
  out.set("observedGeneration", resource.metadata.generation);

  std::string done = short_of(facts.applied) + " of " + ref_of(spec) + ": " + std::to_string(facts.files) + " files, " +
                     std::to_string(facts.objects) + " objects";
  if (!facts.rewritten.empty())
    done += "; the branch was rewritten, " + short_of(facts.rewritten) + " is not in its history";
  Value list = Value::list();
  const auto add = [&](const char* type, bool is, std::string reason, std::string message) {
    list.push_back(condition(resource, attempted.now, type, is, std::move(reason), std::move(message)));
  };
  if (trouble)
    add("Ready", false, trouble->reason, trouble->message);
  else if (spec.suspend)
    add("Ready", applied, "Suspended", "nothing is fetched or applied while spec.suspend is true");
  else if (spec.observe_only)
    add("Ready", true, "Observed", short_of(facts.observed) + " of " + ref_of(spec) + " was seen, and nothing is applied");
  else
    add("Ready", applied,
        applied      ? "Applied"
        : facts.plan ? "WaitingForApproval"
                     : "Progressing",
        applied      ? done
        : facts.plan ? "nothing is applied yet, and the plan " + facts.plan->id + " waits to be approved"
                     : "the first fetch is still to come");
  if (facts.plan)
    add("Progressing", true, "WaitingForApproval", waits_for(resource, *facts.plan) + (waits ? "; " + stay + confirm : ""));
  else if (waits)
    add("Progressing", true, "WaitingForApproval", stay + confirm);
  else if (!facts.held.empty())
    add("Progressing", true, "WaitingForApproval",
        facts.held.front() + " is no longer in Git and stays: it has deletionProtection" +
            (facts.held.size() > 1 ? ", as " + std::to_string(facts.held.size() - 1) + " more have" : ""));
  else
    add("Progressing", false, "Idle", "");
  const bool stalled = trouble && trouble->for_a_person;
  add("Stalled", stalled, stalled ? trouble->code : "AsExpected", stalled ? trouble->message : "");
  if (trouble)
    add("Synced", false, trouble->for_a_person ? trouble->reason : "TransientError", trouble->message);
  else
    add("Synced", true, facts.rewritten.empty() ? "InSync" : "HistoryRewritten", "");
  out.set("conditions", std::move(list));
  if (trouble) {
    Value error = Value::map({{"code", trouble->code}, {"actor", trouble->actor}, {"message", trouble->message}});
    if (attempted.since.set()) error.set("since", format_time(attempted.since));
    if (attempted.next_retry) error.set("nextRetry", format_time(*attempted.next_retry));
    out.set("lastError", std::move(error));
  }
  return out;
}

SourceFacts facts_from(const Value& status) {
  SourceFacts out;
  out.observed = status["observedCommit"].text();
  out.applied = status["appliedCommit"].text();
  out.last_good = status["lastGoodCommit"].text();
  out.author = status["author"].text();
  out.subject = status["subject"].text();
  out.applied_at = parse_time(status["appliedAt"].text()).value_or(Time{});
  out.verified = status["verifiedBy"].text();
  out.rewritten = status["rewrittenFrom"].text();
  out.files = status["files"].int_or(0);
  out.skipped = status["skippedFiles"].int_or(0);
  out.objects = status["objects"].int_or(0);
  out.plan = plan_from(status["plan"]);
  return out;
}

}  // namespace trove::gitops
