#include <catch2/catch.hpp>
#include <mysql.h>
#include <chrono>
#include "tests/guest/bed.hpp"

namespace trove::guest {

namespace {

// A client as an application is one: over TCP, with a password.
class Client {
 public:
  Client(const Document& at, const std::string& user, const std::string& password, const std::string& database = "") {
    mysql_ = mysql_init(nullptr);
    unsigned protocol = MYSQL_PROTOCOL_TCP;
    mysql_options(mysql_, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(mysql_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    connected_ = mysql_real_connect(mysql_, at.address.c_str(), user.c_str(), password.c_str(),
                                    database.empty() ? nullptr : database.c_str(), static_cast<unsigned>(at.port), nullptr, 0);
  }
  ~Client() { mysql_close(mysql_); }
  explicit operator bool() const { return connected_; }
  bool run(const std::string& sql) {
    if (mysql_real_query(mysql_, sql.data(), sql.size()) != 0) return false;
    if (MYSQL_RES* result = mysql_store_result(mysql_)) mysql_free_result(result);
    return true;
  }
  std::string one(const std::string& sql) {
    if (mysql_real_query(mysql_, sql.data(), sql.size()) != 0) return std::string("error: ") + mysql_error(mysql_);
    MYSQL_RES* result = mysql_store_result(mysql_);
    if (!result) return "";
    MYSQL_ROW row = mysql_fetch_row(result);
    std::string text = row && row[0] ? row[0] : "";
    mysql_free_result(result);
    return text;
  }
  std::string error() const { return mysql_error(mysql_); }

 private:
  MYSQL* mysql_;
  bool connected_ = false;
};

User user(const std::string& name, const std::string& password, std::vector<Grant> grants, bool superuser = false) {
  User u;
  u.name = name;
  u.host = "%";
  u.verifier = mariadb_verifier(password);
  u.grants = std::move(grants);
  u.superuser = superuser;
  return u;
}
Database database(const std::string& name) {
  Database d;
  d.name = name;
  d.character_set = "utf8mb4";
  d.collate = "utf8mb4_general_ci";
  return d;
}
const std::vector<Grant> kOrders = {{{"SELECT", "INSERT", "UPDATE", "CREATE"}, "orders.*", false}};

}  // namespace

TEST_CASE("MariaDB comes up with databases and users and heals what others change", "[mariadb]") {
  Bed bed(Engine::mariadb);
  bed.document.databases = {database("orders"), database("we`ird'n\"a\\me %_;ü")};
  bed.document.users = {user("orders_app", "s3cret'\"\\", kOrders), user("root", "rootpw", {}, true),
                        user("we`ird'n\"a\\me %_;ü", "x", {{{"ALL"}, "we`ird'n\"a\\me %_;ü.*", false}})};
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(bed.settle());
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began);
  WARN("MariaDB from nothing to settled in " << took.count() << " ms");
  const Report first = bed.plane.latest();
  CHECK(first.engine_version.rfind("10.", 0) == 0);
  CHECK(first.applied_memory_mib == 256);
  CHECK(first.events.empty());
  for (const auto& u : first.users) CHECK(u.state + u.message == "Applied");
  for (const auto& d : first.databases) CHECK(d.state + d.message == "Applied");

  {
    Client app(bed.document, "orders_app", "s3cret'\"\\", "orders");
    REQUIRE(app);
    CHECK(app.run("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)"));
    CHECK(app.run("INSERT INTO t VALUES (1, 'one')"));
    CHECK_FALSE(app.run("DROP TABLE t"));
    CHECK_FALSE(Client(bed.document, "orders_app", "wrong"));
    Client weird(bed.document, "we`ird'n\"a\\me %_;ü", "x", "we`ird'n\"a\\me %_;ü");
    REQUIRE(weird);
    CHECK(weird.run("CREATE TABLE t (a INT)"));
  }

  Client root(bed.document, "root", "rootpw");
  REQUIRE(root);
  {
    INFO("a dropped user, a changed grant, a changed password and a dropped database are put back");
    REQUIRE(root.run("DROP USER 'orders_app'@'%'"));
    CHECK(bed.has_event("user orders_app was dropped by someone; created again"));
    CHECK(Client(bed.document, "orders_app", "s3cret'\"\\", "orders"));

    REQUIRE(root.run("GRANT DELETE, DROP ON orders.* TO 'orders_app'@'%'"));
    CHECK(bed.has_event("user orders_app was changed by someone (grants); put back"));
    CHECK(root.one("SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE LIKE '%orders_app%'") == "4");

    REQUIRE(root.run("ALTER USER 'orders_app'@'%' IDENTIFIED BY 'mine now'"));
    CHECK(bed.has_event("(password)"));
    CHECK(Client(bed.document, "orders_app", "s3cret'\"\\", "orders"));

    REQUIRE(root.run("DROP DATABASE `we``ird'n\"a\\me %_;ü`"));
    CHECK(bed.has_event("database we`ird'n\"a\\me %_;ü was dropped by someone; created again"));
    // What the document does not name is nobody's drift.
    REQUIRE(root.run("CREATE DATABASE bystander"));
    REQUIRE(root.run("CREATE USER bystander"));
    bed.document.users[0].max_connections = 3;
    REQUIRE(bed.settle());
    CHECK(root.one("SELECT COUNT(*) FROM mysql.user WHERE User='bystander'") == "1");
    CHECK(root.one("SELECT max_user_connections FROM mysql.user WHERE User='orders_app'") == "3");
  }
  {
    INFO("drift is left or reported when the policy says so");
    bed.document.users[0].drift = Drift::report;
    bed.document.users[2].drift = Drift::ignore;
    REQUIRE(bed.settle());
    REQUIRE(root.run("REVOKE INSERT ON orders.* FROM 'orders_app'@'%'"));
    REQUIRE(root.run("DROP USER `we``ird'n\"a\\me %_;ü`@'%'"));
    CHECK(bed.eventually([&](const Report& r) { return r.users[0].state == "Drifted"; }));
    CHECK(bed.state_of_user("orders_app") == "Drifted: was changed by someone (grants)");
    CHECK(bed.state_of_user("we`ird'n\"a\\me %_;ü") == "Applied");
    CHECK(root.one("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'we%'") == "0");
  }
  bed.document.users[0].drift = Drift::correct;
  bed.document.users[2].drift = Drift::correct;
  REQUIRE(bed.settle());
  {
    INFO("a suspended document changes nothing");
    bed.document.suspended = true;
    bed.document.databases.push_back(database("later"));
    REQUIRE(bed.settle());
    CHECK(bed.state_of_database("later").rfind("Pending", 0) == 0);
    REQUIRE(root.run("DROP USER 'orders_app'@'%'"));
    CHECK(bed.eventually([&](const Report& r) { return r.users[0].state == "Drifted"; }));
    bed.document.suspended = false;
    REQUIRE(bed.settle());
    CHECK(bed.state_of_database("later") == "Applied");
    CHECK(bed.state_of_user("orders_app") == "Applied");
    bed.document.databases.pop_back();
  }
  {
    INFO("what is named as dropped goes, what is merely forgotten stays, one failure stops nothing");
    bed.document.databases = {database("orders"), database("mysql")};
    Database broken = database("broken");
    broken.character_set = "klingon";
    bed.document.databases.push_back(broken);
    bed.document.users = {user("new_one", "n", {{{"SELECT; DROP"}, "orders.*", false}}), user("other", "o", kOrders),
                          user("root", "rootpw", {}, true), user("", "x", {})};
    bed.document.users.back().name = "mariadb.sys";
    bed.document.dropped_users = {{"orders_app", "%"}};
    bed.document.dropped_databases = {"we`ird'n\"a\\me %_;ü", "never there", "sys"};
    REQUIRE(bed.settle());
    CHECK(bed.state_of_user("orders_app") == "Dropped");
    CHECK(bed.state_of_user("other") == "Applied");
    CHECK(bed.state_of_user("new_one").rfind("Failed: \"SELECT; DROP\" is not a privilege", 0) == 0);
    CHECK(bed.state_of_user("mariadb.sys").rfind("Failed", 0) == 0);
    CHECK(bed.state_of_database("broken").rfind("Failed: Unknown character set", 0) == 0);
    CHECK(bed.state_of_database("mysql").rfind("Failed", 0) == 0);
    CHECK(bed.state_of_database("never there") == "Dropped");
    CHECK(bed.state_of_database("sys").rfind("Failed", 0) == 0);
    CHECK(root.one("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'we%'") == "0");
    // The third user of the first document was not named as dropped.
    CHECK(root.one("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'we%'") == "1");
  }
}

}  // namespace trove::guest
