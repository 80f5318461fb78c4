// The simulation's runs: the program behind tests/sim/run. Ends in its figures, one JSON line each.
#include <chrono>
#include <cstring>
#include <iostream>

#include "reconciler/simulate/explore.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

using namespace trove;
using namespace trove::simulate;

namespace {

struct Arguments {
  int64_t runs = 2'000;
  uint64_t seed = 1;
  std::string scenario, schedule, faults;
  bool trace = false, enumerate = false, pairs = false, transitions = false, everyday = false;
  int threads = 2;
  double seconds = 0;  // 0 = as long as it takes
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int usage() {
  std::cerr
      << "tests/sim/run [--runs N] [--seed S] [--scenario NAME] [--faults KIND,KIND] [--seconds S] [--threads N]\n"
         "tests/sim/run [--everyday]\n"
         "tests/sim/run --enumerate [--pairs] [--scenario NAME]\n"
         "tests/sim/run --transitions\n"
         "tests/sim/run --schedule 'scenario create; crash 17; late 2 800' [--trace]\n\nscenarios:\n";
  for (const Scenario& scenario : scenarios()) std::cerr << "  " << scenario.name << ": " << scenario.doc << "\n";
  std::cerr << "faults:\n";
  for (const FaultRow& row : fault_rows()) std::cerr << "  " << row.name << ": " << row.doc << "\n";
  return 2;
}

void print(const Finding& failure) {
  std::cout << "VIOLATED " << failure.violation.invariant << ": " << failure.violation.what << "\n";
  std::cout << failure.last_lines;
  std::cout << "replay: tests/sim/run --schedule '" << to_string(failure.schedule) << "' --trace\n\n";
}

void figure(const std::string& row, const std::string& scenario, const Tally& tally, double seconds) {
  Value line = Value::map(
      {{"row", row},
       {"scenario", scenario},
       {"schedules", tally.runs},
       {"share_percent",
        tally.planned ? 100.0 * static_cast<double>(tally.runs) / static_cast<double>(tally.planned) : 100.0},
       {"violated", tally.violated},
       {"strikes", tally.strikes},
       {"checked_twice", tally.checked_twice},
       {"most_calls", tally.most_calls},
       {"longest_rest_s", tally.longest_rest.count() / 1000},
       {"slowest", to_string(tally.slowest)}});
  if (seconds > 0) {
    line.set("per_second", static_cast<int64_t>(static_cast<double>(tally.runs) / seconds));
    line.set("seconds", static_cast<int64_t>(seconds));
  }
  for (const auto& [invariant, count] : tally.by_invariant) line.set("violated_" + invariant, count);
  std::cout << dump_json(line) << "\n" << std::flush;
}

int replay(const Arguments& arguments) {
  auto schedule = parse_schedule(arguments.schedule);
  if (!schedule) {
    std::cerr << schedule.error().message << "; " << schedule.error().hint << "\n";
    return 2;
  }
  if (!arguments.scenario.empty()) schedule->scenario = arguments.scenario;
  const Scenario* scenario = find_scenario(schedule->scenario);
  if (!scenario) return usage();
  Explorer explorer({});
  const RunResult result = explorer.run(*scenario, *schedule);
  if (arguments.trace) std::cout << result.trace;
  if (result.violation && result.violation->invariant == "same-end") {
    std::cout << "---- without faults (-), here (+):\n"
              << differences(explorer.baseline(*scenario).state, result.state);
  }
  std::cout << to_string(*schedule) << "\n";
  std::cout << (result.violation ? "VIOLATED " + result.violation->invariant + ": " + result.violation->what : "held")
            << "\n";
  std::cout << "calls " << result.calls << ", boundaries " << result.extent.boundaries << ", at rest after "
            << result.rest.count() << " ms, trace " << result.hash << "\n";
  return result.violation ? 1 : 0;
}

std::vector<Schedule> every(size_t nth, std::vector<Schedule> all) {
  std::vector<Schedule> some;
  for (size_t i = 0; i < all.size(); i += nth) some.push_back(std::move(all[i]));
  return some;
}

// What runs on every build: everything that can be enumerated in little time, then swarms until the number is full or
// the time is over.
int everyday(const Arguments& arguments) {
  constexpr int64_t kSchedules = 50'000;
  // On a slow or busy machine fewer swarms have to do; which schedules there are, and their order, never changes.
  constexpr double kSwarmSeconds = 330;  // after the enumeration
  const double begin = now();
  double limit = 0;
  Explorer::Options options;
  options.threads = arguments.threads;
  options.enough = [&] { return limit > 0 && now() > limit; };
  Explorer explorer(options);
  Tally crashes, pairs, stale, calls, commits, swarm;
  for (const Scenario& scenario : scenarios()) {
    const bool long_one = scenario.name == "life";
    add(crashes, explorer.run_all(scenario, explorer.single_crashes(scenario)));
    add(calls, explorer.run_all(scenario, explorer.broken_calls(scenario)));
    add(commits, explorer.run_all(scenario, explorer.broken_commits(scenario)));
    add(stale, explorer.run_all(scenario, every(long_one ? 8 : 2, explorer.stale_reads(scenario))));
  }
  add(pairs, explorer.crash_pairs(*find_scenario("create")));
  Tally transitions = explorer.run_transitions(single_transitions(), true);
  add(transitions, explorer.run_transitions(paired_transitions(), false));
  Tally all;
  for (const Tally* tally : {&crashes, &calls, &commits, &stale, &pairs, &transitions}) add(all, *tally);
  const double enumerated = now();
  limit = enumerated + (arguments.seconds > 0 ? arguments.seconds : kSwarmSeconds);
  constexpr int64_t kBatch = 250;  // of each scenario in turn
  for (uint64_t seed = arguments.seed; all.runs + swarm.runs < kSchedules && now() < limit; seed += kBatch)
    for (const Scenario& scenario : scenarios()) {
      // A long life costs as much as five short ones.
      const int64_t share = std::min(scenario.name == "life" ? kBatch / 5 : kBatch, kSchedules - all.runs - swarm.runs);
      if (share > 0) add(swarm, explorer.run_all(scenario, explorer.swarm(scenario, seed, share)));
    }
  figure("crash_single", "all", crashes, 0);
  figure("crash_pairs", "create", pairs, 0);
  figure("broken_calls", "all", calls, 0);
  figure("broken_commits", "all", commits, 0);
  figure("stale_reads", "all", stale, 0);
  figure("transitions", "all", transitions, 0);
  figure("swarm", "all", swarm, now() - enumerated);
  add(all, swarm);
  all.planned = all.runs;
  for (const Finding& finding : all.failures) print(finding);
  figure("simulation", "all", all, now() - begin);
  return all.violated == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&]() -> std::string { return i + 1 < argc ? argv[++i] : ""; };
    if (word == "--runs")
      arguments.runs = std::atoll(value().c_str());
    else if (word == "--seed")
      arguments.seed = std::strtoull(value().c_str(), nullptr, 10);
    else if (word == "--scenario")
      arguments.scenario = value();
    else if (word == "--schedule")
      arguments.schedule = value();
    else if (word == "--faults")
      arguments.faults = value();
    else if (word == "--threads")
      arguments.threads = std::atoi(value().c_str());
    else if (word == "--seconds")
      arguments.seconds = std::atof(value().c_str());
    else if (word == "--trace")
      arguments.trace = true;
    else if (word == "--enumerate")
      arguments.enumerate = true;
    else if (word == "--everyday")
      arguments.everyday = true;
    else if (word == "--transitions")
      arguments.transitions = true;
    else if (word == "--pairs")
      arguments.pairs = true;
    else
      return word == "-h" || word == "--help" ? usage(), 0 : usage();
  }
  log::configure(static_cast<log::Level>(99), log::Format::text);  // faults make errors; the trace tells them
  if (!arguments.schedule.empty()) return replay(arguments);
  if (arguments.everyday || argc == 1) return everyday(arguments);

  const double begin = now();
  Explorer::Options options;
  options.threads = arguments.threads;
  if (arguments.seconds > 0) options.enough = [&] { return now() - begin > arguments.seconds; };
  Explorer explorer(options);
  std::vector<Fault::Kind> allowed;
  for (size_t from = 0; from < arguments.faults.size();) {
    const size_t comma = std::min(arguments.faults.find(',', from), arguments.faults.size());
    const FaultRow* row = find_fault(arguments.faults.substr(from, comma - from));
    if (!row) return usage();
    allowed.push_back(row->kind);
    from = comma + 1;
  }
  int64_t violated = 0;
  const auto report = [&](const std::string& row, const Scenario& scenario, const Tally& tally, double since) {
    for (const Finding& failure : tally.failures) print(failure);
    figure(row, scenario.name, tally, now() - since);
    violated += tally.violated;
  };
  if (arguments.transitions && arguments.trace) {
    // One of them, by a part of its name.
    for (const auto& all : {single_transitions(), paired_transitions()})
      for (const Transition& transition : all)
        if (transition.name.find(arguments.scenario) != std::string::npos) {
          std::cout << transition.name << "\n" << SimWorld(transition.changed, {"transition", 1, {}}, {}).run().trace;
          return 0;
        }
    return usage();
  }
  if (arguments.transitions) {
    const double since = now();
    Tally tally = explorer.run_transitions(single_transitions(), true);
    add(tally, explorer.run_transitions(paired_transitions(), false));
    report("transitions", {}, tally, since);
    return violated == 0 ? 0 : 1;
  }
  for (const Scenario& scenario : scenarios()) {
    if (!arguments.scenario.empty() && scenario.name != arguments.scenario) continue;
    const RunResult clean = explorer.run(scenario, {scenario.name, arguments.seed, {}});
    if (clean.violation) {
      std::cout << scenario.name << " without faults: " << clean.violation->invariant << ": " << clean.violation->what
                << "\n";
      ++violated;
    }
    double since = now();
    if (arguments.enumerate) {
      report("crash_single", scenario, explorer.run_all(scenario, explorer.single_crashes(scenario)), since);
      since = now();
      report("broken_calls", scenario, explorer.run_all(scenario, explorer.broken_calls(scenario)), since);
      since = now();
      report("broken_commits", scenario, explorer.run_all(scenario, explorer.broken_commits(scenario)), since);
      since = now();
      report("stale_reads", scenario, explorer.run_all(scenario, explorer.stale_reads(scenario)), since);
      since = now();
      if (arguments.pairs) report("crash_pairs", scenario, explorer.crash_pairs(scenario), since);
    } else {
      report("swarm", scenario,
             explorer.run_all(scenario, explorer.swarm(scenario, arguments.seed, arguments.runs, allowed)), since);
    }
  }
  return violated == 0 ? 0 : 1;
}
