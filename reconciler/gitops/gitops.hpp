// All GitSources: which is due, what it needs from the store, and what is told of it. `step()` does all that is due now
// and says how long nothing will be; start() gives it a thread of its own, woken by the store's watch, by a webhook, by
// `trovectl git sync`. The only writer of a GitSource's status. Owned by main; outlives the API that refers to it.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>
#include "reconciler/api/ports.hpp"
#include "reconciler/gitops/status.hpp"
#include "reconciler/objects.hpp"
#include "reconciler/store/seal.hpp"

namespace trove::gitops {

inline constexpr Millis kFirstRetry{5'000};
inline constexpr Millis kLongestRetry{600'000};
inline constexpr Millis kHookGap{1'000};        // a webhook asks for a fetch no more often than this
inline constexpr size_t kHooksPerSecond = 20;   // of all sources together; the rest is sent away
inline constexpr size_t kMostConfirmed = 100;

struct GitopsOptions {
  Objects& objects;
  const Sealer& sealer;
  Rng& rng;
  const Clock& clock;
  const Clock& process_clock;  // of deadlines of programs; tests let the other one stand still
  Apply apply;
  SetMembers members;
  PlanBook& plans;
  std::string data;  // a directory of ours
  Allowed allowed;
  GitLimits limits = {};
  std::string program = "git";
};

class Gitops final : public GitSync {
 public:
  explicit Gitops(GitopsOptions options);
  ~Gitops() override;

  // Reads what there is; before anything else.
  Result<void> load();
  Result<void> start();  // the threads; after load()
  void stop();           // ends a git that runs
  Millis step();         // used by one thread

  // GitSync, from any thread.
  Attempt<Value> sync(const Key& key, const SyncOrder& order) override;
  Attempt<Value> state(const Key& key) override;
  Attempt<void> hook(const std::string& project, const std::string& name, const http::Request& request) override;
  // Something was written there: as the watch tells.
  void changed(const Key& key);

 private:
  // What was asked for and no pass has seen yet.
  struct Asked {
    std::set<std::string> confirm;
    std::string approve, by;  // the last one counts
  };
  struct Tracked {
    Resource resource;
    GitSourceSpec spec;
    std::unique_ptr<Follower> follower;
    Millis due{0};       // monotonic
    bool full = true;
    int failures = 0;
    Time failing_since;
    Asked asked;
  };
  // What other threads may see of it.
  struct Public {
    Time last_attempt, next_attempt;
    uint64_t attempts = 0;
    bool running = false;
    Value approval = {};  // what became of the last one
  };

  void take_in();
  void reload(const Key& key);
  void attempt(const Key& key, Tracked& tracked);
  Result<PassOrder> order_of(const Tracked& tracked);
  Result<std::map<std::string, Secret>> secret(const std::string& project, const std::string& name);
  void store_status(Tracked& tracked, const Attempted& attempted, const Tidings& tidings);
  void looked(const Key& key, const Tracked& tracked, const Tidings& tidings, Time now, Millis wait);
  Millis jittered(Millis wait);
  void wake();
  void pump();
  void run();

  GitopsOptions options_;
  Repository::Setting setting_;
  Cancel cancel_;
  std::map<Key, Tracked> sources_;  // of step()

  std::mutex mutex_;  // guards what follows
  std::condition_variable woken_cv_;
  bool woken_ = false;
  bool reload_all_ = false;
  std::set<Key> changed_;
  std::map<Key, Asked> asked_;  // for a sync
  std::set<Key> hooked_;
  std::map<Key, Public> public_;
  Millis hooks_since_{0};
  size_t hooks_ = 0;

  Revision revision_ = 0;
  std::unique_ptr<Watch> watch_;
  std::thread thread_, pump_thread_;
};

}  // namespace trove::gitops
