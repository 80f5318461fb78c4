// access.public and availabilityZone, by the loop over the simulated cloud.
#include <catch2/catch.hpp>
#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

std::string orders(const std::string& more) {
  return "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {datastore: {type: mariadb}, "
         "flavor: db.tiny, volume: {size: 1}" + more + "}\n";
}

std::string endpoint(LoopWorld& world, const char* which) {
  return world.get("DatabaseInstance", "orders")->status["endpoints"][which].text();
}

}  // namespace

TEST_CASE("a public instance has a second endpoint, and loses it live") {
  LoopWorld world;
  world.apply(orders(", access: {public: true}"));
  world.run(Millis{60'000});
  const std::string inside = endpoint(world, "primary"), outside = endpoint(world, "public");
  CHECK(outside.starts_with("203.0.113."));
  CHECK(outside.ends_with(":3306"));
  CHECK(world.condition("DatabaseInstance", "orders", "Synced") == "True");
  const std::string server = world.cloud.servers().begin()->first;

  world.apply(orders(", access: {public: false}"));
  world.run(Millis{60'000});
  CHECK(endpoint(world, "public").empty());
  CHECK(endpoint(world, "primary") == inside);
  CHECK(world.cloud.ports().begin()->second.public_address.empty());
  CHECK(world.cloud.servers().begin()->first == server);

  // Once more: a change of the spec, and no drift.
  world.apply(orders(", access: {public: true}, drift: Report"));
  world.run(Millis{60'000});
  CHECK(endpoint(world, "public") == outside);
  CHECK(world.get("DatabaseInstance", "orders")->status["drift"].empty());
}

TEST_CASE("a public address that somebody took away is drift, corrected or reported as asked") {
  for (const bool report : {false, true}) {
    LoopWorld world;
    world.apply(orders(report ? ", access: {public: true}, drift: Report" : ", access: {public: true}"));
    world.run(Millis{60'000});
    REQUIRE_FALSE(endpoint(world, "public").empty());
    world.cloud.model().ports.begin()->second.public_address.clear();
    world.run(Millis{60'000});
    CHECK(endpoint(world, "public").empty() == report);
    CHECK(world.get("DatabaseInstance", "orders")->status["drift"].empty() == !report);
    // Another change of access does not bring it back by the way.
    world.apply(orders(std::string(", access: {public: true, allowedCidrs: [10.0.0.0/8]}") +
                       (report ? ", drift: Report" : "")));
    world.run(Millis{60'000});
    CHECK(world.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.0.0.0/8"});
    CHECK(endpoint(world, "public").empty() == report);
  }
}

TEST_CASE("a floating IP that is left of a deleted instance is deleted, and one of nobody we know is a leak") {
  LoopWorld world;
  world.apply(orders(", deletionPolicy: Delete"));
  world.run(Millis{60'000});
  const std::string uid = world.get("DatabaseInstance", "orders")->metadata.uid;
  world.remove("DatabaseInstance", "orders");
  world.run(Millis{60'000});
  REQUIRE_FALSE(world.get("DatabaseInstance", "orders"));
  const Token ours{uid, "port-0", 1}, unknown{"99999999-2222-4333-8444-555555555555", "port-0", 1};
  world.cloud.strays = {{"fip-1", "203.0.113.1", ours}, {"fip-2", "203.0.113.2", unknown}, {"fip-3", "203.0.113.3", {}}};
  world.run(Millis{180'000});
  REQUIRE(world.cloud.strays.size() == 2);
  CHECK(world.cloud.strays.front().id == "fip-2");
  REQUIRE(world.loop->leaks().size() == 1);
  CHECK(world.loop->leaks().front().what == "floating IP");
  CHECK(world.loop->leaks().front().id == "fip-2");
}

TEST_CASE("server and inline volume are made in the instance's zone") {
  LoopWorld world;
  world.apply(orders(", availabilityZone: nova"));
  world.run(Millis{60'000});
  CHECK(world.condition("DatabaseInstance", "orders", "Ready") == "True");
  CHECK(world.get("Volume", "orders-data")->spec["availabilityZone"].text() == "nova");
  CHECK(world.cloud.model().server_more.begin()->second.zone == "nova");
  CHECK(world.cloud.model().volume_more.begin()->second.zone == "nova");
}

TEST_CASE("a zone that the cloud does not know stalls with a code and the cloud's words") {
  LoopWorld world;
  world.apply(orders(", availabilityZone: mars"));
  world.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: data}\nspec: {size: 1, availabilityZone: mars}\n");
  world.run(Millis{30'000});
  for (const char* name : {"orders-data", "data"}) {
    const auto volume = world.get("Volume", name);
    INFO(dump_json(volume->status));
    CHECK(world.condition("Volume", name, "Stalled") == "True");
    CHECK_FALSE(volume->status["lastError"]["code"].text().empty());
    CHECK(volume->status["lastError"]["message"].text().find("Availability zone 'mars' is invalid") != std::string::npos);
  }
  CHECK(world.cloud.volumes().empty());
  CHECK(world.cloud.servers().empty());
}

TEST_CASE("a server is made in the instance's server group, also the one that replaces it, and in no other") {
  LoopWorld world;
  world.apply(orders(", serverGroup: apart"));
  world.run(Millis{60'000});
  CHECK(world.condition("DatabaseInstance", "orders", "Ready") == "True");
  const auto group_of_only_server = [&] {
    REQUIRE(world.cloud.servers().size() == 1);
    return world.cloud.model().server_more.at(world.cloud.servers().begin()->first).group;
  };
  CHECK(group_of_only_server() == "apart");
  const std::string first = world.cloud.servers().begin()->first;
  REQUIRE(world.cloud.model().delete_server(first));
  world.run(Millis{180'000});
  CHECK(world.cloud.servers().begin()->first != first);
  CHECK(group_of_only_server() == "apart");

  LoopWorld other;
  other.apply(orders(", serverGroup: nowhere"));
  other.run(Millis{60'000});
  CHECK(other.condition("DatabaseInstance", "orders", "Stalled") == "True");
  const auto orders = other.get("DatabaseInstance", "orders");
  CHECK(orders->status["lastError"]["message"].text().find("there is no server group nowhere") != std::string::npos);
  CHECK(other.cloud.servers().empty());
}

TEST_CASE("how a server joined is forgotten with its owner, also when that was stored late") {
  LoopWorld world;
  world.apply(orders(", deletionPolicy: Delete"));
  world.run(Millis{60'000});
  const std::string uid = world.get("DatabaseInstance", "orders")->metadata.uid;
  world.remove("DatabaseInstance", "orders");
  world.run(Millis{60'000});
  REQUIRE_FALSE(world.get("DatabaseInstance", "orders"));
  const std::string stranger = "99999999-2222-4333-8444-555555555555";
  Txn txn;
  for (const std::string& one : {uid, stranger}) txn.ops.push_back({Op::Kind::put, "/join/" + one + "/server-0/1", "{}", 0});
  REQUIRE(world.store->commit(txn).has_value());
  world.run(Millis{1'300'000});
  const auto left = world.store->range("/join/", prefix_end("/join/"), 0);
  REQUIRE(left->items.size() == 1);
  CHECK(left->items.front().key.find(stranger) != std::string::npos);
}
