// One run: control planes over one store and one simulated cloud, guests in its servers, people who apply and delete,
// clients who write rows, and the faults of a schedule; the oracles look after every event. Everything is drawn from
// the schedule, nothing waits, one thread.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "providers/sim/sim_cloud.hpp"
#include "providers/sim/sim_guest.hpp"
#include "reconciler/simulate/oracle.hpp"
#include "reconciler/simulate/plane.hpp"
#include "reconciler/simulate/scenario.hpp"
#include "reconciler/simulate/witness.hpp"

namespace trove::simulate {

inline constexpr Millis kObservePeriod{10'000};  // the loop's default
inline constexpr int kQuietPasses = 3;           // without a call and without a commit: then it is at rest

// What a run without faults came to: what other runs are measured against.
struct Baseline {
  std::string state;
  Extent extent;
  int64_t calls = 0;
  Millis rest{0};  // from the last deed until nothing changed any more
};

struct RunOptions {
  const Baseline* clean = nullptr;  // null: this is the clean run
  Millis patience{900'000};         // after the last disturbance
};

struct RunResult {
  std::optional<Violation> violation;
  uint64_t hash = 0;
  std::string trace, state;
  Extent extent;
  int64_t calls = 0;                   // that reached the cloud
  Millis rest{0};                      // from the last disturbance until nothing changed any more
  Millis length{0};                    // from the start until nothing changed any more
  Millis interruption{0};              // the longest that a database that had been up was not
  size_t strikes = 0;                  // faults that found something to strike
  std::string refusal;                 // what the API last answered to a deed that it did not accept
  std::vector<std::string> not_ready;  // objects, and why
  std::vector<std::string> secrets;    // every password there was
};

class SimWorld {
 public:
  // `scenario` has to outlive the world.
  SimWorld(const Scenario& scenario, const Schedule& schedule, RunOptions options);
  ~SimWorld();
  RunResult run();

 private:
  struct Guest {
    SimGuest agent;
    Token token = {};
    std::string name = {}, bearer = {};
    bool news = true;   // something happened that it has not looked at
    bool heard = true;  // a control plane answers it
    std::optional<SimGuest> clone = {};
    Millis clone_until{0}, clone_speaks{0};
    int64_t flips = 0;                      // of its instance, when the clone appeared
    std::optional<Millis> down_since = {};  // had been up
    bool was_up = false;
  };
  // The cloud behind every control plane's network.
  class Watched;

  void plan_faults();
  void plant_foreign();
  void at(Millis when, std::function<void()> what);
  void strike(const Fault& fault);
  void watch_opened(const std::string& port, const std::string& uid, const std::vector<std::string>& before);
  void edit_and_revert(int attempt, bool revert, std::string before, std::string name);

  // A control plane's own call: what it must not do, whatever it was shown.
  void asked(const std::string& plane, const CloudAction& action, Moment moment);
  void check_create(const Token& token);
  void check_patient(const Token& token);
  void check_delete(const std::string& server_id);
  void committed(const std::string& plane, const Txn& txn, Revision revision);
  void check_drift();      // at rest: was anything called drift that nobody had changed
  void check_documents();  // at rest: what guests were told last

  void boot(size_t plane);
  void down(size_t plane);
  void pass_time(Millis until, const Plane* except);
  Millis turn(const Plane* except);
  Millis turn_planes(const Plane* except);
  Millis turn_guests();
  Millis turn_guest(Guest& guest, Plane* plane);  // null: no control plane answers
  Millis turn_clone(Guest& guest, Plane* plane);
  Millis turn_zombies(Plane* plane);
  void check_calm(const Guest& guest);
  static std::string server_line(const std::string& server, const guest::Report& report);
  Millis turn_person();
  void write_rows();
  Plane* reachable();  // where guests and people get an answer; null: nowhere
  void changed();      // the truth or the store moved: look at it
  void broken(std::string invariant, std::string what);
  bool at_rest();
  bool nothing_failing();  // no retry is due one day, no deletion hangs, no guest is frozen
  void rest();
  void check_costs();
  void linger();
  void finish(RunResult& result);

  const Scenario& scenario_;
  Schedule schedule_;
  RunOptions options_;
  SimClock clock_;
  SimRng rng_, cloud_rng_;
  Trace trace_;
  Injector injector_;
  SimCloud cloud_;
  std::unique_ptr<Watched> watched_;
  std::unique_ptr<Store> store_;
  Facts facts_;
  Witness witness_;
  Snapshots snapshots_;
  std::vector<std::unique_ptr<Plane>> planes_;
  int boots_ = 0;
  std::map<std::string, Guest> guests_;  // by server id
  std::vector<Guest> zombies_;           // of servers that are gone; clone_until says how long each goes on
  std::string owner_;                    // the control plane that took the lead last
  Millis thawed_{0};                     // when guests whose copies have spoken are believed again
  std::set<std::string> made_;           // rows of the ledger that said CREATED
  std::set<Token> late_;                 // creates that may arrive once more
  uint64_t loud_ = 0;                    // calls, and commits that are not about the lead
  std::map<std::pair<Millis, uint64_t>, std::function<void()>> timeline_;
  uint64_t next_event_ = 0;
  size_t deed_ = 0;  // the next one
  Millis next_try_{0};
  Millis disturbed_{0};   // the last time that anybody but the control plane did something
  Millis changed_at_{0};  // the last call or commit
  bool nested_ = false, asking_ = false;
  size_t strikes_ = 0;
  std::map<std::string, SimDisk> disk_copy_;
  Millis interruption_{0};
  std::string refusal_;
  std::optional<Violation> violation_;
};

// One key for all worlds of a program. It protects nothing: what is sealed with it ends with the run.
const Sealer& simulation_sealer();
// A run without faults, of this scenario.
Baseline learn(const Scenario& scenario, uint64_t seed);

}  // namespace trove::simulate
