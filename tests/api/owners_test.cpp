// Several owners of one object, apply sets, break-glass, keys that make a request happen once.
#include <catch2/catch.hpp>

#include "specs/lines.hpp"
#include "specs/yaml.hpp"
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

std::string result(const http::Response& response, size_t i = 0) {
  const Value answer = json_of(response);
  return i < answer["results"].size() ? answer["results"].items()[i]["result"].text() : response.body;
}
std::string results(const http::Response& response) {
  std::string out;
  const Value answer = json_of(response);
  for (const Value& one : answer["results"].items())
    out += one["kind"].text() + "/" + one["name"].text() + " " + one["result"].text() + "\n";
  return out.empty() ? response.body : out;
}
std::string problem(const http::Response& response) {
  const Value answer = json_of(response);
  return answer["problems"].empty() ? answer["detail"].text() + " | " + answer["hint"].text()
                                    : answer["problems"].items()[0]["path"].text() + ": " +
                                          answer["problems"].items()[0]["message"].text();
}
// As trovectl sends files: JSON with the lines beside it.
http::Response apply_file(Fixture& f, const std::string& file, const std::string& yaml, const std::string& query) {
  const YamlStream stream = parse_yaml(yaml, file);
  Value documents = Value::list();
  for (const Value& document : stream.documents)
    documents.push_back(Value::map({{"source", file}, {"lines", lines_of(document)}, {"object", document}}));
  return f.at("POST", "/apply" + query, dump_json(Value::map({{"documents", documents}})));
}

}  // namespace

TEST_CASE("a field of another manager is refused with its file and line, and taken with force") {
  Fixture f;
  REQUIRE(apply_file(f, "prod/orders.yaml", instance("orders"), "?fieldManager=git:shop").status == 200);
  const std::string partial =
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {flavor: db.large}\n";
  auto refused = f.apply(partial, "?fieldManager=jana");
  CHECK(refused.status == 409);
  CHECK(code_of(refused) == "CONFLICT");
  CHECK(problem(refused) == "spec.flavor: managed by git:shop (prod/orders.yaml:5)");
  CHECK(f.stored("DatabaseInstance", "orders")->spec["flavor"].text() == "db.small");
  CHECK(result(f.apply(partial, "?fieldManager=jana&force=true")) == "configured");
  const auto stored = f.stored("DatabaseInstance", "orders");
  CHECK(stored->spec["flavor"].text() == "db.large");
  CHECK(stored->spec["volume"]["size"].int_or(0) == 5);
}

TEST_CASE("a document that names some fields only needs an object to lie over") {
  Fixture f;
  const std::string partial =
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {rootAccess: true}\n";
  auto refused = f.apply(partial, "?fieldManager=dba");
  CHECK(refused.status == 422);
  CHECK(problem(refused) == "spec.datastore: required, and missing");
  f.apply(instance("orders"));
  CHECK(result(f.apply(partial, "?fieldManager=dba")) == "configured");
  // Together they are checked like one: a size beside a reference to a volume.
  const std::string both = "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\n"
                           "spec: {volumeRef: {name: other}}\n";
  CHECK(f.apply(both, "?fieldManager=dba").status == 422);
}

TEST_CASE("owners are shown when asked for, and go with their object") {
  Fixture f;
  apply_file(f, "a.yaml", instance("orders"), "?fieldManager=git:shop&set=shop");
  CHECK(json_of(f.at("GET", "/databaseinstances/orders")).at_path("metadata.managedFields").is_null());
  const Value object = json_of(f.at("GET", "/databaseinstances/orders?managedFields=true"));
  const Value& owners = object.at_path("metadata.managedFields");
  REQUIRE(owners.size() == 1);
  CHECK(owners.items()[0]["manager"].text() == "git:shop");
  CHECK(owners.items()[0]["file"].text() == "a.yaml");
  CHECK(owners.items()[0]["fields"]["/spec/flavor"].int_or(0) == 5);
  CHECK(object.at_path("metadata.set").text() == "shop");
  const auto stored = f.stored("DatabaseInstance", "orders");
  Txn txn;
  f.objects.stage_remove(txn, *stored);
  REQUIRE(f.objects.commit(txn));
  f.apply(instance("orders"), "?fieldManager=jana");  // a new object of that name has owners of its own
  CHECK(json_of(f.at("GET", "/databaseinstances/orders?managedFields=true"))
            .at_path("metadata.managedFields")
            .items()[0]["manager"]
            .text() == "jana");
}

TEST_CASE("PUT replaces everything, whoever owned it, and owns it then") {
  Fixture f;
  f.apply(instance("orders", "mariadb", "rootAccess: true"), "?fieldManager=git:shop");
  auto object = json_of(f.at("GET", "/databaseinstances/orders"));
  object.find("spec")->erase("rootAccess");
  object.find("spec")->set("flavor", "db.large");
  REQUIRE(f.at("PUT", "/databaseinstances/orders?fieldManager=ui", dump_json(object)).status == 200);
  const auto stored = f.stored("DatabaseInstance", "orders");
  CHECK(stored->spec["rootAccess"].is_null());
  CHECK(stored->spec["flavor"].text() == "db.large");
  CHECK(f.apply(instance("orders"), "?fieldManager=git:shop").status == 409);
}

TEST_CASE("prune removes what left the set and nothing else") {
  Fixture f;
  const std::string group = "---\napiVersion: trove/v1alpha1\nkind: ConfigurationGroup\nmetadata: {name: tuning}\n"
                            "spec: {datastore: {type: mariadb}}\n";
  f.apply(instance("bystander") + database("alone", "bystander"));
  REQUIRE(f.apply(instance("orders") + database("one", "orders") + database("two", "orders") + group, "?set=shop").status ==
          200);
  // Without prune nothing goes; another set prunes nothing of this one.
  CHECK(f.apply(instance("orders"), "?set=shop").status == 200);
  CHECK(results(f.apply(instance("other"), "?set=else&prune=true")) == "DatabaseInstance/other created\n");
  auto done = f.apply(instance("orders") + database("one", "orders"), "?set=shop&prune=true");
  CHECK(results(done) ==
        "DatabaseInstance/orders unchanged\nDatabase/one unchanged\nConfigurationGroup/tuning pruned\nDatabase/two "
        "pruned\n");
  CHECK(f.stored("Database", "two")->deleting());
  CHECK_FALSE(f.stored("Database", "one")->deleting());
  CHECK_FALSE(f.stored("Database", "alone")->deleting());
  CHECK(f.last_event("Database", "two") == "prune|user:jana|left the set; what it stands for is kept");
}

TEST_CASE("an empty set never means delete all") {
  Fixture f;
  f.apply(secret("login", "a: b"), "?set=shop");
  auto refused = f.at("POST", "/apply?set=shop&prune=true", "{\"documents\":[]}");
  CHECK(refused.status == 409);
  CHECK(code_of(refused) == "POLICY_DENIED");
  CHECK_FALSE(f.stored("Secret", "login")->deleting());
}

TEST_CASE("pruning an instance, or data, has to be confirmed by name; what is protected stays") {
  Fixture f;
  f.apply(instance("orders") + instance("safe", "mariadb", "deletionProtection: true") +
              database("kept", "orders") + database("gone", "orders", "deletionPolicy: Delete") + secret("s", "a: b"),
          "?set=shop");
  auto refused = f.apply(secret("s", "a: b"), "?set=shop&prune=true");
  CHECK(refused.status == 409);
  CHECK(problem(refused) ==
        "database/gone,databaseinstance/orders left the set shop, and pruning that has to be confirmed | --confirm "
        "database/gone,databaseinstance/orders; or put it back into the files; nothing was changed");
  CHECK_FALSE(f.stored("Database", "kept")->deleting());
  auto done = f.apply(secret("s", "a: b"), "?set=shop&prune=true&confirm=db/gone,inst/orders");
  CHECK(results(done) == "Secret/s unchanged\nDatabase/gone pruned\nDatabase/kept pruned\nDatabaseInstance/orders "
                         "pruned\nDatabaseInstance/safe kept\n");
  CHECK_FALSE(f.stored("DatabaseInstance", "safe")->deleting());
}

TEST_CASE("more than maxDelete is not pruned, and none of it") {
  Fixture f;
  std::string all;
  for (int i = 0; i < 4; ++i) all += secret("s" + std::to_string(i), "a: b");
  f.apply(all, "?set=shop");
  CHECK(f.apply(secret("s0", "a: b"), "?set=shop&prune=true&maxDelete=2").status == 409);
  CHECK_FALSE(f.stored("Secret", "s1")->deleting());
  CHECK(f.apply(secret("s0", "a: b"), "?set=shop&prune=true&maxDelete=3").status == 200);
  CHECK(f.stored("Secret", "s3")->deleting());
}

TEST_CASE("an object is in one set, and moves only when told to") {
  Fixture f;
  f.apply(secret("s", "a: b"), "?set=one");
  CHECK(f.apply(secret("s", "a: b"), "?set=two").status == 409);
  CHECK(f.apply(secret("s", "a: b"), "?set=two&force=true").status == 200);
  CHECK(f.applier.members("shop", "two")->size() == 1);
  CHECK(f.applier.members("shop", "one")->empty());
  CHECK(f.apply(secret("s", "a: c")).status == 200);  // without a set: it stays in its set
  CHECK(f.applier.members("shop", "two")->size() == 1);
}

TEST_CASE("break-glass takes a field for a while; then it goes back by itself") {
  Fixture f;
  f.apply(instance("orders"), "?fieldManager=git:shop");
  const std::string hot =
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {flavor: db.large}\n";
  CHECK(f.apply(hot, "?breakGlass=9d").status == 400);
  bool told = false;
  f.applier.on_earlier_end = [&] { told = true; };
  REQUIRE(f.apply(hot, "?breakGlass=4h").status == 200);
  CHECK(told);
  CHECK(f.stored("DatabaseInstance", "orders")->spec["flavor"].text() == "db.large");
  auto held = f.apply(instance("orders"), "?fieldManager=git:shop");
  CHECK(result(held) == "unchanged");
  CHECK(json_of(held)["results"].items()[0]["warnings"].size() == 1);
  CHECK(*f.applier.end_break_glass() == f.clock.wall() + Millis{4 * 3'600'000});
  f.clock.advance(Millis{4 * 3'600'000 - 1});
  REQUIRE(f.applier.end_break_glass());
  CHECK(f.stored("DatabaseInstance", "orders")->spec["flavor"].text() == "db.large");
  f.clock.advance(Millis{1});
  CHECK_FALSE(f.applier.end_break_glass()->set());
  const auto back = f.stored("DatabaseInstance", "orders");
  CHECK(back->spec["flavor"].text() == "db.small");
  CHECK(back->metadata.generation == 3);
  CHECK(f.objects.history(back->metadata.uid)->back().author == "system:break-glass");
}

TEST_CASE("what cannot go back stays when break-glass ends, and an event says so") {
  Fixture f;
  f.apply(instance("orders"), "?fieldManager=git:shop");
  REQUIRE(f.apply("apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\nspec: {volume: {size: 9}}\n",
                  "?breakGlass=1h")
              .status == 200);
  f.clock.advance(Millis{3'600'000});
  REQUIRE(f.applier.end_break_glass());
  CHECK(f.stored("DatabaseInstance", "orders")->spec["volume"]["size"].int_or(0) == 9);
  CHECK(f.last_event("DatabaseInstance", "orders").find("cannot be undone: spec.volume.size") != std::string::npos);
}

TEST_CASE("the same idempotency key acts once and answers the same; for something else it is refused") {
  Fixture f;
  const std::map<std::string, std::string> headers{{"content-type", "application/yaml"}, {"idempotency-key", "k-1"}};
  const std::string operation = "apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {generateName: restart-}\n"
                                "spec: {instanceRef: {name: orders}, restart: {}}\n";
  f.apply(instance("orders"));
  auto first = f.at("POST", "/apply", operation, kMember, headers);
  REQUIRE(first.status == 200);
  const Revision after = f.store.revision();
  auto again = f.at("POST", "/apply", operation, kMember, headers);
  CHECK(again.status == 200);
  CHECK(again.body == first.body);
  CHECK(header_of(again, "Idempotent-Replayed") == "true");
  CHECK(f.store.revision() == after);
  CHECK(f.at("POST", "/apply", operation + "# other\n", kMember, headers).status == 422);
  CHECK(f.at("POST", "/apply", operation, kAdmin, headers).status == 200);  // another caller's key is another key
}
