// Lists, selectors, routes, deletion, plans and the figures.
#include <catch2/catch.hpp>
#include <zlib.h>
#include "reconciler/api/compression.hpp"
#include "reconciler/api/selector.hpp"
#include "specs/decode.hpp"
#include "specs/yaml.hpp"
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

std::string unpacked(const std::string& bytes) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(1u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
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

TEST_CASE("all pages of a list are of the first one's moment") {
  Fixture f;
  std::string yaml;
  for (int i = 10; i < 40; ++i) yaml += volume("v" + std::to_string(i), "n: \"" + std::to_string(i) + "\"");
  REQUIRE(f.apply(yaml).status == 200);
  auto phase = [&](const std::string& name, const std::string& what) {
    auto resource = f.stored("Volume", name);
    if (!resource) return;  // removed between two pages
    resource->status = Value::map({{"phase", what}});
    Txn txn;
    f.objects.stage_status(txn, *resource);
    REQUIRE(f.objects.commit(txn));
  };
  for (int i = 10; i < 40; i += 2) phase("v" + std::to_string(i), "Available");
  for (const char* selector : {"", "&labelSelector=n", "&fieldSelector=spec.size=1"}) {
    const Value whole = json_of(f.at("GET", std::string("/volumes?limit=1000") + selector));
    REQUIRE(whole["items"].size() >= 30);
    Value all = Value::list();
    std::string next;
    int turn = 0;
    do {
      auto page = f.at("GET", std::string("/volumes?limit=4") + selector + (next.empty() ? "" : "&continue=" + next));
      REQUIRE(page.status == 200);
      const Value body = json_of(page);
      CHECK(body["revision"].text() == whole["revision"].text());
      for (const Value& item : body["items"].items()) all.push_back(item);
      next = body["continue"].text();
      // Between two pages: one changed, one with another status, one gone, one new, all of them further on.
      ++turn;
      f.apply(volume("v38", "n: \"x" + std::to_string(turn) + "\""));
      phase("v36", "Odd" + std::to_string(turn));
      if (auto gone = f.stored("Volume", "v3" + std::to_string(turn))) {
        Txn txn;
        f.objects.stage_remove(txn, *gone);
        REQUIRE(f.objects.commit(txn));
      }
      f.apply(volume("v2" + std::to_string(turn) + "a", "n: new"));
    } while (!next.empty());
    CHECK(turn >= 7);
    CHECK(dump_json(all) == dump_json(whole["items"]));
    f.apply(yaml);
  }
}

TEST_CASE("a list over all projects finds every status whatever the projects are called") {
  Fixture f;
  for (const char* project : {"a", "a-b", "a0", "b"}) {
    Resource one;
    one.kind = "Volume";
    one.metadata.name = "v";
    one.metadata.project = project;
    one.metadata.uid = std::string("u-") + project;
    one.status = Value::map({{"phase", project}});
    Txn txn;
    f.objects.stage_put(txn, one, "");
    f.objects.stage_status(txn, one);
    txn.guards.clear();
    REQUIRE(f.objects.commit(txn));
  }
  auto page = f.objects.list("", "Volume", 0);
  REQUIRE(page);
  REQUIRE(page->items.size() == 4);
  for (const Resource& one : page->items) CHECK(one.status["phase"].text() == one.metadata.project);
}

TEST_CASE("a list whose first page is too long ago is refused and says what to do") {
  Fixture f;
  f.apply(volume("a", "") + volume("b", "") + volume("c", ""));
  const std::string next = json_of(f.at("GET", "/volumes?limit=1"))["continue"].text();
  f.apply(volume("d", ""));
  CHECK(f.at("GET", "/volumes?limit=1&continue=" + next).status == 200);
  f.apply(volume("e", ""));
  REQUIRE(f.store.compact(f.store.revision()));
  auto answer = f.at("GET", "/volumes?limit=1&continue=" + next);
  CHECK(answer.status == 410);
  CHECK(code_of(answer) == "EXPIRED");
  CHECK(json_of(answer)["hint"].text() == "list again");
}

TEST_CASE("a list puts stored texts together and parsing would give the same bytes") {
  Fixture f;
  size_t spliced = 0, all = 0;
  for (const Kind& kind : all_kinds()) {
    // The example of each kind, under names and with values that need care.
    auto documents = parse_yaml(std::string(kind.example), "example").documents;
    REQUIRE_FALSE(documents.empty());
    Problems problems;
    auto resource = decode_resource(documents[0], "shop", "", 0, problems);
    REQUIRE(resource);
    for (int n = 0; n < 6; ++n) {
      Resource one = *resource;
      one.metadata.name = "x" + std::to_string(n);
      one.metadata.generate_name = n == 1 ? "x" : "";
      one.metadata.uid = n == 2 ? "" : "uid-" + std::to_string(n);
      one.metadata.generation = n == 3 ? 0 : n;
      one.metadata.creation_timestamp = Time{1'700'000'000'000 + n};
      if (n == 4) one.metadata.annotations = Value::map({{"q\"\\", "\xc3\xa4\n\x01 }{\"status\":"}});
      if (n == 5) one.metadata.owner_references.push_back({"Volume", "v", "u"}), one.spec = Value::map();
      Txn txn;
      f.objects.stage_put(txn, one, "");
      if (n % 2 == 0) {
        one.status = n == 4 ? Value::map() : Value::map({{"phase", "}\"{"}, {"ratio", 0.25}, {"list", Value::list()}});
        f.objects.stage_status(txn, one);
        txn.guards.pop_back();
      }
      if (n == 3) {  // left by an object of the same name
        Resource other = one;
        other.metadata.uid = "somebody else";
        other.status = Value::map({{"phase", "old"}});
        f.objects.stage_status(txn, other);
        txn.guards.pop_back();
      }
      REQUIRE(f.objects.commit(txn));
    }
    auto page = f.objects.list_stored("shop", std::string(kind.name), 0);
    REQUIRE(page);
    REQUIRE(page->items.size() == 6);
    for (const StoredTexts& object : page->items) {
      const std::string slow = dump_json(to_value(*Objects::parse(object)));
      std::string fast = "[";
      ++all;
      if (!Objects::splice(object, fast)) {
        CHECK(fast == "[");
        continue;
      }
      ++spliced;
      CHECK(fast == "[" + slow);
    }
    // And what is answered is what the slow way answers; "metadata.name!=" is true of all, and needs parsing.
    const std::string plural = "/" + std::string(kind.plural);
    CHECK(f.at("GET", plural).body == f.at("GET", plural + "?fieldSelector=metadata.name!=").body);
  }
  CHECK(spliced >= all * 4 / 6);
}

TEST_CASE("field selectors choose by what objects say and name what they do not know") {
  Fixture f;
  REQUIRE(f.apply(instance("a") + instance("b", "postgresql", "deletionProtection: true") + volume("v", "app.x/y: z")).status == 200);
  auto chosen = [&](const std::string& selector, const std::string& kind = "/databaseinstances") {
    std::string out;
    auto answer = f.at("GET", kind + "?fieldSelector=" + selector);
    if (answer.status != 200) return std::to_string(answer.status);
    for (const std::string& name : names(answer)) out += name;
    return out;
  };
  CHECK(chosen("spec.datastore.type=mariadb") == "a");
  CHECK(chosen("spec.datastore.type==postgresql") == "b");
  CHECK(chosen("spec.datastore.type!=mariadb") == "b");
  CHECK(chosen("spec.volume.size=5,metadata.name=b") == "b");
  CHECK(chosen("spec.volume.size=5 , metadata.name!=b") == "a");
  CHECK(chosen("spec.deletionProtection=false") == "a");  // the default
  CHECK(chosen("status.phase=HEALTHY").empty());
  CHECK(chosen("status.phase!=HEALTHY") == "ab");
  CHECK(chosen("metadata.labels.app.x/y=z", "/volumes") == "v");
  CHECK(chosen("") == "ab");
  auto unknown = f.at("GET", "/databaseinstances?fieldSelector=spec.flavour=x");
  CHECK(unknown.status == 400);
  CHECK(json_of(unknown)["detail"].text().find("spec.flavour is not a field of DatabaseInstance") != std::string::npos);
  CHECK(json_of(unknown)["hint"].text() == "did you mean spec.flavor?");
  for (const char* bad : {"spec.flavor", "=x", "spec.flavor=x,", ",", "spec.volume=x", "spec=x", "metadata=x", "name=x"})
    CHECK(chosen(bad) == "400");
  CHECK(chosen("spec.data.password=x", "/secrets") == "400");
  CHECK(chosen("spec.data=x", "/secrets") == "400");
  CHECK(f.at("GET", "/volumes?watch=true&fieldSelector=spec.x=1").status == 400);
}

TEST_CASE("a long answer is compressed for who asks for it and the same when unpacked") {
  Fixture f;
  std::string yaml;
  for (int i = 100; i < 150; ++i) yaml += volume("v" + std::to_string(i), "");
  f.apply(yaml);
  auto ask = [&](const std::string& path, const std::string& accepts) {
    return f.at("GET", path, "", kMember, {{"accept-encoding", accepts}});
  };
  auto plain = ask("/volumes", "");
  REQUIRE(plain.body.size() > kCompressFrom);
  CHECK(header_of(plain, "Content-Encoding").empty());
  CHECK(header_of(plain, "Vary") == "Accept-Encoding");
  for (const char* yes : {"gzip", "deflate, gzip;q=0.5, br", "*", "br,gzip", "gzip, *;q=0"}) {
    INFO(yes);
    auto small = ask("/volumes", yes);
    CHECK(header_of(small, "Content-Encoding") == "gzip");
    CHECK(header_of(small, "Vary") == "Accept-Encoding");
    CHECK(small.body.size() < plain.body.size() / 5);
    CHECK(unpacked(small.body) == plain.body);
  }
  for (const char* no : {"", "identity", "br", "gzip;q=0", "gzip;q=0, *", "gzipped", ";;;,,,q=", "*;q=0"}) {
    INFO(no);
    CHECK(ask("/volumes", no).body == plain.body);
  }
  CHECK(header_of(ask("/volumes?limit=1", "gzip"), "Content-Encoding").empty());  // short
  // Not what reveals a secret, however long.
  f.apply(secret("s", "a: " + std::string(5'000, 'x')));
  auto revealed = f.at("POST", "/secrets/s/reveal", "", kMember, {{"accept-encoding", "gzip"}});
  CHECK(json_of(revealed)["data"]["a"].text().size() == 5'000);
  auto watched = ask("/volumes?watch=true", "gzip");
  CHECK(header_of(watched, "Content-Encoding").empty());
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

TEST_CASE("statuses that are read beside their specs are theirs, whatever else lies between them") {
  Fixture f;
  Txn txn;
  for (int i = 0; i < 700; ++i) {
    Resource one;
    one.kind = "Volume";
    one.metadata.project = "shop";
    one.metadata.name = "v-" + std::to_string(1'000 + i);
    one.metadata.uid = "uid-" + std::to_string(i);
    one.spec = Value::map({{"size", 1}});
    one.status = Value::map({{"phase", "number " + std::to_string(i)}});
    if (i % 7 != 0) f.objects.stage_put(txn, one, "");     // else: a status that outlived its object
    if (i % 50 != 1) f.objects.stage_status(txn, one);     // else: none yet
  }
  txn.guards.clear();
  REQUIRE(f.objects.commit(txn));
  auto all = f.objects.list_stored("shop", "Volume", 0);
  REQUIRE(all);
  REQUIRE(all->items.size() == 600);
  std::string after;
  size_t n = 0;
  do {
    auto page = f.objects.list_stored("shop", "Volume", 500, after);
    REQUIRE(page);
    for (const StoredTexts& one : page->items) {
      CHECK(one.place == all->items[n].place);
      CHECK(one.status == all->items[n].status);
      ++n;
    }
    after = page->next;
  } while (!after.empty());
  CHECK(n == 600);
}
