// Many runs: every crash point, every stale answer, every call that goes wrong, and swarms of faults; what fails is
// shrunk to the least that still fails. Runs are spread over threads; each run is one thread and one world.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>
#include "reconciler/simulate/sim_world.hpp"
#include "reconciler/simulate/transitions.hpp"

namespace trove::simulate {

struct Finding {
  Schedule schedule;  // shrunk
  Violation violation;
  std::string last_lines;  // of its trace
};

struct Tally {
  int64_t runs = 0, violated = 0, planned = 0, strikes = 0, checked_twice = 0;
  int64_t most_calls = 0;
  Millis longest_rest{0};
  Schedule slowest, busiest;      // which took longest to come to rest, and which needed most calls
  std::vector<Finding> failures;  // the first few of each invariant
  std::map<std::string, int64_t> by_invariant;
};

class Explorer {
 public:
  struct Options {
    int threads = 2;
    int64_t twice_every = 200;     // such a share of runs is made twice, and must be the same
    size_t most_failures = 3;      // of one invariant, kept and shrunk
    std::function<bool()> enough;  // null: never; asked between runs
  };
  explicit Explorer(Options options) : options_(std::move(options)) {}

  const Baseline& baseline(const Scenario& scenario);
  // Runs all; `each`, when given, sees every result (under a lock), by its place in `schedules`.
  Tally run_all(const Scenario& scenario, const std::vector<Schedule>& schedules,
                const std::function<void(size_t, const RunResult&)>& each = nullptr);

  // What there is to enumerate.
  std::vector<Schedule> single_crashes(const Scenario& scenario);
  Tally crash_pairs(const Scenario& scenario);
  std::vector<Schedule> stale_reads(const Scenario& scenario);
  std::vector<Schedule> broken_calls(const Scenario& scenario);
  std::vector<Schedule> broken_commits(const Scenario& scenario);
  std::vector<Schedule> swarm(const Scenario& scenario, uint64_t first_seed, int64_t runs,
                              const std::vector<Fault::Kind>& allowed = {});

  // Each transition, and with `faults` each under a crash and a lost answer somewhere as well.
  Tally run_transitions(const std::vector<Transition>& transitions, bool faults);

  RunResult run(const Scenario& scenario, const Schedule& schedule);
  // Leaves faults out as long as the same invariant still breaks.
  Schedule shrink(const Scenario& scenario, Schedule schedule, const std::string& invariant);

 private:
  void spread(size_t count, const std::function<void(size_t)>& work);

  Options options_;
  std::mutex mutex_;
  std::map<std::string, Baseline> baselines_;
};

void add(Tally& to, const Tally& more);
// Lines that one state lacks of the other: "- " what was expected, "+ " what was found.
std::string differences(const std::string& expected, const std::string& found);

}  // namespace trove::simulate
