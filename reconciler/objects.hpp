// Resources in the store: the key layout and the transactions on it. The API and the loop both go through this, so that
// a spec, its history and its events always change together. Thread-safe.
//
//   /spec/<project>/<Kind>/<name>              {apiVersion, kind, metadata, spec}; revision = metadata.resourceVersion
//   /status/<project>/<Kind>/<name>            {uid, status}; a status of another uid is ignored
//   /fields/<project>/<Kind>/<name>            {uid, set, owners}: who owns which field; of another uid: ignored
//   /history/<uid>/<generation, 10 digits>     {author, time, kind, name, spec, plan} of each generation
//   /done/<uid>/<generation, 10 digits>        when reality was first as that generation says
//   /event/<project>/<Kind>/<name>/<ms>-<n>    one Event
//   /action/<ms>-<n>                           the append-only log of what was done to the cloud
//   /took/<ms>-<n>                             how long an action took to have its effect: {action, ms, object}
//   /plan/<project>/<id>/<piece>               a plan that is kept, sealed: see api/plan.cpp
//   /once/<project>/<digest>                   the answer to a request with an idempotency key
//   /ledger/<uid>/<role>/<incarnation>         intents of creates
//   /join/<uid>/<role>/<incarnation>           guests that have joined: see api/joins.hpp
//   /gone/<uid>                                {kind, project, name, policy, time} of an owner that was forgotten
//   /owner/loop                                the control plane that acts, under its lease
//   /retained/<project>/Volume/<name>          {uid, id, generation} of a Volume that was deleted with Retain: made again, it is
//   the same one
#pragma once
#include <atomic>
#include <optional>
#include <string>
#include <vector>
#include "reconciler/store/store.hpp"
#include "specs/ownership.hpp"
#include "specs/resource.hpp"

namespace trove {

struct Event {
  Time time;
  std::string type = "Normal";  // or "Warning"
  Key object;
  std::string action;         // "nova.server.create" "spec" "drift" "backup" …
  std::string by = "system";  // "user:<name>" "schedule:<name>" "system"
  std::string message;
};
Value to_value(const Event& event);
Event event_from_value(const Value& value);

struct HistoryEntry {
  int64_t generation = 0;
  Time time;
  std::string author;
  Value spec;
  std::string plan;  // that it carried out; "" = none
  Time done;         // when reality was first as it says; not set = not yet, or overtaken
};
// An object as it lies in the store: the texts that stage_put and stage_status wrote.
struct StoredTexts {
  std::string place;         // its spec's key in the store
  std::string spec, status;  // status "" = none
  Revision modified = 0;     // of the spec
};
struct StoredPage {
  std::vector<StoredTexts> items;  // in key order
  Revision revision = 0;            // all of it is as of this one
  std::string next;                 // "" = no more; else what to hand in as `after`
};
struct ResourcePage {
  std::vector<Resource> items;  // in key order, status included
  Revision revision = 0;
  std::string next;  // "" = no more; else what to hand in as `after`
};

// The cloud's volume that a Volume has, or had when it was forgotten and made again; "" = none yet.
std::string bound_volume(const Resource& volume);
// It has one, and that was of use, as far as is known: there may be data on it.
bool may_hold_data(const Resource& volume);

class Objects {
 public:
  Objects(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  Result<std::optional<Resource>> get(const Key& key);
  // `project` "" = all projects; `kind` is the exact name. `after` continues a page; `at` is the revision that all of
  // it is read at (0 = now), expired when it is no longer kept.
  Result<ResourcePage> list(const std::string& project, const std::string& kind, size_t limit,
                            const std::string& after = "", Revision at = 0);
  Result<StoredPage> list_stored(const std::string& project, const std::string& kind, size_t limit,
                                 const std::string& after = "", Revision at = 0);
  static Result<Resource> parse(const StoredTexts& object);
  // What dump_json(to_value(parse(object))) would be is put at the end of `out`, without parsing: the texts are our own.
  // False, and nothing put, when they do not look as expected; then only parsing helps.
  static bool splice(const StoredTexts& object, std::string& out);
  Result<std::vector<Event>> events(const Key& key, size_t limit);  // oldest first, the newest `limit`
  Result<std::vector<HistoryEntry>> history(const std::string& uid);

  // Staging: append guards and ops to `txn`; nothing happens before commit.
  // A resource with resource_version 0 must be absent; otherwise it must be unchanged since. History is written when
  // `author` is not empty.
  void stage_put(Txn& txn, const Resource& resource, const std::string& author, const std::string& plan = {}) const;
  void stage_done(Txn& txn, const Resource& resource, int64_t generation) const;
  void stage_fields(Txn& txn, const Resource& resource, const Ownership& ownership) const;
  void stage_status(Txn& txn, const Resource& resource) const;  // guarded: the spec key must still be present
  void stage_remove(Txn& txn, const Resource& resource) const;  // spec, status, owners; history and events stay
  void stage_event(Txn& txn, const Event& event) const;
  // A new object of the name of a forgotten Volume whose data the cloud still has takes its uid and is bound to the
  // cloud's volume (annotation trove/volume-id); its generations go on. False: there is none; nothing was changed.
  bool take_retained(Resource& fresh);
  void stage_retained(Txn& txn, const Resource& removed) const;
  // Remembers that an owner of things in the cloud is gone for good: what turns up with its token later is nobody's.
  void stage_gone(Txn& txn, const Resource& removed) const;

  Result<Revision> commit(const Txn& txn) { return store_.commit(txn); }

  Store& store() { return store_; }

  static std::string spec_key(const Key& key);
  static std::string status_key(const Key& key);
  static std::string fields_key(const Key& key);
  // From "/spec/…" or "/status/…" to the key; nullopt for another kind of path.
  static std::optional<Key> key_of(std::string_view store_key);
  // Parses the value of a spec key; the status is merged in by the caller.
  static Result<Resource> parse_spec(const std::string& value, Revision revision);
  static Value parse_status(const std::string& value, const std::string& uid);  // null when of another uid
  static Ownership parse_fields(const std::string& value, const std::string& uid);  // not known when of another uid

 private:
  Store& store_;
  const Clock& clock_;
  mutable std::atomic<uint64_t> stamps_{0};  // two events of one millisecond need two keys
};

}  // namespace trove
