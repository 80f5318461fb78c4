// GitSources with approval: Manual, over the real Applier and the real book of plans: what waits, what an approval does,
// and what makes a plan worthless.
#include "gitops/bed.hpp"

using namespace trove;
using namespace trove::gitops;

namespace {

constexpr const char* kManual = "approval: Manual\nprune: {enabled: true}";

std::string instance(const std::string& name, bool root = false) {
  return "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: " + name +
         "}\nspec: {datastore: {type: mariadb}, flavor: db.small, volume: {size: 5}" + (root ? ", rootAccess: true" : "") +
         "}\n";
}

struct Approvals : Bed {
  Approvals() { real_road = true; }

  // One group, whose creation waits.
  void begin() {
    remote.write("g.yaml", group("g"));
    remote.commit();
    source(kManual);
    gitops->step();
  }
  // The group is stored, and its next version waits.
  void go_on() {
    begin();
    approve(plan());
    remote.write("g.yaml", group("g", 60));
    remote.commit();
    later();
  }
  std::string plan() { return status()["plan"]["id"].text(); }
  bool there(const std::string& kind, const std::string& name) {
    auto found = objects.get({"shop", kind, name});
    return found && *found && !(*found)->deleting();
  }
  int64_t connections(const std::string& name = "g") {
    return objects.get({"shop", "ConfigurationGroup", name}).value()->spec.at_path("parameters.max_connections").int_or(0);
  }
  // What became of it.
  std::string approve(const std::string& id, const std::string& by = "user:kim") {
    REQUIRE(gitops->sync(key, {.approve = id, .by = by}));
    gitops->step();
    const Value said = (*gitops->state(key))["approval"];
    CHECK(said["plan"].text() == id);
    CHECK(said["by"].text() == by);
    return said["result"].text() + ": " + said["message"].text();
  }
  void by_hand(const std::string& yaml) {
    ApplyOrder order;
    order.project = "shop";
    order.author = "user:eve";
    order.manager = "trovectl";
    order.force_conflicts = true;
    order.sources.push_back({parse_yaml(yaml, "").documents.at(0), ""});
    REQUIRE(applier.apply(order));
  }
  size_t kept_plans() {
    std::set<std::string> ids;
    const auto pieces = store->range("/plan/", prefix_end("/plan/"), 0);
    for (const KeyValue& piece : pieces->items) ids.insert(piece.key.substr(0, piece.key.rfind('/')));
    return ids.size();
  }
  bool told(const std::string& text) {
    for (const std::string& event : events())
      if (event.find(text) != std::string::npos) return true;
    return false;
  }
};

}  // namespace

TEST_CASE("a commit waits for an approval, and the approval applies exactly that") {
  Approvals bed;
  bed.planner.actions = {"restart"};
  bed.planner.interrupts = true;
  bed.remote.write("g.yaml", group("g"));
  bed.remote.write("v.yaml", volume("v"));
  const std::string commit = bed.remote.commit("the first");
  bed.source(kManual);
  bed.gitops->step();
  CHECK_FALSE(bed.there("ConfigurationGroup", "g"));
  const std::string id = bed.plan();
  REQUIRE(id.size() == 11);
  const Value waiting = bed.status()["plan"];
  CHECK(waiting["commit"].text() == commit);
  CHECK(waiting["create"] == Value(2));
  CHECK(waiting["configure"] == Value(0));
  CHECK(waiting["delete"] == Value(0));
  CHECK(waiting["interrupts"].items().at(0).text() == "databaseinstance/orders: the database stops");
  CHECK(waiting["since"].text() == format_time(bed.clock.wall()));
  CHECK(bed.status()["phase"].text() == "WaitingForApproval");
  CHECK(bed.status()["appliedCommit"].is_null());
  CHECK(bed.reason() == "False WaitingForApproval");
  CHECK(bed.reason("Progressing") == "True WaitingForApproval");
  CHECK(bed.message("Progressing").find("trovectl git sync prod --approve " + id) != std::string::npos);
  CHECK(bed.events().size() == 1);
  CHECK(bed.told("Normal git.plan " + id + " of " + commit.substr(0, 7) + ": 2 to create"));

  const Revision before = bed.store->revision();
  bed.later();
  CHECK(bed.store->revision() == before);
  CHECK(bed.plan() == id);

  CHECK(bed.approve(id).find("applied: applied " + commit.substr(0, 7)) == 0);
  const auto stored = bed.objects.get({"shop", "ConfigurationGroup", "g"}).value();
  REQUIRE(stored);
  const HistoryEntry entry = bed.objects.history(stored->metadata.uid)->back();
  CHECK(entry.author == "git:prod@" + commit.substr(0, 7));
  CHECK(entry.plan == id);
  CHECK(bed.there("Volume", "v"));
  CHECK(bed.status()["appliedCommit"].text() == commit);
  CHECK(bed.status()["lastGoodCommit"].text() == commit);
  CHECK(bed.status()["objects"] == Value(2));
  CHECK(bed.status()["plan"].is_null());
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.reason("Progressing") == "False Idle");
  CHECK(bed.told("plan " + id + ", approved by user:kim: applied " + commit.substr(0, 7)));

  // What is applied is not asked for again, and an approval of what was applied does nothing.
  bed.later();
  CHECK(bed.approve(id) == "refused: no plan waits; nothing waits");
  CHECK(bed.reason() == "True Applied");
}

TEST_CASE("a new commit makes a new plan, and the old one is worth nothing") {
  Approvals bed;
  bed.begin();
  const std::string first = bed.plan();
  CHECK(bed.approve(first).find("applied: ") == 0);
  bed.remote.write("g.yaml", group("g", 60));
  const std::string applied = bed.status()["appliedCommit"].text();
  bed.remote.commit();
  bed.later();
  const std::string second = bed.plan();
  CHECK(bed.status()["plan"]["configure"] == Value(1));
  CHECK(bed.status()["appliedCommit"].text() == applied);
  CHECK(bed.reason() == "True Applied");
  bed.remote.write("v.yaml", volume("v"));
  const std::string newest = bed.remote.commit();
  // The approval is what makes it look: the branch has moved on by then.
  CHECK(bed.approve(second).find("refused: it is of ") == 0);
  const std::string third = bed.plan();
  CHECK(third != second);
  CHECK(bed.status()["plan"]["create"] == Value(1));
  CHECK(bed.status()["plan"]["configure"] == Value(1));  // of the commit before, which was never applied
  CHECK(bed.approve(second) == "refused: it is not the plan that waits; what waits: trovectl git sync prod --approve " + third);
  CHECK(bed.approve("pl-00000000").find("refused: it is not the plan that waits") == 0);
  CHECK(bed.connections() == 50);
  CHECK_FALSE(bed.there("Volume", "v"));
  CHECK(bed.kept_plans() == 2);  // the one that was carried out, which the history names, and the one that waits
  CHECK(bed.approve(third).find("applied: ") == 0);
  CHECK(bed.connections() == 60);
  CHECK(bed.there("Volume", "v"));
  CHECK(bed.status()["appliedCommit"].text() == newest);
}

TEST_CASE("when an object moves, the plan that waits is made anew, and says why") {
  Approvals bed;
  bed.go_on();
  const std::string first = bed.plan();

  // Approved before anybody noticed.
  bed.by_hand(group("g", 55));
  const std::string said = bed.approve(first);
  CHECK(said.find("refused: it no longer holds: configurationgroup/g: was changed: generation 1 → 2; what waits: ") == 0);
  CHECK(bed.connections() == 55);
  const std::string second = bed.plan();
  CHECK(second != first);
  CHECK(bed.status()["plan"]["replaces"].text() ==
        first + " no longer holds: configurationgroup/g: was changed: generation 1 → 2");
  CHECK(bed.message("Progressing").find(first + " no longer holds") != std::string::npos);
  CHECK(bed.told("Warning git.approve plan " + first + ", approved by user:kim, was not carried out: "));

  // Noticed before anybody approved.
  bed.by_hand(group("g", 56));
  bed.later();
  const std::string third = bed.plan();
  CHECK(third != second);
  CHECK(bed.approve(third).find("applied: ") == 0);
  CHECK(bed.connections() == 60);
}

TEST_CASE("what the cloud says is a part of the plan that waits") {
  Approvals bed;
  bed.planner.facts = Value::map({{"databaseinstance/orders server", "ACTIVE db.small"}});
  bed.begin();
  const std::string first = bed.plan();
  bed.planner.facts = Value::map({{"databaseinstance/orders server", "SHUTOFF db.small"}});
  CHECK(bed.approve(first).find("refused: it no longer holds: databaseinstance/orders server: was ACTIVE") == 0);
  CHECK_FALSE(bed.there("ConfigurationGroup", "g"));
  // The full comparison sees it by itself.
  const std::string second = bed.plan();
  bed.planner.facts = Value::map();
  bed.later(kFullEvery + Millis{60'000});
  CHECK(bed.plan() != second);
  const std::string third = bed.plan();
  bed.later(kFullEvery + Millis{60'000});
  CHECK(bed.plan() == third);
  CHECK(bed.approve(third).find("applied: ") == 0);
}

TEST_CASE("a commit that changes no object needs no approval") {
  Approvals bed;
  bed.begin();
  bed.approve(bed.plan());
  bed.remote.write("g.yaml", "# why so many\n" + group("g"));
  bed.remote.write("README.md", "text\n");
  const std::string second = bed.remote.commit("a comment");
  bed.later();
  CHECK(bed.plan().empty());
  CHECK(bed.status()["appliedCommit"].text() == second);
  CHECK(bed.reason() == "True Applied");
}

TEST_CASE("a new process finds the plan that waits, and an approval of it holds") {
  Approvals bed;
  bed.remote.write("h.yaml", group("h"));
  bed.remote.commit();
  bed.source(kManual);
  bed.gitops->step();
  bed.approve(bed.plan());
  bed.remote.write("g.yaml", group("g"));
  bed.remote.commit();
  bed.later();
  const std::string id = bed.plan();
  const Revision before = bed.store->revision();
  bed.open();
  bed.gitops->step();
  CHECK(bed.plan() == id);
  CHECK(bed.store->revision() == before);
  bed.open();
  CHECK(bed.approve(id).find("applied: ") == 0);  // before this process ever looked
  CHECK(bed.there("ConfigurationGroup", "g"));
  CHECK(bed.status()["objects"] == Value(2));
}

TEST_CASE("a crash between carrying out and saying so ends with one application, and a status that says so") {
  Approvals bed;
  bed.remote.write("g.yaml", group("g"));
  const std::string commit = bed.remote.commit();
  bed.source(kManual);
  bed.gitops->step();
  const std::string id = bed.plan();
  REQUIRE(bed.plans.carry_out("shop", id, "git:prod@" + commit.substr(0, 7), "git:prod"));
  bed.open();
  SECTION("nobody asks again") { bed.gitops->step(); }
  SECTION("somebody asks again") { CHECK(bed.approve(id).find("refused: it no longer holds: ") == 0); }
  CHECK(bed.plan().empty());
  CHECK(bed.status()["appliedCommit"].text() == commit);
  CHECK(bed.reason() == "True Applied");
  const auto stored = bed.objects.get({"shop", "ConfigurationGroup", "g"}).value();
  CHECK(bed.objects.history(stored->metadata.uid)->size() == 1);
}

TEST_CASE("what left Git goes by a plan, and what holds data by a confirmation and a plan") {
  Approvals bed;
  bed.remote.write("g.yaml", group("g"));
  bed.remote.write("h.yaml", group("h"));
  bed.remote.write("db.yaml", instance("db"));
  bed.remote.commit();
  bed.source(kManual);
  bed.gitops->step();
  bed.approve(bed.plan());
  bed.remote.remove("g.yaml");
  bed.remote.remove("db.yaml");
  bed.remote.commit();
  bed.later();
  const std::string first = bed.plan();
  CHECK(bed.status()["plan"]["delete"] == Value(1));
  CHECK(bed.status()["unconfirmed"].items().at(0).text() == "databaseinstance/db");
  CHECK(bed.message("Progressing").find("--confirm databaseinstance/db") != std::string::npos);
  bed.later();
  CHECK(bed.plan() == first);

  REQUIRE(bed.sync({"databaseinstance/db"}));
  bed.gitops->step();
  const std::string second = bed.plan();
  CHECK(second != first);
  CHECK(bed.status()["plan"]["delete"] == Value(2));
  CHECK(bed.status()["plan"]["confirmed"].items().at(0).text() == "databaseinstance/db");
  CHECK(bed.there("DatabaseInstance", "db"));
  CHECK(bed.there("ConfigurationGroup", "g"));
  // The confirmation is remembered with the plan.
  bed.open();
  bed.gitops->step();
  CHECK(bed.plan() == second);
  CHECK(bed.approve(second).find("applied: ") == 0);
  CHECK_FALSE(bed.there("DatabaseInstance", "db"));
  CHECK_FALSE(bed.there("ConfigurationGroup", "g"));
  CHECK(bed.there("ConfigurationGroup", "h"));
}

TEST_CASE("a plan carries out no more than it showed: what is not confirmed stays") {
  Approvals bed;
  bed.remote.write("g.yaml", group("g"));
  bed.remote.write("db.yaml", instance("db"));
  bed.remote.commit();
  bed.source(kManual);
  bed.gitops->step();
  bed.approve(bed.plan());
  bed.remote.remove("db.yaml");
  bed.remote.write("g.yaml", group("g", 60));
  bed.remote.commit();
  bed.later();
  CHECK(bed.approve(bed.plan()).find("applied: ") == 0);
  CHECK(bed.connections() == 60);
  CHECK(bed.there("DatabaseInstance", "db"));
  CHECK(bed.status()["phase"].text() == "WaitingForConfirmation");
  CHECK(bed.plan().empty());
}

TEST_CASE("limits of pruning hold for a plan, and keep being said") {
  Approvals bed;
  for (const char* name : {"a", "b", "c"}) bed.remote.write(std::string(name) + ".yaml", group(name));
  bed.remote.commit();
  bed.source("approval: Manual\nprune: {enabled: true, maxDelete: 1}");
  bed.gitops->step();
  bed.approve(bed.plan());
  bed.remote.remove("a.yaml");
  bed.remote.remove("b.yaml");
  bed.remote.write("c.yaml", group("c", 60));
  bed.remote.commit();
  bed.later();
  CHECK(bed.reason() == "False PruneRefused");
  const std::string id = bed.plan();
  CHECK(bed.status()["plan"]["delete"] == Value(0));
  CHECK(bed.status()["plan"]["configure"] == Value(1));
  bed.later(Millis{700'000});
  CHECK(bed.reason() == "False PruneRefused");
  CHECK(bed.plan() == id);
  CHECK(bed.approve(id).find("applied: ") == 0);
  CHECK(bed.connections("c") == 60);
  CHECK(bed.there("ConfigurationGroup", "a"));
  CHECK(bed.reason() == "False PruneRefused");
}

TEST_CASE("a broken file is named and left out of the plan, and joins it when it is mended") {
  Approvals bed;
  bed.remote.write("g.yaml", group("g"));
  bed.remote.write("u.yaml", user("web"));  // of an instance that is not there
  bed.remote.write("x.yaml", "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: x}\nspec: {sise: 1}\n");
  bed.remote.commit();
  bed.source(kManual);
  bed.gitops->step();
  const std::string first = bed.plan();
  CHECK(bed.status()["plan"]["create"] == Value(1));
  CHECK(bed.status()["brokenFiles"] == Value(2));
  CHECK(bed.reason() == "False FilesBroken");
  CHECK(bed.message().find("the other files are in the plan that waits") != std::string::npos);
  bed.later();
  CHECK(bed.plan() == first);
  bed.remote.write("db.yaml", instance("db"));
  bed.remote.write("x.yaml", volume("x"));
  bed.remote.commit();
  bed.later();
  CHECK(bed.status()["plan"]["create"] == Value(4));
  CHECK(bed.status()["brokenFiles"].is_null());
  CHECK(bed.approve(bed.plan()).find("applied: ") == 0);
  CHECK(bed.there("User", "web"));
  CHECK(bed.there("Volume", "x"));
}

TEST_CASE("only what is signed can be approved") {
  Approvals bed;
  const std::string kim = bed.remote.make_key("kim");
  bed.secret("release-keys", "kim", read_file(kim + ".pub"));
  bed.remote.write("g.yaml", group("g"));
  bed.remote.commit("one", kim);
  bed.source("approval: Manual\nverify: {keysRef: {name: release-keys}}");
  bed.gitops->step();
  const std::string id = bed.plan();
  REQUIRE_FALSE(id.empty());
  bed.remote.write("g.yaml", group("g", 60));
  bed.remote.commit("two");
  CHECK(bed.approve(id).find("refused: commit ") == 0);
  CHECK(bed.reason() == "False NotVerified");
  CHECK_FALSE(bed.there("ConfigurationGroup", "g"));
}

TEST_CASE("a plan is worth nothing once the GitSource says something else") {
  Approvals bed;
  bed.remote.write("a/g.yaml", group("g"));
  bed.remote.write("b/h.yaml", group("h"));
  bed.remote.commit();
  bed.source("approval: Manual\npath: a");
  bed.gitops->step();
  const std::string first = bed.plan();
  bed.source("approval: Manual\npath: b");
  CHECK(bed.approve(first).find("refused: the GitSource was changed since the plan was made") == 0);
  CHECK_FALSE(bed.there("ConfigurationGroup", "g"));
  CHECK(bed.plan() != first);
  bed.source("approval: Manual\npath: b\nsuspend: true");
  CHECK(bed.approve(bed.plan()).find("refused: nothing is applied while spec.suspend is true") == 0);
  bed.source("path: b");
  bed.gitops->step();
  CHECK(bed.plan().empty());
  CHECK(bed.there("ConfigurationGroup", "h"));
  CHECK(bed.kept_plans() == 0);
  CHECK(bed.approve(first).find("refused: this GitSource asks for no approval") == 0);
}

TEST_CASE("a plan that is kept no longer is made anew") {
  Approvals bed;
  bed.begin();
  const std::string first = bed.plan();
  REQUIRE(bed.plans.drop("shop", first));  // as its lease does after a week
  CHECK(bed.approve(first).find("refused: it no longer holds: there is no plan " + first) == 0);
  const std::string second = bed.plan();
  CHECK(second != first);
  REQUIRE(bed.plans.drop("shop", second));
  bed.later();
  CHECK(bed.plan() != second);
  CHECK(bed.approve(bed.plan()).find("applied: ") == 0);
}

TEST_CASE("nobody but its GitSource carries out the plan of a GitSource") {
  Approvals bed;
  bed.begin();
  const std::string id = bed.plan();
  const auto refused = bed.plans.carry_out("shop", id, "user:kim");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().status == 409);
  CHECK(refused.error().hint == "trovectl git sync prod --approve " + id);
  CHECK_FALSE(bed.there("ConfigurationGroup", "g"));
}
