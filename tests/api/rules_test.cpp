// Rules between objects.
#include <catch2/catch.hpp>
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

// "status code path" of the first problem; "ok" when it was taken.
std::string verdict(const http::Response& response) {
  if (response.status == 200) return "ok";
  Value body = json_of(response);
  return std::to_string(response.status) + ' ' + body["code"].text() + ' ' + body["path"].text();
}

std::string all_engines() {
  return instance("maria") + instance("pg", "postgresql") + instance("red", "redis") + instance("mem", "memcached");
}
std::string group(const std::string& name, const std::string& type, const std::string& parameters) {
  return "---\napiVersion: trove/v1alpha1\nkind: ConfigurationGroup\nmetadata: {name: " + name +
         "}\nspec: {datastore: {type: " + type + "}, parameters: {" + parameters + "}}\n";
}

}  // namespace

TEST_CASE("databases and logins are only made where the engine has them") {
  Fixture f;
  REQUIRE(verdict(f.apply(all_engines())) == "ok");
  CHECK(verdict(f.apply(database("a", "maria"))) == "ok");
  CHECK(verdict(f.apply(database("b", "pg"))) == "ok");
  CHECK(verdict(f.apply(database("c", "red"))) == "422 CONFIG_INVALID spec.instanceRef.name");
  CHECK(verdict(f.apply(database("d", "mem"))) == "422 CONFIG_INVALID spec.instanceRef.name");
  CHECK(verdict(f.apply(user("ua", "maria"))) == "ok");
  CHECK(verdict(f.apply(user("ub", "pg"))) == "ok");
  CHECK(verdict(f.apply(user("uc", "red"))) == "ok");
  CHECK(verdict(f.apply(user("ud", "mem"))) == "422 CONFIG_INVALID spec.instanceRef.name");
  CHECK(verdict(f.apply(
            "apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: b}\nspec: {instanceRef: {name: mem}}\n")) ==
        "422 CONFIG_INVALID spec.instanceRef.name");
}

TEST_CASE("two objects cannot own one database or login of an instance") {
  Fixture f;
  REQUIRE(verdict(f.apply(all_engines() + instance("other") + database("a", "maria", "name: shop") +
                          user("u", "maria", "name: app"))) == "ok");
  CHECK(verdict(f.apply(database("b", "maria", "name: shop"))) == "409 CONFLICT spec.name");
  CHECK(verdict(f.apply(database("shop", "maria"))) == "409 CONFLICT metadata.name");
  CHECK(verdict(f.apply(database("b", "other", "name: shop"))) == "ok");
  CHECK(verdict(f.apply(database("new-a", "maria", "name: new") + database("new-b", "maria", "name: new"))) ==
        "409 CONFLICT spec.name");
  CHECK(verdict(f.apply(user("v", "maria", "name: app"))) == "409 CONFLICT spec.name");
  CHECK(verdict(f.apply(user("v", "maria", "name: app, host: \"10.%\""))) == "ok");
  CHECK(verdict(f.apply(user("w", "other", "name: app"))) == "ok");
  // Changing the object that owns it is no conflict with itself.
  CHECK(verdict(f.apply(database("a", "maria", "name: shop, characterSet: utf8mb4"))) == "ok");
}

TEST_CASE("a host belongs to a login of MariaDB alone") {
  Fixture f;
  REQUIRE(verdict(f.apply(all_engines())) == "ok");
  CHECK(verdict(f.apply(user("a", "maria", "host: \"10.%\""))) == "ok");
  CHECK(verdict(f.apply(user("b", "pg", "host: \"10.%\""))) == "422 CONFIG_INVALID spec.host");
  CHECK(verdict(f.apply(user("c", "red", "host: \"10.%\""))) == "422 CONFIG_INVALID spec.host");
}

TEST_CASE("grants have the shape of their engine") {
  Fixture f;
  REQUIRE(verdict(f.apply(all_engines())) == "ok");
  CHECK(verdict(f.apply(user("a", "maria", "grants: [{privileges: [SELECT], on: \"shop.*\"}]"))) == "ok");
  CHECK(verdict(f.apply(user("b", "maria", "grants: [{privileges: [\"+@read\"], on: \"shop.*\"}]"))) ==
        "422 CONFIG_INVALID spec.grants[0].privileges[0]");
  CHECK(verdict(f.apply(user("c", "maria", "grants: [{privileges: [SELECT], on: shop}]"))) ==
        "422 CONFIG_INVALID spec.grants[0].on");
  CHECK(verdict(f.apply(user("d", "pg", "grants: [{privileges: [CONNECT], on: shop}]"))) == "ok");
  CHECK(verdict(f.apply(user("e", "pg", "grants: [{privileges: [SELECT], on: \"shop.*\"}]"))) ==
        "422 CONFIG_INVALID spec.grants[0].on");
  CHECK(verdict(f.apply(user("g", "red", "grants: [{privileges: [\"+@read\", \"-flushall\"], on: \"orders:*\"}]"))) ==
        "ok");
  CHECK(verdict(f.apply(user("h", "red", "grants: [{privileges: [SELECT], on: \"*\"}]"))) ==
        "422 CONFIG_INVALID spec.grants[0].privileges[0]");
}

TEST_CASE("what PostgreSQL fixes at creation cannot change and MariaDB has no owner") {
  Fixture f;
  REQUIRE(verdict(f.apply(all_engines() + database("p", "pg", "collate: C.UTF-8") +
                          database("m", "maria", "collate: utf8mb4_bin"))) == "ok");
  CHECK(verdict(f.apply(database("p", "pg", "collate: de_DE.UTF-8"))) == "422 CONFIG_IMMUTABLE spec.collate");
  CHECK(verdict(f.apply(database("p", "pg", "collate: C.UTF-8, characterSet: LATIN1"))) ==
        "422 CONFIG_IMMUTABLE spec.characterSet");
  CHECK(verdict(f.apply(database("m", "maria", "collate: utf8mb4_general_ci"))) == "ok");
  CHECK(verdict(f.apply(database("owned", "maria", "owner: app"))) == "422 CONFIG_INVALID spec.owner");
}

TEST_CASE("a volume belongs to one instance") {
  Fixture f;
  std::string volume = "---\napiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec: {size: 5}\n";
  REQUIRE(verdict(f.apply(volume + instance("a", "mariadb", "volumeRef: {name: v}"))) == "ok");
  CHECK(verdict(f.apply(instance("b", "mariadb", "volumeRef: {name: v}"))) == "409 CONFLICT spec.volumeRef.name");
  CHECK(verdict(f.apply(instance("a", "mariadb", "volumeRef: {name: v}, deletionProtection: true"))) == "ok");
}

TEST_CASE("parameters and backups must be of the instance's engine") {
  Fixture f;
  REQUIRE(verdict(f.apply(all_engines() + group("tuned", "mysql", "max_connections: 100") +
                          "---\napiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {name: full}\nspec: {instanceRef: "
                          "{name: maria}}\n")) == "ok");
  CHECK(verdict(f.apply(instance("a", "mariadb", "configurationRef: {name: tuned}"))) == "ok");
  CHECK(verdict(f.apply(instance("b", "postgresql", "configurationRef: {name: tuned}"))) ==
        "422 CONFIG_INVALID spec.configurationRef.name");
  CHECK(verdict(f.apply(instance("c", "mariadb", "bootstrapFrom: {backupRef: {name: full}}"))) == "ok");
  CHECK(verdict(f.apply(instance("d", "postgresql", "bootstrapFrom: {backupRef: {name: full}}"))) ==
        "422 CONFIG_INVALID spec.bootstrapFrom.backupRef.name");
}

TEST_CASE("a change of shared parameters warns how far it reaches") {
  Fixture f;
  REQUIRE(verdict(f.apply(group("tuned", "mariadb", "max_connections: 100") +
                          instance("a", "mariadb", "configurationRef: {name: tuned}") +
                          instance("b", "mariadb", "configurationRef: {name: tuned}"))) == "ok");
  auto answer = f.apply(group("tuned", "mariadb", "max_connections: 200"));
  REQUIRE(answer.status == 200);
  Value warnings = json_of(answer)["results"].items()[0]["warnings"];
  REQUIRE(warnings.size() == 1);
  CHECK(warnings.items()[0].text().find("2 instances") != std::string::npos);
}
