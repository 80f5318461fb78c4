#include <catch2/catch.hpp>
#include <libpq-fe.h>
#include "tests/guest/bed.hpp"

namespace trove::guest {

namespace {

class Client {
 public:
  Client(const Document& at, const std::string& user, const std::string& password, const std::string& database) {
    const std::string port = std::to_string(at.port);
    const char* const names[] = {"host", "port", "user", "password", "dbname", "connect_timeout", nullptr};
    const char* const values[] = {at.address.c_str(), port.c_str(), user.c_str(), password.c_str(),
                                  database.c_str(),   "5",          nullptr};
    pg_ = PQconnectdbParams(names, values, 0);
  }
  ~Client() { PQfinish(pg_); }
  explicit operator bool() const { return PQstatus(pg_) == CONNECTION_OK; }
  std::string error() const { return PQerrorMessage(pg_); }
  bool run(const std::string& sql) {
    PGresult* result = PQexec(pg_, sql.c_str());
    const bool good = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return good;
  }
  std::string one(const std::string& sql) {
    PGresult* result = PQexec(pg_, sql.c_str());
    std::string text = PQresultStatus(result) != PGRES_TUPLES_OK ? PQerrorMessage(pg_)
                       : PQntuples(result) > 0                   ? PQgetvalue(result, 0, 0)
                                                                 : "";
    PQclear(result);
    return text;
  }

 private:
  PGconn* pg_;
};

User user(const std::string& name, const std::string& password, std::vector<Grant> grants, bool superuser = false) {
  User u;
  u.name = name;
  u.verifier = postgresql_verifier(password, "0123456789abcdef");
  u.grants = std::move(grants);
  u.superuser = superuser;
  return u;
}
Database database(const std::string& name, const std::string& owner = "") {
  Database d;
  d.name = name;
  d.owner = owner;
  return d;
}
const std::string kNasty = "we\"ird'n`a\\me %_;ü";

}  // namespace

TEST_CASE("PostgreSQL comes up with databases and users and heals what others change") {
  Bed bed(Engine::postgresql);
  bed.document.databases = {database("orders", "owner"), database(kNasty), database("other")};
  bed.document.users = {user("owner", "o'w\\n\"er", {}), user("app", "a", {{{"SELECT", "INSERT"}, "orders.*", false}}),
                        user("all", "x", {{{"ALL"}, kNasty, false}}), user("root", "r", {}, true),
                        user(kNasty, "n", {{{"CONNECT"}, "other", false}})};
  REQUIRE(bed.settle());
  for (const auto& u : bed.plane.latest().users) CHECK(u.state + u.message == "Applied");
  for (const auto& d : bed.plane.latest().databases) CHECK(d.state + d.message == "Applied");
  CHECK(bed.plane.latest().engine_version.rfind("15.", 0) == 0);
  CHECK(bed.plane.latest().events.empty());
  {
    Client owner(bed.document, "owner", "o'w\\n\"er", "orders");
    INFO(owner.error());
    REQUIRE(owner);
    CHECK(owner.run("CREATE TABLE t (id serial PRIMARY KEY, b text)"));
    // A table that is younger than the grant.
    Client app(bed.document, "app", "a", "orders");
    REQUIRE(app);
    CHECK(app.run("INSERT INTO t (b) VALUES ('one')"));
    CHECK(app.one("SELECT b FROM t") == "one");
    CHECK_FALSE(app.run("DELETE FROM t"));
    CHECK_FALSE(app.run("CREATE TABLE mine (a int)"));
    CHECK_FALSE(Client(bed.document, "app", "wrong", "orders"));
    CHECK_FALSE(Client(bed.document, "app", "a", "other"));
    CHECK_FALSE(Client(bed.document, "postgres", "", "postgres"));
    Client all(bed.document, "all", "x", kNasty);
    REQUIRE(all);
    CHECK(all.run("CREATE TABLE t (a int)"));
    CHECK(Client(bed.document, kNasty, "n", "other"));
  }
  Client root(bed.document, "root", "r", "orders");
  REQUIRE(root);
  {
    INFO("drift is put back");
    REQUIRE(root.run("GRANT DELETE ON t TO app"));
    CHECK(bed.has_event("user app was changed by someone (grants); put back"));
    CHECK(root.one("SELECT has_table_privilege('app', 't', 'DELETE')") == "f");
    CHECK(root.one("SELECT has_table_privilege('app', 't', 'INSERT')") == "t");
    REQUIRE(root.run("ALTER ROLE app PASSWORD 'mine' CREATEDB"));
    CHECK(bed.has_event("(attributes, password)"));
    CHECK(Client(bed.document, "app", "a", "orders"));
    REQUIRE(root.run("DROP DATABASE other"));
    CHECK(bed.has_event("database other was dropped by someone; created again"));
    REQUIRE(root.run("ALTER DATABASE orders OWNER TO root"));
    CHECK(bed.has_event("database orders was changed by someone (owner); put back"));
  }
  {
    INFO("only allowed networks get in");
    bed.document.allowed_cidrs = {"10.0.0.0/8"};
    REQUIRE(bed.settle());
    CHECK_FALSE(Client(bed.document, "app", "a", "orders"));
    bed.document.allowed_cidrs = {"127.0.0.0/8"};
    REQUIRE(bed.settle());
    CHECK(Client(bed.document, "app", "a", "orders"));
  }
  {
    INFO("grants follow the document and drops leave other people's data");
    bed.document.users[1].grants = {{{"ALL"}, "orders.t", false}};
    bed.document.users[2].grants = {};
    bed.document.users[2].max_connections = 7;
    bed.document.users.push_back(user("bad", "b", {{{"SELECT"}, "*.*", false}}));
    bed.document.users.push_back(user("pg_monitor", "b", {}));
    bed.document.databases.push_back(database("postgres"));
    REQUIRE(bed.settle());
    CHECK(bed.state_of_user("app") == "Applied");
    CHECK(bed.state_of_user("bad").rfind("Failed", 0) == 0);
    CHECK(bed.state_of_user("pg_monitor").rfind("Failed", 0) == 0);
    CHECK(bed.state_of_database("postgres").rfind("Failed", 0) == 0);
    CHECK(root.one("SELECT has_table_privilege('app', 't', 'DELETE')") == "t");
    CHECK(root.one("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'all'") == "7");
    CHECK_FALSE(Client(bed.document, "all", "x", kNasty));
    // The owner goes; the table stays.
    bed.document.users.erase(bed.document.users.begin());
    bed.document.databases[0].owner = "";
    bed.document.dropped_users = {{"owner", ""}};
    std::erase_if(bed.document.databases, [](const Database& d) { return d.name == "other"; });
    std::erase_if(bed.document.users, [](const User& u) { return u.name == kNasty; });
    bed.document.dropped_databases = {"other", "never"};
    REQUIRE(bed.settle());
    CHECK(bed.state_of_user("owner") == "Dropped");
    CHECK(bed.state_of_database("other") == "Dropped");
    CHECK(root.one("SELECT count(*) FROM t") == "1");
    CHECK(root.one("SELECT count(*) FROM pg_database WHERE datname = 'other'") == "0");
  }
  {
    INFO("parameters are live, pending or refused");
    bed.document.parameters = {{"work_mem", "8MB", Drift::correct},
                               {"max_connections", "60", Drift::correct},
                               {"no_such_thing", "1", Drift::correct},
                               {"random_page_cost", "cheap", Drift::correct},
                               {"archive_command", "rm -rf /", Drift::correct},
                               {"log_min_duration_statement", "2s", Drift::correct}};
    REQUIRE(bed.settle());
    CHECK(bed.parameter("work_mem").state == "Applied");
    CHECK(bed.parameter("work_mem").value == "8MB");
    CHECK(bed.parameter("log_min_duration_statement").value == "2s");
    CHECK(bed.parameter("max_connections").pending_restart);
    CHECK(bed.parameter("no_such_thing").message == "unknown system variable");
    CHECK(bed.parameter("random_page_cost").state == "Failed");
    CHECK(bed.parameter("archive_command").state == "Failed");
    CHECK(Client(bed.document, "app", "a", "orders").one("SHOW work_mem") == "8MB");
    REQUIRE(root.run("ALTER SYSTEM SET work_mem = '1MB'"));
    REQUIRE(root.run("SELECT pg_reload_conf()"));
    CHECK(bed.has_event("parameter work_mem was set to 1MB by someone; set to 8MB again"));
    bed.document.restart = "op-1";
    REQUIRE(bed.settle());
    CHECK_FALSE(bed.parameter("max_connections").pending_restart);
    CHECK(bed.parameter("max_connections").value == "60");
    CHECK(bed.plane.latest().applied_restart == "op-1");
    bed.document.parameters = {};
    bed.document.reset_parameters = {"work_mem"};
    REQUIRE(bed.settle());
    CHECK(Client(bed.document, "app", "a", "orders").one("SHOW work_mem") == "4MB");
    CHECK(Client(bed.document, "app", "a", "orders").one("SHOW max_connections") == "60");
  }
}

TEST_CASE("a PostgreSQL backup restores into another server row by row") {
  Bed source(Engine::postgresql);
  source.document.databases = {database("orders", "app")};
  source.document.users = {user("app", "a", {})};
  REQUIRE(source.settle());
  {
    Client app(source.document, "app", "a", "orders");
    REQUIRE(app.run("CREATE TABLE t AS SELECT g AS id, md5(g::text) AS b FROM generate_series(1, 5000) g"));
  }
  source.document.backups = {{"b1", "http://store/b1"}};
  REQUIRE(source.settle());
  REQUIRE(source.eventually([](const Report& r) { return !r.backups.empty() && r.backups[0].state == "Completed"; }));
  const BackupState taken = source.plane.latest().backups[0];
  const std::string bytes = source.plane.objects()["http://store/b1"];
  CHECK(taken.sha256 == sha256_hex(bytes));
  CHECK(taken.bytes == static_cast<int64_t>(bytes.size()));

  Bed target(Engine::postgresql);
  target.document.instance_uid = "uid-2";
  target.plane.put_object("http://store/b1", bytes);
  target.document.restore = RestoreOrder{"b1", "http://store/b1", taken.sha256};
  target.document.users = {user("app", "other password", {})};
  REQUIRE(target.settle());
  CHECK(target.plane.latest().restore_state == "Restored");
  Client app(target.document, "app", "other password", "orders");
  REQUIRE(app);
  CHECK(app.one("SELECT count(*) || ' ' || md5(string_agg(b, '' ORDER BY id)) FROM t") ==
        Client(source.document, "app", "a", "orders")
            .one("SELECT count(*) || ' ' || md5(string_agg(b, '' ORDER BY id)) FROM t"));
}

}  // namespace trove::guest
