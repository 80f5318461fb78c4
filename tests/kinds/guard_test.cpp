// The guardian refuses what breaks an invariant, whatever a planner says: actions here are made by hand, as a broken
// planner would make them.
#include <catch2/catch.hpp>

#include "reconciler/guard/guard.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

const char* kOne = R"(
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: i}
spec: {datastore: {type: mariadb}, flavor: db.tiny, volume: {size: 2}}
---
apiVersion: trove/v1alpha1
kind: Database
metadata: {name: d}
spec: {instanceRef: {name: i}, deletionPolicy: Delete}
)";

struct Case {
  LoopWorld world;
  World facts;
  Key instance{"p", "DatabaseInstance", "i"}, volume{"p", "Volume", "i-data"};
  Server server;
  CloudVolume disk;
  Port port;

  Case() {
    world.apply(kOne);
    world.run(Millis{60'000});
    refresh();
    server = world.cloud.servers().begin()->second;
    disk = world.cloud.volumes().begin()->second;
    port = world.cloud.ports().begin()->second;
  }
  void refresh() { facts = world.loop->snapshot(); }
  // "" when it passes, else why not.
  std::string ask_effect(Effect effect, const Key& object) {
    Guardian guardian([this](const Key& key) { return world.objects->get(key); });
    auto allowed = guardian.check({std::move(effect), object}, facts);
    return allowed ? "" : allowed.error().message;
  }
  template <class Call>
  std::string ask(Call call, const Key& object) {
    return ask_effect(Effect{CloudAction{std::move(call)}}, object);
  }
  void blind() {
    auto inventory = std::make_shared<Inventory>(*facts.inventory);
    inventory->servers_known = inventory->volumes_known = inventory->ports_known = false;
    facts.set_inventory(inventory);
  }
};

bool says(const std::string& why, const std::string& part) { return why.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a working server of a living instance is never deleted") {
  Case c;
  CHECK(says(c.ask(DeleteServer{c.server.token, c.server.id}, c.instance), "works"));
}

TEST_CASE("nothing without our token is changed or deleted") {
  Case c;
  Token foreign{"somebody-else", "server-0", 1};
  CHECK(says(c.ask(DeleteServer{foreign, c.server.id}, c.instance), "token"));
  CHECK(says(c.ask(DeleteServer{{}, c.server.id}, c.instance), "token"));
  CHECK(says(c.ask(DeleteVolume{foreign, c.disk.id}, c.volume), "token"));
  CHECK(says(c.ask(UpdatePort{foreign, c.port.id, {}}, c.instance), "token"));
  CHECK(says(c.ask(StartServer{foreign, c.server.id}, c.instance), "token"));
  CHECK(says(c.ask(ExtendVolume{foreign, c.disk.id, 2, 3}, c.volume), "token"));
}

TEST_CASE("data goes only when its object is deleted with deletionPolicy Delete") {
  Case c;
  c.world.cloud.lose_server(c.server.id);
  c.world.guests_answer = false;
  auto inventory = std::make_shared<Inventory>(c.world.cloud.observe());
  c.facts.set_inventory(inventory);
  CHECK(says(c.ask(DeleteVolume{c.disk.token, c.disk.id}, c.volume), "deletionPolicy Delete"));
  auto stored = *c.world.get("Volume", "i-data");
  stored.metadata.deletion_timestamp = c.world.clock.wall();
  Txn txn;
  c.world.objects->stage_put(txn, stored, "user:test");
  REQUIRE(c.world.objects->commit(txn));
  CHECK(says(c.ask(DeleteVolume{c.disk.token, c.disk.id}, c.volume), "deletionPolicy Delete"));
  stored = *c.world.get("Volume", "i-data");
  stored.spec.set("deletionPolicy", "Delete");
  Txn again;
  c.world.objects->stage_put(again, stored, "user:test");
  REQUIRE(c.world.objects->commit(again));
  CHECK(c.ask(DeleteVolume{c.disk.token, c.disk.id}, c.volume).empty());
}

TEST_CASE("an attached volume is neither deleted nor given to a second server") {
  Case c;
  CHECK(says(c.ask(DeleteVolume{c.disk.token, c.disk.id}, c.volume), "attached"));
  CHECK(says(
      c.ask(
          CreateServer{{c.server.token.uid, "server-0", 2}, "p", "i-0", "db.tiny", "mariadb", "", c.port.id, c.disk.id},
          c.instance),
      "has a server"));
}

TEST_CASE("a volume never shrinks") {
  Case c;
  CHECK(says(c.ask(ExtendVolume{c.disk.token, c.disk.id, 2, 1}, c.volume), "shrinks"));
  CHECK(says(c.ask(ExtendVolume{c.disk.token, c.disk.id, 2, 2}, c.volume), "shrinks"));
  CHECK(c.ask(ExtendVolume{c.disk.token, c.disk.id, 2, 3}, c.volume).empty());
}

TEST_CASE("a volume is given the type that its spec asks for now, and no other") {
  Case c;
  const RetypeVolume retype{c.disk.token, c.disk.id, c.disk.type, "fast"};
  CHECK(says(c.ask(retype, c.volume), "no spec asks for type fast"));
  auto stored = *c.world.get("Volume", "i-data");
  stored.spec.set("type", "fast");
  c.world.put(stored);
  CHECK(c.ask(retype, c.volume).empty());  // read afresh: the loop has not heard of it yet
  CHECK(says(c.ask(retype, c.instance), "is not the one it names"));
  CHECK(says(c.ask(RetypeVolume{{"somebody-else", "data", 1}, c.disk.id, "", "fast"}, c.volume), "token"));
  CHECK(says(c.ask(RetypeVolume{c.disk.token, c.disk.id, "fast", "__DEFAULT__"}, c.volume), "no spec asks"));
  CHECK(says(c.ask(RetypeVolume{c.disk.token, c.disk.id, "fast", ""}, c.volume), "no spec asks"));
  c.world.remove("Volume", "i-data");
  CHECK(says(c.ask(retype, c.volume), "no spec asks"));
  c.blind();
  CHECK_FALSE(c.ask(retype, c.volume).empty());
}

TEST_CASE("from an unknown world nothing is created replaced or deleted") {
  Case c;
  c.blind();
  CHECK_FALSE(c.ask(DeleteServer{c.server.token, c.server.id}, c.instance).empty());
  CHECK_FALSE(c.ask(DeleteVolume{c.disk.token, c.disk.id}, c.volume).empty());
  CHECK_FALSE(c.ask(DeletePort{c.port.token, c.port.id}, c.instance).empty());
  CHECK_FALSE(c.ask(CreatePort{c.port.token, "p", "x", {}}, c.instance).empty());
  CHECK_FALSE(c.ask(CreateVolume{c.disk.token, "p", "x", 1, ""}, c.volume).empty());
  CHECK_FALSE(
      c.ask(CreateServer{c.server.token, "p", "i-0", "db.tiny", "mariadb", "", c.port.id, c.disk.id}, c.instance)
          .empty());
  CHECK_FALSE(c.ask_effect(Effect{RemoveObject{c.instance, c.server.token.uid}}, c.instance).empty());
}

TEST_CASE("what exists already is not made twice") {
  Case c;
  CHECK(says(c.ask(CreatePort{c.port.token, "p", "x", {}}, c.instance), "exists"));
  CHECK(says(c.ask(CreateVolume{c.disk.token, "p", "x", 1, ""}, c.volume), "exists"));
}

TEST_CASE("a document drops only what a person deleted") {
  Case c;
  guest::Document document;
  document.dropped_databases = {"d"};
  CHECK(says(c.ask_effect(Effect{PutGuestDocument{c.server.token, document}}, c.instance), "no deleted Database"));
  document.dropped_databases = {};
  document.dropped_users = {{"somebody", "%"}};
  CHECK(says(c.ask_effect(Effect{PutGuestDocument{c.server.token, document}}, c.instance), "no deleted User"));
  c.world.guests_answer = false;
  c.world.remove("Database", "d");
  c.world.turn();
  c.world.turn();
  c.refresh();
  document.dropped_users = {};
  document.dropped_databases = {"d"};
  CHECK(c.ask_effect(Effect{PutGuestDocument{c.server.token, document}}, c.instance).empty());
}

TEST_CASE("an object is forgotten only when it is being deleted and its servers are gone") {
  Case c;
  const std::string uid = c.server.token.uid;
  CHECK_FALSE(c.ask_effect(Effect{RemoveObject{c.instance, uid}}, c.instance).empty());
  CHECK(says(c.ask_effect(Effect{RemoveObject{c.volume, c.disk.token.uid}}, c.volume), "not being deleted"));
}

TEST_CASE("a stored backup goes with its segments, and only with its own") {
  Case c;
  c.world.apply(
      "apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b}\nspec: {instanceRef: {name: i}, deletionPolicy: "
      "Delete}\n");
  c.world.run(Millis{10'000});
  c.refresh();
  const Key key{"p", "Backup", "b"};
  const std::string stored = "p/" + c.world.get("Backup", "b")->metadata.uid;
  CHECK(says(c.ask(DeleteStoredObject{stored + ".00001"}, key), "deletionPolicy Delete"));
  auto backup = *c.world.get("Backup", "b");
  backup.metadata.deletion_timestamp = c.world.clock.wall();
  Txn txn;
  c.world.objects->stage_put(txn, backup, "user:test");
  REQUIRE(c.world.objects->commit(txn));
  CHECK(c.ask(DeleteStoredObject{stored}, key).empty());
  CHECK(c.ask(DeleteStoredObject{stored + ".00001"}, key).empty());
  for (const std::string& other : {stored + ".notes", stored + ".1", stored + "0.00001", "q" + stored.substr(1)})
    CHECK(says(c.ask(DeleteStoredObject{other}, key), "is not the object's"));
}

TEST_CASE("plans delete only what belongs to them and never the last good backup") {
  Case c;
  CHECK(says(c.ask_effect(Effect{DeleteObject{{"p", "Database", "d"}, c.world.get("Database", "d")->metadata.uid, "x"}},
                          c.instance),
             "does not belong"));
  c.world.apply(
      "apiVersion: trove/v1alpha1\nkind: BackupSchedule\nmetadata: {name: s}\nspec: {instanceRef: {name: i}, schedule: "
      "\"0 * * * *\"}\n");
  c.world.run(Millis{3'700'000});
  c.refresh();
  auto backups = c.world.objects->list("p", "Backup", 10);
  REQUIRE(backups->items.size() == 1);
  const Resource& backup = backups->items.front();
  CHECK(says(
      c.ask_effect(Effect{DeleteObject{backup.key(), backup.metadata.uid, "retention"}}, {"p", "BackupSchedule", "s"}),
      "last good backup"));
}

TEST_CASE("the brake stops a fleet from being replaced at once") {
  Case c;
  for (int i = 0; i < 10; ++i)
    c.world.apply("apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: x" + std::to_string(i) +
                  "}\nspec: {datastore: {type: mariadb}, flavor: db.tiny, volume: {size: 1}}\n");
  c.world.run(Millis{60'000});
  REQUIRE(c.world.cloud.servers().size() == 11);
  std::vector<std::string> all;
  for (const auto& [id, server] : c.world.cloud.servers()) all.push_back(id);
  for (const std::string& id : all) c.world.cloud.lose_server(id);
  c.world.run(Millis{15'000});
  CHECK(c.world.cloud.servers().size() == 3);
  c.world.run(Millis{1'200'000});
  CHECK(c.world.cloud.servers().size() == 11);
}
