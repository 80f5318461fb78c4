#include "reconciler/simulate/witness.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "reconciler/objects.hpp"
#include "reconciler/secrets.hpp"
#include "reconciler/simulate/oracle.hpp"
#include "specs/json.hpp"

namespace trove::simulate {
namespace {

constexpr size_t kShortestCanary = 8;
// A look is asked for before the last one is worked through: what is written speaks of either.
constexpr size_t kShownKept = 3;

constexpr std::string_view kSyncedTrue = R"("type":"Synced","status":"True")";
constexpr std::string_view kReadyTrue = R"("type":"Ready","status":"True")";

// std::string::find stops at each quotation mark of a JSON text.
const char* found_in(const char* text, size_t size, std::string_view what) {
  return static_cast<const char*>(::memmem(text, size, what.data(), what.size()));
}
bool contains(const std::string& text, std::string_view what) { return found_in(text.data(), text.size(), what); }

// The largest number that follows `label` anywhere in the text; 0 = none does.
int64_t number_after(const std::string& text, std::string_view label) {
  int64_t largest = 0;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); (at = found_in(at, static_cast<size_t>(end - at), label));) {
    at += label.size();
    largest = std::max<int64_t>(largest, std::atoll(at));
  }
  return largest;
}

bool deletes(const Resource& resource) {
  return resource.deleting() && common_of(make_object(resource)->spec).deletion == Common::Deletion::remove;
}

}  // namespace

void Witness::committed(const Txn& txn, Revision revision) {
  if (!txn.id.empty() && !ids_.insert(txn.id).second) return;  // a retry that the store recognised
  // A transaction that removes only what is not there changes nothing and makes no revision.
  const bool puts = std::any_of(txn.ops.begin(), txn.ops.end(), [](const Op& op) { return op.kind == Op::Kind::put; });
  if (revision < facts_.revision || (puts && revision == facts_.revision))
    facts_.broken.push_back("revision " + std::to_string(revision) + " came after " + std::to_string(facts_.revision));
  facts_.revision = std::max(facts_.revision, revision);
  bool by_person = false;
  for (const Op& op : txn.ops)
    if (op.key.starts_with("/history/"))
      by_person = by_person || contains(op.value, "\"author\":\"user:");
  for (const Op& op : txn.ops) {
    for (const std::string& secret : facts_.secrets)
      if (contains(op.value, secret)) facts_.broken.push_back("a secret in clear text at " + op.key);
    const bool put = op.kind == Op::Kind::put;
    if (std::optional<Key> key = Objects::key_of(op.key)) {
      const bool spec = op.key.starts_with("/spec/");
      if (put && spec) put_spec(*key, op.value, revision, by_person);
      if (put && !spec) put_status(*key, op.value);
      if (!put && spec) removed(*key);
    } else if (op.key.starts_with("/history/")) {
      auto [row, fresh] = facts_.history.emplace(op.key, op.value);
      if (!put) facts_.broken.push_back("history was removed: " + op.key);
      if (!fresh) facts_.broken.push_back("one generation has two specs: " + op.key);
      if (put && by_person) facts_.acknowledged[op.key] = op.value;
    } else if (op.key.starts_with("/ledger/")) {
      if (put)
        facts_.ledger[op.key] = op.value;
      else
        facts_.ledger.erase(op.key);
    } else if (op.key.starts_with("/retained/")) {
      if (put) {
        auto value = parse_stored_json(op.value);
        retained_[op.key] = value ? (*value)["uid"].text() : "";
        facts_.retained.insert(retained_[op.key]);
      } else if (auto was = retained_.find(op.key); was != retained_.end()) {
        facts_.retained.erase(was->second);
        retained_.erase(was);
      }
    }
  }
}

void Witness::put_spec(const Key& key, const std::string& value, Revision revision, bool by_person) {
  auto parsed = Objects::parse_spec(value, revision);
  if (!parsed) {
    facts_.broken.push_back("a spec that cannot be read was stored: " + to_string(key));
    return;
  }
  Resource resource = std::move(*parsed);
  if (auto was = facts_.stored.find(key); was != facts_.stored.end()) {
    const Resource& before = was->second;
    if (before.metadata.uid != resource.metadata.uid)
      facts_.broken.push_back(to_string(key) + " became another object without having been removed");
    if (resource.metadata.generation < before.metadata.generation)
      facts_.broken.push_back(to_string(key) + " went back to generation " +
                              std::to_string(resource.metadata.generation));
    if (resource.metadata.generation == before.metadata.generation && !(resource.spec == before.spec))
      facts_.broken.push_back(to_string(key) + " changed without a new generation");
    if (before.deleting() && !resource.deleting())
      facts_.broken.push_back(to_string(key) + " came back from its deletion");
  }
  if (resource.kind == "Secret") learn_secrets(resource);
  if (resource.kind == "Backup" && !facts_.stored.contains(key)) check_run(resource);
  if (auto object = make_object(resource); matches_truth(facts_, *object) == false && !matched_when_shown(*object))
    facts_.unmet[resource.metadata.uid][resource.metadata.generation] = std::move(object);
  consent(resource, by_person);
  facts_.stored[key] = std::move(resource);
}

void Witness::shown(const Inventory& seen) {
  if (shown_.size() == kShownKept) shown_.pop_front();
  shown_.push_back(shown_.empty() ? Truth() : shown_.back());
  const auto take = [](auto& to, const auto& from) {
    to.clear();
    for (const auto& thing : from) to.emplace(thing.id, thing);
  };
  if (seen.servers_known) take(shown_.back().servers, seen.servers);
  if (seen.volumes_known) take(shown_.back().volumes, seen.volumes);
  if (seen.ports_known) take(shown_.back().ports, seen.ports);
}

// A run is named after the time that it was due, and there is one of them.
void Witness::check_run(const Resource& backup) {
  for (const OwnerReference& owner : backup.metadata.owner_references) {
    if (owner.kind != "BackupSchedule") continue;
    const std::string due = backup.metadata.annotations["trove/due"].text();
    std::string digits;
    for (char c : due.substr(0, 16))
      if (c != '-' && c != ':') digits += c == 'T' ? 't' : c;
    if (!backup.metadata.name.ends_with(digits + "z"))
      facts_.broken.push_back("run " + backup.metadata.name + " is not named after its due time " + due);
    if (!facts_.runs[{backup.metadata.project, owner.kind, owner.name}].insert(due).second)
      facts_.broken.push_back("two runs of " + owner.name + " for " + due);
  }
}

bool Witness::was_shown_broken(const Server& server) const {
  return std::any_of(shown_.begin(), shown_.end(), [&](const Truth& truth) {
    int alike = 0;
    for (const auto& [id, seen] : truth.servers) {
      if (id == server.id && seen.status == Server::Status::error) return true;
      alike += seen.token.uid == server.token.uid && seen.token.role == server.token.role;
    }
    return alike > 1;
  });
}

// A spec that asks for what the control plane has seen is in effect as far as it can know.
bool Witness::matched_when_shown(const Object& object) {
  const std::string& kind = object.resource.kind;
  if (kind != "DatabaseInstance" && kind != "Volume") return false;
  return std::any_of(shown_.begin(), shown_.end(), [&](const Truth& truth) {
    Facts then;
    then.look_at(truth);
    then.options = facts_.options;
    return matches_truth(then, object) == true;
  });
}

void Witness::put_status(const Key& key, const std::string& value) {
  auto found = facts_.stored.find(key);
  if (found == facts_.stored.end()) {
    facts_.broken.push_back("a status without a spec: " + to_string(key));
    return;
  }
  const Resource& resource = found->second;
  std::string& stored = facts_.statuses[key];
  if (contains(stored, kReadyTrue) != contains(value, kReadyTrue))
    ++facts_.flips[key];
  stored = value;
  if (contains(value, "\"drift\":[{"))
    facts_.drifted.emplace(key, dump_json(facts_.status_of(resource)["drift"]));
  if (key.kind == "BackupSchedule") {
    const std::string ran = facts_.status_of(resource)["lastRun"].text();
    if (!ran.empty() && !facts_.runs[key].contains(ran))
      facts_.broken.push_back("schedule " + key.name + " says that it ran for " + ran + ", and there was no such run");
  }
  // Read in full only when it could claim too much: most statuses speak of what has long been in effect.
  auto unmet = facts_.unmet.find(resource.metadata.uid);
  const int64_t claimed = number_after(value, "\"observedGeneration\":");
  const bool says_so = contains(value, kSyncedTrue);
  if ((unmet == facts_.unmet.end() || !says_so) && claimed <= resource.metadata.generation) return;
  const Value& status = facts_.status_of(resource);
  if (status.empty()) return;  // of another uid: ignored by every reader
  const int64_t observed = status["observedGeneration"].int_or(0);
  if (observed > resource.metadata.generation)
    facts_.broken.push_back(to_string(key) + " claims generation " + std::to_string(observed) +
                            ", which does not exist");
  const auto conditions = conditions_of(status);
  const Condition* synced = find_condition(conditions, "Synced");
  const Condition* ready = find_condition(conditions, "Ready");
  if (synced && synced->status == "True" && ready && ready->status == "True" && unmet != facts_.unmet.end() &&
      unmet->second.contains(observed) && !resource.deleting() && !matched_when_shown(*unmet->second.at(observed)))
    facts_.broken.push_back(to_string(key) + " says that generation " + std::to_string(observed) +
                            " is in effect, and it never was");
}

void Witness::removed(const Key& key) {
  auto found = facts_.stored.find(key);
  if (found == facts_.stored.end()) return;
  if (!found->second.deleting() && key.kind != "Operation")
    facts_.broken.push_back(to_string(key) + " was forgotten, and nobody had deleted it");
  facts_.unmet.erase(found->second.metadata.uid);
  facts_.statuses.erase(key);
  facts_.stored.erase(found);
}

// What a person's deletion with deletionPolicy Delete gives up, the loop may destroy.
void Witness::consent(const Resource& resource, bool by_person) {
  if (!deletes(resource)) return;
  const std::string& uid = resource.metadata.uid;
  if (resource.kind == "Backup") {
    const bool again = !facts_.given_up_backups.insert(uid).second;
    if (by_person || again) return;
    // Retention may go down to one good backup of an instance, never to none.
    const std::string instance = resource.spec["instanceRef"]["name"].text();
    int good = 0;
    for (const auto& [object, of] : facts_.backups) {
      if (guest::backup_key(object) != object) continue;  // it counts once, however many segments it has
      const std::string other = guest::backup_uid(object);
      good += of == instance && !facts_.given_up_backups.contains(other) && facts_.objects->contains(object);
    }
    if (good == 0 && facts_.objects->contains(resource.metadata.project + "/" + uid))
      facts_.broken.push_back("the last good backup of " + instance + " was given up by the control plane");
  }
  if (resource.kind == "DatabaseInstance") {
    for (const auto& [key, volume] : facts_.stored)
      if (key.kind == "Volume")
        for (const OwnerReference& owner : volume.metadata.owner_references)
          if (owner.uid == uid) give_up_volume(volume.metadata.uid);
  }
  if (resource.kind == "Volume" && by_person) give_up_volume(uid);
  if (resource.kind == "Database" && by_person) {
    const DatabaseSpec spec = database_spec(resource.spec, resource.metadata.name);
    auto instance = facts_.stored.find({resource.metadata.project, "DatabaseInstance", spec.instance});
    if (instance == facts_.stored.end()) return;
    std::set<std::string> volumes;
    for (const auto& [of, written] : facts_.rows)
      if (of.first == instance->second.metadata.uid) volumes.insert(written.volume);
    for (const auto& [id, server] : *facts_.servers)
      if (server.token.uid == instance->second.metadata.uid) volumes.insert(server.volume_id);
    const Value& status = facts_.status_of(instance->second);
    for (const Value& member : status["members"].items()) volumes.insert(member["volume"].text());
    std::erase_if(facts_.rows, [&](const auto& entry) {
      return volumes.contains(entry.second.volume) && entry.first.second == spec.name;
    });
  }
}

void Witness::give_up_volume(const std::string& volume_uid) {
  for (const auto& [id, volume] : *facts_.volumes)
    if (volume.token.uid == volume_uid)
      std::erase_if(facts_.rows, [&, id = id](const auto& entry) { return entry.second.volume == id; });
}

void Witness::learn_secrets(const Resource& secret) {
  for (const Value::Member& member : secret.spec["data"].members()) {
    auto plain = sealer_.unseal(member.value.text(), secret_place(secret, member.key));
    if (!plain) {
      facts_.broken.push_back(to_string(secret.key()) + " holds what is not sealed for it: " + member.key);
      continue;
    }
    const std::string& text = plain->reveal();
    if (text.size() >= kShortestCanary &&
        std::find(facts_.secrets.begin(), facts_.secrets.end(), text) == facts_.secrets.end())
      facts_.secrets.push_back(text);
  }
}

void Witness::looked() {
  for (auto& [uid, generations] : facts_.unmet) {
    for (auto newest = generations.rbegin(); newest != generations.rend(); ++newest) {
      if (matches_truth(facts_, *newest->second) != true) continue;
      generations.erase(generations.begin(), generations.upper_bound(newest->first));
      break;
    }
  }
  std::erase_if(facts_.unmet, [](const auto& entry) { return entry.second.empty(); });
  if (facts_.objects->size() == objects_seen_) return;
  objects_seen_ = facts_.objects->size();
  for (const auto& [object, unused] : *facts_.objects) {
    if (facts_.backups.contains(object)) continue;
    const std::string uid = guest::backup_uid(object);
    for (const auto& [key, resource] : facts_.stored)
      if (resource.metadata.uid == uid && key.kind == "Backup")
        facts_.backups[object] = resource.spec["instanceRef"]["name"].text();
  }
}

void Witness::wrote(const std::string& instance_uid, const std::string& volume, const std::string& database,
                    int64_t rows) {
  // Only what somebody declares is promised to be kept; what is being dropped may go at any moment.
  for (const auto& [key, resource] : facts_.stored) {
    if (key.kind != "Database" || resource.deleting()) continue;
    const DatabaseSpec spec = database_spec(resource.spec, resource.metadata.name);
    if (spec.name != database) continue;
    auto instance = facts_.stored.find({key.project, "DatabaseInstance", spec.instance});
    if (instance == facts_.stored.end() || instance->second.metadata.uid != instance_uid) continue;
    if (deletes(instance->second)) return;
    facts_.rows[{instance_uid, database}] = {volume, rows};
    return;
  }
}

}  // namespace trove::simulate
