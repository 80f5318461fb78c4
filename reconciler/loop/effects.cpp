// How actions are performed: on an executor's thread, one key's actions one after the other. Nothing of the world is
// read here; what happened goes back to the loop as Done.
#include "reconciler/loop/loop.hpp"
#include "specs/core/log.hpp"
#include "specs/core/overload.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr int kCommitTries = 3;

std::string log_key(Time now, Rng& rng, int number) {
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "/action/%013lld-%012llx%02d", static_cast<long long>(now.ms),
                static_cast<unsigned long long>(rng.next() >> 16), number % 100);
  return stamp;
}

}  // namespace

const Token* created_token(const CloudAction& action) {
  return std::visit(
      Overload{[](const CreatePort& a) { return &a.token; }, [](const CreateVolume& a) { return &a.token; },
               [](const CreateServer& a) { return &a.token; },
               [](const auto&) { return static_cast<const Token*>(nullptr); }},
      action);
}

std::string ledger_key(const Token& token) {
  return "/ledger/" + token.uid + "/" + token.role + "/" + std::to_string(token.incarnation);
}

Op ledger_op(const Token& token, std::string_view state, const std::string& id, std::string_view action, Time now) {
  Value entry = Value::map({{"state", state}, {"time", format_time(now)}});
  if (!action.empty()) entry.set("action", action);
  if (!id.empty()) entry.set("id", id);
  return {Op::Kind::put, ledger_key(token), dump_json(entry), 0};
}

// A conflict may be the proof that an earlier try arrived.
bool surely_not_done(Code code) { return code != Code::outcome_unknown && code != Code::conflict; }

Loop::Done Loop::run_actions(Done work) {
  for (Done::Item& item : work.items) {
    const Millis began = clock_.monotonic();
    item.outcome = run_action(item.action, work.revision, item.sent);
    item.took = clock_.monotonic() - began;
    item.ran = true;
    if (!item.outcome && !reads(item.action)) break;
  }
  return work;
}

Result<Outcome> Loop::run_action(const Action& action, Revision& revision, bool& sent) {
  auto commit = [&](const Txn& txn) -> Result<Outcome> {
    Result<Revision> at = this->commit(txn);
    if (!at) return tl::unexpected(at.error());
    revision = std::max(revision, *at);
    return Outcome{};
  };
  // Objects that others may write at the same moment are read fresh and written back with a guard, a few times.
  auto edit = [&](const Key& key, const std::string& uid, auto change) -> Result<Outcome> {
    for (int attempt = 0;; ++attempt) {
      auto fresh = objects_.get(key);
      if (!fresh) return tl::unexpected(fresh.error());
      if (!*fresh || (*fresh)->metadata.uid != uid) return Outcome{};  // gone: what was wanted of it does not matter
      Txn txn;
      change(**fresh, txn);
      if (txn.ops.empty()) return Outcome{};
      Result<Outcome> written = commit(txn);
      if (written || written.error().code != Code::conflict || attempt + 1 >= kCommitTries) return written;
    }
  };
  const std::string author = "system:" + to_string(action.object);
  return std::visit(
      Overload{
          [&](const CloudAction& a) -> Result<Outcome> {
            const Token* token = created_token(a);
            if (token) {
              Txn intent;
              intent.ops.push_back(ledger_op(*token, "SENT", "", action_name(a), clock_.wall()));
              // Not commit(): nobody watches the ledger, so nobody would ever see its revision come by.
              if (Result<Revision> stored = this->commit(intent); !stored) return tl::unexpected(stored.error());
            }
            if (!leader_.sure()) return fail(Code::unavailable, "this control plane leads no more");
            sent = true;
            Result<Outcome> outcome = cloud_.perform(a);
            if (token) {
              Txn known;
              if (outcome)
                known.ops.push_back(ledger_op(*token, "CREATED", outcome->id, action_name(a), clock_.wall()));
              else if (surely_not_done(outcome.error().code))
                known.ops.push_back({Op::Kind::remove, ledger_key(*token), "", 0});
              if (!known.ops.empty()) commit_ledger(std::move(known), {*token});
            }
            return outcome;
          },
          [&](const PutGuestDocument&) -> Result<Outcome> { return Outcome{}; },  // the loop's own, see reconcile()
          [&](const CreateObject& a) -> Result<Outcome> {
            Resource resource = a.resource;
            resource.metadata.generation = 1;
            if (!objects_.take_retained(resource)) resource.metadata.uid = new_uid(rng_);
            resource.metadata.creation_timestamp = clock_.wall();
            resource.metadata.resource_version = 0;
            Txn txn;
            objects_.stage_put(txn, resource, author);
            objects_.stage_event(txn, {clock_.wall(), "Normal", resource.key(), "spec", author, "created"});
            Result<Outcome> written = commit(txn);
            // Its name is its identity: somebody who was faster made the same thing.
            if (!written && written.error().code == Code::conflict && resource.kind == "Backup") return Outcome{};
            return written;
          },
          [&](const UpdateObject& a) -> Result<Outcome> {
            Resource resource = a.resource;
            ++resource.metadata.generation;
            Txn txn;
            objects_.stage_put(txn, resource, author);
            objects_.stage_event(txn, {clock_.wall(), "Normal", resource.key(), "spec", author, a.what});
            return commit(txn);
          },
          [&](const DeleteObject& a) -> Result<Outcome> {
            return edit(a.key, a.uid, [&](Resource& resource, Txn& txn) {
              if (resource.deleting()) return;
              resource.metadata.deletion_timestamp = clock_.wall();
              ++resource.metadata.generation;
              objects_.stage_put(txn, resource, author);
              objects_.stage_event(txn, {clock_.wall(), "Normal", a.key, "delete", author, a.why});
            });
          },
          [&](const RemoveObject& a) -> Result<Outcome> {
            return edit(a.key, a.uid, [&](Resource& resource, Txn& txn) {
              objects_.stage_remove(txn, resource);
              objects_.stage_retained(txn, resource);
              objects_.stage_gone(txn, resource);
              objects_.stage_event(txn, {clock_.wall(), "Normal", a.key, "delete", author, "gone"});
              for (const std::string& prefix : {"/ledger/" + a.uid + "/", "/join/" + a.uid + "/"})
                if (auto rows = objects_.store().range(prefix, prefix_end(prefix), 100))
                  for (const KeyValue& row : rows->items) txn.ops.push_back({Op::Kind::remove, row.key, "", 0});
            });
          },
          [&](const GenerateSecret& a) -> Result<Outcome> {
            Result<Revision> at = generate_secret(a);
            if (!at) return tl::unexpected(at.error());
            revision = std::max(revision, *at);
            return Outcome{};
          }},
      action.effect);
}

Result<Revision> Loop::generate_secret(const GenerateSecret& generate) {
  Resource secret;
  secret.kind = "Secret";
  secret.metadata.name = generate.secret.name;
  secret.metadata.project = generate.secret.project;
  secret.metadata.uid = new_uid(rng_);
  secret.metadata.generation = 1;
  secret.metadata.creation_timestamp = clock_.wall();
  secret.metadata.owner_references.push_back(generate.owner);
  const Secret password(random_text(rng_, static_cast<size_t>(generate.length)));
  secret.spec = Value::map(
      {{"data", Value::map({{"password", sealer_.seal(password, secret_place(secret, "password"), rng_)}})}});
  Txn txn;
  objects_.stage_put(txn, secret, "system:" + generate.owner.kind + "/" + generate.owner.name);
  objects_.stage_event(txn, {clock_.wall(), "Normal", secret.key(), "secret.generate", "system", "generated"});
  return commit(std::move(txn));
}

// How long it took is remembered, in the transaction of the status that tells that it is over.
void Loop::note_effect(const Key& key) {
  const auto finished = durations_.ended(key, world_.steady);
  if (!finished) return;
  const Value entry = Value::map({{"project", key.project},
                                  {"object", to_string(key)},
                                  {"action", finished->action},
                                  {"ms", static_cast<int64_t>(finished->took.count())}});
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "/took/%013lld-%08llu", static_cast<long long>(world_.now.ms),
                static_cast<unsigned long long>(actions_));
  effect_ = Op{Op::Kind::put, stamp, dump_json(entry), 0};
}

// The append-only log of what was done to the cloud, and the events that people read.
void Loop::record(const Done& done) {
  Txn txn;
  int number = 0;
  for (const Done::Item& item : done.items) {
    if (!item.ran) break;
    if (reads(item.action)) continue;
    const bool cloud = std::holds_alternative<CloudAction>(item.action.effect);
    std::string message = describe(item.action);
    if (!item.outcome) message += ": " + item.outcome.error().message;
    if (cloud) {
      Value entry = Value::map({{"time", format_time(world_.now)},
                                {"project", done.key.project},
                                {"object", to_string(done.key)},
                                {"action", action_name(item.action)},
                                {"detail", describe(item.action)},
                                {"tookMs", static_cast<int64_t>(item.took.count())},
                                {"result", item.outcome ? "ok" : std::string(to_string(item.outcome.error().code))}});
      if (item.outcome && !item.outcome->request_id.empty()) entry.set("requestId", item.outcome->request_id);
      if (!item.outcome) entry.set("error", item.outcome.error().message);
      txn.ops.push_back({Op::Kind::put, log_key(world_.now, rng_, number++), dump_json(entry), 0});
    }
    // Object actions write their own event, with the object.
    if ((cloud || !item.outcome) && done.key.kind != kLeak)
      objects_.stage_event(txn, {world_.now, item.outcome ? "Normal" : "Warning", done.key,
                                 std::string(action_name(item.action)), "system", std::move(message)});
  }
  if (!txn.ops.empty()) commit_later(std::move(txn));
}

// Keeps events and the action log within their bounds. Seldom, and in few transactions.
void Loop::sweep() {
  executor_.post([this, gone = world_.gone] {
    auto trim = [this](const std::string& prefix, size_t most_all, size_t most_each) {
      std::vector<std::string> keys;
      std::string first = prefix;
      while (true) {
        auto page = objects_.store().range(first, prefix_end(prefix), 1000);
        if (!page) return;
        for (KeyValue& item : page->items) {
          first = item.key + std::string(1, '\0');
          keys.push_back(std::move(item.key));
        }
        if (!page->more) break;
      }
      Txn txn;
      auto drop = [&](const std::string& key) { txn.ops.push_back({Op::Kind::remove, key, "", 0}); };
      if (most_all != 0 && keys.size() > most_all)
        for (size_t i = 0; i < keys.size() - most_all; ++i) drop(keys[i]);
      if (most_each != 0) {
        size_t group = 0;
        auto folder = [](const std::string& key) { return key.substr(0, key.rfind('/')); };
        for (size_t i = 0; i <= keys.size(); ++i) {
          if (i < keys.size() && folder(keys[i]) == folder(keys[group])) continue;
          for (size_t j = group; i - group > most_each && j < i - most_each; ++j) drop(keys[j]);
          group = i;
        }
      }
      if (txn.ops.size() > kMaxTxnOps) txn.ops.resize(kMaxTxnOps);
      if (!txn.ops.empty()) commit_later(std::move(txn));
    };
    trim("/action/", kMaxActionLog, 0);
    trim("/took/", kMaxActionLog, 0);
    trim("/event/", 0, kMaxEventsPerObject);
    trim("/gone/", kMaxGone, 0);
    // How servers joined, stored by a request that was overtaken by their owner's end.
    for (std::string first = "/join/";;) {
      auto page = objects_.store().range(first, prefix_end("/join/"), 1000);
      if (!page) return;
      Txn late;
      for (const KeyValue& item : page->items) {
        const size_t uid = std::string_view("/join/").size();
        if (gone->contains(item.key.substr(uid, item.key.find('/', uid) - uid)) && late.ops.size() < kMaxTxnOps)
          late.ops.push_back({Op::Kind::remove, item.key, "", 0});
        first = item.key + std::string(1, '\0');
      }
      if (!late.ops.empty()) commit_later(std::move(late));
      if (!page->more) break;
    }
  });
}

}  // namespace trove
