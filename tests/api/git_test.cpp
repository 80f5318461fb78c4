// What is asked of a GitSource over REST.
#include <catch2/catch.hpp>

#include "tests/api/fixture.hpp"

using namespace trove;

namespace {

const std::string kSync = "/gitsources/prod/sync";

}  // namespace

TEST_CASE("a sync passes on what is confirmed, what is approved and who asks") {
  Fixture f;
  CHECK(f.at("POST", kSync).status == 202);
  CHECK(f.at("POST", kSync, R"({"confirm":["volume/a","9f31c2e"]})").status == 202);
  CHECK(f.at("POST", kSync, R"({"approve":"pl-7f3a21c0","confirm":[]})").status == 202);
  REQUIRE(f.git.asked.size() == 3);
  CHECK(f.git.asked[0].first == Key{"shop", "GitSource", "prod"});
  CHECK(f.git.asked[0].second.approve.empty());
  CHECK(f.git.asked[1].second.confirm == std::vector<std::string>{"volume/a", "9f31c2e"});
  CHECK(f.git.asked[2].second.approve == "pl-7f3a21c0");
  CHECK(f.git.asked[2].second.by == "user:jana");
}

TEST_CASE("a sync that says nothing sensible is refused, and whoever may only look approves nothing") {
  Fixture f;
  for (const char* body : {"[]", "7", R"({"confirm":"volume/a"})", R"({"confirm":[1]})", R"({"approve":"prod"})",
                           R"({"approve":7})", R"({"approve":["pl-7f3a21c0"]})",
                           R"({"approve":"pl-7f3a21c0","confirm":["volume/a"]})"}) {
    INFO(body);
    const auto refused = f.at("POST", kSync, body);
    CHECK(refused.status == 400);
    CHECK(code_of(refused) == "CONFIG_INVALID");
  }
  const auto wrong = json_of(f.at("POST", kSync, R"({"approve":"prod"})"));
  CHECK(wrong["detail"].text() == "approve must be the id of a plan, not prod");
  CHECK(wrong["hint"].text() == "for example pl-7f3a21c0; which one waits: trovectl git status prod");
  CHECK(f.at("POST", kSync, R"({"approve":"pl-7f3a21c0"})", kReader).status == 403);
  CHECK(f.at("POST", kSync, R"({"approve":"pl-7f3a21c0"})", kOther).status >= 403);
  CHECK(f.git.asked.empty());
}
