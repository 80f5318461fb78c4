// Power and kill: whatever was acknowledged is there afterwards. The committing process is this program again.
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <thread>
#include "specs/core/real.hpp"
#include "tests/store/stores.hpp"
#include "tests/support/process.hpp"

using namespace trove;

namespace {
constexpr const char* kPathVariable = "TROVE_TEST_CRASH_STORE";
}

// Hidden: started by the test below, and killed.
TEST_CASE("commits until it is killed", "[.]") {
  const char* path = std::getenv(kPathVariable);
  REQUIRE(path != nullptr);
  RealClock clock;
  auto store = open_sqlite_store(path, clock);
  if (!store) {
    std::printf("refused %s\n", store.error().message.c_str());
    std::fflush(stdout);
    return;
  }
  const std::string boot = value_of(**store, kBootEpochKey);
  std::vector<std::thread> writers;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < 1'000'000; ++i) {
        const std::string id = boot + "-" + std::to_string(w) + "-" + std::to_string(i);
        const auto done = (*store)->commit(txn({absent("/a/" + id)}, {put("/a/" + id, id), put("/b/" + id, id)}, id));
        if (!done) return;
        const std::string line = "ack " + std::to_string(*done) + " " + id + "\n";
        std::fwrite(line.data(), 1, line.size(), stdout);
        std::fflush(stdout);
      }
    });
  }
  for (auto& writer : writers) writer.join();
}

TEST_CASE("what was acknowledged before kill -9 is there afterwards") {
  TempDir directory;
  const std::string path = directory / "trove.db";
  SeededRng rng(20260927);
  FakeClock clock;
  std::map<std::string, Revision> acknowledged;
  ProcessOptions options;
  options.env = {std::string(kPathVariable) + "=" + path};
  for (int round = 1; round <= 12; ++round) {
    Process child({"/proc/self/exe", "commits until it is killed"}, options);
    REQUIRE(child.wait_for("ack ", Millis{20'000}));
    ::poll(nullptr, 0, static_cast<int>(rng.below(80)));
    child.signal(SIGKILL);
    REQUIRE(child.wait(Millis{20'000}).has_value());
    std::istringstream lines(child.out());
    size_t fresh = 0;
    for (std::string word, id; lines >> word;) {
      Revision revision = 0;
      if (word == "ack" && lines >> revision >> id && lines.get() == '\n') {
        acknowledged[id] = revision;
        ++fresh;
      }
    }
    REQUIRE(fresh > 0);

    auto store = open_sqlite_store(path, clock);
    REQUIRE(code_of(store) == "ok");
    size_t found = 0;
    std::string from = "/a/";
    for (bool more = true; more;) {
      const auto page = (*store)->range(from, prefix_end("/a/"), 0).value();
      for (const auto& kv : page.items) {
        auto known = acknowledged.find(kv.value);
        if (known == acknowledged.end()) continue;  // committed, and killed before it could say so
        ++found;
        if (kv.modified != known->second || value_of(**store, "/b/" + kv.value) != kv.value)
          FAIL("round " << round << ": " << kv.key << " is not what was acknowledged");
      }
      if (!page.items.empty()) from = page.items.back().key + '\0';
      more = page.more;
    }
    INFO("round " << round);
    REQUIRE(found == acknowledged.size());
  }
}
