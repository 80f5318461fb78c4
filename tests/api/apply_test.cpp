// Apply: what is written, when nothing is, and that it is all or nothing.
#include <atomic>
#include <catch2/catch.hpp>
#include <iostream>
#include <set>
#include <thread>
#include <vector>
#include "providers/http/wire.hpp"
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

std::string result(const http::Response& response, size_t index = 0) {
  return json_of(response)["results"].items().size() > index
             ? json_of(response)["results"].items()[index]["result"].text()
             : response.body;
}
Value problem(const http::Response& response, size_t index = 0) {
  Value all = json_of(response)["problems"];
  return all.size() > index ? all.items()[index] : Value();
}

}  // namespace

TEST_CASE("a new object gets its identity and its history") {
  Fixture f;
  auto answer = f.apply(instance("orders"));
  REQUIRE(answer.status == 200);
  CHECK(result(answer) == "created");
  auto stored = f.stored("DatabaseInstance", "orders");
  REQUIRE(stored);
  CHECK(stored->metadata.uid.size() == 36);
  CHECK(stored->metadata.generation == 1);
  CHECK(stored->metadata.creation_timestamp == f.clock.wall());
  CHECK(json_of(answer)["revision"].text() == std::to_string(stored->metadata.resource_version));
  CHECK(f.objects.history(stored->metadata.uid)->size() == 1);
}

TEST_CASE(
    "the same again is unchanged and writes nothing, also in another order; a default that is spelled out is only owned") {
  Fixture f;
  f.apply(instance("orders"));
  Revision before = f.store.revision();
  CHECK(result(f.apply(instance("orders"))) == "unchanged");
  const std::string head = "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\n";
  CHECK(result(f.apply(head + "spec: {volume: {size: 5}, flavor: db.small, datastore: {type: mariadb}}\n")) ==
        "unchanged");
  CHECK(f.store.revision() == before);
  const auto object = f.stored("DatabaseInstance", "orders");
  CHECK(result(f.apply(head + "spec: {volume: {size: 5}, flavor: db.small, rootAccess: false, "
                              "datastore: {type: mariadb}}\n")) == "unchanged");
  CHECK(f.stored("DatabaseInstance", "orders")->metadata.resource_version == object->metadata.resource_version);
}

TEST_CASE("a changed spec raises the generation and the event says from what to what") {
  Fixture f;
  f.apply(instance("orders"));
  auto before = f.stored("DatabaseInstance", "orders");
  f.clock.advance(Millis{1'000});
  auto answer = f.apply(
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\n"
      "spec: {datastore: {type: mariadb}, flavor: db.large, volume: {size: 10}}\n");
  CHECK(result(answer) == "configured");
  auto after = f.stored("DatabaseInstance", "orders");
  CHECK(after->metadata.generation == 2);
  CHECK(after->metadata.uid == before->metadata.uid);
  CHECK(after->metadata.creation_timestamp == before->metadata.creation_timestamp);
  std::string event = f.last_event("DatabaseInstance", "orders");
  CHECK(event.find("spec.volume.size 5 → 10") != std::string::npos);
  CHECK(event.find("spec.flavor db.small → db.large") != std::string::npos);
  CHECK(f.objects.history(after->metadata.uid)->size() == 2);
}

TEST_CASE("changed labels are written without a new generation") {
  Fixture f;
  f.apply(instance("orders"));
  auto answer = f.apply(
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders, labels: {app: shop}}\n"
      "spec: {datastore: {type: mariadb}, flavor: db.small, volume: {size: 5}}\n");
  CHECK(result(answer) == "configured");
  auto stored = f.stored("DatabaseInstance", "orders");
  CHECK(stored->metadata.generation == 1);
  CHECK(stored->metadata.labels["app"].text() == "shop");
}

TEST_CASE("what the server owns cannot be set by a document") {
  Fixture f;
  f.apply(
      "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v, uid: mine, generation: 77, deletionTimestamp: "
      "2020-01-01T00:00:00Z}\n"
      "spec: {size: 1}\nstatus: {phase: Available}\n");
  auto stored = f.stored("Volume", "v");
  REQUIRE(stored);
  CHECK(stored->metadata.uid != "mine");
  CHECK(stored->metadata.generation == 1);
  CHECK_FALSE(stored->deleting());
  CHECK(stored->status.empty());
}

TEST_CASE("one bad document keeps all others out and every problem is told with its document and path") {
  Fixture f;
  auto answer = f.at("POST", "/apply", R"({"documents":[
    {"source":"a","object":{"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":"v"},"spec":{"size":1}}},
    {"source":"b","object":{"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":"w"},"spec":{"siez":1}}},
    {"source":"c","object":{"apiVersion":"trove/v1alpha1","kind":"Volumme","metadata":{"name":"x"},"spec":{}}}]})");
  CHECK(answer.status == 422);
  CHECK(answer.content_type == "application/problem+json");
  Value body = json_of(answer);
  CHECK(body["code"].text() == "CONFIG_INVALID");
  CHECK(body["actor"].text() == "User");
  std::set<int64_t> documents;
  bool typo = false;
  for (const Value& one : body["problems"].items()) {
    documents.insert(one["document"].int_or(-1));
    typo = typo || (one["path"].text() == "spec.siez" && one["message"].text().find("size") != std::string::npos);
  }
  CHECK(documents == std::set<int64_t>{1, 2});
  CHECK(typo);
  CHECK_FALSE(f.stored("Volume", "v"));
  CHECK(f.store.commits == 0);
}

TEST_CASE("problems of a YAML body carry line and column") {
  Fixture f;
  auto answer = f.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec:\n  size: big\n");
  CHECK(answer.status == 422);
  CHECK(problem(answer)["line"].int_or(0) == 5);
  CHECK(problem(answer)["column"].int_or(0) == 9);
}

TEST_CASE("references are found in the set and in the store and a missing one is refused") {
  Fixture f;
  CHECK(f.apply(database("d", "orders") + instance("orders")).status == 200);
  CHECK(f.apply(database("e", "orders")).status == 200);
  auto answer = f.apply(database("g", "oders"));
  CHECK(answer.status == 422);
  CHECK(code_of(answer) == "REF_NOT_FOUND");
  CHECK(problem(answer)["path"].text().starts_with("spec.instanceRef"));
}

TEST_CASE("what cannot change is refused with the way out") {
  Fixture f;
  f.apply(instance("orders") + "---\napiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec: {size: 5}\n");
  auto engine = f.apply(instance("orders", "postgresql"));
  CHECK(engine.status == 422);
  CHECK(code_of(engine) == "CONFIG_IMMUTABLE");
  auto smaller = f.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec: {size: 4}\n");
  CHECK(code_of(smaller) == "CONFIG_IMMUTABLE");
  CHECK(problem(smaller)["path"].text() == "spec.size");
  CHECK_FALSE(problem(smaller)["hint"].text().empty());
  CHECK(f.stored("Volume", "v")->spec["size"].int_or(0) == 5);
}

TEST_CASE("another type of a volume is a change like its size") {
  Fixture f;
  const auto with = [](const std::string& volume) {
    std::string yaml = instance("orders");
    return yaml.replace(yaml.find("size: 5"), 7, volume);
  };
  for (const char* volume : {"size: 5", "size: 5, type: fast", "size: 5, type: slow", "size: 5"}) {
    INFO(volume);
    CHECK(f.apply(with(volume)).status == 200);
  }
  CHECK(f.stored("DatabaseInstance", "orders")->spec["volume"]["type"].is_null());
  CHECK(f.last_event("DatabaseInstance", "orders").find("spec.volume.type slow") != std::string::npos);
}

TEST_CASE("one object twice in a set is refused") {
  Fixture f;
  auto answer = f.apply(instance("orders") + instance("orders"));
  CHECK(answer.status == 422);
  CHECK(problem(answer)["document"].int_or(-1) == 1);
}

TEST_CASE("a name is generated and differs each time") {
  Fixture f;
  f.apply(instance("orders"));
  std::string restart =
      "apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {generateName: restart-}\nspec: {instanceRef: {name: "
      "orders}, restart: {}}\n";
  std::string a = json_of(f.apply(restart))["results"].items()[0]["name"].text();
  std::string b = json_of(f.apply(restart))["results"].items()[0]["name"].text();
  CHECK(a.size() == 13);
  CHECK(a.starts_with("restart-"));
  CHECK(a != b);
  CHECK(f.stored("Operation", a));
}

TEST_CASE("a dry run checks everything and writes nothing") {
  Fixture f;
  auto answer = f.apply(instance("orders"), "?dryRun=server");
  CHECK(answer.status == 200);
  CHECK(result(answer) == "created");
  CHECK_FALSE(f.stored("DatabaseInstance", "orders"));
  CHECK(f.apply(database("d", "none"), "?dryRun=server").status == 422);
  CHECK(f.apply(instance("orders"), "?dryRun=client").status == 400);
}

TEST_CASE("an object that is being deleted is not brought back by an apply") {
  Fixture f;
  f.apply(instance("orders") + database("d", "orders", "deletionPolicy: Delete"));
  CHECK(f.at("DELETE", "/databases/d").status == 202);
  auto answer = f.apply(database("d", "orders", "deletionPolicy: Delete"));
  CHECK(answer.status == 409);
  CHECK(code_of(answer) == "CONFLICT");
  CHECK(problem(answer)["hint"].text().find("trovectl wait") != std::string::npos);
  // But how it goes may still be changed: that is how a stuck deletion is ended.
  CHECK(result(f.apply(database("d", "orders", "deletionPolicy: Retain"))) == "configured");
  CHECK(f.stored("Database", "d")->deleting());
}

TEST_CASE("nothing new refers to what is being deleted") {
  Fixture f;
  f.apply(instance("orders") + database("d", "orders"));
  f.at("DELETE", "/databaseinstances/orders");
  CHECK(code_of(f.apply(database("e", "orders"))) == "CONFLICT");
  CHECK(result(f.apply(database("d", "orders"))) == "unchanged");
}

TEST_CASE("an apply is repeated when somebody else was faster") {
  Fixture f;
  f.apply(instance("orders"));
  int times = 2;
  f.store.before_commit = [&] {
    if (times-- <= 0) return;
    auto current = f.stored("DatabaseInstance", "orders");
    Txn txn;
    current->metadata.annotations.set("touched", std::to_string(times));
    f.objects.stage_put(txn, *current, "");
    (void)f.store.inner().commit(txn);
  };
  auto answer = f.apply(
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\n"
      "spec: {datastore: {type: mariadb}, flavor: db.large, volume: {size: 5}}\n");
  CHECK(answer.status == 200);
  CHECK(f.stored("DatabaseInstance", "orders")->spec["flavor"].text() == "db.large");
  times = 1'000;
  CHECK(f.apply("apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: orders}\n"
                "spec: {datastore: {type: mariadb}, flavor: db.small, volume: {size: 5}}\n")
            .status == 409);
}

TEST_CASE("what is referred to cannot vanish between the check and the write") {
  Fixture f;
  f.apply(instance("orders"));
  bool once = true;
  f.store.before_commit = [&] {
    if (!once) return;
    once = false;
    Txn txn;
    f.objects.stage_remove(txn, *f.stored("DatabaseInstance", "orders"));
    (void)f.store.inner().commit(txn);
  };
  auto answer = f.apply(database("d", "orders"));
  CHECK(code_of(answer) == "REF_NOT_FOUND");
  CHECK_FALSE(f.stored("Database", "d"));
}

TEST_CASE("a lost answer of the store is resolved and not written twice") {
  Fixture f;
  f.store.lose_answers = 1;
  CHECK(f.apply(instance("orders")).status == 200);
  CHECK(f.objects.events({"shop", "DatabaseInstance", "orders"}, 10)->size() == 1);
  f.store.lose_answers = 2;
  auto answer = f.apply(instance("more"));
  CHECK(answer.status == 503);
  CHECK(code_of(answer) == "UNAVAILABLE");
}

TEST_CASE("a store that cannot be read makes nothing look absent") {
  Fixture f;
  f.apply(instance("orders"));
  f.store.broken = true;
  auto answer = f.apply(database("d", "orders"));
  CHECK(answer.status == 503);
  CHECK(code_of(answer) == "UNAVAILABLE");
  CHECK(json_of(answer)["actor"].text() == "System");
  CHECK_FALSE(header_of(answer, "Retry-After").empty());
  CHECK(f.at("GET", "/databaseinstances/orders").status == 503);
}

TEST_CASE("bodies that are no documents are refused") {
  Fixture f;
  for (const char* body :
       {"", "[]", "3", "{", "{\"documents\":3}", "{\"documents\":[{}]}", "{}", "{\"a\":1,\"a\":2}"}) {
    auto answer = f.at("POST", "/apply", body);
    INFO(body);
    CHECK(answer.status == 400);
    CHECK(code_of(answer) == "CONFIG_INVALID");
  }
  CHECK(f.apply("a: [").status == 422);
  std::string deep(10'000, '[');
  CHECK(f.at("POST", "/apply", "{\"documents\":" + deep).status >= 400);
  std::string many = "{\"documents\":[";
  for (size_t i = 0; i <= kMaxDocuments; ++i) many += std::string(i ? "," : "") + "{\"object\":{}}";
  CHECK(f.at("POST", "/apply", many + "]}").status == 413);
}

TEST_CASE("put creates and replaces under its conditions") {
  Fixture f;
  std::string body = R"({"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":"v"},"spec":{"size":1}})";
  std::string more = R"({"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":"v"},"spec":{"size":2}})";
  CHECK(f.at("PUT", "/volumes/v", body, kMember, {{"if-match", "*"}}).status == 412);
  auto created = f.at("PUT", "/volumes/v", body, kMember, {{"if-none-match", "*"}});
  CHECK(created.status == 201);
  std::string etag = header_of(created, "ETag");
  CHECK(etag == '"' + json_of(created)["metadata"]["resourceVersion"].text() + '"');
  CHECK(f.at("PUT", "/volumes/v", more, kMember, {{"if-none-match", "*"}}).status == 412);
  CHECK(f.at("PUT", "/volumes/v", more, kMember, {{"if-match", "\"999\""}}).status == 412);
  auto replaced = f.at("PUT", "/volumes/v", more, kMember, {{"if-match", etag}});
  CHECK(replaced.status == 200);
  CHECK(header_of(replaced, "ETag") != etag);
  CHECK(header_of(f.at("GET", "/volumes/v"), "ETag") == header_of(replaced, "ETag"));
  CHECK(f.at("PUT", "/volumes/v", body, kMember, {{"if-match", etag}}).status == 412);
  CHECK(f.at("PUT", "/volumes/other", more).status == 400);
  CHECK(f.at("PUT", "/databases/v", more).status == 400);
}

TEST_CASE("five thousand documents are one transaction and few reads") {
  Fixture f;
  std::string body = R"({"documents":[)";
  body += R"({"object":{"apiVersion":"trove/v1alpha1","kind":"DatabaseInstance","metadata":{"name":"orders"},)"
          R"("spec":{"datastore":{"type":"mariadb"},"flavor":"db.small","volume":{"size":5}}}})";
  for (int i = 0; i < 4'999; ++i) {
    body += R"(,{"object":{"apiVersion":"trove/v1alpha1","kind":"Database","metadata":{"name":"d)" + std::to_string(i) +
            R"("},"spec":{"instanceRef":{"name":"orders"}}}})";
  }
  body += "]}";
  int64_t begin = http::monotonic_ms();
  auto first = f.at("POST", "/apply", body);
  int64_t took = http::monotonic_ms() - begin;
  REQUIRE(first.status == 200);
  CHECK(f.store.commits == 1);
  CHECK(f.store.reads < 40);
  begin = http::monotonic_ms();
  auto again = f.at("POST", "/apply", body);
  int64_t repeated = http::monotonic_ms() - begin;
  CHECK(result(again, 4'000) == "unchanged");
  CHECK(f.store.commits == 1);
  std::cout << "apply of 5,000 documents: " << took << " ms new, " << repeated << " ms unchanged\n";
}

TEST_CASE("many who apply at once lose nothing and only one gets what only one can have") {
  Fixture f;
  REQUIRE(f.apply(instance("orders")).status == 200);
  constexpr int kThreads = 4, kEach = 10;
  std::atomic<int> own{0}, shared{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i);
        if (f.apply(database("own-" + id, "orders")).status == 200) ++own;
        // Each round has one database that all claim under names of their own.
        const std::string claim = "name: round-" + std::to_string(i);
        if (f.apply(database("claim-" + id, "orders", claim)).status == 200) ++shared;
        f.at("GET", "/databases");
        f.ask("GET", "/metrics", "", kAdmin);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(own == kThreads * kEach);
  CHECK(shared == kEach);
}
