// Backups, their segments and the schedules that make them, over the simulated cloud.
#include <catch2/catch.hpp>

#include "kinds/shop.hpp"
#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

TEST_CASE("a schedule makes one backup a due time and retention keeps the newest") {
  LoopWorld world;
  world.apply(kShop);
  world.apply(R"(
apiVersion: trove/v1alpha1
kind: BackupSchedule
metadata: {name: nightly}
spec: {instanceRef: {name: orders-db}, schedule: "0 * * * *", retention: {keepLast: 3}}
)");
  world.run(Millis{60'000});
  world.run(Millis{10 * 3'600'000});
  auto backups = world.objects->list("p", "Backup", 100);
  REQUIRE(backups);
  CHECK(backups->items.size() == 3);
  for (const Resource& backup : backups->items) CHECK(backup.status["phase"].text() == "Completed");
  CHECK(world.cloud.objects().size() == 3);
}

TEST_CASE("a Backup goes with all of its segments, whoever dies in the middle") {
  LoopWorld world;
  world.options.backup_segment_bytes = 1'000;
  world.boot();
  std::vector<guest::BackupOrder> orders;
  world.adjust = [&](guest::Report& report, const guest::Document& document) {
    for (auto& backup : report.backups) backup.segments = 151;
    if (!document.backups.empty()) orders = document.backups;
  };
  world.apply(kShop);
  world.run(Millis{60'000});
  world.apply(
      "apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b}\nspec: {instanceRef: {name: orders-db}, "
      "deletionPolicy: Delete}\n");
  world.run(Millis{30'000});
  const Resource backup = *world.get("Backup", "b");
  CHECK(backup.status["segments"].int_or(0) == 151);
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].segment_bytes == 1'000);
  const std::string key = "p/" + backup.metadata.uid;
  CHECK(orders[0].segments_url.starts_with("/objects/" + key + ".?expires="));

  auto& stored = world.cloud.objects();
  const auto put = [&](const std::string& object) { stored[object] = {object, 1}; };
  for (int number = 1; number <= 150; ++number) put(guest::segment_url(key + ".", number));
  const std::vector<std::string> others = {key + ".notes", key + "1.00001", "q/" + backup.metadata.uid + ".00001"};
  for (const std::string& other : others) put(other);
  world.run(Millis{30'000});
  // The first part of them is gone, and so is who removed it.
  world.remove("Backup", "b");
  for (int i = 0; i < 100 && stored.size() == 154; ++i)
    if (const Millis wait = world.turn(); wait > Millis{0}) world.clock.advance(wait);
  CHECK(stored.size() == 54);
  CHECK(stored.contains(key));
  CHECK(world.get("Backup", "b"));
  world.boot();
  world.run(Millis{60'000});
  CHECK_FALSE(world.get("Backup", "b"));
  CHECK(stored.size() == others.size());
  for (const std::string& other : others) CHECK(stored.contains(other));
  // One that was on its way all the time.
  put(guest::segment_url(key + ".", 151));
  world.run(Millis{60'000});
  CHECK(stored.size() == others.size());
}

TEST_CASE("the segments of a backup that failed half way go with it") {
  LoopWorld world;
  world.adjust = [&](guest::Report& report, const guest::Document&) {
    for (auto& backup : report.backups) backup.state = "Failed", backup.message = "segment 3: the upload was answered with 503";
  };
  world.apply(kShop);
  world.run(Millis{60'000});
  world.apply(
      "apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b}\nspec: {instanceRef: {name: orders-db}, "
      "deletionPolicy: Delete}\n");
  world.run(Millis{30'000});
  const Resource backup = *world.get("Backup", "b");
  CHECK(backup.status["phase"].text() == "Failed");
  CHECK(backup.status["message"].text().starts_with("segment 3"));
  CHECK(backup.status["segments"].is_null());
  const std::string key = "p/" + backup.metadata.uid;
  for (const std::string& left : {key, guest::segment_url(key + ".", 1)}) world.cloud.objects()[left] = {left, 1};
  world.run(Millis{30'000});
  world.remove("Backup", "b");
  world.run(Millis{30'000});
  CHECK_FALSE(world.get("Backup", "b"));
  CHECK(world.cloud.objects().empty());
}

TEST_CASE("a guest of an earlier release is not told of segments") {
  LoopWorld world;
  std::vector<guest::BackupOrder> orders;
  world.adjust = [&](guest::Report& report, const guest::Document& document) {
    report.cuts_backups = false;
    if (!document.backups.empty()) orders = document.backups;
  };
  world.apply(kShop);
  world.run(Millis{60'000});
  world.apply("apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b}\nspec: {instanceRef: {name: orders-db}}\n");
  world.run(Millis{30'000});
  CHECK(world.get("Backup", "b")->status["phase"].text() == "Completed");
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].segment_bytes == 0);
  CHECK(orders[0].segments_url.empty());
}

TEST_CASE("runs missed while the control plane was down become one run") {
  for (bool skip : {false, true}) {
    LoopWorld world;
    world.apply(kShop);
    world.apply(std::string("apiVersion: trove/v1alpha1\nkind: BackupSchedule\nmetadata: {name: hourly}\n"
                            "spec: {instanceRef: {name: orders-db}, schedule: \"0 * * * *\", missedRunPolicy: ") +
                (skip ? "Skip" : "RunOnce") + "}\n");
    world.run(Millis{60'000});
    world.clock.advance(Millis{380 * 3'600'000LL + 1'800'000});
    world.boot();
    world.run(Millis{60'000});
    CHECK(world.objects->list("p", "Backup", 1000)->items.size() == (skip ? 0 : 1));
  }
}

TEST_CASE("a failing backup is retried by nobody and retention never takes the last good one") {
  LoopWorld world;
  world.apply(kShop);
  world.apply(R"(
apiVersion: trove/v1alpha1
kind: BackupSchedule
metadata: {name: nightly}
spec: {instanceRef: {name: orders-db}, schedule: "0 * * * *", retention: {keepLast: 1}}
)");
  world.run(Millis{3'700'000});
  world.adjust = [](guest::Report& report, const guest::Document&) {
    for (auto& backup : report.backups) backup.state = "Failed", backup.message = "no space";
  };
  world.run(Millis{5 * 3'600'000});
  size_t good = 0;
  const auto backups = world.objects->list("p", "Backup", 100);
  for (const Resource& backup : backups->items)
    good += backup.status["phase"].text() == "Completed";
  CHECK(good == 1);
}
