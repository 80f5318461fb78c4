// The inbox, one step, and how long nothing will happen.
#include "reconciler/loop/loop.hpp"

#include <algorithm>

#include "specs/core/log.hpp"

namespace trove {
namespace {

constexpr Millis kSweepPeriod{600'000};
constexpr Millis kSaveAgain{5'000};  // a status that the store refused

}  // namespace

Loop::Loop(Objects& objects, Cloud& cloud, const Sealer& sealer, Hub& hub, Executor& executor, const Clock& clock,
           Rng& rng, LoopOptions options)
    : objects_(objects),
      cloud_(cloud, clock),
      sealer_(sealer),
      hub_(hub),
      executor_(executor),
      clock_(clock),
      rng_(rng),
      options_(options),
      leader_(objects.store(), clock, new_uid(rng)),
      guard_([this](const Key& key) { return objects_.get(key); }),
      verifiers_(sealer) {
  set_time();
  world_.started = world_.steady;
  next_sweep_ = clock_.monotonic() + kSweepPeriod;
  hub_.ask_whether_leading([this] { return leader_.sure(); });
  hub_.on_report(
      [this](const std::string& server, guest::Report report) { deliver_report(server, std::move(report)); });
  hub_.on_waiting([this](const std::string& server) { guest_waits(server); });
}

// Commits without waiting report back to the loop: one that waits comes after them all.
Loop::~Loop() {
  hub_.ask_whether_leading([] { return false; });
  (void)objects_.store().commit({});
}

void Loop::set_time() {
  world_.now = clock_.wall();
  world_.steady = Time{clock_.monotonic().count()};
}

void Loop::post(Input input) {
  {
    std::lock_guard lock(inbox_mutex_);
    inbox_.push_back(std::move(input));
  }
  inbox_wake_.notify_one();
}

void Loop::deliver(WatchBatch batch) { post(std::move(batch)); }

void Loop::deliver_report(const std::string& server, guest::Report report) {
  {
    std::lock_guard lock(inbox_mutex_);
    guest::Report& newest = reports_[server];
    report.events.insert(report.events.begin(), newest.events.begin(), newest.events.end());
    if (report.events.size() > kMaxRepairsPerReport) report.events.resize(kMaxRepairsPerReport);
    newest = std::move(report);
  }
  inbox_wake_.notify_one();
}

void Loop::cloud_changed() {
  {
    std::lock_guard lock(inbox_mutex_);
    look_now_ = true;
  }
  inbox_wake_.notify_one();
}

void Loop::guest_waits(const std::string& server) {
  {
    std::lock_guard lock(inbox_mutex_);
    waiting_guests_.insert(server);
  }
  inbox_wake_.notify_one();
}

void Loop::wake() {
  {
    std::lock_guard lock(inbox_mutex_);
    woken_ = true;
  }
  inbox_wake_.notify_one();
}

void Loop::wait(Millis most) {
  std::unique_lock lock(inbox_mutex_);
  inbox_wake_.wait_for(lock, most, [this] { 
    return woken_ || look_now_ || !inbox_.empty() || !reports_.empty() || !waiting_guests_.empty();
  });
  woken_ = false;
}

Millis Loop::step() {
  std::lock_guard world_lock(world_mutex_);
  const Millis now = clock_.monotonic();
  set_time();
  const bool leads = leader_.tick();
  if (led_ != 0 && (!leads || leader_.epoch() != led_)) hub_.retire_all();
  if (leads && leader_.epoch() != led_) {
    // Somebody else may have led, be it for a moment: whatever is remembered here may be old.
    log::info("leading", {{"epoch", leader_.epoch()}});
    if (!read_all()) return kLeaseRetry;
    next_observation_ = now;
  }
  led_ = leads ? leader_.epoch() : 0;
  std::vector<Input> inputs;
  std::map<std::string, guest::Report> reports;
  std::set<std::string> waiting;
  bool look = false;
  {
    std::lock_guard lock(inbox_mutex_);
    inputs.swap(inbox_);
    reports.swap(reports_);
    waiting.swap(waiting_guests_);
    std::swap(look, look_now_);
  }
  for (Input& input : inputs) std::visit([this](auto& i) { take(std::move(i)); }, input);
  for (auto& [server, report] : reports) take_report(server, std::move(report));
  if (!leads) {
    Millis wait = std::max(Millis{1}, leader_.next_tick() - now);
    return std::min(wait, options_.longest_wait);
  }
  if (now >= next_save_) {
    std::set<Key> unsaved;
    std::set<Token> unrecorded;
    {
      std::lock_guard lock(inbox_mutex_);
      unsaved.swap(unsaved_);
      unrecorded.swap(unrecorded_);
    }
    if (!unsaved.empty() || !unrecorded.empty()) next_save_ = now + kSaveAgain;
    for (const Token& token : unrecorded) record_again(token);
    for (const Key& key : unsaved) {
      const Object* object = world_.find(key);
      if (!object) continue;
      Txn txn;
      objects_.stage_status(txn, object->resource);
      save_status(key, std::move(txn));
    }
  }
  for (auto key = held_.begin(); key != held_.end();) {
    if (!is_stored(*key)) {
      ++key;
      continue;
    }
    queue_.add(*key, Priority::event, Millis{0});
    key = held_.erase(key);
  }
  any_held_ = !held_.empty();
  for (const std::string& server : waiting) look = is_news(server) || look;
  if (look || (!observing_ && now >= next_observation_)) observe();
  while (in_flight_ < kMaxInFlight) {
    std::optional<Key> key = queue_.pop(now);
    if (!key) break;
    reconcile(*key);
  }
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepPeriod;
    sweep();
  }
  Millis wait = std::min(options_.longest_wait, leader_.next_tick() - now);
  if (!observing_) wait = std::min(wait, next_observation_ - now);  // else its arrival wakes us
  if (auto due = queue_.next_due(); due && in_flight_ < kMaxInFlight) wait = std::min(wait, *due - now);
  {
    std::lock_guard lock(inbox_mutex_);
    if (!inbox_.empty() || !reports_.empty() || !waiting_guests_.empty()) wait = Millis{0};
  }
  return std::max(wait, Millis{0});
}

void Loop::deliver_all(std::vector<StoreEvent> events, Revision revision) {
  WatchBatch batch;
  batch.events = std::move(events);
  batch.revision = revision;
  batch.compacted = true;
  post(std::move(batch));
}

std::vector<LeakSeen> Loop::leaks() {
  std::lock_guard world_lock(world_mutex_);
  std::vector<LeakSeen> out;
  for (const auto& [id, leak] : world_.leaks) {
    if (world_.steady - leak.since < kLeakSettled) continue;
    LeakSeen seen{std::string(to_string(leak.what)), id, leak.name, to_string(leak.token), world_.at(leak.since), {}};
    if (world_.remove_leaks_after && leak.what != Leak::What::volume)
      seen.removed_at = seen.since + *world_.remove_leaks_after;
    out.push_back(std::move(seen));
  }
  return out;
}

LoopHealth Loop::health() {
  std::lock_guard world_lock(world_mutex_);
  LoopHealth health;
  const Inventory& cloud = *world_.inventory;
  health.observing = cloud.sequence > 0 && cloud.servers_known && cloud.volumes_known && cloud.ports_known;
  health.trouble = cloud.sequence == 0 ? "the cloud has not been observed yet" : cloud.trouble;
  health.queue = queue_.size();
  health.in_flight = in_flight_;
  for (const auto& [key, object] : world_.objects()) {
    health.instances += key.kind == "DatabaseInstance";
    health.drifted += !object->resource.status["drift"].empty();
  }
  for (const auto& [server, guest] : world_.guests)
    health.guests_heard += guest.report && world_.steady - guest.heard < Millis{60'000};
  health.passes = passes_;
  health.actions = actions_;
  health.failures = failures_;
  health.refused = refused_;
  health.failing = world_.failures.size();
  return health;
}

}  // namespace trove
