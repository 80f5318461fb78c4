#include "tests/local/fixture.hpp"

using namespace trove;
using test_local::Fixture;

TEST_CASE("a volume is a directory that outlives the process") {
  Fixture f;
  const auto id = f.must(CreateVolume{f.token("data"), "shop", "orders-data", 3, "ssd"}).id;
  write_file(f.volume_file(id, "fs/ibdata1"), "rows");
  f.open();
  const auto volume = f.seen_volume(id);
  REQUIRE(volume);
  CHECK(volume->name == "orders-data");
  CHECK(volume->token == f.token("data"));
  CHECK(volume->size_gib == 3);
  CHECK(volume->type == "ssd");
  CHECK(volume->status == CloudVolume::Status::available);
  CHECK(read_file(f.volume_file(id, "fs/ibdata1")) == "rows");
}

TEST_CASE("a volume grows and never shrinks") {
  Fixture f;
  const auto id = f.volume();
  f.must(ExtendVolume{f.token("data"), id, 1, 5});
  CHECK(f.seen_volume(id)->size_gib == 5);
  f.must(ExtendVolume{f.token("data"), id, 1, 5});   // said twice
  const auto error = f.refused(ExtendVolume{f.token("data"), id, 5, 4});
  CHECK(error.code == Code::invalid);
  CHECK(error.message.find("New size for extend must be greater") != std::string::npos);
  CHECK(f.seen_volume(id)->size_gib == 5);
  CHECK(f.refused(CreateVolume{f.token("data", 1), "shop", "none", 0, ""}).code == Code::invalid);
}

TEST_CASE("another type is written down") {
  Fixture f;
  const auto id = f.volume();
  f.must(RetypeVolume{f.token("data"), id, "", "ssd"});
  f.must(RetypeVolume{f.token("data"), id, "", "ssd"});  // said twice
  f.open();
  CHECK(f.seen_volume(id)->type == "ssd");
  CHECK(f.refused(RetypeVolume{f.token("data", 1), id, "ssd", "hdd"}).code == Code::denied);
  CHECK(f.refused(RetypeVolume{f.token("data"), "none", "ssd", "hdd"}).code == Code::not_found);
}

TEST_CASE("a full disk takes no new volume and no bigger one") {
  Fixture f;
  const auto id = f.volume();
  f.least_free = int64_t{1} << 60;
  f.open();
  CHECK(f.refused(CreateVolume{f.token("data", 1), "shop", "more", 1, ""}).code == Code::no_space);
  CHECK(f.refused(ExtendVolume{f.token("data"), id, 1, 2}).code == Code::no_space);
  CHECK(f.seen_volume(id)->size_gib == 1);
  f.must(DeleteVolume{f.token("data"), id});
}

TEST_CASE("a second volume with one token is refused and the first is named") {
  Fixture f;
  const auto id = f.volume();
  const auto error = f.refused(CreateVolume{f.token("data"), "shop", "orders-data", 1, ""});
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find(id) != std::string::npos);
}

TEST_CASE("an attached volume is not deleted") {
  Fixture f;
  const auto volume = f.volume();
  const auto server = f.server(f.port(), volume);
  CHECK(f.seen_volume(volume)->status == CloudVolume::Status::in_use);
  CHECK(f.seen_volume(volume)->server_id == server);
  const auto error = f.refused(DeleteVolume{f.token("data"), volume});
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find("InvalidVolume: volume " + volume + " is in-use") == 0);
  f.must(DeleteServer{f.token("server-0"), server});
  f.must(DeleteVolume{f.token("data"), volume});
  CHECK_FALSE(std::filesystem::exists(f.volume_file(volume, "")));
  f.must(DeleteVolume{f.token("data"), volume});   // gone is what was wanted
}

TEST_CASE("a volume that a process still writes to is not deleted whosever the process is") {
  Fixture f;
  const auto volume = f.volume();
  const std::string disk = f.volume_file(volume, "fs");
  const pid_t writer = fork();
  if (writer == 0) {
    const char* const argv[] = {"/bin/sh", "-c", "cd \"$0\" && exec >>data && echo begun && exec sleep 600",
                                disk.c_str(), nullptr};
    execv("/bin/sh", const_cast<char* const*>(argv));
    _exit(127);
  }
  REQUIRE(test_local::eventually([&] { return read_file(disk + "/data") == "begun\n"; }));
  const auto error = f.refused(DeleteVolume{f.token("data"), volume});
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find("in use by process " + std::to_string(writer)) != std::string::npos);
  CHECK(f.refused(f.server_action(f.port(), volume)).code == Code::conflict);
  CHECK(f.cloud->observe().servers.empty());
  CHECK(test_local::is_alive(writer));
  CHECK(read_file(disk + "/data") == "begun\n");
  kill(writer, SIGKILL);
  waitpid(writer, nullptr, 0);
  f.must(DeleteVolume{f.token("data"), volume});
}

TEST_CASE("a volume is detached from a server that is down and not from one that runs") {
  Fixture f;
  const auto volume = f.volume();
  const auto server = f.server(f.port(), volume);
  CHECK(f.refused(DetachVolume{f.token("data"), volume, server}).code == Code::conflict);
  kill(f.agent(server), SIGKILL);
  REQUIRE(f.becomes(server, Server::Status::shutoff));
  f.must(DetachVolume{f.token("data"), volume, server});
  CHECK(f.seen_volume(volume)->status == CloudVolume::Status::available);
  CHECK(f.seen_server(server)->volume_id.empty());
  f.must(DetachVolume{f.token("data"), volume, server});
  f.must(DeleteVolume{f.token("data"), volume});
}
