// Who changed it, the spec or somebody else; and what is done about the latter.
#include <catch2/catch.hpp>

#include "specs/json.hpp"
#include "support/loop_world.hpp"

using namespace trove;

namespace {

std::string shop(const std::string& more, const std::string& flavor = "db.tiny", int gib = 2) {
  return "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: db}\nspec:\n"
         "  datastore: {type: mariadb}\n  flavor: " +
         flavor + "\n  volume: {size: " + std::to_string(gib) +
         "}\n  access: {allowedCidrs: [10.1.0.0/16]}\n  maintenance: {disruptiveChanges: Immediate}\n" + more;
}

struct Bed : LoopWorld {
  explicit Bed(const std::string& more = "") {
    apply(shop(more));
    run(Millis{60'000});
    REQUIRE(condition("DatabaseInstance", "db", "Ready") == "True");
    REQUIRE(condition("DatabaseInstance", "db", "Drifted") == "False");
  }
  std::string server() { return cloud.servers().begin()->first; }
  std::string flavor() { return cloud.servers().begin()->second.flavor; }
  std::string port() { return cloud.ports().begin()->first; }
  std::string volume() { return cloud.volumes().begin()->first; }
  void resize(const std::string& to, const std::string& user = "kim") {
    const std::string id = server();
    REQUIRE(cloud.outside(user, [&](SimModel& model) { return model.resize_server(id, to); }));
    if (cloud.find_server(id)->status == Server::Status::verify_resize) {
      REQUIRE(cloud.outside(user, [&](SimModel& model) { return model.confirm_resize(id); }));
    }
  }
  void grow(int64_t gib) {
    REQUIRE(cloud.outside("kim", [&, id = volume()](SimModel& model) { return model.extend_volume(id, gib); }));
  }
  void stop(const std::string& user = "kim") {
    REQUIRE(cloud.outside(user, [&, id = server()](SimModel& model) { return model.stop_server(id); }));
  }
  Value status() { return get("DatabaseInstance", "db")->status; }
  Value drift() { return status()["drift"]; }
  std::string condition_reason(const std::string& type) {
    const auto conditions = conditions_of(status());
    return find_condition(conditions, type)->reason;
  }
  // "Warning keystone:kim /flavor: …"
  std::vector<std::string> drift_events() {
    std::vector<std::string> out;
    const auto events = *objects->events({"p", "DatabaseInstance", "db"}, 1000);
    for (const Event& event : events)
      if (event.action == "drift") out.push_back(event.type + " " + event.by + " " + event.message);
    return out;
  }
};

}  // namespace

TEST_CASE("a flavor that was changed outside is put back, and the event says who it was") {
  Bed bed;
  bed.resize("db.small");
  bed.run(Millis{60'000});
  CHECK(bed.flavor() == "db.tiny");
  CHECK(bed.condition("DatabaseInstance", "db", "Drifted") == "False");
  CHECK(bed.condition("DatabaseInstance", "db", "Synced") == "True");
  CHECK(bed.drift().is_null());
  const auto events = bed.drift_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].substr(0, events[0].find("req-") + 4) ==
        "Warning keystone:kim /flavor: db.small instead of db.tiny, by keystone:kim; drift: Correct; nova req-");
  CHECK(events[1] == "Normal system /flavor: over");
}

TEST_CASE("a flavor that was changed outside is reported with its author and left alone under Report") {
  Bed bed("  drift: Report\n");
  bed.resize("db.small");
  bed.run(Millis{60'000});
  CHECK(bed.flavor() == "db.small");
  INFO(dump_json(bed.status()));
  CHECK(bed.condition("DatabaseInstance", "db", "Drifted") == "True");
  CHECK(bed.condition("DatabaseInstance", "db", "Ready") == "True");
  CHECK(bed.condition_reason("Synced") == "Drifted");
  REQUIRE(bed.drift().size() == 1);
  const Value entry = bed.drift().items()[0];
  CHECK(entry["path"].text() == "/flavor");
  CHECK(entry["desired"].text() == "db.tiny");
  CHECK(entry["actual"].text() == "db.small");
  CHECK(entry["by"].text() == "keystone:kim");
  CHECK(entry["requestId"].text().starts_with("req-"));
  CHECK(entry["policy"].text() == "Report");
  CHECK(bed.loop->health().drifted == 1);
  // Nothing is written or asked while nothing changes; nor by a control plane that has just started.
  const Revision revision = bed.store->revision();
  const size_t calls = bed.cloud.calls();
  bed.run(Millis{3'600'000});
  CHECK(bed.store->revision() == revision);
  CHECK(bed.cloud.calls() == calls);
  bed.boot();
  bed.run(Millis{120'000});
  CHECK(bed.cloud.calls() == calls);
  CHECK(bed.drift_events().size() == 1);
  // Put back by whoever changed it.
  bed.resize("db.tiny");
  bed.run(Millis{60'000});
  CHECK(bed.drift().is_null());
  CHECK(bed.drift_events().size() == 2);
}

TEST_CASE("a flavor that is left to others is neither corrected nor reported, and a change of the spec is carried out") {
  Bed bed("  ignoreDrift: [/flavor]\n");
  bed.resize("db.small");
  bed.run(Millis{60'000});
  CHECK(bed.flavor() == "db.small");
  CHECK(bed.condition("DatabaseInstance", "db", "Drifted") == "False");
  CHECK(bed.condition("DatabaseInstance", "db", "Synced") == "True");
  CHECK(bed.drift_events().empty());
  bed.apply(shop("  ignoreDrift: [/flavor]\n", "db.nano"));
  bed.run(Millis{60'000});
  CHECK(bed.flavor() == "db.nano");
  // Everything else is still ours.
  bed.cloud.change_port(bed.port(), {"0.0.0.0/0"});
  bed.run(Millis{60'000});
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
}

TEST_CASE("a flavor may be named by its id: it is the same one, also when the spec comes to say its name") {
  LoopWorld world;
  world.apply(shop("", "flavor-2"));
  world.run(Millis{60'000});
  const auto ready = [&] {
    return world.condition("DatabaseInstance", "db", "Ready") + world.condition("DatabaseInstance", "db", "Synced") +
           world.condition("DatabaseInstance", "db", "Drifted");
  };
  CHECK(ready() == "TrueTrueFalse");
  const std::string server = world.cloud.servers().begin()->first;
  CHECK(world.cloud.servers().at(server).flavor == "db.tiny");
  world.apply(shop("", "db.tiny"));
  world.run(Millis{60'000});
  CHECK(ready() == "TrueTrueFalse");
  const auto& deeds = world.cloud.model().server_more.at(server).deeds;
  CHECK(deeds.size() == 1);  // it was made, and that was all
  world.apply(shop("", "flavor-3"));
  world.run(Millis{60'000});
  CHECK(ready() == "TrueTrueFalse");
  CHECK(world.cloud.servers().at(server).flavor == "db.small");
  REQUIRE(world.cloud.outside("kim", [&](SimModel& model) { return model.resize_server(server, "db.nano"); }));
  world.run(Millis{60'000});
  CHECK(world.cloud.servers().at(server).flavor == "db.small");
  world.apply(shop("", "flavor-9"));
  world.run(Millis{60'000});
  CHECK(world.get("DatabaseInstance", "db")->status["lastError"]["message"].text() ==
        "flavor flavor-9 does not exist; there are: db.nano, db.tiny, db.small");
}

TEST_CASE("a spec that changes and changes back is no drift, whatever the policy") {
  Bed bed("  drift: Report\n");
  bed.apply(shop("  drift: Report\n", "db.small"));
  bed.run(Millis{60'000});
  CHECK(bed.flavor() == "db.small");
  bed.apply(shop("  drift: Report\n", "db.nano"));
  for (int turns = 0; turns < 1000 && bed.flavor() != "db.nano"; ++turns) {
    const Millis wait = bed.turn();
    bed.clock.advance(std::min(wait, Millis{10}));
  }
  bed.apply(shop("  drift: Report\n", "db.small"));
  bed.run(Millis{60'000});
  CHECK(bed.flavor() == "db.small");
  CHECK(bed.drift_events().empty());
}

namespace {

// What Nova's record says was done to the server after it was made: "kim resize, trove revertResize".
std::string deeds(Bed& bed) {
  std::string out;
  for (const ServerDeed& deed : bed.cloud.model().server_more.at(bed.server()).deeds)
    if (deed.action != "create") out += (out.empty() ? "" : ", ") + deed.user + " " + deed.action;
  return out;
}

}  // namespace

TEST_CASE("a resize that is not wanted any more is reverted while Nova waits to hear") {
  Bed bed;
  bed.cloud.options().server_resize = Millis{5'000};
  SECTION("somebody else's, under the policy Correct") {
    REQUIRE(bed.cloud.outside("kim", [&](SimModel& model) { return model.resize_server(bed.server(), "db.small"); }));
    bed.run(Millis{120'000});
    CHECK(deeds(bed) == "kim resize, trove revertResize");
    CHECK(bed.drift_events().size() == 2);
  }
  SECTION("ours, when the spec was changed back meanwhile") {
    bed.apply(shop("", "db.small"));
    bed.run(Millis{2'000});
    bed.apply(shop(""));
    bed.run(Millis{120'000});
    CHECK(deeds(bed) == "trove resize, trove revertResize");
    CHECK(bed.drift_events().empty());
  }
  CHECK(bed.flavor() == "db.tiny");
  CHECK(bed.cloud.servers().begin()->second.status == Server::Status::active);
  CHECK(bed.condition("DatabaseInstance", "db", "Synced") == "True");
  CHECK(bed.condition("DatabaseInstance", "db", "Ready") == "True");
}

TEST_CASE("somebody else's resize that Nova waits to hear of is left to stay under the policy Report") {
  Bed bed("  drift: Report\n");
  bed.cloud.options().server_resize = Millis{5'000};
  REQUIRE(bed.cloud.outside("kim", [&](SimModel& model) { return model.resize_server(bed.server(), "db.small"); }));
  bed.run(Millis{120'000});
  CHECK(deeds(bed) == "kim resize, trove confirmResize");
  CHECK(bed.flavor() == "db.small");
  CHECK(bed.condition("DatabaseInstance", "db", "Drifted") == "True");
}

TEST_CASE("access rules that were changed outside follow the policy") {
  Bed bed("  drift: Report\n");
  bed.cloud.change_port(bed.port(), {"10.1.0.0/16", "group debug"});
  bed.run(Millis{60'000});
  REQUIRE(bed.drift().size() == 1);
  CHECK(bed.drift().items()[0]["path"].text() == "/access/allowedCidrs");
  CHECK(dump_json(bed.drift().items()[0]["actual"]) == R"(["10.1.0.0/16","group debug"])");
  CHECK(bed.drift().items()[0]["by"].is_null());
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs.size() == 2);
  bed.apply(shop("  drift: Correct\n"));
  bed.run(Millis{60'000});
  CHECK(bed.drift().is_null());
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
}

TEST_CASE("a volume that was grown outside is reported, never shrunk, and accepted by the spec") {
  Bed bed;
  bed.grow(5);
  bed.run(Millis{60'000});
  REQUIRE(bed.drift().size() == 1);
  CHECK(bed.drift().items()[0]["path"].text() == "/volume/size");
  CHECK(bed.drift().items()[0]["waitsFor"].text() == "a volume never shrinks; to accept it set volume.size to 5");
  CHECK(bed.condition("DatabaseInstance", "db", "Ready") == "True");
  CHECK(bed.condition("Volume", "db-data", "Drifted") == "False");  // said once, by its instance
  bed.apply(shop("", "db.tiny", 5));
  bed.run(Millis{60'000});
  CHECK(bed.drift().is_null());
  CHECK(bed.condition("DatabaseInstance", "db", "Synced") == "True");

  Bed ignoring("  ignoreDrift: [/volume/size]\n");
  ignoring.grow(5);
  ignoring.run(Millis{60'000});
  CHECK(ignoring.drift().is_null());
  CHECK(ignoring.condition("DatabaseInstance", "db", "Synced") == "True");
  ignoring.apply(shop("  ignoreDrift: [/volume/size]\n", "db.tiny", 8));
  ignoring.run(Millis{60'000});
  CHECK(ignoring.cloud.volumes().begin()->second.size_gib == 8);
}

TEST_CASE("a server that somebody stopped stays off under Report, and one that failed is started") {
  Bed bed("  drift: Report\n");
  bed.cloud.stop_server(bed.server());  // a host that went down: nobody's request
  bed.run(Millis{60'000});
  CHECK(bed.cloud.servers().begin()->second.status == Server::Status::active);
  CHECK(bed.drift_events().empty());
  bed.stop();
  bed.run(Millis{60'000});
  CHECK(bed.cloud.servers().begin()->second.status == Server::Status::shutoff);
  CHECK(bed.condition("DatabaseInstance", "db", "Ready") == "False");
  REQUIRE(bed.drift().size() == 1);
  CHECK(bed.drift().items()[0]["by"].text() == "keystone:kim");
  bed.apply(shop("  drift: Correct\n"));
  bed.run(Millis{60'000});
  CHECK(bed.cloud.servers().begin()->second.status == Server::Status::active);
  CHECK(bed.condition("DatabaseInstance", "db", "Ready") == "True");
  CHECK(bed.drift().is_null());
}

TEST_CASE("a correction of a flavor waits for approval where disruptive changes do") {
  LoopWorld world;
  std::string yaml = shop("");
  yaml.replace(yaml.find("Immediate"), 9, "Manual");
  world.apply(yaml);
  world.run(Millis{60'000});
  const std::string id = world.cloud.servers().begin()->first;
  REQUIRE(world.cloud.outside("kim", [&](SimModel& model) { return model.resize_server(id, "db.small"); }));
  world.run(Millis{60'000});
  CHECK(world.cloud.servers().begin()->second.flavor == "db.small");
  const Value status = world.get("DatabaseInstance", "db")->status;
  CHECK(status["drift"].items().at(0)["waitsFor"].text() == "approval: trovectl restart inst/db");
  world.apply("apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {name: go}\nspec: {instanceRef: {name: db}, restart: {}}\n");
  world.run(Millis{120'000});
  CHECK(world.cloud.servers().begin()->second.flavor == "db.tiny");
  CHECK(world.get("DatabaseInstance", "db")->status["drift"].is_null());
}

TEST_CASE("the same correction three times within an hour stops until the spec changes") {
  Bed bed;
  for (int i = 0; i < 3; ++i) {
    bed.cloud.change_port(bed.port(), {"0.0.0.0/0"});
    bed.run(Millis{60'000});
    REQUIRE(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
  }
  bed.cloud.change_port(bed.port(), {"0.0.0.0/0"});
  bed.run(Millis{60'000});
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"0.0.0.0/0"});
  CHECK(bed.condition("DatabaseInstance", "db", "Stalled") == "True");
  CHECK(bed.condition_reason("Stalled") == "ReconcileFlapping");
  const auto conditions = conditions_of(bed.status());
  const std::string why = find_condition(conditions, "Stalled")->message;
  CHECK(why.find("10.1.0.0/16") != std::string::npos);
  CHECK(why.find("0.0.0.0/0") != std::string::npos);
  // An hour later too, and after a restart of the control plane.
  bed.boot();
  bed.run(Millis{2 * 3'600'000});
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"0.0.0.0/0"});
  bed.apply(shop("  suspend: true\n"));
  bed.run(Millis{10'000});
  bed.apply(shop(""));
  bed.run(Millis{60'000});
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
  CHECK(bed.condition("DatabaseInstance", "db", "Stalled") == "False");
}

TEST_CASE("a clock that is set back makes one correction of one drift, not three") {
  Bed bed("  drift: Report\n");
  bed.cloud.change_port(bed.port(), {"0.0.0.0/0"});
  bed.run(Millis{30'000});
  REQUIRE(bed.drift().size() == 1);
  bed.clock.set_wall({bed.clock.wall().ms - 10LL * 365 * 24 * 3'600'000});
  bed.cloud.faults.lost_request = 1000;
  bed.apply(shop(""));
  bed.run(Millis{30'000});
  bed.cloud.faults.lost_request = 0;
  bed.run(Millis{600'000});
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
  CHECK(bed.condition_reason("Stalled") != "ReconcileFlapping");
}

TEST_CASE("what one look shows is drift only when a later look shows it too") {
  Bed bed;
  World world = bed.loop->snapshot();
  const Object& object = *world.find({"p", "DatabaseInstance", "db"});
  const std::string uid = object.meta().uid;
  const auto see = [&](const std::string& cidr, uint64_t sequence) {
    world.edit_inventory(false, [&](Inventory& seen) {
      seen.ports.front().allowed_cidrs = {cidr};
      seen.sequence = sequence;
    });
    return plan_object(object, world);
  };
  const uint64_t first = world.inventory->sequence + 1;
  Plan plan = see("0.0.0.0/0", first);
  CHECK(plan.actions.empty());
  CHECK(plan.status["drift"].is_null());
  REQUIRE(plan.suspects.size() == 1);
  CHECK(plan.suspects[0].path == "/access/allowedCidrs");
  world.suspected[{uid, plan.suspects[0].path}] = {plan.suspects[0].actual, first};
  CHECK(see("0.0.0.0/0", first).actions.empty());  // no later look
  CHECK(see("10.9.0.0/16", first + 1).actions.empty());  // it shows something else
  plan = see("0.0.0.0/0", first + 1);
  CHECK(plan.suspects.empty());
  CHECK(plan.actions.size() == 1);
  CHECK(plan.status["drift"].size() == 1);
}

TEST_CASE("two things that were changed at once are both seen and put right") {
  Bed bed;
  bed.stop();
  bed.cloud.change_port(bed.port(), {"0.0.0.0/0"});
  bed.run(Millis{60'000});
  CHECK(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
  CHECK(bed.cloud.servers().begin()->second.status == Server::Status::active);
  CHECK(bed.drift_events().size() >= 2);
}

TEST_CASE("corrections that are far apart are no fight, and a lost server is replaced however often") {
  Bed bed;
  for (int i = 0; i < 6; ++i) {
    bed.cloud.change_port(bed.port(), {"0.0.0.0/0"});
    bed.run(Millis{25 * 60'000});
    REQUIRE(bed.cloud.ports().begin()->second.allowed_cidrs == std::vector<std::string>{"10.1.0.0/16"});
  }
  for (int i = 0; i < 6; ++i) {
    bed.cloud.lose_server(bed.server());
    bed.run(Millis{5 * 60'000});
    REQUIRE(bed.condition("DatabaseInstance", "db", "Ready") == "True");
    REQUIRE(bed.condition("DatabaseInstance", "db", "Drifted") == "False");
  }
}
