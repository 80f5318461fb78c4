// Each reason of the guardian's, by itself: a world in which an action may pass, and one that differs in the one fact
// that forbids it.
#include <catch2/catch.hpp>

#include "kinds/bench.hpp"

using namespace trove;

namespace {

Catch::Matchers::StdString::ContainsMatcher says(const std::string& part) { return Catch::Matchers::Contains(part); }
const auto kPasses = Catch::Matchers::Equals("passes");

Token nobodys(const char* role) { return {kNobody, role, 1}; }
const Key kOrphanKey{"", kOrphan, kNobody};

}  // namespace

TEST_CASE("guardian: an instance is forgotten when nothing of it is left in the cloud") {
  Bench b;
  const RemoveObject remove{b.instance, b.server.token.uid};
  CHECK_THAT(b.verdict(remove, b.instance), says("still exist"));
  CHECK_THAT(b.verdict(RemoveObject{b.instance, kNobody}, b.instance), says("gone already"));
  CHECK_THAT(b.verdict(RemoveObject{{"p", "DatabaseInstance", "no"}, kNobody}, b.instance), says("gone already"));
  b.lose_server();
  CHECK_THAT(b.verdict(remove, b.instance), says("the cloud is unknown"));  // it was made, and nobody knows it gone
  b.forget_intents();
  CHECK_THAT(b.verdict(remove, b.instance), says("still exist"));  // the port
  b.lose_port();
  CHECK_THAT(b.verdict(remove, b.instance), says("is not being deleted"));
  b.know(b.instance, Bench::marked);
  CHECK_THAT(b.verdict(remove, b.instance), kPasses);
  b.see([](Inventory& i) { i.ports_known = false; });
  CHECK_THAT(b.verdict(remove, b.instance), says("the cloud is unknown"));
  b.see([](Inventory& i) { i.servers_known = false, i.ports_known = true; });
  CHECK_THAT(b.verdict(remove, b.instance), says("the cloud is unknown"));
  b.know(b.instance, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); });
  CHECK_THAT(b.verdict(remove, b.instance), kPasses);  // it is only looked at, and stays where it is
}

TEST_CASE("guardian: a volume's object goes after its volume, or leaves it") {
  Bench b;
  const RemoveObject remove{b.volume, b.disk.token.uid};
  b.know(b.volume, [&](Resource& r) { b.retained(r); });
  CHECK_THAT(b.verdict(remove, b.volume), kPasses);
  b.know(b.volume, Bench::ended);
  CHECK_THAT(b.verdict(remove, b.volume), says("not known to be gone"));
  b.lose_volume();
  CHECK_THAT(b.verdict(remove, b.volume), says("not known to be gone"));
  b.forget_intents();
  CHECK_THAT(b.verdict(remove, b.volume), kPasses);
  b.see([](Inventory& i) { i.volumes_known = false; });
  CHECK_THAT(b.verdict(remove, b.volume), says("not known to be gone"));
  b.know(b.volume, [](Resource& r) { r.spec.set("managementPolicy", "Observe"); });
  CHECK_THAT(b.verdict(remove, b.volume), kPasses);
}

TEST_CASE("guardian: other objects are forgotten when they are deleted, operations when they are over") {
  Bench b;
  const Key database{"p", "Database", "d"};
  const RemoveObject remove{database, b.world.get("Database", "d")->metadata.uid};
  CHECK_THAT(b.verdict(remove, database), says("is not being deleted"));
  b.know(database, Bench::marked);
  CHECK_THAT(b.verdict(remove, database), kPasses);
  b.world.apply(
      "apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {name: o}\nspec: {instanceRef: {name: i}, restart: "
      "{}}\n");
  const Resource operation = *b.world.get("Operation", "o");
  b.facts.put(make_object(operation));
  CHECK_THAT(b.verdict(RemoveObject{operation.key(), operation.metadata.uid}, operation.key()), kPasses);
  CHECK_THAT(b.verdict(CreateObject{operation}, b.instance), kPasses);
  CHECK_THAT(b.verdict(UpdateObject{operation, "x"}, b.instance), kPasses);
  CHECK_THAT(b.verdict(GenerateSecret{{"p", "Secret", "s"}, {}, 20}, b.instance), kPasses);
}

TEST_CASE("guardian: a plan deletes the volume of its instance by the instance's word, read afresh") {
  Bench b;
  const DeleteObject gone{b.volume, b.disk.token.uid, "the instance goes"};
  CHECK_THAT(b.verdict(gone, b.instance), says("not being deleted with deletionPolicy Delete"));
  CHECK_THAT(b.verdict(gone, {"p", "DatabaseInstance", "other"}), says("does not belong"));
  CHECK_THAT(b.verdict(gone, {"p", "DatabaseInstance", "no"}), says("does not belong"));
  CHECK_THAT(b.verdict(DeleteObject{b.volume, kNobody, ""}, b.instance), says("gone already"));
  b.know(b.volume, [](Resource& r) { r.metadata.owner_references.push_back({"DatabaseInstance", "second", kNobody}); });
  CHECK_THAT(b.verdict(DeleteObject{{"p", "Volume", "no"}, kNobody, ""}, b.instance), says("gone already"));
  b.store(b.instance, [&](Resource& r) { b.retained(r); });
  CHECK_THAT(b.verdict(gone, b.instance), says("not being deleted with deletionPolicy Delete"));
  b.store(b.instance, Bench::ended);
  CHECK_THAT(b.verdict(gone, b.instance), kPasses);
  b.store_answers = false;
  CHECK_THAT(b.verdict(gone, b.instance), says("the store is away"));
  b.store_answers = true;
  Txn txn;
  b.world.objects->stage_remove(txn, *b.world.get("DatabaseInstance", "i"));
  REQUIRE(b.world.objects->commit(txn));
  CHECK_THAT(b.verdict(gone, b.instance), says("not being deleted with deletionPolicy Delete"));
}

TEST_CASE("guardian: a schedule deletes a backup while another good one stays") {
  Bench b;
  b.world.apply(
      "apiVersion: trove/v1alpha1\nkind: BackupSchedule\nmetadata: {name: s}\nspec: {instanceRef: {name: i}, schedule: "
      "\"0 * * * *\", retention: {keepLast: 9}}\n");
  b.world.run(Millis{2 * 3'700'000});
  b.facts = b.world.loop->snapshot();
  const Key schedule{"p", "BackupSchedule", "s"};
  const std::vector<Resource> backups = b.world.objects->list("p", "Backup", 10)->items;
  REQUIRE(backups.size() == 2);
  const DeleteObject gone{backups[0].key(), backups[0].metadata.uid, "retention"};
  CHECK_THAT(b.verdict(gone, schedule), kPasses);
  b.know(backups[1].key(), [](Resource& r) { r.status.set("phase", "Failed"); });
  CHECK_THAT(b.verdict(gone, schedule), says("last good backup of i"));
  CHECK_THAT(b.verdict(DeleteObject{backups[1].key(), backups[1].metadata.uid, ""}, schedule), kPasses);
  b.know(backups[1].key(), [](Resource& r) {
    r.status.set("phase", "Completed");
    Bench::marked(r);
  });
  CHECK_THAT(b.verdict(gone, schedule), says("last good backup of i"));
}

TEST_CASE("guardian: ports") {
  Bench b;
  const DeletePort remove{b.port.token, b.port.id};
  CHECK_THAT(b.cloud(UpdatePort{b.port.token, b.port.id, {}}, b.instance), kPasses);
  CHECK_THAT(b.cloud(UpdatePort{b.port.token, "no", {}}, b.instance), says("not in the cloud any more"));
  CHECK_THAT(b.cloud(remove, b.instance), says("the instance is not being deleted"));
  CHECK_THAT(b.cloud(remove, {"p", "DatabaseInstance", "other"}), says("is not the one it names"));
  CHECK_THAT(b.cloud(remove, {"p", "DatabaseInstance", "no"}), says("is not the one it names"));
  b.know(b.instance, Bench::marked);
  CHECK_THAT(b.cloud(remove, b.instance), says("a server uses the port"));
  b.lose_server();
  CHECK_THAT(b.cloud(remove, b.instance), kPasses);
  b.see([&](Inventory& i) {
    for (Port& one : i.ports)
      if (one.id == b.port.id) one.device_id.clear();
  });
  CHECK_THAT(b.cloud(remove, b.instance), kPasses);
  const CreatePort make{b.port.token, "p", "i-0", {}};
  CHECK_THAT(b.cloud(make, b.instance), says("a port with this token exists"));
  b.lose_port();
  CHECK_THAT(b.cloud(make, b.instance), says("the ports are unknown"));
  b.forget_intents();
  CHECK_THAT(b.cloud(make, b.instance), kPasses);
  CHECK_THAT(b.cloud(make, {"p", "DatabaseInstance", "other"}), says("is not the one it names"));
}

TEST_CASE("guardian: volumes") {
  Bench b;
  const CreateVolume make{b.disk.token, "p", "i-data", 2, ""};
  CHECK_THAT(b.cloud(make, b.volume), says("a volume with this token exists"));
  b.lose_volume();
  CHECK_THAT(b.cloud(make, b.volume), says("the volumes are unknown"));
  b.forget_intents();
  CHECK_THAT(b.cloud(make, b.volume), says("had data"));
  CHECK_THAT(b.cloud(make, b.instance), says("is not the one it names"));
  b.know(b.volume, [](Resource& r) { r.status.set("unused", true); });
  CHECK_THAT(b.cloud(make, b.volume), kPasses);
  b.know(b.volume, [](Resource& r) {
    r.status.set("unused", false);
    r.status.set("id", "");
  });
  CHECK_THAT(b.cloud(make, b.volume), kPasses);
  b.see([](Inventory& i) { i.volumes_known = false; });
  CHECK_THAT(b.cloud(ExtendVolume{b.disk.token, b.disk.id, 2, 3}, b.volume), says("list is unknown"));
  CHECK_THAT(b.cloud(RetypeVolume{b.disk.token, b.disk.id, "", "fast"}, b.volume), says("list is unknown"));
  CHECK_THAT(b.cloud(DetachVolume{b.disk.token, b.disk.id, b.server.id}, b.volume), says("list is unknown"));
  CHECK_THAT(b.cloud(AttachVolume{b.disk.token, b.disk.id, b.server.id}, b.instance), says("list is unknown"));
}

TEST_CASE("guardian: a volume is retyped by a spec that lives") {
  Bench b;
  const RetypeVolume retype{b.disk.token, b.disk.id, b.disk.type, "fast"};
  b.store(b.volume, [](Resource& r) { r.spec.set("type", "fast"); });
  CHECK_THAT(b.cloud(retype, b.volume), kPasses);
  b.store_answers = false;
  CHECK_THAT(b.cloud(retype, b.volume), says("the store is away"));
  b.store_answers = true;
  CHECK_THAT(b.cloud(retype, {"p", "Volume", "no"}), says("is not the one it names"));
  b.store(b.volume, Bench::marked);
  CHECK_THAT(b.cloud(retype, b.volume), says("no spec asks"));
}

TEST_CASE("guardian: data goes by its object's word, read afresh") {
  Bench b;
  const DeleteVolume remove{b.disk.token, b.disk.id};
  b.store(b.volume, Bench::ended);
  CHECK_THAT(b.cloud(remove, b.volume), says("attached to server " + b.server.id));
  b.see([&](Inventory& i) { b.seen_volume(i).server_id.clear(), b.seen_volume(i).status = CloudVolume::Status::available; });
  CHECK_THAT(b.cloud(remove, b.volume), kPasses);
  b.store_answers = false;
  CHECK_THAT(b.cloud(remove, b.volume), says("the store is away"));
  b.store_answers = true;
  CHECK_THAT(b.cloud(remove, {"p", "Volume", "other-data"}), says("is not the one it names"));
  CHECK_THAT(b.cloud(remove, {"p", "Volume", "no"}), says("is not the one it names"));
  b.store(b.volume, [&](Resource& r) { b.retained(r); });
  CHECK_THAT(b.cloud(remove, b.volume), says("data goes only"));

  SECTION("one that was never of use goes when cinder failed to make it, whatever the policy") {
    b.store(b.volume, [](Resource& r) { r.status.set("unused", true); });
    CHECK_THAT(b.cloud(remove, b.volume), says("data goes only"));  // it works
    b.see([&](Inventory& i) { b.seen_volume(i).status = CloudVolume::Status::error; });
    CHECK_THAT(b.cloud(remove, b.volume), kPasses);
    b.see([&](Inventory& i) { b.seen_volume(i).status = CloudVolume::Status::in_use; });
    CHECK_THAT(b.cloud(remove, b.volume), says("data goes only"));
    b.see([&](Inventory& i) { b.seen_volume(i).status = CloudVolume::Status::error; });
    b.store(b.volume, [](Resource& r) { r.status.set("unused", false); });
    CHECK_THAT(b.cloud(remove, b.volume), says("data goes only"));
  }
  SECTION("a second one goes while the bound one is there") {
    CloudVolume twin = b.disk;
    twin.id = "twin";
    twin.server_id.clear();
    twin.status = CloudVolume::Status::available;
    b.see([&](Inventory& i) { i.volumes.push_back(twin); });
    const DeleteVolume surplus{twin.token, twin.id};
    CHECK_THAT(b.cloud(surplus, b.volume), kPasses);
    b.see([&](Inventory& i) { i.volumes.back().status = CloudVolume::Status::attaching; });
    CHECK_THAT(b.cloud(surplus, b.volume), says("data goes only"));
    b.see([&](Inventory& i) { i.volumes.back().status = CloudVolume::Status::available; });
    b.see([&](Inventory& i) { b.seen_volume(i).token = nobodys("data"); });
    CHECK_THAT(b.cloud(surplus, b.volume), says("data goes only"));
    b.lose_volume();
    CHECK_THAT(b.cloud(surplus, b.volume), says("data goes only"));
    b.store(b.volume, [](Resource& r) { r.status.set("id", ""); });
    CHECK_THAT(b.cloud(surplus, b.volume), says("data goes only"));
  }
}

TEST_CASE("guardian: a server is made when there is none and all that it needs is its own") {
  Bench b;
  Token token = b.server.token;
  const CreateServer make{token, "p", "i-0", "db.tiny", "mariadb", "", b.port.id, b.disk.id};
  const auto asked = [&](auto change) {
    CreateServer one = make;
    change(one);
    return b.cloud(one, b.instance);
  };
  CHECK_THAT(b.cloud(make, b.instance), says("has a server"));
  b.lose_server();
  CHECK_THAT(b.cloud(make, b.instance), says("not known to be gone"));
  b.forget_intents();
  CHECK_THAT(b.cloud(make, b.instance), kPasses);  // the volume still shows the server that is gone
  CHECK_THAT(b.cloud(make, {"p", "DatabaseInstance", "other"}), says("is not the one it names"));
  CHECK_THAT(asked([&](CreateServer& s) { s.port_id = "no"; }), says("port no is not the instance's"));
  CHECK_THAT(asked([&](CreateServer& s) { s.volume_id = "no"; }), says("volume no is not in the cloud"));
  CHECK_THAT(asked([&](CreateServer& s) { s.volume_id = ""; }), kPasses);
  CHECK_THAT(asked([&](CreateServer& s) { s.volume_id = b.other_disk.id; }), says("is attached to server"));
  b.see([&](Inventory& i) { b.seen_volume(i).server_id.clear(); });
  CHECK_THAT(b.cloud(make, b.instance), kPasses);
  for (bool Inventory::* known : {&Inventory::servers_known, &Inventory::volumes_known, &Inventory::ports_known}) {
    b.see([&](Inventory& i) { i.*known = false; });
    CHECK_THAT(b.cloud(make, b.instance), says("the cloud is unknown"));
    b.see([&](Inventory& i) { i.*known = true; });
  }
  b.know(b.instance, Bench::marked);
  CHECK_THAT(b.cloud(make, b.instance), says("is being deleted"));
  b.lose_port();
  b.know(b.instance, [](Resource& r) { r.metadata.deletion_timestamp = {}; });
  CHECK_THAT(b.cloud(make, b.instance), says("is not the instance's"));
}

TEST_CASE("guardian: the brake counts a replacement once, and for a minute") {
  Bench b;
  b.lose_server();
  b.forget_intents();
  Guardian guardian(b.reader());
  const auto replaced = [&](int incarnation) {
    Token token = b.server.token;
    token.incarnation = incarnation;
    auto allowed = guardian.check(
        {CloudAction{CreateServer{token, "p", "i-0", "db.tiny", "mariadb", "", b.port.id, b.disk.id}}, b.instance}, b.facts);
    return allowed ? "passes" : allowed.error().message;
  };
  CHECK_THAT(replaced(1), kPasses);  // the first is no replacement
  for (int incarnation : {2, 2, 3, 4, 4, 2}) CHECK_THAT(replaced(incarnation), kPasses);
  CHECK_THAT(replaced(5), says("the brake holds: 3 servers"));
  CHECK_THAT(replaced(4), kPasses);
  b.facts.steady = b.facts.steady + Millis{60'000};
  CHECK_THAT(replaced(5), says("the brake holds"));
  b.facts.steady = b.facts.steady + Millis{1};
  CHECK_THAT(replaced(5), kPasses);
}

TEST_CASE("guardian: servers are started, resized and asked when they are ours") {
  Bench b;
  const auto each = [&](const Token& token, const std::string& id) {
    return std::vector<std::string>{b.cloud(StartServer{token, id}, b.instance),
                                    b.cloud(ResizeServer{token, id, "db.tiny", "db.small"}, b.instance),
                                    b.cloud(ConfirmResize{token, id}, b.instance),
                                    b.cloud(RevertResize{token, id, "db.small", "db.tiny"}, b.instance),
                                    b.cloud(ExplainServer{token, id, "", ""}, b.instance)};
  };
  for (const std::string& verdict : each(b.server.token, b.server.id)) CHECK_THAT(verdict, kPasses);
  for (const std::string& verdict : each(b.other.token, b.server.id)) CHECK_THAT(verdict, says("does not carry our token"));
  for (const std::string& verdict : each(b.server.token, "no")) CHECK_THAT(verdict, says("not in the cloud any more"));
  b.see([](Inventory& i) { i.servers_known = false; });
  for (const std::string& verdict : each(b.server.token, b.server.id)) CHECK_THAT(verdict, says("list is unknown"));
}

TEST_CASE("guardian: a server goes with its instance, or when it is of no use") {
  Bench b;
  const DeleteServer remove{b.server.token, b.server.id};
  const auto status = [&](Server::Status is) {
    b.see([&](Inventory& i) {
      for (Server& one : i.servers)
        if (one.id == b.server.id) one.status = is;
    });
  };
  CHECK_THAT(b.cloud(remove, b.instance), says("works"));
  CHECK_THAT(b.cloud(remove, {"p", "DatabaseInstance", "other"}), says("is not the one it names"));
  status(Server::Status::error);
  CHECK_THAT(b.cloud(remove, b.instance), kPasses);
  status(Server::Status::deleting);
  CHECK_THAT(b.cloud(remove, b.instance), kPasses);
  status(Server::Status::shutoff);
  CHECK_THAT(b.cloud(remove, b.instance), says("works"));
  status(Server::Status::active);
  Server twin = b.server;
  twin.id = "twin";
  twin.volume_id.clear();
  twin.created = b.server.created + Millis{1'000};
  b.see([&](Inventory& i) { i.servers.push_back(twin); });
  const bool first_is_current = current_server(b.facts.servers_of(b.server.token.uid))->id == b.server.id;
  CHECK_THAT(b.cloud(DeleteServer{twin.token, first_is_current ? "twin" : b.server.id}, b.instance), kPasses);
  CHECK_THAT(b.cloud(DeleteServer{twin.token, first_is_current ? b.server.id : "twin"}, b.instance), says("works"));
  b.see([&](Inventory& i) { i.servers.pop_back(); });
  b.know(b.instance, Bench::marked);
  CHECK_THAT(b.cloud(remove, b.instance), kPasses);
}

TEST_CASE("guardian: a volume is attached to a server of the plan's own instance, and taken from one that is gone") {
  Bench b;
  const AttachVolume attach{b.disk.token, b.disk.id, b.server.id};
  CHECK_THAT(b.cloud(attach, b.instance), says("is attached to server"));
  b.see([&](Inventory& i) { b.seen_volume(i).server_id.clear(); });
  CHECK_THAT(b.cloud(attach, b.instance), kPasses);  // nova still shows it there
  CHECK_THAT(b.cloud(attach, {"p", "DatabaseInstance", "other"}), says("is not the one it names"));
  CHECK_THAT(b.cloud(AttachVolume{b.disk.token, b.disk.id, "no"}, b.instance), says("not in the cloud any more"));
  CHECK_THAT(b.cloud(AttachVolume{b.disk.token, b.disk.id, b.other.id}, {"p", "DatabaseInstance", "other"}),
             says("has volume"));
  b.see([&](Inventory& i) {
    for (Server& one : i.servers) one.volume_id.clear();
  });
  CHECK_THAT(b.cloud(attach, b.instance), kPasses);
  b.see([](Inventory& i) { i.servers_known = false; });
  CHECK_THAT(b.cloud(attach, b.instance), says("the server list is unknown"));
  b.see([](Inventory& i) { i.servers_known = true; });
  const DetachVolume detach{b.disk.token, b.disk.id, b.server.id};
  CHECK_THAT(b.cloud(detach, b.instance), says("still has it"));
  b.lose_server();
  CHECK_THAT(b.cloud(detach, b.instance), kPasses);
}

TEST_CASE("guardian: what a deleted owner left behind goes by our own record of it") {
  Bench b;
  const auto plant = [&](Inventory& i) {
    i.servers.push_back({.id = "s", .name = "s", .token = nobodys("server-0"), .status = Server::Status::active});
    i.ports.push_back({.id = "p", .name = "p", .token = nobodys("port-0")});
    i.volumes.push_back({.id = "v", .name = "v", .token = nobodys("data")});
    i.strays.push_back({.id = "f", .name = "192.0.2.9", .token = nobodys("port-0")});
  };
  b.see(plant);
  const auto each = [&](const Key& object) {
    return std::vector<std::string>{b.cloud(DeleteServer{nobodys("server-0"), "s"}, object),
                                    b.cloud(DeletePort{nobodys("port-0"), "p"}, object),
                                    b.cloud(DeleteAddress{nobodys("port-0"), "f"}, object),
                                    b.cloud(DeleteVolume{nobodys("data"), "v"}, object)};
  };
  for (const std::string& verdict : each(kOrphanKey)) CHECK_THAT(verdict, says("no record that the owner"));
  b.buried(true);
  for (const std::string& verdict : each(kOrphanKey)) CHECK_THAT(verdict, kPasses);
  for (const std::string& verdict : each({"", kOrphan, "somebody-else"}))
    CHECK_THAT(verdict, says("no record that the owner"));
  CHECK_THAT(b.cloud(DeleteStoredObject{"p/" + std::string(kNobody)}, kOrphanKey), kPasses);
  CHECK_THAT(b.cloud(DeleteStoredObject{"p/somebody-else"}, kOrphanKey), says("no record"));
  b.buried(false);
  CHECK_THAT(b.cloud(DeleteServer{nobodys("server-0"), "s"}, kOrphanKey), kPasses);
  CHECK_THAT(b.cloud(DeleteVolume{nobodys("data"), "v"}, kOrphanKey), says("deleted with deletionPolicy Retain"));
  CHECK_THAT(b.cloud(DeleteStoredObject{"p/" + std::string(kNobody)}, kOrphanKey), says("deletionPolicy Retain"));
  b.store_answers = false;
  for (const std::string& verdict : each(kOrphanKey)) CHECK_THAT(verdict, says("the store is away"));
  b.store_answers = true;
  // The record is wrong: the object is there, with that uid.
  Resource was = *b.world.get("DatabaseInstance", "i");
  was.metadata.name = "was";
  was.metadata.resource_version = 0;
  Txn txn;
  b.world.objects->stage_put(txn, was, "user:test");
  REQUIRE(b.world.objects->commit(txn));
  for (const std::string& verdict : each(kOrphanKey))  // another one of that name is none of its business
    CHECK_THAT(verdict, !says("its owner lives"));
  b.store({"p", "DatabaseInstance", "was"}, [](Resource& r) { r.metadata.uid = kNobody; });
  for (const std::string& verdict : each(kOrphanKey)) CHECK_THAT(verdict, says("its owner lives"));
  CHECK_THAT(b.cloud(DeleteAddress{nobodys("port-0"), "f"}, b.instance), says("its instance lives"));
  CHECK_THAT(b.cloud(DeleteAddress{nobodys("port-0"), "no"}, b.instance), says("not in the cloud any more"));
}

TEST_CASE("guardian: a leak goes by the operator's word, after its time, and never while anybody knows its owner") {
  Bench b;
  const Token token = nobodys("server-0"), port = nobodys("port-0");
  b.see([&](Inventory& i) {
    i.servers.push_back({.id = "s", .name = "s", .token = token, .status = Server::Status::active});
    i.ports.push_back({.id = "p", .name = "p", .token = port});
    i.strays.push_back({.id = "f", .name = "192.0.2.9", .token = port});
  });
  b.facts.leaks["s"] = {Leak::What::server, "s", "s", token, b.facts.steady};
  b.facts.leaks["p"] = {Leak::What::port, "p", "p", port, b.facts.steady};
  b.facts.leaks["f"] = {Leak::What::address, "f", "f", port, b.facts.steady};
  const auto each = [&] {
    return std::vector<std::string>{b.cloud(DeleteServer{token, "s"}, {"", kLeak, "s"}),
                                    b.cloud(DeletePort{port, "p"}, {"", kLeak, "p"}),
                                    b.cloud(DeleteAddress{port, "f"}, {"", kLeak, "f"})};
  };
  for (const std::string& verdict : each()) CHECK_THAT(verdict, says("only reported here"));
  b.facts.remove_leaks_after = Millis{1'000};
  for (const std::string& verdict : each()) CHECK_THAT(verdict, says("time of grace is not over"));
  b.facts.steady = b.facts.steady + Millis{1'000};
  for (const std::string& verdict : each()) CHECK_THAT(verdict, kPasses);
  CHECK_THAT(b.cloud(DeleteServer{token, "s"}, {"", kLeak, "p"}), says("has not leaked"));
  b.facts.leaks["s"].token.incarnation = 2;
  CHECK_THAT(b.cloud(DeleteServer{token, "s"}, {"", kLeak, "s"}), says("has not leaked"));
  b.facts.leaks.erase("s");
  CHECK_THAT(b.cloud(DeleteServer{token, "s"}, {"", kLeak, "s"}), says("has not leaked"));
  b.facts.leaks["s"] = {Leak::What::server, "s", "s", token, Time{}};
  b.buried(true);
  for (const std::string& verdict : each()) CHECK_THAT(verdict, says("its owner is known"));
  b.facts.gone = std::make_shared<std::map<std::string, Gone>>();
  Resource back = *b.world.get("DatabaseInstance", "i");
  back.metadata.name = "back";
  back.metadata.uid = kNobody;
  b.facts.put(make_object(back));
  for (const std::string& verdict : each()) CHECK_THAT(verdict, says("its owner lives"));
}

TEST_CASE("guardian: a stored backup goes by its object's word, read afresh") {
  Bench b;
  b.world.apply("apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b}\nspec: {instanceRef: {name: i}}\n");
  b.world.run(Millis{10'000});
  const Key key{"p", "Backup", "b"};
  const DeleteStoredObject remove{"p/" + b.world.get("Backup", "b")->metadata.uid};
  CHECK_THAT(b.cloud(remove, key), says("a backup goes only"));
  b.store(key, [&](Resource& r) { b.retained(r); });
  CHECK_THAT(b.cloud(remove, key), says("a backup goes only"));
  b.store(key, Bench::ended);
  CHECK_THAT(b.cloud(remove, key), kPasses);
  CHECK_THAT(b.cloud(remove, {"p", "Backup", "no"}), says("is not the object's"));
  b.store_answers = false;
  CHECK_THAT(b.cloud(remove, key), says("the store is away"));
}

TEST_CASE("guardian: a document drops what a person has deleted for good, read afresh") {
  Bench b;
  const auto drops = [&](std::vector<std::string> databases, std::vector<std::pair<std::string, std::string>> users) {
    guest::Document document;
    document.dropped_databases = std::move(databases);
    for (auto& [name, host] : users) document.dropped_users.push_back({name, host});
    return b.verdict(PutGuestDocument{b.server.token, document}, b.instance);
  };
  const Key database{"p", "Database", "d"}, user{"p", "User", "u"};
  CHECK_THAT(drops({}, {}), kPasses);
  CHECK_THAT(b.verdict(PutGuestDocument{b.server.token, {}}, {"p", "DatabaseInstance", "other"}),
             says("is not the one it names"));
  CHECK_THAT(drops({"d"}, {}), says("no deleted Database"));
  CHECK_THAT(drops({}, {{"u", "%"}}), says("no deleted User"));
  b.know(database, [&](Resource& r) { b.retained(r); });
  b.know(user, [&](Resource& r) { b.retained(r); });
  CHECK_THAT(drops({"d"}, {}), says("no deleted Database"));
  CHECK_THAT(drops({}, {{"u", "%"}}), says("no deleted User"));
  b.know(database, Bench::ended);
  b.know(user, Bench::ended);
  CHECK_THAT(drops({"d"}, {{"u", "%"}}), kPasses);
  CHECK_THAT(drops({"e"}, {}), says("no deleted Database with deletionPolicy Delete is named e"));
  b.store_answers = false;
  CHECK_THAT(drops({"d"}, {}), says("the store is away"));
  CHECK_THAT(drops({}, {{"u", "%"}}), says("the store is away"));
  b.store_answers = true;
  // A person took it back, and the loop has not heard.
  b.store(database, [](Resource& r) { r.metadata.deletion_timestamp = {}; });
  CHECK_THAT(drops({"d"}, {}), says("no deleted Database"));
  Txn txn;
  b.world.objects->stage_remove(txn, *b.world.get("Database", "d"));
  REQUIRE(b.world.objects->commit(txn));
  CHECK_THAT(drops({"d"}, {}), says("no deleted Database"));
  // root is nobody's object: it goes when the instance does not want it.
  CHECK_THAT(drops({}, {{"root", "%"}}), kPasses);
  b.know(b.instance, [](Resource& r) { r.spec.set("rootAccess", true); });
  CHECK_THAT(drops({}, {{"root", "%"}}), says("no deleted User"));
}
