// It heals: each damage done by hand to the real engines, repaired by the loop or the agent.
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>

#include "support/system.hpp"

using namespace trove;

namespace {

const char* kOrders = R"(
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: orders-db}
spec: {datastore: {type: mariadb}, flavor: db.nano, volume: {size: 1}, configurationRef: {name: tuning}}
---
apiVersion: trove/v1alpha1
kind: ConfigurationGroup
metadata: {name: tuning}
spec: {datastore: {type: mariadb}, parameters: {max_connections: 77}}
---
apiVersion: trove/v1alpha1
kind: Database
metadata: {name: orders}
spec: {instanceRef: {name: orders-db}}
---
apiVersion: trove/v1alpha1
kind: User
metadata: {name: app}
spec:
  instanceRef: {name: orders-db}
  password: {generate: {}}
  grants: [{privileges: [ALL], on: "orders.*"}]
)";

// As `rm -rf` until it is gone: somebody may still be writing there.
void destroy(const std::string& directory) {
  std::error_code ignored;
  for (int i = 0; i < 100 && std::filesystem::exists(directory); ++i) std::filesystem::remove_all(directory, ignored);
}

}  // namespace

TEST_CASE("killed engines and agents come back with the same data and address") {
  System system;
  system.apply(kOrders);
  system.wait_ready("inst/orders-db");
  system.wait_ready("db/orders");
  system.wait_ready("user/app");
  const std::string password = system.password("app-password");
  const std::string address = system.address("orders-db");
  auto query = [&](const std::string& sql) { return system.mariadb("orders-db", "app", password, sql, "orders"); };
  auto rows = [&] { return trimmed(query("SELECT COUNT(*), SUM(v) FROM t").out); };
  Exit filled = query(
      "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT); INSERT INTO t (v) SELECT seq FROM seq_1_to_1000");
  INFO(filled.err);
  REQUIRE(filled.code == 0);
  REQUIRE(rows() == "1000\t500500");

  SECTION("the engine is killed") {
    auto before = system.processes("mariadbd");
    REQUIRE(before.size() == 1);
    ::kill(before.front(), SIGKILL);
    REQUIRE(eventually([&] { return rows() == "1000\t500500"; }, Millis{30'000}));
    auto after = system.processes("mariadbd");
    REQUIRE(after.size() == 1);
    CHECK(after.front() != before.front());
  }
  SECTION("the agent is killed and the engine never notices") {
    auto engine = system.processes("mariadbd");
    auto before = system.agents();
    REQUIRE(before.size() == 1);
    ::kill(before.front(), SIGKILL);
    REQUIRE(eventually(
        [&] {
          auto now = system.agents();
          return now.size() == 1 && now != before;
        },
        Millis{30'000}));
    CHECK(system.processes("mariadbd") == engine);
    system.wait_ready("inst/orders-db");
    CHECK(rows() == "1000\t500500");
  }
  SECTION("both are killed and the server's directory is removed") {
    const std::string old = system.server_directory("orders-db");
    for (pid_t pid : system.processes()) ::kill(pid, SIGKILL);
    destroy(old);
    REQUIRE(eventually([&] { return rows() == "1000\t500500"; }, Millis{60'000}));
    system.wait_ready("inst/orders-db");
    CHECK(system.field("inst/orders-db", "{.status.endpoints.primary}") == address + ":3306");
    CHECK(system.server_directory("orders-db") != old);
    CHECK(system.processes("mariadbd").size() == 1);
    CHECK(system.agents().size() == 1);
  }
  SECTION("the server's directory is removed under running processes") {
    const std::string old = system.server_directory("orders-db");
    destroy(old);
    REQUIRE(eventually([&] { return system.server_directory("orders-db") != old; }, Millis{60'000}));
    REQUIRE(eventually([&] { return rows() == "1000\t500500"; }, Millis{60'000}));
    CHECK(system.processes("mariadbd").size() == 1);
    CHECK(system.agents().size() == 1);
  }
  SECTION("a managed user is dropped by hand in SQL") {
    Exit dropped = system.mariadb_admin("orders-db", "DROP USER 'app'@'%'");
    INFO(dropped.err);
    REQUIRE(dropped.code == 0);
    REQUIRE(query("SELECT 1").code != 0);
    REQUIRE(eventually([&] { return rows() == "1000\t500500"; }, Millis{30'000}));
    CHECK(eventually(
        [&] {
          return system.must({"events", "inst/orders-db"}).find("app") != std::string::npos;
        },
        Millis{10'000}));
  }
  SECTION("a managed parameter is changed by hand") {
    REQUIRE(system.mariadb_admin("orders-db", "SET GLOBAL max_connections = 33").code == 0);
    REQUIRE(eventually([&] { return trimmed(query("SELECT @@max_connections").out) == "77"; }, Millis{30'000}));
  }
  SECTION("the power goes and the machine comes back") {
    system.power_cut();
    REQUIRE(system.processes().empty());
    system.start();
    REQUIRE(eventually([&] { return rows() == "1000\t500500"; }, Millis{60'000}));
    system.wait_ready("inst/orders-db");
    CHECK(system.field("inst/orders-db", "{.status.endpoints.primary}") == address + ":3306");
  }
  SECTION("troved is restarted and nothing happens") {
    auto before = system.processes();
    const std::string version = system.field("inst/orders-db", "{.metadata.resourceVersion}");
    system.stop();
    CHECK(rows() == "1000\t500500");
    system.start();
    system.wait_ready("inst/orders-db");
    CHECK(system.processes() == before);
    CHECK(system.field("inst/orders-db", "{.metadata.resourceVersion}") == version);
  }
  SECTION("troved comes back at another port and the guests find it") {
    auto engine = system.processes("mariadbd");
    system.stop();
    system.start("127.0.0.1:" + std::to_string(20000 + ::getpid() % 10000));
    system.wait_ready("inst/orders-db");
    system.apply(
        "apiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: later}\nspec: {instanceRef: {name: "
        "orders-db}}\n");
    system.wait_ready("db/later");
    CHECK(system.processes("mariadbd") == engine);
  }
  SECTION("a removed Database document drops nothing under Retain") {
    system.must({"delete", "db/orders", "--yes", "--wait"});
    CHECK(system.ctl({"get", "db/orders"}).code == 3);
    CHECK(trimmed(system.mariadb_admin("orders-db", "SELECT COUNT(*) FROM orders.t").out) == "1000");
  }
  SECTION("deleting an instance whose engine hangs finishes") {
    for (pid_t pid : system.processes("mariadbd")) ::kill(pid, SIGSTOP);
    system.must({"delete", "inst/orders-db", "--yes", "--wait", "--timeout=60s"});
    CHECK(system.ctl({"get", "inst/orders-db"}).code == 3);
    CHECK(system.processes().empty());
    // Retain: the volume is still there, and applying the instance again brings its rows back.
    CHECK(system.ctl({"get", "vol/orders-db-data"}).code == 0);
    system.apply(kOrders);
    system.wait_ready("inst/orders-db");
    system.forget_address("orders-db");
    REQUIRE(eventually([&] { return rows() == "1000\t500500"; }, Millis{30'000}));
  }
  // Whatever was done: one of each, nothing twice, nothing left over.
  auto entries = [&](const std::string& what) {
    return std::distance(std::filesystem::directory_iterator(system.data() + "/cloud/" + what),
                         std::filesystem::directory_iterator{});
  };
  CHECK(entries("servers") == 1);
  CHECK(entries("volumes") == 1);
  CHECK(entries("ports") == 1);
}

TEST_CASE("kill -9 in an apply storm loses nothing acknowledged and doubles nothing") {
  System system;
  system.apply(kOrders);
  system.wait_ready("inst/orders-db");
  std::vector<int> acknowledged;
  for (int round = 0; round < 4; ++round) {
    std::vector<std::unique_ptr<Process>> clients;
    std::vector<std::vector<int>> numbers;
    for (int client = 0; client < 2; ++client) {
      std::string script = "for i in $(seq " + std::to_string(round * 50 + client * 25) + " " +
                           std::to_string(round * 50 + client * 25 + 24) +
                           "); do printf 'apiVersion: trove/v1alpha1\\nkind: "
                           "Database\\nmetadata: {name: d%s}\\nspec: {instanceRef: {name: orders-db}}\\n' $i | " +
                           std::string(TROVE_BIN_DIR) + "/trovectl apply -f - >/dev/null 2>&1 && echo ok $i; done";
      ProcessOptions options;
      options.env = {"TROVE_DATA=" + system.data()};
      clients.push_back(std::make_unique<Process>(std::vector<std::string>{"bash", "-c", script}, options));
    }
    clients[0]->wait_for("ok " + std::to_string(round * 50 + 5), Millis{20'000});
    system.kill();
    for (auto& client : clients) {
      auto exit = client->wait(Millis{60'000});
      REQUIRE(exit);
      std::istringstream lines(exit->out);
      std::string ok;
      int number;
      while (lines >> ok >> number) acknowledged.push_back(number);
    }
    system.start();
  }
  REQUIRE(acknowledged.size() >= 20);
  for (int number : acknowledged) CHECK(system.ctl({"get", "db/d" + std::to_string(number)}).code == 0);
  // The whole set again, in one go: 200 documents, each there once.
  std::string all;
  for (int i = 0; i < 200; ++i)
    all += "---\napiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: d" + std::to_string(i) +
           "}\nspec: {instanceRef: {name: orders-db}}\n";
  system.apply(all);
  REQUIRE(eventually(
      [&] {
        return trimmed(system
                           .mariadb_admin("orders-db",
                                          "SELECT COUNT(*) FROM information_schema.schemata WHERE "
                                          "schema_name REGEXP '^d[0-9]+$'")
                           .out) == "200";
      },
      Millis{60'000}));
  system.wait_ready("db/d199");
  CHECK(system.processes("mariadbd").size() == 1);
  CHECK(system.agents().size() == 1);
}
