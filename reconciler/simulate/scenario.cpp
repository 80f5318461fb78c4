#include "reconciler/simulate/scenario.hpp"

#include "specs/json.hpp"
#include "specs/yaml.hpp"

namespace trove::simulate {
namespace {

std::string document(std::string_view kind, std::string_view name, std::string_view spec) {
  return "---\napiVersion: trove/v1alpha1\nkind: " + std::string(kind) + "\nmetadata: {name: " + std::string(name) +
         "}\nspec: {" + std::string(spec) + "}\n";
}
std::string instance(std::string_view name, std::string_view rest) {
  return document("DatabaseInstance", name,
                  "datastore: {type: mariadb}, maintenance: {disruptiveChanges: Immediate}, " + std::string(rest));
}
std::string database(std::string_view name, std::string_view of, std::string_view rest = "") {
  return document("Database", name,
                  "instanceRef: {name: " + std::string(of) + "}" + (rest.empty() ? "" : ", " + std::string(rest)));
}
std::string user(std::string_view name, std::string_view of, std::string_view password) {
  return document("User", name,
                  "instanceRef: {name: " + std::string(of) + "}, password: {" + std::string(password) +
                      "}, grants: [{privileges: [SELECT], on: \"orders.*\"}]");
}

Deed put_in(double seconds, const std::string& yaml) {
  return {Millis{static_cast<int64_t>(seconds * 1000)}, body_of(yaml), {}, false};
}
Deed take_out(int64_t seconds, std::string kind, std::string name) {
  return {Millis{seconds * 1000}, "", {"p", std::move(kind), std::move(name)}, false};
}

constexpr const char* kGenerated = "generate: {length: 24}";
// A password that a person chose: found anywhere it must not be, it betrays itself.
constexpr const char* kCanary = "data: {password: canary-Q7rT2mW9xK4v}";
constexpr const char* kSmall = "flavor: db.tiny, volume: {size: 2}";

std::vector<Scenario> make() {
  std::vector<Scenario> all;
  const std::string shop =
      instance("orders-db", kSmall) + database("orders", "orders-db") + user("orders-app", "orders-db", kGenerated);
  all.push_back({"create", "an instance with a database and a login", {put_in(0, shop)}});

  const std::string schedule = document("BackupSchedule", "nightly",
                                        "instanceRef: {name: orders-db}, schedule: \"*/5 * * * *\", immediate: true, "
                                        "retention: {keepLast: 2}, timeout: 7d");
  all.push_back(
      {"life",
       "create, back up, grow, resize, open, drop and keep databases, delete with Retain, make again",
       {put_in(0, shop + schedule + database("scratch", "orders-db", "deletionPolicy: Delete") +
                      database("archive", "orders-db")),
        put_in(40, instance("orders-db", "flavor: db.tiny, volume: {size: 4}")),
        put_in(60, instance("orders-db", "flavor: db.small, volume: {size: 4}")),
        put_in(90, instance("orders-db", "flavor: db.small, volume: {size: 4}, access: {allowedCidrs: [10.9.0.0/16]}")),
        put_in(95, instance("orders-db", "flavor: db.small, volume: {size: 4, type: fast}, "
                                         "access: {allowedCidrs: [10.9.0.0/16]}")),
        take_out(100, "Database", "scratch"), take_out(102, "Database", "archive"),
        take_out(120, "BackupSchedule", "nightly"), take_out(140, "DatabaseInstance", "orders-db"),
        put_in(180, shop)}});
  all.push_back({"leave",
                 "create, then delete for good: nothing may be left but what was stored elsewhere",
                 {put_in(0, shop + user("auditor", "orders-db", kGenerated)), take_out(30, "User", "auditor"),
                  put_in(40, instance("orders-db", std::string(kSmall) + ", deletionPolicy: Delete")),
                  take_out(50, "DatabaseInstance", "orders-db"), take_out(52, "User", "orders-app"),
                  take_out(54, "Database", "orders")}});
  all.push_back(
      {"restore",
       "a backup is restored into a new instance",
       {put_in(0, shop),
        put_in(30, document("Backup", "before", "instanceRef: {name: orders-db}, timeout: 7d") +
                       document("Backup", "spare", "instanceRef: {name: orders-db}, timeout: 7d, "
                                                   "deletionPolicy: Delete")),
        put_in(50, instance("copy-db", std::string(kSmall) + ", bootstrapFrom: {backupRef: {name: before}}") +
                       database("copied", "copy-db", "name: orders")),
        take_out(70, "Backup", "spare")}});
  const std::string group =
      document("ConfigurationGroup", "tuned", "datastore: {type: mariadb}, parameters: {max_connections: 100}");
  all.push_back({"shared",
                 "two instances share parameters, which change and go",
                 {put_in(0, group + instance("one", std::string(kSmall) + ", configurationRef: {name: tuned}") +
                                instance("two", std::string(kSmall) + ", configurationRef: {name: tuned}") +
                                database("orders", "one") + database("orders-two", "two", "name: orders")),
                  put_in(40, document("ConfigurationGroup", "tuned",
                                      "datastore: {type: mariadb}, parameters: {max_connections: 200, "
                                      "innodb_buffer_pool_size: 134217728}")),
                  // Told, perhaps, and taken back at once.
                  put_in(60, document("ConfigurationGroup", "tuned",
                                      "datastore: {type: mariadb}, parameters: {max_connections: 200, "
                                      "innodb_buffer_pool_size: 134217728, wait_timeout: 300}")),
                  put_in(60.15, document("ConfigurationGroup", "tuned",
                                         "datastore: {type: mariadb}, parameters: {max_connections: 200, "
                                         "innodb_buffer_pool_size: 134217728}")),
                  put_in(70, instance("two", kSmall))}});
  all.push_back({"late",
                 "things are asked for before what they refer to, with a password of a person's own",
                 {put_in(0, document("Volume", "data", "size: 3")), put_in(5, document("Secret", "chosen", kCanary)),
                  put_in(12, instance("orders-db", "flavor: db.tiny, volumeRef: {name: data}")),
                  put_in(14, user("orders-app", "orders-db", "secretRef: {name: chosen}")),
                  put_in(25, database("orders", "orders-db")),
                  put_in(45, document("Secret", "chosen", "data: {password: canary-B8sL5nY3zH6p}")),
                  put_in(50, document("Operation", "again", "instanceRef: {name: orders-db}, restart: {}")),
                  put_in(65, document("Volume", "data", "size: 4, type: fast"))}});
  all.push_back({"cache",
                 "engines without a volume: a server and its port are all there is",
                 {put_in(0, document("DatabaseInstance", "pages", "datastore: {type: memcached}, flavor: db.nano") +
                                document("DatabaseInstance", "sessions",
                                         "datastore: {type: redis}, flavor: db.nano, maintenance: {disruptiveChanges: "
                                         "Immediate}") +
                                document("User", "web",
                                         "instanceRef: {name: sessions}, password: {generate: {}}, grants: "
                                         "[{privileges: [+@read], on: \"session:*\"}]")),
                  put_in(30, document("DatabaseInstance", "pages",
                                      "datastore: {type: memcached}, flavor: db.tiny, "
                                      "maintenance: {disruptiveChanges: Immediate}")),
                  take_out(50, "DatabaseInstance", "sessions"), take_out(50, "User", "web")}});
  const std::string kept = document("Volume", "data", "size: 2");
  const std::string on_it = instance("orders-db", "flavor: db.tiny, volumeRef: {name: data}") +
                            database("orders", "orders-db");
  all.push_back({"kept",
                 "an instance and its volume are deleted with Retain and made again: the same volume, the same data",
                 {put_in(0, kept + on_it), take_out(25, "Database", "orders"), take_out(26, "DatabaseInstance", "orders-db"),
                  take_out(40, "Volume", "data"), put_in(50, kept + on_it)}});
  const std::string stubborn = document("ConfigurationGroup", "tuned",
                                        "datastore: {type: mariadb}, parameters: {back_log: 200}");
  all.push_back({"stubborn",
                 "a parameter waits for a restart whatever the engine is restarted",
                 {put_in(0, instance("one", kSmall) + database("orders", "one")),
                  put_in(20, stubborn + instance("one", std::string(kSmall) + ", configurationRef: {name: tuned}"))},
                 "p",
                 {},
                 {"back_log"}});
  const auto watched = [&](const char* policy) {
    return put_in(0, instance("orders-db", std::string(kSmall) + ", access: {allowedCidrs: [10.8.0.0/16]}, drift: " +
                                               policy)) ;
  };
  Deed report = watched("Report"), ignore = watched("Ignore"), correct = watched("Correct");
  ignore.at = Millis{60'000}, correct.at = Millis{150'000};
  all.push_back({"watched",
                 "what others change is reported, then ignored, then put back: the end is the same",
                 {report, ignore, correct}});
  std::string fleet;
  for (const char* name : {"one", "two", "three", "four", "five"})
    fleet += document("DatabaseInstance", name, "datastore: {type: memcached}, flavor: db.nano");
  all.push_back({"fleet", "five at once: more than the brake lets be replaced within a minute", {put_in(0, fleet)}});
  return all;
}

}  // namespace

std::string body_of(const std::string& yaml) {
  Value documents = Value::list();
  for (Value& document : parse_yaml(yaml, "scenario").documents)
    documents.push_back(Value::map({{"object", std::move(document)}}));
  return dump_json(Value::map({{"documents", std::move(documents)}}));
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = make();
  return all;
}

const Scenario* find_scenario(std::string_view name) {
  for (const Scenario& scenario : scenarios())
    if (scenario.name == name) return &scenario;
  return nullptr;
}

}  // namespace trove::simulate
