// What the API needs from the loop, and nothing more. Implementations are thread-safe.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "providers/guest/protocol.hpp"
#include "providers/object_store.hpp"   // ObjectStore: what guests upload to
#include "reconciler/api/refusal.hpp"
#include "specs/resource.hpp"

namespace trove {

// Plans for people and programs; the same pure planner that the loop runs.
class PlanSource {
 public:
  virtual ~PlanSource() = default;
  // What applying `proposed` (decoded, checked) and deleting `removed` would do until convergence. See api/README.md.
  virtual Result<Value> plan(const std::string& project, const std::vector<Resource>& proposed,
                             const std::vector<Key>& removed) = 0;
  // What the loop still means to do for one object and its dependants.
  virtual Result<Value> plan_of(const Key& key) = 0;
};

// The guests' side of the loop.
class GuestHub {
 public:
  virtual ~GuestHub() = default;
  // Checks a bearer token; the server's token text ("trove-<uid>-server-0-1") when it is good and current.
  virtual std::optional<std::string> authenticate(std::string_view bearer) = 0;
  // Whoever has proven to be this server's guest may speak for it: the server has not been replaced.
  virtual bool admits(std::string_view server) = 0;
  // The server's document when its digest differs from `after`; waits up to `wait` for that (stops early on stop()).
  // nullopt = nothing new. not_found: no document yet for this server.
  virtual Result<std::optional<guest::Document>> document(const std::string& server, const std::string& after, Millis wait) = 0;
  virtual Result<void> report(const std::string& server, guest::Report report) = 0;
  virtual void stop() = 0;   // wakes every waiting document()
};

// What somebody asks of a GitSource beside looking now.
struct SyncOrder {
  std::vector<std::string> confirm;  // objects ("database/orders") that may go, or a commit that may be followed
  std::string approve;               // the plan that is to be carried out; "" = none
  std::string by;                    // "user:kim"
};

// What carries out GitSources.
class GitSync {
 public:
  virtual ~GitSync() = default;
  // Fetches and applies now. What state() said before.
  virtual Attempt<Value> sync(const Key& key, const SyncOrder& order) = 0;
  // {lastAttempt, nextAttempt, attempts, running, approval}: what changes too often for a status. `approval`: what
  // became of the last one, {plan, by, result: applied | refused, message, attempt}.
  virtual Attempt<Value> state(const Key& key) = 0;
  // A Git server's call, signed or not.
  virtual Attempt<void> hook(const std::string& project, const std::string& name, const http::Request& request) = 0;
};

// Figures for /metrics, /healthz and `describe`.
struct LoopHealth {
  bool observing = false;          // the last observation was complete
  std::string trouble;             // when not
  size_t queue = 0, in_flight = 0, instances = 0, guests_heard = 0;
  size_t failing = 0;  // objects whose last action failed and is to be tried again
  size_t drifted = 0;      // objects with drift
  uint64_t passes = 0, actions = 0, failures = 0, refused = 0;
};
// Something in the cloud with our mark and without an owner.
struct LeakSeen {
  std::string what, id, name, mark;  // "server" "volume" "port"
  Time since;
  std::optional<Time> removed_at;    // nullopt: it stays until somebody deletes it
};
class LoopStatus {
 public:
  virtual ~LoopStatus() = default;
  virtual LoopHealth health() = 0;
  virtual std::vector<LeakSeen> leaks() = 0;
};

}  // namespace trove
