// What answers mean.
#include "providers/openstack/answer.hpp"
#include <catch2/catch.hpp>

using namespace trove;
using namespace trove::openstack;

namespace {

const Time kNow = *parse_time("2026-11-23T12:00:00Z");

http::Answer answer(int status, std::string body, std::map<std::string, std::string> headers = {}) {
  headers.emplace("content-type", body.starts_with('{') ? "application/json" : "text/html");
  return {status, std::move(headers), std::move(body)};
}
Failure failed(Service service, bool write, http::Answer what) {
  auto judged = judge(service, write, std::move(what), kNow, "req-ours");
  REQUIRE_FALSE(judged.has_value());
  return judged.error();
}

}  // namespace

TEST_CASE("each service's error body gives one code, its words and the request's id") {
  struct Row {
    Service service;
    int status;
    const char* body;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {Service::compute, 404, R"({"itemNotFound":{"code":404,"message":"Instance x could not be found."}})",
       Code::not_found, "nova: 404 itemNotFound: Instance x could not be found."},
      {Service::compute, 409, R"({"conflictingRequest":{"code":409,"message":"Cannot 'start' instance"}})",
       Code::conflict, "nova: 409 conflictingRequest: Cannot 'start' instance"},
      {Service::compute, 400, R"({"badRequest":{"code":400,"message":"Invalid"}})", Code::invalid, "badRequest"},
      {Service::compute, 403, R"({"forbidden":{"code":403,"message":"Quota exceeded for instances: Requested 1"}})",
       Code::no_space, "Quota exceeded"},
      {Service::compute, 403, R"({"forbidden":{"code":403,"message":"Policy doesn't allow it"}})", Code::denied,
       "Policy"},
      {Service::volume, 413,
       R"({"overLimit":{"code":413,"message":"VolumeLimitExceeded: Maximum number of volumes allowed (3) exceeded for quota 'volumes'.","retryAfter":"0"}})",
       Code::no_space, "Maximum number"},
      {Service::volume, 413, R"({"overLimit":{"code":413,"message":"This request was rate-limited."}})",
       Code::throttled, "rate-limited"},
      {Service::network, 409,
       R"({"NeutronError":{"type":"OverQuota","message":"Quota exceeded for resources: ['port'].","detail":""}})",
       Code::no_space, "neutron: 409 OverQuota: Quota exceeded"},
      {Service::network, 409, R"({"NeutronError":{"type":"MacAddressInUse","message":"Unable","detail":"more"}})",
       Code::conflict, "Unable more"},
      {Service::identity, 401,
       R"({"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}})",
       Code::unauthenticated, "keystone: 401 Unauthorized: The request"},
      {Service::network, 404,
       R"({"message":"The resource could not be found.","code":"404 Not Found","title":"Not Found"})", Code::not_found,
       "could not be found"}};
  for (const Row& row : rows) {
    const Failure failure =
        failed(row.service, true, answer(row.status, row.body, {{"x-openstack-request-id", "req-7"}}));
    INFO(failure.error.message);
    CHECK(failure.error.code == row.code);
    CHECK(failure.error.message.find(row.words) != std::string::npos);
    CHECK(failure.request_id == "req-7");
    CHECK(with_request(failure).message.ends_with(" (req-7)"));
  }
}

TEST_CASE("what is not a service's own word proves nothing") {
  const std::string html = "<html><body><h1>502 Bad Gateway</h1></body></html>";
  for (int status : {200, 302, 400, 403, 404, 409, 413, 500, 502, 503, 504}) {
    INFO(status);
    CHECK(failed(Service::compute, false, answer(status, html)).error.code == Code::unavailable);
    CHECK(failed(Service::compute, true, answer(status, html)).error.code == Code::outcome_unknown);
  }
  CHECK(failed(Service::compute, true, answer(429, html)).error.code == Code::throttled);
  CHECK(failed(Service::compute, true, answer(401, html)).error.code == Code::unauthenticated);
}

TEST_CASE("a body that broke off is not believed") {
  for (const char* body : {R"({"servers":[{"id":"a")", "{", R"({"a":1}})", "[1,2"}) {
    http::Answer broken = answer(200, body);
    broken.headers["content-type"] = "application/json";
    CHECK(failed(Service::compute, false, broken).error.code == Code::unavailable);
    CHECK(failed(Service::compute, true, broken).error.code == Code::outcome_unknown);
  }
}

TEST_CASE("a fault of the service leaves a write open and a read to be repeated") {
  const char* fault = R"({"computeFault":{"code":500,"message":"Unexpected API Error."}})";
  CHECK(failed(Service::compute, true, answer(500, fault)).error.code == Code::outcome_unknown);
  CHECK(failed(Service::compute, false, answer(500, fault)).error.code == Code::unavailable);
  CHECK(failed(Service::object_store, false, answer(404, "<html>Not Found", {{"x-trans-id", "tx1"}})).error.code ==
        Code::not_found);
}

TEST_CASE("Retry-After is read in both forms and bounded") {
  using H = std::map<std::string, std::string>;
  CHECK(retry_after(H{{"retry-after", "7"}}, kNow) == Millis{7000});
  CHECK(retry_after(H{{"retry-after", "Mon, 23 Nov 2026 12:00:30 GMT"}}, kNow) == Millis{30'000});
  // The cloud's clock is an hour ahead of ours: its own Date counts.
  CHECK(retry_after(H{{"retry-after", "Mon, 23 Nov 2026 13:00:30 GMT"}, {"date", "Mon, 23 Nov 2026 13:00:00 GMT"}},
                    kNow) == Millis{30'000});
  CHECK(retry_after(H{{"retry-after", "Mon, 23 Nov 2026 11:00:00 GMT"}}, kNow) == Millis{0});
  CHECK(retry_after(H{{"retry-after", "99999999"}}, kNow) == Millis{3'600'000});
  CHECK_FALSE(retry_after(H{{"retry-after", "soon"}}, kNow).has_value());
  CHECK_FALSE(retry_after(H{}, kNow).has_value());
  const Failure limited = failed(Service::compute, true,
                                 answer(413, R"({"overLimit":{"code":413,"message":"slow down","retryAfter":"12"}})"));
  CHECK(limited.error.retry_after == Millis{12'000});
  CHECK_FALSE(parse_http_date("Mon, 23 Nov 2026 12:00:30 CET").has_value());
  CHECK_FALSE(parse_http_date("Mon, 23 Xyz 2026 12:00:30 GMT").has_value());
}

TEST_CASE("words of a service cannot reach a terminal unescaped") {
  const Failure failure =
      failed(Service::compute, true, answer(409, "{\"conflictingRequest\":{\"message\":\"a\\u001b[31m\\nb\"}}"));
  CHECK(failure.error.message.find('\x1b') == std::string::npos);
  CHECK(failure.error.message.find('\n') == std::string::npos);
}
