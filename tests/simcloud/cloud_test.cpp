// What the simulated cloud says and does, rule by rule: the rules of a real Nova, Cinder and Neutron.
#include <functional>
#include "bed.hpp"

using namespace trove;
using Catch::Contains;

TEST_CASE("a server is built in steps and its volume and port follow") {
  SimBed bed;
  const std::string port = bed.port()->id, volume = bed.volume()->id;
  CHECK(bed.volume_status(volume) == "creating");
  CHECK(bed.cloud.next_change() == Millis{500});
  bed.pass(500);
  CHECK(bed.volume_status(volume) == "available");
  CHECK_FALSE(bed.cloud.next_change());
  const std::string server = bed.server(port, volume)->id;
  CHECK(bed.status(server) == "BUILD");
  CHECK(bed.volume_status(volume) == "reserved");
  CHECK(bed.cloud.volumes().at(volume).server_id == server);
  CHECK(bed.cloud.ports().at(port).device_id.empty());
  bed.pass(200);
  CHECK(bed.cloud.ports().at(port).device_id == server);
  CHECK(bed.volume_status(volume) == "reserved");
  bed.pass(1'500);
  CHECK(bed.volume_status(volume) == "attaching");
  CHECK(bed.status(server) == "BUILD");
  CHECK(bed.cloud.next_change() == Millis{300});
  bed.pass(300);
  CHECK(bed.volume_status(volume) == "in-use");
  CHECK(bed.status(server) == "ACTIVE");
  CHECK(bed.cloud.calls() == 3);
}

TEST_CASE("time that passes at once or in small pieces leads to one and the same cloud") {
  for (const int64_t piece : {1, 7, 100, 3'000, 60'000}) {
    SimBed bed;
    const std::string port = bed.port()->id, volume = bed.volume()->id;
    bed.pass(600);
    const std::string server = bed.server(port, volume)->id;
    for (int64_t t = 0; t < 60'000; t += piece) {
      bed.pass(std::min(piece, 60'000 - t));
      (void)bed.cloud.observe();
    }
    CHECK(bed.status(server) == "ACTIVE");
    CHECK(bed.volume_status(volume) == "in-use");
    CHECK_FALSE(bed.cloud.next_change());
  }
}

TEST_CASE("without times everything is done when the call returns") {
  SimBed bed(SimOptions::instant());
  const std::string port = bed.port()->id, volume = bed.volume()->id, server = bed.server(port, volume)->id;
  CHECK(bed.status(server) == "ACTIVE");
  CHECK(bed.volume_status(volume) == "in-use");
  CHECK(bed.cloud.ports().at(port).device_id == server);
  CHECK(bed.cloud.perform(DeleteServer{SimBed::token("server-0"), server}));
  CHECK(bed.status(server) == "(gone)");
  CHECK(bed.volume_status(volume) == "available");
  CHECK(bed.cloud.perform(DeleteVolume{SimBed::token("data"), volume}));
  CHECK(bed.volume_status(volume) == "(gone)");
}

TEST_CASE("a second port of one token is refused while the first exists") {
  SimBed bed;
  const std::string port = bed.port()->id;
  const auto second = bed.port();
  CHECK(code_of(second) == "conflict");
  CHECK_THAT(words_of(second), Contains("MacAddressInUse") && Contains(sim_mac(SimBed::token("port-0"))));
  CHECK(bed.port(2));
  CHECK(bed.cloud.perform(DeletePort{SimBed::token("port-0"), port}));
  CHECK(bed.port());
  CHECK(bed.cloud.ports().size() == 2);
}

TEST_CASE("a token's MAC is a locally administered address of one card") {
  for (int i = 0; i < 200; ++i) {
    const std::string mac = sim_mac(SimBed::token("port-0", i));
    REQUIRE(mac.size() == 17);
    const int first = std::stoi(mac.substr(0, 2), nullptr, 16);
    CHECK((first & 3) == 2);
    CHECK(mac != sim_mac(SimBed::token("port-0", i + 1)));
  }
}

TEST_CASE("an address that is in use is never given out again") {
  SimBed bed;
  std::set<std::string> addresses;
  for (int i = 1; i <= 300; ++i) {
    const auto made = bed.port(i);
    REQUIRE(made);
    CHECK(addresses.insert(bed.cloud.ports().at(made->id).address).second);
    if (i % 3 == 0) {
      addresses.erase(bed.cloud.ports().at(made->id).address);
      REQUIRE(bed.cloud.perform(DeletePort{SimBed::token("port-0", i), made->id}));
    }
  }
}

TEST_CASE("a subnet runs out of addresses") {
  SimBed bed;
  SimPortMore more;
  more.addresses = 3;
  for (int i = 0; i < 3; ++i) REQUIRE(bed.cloud.model().create_port({}, more));
  const auto fourth = bed.cloud.model().create_port({}, more);
  REQUIRE_FALSE(fourth);
  CHECK(fourth.error().type == "IpAddressGenerationFailure");
  CHECK(fourth.error().code == Code::no_space);
}

TEST_CASE("a volume that is taken is refused to the next server and a port in use as well") {
  SimBed bed;
  const std::string port = bed.port()->id, other = bed.port(2)->id, volume = bed.volume()->id;
  const auto early = bed.server(port, volume);
  CHECK(code_of(early) == "conflict");
  CHECK_THAT(words_of(early), Contains("InvalidVolume") && Contains("creating"));
  bed.pass(600);
  const std::string server = bed.server(port, volume)->id;
  const auto again = bed.server(port, volume);
  CHECK(code_of(again) == "conflict");
  CHECK_THAT(words_of(again), Contains("InvalidVolume") && Contains("reserved"));
  bed.pass(5'000);
  CHECK_THAT(words_of(bed.server(other, volume)), Contains("in-use"));
  const auto busy = bed.server(port, "");
  CHECK(code_of(busy) == "conflict");
  CHECK_THAT(words_of(busy), Contains("PortInUse: Port " + port + " is still in use"));
  CHECK(bed.cloud.servers().size() == 1);
  CHECK(bed.cloud.volumes().at(volume).server_id == server);
  CHECK(code_of(bed.server("nowhere", "")) == "not_found");
  CHECK(code_of(bed.server(other, "nowhere")) == "not_found");
  CHECK(code_of(bed.server(other, "", 1, "db.none")) == "invalid");
}

TEST_CASE("servers and volumes have no idempotency key") {
  SimBed bed;
  CHECK(bed.volume());
  CHECK(bed.volume());
  CHECK(bed.cloud.volumes().size() == 2);
  CHECK(bed.server(bed.port()->id, ""));
  CHECK(bed.server(bed.port(2)->id, ""));
  CHECK(bed.cloud.servers().size() == 2);
}

TEST_CASE("two servers that race for one port end with one of them in ERROR") {
  SimBed bed;
  const std::string port = bed.port()->id;
  const std::string first = bed.server(port, "")->id, second = bed.server(port, "", 2)->id;
  bed.pass(5'000);
  CHECK(bed.status(first) == "ACTIVE");
  CHECK(bed.status(second) == "ERROR");
  CHECK_THAT(bed.cloud.servers().at(second).fault, Contains("still in use"));
  CHECK(bed.cloud.ports().at(port).device_id == first);
}

TEST_CASE("a build that fails keeps its volume reserved until the row is deleted") {
  SimOptions options;
  options.server_error = 1000;
  SimBed bed(options);
  const std::string port = bed.port()->id, volume = bed.volume()->id;
  bed.pass(600);
  const std::string server = bed.server(port, volume)->id;
  bed.pass(5'000);
  CHECK(bed.status(server) == "ERROR");
  CHECK_THAT(bed.cloud.servers().at(server).fault, Contains("No valid host was found"));
  CHECK(bed.volume_status(volume) == "reserved");
  CHECK(bed.cloud.ports().at(port).device_id.empty());
  bed.cloud.options().server_error = 0;
  CHECK(code_of(bed.server(port, volume, 2)) == "conflict");
  CHECK(bed.cloud.perform(DeleteServer{SimBed::token("server-0"), server}));
  CHECK(bed.status(server) == "DELETING");
  bed.pass(1'000);
  CHECK(bed.status(server) == "(gone)");
  CHECK(bed.volume_status(volume) == "available");
  CHECK(bed.server(port, volume, 2));
}

TEST_CASE("a broken server keeps its volume and a lost one lets go of it") {
  SimBed bed;
  auto ids = bed.ready();
  bed.cloud.disks[ids.volume].databases["orders"] = 5;
  bed.cloud.break_server(ids.server, "the host burns");
  CHECK(bed.status(ids.server) == "ERROR");
  CHECK(bed.cloud.servers().at(ids.server).fault == "the host burns");
  CHECK(bed.volume_status(ids.volume) == "in-use");
  bed.cloud.lose_server(ids.server);
  CHECK(bed.volume_status(ids.volume) == "available");
  CHECK(bed.cloud.volumes().at(ids.volume).server_id.empty());
  CHECK(bed.cloud.ports().at(ids.port).device_id.empty());
  CHECK(bed.cloud.disks[ids.volume].databases["orders"] == 5);
}

TEST_CASE("a delete of what is gone is done and a delete of a volume in use is refused") {
  SimBed bed;
  auto ids = bed.ready();
  const auto used = bed.cloud.perform(DeleteVolume{SimBed::token("data"), ids.volume});
  CHECK(code_of(used) == "conflict");
  CHECK_THAT(words_of(used), Contains("InvalidVolume: Volume status must be available or error"));
  CHECK(bed.cloud.perform(DeleteServer{SimBed::token("server-0"), "none"}));
  CHECK(bed.cloud.perform(DeleteVolume{SimBed::token("data"), "none"}));
  CHECK(bed.cloud.perform(DeletePort{SimBed::token("port-0"), "none"}));
  CHECK(bed.cloud.perform(DeleteStoredObject{"p/none"}));
  CHECK(bed.cloud.perform(DeleteServer{SimBed::token("server-0"), ids.server}));
  CHECK(bed.volume_status(ids.volume) == "detaching");
  CHECK(bed.cloud.perform(DeleteServer{SimBed::token("server-0"), ids.server}));
  bed.pass(1'000);
  CHECK(bed.volume_status(ids.volume) == "available");
  bed.cloud.disks[ids.volume].databases["orders"] = 1;
  CHECK(bed.cloud.perform(DeleteVolume{SimBed::token("data"), ids.volume}));
  CHECK(bed.volume_status(ids.volume) == "deleting");
  CHECK(bed.cloud.disks.contains(ids.volume));
  bed.pass(500);
  CHECK(bed.volume_status(ids.volume) == "(gone)");
  CHECK_FALSE(bed.cloud.disks.contains(ids.volume));
}

TEST_CASE("no change without the token of what is there") {
  SimBed bed;
  auto ids = bed.ready();
  bed.cloud.plant(Server{"alien", "db-0", {}, Server::Status::shutoff, "db.tiny", "", "", {}, ""});
  bed.cloud.plant(CloudVolume{"alien-disk", "data", {}, CloudVolume::Status::available, 2, "", ""});
  bed.cloud.plant(Port{"alien-port", "db-0", {}, "10.77.9.9", {}, ""});
  const Token wrong{"uid-2", "server-0", 1};
  const std::vector<CloudAction> actions = {UpdatePort{wrong, ids.port, {}},
                                            DeletePort{wrong, ids.port},
                                            ExtendVolume{wrong, ids.volume, 2, 3},
                                            DeleteVolume{wrong, ids.volume},
                                            AttachVolume{wrong, ids.volume, "x"},
                                            DetachVolume{wrong, ids.volume, ids.server},
                                            StartServer{wrong, ids.server},
                                            ResizeServer{wrong, ids.server, "db.tiny", "db.small"},
                                            ConfirmResize{wrong, ids.server},
                                            DeleteServer{wrong, ids.server},
                                            DeletePort{{}, "alien-port"},
                                            DeleteVolume{{}, "alien-disk"},
                                            DeleteServer{{}, "alien"},
                                            StartServer{SimBed::token("server-0"), "alien"}};
  for (const CloudAction& action : actions) {
    INFO(action_name(action));
    CHECK(code_of(bed.cloud.perform(action)) == "denied");
  }
  bed.pass(60'000);
  CHECK(bed.cloud.servers().size() == 2);
  CHECK(bed.cloud.volumes().size() == 2);
  CHECK(bed.cloud.ports().size() == 2);
  CHECK(bed.status("alien") == "SHUTOFF");
}

TEST_CASE("what a server is busy with comes first") {
  struct Row {
    const char* name;
    std::function<void(SimBed&, const SimBed::Ids&)> first;
    CloudAction (*action)(const SimBed::Ids&);
    const char* words;
  };
  const Token t = SimBed::token("server-0");
  static const Token own = t;
  const Row rows[] = {
      {"start a running one", [](SimBed&, const SimBed::Ids&) {},
       [](const SimBed::Ids& i) {
         return CloudAction{StartServer{own, i.server}};
       },
       "Cannot 'start' instance"},
      {"resize while it resizes",
       [](SimBed& b, const SimBed::Ids& i) {
         REQUIRE(b.cloud.perform(ResizeServer{own, i.server, "db.tiny", "db.small"}));
       },
       [](const SimBed::Ids& i) {
         return CloudAction{ResizeServer{own, i.server, "db.tiny", "db.nano"}};
       },
       "task_state resize_prep"},
      {"confirm what was never resized", [](SimBed&, const SimBed::Ids&) {},
       [](const SimBed::Ids& i) {
         return CloudAction{ConfirmResize{own, i.server}};
       },
       "vm_state active"},
      {"resize while it is deleted",
       [](SimBed& b, const SimBed::Ids& i) {
         REQUIRE(b.cloud.perform(DeleteServer{own, i.server}));
       },
       [](const SimBed::Ids& i) {
         return CloudAction{ResizeServer{own, i.server, "db.tiny", "db.nano"}};
       },
       "task_state deleting"},
      {"start while it starts",
       [](SimBed& b, const SimBed::Ids& i) {
         b.cloud.stop_server(i.server);
         REQUIRE(b.cloud.perform(StartServer{own, i.server}));
       },
       [](const SimBed::Ids& i) {
         return CloudAction{StartServer{own, i.server}};
       },
       "task_state powering-on"},
      {"start one in ERROR", [](SimBed& b, const SimBed::Ids& i) { b.cloud.break_server(i.server, "x"); },
       [](const SimBed::Ids& i) {
         return CloudAction{StartServer{own, i.server}};
       },
       "vm_state error"},
      {"resize to the flavor it has", [](SimBed&, const SimBed::Ids&) {},
       [](const SimBed::Ids& i) {
         return CloudAction{ResizeServer{own, i.server, "db.tiny", "db.tiny"}};
       },
       "must change flavor"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    SimBed bed;
    auto ids = bed.ready();
    row.first(bed, ids);
    const auto refused = bed.cloud.perform(row.action(ids));
    CHECK(code_of(refused) == "conflict");
    CHECK_THAT(words_of(refused), Contains(row.words));
  }
  SimBed bed;
  const std::string server = bed.server(bed.port()->id, "")->id;
  const auto building = bed.cloud.perform(ResizeServer{own, server, "db.tiny", "db.small"});
  CHECK(code_of(building) == "conflict");
  CHECK_THAT(words_of(building), Contains("Cannot 'resize' instance " + server + " while it is in vm_state building"));
  CHECK(code_of(bed.cloud.perform(StartServer{own, "none"})) == "not_found");
}

TEST_CASE("a resize waits for its confirmation") {
  SimBed bed;
  auto ids = bed.ready();
  const Token own = SimBed::token("server-0");
  REQUIRE(bed.cloud.perform(ResizeServer{own, ids.server, "db.tiny", "db.small"}));
  CHECK(bed.status(ids.server) == "RESIZE");
  CHECK(bed.cloud.servers().at(ids.server).flavor == "db.tiny");
  bed.pass(3'000);
  CHECK(bed.status(ids.server) == "VERIFY_RESIZE");
  CHECK(bed.cloud.servers().at(ids.server).flavor == "db.small");
  REQUIRE(bed.cloud.perform(ConfirmResize{own, ids.server}));
  CHECK(bed.status(ids.server) == "VERIFY_RESIZE");
  CHECK(code_of(bed.cloud.perform(ConfirmResize{own, ids.server})) == "conflict");
  bed.pass(300);
  CHECK(bed.status(ids.server) == "ACTIVE");
  bed.cloud.options().resize_error = 1000;
  REQUIRE(bed.cloud.perform(ResizeServer{own, ids.server, "db.small", "db.tiny"}));
  bed.pass(3'000);
  CHECK(bed.status(ids.server) == "ERROR");
  CHECK(bed.cloud.servers().at(ids.server).flavor == "db.small");
}

TEST_CASE("quotas are said in the words of the service that has them") {
  SimOptions options;
  options.max_servers = 1;
  options.max_volumes = 2;
  options.max_gigabytes = 10;
  options.max_ports = 2;
  SimBed bed(options);
  const std::string port = bed.port()->id, other = bed.port(2)->id;
  const auto no_port = bed.port(3);
  CHECK(code_of(no_port) == "no_space");
  CHECK_THAT(words_of(no_port), Contains("OverQuota: Quota exceeded for resources: ['port']."));
  const std::string volume = bed.volume(4)->id;
  bed.pass(600);
  const auto too_big = bed.volume(7);
  CHECK(code_of(too_big) == "no_space");
  CHECK_THAT(words_of(too_big), Contains("Requested 7G, quota is 10G and 4G has been consumed."));
  REQUIRE(bed.volume(1));
  CHECK_THAT(words_of(bed.volume(1)), Contains("Maximum number of volumes allowed (2) exceeded for quota 'volumes'."));
  const auto grow = bed.cloud.perform(ExtendVolume{SimBed::token("data"), volume, 4, 10});
  CHECK(code_of(grow) == "no_space");
  REQUIRE(bed.cloud.perform(ExtendVolume{SimBed::token("data"), volume, 4, 9}));
  CHECK_THAT(words_of(bed.volume(1)), Contains("VolumeLimitExceeded"));
  bed.pass(600);
  REQUIRE(bed.server(port, volume));
  const auto no_server = bed.server(other, "", 2);
  CHECK(code_of(no_server) == "no_space");
  CHECK_THAT(words_of(no_server),
             Contains("Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"));
  CHECK(bed.volume_status(volume) == "reserved");
}

TEST_CASE("a volume grows while it is used and never shrinks") {
  SimBed bed;
  auto ids = bed.ready();
  const Token own = SimBed::token("data");
  REQUIRE(bed.cloud.perform(ExtendVolume{own, ids.volume, 2, 5}));
  CHECK(bed.volume_status(ids.volume) == "extending");
  CHECK(bed.cloud.volumes().at(ids.volume).size_gib == 2);
  CHECK(code_of(bed.cloud.perform(ExtendVolume{own, ids.volume, 2, 6})) == "conflict");
  bed.pass(500);
  CHECK(bed.volume_status(ids.volume) == "in-use");
  CHECK(bed.cloud.volumes().at(ids.volume).size_gib == 5);
  CHECK(bed.cloud.perform(ExtendVolume{own, ids.volume, 2, 5}));
  CHECK(code_of(bed.cloud.perform(ExtendVolume{own, ids.volume, 5, 4})) == "invalid");
  CHECK(code_of(bed.cloud.perform(ExtendVolume{own, "none", 5, 6})) == "not_found");
  bed.cloud.options().extend_error = 1000;
  REQUIRE(bed.cloud.perform(ExtendVolume{own, ids.volume, 5, 6}));
  bed.pass(500);
  CHECK(bed.volume_status(ids.volume) == "error_extending");
  CHECK(bed.cloud.volumes().at(ids.volume).size_gib == 5);
}

TEST_CASE("a volume is given another type while it is used, and one that cannot be is as it was, without a word") {
  SimBed bed;
  auto ids = bed.ready();
  const Token own = SimBed::token("data");
  const auto type = [&] { return bed.cloud.volumes().at(ids.volume).type; };
  CHECK(type() == "__DEFAULT__");
  REQUIRE(bed.cloud.perform(RetypeVolume{own, ids.volume, "__DEFAULT__", "fast"}));
  CHECK(bed.volume_status(ids.volume) == "retyping");
  CHECK(type() == "__DEFAULT__");
  CHECK(code_of(bed.cloud.perform(RetypeVolume{own, ids.volume, "__DEFAULT__", "fast"})) == "conflict");
  CHECK(code_of(bed.cloud.perform(ExtendVolume{own, ids.volume, 2, 6})) == "conflict");
  bed.pass(2'000);
  CHECK(bed.volume_status(ids.volume) == "in-use");
  CHECK(type() == "fast");
  CHECK(bed.cloud.perform(RetypeVolume{own, ids.volume, "__DEFAULT__", "fast"}));    // done is done
  CHECK(bed.cloud.perform(RetypeVolume{own, ids.volume, "__DEFAULT__", "type-2"}));  // and so it is by its id
  CHECK(bed.volume_status(ids.volume) == "in-use");
  const auto unknown = bed.cloud.perform(RetypeVolume{own, ids.volume, "fast", "none"});
  CHECK(code_of(unknown) == "invalid");
  CHECK_THAT(words_of(unknown), Contains("Volume type with name none could not be found."));
  CHECK(code_of(bed.cloud.perform(RetypeVolume{own, "none", "fast", "__DEFAULT__"})) == "not_found");
  CHECK(code_of(bed.cloud.perform(RetypeVolume{SimBed::token("data", 7), ids.volume, "fast", "__DEFAULT__"})) == "denied");
  bed.cloud.options().retype_error = 1000;
  REQUIRE(bed.cloud.perform(RetypeVolume{own, ids.volume, "fast", "type-1"}));
  CHECK(bed.volume_status(ids.volume) == "retyping");
  bed.pass(2'000);
  CHECK(bed.volume_status(ids.volume) == "in-use");
  CHECK(type() == "fast");
}

TEST_CASE("a server that goes while its volume grows leaves a volume that is free and grown") {
  SimBed bed;
  auto ids = bed.ready();
  REQUIRE(bed.cloud.perform(ExtendVolume{SimBed::token("data"), ids.volume, 2, 5}));
  bed.cloud.lose_server(ids.server);
  bed.pass(1'000);
  CHECK(bed.volume_status(ids.volume) == "available");
  CHECK(bed.cloud.volumes().at(ids.volume).size_gib == 5);
}

TEST_CASE("creations of volumes fail as often as asked") {
  SimOptions options;
  options.volume_error = 300;
  SimBed bed(options);
  int failed = 0;
  for (int i = 0; i < 300; ++i) REQUIRE(bed.volume(1, i));
  bed.pass(600);
  for (const auto& [id, volume] : bed.cloud.volumes()) failed += volume.status == CloudVolume::Status::error;
  CHECK(failed > 50);
  CHECK(failed < 140);
}

TEST_CASE("a deletion that hangs goes on when it is asked for again") {
  SimOptions options;
  options.stuck_delete = 1000;
  SimBed bed(options);
  auto ids = bed.ready();
  const auto remove = [&] { return bed.cloud.perform(DeleteServer{SimBed::token("server-0"), ids.server}); };
  REQUIRE(remove());
  bed.pass(600'000);
  CHECK(bed.status(ids.server) == "DELETING");
  CHECK_FALSE(bed.cloud.next_change());
  REQUIRE(remove());
  bed.pass(1'000);
  CHECK(bed.status(ids.server) == "(gone)");
  const auto drop = [&] { return bed.cloud.perform(DeleteVolume{SimBed::token("data"), ids.volume}); };
  REQUIRE(drop());
  bed.pass(1'000);
  CHECK(bed.volume_status(ids.volume) == "error_deleting");
  REQUIRE(drop());
  bed.pass(1'000);
  CHECK(bed.volume_status(ids.volume) == "(gone)");
}

TEST_CASE("a volume is attached and detached in steps") {
  SimBed bed;
  const Token own = SimBed::token("data");
  const std::string volume = bed.volume()->id, server = bed.server(bed.port()->id, "")->id;
  bed.pass(600);
  const auto early = bed.cloud.perform(AttachVolume{own, volume, server});
  CHECK(code_of(early) == "conflict");
  bed.pass(5'000);
  REQUIRE(bed.cloud.perform(AttachVolume{own, volume, server}));
  CHECK(bed.volume_status(volume) == "attaching");
  CHECK(bed.cloud.servers().at(server).volume_id == volume);
  CHECK(code_of(bed.cloud.perform(AttachVolume{own, volume, server})) == "conflict");
  CHECK(code_of(bed.cloud.perform(DetachVolume{own, volume, server})) == "conflict");
  bed.pass(300);
  CHECK(bed.volume_status(volume) == "in-use");
  REQUIRE(bed.cloud.perform(DetachVolume{own, volume, server}));
  CHECK(bed.volume_status(volume) == "detaching");
  bed.pass(300);
  CHECK(bed.volume_status(volume) == "available");
  CHECK(bed.cloud.servers().at(server).volume_id.empty());
  CHECK(bed.cloud.perform(DetachVolume{own, volume, server}));
  CHECK(code_of(bed.cloud.perform(AttachVolume{own, "none", server})) == "not_found");
  CHECK(code_of(bed.cloud.perform(AttachVolume{own, volume, "none"})) == "not_found");
}

TEST_CASE("a build whose volume or port goes away ends in ERROR") {
  SimBed bed;
  const std::string port = bed.port()->id, other = bed.port(2)->id, volume = bed.volume()->id;
  bed.pass(600);
  const std::string first = bed.server(port, volume)->id, second = bed.server(other, "", 2)->id;
  bed.cloud.lose_volume(volume);
  bed.cloud.lose_port(other);
  bed.pass(5'000);
  CHECK(bed.status(first) == "ERROR");
  CHECK_THAT(bed.cloud.servers().at(first).fault, Contains("Volume " + volume));
  CHECK(bed.status(second) == "ERROR");
  CHECK_THAT(bed.cloud.servers().at(second).fault, Contains("Port " + other + " could not be found"));
}

TEST_CASE("a deletion during the build leaves nothing behind") {
  for (const int64_t after : {0, 100, 250, 1'750, 1'999, 2'000}) {
    INFO(after);
    SimBed bed;
    const std::string port = bed.port()->id, volume = bed.volume()->id;
    bed.pass(600);
    const std::string server = bed.server(port, volume)->id;
    bed.pass(after);
    REQUIRE(bed.cloud.perform(DeleteServer{SimBed::token("server-0"), server}));
    bed.pass(60'000);
    CHECK(bed.status(server) == "(gone)");
    CHECK(bed.volume_status(volume) == "available");
    CHECK(bed.cloud.ports().at(port).device_id.empty());
    CHECK_FALSE(bed.cloud.next_change());
  }
}
