// One key: plan, guard, act; and what became of it.
#include "reconciler/loop/loop.hpp"

#include <algorithm>

#include "specs/core/log.hpp"

namespace trove {
namespace {

constexpr Millis kFirstRetry{1'000};
constexpr Millis kLongestRetry{300'000};
constexpr Millis kTerminalRetry{60'000};  // for what only a person can change: looked at again, but seldom
constexpr Millis kStaleRetry{50};

// What a later plan, which knows only what is stored, has to know of: that a volume was never of use, or is now; which
// one it was, before its object is forgotten; and that a change is ours and no drift.
bool stored_first(const Action& action) {
  if (std::holds_alternative<RemoveObject>(action.effect)) return true;
  const auto* cloud = std::get_if<CloudAction>(&action.effect);
  return cloud && (std::holds_alternative<CreateVolume>(*cloud) || std::holds_alternative<CreateServer>(*cloud) ||
                   std::holds_alternative<AttachVolume>(*cloud) || std::holds_alternative<ResizeServer>(*cloud) ||
                   std::holds_alternative<RevertResize>(*cloud) || std::holds_alternative<UpdatePort>(*cloud));
}

}  // namespace

void Loop::reconcile(const Key& key) {
  KeyState& state = states_[key];
  if (state.in_flight) {
    state.dirty = true;
    return;
  }
  const Object* object = world_.find(key);
  if (!object) {
    states_.erase(key);
    world_.failures.erase(key);
    return;
  }
  // What failed is not tried again from facts that are as old as the failure.
  auto failed = world_.failures.find(key);
  if (failed != world_.failures.end() && world_.steady >= failed->second.due &&
      Time{looked_.count()} < failed->second.due)
    state.needs_inventory = std::max(state.needs_inventory, observations_started_ + 1);
  if (world_.inventory->sequence == 0) state.needs_inventory = std::max<uint64_t>(state.needs_inventory, 1);
  if (state.needs_inventory > world_.inventory->sequence) {
    observe();
    return;  // the inventory's arrival queues it again
  }
  if (state.needs_revision > revision_) {
    queue_.add(key, Priority::event, clock_.monotonic() + Millis{2});  // the watch is a moment behind
    return;
  }
  ++passes_;
  Plan plan = plan_object(*object, world_);
  // What failed has been done all the same (its answer was lost), or is not wanted any more.
  if (plan.actions.empty() && !plan.keep_status && world_.failures.erase(key) > 0) plan = plan_object(*object, world_);
  suspect(*object, plan);
  if (!plan.keep_status && (!plan.actions.empty() || plan.waiting_reason.empty())) note_effect(key);
  if (plan.wake) {
    const Millis in = std::max(Millis{1}, *plan.wake - world_.now);
    queue_.add(key, Priority::resync, clock_.monotonic() + in);
  }
  std::vector<Action> actions;
  auto failure = world_.failures.find(key);
  const bool backing_off = failure != world_.failures.end() && world_.steady < failure->second.due;
  if (backing_off) queue_.add(key, Priority::resync, clock_.monotonic() + (failure->second.due - world_.steady));
  for (Action& action : plan.actions) {
    if (backing_off) break;
    Result<void> allowed = guard_.check(action, world_);
    if (!allowed) {
      if (allowed.error().code == Code::not_found) {  // planned from facts that are older than the world
        state.needs_inventory = observations_started_ + 1;
        observe();
        break;
      }
      ++refused_;
      log::warning("refused",
                   {{"key", to_string(key)}, {"action", action_name(action)}, {"why", allowed.error().message}});
      note_failure(key, action, allowed.error());
      break;
    }
    if (const auto* put = std::get_if<PutGuestDocument>(&action.effect)) {
      // What a guest is told may have to be taken back one day, by somebody who knows only what is stored.
      if (!is_stored(key)) {
        hold(key);
        continue;
      }
      Result<std::string> digest = hub_.put(put->server, put->document);
      if (!digest) {
        note_failure(key, action, digest.error());
        break;
      }
      GuestState& guest = world_.guests[to_string(put->server)];
      guest.document = put->document;
      guest.document_digest = std::move(*digest);
      ++actions_;
      durations_.began(key, "guest.document.put", world_.steady);
      queue_.add(key, Priority::event, Millis{0});
      for (const Key& referrer : world_.referrers(key)) queue_.add(referrer, Priority::event, Millis{0});
      continue;
    }
    actions.push_back(std::move(action));
  }
  object = world_.find(key);
  if (!plan.keep_status) {
    // A failure that came of this very pass belongs into the status as well.
    if (world_.failures.contains(key) && !backing_off && failure == world_.failures.end()) {
      Plan again = plan_object(*object, world_);
      if (!again.keep_status) plan.status = std::move(again.status);
    }
    write_status(*object, std::move(plan.status));
  }
  effect_.reset();
  if (actions.empty()) return;
  if (std::any_of(actions.begin(), actions.end(), stored_first) && !is_stored(key))
    hold(key);
  else
    perform(key, std::move(actions));
}

// What one look shows is not believed yet when it speaks of something that was changed outside.
void Loop::suspect(const Object& object, const Plan& plan) {
  const std::string& uid = object.meta().uid;
  // What was believed is in the status from here on, and what was not is over. Until then one waits for the other.
  if (!plan.keep_status) std::erase_if(world_.suspected, [&](const auto& old) { return old.first.first == uid; });
  for (const Suspect& now : plan.suspects) {
    Suspicion& seen = world_.suspected[{uid, now.path}];
    if (seen.sequence == 0 || !(seen.actual == now.actual)) seen = {now.actual, observations_started_};
  }
  if (plan.suspects.empty()) return;
  states_[object.key()].needs_inventory = observations_started_ + 1;
  observe();
}

void Loop::perform(const Key& key, std::vector<Action> actions) {
  states_[key].in_flight = true;
  ++in_flight_;
  Done work;
  work.key = key;
  for (const Action& action : actions)
    if (const auto* cloud = std::get_if<CloudAction>(&action.effect))
      if (const Token* token = created_token(*cloud)) world_.edit_ledger().sent(*token, clock_.monotonic());
  for (Action& action : actions) work.items.push_back({std::move(action)});
  executor_.post([this, work = std::move(work)]() mutable { post(run_actions(std::move(work))); });
}

void Loop::take(Done done) {
  --in_flight_;
  KeyState& state = states_[done.key];
  state.in_flight = false;
  state.needs_revision = std::max(state.needs_revision, done.revision);
  record(done);
  bool failed = false;
  for (const Done::Item& item : done.items) {
    if (!item.ran) {
      const auto* cloud = std::get_if<CloudAction>(&item.action.effect);
      if (const Token* token = cloud ? created_token(*cloud) : nullptr) world_.edit_ledger().not_sent(*token);
      continue;
    }
    if (reads(item.action)) {
      const auto& asked = std::get<ExplainServer>(std::get<CloudAction>(item.action.effect));
      // What the cloud does not tell now is not told: nothing waits for it.
      world_.explained[{asked.id, asked.path}] = {asked.actual, item.outcome ? item.outcome->deeds : std::vector<ServerDeed>{}};
      continue;
    }
    if (std::holds_alternative<CloudAction>(item.action.effect)) {
      state.needs_inventory = observations_started_ + 1;
      note_outcome(std::get<CloudAction>(item.action.effect), item);
    }
    if (item.outcome) {
      ++actions_;
      if (std::holds_alternative<CloudAction>(item.action.effect))
        durations_.began(done.key, std::string(action_name(item.action)), world_.steady - item.took);
      log::info("done", {{"key", to_string(done.key)},
                         {"action", action_name(item.action)},
                         {"detail", describe(item.action)},
                         {"took_ms", item.took.count()}});
    } else {
      failed = true;
      durations_.failed(done.key);
      note_failure(done.key, item.action, item.outcome.error());
    }
  }
  if (!failed) world_.failures.erase(done.key);
  if (!world_.find(done.key)) {
    states_.erase(done.key);
    return;
  }
  if (state.needs_inventory > world_.inventory->sequence) observe();
  queue_.add(done.key, Priority::event, Millis{0});
}

// Into the ledger's memory; run_action() has written the store's.
void Loop::note_outcome(const CloudAction& action, const Done::Item& item) {
  Ledger& ledger = world_.edit_ledger();
  const Result<Outcome>& outcome = item.outcome;
  const Millis now = clock_.monotonic();
  if (const Token* token = created_token(action)) {
    if (!item.sent) {
      ledger.not_sent(*token);
      if (!ledger.intents().contains(*token)) record_again(*token);  // the store may have it all the same
      return;
    }
    ledger.answered(*token, observations_started_ + 1);
    if (outcome)
      ledger.created(*token, outcome->id, clock_.monotonic());
    else if (surely_not_done(outcome.error().code))
      ledger.refused(*token);
    // Found by a list while the call was on its way, which has written down since that nothing is known.
    auto intent = ledger.intents().find(*token);
    if (!outcome && intent != ledger.intents().end() && !intent->second.id.empty()) record_again(*token);
  } else if (outcome) {
    if (const auto* a = std::get_if<DeletePort>(&action)) ledger.deleted(a->token, a->id, now);
    if (const auto* a = std::get_if<DeleteVolume>(&action)) ledger.deleted(a->token, a->id, now);
    if (const auto* a = std::get_if<DeleteServer>(&action)) ledger.deleted(a->token, a->id, now);
    if (const auto* a = std::get_if<RetypeVolume>(&action)) ledger.retyped(a->token, a->id, a->to_type, now);
  }
}

void Loop::note_failure(const Key& key, const Action& action, const Error& error) {
  // Stale knowledge is no failure: look again and plan again.
  if (error.code == Code::conflict || error.code == Code::not_found) {
    states_[key].needs_inventory = observations_started_ + 1;
    Failure& failure = world_.failures[key];
    if (++failure.attempts <= 3) {
      failure.action = action_name(action);
      failure.code = error.code;
      failure.message = error.message;
      if (!failure.since.set()) failure.since = world_.now;
      failure.next_retry = world_.now + kStaleRetry;
      failure.due = world_.steady + kStaleRetry;
      failure.stale = true;
      queue_.add(key, Priority::event, clock_.monotonic() + kStaleRetry);
      return;
    }
    --failure.attempts;
  }
  ++failures_;
  Failure& failure = world_.failures[key];
  failure.stale = false;
  if (failure.attempts == 0 || failure.message != error.message) failure.since = world_.now;
  failure.action = action_name(action);
  failure.code = error.code;
  failure.message = error.message;
  ++failure.attempts;
  Millis delay = kFirstRetry * (int64_t{1} << std::min(failure.attempts - 1, 10));
  if (error.code == Code::invalid || error.code == Code::denied) delay = std::max(delay, kTerminalRetry);
  delay = std::min(delay, kLongestRetry);
  const auto up_to = [&](Millis most) {
    return Millis{static_cast<int64_t>(rng_.next() % static_cast<uint64_t>(most.count() + 1))};
  };
  // A time that was named is kept to, by each a little later than by the one before.
  delay = error.retry_after ? *error.retry_after + up_to(kFirstRetry) : delay / 2 + up_to(delay / 2);
  failure.next_retry = world_.now + delay;
  failure.due = world_.steady + delay;
  queue_.add(key, Priority::resync, clock_.monotonic() + delay);
  log::warning("failed", {{"key", to_string(key)},
                          {"action", action_name(action)},
                          {"why", error.message},
                          {"attempt", failure.attempts},
                          {"retry_in_ms", delay.count()}});
}

}  // namespace trove
