// apply, plan, diff, delete, wait, backup, restart: what is sent, what is printed, and the exit status.
#include <catch2/catch.hpp>
#include <algorithm>
#include "specs/json.hpp"
#include "tests/cli/support.hpp"

namespace trove::cli::test {
namespace {

const std::string kShop = R"(apiVersion: trove/v1alpha1
kind: Volume
metadata: {name: orders-data}
spec:
  size: 10
---
apiVersion: trove/v1alpha1
kind: User
metadata: {name: orders-app}
spec:
  instanceRef: {name: orders-db}
  password: {generate: {}}
)";
const std::string kApplied = R"({"revision":7,"results":[
  {"kind":"Volume","name":"orders-data","result":"configured","generation":2,"warnings":["grows while in use"]},
  {"kind":"User","name":"orders-app","result":"created","generation":1,"warnings":[]}]})";

std::string ready(const std::string& kind, const std::string& name, int generation, int observed,
                  const std::string& more = "") {
  return R"({"kind":")" + kind + R"(","metadata":{"name":")" + name + R"(","generation":)" +
         std::to_string(generation) + R"(},"status":{"observedGeneration":)" + std::to_string(observed) +
         R"(,"conditions":[{"type":"Ready","status":"True","reason":"Available","observedGeneration":)" +
         std::to_string(observed) + "}" + more + "]}}";
}
std::string modified(const std::string& object, int revision) {
  return R"({"type":"MODIFIED","revision":)" + std::to_string(revision) + R"(,"object":)" + object + "}";
}

TEST_CASE("apply sends every document and prints what became of each") {
  CannedServer server;
  TempFolder folder;
  server.on("POST", kBase + "/apply", 200, kApplied);
  std::string file = folder.write("shop.yaml", kShop);
  Ran ran = trovectl({"apply", "-f", file}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.out ==
        "volume/orders-data  configured  (generation 2)\n"
        "user/orders-app     created     (password in secret/orders-app-password)\n");
  CHECK(ran.err == "warning: volume/orders-data: grows while in use\n");
  auto body = parse_json(server.body_of("POST " + kBase + "/apply"));
  REQUIRE(body.has_value());
  CHECK((*body)["documents"].size() == 2);
  CHECK(body->at_path("documents[1].object.kind").text() == "User");
  CHECK(body->at_path("documents[0].source").text() == file);
}

TEST_CASE("apply sends nothing when any file is wrong and names every problem") {
  CannedServer server;
  TempFolder folder;
  folder.write("a.yaml", "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: a}\nspec: {sizze: 3}\n");
  folder.write("b.yaml", "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: b}\nspec: {size: many}\n");
  Ran ran = trovectl({"apply", "-f", folder.path}, {&server});
  CHECK(ran.status == 2);
  CHECK(ran.out.empty());
  CHECK(ran.err.find("a.yaml:4:8") != std::string::npos);
  CHECK(ran.err.find("Did you mean \"size\"?") != std::string::npos);
  CHECK(ran.err.find("b.yaml:4:14") != std::string::npos);
  CHECK(server.requests().empty());
}

TEST_CASE("problems that the server finds point into the file") {
  CannedServer server;
  TempFolder folder;
  server.on("POST", kBase + "/apply", 422, R"({"title":"Invalid","status":422,"code":"CONFIG_INVALID","actor":"User",
    "detail":"2 problems","problems":[
    {"document":0,"path":"spec.size","message":"10 is smaller than the current 50","hint":"volumes cannot shrink","code":"CONFIG_IMMUTABLE"},
    {"document":1,"path":"spec.instanceRef.name","message":"no DatabaseInstance of that name","hint":"","code":"REF_NOT_FOUND"},
    {"document":1,"path":"spec.grants","message":"missing","hint":"","code":"CONFIG_INVALID"}]})");
  Ran ran = trovectl({"apply", "-f", folder.write("shop.yaml", kShop)}, {&server});
  CHECK(ran.status == 2);
  std::string text = ran.err;
  for (size_t at; (at = text.find(folder.path + "/")) != std::string::npos;) text.erase(at, folder.path.size() + 1);
  CHECK(same_as_golden("apply-problems.txt", text));
}

TEST_CASE("an object defined twice in one set is refused before it is sent") {
  CannedServer server;
  Given given{&server, kShop + "---\n" + kShop};
  Ran ran = trovectl({"apply", "-f", "-"}, given);
  CHECK(ran.status == 2);
  CHECK(ran.err.find("volume/orders-data is defined twice") != std::string::npos);
  CHECK(server.requests().empty());
}

TEST_CASE("folders are read in order and sub folders only with R") {
  CannedServer server;
  TempFolder folder;
  std::string volume = "apiVersion: trove/v1alpha1\nkind: Volume\nspec: {size: 1}\nmetadata: {name: ";
  folder.write("b.yml", volume + "b}\n");
  folder.write("a.yaml", volume + "a}\n");
  folder.write("sub/c.yaml", volume + "c}\n");
  folder.write("d.json",
               R"({"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":"d"},"spec":{"size":1}})");
  folder.write("notes.txt", "not ours");
  folder.write(".hidden.yaml", "not: ours");
  server.on("POST", kBase + "/apply", 200, R"({"results":[]})");
  auto names = [&](std::vector<std::string> words) {
    CannedServer fresh;
    fresh.on("POST", kBase + "/apply", 200, R"({"results":[]})");
    CHECK(trovectl(std::move(words), {&fresh}).status == 0);
    auto body = parse_json(fresh.body_of("POST " + kBase + "/apply"));
    std::string text;
    for (const Value& document : (*body)["documents"].items()) text += document.at_path("object.metadata.name").text();
    return text;
  };
  CHECK(names({"apply", "-f", folder.path}) == "abd");
  CHECK(names({"apply", "-f", folder.path, "-R"}) == "abdc");
  CHECK(names({"apply", "-f", folder.path + "/b.yml", "-f", folder.path + "/a.yaml", "-f", folder.path + "/b.yml"}) ==
        "ba");
}

TEST_CASE("a dry run asks the server for one and says so") {
  CannedServer server;
  server.on("POST", kBase + "/apply", 200, kApplied);
  Ran ran = trovectl({"apply", "-f", "-", "--dry-run=server"}, Given{&server, kShop});
  CHECK(ran.status == 0);
  CHECK(ran.out.find("(dry run)") != std::string::npos);
  CHECK(server.requests()[0].find("dryRun=server") != std::string::npos);
  CHECK(trovectl({"apply", "-f", "-", "--dry-run=client"}, Given{&server, kShop}).status == 2);
}

TEST_CASE("apply with wait follows every object until it is ready") {
  CannedServer server;
  server.on("POST", kBase + "/apply", 200, kApplied);
  std::string creating =
      R"({"kind":"User","metadata":{"name":"orders-app","generation":1},"status":{"observedGeneration":1,
    "conditions":[{"type":"Ready","status":"False","reason":"WaitingForDependency","message":"waits for inst","observedGeneration":1}]}})";
  server.on("GET", kBase + "/volumes", 200, list({ready("Volume", "orders-data", 2, 1)}));
  server.on("GET", kBase + "/users", 200, list({creating}));
  server.on_watch(kBase + "/volumes", {modified(ready("Volume", "orders-data", 2, 2), 101)});
  server.on_watch(kBase + "/users", {modified(ready("User", "orders-app", 1, 1), 102)});
  Ran ran = trovectl({"apply", "-f", "-", "--wait", "--timeout=20s"}, Given{&server, kShop});
  CHECK(ran.status == 0);
  CHECK(ran.err.find("volume/orders-data  Pending") != std::string::npos);
  CHECK(ran.err.find("user/orders-app     WaitingForDependency  waits for inst") != std::string::npos);
  CHECK(ran.err.find("volume/orders-data  ready") != std::string::npos);
  CHECK(ran.err.find("all 2 ready") != std::string::npos);
}

TEST_CASE("a ready that belongs to an older generation does not count") {
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, list({ready("Volume", "v", 2, 1)}));
  Ran ran = trovectl({"wait", "vol/v", "--timeout=300ms"}, {&server});
  CHECK(ran.status == 7);
  CHECK(ran.err.find("volume/v is not ready after 300ms") != std::string::npos);
  CHECK(ran.err.find("trovectl why volume/v") != std::string::npos);
}

TEST_CASE("a stalled object ends the wait with its code and actor") {
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, list({R"({"kind":"Volume","metadata":{"name":"v","generation":1},"status":{
    "observedGeneration":1,"lastError":{"code":"CLOUD_QUOTA_EXCEEDED","actor":"User","message":"cores 64 of 64"},
    "conditions":[{"type":"Ready","status":"False","reason":"TerminalError","observedGeneration":1},
      {"type":"Stalled","status":"True","reason":"TerminalError","message":"quota exceeded","observedGeneration":1}]}})"}));
  Ran ran = trovectl({"wait", "vol/v", "--timeout=20s"}, {&server});
  CHECK(ran.status == 8);
  CHECK(ran.err.find("volume/v is stalled: TerminalError  quota exceeded  [CLOUD_QUOTA_EXCEEDED, actor: User]") !=
        std::string::npos);
}

TEST_CASE("waiting for a deletion ends when the object is gone") {
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, list({ready("Volume", "v", 1, 1)}));
  server.on_watch(kBase + "/volumes",
                  {R"({"type":"DELETED","revision":101,"object":)" + ready("Volume", "v", 1, 1) + "}"});
  Ran ran = trovectl({"wait", "vol/v", "--for=delete", "--timeout=20s"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.err.find("volume/v  deleted") != std::string::npos);
}

TEST_CASE("an object that is not there yet is waited for") {
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, list({}));
  server.on_watch(kBase + "/volumes", {modified(ready("Volume", "v", 1, 1), 101)});
  CHECK(trovectl({"wait", "vol/v", "--timeout=20s"}, {&server}).status == 0);
}

TEST_CASE("an interrupted wait says how to go on") {
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, list({ready("Volume", "v", 2, 1)}));
  Given given{&server};
  given.interrupt_at = "Pending";
  Ran ran = trovectl({"wait", "vol/v"}, given);
  CHECK(ran.status == 130);
  CHECK(ran.err.find("the server continues. To go on waiting: trovectl wait volume/v") != std::string::npos);
}

TEST_CASE("wait knows conditions and refuses what it does not know") {
  CannedServer server;
  server.on("GET", kBase + "/volumes", 200, list({ready("Volume", "v", 1, 1)}));
  CHECK(trovectl({"wait", "vol/v", "--for=condition=Ready=True", "--timeout=20s"}, {&server}).status == 0);
  CHECK(trovectl({"wait", "vol/v", "--for=condition=Drifted", "--timeout=200ms"}, {&server}).status == 7);
  CHECK(trovectl({"wait", "vol/v", "--for=Redy"}, {&server}).err.find("Did you mean \"Ready\"?") != std::string::npos);
  CHECK(trovectl({"wait", "vol/v", "--timeout=soon"}, {&server}).status == 2);
}

const std::string kPlan =
    R"({"project":"shop-prod","revision":88121,"observedAt":"2026-10-01T11:59:02Z","complete":true,
 "objects":[
  {"op":"update","kind":"DatabaseInstance","name":"orders-db","changes":[
    {"path":"spec.flavor","before":"db.m1.large","after":"db.m1.xlarge","change":"REBOOT"},
    {"path":"spec.volume.size","before":100,"after":200,"change":"live"},
    {"path":"spec.configurationRef.name","before":null,"after":"oltp","change":"live"}],"notes":["waits for approval: trovectl restart orders-db"]},
  {"op":"create","kind":"User","name":"reporting","changes":[{"path":"spec.grants","before":null,
    "after":[{"on":"orders.*","privileges":["SELECT"]}],"change":"live"}],"notes":["password generated into Secret reporting-password"]},
  {"op":"unchanged","kind":"Database","name":"orders","changes":[],"notes":[]},
  {"op":"forget","kind":"Database","name":"tmp_import","changes":[],"notes":["removed from the set; deletionPolicy Retain: forgotten, NOT dropped"]},
  {"op":"delete","kind":"Backup","name":"old","changes":[],"notes":[]}],
 "actions":[
  {"step":1,"object":"databaseinstance/orders-db","action":"cinder.volume.extend","detail":"100 to 200 GiB","change":"live","interrupts":false},
  {"step":2,"object":"databaseinstance/orders-db","action":"nova.server.resize","detail":"db.m1.xlarge","change":"REBOOT","interrupts":"the database stops for one resize"},
  {"step":10,"object":"user/reporting","action":"guest.document.put","detail":"","change":"live","interrupts":false}],
 "waiting":[{"object":"databaseinstance/orders-db","reason":"WaitingForApproval","message":"step 2 interrupts the database"}],
 "checks":[{"check":"quota","ok":true,"message":"cores 12 → 24 of 64"},
           {"check":"quota","ok":false,"message":"volume gigabytes 950 → 1050 of 1000: 50 too many"},
           {"check":"flavor","ok":true,"message":"db.m1.xlarge"}],
 "summary":{"add":1,"change":1,"destroy":1,"forget":1}})";

TEST_CASE("a plan shows objects fields actions and what waits") {
  CannedServer server;
  server.on("POST", kBase + "/plans", 200, kPlan);
  Ran ran = trovectl({"plan", "-f", "-"}, Given{&server, kShop});
  CHECK(ran.status == 0);
  CHECK(same_as_golden("plan.txt", ran.out));
  CHECK(trovectl({"plan", "-f", "-", "--exit-code"}, Given{&server, kShop}).status == 1);
  auto json = parse_json(trovectl({"plan", "-f", "-", "-o", "json"}, Given{&server, kShop}).out);
  REQUIRE(json.has_value());
  CHECK((*json)["actions"].size() == 3);
}

TEST_CASE("diff shows fields only and is status 1 when they differ") {
  CannedServer server;
  server.on("POST", kBase + "/plans", 200, kPlan);
  Ran ran = trovectl({"diff", "-f", "-"}, Given{&server, kShop});
  CHECK(ran.status == 1);
  CHECK(same_as_golden("diff.txt", ran.out));
}

TEST_CASE("no differences is status 0 and an incomplete plan says so") {
  CannedServer server;
  server.on("POST", kBase + "/plans", 200,
            R"({"project":"default","revision":5,"observedAt":"2026-10-01T11:59:02Z","complete":true,
    "objects":[{"op":"unchanged","kind":"Volume","name":"v"}],"actions":[],"waiting":[],"summary":{"add":0,"change":0,"destroy":0,"forget":0}})");
  CHECK(trovectl({"diff", "-f", "-"}, Given{&server, kShop}).status == 0);
  CHECK(trovectl({"diff", "-f", "-"}, Given{&server, kShop}).out.empty());
  Ran quiet = trovectl({"plan", "-f", "-", "--exit-code"}, Given{&server, kShop});
  CHECK(quiet.status == 0);
  CHECK(same_as_golden("plan-empty.txt", quiet.out));
  CannedServer partial;
  partial.on("GET", kBase + "/volumes/v/plan", 200,
             R"({"project":"default","revision":5,"observedAt":"2026-10-01T11:59:02Z",
    "complete":false,"objects":[],"actions":[{"step":1,"object":"volume/v","action":"cinder.volume.create","detail":"10 GiB","interrupts":false}],
    "checks":[{"check":"quota","ok":null,"message":"not known: volumes, volume gigabytes"}],
    "waiting":[{"object":"volume/v","reason":"ObservationFailed","message":"Cinder does not answer"}]})");
  CHECK(same_as_golden("plan-partial.txt", trovectl({"plan", "vol/v"}, {&partial}).out));
}

TEST_CASE("delete says what goes and needs a yes where nobody can be asked") {
  CannedServer server;
  serve(server, {kOrdersInstance, kVolume});
  server.on("POST", kBase + "/plans", 200, kPlan);
  server.on("DELETE", kBase + "/volumes/crm-data", 202,
            R"({"metadata":{"name":"crm-data","deletionTimestamp":"2026-10-01T12:00:00Z"}})");
  Ran ran = trovectl({"delete", "vol/crm-data"}, {&server});
  CHECK(ran.status == 2);
  CHECK(ran.err.find("stays: the volume and its data") != std::string::npos);
  CHECK(ran.err.find("add --yes") != std::string::npos);
  CHECK(server.body_of("DELETE " + kBase + "/volumes/crm-data") == "");
  for (const std::string& line : server.requests()) CHECK(line.substr(0, 6) != "DELETE");
  Ran yes = trovectl({"delete", "vol/crm-data", "--yes"}, {&server});
  CHECK(yes.status == 0);
  CHECK(yes.out == "volume/crm-data  deleting\n");
}

TEST_CASE("delete on a terminal wants the name typed") {
  CannedServer server;
  serve(server, {kVolume});
  server.on("DELETE", kBase + "/volumes/crm-data", 200, R"({"metadata":{"name":"crm-data"}})");
  CHECK(trovectl({"delete", "vol", "crm-data"}, Given{&server, "crm\n", true}).status == 2);
  Ran ran = trovectl({"delete", "vol", "crm-data"}, Given{&server, "crm-data\n", true});
  CHECK(ran.status == 0);
  CHECK(ran.out == "volume/crm-data  deleted\n");
}

TEST_CASE("a protected delete is status 9 and names the way out") {
  CannedServer server;
  serve(server, {kOrdersInstance});
  server.on(
      "DELETE", kBase + "/databaseinstances/orders-db", 403,
      R"({"title":"Refused","status":403,"code":"POLICY_DENIED","actor":"User","detail":"deletionProtection is true"})");
  Ran ran = trovectl({"delete", "inst/orders-db", "--yes"}, {&server});
  CHECK(ran.status == 9);
  CHECK(ran.err.find("refused: databaseinstance/orders-db: deletionProtection is true  [POLICY_DENIED, actor: User]") !=
        std::string::npos);
  CHECK(ran.err.find("deletionProtection: false") != std::string::npos);
}

TEST_CASE("deleting what is not there is status 3 by name and fine by file") {
  CannedServer server;
  CHECK(trovectl({"delete", "vol/v", "--yes"}, {&server}).status == 3);
  CHECK(trovectl({"delete", "-f", "-", "--yes"}, Given{&server, kShop}).status == 0);
}

TEST_CASE("backup and restart make an object with a generated name and wait for its end") {
  CannedServer server;
  server.on("POST", kBase + "/apply", 200,
            R"({"results":[{"kind":"Backup","name":"orders-db-x7k2p","result":"created","generation":1}]})");
  server.on(
      "GET", kBase + "/backups", 200,
      list({R"({"kind":"Backup","metadata":{"name":"orders-db-x7k2p","generation":1},"status":{"phase":"Running"}})"}));
  server.on_watch(
      kBase + "/backups",
      {modified(
          R"({"kind":"Backup","metadata":{"name":"orders-db-x7k2p","generation":1},"status":{"phase":"Completed"}})",
          101)});
  Ran ran = trovectl({"backup", "orders-db", "--wait", "--timeout=20s"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.out == "backup/orders-db-x7k2p  created\n");
  CHECK(ran.err.find("backup/orders-db-x7k2p  completed") != std::string::npos);
  auto body = parse_json(server.body_of("POST " + kBase + "/apply"));
  CHECK(body->at_path("documents[0].object.metadata.generateName").text() == "orders-db-");

  CannedServer other;
  other.on("POST", kBase + "/apply", 200,
           R"({"results":[{"kind":"Operation","name":"restart-1","result":"created","generation":1}]})");
  other.on("GET", kBase + "/operations", 200,
           list({R"({"kind":"Operation","metadata":{"name":"restart-1","generation":1},
    "status":{"phase":"Failed","lastError":{"code":"GUEST_UNREACHABLE","message":"no answer"}}})"}));
  Ran failed =
      trovectl({"restart", "inst/orders-db", "--reason", "new buffer pool", "--wait", "--timeout=20s"}, {&other});
  CHECK(failed.status == 8);
  CHECK(failed.err.find("no answer") != std::string::npos);
  body = parse_json(other.body_of("POST " + kBase + "/apply"));
  CHECK(body->at_path("documents[0].object.spec.restart").is_map());
  CHECK(body->at_path("documents[0].object.spec.reason").text() == "new buffer pool");
}

}  // namespace
}  // namespace trove::cli::test
