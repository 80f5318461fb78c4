#include "reconciler/gitops/gitops.hpp"

#include <algorithm>

#include "reconciler/secrets.hpp"
#include "specs/core/log.hpp"

namespace trove::gitops {
namespace {

constexpr Millis kWatchWait{30'000};
constexpr Millis kIdle{60'000};

const Condition* ready_of(const std::vector<Condition>& conditions) { return find_condition(conditions, "Ready"); }

}  // namespace

Gitops::Gitops(GitopsOptions options) : options_(std::move(options)) {
  setting_ = {options_.program, options_.data, options_.limits};
}

Gitops::~Gitops() { stop(); }

Result<void> Gitops::load() {
  if (auto made = Repository::prepare_home(setting_, options_.allowed); !made) return made;
  revision_ = options_.objects.store().revision();
  auto all = options_.objects.list("", "GitSource", 0);
  if (!all) return tl::unexpected(all.error());
  for (const Resource& resource : all->items) reload(resource.key());
  return {};
}

Result<void> Gitops::start() {
  auto watch = options_.objects.store().watch("/spec/", prefix_end("/spec/"), revision_);
  if (!watch) return tl::unexpected(watch.error());
  watch_ = std::move(*watch);
  thread_ = std::thread([this] { run(); });
  pump_thread_ = std::thread([this] { pump(); });
  return {};
}

void Gitops::stop() {
  cancel_.cancel();
  if (watch_) watch_->cancel();
  wake();
  if (thread_.joinable()) thread_.join();
  if (pump_thread_.joinable()) pump_thread_.join();
}

void Gitops::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  woken_cv_.notify_all();
}

void Gitops::run() {
  pthread_setname_np(pthread_self(), "git");
  while (!cancel_.cancelled()) {
    const Millis wait = step();
    std::unique_lock lock(mutex_);
    woken_cv_.wait_for(lock, wait, [this] { return woken_ || cancel_.cancelled(); });
    woken_ = false;
  }
}

void Gitops::pump() {
  pthread_setname_np(pthread_self(), "git-watch");
  while (!cancel_.cancelled()) {
    WatchBatch batch = watch_->next(kWatchWait);
    if (cancel_.cancelled()) return;
    if (batch.compacted) {
      // The kept history ran out: everything is looked at again, and the watch goes on from there.
      const Revision revision = options_.objects.store().revision();
      auto watch = options_.objects.store().watch("/spec/", prefix_end("/spec/"), revision);
      if (!watch) {
        log::error("the store cannot be watched", {{"why", watch.error().message}});
        return;
      }
      watch_ = std::move(*watch);
      {
        std::lock_guard lock(mutex_);
        reload_all_ = true;
      }
      wake();
      continue;
    }
    for (const StoreEvent& event : batch.events)
      if (auto key = Objects::key_of(event.key); key && (key->kind == "GitSource" || key->kind == "Secret"))
        changed(*key);
  }
}

void Gitops::changed(const Key& key) {
  {
    std::lock_guard lock(mutex_);
    changed_.insert(key);
  }
  wake();
}

// A new or changed object is due at once, and read as a whole.
void Gitops::reload(const Key& key) {
  auto stored = options_.objects.get(key);
  if (!stored) {
    log::error("a GitSource cannot be read", {{"key", to_string(key)}, {"why", stored.error().message}});
    return;
  }
  auto known = sources_.find(key);
  if (!*stored || (*stored)->deleting() ||
      (known != sources_.end() && known->second.resource.metadata.uid != (*stored)->metadata.uid)) {
    if (known != sources_.end()) {
      known->second.follower->forget();
      sources_.erase(known);
      std::lock_guard lock(mutex_);
      public_.erase(key);
    }
    if (!*stored || (*stored)->deleting()) return;
    known = sources_.end();
  }
  const bool fresh = known == sources_.end();
  Tracked& tracked = sources_[key];
  const bool respecified = fresh || tracked.resource.metadata.generation != (*stored)->metadata.generation;
  tracked.resource = std::move(**stored);
  if (!respecified) return;
  tracked.spec = git_source_spec(tracked.resource.spec);
  tracked.full = true;
  tracked.failures = 0;
  tracked.due = options_.clock.monotonic();
  if (!fresh) return;
  tracked.follower = std::make_unique<Follower>(
      key,
      std::make_unique<Repository>(setting_, options_.allowed, options_.process_clock, cancel_,
                                   tracked.resource.metadata.uid),
      options_.apply, options_.members, options_.plans, options_.clock);
  tracked.follower->remember(facts_from(tracked.resource.status));
  std::lock_guard lock(mutex_);
  public_[key] = {};
}

void Gitops::take_in() {
  std::set<Key> changed;
  std::map<Key, Asked> asked;
  std::set<Key> hooked;
  bool all = false;
  {
    std::lock_guard lock(mutex_);
    std::swap(changed, changed_);
    std::swap(asked, asked_);
    std::swap(hooked, hooked_);
    std::swap(all, reload_all_);
  }
  if (all) {
    if (auto stored = options_.objects.list("", "GitSource", 0)) {
      for (const auto& [key, tracked] : sources_) changed.insert(key);
      for (const Resource& resource : stored->items) changed.insert(resource.key());
    }
  }
  for (const Key& key : changed)
    if (key.kind == "GitSource") reload(key);
  const Millis now = options_.clock.monotonic();
  for (auto& [key, tracked] : sources_) {
    const std::string& project = key.project;  // clang 14 captures no bindings
    const auto uses = [&](const std::string& secret) {
      return !secret.empty() && changed.contains({project, "Secret", secret});
    };
    if (uses(tracked.spec.secret) || uses(tracked.spec.keys_secret)) {
      tracked.failures = 0;
      tracked.due = now;
    }
    if (auto sync = asked.find(key); sync != asked.end()) {
      tracked.asked.confirm.merge(sync->second.confirm);
      if (!sync->second.approve.empty()) {
        tracked.asked.approve = sync->second.approve;
        tracked.asked.by = sync->second.by;
      }
      tracked.due = now;
    }
    if (hooked.contains(key)) {
      Time last;
      {
        std::lock_guard lock(mutex_);
        last = public_[key].last_attempt;
      }
      const Millis gap = last.set() ? std::max(kHookGap - (options_.clock.wall() - last), Millis{0}) : Millis{0};
      tracked.due = std::min(tracked.due, now + std::min(gap, kHookGap));
    }
  }
}

Millis Gitops::step() {
  take_in();
  std::vector<std::pair<Millis, Key>> due;
  for (const auto& [key, tracked] : sources_)
    if (tracked.due <= options_.clock.monotonic()) due.emplace_back(tracked.due, key);
  std::sort(due.begin(), due.end());
  for (const auto& [at, key] : due) {
    if (cancel_.cancelled()) return kIdle;
    if (auto found = sources_.find(key); found != sources_.end()) attempt(key, found->second);
  }
  Millis wait = kIdle;
  const Millis now = options_.clock.monotonic();
  for (const auto& [key, tracked] : sources_) wait = std::min(wait, std::max(tracked.due - now, Millis{1}));
  return wait;
}

Result<std::map<std::string, Secret>> Gitops::secret(const std::string& project, const std::string& name) {
  std::map<std::string, Secret> out;
  if (name.empty()) return out;
  auto stored = options_.objects.get({project, "Secret", name});
  if (!stored) return tl::unexpected(stored.error());
  if (!*stored) return fail(Code::not_found, "secret/" + name + " does not exist");
  for (const Value::Member& member : (**stored).spec["data"].members()) {
    auto plain = options_.sealer.unseal(member.value.text(), secret_place(**stored, member.key));
    if (!plain) return fail(Code::invalid, "the value " + printable(member.key) + " of secret/" + name + " cannot be opened");
    out.emplace(member.key, std::move(*plain));
  }
  return out;
}

Result<PassOrder> Gitops::order_of(const Tracked& tracked) {
  PassOrder out;
  out.spec = tracked.spec;
  out.generation = tracked.resource.metadata.generation;
  out.confirm = tracked.asked.confirm;
  out.approve = tracked.asked.approve;
  out.by = tracked.asked.by;
  out.full = tracked.full;
  const std::string& project = tracked.resource.metadata.project;
  auto credentials = secret(project, tracked.spec.secret);
  if (!credentials) return tl::unexpected(credentials.error());
  const auto take = [&](const char* name) { return (*credentials)[name]; };
  out.credentials = {take("username"), take("password"), take("ssh-privatekey"), take("known_hosts")};
  auto keys = secret(project, tracked.spec.keys_secret);
  if (!keys) return tl::unexpected(keys.error());
  out.keys = std::move(*keys);
  return out;
}

Millis Gitops::jittered(Millis wait) {
  // Within a tenth, so that many sources of one server do not come together.
  return wait - wait / 20 + Millis{static_cast<int64_t>(options_.rng.next() % static_cast<uint64_t>(wait.count() / 10 + 1))};
}

void Gitops::attempt(const Key& key, Tracked& tracked) {
  const Time started = options_.clock.wall();
  if (tracked.spec.suspend) {
    Tidings tidings;
    if (const Asked& asked = tracked.asked; !asked.approve.empty())
      tidings.approved = Approved{asked.approve, false, "nothing is applied while spec.suspend is true"};
    tracked.due = options_.clock.monotonic() + tracked.spec.interval;
    store_status(tracked, {started, {}, {}}, tidings);
    if (tidings.approved) looked(key, tracked, tidings, started, tracked.spec.interval);
    tracked.asked = {};
    return;
  }
  {
    std::lock_guard lock(mutex_);
    public_[key].running = true;
  }
  Tidings tidings;
  auto order = order_of(tracked);
  Follower& follower = *tracked.follower;
  if (order) {
    tidings = follower.pass(*order);
  } else {
    SourceFacts facts = follower.facts();
    facts.trouble = GitTrouble{"SecretMissing", "REF_NOT_FOUND", "User", order.error().message, true};
    follower.remember(std::move(facts));
    if (!tracked.asked.approve.empty())
      tidings.approved = Approved{tracked.asked.approve, false, order.error().message};
  }
  if (cancel_.cancelled()) return;  // called off is no trouble of the repository's
  const auto& trouble = follower.facts().trouble;
  Attempted attempted{options_.clock.wall(), {}, {}};
  Millis wait = jittered(tracked.spec.interval);
  if (trouble || !follower.facts().broken.empty()) {
    if (!tracked.failing_since.set())
      tracked.failing_since =
          parse_time(tracked.resource.status["lastError"]["since"].text()).value_or(attempted.now);
    attempted.since = tracked.failing_since;
  } else {
    tracked.failing_since = {};
  }
  if (trouble) {
    const int shift = std::min(tracked.failures++, 10);
    // Not more often than a healthy one, and not never.
    const Millis slowest = std::max(tracked.spec.interval, kLongestRetry);
    wait = jittered(std::min(std::max(kFirstRetry, std::min(tracked.spec.interval, Millis{30'000})) * (1 << shift), slowest));
    attempted.next_retry = attempted.now + wait;
    log::warning("a GitSource is in trouble",
                 {{"project", key.project}, {"name", key.name}, {"code", trouble->code}, {"why", trouble->message}});
  } else {
    tracked.failures = 0;
    tracked.full = false;
  }
  tracked.due = options_.clock.monotonic() + wait;
  store_status(tracked, attempted, tidings);
  looked(key, tracked, tidings, attempted.now, wait);
  tracked.asked = {};
  for (const Tidings::Event& event : tidings.events)
    log::info("news of a repository", {{"project", key.project}, {"name", key.name}, {"what", event.message}});
}

// What other threads see of a pass that is over.
void Gitops::looked(const Key& key, const Tracked& tracked, const Tidings& tidings, Time now, Millis wait) {
  std::lock_guard lock(mutex_);
  Public& seen = public_[key];
  seen.last_attempt = now;
  seen.next_attempt = now + wait;
  ++seen.attempts;
  seen.running = false;
  if (const auto& approved = tidings.approved)
    seen.approval = Value::map({{"plan", approved->plan},
                                {"by", tracked.asked.by},
                                {"result", approved->done ? "applied" : "refused"},
                                {"message", approved->message},
                                {"attempt", static_cast<int64_t>(seen.attempts)}});
}

void Gitops::store_status(Tracked& tracked, const Attempted& attempted, const Tidings& tidings) {
  const SourceFacts& facts = tracked.follower->facts();
  Value status = status_of(tracked.resource, tracked.spec, facts, attempted);
  Txn txn;
  const auto tell = [&](bool good, const char* action, std::string message) {
    options_.objects.stage_event(txn, {attempted.now, good ? "Normal" : "Warning", tracked.resource.key(), action,
                                       "git:" + tracked.resource.metadata.name, std::move(message)});
  };
  for (const Tidings::Event& event : tidings.events) tell(event.good, event.action, event.message);
  const auto old = conditions_of(tracked.resource.status), fresh = conditions_of(status);
  const Condition *was = ready_of(old), *is = ready_of(fresh);
  const auto bad = [](const std::string& reason) { return reason != "Progressing" && reason != "WaitingForApproval"; };
  const std::string before = was && was->status == "False" ? was->reason : "";
  if (is->status == "False" && bad(is->reason) && is->reason != before)
    tell(false, "git.sync", is->reason + ": " + is->message);
  else if (is->status == "True" && !before.empty() && bad(before))
    tell(true, "git.sync", "recovered: " + is->message);
  if (status == tracked.resource.status && txn.ops.empty()) return;
  Resource next = tracked.resource;
  next.status = std::move(status);
  options_.objects.stage_status(txn, next);
  auto written = options_.objects.commit(txn);
  if (written) {
    tracked.resource.status = std::move(next.status);
  } else if (written.error().code != Code::conflict) {  // a conflict: it is gone, and the watch will say so
    log::error("a GitSource's status could not be written",
               {{"name", tracked.resource.metadata.name}, {"why", written.error().message}});
  }
}

Attempt<Value> Gitops::state(const Key& key) {
  std::lock_guard lock(mutex_);
  auto found = public_.find(key);
  if (found == public_.end()) return refuse(404, "NOT_FOUND", to_string(key) + " not found");
  Value out = Value::map({{"attempts", static_cast<int64_t>(found->second.attempts)}, {"running", found->second.running}});
  if (found->second.last_attempt.set()) out.set("lastAttempt", format_time(found->second.last_attempt));
  if (found->second.next_attempt.set()) out.set("nextAttempt", format_time(found->second.next_attempt));
  if (found->second.approval.is_map()) out.set("approval", found->second.approval);
  return out;
}

Attempt<Value> Gitops::sync(const Key& key, const SyncOrder& order) {
  if (order.confirm.size() > kMostConfirmed)
    return refuse(400, "CONFIG_INVALID", "more than " + std::to_string(kMostConfirmed) + " confirmations at once");
  auto before = state(key);
  if (!before) return before;
  {
    std::lock_guard lock(mutex_);
    Asked& asked = asked_[key];
    asked.confirm.insert(order.confirm.begin(), order.confirm.end());
    if (!order.approve.empty()) {
      asked.approve = order.approve;
      asked.by = order.by;
    }
  }
  wake();
  return before;
}

}  // namespace trove::gitops
