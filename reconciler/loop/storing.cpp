// What the loop reads from the store and writes into it, all of it behind the fence.
#include "reconciler/loop/loop.hpp"

#include <algorithm>
#include <utility>

#include "reconciler/kinds/drift.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

const Value* condition_among(const Value& conditions, std::string_view type) {
  for (const Value& one : conditions.items())
    if (one["type"].text() == type) return &one;
  return nullptr;
}

}  // namespace

Result<Revision> Loop::load() {
  std::lock_guard world_lock(world_mutex_);
  led_ = leader_.tick() ? leader_.epoch() : 0;
  return read_all();
}

Result<Revision> Loop::read_all() {
  world_ = World();
  world_.remove_leaks_after = options_.remove_leaks_after;
  world_.backup_segment_bytes = options_.backup_segment_bytes;
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
        Result<Value> value = parse_stored_json(item.value);
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
  durations_ = {};
  auto took = each("/took/", [&](const std::string&, const Value& value) {
    durations_.add(value["action"].text(), Millis{value["ms"].int_or(0)});
  });
  if (!took) return took;
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

// Each difference once when it begins and once when it ends.
void Loop::stage_drift_events(Txn& txn, const Key& key, const Value& before, const Value& after) {
  const auto among = [](const Value& list, const Value& entry) {
    return std::any_of(list.items().begin(), list.items().end(), [&](const Value& e) { return same_drift(e, entry); });
  };
  for (const Value& entry : after.items()) {
    if (among(before, entry)) continue;
    std::string message = describe_drift(entry) + "; drift: " + entry["policy"].text();
    if (const std::string& request = entry["requestId"].text(); !request.empty()) message += "; nova " + request;
    objects_.stage_event(txn, {world_.now, "Warning", key, "drift", entry["by"].text_or("system"), std::move(message)});
  }
  for (const Value& entry : before.items())
    if (!among(after, entry))
      objects_.stage_event(txn, {world_.now, "Normal", key, "drift", "system", entry["path"].text() + ": over"});
}

// A condition that is new or has turned: since now, and told if people wait for it.
void Loop::note_turn(Txn& txn, const Object& object, Value& condition) {
  const std::string type = condition["type"].text(), is = condition["status"].text();
  const Value* was = condition_among(object.resource.status["conditions"], type);
  const bool same = was && (*was)["status"].text() == is;
  if (same && (*was)["lastTransitionTime"].is_string()) return;  // has its time from the planner
  set_transition_time(condition, format_time(world_.now));
  const bool flipped = was ? !same : is == "True";
  if (!flipped || !(type == "Ready" || (type == "Stalled" && is == "True"))) return;
  const bool bad = (type == "Ready") != (is == "True");
  const std::string& why = condition["message"].text();
  objects_.stage_event(txn, {world_.now, bad ? "Warning" : "Normal", object.key(), "status", "system",
                             type + " is " + is + " (" + condition["reason"].text() + ")" + (why.empty() ? "" : ": " + why)});
}

// Most passes change nothing: until that is known, nothing is copied or formatted.
void Loop::write_status(const Object& object, Value status) {
  const Value& before = object.resource.status;
  Txn txn;
  int64_t synced = before["syncedGeneration"].int_or(0);
  if (const Value* c = condition_among(status["conditions"], "Synced");
      c && (*c)["status"].text() == "True" && (*c)["observedGeneration"].int_or(0) > synced) {
    synced = (*c)["observedGeneration"].int_or(0);
    objects_.stage_done(txn, object.resource, synced);
  }
  if (synced > 0) status.set("syncedGeneration", synced);
  if (status == before) return;
  if (Value* conditions = status.find("conditions"))
    for (Value& condition : conditions->mutable_items()) note_turn(txn, object, condition);
  if (status == before) return;
  stage_drift_events(txn, object.key(), before["drift"], status["drift"]);
  auto updated = std::make_shared<Object>(object);
  updated->resource.status = std::move(status);
  const Key key = object.key();
  objects_.stage_status(txn, updated->resource);
  if (effect_) txn.ops.push_back(*std::exchange(effect_, std::nullopt));
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

}  // namespace trove
