// What comes in: changes of the store, looks at the cloud, reports of guests.
#include "reconciler/loop/loop.hpp"

#include <algorithm>

#include "specs/core/log.hpp"

namespace trove {
namespace {

constexpr Millis kAwaited{30'000};  // since something moved
constexpr Millis kSoon{500};

// Whether the cloud is working on something of ours.
bool servers_move(const Inventory& cloud) {
  const auto moves = [](const Server& server) {
    switch (server.status) {
      case Server::Status::build:
      case Server::Status::reboot:
      case Server::Status::resize:
      case Server::Status::verify_resize:
      case Server::Status::deleting:
        return !server.token.uid.empty();
      default:
        return false;
    }
  };
  return std::any_of(cloud.servers.begin(), cloud.servers.end(), moves);
}
bool volumes_move(const Inventory& cloud) {
  const auto moves = [](const CloudVolume& volume) {
    switch (volume.status) {
      case CloudVolume::Status::reserved:
      case CloudVolume::Status::attaching:
      case CloudVolume::Status::creating:
      case CloudVolume::Status::detaching:
      case CloudVolume::Status::extending:
      case CloudVolume::Status::retyping:
      case CloudVolume::Status::deleting:
        return !volume.token.uid.empty();
      default:
        return false;
    }
  };
  return std::any_of(cloud.volumes.begin(), cloud.volumes.end(), moves);
}

size_t hash_text(const std::string& text) { return std::hash<std::string>{}(text); }

}  // namespace

void Loop::touch(const Key& key, Priority priority) {
  for (const Key& affected : world_.affected_by(key)) {
    if (affected.kind == "User" || affected.kind == "DatabaseInstance") verifiers_.refresh(world_, affected);
    if (world_.find(affected))
      queue_.add(affected, affected == key ? priority : std::max(priority, Priority::event), Millis{0});
  }
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
      std::erase_if(world_.suspected, [&](const auto& old) { return old.first.first == gone->meta().uid; });
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
    std::erase_if(world_.leaks, [&](const auto& leak) { return leak.second.token.uid == resource->metadata.uid; });
    if (world_.gone->contains(resource->metadata.uid)) {  // made again, with its data
      auto gone = std::make_shared<std::map<std::string, Gone>>(*world_.gone);
      gone->erase(resource->metadata.uid);
      world_.gone = std::move(gone);
      Txn txn;
      txn.ops.push_back({Op::Kind::remove, "/gone/" + resource->metadata.uid, "", 0});
      commit_later(std::move(txn));
    }
    world_.failures.erase(*key);  // any change of the inputs earns a new try
    if (const std::string& uid = resource->metadata.uid; world_.ledger->asked_in_vain(uid))
      world_.edit_ledger().pardon(uid);
    world_.put(make_object(std::move(*resource)));
    touch(*key, Priority::user);
  }
  revision_ = std::max(revision_, batch.revision);
  caught_up_.notify_all();
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
        v.id + "|" + std::to_string(static_cast<int>(v.status)) + "|" + std::to_string(v.size_gib) + "|" + v.type + "|" +
            v.server_id);
  for (const Port& p : inventory.ports) {
    std::string text = p.id + "|" + p.address + "|" + p.device_id;
    for (const std::string& cidr : p.allowed_cidrs) text += "," + cidr;
    mix(p.token.uid, text);
  }
  for (const StoredObject& o : inventory.objects) {
    const std::string_view backup = guest::backup_key(o.key);
    const size_t slash = backup.find('/');
    if (slash != std::string_view::npos) mix(std::string(backup.substr(slash + 1)), o.key);
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
                             inventory.volume_types != world_.inventory->volume_types ||
                             inventory.trouble != world_.inventory->trouble;
  std::set<std::string> changed;
  for (const auto& [uid, digest] : digests)
    if (auto old = owner_digests_.find(uid); old == owner_digests_.end() || old->second != digest) changed.insert(uid);
  for (const auto& [uid, digest] : owner_digests_)
    if (!digests.contains(uid)) changed.insert(uid);
  owner_digests_ = std::move(digests);
  // Not those that a list lacks: a guest whose server a cell hides would be news with every call.
  std::erase_if(called_, [&](const std::string& server) {
    const auto token = token_from(server);
    return !token || !key_of_uid_.contains(token->uid);
  });
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
  // Asked again when it has changed again.
  std::erase_if(world_.explained, [&](const auto& told) {
    for (const Server& server : world_.inventory->servers)
      if (server.id == told.first.first)
        return told.first.second == "/flavor" ? server.flavor != told.second.actual
                                              : server.status == Server::Status::active;
    return world_.inventory->servers_known;
  });
  if (known_changed)
    for (const auto& [key, object] : world_.objects()) queue_.add(key, Priority::resync, Millis{0});
  changed.insert(news.uids.begin(), news.uids.end());
  // A thing that stays on its way for hours (a stuck delete) is not asked for each moment. A volume takes seconds, and
  // nobody calls when it is there: for a while it is missed by a moment only, at the cost of a quarter of the time. A
  // server's guest calls.
  const Millis looked_at = clock_.monotonic();
  if (!changed.empty()) moved_ = looked_at;
  const bool volumes = volumes_move(*world_.inventory);
  const Millis most = volumes && looked_at - moved_ < kAwaited ? std::max(kSoon, (looked_at - look.began) * 4)
                                                               : options_.observe_period;
  look_again_ = changed.empty() ? look_again_ + look_again_ / 2 : options_.busy_period;
  look_again_ = std::max(options_.busy_period, std::min({look_again_, most, options_.observe_period}));
  if (volumes || servers_move(*world_.inventory)) next_observation_ = std::min(next_observation_, looked_at + look_again_);
  for (const std::string& uid : changed)
    if (auto key = key_of_uid_.find(uid); key != key_of_uid_.end()) touch(key->second, Priority::event);
  for (auto& [key, state] : states_)
    if (state.needs_inventory != 0 && state.needs_inventory <= world_.inventory->sequence) {
      state.needs_inventory = 0;
      queue_.add(key, Priority::event, Millis{0});
    }
  if (auto look = world_.ledger->next_look(clock_.monotonic()))
    next_observation_ = std::min(next_observation_, std::max(*look, clock_.monotonic() + Millis{1}));
  note_leaks();
  collect_orphans();
}

// Said once for each, after it has been one for a while: a control plane that took over reads the store and the cloud at
// different moments.
void Loop::note_leaks() {
  std::map<std::string, Leak> found = find_leaks(world_, [this](const std::string& uid) { return key_of_uid_.contains(uid); });
  for (const auto& [id, leak] : found)
    if (world_.steady - leak.since >= kLeakSettled && leaks_said_.insert(id).second)
      log::warning("this carries our mark and belongs to nobody we know",
                   {{"what", to_string(leak.what)}, {"id", id}, {"name", leak.name}, {"mark", to_string(leak.token)}});
  std::erase_if(leaks_said_, [&](const std::string& id) { return !found.contains(id); });
  world_.leaks = std::move(found);
}

// What was left behind by requests that arrived after their owner had gone.
void Loop::collect_orphans() {
  if (!leader_.sure()) return;
  std::vector<Action> actions = plan_orphans(world_);
  std::vector<Action> leaked = plan_leaks(world_);
  actions.insert(actions.end(), std::make_move_iterator(leaked.begin()), std::make_move_iterator(leaked.end()));
  for (Action& action : actions) {
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

// Worth a look: the cloud has not shown this server running yet. What is told of a server once is no news again.
bool Loop::is_news(const std::string& server) {
  const std::optional<Token> token = token_from(server);
  if (!token || !key_of_uid_.contains(token->uid)) return false;
  for (const Server* seen : world_.servers_of(token->uid))
    if (seen->token == *token && seen->status == Server::Status::active) return false;
  if (!called_.insert(server).second) return false;
  look_again_ = options_.busy_period;
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

}  // namespace trove
