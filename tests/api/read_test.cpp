// Lists, selectors, routes, deletion, plans and the figures.
#include <catch2/catch.hpp>
#include "reconciler/api/selector.hpp"
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

std::vector<std::string> names(const http::Response& response) {
  std::vector<std::string> out;
  const Value body = json_of(response);
  for (const Value& item : body["items"].items()) out.push_back(item["metadata"]["name"].text());
  return out;
}
std::string volume(const std::string& name, const std::string& labels) {
  return "---\napiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: " + name + ", labels: {" + labels +
         "}}\nspec: {size: 1}\n";
}

}  // namespace

TEST_CASE("a list comes in pages that together hold everything once") {
  Fixture f;
  std::string yaml;
  for (int i = 10; i < 35; ++i) yaml += volume("v" + std::to_string(i), i % 2 ? "odd: \"1\"" : "");
  REQUIRE(f.apply(yaml).status == 200);
  for (const std::string& selector : {std::string(), std::string("&labelSelector=odd")}) {
    std::vector<std::string> all;
    std::string next, revision;
    int pages = 0;
    do {
      auto page = f.at("GET", "/volumes?limit=4" + selector + (next.empty() ? "" : "&continue=" + next));
      REQUIRE(page.status == 200);
      Value body = json_of(page);
      CHECK(body["kind"].text() == "List");
      if (revision.empty()) revision = body["revision"].text();
      CHECK(body["revision"].text() == revision);
      for (const std::string& name : names(page)) all.push_back(name);
      next = body["continue"].text();
      // A change in the middle does not shift what follows.
      if (++pages == 1) REQUIRE(f.apply(volume("v10", "changed: \"1\"")).status == 200);
    } while (!next.empty() && pages < 20);
    std::vector<std::string> expected;
    for (int i = 10; i < 35; ++i) {
      if (selector.empty() || i % 2) expected.push_back("v" + std::to_string(i));
    }
    CHECK(all == expected);
  }
}

TEST_CASE("limits out of range are refused") {
  Fixture f;
  for (const char* limit : {"0", "-1", "1001", "many", "5x", "99999999999999999999"}) {
    CHECK(f.at("GET", std::string("/volumes?limit=") + limit).status == 400);
  }
  CHECK(f.at("GET", "/volumes?limit=1000").status == 200);
}

TEST_CASE("selectors choose by labels") {
  Value labels = Value::map({{"app", "orders"}, {"tier", "prod"}, {"empty", ""}});
  auto matches = [&](const char* text) {
    auto selector = Selector::parse(text);
    INFO(text);
    REQUIRE(selector);
    return selector->matches(labels);
  };
  for (const char* yes :
       {"", "app=orders", "app==orders", "app = orders , tier=prod", "app!=x", "missing!=x", "app in (a,orders)",
        "app notin (a, b)", "app", "!missing", "empty=", "tier in (prod),!x,app", "missing notin (a)"}) {
    CHECK(matches(yes));
  }
  for (const char* no :
       {"app=order", "app!=orders", "app in (a,b)", "app notin (orders)", "missing", "!app", "app=orders,tier=dev"}) {
    CHECK_FALSE(matches(no));
  }
  for (const char* bad :
       {"=x", "app in a", "app in (a", "app=a b", "app,", ",app", "app=a,,b", "app ~ x", "!", "app=x)"}) {
    INFO(bad);
    CHECK_FALSE(Selector::parse(bad));
  }
  CHECK_FALSE(Selector::parse(std::string(5'000, 'a')));
}

TEST_CASE("what does not exist says so and helps") {
  Fixture f;
  auto kind = f.at("GET", "/databaseinstance");
  CHECK(kind.status == 404);
  CHECK(json_of(kind)["hint"].text().find("databaseinstances") != std::string::npos);
  CHECK(json_of(f.at("GET", "/volumess"))["hint"].text().find("volumes") != std::string::npos);
  auto object = f.at("GET", "/volumes/none");
  CHECK(object.status == 404);
  CHECK(code_of(object) == "NOT_FOUND");
  CHECK(json_of(object)["detail"].text().find("volume/none") != std::string::npos);
  for (const char* path : {"/", "/apis", "/apis/trove/v1alpha1/projects", "/nothing", "/guest/v2/document"}) {
    CHECK(f.ask("GET", path, "", kAdmin).status == 404);
  }
  CHECK(f.at("GET", "/volumes/a/b/c").status == 404);
  CHECK(f.at("GET", "/volumes/a/status").status == 404);
}

TEST_CASE("a method that is not possible names those that are") {
  Fixture f;
  auto answer = f.at("POST", "/volumes/v");
  CHECK(answer.status == 405);
  CHECK(header_of(answer, "Allow") == "GET, HEAD, PUT, DELETE");
  CHECK(header_of(f.at("OPTIONS", "/volumes"), "Allow") == "GET, HEAD");
  CHECK(header_of(f.at("GET", "/apply"), "Allow") == "POST");
  CHECK(f.ask("TRACE", "/healthz").status == 405);
  CHECK(f.at("HEAD", "/volumes").status == 200);
}

TEST_CASE("deleting marks an object and the loop does the rest") {
  Fixture f;
  f.apply(instance("orders"));
  auto answer = f.at("DELETE", "/databaseinstances/orders");
  CHECK(answer.status == 202);
  CHECK_FALSE(json_of(answer)["metadata"]["deletionTimestamp"].text().empty());
  auto stored = f.stored("DatabaseInstance", "orders");
  REQUIRE(stored);
  CHECK(stored->deleting());
  CHECK(stored->metadata.generation == 2);
  CHECK(f.last_event("DatabaseInstance", "orders") == "delete|user:jana|deletion requested");
  Revision before = f.store.revision();
  CHECK(f.at("DELETE", "/databaseinstances/orders").status == 202);
  CHECK(f.store.revision() == before);
  CHECK(f.at("DELETE", "/databaseinstances/none").status == 404);
}

TEST_CASE("a protected object is not deleted and the refusal says how it would be") {
  Fixture f;
  f.apply(instance("orders", "mariadb", "deletionProtection: true"));
  auto answer = f.at("DELETE", "/databaseinstances/orders");
  CHECK(answer.status == 409);
  CHECK(code_of(answer) == "POLICY_DENIED");
  CHECK(json_of(answer)["hint"].text().find("spec.deletionProtection to false") != std::string::npos);
  CHECK_FALSE(f.stored("DatabaseInstance", "orders")->deleting());
  CHECK(f.at("DELETE", "/databaseinstances/orders", "", kMember, {{"if-match", "\"1\""}}).status == 412);
}

TEST_CASE("a plan is checked like an apply and shows a protected object as kept") {
  Fixture f;
  f.apply(instance("orders", "mariadb", "deletionProtection: true") + instance("old"));
  CHECK(f.at("POST", "/plans", database("d", "none"), kMember, {{"content-type", "application/yaml"}}).status == 422);
  auto answer = f.at("POST", "/plans",
                     R"({"documents":[{"object":{"apiVersion":"trove/v1alpha1","kind":"Volume",
    "metadata":{"name":"v"},"spec":{"size":1}}}],
    "remove":[{"kind":"DatabaseInstance","name":"orders"},{"kind":"inst","name":"old"}]})");
  REQUIRE(answer.status == 201);
  REQUIRE(f.plans.asked.size() == 1);
  CHECK(f.plans.asked[0].metadata.name == "v");
  REQUIRE(f.plans.asked_removed.size() == 1);
  CHECK(f.plans.asked_removed[0].name == "old");
  CHECK(answer.body.find("deletionProtection") != std::string::npos);
  CHECK_FALSE(f.stored("Volume", "v"));
  CHECK(json_of(f.at("GET", "/databaseinstances/orders/plan"))["object"].text() == "databaseinstance/orders");
  CHECK(f.at("GET", "/databaseinstances/none/plan").status == 404);
}

TEST_CASE("events come oldest first and only the newest of them") {
  Fixture f;
  f.apply(volume("v", ""));
  for (int i = 0; i < 5; ++i) {
    f.clock.advance(Millis{10});
    f.apply(volume("v", "n: \"" + std::to_string(i) + "\""));
  }
  Value items = json_of(f.at("GET", "/volumes/v/events?limit=3"))["items"];
  REQUIRE(items.size() == 3);
  CHECK(items.items()[0]["time"].text() < items.items()[2]["time"].text());
  CHECK(items.items()[0]["object"].text() == "volume/v");
  CHECK(f.at("GET", "/volumes/none/events").status == 404);
}

TEST_CASE("readiness follows the store and the loop and health neither") {
  Fixture f;
  CHECK(f.ask("GET", "/readyz").status == 200);
  f.loop.value.observing = false;
  f.loop.value.trouble = "nova is down";
  auto answer = f.ask("GET", "/readyz");
  CHECK(answer.status == 503);
  CHECK(answer.body.find("nova is down") != std::string::npos);
  f.loop.value.observing = true;
  f.store.broken = true;
  CHECK(f.ask("GET", "/readyz").status == 503);
  CHECK(f.ask("GET", "/healthz").status == 200);
  CHECK(json_of(f.ask("GET", "/version"))["version"].text() == "1.2.3");
}

TEST_CASE("the figures count objects and answers") {
  Fixture f;
  f.apply(instance("a") + instance("b"));
  f.at("GET", "/volumes/none");
  CHECK(f.ask("GET", "/metrics", "", kMember).status == 403);
  std::string text = f.ask("GET", "/metrics", "", kAdmin).body;
  for (const char* line : {"trove_objects{kind=\"DatabaseInstance\"} 2\n", "trove_objects{kind=\"Volume\"} 0\n",
                           "trove_requests_total{code=\"404\"} 1\n", "trove_requests_total{code=\"200\"} 1\n",
                           "trove_loop_queue 3\n", "trove_loop_actions_total 7\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK(text.find("trove_store_revision " + std::to_string(f.store.revision()) + "\n") != std::string::npos);
  f.apply(instance("c"));
  CHECK(f.ask("GET", "/metrics", "", kAdmin).body.find("trove_objects{kind=\"DatabaseInstance\"} 3\n") !=
        std::string::npos);
}

TEST_CASE("the description of the API names every kind and path") {
  Fixture f;
  auto answer = f.ask("GET", "/openapi.json");
  REQUIRE(answer.status == 200);
  Value body = json_of(answer);
  CHECK(body["openapi"].text() == "3.1.0");
  for (const Kind& kind : all_kinds()) {
    CHECK(body["components"]["schemas"][kind.name].is_map());
    CHECK(body["paths"]["/apis/trove/v1alpha1/projects/{project}/" + std::string(kind.plural) + "/{name}"]["put"]
              .is_map());
  }
  // Every reference leads somewhere.
  size_t at = 0;
  const std::string opening = "\"$ref\":\"#/";
  while ((at = answer.body.find(opening, at)) != std::string::npos) {
    at += opening.size();
    std::string path = answer.body.substr(at, answer.body.find('"', at) - at);
    const Value* node = &body;
    for (size_t from = 0; node && from <= path.size();) {
      size_t end = std::min(path.find('/', from), path.size());
      node = node->find(path.substr(from, end - from));
      from = end + 1;
    }
    INFO(path);
    CHECK(node != nullptr);
  }
}
