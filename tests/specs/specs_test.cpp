#include "specs/kinds/specs.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;

TEST_CASE("an instance becomes a struct with every default") {
  const auto spec = database_instance_spec(
      good(document("DatabaseInstance", "{datastore: {type: mysql}, flavor: small, volume: {size: 7}}")).spec);
  CHECK(spec.datastore_type == "mysql");
  CHECK(spec.engine == Engine::mariadb);
  CHECK(spec.version == "");
  CHECK(spec.flavor == "small");
  CHECK(spec.volume_gib == 7);
  CHECK(spec.volume_ref == "");
  CHECK(spec.allowed_cidrs == std::vector<std::string>{"127.0.0.0/8"});
  CHECK_FALSE(spec.root_access);
  CHECK(spec.disruptive == DatabaseInstanceSpec::Disruptive::manual);
  CHECK(spec.deletion == Common::Deletion::retain);
  CHECK(spec.drift == Drift::correct);
  CHECK_FALSE(spec.observe_only);
}

TEST_CASE("an instance becomes a struct with all that was written") {
  const auto spec = database_instance_spec(
      good(document("DatabaseInstance",
                    "{datastore: {type: postgresql, version: 15}, flavor: big, volumeRef: {name: v}, configurationRef: "
                    "{name: c}, access: {allowedCidrs: []}, "
                    "rootAccess: true, deletionProtection: true, maintenance: {disruptiveChanges: Immediate}, "
                    "bootstrapFrom: {backupRef: {name: b}}, "
                    "managementPolicy: Observe, deletionPolicy: Delete, suspend: true, drift: Report}"))
          .spec);
  CHECK(spec.engine == Engine::postgresql);
  CHECK(spec.version == "15");
  CHECK(spec.volume_gib == 0);
  CHECK(spec.volume_ref == "v");
  CHECK(spec.configuration_ref == "c");
  CHECK(spec.allowed_cidrs.empty());
  CHECK(spec.root_access);
  CHECK(spec.deletion_protection);
  CHECK(spec.disruptive == DatabaseInstanceSpec::Disruptive::immediate);
  CHECK(spec.bootstrap_backup == "b");
  CHECK(spec.observe_only);
  CHECK(spec.deletion == Common::Deletion::remove);
  CHECK(spec.suspend);
  CHECK(spec.drift == Drift::report);
}

TEST_CASE("names inside the engine default to the name of the object") {
  CHECK(database_spec(good(document("Database", "{instanceRef: {name: i}}", "orders")).spec, "orders").name ==
        "orders");
  CHECK(database_spec(good(document("Database", "{instanceRef: {name: i}, name: Orders_2}", "orders")).spec, "orders")
            .name == "Orders_2");
  const auto user =
      user_spec(good(document("User", "{instanceRef: {name: i}, password: {generate: {}}}", "app")).spec, "app");
  CHECK(user.name == "app");
  CHECK(user.host == "%");
  CHECK(user.generate_length == 32);
  CHECK(user.secret_name == "");
  CHECK(user.secret_key == "");
  CHECK(user.deletion == Common::Deletion::remove);
}

TEST_CASE("a user carries its grants and its secret") {
  const auto user =
      user_spec(good(document("User",
                              "{instanceRef: {name: i}, password: {secretRef: {name: s}}, maxConnections: 9, grants: "
                              "[{privileges: [SELECT, INSERT], on: \"a.*\"}, {privileges: [ALL], on: \"*.*\", "
                              "withGrantOption: true}]}"))
                    .spec,
                "x");
  CHECK(user.secret_name == "s");
  CHECK(user.secret_key == "password");
  CHECK(user.generate_length == 0);
  CHECK(user.max_connections == 9);
  CHECK(user.grants == std::vector<Grant>{{{"SELECT", "INSERT"}, "a.*", false}, {{"ALL"}, "*.*", true}});
}

TEST_CASE("the other kinds become structs") {
  const auto volume = volume_spec(good(document("Volume", "{size: 3, type: fast}")).spec);
  CHECK(volume.size_gib == 3);
  CHECK(volume.type == "fast");
  const auto secret = secret_spec(good(document("Secret", "{data: {a: b}}")).spec);
  CHECK(secret.data == std::map<std::string, std::string>{{"a", "b"}});
  const auto group = configuration_group_spec(
      good(document("ConfigurationGroup",
                    "{datastore: {type: mysql, version: 8.0}, parameters: {max-connections: 20}, onRemove: KeepValue}"))
          .spec);
  CHECK(group.version == "8.0");
  CHECK(group.keep_on_remove);
  REQUIRE(group.parameters.contains("max_connections"));
  CHECK(group.parameters.at("max_connections") == Value(20));
  const auto schedule = backup_schedule_spec(
      good(document("BackupSchedule", "{instanceRef: {name: i}, schedule: \"@daily\", jitter: 10m}")).spec);
  CHECK(schedule.time_zone == "UTC");
  CHECK(schedule.jitter == std::chrono::minutes(10));
  CHECK(schedule.timeout == std::chrono::hours(4));
  CHECK(schedule.run_missed_once);
  CHECK(schedule.keep_last == 0);
  const auto backup = backup_spec(good(document("Backup", "{instanceRef: {name: i}}")).spec);
  CHECK(backup.timeout == std::chrono::hours(4));
  CHECK(backup.deletion == Common::Deletion::retain);
  const auto operation =
      operation_spec(good(document("Operation", "{instanceRef: {name: i}, restart: {}, reason: why}")).spec);
  CHECK(operation.restart);
  CHECK(operation.reason == "why");
  CHECK(operation.ttl == std::chrono::hours(30 * 24));
}

TEST_CASE("makers are total on specs of any shape") {
  for (const Value& odd :
       {Value(), Value(1), Value::list({1}),
        Value::map(
            {{"volume", 1}, {"grants", 2}, {"password", Value::list()}, {"datastore", "x"}, {"parameters", 3}})}) {
    database_instance_spec(odd);
    database_spec(odd, "a");
    user_spec(odd, "a");
    volume_spec(odd);
    secret_spec(odd);
    configuration_group_spec(odd);
    backup_schedule_spec(odd);
    backup_spec(odd);
    operation_spec(odd);
  }
  CHECK(database_instance_spec(Value()).flavor == "");
}

TEST_CASE("engines have names and ports") {
  CHECK(engine_from("mysql") == Engine::mariadb);
  CHECK(engine_from("mariadb") == Engine::mariadb);
  CHECK(engine_from("oracle") == std::nullopt);
  for (Engine engine : {Engine::mariadb, Engine::postgresql, Engine::redis, Engine::memcached})
    CHECK(engine_from(to_string(engine)) == engine);
  CHECK(engine_port(Engine::mariadb) == 3306);
  CHECK(engine_port(Engine::postgresql) == 5432);
  CHECK(engine_port(Engine::redis) == 6379);
  CHECK(engine_port(Engine::memcached) == 11211);
}
