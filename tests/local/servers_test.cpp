#include <atomic>
#include <cstring>
#include <thread>
#include "providers/local/launch.hpp"
#include "providers/local/memory_group.hpp"
#include "tests/local/fixture.hpp"

using namespace trove;
using test_local::Fixture;
using test_local::eventually;
using test_local::is_alive;
namespace fs = std::filesystem;

TEST_CASE("a server is an agent process with its own directory and token") {
  Fixture f;
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  REQUIRE(f.becomes(id, Server::Status::active));
  const auto server = f.seen_server(id);
  CHECK(server->name == "orders-db-0");
  CHECK(server->token == f.token("server-0"));
  CHECK(server->flavor == "db.small");
  CHECK(server->port_id == port);
  CHECK(server->volume_id == volume);
  CHECK(server->created == f.clock.wall());
  CHECK(f.seen_port(port)->device_id == id);
  CHECK(f.seen_volume(volume)->server_id == id);

  const std::string guest = read_file(f.server_file(id, "guest.json"));
  CHECK(guest.find("\"http://127.0.0.1:7780\"") != std::string::npos);
  CHECK(guest.find("\"secret of " + to_string(f.token("server-0")) + "\"") != std::string::npos);
  CHECK(guest.find("\"" + f.volume_file(volume, "fs") + "\"") != std::string::npos);
  CHECK(fs::status(f.server_file(id, "guest.json")).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  // No secret where other users can look.
  const std::string shown = read_file("/proc/" + std::to_string(f.agent(id)) + "/cmdline") +
                            read_file("/proc/" + std::to_string(f.agent(id)) + "/environ");
  CHECK(shown.find("secret") == std::string::npos);
  CHECK(shown.find("TROVE_SERVER=" + to_string(f.token("server-0"))) != std::string::npos);
}

TEST_CASE("servers outlive the control plane and the next one finds them") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  const pid_t agent = f.agent(id);
  f.cloud.reset();
  CHECK(is_alive(agent));
  f.open();
  CHECK(f.seen_server(id)->status == Server::Status::active);
  CHECK(f.agent(id) == agent);
  f.must(StartServer{f.token("server-0"), id});
  CHECK(read_file(f.server_file(id, "run/starts")) == to_string(f.token("server-0")) + "\n");   // once
}

TEST_CASE("a dead agent is seen and started again and the waiting loop is woken") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  REQUIRE(f.becomes(id, Server::Status::active));
  std::atomic<int> calls{0};
  f.cloud->on_change([&] { ++calls; });
  const pid_t first = f.agent(id);
  kill(first, SIGKILL);
  REQUIRE(eventually([&] { return calls > 0; }));
  CHECK(f.seen_server(id)->status == Server::Status::shutoff);
  fs::remove(f.server_file(id, "run/ready"));
  f.must(StartServer{f.token("server-0"), id});
  CHECK(f.seen_server(id)->status == Server::Status::active);
  REQUIRE(eventually([&] { return fs::exists(f.server_file(id, "run/ready")); }));
  CHECK(f.agent(id) != first);
  f.cloud->on_change({});
}

TEST_CASE("an agent that ends at once leaves a server that is off") {
  Fixture f;
  f.behave("dies");
  const auto id = f.must(f.server_action(f.port(), f.volume())).id;
  CHECK(f.becomes(id, Server::Status::shutoff));
}

TEST_CASE("a guest program that is not there makes no server and keeps nothing reserved") {
  Fixture f;
  f.program = f.dir / "nothing";
  f.open();
  const auto port = f.port(), volume = f.volume();
  const auto error = f.refused(f.server_action(port, volume));
  CHECK(error.code == Code::unavailable);
  CHECK(error.message.find("No such file") != std::string::npos);
  CHECK(f.cloud->observe().servers.empty());
  CHECK(f.seen_volume(volume)->status == CloudVolume::Status::available);
  f.must(DeletePort{f.token("port-0"), port});
  f.must(DeleteVolume{f.token("data"), volume});
}

TEST_CASE("a second server with one token or port or volume is refused") {
  Fixture f;
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  const auto other_port = f.port("port-1"), other_volume = f.volume("more");
  auto error = f.refused(f.server_action(other_port, other_volume));
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find(id) != std::string::npos);
  error = f.refused(f.server_action(port, other_volume, 1));
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find("PortInUse") == 0);
  error = f.refused(f.server_action(other_port, volume, 1));
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find("InvalidVolume: volume " + volume + " is in-use") == 0);
  CHECK(f.cloud->observe().servers.size() == 1);
  CHECK(f.seen_volume(other_volume)->server_id.empty());
}

TEST_CASE("of two servers that want one volume at the same time exactly one is made") {
  Fixture f;
  const auto volume = f.volume(), first_port = f.port(), second_port = f.port("port-1");
  const auto first = f.server_action(first_port, volume), second = f.server_action(second_port, volume, 1);
  bool first_made = false, second_made = false;
  std::thread other([&] { second_made = f.cloud->perform(second).has_value(); });
  first_made = f.cloud->perform(first).has_value();
  other.join();
  CHECK(first_made != second_made);
  CHECK(f.cloud->observe().servers.size() == 1);
}

TEST_CASE("an agent gets none of our open files and its locks go with it") {
  Fixture f;
  int leak[2];
  REQUIRE(pipe(leak) == 0);   // without close-on-exec
  const auto volume = f.volume(), port = f.port();
  const auto id = f.server(port, volume);
  const std::string ours = fs::read_symlink("/proc/self/fd/" + std::to_string(leak[1]));
  close(leak[0]);
  close(leak[1]);
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(f.agent(id)) + "/fd")) {
    std::error_code ignored;
    const std::string target = fs::read_symlink(entry.path(), ignored);
    CHECK(target != ours);
    CHECK(target != f.root() + "/.lock");
  }
  CHECK(local::lock_holder(f.server_file(id, "run/agent.lock")) == f.agent(id));
  CHECK(local::lock_holder(f.volume_file(volume, "agent.lock")) == f.agent(id));
  kill(f.agent(id), SIGKILL);
  CHECK(eventually([&] { return !local::lock_holder(f.volume_file(volume, "agent.lock")); }));
}

TEST_CASE("a server needs a flavor and a port and a volume that exist") {
  Fixture f;
  const auto port = f.port(), volume = f.volume();
  auto action = f.server_action(port, volume);
  action.flavor = "db.huge";
  auto error = f.refused(action);
  CHECK(error.code == Code::invalid);
  CHECK(error.message.find("db.huge could not be found") != std::string::npos);
  CHECK(error.hint.find("db.small") != std::string::npos);
  const std::string nowhere = "00000000-0000-4000-8000-000000000000";
  CHECK(f.refused(f.server_action(nowhere, volume)).code == Code::not_found);
  CHECK(f.refused(f.server_action(port, nowhere)).code == Code::not_found);
  CHECK(f.cloud->observe().servers.empty());
}

TEST_CASE("deleting a server ends its engine and frees its volume and port but keeps the data") {
  Fixture f;
  f.behave("engine");
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  write_file(f.volume_file(volume, "fs/ibdata1"), "rows");
  const pid_t agent = f.agent(id), engine = f.engine(id);
  REQUIRE(is_alive(engine));
  f.must(DeleteServer{f.token("server-0"), id});
  CHECK_FALSE(is_alive(agent));
  CHECK_FALSE(is_alive(engine));
  CHECK(read_file(f.root() + "/ended") == "ended\n");   // it had its chance
  CHECK_FALSE(f.seen_server(id));
  CHECK_FALSE(fs::exists(f.server_file(id, "")));
  CHECK(fs::is_empty(f.root() + "/trash"));
  CHECK(f.seen_volume(volume)->status == CloudVolume::Status::available);
  CHECK(f.seen_port(port)->device_id.empty());
  CHECK(read_file(f.volume_file(volume, "fs/ibdata1")) == "rows");
  f.must(DeleteServer{f.token("server-0"), id});
}

TEST_CASE("an engine that does not hear SIGTERM or is stopped is killed after the grace") {
  const std::string how = GENERATE("stubborn", "stopped");
  Fixture f;
  f.grace = Millis{300};
  f.open();
  f.behave(how == "stubborn" ? "engine stubborn" : "engine");
  const auto id = f.server(f.port(), f.volume());
  const pid_t agent = f.agent(id), engine = f.engine(id);
  if (how == "stopped") {
    kill(agent, SIGSTOP);
    kill(engine, SIGSTOP);
  }
  f.must(DeleteServer{f.token("server-0"), id});
  CHECK_FALSE(is_alive(agent));
  CHECK_FALSE(is_alive(engine));
}

TEST_CASE("an engine that outlived its agent is found and ended") {
  Fixture f;
  f.behave("engine");
  const auto id = f.server(f.port(), f.volume());
  const pid_t engine = f.engine(id);
  kill(f.agent(id), SIGKILL);
  REQUIRE(f.becomes(id, Server::Status::shutoff));
  CHECK(is_alive(engine));   // the agent's death alone interrupts no database
  f.must(DeleteServer{f.token("server-0"), id});
  CHECK_FALSE(is_alive(engine));
}

TEST_CASE("deleting one server leaves the processes of others alone") {
  Fixture f;
  f.behave("engine");
  const auto first = f.server(f.port(), f.volume());
  const auto second = f.server(f.port("port-1"), f.volume("more"), 0, "server-1");
  f.must(DeleteServer{f.token("server-0"), first});
  CHECK(is_alive(f.agent(second)));
  CHECK(is_alive(f.engine(second)));
  CHECK(f.seen_server(second)->status == Server::Status::active);
}

TEST_CASE("a server whose directory was removed is absent and frees what it had") {
  Fixture f;
  f.behave("engine");
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  const pid_t agent = f.agent(id), engine = f.engine(id);
  std::atomic<int> calls{0};
  f.cloud->on_change([&] { ++calls; });
  fs::remove_all(f.server_file(id, ""));
  CHECK(eventually([&] { return calls > 0; }));
  f.cloud->on_change({});
  const auto seen = f.cloud->observe();
  CHECK(seen.servers_known);
  CHECK(seen.servers.empty());
  CHECK(f.seen_volume(volume)->status == CloudVolume::Status::available);
  CHECK(f.seen_port(port)->device_id.empty());

  SECTION("and what it left running is ended before another server takes its volume") {
    CHECK(is_alive(engine));
    const auto next = f.server(port, volume, 1);
    CHECK_FALSE(is_alive(agent));
    CHECK_FALSE(is_alive(engine));
    CHECK(is_alive(f.engine(next)));
    CHECK(f.seen_volume(volume)->server_id == next);
  }
  SECTION("and what it left running is ended before its volume is deleted") {
    f.must(DeleteVolume{f.token("data"), volume});
    CHECK_FALSE(is_alive(engine));
  }
  SECTION("and what it left running is ended before its address is given away") {
    f.must(DeletePort{f.token("port-0"), port});
    CHECK_FALSE(is_alive(engine));
  }
  SECTION("and deleting it by its id ends what it left running") {
    f.must(DeleteServer{f.token("server-0"), id});
    CHECK_FALSE(is_alive(agent));
    CHECK_FALSE(is_alive(engine));
  }
  SECTION("and a late delete of it spares the server that carries the token now") {
    const auto next = f.server(port, volume, 0);
    f.must(DeleteServer{f.token("server-0"), id});
    CHECK(is_alive(f.agent(next)));
    CHECK(is_alive(f.engine(next)));
  }
}

TEST_CASE("a process that wrote over its environment is known by where it works") {
  // As Redis and PostgreSQL do to show a title in ps.
  Fixture f;
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  const std::string disk = f.volume_file(volume, "fs");
  const auto titled = [](const char* directory) {
    const pid_t pid = fork();
    if (pid == 0) {
      signal(SIGTERM, SIG_DFL);
      char* begin = environ[0];
      char* end = begin;
      for (char** e = environ; *e; ++e) end = *e + strlen(*e) + 1;
      memset(begin, 0, static_cast<size_t>(end - begin));
      if (chdir(directory) != 0) _exit(1);
      for (;;) pause();
    }
    return pid;
  };
  const pid_t engine = titled(disk.c_str()), stranger = titled("/tmp");
  const auto at = [](pid_t pid, const std::string& directory) {
    std::error_code ignored;
    return fs::read_symlink("/proc/" + std::to_string(pid) + "/cwd", ignored) == directory;
  };
  REQUIRE(eventually([&] { return at(engine, disk) && at(stranger, "/tmp"); }));
  f.must(DeleteServer{f.token("server-0"), id});
  CHECK_FALSE(is_alive(engine));
  CHECK(is_alive(stranger));
  kill(stranger, SIGKILL);
  waitpid(engine, nullptr, 0);
  waitpid(stranger, nullptr, 0);
}

TEST_CASE("somebody who only looks at the volume is neither killed nor in the way") {
  Fixture f;
  const auto port = f.port(), volume = f.volume();
  const auto id = f.server(port, volume);
  const pid_t shell = fork();
  if (shell == 0) {
    if (chdir(f.volume_file(volume, "fs").c_str()) == 0) execl("/bin/sleep", "sleep", "600", nullptr);
    _exit(127);
  }
  REQUIRE(eventually([&] { return read_file("/proc/" + std::to_string(shell) + "/comm") == "sleep\n"; }));
  f.must(DeleteServer{f.token("server-0"), id});
  const auto next = f.server(port, volume, 1);
  CHECK(is_alive(shell));
  CHECK(f.seen_server(next)->status == Server::Status::active);
  kill(shell, SIGKILL);
  waitpid(shell, nullptr, 0);
}

TEST_CASE("a resize is remembered and needs a flavor that exists") {
  Fixture f;
  const auto id = f.server(f.port(), f.volume());
  f.must(ResizeServer{f.token("server-0"), id, "db.small", "db.medium"});
  CHECK(f.seen_server(id)->flavor == "db.medium");
  f.must(ResizeServer{f.token("server-0"), id, "db.small", "db.medium"});
  CHECK(f.refused(ResizeServer{f.token("server-0"), id, "db.medium", "db.none"}).code == Code::invalid);
  f.open();
  CHECK(f.seen_server(id)->flavor == "db.medium");
  CHECK(f.refused(ResizeServer{f.token("server-0"), "nowhere", "db.small", "db.medium"}).code == Code::not_found);
}

TEST_CASE("an agent's memory is limited where this user may make cgroups") {
  Fixture f;
  auto options = f.options();
  options.limit_memory = true;
  f.cloud.reset();
  f.cloud = std::move(*open_local_cloud(std::move(options)));
  const auto id = f.server(f.port(), f.volume());
  const std::string agent = read_file(f.server_file(id, "agent.pid"));
  const size_t at = agent.find("\"/");
  if (at == std::string::npos) {
    WARN("this user may not make memory cgroups here");
  } else {
    const std::string group = agent.substr(at + 1, agent.find('"', at + 1) - at - 1);
    const std::string limit = read_file(group + "/memory.limit_in_bytes") + read_file(group + "/memory.max");
    CHECK(limit == std::to_string(1280ll << 20) + "\n");
    CHECK(read_file(group + "/cgroup.procs").find(std::to_string(f.agent(id))) != std::string::npos);
    f.must(ResizeServer{f.token("server-0"), id, "db.small", "db.medium"});
    CHECK(read_file(group + "/memory.limit_in_bytes") + read_file(group + "/memory.max") ==
          std::to_string(2560ll << 20) + "\n");
    f.must(DeleteServer{f.token("server-0"), id});
    CHECK_FALSE(fs::exists(group));
  }
}

TEST_CASE("memory cgroups are looked for below our own and only where they can work") {
  TempDir dir;
  const std::string mount = dir / "cgroup";
  fs::create_directories(mount + "/memory/box");
  const std::string version_1 = "4:cpu,memory:/box\n1:name=systemd:/box\n";
  CHECK(local::memory_group_base(version_1, mount).empty());
  write_file(mount + "/memory/box/memory.limit_in_bytes", "");
  CHECK(local::memory_group_base(version_1, mount) == mount + "/memory/box");
  CHECK(local::memory_group_base("4:cpu:/box\n", mount).empty());

  fs::create_directories(mount + "/trove.service");
  const std::string version_2 = "0::/trove.service\n";
  write_file(mount + "/trove.service/cgroup.subtree_control", "cpu pids\n");
  CHECK(local::memory_group_base(version_2, mount).empty());
  write_file(mount + "/trove.service/cgroup.subtree_control", "cpu memory\n");
  CHECK(local::memory_group_base(version_2, mount) == mount + "/trove.service");
  CHECK(local::memory_group_base("", mount).empty());
  // There is no memory.max in a directory that is no cgroup: no group then, and nothing left behind.
  CHECK(local::make_memory_group(mount + "/trove.service", "one", 512).empty());
  CHECK_FALSE(fs::exists(mount + "/trove.service/trove-one"));
}
