// What a client gets to see: lists, direct looks, and what a cell that is down hides.
#include "bed.hpp"

using namespace trove;

namespace {

const Server* by_id(const Inventory& seen, const std::string& id) {
  for (const Server& server : seen.servers)
    if (server.id == id) return &server;
  return nullptr;
}
Sought server_by_id(const std::string& id) { return {Sought::What::server, SimBed::token("server-0"), id}; }
Sought server_by_token(int incarnation = 1) {
  return {Sought::What::server, SimBed::token("server-0", incarnation), ""};
}

}  // namespace

TEST_CASE("an observation lists everything and is known") {
  SimBed bed;
  auto ids = bed.ready();
  bed.cloud.store("p/b1", backup_of(SimDisk{}));
  const Inventory seen = bed.cloud.observe();
  CHECK((seen.servers_known && seen.volumes_known && seen.ports_known && seen.objects_known));
  CHECK(seen.servers.size() == 1);
  CHECK(seen.volumes.size() == 1);
  CHECK(seen.ports.size() == 1);
  CHECK(seen.objects.size() == 1);
  CHECK(seen.flavors.size() == 3);
  CHECK(seen.absent.empty());
  CHECK(seen.as_of == bed.clock.wall());
}

TEST_CASE("what is sought and not there is absent") {
  SimBed bed;
  auto ids = bed.ready();
  const std::vector<Sought> sought = {
      server_by_id(ids.server),
      server_by_id("none"),
      server_by_token(),
      server_by_token(2),
      {Sought::What::volume, SimBed::token("data"), ids.volume},
      {Sought::What::volume, SimBed::token("data", 2), ""},
      {Sought::What::port, SimBed::token("port-0"), ""},
      {Sought::What::port, SimBed::token("port-0"), "none"},
  };
  const Inventory seen = bed.cloud.observe(sought);
  CHECK(seen.absent == std::vector<Sought>{sought[1], sought[3], sought[5], sought[7]});
  CHECK(seen.servers.size() == 1);
}

TEST_CASE("a cell that is down hides its servers from a list that is whole") {
  SimBed bed;
  auto ids = bed.ready();
  bed.cloud.hide_servers(true);
  Inventory seen = bed.cloud.observe();
  CHECK(seen.servers_known);
  CHECK(seen.servers.empty());
  seen = bed.cloud.observe({server_by_id(ids.server), server_by_id("none"), server_by_token(), server_by_token(2)});
  REQUIRE(seen.servers.size() == 1);
  CHECK(seen.servers[0].id == ids.server);
  CHECK(seen.servers[0].status == Server::Status::unknown);
  CHECK(seen.servers[0].flavor.empty());
  // By its id alone Nova can say that a server is not there: the ids are not in the cell. A token is.
  CHECK(seen.absent == std::vector<Sought>{server_by_id("none")});
  const auto refused = bed.cloud.perform(DeleteServer{SimBed::token("server-0"), ids.server});
  CHECK(code_of(refused) == "unavailable");
  bed.cloud.hide_servers(false);
  seen = bed.cloud.observe({server_by_token(2)});
  CHECK(by_id(seen, ids.server)->status == Server::Status::active);
  CHECK(seen.absent == std::vector<Sought>{server_by_token(2)});
}

TEST_CASE("one server of many can be hidden") {
  SimBed bed;
  const std::string first = bed.server(bed.port()->id, "")->id, second = bed.server(bed.port(2)->id, "", 2)->id;
  bed.pass(5'000);
  bed.cloud.hide_server(first, true);
  const Inventory seen = bed.cloud.observe({server_by_token(1), server_by_token(2), server_by_token(3)});
  CHECK_FALSE(by_id(seen, first));
  CHECK(by_id(seen, second)->status == Server::Status::active);
  CHECK(seen.absent.empty());
}

TEST_CASE("a list that broke off makes nothing absent but what was looked up") {
  SimBed bed;
  auto ids = bed.ready();
  bed.cloud.faults.blind_observe = 1000;
  for (int i = 0; i < 30; ++i) {
    const Inventory seen = bed.cloud.observe({server_by_id(ids.server), server_by_id("none")});
    CHECK((seen.servers_known + seen.volumes_known + seen.ports_known) == 2);
    CHECK(by_id(seen, ids.server));
    CHECK(seen.absent == std::vector<Sought>{server_by_id("none")});
    CHECK_FALSE(seen.trouble.empty());
  }
}

TEST_CASE("lost requests change nothing and lost replies everything") {
  SimBed bed;
  bed.cloud.faults.lost_request = 1000;
  CHECK(code_of(bed.volume()) == "outcome_unknown");
  CHECK(bed.cloud.volumes().empty());
  bed.cloud.faults = {0, 1000, 0};
  CHECK(code_of(bed.volume()) == "outcome_unknown");
  CHECK(bed.cloud.volumes().size() == 1);
  CHECK(bed.cloud.calls() == 2);
}

TEST_CASE("changes behind the back are what they say") {
  SimBed bed;
  auto ids = bed.ready();
  bed.cloud.change_port(ids.port, {"192.168.0.0/16", "10.0.0.0/8"});
  CHECK(bed.cloud.ports().at(ids.port).allowed_cidrs == std::vector<std::string>{"10.0.0.0/8", "192.168.0.0/16"});
  bed.cloud.detach_volume(ids.volume);
  CHECK(bed.volume_status(ids.volume) == "available");
  CHECK(bed.cloud.servers().at(ids.server).volume_id.empty());
  CHECK(bed.cloud.disk_of(ids.server) == &bed.cloud.disks[ids.server]);
  bed.cloud.stop_server(ids.server);
  CHECK(bed.status(ids.server) == "SHUTOFF");
  REQUIRE(bed.cloud.perform(StartServer{SimBed::token("server-0"), ids.server}));
  bed.pass(1'000);
  CHECK(bed.status(ids.server) == "ACTIVE");
  bed.cloud.lose_port(ids.port);
  CHECK(bed.cloud.ports().empty());
  bed.cloud.disks[ids.volume].databases["orders"] = 1;
  bed.cloud.lose_volume(ids.volume);
  CHECK(bed.cloud.volumes().empty());
  CHECK_FALSE(bed.cloud.disks.contains(ids.volume));
}

TEST_CASE("one seed gives one history and another seed another") {
  const auto history = [](uint64_t seed) {
    SimOptions options;
    options.server_error = options.volume_error = options.stuck_delete = options.resize_error = 300;
    options.uuids = true;
    SimBed bed(options, seed);
    SeededRng choices(99);
    bed.cloud.faults = {100, 100, 100};
    std::string trace;
    std::vector<std::string> ports, volumes, servers;
    const auto pick = [&](const std::vector<std::string>& ids) {
      return ids.empty() ? std::string("none") : ids[choices.below(ids.size())];
    };
    for (int i = 0; i < 600; ++i) {
      Result<Outcome> done;
      const int n = static_cast<int>(choices.below(5));
      switch (choices.below(7)) {
        case 0:
          done = bed.port(i), done ? ports.push_back(done->id) : void();
          break;
        case 1:
          done = bed.volume(1, n), done ? volumes.push_back(done->id) : void();
          break;
        case 2:
          done = bed.server(pick(ports), pick(volumes), n), done ? servers.push_back(done->id) : void();
          break;
        case 3:
          done = bed.cloud.perform(DeleteServer{SimBed::token("server-0", n), pick(servers)});
          break;
        case 4:
          done = bed.cloud.perform(ResizeServer{SimBed::token("server-0", n), pick(servers), "", "db.small"});
          break;
        case 5:
          done = bed.cloud.perform(DeleteVolume{SimBed::token("data", n), pick(volumes)});
          break;
        default:
          bed.pass(static_cast<int64_t>(choices.below(3'000)));
          break;
      }
      trace += code_of(done) + (done ? done->id : done.error().message) + "\n";
      const Inventory seen = bed.cloud.observe();
      for (const Server& s : seen.servers) trace += s.id + std::string(to_string(s.status)) + s.fault + ";";
      for (const CloudVolume& v : seen.volumes) trace += v.id + std::string(to_string(v.status)) + v.server_id + ";";
      for (const Port& p : seen.ports) trace += p.id + p.address + p.device_id + ";";
    }
    return trace;
  };
  const std::string one = history(7);
  CHECK(one == history(7));
  CHECK(one != history(8));
  CHECK(one.find("ERROR") != std::string::npos);
}
