// Four engines from one apply; backups of three of them, restored and compared row by row; refusals.
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "support/system.hpp"

using namespace trove;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string instance(const std::string& name, const std::string& type,
                     const std::string& more = ", volume: {size: 1}") {
  return "---\napiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: " + name +
         "}\nspec: {datastore: {type: " + type + "}, flavor: db.nano" + more + "}\n";
}
std::string user(const std::string& object, const std::string& of, const std::string& name, const std::string& grants) {
  return "---\napiVersion: trove/v1alpha1\nkind: User\nmetadata: {name: " + object +
         "}\nspec:\n  instanceRef: {name: " + of + "}\n  name: " + name +
         "\n  password: {generate: {}}\n  grants: " + grants + "\n";
}
std::string database(const std::string& name, const std::string& of, const std::string& more = "") {
  return "---\napiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: " + name +
         "}\nspec: {instanceRef: {name: " + of + "}" + more + "}\n";
}

}  // namespace

TEST_CASE("a MariaDB backup restores into a new instance row by row") {
  System system;
  system.apply(instance("m", "mariadb") + database("shop", "m") +
               user("m-app", "m", "app", "[{privileges: [ALL], on: \"shop.*\"}]"));
  system.wait_ready("user/m-app");
  const std::string password = system.password("m-app-password");
  REQUIRE(system
              .mariadb("m", "app", password,
                       "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100)); INSERT INTO t SELECT seq, "
                       "MD5(seq) FROM seq_1_to_5000",
                       "shop")
              .code == 0);
  system.must({"backup", "inst/m", "--name", "b1", "--wait"});
  CHECK(system.field("bk/b1", "{.status.phase}") == "Completed");
  CHECK(system.field("bk/b1", "{.status.sha256}").size() == 64);
  // What comes after the backup must not be in it.
  REQUIRE(system.mariadb("m", "app", password, "DELETE FROM t WHERE id > 10", "shop").code == 0);
  system.apply(instance("m2", "mariadb", ", volume: {size: 1}, bootstrapFrom: {backupRef: {name: b1}}") +
               database("shop2", "m2", ", name: shop") +
               user("m2-app", "m2", "app", "[{privileges: [ALL], on: \"shop.*\"}]"));
  system.wait_ready("user/m2-app");
  const std::string all = "SELECT COUNT(*), SUM(id), BIT_XOR(CRC32(CONCAT(id, v))) FROM t";
  Exit restored = system.mariadb("m2", "app", system.password("m2-app-password"), all, "shop");
  INFO(restored.err);
  REQUIRE(
      system
          .mariadb("m", "app", password, "DELETE FROM t; INSERT INTO t SELECT seq, MD5(seq) FROM seq_1_to_5000", "shop")
          .code == 0);
  CHECK(restored.out == system.mariadb("m", "app", password, all, "shop").out);
  CHECK(contains(restored.out, "5000\t12502500"));
}

TEST_CASE("a backup larger than one object is stored in segments, restored row by row and deleted whole") {
  System system({"--backup-segment-size", "64KiB"}, true);
  system.apply(instance("m", "mariadb") + database("shop", "m") +
               user("m-app", "m", "app", "[{privileges: [ALL], on: \"shop.*\"}]"));
  system.wait_ready("user/m-app");
  const std::string password = system.password("m-app-password");
  REQUIRE(system
              .mariadb("m", "app", password,
                       "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100)); INSERT INTO t SELECT seq, "
                       "MD5(seq) FROM seq_1_to_20000",
                       "shop")
              .code == 0);
  system.apply("apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b1}\nspec: {instanceRef: {name: m}, "
               "deletionPolicy: Delete}\n");
  system.wait_ready("bk/b1");
  const int segments = std::stoi(system.field("bk/b1", "{.status.segments}"));
  CHECK(segments > 3);
  const auto stored = [&] {
    std::vector<uintmax_t> sizes;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(system.data() + "/cloud/objects"))
      if (entry.is_regular_file()) sizes.push_back(entry.file_size());
    return sizes;
  };
  CHECK(stored().size() == static_cast<size_t>(segments));
  uintmax_t sum = 0;
  for (const uintmax_t size : stored()) {
    CHECK(size <= 64u << 10);
    sum += size;
  }
  CHECK(std::to_string(sum) == system.field("bk/b1", "{.status.bytes}"));

  system.apply(instance("m2", "mariadb", ", volume: {size: 1}, bootstrapFrom: {backupRef: {name: b1}}") +
               database("shop2", "m2", ", name: shop") +
               user("m2-app", "m2", "app", "[{privileges: [ALL], on: \"shop.*\"}]"));
  system.wait_ready("user/m2-app");
  const std::string all = "SELECT COUNT(*), SUM(id), BIT_XOR(CRC32(CONCAT(id, v))) FROM t";
  const Exit restored = system.mariadb("m2", "app", system.password("m2-app-password"), all, "shop");
  INFO(restored.err);
  CHECK(restored.out == system.mariadb("m", "app", password, all, "shop").out);
  CHECK(contains(restored.out, "20000\t200010000"));
  system.must({"delete", "bk/b1", "--yes", "--wait", "--timeout=60s"});
  CHECK(stored().empty());
}

TEST_CASE("a PostgreSQL backup restores into a new instance row by row") {
  System system;
  system.apply(instance("p", "postgresql") + user("p-app", "p", "app", "[]") + database("shop", "p", ", owner: app"));
  system.wait_ready("user/p-app");
  system.wait_ready("db/shop");
  const std::string password = system.password("p-app-password");
  Exit filled = system.psql("p", "app", password, "shop",
                            "CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 5000) i");
  INFO(filled.err);
  REQUIRE(filled.code == 0);
  system.must({"backup", "inst/p", "--name", "b1", "--wait"});
  REQUIRE(system.psql("p", "app", password, "shop", "DELETE FROM t WHERE id > 10").code == 0);
  system.apply(instance("p2", "postgresql", ", volume: {size: 1}, bootstrapFrom: {backupRef: {name: b1}}") +
               user("p2-app", "p2", "app", "[]") + database("shop2", "p2", ", name: shop, owner: app"));
  system.wait_ready("user/p2-app");
  system.wait_ready("db/shop2");
  Exit restored = system.psql(
      "p2", "app", system.password("p2-app-password"), "shop",
      "SELECT count(*), sum(id), md5(string_agg(v, ',' ORDER BY id)) = md5((SELECT string_agg(md5(i::text), ',' "
      "ORDER BY i) FROM generate_series(1, 5000) i)) FROM t");
  INFO(restored.err);
  CHECK(trimmed(restored.out) == "5000|12502500|t");
}

TEST_CASE("a Redis backup restores into a new instance key by key") {
  System system;
  system.apply(instance("r", "redis") + user("r-app", "r", "default", "[]"));
  system.wait_ready("user/r-app");
  const std::string password = system.password("r-app-password");
  for (int i = 0; i < 50; ++i)
    REQUIRE(
        trimmed(system.redis("r", "default", password, {"SET", "k" + std::to_string(i), std::to_string(i * i)}).out) ==
        "OK");
  CHECK(system.redis("r", "default", "wrong", {"GET", "k7"}).out.find("49") == std::string::npos);
  system.must({"backup", "inst/r", "--name", "b1", "--wait"});
  system.redis("r", "default", password, {"FLUSHALL"});
  system.apply(instance("r2", "redis", ", volume: {size: 1}, bootstrapFrom: {backupRef: {name: b1}}") +
               user("r2-app", "r2", "default", "[]"));
  system.wait_ready("user/r2-app");
  const std::string other = system.password("r2-app-password");
  CHECK(trimmed(system.redis("r2", "default", other, {"DBSIZE"}).out) == "50");
  CHECK(trimmed(system.redis("r2", "default", other, {"GET", "k7"}).out) == "49");
  // And it survives its engine.
  for (pid_t pid : system.processes("redis-server")) ::kill(pid, SIGKILL);
  CHECK(eventually(
      [&] {
        return trimmed(system.redis("r2", "default", other, {"GET", "k49"}).out) == "2401";
      },
      Millis{20'000}));
}

TEST_CASE("what would lose data or makes no sense is refused with what to do next") {
  System system;
  system.apply(instance("m", "mariadb", ", volume: {size: 2}") + database("shop", "m"));
  auto refused = [&](const std::string& yaml, int code, const std::string& part) {
    Exit exit = system.ctl({"apply", "-f", "-"}, yaml);
    INFO(yaml << exit.out << exit.err);
    CHECK(exit.code == code);
    CHECK(contains(exit.err, part));
  };
  refused(instance("m", "mariadb", ", volume: {size: 1}"), 2, "smaller than");
  refused(instance("m", "postgresql", ", volume: {size: 2}"), 2, "datastore");
  refused(database("other", "nowhere"), 2, "nowhere");
  refused(instance("m3", "mariadb", ", volumme: {size: 2}"), 2, "Did you mean");
  refused(database("shop", "m", ", name: renamed"), 2, "spec.name");
  // All or nothing: the good document of a bad set is not applied.
  refused(database("good", "m") + database("bad", "nowhere"), 2, "nowhere");
  CHECK(system.ctl({"get", "db/good"}).code == 3);
  // Deletion protection.
  system.apply(instance("m", "mariadb", ", volume: {size: 2}, deletionProtection: true"));
  Exit protected_ = system.ctl({"delete", "inst/m", "--yes"});
  CHECK(protected_.code == 9);
  CHECK(contains(protected_.err, "deletionProtection"));
  system.apply(instance("m", "mariadb", ", volume: {size: 2}"));
  system.wait_ready("inst/m");
  for (pid_t pid : system.processes("mariadbd")) ::kill(pid, SIGSTOP);
  system.must({"delete", "inst/m", "--yes"});
  Exit late = system.ctl({"apply", "-f", "-"}, instance("m", "mariadb", ", volume: {size: 4}"));
  INFO(late.err);
  // It may be gone by now; then applying makes a new one, which is right as well.
  CHECK((late.code == 0 || (late.code != 0 && contains(late.err, "delet"))));
}

TEST_CASE("live parameters change at once and static ones wait for the restart that the plan announces") {
  System system;
  const std::string group =
      "---\napiVersion: trove/v1alpha1\nkind: ConfigurationGroup\nmetadata: {name: g}\nspec: {datastore: {type: "
      "mariadb}, parameters: ";
  system.apply(group + "{max_connections: 50}}\n" +
               instance("m", "mariadb", ", volume: {size: 1}, configurationRef: {name: g}") +
               user("a", "m", "a", "[]"));
  system.wait_ready("user/a");
  const std::string password = system.password("a-password");
  auto variable = [&](const std::string& name) {
    return trimmed(system.mariadb("m", "a", password, "SELECT @@" + name).out);
  };
  CHECK(variable("max_connections") == "50");
  auto engine = system.processes("mariadbd");
  system.apply(group + "{max_connections: 60, innodb_log_buffer_size: 8M}}\n");
  REQUIRE(eventually([&] { return variable("max_connections") == "60"; }, Millis{15'000}));
  REQUIRE(
      eventually([&] { return contains(system.field("inst/m", "{.status.pendingRestart}"), "innodb_log_buffer_size"); },
                 Millis{15'000}));
  CHECK(system.field("inst/m", "{.status.phase}") == "RESTART_REQUIRED");
  CHECK(system.processes("mariadbd") == engine);
  system.must({"restart", "inst/m", "--wait"});
  CHECK(system.processes("mariadbd") != engine);
  CHECK(variable("innodb_log_buffer_size") == "8388608");
  CHECK(eventually([&] { return system.field("inst/m", "{.status.phase}") == "HEALTHY"; }, Millis{15'000}));
  // An unknown name is refused by the engine and said so; the engine lives.
  system.apply(group + "{max_connections: 60, no_such_variable: 1}}\n");
  REQUIRE(eventually(
      [&] {
        return contains(system.must({"describe", "inst", "m"}), "no_such_variable");
      },
      Millis{15'000}));
  system.must({"restart", "inst/m", "--wait"});
  CHECK(variable("max_connections") == "60");
}

TEST_CASE("names full of metacharacters are taken literally") {
  System system;
  const std::string nasty = "a'; DROP TABLE x; -- `$(touch pwned)\\\"%_";
  system.apply(instance("m", "mariadb") + database("d", "m", ", name: 'a''; DROP TABLE x; -- `$(touch pwned)\\\"%_'"));
  system.wait_ready("db/d");
  Exit seen = system.mariadb_admin("m", "SELECT schema_name FROM information_schema.schemata");
  INFO(seen.out);
  // mariadb -B escapes backslashes in what it prints.
  CHECK(contains(seen.out, "a'; DROP TABLE x; -- `$(touch pwned)\\\\\"%_"));
  CHECK(run({"sh", "-c", "find / -xdev -name pwned 2>/dev/null | head -1"}).out.empty());
}

TEST_CASE("root access is given with a generated password and taken away again") {
  System system;
  system.apply(instance("m", "mariadb", ", volume: {size: 1}, rootAccess: true"));
  system.wait_ready("inst/m");
  REQUIRE(eventually([&] { return system.ctl({"get", "secret/m-root"}).code == 0; }, Millis{10'000}));
  const std::string password = system.password("m-root");
  REQUIRE(eventually([&] { return system.mariadb("m", "root", password, "CREATE DATABASE made_by_root").code == 0; },
                     Millis{10'000}));
  system.apply(instance("m", "mariadb", ", volume: {size: 1}, rootAccess: false"));
  REQUIRE(eventually([&] { return system.mariadb("m", "root", password, "SELECT 1").code != 0; }, Millis{20'000}));
}

TEST_CASE("no secret is in the log the store the process list or an answer") {
  System system;
  system.apply(
      "apiVersion: trove/v1alpha1\nkind: Secret\nmetadata: {name: s}\nspec: {data: {password: "
      "CANARY-7f3a-password}}\n" +
      instance("m", "mariadb") +
      "---\napiVersion: trove/v1alpha1\nkind: User\nmetadata: {name: a}\nspec: {instanceRef: {name: m}, password: "
      "{secretRef: {name: s}}}\n");
  system.wait_ready("user/a");
  REQUIRE(system.mariadb("m", "a", "CANARY-7f3a-password", "SELECT 1").code == 0);
  CHECK(system.password("s") == "CANARY-7f3a-password");
  CHECK_FALSE(contains(system.must({"get", "secret/s", "-o", "yaml"}), "CANARY"));
  CHECK_FALSE(contains(system.must({"describe", "secret", "s"}), "CANARY"));
  CHECK_FALSE(contains(system.log(), "CANARY"));
  CHECK(run({"grep", "-rl", "CANARY-7f3a", system.data() + "/trove.db", system.data() + "/trove.db-wal",
             system.data() + "/cloud/servers"})
            .out.empty());
  // Arguments of every process, and environments of the servers': the agent, the engine and what they start.
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    INFO(entry.path().string());
    CHECK_FALSE(contains(read_file(entry.path() / "cmdline"), "CANARY-7f3a"));
  }
  for (pid_t pid : system.processes())
    CHECK_FALSE(contains(read_file("/proc/" + std::to_string(pid) + "/environ"), "CANARY-7f3a"));
}
