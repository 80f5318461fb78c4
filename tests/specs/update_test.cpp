#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;
using Catch::Matchers::Contains;

namespace {

std::string update(std::string_view kind, std::string_view before, std::string_view after) {
  const Resource was = good(document(kind, before)), is = good(document(kind, after));
  Problems problems;
  check_update(was, is, is.spec, problems);
  return to_string(problems);
}

std::string instance(std::string_view rest) {
  return "{datastore: {type: mysql}, flavor: small, " + std::string(rest) + "}";
}

}  // namespace

TEST_CASE("a volume never shrinks") {
  const Resource was = good(document("DatabaseInstance", instance("volume: {size: 50}")));
  const Resource is = good(
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: x}\nspec:\n  datastore: {type: mysql}\n  "
      "flavor: small\n"
      "  volume:\n    size: 40\n");
  Problems problems;
  check_update(was, is, is.spec, problems);
  REQUIRE(problems.size() == 1);
  CHECK(to_string(problems[0])
            .starts_with("8:11  spec.volume.size: 40 is smaller than the current 50 (volumes cannot shrink)"));
  CHECK_FALSE(problems[0].hint.empty());
  CHECK_THAT(update("Volume", "{size: 2}", "{size: 1}"), Contains("volumes cannot shrink"));
}

TEST_CASE("what may change does") {
  CHECK(update("DatabaseInstance", instance("volume: {size: 50}"),
               instance("volume: {size: 16384}, rootAccess: true, deletionPolicy: Delete")) == "");
  CHECK(update("DatabaseInstance", instance("volume: {size: 1}"),
               "{datastore: {type: mysql}, flavor: large, volume: {size: 1}, configurationRef: {name: a}}") == "");
  CHECK(update("BackupSchedule", "{instanceRef: {name: a}, schedule: \"@daily\"}",
               "{instanceRef: {name: a}, schedule: \"@hourly\", retention: {keepLast: 3}}") == "");
  CHECK(update("User", "{instanceRef: {name: a}, password: {generate: {}}}",
               "{instanceRef: {name: a}, password: {secretRef: {name: s}}, grants: []}") == "");
}

TEST_CASE("a forbidden change says what to do instead") {
  const std::string engine = update("DatabaseInstance", instance("volume: {size: 1}"),
                                    "{datastore: {type: postgresql}, flavor: small, volume: {size: 1}}");
  CHECK_THAT(engine, Contains("spec.datastore.type: cannot change from mysql to postgresql") &&
                         Contains("make a second instance and move the data"));
  CHECK_THAT(update("DatabaseInstance", instance("volume: {size: 1}"),
                    "{datastore: {type: mysql, version: 10.11}, flavor: small, volume: {size: 1}}"),
             Contains("spec.datastore.version: cannot change from nothing to 10.11"));
  CHECK_THAT(update("DatabaseInstance", instance("volume: {size: 1}, availabilityZone: north"),
                    instance("volume: {size: 1}, availabilityZone: south")),
             Contains("spec.availabilityZone: cannot change from north to south") &&
                 Contains("make a second instance there with bootstrapFrom a backup"));
  CHECK_THAT(update("DatabaseInstance", instance("volume: {size: 1}, serverGroup: apart"), instance("volume: {size: 1}")),
             Contains("spec.serverGroup: cannot change from apart to nothing") && Contains("bootstrapFrom a backup"));
  CHECK_THAT(update("Volume", "{size: 1}", "{size: 1, availabilityZone: south}"),
             Contains("spec.availabilityZone: cannot change from nothing to south") && Contains("make a second Volume"));
  CHECK_THAT(update("Database", "{instanceRef: {name: a}}", "{instanceRef: {name: b}}"),
             Contains("spec.instanceRef.name: cannot change from a to b"));
  CHECK_THAT(update("User", "{instanceRef: {name: a}, password: {generate: {}}}",
                    "{instanceRef: {name: a}, password: {generate: {}}, host: \"10.%\"}"),
             Contains("spec.host: cannot change from % to 10.%"));
}

TEST_CASE("the disk that holds the data cannot be swapped or dropped") {
  CHECK_THAT(
      update("DatabaseInstance", instance("volume: {size: 1}"), instance("volumeRef: {name: a}")),
      Contains("spec.volume: cannot be removed once it is set") && Contains("spec.volumeRef: cannot be added later"));
  CHECK_THAT(update("DatabaseInstance", instance("volumeRef: {name: a}"), instance("volumeRef: {name: b}")),
             Contains("spec.volumeRef.name: cannot change from a to b"));
  CHECK_THAT(update("DatabaseInstance", "{datastore: {type: redis}, flavor: s, volume: {size: 1}}",
                    "{datastore: {type: redis}, flavor: s}"),
             Contains("spec.volume: cannot be removed"));
}

TEST_CASE("a volume's type may be set, changed and taken away") {
  const char* const types[] = {"volume: {size: 1}", "volume: {size: 1, type: a}", "volume: {size: 1, type: b}"};
  for (const char* from : types)
    for (const char* to : types) CHECK(update("DatabaseInstance", instance(from), instance(to)) == "");
  CHECK(update("Volume", "{size: 1}", "{size: 1, type: a}") == "");
  CHECK(update("Volume", "{size: 1, type: a}", "{size: 1}") == "");
  for (const auto& [kind, path] : {std::pair{"Volume", "type"}, std::pair{"DatabaseInstance", "volume.type"}})
    CHECK(find_field(*find_kind(kind), path)->change == Change::live);
}

TEST_CASE("bootstrapFrom may be removed but neither added nor changed") {
  const std::string with = instance("volume: {size: 1}, bootstrapFrom: {backupRef: {name: a}}"),
                    without = instance("volume: {size: 1}");
  CHECK(update("DatabaseInstance", with, without) == "");
  CHECK_THAT(update("DatabaseInstance", without, with), Contains("spec.bootstrapFrom: cannot be added later"));
  CHECK_THAT(update("DatabaseInstance", with, instance("volume: {size: 1}, bootstrapFrom: {backupRef: {name: b}}")),
             Contains("spec.bootstrapFrom.backupRef.name: cannot change from a to b"));
}

TEST_CASE("spelling a default out is no change") {
  CHECK(update("User", "{instanceRef: {name: a}, password: {generate: {}}}",
               "{instanceRef: {name: a}, password: {generate: {length: 32}}, host: \"%\", name: x}") == "");
  CHECK(update("Database", "{instanceRef: {name: a}, name: x}", "{instanceRef: {name: a}}") == "");
  CHECK_THAT(update("Database", "{instanceRef: {name: a}}", "{instanceRef: {name: a}, name: other}"),
             Contains("spec.name: cannot change from nothing to other"));
  CHECK(update("Backup", "{instanceRef: {name: a}}", "{instanceRef: {name: a}, timeout: 4h}") == "");
}

TEST_CASE("what a Backup or an Operation says is fixed but how it is kept is not") {
  CHECK_THAT(update("Backup", "{instanceRef: {name: a}}", "{instanceRef: {name: a}, timeout: 5h}"),
             Contains("spec.timeout: cannot change from 4h to 5h"));
  CHECK_THAT(
      update("Operation", "{instanceRef: {name: a}, restart: {}}", "{instanceRef: {name: a}, restart: {}, reason: b}"),
      Contains("spec.reason: cannot change"));
  CHECK(update("Backup", "{instanceRef: {name: a}}", "{instanceRef: {name: a}, deletionPolicy: Delete}") == "");
}

TEST_CASE("all refusals of one edit are told") {
  const std::string text = update("DatabaseInstance", instance("volume: {size: 9}"),
                                  "{datastore: {type: redis, version: 7}, flavor: s, volume: {size: 8}}");
  for (std::string_view path : {"datastore.type", "datastore.version", "volume.size"})
    CHECK_THAT(text, Contains("spec." + std::string(path)));
}
