// What was changed outside, as REST tells it.
#include <catch2/catch.hpp>
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

void drift(Fixture& f, const std::string& project, const std::string& name, const std::string& status) {
  auto resource = f.objects.get({project, "Volume", name});
  REQUIRE(resource);
  REQUIRE(*resource);
  (*resource)->status = *parse_json(status);
  Txn txn;
  f.objects.stage_status(txn, **resource);
  REQUIRE(f.objects.commit(txn));
}

const char* kGrown = R"({"phase":"in-use","drift":[{"path":"/size","desired":50,"actual":80,"by":"keystone:kim",)"
                     R"("since":"2026-01-01T00:00:00Z","policy":"Report"}]})";

}  // namespace

TEST_CASE("drift lists what differs, of one project or of all that the token sees") {
  Fixture f;
  REQUIRE(f.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: a}\nspec: {size: 50}\n").status == 200);
  REQUIRE(f.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: b}\nspec: {size: 50}\n").status == 200);
  CHECK(json_of(f.at("GET", "/drift"))["items"].empty());
  drift(f, "shop", "a", kGrown);
  drift(f, "shop", "b", R"({"phase":"in-use"})");
  const Value items = json_of(f.at("GET", "/drift"))["items"];
  REQUIRE(items.size() == 1);
  const Value& row = items.items()[0];
  CHECK(row["project"].text() == "shop");
  CHECK(row["kind"].text() == "Volume");
  CHECK(row["name"].text() == "a");
  CHECK(row["path"].text() == "/size");
  CHECK(row["desired"].int_or(0) == 50);
  CHECK(row["actual"].int_or(0) == 80);
  CHECK(row["by"].text() == "keystone:kim");
  CHECK(row["policy"].text() == "Report");
  CHECK(row["correctsIn"].is_null());
  // Another project's token sees none of it, an administrator's all.
  const auto all = [&](const char* token) { return json_of(f.ask("GET", "/apis/trove/v1alpha1/drift", "", token))["items"]; };
  CHECK(all(kAdmin).size() == 1);
  CHECK(all(kReader).size() == 1);
  CHECK(all(kOther).empty());
  CHECK(f.at("GET", "/drift", "", kOther).status == 404);
  CHECK(f.ask("GET", "/apis/trove/v1alpha1/drift", "", "").status == 401);
  CHECK(f.at("POST", "/drift").status == 405);
}

TEST_CASE("what is put back says when, and what waits for a person says for what") {
  Fixture f;
  REQUIRE(f.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: a}\nspec: {size: 50}\n").status == 200);
  const auto row = [&](const std::string& more) {
    drift(f, "shop", "a",
          R"({"drift":[{"path":"/size","desired":50,"actual":80,"policy":"Correct")" + more + "}");
    return json_of(f.at("GET", "/drift"))["items"].items().at(0);
  };
  CHECK(row("}]")["correctsIn"].text() == "0s");
  const std::string later = format_time(f.clock.wall() + Millis{58'000});
  CHECK(row(R"(}],"lastError":{"nextRetry":")" + later + R"("})")["correctsIn"].text() == "58s");
  const Value waits = row(R"(,"waitsFor":"approval"}])");
  CHECK(waits["correctsIn"].is_null());
  CHECK(waits["waitsFor"].text() == "approval");
}
