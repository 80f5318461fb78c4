// Who did what to a server: Nova's instance actions.
#include <catch2/catch.hpp>
#include "tests/openstack_client/scripted.hpp"
#include "providers/openstack/records.hpp"

using namespace trove;
using namespace trove::openstack;

TEST_CASE("a line of a server's record is read in Nova's words, and one without a name or a time is left out") {
  const auto json = [](const std::string& text) { return *parse_json(text); };
  const auto deed = deed_of(json(
      R"({"action":"resize","instance_uuid":"s","message":null,"project_id":"p","request_id":"req-1",)"
      R"("start_time":"2026-09-27T12:02:58.000000","user_id":"u-kim","updated_at":"2026-09-27T12:03:00.000000"})"));
  REQUIRE(deed);
  CHECK(*deed == ServerDeed{"resize", "u-kim", "req-1", *parse_time("2026-09-27T12:02:58Z")});
  CHECK_FALSE(deed_of(json(R"({"action":"","start_time":"2026-09-27T12:02:58.000000","user_id":"u"})")));
  CHECK_FALSE(deed_of(json(R"({"action":"stop","start_time":"yesterday","user_id":"u"})")));
  CHECK_FALSE(deed_of(json(R"([])")));
  // Nova leaves the user out where a policy hides it.
  CHECK(deed_of(json(R"({"action":"stop","start_time":"2026-09-27T12:02:58.000000"})"))->user.empty());
}
