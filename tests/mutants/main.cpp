// Runs the simulation until an invariant breaks or the schedules are used up, and says which it was in one JSON line.
// Built by tests/mutants/run from changed sources; exit code 1 when something broke.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <thread>
#include "reconciler/simulate/explore.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

using namespace trove;
using namespace trove::simulate;

namespace {

constexpr int64_t kRound = 25;      // schedules of one scenario before the next one's turn
constexpr double kLongestRun = 20;  // of one schedule, in seconds: a thousand times what it takes

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Found {
  Violation violation;
  Schedule schedule;
};

const double started = now();
std::atomic<double> moved{started};  // when the last schedule ended
std::atomic<int64_t> runs{0};

int print(const std::optional<Found>& found) {
  const char* name = std::getenv("TROVE_MUTANT");
  Value line = Value::map({{"mutant", name && *name ? name : "none"},
                           {"caught", found.has_value()},
                           {"schedules", runs.load()},
                           {"seconds", static_cast<double>(static_cast<int64_t>((now() - started) * 10)) / 10}});
  if (found) {
    line.set("invariant", found->violation.invariant);
    line.set("what", printable(found->violation.what, 160));
    line.set("schedule", to_string(found->schedule));
  }
  std::cout << dump_json(line) << std::endl;
  return found ? 1 : 0;
}

// A mistake may make the simulation go round without end: that is found as well.
void watch_over() {
  std::thread([] {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (now() - moved > kLongestRun) std::_Exit(print(Found{{"ends", "a run goes on and on"}, {}}));
    }
  }).detach();
}

class Search {
 public:
  Search(int threads, double seconds) : end_(now() + seconds), explorer_(options(threads)) {}

  std::optional<Found> run(int64_t schedules) {
    for (const Scenario& scenario : scenarios()) {
      if (done()) return found_;
      const Schedule clean{scenario.name, 1, {}};
      if (RunResult result = explorer_.run(scenario, clean); result.violation) found_ = {{*result.violation, clean}};
      done_one();
    }
    for (int64_t begin = 0; begin < schedules; begin += kRound) {
      for (const Scenario& scenario : scenarios()) {
        if (done()) return found_;
        look_at(scenario, explorer_.swarm(scenario, 1 + static_cast<uint64_t>(begin), kRound));
      }
    }
    // What shows only when one certain commit fails, a swarm may miss for long.
    for (const Scenario& scenario : scenarios()) {
      if (done()) return found_;
      look_at(scenario, explorer_.broken_commits(scenario));
    }
    return found_;
  }

 private:
  static void done_one() {
    ++runs;
    moved = now();
  }
  Explorer::Options options(int threads) {
    Explorer::Options options;
    options.threads = threads;
    options.twice_every = 1'000'000;
    options.most_failures = 0;  // nothing is shrunk: that something breaks is all there is to know
    options.enough = [this] { return done(); };
    return options;
  }
  bool done() {
    const std::lock_guard lock(mutex_);
    return found_.has_value() || now() > end_;
  }
  void look_at(const Scenario& scenario, const std::vector<Schedule>& schedules) {
    explorer_.run_all(scenario, schedules, [&](size_t i, const RunResult& result) {
      done_one();
      const std::lock_guard lock(mutex_);
      if (result.violation && !found_) found_ = {{*result.violation, schedules[i]}};
    });
  }

  const double end_;
  std::mutex mutex_;
  std::optional<Found> found_;
  Explorer explorer_;
};

}  // namespace

int main(int argc, char** argv) {
  const int64_t schedules = argc > 1 ? std::atoll(argv[1]) : 200;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 300;
  log::configure(static_cast<log::Level>(99), log::Format::text);
  watch_over();
  return print(Search(threads, seconds).run(schedules));
}
