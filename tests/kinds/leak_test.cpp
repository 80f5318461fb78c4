// Things with our mark whose owner nobody knows.
#include <catch2/catch.hpp>
#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

constexpr Millis kHour{3'600'000};
const char* kStranger = "99999999-2222-4333-8444-555555555555";

const char* kOrders = R"(
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: orders}
spec: {datastore: {type: mariadb}, flavor: db.nano, volume: {size: 1}}
)";

// A server, a port and a volume with our mark, and three that only look like it.
void plant(LoopWorld& world) {
  const Token server{kStranger, "server-0", 1}, port{kStranger, "port-0", 0}, volume{kStranger, "data", 0};
  world.cloud.plant(Port{.id = "lost-port", .name = "lost-0", .token = port, .address = "10.77.9.1"});
  world.cloud.plant(Server{.id = "lost-server", .name = "lost-0", .token = server, .status = Server::Status::active});
  world.cloud.plant(CloudVolume{.id = "lost-volume", .name = "lost-data", .token = volume});
  world.cloud.plant(Port{.id = "their-port", .name = to_string(port), .address = "10.77.9.2"});
  world.cloud.plant(Server{.id = "their-server", .name = to_string(server), .status = Server::Status::active});
  world.cloud.plant(CloudVolume{.id = "their-volume", .name = to_string(volume)});
}

std::string ids(Loop& loop) {
  std::string out;
  for (const LeakSeen& leak : loop.leaks()) out += (out.empty() ? "" : " ") + leak.what + "/" + leak.id;
  return out;
}

}  // namespace

TEST_CASE("what has leaked is reported and stays") {
  LoopWorld world;
  world.apply(kOrders);
  world.run(Millis{60'000});
  plant(world);
  world.run(Millis{30'000});
  CHECK(ids(*world.loop) == "");  // not at the first sight
  const size_t calls = world.cloud.calls();
  world.run(48 * kHour);
  CHECK(ids(*world.loop) == "port/lost-port server/lost-server volume/lost-volume");
  CHECK_FALSE(world.loop->leaks().front().removed_at);
  CHECK(world.cloud.calls() == calls);
}

TEST_CASE("by the operator's word servers and ports that leaked go after their time, and volumes never") {
  LoopWorld world;
  world.options.remove_leaks_after = 2 * kHour;
  world.boot();
  world.apply(kOrders);
  world.run(Millis{60'000});
  plant(world);
  world.run(kHour);
  CHECK(world.cloud.servers().contains("lost-server"));
  CHECK(world.loop->leaks().front().removed_at);
  world.run(2 * kHour);
  CHECK_FALSE(world.cloud.servers().contains("lost-server"));
  CHECK_FALSE(world.cloud.ports().contains("lost-port"));
  CHECK(world.cloud.volumes().contains("lost-volume"));
  CHECK(ids(*world.loop) == "volume/lost-volume");
  for (const char* id : {"their-server", "their-port", "their-volume"})
    CHECK((world.cloud.servers().contains(id) || world.cloud.ports().contains(id) || world.cloud.volumes().contains(id)));
  CHECK(world.condition("DatabaseInstance", "orders", "Ready") == "True");
}

TEST_CASE("an owner that is back has no leaks") {
  LoopWorld world;
  world.options.remove_leaks_after = 2 * kHour;
  world.boot();
  plant(world);
  world.run(kHour);
  CHECK(ids(*world.loop) == "port/lost-port server/lost-server volume/lost-volume");
  // A store that was restored later.
  Resource orders;
  orders.kind = "DatabaseInstance";
  orders.metadata.project = "p";
  orders.metadata.name = "lost";
  orders.metadata.uid = kStranger;
  orders.metadata.generation = 1;
  orders.spec = *parse_json(R"({"datastore":{"type":"redis"},"flavor":"db.nano","suspend":true})");
  Txn txn;
  world.objects->stage_put(txn, orders, "user:test");
  REQUIRE(world.objects->commit(txn).has_value());
  world.run(4 * kHour);
  CHECK(ids(*world.loop) == "");
  CHECK(world.cloud.servers().contains("lost-server"));
}

TEST_CASE("a list that cannot be read makes no leaks and ends none") {
  LoopWorld world;
  plant(world);
  world.run(Millis{120'000});
  const std::string before = ids(*world.loop);
  CHECK(before == "port/lost-port server/lost-server volume/lost-volume");
  world.cloud.faults.blind_observe = 1000;
  world.run(Millis{120'000});
  CHECK(ids(*world.loop) == before);
}

// A Cinder backup brings the metadata back as well.
TEST_CASE("where the volume in use is lost, others with its mark are named and stay, however many") {
  LoopWorld world;
  world.apply(kOrders);
  world.run(Millis{60'000});
  const CloudVolume used = world.cloud.volumes().begin()->second;
  for (const char* id : {"copy-1", "copy-2"})
    world.cloud.plant(CloudVolume{
        .id = id, .name = used.name, .token = used.token, .status = CloudVolume::Status::available, .size_gib = 1});
  world.cloud.lose_volume(used.id);
  world.run(Millis{300'000});
  CHECK(world.cloud.volumes().size() == 2);
  const auto conditions = conditions_of(world.get("Volume", "orders-data")->status);
  const Condition* ready = find_condition(conditions, "Ready");
  REQUIRE(ready);
  CHECK(ready->message ==
        "volume " + used.id + " is gone from the cloud; not used and not touched, though they carry its mark: copy-1 copy-2");
}
