#include <chrono>
#include "tests/local/fixture.hpp"

using namespace trove;
using test_local::Fixture;
using test_local::eventually;
using test_local::is_alive;
namespace fs = std::filesystem;

TEST_CASE("an empty cloud is known to be empty") {
  Fixture f;
  const auto seen = f.cloud->observe();
  CHECK(seen.servers_known);
  CHECK(seen.volumes_known);
  CHECK(seen.ports_known);
  CHECK(seen.objects_known);
  CHECK(seen.trouble.empty());
  CHECK(seen.as_of == f.clock.wall());
  CHECK(f.cloud->name() == "local");
  const auto small =
      std::find_if(seen.flavors.begin(), seen.flavors.end(), [](const auto& fl) { return fl.name == "db.small"; });
  REQUIRE(small != seen.flavors.end());
  CHECK(small->ram_mib == 1024);
}

TEST_CASE("a file that cannot be understood makes its list unknown and nothing in it absent") {
  Fixture f;
  const auto port = f.port(), volume = f.volume(), other_volume = f.volume("more");
  const auto server = f.server(port, volume);
  const auto file = GENERATE(as<std::string>{}, "ports", "volumes", "servers");
  const std::string path = file == "ports"     ? f.root() + "/ports/" + port + ".json"
                           : file == "volumes" ? f.volume_file(volume, "volume.json")
                                               : f.server_file(server, "server.json");
  const std::string kept = read_file(path);
  const auto damage = GENERATE(as<std::string>{}, "", "{", "[]", "{\"id\": 7}", "directory", "huge", "other id");
  if (file == "ports" && damage == "directory") return;   // a directory among the ports is somebody else's
  INFO(file << " " << damage);
  if (damage == "directory") {
    fs::remove(path);
    fs::create_directory(path);
  } else if (damage == "huge") {
    write_file(path, kept + std::string(100'000, ' '));
  } else if (damage == "other id") {
    std::string text = kept;
    const std::string id = file == "ports" ? port : file == "volumes" ? volume : server;
    text.replace(text.find(id), 8, "ffffffff");
    write_file(path, text);
  } else {
    write_file(path, damage);
  }
  const auto seen = f.cloud->observe();
  CHECK(seen.ports_known == (file != "ports"));
  CHECK(seen.volumes_known == (file != "volumes"));
  CHECK(seen.servers_known == (file != "servers"));
  CHECK(seen.objects_known);
  CHECK(seen.trouble.find(path.substr(f.root().size() + 1)) == 0);
  CHECK(f.cloud->observe().trouble == seen.trouble);
  if (file == "servers") {
    // Attached still: whoever cannot read the server does not know that it is gone.
    CHECK(f.seen_volume(volume)->server_id == server);
    CHECK(f.refused(f.server_action(f.port("port-1"), other_volume, 1)).code == Code::unavailable);
    CHECK(f.refused(DeleteVolume{f.token("data"), volume}).code == Code::conflict);
  }
  if (file == "volumes") {
    CHECK(f.refused(CreateVolume{f.token("third"), "shop", "third", 1, ""}).code == Code::unavailable);
    CHECK(f.refused(DeleteVolume{f.token("data"), volume}).code == Code::unavailable);
  }
  CHECK(is_alive(f.agent(server)));
  fs::remove_all(path);
  write_file(path, kept);
  CHECK(f.cloud->observe().trouble.empty());
  CHECK(f.seen_server(server)->status == Server::Status::active);
}

TEST_CASE("a volume that lost its description but not its data is trouble and not absent") {
  Fixture f;
  const auto volume = f.volume();
  fs::remove(f.volume_file(volume, "volume.json"));
  const auto seen = f.cloud->observe();
  CHECK_FALSE(seen.volumes_known);
  CHECK(seen.trouble.find(volume) != std::string::npos);
  fs::remove_all(f.volume_file(volume, ""));
  CHECK(f.cloud->observe().volumes_known);
}

TEST_CASE("a directory that cannot be listed makes its list unknown") {
  Fixture f;
  const auto volume = f.volume();
  fs::rename(f.root() + "/volumes", f.root() + "/elsewhere");
  write_file(f.root() + "/volumes", "not a directory");
  CHECK_FALSE(f.cloud->observe().volumes_known);
  fs::remove(f.root() + "/volumes");
  fs::rename(f.root() + "/elsewhere", f.root() + "/volumes");
  CHECK(f.cloud->observe().volumes_known);
  CHECK(f.seen_volume(volume));
}

TEST_CASE("files and directories of others are neither shown nor touched") {
  Fixture f;
  const std::string uuid = "5b0cf5b4-4d3f-4f0e-9f5c-0123456789ab";
  fs::create_directories(f.root() + "/servers/backup-of-server/run");
  write_file(f.root() + "/servers/backup-of-server/server.json", "{}");
  fs::create_directories(f.root() + "/volumes/lost+found");
  write_file(f.root() + "/volumes/" + uuid, "a file with the name of a volume");
  write_file(f.root() + "/ports/README", "hands off");
  write_file(f.root() + "/ports/" + uuid + ".json.orig", "{");
  fs::create_directories(f.root() + "/ports/" + uuid + ".json");
  fs::create_symlink("/etc", f.root() + "/volumes/5b0cf5b4-4d3f-4f0e-9f5c-0123456789ac");
  f.open();
  const auto seen = f.cloud->observe();
  CHECK(seen.trouble.empty());
  CHECK(seen.servers.empty());
  CHECK(seen.volumes.empty());
  CHECK(seen.ports.empty());
  for (const std::string name :
       {"/servers/backup-of-server/server.json", "/volumes/lost+found", "/ports/README", "/ports/"}) {
    CHECK(fs::exists(f.root() + name));
  }
  CHECK(fs::exists(f.root() + "/volumes/" + uuid));
  CHECK(fs::is_symlink(f.root() + "/volumes/5b0cf5b4-4d3f-4f0e-9f5c-0123456789ac"));
}

TEST_CASE("a thing without our token is shown as not ours and is not changed") {
  Fixture f;
  const auto id = f.volume();
  const std::string path = f.volume_file(id, "volume.json");
  std::string text = read_file(path);
  text.replace(text.find("trove:uid"), 9, "other:uid");
  write_file(path, text);
  REQUIRE(f.seen_volume(id));
  CHECK(f.seen_volume(id)->token.uid.empty());
  CHECK(f.refused(DeleteVolume{f.token("data"), id}).code == Code::denied);
  CHECK(f.refused(DeleteVolume{Token{}, id}).code == Code::denied);
  CHECK(fs::exists(path));
}

TEST_CASE("an operator's flavors replace the built in ones") {
  Fixture f;
  write_file(f.root() + "/flavors.json", R"([{"name": "m1.tiny", "ram": 300, "vcpus": 1}])");
  auto seen = f.cloud->observe();
  REQUIRE(seen.flavors.size() == 1);
  CHECK(seen.flavors[0].name == "m1.tiny");
  CHECK(seen.flavors[0].ram_mib == 300);
  CHECK(seen.trouble.empty());
  auto action = f.server_action(f.port(), f.volume());
  CHECK(f.refused(action).code == Code::invalid);
  action.flavor = "m1.tiny";
  f.must(action);
  write_file(f.root() + "/flavors.json", R"([{"name": "m1.tiny", "ram": "much"}])");
  seen = f.cloud->observe();
  CHECK(seen.trouble.find("flavors.json") == 0);
  CHECK(seen.servers_known);
}

TEST_CASE("what a crash left half written or half removed is gone after the next start") {
  Fixture f;
  const auto volume = f.volume();
  const std::string uuid = "5b0cf5b4-4d3f-4f0e-9f5c-0123456789ab";
  fs::create_directories(f.root() + "/trash/" + uuid + "/fs");
  write_file(f.root() + "/trash/" + uuid + "/fs/ibdata1", "rows");
  fs::create_directories(f.root() + "/volumes/.new-" + uuid + "/fs");
  write_file(f.root() + "/ports/." + uuid + ".json.tmp", "{\"id\":");
  CHECK(f.cloud->observe().trouble.empty());
  f.open();
  CHECK(fs::is_empty(f.root() + "/trash"));
  CHECK(fs::is_empty(f.root() + "/ports"));
  CHECK_FALSE(fs::exists(f.root() + "/volumes/.new-" + uuid));
  CHECK(f.seen_volume(volume));
}

namespace {

// server.json and the rest as after a crash between the reservation and the agent's start.
void back_to_reserved(Fixture& f, const std::string& id) {
  std::string text = read_file(f.server_file(id, "server.json"));
  const std::string built = "\"state\": \"built\"";
  REQUIRE(text.find(built) != std::string::npos);
  text.replace(text.find(built), built.size(), "\"state\": \"build\"");
  write_file(f.server_file(id, "server.json"), text);
  fs::remove(f.server_file(id, "agent.pid"));
}

}  // namespace

TEST_CASE("a reservation without an agent is BUILD until the next start and then undone") {
  Fixture f;
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  kill(f.agent(id), SIGKILL);
  REQUIRE(f.becomes(id, Server::Status::shutoff));
  back_to_reserved(f, id);
  CHECK(f.seen_server(id)->status == Server::Status::build);
  f.open();
  CHECK_FALSE(f.seen_server(id));
  CHECK(f.seen_volume(volume)->status == CloudVolume::Status::available);
  const auto next = f.server(port, volume, 1);
  CHECK(f.seen_server(next)->status == Server::Status::active);
}

TEST_CASE("an agent that was started just before a crash is found by its lock") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  const pid_t agent = f.agent(id);
  back_to_reserved(f, id);
  SECTION("by the next start") {
    f.open();
    CHECK(f.seen_server(id)->status == Server::Status::active);
  }
  SECTION("by an attempt to start it again") {
    f.must(StartServer{f.token("server-0"), id});
    CHECK(f.seen_server(id)->status == Server::Status::active);
  }
  CHECK(is_alive(agent));
  CHECK(read_file(f.server_file(id, "run/starts")) == to_string(f.token("server-0")) + "\n");
}

TEST_CASE("a deletion that a crash cut short goes on and its server is not started meanwhile") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  std::string text = read_file(f.server_file(id, "server.json"));
  text.replace(text.find("\"built\""), 7, "\"deleting\"");
  write_file(f.server_file(id, "server.json"), text);
  f.open();
  CHECK(f.seen_server(id)->status == Server::Status::deleting);
  CHECK(f.refused(StartServer{f.token("server-0"), id}).code == Code::conflict);
  f.must(DeleteServer{f.token("server-0"), id});
  CHECK_FALSE(f.seen_server(id));
}

TEST_CASE("after a reboot of the machine no old pid counts as an agent") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  const std::string path = f.server_file(id, "agent.pid");
  std::string text = read_file(path);
  const std::string what = GENERATE("boot_id", "start_time");
  const size_t at = text.find(what) + what.size() + 3;
  const size_t digit = text.find_first_of("0123456789abcdef", at);
  text[digit] = text[digit] == '1' ? '2' : '1';
  write_file(path, text);
  f.open();
  CHECK(f.seen_server(id)->status == Server::Status::shutoff);
}

TEST_CASE("running guests are told when the endpoint has moved") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  f.endpoint = "http://127.0.0.1:9999";
  f.open();
  CHECK(read_file(f.server_file(id, "guest.json")).find("http://127.0.0.1:9999") != std::string::npos);
  CHECK(f.seen_server(id)->status == Server::Status::active);
}

TEST_CASE("two processes on one root see each other's work and do nothing twice") {
  Fixture f;
  const auto port = f.port();
  auto second = open_local_cloud(f.options());
  REQUIRE(second);
  CHECK((*second)->observe().ports.size() == 1);
  const auto refused = (*second)->perform(CreatePort{f.token("port-0"), "shop", "again", {}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::conflict);
  REQUIRE((*second)->perform(DeletePort{f.token("port-0"), port}));
  CHECK(f.cloud->observe().ports.empty());
}

TEST_CASE("observing thousands of things is cheap and always in the same order") {
  Fixture f;
  constexpr int kCount = 300;
  const auto text_of = [](std::string text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
    return text;
  };
  const auto volume = f.volume(), port = f.port();
  const std::string volume_text = read_file(f.volume_file(volume, "volume.json"));
  const std::string port_text = read_file(f.root() + "/ports/" + port + ".json");
  for (int i = 0; i < kCount; ++i) {
    char id[64];
    snprintf(id, sizeof id, "%08x-1111-4111-8111-111111111111", i);
    fs::create_directories(f.volume_file(id, "fs"));
    write_file(f.volume_file(id, "volume.json"), text_of(volume_text, volume, id));
    write_file(f.root() + "/ports/" + id + ".json", text_of(port_text, port, id));
  }
  const auto first = f.cloud->observe();
  CHECK(first.volumes.size() == kCount + 1);
  CHECK(std::is_sorted(first.volumes.begin(), first.volumes.end(),
                       [](const auto& a, const auto& b) { return a.id < b.id; }));
  const auto begin = std::chrono::steady_clock::now();
  const auto second = f.cloud->observe();
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(second.ports.size() == kCount + 1);
  CHECK(took < std::chrono::milliseconds(500));   // it takes a few
}
