// How a guest in a machine becomes known: a token that is good once, for one server and one key, then a certificate.
#include <catch2/catch.hpp>
#include <thread>
#include "tests/api/fixture.hpp"
#include "tests/support/openssl.hpp"

using namespace trove;

namespace {

const Token kServer{"1", "server-0", 1};  // the one that FakeGuests knows
const std::string kName = "trove-1-server-0-1";
constexpr Millis kMinute{60'000};

struct JoinFixture : Fixture {
  pki::Authority authority = *pki::Authority::open(dir / "pki", clock);
  Joins joins{store, sealer, authority, clock, "https://10.0.0.1:7781"};
  pki::Request mine = *pki::make_request(), other = *pki::make_request();
  JoinFixture() { serve(&joins); }

  std::string token(const Token& server = kServer) const { return joins.endpoint(server).token; }
  Result<std::string> join(const std::string& token, const pki::Request& request, const std::string& server = kName) {
    return joins.join(server, token, request.pem);
  }
  // As it comes from a connection whose certificate said `peer`.
  http::Response from(const std::string& peer, const std::string& method, const std::string& path,
                      const std::string& body = "", const std::string& bearer = "") {
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.peer_name = peer;
    if (!bearer.empty()) request.headers["authorization"] = "Bearer " + bearer;
    return api->handle_guest(request, nullptr);
  }
  static std::string join_body(const std::string& token, const pki::Request& request,
                               const std::string& server = kName) {
    return dump_json(Value::map({{"server", server}, {"token", token}, {"request", request.pem}}));
  }
  static std::string renew_body(const pki::Request& request) {
    return dump_json(Value::map({{"request", request.pem}}));
  }
};

bool is_for(const std::string& certificate, const pki::Request& request) {
  return X509_check_private_key(pki::certificate_of(certificate).get(),
                                pki::key_of(request.key.reveal()).get()) == 1;
}

}  // namespace

TEST_CASE("a token gets a certificate with the server's name, for the key of the request") {
  JoinFixture f;
  CHECK(f.joins.endpoint(kServer).url == "https://10.0.0.1:7781");
  auto certificate = f.join(f.token(), f.mine);
  REQUIRE(certificate);
  CHECK(pki::common_name_of(*certificate) == kName);
  CHECK(is_for(*certificate, f.mine));
  CHECK(pki::verdict(f.authority.certificate(), *certificate, X509_PURPOSE_SSL_CLIENT, f.clock.wall()) == X509_V_OK);
  CHECK(pki::validity_of(*certificate)->until == f.clock.wall() + kCertificateLife);
}

TEST_CASE("the same key may join again, for an answer can be lost") {
  JoinFixture f;
  const std::string token = f.token();
  REQUIRE(f.join(token, f.mine));
  const size_t commits = f.store.commits;
  f.clock.advance(kMinute);
  CHECK(f.join(token, f.mine));
  // Another request of the same key, and another token of the same server.
  CHECK(f.join(token, {f.mine.key, *pki::request_for(f.mine.key)}));
  CHECK(f.join(f.token(), f.mine));
  CHECK(f.store.commits == commits);
}

TEST_CASE("another key is refused once a server has joined, with every token") {
  JoinFixture f;
  const std::string token = f.token();
  f.clock.advance(Millis{1});
  const std::string second = f.token();
  CHECK(token != second);
  REQUIRE(f.join(token, f.mine));
  for (const std::string& one : {token, second, f.token()}) {
    auto refused = f.join(one, f.other);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::denied);
    CHECK(refused.error().message.find("another key") != std::string::npos);
  }
  CHECK(f.join(token, f.mine));
}

TEST_CASE("the next incarnation of a server joins with a key of its own") {
  JoinFixture f;
  REQUIRE(f.join(f.token(), f.mine));
  const Token next{"1", "server-0", 2};
  CHECK(f.join(f.token(next), f.mine).error().code == Code::denied);  // the token is the next one's
  CHECK(f.join(f.token(next), f.other, to_string(next)));
}

TEST_CASE("a token is good for an hour from the request for its server") {
  JoinFixture f;
  const std::string token = f.token();
  f.clock.advance(kJoinLife);
  CHECK(f.join(token, f.mine));
  f.clock.advance(Millis{1});
  auto late = f.join(token, f.mine);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Code::denied);
  CHECK(late.error().message.find("too old") != std::string::npos);
  CHECK(f.join(f.token(), f.mine));
}

TEST_CASE("a clock that was set back a little refuses nobody, and one far back does") {
  JoinFixture f;
  const std::string token = f.token();
  f.clock.set_wall(f.clock.wall() - kMinute);
  CHECK(f.join(token, f.mine));
  f.clock.set_wall(f.clock.wall() - Millis{1});
  CHECK(f.join(token, f.mine).error().code == Code::denied);
}

TEST_CASE("a token that was not made here, or for another server, is refused and leaves nothing behind") {
  JoinFixture f;
  const std::string token = f.token();
  const size_t dot = token.find('.');
  const std::string time = token.substr(0, dot), mac = token.substr(dot + 1);
  CHECK(mac.size() == 64);
  std::string flipped = token;
  flipped.back() = flipped.back() == '0' ? '1' : '0';
  JoinFixture elsewhere;  // another master key
  write_file(elsewhere.dir / "key", std::string(64, 'a') + "\n");
  const Sealer sealer = *Sealer::open(elsewhere.dir / "key", false, elsewhere.rng);
  const Joins foreign(f.store, sealer, f.authority, f.clock, "");
  const std::string later = std::to_string(f.clock.wall().ms + 1);
  for (const std::string& bad :
       {std::string(), std::string("."), time, mac, time + ".", "." + mac, flipped, token + "0", later + "." + mac,
        " " + token, time + " ." + mac, "-1." + mac, "99999999999999999999." + mac, time + "." + token,
        foreign.endpoint(kServer).token, f.token({"1", "server-0", 2}), f.token({"1", "server-1", 1}),
        f.token({"2", "server-0", 1}), std::string("guest-token"), std::string(kAdmin)}) {
    INFO(bad);
    auto refused = f.join(bad, f.mine);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::denied);
    CHECK((bad.size() < 2 || refused.error().message.find(bad) == std::string::npos));
  }
  for (const char* server : {"", "trove", "trove-1-server-0", "trove-1-server-0-01", "trove-1-server-0-1 ",
                             "trove-1-server-0-1\n", "trove-2-server-0-1", "/join/1/server-0/1", "../1"}) {
    CHECK(f.join(token, f.mine, server).error().code == Code::denied);
  }
  auto left = f.store.range("/join/", "/join0", 10);
  REQUIRE(left);
  CHECK(left->items.empty());
  CHECK(f.join(token, f.mine));
}

TEST_CASE("what is no request for a certificate does not use the token up") {
  JoinFixture f;
  const std::string token = f.token();
  CHECK(f.joins.join(kName, token, "").error().code == Code::invalid);
  CHECK(f.joins.join(kName, token, "garbage").error().code == Code::invalid);
  CHECK(f.joins.join(kName, token, pki::request_of(pki::rsa_key())).error().code == Code::invalid);
  CHECK(f.joins.join(kName, token, pki::request_of(pki::ec_key(), pki::ec_key())).error().code == Code::invalid);
  CHECK(f.joins.join(kName, token, std::string(kMaxCertificateRequest + 1, 'x')).error().code == Code::too_large);
  CHECK(f.join(token, f.mine));
}

TEST_CASE("a join is remembered over a restart") {
  JoinFixture f;
  const std::string path = f.dir / "state/trove.db", token = f.token();
  {
    auto store = *open_sqlite_store(path, f.clock);
    Joins joins(*store, f.sealer, f.authority, f.clock, "");
    REQUIRE(joins.join(kName, token, f.mine.pem));
  }
  auto store = *open_sqlite_store(path, f.clock);
  auto authority = pki::Authority::open(f.dir / "pki", f.clock);
  Joins joins(*store, f.sealer, *authority, f.clock, "");
  CHECK(joins.join(kName, token, f.other.pem).error().code == Code::denied);
  CHECK(joins.join(kName, joins.endpoint(kServer).token, f.other.pem).error().code == Code::denied);
  CHECK(joins.join(kName, token, f.mine.pem));
}

TEST_CASE("a store whose answer was lost is asked what it knows") {
  JoinFixture f;
  f.store.lose_answers = 1;
  CHECK(f.join(f.token(), f.mine));
  CHECK(f.join(f.token(), f.other).error().code == Code::denied);
}

TEST_CASE("a store that is gone lets nobody in") {
  JoinFixture f;
  const std::string token = f.token();
  f.store.broken = true;
  CHECK(f.join(token, f.mine).error().code == Code::unavailable);
  f.store.broken = false;
  CHECK(f.join(token, f.other));
}

TEST_CASE("somebody who was faster by a moment has the server") {
  JoinFixture f;
  const std::string token = f.token();
  bool once = false;
  f.store.before_commit = [&] {
    if (!std::exchange(once, true)) REQUIRE(f.join(token, f.other));
  };
  CHECK(f.join(token, f.mine).error().code == Code::denied);
}

TEST_CASE("of many keys with one token at the same moment one joins") {
  for (int round = 0; round < 5; ++round) {
    JoinFixture f;
    const std::string token = f.token();
    std::vector<pki::Request> requests;
    for (int i = 0; i < 8; ++i) requests.push_back(*pki::make_request());
    std::atomic<int> joined{0}, denied{0};
    std::vector<std::thread> guests;
    for (const pki::Request& one : requests) {
      guests.emplace_back([&f, &one, &token, &joined, &denied] {
        auto answer = f.join(token, one);
        if (answer) ++joined;
        if (!answer && answer.error().code == Code::denied) ++denied;
      });
    }
    for (auto& one : guests) one.join();
    CHECK(joined == 1);
    CHECK(denied == 7);
  }
}

TEST_CASE("a guest joins over the API and never says who it is by itself again") {
  JoinFixture f;
  auto answer = f.from("", "POST", "/guest/v1/join", f.join_body(f.token(), f.mine));
  CHECK(answer.status == 200);
  CHECK(pki::common_name_of(json_of(answer)["certificate"].text()) == kName);
  CHECK(header_of(answer, "Cache-Control") == "no-store");
  CHECK(f.from("", "POST", "/guest/v1/join", f.join_body(f.token(), f.other)).status == 403);
  CHECK(f.from("", "GET", "/guest/v1/join").status == 405);
}

TEST_CASE("a join that makes no sense is refused and shown to nobody else") {
  JoinFixture f;
  for (const std::string& body :
       {std::string(), std::string("nonsense"), std::string("[]"), std::string("\"x\""), std::string("{}"),
        std::string("{\"server\":1,\"token\":[],\"request\":{}}"),
        f.join_body("", f.mine), '"' + std::string(2u << 20, 'x') + '"'}) {
    auto answer = f.from("", "POST", "/guest/v1/join", body);
    CHECK(answer.status >= 400);
    CHECK(answer.status < 500);
    CHECK(answer.body.size() < 2'000);
  }
  const std::string token = f.token();
  const std::string secret = token.substr(token.find('.') + 1);
  auto refused = f.from("", "POST", "/guest/v1/join", f.join_body(token, f.mine, "trove-2-server-0-1"));
  CHECK(refused.status == 403);
  CHECK(refused.body.find(secret) == std::string::npos);
  CHECK(refused.body.find(f.joins.endpoint({"2", "server-0", 1}).token) == std::string::npos);
}

TEST_CASE("with joins a guest is known by its certificate and by nothing else") {
  JoinFixture f;
  guest::Report report;
  const std::string body = dump_json(guest::to_value(report));
  const auto all = [&](const std::string& peer, const std::string& bearer) {
    return std::vector<int>{f.from(peer, "GET", "/guest/v1/document", "", bearer).status,
                            f.from(peer, "POST", "/guest/v1/report", body, bearer).status,
                            f.from(peer, "POST", "/guest/v1/renew", f.renew_body(f.mine), bearer).status};
  };
  CHECK(all(kName, "") == std::vector<int>{200, 204, 200});
  CHECK(f.guests.asked_server == kName);
  CHECK(f.guests.reports.size() == 1);
  for (const std::string& bearer : {std::string(), std::string("guest-token"), std::string(kAdmin), f.token()}) {
    CHECK(all("", bearer) == std::vector<int>{401, 401, 401});
    // A server that was replaced, and a name that is none of ours.
    CHECK(all("trove-1-server-0-2", bearer) == std::vector<int>{401, 401, 401});
    CHECK(all("admin", bearer) == std::vector<int>{401, 401, 401});
  }
  CHECK(f.guests.reports.size() == 1);
}

TEST_CASE("a renewal is for the name of the certificate, whatever the body says") {
  JoinFixture f;
  Value body = Value::map({{"request", f.other.pem}, {"server", "trove-2-server-0-1"}});
  auto answer = f.from(kName, "POST", "/guest/v1/renew", dump_json(body));
  REQUIRE(answer.status == 200);
  const std::string certificate = json_of(answer)["certificate"].text();
  CHECK(pki::common_name_of(certificate) == kName);
  CHECK(is_for(certificate, f.other));
  CHECK(pki::validity_of(certificate)->until == f.clock.wall() + kCertificateLife);
  CHECK(f.from(kName, "POST", "/guest/v1/renew", "{}").status == 400);
  CHECK(f.from(kName, "POST", "/guest/v1/renew", "nonsense").status == 400);
  body.set("request", std::string(kMaxCertificateRequest + 1, 'x'));
  CHECK(f.from(kName, "POST", "/guest/v1/renew", dump_json(body)).status == 413);
}

TEST_CASE("the door of guests leads to nothing else, not even for an administrator") {
  JoinFixture f;
  REQUIRE(f.apply(instance("db")).status == 200);
  for (const char* path :
       {"/", "/healthz", "/readyz", "/version", "/metrics", "/openapi.json", "/apis/trove/v1alpha1/projects/shop/apply",
        "/apis/trove/v1alpha1/projects/shop/databaseinstances/db", "/objects/a", "/guest", "/guestv1/document",
        "//guest/v1/document", "/Guest/v1/document", "guest/v1/document", "",
        "/guest/", "/guest/v1", "/guest/v1/", "/guest/v1/join/", "/guest/../healthz", "/guest/v1/../../healthz",
        "/guest/../apis/trove/v1alpha1/projects/shop/databaseinstances/db"}) {
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
      INFO(method << ' ' << path);
      auto answer = f.from(kName, method, path, "{}", kAdmin);
      CHECK(answer.status == 404);
      CHECK(answer.body.find("\"db\"") == std::string::npos);
    }
  }
}

TEST_CASE("a certificate opens no door but that of guests") {
  JoinFixture f;
  http::Request request;
  request.method = "GET";
  request.path = "/apis/trove/v1alpha1/projects/shop/volumes";
  request.peer_name = kName;
  CHECK(f.api->handle(request, nullptr).status == 401);
  request.peer_name = "jana";
  CHECK(f.api->handle(request, nullptr).status == 401);
}

TEST_CASE("without joins there is nothing to join or renew, and a certificate is no proof") {
  JoinFixture f;
  f.serve(nullptr);
  CHECK(f.from("", "POST", "/guest/v1/join", f.join_body(f.token(), f.mine)).status == 404);
  CHECK(f.from(kName, "POST", "/guest/v1/renew", f.renew_body(f.mine)).status == 404);
  CHECK(f.from(kName, "GET", "/guest/v1/document").status == 401);
  CHECK(f.from(kName, "GET", "/guest/v1/document", "", "guest-token").status == 200);
}

TEST_CASE("bodies are collected from guests that are known, and for a join from anybody") {
  JoinFixture f;
  const auto collects = [&](const std::string& path, const std::string& peer, const std::string& bearer = "") {
    http::Request request;
    request.method = "POST";
    request.path = path;
    request.peer_name = peer;
    if (!bearer.empty()) request.headers["authorization"] = "Bearer " + bearer;
    return !f.api->classify(request).streams_body;
  };
  CHECK(collects("/guest/v1/join", ""));
  for (const char* path : {"/guest/v1/report", "/guest/v1/renew"}) {
    CHECK(collects(path, kName));
    CHECK_FALSE(collects(path, ""));
    CHECK_FALSE(collects(path, "", "guest-token"));
    CHECK_FALSE(collects(path, "trove-1-server-0-2"));
  }
  f.serve(nullptr);
  CHECK_FALSE(collects("/guest/v1/join", ""));
}
