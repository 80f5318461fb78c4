// trovectl drift: the table, its exit status, and what it asks.
#include <catch2/catch.hpp>
#include "specs/json.hpp"
#include "tests/cli/support.hpp"

namespace trove::cli::test {

namespace {
const char* kDrift = R"({"items":[
  {"project":"shop-prod","kind":"DatabaseInstance","name":"orders-db","path":"/flavor","desired":"db.small",
   "actual":"db.large","by":"keystone:kim","since":"2026-09-27T10:00:00Z","policy":"Correct",
   "waitsFor":"approval: trovectl restart inst/orders-db"},
  {"project":"shop-prod","kind":"DatabaseInstance","name":"orders-db","path":"/access/allowedCidrs",
   "desired":["10.20.0.0/16"],"actual":["10.20.0.0/16","group debug"],"since":"2026-09-27T11:59:00Z",
   "policy":"Correct","correctsIn":"58s"},
  {"project":"hr","kind":"Volume","name":"hr-data","path":"/size","desired":50,"actual":80,
   "since":"2026-09-24T12:00:00Z","policy":"Report"}]})";
}  // namespace

TEST_CASE("drift shows what differs and exits 1") {
  CannedServer server;
  server.on("GET", "/apis/trove/v1alpha1/drift", 200, kDrift);
  Ran ran = trovectl({"drift", "-A"}, {&server});
  CHECK(ran.status == 1);
  CHECK(ran.err.empty());
  CHECK(same_as_golden("drift.txt", ran.out));
  Ran json = trovectl({"drift", "-A", "-o", "json"}, {&server});
  CHECK(json.status == 1);
  CHECK((*parse_json(json.out))["items"].size() == 3);
}

TEST_CASE("no drift exits 0 and leaves stdout empty") {
  CannedServer server;
  server.on("GET", kBase + "/drift", 200, R"({"items":[]})");
  Ran ran = trovectl({"drift"}, {&server});
  CHECK(ran.status == 0);
  CHECK(ran.out.empty());
  CHECK(ran.err == "nothing has drifted\n");
}

TEST_CASE("drift of one object shows only its own, and a name that nobody has is an error") {
  CannedServer server;
  serve(server, {kOrdersInstance, kVolume});
  server.on("GET", kBase + "/drift", 200, kDrift);
  Ran ran = trovectl({"drift", "inst/orders-db", "-o", "json"}, {&server});
  CHECK(ran.status == 1);
  CHECK((*parse_json(ran.out))["items"].size() == 2);
  CHECK(trovectl({"drift", "inst/nobody"}, {&server}).status == 3);
  Ran both = trovectl({"drift", "inst/orders-db", "-A"}, {&server});
  CHECK(both.status == 2);
}

}  // namespace trove::cli::test
