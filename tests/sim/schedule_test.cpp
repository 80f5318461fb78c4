#include <catch2/catch.hpp>
#include <set>

#include "reconciler/simulate/schedule.hpp"

using namespace trove;
using namespace trove::simulate;

namespace {

std::string reprinted(const std::string& text) {
  auto schedule = parse_schedule(text);
  return schedule ? to_string(*schedule) : schedule.error().message;
}

}  // namespace

TEST_CASE("a schedule is read back as it was printed") {
  const std::string text =
      "scenario life; seed 7; crash 17; crash 23; stale 3 1; partial servers 4; outage nova 3000 20000; clock 100 "
      "-3600000; "
      "late 4 2500; foreign; user-edit 40; pause 12 25000";
  CHECK(reprinted(text) == text);
  CHECK(reprinted("crash 1") == "scenario create; seed 1; crash 1");
  CHECK(reprinted("  crash 1 ;; stale 2 3;") == "scenario create; seed 1; crash 1; stale 2 3");
}

TEST_CASE("every kind of fault is read back as it was printed") {
  for (const FaultRow& row : fault_rows()) {
    Schedule schedule;
    Fault fault{row.kind, "", row.at == FaultRow::At::nothing ? 0 : 5, row.has_value ? 7 : 0};
    fault.which = row.words.substr(0, row.words.find(' '));
    schedule.faults.push_back(fault);
    INFO(to_string(schedule));
    auto read = parse_schedule(to_string(schedule));
    REQUIRE(read);
    CHECK(*read == schedule);
    CHECK(&row_of(row.kind) == &row);
    CHECK_FALSE(row.doc.empty());
  }
}

TEST_CASE("what is no schedule is refused with what it should be") {
  const char* wrong[] = {"crush 1",
                         "crash",
                         "crash 0",
                         "crash x",
                         "crash 1 2",
                         "stale 3",
                         "outage 1 2",
                         "late 1 -5",
                         "late 1",
                         "outage moon 1 2",
                         "foreign 1",
                         "seed x",
                         "crash 99999999999999999999"};
  for (const char* text : wrong) {
    INFO(text);
    auto schedule = parse_schedule(text);
    REQUIRE_FALSE(schedule);
    CHECK(schedule.error().code == Code::invalid);
    CHECK_FALSE(schedule.error().hint.empty());
  }
}

TEST_CASE("a swarm is drawn from its seed alone and reaches every kind of fault") {
  const Extent extent{100, 20, 5, 40, Millis{60'000}};
  std::set<std::string> kinds;
  std::set<std::string> drawn;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const Schedule schedule = draw_schedule("create", seed, extent, {});
    CHECK(schedule == draw_schedule("create", seed, extent, {}));
    drawn.insert(to_string(schedule));
    for (const Fault& fault : schedule.faults) {
      kinds.insert(std::string(row_of(fault.kind).name));
      CHECK(fault.at <= extent.of(row_of(fault.kind).at));
    }
    CHECK(*parse_schedule(to_string(schedule)) == schedule);
  }
  CHECK(kinds.size() == fault_rows().size());
  CHECK(drawn.size() == 300);
  for (const Fault& fault : draw_schedule("create", 3, extent, {Fault::Kind::crash}).faults)
    CHECK(fault.kind == Fault::Kind::crash);
}
