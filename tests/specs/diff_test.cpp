#include "specs/json.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;

namespace {

// One line per change: "spec.volume.size 100 -> 200 live".
std::vector<std::string> diff(std::string_view kind, std::string_view before, std::string_view after) {
  const auto spec = [&](std::string_view text) {
    return text.empty() ? Value::map() : good(document(kind, text)).spec;
  };
  std::vector<std::string> lines;
  for (const FieldChange& change : diff_specs(*find_kind(kind), spec(before), spec(after)))
    lines.push_back(change.path + " " + dump_json(change.before) + " -> " + dump_json(change.after) + " " +
                    std::string(to_string(change.change)));
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a diff names each field with its change class in the order of the table") {
  CHECK(diff("DatabaseInstance", "{volume: {size: 100}, flavor: small, datastore: {type: mysql}}",
             "{datastore: {type: mysql}, flavor: large, volume: {size: 200}, access: {allowedCidrs: [10.0.0.0/8]}, "
             "deletionProtection: true}") ==
        Lines{"spec.flavor \"small\" -> \"large\" REBOOT", "spec.volume.size 100 -> 200 live",
              "spec.access.allowedCidrs [\"127.0.0.0/8\"] -> [\"10.0.0.0/8\"] live",
              "spec.deletionProtection false -> true none"});
}

TEST_CASE("spelling a default out is no difference") {
  CHECK(diff("Volume", "{size: 1}", "{size: 1, drift: Correct, suspend: false, deletionPolicy: Retain}").empty());
  CHECK(diff("DatabaseInstance", "{datastore: {type: redis}, flavor: s}",
             "{datastore: {type: redis}, flavor: s, access: {allowedCidrs: [127.0.0.0/8]}, maintenance: {}}")
            .empty());
  CHECK(diff("Volume", "{size: 1}", "{size: 1, deletionPolicy: Delete}") ==
        Lines{"spec.deletionPolicy \"Retain\" -> \"Delete\" none"});
}

TEST_CASE("making and removing an object lists what was written") {
  CHECK(diff("Volume", "", "{size: 1}") == Lines{"spec.size null -> 1 live"});
  CHECK(diff("Volume", "{size: 1, type: fast}", "") ==
        Lines{"spec.size 1 -> null live", "spec.type \"fast\" -> null live"});
  CHECK(diff("Operation", "", "{instanceRef: {name: a}, restart: {}}") ==
        Lines{"spec.instanceRef.name null -> \"a\" forbidden", "spec.restart null -> {} forbidden"});
}

TEST_CASE("parameters differ one by one with the class of each") {
  CHECK(diff("ConfigurationGroup",
             "{datastore: {type: mysql}, parameters: {max_connections: 500, back_log: 10, gone: 1}}",
             "{datastore: {type: mysql}, parameters: {back_log: 20, max_connections: 800, own_thing: on the way}}") ==
        Lines{"spec.parameters.max_connections 500 -> 800 live", "spec.parameters.back_log 10 -> 20 RESTART",
              "spec.parameters.gone 1 -> null RESTART", "spec.parameters.own_thing null -> \"on the way\" RESTART"});
}

TEST_CASE("values of a Secret are never in a diff") {
  CHECK(diff("Secret", "{data: {a: one, b: two, c: same}}", "{data: {a: uno, c: same, d: tres}}") ==
        Lines{"spec.data.a \"(sensitive)\" -> \"(sensitive)\" live", "spec.data.b \"(sensitive)\" -> null live",
              "spec.data.d null -> \"(sensitive)\" live"});
}

TEST_CASE("grants differ as a whole") {
  const auto lines = diff("User", "{instanceRef: {name: a}, password: {generate: {}}}",
                          "{instanceRef: {name: a}, password: {generate: {}}, grants: [{privileges: [ALL], on: a}]}");
  CHECK(lines == Lines{"spec.grants [] -> [{\"privileges\":[\"ALL\"],\"on\":\"a\"}] live"});
}

TEST_CASE("a changed source of the password is a difference") {
  CHECK(diff("User", "{instanceRef: {name: a}, password: {generate: {}}}",
             "{instanceRef: {name: a}, password: {secretRef: {name: s}}}") ==
        Lines{"spec.password.generate.length 32 -> null live", "spec.password.secretRef.name null -> \"s\" live",
              "spec.password.secretRef.key null -> \"password\" live"});
}

TEST_CASE("defaults are filled in where their object is") {
  const Kind& instance = *find_kind("inst");
  const Value filled =
      with_defaults(instance, good(document("DatabaseInstance", "{datastore: {type: redis}, flavor: s}")).spec);
  CHECK(filled.at_path("access.allowedCidrs") == Value::list({"127.0.0.0/8"}));
  CHECK(filled.at_path("maintenance.disruptiveChanges") == Value("Manual"));
  CHECK(filled.at_path("deletionPolicy") == Value("Retain"));
  CHECK(filled.find("volume") == nullptr);
  CHECK(filled.find("bootstrapFrom") == nullptr);
  const Kind& user = *find_kind("user");
  const Value generated = with_defaults(
      user,
      good(document("User", "{instanceRef: {name: a}, password: {generate: {}}, grants: [{privileges: [ALL], on: a}]}"))
          .spec);
  CHECK(generated.at_path("password.generate.length") == Value(32));
  CHECK(generated.find_path("password.secretRef") == nullptr);
  CHECK(generated.at_path("grants[0].withGrantOption") == Value(false));
}
