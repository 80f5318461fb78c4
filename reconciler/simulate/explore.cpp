#include "reconciler/simulate/explore.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

namespace trove::simulate {
namespace {

using Kind = Fault::Kind;
constexpr size_t kLastLines = 12;
// How long after the call: at once, within the time of an ordinary answer, after the next look at the cloud, and after
// everybody has given up waiting for it.
constexpr int64_t kLateMs[] = {0, 700, 12'000, 75'000};

constexpr int64_t kChangeCalls = 20;
constexpr Millis kChangeRest{60'000};

std::string last_lines(const std::string& trace) {
  size_t from = trace.size();
  for (size_t n = 0; n <= kLastLines && from > 0 && from != std::string::npos; ++n) from = trace.rfind('\n', from - 1);
  return trace.substr(from == std::string::npos || from == 0 ? 0 : from + 1);
}

Schedule with(const Scenario& scenario, std::vector<Fault> faults) { return {scenario.name, 1, std::move(faults)}; }

}  // namespace

std::string differences(const std::string& expected, const std::string& found) {
  std::string text;
  const auto lacking = [&](const std::string& of, const std::string& other, char mark) {
    for (size_t from = 0; from < of.size();) {
      const size_t end = of.find('\n', from);
      const std::string line = of.substr(from, end - from + 1);
      if (("\n" + other).find("\n" + line) == std::string::npos) text += std::string(1, mark) + ' ' + line;
      from = end + 1;
    }
  };
  lacking(expected, found, '-');
  lacking(found, expected, '+');
  return text;
}

void add(Tally& to, const Tally& more) {
  to.runs += more.runs;
  to.violated += more.violated;
  to.planned += more.planned;
  to.strikes += more.strikes;
  to.checked_twice += more.checked_twice;
  if (more.most_calls > to.most_calls) to.busiest = more.busiest;
  if (more.longest_rest > to.longest_rest) to.slowest = more.slowest;
  to.most_calls = std::max(to.most_calls, more.most_calls);
  to.longest_rest = std::max(to.longest_rest, more.longest_rest);
  to.failures.insert(to.failures.end(), more.failures.begin(), more.failures.end());
  for (const auto& [invariant, count] : more.by_invariant) to.by_invariant[invariant] += count;
}

const Baseline& Explorer::baseline(const Scenario& scenario) {
  const std::lock_guard lock(mutex_);
  auto found = baselines_.find(scenario.name);
  if (found == baselines_.end()) found = baselines_.emplace(scenario.name, learn(scenario, 1)).first;
  return found->second;
}

RunResult Explorer::run(const Scenario& scenario, const Schedule& schedule) {
  RunOptions options;
  options.clean = &baseline(scenario);
  return SimWorld(scenario, schedule, options).run();
}

Schedule Explorer::shrink(const Scenario& scenario, Schedule schedule, const std::string& invariant) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t i = 0; i < schedule.faults.size(); ++i) {
      Schedule less = schedule;
      less.faults.erase(less.faults.begin() + static_cast<std::ptrdiff_t>(i));
      const RunResult result = run(scenario, less);
      if (!result.violation || result.violation->invariant != invariant) continue;
      schedule = std::move(less);
      smaller = true;
      break;
    }
  }
  return schedule;
}

void Explorer::spread(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  const auto one_after_the_other = [&] {
    for (size_t i = next++; i < count; i = next++) {
      if (options_.enough && options_.enough()) return;
      work(i);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options_.threads; ++i) threads.emplace_back(one_after_the_other);
  one_after_the_other();
  for (std::thread& thread : threads) thread.join();
}

Tally Explorer::run_all(const Scenario& scenario, const std::vector<Schedule>& schedules,
                        const std::function<void(size_t, const RunResult&)>& each) {
  (void)baseline(scenario);
  Tally tally;
  tally.planned = static_cast<int64_t>(schedules.size());
  std::mutex mutex;
  spread(schedules.size(), [&](size_t i) {
    const RunResult result = run(scenario, schedules[i]);
    std::optional<Violation> violation = result.violation;
    const bool twice = options_.twice_every > 0 && static_cast<int64_t>(i) % options_.twice_every == 0;
    if (twice && !violation && run(scenario, schedules[i]).hash != result.hash)
      violation = Violation{"deterministic", "the same schedule took another course"};
    {
      const std::lock_guard lock(mutex);
      ++tally.runs;
      tally.checked_twice += twice;
      tally.strikes += static_cast<int64_t>(result.strikes);
      if (!violation && result.calls > tally.most_calls) {
        tally.most_calls = result.calls;
        tally.busiest = schedules[i];
      }
      if (!violation && result.rest > tally.longest_rest) {
        tally.longest_rest = result.rest;
        tally.slowest = schedules[i];
      }
      if (each) each(i, result);
      if (!violation) return;
      ++tally.violated;
      if (++tally.by_invariant[violation->invariant] > static_cast<int64_t>(options_.most_failures)) return;
    }
    Finding finding{shrink(scenario, schedules[i], violation->invariant), *violation, ""};
    const RunResult shrunk = run(scenario, finding.schedule);
    if (shrunk.violation) finding.violation = *shrunk.violation;
    finding.last_lines = last_lines(shrunk.trace);
    const std::lock_guard lock(mutex);
    tally.failures.push_back(std::move(finding));
  });
  return tally;
}

Tally Explorer::run_transitions(const std::vector<Transition>& transitions, bool faults) {
  Tally tally;
  tally.planned = static_cast<int64_t>(transitions.size()) * (1 + faults);
  std::mutex mutex;
  std::map<std::string, Baseline> fresh;  // by what is applied: many transitions end alike
  spread(transitions.size(), [&](size_t i) {
    const Transition& transition = transitions[i];
    std::string key;
    for (const Deed& deed : transition.fresh.deeds) key += deed.body;
    Baseline baseline;
    {
      const std::lock_guard lock(mutex);
      if (auto found = fresh.find(key); found != fresh.end()) baseline = found->second;
    }
    if (baseline.state.empty()) {
      baseline = learn(transition.fresh, 1);
      // A change costs calls and time of its own.
      baseline.calls += kChangeCalls;
      baseline.rest += kChangeRest;
      const std::lock_guard lock(mutex);
      fresh[key] = baseline;
    }
    RunOptions options;
    options.clean = &baseline;
    Schedule schedule{transition.changed.name, 1 + i, {}};
    RunResult result = SimWorld(transition.changed, schedule, options).run();
    if (faults && !result.violation) {
      const auto place = [&](int64_t of, uint64_t prime) {
        return 1 + static_cast<int64_t>((i * prime) % static_cast<uint64_t>(std::max<int64_t>(of, 1)));
      };
      schedule.faults = {{Kind::crash, "", place(result.extent.boundaries, 7919), 0},
                         {Kind::lost_reply, "", place(result.extent.calls, 104729), 0}};
      result = SimWorld(transition.changed, schedule, options).run();
    }
    const std::lock_guard lock(mutex);
    tally.runs += 1 + faults;
    tally.strikes += static_cast<int64_t>(result.strikes);
    if (!result.violation) return;
    ++tally.violated;
    if (++tally.by_invariant[result.violation->invariant] > static_cast<int64_t>(options_.most_failures)) return;
    Finding finding{schedule, *result.violation, ""};
    finding.violation.what = transition.name + " " + finding.violation.what;
    finding.last_lines = last_lines(result.trace) + differences(baseline.state, result.state);
    tally.failures.push_back(std::move(finding));
  });
  return tally;
}

std::vector<Schedule> Explorer::single_crashes(const Scenario& scenario) {
  std::vector<Schedule> all;
  for (int64_t n = 1; n <= baseline(scenario).extent.boundaries; ++n)
    all.push_back(with(scenario, {{Kind::crash, "", n, 0}}));
  return all;
}

Tally Explorer::crash_pairs(const Scenario& scenario) {
  // The second crash may lie anywhere in what the first one leaves to be done.
  const std::vector<Schedule> firsts = single_crashes(scenario);
  std::vector<int64_t> reach(firsts.size(), 0);
  (void)run_all(scenario, firsts, [&](size_t i, const RunResult& result) { reach[i] = result.extent.boundaries; });
  std::vector<Schedule> pairs;
  for (size_t i = 0; i < firsts.size(); ++i)
    for (int64_t second = firsts[i].faults[0].at + 1; second <= reach[i]; ++second)
      pairs.push_back(with(scenario, {firsts[i].faults[0], {Kind::crash, "", second, 0}}));
  return run_all(scenario, pairs);
}

std::vector<Schedule> Explorer::stale_reads(const Scenario& scenario) {
  std::vector<Schedule> all;
  for (int64_t n = 2; n <= baseline(scenario).extent.observations; ++n)
    for (int64_t back = 1; back < n; ++back) all.push_back(with(scenario, {{Kind::stale, "", n, back}}));
  return all;
}

std::vector<Schedule> Explorer::broken_calls(const Scenario& scenario) {
  std::vector<Schedule> all;
  for (int64_t n = 1; n <= baseline(scenario).extent.calls; ++n) {
    all.push_back(with(scenario, {{Kind::lost_request, "", n, 0}}));
    all.push_back(with(scenario, {{Kind::lost_reply, "", n, 0}}));
    all.push_back(with(scenario, {{Kind::throttle, "", n, 3'000}}));
    for (int64_t ms : kLateMs) {
      all.push_back(with(scenario, {{Kind::late, "", n, ms}}));
      all.push_back(with(scenario, {{Kind::duplicate, "", n, ms}}));
    }
  }
  return all;
}

std::vector<Schedule> Explorer::broken_commits(const Scenario& scenario) {
  std::vector<Schedule> all;
  const Extent& extent = baseline(scenario).extent;
  for (int64_t n = 1; n <= extent.commits; ++n)
    for (Kind kind : {Kind::io_error, Kind::ambiguous, Kind::conflict})
      all.push_back(with(scenario, {{kind, "", n, 0}}));
  // And a store that cannot write for a while, from each second on: what was decided meanwhile is not remembered.
  for (Millis at{0}; at < extent.length; at += Millis{1'000})
    all.push_back(with(scenario, {{Kind::disk_full, "", at.count(), 5'000}}));
  return all;
}

std::vector<Schedule> Explorer::swarm(const Scenario& scenario, uint64_t first_seed, int64_t runs,
                                      const std::vector<Fault::Kind>& allowed) {
  std::vector<Schedule> all;
  const Extent& extent = baseline(scenario).extent;
  for (int64_t i = 0; i < runs; ++i)
    all.push_back(draw_schedule(scenario.name, first_seed + static_cast<uint64_t>(i), extent, allowed));
  return all;
}

}  // namespace trove::simulate
