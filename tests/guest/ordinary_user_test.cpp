// Every engine for somebody who is not root. Run as root, the test runs itself again as nobody.
#include <catch2/catch.hpp>
#include <unistd.h>
#include <filesystem>
#include "tests/guest/bed.hpp"
#include "tests/support/process.hpp"

namespace trove::guest {

TEST_CASE("all engines come up for the user that runs the agent", "[.ordinary]") {
  for (const Engine engine : {Engine::mariadb, Engine::postgresql, Engine::redis, Engine::memcached}) {
    INFO(to_string(engine));
    Bed bed(engine, engine != Engine::memcached);
    if (engine == Engine::mariadb || engine == Engine::postgresql)
      bed.document.databases = {{"orders", "", "", "", Drift::correct}};
    REQUIRE(bed.settle());
    CHECK(bed.plane.latest().engine_message == "");
    for (const auto& d : bed.plane.latest().databases) CHECK(d.state + d.message == "Applied");
    if (engine == Engine::memcached) continue;
    bed.document.backups = {{"b", "http://store/b"}};
    REQUIRE(bed.settle());
    REQUIRE(bed.eventually([](const Report& r) { return !r.backups.empty() && r.backups[0].state != "Running"; }));
    CHECK(bed.plane.latest().backups[0].state + bed.plane.latest().backups[0].message == "Completed");
  }
}

TEST_CASE("an ordinary user runs every engine") {
  TempDir dir;
  const std::string program = dir / "test_guest";
  std::filesystem::copy_file("/proc/self/exe", program);
  std::vector<std::string> argv = {program, "all engines come up for the user that runs the agent"};
  if (geteuid() == 0) argv.insert(argv.begin(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"});
  ProcessOptions options;
  options.directory = "/";
  const Exit exit = run(argv, options, Millis{300'000});
  INFO(exit.out << exit.err);
  CHECK(exit.code == 0);
  CHECK(exit.out.find("All tests passed") != std::string::npos);
}

}  // namespace trove::guest
