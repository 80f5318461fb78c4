// A converged instance whose facts a test changes one at a time: what the cloud is seen to hold, what the store says,
// what the loop has heard of it.
#pragma once
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "reconciler/guard/guard.hpp"
#include "support/loop_world.hpp"

namespace trove {

inline constexpr const char* kBenchSet = R"(
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: i}
spec: {datastore: {type: mariadb}, flavor: db.tiny, volume: {size: 2}}
---
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: other}
spec: {datastore: {type: mariadb}, flavor: db.tiny, volume: {size: 2}}
---
apiVersion: trove/v1alpha1
kind: Database
metadata: {name: d}
spec: {instanceRef: {name: i}}
---
apiVersion: trove/v1alpha1
kind: User
metadata: {name: u}
spec: {instanceRef: {name: i}, password: {generate: {length: 20}}}
)";
inline constexpr const char* kNobody = "99999999-2222-4333-8444-555555555555";

struct Bench {
  LoopWorld world;
  World facts;
  const Key instance{"p", "DatabaseInstance", "i"}, volume{"p", "Volume", "i-data"};
  Server server, other;
  CloudVolume disk, other_disk;
  Port port;
  bool store_answers = true;

  explicit Bench(const std::string& more = "") {
    world.apply(kBenchSet + more);
    world.run(Millis{60'000});
    facts = world.loop->snapshot();
    const std::string uid = world.get("DatabaseInstance", "i")->metadata.uid;
    for (const auto& [id, one] : world.cloud.servers()) (one.token.uid == uid ? server : other) = one;
    for (const auto& [id, one] : world.cloud.ports())
      if (one.token.uid == uid) port = one;
    for (const auto& [id, one] : world.cloud.volumes()) (id == server.volume_id ? disk : other_disk) = one;
    REQUIRE(server.token.uid == uid);
    REQUIRE(disk.id == server.volume_id);
  }
  // What the cloud is seen to hold from now on.
  void see(const std::function<void(Inventory&)>& change) {
    auto inventory = std::make_shared<Inventory>(*facts.inventory);
    change(*inventory);
    facts.set_inventory(inventory);
  }
  // Not in a list any more: as long as it is not proven to be gone, nobody knows.
  void lose_server() {
    see([&](Inventory& i) { std::erase_if(i.servers, [&](const Server& s) { return s.id == server.id; }); });
    notice();
  }
  void lose_port() {
    see([&](Inventory& i) { std::erase_if(i.ports, [&](const Port& p) { return p.id == port.id; }); });
    notice();
  }
  void lose_volume() {
    see([&](Inventory& i) { std::erase_if(i.volumes, [&](const CloudVolume& v) { return v.id == disk.id; }); });
    notice();
  }
  void notice() {
    (void)facts.edit_ledger().observe(*facts.inventory, world.clock.monotonic(), [](const std::string&) { return true; });
  }
  void see_server(const std::function<void(Server&)>& change) {
    see([&](Inventory& i) {
      for (Server& one : i.servers)
        if (one.id == server.id) change(one);
    });
  }
  void see_volume(const std::function<void(CloudVolume&)>& change) {
    see([&](Inventory& i) { change(seen_volume(i)); });
  }
  CloudVolume& seen_volume(Inventory& i) {
    for (CloudVolume& one : i.volumes)
      if (one.id == disk.id) return one;
    throw std::runtime_error("no volume");
  }
  // Nothing that was made is waited for: what is not in a list is not there.
  void forget_intents() { facts.ledger = std::make_shared<Ledger>(); }
  // As a person or another thread has it, and the loop has not heard yet.
  void store(const Key& key, const std::function<void(Resource&)>& change) {
    Resource resource = *world.get(key.kind, key.name);
    change(resource);
    Txn txn;
    world.objects->stage_put(txn, resource, "user:test");
    world.objects->stage_status(txn, resource);
    REQUIRE(world.objects->commit(txn));
  }
  // And the loop has heard.
  void know(const Key& key, const std::function<void(Resource&)>& change) {
    store(key, change);
    facts.put(make_object(*world.get(key.kind, key.name)));
  }
  static void marked(Resource& resource) { resource.metadata.deletion_timestamp = Time{1'790'510'400'000}; }
  static void ended(Resource& resource) {
    marked(resource);
    resource.spec.set("deletionPolicy", "Delete");
  }
  void retained(Resource& resource) const {
    marked(resource);
    resource.spec.set("deletionPolicy", "Retain");
  }
  // What the instance's guest said last.
  void hear(const std::function<void(guest::Report&)>& change) { change(*facts.guests[to_string(server.token)].report); }
  void pass(Millis time) {
    facts.now = facts.now + time;
    facts.steady = facts.steady + time;
  }
  // An owner that is gone, and by whose word its data goes as well, or does not.
  void buried(bool destroy) {
    auto gone = std::make_shared<std::map<std::string, Gone>>(*facts.gone);
    (*gone)[kNobody] = {{"p", "DatabaseInstance", "was"}, destroy};
    facts.gone = gone;
  }

  FreshRead reader() {
    return [this](const Key& key) -> Result<std::optional<Resource>> {
      if (!store_answers) return fail(Code::unavailable, "the store is away");
      return world.objects->get(key);
    };
  }
  std::string verdict(Effect effect, const Key& object) {
    Guardian guardian(reader());
    auto allowed = guardian.check({std::move(effect), object}, facts);
    return allowed ? "passes" : allowed.error().message;
  }
  template <class Call>
  std::string cloud(Call call, const Key& object) {
    return verdict(Effect{CloudAction{std::move(call)}}, object);
  }
};

}  // namespace trove
