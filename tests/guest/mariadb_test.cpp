#include <catch2/catch.hpp>
#include "tests/guest/mariadb_client.hpp"

namespace trove::guest {

namespace {

const std::vector<Grant> kOrders = {{{"SELECT", "INSERT", "UPDATE", "CREATE"}, "orders.*", false}};

}  // namespace

TEST_CASE("MariaDB comes up with databases and users and heals what others change") {
  Bed bed(Engine::mariadb);
  bed.document.databases = {mariadb_database("orders"), mariadb_database("we`ird'n\"a\\me %_;ü")};
  bed.document.users = {mariadb_user("orders_app", "s3cret'\"\\", kOrders), mariadb_user("root", "rootpw", {}, true),
                        mariadb_user("we`ird'n\"a\\me %_;ü", "x", {{{"ALL"}, "we`ird'n\"a\\me %_;ü.*", false}})};
  REQUIRE(bed.settle());
  const Report first = bed.plane.latest();
  CHECK(first.engine_version.rfind("10.", 0) == 0);
  CHECK(first.applied_memory_mib == 256);
  CHECK(first.events.empty());
  for (const auto& u : first.users) CHECK(u.state + u.message == "Applied");
  for (const auto& d : first.databases) CHECK(d.state + d.message == "Applied");

  {
    MariadbClient app(bed.document, "orders_app", "s3cret'\"\\", "orders");
    REQUIRE(app);
    CHECK(app.run("CREATE TABLE t (a INT PRIMARY KEY, b TEXT)"));
    CHECK(app.run("INSERT INTO t VALUES (1, 'one')"));
    CHECK_FALSE(app.run("DROP TABLE t"));
    CHECK_FALSE(MariadbClient(bed.document, "orders_app", "wrong"));
    MariadbClient weird(bed.document, "we`ird'n\"a\\me %_;ü", "x", "we`ird'n\"a\\me %_;ü");
    REQUIRE(weird);
    CHECK(weird.run("CREATE TABLE t (a INT)"));
  }

  MariadbClient root(bed.document, "root", "rootpw");
  REQUIRE(root);
  {
    INFO("a dropped user, a changed grant, a changed password and a dropped database are put back");
    REQUIRE(root.run("DROP USER 'orders_app'@'%'"));
    CHECK(bed.has_event("user orders_app was dropped by someone; created again"));
    CHECK(MariadbClient(bed.document, "orders_app", "s3cret'\"\\", "orders"));

    REQUIRE(root.run("GRANT DELETE, DROP ON orders.* TO 'orders_app'@'%'"));
    CHECK(bed.has_event("user orders_app was changed by someone (grants); put back"));
    CHECK(root.one("SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE LIKE '%orders_app%'") ==
          "4");

    REQUIRE(root.run("ALTER USER 'orders_app'@'%' IDENTIFIED BY 'mine now'"));
    CHECK(bed.has_event("(password)"));
    CHECK(MariadbClient(bed.document, "orders_app", "s3cret'\"\\", "orders"));

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
    bed.document.databases.push_back(mariadb_database("later"));
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
    bed.document.databases = {mariadb_database("orders"), mariadb_database("mysql")};
    Database broken = mariadb_database("broken");
    broken.character_set = "klingon";
    bed.document.databases.push_back(broken);
    bed.document.users = {mariadb_user("new_one", "n", {{{"SELECT; DROP"}, "orders.*", false}}),
                          mariadb_user("other", "o", kOrders), mariadb_user("root", "rootpw", {}, true),
                          mariadb_user("", "x", {})};
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

TEST_CASE("MariaDB keeps what is left to somebody else, and gives up what somebody else insists on") {
  Bed bed(Engine::mariadb);
  bed.document.databases = {mariadb_database("orders")};
  bed.document.users = {mariadb_user("app", "first", kOrders), mariadb_user("root", "rootpw", {}, true)};
  bed.document.users[0].ignored = {"/password"};
  REQUIRE(bed.settle());
  MariadbClient root(bed.document, "root", "rootpw");
  REQUIRE(root);
  {
    INFO("another password is nobody's business; other things are put back and leave it as it is");
    REQUIRE(root.run("ALTER USER 'app'@'%' IDENTIFIED BY 'theirs'"));
    REQUIRE(root.run("GRANT DROP ON orders.* TO 'app'@'%'"));
    CHECK(bed.has_event("user app was changed by someone (grants); put back"));
    CHECK(bed.state_of_user("app") == "Applied");
    CHECK(MariadbClient(bed.document, "app", "theirs", "orders"));
    bed.document.users[0].max_connections = 7;
    REQUIRE(bed.settle());
    CHECK(MariadbClient(bed.document, "app", "theirs", "orders"));
    CHECK(root.one("SELECT max_user_connections FROM mysql.user WHERE User='app'") == "7");
  }
  {
    INFO("a password that changes in the document is carried out");
    bed.document.users[0].verifier = mariadb_verifier("second");
    REQUIRE(bed.settle());
    CHECK(MariadbClient(bed.document, "app", "second", "orders"));
  }
  {
    INFO("three times within an hour, and then it is left and said, until the document asks for something else");
    for (int i = 0; i < 3; ++i) {
      REQUIRE(root.run("GRANT DELETE ON orders.* TO 'app'@'%'"));
      CHECK(bed.eventually([&](const Report&) {
        return root.one("SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE LIKE '%app%' AND "
                        "PRIVILEGE_TYPE='DELETE'") == "0";
      }));
    }
    REQUIRE(root.run("GRANT DELETE ON orders.* TO 'app'@'%'"));
    CHECK(bed.eventually([&](const Report& r) { return r.users[0].state == "Drifted"; }));
    CHECK(bed.state_of_user("app") ==
          "Drifted: was changed by someone (grants); put back 3 times within an hour, and left now");
    const Report report = bed.plane.latest();
    REQUIRE(report.users[0].changed.size() == 1);
    CHECK(report.users[0].changed[0].first == "grants");
    CHECK(report.users[0].changed[0].second.find("DELETE") != std::string::npos);
    bed.document.users[0].max_connections = 8;
    REQUIRE(bed.settle());
    CHECK(bed.state_of_user("app") == "Applied");
    CHECK(root.one("SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE GRANTEE LIKE '%app%' AND "
                   "PRIVILEGE_TYPE='DELETE'") == "0");
  }
}

}  // namespace trove::guest
