// The tools that other tests stand on.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <poll.h>
#include <sys/stat.h>
#include "support/clock.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

using namespace trove;

TEST_CASE("a program gets its input and environment and gives its output and code") {
  ProcessOptions options;
  options.env = {"WORD=hello"};
  options.input = "from stdin";
  const Exit exit = run({"sh", "-c", "echo $WORD; cat; echo err >&2; exit 3"}, options, Millis{10'000});
  CHECK(exit.code == 3);
  CHECK(exit.out == "hello\nfrom stdin");
  CHECK(exit.err == "err\n");
  CHECK_FALSE(exit.timed_out);
}

TEST_CASE("big input and output do not block each other") {
  ProcessOptions options;
  options.input = std::string(5'000'000, 'x');
  const Exit exit = run({"cat"}, options, Millis{20'000});
  CHECK(exit.code == 0);
  CHECK(exit.out.size() == options.input.size());
}

TEST_CASE("a program that ends before reading its input is no error") {
  ProcessOptions options;
  options.input = std::string(1'000'000, 'x');
  CHECK(run({"true"}, options, Millis{10'000}).code == 0);
}

TEST_CASE("a deadline kills the whole group") {
  const Exit exit = run({"sh", "-c", "sleep 100 & echo $!; wait"}, {}, Millis{200});
  CHECK(exit.timed_out);
  CHECK(exit.signal == SIGKILL);
  const pid_t child = std::stoi(exit.out);
  // It dies a little later, and may stay a zombie until init collects it.
  const auto dead = [&] {
    const std::string state = read_file("/proc/" + std::to_string(child) + "/stat");
    return state.empty() || state.find(") Z ") != std::string::npos;
  };
  for (int i = 0; i < 1000 && !dead(); ++i) poll(nullptr, 0, 10);
  CHECK(dead());
}

TEST_CASE("signals and waiting for words") {
  ProcessOptions options;
  options.close_stdin = false;
  Process process(
      {"sh", "-c",
       "trap 'echo caught; exit 0' TERM; echo ready; while read -r l; do echo got $l; done; sleep 100 & wait"},
      options);
  CHECK(process.wait_for("ready", Millis{10'000}));
  process.feed("one\n");
  CHECK(process.wait_for("got one", Millis{10'000}));
  CHECK(process.running());
  CHECK_FALSE(process.wait(Millis{1}).has_value());
  process.close_stdin();
  process.signal(SIGTERM);
  const auto exit = process.wait(Millis{10'000});
  REQUIRE(exit.has_value());
  CHECK_FALSE(process.running());
  CHECK(process.out().starts_with("ready\ngot one\n"));
}

TEST_CASE("a program that cannot start throws") { CHECK_THROWS(Process({"/nonexistent/program"})); }

TEST_CASE("a temporary directory is open to others and goes away") {
  std::filesystem::path path;
  {
    TempDir dir;
    path = dir.path();
    write_file(path / "file", "bytes");
    CHECK(read_file(dir / "file") == "bytes");
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0755);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("the fake clock moves only when told") {
  FakeClock clock;
  const Time wall = clock.wall();
  const Millis monotonic = clock.monotonic();
  CHECK(format_time(wall) == "2026-09-27T12:00:00Z");
  clock.advance(Millis{1500});
  CHECK(clock.wall() - wall == Millis{1500});
  CHECK(clock.monotonic() - monotonic == Millis{1500});
  clock.set_wall(Time{5});
  CHECK(clock.wall() == Time{5});
  CHECK(clock.monotonic() - monotonic == Millis{1500});
}
