#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>

#include "reconciler/simulate/explore.hpp"
#include "specs/core/log.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::simulate;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kShare = 10;  // the same code at a tenth of the speed
#else
constexpr int kShare = 1;
#endif

struct Quiet {
  Quiet() { log::configure(static_cast<log::Level>(99), log::Format::text); }
};
const Quiet quiet;

std::string told(const Tally& tally) {
  std::string text;
  for (const Finding& finding : tally.failures)
    text += to_string(finding.schedule) + "\n" + finding.violation.invariant + ": " + finding.violation.what + "\n" +
            finding.last_lines + "\n";
  return text;
}

std::vector<Schedule> every(size_t nth, std::vector<Schedule> all) {
  std::vector<Schedule> some;
  for (size_t i = 0; i < all.size(); i += nth) some.push_back(std::move(all[i]));
  return some;
}

}  // namespace

TEST_CASE("every scenario converges without faults and ends where its next run ends") {
  for (const Scenario& scenario : scenarios()) {
    INFO(scenario.name);
    const RunResult one = SimWorld(scenario, {scenario.name, 1, {}}, {}).run();
    INFO((one.violation ? one.violation->what : "") << "\n" << one.trace);
    CHECK_FALSE(one.violation);
    CHECK(one.calls > 0);
    CHECK(one.extent.boundaries > 50);
    const RunResult other = SimWorld(scenario, {scenario.name, 2, {}}, {}).run();
    CHECK(other.state == one.state);
    CHECK(other.hash != one.hash);  // other ids
  }
}

TEST_CASE("the same schedule takes the same course") {
  Explorer explorer({});
  for (const Scenario& scenario : scenarios())
    for (const Schedule& schedule : explorer.swarm(scenario, 100, 5)) {
      const RunResult one = explorer.run(scenario, schedule);
      const RunResult two = explorer.run(scenario, schedule);
      INFO(to_string(schedule));
      CHECK(one.trace == two.trace);
      CHECK(one.hash == two.hash);
    }
}

TEST_CASE("a control plane that dies anywhere goes on where it was") {
  Explorer explorer({.threads = 1});
  for (const char* name : {"create", "leave", "late"}) {
    const Scenario& scenario = *find_scenario(name);
    const Tally tally = explorer.run_all(scenario, every(kShare, explorer.single_crashes(scenario)));
    INFO(told(tally));
    CHECK(tally.violated == 0);
    CHECK(tally.strikes >= tally.runs);  // each one did die
  }
}

TEST_CASE("answers that are old or lost or late and commits that fail change nothing in the end") {
  Explorer explorer({.threads = 1});
  for (const char* name : {"create", "leave"}) {
    const Scenario& scenario = *find_scenario(name);
    for (const auto& schedules :
         {explorer.stale_reads(scenario), explorer.broken_calls(scenario), explorer.broken_commits(scenario)}) {
      const Tally tally = explorer.run_all(scenario, every(3 * kShare, schedules));
      INFO(told(tally));
      CHECK(tally.violated == 0);
    }
  }
}

TEST_CASE("a swarm of faults breaks no invariant") {
  Explorer explorer({.threads = 1});
  for (const Scenario& scenario : scenarios()) {
    const Tally tally = explorer.run_all(scenario, explorer.swarm(scenario, 5'000, 60 / kShare));
    INFO(told(tally));
    CHECK(tally.violated == 0);
    CHECK(tally.strikes > tally.runs);
  }
}

TEST_CASE("a failing schedule is shrunk to what it needs") {
  // A person who demands what the API has to refuse: an expectation of ours that cannot hold.
  Scenario scenario = *find_scenario("create");
  scenario.deeds.push_back({Millis{20'000}, "", {"p", "Database", "orders"}, true});
  Explorer explorer({});
  Schedule schedule{"create", 3, {{Fault::Kind::crash, "", 9, 0}, {Fault::Kind::lose_server, "", 6'000, 0}}};
  const RunResult result = explorer.run(scenario, schedule);
  REQUIRE(result.violation);
  CHECK(result.violation->invariant == "refused");
  CHECK(explorer.shrink(scenario, schedule, "refused").faults.empty());
}

TEST_CASE("a data volume that is lost is held and never replaced by an empty one") {
  const Scenario& scenario = *find_scenario("create");
  Explorer explorer({});
  const RunResult result =
      explorer.run(scenario, *parse_schedule("scenario create; lose-volume 15000; lose-server 16000"));
  INFO(result.trace);
  CHECK_FALSE(result.violation);
  CHECK(result.state.find("DATA_SAFETY_HOLD") != std::string::npos);
  CHECK(result.state.find("volume of") == std::string::npos);
}

TEST_CASE("a paused control plane that wakes up records nothing and the other has done the work") {
  const Scenario& scenario = *find_scenario("create");
  Explorer explorer({});
  int64_t paused = 0;
  for (int64_t n = 1; n <= explorer.baseline(scenario).extent.boundaries; n += 1 + kShare / 2) {
    const RunResult result = explorer.run(scenario, {"create", 1, {{Fault::Kind::pause, "", n, 25'000}}});
    INFO("pause " << n << "\n" << result.trace);
    REQUIRE_FALSE(result.violation);
    paused += result.trace.find("goes on with") != std::string::npos;
  }
  CHECK(paused > explorer.baseline(scenario).extent.boundaries / (2 + kShare));
}

TEST_CASE("no password reaches the log") {
  TempDir dir;
  const std::string path = dir / "log";
  const int saved = ::dup(2);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  REQUIRE(file >= 0);
  ::dup2(file, 2);
  log::configure(log::Level::debug, log::Format::json);
  std::vector<std::string> passwords;
  for (const char* name : {"create", "late"}) {
    const RunResult run =
        SimWorld(*find_scenario(name), *parse_schedule("crash 20; lost-reply 2; io-error 9"), {}).run();
    passwords.insert(passwords.end(), run.secrets.begin(), run.secrets.end());
  }
  log::configure(static_cast<log::Level>(99), log::Format::text);
  ::dup2(saved, 2);
  ::close(saved);
  ::close(file);
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK(text.str().find("nova.server.create") != std::string::npos);
  CHECK(passwords.size() == 3);  // one generated, two that a person chose
  for (const std::string& password : passwords) CHECK(text.str().find(password) == std::string::npos);
}

TEST_CASE("schedules that once broke an invariant hold") {
  std::ifstream file(std::string(TROVE_SOURCE_DIR) + "/tests/sim/found");
  REQUIRE(file);
  Explorer explorer({});
  int held = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    INFO(line);
    auto schedule = parse_schedule(line);
    REQUIRE(schedule);
    const Scenario* scenario = find_scenario(schedule->scenario);
    REQUIRE(scenario);
    const RunResult result = explorer.run(*scenario, *schedule);
    INFO((result.violation ? result.violation->invariant + ": " + result.violation->what : ""));
    CHECK_FALSE(result.violation);
    ++held;
  }
  CHECK(held > 20);
}
