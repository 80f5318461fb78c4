#include "reconciler/simulate/sim_world.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "reconciler/secrets.hpp"
#include "specs/decode.hpp"

namespace trove::simulate {
namespace {

constexpr Millis kBootTime{300};
constexpr Millis kRowsEvery{3'000};
constexpr int kMostStill = 10'000;  // turns in which no time passes
constexpr uint64_t kLingerEvery = 8;
constexpr Millis kLinger{400'000};   // the longest back-off is 300 s
constexpr Millis kLastRows{20'000};  // after the last deed

}  // namespace

const Sealer& simulation_sealer() {
  static const Sealer sealer = [] {
    char path[] = "/tmp/trove-simulation-XXXXXX";
    const int fd = ::mkstemp(path);
    TROVE_CHECK(fd >= 0);
    const std::string line = std::string(64, '5') + "\n";
    TROVE_CHECK(::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    ::close(fd);
    SimRng unused(1);
    auto opened = Sealer::open(path, false, unused);
    ::unlink(path);
    TROVE_CHECK(opened.has_value());
    return std::move(*opened);
  }();
  return sealer;
}

class SimWorld::Watched final : public Cloud {
 public:
  explicit Watched(SimWorld& world) : world_(world) {}
  Inventory observe(const std::vector<Sought>& sought) override { return world_.cloud_.observe(sought); }
  Result<Outcome> perform(const CloudAction& action) override {
    SimCloud& sim = world_.cloud_;
    ++world_.loud_;
    auto outcome = sim.perform(action);
    world_.changed();
    return outcome;
  }
  std::string_view name() const override { return "sim"; }

 private:
  SimWorld& world_;
};

SimWorld::SimWorld(const Scenario& scenario, const Schedule& schedule, RunOptions options)
    : scenario_(scenario),
      schedule_(schedule),
      options_(options),
      rng_(schedule.seed),
      cloud_rng_(schedule.seed ^ 0xC10D),
      injector_(schedule_, clock_, trace_),
      cloud_(clock_, cloud_rng_),
      watched_(std::make_unique<Watched>(*this)),
      store_(open_memory_store(clock_)),
      witness_(facts_, simulation_sealer()) {
  facts_.servers = &cloud_.servers();
  facts_.volumes = &cloud_.volumes();
  facts_.ports = &cloud_.ports();
  facts_.objects = &cloud_.objects();
  facts_.disks = &cloud_.disks;
  facts_.revision = store_->revision();
  for (const Flavor& flavor : scenario.flavors) cloud_.options().flavors.push_back(flavor);
  for (const VolumeType& type : scenario.volume_types) cloud_.options().volume_types.push_back(type);
  cloud_.options().zones.insert(scenario.zones.begin(), scenario.zones.end());
  cloud_.options().server_groups.insert(scenario.server_groups.begin(), scenario.server_groups.end());
  facts_.options = &cloud_.options();
  injector_.pause = [this](std::string_view plane, Millis length) {
    if (nested_) return;
    Plane* paused = nullptr;
    for (auto& one : planes_)
      if (one && one->name() == plane) paused = one.get();
    if (!paused || planes_.size() < 2) return;
    ++strikes_;
    nested_ = true;
    pass_time(clock_.monotonic() + length, paused);
    nested_ = false;
    disturbed_ = clock_.monotonic();
  };
  planes_.resize(schedule_.has(Fault::Kind::pause) ? 2 : 1);
  disturbed_ = changed_at_ = clock_.monotonic();
}

// A control plane's destructor speaks to the store: it is not to be heard.
SimWorld::~SimWorld() {
  for (auto& plane : planes_)
    if (plane) plane->die();
}

void SimWorld::broken(std::string invariant, std::string what) {
  if (violation_) return;
  injector_.say("oracle", invariant + ": " + what);
  violation_ = Violation{std::move(invariant), std::move(what)};
}

void SimWorld::changed() {
  (void)cloud_.servers();  // what is due has happened
  witness_.looked();
  changed_at_ = clock_.monotonic();
  for (auto& [id, guest] : guests_) guest.news = true;
  if (auto found = first_broken(invariants(), facts_)) broken(found->invariant, found->what);
}

void SimWorld::at(Millis when, std::function<void()> what) { timeline_[{when, next_event_++}] = std::move(what); }

// ---- Control planes -------------------------------------------------------------------------------------------------

void SimWorld::boot(size_t i) {
  const std::string name(1, static_cast<char>('A' + i));
  // One process over an embedded store: each start is a boot of its own. Two share a store as they would etcd.
  ++boots_;
  if (planes_.size() == 1 && boots_ > 1) {
    Txn txn;
    txn.ops.push_back({Op::Kind::put, kBootEpochKey, std::to_string(boots_), 0});
    if (auto done = store_->commit(txn)) facts_.revision = *done;
  }
  Plane::Surroundings around{*store_,
                             *watched_,
                             simulation_sealer(),
                             injector_,
                             clock_,
                             rng_,
                             [this, name](const Txn& txn, Revision revision) { committed(name, txn, revision); },
                             [this](Millis in, const CloudAction& action, bool again) {
                               const Token* token = created_token(action);
                               if (token) late_.insert(*token);
                               at(clock_.monotonic() + in, [this, action, in, again] {
                                 disturbed_ = clock_.monotonic();
                                 if (const auto* volume = std::get_if<CreateVolume>(&action);
                                     volume && !again && in < kLatePatience)
                                   check_patient(volume->token);
                                 auto outcome = watched_->perform(action);
                                 injector_.say("cloud", "late: " + std::string(action_name(action)) + " " +
                                                            describe(action) +
                                                            (outcome ? ": done" : ": " + outcome.error().message));
                               });
                             },
                             [this](const Inventory& seen) { witness_.shown(seen); },
                             [this](const std::string& plane, const CloudAction& action, Moment moment) {
                               asked(plane, action, moment);
                             },
                             [this](std::string invariant, std::string what) {
                               broken(std::move(invariant), std::move(what));
                             },
                             schedule_.has(Fault::Kind::stale) ? &snapshots_ : nullptr,
                             schedule_.has(Fault::Kind::async)};
  injector_.say(name, "starts");
  try {
    planes_[i] = std::make_unique<Plane>(name, around);
    if (auto started = planes_[i]->start(); !started) {
      injector_.say(name, "cannot start: " + started.error().message);
      down(i);
    }
  } catch (const Crash&) {
    down(i);
  }
}

void SimWorld::down(size_t i) {
  disturbed_ = clock_.monotonic();
  ++strikes_;
  if (planes_[i]) planes_[i]->die();
  planes_[i].reset();
  at(clock_.monotonic() + kBootTime, [this, i] { boot(i); });
}

Plane* SimWorld::reachable() {
  Plane* any = nullptr;
  if (injector_.lasting(Fault::Kind::astray))
    for (auto& plane : planes_)
      if (plane && !plane->inside() && !plane->loop().leading()) return plane.get();
  for (auto& plane : planes_) {
    if (!plane || plane->inside()) continue;
    if (plane->loop().leading()) return plane.get();
    if (!any) any = plane.get();
  }
  return any;
}

// ---- What a control plane does ----------------------------------------------------------------------------------------

void SimWorld::committed(const std::string& plane, const Txn& txn, Revision revision) {
  bool lead_only = true, ledger = false;
  for (const Op& op : txn.ops) {
    const bool lead = op.key == kOwnerKey;
    if (lead && op.kind == Op::Kind::put) owner_ = plane;
    lead_only = lead_only && lead;
    ledger = ledger || op.key.starts_with("/ledger/");
    if (op.key.starts_with("/ledger/") && op.value.find("\"CREATED\"") != std::string::npos) made_.insert(op.key);
  }
  loud_ += !lead_only;
  if (ledger && plane != owner_) broken("fenced", plane + " recorded what it made, and " + owner_ + " leads");
  witness_.committed(txn, revision);
  changed();
}

void SimWorld::asked(const std::string& plane, const CloudAction& action, Moment moment) {
  if (moment == Moment::asks) {
    if (plane != owner_)
      broken("one-leader", plane + " calls " + std::string(action_name(action)) + ", and " + owner_ + " leads");
    return;
  }
  // One that was paused between its decision and its call knows no better; nor does one whose first call was not
  // answered and arrives just now.
  if (schedule_.has(Fault::Kind::pause)) return;
  if (const Token* token = created_token(action)) {
    if (late_.contains(*token)) return;
    check_create(*token);
    // The guest of a server that is gone may still be alive somewhere, and must not pass for the new one's.
    if (std::holds_alternative<CreateServer>(action) && made_.contains(ledger_key(*token)))
      broken("new-name", to_string(*token) + " was a server before, and is to be another one");
    return;
  }
  if (const auto* remove = std::get_if<DeleteServer>(&action)) check_delete(remove->id);
}

void SimWorld::check_create(const Token& token) {
  const auto there = [&](const auto& things) {
    for (const auto& [id, thing] : things)
      if (thing.token == token && !facts_.foreign.contains(id))
        broken("one-create", to_string(token) + " is asked for, and is there: " + text_of(thing));
  };
  there(*facts_.servers), there(*facts_.volumes), there(*facts_.ports);
}

// A volume's create that was not answered arrives: nobody may have lost patience and made another one.
void SimWorld::check_patient(const Token& token) {
  if (schedule_.has(Fault::Kind::pause) || schedule_.has(Fault::Kind::duplicate)) return;
  for (const auto& [id, volume] : *facts_.volumes)
    if (volume.token == token) broken("patient", to_string(token) + " was asked for again too early");
}

// Of a server that works, and is the only one of its living instance.
void SimWorld::check_delete(const std::string& server_id) {
  auto found = facts_.servers->find(server_id);
  if (found == facts_.servers->end()) return;
  const Server& server = found->second;
  if (server.status == Server::Status::error || server.status == Server::Status::deleting) return;
  for (const auto& [id, other] : *facts_.servers)
    if (id != server_id && other.token.uid == server.token.uid) return;
  for (const auto& [key, resource] : facts_.stored)
    if (resource.metadata.uid == server.token.uid && !resource.deleting() && !witness_.was_shown_broken(server))
      broken("needless-delete", text_of(server) + " works, and " + to_string(key) + " is not being deleted");
}

// ---- Time -----------------------------------------------------------------------------------------------------------

void SimWorld::pass_time(Millis until, const Plane* except) {
  int still = 0;
  while (clock_.monotonic() < until && !violation_) {
    const Millis wait = turn(except);
    if (wait > Millis{0}) {
      // A pause within that turn may have taken longer than there was time.
      clock_.advance(std::clamp(until - clock_.monotonic(), Millis{0}, wait));
      still = 0;
    } else if (++still > kMostStill) {
      broken("no-spin", "the control plane works without end and without time passing");
    }
  }
}

Millis SimWorld::turn(const Plane* except) {
  while (!timeline_.empty() && timeline_.begin()->first.first <= clock_.monotonic()) {
    auto what = std::move(timeline_.begin()->second);
    timeline_.erase(timeline_.begin());
    what();
    if (violation_) return Millis{0};
  }
  if (auto change = cloud_.next_change(); change && *change <= Millis{0}) changed();
  Millis wait = turn_person();
  wait = std::min(wait, turn_planes(except));
  wait = std::min(wait, turn_guests());
  if (auto change = cloud_.next_change()) wait = std::min(wait, *change);
  if (!timeline_.empty()) wait = std::min(wait, timeline_.begin()->first.first - clock_.monotonic());
  return std::max(wait, Millis{0});
}

Millis SimWorld::turn_planes(const Plane* except) {
  Millis wait = kObservePeriod;
  for (size_t i = 0; i < planes_.size(); ++i) {
    Plane* plane = planes_[i].get();
    if (!plane || plane == except || plane->inside()) continue;
    try {
      wait = std::min(wait, plane->turn());
    } catch (const Crash&) {
      down(i);
      wait = std::min(wait, kBootTime);
    }
    if (violation_) return Millis{0};
  }
  return wait;
}

// ---- The run --------------------------------------------------------------------------------------------------------

bool SimWorld::at_rest() {
  if (deed_ < scenario_.deeds.size() || !timeline_.empty()) return false;
  return clock_.monotonic() - std::max(changed_at_, disturbed_) >= kObservePeriod * kQuietPasses;
}

bool SimWorld::nothing_failing() {
  if (clock_.monotonic() < thawed_) return false;
  for (const auto& [id, server] : *facts_.servers)
    if (server.status == Server::Status::deleting) return false;
  Plane* plane = reachable();
  return plane && plane->loop().health().failing == 0;
}

void SimWorld::rest() {
  const Millis begin = clock_.monotonic();
  while (!violation_) {
    pass_time(clock_.monotonic() + kObservePeriod, nullptr);
    if (violation_) return;
    if (at_rest()) {
      // Lost data stay lost: there the state cannot be the same, but it has to be in order.
      const bool comparable = options_.clean && facts_.lost_volumes.empty();
      const bool there = comparable ? normal_state(facts_) == options_.clean->state : nothing_failing();
      if (there && !first_broken(final_invariants(), facts_))
        return linger();
    }
    if (clock_.monotonic() - std::max(begin, disturbed_) > options_.patience) {
      if (deed_ < scenario_.deeds.size())
        return broken("accepted", "the API never accepted deed " + std::to_string(deed_ + 1));
      if (!at_rest()) return broken("rest", "calls or commits go on and on");
      if (auto found = first_broken(final_invariants(), facts_)) return broken(found->invariant, found->what);
      return broken("same-end", "it came to rest in another state than without faults");
    }
  }
}

// At rest is not enough if it only seems so: some runs go on for longer than every patience of the product.
void SimWorld::linger() {
  check_costs();
  if (!violation_) check_drift();
  if (!violation_) check_documents();
  if (violation_ || schedule_.seed % kLingerEvery != 0) return;
  const uint64_t loud = loud_;
  const int64_t struck = injector_.struck();
  pass_time(clock_.monotonic() + kLinger, nullptr);
  // Nor does a start find anything to do.
  for (size_t i = 0; i < planes_.size(); ++i) down(i);
  pass_time(clock_.monotonic() + kLinger, nullptr);
  if (loud_ != loud && injector_.struck() == struck)
    broken("stays", "it had come to rest, and something was done again");
}

// Two full looks at the cloud, what a run without faults needs as well, and what the faults may cost.
void SimWorld::check_costs() {
  if (!options_.clean) return;
  const Millis took = changed_at_ - disturbed_;
  const Millis most = kObservePeriod * 2 + options_.clean->rest + allowed_rest(schedule_);
  if (took > most)
    broken("soon", "it took " + std::to_string(took.count()) + " ms to come to rest, and " +
                       std::to_string(most.count()) + " is allowed");
  const int64_t calls = static_cast<int64_t>(cloud_.calls());
  const int64_t instances = std::count_if(facts_.stored.begin(), facts_.stored.end(), [](const auto& entry) {
    return entry.first.kind == "DatabaseInstance";
  });
  const int64_t most_calls = options_.clean->calls + allowed_calls(schedule_, instances);
  if (calls > most_calls)
    broken("thrifty", std::to_string(calls) + " calls, and " + std::to_string(most_calls) + " are allowed");
}

void SimWorld::check_drift() {
  // Faults of our own sight and memory; any other may really change something.
  constexpr Fault::Kind kSight[] = {Fault::Kind::crash,    Fault::Kind::stale,     Fault::Kind::partial,
                                    Fault::Kind::hidden,   Fault::Kind::blind,     Fault::Kind::lost_request,
                                    Fault::Kind::io_error, Fault::Kind::ambiguous, Fault::Kind::conflict,
                                    Fault::Kind::pause,    Fault::Kind::disk_full, Fault::Kind::compact,
                                    Fault::Kind::outage,   Fault::Kind::throttle,  Fault::Kind::lag,
                                    Fault::Kind::clock,    Fault::Kind::async,     Fault::Kind::foreign};
  const auto sees = [&](const Fault& fault) {
    return std::find(std::begin(kSight), std::end(kSight), fault.kind) != std::end(kSight);
  };
  if (facts_.drifted.empty() || !std::all_of(schedule_.faults.begin(), schedule_.faults.end(), sees)) return;
  const auto& [key, what] = *facts_.drifted.begin();
  broken("no-false-drift", to_string(key) + " was said to have drifted, and nobody changed anything: " + what);
}

void SimWorld::check_documents() {
  Plane* plane = reachable();
  if (!plane) return;
  for (auto& [id, guest] : guests_) {
    auto told = plane->hub().document(guest.name, "", Millis{0});
    if (!told || !*told) continue;
    const guest::Document& document = **told;
    if (document.restore) broken("restored-once", guest.name + " is still told to restore");
    for (const auto& [key, resource] : facts_.stored) {
      if (key.kind != "User" || resource.deleting() || document.engine == Engine::postgresql) continue;
      const UserSpec user = user_spec(resource.spec, key.name);
      auto instance = facts_.stored.find({key.project, "DatabaseInstance", user.instance});
      if (instance == facts_.stored.end() || instance->second.metadata.uid != guest.token.uid) continue;
      const std::string name = user.generate_length > 0 ? key.name + "-password" : user.secret_name;
      auto secret = facts_.stored.find({key.project, "Secret", name});
      if (secret == facts_.stored.end()) continue;
      const std::string entry = user.generate_length > 0 || user.secret_key.empty() ? "password" : user.secret_key;
      auto password = simulation_sealer().unseal(secret->second.spec["data"][entry].text(),
                                                 secret_place(secret->second, entry));
      const auto conditions = conditions_of(facts_.status_of(instance->second));
      const Condition* synced = find_condition(conditions, "Synced");
      if (!password || !synced || synced->status != "True") continue;
      const std::string expected = document.engine == Engine::redis ? guest::redis_verifier(password->reveal())
                                                                    : guest::mariadb_verifier(password->reveal());
      for (const guest::User& one : document.users)
        if (one.name == user.name && one.verifier != expected)
          broken("password", to_string(key) + " has another password than its guest was told");
    }
  }
}

void SimWorld::finish(RunResult& result) {
  if (!violation_)
    if (auto found = first_broken(final_invariants(), facts_)) broken(found->invariant, found->what);
  if (!violation_)
    for (const std::string& secret : facts_.secrets)
      if (trace_.text().find(secret) != std::string::npos) broken("no-secret", "a secret is in the trace");
  result.violation = violation_;
  result.hash = trace_.hash();
  result.trace = trace_.text();
  const bool as_clean = !violation_ && options_.clean && facts_.lost_volumes.empty();
  result.state = as_clean ? options_.clean->state : normal_state(facts_);
  result.extent = injector_.counted();
  result.extent.length = std::max(changed_at_, disturbed_) - kStart + kObservePeriod;
  result.calls = static_cast<int64_t>(cloud_.calls());
  result.rest = std::max(Millis{0}, changed_at_ - disturbed_);
  result.interruption = interruption_;
  result.strikes = strikes_;
  result.length = changed_at_ - kStart;
  result.refusal = refusal_;
  result.secrets = facts_.secrets;
  for (const auto& [key, resource] : facts_.stored) {
    const auto conditions = conditions_of(facts_.status_of(resource));
    const Condition* ready = find_condition(conditions, "Ready");
    if (ready && ready->status == "True") continue;
    result.not_ready.push_back(to_string(key) + ": " + (ready ? ready->reason + " " + ready->message : "no status"));
  }
}

RunResult SimWorld::run() {
  plan_faults();
  for (size_t i = 0; i < planes_.size(); ++i) boot(i);
  Millis last = kStart;
  if (!scenario_.deeds.empty()) last += scenario_.deeds.back().at;
  for (Millis when = kStart + kRowsEvery; when < last + kLastRows; when += kRowsEvery)
    at(when, [this] { write_rows(); });
  pass_time(last + kLastRows, nullptr);
  rest();
  RunResult result;
  finish(result);
  return result;
}

Baseline learn(const Scenario& scenario, uint64_t seed) {
  const Schedule none{scenario.name, seed, {}};
  const RunResult run = SimWorld(scenario, none, {}).run();
  return {run.state, run.extent, run.calls, run.rest};
}

}  // namespace trove::simulate
