// What a plan says about quotas and flavors.
#include <catch2/catch.hpp>
#include "reconciler/loop/checks.hpp"
#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

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

std::string instance(const std::string& flavor, int gib, const std::string& more = "") {
  return "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {datastore: {type: mariadb}, "
         "flavor: " + flavor + ", volume: {size: " + std::to_string(gib) + "}, deletionPolicy: Delete" + more + "}\n";
}

std::string checks(const Value& plan) {
  std::string out;
  for (const Value& entry : plan["checks"].items())
    out += entry["check"].text() + " " + (entry["ok"].is_null() ? "?" : entry["ok"].bool_or(false) ? "ok" : "NO") + ": " +
           entry["message"].text() + "\n";
  return out;
}

}  // namespace

TEST_CASE("a plan says what it adds to each quota and which flavors it takes") {
  LoopWorld world;
  SimOptions& options = world.cloud.options();
  options.max_servers = 3, options.max_cores = 8, options.max_ram_mib = 2048, options.max_gigabytes = 10;
  world.run(Millis{1'000});
  CHECK(checks(*world.loop->plan("p", decode(instance("db.tiny", 2)), {})) ==
        "quota ok: instances 0 → 1 of 3\n"
        "quota ok: cores 0 → 1 of 8\n"
        "quota ok: ram 0 → 512 of 2048 MiB\n"
        "quota ok: volume gigabytes 0 → 2 of 10\n"
        "quota ok: no limit on volumes\n"
        "flavor ok: db.tiny\n");
  world.apply(instance("db.tiny", 2));
  world.run(Millis{60'000});
  CHECK(checks(*world.loop->plan("p", decode(instance("db.tiny", 2)), {})) == "flavor ok: db.tiny\n");
  CHECK(checks(*world.loop->plan("p", decode(instance("db.tiny", 20)), {})) ==
        "quota NO: volume gigabytes 2 → 20 of 10: 10 too many\nflavor ok: db.tiny\n");
  CHECK(checks(*world.loop->plan(
            "p", decode(instance("db.small", 2, ", maintenance: {disruptiveChanges: Immediate}")), {})) ==
        "quota ok: ram 512 → 1024 of 2048 MiB\nflavor ok: db.small\n");
  // What goes away makes room, and needs none.
  CHECK(checks(*world.loop->plan("p", {}, {{"p", "DatabaseInstance", "orders"}})) == "");
  CHECK(checks(*world.loop->plan_of({"p", "DatabaseInstance", "orders"})) == "flavor ok: db.tiny\n");
}

TEST_CASE("a flavor that the cloud does not have is named with the nearest one") {
  LoopWorld world;
  world.run(Millis{1'000});
  CHECK(checks(*world.loop->plan("p", decode(instance("db.smal", 2)), {})).find(
            "flavor NO: this cloud has no flavor db.smal. Did you mean db.small?\n") != std::string::npos);
  CHECK(checks(*world.loop->plan("p", decode(instance("m1.enormous", 2)), {})).find(
            "flavor NO: this cloud has no flavor m1.enormous; there are: db.nano, db.tiny, db.small\n") !=
        std::string::npos);
}

TEST_CASE("what the cloud does not tell is said to be not known") {
  const Needs needs{.instances = 1, .cores = 2, .volumes = 1};
  Inventory cloud;
  cloud.limits.cores = Quota{4, 4};
  Value plan = Value::map();
  plan.set("checks", checks_of(needs, {"db.tiny"}, cloud));
  CHECK(checks(plan) ==
        "quota NO: cores 4 → 6 of 4: 2 too many\n"
        "quota ?: not known: instances, volumes\n"
        "flavor ?: not known: db.tiny\n");
  plan.set("checks", checks_of({}, {}, cloud));
  CHECK(checks(plan).empty());
}

TEST_CASE("a replacement needs no more than there was, and several creates are added up") {
  LoopWorld world;
  SimOptions& options = world.cloud.options();
  options.max_servers = 3;
  world.apply(instance("db.tiny", 2));
  world.run(Millis{60'000});
  std::string two = instance("db.tiny", 2), third = two;
  two.replace(two.find("name: orders"), 12, "name: second");
  third.replace(third.find("name: orders"), 12, "name: third");
  CHECK(checks(*world.loop->plan("p", decode(two + "---\n" + third), {})).find("instances 1 → 3 of 3") != std::string::npos);
  const std::string broken = world.cloud.servers().begin()->first;
  world.guests_answer = false;
  world.cloud.break_server(broken, "its disk is gone");
  world.loop->cloud_changed();
  CHECK(checks(*world.loop->plan_of({"p", "DatabaseInstance", "orders"})).find("quota") == std::string::npos);
}
