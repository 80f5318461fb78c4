// JSON of the services to records.
#include "providers/openstack/records.hpp"
#include <catch2/catch.hpp>
#include "specs/json.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {
const Token kToken{"2f1c9a00-0000-4000-8000-000000000001", "server-0", 3};
Value json(const std::string& text) { return *parse_json(text); }
}  // namespace

TEST_CASE("a token goes into metadata and comes back") {
  CHECK(token_of_metadata(metadata_of(kToken, "p")) == kToken);
  CHECK(metadata_of(kToken, "p")["trove:project"].text() == "p");
  for (const char* other :
       {R"({})", R"({"trove:uid":"a"})", R"({"trove:uid":"u","trove:role":"data","trove:incarnation":"x"})",
        R"({"trove:uid":"u","trove:role":"data","trove:incarnation":"01"})",
        R"({"trove:uid":"","trove:role":"data","trove:incarnation":"1"})"})
    CHECK_FALSE(token_of_metadata(json(other)).has_value());
  CHECK(token_of_description(Value::map({{"description", to_string(kToken)}})) == kToken);
  CHECK_FALSE(token_of_description(Value::map({{"description", "port of " + to_string(kToken)}})).has_value());
}

TEST_CASE("Nova's states become ours") {
  const auto status = [](const std::string& word, const std::string& task = "") {
    return server_of(Value::map({{"id", "a"}, {"status", word}, {"OS-EXT-STS:task_state", task}}))->status;
  };
  using S = Server::Status;
  CHECK(status("ACTIVE") == S::active);
  CHECK(status("ACTIVE", "deleting") == S::deleting);
  CHECK(status("ERROR", "deleting") == S::deleting);
  CHECK(status("SHUTOFF") == S::shutoff);
  CHECK(status("SHUTOFF", "powering-on") == S::reboot);
  CHECK(status("HARD_REBOOT") == S::reboot);
  CHECK(status("VERIFY_RESIZE") == S::verify_resize);
  CHECK(status("UNKNOWN") == S::unknown);
  CHECK(status("SHELVED_OFFLOADED") == S::unknown);
  CHECK_FALSE(server_of(json(R"({"id":"a"})")).has_value());
  CHECK_FALSE(server_of(json(R"({"status":"ACTIVE"})")).has_value());
}

TEST_CASE("Cinder's volumes become ours") {
  auto volume = volume_of(json(
      R"({"id":"v","name":"n","status":"in-use","size":5,"volume_type":"fast","created_at":"2026-11-23T02:08:29.000000",
          "attachments":[{"server_id":"s","attachment_id":"x"}],
          "metadata":{"trove:uid":"u-1","trove:role":"data","trove:incarnation":"1"}})"));
  REQUIRE(volume.has_value());
  CHECK(volume->status == CloudVolume::Status::in_use);
  CHECK(volume->size_gib == 5);
  CHECK(volume->server_id == "s");
  CHECK(volume->token == Token{"u-1", "data", 1});
  CHECK(format_time(volume->created) == "2026-11-23T02:08:29Z");
  const auto status = [](const std::string& word) {
    return volume_of(Value::map({{"id", "v"}, {"status", word}, {"size", 1}}))->status;
  };
  CHECK(status("retyping") == CloudVolume::Status::retyping);
  // Others are at work on it: waited for, whatever they do.
  for (const char* word : {"maintenance", "backing-up", "awaiting-transfer"})
    CHECK(status(word) == CloudVolume::Status::unknown);
  CHECK_FALSE(volume_of(json(R"({"id":"v","status":"available","size":"5"})")).has_value());
}

TEST_CASE("what a port lets in is what the rules of its own group say, in the words they were asked in") {
  const Token token{"u-1", "port-0", 1};
  const std::string mark = to_string(token);
  auto port = port_of(
      json(R"({"id":"p","name":"db","description":")" + mark +
           R"(","fixed_ips":[{"ip_address":"10.0.0.9"}],"device_id":"s","security_groups":["g"],"network_id":"n"})"));
  REQUIRE(port.has_value());
  CHECK(port->port.token == token);
  CHECK(port->port.address == "10.0.0.9");
  const auto group = [&](const std::string& description, const std::string& rules) {
    return *group_of(
        json(R"({"id":"g","name":"x","description":")" + description + R"(","security_group_rules":[)" + rules + "]}"));
  };
  const std::string egress = R"({"id":"e","direction":"egress","remote_ip_prefix":null})";
  const std::string ours =
      R"({"id":"r","direction":"ingress","protocol":"tcp","remote_ip_prefix":"10.0.0.0/8","description":"trove 10.1.2.3/8"})";
  const std::string foreign =
      R"({"id":"f","direction":"ingress","protocol":null,"remote_ip_prefix":null,"description":""})";
  using Cidrs = std::vector<std::string>;
  CHECK(allowed_by(*port, {{"g", group(mark, egress + "," + ours)}}) == Cidrs{"10.1.2.3/8"});
  CHECK(allowed_by(*port, {{"g", group(mark, ours + "," + foreign)}}) == Cidrs{"10.1.2.3/8", "rule f"});
  CHECK(allowed_by(*port, {{"g", group("somebody's", ours)}}) == Cidrs{"group x"});
  CHECK(allowed_by(*port, {}) == Cidrs{"group g"});
  port->groups.push_back("another");
  CHECK(allowed_by(*port, {{"g", group(mark, ours)}}) == Cidrs{"10.1.2.3/8", "group another"});
  port->groups.clear();
  CHECK(allowed_by(*port, {{"g", group(mark, ours)}}) == Cidrs{});
  const Value rule = rule_for("g", "2001:db8::/32");
  CHECK(rule["ethertype"].text() == "IPv6");
  CHECK(rule["direction"].text() == "ingress");
}

TEST_CASE("a token has one MAC address, of no maker and of one card") {
  const std::string mac = mac_of(kToken);
  CHECK(mac == mac_of(kToken));
  CHECK(mac.size() == 17);
  CHECK((std::stoi(mac.substr(0, 2), nullptr, 16) & 3) == 2);
  Token other = kToken;
  ++other.incarnation;
  CHECK(mac_of(other) != mac);
}
