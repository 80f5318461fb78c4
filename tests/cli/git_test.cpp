// git status, git plan, git sync, git verify.
#include <catch2/catch.hpp>
#include "specs/json.hpp"
#include "tests/cli/support.hpp"

namespace trove::cli::test {
namespace {

const std::string kCommit = "9f31c2e0123456789012345678901234567890ab", kOlder = "77e0b1a0123456789012345678901234567890ab";
const std::string kSources = kBase + "/gitsources", kSource = kSources + "/shop-prod", kSync = kSource + "/sync";

std::string source(const std::string& status, const std::string& ready, const std::string& more = "") {
  return R"({"apiVersion":"trove/v1alpha1","kind":"GitSource","metadata":{"name":"shop-prod","generation":1,
    "creationTimestamp":"2026-09-27T11:00:00Z"},
    "spec":{"url":"ssh://git@git.example/shop/db.git","ref":{"branch":"main"},"path":"prod/"},
    "status":{"observedCommit":")" + kCommit + R"(","appliedCommit":")" + kCommit + R"(","author":"Kim <kim@shop.example>",
    "subject":"grow a","appliedAt":"2026-09-27T11:59:20Z","files":12,"skippedFiles":2,"objects":30,)" + more +
         R"("observedGeneration":1,"conditions":[)" + status + R"({"type":"Ready",)" + ready + "}]}}";
}
const std::string kGood = source("", R"("status":"True","reason":"Applied")", R"("lastGoodCommit":")" + kCommit + R"(",)");
const std::string kBroken = source(
    R"({"type":"Stalled","status":"True","reason":"CONFIG_INVALID","message":"x"},)",
    R"("status":"False","reason":"FilesBroken","message":"x")",
    R"("lastGoodCommit":")" + kOlder + R"(","brokenFiles":21,"broken":[{"file":"prod/a.yaml","line":4,"column":8,
       "message":"spec.sise: unknown field. Did you mean \"size\"?"},{"file":"prod/e.yaml","message":"is a symbolic link"}],
       "unconfirmed":["volume/scratch"],"lastError":{"code":"CONFIG_INVALID","message":"x"},)");

TEST_CASE("git status lists the sources, and shows one with everything that is wrong with it") {
  CannedServer server;
  server.on("GET", kSources, 200, list({kBroken}));
  server.on("GET", kSource, 200, kBroken);
  server.on("GET", kSync, 200, R"({"attempts":3,"running":false,"nextAttempt":"2026-09-27T12:01:00Z","drift":[
    {"kind":"DatabaseInstance","name":"a","path":"/flavor","desired":"db.small","actual":"db.large","by":"keystone:kim"},
    {"kind":"ConfigurationGroup","name":"g","path":"/spec/parameters/max_connections","by":"break-glass:kim",
     "until":"2026-10-10T16:00:00Z"}]})");
  const Ran all = trovectl({"git", "status"}, {&server});
  CHECK(all.status == 0);
  const Ran one = trovectl({"git", "status", "git/shop-prod"}, {&server});
  CHECK(one.status == 0);
  CHECK(same_as_golden("git-status.txt", all.out + "\n" + one.out));
  CHECK(trovectl({"git", "status", "shop-prod", "-o", "json"}, {&server}).out.find("\"brokenFiles\": 21") != std::string::npos);
}

TEST_CASE("git sync asks for a fetch, with the objects that may go") {
  CannedServer server;
  server.on("POST", kSync, 202, R"({"attempts":3,"running":false})");
  const Ran ran = trovectl({"git", "sync", "shop-prod", "--confirm", "vol/scratch", "--confirm", "9f31c2e"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.out == "gitsource/shop-prod  is asked to look now; what came of it: trovectl git status shop-prod\n");
  CHECK(parse_json(server.body_of("POST " + kSync)).value() ==
        parse_json(R"({"confirm":["volume/scratch","9f31c2e"]})").value());
}

TEST_CASE("git sync --wait waits for a look that began after it asked, and its status says what came of it") {
  CannedServer server;
  server.on("POST", kSync, 202, R"({"attempts":3,"running":true})");
  server.on("GET", kSync, 200, R"({"attempts":4,"running":true})");
  server.on("GET", kSync, 200, R"({"attempts":5,"running":false})");
  server.on("GET", kSource, 200, kGood);
  server.on("GET", kSource, 200, kBroken);
  const Ran good = trovectl({"git", "sync", "shop-prod", "--wait"}, {&server});
  CHECK(good.status == 0);
  CHECK(good.out.find("applied    9f31c2e  \"grow a\" by Kim <kim@shop.example>") != std::string::npos);
  const Ran broken = trovectl({"git", "sync", "shop-prod", "--wait"}, {&server});
  CHECK(broken.status == 8);
  CHECK(broken.out.find("prod/a.yaml:4:8  spec.sise: unknown field") != std::string::npos);
}

const std::string kWaiting = source(
    R"({"type":"Progressing","status":"True","reason":"WaitingForApproval","message":"x"},)",
    R"("status":"True","reason":"Applied")",
    R"("lastGoodCommit":")" + kCommit + R"(","plan":{"id":"pl-7f3a21c0","commit":")" + kOlder +
        R"(","create":2,"configure":1,"delete":0,"interrupts":["databaseinstance/orders: the database restarts"],
           "since":"2026-09-27T11:50:00Z","replaces":"pl-00000001 no longer holds: volume/a: is gone"},)");

TEST_CASE("git status shows the plan that waits, and git plan prints it") {
  CannedServer server;
  server.on("GET", kSource, 200, kWaiting);
  server.on("GET", kSync, 200, R"({"attempts":3,"running":false})");
  server.on("GET", kBase + "/plans/pl-7f3a21c0", 200,
            R"({"id":"pl-7f3a21c0","project":"shop","revision":"42","observedAt":"2026-09-27T11:59:00Z","complete":true,
                "createdAt":"2026-09-27T11:50:00Z","author":"git:shop-prod@77e0b1a",
                "objects":[{"op":"create","kind":"Volume","name":"v","changes":[{"path":"spec.size","before":null,"after":1}],
                "notes":[]}],"actions":[{"step":1,"object":"volume/v","action":"cinder.volume.create","detail":"1 GiB"}],
                "waiting":[],"summary":{"add":1,"change":0,"destroy":0,"forget":0}})");
  const Ran status = trovectl({"git", "status", "shop-prod"}, {&server});
  CHECK(status.status == 0);
  const Ran plan = trovectl({"git", "plan", "shop-prod"}, {&server});
  CHECK(plan.status == 0);
  CHECK(same_as_golden("git-plan.txt", status.out + "\n" + plan.out));
  CHECK(trovectl({"git", "plan", "shop-prod", "-o", "json"}, {&server}).out.find("\"id\": \"pl-7f3a21c0\"") !=
        std::string::npos);
  CHECK(trovectl({"git", "plan", "shop-prod", "-o", "markdown"}, {&server}).out.find("### trove plan `pl-7f3a21c0`") == 0);
  CHECK(trovectl({"git", "plan", "shop-prod", "--exit-code"}, {&server}).status == 1);
}

TEST_CASE("git plan says when nothing waits") {
  CannedServer server;
  server.on("GET", kSource, 200, kGood);
  const Ran ran = trovectl({"git", "plan", "shop-prod"}, {&server});
  CHECK(ran.status == 8);
  CHECK(ran.err.find("no plan of gitsource/shop-prod waits for an approval") != std::string::npos);
}

TEST_CASE("git sync --approve names the plan, and --wait hears what became of it") {
  CannedServer server;
  server.on("POST", kSync, 202, R"({"attempts":3,"running":false})");
  // The first look began before the approval, and an answer to an earlier one is none to this.
  server.on("GET", kSync, 200, R"({"attempts":4,"approval":{"plan":"pl-7f3a21c0","result":"refused","attempt":2}})");
  server.on("GET", kSync, 200, R"({"attempts":5,"approval":{"plan":"pl-7f3a21c0","result":"applied","attempt":5}})");
  server.on("GET", kSync, 200, R"({"attempts":5,"approval":{"plan":"pl-7f3a21c0","result":"refused","attempt":5,
    "message":"it no longer holds: volume/a: is gone; what waits: trovectl git sync shop-prod --approve pl-00000002"}})");
  server.on("GET", kSource, 200, kGood);
  server.on("GET", kSource, 200, kWaiting);
  const std::vector<std::string> words = {"git", "sync", "shop-prod", "--approve", "pl-7f3a21c0", "--wait"};
  const Ran good = trovectl(words, {&server});
  CHECK(good.status == 0);
  CHECK(parse_json(server.body_of("POST " + kSync)).value() ==
        parse_json(R"({"confirm":[],"approve":"pl-7f3a21c0"})").value());
  const Ran refused = trovectl(words, {&server});
  CHECK(refused.status == 6);
  CHECK(refused.err.find("plan pl-7f3a21c0 was not carried out: it no longer holds: volume/a: is gone; what waits: ") !=
        std::string::npos);
  CHECK(trovectl({"git", "sync", "shop-prod", "--approve", "pl-7f3a21c0", "--confirm", "vol/a"}, {&server}).status == 2);
}

TEST_CASE("git sync --wait does not end well while a plan waits") {
  CannedServer server;
  server.on("POST", kSync, 202, R"({"attempts":3,"running":false})");
  server.on("GET", kSync, 200, R"({"attempts":4,"running":false})");
  server.on("GET", kSource, 200, kWaiting);
  const Ran ran = trovectl({"git", "sync", "shop-prod", "--wait"}, {&server});
  CHECK(ran.status == 8);
  CHECK(ran.out.find("--approve pl-7f3a21c0") != std::string::npos);
}

TEST_CASE("git verify says who signed, and refuses to call anything else verified") {
  CannedServer server;
  std::string signed_one = kGood;
  signed_one.insert(signed_one.find("\"ref\""), R"("verify":{"keysRef":{"name":"k"}},)");
  std::string bad = signed_one;
  signed_one.insert(signed_one.find("\"files\""), R"x("verifiedBy":"kim (SHA256:abc)",)x");
  bad.insert(bad.find("\"files\""), R"("lastError":{"message":"commit 9f31c2e is not signed; it is not applied"},)");
  server.on("GET", kSource, 200, signed_one);
  server.on("GET", kSource, 200, bad);
  server.on("GET", kSource, 200, kGood);
  const Ran good = trovectl({"git", "verify", "shop-prod"}, {&server});
  CHECK(good.status == 0);
  CHECK(good.out == "9f31c2e  signed by kim (SHA256:abc)\n");
  const Ran refused = trovectl({"git", "verify", "shop-prod"}, {&server});
  CHECK(refused.status == 9);
  CHECK(refused.err.find("is not signed") != std::string::npos);
  CHECK(trovectl({"git", "verify", "shop-prod"}, {&server}).err.find("asks for no signature") != std::string::npos);
}

TEST_CASE("the git commands name what is missing") {
  CannedServer server;
  CHECK(trovectl({"git", "sync"}, {&server}).status == 2);
  CHECK(trovectl({"git", "sync", "inst/x"}, {&server}).err.find("is not a GitSource") != std::string::npos);
  CHECK(trovectl({"git", "verify", "a", "b"}, {&server}).status == 2);
}

}  // namespace
}  // namespace trove::cli::test
