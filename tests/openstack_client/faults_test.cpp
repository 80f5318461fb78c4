// What a cloud does to its clients, one service and one kind of fault at a time: over HTTP, by the simulated cloud.
#include <catch2/catch.hpp>
#include "openstack_client/over_http.hpp"
#include "specs/core/digest.hpp"

using namespace trove;
using namespace trove::openstack;

TEST_CASE("a list that could not be read is unknown, and the others are known") {
  for (Kind kind : {Kind::error, Kind::throttled, Kind::over_limit, Kind::html, Kind::reset, Kind::truncated}) {
    for (const char* service : {"compute", "volume", "network", "object-store"}) {
      INFO(to_string(kind) << " " << service);
      World world;
      REQUIRE(world.cloud->perform(CreateVolume{world.token("data"), "p", "v", 1, ""}).has_value());
      REQUIRE(world.cloud->perform(CreatePort{world.token("port-0"), "p", "v", {"10.0.0.0/8"}}).has_value());
      REQUIRE(world.cloud->observe().trouble.empty());
      world.fault(kind, service, "GET");
      const std::string which = service;
      const Inventory seen = world.cloud->observe();
      CHECK(seen.servers_known == (which != "compute"));
      CHECK(seen.volumes_known == (which != "volume"));
      CHECK(seen.ports_known == (which != "network"));
      CHECK(seen.objects_known == (which != "object-store"));
      CHECK(seen.volumes.size() == (which == "volume" ? 0u : 1u));
      CHECK(seen.ports.size() == (which == "network" ? 0u : 1u));
      CHECK_FALSE(seen.trouble.empty());
      CHECK(seen.trouble.find("req-") == std::string::npos);
      // The words of a trouble become a condition: they must not change while it lasts.
      CHECK(world.cloud->observe().trouble == seen.trouble);
      world.face->clear_faults();
      CHECK(world.cloud->observe().trouble.empty());
    }
  }
}

TEST_CASE("without Keystone nothing is known and nothing is absent") {
  World world;
  world.fault(Kind::error, "identity");
  const Sought sought{Sought::What::server, world.token("server-0"), ""};
  const Inventory seen = world.cloud->observe({sought});
  CHECK_FALSE(seen.servers_known);
  CHECK_FALSE(seen.volumes_known);
  CHECK_FALSE(seen.ports_known);
  CHECK(seen.absent.empty());
  CHECK(seen.trouble.find("keystone: 503") == 0);
  auto done = world.cloud->perform(CreateVolume{world.token("data"), "p", "v", 1, ""});
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().code == Code::unavailable);
}

TEST_CASE("tokens that end in the middle cost one login and nobody notices") {
  World world;
  REQUIRE(world.cloud->observe().trouble.empty());
  for (int i = 0; i < 3; ++i) {
    world.face->expire_tokens();
    CHECK(world.cloud->observe().trouble.empty());
    world.face->expire_tokens();
    CHECK(world.cloud->perform(CreateVolume{{world.token("data").uid, "data", i}, "p", "v", 1, ""}).has_value());
  }
  CHECK(world.volumes() == 3);
  CHECK(world.cloud->report().logins == 7);
}

TEST_CASE("what a write that went wrong leaves behind is said by its code") {
  struct Row {
    Kind kind;
    Code code;
    size_t made;
    int status = 503;
  };
  for (const Row& row :
       {Row{Kind::error, Code::outcome_unknown, 0}, Row{Kind::error, Code::conflict, 0, 409},
        Row{Kind::throttled, Code::throttled, 0}, Row{Kind::over_limit, Code::throttled, 0},
        Row{Kind::html, Code::outcome_unknown, 0}, Row{Kind::reset, Code::outcome_unknown, 0},
        Row{Kind::lost_reply, Code::outcome_unknown, 1}, Row{Kind::truncated, Code::outcome_unknown, 1}}) {
    INFO(to_string(row.kind) << " " << row.status);
    World world;
    world.fault(row.kind, "volume", "POST", -1, row.status);
    auto done = world.cloud->perform(CreateVolume{world.token("data"), "p", "v", 1, ""});
    REQUIRE_FALSE(done.has_value());
    INFO(done.error().message);
    CHECK(done.error().code == row.code);
    CHECK(world.volumes() == row.made);
    if (row.code == Code::throttled) CHECK(done.error().retry_after == Millis{1000});
    CHECK(done.error().message.find("req-") != std::string::npos);
    world.face->clear_faults();
    // Looking for the token tells which it was.
    const Inventory seen = world.cloud->observe({{Sought::What::volume, world.token("data"), ""}});
    CHECK(seen.absent.size() == 1 - row.made);
    CHECK(seen.volumes.size() == row.made);
  }
}

TEST_CASE("a server and a port whose create was not answered are found by their token") {
  World world;
  const CreatePort port{world.token("port-0"), "p", "db-0", {"10.0.0.0/8"}};
  world.fault(Kind::lost_reply, "network", "POST", 1, 503, "/ports");
  CHECK(world.cloud->perform(port).error().code == Code::outcome_unknown);
  // Even without looking: the second is the first.
  auto again = world.cloud->perform(port);
  REQUIRE(again.has_value());
  CHECK(world.ports() == 1);
  auto volume = world.cloud->perform(CreateVolume{world.token("data"), "p", "v", 1, ""});
  REQUIRE(volume.has_value());
  world.fault(Kind::lost_reply, "compute", "POST", 1, 503, "/servers");
  const CreateServer server{world.token("server-0"), "p", "db-0", "db.tiny", "mariadb", "", again->id, volume->id};
  CHECK(world.cloud->perform(server).error().code == Code::outcome_unknown);
  CHECK(world.cloud->perform(server).error().code == Code::conflict);
  CHECK(world.servers() == 1);
  Inventory seen = world.cloud->observe({{Sought::What::server, world.token("server-0"), ""}});
  CHECK(seen.absent.empty());
  REQUIRE(seen.servers.size() == 1);
  CHECK(seen.servers.front().token == world.token("server-0"));
  CHECK(seen.servers.front().port_id == again->id);
}

TEST_CASE("an absence needs the service's own word") {
  World world;
  const Sought sought{Sought::What::server, world.token("server-0"), "3fa85f64-5717-4562-b3fc-2c963f66afa6"};
  CHECK(world.cloud->observe({sought}).absent.size() == 1);
  // A proxy that does not know the way says 404 as well.
  world.fault(Kind::html, "compute", "GET", -1, 404, sought.id);
  CHECK(world.cloud->observe({sought}).absent.empty());
}

TEST_CASE("a port's access that was cut short is finished by the next change") {
  World world;
  for (const char* path : {"/security-groups", "/security-group-rules"}) {
    INFO(path);
    World fresh;
    fresh.fault(Kind::error, "network", "POST", 1, 503, path);
    auto port = fresh.cloud->perform(CreatePort{fresh.token("port-0"), "p", "db-0", {"10.0.0.0/8"}});
    REQUIRE(port.has_value());
    Inventory seen = fresh.cloud->observe();
    REQUIRE(seen.ports.size() == 1);
    CHECK(seen.ports.front().allowed_cidrs.empty());
    REQUIRE(fresh.cloud->perform(UpdatePort{fresh.token("port-0"), port->id, {"10.0.0.0/8"}}).has_value());
    seen = fresh.cloud->observe();
    CHECK(seen.ports.front().allowed_cidrs == std::vector<std::string>{"10.0.0.0/8"});
  }
}

TEST_CASE("a deletion that is cut short anywhere can be done again, and leaves nothing") {
  for (const char* path : {"/ports", "/security-groups"})
    for (const char* method : {"PUT", "DELETE"})
      for (Kind kind : {Kind::error, Kind::lost_reply}) {
        INFO(method << " " << path << " " << to_string(kind));
        World world;
        auto port = world.cloud->perform(CreatePort{world.token("port-0"), "p", "db-0", {"10.0.0.0/8"}});
        REQUIRE(port.has_value());
        world.fault(kind, "network", method, 1, 500, path);
        (void)world.cloud->perform(DeletePort{world.token("port-0"), port->id});
        world.face->clear_faults();
        REQUIRE(world.cloud->perform(DeletePort{world.token("port-0"), port->id}).has_value());
        CHECK(world.ports() == 0);
        auto other = world.cloud->perform(CreatePort{{world.token("x").uid, "port-0", 2}, "p", "db-0", {}});
        REQUIRE(other.has_value());
      }
}

TEST_CASE("why a server found no host is asked of the server, once; one that cannot tell is asked a few times") {
  SimOptions simulated = World::options();
  simulated.server_error = 1000;
  World world("", simulated);
  const auto port = world.cloud->perform(CreatePort{world.token("port-0"), "p", "db-0", {}});
  REQUIRE(port.has_value());
  const auto server = world.cloud->perform(
      CreateServer{world.token("server-0"), "p", "db-0", "db.nano", "mariadb", "", port->id, ""});
  REQUIRE(server.has_value());
  const bool tells = GENERATE(true, false);
  if (!tells) world.face->locked([&](SimCloud& sim) { sim.model().servers.at(server->id).fault.clear(); });
  std::vector<uint64_t> took;
  std::string fault = "(no server)";
  for (int look = 0; look < 12; ++look) {
    const auto before = world.cloud->report().requests;
    for (const Server& seen : world.cloud->observe().servers) {
      CHECK(seen.status == Server::Status::error);
      fault = seen.fault;
    }
    took.push_back(world.cloud->report().requests - before);
    world.clock.advance(Millis{1'000});
  }
  CHECK(fault == (tells ? "No valid host was found. There are not enough hosts available." : ""));
  CHECK(took[11] == took[8]);
  CHECK(took[3] - took[11] == (tells ? 0 : 1));
}

TEST_CASE("user data holds the way home and nothing of the cloud") {
  const std::string encoded = guest_user_data({"11111111-2222-4333-8444-555555555555", "server-0", 2},
                                              {"https://10.0.0.1:7780", "once"}, "PEM\n", "volume-id");
  const std::string ours[] = {"sim-secret", "canary-object-key"};
  std::string text;
  REQUIRE(from_base64(encoded, text));
  CHECK(text.starts_with("#cloud-config\n{\"write_files\":[{\"path\":\"/etc/trove-guest/join.json\""));
  for (const char* part :
       {"trove-11111111-2222-4333-8444-555555555555-server-0-2", "https://10.0.0.1:7780", "once", "PEM", "volume-id"})
    CHECK(text.find(part) != std::string::npos);
  for (const std::string& secret : ours) CHECK(text.find(secret) == std::string::npos);
}
