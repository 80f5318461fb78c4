// Plans as readable text, one file a change. TROVE_UPDATE_GOLDEN=1 writes them anew; read the diff before committing.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

const char* kBase = R"(
apiVersion: trove/v1alpha1
kind: ConfigurationGroup
metadata: {name: oltp}
spec: {datastore: {type: mariadb}, parameters: {max_connections: 200}}
---
apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: orders-db}
spec:
  datastore: {type: mariadb}
  flavor: db.tiny
  volume: {size: 2}
  configurationRef: {name: oltp}
---
apiVersion: trove/v1alpha1
kind: Database
metadata: {name: orders}
spec: {instanceRef: {name: orders-db}}
---
apiVersion: trove/v1alpha1
kind: User
metadata: {name: app}
spec:
  instanceRef: {name: orders-db}
  password: {generate: {}}
  grants: [{privileges: [SELECT], on: "orders.*"}]
)";

std::vector<Resource> decode(const std::string& yaml) {
  std::vector<Resource> set;
  YamlStream stream = parse_yaml(yaml, "t.yaml");
  Problems problems = stream.problems;
  for (size_t i = 0; i < stream.documents.size(); ++i)
    if (auto r = decode_resource(stream.documents[i], "p", "t.yaml", static_cast<int>(i), problems)) set.push_back(*r);
  INFO(to_string(problems));
  REQUIRE(problems.empty());
  return set;
}

std::string render(const Value& plan) {
  std::ostringstream out;
  for (const Value& object : plan["objects"].items()) {
    out << object["op"].text() << " " << object["kind"].text() << "/" << object["name"].text() << "\n";
    for (const Value& change : object["changes"].items())
      out << "    " << change["path"].text() << "  " << dump_json(change["before"]) << " -> "
          << dump_json(change["after"]) << "  " << change["change"].text() << "\n";
    for (const Value& note : object["notes"].items()) out << "    note: " << note.text() << "\n";
  }
  out << "actions\n";
  for (const Value& step : plan["actions"].items()) {
    out << "  " << step["step"].int_or(0) << " " << step["action"].text() << "  " << step["object"].text() << "  "
        << step["detail"].text() << "  " << step["change"].text();
    if (!step["interrupts"].is_null()) out << "  (" << step["interrupts"].text() << ")";
    out << "\n";
  }
  for (const Value& wait : plan["waiting"].items())
    out << "waits " << wait["object"].text() << " " << wait["reason"].text() << ": " << wait["message"].text() << "\n";
  out << dump_json(plan["summary"]) << " complete=" << (plan["complete"].bool_or(false) ? "yes" : "no") << "\n";
  std::string text = out.str();
  // Uids and ids are drawn; what matters is which thing they belong to.
  std::string clean;
  for (size_t i = 0; i < text.size();) {
    size_t j = i;
    int dashes = 0;
    while (j < text.size() && (std::isxdigit(static_cast<unsigned char>(text[j])) || text[j] == '-'))
      dashes += text[j++] == '-';
    if (j - i == 36 && dashes == 4)
      clean += "<uid>", i = j;
    else
      clean += text[i++];
  }
  return clean;
}

void check_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(TROVE_SOURCE_DIR) + "/tests/golden/plans/" + name + ".txt";
  if (std::getenv("TROVE_UPDATE_GOLDEN")) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  CHECK(text == golden.str());
}

std::string edited(std::string yaml, const std::string& from, const std::string& to) {
  size_t at = yaml.find(from);
  REQUIRE(at != std::string::npos);
  return yaml.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the plan of a new set lists every action until convergence") {
  LoopWorld world;
  world.run(Millis{1'000});
  check_golden("create", render(*world.loop->plan("p", decode(kBase), {})));
}

TEST_CASE("what the plan of a new set says is what the loop then does") {
  LoopWorld world;
  world.run(Millis{1'000});
  Value plan = *world.loop->plan("p", decode(kBase), {});
  std::vector<std::string> promised, done;
  for (const Value& step : plan["actions"].items())
    if (!step["action"].text().starts_with("guest.") && !step["action"].text().starts_with("object.") &&
        !step["action"].text().starts_with("secret."))
      promised.push_back(step["action"].text());
  world.apply(kBase);
  world.run(Millis{60'000});
  auto log = world.store->range("/action/", prefix_end("/action/"), 0);
  for (const KeyValue& item : log->items) done.push_back((*parse_json(item.value))["action"].text());
  std::sort(promised.begin(), promised.end());
  std::sort(done.begin(), done.end());
  CHECK(promised == done);
}

TEST_CASE("plans of single edits") {
  LoopWorld world;
  world.apply(kBase);
  world.run(Millis{60'000});
  auto plan = [&](const std::string& name, const std::string& from, const std::string& to) {
    INFO(name);
    check_golden(name, render(*world.loop->plan("p", decode(edited(kBase, from, to)), {})));
  };
  plan("nothing", "db.tiny", "db.tiny");
  plan("grow-volume", "size: 2", "size: 5");
  plan("retype-volume", "size: 2", "size: 2, type: fast");
  plan("grow-and-retype-volume", "size: 2", "size: 5, type: fast");
  plan("retype-to-its-own", "size: 2", "size: 2, type: type-1");
  plan("flavor-manual", "flavor: db.tiny", "flavor: db.small");
  plan("flavor-immediate", "flavor: db.tiny", "flavor: db.small\n  maintenance: {disruptiveChanges: Immediate}");
  plan("live-parameter", "max_connections: 200", "max_connections: 300");
  plan("grants", "SELECT", "SELECT, INSERT");
  plan("access", "volume: {size: 2}", "volume: {size: 2}\n  access: {allowedCidrs: [\"127.0.0.1/32\"]}");
  plan("root-access", "volume: {size: 2}", "volume: {size: 2}\n  rootAccess: true");
}

TEST_CASE("plans of deletions say what is forgotten and what is destroyed") {
  LoopWorld world;
  world.apply(kBase);
  world.run(Millis{60'000});
  check_golden("delete-instance-retain", render(*world.loop->plan("p", {}, {{"p", "DatabaseInstance", "orders-db"}})));
  check_golden("delete-database-retain", render(*world.loop->plan("p", {}, {{"p", "Database", "orders"}})));
  auto database = *world.get("Database", "orders");
  database.spec.set("deletionPolicy", "Delete");
  world.put(database);
  world.run(Millis{10'000});
  check_golden("delete-database-delete", render(*world.loop->plan("p", {}, {{"p", "Database", "orders"}})));
  check_golden("delete-user", render(*world.loop->plan("p", {}, {{"p", "User", "app"}})));
}

TEST_CASE("a plan over an unreadable cloud says that it is not complete") {
  LoopWorld world;
  world.apply(kBase);
  world.run(Millis{60'000});
  world.cloud.faults.blind_observe = 1000;
  world.run(Millis{30'000});
  Value plan = *world.loop->plan("p", decode(edited(kBase, "size: 2", "size: 5")), {});
  CHECK_FALSE(plan["complete"].bool_or(true));
}
