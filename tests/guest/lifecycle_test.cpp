// What the agent does around an engine, with MariaDB as the engine: parameters, kills, restarts of the agent, volumes,
// backups.
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include "tests/guest/mariadb_client.hpp"

namespace trove::guest {

TEST_CASE("parameters are set live or wait for a restart, and bad ones never brick the engine") {
  Bed bed(Engine::mariadb);
  bed.document.users = {mariadb_user("root", "r", {}, true)};
  // Static ones of the first document take effect before anybody can be connected.
  bed.document.parameters = {{"innodb_log_buffer_size", "4M", Drift::correct}};
  REQUIRE(bed.settle());
  CHECK(bed.parameter("innodb_log_buffer_size").state == "Applied");
  CHECK(bed.parameter("innodb_log_buffer_size").value == "4194304");

  bed.document.parameters = {{"max-connections", "77", Drift::correct},
                             {"sql_mode", "NO_ZERO_DATE,STRICT_TRANS_TABLES", Drift::correct},
                             {"innodb_log_buffer_size", "8M", Drift::correct},
                             {"nonsense_size", "1", Drift::correct},
                             {"datadir", "/etc", Drift::correct},
                             {"max_allowed_packet", "lots", Drift::correct},
                             {"wait_timeout", "111\nskip_grant_tables", Drift::correct},
                             {"slow_query_log", "ON", Drift::report}};
  REQUIRE(bed.settle());
  MariadbClient root(bed.document, "root", "r");
  REQUIRE(root);
  CHECK(bed.parameter("max-connections").state == "Applied");
  CHECK(root.one("SELECT @@global.max_connections") == "77");
  CHECK(bed.parameter("sql_mode").state == "Applied");
  CHECK(bed.parameter("sql_mode").message == "");
  CHECK(bed.parameter("innodb_log_buffer_size").pending_restart);
  CHECK(bed.parameter("innodb_log_buffer_size").state == "Pending");
  CHECK(bed.parameter("nonsense_size").message == "unknown system variable");
  CHECK(bed.parameter("datadir").message == "is set by trove-guest itself");
  CHECK(bed.parameter("max_allowed_packet").state == "Failed");
  CHECK(bed.parameter("wait_timeout").message == "the value holds a control character");
  const std::string written = *guest::read_file(bed.server_dir() + "/run/engine/my.cnf", 100'000);
  CHECK(written.find("nonsense") == std::string::npos);
  CHECK(written.find("lots") == std::string::npos);
  CHECK(written.find("max_connections=\"77\"") != std::string::npos);

  REQUIRE(root.run("SET GLOBAL max_connections = 50"));
  CHECK(bed.has_event("parameter max_connections was set to 50 by someone; set to 77 again"));
  REQUIRE(root.run("SET GLOBAL slow_query_log = OFF"));
  CHECK(bed.eventually([&](const Report& r) { return r.parameters[7].state == "Drifted"; }));

  // One restart for one word, however often the document comes by; and what waited is in force.
  const int restarts = bed.plane.latest().restarts;
  bed.document.restart = "operation-1";
  bed.document.memory_mib = 512;
  REQUIRE(bed.settle());
  CHECK(bed.plane.latest().restarts == restarts + 1);
  CHECK(bed.plane.latest().applied_restart == "operation-1");
  CHECK(bed.plane.latest().applied_memory_mib == 512);
  CHECK(bed.parameter("innodb_log_buffer_size").value == "8388608");
  CHECK_FALSE(bed.parameter("innodb_log_buffer_size").pending_restart);

  // A static value that the engine refuses at its start: the last good configuration, and a word about it.
  bed.document.parameters.push_back({"innodb_page_size", "12345", Drift::correct});
  bed.document.parameters.push_back({"innodb_read_io_threads", "3", Drift::correct});
  bed.document.restart = "operation-2";
  REQUIRE(bed.settle());
  REQUIRE(bed.eventually(
      [](const Report& r) { return r.applied_restart == "operation-2" && r.engine_state == "Running"; }));
  CHECK(bed.parameter("innodb_page_size").state == "Failed");
  CHECK(bed.parameter("innodb_page_size").message.find("did not start") != std::string::npos);
  CHECK(MariadbClient(bed.document, "root", "r").one("SELECT @@global.max_connections") == "77");

  bed.document.parameters = {};
  bed.document.reset_parameters = {"max_connections"};
  REQUIRE(bed.settle());
  CHECK(MariadbClient(bed.document, "root", "r").one("SELECT @@global.max_connections") == "151");
  CHECK(MariadbClient(bed.document, "root", "r").one("SELECT @@global.innodb_log_buffer_size") == "8388608");
}

TEST_CASE("a killed engine comes back at once, and an agent that restarts finds it again") {
  Bed bed(Engine::mariadb);
  bed.document.databases = {mariadb_database("orders")};
  bed.document.users = {mariadb_user("root", "r", {}, true)};
  REQUIRE(bed.settle());
  REQUIRE(MariadbClient(bed.document, "root", "r").run("CREATE TABLE orders.t AS SELECT 42 AS a"));
  kill(bed.engine_mark()->pid, SIGKILL);
  CHECK(bed.has_event("mariadbd stopped unexpectedly; started again"));
  CHECK(MariadbClient(bed.document, "root", "r").one("SELECT a FROM orders.t") == "42");
  CHECK(bed.plane.latest().restarts == 1);

  const ProcessMark before = *bed.engine_mark();
  const Time started = bed.plane.latest().engine_started;
  bed.stop_agent();
  REQUIRE(is_alive(before));
  // Without its control plane it goes by the last document.
  bed.plane.set_away(true);
  bed.start_agent();
  REQUIRE(MariadbClient(bed.document, "root", "r").run("DROP DATABASE orders"));
  bool healed = false;
  for (int i = 0; i < 600 && !healed; ++i) {
    usleep(50'000);
    healed = MariadbClient(bed.document, "root", "r", "orders").operator bool();
  }
  CHECK(healed);
  bed.plane.set_away(false);
  REQUIRE(bed.settle());
  CHECK(*bed.engine_mark() == before);
  CHECK(bed.plane.latest().engine_started == started);
  CHECK(bed.plane.latest().restarts == 0);
  CHECK(bed.has_event("database orders was dropped by someone; created again"));

  // An agent that died before it wrote the pid down; and all of its memory with it.
  bed.stop_agent();
  unlink((bed.server_dir() + "/run/engine.pid").c_str());
  unlink((bed.server_dir() + "/run/agent.json").c_str());
  bed.start_agent();
  REQUIRE(bed.settle());
  CHECK(*bed.engine_mark() == before);

  // The server is gone: the agent ends, the engine is the cloud's to end.
  unlink((bed.server_dir() + "/guest.json").c_str());
  usleep(1'500'000);
  CHECK(is_alive(before));
}

TEST_CASE("a volume with somebody else's data is refused and not touched") {
  Bed bed(Engine::mariadb);
  bed.document.users = {mariadb_user("root", "r", {}, true)};
  SECTION("files without a marker") {
    guest::write_file(bed.volume() + "/precious.txt", "mine", 0644);
    make_directory(bed.volume() + "/lost+found", 0700);
    bed.plane.give(bed.document);
    bed.start_agent();
    REQUIRE(bed.eventually([](const Report& r) { return r.engine_state == "Failed"; }));
    CHECK(bed.plane.latest().engine_message.find("\"precious.txt\" and no marker") != std::string::npos);
    CHECK(names_in(bed.volume()) == std::vector<std::string>{"lost+found", "precious.txt"});
  }
  SECTION("another engine or version") {
    const std::string marker = R"({"engine":"postgresql","version":"15","instance_uid":"x"})";
    guest::write_file(bed.volume() + "/" + "trove-volume.json", marker, 0644);
    bed.plane.give(bed.document);
    bed.start_agent();
    REQUIRE(bed.eventually([](const Report& r) { return r.engine_state == "Failed"; }));
    CHECK(bed.plane.latest().engine_message.find("holds data of postgresql") != std::string::npos);
    CHECK(*guest::read_file(bed.volume() + "/trove-volume.json", 1000) == marker);
    CHECK(names_in(bed.volume()).size() == 1);
  }
  SECTION("a retained volume serves a new instance, but not with its data gone") {
    make_directory(bed.volume() + "/lost+found", 0700);
    REQUIRE(bed.settle());
    REQUIRE(MariadbClient(bed.document, "root", "r").run("CREATE DATABASE kept"));
    bed.stop_agent();
    const ProcessMark engine = *bed.engine_mark();
    REQUIRE(end_process(engine, SIGTERM, Millis{60'000}, nullptr));
    // A new server: all that lay in the server's directory is gone, the volume is not.
    remove_tree(bed.server_dir() + "/run");
    remove_tree(bed.server_dir() + "/log");
    bed.document.instance_uid = "uid-2";
    REQUIRE(bed.settle());
    CHECK(MariadbClient(bed.document, "root", "r")
              .one("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='kept'") == "1");
    CHECK(guest::read_file(bed.volume() + "/trove-volume.json", 1000)->find("uid-2") != std::string::npos);
    // An order to restore over data is refused, the engine goes on.
    bed.document.restore = RestoreOrder{"r", "http://store/none", std::string(64, 'a')};
    bed.stop_agent();
    REQUIRE(end_process(*bed.engine_mark(), SIGTERM, Millis{60'000}, nullptr));
    REQUIRE(bed.settle());
    CHECK(bed.plane.latest().restore_state == "Failed");
    bed.stop_agent();
    REQUIRE(end_process(*bed.engine_mark(), SIGTERM, Millis{60'000}, nullptr));
    rename(bed.data_dir().c_str(), (bed.volume() + "/elsewhere").c_str());
    bed.start_agent();
    REQUIRE(bed.eventually([](const Report& r) { return r.engine_state == "Failed"; }));
    CHECK(bed.plane.latest().engine_message.find("is gone") != std::string::npos);
    CHECK_FALSE(exists(bed.data_dir()));
  }
}

TEST_CASE("a MariaDB backup restores into another data directory row by row") {
  Bed source(Engine::mariadb, false);
  source.document.databases = {mariadb_database("orders")};
  source.document.users = {mariadb_user("root", "r", {}, true)};
  REQUIRE(source.settle());
  {
    MariadbClient root(source.document, "root", "r", "orders");
    REQUIRE(root.run("CREATE TABLE t (id INT PRIMARY KEY, b VARCHAR(64)) ENGINE=InnoDB"));
    REQUIRE(root.run("INSERT INTO t SELECT seq, MD5(seq) FROM seq_1_to_5000"));
  }
  source.document.backups = {{"b1", "http://store/b1"}, {"b2", "http://store/b2"}};
  REQUIRE(source.settle());
  REQUIRE(source.eventually([](const Report& r) {
    return r.backups.size() == 2 && r.backups[0].state == "Completed" && r.backups[1].state == "Completed";
  }));
  const BackupState taken = source.plane.latest().backups[0];
  const std::string bytes = source.plane.objects()["http://store/b1"];
  CHECK(taken.sha256 == sha256_hex(bytes));
  CHECK(taken.bytes == static_cast<int64_t>(bytes.size()));
  CHECK(taken.finished >= taken.started);
  CHECK(source.plane.uploads() == 2);
  // A finished one is not taken twice, not even by another agent.
  source.stop_agent();
  source.start_agent();
  source.document.restart = "";
  REQUIRE(source.settle());
  usleep(700'000);
  CHECK(source.plane.uploads() == 2);

  const std::string all = "SELECT CONCAT(COUNT(*), ' ', SUM(id), ' ', BIT_XOR(CRC32(CONCAT(id, b)))) FROM orders.t";
  Bed target(Engine::mariadb);
  target.document.instance_uid = "uid-2";
  target.document.users = {mariadb_user("root", "another", {}, true)};
  target.document.restore = RestoreOrder{"b1", "http://store/b1", taken.sha256};
  SECTION("as it is") {
    target.plane.put_object("http://store/b1", bytes);
    REQUIRE(target.settle());
    CHECK(target.plane.latest().restore_state == "Restored");
    CHECK_FALSE(exists(target.volume() + "/data.download"));
    CHECK(MariadbClient(target.document, "root", "another").one(all) ==
          MariadbClient(source.document, "root", "r").one(all));
    CHECK(MariadbClient(target.document, "root", "another").one(all).rfind("5000 12502500", 0) == 0);
  }
  SECTION("damaged, and then whole") {
    std::string damaged = bytes;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    target.plane.put_object("http://store/b1", damaged);
    target.plane.give(target.document);
    target.start_agent();
    REQUIRE(target.eventually([](const Report& r) { return r.restore_state == "Failed"; }));
    CHECK(target.plane.latest().restore_message.find("checksum") != std::string::npos);
    CHECK(target.plane.latest().engine_state == "Failed");
    CHECK_FALSE(exists(target.data_dir()));
    target.plane.put_object("http://store/b1", bytes);
    REQUIRE(target.settle());
    CHECK(target.plane.latest().restore_state == "Restored");
    CHECK(MariadbClient(target.document, "root", "another").one(all).rfind("5000 12502500", 0) == 0);
  }
}

TEST_CASE("a long path does not keep the socket from its 108 bytes") {
  const std::string below = "/a-directory-with-a-name-that-is-as-long-as-some-installations-like-to-have-in-production";
  // What a server that is gone left behind is cleared away; what only looks like it is not.
  const std::string left = "/tmp/trove-" + sha256_hex("/nowhere/at/all").substr(0, 16);
  const std::string other = "/tmp/trove-" + sha256_hex("something else").substr(0, 16);
  for (const auto& directory : {left, other}) {
    make_directory(directory, 0700);
    guest::write_file(directory + "/server", "/nowhere/at/all", 0600);
  }
  Bed bed(Engine::mariadb, false, below);
  bed.document.users = {mariadb_user("root", "r", {}, true)};
  REQUIRE(bed.settle());
  CHECK(MariadbClient(bed.document, "root", "r").one("SELECT @@socket").rfind("/tmp/trove-", 0) == 0);
  CHECK_FALSE(exists(left));
  CHECK(exists(other));
  remove_tree(other);
}

}  // namespace trove::guest
