// What goes wrong on the way to a cloud, on demand.
#include "http_bed.hpp"

using namespace trove;
using Catch::Contains;
using Kind = SimHttpFault::Kind;

namespace {

SimHttpFault fault(Kind kind, std::string service, int times = 1) {
  SimHttpFault f;
  f.kind = kind;
  f.service = std::move(service);
  f.times = times;
  return f;
}

http::Call call(HttpBed& bed, const std::string& method, const std::string& path, const std::string& body = "") {
  http::Call c;
  c.method = method;
  c.path = path;
  c.body = body;
  c.headers = {{"X-Auth-Token", bed.token}};
  c.deadline = Millis{300};
  return c;
}

}  // namespace

TEST_CASE("throttling names its time and each service uses its own words") {
  HttpBed bed;
  SimHttpFault slow = fault(Kind::throttled, "compute");
  slow.retry_after_s = 7;
  bed.face->add_fault(slow);
  const Reply nova = bed.nova("GET", "/servers");
  CHECK(nova.status == 429);
  CHECK(nova.header("retry-after") == "7");
  CHECK(nova.fault() == "overLimit");
  CHECK(bed.nova("GET", "/servers").status == 200);
  bed.face->add_fault(fault(Kind::over_limit, "volume"));
  const Reply cinder = bed.cinder("GET", "/volumes");
  CHECK(cinder.status == 413);
  CHECK(cinder.header("retry-after") == "1");
  SimHttpFault down = fault(Kind::error, "network", 2);
  down.status = 503;
  bed.face->add_fault(down);
  CHECK(bed.neutron("GET", "/ports").body["NeutronError"]["type"].text() == "Service Unavailable");
  CHECK(bed.nova("GET", "/servers").status == 200);
  CHECK(bed.neutron("GET", "/ports").status == 503);
  CHECK(bed.neutron("GET", "/ports").status == 200);
  SimHttpFault page = fault(Kind::html, "");
  page.status = 502;
  bed.face->add_fault(page);
  const Reply html = bed.nova("GET", "/servers");
  CHECK(html.status == 502);
  CHECK(html.header("content-type").starts_with("text/html"));
  CHECK_THAT(html.text, Contains("<h1>502 Bad Gateway</h1>"));
}

TEST_CASE("a reset request did not happen and one with a lost reply did") {
  HttpBed bed;
  const std::string path = "/volume/v3/" + bed.project + "/volumes", body = R"({"volume":{"size":1}})";
  bed.face->add_fault(fault(Kind::reset, "volume"));
  const auto reset = bed.raw(call(bed, "POST", path, body));
  REQUIRE_FALSE(reset);
  CHECK(reset.error().code == Code::outcome_unknown);
  CHECK(bed.cinder("GET", "/volumes").body["volumes"].size() == 0);
  bed.face->add_fault(fault(Kind::lost_reply, "volume"));
  const auto lost = bed.raw(call(bed, "POST", path, body));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == Code::outcome_unknown);
  CHECK(bed.cinder("GET", "/volumes").body["volumes"].size() == 1);
}

TEST_CASE("a truncated answer and a hang are failures and never an empty list") {
  HttpBed bed;
  (void)bed.make_volume();
  const std::string path = "/volume/v3/" + bed.project + "/volumes/detail";
  bed.face->add_fault(fault(Kind::truncated, "volume", -1));
  const auto cut = bed.raw(call(bed, "GET", path));
  CHECK_FALSE(cut);
  bed.face->clear_faults();
  bed.face->add_fault(fault(Kind::hang, "volume", -1));
  const auto hung = bed.raw(call(bed, "GET", path));
  CHECK_FALSE(hung);
  bed.face->clear_faults();
  SimHttpFault slow = fault(Kind::slow, "volume");
  slow.hold = Millis{50};
  bed.face->add_fault(slow);
  CHECK(bed.cinder("GET", "/volumes").body["volumes"].size() == 1);
  bed.face->stop();  // ends a request that hangs, if one does
}

TEST_CASE("faults fall as often as asked and only where asked") {
  HttpBed bed;
  SimHttpFault some = fault(Kind::error, "network", -1);
  some.per_mille = 300;
  some.method = "GET";
  some.path = "/ports";
  bed.face->add_fault(some);
  int failed = 0;
  for (int i = 0; i < 200; ++i) failed += bed.neutron("GET", "/ports").status == 503;
  CHECK(failed > 30);
  CHECK(failed < 90);
  for (int i = 0; i < 20; ++i) CHECK(bed.neutron("GET", "/networks").status == 200);
  for (int i = 0; i < 20; ++i) (void)bed.make_port();
}

TEST_CASE("faults are set over HTTP as well") {
  HttpBed bed;
  const std::string id = bed.make_server();
  bed.pass(5'000);
  Reply set = bed.ask("POST", "/sim/faults",
                      R"({"faults":[{"kind":"throttled","service":"compute","times":1,"retryAfter":3}]})");
  CHECK(set.status == 200);
  CHECK(set.body["faults"].size() == 1);
  CHECK(bed.nova("GET", "/servers").header("retry-after") == "3");
  CHECK(bed.ask("POST", "/sim/faults", R"({"downCell":true})").body["downCell"].bool_or(false));
  CHECK(bed.nova("GET", "/servers", "", "2.60").body["servers"].size() == 0);
  CHECK(bed.ask("DELETE", "/sim/faults").status == 204);
  CHECK(bed.nova("GET", "/servers").body["servers"].size() == 1);
  CHECK(bed.ask("POST", "/sim/faults", R"({"expireTokens":true})").status == 200);
  CHECK(bed.nova("GET", "/servers").status == 401);
  for (const char* wrong : {R"({"faults":[{"kind":"plague"}]})", R"({"faults":[{"kind":"error","status":"503"}]})",
                            R"({"faults":[{"kind":"error","status":200}]})", R"({"fault":[]})", "[]", "{"}) {
    INFO(wrong);
    CHECK(bed.ask("POST", "/sim/faults", wrong).status == 400);
  }
  CHECK(bed.ask("POST", "/sim/servers/" + id + "/break", R"({"fault":"smoke"})").status == 204);
  bed.login("trove", "sim", "service");
  CHECK(bed.server_view(id)["fault"]["message"].text() == "smoke");
  CHECK(bed.ask("POST", "/sim/servers/" + id + "/lose").status == 204);
  CHECK(bed.nova("GET", "/servers/" + id).status == 404);
  CHECK(bed.ask("POST", "/sim/servers/" + id + "/lose").status == 404);
  const Reply counts = bed.ask("GET", "/sim/requests");
  CHECK(counts.body["compute GET"].int_or(0) == bed.face->requests().at("compute GET"));
}

TEST_CASE("malformed bodies and unknown paths are refused in every service's shape") {
  HttpBed bed;
  CHECK(bed.nova("POST", "/servers", "{").fault() == "badRequest");
  CHECK(bed.neutron("POST", "/ports", "{").body["NeutronError"]["type"].text() == "HTTPBadRequest");
  CHECK(bed.nova("GET", "/nothing").status == 404);
  CHECK(bed.cinder("GET", "/nothing").fault() == "itemNotFound");
  CHECK(bed.neutron("GET", "/nothing").status == 404);
  CHECK(bed.ask("GET", "/v3/nothing").body["error"]["code"].int_or(0) == 404);
  CHECK(bed.ask("GET", "/v1/nothing").status == 404);
  // Whatever the shape of the body, there is an answer and the next request has one as well.
  for (const char* body : {"[]", "null", "1", R"("x")", R"({"server":1})", R"({"server":{"name":{},"flavorRef":[]}})",
                           R"({"server":{"name":"x","flavorRef":"db.tiny","networks":[1,null,{}]}})"})
    CHECK(bed.nova("POST", "/servers", body).status == 400);
  for (const char* body : {"[]", "null", R"({"port":1})", R"({"ports":[1]})", R"({"port":{"network_id":7}})"})
    CHECK(bed.neutron("POST", "/ports", body).status == 400);
  for (const char* body : {"[]", R"({"volume":1})", R"({"volume":{"size":"x"}})"})
    CHECK(bed.cinder("POST", "/volumes", body).status == 400);
  CHECK(bed.nova("GET", "/servers").status == 200);
}

TEST_CASE("a clouds.yaml names every user and the application credential") {
  HttpBed bed;
  const std::string yaml = bed.face->clouds_yaml();
  CHECK_THAT(yaml, Contains("  sim:\n    auth:\n      auth_url: " + bed.face->url() + "/v3\n      username: trove\n"));
  CHECK_THAT(yaml, Contains("  sim-demo:\n"));
  CHECK_THAT(yaml,
             Contains("auth_type: v3applicationcredential") && Contains("application_credential_id: sim-credential"));
}

TEST_CASE("one seed gives one history over HTTP as well") {
  const auto history = [](uint64_t seed) {
    SimOptions options;
    options.server_error = 400;
    HttpBed bed(options, {}, seed);
    std::string trace;
    for (int i = 0; i < 10; ++i) {
      trace += bed.make_server("db-" + std::to_string(i)) + "\n";
      bed.pass(3'000);
    }
    return trace + bed.nova("GET", "/servers/detail").body["servers"].as_written() +
           std::string(bed.nova("GET", "/servers?status=ERROR").text);
  };
  const auto without_port = [](std::string text) {
    for (size_t at; (at = text.find("127.0.0.1:")) != std::string::npos;) text.erase(at, text.find('/', at) - at);
    return text;
  };
  const std::string one = without_port(history(7));
  CHECK(one == without_port(history(7)));
  CHECK(one != without_port(history(8)));
}
