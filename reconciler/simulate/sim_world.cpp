#include "reconciler/simulate/sim_world.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "specs/json.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::simulate {
namespace {

constexpr Millis kBootTime{300};
constexpr Millis kPersonRetry{1'000};
constexpr Millis kRowsEvery{3'000};
constexpr int kMostStill = 10'000;   // turns in which no time passes
constexpr Millis kLastRows{20'000};  // after the last deed

// One key for all worlds of a program. It protects nothing: what is sealed with it ends with the run.
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

}  // namespace

class SimWorld::Watched final : public Cloud {
 public:
  explicit Watched(SimWorld& world) : world_(world) {}
  Inventory observe(const std::vector<Sought>& sought) override { return world_.cloud_.observe(sought); }
  Result<Outcome> perform(const CloudAction& action) override {
    auto outcome = world_.cloud_.perform(action);
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
      fault_rng_(schedule.seed ^ 0xFA017),
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
  injector_.keep_sites = options.keep_sites;
  for (const Flavor& flavor : scenario.flavors) cloud_.options().flavors.push_back(flavor);
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
  wakes_.resize(planes_.size(), Millis{0});
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
                             [this](const Txn& txn, Revision revision) {
                               witness_.committed(txn, revision);
                               changed();
                             },
                             [this](Millis in, const CloudAction& action) {
                               at(clock_.monotonic() + in, [this, action] {
                                 disturbed_ = clock_.monotonic();
                                 auto outcome = watched_->perform(action);
                                 injector_.say("cloud", "late: " + std::string(action_name(action)) + " " +
                                                            describe(action) +
                                                            (outcome ? ": done" : ": " + outcome.error().message));
                               });
                             },
                             [this](const Inventory& seen) { witness_.shown(seen); },
                             schedule_.has(Fault::Kind::stale) ? &snapshots_ : nullptr};
  injector_.say(name, "starts");
  try {
    planes_[i] = std::make_unique<Plane>(name, around);
    wakes_[i] = clock_.monotonic();
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
  for (auto& plane : planes_) {
    if (!plane || plane->inside()) continue;
    if (plane->loop().leading()) return plane.get();
    if (!any) any = plane.get();
  }
  return any;
}

// ---- Time -----------------------------------------------------------------------------------------------------------

void SimWorld::pass_time(Millis until, const Plane* except) {
  int still = 0;
  while (clock_.monotonic() < until && !violation_) {
    const Millis wait = turn(except);
    if (wait > Millis{0}) {
      clock_.advance(std::min(wait, until - clock_.monotonic()));
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

// ---- Guests ---------------------------------------------------------------------------------------------------------

Millis SimWorld::turn_guests() {
  const Millis now = clock_.monotonic();
  for (auto guest = guests_.begin(); guest != guests_.end();)
    guest = cloud_.find_server(guest->first) ? std::next(guest) : guests_.erase(guest);
  for (const auto& [id, server] : cloud_.servers()) {
    if (server.status != Server::Status::active || facts_.foreign.contains(id) || guests_.contains(id)) continue;
    Guest guest{SimGuest(id),
                server.token,
                to_string(server.token),
                guest_bearer(simulation_sealer(), server.token).reveal(),
                true,
                true,
                {},
                {},
                {},
                {},
                false};
    guest.agent.options.project = scenario_.project;
    guests_.emplace(id, std::move(guest));
  }
  const bool cut_off = injector_.lasting(Fault::Kind::silence) != nullptr;
  Plane* plane = reachable();
  Millis wait = kObservePeriod;
  for (auto& [id, guest] : guests_) {
    const bool heard = plane && !cut_off;
    const auto known = [&] { return plane->hub().authenticate(guest.bearer).has_value(); };
    if (guest.heard != heard) {
      guest.agent.silence(!heard);
      guest.heard = heard;
      guest.news = true;
    }
    if (heard) {
      auto document = plane->hub().document(guest.name, guest.agent.document_digest(), Millis{0});
      if (document && *document && known()) {
        guest.agent.take(**document);
        guest.news = true;
      }
    }
    auto due = guest.agent.next_change(clock_);
    if (guest.news || (due && *due <= Millis{0})) {
      guest.news = false;
      auto report = guest.agent.step(cloud_, clock_, cloud_rng_);
      due = guest.agent.next_change(clock_);
      witness_.looked();
      const bool up = guest.agent.running();
      if (up && guest.down_since) {
        interruption_ = std::max(interruption_, now - *guest.down_since);
        guest.down_since.reset();
      }
      if (!up && guest.was_up && !guest.down_since) guest.down_since = now;
      guest.was_up = guest.was_up || up;
      if (report && heard && known()) {
        injector_.say("guest", server_line(guest.name, *report));
        (void)plane->hub().report(guest.name, std::move(*report));
        wait = Millis{0};
      }
    }
    if (due) wait = std::min(wait, *due);
    if (!guest.clone) continue;
    if (now >= guest.clone_until) {
      guest.clone.reset();
    } else if (now >= guest.clone_speaks) {
      guest.clone_speaks = now + Millis{4'000};
      if (heard) (void)plane->hub().report(guest.name, guest.clone->report());
      wait = Millis{0};
    } else {
      wait = std::min(wait, guest.clone_speaks - now);
    }
  }
  return wait;
}

std::string SimWorld::server_line(const std::string& server, const guest::Report& report) {
  std::string line = server + " " + report.engine_state + " " + report.document_digest.substr(0, 8);
  for (const guest::BackupState& backup : report.backups) line += " backup " + backup.state;
  if (!report.restore_state.empty()) line += " " + report.restore_state;
  return line;
}

void SimWorld::write_rows() {
  for (auto& [id, guest] : guests_) {
    if (!guest.agent.running()) continue;
    SimDisk* disk = cloud_.disk_of(id);
    const Server* server = cloud_.find_server(id);
    if (!disk || !server || server->volume_id.empty()) continue;
    for (auto& [database, rows] : disk->databases) {
      if (!guest.agent.write(cloud_, database, 1)) continue;
      witness_.wrote(guest.token.uid, server->volume_id, database, rows);
      guest.news = true;
    }
  }
}

// ---- People ---------------------------------------------------------------------------------------------------------

Millis SimWorld::turn_person() {
  if (deed_ >= scenario_.deeds.size()) return kObservePeriod;
  const Deed& deed = scenario_.deeds[deed_];
  const Millis now = clock_.monotonic();
  const Millis due = std::max(next_try_, Millis{1'000'000} + deed.at);
  if (now < due) return due - now;
  if (asking_) return kObservePeriod;  // the answer hangs with a control plane that is paused
  Plane* plane = reachable();
  next_try_ = now + kPersonRetry;
  if (!plane) return kPersonRetry;
  const std::string base = "/apis/trove/v1alpha1/projects/" + scenario_.project;
  http::Response answer;
  asking_ = true;
  try {
    answer =
        deed.body.empty()
            ? plane->ask("DELETE",
                         base + "/" + std::string(find_kind(deed.remove.kind)->plural) + "/" + deed.remove.name, "", "")
            : plane->ask("POST", base + "/apply", deed.body, "application/json");
  } catch (const Crash&) {
    for (size_t i = 0; i < planes_.size(); ++i)
      if (planes_[i].get() == plane) down(i);
    asking_ = false;
    return kPersonRetry;
  }
  asking_ = false;
  const bool gone = deed.body.empty() && answer.status == 404;
  const bool accepted = (answer.status >= 200 && answer.status < 300) || gone;
  const bool refused = answer.status >= 400 && answer.status < 500 && answer.status != 409 && answer.status != 429;
  injector_.say("person", "deed " + std::to_string(deed_ + 1) + ": " + std::to_string(answer.status) +
                              (accepted ? "" : " " + answer.body.substr(0, 300)));
  if (!accepted) refusal_ = answer.body;
  if (deed.refused && refused && answer.body.find("\"path\":\"" + deed.field) == std::string::npos)
    broken("clear-refusal", "the answer does not name " + deed.field + ": " + answer.body.substr(0, 300));
  if (deed.refused ? refused : accepted) {
    ++deed_;
    next_try_ = Millis{0};
    disturbed_ = now;
    return Millis{0};
  }
  if (deed.refused && accepted) broken("refused", "the API accepted what it has to refuse");
  return kPersonRetry;
}

// ---- The run --------------------------------------------------------------------------------------------------------

bool SimWorld::at_rest() {
  if (deed_ < scenario_.deeds.size() || !timeline_.empty()) return false;
  return clock_.monotonic() - std::max(changed_at_, disturbed_) >= kObservePeriod * kQuietPasses;
}

void SimWorld::rest() {
  const Millis begin = clock_.monotonic();
  while (!violation_) {
    pass_time(clock_.monotonic() + kObservePeriod, nullptr);
    if (violation_) return;
    if (at_rest()) {
      // Lost data stay lost: there the state cannot be the same, but it has to be in order.
      const bool comparable = options_.clean && facts_.lost_volumes.empty();
      if (comparable ? normal_state(facts_) == options_.clean->state : !first_broken(final_invariants(), facts_))
        return check_costs();
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

// Two full looks at the cloud, what a run without faults needs as well, and what the faults may cost.
void SimWorld::check_costs() {
  if (!options_.clean) return;
  const Millis took = changed_at_ - disturbed_;
  const Millis most = kObservePeriod * 2 + options_.clean->rest + allowed_rest(schedule_);
  if (took > most)
    broken("soon", "it took " + std::to_string(took.count()) + " ms to come to rest, and " +
                       std::to_string(most.count()) + " is allowed");
  const int64_t calls = static_cast<int64_t>(cloud_.calls());
  const int64_t most_calls = options_.clean->calls + allowed_calls(schedule_);
  if (calls > most_calls)
    broken("thrifty", std::to_string(calls) + " calls, and " + std::to_string(most_calls) + " are allowed");
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
  result.extent.length = std::max(changed_at_, disturbed_) - Millis{1'000'000} + kObservePeriod;
  result.calls = static_cast<int64_t>(cloud_.calls());
  result.rest = std::max(Millis{0}, changed_at_ - disturbed_);
  result.interruption = interruption_;
  result.strikes = strikes_;
  result.length = changed_at_ - Millis{1'000'000};
  result.refusal = refusal_;
  result.secrets = facts_.secrets;
  for (const auto& [key, resource] : facts_.stored) {
    const auto conditions = conditions_of(facts_.status_of(resource));
    const Condition* ready = find_condition(conditions, "Ready");
    if (ready && ready->status == "True") continue;
    result.not_ready.push_back(to_string(key) + ": " + (ready ? ready->reason + " " + ready->message : "no status"));
  }
  result.sites = std::move(injector_.sites);
}

RunResult SimWorld::run() {
  plan_faults();
  for (size_t i = 0; i < planes_.size(); ++i) boot(i);
  Millis last = Millis{1'000'000};
  if (!scenario_.deeds.empty()) last += scenario_.deeds.back().at;
  for (Millis when = Millis{1'000'000} + kRowsEvery; when < last + kLastRows; when += kRowsEvery)
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
