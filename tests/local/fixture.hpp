// A local cloud of its own for each test, with tests/local/fake_guest in place of trove-guest. Whatever a test leaves
// running is killed at its end.
#pragma once
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include "providers/local/local.hpp"
#include "providers/local/processes.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove::test_local {

inline bool eventually(const std::function<bool()>& condition, int timeout_ms = 15'000) {
  for (int waited = 0; waited < timeout_ms; waited += 10) {
    if (condition()) return true;
    poll(nullptr, 0, 10);
  }
  return condition();
}

// A UUID that no other test, and no other run of this one, uses: processes are recognised by it.
inline std::string fresh_uid() {
  static int count = 0;
  char text[64];
  snprintf(text, sizeof text, "%08x-0000-4000-8000-%012x", static_cast<unsigned>(getpid()),
           static_cast<unsigned>(++count));
  return text;
}

inline bool is_alive(pid_t pid) {
  const auto process = local::read_process(pid);
  return process && !process->ended();
}

struct Fixture {
  TempDir dir;
  FakeClock clock;
  SeededRng rng{static_cast<uint64_t>(getpid())};
  std::string uid = fresh_uid();
  std::string program = std::string(TROVE_SOURCE_DIR) + "/tests/local/fake_guest";
  std::string subnet = "127.77.0.0/16", endpoint = "http://127.0.0.1:7780";
  Millis grace{5'000};
  int64_t least_free = 0;
  std::vector<std::string> tokens;             // of servers, to clean up after
  std::unique_ptr<LocalCloud> cloud;

  Fixture() { open(); }
  ~Fixture() {
    cloud.reset();
    for (const auto& token : tokens) {
      for (const auto& process : local::processes_of({token, {}, ""})) kill(process.pid, SIGKILL);
    }
    // The last of them may still be writing.
    eventually([&] {
      return std::all_of(tokens.begin(), tokens.end(), [](const auto& t) {
        return local::processes_of({t, {}, ""}).empty();
      });
    });
  }

  LocalOptions options() {
    return LocalOptions{.root = root(),
                        .guest_program = program,
                        .endpoint_url = endpoint,
                        .guest_token = [](const Token& token) { return Secret("secret of " + to_string(token)); },
                        .object_key = Secret("object key"),
                        .subnet = subnet,
                        .clock = clock,
                        .rng = rng,
                        .stop_grace = grace,
                        .least_free_bytes = least_free,
                        .limit_memory = false};
  }
  std::string root() const { return dir / "cloud"; }
  // As a restart of the control plane.
  void open() {
    cloud.reset();
    auto opened = open_local_cloud(options());
    if (!opened) FAIL(opened.error().message);
    cloud = std::move(*opened);
  }
  void behave(const std::string& words) { write_file(root() + "/behaviour", words); }

  Token token(const std::string& role, int incarnation = 0) const { return {uid, role, incarnation}; }
  Outcome must(const CloudAction& action) {
    auto outcome = cloud->perform(action);
    if (!outcome) FAIL(std::string(action_name(action)) + ": " + outcome.error().message);
    return *outcome;
  }
  Error refused(const CloudAction& action) {
    auto outcome = cloud->perform(action);
    if (outcome) FAIL(std::string(action_name(action)) + " was done");
    return outcome.error();
  }
  std::string port(const std::string& role = "port-0") {
    return must(CreatePort{token(role), "shop", "orders-" + role, {}}).id;
  }
  std::string volume(const std::string& role = "data") {
    return must(CreateVolume{token(role), "shop", "orders-" + role, 1, ""}).id;
  }
  CreateServer server_action(const std::string& port, const std::string& volume, int incarnation = 0,
                             const std::string& role = "server-0") {
    tokens.push_back(to_string(token(role, incarnation)));
    return {token(role, incarnation), "shop", "orders-db-0", "db.small", "mariadb", "10.11", port, volume};
  }
  // Until its agent has begun to do what it was told.
  std::string server(const std::string& port, const std::string& volume, int incarnation = 0,
                     const std::string& role = "server-0") {
    const auto id = must(server_action(port, volume, incarnation, role)).id;
    REQUIRE(eventually([&] { return std::filesystem::exists(server_file(id, "run/ready")); }));
    return id;
  }
  std::string server_file(const std::string& id, const std::string& name) const {
    return root() + "/servers/" + id + "/" + name;
  }
  std::string volume_file(const std::string& id, const std::string& name) const {
    return root() + "/volumes/" + id + "/" + name;
  }
  pid_t pid_in(const std::string& file) const { return static_cast<pid_t>(atoi(read_file(file).c_str())); }
  pid_t agent(const std::string& server) const { return pid_in(server_file(server, "run/ready")); }
  pid_t engine(const std::string& server) const { return pid_in(server_file(server, "run/engine.pid")); }

  std::optional<Server> seen_server(const std::string& id) {
    const Inventory seen = cloud->observe();
    for (const auto& server : seen.servers) if (server.id == id) return server;
    return std::nullopt;
  }
  std::optional<CloudVolume> seen_volume(const std::string& id) {
    const Inventory seen = cloud->observe();
    for (const auto& volume : seen.volumes) if (volume.id == id) return volume;
    return std::nullopt;
  }
  std::optional<Port> seen_port(const std::string& id) {
    const Inventory seen = cloud->observe();
    for (const auto& port : seen.ports) if (port.id == id) return port;
    return std::nullopt;
  }
  bool becomes(const std::string& server, Server::Status status) {
    return eventually([&] { const auto seen = seen_server(server); return seen && seen->status == status; });
  }
};

}  // namespace trove::test_local
