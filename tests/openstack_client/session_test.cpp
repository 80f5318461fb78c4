// Signing in, and what a request may meet.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include "openstack_client/scripted.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {
const Request kRead{Service::compute, "GET", "/servers", {}, {}};
const Request kWrite{Service::compute, "POST", "/servers", Value::map({{"server", Value::map({{"name", "x"}})}}), {}};
}  // namespace

TEST_CASE("a request goes to the service's endpoint with the token, our id and the microversion") {
  Bed bed;
  bed.transport.answers = [](const Asked&) { return Scripted::json(200, R"({"servers":[]})"); };
  bed.session.set_microversion(Service::compute, "compute 2.79");
  REQUIRE(bed.session.send(kRead).has_value());
  REQUIRE(bed.session.send({Service::network, "GET", "/ports", {}, {}}).has_value());
  REQUIRE(bed.session.send({Service::image, "GET", "/images", {}, {}}).has_value());
  const auto asked = bed.transport.asked();
  REQUIRE(asked.size() == 4);
  CHECK(asked[0].origin == "http://keystone:5000");
  CHECK(asked[0].path == "/v3/auth/tokens");
  const Value body = *parse_json(asked[0].body);
  CHECK(body.at_path("auth.identity.password.user.domain.id").text() == "default");
  CHECK(body.at_path("auth.scope.project.name").text() == "databases");
  CHECK(asked[1].origin == "http://nova:8774");
  CHECK(asked[1].path == "/v2.1/servers");
  CHECK(asked[1].headers.at("X-Auth-Token") == "token-1");
  CHECK(asked[1].headers.at("OpenStack-API-Version") == "compute 2.79");
  CHECK(asked[1].headers.at("X-OpenStack-Request-ID").starts_with("req-"));
  CHECK(asked[2].path == "/v2.0/ports");
  CHECK_FALSE(asked[2].headers.contains("OpenStack-API-Version"));
  CHECK(asked[3].path == "/image/v2/images");
}

TEST_CASE("an application credential is sent without a scope") {
  Config config = password_config();
  config.application_credential = true;
  config.credential.id = "abc";
  config.credential_secret = Secret("def");
  Bed bed(config);
  REQUIRE(bed.session.project_id().has_value());
  const Value body = *parse_json(bed.transport.asked().front().body);
  CHECK(body.at_path("auth.identity.methods[0]").text() == "application_credential");
  CHECK(body.at_path("auth.identity.application_credential.secret").text() == "def");
  CHECK(body["auth"].find("scope") == nullptr);
}

TEST_CASE("a credential that was taken away makes nothing absent") {
  Bed bed;
  bed.transport.logins = [](const Asked&) -> Result<http::Answer> {
    return Scripted::json(404, R"({"error":{"code":404,"message":"Could not find Application Credential: abc.",
                                            "title":"Not Found"}})");
  };
  auto reply = bed.session.send(kRead);
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().error.code == Code::unauthenticated);
}

TEST_CASE("a refused token costs one login and one replay, also for a write") {
  for (const Request& request : {kRead, kWrite}) {
    Bed bed;
    bed.transport.answers = [](const Asked& asked) {
      return asked.headers.at("X-Auth-Token") == "token-1" ? Scripted::json(401, R"({"error":{"message":"expired"}})")
                                                           : Scripted::json(200, R"({"servers":[],"server":{}})");
    };
    REQUIRE(bed.session.send(request).has_value());
    CHECK(bed.transport.count("/auth/tokens") == 2);
    CHECK(bed.transport.count("/servers") == 2);
    CHECK(bed.session.counts().replays == 1);
  }
}

TEST_CASE("a token that is refused twice is an error, not a loop") {
  Bed bed;
  bed.transport.answers = [](const Asked&) { return Scripted::json(401, R"({"error":{"message":"no"}})"); };
  auto reply = bed.session.send(kWrite);
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().error.code == Code::unauthenticated);
  CHECK(bed.transport.count("/auth/tokens") == 2);
  CHECK(bed.transport.count("/servers") == 2);
}

TEST_CASE("a token is renewed before it ends, by the cloud's own idea of its life") {
  Bed bed;
  bed.transport.life_s = 600;
  bed.transport.answers = [](const Asked&) { return Scripted::json(200, R"({"servers":[]})"); };
  REQUIRE(bed.session.send(kRead).has_value());
  // Our wall clock is years away from the cloud's, and jumps: no matter.
  bed.clock.set_wall(Time{1});
  bed.clock.advance(Millis{530'000});
  REQUIRE(bed.session.send(kRead).has_value());
  CHECK(bed.session.counts().logins == 1);
  bed.clock.advance(Millis{20'000});
  REQUIRE(bed.session.send(kRead).has_value());
  CHECK(bed.session.counts().logins == 2);
}

TEST_CASE("many threads that need a login share one") {
  Bed bed;
  std::atomic<int> refused{0}, logins{0};
  bed.transport.answers = [&](const Asked& asked) {
    if (asked.headers.at("X-Auth-Token") != "token-1") return Scripted::json(200, R"({"servers":[]})");
    ++refused;
    return Scripted::json(401, R"({"error":{"message":"expired"}})");
  };
  // The second login takes until every thread wants one.
  bed.transport.logins = [&](const Asked&) {
    const int number = ++logins;
    for (int i = 0; number > 1 && i < 2000 && refused < 16; ++i) std::this_thread::sleep_for(Millis{1});
    if (number > 1) std::this_thread::sleep_for(Millis{50});
    http::Answer answer = Scripted::json(
        201, R"({"token":{"project":{"id":"p1"},"catalog":[{"type":"compute","endpoints":[{"interface":"public",)"
             R"("region_id":"One","url":"http://nova/v2.1"}]}]}})");
    answer.headers["x-subject-token"] = "token-" + std::to_string(number);
    return answer;
  };
  REQUIRE(bed.session.project_id().has_value());
  std::vector<std::thread> threads;
  std::atomic<int> fine{0};
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&] {
      if (bed.session.send(kRead).has_value()) ++fine;
    });
  for (auto& thread : threads) thread.join();
  CHECK(fine == 16);
  CHECK(bed.transport.count("/auth/tokens") == 2);
}

TEST_CASE("a read that met a broken connection is asked once more, and a write never") {
  for (int broken : {1, 2}) {
    Bed bed;
    std::atomic<int> left{broken};
    bed.transport.answers = [&](const Asked& asked) -> Result<http::Answer> {
      if (left-- > 0)
        return fail(asked.method == "GET" ? Code::unavailable : Code::outcome_unknown,
                    "the connection ended before an answer");
      return Scripted::json(200, R"({"servers":[]})");
    };
    auto reply = bed.session.send(kRead);
    CHECK(reply.has_value() == (broken == 1));
    CHECK(bed.transport.count("/servers") == 2);
    if (!reply) CHECK(reply.error().error.code == Code::unavailable);
  }
  Bed bed;
  bed.transport.answers = [](const Asked&) -> Result<http::Answer> { return fail(Code::outcome_unknown, "no answer"); };
  auto reply = bed.session.send(kWrite);
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().error.code == Code::outcome_unknown);
  CHECK(reply.error().request_id == bed.transport.asked().back().headers.at("X-OpenStack-Request-ID"));
  CHECK(bed.transport.count("/servers") == 1);
}

TEST_CASE("a read that ran out of time is not asked again") {
  Bed bed;
  bed.transport.answers = [&](const Asked&) -> Result<http::Answer> {
    bed.clock.advance(kReadDeadline);
    return fail(Code::unavailable, "no answer in time");
  };
  CHECK_FALSE(bed.session.send(kRead).has_value());
  CHECK(bed.transport.count("/servers") == 1);
}

TEST_CASE("a login that was not answered may simply be made again") {
  Bed bed;
  bool down = true;
  bed.transport.logins = [&](const Asked&) -> Result<http::Answer> {
    if (down) return fail(Code::outcome_unknown, "no answer");
    http::Answer answer = Scripted::json(201, R"({"token":{"project":{"id":"p1"},"catalog":[]}})");
    answer.headers["x-subject-token"] = "t";
    return answer;
  };
  auto project = bed.session.project_id();
  REQUIRE_FALSE(project.has_value());
  CHECK(project.error().error.code == Code::unavailable);
  down = false;
  CHECK(bed.session.project_id() == "p1");
}

TEST_CASE("a missing endpoint is told with what there is") {
  Config config = password_config();
  config.region = "Three";
  Bed bed(config);
  auto endpoint = bed.session.endpoint(Service::compute);
  REQUIRE_FALSE(endpoint.has_value());
  CHECK(endpoint.error().error.code == Code::invalid);
  CHECK(endpoint.error().error.hint == "region_name may be: One, Two");
  Bed plain;
  CHECK(plain.session.endpoint(Service::object_store).error().error.message ==
        "swift: the catalogue has no public endpoint of it");
  Config inner = password_config();
  inner.interface = "internal";
  Bed internal(inner);
  CHECK(internal.session.endpoint(Service::compute) == "http://internal/v2.1");
}

TEST_CASE("no error holds a password or a token") {
  Bed bed;
  bed.transport.logins = [](const Asked& asked) -> Result<http::Answer> {
    CHECK(asked.body.find("canary-password") != std::string::npos);
    return Scripted::json(401, R"({"error":{"code":401,"message":"nope","title":"Unauthorized"}})");
  };
  auto project = bed.session.project_id();
  REQUIRE_FALSE(project.has_value());
  CHECK(project.error().error.code == Code::unauthenticated);
  CHECK(with_request(project.error()).message.find("canary") == std::string::npos);
}
