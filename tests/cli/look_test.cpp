// get, describe, tree, why, events, history: what they print of canned objects.
#include <catch2/catch.hpp>
#include <algorithm>
#include "specs/json.hpp"
#include "tests/cli/support.hpp"

namespace trove::cli::test {

TEST_CASE("get shows a table of instances") {
  CannedServer server;
  serve(server, {kOrdersInstance, kCrmInstance});
  Ran ran = trovectl({"get", "inst"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.err.empty());
  CHECK(same_as_golden("get-inst.txt", ran.out));
  CHECK(same_as_golden("get-inst-wide.txt", trovectl({"get", "inst", "-o", "wide"}, {&server}).out));
  Ran bare = trovectl({"get", "inst", "--no-headers", "--sort-by=.metadata.name"}, {&server});
  CHECK(bare.out.substr(0, 6) == "crm-db");
  CHECK(bare.out.find("NAME") == std::string::npos);
}

TEST_CASE("get all shows every kind under its own columns") {
  CannedServer server;
  serve(server, {kOrdersInstance, kOrdersDatabase, kOrdersUser, kVolume, kNightly});
  CHECK(same_as_golden("get-all.txt", trovectl({"get", "all"}, {&server}).out));
}

TEST_CASE("get reads every page") {
  CannedServer server;
  std::string path = kBase + "/databaseinstances";
  std::string first = list({kOrdersInstance});
  first.replace(first.find(R"("continue":"")"), 13, R"("continue":"c1")");
  server.on("GET", path, 200, first);
  server.on("GET", path, 200, list({kCrmInstance}));
  Ran ran = trovectl({"get", "inst", "-o", "name"}, {&server});
  CHECK(ran.out == "databaseinstance/orders-db\ndatabaseinstance/crm-db\n");
  REQUIRE(server.requests().size() == 2);
  CHECK(server.requests()[1].find("continue=c1") != std::string::npos);
}

TEST_CASE("every output format holds the same objects") {
  CannedServer server;
  serve(server, {kOrdersInstance, kCrmInstance});
  auto json = parse_json(trovectl({"get", "inst", "-o", "json"}, {&server}).out);
  REQUIRE(json.has_value());
  CHECK((*json)["kind"].text() == "List");
  CHECK((*json)["items"].size() == 2);
  auto one = parse_json(trovectl({"get", "inst/orders-db", "-o", "json"}, {&server}).out);
  REQUIRE(one.has_value());
  CHECK((*one)["kind"].text() == "DatabaseInstance");
  CHECK(trovectl({"get", "inst", "-o", "jsonpath={.items[*].metadata.name}"}, {&server}).out == "orders-db crm-db");
  CHECK(trovectl({"get", "inst", "-o", "custom-columns=N:.metadata.name,E:.status.endpoints.primary"}, {&server}).out ==
        "N           E\norders-db   127.77.1.2:3306\ncrm-db      <none>\n");
  std::string yaml = trovectl({"get", "inst", "orders-db", "-o", "yaml"}, {&server}).out;
  CHECK(yaml.find("name: orders-db") != std::string::npos);
  Ran wrong = trovectl({"get", "inst", "-o", "ymal"}, {&server});
  CHECK(wrong.status == 2);
  CHECK(wrong.err.find("Did you mean \"yaml\"?") != std::string::npos);
}

TEST_CASE("what get prints as yaml can be applied again") {
  CannedServer server;
  serve(server, {kOrdersInstance, kOrdersDatabase, kOrdersUser});
  server.on("POST", kBase + "/apply", 200, R"({"revision":1,"results":[]})");
  std::string yaml = trovectl({"get", "inst,db,user", "-o", "yaml"}, {&server}).out;
  Given given{&server, yaml};
  CHECK(trovectl({"apply", "-f", "-"}, given).status == 0);
}

TEST_CASE("a missing object is status 3 and the others are still shown") {
  CannedServer server;
  serve(server, {kOrdersInstance});
  Ran ran = trovectl({"get", "inst", "orders-db", "nope"}, {&server});
  CHECK(ran.status == 3);
  CHECK(ran.out.find("orders-db") != std::string::npos);
  CHECK(ran.err.find("databaseinstance/nope not found in project default") != std::string::npos);
}

TEST_CASE("an empty project says so on stderr only") {
  CannedServer server;
  serve(server, {});
  Ran ran = trovectl({"get", "all"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("nothing found") != std::string::npos);
}

TEST_CASE("text of objects cannot drive the terminal") {
  CannedServer server;
  std::string evil = kVolume;
  evil.replace(evil.find("\"crm-db-0\""), 10, "\"\\u001b[31mred\\nrow\"");
  serve(server, {evil});
  Ran ran = trovectl({"get", "vol"}, {&server});
  CHECK(ran.out.find('\x1b') == std::string::npos);
  CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 2);
}

TEST_CASE("colour appears on a terminal only and NO_COLOR takes it away") {
  CannedServer server;
  serve(server, {kCrmInstance, kVolume, kWaitingDatabase});
  Given terminal{&server, "", true};
  CHECK(trovectl({"tree", "inst/crm-db"}, terminal).out.find("\033[") != std::string::npos);
  terminal.env["NO_COLOR"] = "1";
  CHECK(trovectl({"tree", "inst/crm-db"}, terminal).out.find("\033[") == std::string::npos);
  CHECK(trovectl({"tree", "inst/crm-db"}, {&server}).out.find("\033[") == std::string::npos);
}

TEST_CASE("get -w shows the list then each change until it is interrupted") {
  CannedServer server;
  serve(server, {kOrdersInstance});
  std::string changed = kOrdersInstance;
  changed.replace(changed.find("HEALTHY"), 7, "RESIZE");
  server.on_watch(kBase + "/databaseinstances", {R"({"type":"MODIFIED","revision":101,"object":)" +
                                                     dump_json(*parse_json(changed)) + "}"});
  Given given{&server};
  given.interrupt_at = "RESIZE";
  Ran ran = trovectl({"get", "inst", "-w"}, given);
  CHECK(ran.status == 130);
  CHECK(ran.out.find("HEALTHY") < ran.out.find("RESIZE"));
  CHECK(ran.out.find("RESIZE") != std::string::npos);
}

TEST_CASE("describe shows fields members conditions and events") {
  CannedServer server;
  serve(server, {kOrdersInstance});
  server.on("GET", kBase + "/databaseinstances/orders-db/events", 200,
            R"({"items":[{"time":"2026-10-01T11:59:00Z","type":"Normal","object":"databaseinstance/orders-db",
                "action":"cinder.volume.extend","by":"user:jana","message":"80 to 100"}]})");
  CHECK(same_as_golden("describe-inst.txt", trovectl({"describe", "inst", "orders-db"}, {&server}).out));
}

TEST_CASE("tree shows an instance and all that belongs to it") {
  CannedServer server;
  serve(
      server,
      {kOrdersInstance, kOrdersDatabase, kOrdersUser, kNightly, kVolume,
       R"j({"kind":"Secret","metadata":{"name":"orders-app-password","ownerReferences":[{"kind":"User","name":"orders-app","uid":"u-4"}]},"spec":{"data":{"password":"(hidden)"}}})j",
       R"({"kind":"ConfigurationGroup","metadata":{"name":"oltp"},"spec":{"datastore":{"type":"mariadb"},"parameters":{"max_connections":50}}})"});
  CHECK(same_as_golden("tree-inst.txt", trovectl({"tree", "inst/orders-db"}, {&server}).out));
}

TEST_CASE("why follows the chain from the waiting object to the cause") {
  CannedServer server;
  serve(server, {kCrmInstance, kWaitingDatabase, kVolume});
  server.on(
      "GET", kBase + "/databaseinstances/crm-db/plan", 200,
      R"({"project":"default","complete":true,"objects":[],"actions":[{"step":1,"object":"databaseinstance/crm-db",
                "action":"nova.server.create","detail":"db.small","change":"live"}],
                "waiting":[{"object":"databaseinstance/crm-db","reason":"CloudCapacity","message":"no host fits"}]})");
  Ran ran = trovectl({"why", "db/crm"}, {&server});
  CHECK(ran.status == 0);
  CHECK(same_as_golden("why-db.txt", ran.out));
}

TEST_CASE("why says so when all is well") {
  CannedServer server;
  serve(server, {kOrdersInstance});
  Ran ran = trovectl({"why", "inst/orders-db"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.out == "databaseinstance/orders-db is converged (generation 3, observed 3)\n");
}

TEST_CASE("events keep to their time window") {
  CannedServer server;
  server.on(
      "GET", kBase + "/volumes/v/events", 200,
      R"({"items":[{"time":"2026-09-01T00:00:00Z","type":"Normal","action":"old","by":"system","message":"long ago"},
                {"time":"2026-10-01T11:59:05Z","type":"Warning","action":"drift","by":"user:ops","message":"grew outside"}]})");
  Ran all = trovectl({"events", "vol/v"}, {&server});
  CHECK(same_as_golden("events.txt", all.out));
  Ran recent = trovectl({"events", "vol/v", "--since", "1h"}, {&server});
  CHECK(recent.out.find("long ago") == std::string::npos);
  CHECK(recent.out.find("grew outside") != std::string::npos);
  CHECK(trovectl({"events", "vol/v", "--since", "yesterday"}, {&server}).status == 2);
}

TEST_CASE("history names what each change changed") {
  CannedServer server;
  server.on("GET", kBase + "/volumes/v/history", 200,
            R"({"items":[{"generation":1,"time":"2026-09-01T00:00:00Z","author":"user:jana","spec":{"size":10}},
                {"generation":2,"time":"2026-09-02T00:00:00Z","author":"user:kim","spec":{"size":20}}]})");
  CHECK(same_as_golden("history.txt", trovectl({"history", "vol/v"}, {&server}).out));
}

}  // namespace trove::cli::test
