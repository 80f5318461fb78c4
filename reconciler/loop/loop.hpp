// When and why. One thread owns the world, plans keys and hands effects to the executor; whatever happens elsewhere (a
// commit, an observation, a guest's report, a finished effect) is delivered into one inbox. step() does all that can be
// done now and says how long nothing will happen: production waits so long, a simulation moves its clock.
#pragma once
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <variant>
#include <vector>
#include "providers/patient.hpp"
#include "reconciler/api/ports.hpp"
#include "reconciler/guard/guard.hpp"
#include "reconciler/loop/durations.hpp"
#include "reconciler/loop/executor.hpp"
#include "reconciler/loop/hub.hpp"
#include "reconciler/loop/leader.hpp"
#include "reconciler/loop/queue.hpp"
#include "reconciler/objects.hpp"
#include "reconciler/secrets.hpp"

namespace trove {

struct LoopOptions {
  Millis observe_period{10'000};  // anti-entropy; what happens here and now is observed at once
  Millis busy_period{250};        // while something of ours is on its way in the cloud; grows when nothing moves
  Millis longest_wait{60'000};
  // A plan rests on all that was stored when it was asked for: for so long it waits until the loop has seen that. Only
  // where the loop has a thread of its own.
  Millis plan_wait{0};
  std::optional<Millis> remove_leaks_after;  // see World
  int64_t backup_segment_bytes = guest::kSegmentBytes;  // as well
};
inline constexpr Millis kLeakSettled{60'000};        // something is called a leak after this long
inline constexpr size_t kMaxInFlight = 64;           // effects out at once
inline constexpr size_t kMaxEventsPerObject = 200;   // older ones are swept
inline constexpr size_t kMaxRepairsPerReport = 100;  // sentences kept until the loop has read them
inline constexpr size_t kMaxActionLog = 20'000;
inline constexpr size_t kMaxFormerAgents = 8;
inline constexpr size_t kMaxGone = 100'000;  // owners remembered after their end

class Loop final : public PlanSource, public LoopStatus {
 public:
  Loop(Objects& objects, Cloud& cloud, const Sealer& sealer, Hub& hub, Executor& executor, const Clock& clock, Rng& rng,
       LoopOptions options = {});

  ~Loop() override;

  // Reads everything from the store and returns the revision that a watch has to go on from. Once, before step().
  Result<Revision> load();
  // Does all that can be done now. Returns how long to wait if nothing is delivered. The loop's thread only.
  Millis step();
  // Sleeps until something is delivered or `most` has passed.
  void wait(Millis most);

  // From any thread.
  void deliver(WatchBatch batch);
  // Every spec as of `revision`, when the watch fell behind the kept history.
  void deliver_all(std::vector<StoreEvent> events, Revision revision);
  void deliver_report(const std::string& server, guest::Report report);
  void cloud_changed();  // something happened in the cloud: look now
  void guest_waits(const std::string& server);  // it runs, and has no document yet
  void wake();

  Result<Value> plan(const std::string& project, const std::vector<Resource>& proposed,
                     const std::vector<Key>& removed) override;
  Result<Value> plan_of(const Key& key) override;
  LoopHealth health() override;
  std::vector<LeakSeen> leaks() override;
  World snapshot();  // a copy of all facts as they are now
  bool leading() const { return leader_.sure(); }

 private:
  struct Done {  // of the actions of one key
    Key key;
    struct Item {
      Action action;
      Result<Outcome> outcome = Outcome{};
      Millis took{0};
      bool ran = false;   // not, when one before it failed
      bool sent = false;  // to the cloud; not, when the store or the lead was lost before
    };
    std::vector<Item> items;
    Revision revision = 0;  // the newest commit among them
  };
  // Bounded by what feeds it: one inventory and one batch at a time, kMaxInFlight effects. Reports are kept apart, the
  // newest of each server, so that a chatty guest costs one entry.
  struct Look {
    Inventory inventory;
    Millis began{0};  // monotonic
  };
  using Input = std::variant<WatchBatch, Look, Done>;
  struct KeyState {
    bool in_flight = false, dirty = false;
    uint64_t needs_inventory = 0;  // sequence
    Revision needs_revision = 0;
  };

  void set_time();
  void take(WatchBatch batch);
  void take(Look look);
  bool is_news(const std::string& server);  // that its guest calls
  bool note_agent(GuestState& guest, const std::string& agent);
  void take_report(const std::string& server, guest::Report report);
  void take(Done done);
  void post(Input input);
  void reconcile(const Key& key);
  void write_status(const Object& object, Value status);
  void note_turn(Txn& txn, const Object& object, Value& condition);
  void stage_drift_events(Txn& txn, const Key& key, const Value& before, const Value& after);
  void save_status(const Key& key, Txn txn);
  bool is_stored(const Key& key);  // its status, and its volumes'
  void hold(const Key& key);
  void perform(const Key& key, std::vector<Action> actions);
  Done run_actions(Done work);  // on the executor
  Result<Outcome> run_action(const Action& action, Revision& revision, bool& sent);
  Result<Revision> generate_secret(const GenerateSecret& generate);
  void record(const Done& done);
  void note_outcome(const CloudAction& action, const Done::Item& item);
  void note_failure(const Key& key, const Action& action, const Error& error);
  void touch(const Key& key, Priority priority);  // the key and everything that may read it
  void observe();
  void note_leaks();
  void collect_orphans();
  void sweep();
  Result<Revision> read_all();       // world_mutex_ held
  Result<void> load_memory();        // ledger and gone owners
  Result<Revision> commit(Txn txn);  // fenced
  void record_again(const Token& token);
  void commit_ledger(Txn txn, std::vector<Token> tokens);  // fenced; written again when the store refuses
  void commit_later(Txn txn);                              // fenced, without waiting; for what may be lost
  void suspect(const Object& object, const Plan& plan);
  void note_effect(const Key& key);  // what was on its way for it has come about
  Value plan_to_json(const std::string& project, World world, const Durations& durations,
                     const std::vector<Resource>& proposed, const std::vector<Key>& removed);

  Objects& objects_;
  PatientCloud cloud_;
  const Sealer& sealer_;
  Hub& hub_;
  Executor& executor_;
  const Clock& clock_;
  Rng& rng_;
  LoopOptions options_;

  std::mutex inbox_mutex_;
  std::condition_variable inbox_wake_;
  std::vector<Input> inbox_;
  std::map<std::string, guest::Report> reports_;
  std::map<Key, int> saving_;   // statuses on their way into the store
  std::set<Key> unsaved_;       // statuses that the store refused
  std::set<Token> unrecorded_;  // rows of the ledger that the store refused
  bool look_now_ = false;       // cloud_changed()
  std::set<std::string> waiting_guests_;  // that called since the last step
  bool woken_ = false;

  std::mutex world_mutex_;  // held by step(); plan() copies under it
  std::condition_variable caught_up_;  // revision_ has risen
  World world_;
  std::set<std::string> leaks_said_;  // ids
  Leader leader_;
  uint64_t led_ = 0;  // the epoch in which we led at the last step; 0 = we did not
  Guardian guard_;
  Verifiers verifiers_;
  Durations durations_;
  std::optional<Op> effect_;  // stored with the next status: how long an action took to have its effect
  KeyQueue queue_;
  std::map<Key, KeyState> states_;
  std::map<std::string, size_t> owner_digests_;  // uid -> hash of what the inventory says of it
  std::map<std::string, Key> key_of_uid_;
  Revision revision_ = 0;  // of the store, as delivered
  uint64_t observations_started_ = 0;
  bool observing_ = false, observe_again_ = false;
  Millis next_observation_{0};
  Millis looked_{0};      // when the look began whose inventory we have
  Millis look_again_{0};  // the busy period as it has grown
  Millis moved_{0};       // monotonic: when a look last showed something new of ours
  std::set<std::string> called_;  // servers that were not yet seen to run when their guests called
  Millis next_sweep_{0};
  Millis next_save_{0};
  std::set<Key> held_;  // what they plan waits until their statuses are stored
  std::atomic<bool> any_held_{false};
  size_t in_flight_ = 0;
  uint64_t passes_ = 0, actions_ = 0, failures_ = 0, refused_ = 0;
};

// The token of a create, whose intent is stored before the call; null: not a create.
const Token* created_token(const CloudAction& action);
std::string ledger_key(const Token& token);
Op ledger_op(const Token& token, std::string_view state, const std::string& id, std::string_view action, Time now);
// False when a create may have taken effect, or may yet: then its token is looked for.
bool surely_not_done(Code code);

}  // namespace trove
