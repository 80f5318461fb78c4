// Who gets in, and what they see of others.
#include <catch2/catch.hpp>
#include "tests/api/fixture.hpp"

using namespace trove;

TEST_CASE("without a good token nothing is told") {
  Fixture f;
  f.apply(instance("orders"));
  for (const std::string& token :
       {std::string(), std::string("wrong"), std::string(kAdmin) + "x", std::string(kAdmin).substr(1)}) {
    auto answer = f.at("GET", "/databaseinstances/orders", "", token);
    CHECK(answer.status == 401);
    CHECK(code_of(answer) == "CLOUD_UNAUTHENTICATED");
    CHECK(header_of(answer, "WWW-Authenticate") == "Bearer");
    CHECK(answer.body.find("orders") == std::string::npos);
    CHECK((token.empty() || answer.body.find(token) == std::string::npos));
  }
  CHECK(f.ask("GET", "/metrics", "", "").status == 401);
  CHECK(f.ask("GET", "/openapi.json", "", "").status == 401);
  CHECK(f.ask("GET", "/healthz", "", "").status == 200);
  CHECK(f.ask("GET", "/readyz", "", "").status == 200);
  CHECK(f.ask("GET", "/version", "", "").status == 200);
}

TEST_CASE("the scheme's case does not count and nothing but bearer is accepted") {
  CHECK(bearer_of("Bearer abc") == "abc");
  CHECK(bearer_of("bEaReR  abc") == "abc");
  CHECK(bearer_of("Basic abc").empty());
  CHECK(bearer_of("Bearer").empty());
  CHECK(bearer_of("").empty());
}

TEST_CASE("another project is answered as if it did not exist") {
  Fixture f;
  REQUIRE(f.apply(instance("orders")).status == 200);
  auto there = f.at("GET", "/databaseinstances/orders", "", kOther);
  auto nowhere = f.ask("GET", "/apis/trove/v1alpha1/projects/nowhere/databaseinstances/orders", "", kOther);
  CHECK(there.status == 404);
  CHECK(nowhere.status == 404);
  CHECK(code_of(there) == code_of(nowhere));
  for (const char* method : {"GET", "PUT", "DELETE"})
    CHECK(f.at(method, "/databaseinstances/orders", "{}", kOther).status == 404);
  CHECK(f.at("GET", "/databaseinstances", "", kOther).status == 404);
  CHECK(f.at("GET", "/databaseinstances?watch=true", "", kOther).status == 404);
  CHECK(f.at("POST", "/apply", "{\"documents\":[]}", kOther).status == 404);
  CHECK(f.at("POST", "/plans", "{\"documents\":[]}", kOther).status == 404);
  CHECK(f.at("POST", "/secrets/x/reveal", "", kOther).status == 404);
  CHECK(f.stored("DatabaseInstance", "orders"));
  CHECK_FALSE(f.stored("DatabaseInstance", "orders")->deleting());
}

TEST_CASE("a document cannot name its way into another project") {
  Fixture f;
  std::string yaml =
      "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v, project: elsewhere}\nspec: {size: 1}\n";
  auto answer = f.apply(yaml);
  CHECK(answer.status == 422);
  CHECK(json_of(answer)["problems"].items()[0]["path"].text() == "metadata.project");
  CHECK_FALSE(f.stored("Volume", "v", "elsewhere"));
  // Also an administrator applies to the project of the path.
  CHECK(f.apply(yaml, "", kAdmin).status == 422);
}

TEST_CASE("references do not reach into another project") {
  Fixture f;
  REQUIRE(f.apply(instance("orders")).status == 200);
  auto answer = f.ask("POST", "/apis/trove/v1alpha1/projects/elsewhere/apply", database("d", "orders"), kOther,
                      {{"content-type", "application/yaml"}});
  CHECK(answer.status == 422);
  CHECK(code_of(answer) == "REF_NOT_FOUND");
}

TEST_CASE("a continue token cannot be bent to another project") {
  Fixture f;
  REQUIRE(f.apply(instance("a") + instance("b")).status == 200);
  std::string token = json_of(f.at("GET", "/databaseinstances?limit=1"))["continue"].text();
  REQUIRE_FALSE(token.empty());
  CHECK(f.at("GET", "/databaseinstances?limit=1&continue=" + token).status == 200);
  auto answer = f.ask("GET", "/apis/trove/v1alpha1/projects/elsewhere/databaseinstances?continue=" + token, "", kOther);
  CHECK(answer.status == 400);
  CHECK(f.at("GET", "/volumes?continue=" + token).status == 400);
  CHECK(f.at("GET", "/databaseinstances?continue=garbage").status == 400);
}

TEST_CASE("a reader looks and plans and changes nothing") {
  Fixture f;
  REQUIRE(f.apply(instance("orders") + secret("s", "a: b")).status == 200);
  CHECK(f.at("GET", "/databaseinstances/orders", "", kReader).status == 200);
  CHECK(f.at("POST", "/plans", "{\"documents\":[]}", kReader).status == 200);
  for (auto [method, path] : {std::pair{"POST", "/apply"},
                              {"PUT", "/databaseinstances/orders"},
                              {"DELETE", "/databaseinstances/orders"},
                              {"POST", "/secrets/s/reveal"}}) {
    auto answer = f.at(method, path, "{\"documents\":[]}", kReader);
    CHECK(answer.status == 403);
    CHECK(code_of(answer) == "CLOUD_UNAUTHORIZED");
  }
}

TEST_CASE("the author of a change is the token's name") {
  Fixture f;
  REQUIRE(f.apply(instance("orders")).status == 200);
  CHECK(f.last_event("DatabaseInstance", "orders") == "spec|user:jana|created");
  auto history = json_of(f.at("GET", "/databaseinstances/orders/history"));
  CHECK(history["items"].items()[0]["author"].text() == "user:jana");
}

TEST_CASE("a slip in the token file opens no door") {
  Tokens tokens("short\n" + std::string(kMember) + " shop emperor\n" + kOther + " bad/project member\n" + kReader +
                " shop\n" + kAdmin + " * admin root extra\n");
  CHECK(tokens.size() == 0);
  Tokens good(std::string("  ") + kAdmin + "  \r\n" + kMember + "\tshop\tmember\n");
  REQUIRE(good.size() == 2);
  CHECK(good.find(kAdmin)->role == Role::admin);
  CHECK(good.find(kAdmin)->sees("anything"));
  CHECK(good.find(kMember)->name == "member");
  CHECK_FALSE(good.find(kMember)->sees("other"));
  CHECK_FALSE(good.find(""));
}

TEST_CASE("the body of somebody without a token is not read into memory") {
  Fixture f;
  auto collects = [&](const char* path, const std::string& token) {
    http::Request request;
    request.method = "POST";
    request.path = path;
    if (!token.empty()) request.headers["authorization"] = "Bearer " + token;
    return !f.api->classify(request).streams_body;
  };
  const char* apply = "/apis/trove/v1alpha1/projects/shop/apply";
  CHECK(collects(apply, kMember));
  CHECK_FALSE(collects(apply, ""));
  CHECK_FALSE(collects(apply, "wrong"));
  CHECK_FALSE(collects(apply, "guest-token"));
  CHECK(collects("/guest/v1/report", "guest-token"));
  CHECK_FALSE(collects("/guest/v1/report", kAdmin));
}
