#include <catch2/catch.hpp>
#include "providers/guest/engines/mariadb_sql.hpp"
#include "providers/guest/engines/postgresql_sql.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

TEST_CASE("names and texts cannot leave their quotes") {
  CHECK(mariadb::quote_name("a`b``c") == "`a``b````c`");
  CHECK(mariadb::quote_text("a'b\\'c") == "'a''b\\''c'");
  CHECK(mariadb::grant_database("a_b%c\\d`") == "`a\\_b\\%c\\\\d```");
  CHECK(mariadb::account("u'`", "") == "`u'```@`%`");
  CHECK(postgresql::quote_name("a\"b; DROP") == "\"a\"\"b; DROP\"");
  CHECK(postgresql::quote_text("it's \\' ü") == "'it''s \\'' ü'");
}

TEST_CASE("MariaDB grants are read and led from one to the other") {
  const auto want = mariadb::wanted_grants({{{"select", "insert ", "REPLICATION CLIENT"}, "*.*", false},
                                            {{"ALL"}, "or_ders.*", true},
                                            {{"SELECT (b, a)", "UPDATE"}, "orders.customers", false},
                                            {{"USAGE"}, "x.*", false}},
                                           false);
  REQUIRE(want);
  CHECK(mariadb::to_text(*want) ==
        "BINLOG MONITOR, INSERT, SELECT ON *.*; ALL PRIVILEGES ON `or\\_ders`.* WITH GRANT OPTION; "
        "SELECT (`a`, `b`), UPDATE ON `orders`.`customers`; ");
  for (const char* bad :
       {"SELECT; DROP TABLE x", "SELECT ON *.* TO root --", "", "(a)", "SELECT (a`b)", "SELECT (a", "sel3ct", "'x'"}) {
    INFO(bad);
    CHECK_FALSE(mariadb::wanted_grants({{{bad}, "a.*", false}}, false));
  }
  for (const char* bad : {".", "*.t", ".t", "a."}) {
    INFO(bad);
    CHECK_FALSE(mariadb::wanted_grants({{{"SELECT"}, bad, false}}, false));
  }
  const auto have = mariadb::shown_grants(
      {"GRANT SELECT, DROP ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*0123' WITH MAX_USER_CONNECTIONS 5",
       "GRANT ALL PRIVILEGES ON `old ON x TO y`.* TO `u`@`%` WITH GRANT OPTION", "GRANT `role` TO `u`@`%`",
       "GRANT SELECT (`b`, `a`), UPDATE ON `orders`.`customers` TO `u`@`%`", "SET DEFAULT ROLE `role` FOR `u`@`%`"});
  CHECK(mariadb::to_text(have) ==
        "DROP, SELECT ON *.*; MEMBER ON ROLE `role`; ALL PRIVILEGES ON `old ON x TO y`.* WITH GRANT OPTION; "
        "SELECT (`a`, `b`), UPDATE ON `orders`.`customers`; ");
  CHECK(mariadb::grant_statements(have, *want, "`u`@`%`") ==
        std::vector<std::string>{"REVOKE DROP ON *.* FROM `u`@`%`", "REVOKE `role` FROM `u`@`%`",
                                 "REVOKE ALL PRIVILEGES ON `old ON x TO y`.* FROM `u`@`%`",
                                 "REVOKE GRANT OPTION ON `old ON x TO y`.* FROM `u`@`%`",
                                 "GRANT BINLOG MONITOR, INSERT, SELECT ON *.* TO `u`@`%`",
                                 "GRANT ALL PRIVILEGES ON `or\\_ders`.* TO `u`@`%` WITH GRANT OPTION"});
  CHECK(mariadb::grant_statements(*want, *want, "`u`@`%`").empty());
  CHECK(mariadb::to_text(*mariadb::wanted_grants({}, true)) == "ALL PRIVILEGES ON *.* WITH GRANT OPTION; ");
}

TEST_CASE("PostgreSQL grants mean databases and their tables") {
  const auto want = postgresql::wanted_grants({{{"ALL"}, "orders", false},
                                               {{"select"}, "other.*", true},
                                               {{"UPDATE"}, "other.t", false},
                                               {{"CONNECT", "TEMP"}, "third", false}});
  REQUIRE(want);
  CHECK(postgresql::to_text(want->at("orders").database) == "CONNECT, CREATE, TEMPORARY");
  CHECK(postgresql::to_text(want->at("orders").schema) == "CREATE, USAGE");
  CHECK(want->at("orders").all_tables.size() == 7);
  CHECK(postgresql::to_text(want->at("other").all_tables) == "SELECT*");
  CHECK(postgresql::to_text(want->at("other").database) == "CONNECT");
  CHECK(postgresql::to_text(want->at("other").tables.at("t")) == "UPDATE");
  CHECK(want->at("third").schema.empty());
  CHECK_FALSE(postgresql::wanted_grants({{{"ALL"}, "*.*", false}}));
  CHECK_FALSE(postgresql::wanted_grants({{{"CREATE"}, "a.t", false}}));
  CHECK_FALSE(postgresql::wanted_grants({{{"SELECT TO x; --"}, "a", false}}));
  CHECK_FALSE(postgresql::wanted_grants({{{"SELECT"}, "a.", false}}));
}

TEST_CASE("two spellings of a setting are the same when they mean the same") {
  CHECK(same_setting("128M", "134217728"));
  CHECK(same_setting("ON", "1"));
  CHECK(same_setting("off", "FALSE"));
  CHECK(same_setting("0.50", "0.5"));
  CHECK(same_setting("STRICT_ALL_TABLES,NO_ZERO_DATE", "NO_ZERO_DATE, STRICT_ALL_TABLES"));
  CHECK(same_setting("utf8MB4", "utf8mb4"));
  CHECK_FALSE(same_setting("128M", "128K"));
  CHECK_FALSE(same_setting("ON", "OFF"));
  CHECK_FALSE(same_setting("a,b", "a"));
  CHECK_FALSE(same_setting("2", "ON"));
  CHECK_FALSE(size_of("9999999999T"));
  CHECK(unsafe_parameter("max_connections", "5").empty());
  CHECK_FALSE(unsafe_parameter("a b", "5").empty());
  CHECK_FALSE(unsafe_parameter("!include", "x").empty());
  CHECK_FALSE(unsafe_parameter("a", "x\ny").empty());
}

}  // namespace trove::guest
