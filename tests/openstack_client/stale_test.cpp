// Lists that are older than what is true, and cells that are down.
#include <catch2/catch.hpp>
#include "openstack_client/scripted.hpp"
#include "providers/openstack/openstack.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {

const Token kToken{"11111111-2222-4333-8444-555555555555", "server-0", 1};

struct Stale {
  Stale() {
    auto transport = std::make_unique<Scripted>();
    script = transport.get();
    script->answers = [this](const Asked& asked) { return answer(asked); };
    cloud = *open_openstack_cloud(Options{.config = password_config(),
                                          .network = "n",
                                          .images = {{"", "i"}},
                                          .object_key = Secret("k"),
                                          .guest_endpoint = [](const Token&) { return GuestEndpoint{}; },
                                          .clock = clock,
                                          .rng = rng,
                                          .transport = std::move(transport)});
  }
  Result<http::Answer> answer(const Asked& asked) {
    const auto has = [&](const char* part) { return asked.path.find(part) != std::string::npos; };
    if (asked.path == "/v2.1/") return Scripted::json(200, R"({"version":{"id":"v2.1","version":"2.93"}})");
    if (asked.path == "/v3/") return Scripted::json(200, R"({"versions":[{"id":"v3.0","version":"3.70"}]})");
    if (has("/extensions"))
      return Scripted::json(200,
                            R"({"extensions":[{"alias":"security-group"},{"alias":"standard-attr-description"}]})");
    if (has("tags=")) return Scripted::json(200, R"({"servers":[)" + tagged + "]}");
    if (has("/servers/detail")) return Scripted::json(200, R"({"servers":[)" + listed + "]}");
    for (const char* key : {"volumes", "ports", "flavors"})
      if (has(key)) return Scripted::json(200, R"({")" + std::string(key) + R"(":[]})");
    if (has("/security-groups")) return Scripted::json(200, R"({"security_groups":[]})");
    return Scripted::json(404, R"({"itemNotFound":{"message":"not found"}})");
  }
  static std::string server(const char* status, bool metadata = true) {
    std::string text = R"({"id":"s1","status":")" + std::string(status) + '"';
    if (metadata) text += R"(,"metadata":)" + dump_json(metadata_of_token());
    return text + "}";
  }
  static Value metadata_of_token() {
    return Value::map({{"trove:uid", kToken.uid}, {"trove:role", kToken.role}, {"trove:incarnation", "1"}});
  }
  FakeClock clock;
  SeededRng rng{1};
  std::string listed, tagged;
  Scripted* script = nullptr;
  std::unique_ptr<OpenStackCloud> cloud;
};

}  // namespace

TEST_CASE("what is looked for by its token is found though the list does not have it yet") {
  Stale stale;
  const Sought sought{Sought::What::server, kToken, ""};
  CHECK(stale.cloud->observe({sought}).absent == std::vector{sought});
  stale.tagged = Stale::server("BUILD");
  const Inventory seen = stale.cloud->observe({sought});
  CHECK(seen.absent.empty());
  REQUIRE(seen.servers.size() == 1);
  CHECK(seen.servers.front().token == kToken);
  // In the list as well: nobody is asked twice.
  stale.listed = stale.tagged;
  const size_t before = stale.script->count("tags=");
  CHECK(stale.cloud->observe({sought}).servers.size() == 1);
  CHECK(stale.script->count("tags=") == before);
}

TEST_CASE("a server of a cell that is down keeps its token, or makes the list unknown") {
  Stale stale;
  stale.listed = Stale::server("UNKNOWN", false);
  Inventory seen = stale.cloud->observe();
  CHECK_FALSE(seen.servers_known);
  CHECK(seen.servers.empty());
  stale.listed = Stale::server("ACTIVE");
  CHECK(stale.cloud->observe().servers_known);
  stale.listed = Stale::server("UNKNOWN", false);
  seen = stale.cloud->observe();
  CHECK(seen.servers_known);
  REQUIRE(seen.servers.size() == 1);
  CHECK(seen.servers.front().token == kToken);
  CHECK(seen.servers.front().status == Server::Status::unknown);
}

TEST_CASE("a cloud that is too old is refused with what it would need") {
  Stale stale;
  stale.script->answers = [&](const Asked& asked) -> Result<http::Answer> {
    if (asked.path == "/v2.1/") return Scripted::json(200, R"({"version":{"id":"v2.1","version":"2.9"}})");
    return stale.answer(asked);
  };
  const Inventory seen = stale.cloud->observe();
  CHECK_FALSE(seen.servers_known);
  CHECK(seen.trouble.find("nova: microversion 2.47 is needed, and it has at most 2.9") == 0);
  CHECK(seen.volumes_known);
}
