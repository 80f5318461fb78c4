#include "reconciler/loop/loop.hpp"

#include <algorithm>

#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr Millis kFirstRetry{1'000};
constexpr Millis kLongestRetry{300'000};
constexpr Millis kTerminalRetry{60'000};  // for what only a person can change: looked at again, but seldom
constexpr Millis kSweepPeriod{600'000};
constexpr Millis kStaleRetry{50};
constexpr Millis kSaveAgain{5'000};  // a status that the store refused

// Something of ours that the cloud is working on: the next look is worth taking soon.
bool on_its_way(const Inventory& cloud) {
  for (const Server& server : cloud.servers) {
    if (server.token.uid.empty()) continue;
    switch (server.status) {
      case Server::Status::build:
      case Server::Status::reboot:
      case Server::Status::resize:
      case Server::Status::verify_resize:
      case Server::Status::deleting:
        return true;
      default:
        break;
    }
  }
  for (const CloudVolume& volume : cloud.volumes) {
    if (volume.token.uid.empty()) continue;
    switch (volume.status) {
      case CloudVolume::Status::creating:
      case CloudVolume::Status::reserved:
      case CloudVolume::Status::attaching:
      case CloudVolume::Status::detaching:
      case CloudVolume::Status::extending:
      case CloudVolume::Status::deleting:
        return true;
      default:
        break;
    }
  }
  return false;
}

// What a later plan, which knows only what is stored, has to know of: that a volume was never of use, or is now; and
// which one it was, before its object is forgotten.
bool stored_first(const Action& action) {
  if (std::holds_alternative<RemoveObject>(action.effect)) return true;
  const auto* cloud = std::get_if<CloudAction>(&action.effect);
  return cloud && (std::holds_alternative<CreateVolume>(*cloud) || std::holds_alternative<CreateServer>(*cloud) ||
                   std::holds_alternative<AttachVolume>(*cloud));
}

size_t hash_text(const std::string& text) { return std::hash<std::string>{}(text); }

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

Result<Revision> Loop::load() {
  std::lock_guard world_lock(world_mutex_);
  led_ = leader_.tick() ? leader_.epoch() : 0;
  return read_all();
}

Result<Revision> Loop::read_all() {
  world_ = World();
  set_time();
  world_.started = world_.steady;
  key_of_uid_.clear();
  owner_digests_.clear();
  {
    // A status that could not be written is forgotten with the rest: it is made anew from what is read now.
    std::lock_guard lock(inbox_mutex_);
    unsaved_.clear();
  }
  if (auto memory = load_memory(); !memory) return tl::unexpected(memory.error());
  // Specs first; a status that is newer than its spec does no harm, the other way round would miss one.
  std::map<Key, Resource> resources;
  Revision revision = 0;
  std::string first = "/spec/";
  while (true) {
    auto page = objects_.store().range(first, prefix_end("/spec/"), 1000);
    if (!page) return tl::unexpected(page.error());
    if (revision == 0) revision = page->revision;  // the watch repeats what changes while we read
    for (KeyValue& item : page->items) {
      first = item.key + std::string(1, '\0');
      Result<Resource> resource = Objects::parse_spec(item.value, item.modified);
      if (!resource) {
        log::error("a stored object cannot be read", {{"key", item.key}, {"why", resource.error().message}});
        continue;
      }
      Key key = resource->key();
      resources.emplace(std::move(key), std::move(*resource));
    }
    if (!page->more) break;
  }
  first = "/status/";
  while (true) {
    auto page = objects_.store().range(first, prefix_end("/status/"), 1000);
    if (!page) return tl::unexpected(page.error());
    for (KeyValue& item : page->items) {
      first = item.key + std::string(1, '\0');
      std::optional<Key> key = Objects::key_of(item.key);
      if (!key) continue;
      auto resource = resources.find(*key);
      if (resource == resources.end()) continue;
      Value status = Objects::parse_status(item.value, resource->second.metadata.uid);
      if (status.is_map()) resource->second.status = std::move(status);
    }
    if (!page->more) break;
  }
  for (auto& [key, resource] : resources) {
    key_of_uid_[resource.metadata.uid] = key;
    world_.put(make_object(std::move(resource)));
  }
  for (const auto& [key, object] : world_.objects()) {
    verifiers_.refresh(world_, key);
    queue_.add(key, Priority::resync, Millis{0});
  }
  revision_ = std::max(revision_, revision);
  return revision;
}

Result<void> Loop::load_memory() {
  Ledger ledger;
  auto gone = std::make_shared<std::map<std::string, Gone>>();
  auto each = [&](const std::string& prefix, auto take) -> Result<void> {
    std::string first = prefix;
    while (true) {
      auto page = objects_.store().range(first, prefix_end(prefix), 1000);
      if (!page) return tl::unexpected(page.error());
      for (const KeyValue& item : page->items) {
        first = item.key + std::string(1, '\0');
        Result<Value> value = parse_json(item.value);
        if (!value) {
          log::error("a stored record cannot be read", {{"key", item.key}, {"why", value.error().message}});
          continue;
        }
        take(item.key.substr(prefix.size()), *value);
      }
      if (!page->more) return {};
    }
  };
  const Millis now = clock_.monotonic();
  auto intents = each("/ledger/", [&](const std::string& path, const Value& value) {
    // <uid>/<role>/<incarnation>
    const size_t last = path.rfind('/'), first = path.find('/');
    if (first == last) return;
    const Token token{path.substr(0, first), path.substr(first + 1, last - first - 1),
                      std::atoi(path.c_str() + last + 1)};
    ledger.sent(token, now);
    ledger.answered(token, 0);
    if (const std::string& id = value["id"].text(); !id.empty()) ledger.created(token, id, now);
  });
  if (!intents) return intents;
  auto owners = each("/gone/", [&](const std::string& uid, const Value& value) {
    (*gone)[uid] = {{value["project"].text(), value["kind"].text(), value["name"].text()},
                    value["policy"].text() == "Delete"};
  });
  if (!owners) return owners;
  world_.ledger = std::make_shared<Ledger>(std::move(ledger));
  world_.gone = std::move(gone);
  return {};
}

Result<Revision> Loop::commit(Txn txn) {
  leader_.fence(txn);
  Result<Revision> done = objects_.commit(txn);
  if (!done && done.error().code == Code::conflict) leader_.suspect();
  return done;
}

void Loop::commit_ledger(Txn txn, std::vector<Token> tokens) {
  leader_.fence(txn);
  objects_.store().commit_async(std::move(txn), [this, tokens = std::move(tokens)](Result<Revision> done) {
    if (done) return;
    if (done.error().code == Code::conflict) leader_.suspect();  // should we lead again, it is said again
    std::lock_guard lock(inbox_mutex_);
    unrecorded_.insert(tokens.begin(), tokens.end());
  });
}

// Whatever the refused commit meant to say: the row is made what is known now.
void Loop::record_again(const Token& token) {
  Txn txn;
  auto intent = world_.ledger->intents().find(token);
  if (intent == world_.ledger->intents().end())
    txn.ops.push_back({Op::Kind::remove, ledger_key(token), "", 0});
  else if (!intent->second.id.empty())
    txn.ops.push_back(ledger_op(token, "CREATED", intent->second.id, "", world_.now));
  if (!txn.ops.empty()) commit_ledger(std::move(txn), {token});
}

void Loop::commit_later(Txn txn) {
  leader_.fence(txn);
  objects_.store().commit_async(std::move(txn), [this](Result<Revision> done) {
    if (!done && done.error().code == Code::conflict) leader_.suspect();
  });
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
void Loop::wake() {
  {
    std::lock_guard lock(inbox_mutex_);
    woken_ = true;
  }
  inbox_wake_.notify_one();
}
void Loop::wait(Millis most) {
  std::unique_lock lock(inbox_mutex_);
  inbox_wake_.wait_for(lock, most, [this] { return woken_ || look_now_ || !inbox_.empty() || !reports_.empty(); });
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
  bool look = false;
  {
    std::lock_guard lock(inbox_mutex_);
    inputs.swap(inbox_);
    reports.swap(reports_);
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
    if (!inbox_.empty() || !reports_.empty()) wait = Millis{0};
  }
  return std::max(wait, Millis{0});
}

void Loop::touch(const Key& key, Priority priority) {
  for (const Key& affected : world_.affected_by(key)) {
    if (affected.kind == "User" || affected.kind == "DatabaseInstance") verifiers_.refresh(world_, affected);
    if (world_.find(affected))
      queue_.add(affected, affected == key ? priority : std::max(priority, Priority::event), Millis{0});
  }
}

void Loop::deliver_all(std::vector<StoreEvent> events, Revision revision) {
  WatchBatch batch;
  batch.events = std::move(events);
  batch.revision = revision;
  batch.compacted = true;
  post(std::move(batch));
}

void Loop::take(WatchBatch batch) {
  if (batch.compacted) {
    // Everything there is, in place of changes that are no longer kept: what it does not name is gone.
    log::warning("the store's history was compacted below the loop; everything was read again");
    std::set<std::string> there;
    for (const StoreEvent& event : batch.events) there.insert(event.key);
    for (const auto& [key, object] : world_.objects()) {
      queue_.add(key, Priority::resync, Millis{0});
      if (object->meta().resource_version <= batch.revision && !there.contains(Objects::spec_key(key)))
        batch.events.push_back({batch.revision, Objects::spec_key(key), "", true, 0});
    }
  }
  for (StoreEvent& event : batch.events) {
    std::optional<Key> key = Objects::key_of(event.key);
    if (!key || !event.key.starts_with("/spec/")) continue;
    if (event.deleted) {
      const Object* gone = world_.find(*key);
      // The load may have been newer than this event.
      if (!gone || gone->meta().resource_version > event.revision) continue;
      const std::vector<Key> affected = world_.affected_by(*key);
      if (key->kind == "DatabaseInstance" || key->kind == "Volume" || key->kind == "Backup") {
        auto owners = std::make_shared<std::map<std::string, Gone>>(*world_.gone);
        const bool unused = key->kind == "Volume" && !may_hold_data(gone->resource);
        (*owners)[gone->meta().uid] = {*key, unused || common_of(gone->spec).deletion == Common::Deletion::remove};
        world_.gone = std::move(owners);
        world_.edit_ledger().forget(gone->meta().uid);
      }
      key_of_uid_.erase(gone->meta().uid);
      owner_digests_.erase(gone->meta().uid);
      world_.remove(*key);
      world_.failures.erase(*key);
      verifiers_.refresh(world_, *key);
      queue_.forget(*key);
      if (auto state = states_.find(*key); state != states_.end() && !state->second.in_flight) states_.erase(state);
      for (const Key& k : affected) touch(k, Priority::event);
      continue;
    }
    Result<Resource> resource = Objects::parse_spec(event.value, event.revision);
    if (!resource) {
      log::error("a stored object cannot be read", {{"key", event.key}, {"why", resource.error().message}});
      continue;
    }
    const Object* old = world_.find(*key);
    if (old && old->meta().resource_version >= event.revision) continue;
    if (old && old->meta().uid == resource->metadata.uid) resource->status = old->resource.status;
    if (old) touch(*key, Priority::event);  // what it referred to before
    key_of_uid_[resource->metadata.uid] = *key;
    if (world_.gone->contains(resource->metadata.uid)) {  // made again, with its data
      auto gone = std::make_shared<std::map<std::string, Gone>>(*world_.gone);
      gone->erase(resource->metadata.uid);
      world_.gone = std::move(gone);
      Txn txn;
      txn.ops.push_back({Op::Kind::remove, "/gone/" + resource->metadata.uid, "", 0});
      commit_later(std::move(txn));
    }
    world_.failures.erase(*key);  // any change of the inputs earns a new try
    world_.put(make_object(std::move(*resource)));
    touch(*key, Priority::user);
  }
  revision_ = std::max(revision_, batch.revision);
}

void Loop::take(Look look) {
  Inventory inventory = std::move(look.inventory);
  looked_ = look.began;
  observing_ = false;
  if (observe_again_) {
    observe_again_ = false;
    observe();
  }
  // What changed since the last look, by owner: only those are planned again.
  std::map<std::string, size_t> digests;
  auto mix = [&](const std::string& uid, const std::string& text) {
    if (!uid.empty()) digests[uid] = digests[uid] * 1099511628211u + hash_text(text);
  };
  for (const Server& s : inventory.servers)
    mix(s.token.uid,
        s.id + "|" + std::to_string(static_cast<int>(s.status)) + "|" + s.flavor + "|" + s.volume_id + "|" + s.fault);
  for (const CloudVolume& v : inventory.volumes)
    mix(v.token.uid,
        v.id + "|" + std::to_string(static_cast<int>(v.status)) + "|" + std::to_string(v.size_gib) + "|" + v.server_id);
  for (const Port& p : inventory.ports) {
    std::string text = p.id + "|" + p.address + "|" + p.device_id;
    for (const std::string& cidr : p.allowed_cidrs) text += "," + cidr;
    mix(p.token.uid, text);
  }
  for (const StoredObject& o : inventory.objects) {
    const size_t slash = o.key.find('/');
    if (slash != std::string::npos) mix(o.key.substr(slash + 1), o.key);
  }
  // What turns up of an owner that is gone is collected, and needs no memory.
  Ledger::News news = world_.edit_ledger().observe(inventory, clock_.monotonic(),
                                                   [this](const std::string& uid) { return key_of_uid_.contains(uid); });
  Txn remember;
  for (const Token& token : news.adopted)
    remember.ops.push_back(ledger_op(token, "CREATED", world_.ledger->intents().at(token).id, "", world_.now));
  for (const Token& token : news.finished) remember.ops.push_back({Op::Kind::remove, ledger_key(token), "", 0});
  std::vector<Token> tokens = std::move(news.adopted);
  tokens.insert(tokens.end(), news.finished.begin(), news.finished.end());
  if (!remember.ops.empty()) commit_ledger(std::move(remember), std::move(tokens));
  const bool known_changed = inventory.servers_known != world_.inventory->servers_known ||
                             inventory.volumes_known != world_.inventory->volumes_known ||
                             inventory.ports_known != world_.inventory->ports_known ||
                             inventory.flavors.size() != world_.inventory->flavors.size() ||
                             inventory.trouble != world_.inventory->trouble;
  std::set<std::string> changed;
  for (const auto& [uid, digest] : digests)
    if (auto old = owner_digests_.find(uid); old == owner_digests_.end() || old->second != digest) changed.insert(uid);
  for (const auto& [uid, digest] : owner_digests_)
    if (!digests.contains(uid)) changed.insert(uid);
  owner_digests_ = std::move(digests);
  if (inventory.servers_known) {
    std::set<std::string> alive;
    for (const Server& server : inventory.servers) alive.insert(to_string(server.token));
    for (auto guest = world_.guests.begin(); guest != world_.guests.end();) {
      if (alive.contains(guest->first)) {
        ++guest;
        continue;
      }
      if (auto token = token_from(guest->first)) hub_.retire(*token);
      guest = world_.guests.erase(guest);
    }
  }
  world_.set_inventory(std::make_shared<Inventory>(std::move(inventory)));
  if (known_changed)
    for (const auto& [key, object] : world_.objects()) queue_.add(key, Priority::resync, Millis{0});
  changed.insert(news.uids.begin(), news.uids.end());
  // A thing that stays on its way for hours (a stuck delete) is not asked for each moment.
  look_again_ = changed.empty() ? look_again_ + look_again_ / 2 : options_.busy_period;
  look_again_ = std::clamp(look_again_, options_.busy_period, options_.observe_period);
  if (on_its_way(*world_.inventory)) next_observation_ = std::min(next_observation_, clock_.monotonic() + look_again_);
  for (const std::string& uid : changed)
    if (auto key = key_of_uid_.find(uid); key != key_of_uid_.end()) touch(key->second, Priority::event);
  for (auto& [key, state] : states_)
    if (state.needs_inventory != 0 && state.needs_inventory <= world_.inventory->sequence) {
      state.needs_inventory = 0;
      queue_.add(key, Priority::event, Millis{0});
    }
  if (auto look = world_.ledger->next_look(clock_.monotonic()))
    next_observation_ = std::min(next_observation_, std::max(*look, clock_.monotonic() + Millis{1}));
  collect_orphans();
}

// What was left behind by requests that arrived after their owner had gone.
void Loop::collect_orphans() {
  if (!leader_.sure()) return;
  for (Action& action : plan_orphans(world_)) {
    const Key key = action.object;
    if (states_[key].in_flight) continue;
    auto failure = world_.failures.find(key);
    if (failure != world_.failures.end() && world_.steady < failure->second.due) continue;
    if (Result<void> allowed = guard_.check(action, world_); !allowed) {
      ++refused_;
      note_failure(key, action, allowed.error());
      continue;
    }
    perform(key, {std::move(action)});
  }
}

// True when the report shows that two machines answer for one server. An agent that was restarted comes once under a
// new name; a late report of the old one may follow; but they do not take turns.
bool Loop::note_agent(GuestState& guest, const std::string& agent) {
  if (agent.empty() || agent == guest.agent) return false;
  const bool back = std::find(guest.former.begin(), guest.former.end(), agent) != guest.former.end();
  if (!back && !guest.agent.empty()) {
    guest.former.push_back(guest.agent);
    if (guest.former.size() > kMaxFormerAgents) guest.former.erase(guest.former.begin());
  }
  if (back) {
    std::replace(guest.former.begin(), guest.former.end(), agent, guest.agent);
    ++guest.returns;
  }
  guest.agent = agent;
  if (!back || guest.returns < 2) return false;
  guest.frozen = world_.steady;
  return true;
}

void Loop::take_report(const std::string& server, guest::Report report) {
  const std::optional<Token> token = token_from(server);
  if (!token) return;
  auto owner = key_of_uid_.find(token->uid);
  if (owner == key_of_uid_.end()) return;
  GuestState& guest = world_.guests[server];
  if (note_agent(guest, report.agent)) {
    log::error("two machines answer for one server", {{"server", server}});
    hub_.retire(*token);
    guest.document.reset();
    touch(owner->second, Priority::event);
    return;
  }
  if (guest.frozen.set() && world_.steady - guest.frozen < kCloneFreeze) return;
  guest.frozen = {};
  Txn txn;
  for (const std::string& repair : report.events)
    objects_.stage_event(txn, {world_.now, "Warning", owner->second, "guest.repair", "system", repair});
  if (!txn.ops.empty()) commit_later(std::move(txn));
  report.events.clear();
  const bool was_silent = !guest.report || world_.steady - guest.heard > Millis{60'000};
  const bool news = was_silent || !(*guest.report == report);
  guest.report = std::move(report);
  guest.heard = world_.steady;
  if (news) touch(owner->second, Priority::event);
}

void Loop::observe() {
  if (observing_) {
    observe_again_ = true;
    return;
  }
  observing_ = true;
  next_observation_ = clock_.monotonic() + options_.observe_period;
  const uint64_t sequence = ++observations_started_;
  executor_.post([this, sequence, began = clock_.monotonic(), sought = world_.ledger->sought()] {
    Inventory inventory = cloud_.observe(sought);
    inventory.sequence = sequence;
    post(Look{std::move(inventory), began});
  });
}

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
      GuestState& guest = world_.guests[to_string(put->server)];
      guest.document = put->document;
      guest.document_digest = hub_.put(put->server, put->document);
      ++actions_;
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
  if (actions.empty()) return;
  if (std::any_of(actions.begin(), actions.end(), stored_first) && !is_stored(key))
    hold(key);
  else
    perform(key, std::move(actions));
}

// Not before everything that its plan has read of statuses is stored.
void Loop::hold(const Key& key) {
  held_.insert(key);
  any_held_ = true;
}

bool Loop::is_stored(const Key& key) {
  const auto saved = [this](const Key& k) { return !saving_.contains(k) && !unsaved_.contains(k); };
  std::vector<Key> volumes;
  for (const Key& other : world_.affected_by(key))
    if (other.kind == "Volume") volumes.push_back(other);
  std::lock_guard lock(inbox_mutex_);
  return saved(key) && std::all_of(volumes.begin(), volumes.end(), saved);
}

void Loop::write_status(const Object& object, Value status) {
  const Value& before = object.resource.status;
  if (status == before) return;
  const std::vector<Condition> old = conditions_of(before);
  Value conditions = Value::list();
  Txn txn;
  for (Condition c : conditions_of(status)) {
    const Condition* was = find_condition(old, c.type);
    c.last_transition_time =
        was && was->status == c.status && was->last_transition_time.set() ? was->last_transition_time : world_.now;
    const bool flipped = was ? was->status != c.status : c.status == "True";
    if (flipped && (c.type == "Ready" || (c.type == "Stalled" && c.status == "True") || c.type == "Drifted")) {
      const bool bad = (c.type == "Ready") != (c.status == "True");
      std::string message =
          c.type + " is " + c.status + " (" + c.reason + ")" + (c.message.empty() ? "" : ": " + c.message);
      objects_.stage_event(
          txn, {world_.now, bad ? "Warning" : "Normal", object.key(), "status", "system", std::move(message)});
    }
    conditions.push_back(to_value(c));
  }
  status.set("conditions", std::move(conditions));
  if (status == before) return;
  auto updated = std::make_shared<Object>(object);
  updated->resource.status = std::move(status);
  const Key key = object.key();
  objects_.stage_status(txn, updated->resource);
  world_.put(std::move(updated));
  save_status(key, std::move(txn));
  // Its own key as well: a plan reads its last status, and may have more to do now.
  for (const Key& affected : world_.affected_by(key))
    if (world_.find(affected)) queue_.add(affected, Priority::event, Millis{0});
}

void Loop::save_status(const Key& key, Txn txn) {
  // A conflict means that the object is gone: its status goes with it. Anything else (a full disk) is tried again.
  leader_.fence(txn);
  {
    std::lock_guard lock(inbox_mutex_);
    ++saving_[key];
  }
  objects_.store().commit_async(std::move(txn), [this, key](Result<Revision> written) {
    {
      std::lock_guard lock(inbox_mutex_);
      if (--saving_[key] == 0) saving_.erase(key);
      if (!written && written.error().code != Code::conflict) unsaved_.insert(key);
      woken_ = woken_ || any_held_;
    }
    if (any_held_) inbox_wake_.notify_one();
    if (written) return;
    if (written.error().code == Code::conflict) return leader_.suspect();
    log::error("a status could not be written", {{"key", to_string(key)}, {"why", written.error().message}});
  });
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
    if (std::holds_alternative<CloudAction>(item.action.effect)) {
      state.needs_inventory = observations_started_ + 1;
      note_outcome(std::get<CloudAction>(item.action.effect), item);
    }
    if (item.outcome) {
      ++actions_;
      log::info("done", {{"key", to_string(done.key)},
                         {"action", action_name(item.action)},
                         {"detail", describe(item.action)},
                         {"took_ms", item.took.count()}});
    } else {
      failed = true;
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

LoopHealth Loop::health() {
  std::lock_guard world_lock(world_mutex_);
  LoopHealth health;
  const Inventory& cloud = *world_.inventory;
  health.observing = cloud.sequence > 0 && cloud.servers_known && cloud.volumes_known && cloud.ports_known;
  health.trouble = cloud.sequence == 0 ? "the cloud has not been observed yet" : cloud.trouble;
  health.queue = queue_.size();
  health.in_flight = in_flight_;
  for (const auto& [key, object] : world_.objects()) health.instances += key.kind == "DatabaseInstance";
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
