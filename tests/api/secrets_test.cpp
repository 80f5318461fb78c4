// A secret's value is in no answer, event, history or stored byte but in the answer that reveals it.
#include <catch2/catch.hpp>
#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

constexpr const char* kCanary = "canary-7f3a9c";

std::string everything_stored(Fixture& f) {
  std::string out;
  auto page = f.store.inner().range("", "", 0);
  for (const KeyValue& item : page->items) out += item.key + '\n' + item.value + '\n';
  return out;
}

}  // namespace

TEST_CASE("values are sealed and never shown but by reveal") {
  Fixture f;
  auto answer = f.apply(secret("login", std::string("password: ") + kCanary));
  REQUIRE(answer.status == 200);
  CHECK(answer.body.find(kCanary) == std::string::npos);
  CHECK(everything_stored(f).find(kCanary) == std::string::npos);
  for (const char* path :
       {"/secrets", "/secrets/login", "/secrets/login/history", "/secrets/login/events", "/secrets/login/plan"}) {
    auto seen = f.at("GET", path);
    INFO(path << ' ' << seen.body);
    CHECK(seen.status == 200);
    CHECK(seen.body.find(kCanary) == std::string::npos);
    CHECK(seen.body.find("sealed:") == std::string::npos);
  }
  CHECK(json_of(f.at("GET", "/secrets/login"))["spec"]["data"]["password"].text() == "(hidden)");
  CHECK(f.at("DELETE", "/secrets/login").body.find("sealed:") == std::string::npos);
  auto revealed = f.at("POST", "/secrets/login/reveal");
  REQUIRE(revealed.status == 200);
  CHECK(json_of(revealed)["data"]["password"].text() == kCanary);
  CHECK(header_of(revealed, "Cache-Control") == "no-store");
  CHECK(f.last_event("Secret", "login") == "secret.reveal|user:jana|values were shown");
  CHECK(everything_stored(f).find(kCanary) == std::string::npos);
}

TEST_CASE("what cannot be recorded is not revealed") {
  Fixture f;
  f.apply(secret("login", std::string("password: ") + kCanary));
  f.store.lose_answers = 1;
  auto answer = f.at("POST", "/secrets/login/reveal");
  CHECK(answer.status == 503);
  CHECK(answer.body.find(kCanary) == std::string::npos);
  CHECK(f.at("POST", "/secrets/none/reveal").status == 404);
  CHECK(f.at("GET", "/secrets/login/reveal").status == 405);
}

TEST_CASE("the same values are unchanged and others are told as sensitive") {
  Fixture f;
  f.apply(secret("login", std::string("a: one, b: ") + kCanary));
  auto before = f.stored("Secret", "login");
  Revision revision = f.store.revision();
  CHECK(f.apply(secret("login", std::string("a: one, b: ") + kCanary)).body.find("unchanged") != std::string::npos);
  CHECK(f.store.revision() == revision);
  CHECK(f.apply(secret("login", std::string("a: two, b: ") + kCanary)).body.find("configured") != std::string::npos);
  auto after = f.stored("Secret", "login");
  CHECK(after->metadata.generation == 2);
  CHECK(after->spec["data"]["b"].text() == before->spec["data"]["b"].text());
  CHECK(after->spec["data"]["a"].text() != before->spec["data"]["a"].text());
  std::string event = f.last_event("Secret", "login");
  CHECK(event.find("configured") != std::string::npos);
  CHECK(event.find("two") == std::string::npos);
  CHECK(event.find("sealed") == std::string::npos);
}

TEST_CASE("a hidden value that is applied back keeps what is stored") {
  Fixture f;
  f.apply(secret("login", std::string("a: ") + kCanary + ", b: old"));
  auto shown = f.at("GET", "/secrets/login");
  CHECK(f.at("PUT", "/secrets/login", shown.body).status == 200);
  CHECK(f.stored("Secret", "login")->metadata.generation == 1);
  CHECK(f.apply(secret("login", "a: (hidden), b: new")).status == 200);
  Value data = json_of(f.at("POST", "/secrets/login/reveal"))["data"];
  CHECK(data["a"].text() == kCanary);
  CHECK(data["b"].text() == "new");
  auto none = f.apply(secret("login", "c: (hidden)"));
  CHECK(none.status == 422);
  CHECK(json_of(none)["path"].text() == "spec.data.c");
  CHECK(f.apply(secret("fresh", "a: (hidden)")).status == 422);
}

TEST_CASE("a sealed value opens only at its place") {
  Fixture f;
  f.apply(secret("one", std::string("a: ") + kCanary) + secret("two", "a: other"));
  auto one = f.stored("Secret", "one"), two = f.stored("Secret", "two");
  two->spec.set_path("data.a", one->spec["data"]["a"]);
  Txn txn;
  f.objects.stage_put(txn, *two, "");
  REQUIRE(f.objects.commit(txn));
  auto answer = f.at("POST", "/secrets/two/reveal");
  CHECK(answer.status == 500);
  CHECK(answer.body.find(kCanary) == std::string::npos);
  // Handing in the sealed text stores it as a text like any other.
  CHECK(f.apply(secret("three", "a: \"" + one->spec["data"]["a"].text() + "\"")).status == 200);
  CHECK(json_of(f.at("POST", "/secrets/three/reveal"))["data"]["a"].text().starts_with("sealed:"));
}

TEST_CASE("a plan does not see values") {
  Fixture f;
  f.apply(secret("login", std::string("a: ") + kCanary));
  REQUIRE(f.at("POST", "/plans", secret("login", std::string("a: ") + kCanary), kMember,
               {{"content-type", "application/yaml"}})
              .status == 201);
  REQUIRE(f.plans.asked.size() == 1);
  CHECK(f.plans.asked[0].spec["data"]["a"].text() == f.stored("Secret", "login")->spec["data"]["a"].text());
}
