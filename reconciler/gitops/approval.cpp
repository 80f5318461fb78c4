// A GitSource that asks for approvals: the plan of a commit is made and kept, and carried out when somebody says so. What
// is in the plan, and which of it goes, is decided as it is without approvals: follower.cpp.
#include <algorithm>

#include "reconciler/gitops/follower.hpp"

namespace trove::gitops {
namespace {

constexpr size_t kMostInterrupts = 20;

std::string short_of(const std::string& commit) { return commit.substr(0, 7); }

std::string told(const Refusal& refusal) {
  if (refusal.problems.empty()) return refusal.detail;
  const Problem& first = refusal.problems.front().first;
  std::string out = (first.path.empty() ? "" : first.path + ": ") + first.message;
  if (refusal.problems.size() > 1) out += " (and " + std::to_string(refusal.problems.size() - 1) + " more)";
  return out;
}

void count_into(WaitingPlan& plan, const ApplyResult& ahead) {
  for (const Applied& item : ahead.items) {
    plan.create += item.what == Applied::What::created;
    plan.configure += item.what == Applied::What::configured;
  }
  for (const Applied& item : ahead.leaving) plan.remove += item.what != Applied::What::kept;
}

// What changes nothing has no place in a plan: it would make the plan of a commit depend on how much of it was read, and
// end when an object changes that the plan leaves alone.
void only_changes(ApplyOrder& what, const PlanBook::Ahead& ahead) {
  std::vector<Source> sources;
  for (size_t i = 0; i < what.sources.size(); ++i)
    if (ahead.changes[i]) sources.push_back(std::move(what.sources[i]));
  what.sources = std::move(sources);
  if (!what.set.prune) return;
  what.set.leaving = std::vector<Key>();
  for (const Applied& item : ahead.leaving) what.set.leaving->push_back(item.after.key());
}

std::vector<std::string> interrupts_of(const Value& plan) {
  std::vector<std::string> out;
  for (const Value& step : plan["actions"].items()) {
    if (step["interrupts"].text().empty()) continue;
    std::string text = step["object"].text() + ": " + step["interrupts"].text();
    if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
    if (out.size() == kMostInterrupts) break;
  }
  return out;
}

}  // namespace

std::string approval_of(const std::string& source, const WaitingPlan& plan) {
  return "trovectl git sync " + source + " --approve " + plan.id;
}

std::string counts_of(const WaitingPlan& plan) {
  return std::to_string(plan.create) + " to create, " + std::to_string(plan.configure) + " to configure, " +
         std::to_string(plan.remove) + " to delete";
}

void Follower::forget_plan() {
  if (!facts_.plan) return;
  // Should this fail, it goes by itself in a week, and nobody can carry it out but this source, which forgot it.
  (void)plans_.drop(key_.project, facts_.plan->id);
  facts_.plan.reset();
}

// Nothing is known that would make another plan. `moved`: what is, otherwise.
bool Follower::still_waits(const std::string& commit, std::string& moved) {
  if (facts_.plan->commit != commit || !moved.empty()) return false;
  const Revision now = plans_.revision();
  if (now == looked_at_) return true;
  auto what = plans_.moved(key_.project, facts_.plan->id);
  moved = what ? *what : told(what.error());
  if (moved.empty()) looked_at_ = now;
  return moved.empty();
}

// True when the pass goes on: what was applied has to be looked at as a whole, and so has what was not.
bool Follower::carry_out(const PassOrder& order, const std::string& commit, Tidings& tidings, std::string& moved) {
  const auto refused = [&](std::string why) {
    tidings.approved = Approved{order.approve, false, std::move(why)};
    return true;
  };
  if (!facts_.plan) return refused("no plan waits");
  const WaitingPlan plan = *facts_.plan;
  if (plan.id != order.approve) return refused("it is not the plan that waits");
  if (plan.commit != commit)
    return refused("it is of " + short_of(plan.commit) + ", and by now there is " + short_of(commit));
  if (plan.generation != order.generation) {
    moved = "the GitSource was changed";
    return refused(moved + " since the plan was made");
  }
  auto done = plans_.carry_out(key_.project, plan.id, author(commit), set_);
  if (!done) {
    const Refusal& refusal = done.error();
    if (refusal.status >= 500 || refusal.status == 429) {
      refused_as_a_whole(commit, refusal);
      refused(facts_.trouble->message);
      return false;
    }
    moved = told(refusal);
    return refused("it no longer holds: " + moved);
  }
  facts_.plan.reset();  // it is kept for the history, which names it
  now_applied(commit);
  read_.clear();
  Counts counts;
  for (const Applied& item : done->items) {
    counts.created += item.what == Applied::What::created;
    counts.configured += item.what == Applied::What::configured;
  }
  for (const Applied& item : done->leaving) counts.pruned += item.what != Applied::What::kept;
  tidings.approved = Approved{plan.id, true, told_of(commit, counts)};
  return true;
}

Follower::Outcome Follower::propose(const PassOrder& order, const std::string& commit, bool full,
                                    const std::string& moved, Tidings& tidings) {
  count_broken();
  const std::vector<Item> all = items();
  if (all.size() > kMaxDocuments) {
    facts_.trouble = GitTrouble{"TooLarge", "GIT_TOO_LARGE", "User",
                                std::to_string(all.size()) + " documents would be one plan, and " +
                                    std::to_string(kMaxDocuments) +
                                    " is the most; divide the folder between several GitSources",
                                true};
    return Outcome::failed;
  }
  ApplyOrder what = order_of(commit);
  choose_leaving(order, commit, full, what);
  std::map<std::string, Broken> refused;
  std::optional<ApplyResult> settled;
  PlanBook::Ahead ahead;
  const Road road = [&](const ApplyOrder& one) { return plans_.settle(one, ahead); };
  if (!hand_over(commit, all, what, refused, road, settled)) {
    count_broken();
    return Outcome::failed;
  }
  for (auto& [file, broken] : refused) break_file(file, std::move(broken));
  count_broken();
  if (!what.set.prune) ahead.leaving.clear();
  const std::set<Key> kept = note_kept(ahead.leaving);
  if (settled) {
    pending_.clear();
    if (what.set.prune) leaving_ = kept;
    forget_plan();
    return Outcome::applied;
  }
  only_changes(what, ahead);
  return wait_for(order, commit, what, full, moved, tidings) ? Outcome::waits : Outcome::failed;
}

// Keeps the plan of `what`, or the one that waits when that is the very same.
bool Follower::wait_for(const PassOrder& order, const std::string& commit, const ApplyOrder& what, bool full,
                        std::string moved, Tidings& tidings) {
  const bool same_commit = facts_.plan && facts_.plan->commit == commit;
  const Revision revision = plans_.revision();
  if (same_commit && moved.empty() && !full) {
    auto same = plans_.asks(key_.project, facts_.plan->id, what);
    if (same && *same) return true;
  }
  auto proposal = plans_.propose(what);
  if (!proposal) {
    refused_as_a_whole(commit, proposal.error());
    return false;
  }
  if (same_commit && moved.empty()) {
    auto differs = plans_.differs(facts_.plan->id, *proposal);
    if (differs && differs->empty()) {
      facts_.plan->generation = order.generation;
      looked_at_ = revision;
      return true;
    }
    moved = differs ? *differs : told(differs.error());
  }
  if (auto kept = plans_.keep(*proposal); !kept) {
    refused_as_a_whole(commit, kept.error());
    return false;
  }
  WaitingPlan next;
  next.id = proposal->plan["id"].text();
  next.commit = commit;
  next.generation = order.generation;
  count_into(next, proposal->ahead);
  next.interrupts = interrupts_of(proposal->plan);
  for (const std::string& word : confirm_) {
    const bool object = word.find('/') != std::string::npos;
    if (object ? std::any_of(what.set.confirmed.begin(), what.set.confirmed.end(),
                             [&](const Key& key) { return to_string(key) == word; })
               : word.size() >= 7 && commit.starts_with(word))
      next.confirmed.insert(word);
  }
  if (facts_.plan)
    next.replaces = same_commit ? facts_.plan->id + " no longer holds: " + moved
                                : facts_.plan->id + " was of " + short_of(facts_.plan->commit);
  next.since = clock_.wall();
  std::string message = next.id + " of " + short_of(commit) + ": " + counts_of(next) + "; it waits for: " +
                        approval_of(key_.name, next);
  if (!next.replaces.empty()) message += "; " + next.replaces;
  tidings.events.push_back({true, "git.plan", std::move(message)});
  forget_plan();
  facts_.plan = std::move(next);
  looked_at_ = revision;
  return true;
}

// Whoever approved hears what became of it, whatever the pass came to.
void Follower::answer(const PassOrder& order, Tidings& tidings) const {
  if (order.approve.empty()) return;
  auto& approved = tidings.approved;
  if (!approved)
    approved = Approved{order.approve, false,
                        facts_.trouble            ? facts_.trouble->message
                        : order.spec.observe_only ? "nothing is applied while managementPolicy is Observe"
                                                  : "this GitSource asks for no approval: what is in Git is applied"};
  if (!approved->done) {
    if (facts_.plan) approved->message += "; what waits: " + approval_of(key_.name, *facts_.plan);
    else if (!facts_.trouble && order.spec.manual && !order.spec.observe_only)
      approved->message += "; nothing waits";
  }
  const std::string whose = "plan " + printable(approved->plan, 40) + ", approved by " + printable(order.by, 100);
  // Before what the rest of the pass found, which comes after it.
  tidings.events.insert(tidings.events.begin(),
                        {approved->done && facts_.broken.empty() && facts_.rewritten.empty(),
                         approved->done ? "git.apply" : "git.approve",
                         whose + (approved->done ? ": " : ", was not carried out: ") + approved->message});
}

}  // namespace trove::gitops
