#include <algorithm>
#include <chrono>
#include "specs/kinds/specs.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;
using Catch::Matchers::Contains;

namespace {

std::string problems_of(std::string_view yaml) { return decode(yaml).text(); }
std::string spec_problems(std::string_view kind, std::string_view spec) { return problems_of(document(kind, spec)); }
std::string user_problems(std::string_view fields) {
  return spec_problems("User", "{instanceRef: {name: db}, password: {generate: {}}, " + std::string(fields) + "}");
}
std::string instance_problems(std::string_view fields) {
  return spec_problems("DatabaseInstance",
                       "{datastore: {type: mariadb}, flavor: small, volume: {size: 1}, " + std::string(fields) + "}");
}
std::string parameter_problems(std::string_view engine, std::string_view parameters) {
  return spec_problems("ConfigurationGroup", "{datastore: {type: " + std::string(engine) + "}, parameters: {" +
                                                 std::string(parameters) + "}}");
}

}  // namespace

TEST_CASE("the errors of a directory of documents stay as they are") {
  const std::filesystem::path folder = std::filesystem::path(TROVE_SOURCE_DIR) / "tests" / "golden" / "errors";
  std::vector<std::filesystem::path> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  REQUIRE(inputs.size() >= 9);
  for (const auto& input : inputs) {
    const Decoded decoded = decode(read_file(input), input.filename().string());
    INFO(input);
    CHECK_FALSE(decoded.problems.empty());
    check_golden("errors/" + input.stem().string() + ".txt", decoded.text() + "\n");
  }
}

TEST_CASE("an unknown field is placed at its key and the likely one is named") {
  const Decoded decoded = decode(
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: crm}\nspec:\n"
      "  datastore: {type: mysql}\n  flavor: small\n  volume: {size: 1}\n  volumme:\n    size: 5\n",
      "crm.yaml");
  REQUIRE(decoded.problems.size() == 1);
  CHECK(to_string(decoded.problems[0]) == "crm.yaml:8:3  spec.volumme: unknown field. Did you mean \"volume\"?");
  CHECK(decoded.resources.empty());
}

TEST_CASE("all problems of a document are told in the order of the text") {
  const Decoded decoded = decode(
      "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: Big_One}\nspec:\n  size: 0\n  typ: fast\n  drift: "
      "correct\n");
  REQUIRE(decoded.problems.size() == 4);
  CHECK(decoded.problems[0].path == "metadata.name");
  CHECK(decoded.problems[1].path == "spec.size");
  CHECK(decoded.problems[2].path == "spec.typ");
  CHECK(decoded.problems[3].path == "spec.drift");
  CHECK_THAT(decoded.problems[0].message, Contains("Did you mean \"big-one\"?"));
  CHECK_THAT(decoded.problems[1].message, Contains("must be 1 to 16384 GiB"));
  CHECK_THAT(decoded.problems[3].message, Contains("not one of Correct, Report, Ignore. Did you mean \"Correct\"?"));
  for (const Problem& problem : decoded.problems) CHECK(problem.document == 0);
}

TEST_CASE("apiVersion and kind are checked with advice") {
  CHECK_THAT(problems_of("kind: Volume\nmetadata: {name: a}\nspec: {size: 1}"),
             Contains("apiVersion: required, and missing"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha2\nkind: Volume\nmetadata: {name: a}\nspec: {size: 1}"),
             Contains("Did you mean \"trove/v1alpha1\"?") && Contains("Write apiVersion: trove/v1alpha1"));
  CHECK_THAT(problems_of("apiVersion: v1\nkind: Volume\nmetadata: {name: a}\nspec: {size: 1}"),
             Contains("Write apiVersion: trove/v1alpha1"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha1\nkind: volume\nmetadata: {name: a}\nspec: {size: 1}"),
             Contains("Did you mean \"Volume\"?"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha1\nkind: DatabaseInstanc\nmetadata: {name: a}"),
             Contains("Did you mean \"DatabaseInstance\"?"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha1\nkind: Restore\nmetadata: {name: a}"),
             Contains("not supported in this release"));
  CHECK_THAT(problems_of("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}"),
             Contains("unknown kind \"Deployment\"") && Contains("BackupSchedule"));
  CHECK_THAT(problems_of("- a\n- b\n"), Contains("a document must be a map"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: a}\nsize: 1\nspec: {size: 1}"),
             Contains("Did you mean \"spec.size\"?"));
}

TEST_CASE("fields that are planned are said to be not supported rather than unknown") {
  CHECK_THAT(instance_problems("replication: {replicas: 2}"),
             Contains("spec.replication: not supported in this release"));
  CHECK_THAT(instance_problems("tls: {mode: Required}"), Contains("spec.tls: not supported in this release"));
  CHECK_THAT(instance_problems("deletionPolicy: Snapshot"),
             Contains("\"Snapshot\" is not supported in this release: use one of Retain, Delete"));
  CHECK_THAT(instance_problems("maintenance: {disruptiveChanges: InWindow}"),
             Contains("not supported in this release"));
  CHECK_THAT(user_problems("maxUserConnections: 5"), Contains("Did you mean \"maxConnections\"?"));
  CHECK_THAT(spec_problems("Database", "{instanceRef: {name: a, project: b}}"),
             Contains("references stay in one project"));
  CHECK_THAT(instance_problems("disruptiveChanges: Manual"),
             Contains("Did you mean \"spec.maintenance.disruptiveChanges\"?"));
}

TEST_CASE("wrong types name what was written and what is wanted") {
  CHECK_THAT(spec_problems("Volume", "{size: \"40\"}"),
             Contains("must be an integer in GiB, not the string \"40\": remove the quotes"));
  CHECK_THAT(spec_problems("Volume", "{size: 40G}"),
             Contains("must be an integer in GiB, not the string \"40G\"") && !Contains("quotes"));
  CHECK_THAT(spec_problems("Volume", "{size: 1.5}"), Contains("not the number 1.5"));
  CHECK_THAT(spec_problems("Volume", "{size: 1, type: 7}"),
             Contains("must be a string, not the number 7: quote it, as \"7\""));
  CHECK_THAT(spec_problems("Volume", "{size: 1, suspend: \"true\"}"),
             Contains("must be true or false, not the string \"true\": remove the quotes"));
  CHECK_THAT(spec_problems("Volume", "{size: 1, drift: false}"),
             Contains("must be one of Correct, Report, Ignore, not the boolean false"));
  CHECK_THAT(spec_problems("Volume", "[1]"), Contains("spec: must be a map, not a list"));
  CHECK_THAT(instance_problems("access: {allowedCidrs: 10.0.0.0/8}"),
             Contains("must be a list") && Contains("write [10.0.0.0/8]"));
  CHECK_THAT(instance_problems("configurationRef: oltp"), Contains("must be a map, not a string: write {name: …}"));
  CHECK_THAT(spec_problems("Operation", "{instanceRef: {name: a}, restart: true}"),
             Contains("must be a map, not a boolean: write {}"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: 5}\nspec: {size: 1}"),
             Contains("must be a string, not the number 5: quote it"));
}

TEST_CASE("a version may be written as a number and keeps its spelling") {
  const Resource decoded =
      good(document("DatabaseInstance", "{datastore: {type: mysql, version: 8.0}, flavor: s, volume: {size: 1}}"));
  CHECK(decoded.spec["datastore"]["version"] == Value("8.0"));
  CHECK(good(document("DatabaseInstance", "{datastore: {type: mysql, version: 10.10}, flavor: s, volume: {size: 1}}"))
            .spec.at_path("datastore.version") == Value("10.10"));
  CHECK(good(document("DatabaseInstance", "{datastore: {type: postgresql, version: 15}, flavor: s, volume: {size: 1}}"))
            .spec.at_path("datastore.version") == Value("15"));
  CHECK_THAT(
      spec_problems("DatabaseInstance", "{datastore: {type: mysql, version: latest}, flavor: s, volume: {size: 1}}"),
      Contains("is not a version"));
}

TEST_CASE("null means absent for optional fields and missing for required ones") {
  const Resource decoded = good(document("Volume", "{size: 1, type: null, suspend: ~}"));
  CHECK(decoded.spec == Value::map({{"size", 1}}));
  CHECK_THAT(spec_problems("Volume", "{size: null}"), Contains("spec.size: required, and empty"));
  CHECK_THAT(spec_problems("Volume", "{type: x}"), Contains("spec.size: required, and missing"));
  CHECK_THAT(spec_problems("Volume", ""), Contains("spec.size: required, and missing"));
}

TEST_CASE("a status in the input is ignored and server metadata is read") {
  const Resource decoded = good(
      "apiVersion: trove/v1alpha1\nkind: Volume\nstatus: {conditions: 7, what: ever}\n"
      "metadata: {name: a, uid: u-1, generation: 3, resourceVersion: \"42\", creationTimestamp: 2026-01-02T03:04:05Z, "
      "finalizers: []}\n"
      "spec: {size: 1}");
  CHECK(decoded.status == Value::map());
  CHECK(decoded.metadata.uid == "u-1");
  CHECK(decoded.metadata.generation == 3);
  CHECK(decoded.metadata.resource_version == 42);
  CHECK(format_time(decoded.metadata.creation_timestamp) == "2026-01-02T03:04:05Z");
}

TEST_CASE("metadata is strict about names and words and fills the project in") {
  CHECK(good(document("Volume", "{size: 1}")).metadata.project == "shop");
  CHECK(good("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: a, project: other}\nspec: {size: 1}")
            .metadata.project == "other");
  const auto with = [](std::string_view metadata) {
    return problems_of("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: " + std::string(metadata) +
                       "\nspec: {size: 1}");
  };
  CHECK_THAT(with("{}"), Contains("metadata.name: required, and missing"));
  CHECK_THAT(with("{name: -a}"), Contains("is not a name"));
  CHECK_THAT(with("{name: " + std::string(64, 'a') + "}"), Contains("is not a name"));
  CHECK(with("{name: " + std::string(63, 'a') + "}") == "");
  CHECK_THAT(with("{name: a, project: ../b}"), Contains("is not a project"));
  CHECK_THAT(with("{name: a, namespace: b}"), Contains("Did you mean \"project\"?"));
  CHECK_THAT(with("{name: a, lables: {}}"), Contains("Did you mean \"labels\"?"));
  CHECK_THAT(with("{name: a, labels: {tier: 1}}"),
             Contains("metadata.labels.tier: must be a string, not the number 1: quote it"));
  CHECK_THAT(with("{name: a, labels: {tier: \"a b\"}}"), Contains("metadata.annotations"));
  CHECK(with("{name: a, labels: {app.example/tier: prod}, annotations: {note: \"free text, any\"}}") == "");
  CHECK_THAT(with("{generateName: a-}"), Contains("needs a name of its own"));
}

TEST_CASE("an Operation and a Backup may have a generated name") {
  const Resource decoded = good(
      "apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {generateName: restart-}\nspec: {instanceRef: {name: a}, "
      "restart: {}}");
  CHECK(decoded.metadata.generate_name == "restart-");
  CHECK(decoded.metadata.name == "");
  CHECK_THAT(
      problems_of(
          "apiVersion: trove/v1alpha1\nkind: Backup\nmetadata: {generateName: Nope-}\nspec: {instanceRef: {name: a}}"),
      Contains("metadata.generateName"));
  CHECK_THAT(
      problems_of("apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {name: a}\nspec: {instanceRef: {name: a}}"),
      Contains("must say what to do"));
  CHECK_THAT(problems_of("apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {name: a}\nspec: {instanceRef: {name: "
                         "a}, promote: {}}"),
             Contains("spec.promote: not supported in this release"));
}

TEST_CASE("networks are checked and hosts in their place are told apart") {
  CHECK(instance_problems(
            "access: {allowedCidrs: [10.20.0.0/16, 0.0.0.0/0, \"::/0\", \"2001:db8::/32\", 10.1.2.3/32]}") == "");
  CHECK(instance_problems("access: {allowedCidrs: []}") == "");
  CHECK_THAT(instance_problems("access: {allowedCidrs: [10.20.0.5/16]}"),
             Contains("spec.access.allowedCidrs[0]") && Contains("Did you mean \"10.20.0.0/16\" or \"10.20.0.5/32\"?"));
  CHECK_THAT(instance_problems("access: {allowedCidrs: [10.20.0.5]}"), Contains("Did you mean \"10.20.0.5/32\"?"));
  CHECK_THAT(instance_problems("access: {allowedCidrs: [10.20.0.0/33]}"), Contains("the prefix must be 0 to 32"));
  CHECK_THAT(instance_problems("access: {allowedCidrs: [10.20.0.0/08]}"), Contains("the prefix must be"));
  CHECK_THAT(instance_problems("access: {allowedCidrs: [example.org]}"), Contains("is not a network"));
  CHECK_THAT(instance_problems("access: {allowedCidrs: [null]}"), Contains("an empty entry"));
}

TEST_CASE("each engine takes the volume that suits it") {
  const auto with = [](std::string_view type, std::string_view rest) {
    return spec_problems("DatabaseInstance",
                         "{datastore: {type: " + std::string(type) + "}, flavor: s" + std::string(rest) + "}");
  };
  CHECK_THAT(with("mariadb", ""), Contains("spec.volume: mariadb needs a volume"));
  CHECK_THAT(with("postgresql", ""), Contains("spec.volume: postgresql needs a volume"));
  CHECK(with("postgresql", ", volumeRef: {name: data}") == "");
  CHECK(with("redis", "") == "");
  CHECK(with("redis", ", volume: {size: 1}") == "");
  CHECK(with("memcached", "") == "");
  CHECK_THAT(with("memcached", ", volume: {size: 1}"), Contains("keeps everything in memory"));
  CHECK_THAT(with("memcached", ", rootAccess: true"), Contains("has no logins"));
  CHECK_THAT(with("mysql", ", volume: {size: 1}, volumeRef: {name: a}"),
             Contains("spec.volumeRef: excludes spec.volume"));
  CHECK_THAT(with("mongodb", ""), Contains("not supported in this release"));
  CHECK_THAT(with("postgres", ", volume: {size: 1}"), Contains("Did you mean \"postgresql\"?"));
}

TEST_CASE("a user has exactly one source of its password") {
  const auto with = [](std::string_view password) {
    return spec_problems("User", "{instanceRef: {name: a}, password: " + std::string(password) + "}");
  };
  CHECK(with("{generate: {}}") == "");
  CHECK(with("{secretRef: {name: s}}") == "");
  CHECK_THAT(with("{}"), Contains("exactly one of generate and secretRef"));
  CHECK_THAT(with("{generate: {}, secretRef: {name: s}}"), Contains("excludes spec.password.generate"));
  CHECK_THAT(with("{generate: {length: 7}}"), Contains("must be 8 to 128"));
  CHECK_THAT(with("{generate:  }"), Contains("exactly one of generate and secretRef"));
}

TEST_CASE("a password that stands where it must not is never repeated") {
  const std::string text = spec_problems("User", "{instanceRef: {name: a}, password: hunter2}");
  CHECK_THAT(text, Contains("must be a map, not a string") && Contains("Passwords do not stand in specs"));
  CHECK_THAT(text, !Contains("hunter2"));
  for (std::string_view data : {"{password: 31337}", "{password: [hunter2]}", "hunter2", "{password: {a: hunter2}}"}) {
    const std::string said = spec_problems("Secret", "{data: " + std::string(data) + "}");
    INFO(said);
    CHECK_FALSE(said.empty());
    CHECK_THAT(said, !Contains("hunter2") && !Contains("31337"));
  }
  CHECK_THAT(spec_problems("Secret", "{data: {password: 31337}}"),
             Contains("spec.data.password: must be a string, not an integer: quote it"));
}

TEST_CASE("the names and values of a Secret have bounds") {
  const auto with = [](const std::string& key, const std::string& value) {
    Value document =
        Value::map({{"apiVersion", "trove/v1alpha1"}, {"kind", "Secret"}, {"metadata", Value::map({{"name", "s"}})}});
    document.set("spec", Value::map({{"data", Value::map({{key, Value(value)}})}}));
    Problems problems;
    decode_resource(document, "p", "", 0, problems);
    return to_string(problems);
  };
  CHECK(with("a", std::string(64 << 10, 'x')) == "");
  CHECK_THAT(with("a", std::string((64 << 10) + 1, 'x')), Contains("65537 bytes long"));
  CHECK(with(std::string(253, 'a'), "x") == "");
  CHECK_THAT(with(std::string(254, 'a'), "x"), Contains("longer than 253"));
  CHECK_THAT(with("a b", "x"), Contains("the name"));
  CHECK_THAT(with("", "x"), Contains("the name"));
  CHECK_THAT(spec_problems("Secret", "{data: {empty: }}"), Contains("has no value"));
}

TEST_CASE("grants take SQL words or Redis rules and nothing that could end a statement") {
  const auto privilege = [](std::string_view text) {
    return user_problems("grants: [{privileges: [\"" + std::string(text) + "\"], on: \"a.*\"}]");
  };
  for (std::string_view fine : {"SELECT", "ALL", "ALL PRIVILEGES", "create view", "+@read", "-flushall", "+get",
                                "+config|get", "-@dangerous"}) {
    INFO(fine);
    CHECK(privilege(fine) == "");
  }
  for (std::string_view bad : {"SELECT;", "SELECT'", "SELECT (a)", "SELECT, INSERT", " SELECT", "DROP--", "+", "+@",
                               "~*", ">pw", "on", "a1"}) {
    INFO(bad);
    if (bad == "on") CHECK(privilege(bad) == "");   // a word is a word: the engine judges it
    else CHECK_THAT(privilege(bad), Contains("is not a privilege"));
  }
  CHECK_THAT(privilege("grant option"), Contains("withGrantOption: true"));
  CHECK_THAT(user_problems("grants: [{privileges: [], on: a}]"), Contains("spec.grants[0].privileges: has 0 entries"));
  CHECK_THAT(user_problems("grants: [{privileges: [SELECT]}]"), Contains("spec.grants[0].on: required"));
  CHECK(user_problems("grants: [{privileges: [SELECT], on: \"we`ird 'name.*\"}]") == "");
  CHECK_THAT(user_problems("grants: [{privileges: [SELECT], on: a}, {privileges: [INSERT], on: a}]"),
             Contains("was named in grants[0]"));
  CHECK_THAT(user_problems("grants: [{privileges: [SELECT, +get], on: a}]"),
             Contains("mixes SQL privileges and Redis rules"));
  CHECK_THAT(user_problems("grants: [{privileges: [SELECT], on: \"" + std::string(257, 'a') + "\"}]"),
             Contains("257 bytes long"));
  CHECK_THAT(user_problems("grants: [{privilege: [SELECT], on: a}]"),
             Contains("spec.grants[0].privilege: unknown field. Did you mean \"privileges\"?"));
}

TEST_CASE("names that belong to an engine or to trove are refused") {
  CHECK_THAT(problems_of(document("User", "{instanceRef: {name: a}, password: {generate: {}}}", "root")),
             Contains("metadata.name") && Contains("rootAccess: true"));
  CHECK_THAT(user_problems("name: trove_agent"), Contains("spec.name") && Contains("belong to trove"));
  CHECK_THAT(user_problems("name: pg_monitor"), Contains("belongs to the engine"));
  CHECK_THAT(spec_problems("Database", "{instanceRef: {name: a}, name: mysql}"), Contains("belongs to the engine"));
  CHECK(user_problems("name: \"o'rders`; --\"") == "");
  CHECK_THAT(user_problems("name: \"" + std::string(64, 'a') + "\""), Contains("64 bytes long"));
  CHECK_THAT(user_problems("name: \"a\\0b\""), Contains("NUL"));
  CHECK_THAT(user_problems("host: \"10.20.% OR\""), Contains("is not a host"));
  CHECK(user_problems("host: \"10.20.%\", maxConnections: 100000") == "");
}

TEST_CASE("parameters are checked against the catalogue of their engine") {
  CHECK(parameter_problems(
            "mysql", "max_connections: 800, innodb_buffer_pool_size: 70%ram, sql_mode: STRICT_TRANS_TABLES") == "");
  CHECK(parameter_problems("postgresql", "shared_buffers: 1GB, log_statement: ddl, jit: false, made.up: 1") == "");
  CHECK_THAT(parameter_problems("mysql", "datadir: /tmp"), Contains("spec.parameters.datadir: belongs to trove"));
  CHECK_THAT(parameter_problems("mysql", "max_connections: 5"), Contains("out of range: 10 to 100000"));
  CHECK_THAT(parameter_problems("mysql", "max_connections: \"500\""), Contains("remove the quotes"));
  CHECK_THAT(parameter_problems("mysql", "max-connections: 50, max_connections: 60"),
             Contains("is the same parameter as"));
  CHECK_THAT(parameter_problems("mysql", "max_connections: [1]"), Contains("must be a number, a boolean or a string"));
  CHECK_THAT(parameter_problems("mysql", "max_connections: "), Contains("has no value"));
  CHECK_THAT(parameter_problems("postgresql", "archive_command: \"rm -rf /\""), Contains("belongs to trove"));
}

TEST_CASE("schedules are checked with their time zone") {
  const auto with = [](std::string_view rest) {
    return spec_problems("BackupSchedule", "{instanceRef: {name: a}, " + std::string(rest) + "}");
  };
  CHECK(with("schedule: \"15 2 * * *\", timeZone: Europe/Berlin, jitter: 24h, retention: {keepLast: 1000}") == "");
  CHECK(with("schedule: \"@daily\"") == "");
  CHECK_THAT(with("schedule: \"0 15 2 * * *\""), Contains("spec.schedule"));
  CHECK_THAT(with("schedule: \"0 0 30 2 *\""), Contains("spec.schedule"));
  CHECK_THAT(with("schedule: \"@daily\", timeZone: Berlin"), Contains("spec.timeZone"));
  CHECK_THAT(with("schedule: \"@daily\", jitter: 25h"), Contains("spec.jitter") && Contains("out of range"));
  CHECK_THAT(with("schedule: \"@daily\", timeout: soon"), Contains("is not a duration"));
  CHECK_THAT(with("schedule: \"@daily\", retention: {keepLast: 0}"), Contains("must be 1 to 1000"));
}

TEST_CASE("problems of one document have a bound") {
  std::string spec = "{size: 1";
  for (int i = 0; i < 1000; ++i) spec += ", unknown" + std::to_string(i) + ": 1";
  const Decoded decoded = decode(document("Volume", spec + "}"));
  CHECK(decoded.problems.size() == 200);
  CHECK_THAT(decoded.text(), Contains("too many problems"));
}

TEST_CASE("control characters in a spec are refused and shown escaped") {
  const std::string text = instance_problems("configurationRef: {name: a}, \"fl\\e[31mavor\": x");
  CHECK_THAT(text, Contains("\\x1b") && !Contains("\x1b"));
  CHECK_THAT(spec_problems("Volume", "{size: 1, type: \"a\\nb\"}"), Contains("control character"));
}

TEST_CASE("decoding a usual document takes little time") {
  const YamlStream stream = parse_yaml(R"(apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata:
  {name: orders-db, project: shop-prod, labels: {app: orders, tier: prod}, annotations: {team: "orders and billing"}}
spec:
  datastore: {type: mariadb, version: "10.11"}
  flavor: db.m1.large
  volume: {size: 100, type: ceph-ssd}
  access: {allowedCidrs: [10.20.0.0/16, 10.21.0.0/16, 10.22.0.0/16, "2001:db8::/32"]}
  configurationRef: {name: mariadb-oltp}
  rootAccess: false
  deletionProtection: true
  maintenance: {disruptiveChanges: Manual}
  bootstrapFrom: {backupRef: {name: orders-2026-01-01}}
  managementPolicy: Manage
  deletionPolicy: Retain
  suspend: false
  drift: Correct
)",
                                       "x");
  REQUIRE(stream.documents.size() == 1);
  Problems problems;
  constexpr int kRounds = 2000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) REQUIRE(decode_resource(stream.documents[0], "p", "x", 0, problems).has_value());
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  INFO("decoding took " << took.count() / kRounds << " us");
  CHECK(took.count() / kRounds < 1000);   // wide: sanitizers and busy machines; the promise itself is in bench
}

TEST_CASE("what ignoreDrift names is a field or a key of a map that is there") {
  CHECK(instance_problems("ignoreDrift: [/flavor, /volume/size, /volume, /access/allowedCidrs]").empty());
  CHECK(user_problems("ignoreDrift: [/grants, /password, /maxConnections]").empty());
  CHECK(spec_problems("ConfigurationGroup",
                      "{datastore: {type: mariadb}, parameters: {max_connections: 50}, ignoreDrift: "
                      "[/parameters/max_connections, /parameters]}")
            .empty());
  const Decoded decoded = decode(
      "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec:\n  size: 1\n  ignoreDrift:\n  - /sise\n",
      "v.yaml");
  REQUIRE(decoded.problems.size() == 1);
  CHECK(to_string(decoded.problems[0]) ==
        "v.yaml:7:5  spec.ignoreDrift[0]: \"sise\" is not in spec. Did you mean \"size\"?");
  CHECK_THAT(instance_problems("ignoreDrift: [/volume/sizes]"),
             Contains("spec.ignoreDrift[0]: \"sizes\" is not in spec.volume. Did you mean \"size\"?"));
  CHECK_THAT(spec_problems("ConfigurationGroup",
                           "{datastore: {type: mariadb}, parameters: {max_connections: 50}, ignoreDrift: "
                           "[/parameters/max_conections]}"),
             Contains("\"max_conections\" is not in spec.parameters. Did you mean \"max_connections\"?"));
  CHECK_THAT(user_problems("grants: [{privileges: [SELECT], on: orders.*}], ignoreDrift: [/grants/orders.*]"),
             Contains("items of spec.grants cannot be named one by one: name the whole list"));
  CHECK_THAT(instance_problems("ignoreDrift: [volume.size]"), Contains("is not a JSON pointer"));
  CHECK_THAT(instance_problems("ignoreDrift: [/flavor~2]"), Contains("is not a JSON pointer"));
  CHECK_THAT(instance_problems("ignoreDrift: [/flavor/name]"), Contains("there is nothing below spec.flavor"));
  CHECK_THAT(instance_problems("ignoreDrift: [/drift]"), Contains("is trove's own"));
  CHECK_THAT(instance_problems("ignoreDrift: [/access/allowedCidrs/0]"), Contains("name the whole list"));
}

TEST_CASE("ignoreDrift covers what it names and all below it, and nothing beside it") {
  Common common;
  common.drift = Drift::report;
  common.ignore_drift = {"/volume", "/flavor"};
  CHECK(common.drift_at("/volume/size") == Drift::ignore);
  CHECK(common.drift_at("/flavor") == Drift::ignore);
  CHECK(common.drift_at("/volumeRef") == Drift::report);
  CHECK(*pointer_segments("/grants/a~1b~0c") == std::vector<std::string>{"grants", "a/b~c"});
  CHECK(pointer_segment("a/b~c") == "a~1b~0c");
}
