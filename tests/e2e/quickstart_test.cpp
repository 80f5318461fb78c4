// The README's first command, as a newcomer runs it: twice, then stop, then again with the data still there.
#include <unistd.h>
#include <filesystem>
#include <catch2/catch.hpp>

#include "support/system.hpp"

using namespace trove;

namespace {

int agents_below(const std::string& directory) {
  int found = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::string command = read_file(entry.path() / "cmdline");
    if (command.find("trove-guest") != std::string::npos && command.find(directory) != std::string::npos) ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("quickstart makes four databases from examples shop twice and stops what it started") {
  TempDir dir;
  ProcessOptions options;
  options.env = {"TROVE_QUICKSTART_DIR=" + (dir / "q"), std::string("TROVE_QUICKSTART_BIN=") + TROVE_BIN_DIR,
                 "TROVE_QUICKSTART_SUBNET=127." + std::to_string(241 + ::getpid() % 10) + ".0.0/16", "NO_COLOR=1"};
  const std::string script = std::string(TROVE_SOURCE_DIR) + "/examples/quickstart";
  auto quickstart = [&](std::vector<std::string> words) {
    words.insert(words.begin(), script);
    return run(std::move(words), options, Millis{300'000});
  };
  struct Stop {  // whatever happens
    decltype(quickstart)& call;
    ~Stop() { call({"stop"}); }
  } stop{quickstart};
  Exit first = quickstart({});
  INFO(first.out << first.err);
  REQUIRE(first.code == 0);
  CHECK(agents_below(dir / "q") == 4);
  for (const char* part : {"orders-db", "catalog-db", "sessions", "page-cache"})
    CHECK(first.out.find(part) != std::string::npos);
  Exit second = quickstart({});
  INFO(second.out << second.err);
  REQUIRE(second.code == 0);
  CHECK(second.out.find("created") == std::string::npos);
  CHECK(second.out.find("configured") == std::string::npos);
  Exit stopped = quickstart({"stop"});
  INFO(stopped.out << stopped.err);
  REQUIRE(stopped.code == 0);
  CHECK(agents_below(dir / "q") == 0);
  Exit again = quickstart({});
  INFO(again.out << again.err);
  CHECK(again.code == 0);
}
