// Plans that are kept and carried out, or refused because something moved.
#include <catch2/catch.hpp>

#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

http::Response plan(Fixture& f, const std::string& yaml, const std::string& query = "") {
  return f.at("POST", "/plans" + query, yaml, kMember, {{"content-type", "application/yaml"}});
}
std::string moved(const http::Response& response) {
  std::string out;
  const Value answer = json_of(response);
  for (const Value& one : answer["problems"].items()) out += one["path"].text() + ": " + one["message"].text() + "\n";
  return out;
}

}  // namespace

TEST_CASE("a plan is kept under its id and carried out by it, once what it says still holds") {
  Fixture f;
  auto made = plan(f, instance("orders"));
  REQUIRE(made.status == 201);
  const std::string id = json_of(made)["id"].text();
  CHECK(header_of(made, "Location") == "/apis/trove/v1alpha1/projects/shop/plans/" + id);
  CHECK_FALSE(f.stored("DatabaseInstance", "orders"));
  CHECK(json_of(f.at("GET", "/plans/" + id))["digest"].text() == json_of(made)["digest"].text());
  auto done = f.at("POST", "/plans/" + id + "/apply");
  REQUIRE(done.status == 200);
  CHECK(json_of(done)["plan"].text() == id);
  const auto stored = f.stored("DatabaseInstance", "orders");
  REQUIRE(stored);
  CHECK(f.objects.history(stored->metadata.uid)->back().plan == id);
  // Twice is not what it showed.
  auto again = f.at("POST", "/plans/" + id + "/apply");
  CHECK(again.status == 409);
  CHECK(moved(again) == "databaseinstance/orders: exists by now\n");
}

TEST_CASE("a plan refuses when a spec moved, and names it") {
  Fixture f;
  f.apply(instance("orders"));
  const std::string id = json_of(plan(f, instance("orders", "mariadb", "rootAccess: true")))["id"].text();
  f.apply(instance("orders") + database("other", "orders"));  // no change of what the plan is about
  f.apply("apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {suspend: true}\n",
          "?fieldManager=else");
  auto refused = f.at("POST", "/plans/" + id + "/apply");
  CHECK(refused.status == 409);
  CHECK(code_of(refused) == "CONFLICT");
  CHECK(moved(refused) == "databaseinstance/orders: was changed: generation 1 → 2\n");
  CHECK(f.stored("DatabaseInstance", "orders")->spec["rootAccess"].is_null());
}

TEST_CASE("a plan refuses when the world moved: facts and actions are compared") {
  Fixture f;
  f.apply(instance("orders"));
  f.plans.facts = Value::map({{"databaseinstance/orders server", "ACTIVE db.small"}});
  f.plans.actions = {"guest.set-global max_connections=70"};
  const std::string id = json_of(plan(f, instance("orders", "mariadb", "rootAccess: true")))["id"].text();
  f.plans.facts = Value::map({{"databaseinstance/orders server", "SHUTOFF db.small"}});
  f.plans.actions = {"guest.set-global max_connections=70", "nova.server.start"};
  auto refused = f.at("POST", "/plans/" + id + "/apply");
  CHECK(refused.status == 409);
  CHECK(moved(refused) ==
        "databaseinstance/orders server: was ACTIVE db.small, is SHUTOFF db.small\n"
        "actions: would be needed as well: nova.server.start databaseinstance/orders\n");
  f.plans.facts = Value::map({{"databaseinstance/orders server", "ACTIVE db.small"}});
  f.plans.actions = {"guest.set-global max_connections=70"};
  CHECK(f.at("POST", "/plans/" + id + "/apply").status == 200);
}

TEST_CASE("a plan of secrets keeps no value in clear, and carries it out all the same") {
  Fixture f;
  auto made = plan(f, secret("login", "a: hunter2-canary"));
  REQUIRE(made.status == 201);
  CHECK(made.body.find("hunter2-canary") == std::string::npos);
  const std::string id = json_of(made)["id"].text();
  auto pieces = f.store.range("/plan/", prefix_end("/plan/"), 0);
  REQUIRE(pieces);
  REQUIRE(pieces->items.size() == 1);
  CHECK(pieces->items[0].value.find("hunter2-canary") == std::string::npos);
  REQUIRE(f.at("POST", "/plans/" + id + "/apply").status == 200);
  CHECK(json_of(f.at("POST", "/secrets/login/reveal", "{}")).at_path("data.a").text() == "hunter2-canary");
}

TEST_CASE("a large plan is kept in pieces") {
  Fixture f;
  std::string all;
  for (int i = 0; i < 900; ++i) all += secret("s" + std::to_string(i), "a: " + std::string(300, 'x'));
  const std::string id = json_of(plan(f, all))["id"].text();
  CHECK(f.store.range("/plan/", prefix_end("/plan/"), 0)->items.size() > 2);
  auto done = f.at("POST", "/plans/" + id + "/apply");
  CHECK(done.status == 200);
  CHECK(f.stored("Secret", "s899"));
}

TEST_CASE("a plan prunes what it showed, and shows what is blocked") {
  Fixture f;
  f.apply(instance("orders") + secret("one", "a: b") + secret("two", "a: b"), "?set=shop");
  auto made = plan(f, secret("one", "a: b"), "?set=shop&prune=true");
  const Value shown = json_of(made);
  REQUIRE(made.status == 201);
  REQUIRE(shown["objects"].size() == 1);
  CHECK(shown["objects"].items()[0]["op"].text() == "blocked");
  CHECK(f.plans.asked_removed.size() == 1);
  CHECK(f.at("POST", "/plans/" + shown["id"].text() + "/apply").status == 409);  // it was not confirmed
  const std::string id =
      json_of(plan(f, secret("one", "a: b"), "?set=shop&prune=true&confirm=inst/orders"))["id"].text();
  REQUIRE(f.at("POST", "/plans/" + id + "/apply").status == 200);
  CHECK(f.stored("DatabaseInstance", "orders")->deleting());
  CHECK(f.stored("Secret", "two")->deleting());
}

TEST_CASE("a plan of a made up name keeps the name") {
  Fixture f;
  f.apply(instance("orders"));
  auto made = plan(f, "apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {generateName: restart-}\n"
                      "spec: {instanceRef: {name: orders}, restart: {}}\n");
  const std::string id = json_of(made)["id"].text();
  const std::string name = f.plans.asked[0].metadata.name;
  REQUIRE(f.at("POST", "/plans/" + id + "/apply").status == 200);
  CHECK(f.stored("Operation", name));
}

TEST_CASE("a plan of another project, of nonsense or of a reader is not there") {
  Fixture f;
  const std::string id = json_of(plan(f, instance("orders")))["id"].text();
  CHECK(f.at("GET", "/plans/" + id, "", kOther).status == 404);
  CHECK(f.at("POST", "/plans/pl-00000000/apply").status == 404);
  CHECK(f.at("GET", "/plans/..%2f..").status == 404);
  auto reader = f.at("POST", "/plans", instance("x"), kReader, {{"content-type", "application/yaml"}});
  CHECK(reader.status == 200);
  CHECK(json_of(reader)["id"].is_null());
  CHECK(f.at("POST", "/plans/" + id + "/apply", "", kReader).status == 403);
  CHECK(plan(f, instance("orders"), "?dryRun=server").status == 200);
  f.clock.advance(Millis{9 * 24 * 3'600'000LL});
  CHECK(f.at("POST", "/plans/" + id + "/apply").status == 404);  // it is over
}

TEST_CASE("rollback plans the way back to what a generation said") {
  Fixture f;
  f.apply(instance("orders"));
  f.apply(instance("orders", "mariadb", "rootAccess: true"));
  CHECK(f.at("POST", "/databaseinstances/orders/rollback?to=9").status == 404);
  auto made = f.at("POST", "/databaseinstances/orders/rollback?to=1");
  REQUIRE(made.status == 201);
  CHECK(f.stored("DatabaseInstance", "orders")->spec["rootAccess"].bool_or(false));
  REQUIRE(f.at("POST", "/plans/" + json_of(made)["id"].text() + "/apply").status == 200);
  const auto stored = f.stored("DatabaseInstance", "orders");
  CHECK(stored->spec["rootAccess"].is_null());
  CHECK(stored->metadata.generation == 3);
}

TEST_CASE("an object is shown as it was at a time") {
  Fixture f;
  f.apply(instance("orders"));
  const std::string first = format_time(f.clock.wall());
  f.clock.advance(Millis{60'000});
  f.apply(instance("orders", "mariadb", "rootAccess: true"));
  auto then = json_of(f.at("GET", "/databaseinstances/orders?at=" + first));
  CHECK(then.at_path("metadata.generation").int_or(0) == 1);
  CHECK(then.at_path("spec.rootAccess").is_null());
  CHECK(f.at("GET", "/databaseinstances/orders?at=2001-01-01T00:00:00Z").status == 404);
  CHECK(f.at("GET", "/databaseinstances/orders?at=yesterday").status == 400);
}
