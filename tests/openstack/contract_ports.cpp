// The ports' part of the contract: see contract.cpp.
#include <algorithm>
#include <catch2/catch.hpp>
#include "openstack/real.hpp"
#include "providers/openstack/records.hpp"

using namespace trove;
using namespace trove::openstack;

// Needs a network for floating IPs with a router to the other one; the rig has rig-ext, another cloud names its own.
TEST_CASE("a public address comes, stays with its port, and goes") {
  const std::string external = setting("TROVE_EXTERNAL_NETWORK", "rig-ext");
  Real real;
  auto transport = make_transport("");
  Session session(real.config, *transport, real.clock, real.rng);
  auto there = list_all(session, {Service::network, "/networks", "networks", "name=" + external});
  REQUIRE(there.has_value());
  if (there->empty()) {
    WARN("no network " << external << ": floating IPs are not tried");
    return;
  }
  real.cloud = real.open(Millis{60'000}, external);
  const auto public_of = [&](const std::string& id) {
    const Inventory seen = real.cloud->observe();
    INFO(seen.trouble);
    REQUIRE(seen.ports_known);
    const Port* port = Real::find(seen.ports, id);
    return port ? port->public_address : "(no port)";
  };
  const Token token = real.token("port-0");
  const std::string id = real.must(CreatePort{token, "p", "orders-db-0", {"10.0.0.0/8"}, true}).id;
  const std::string address = public_of(id);
  CHECK(address.find('.') != std::string::npos);
  // Said again, as after an answer that was lost: no second one.
  CHECK(real.must(CreatePort{token, "p", "orders-db-0", {"10.0.0.0/8"}, true}).id == id);
  real.must(UpdatePort{token, id, {"192.0.2.0/24"}, true});
  CHECK(public_of(id) == address);
  const auto ours = [&] {
    auto all = list_all(session, {Service::network, "/floatingips", "floatingips", ""});
    REQUIRE(all.has_value());
    return std::count_if(all->begin(), all->end(),
                         [&](const Value& one) { return one["description"].text() == to_string(token); });
  };
  CHECK(ours() == 1);
  real.must(UpdatePort{token, id, {"192.0.2.0/24"}, false});
  CHECK(public_of(id).empty());
  CHECK(ours() == 0);
  real.must(UpdatePort{token, id, {"192.0.2.0/24"}, true});
  CHECK(ours() == 1);
  real.must(DeletePort{token, id});
  CHECK(ours() == 0);
}

TEST_CASE("two ports with one token can both go, and their group with the last") {
  Real real;
  const Token token = real.token("port-0");
  const std::string first = real.must(CreatePort{token, "p", "twin", {"10.0.0.0/8"}}).id;
  // As when somebody made the second without choosing its address.
  auto transport = make_transport("");
  Session session(real.config, *transport, real.clock, real.rng);
  auto groups =
      list_all(session, {Service::network, "/security-groups", "security_groups", "description=" + to_string(token)});
  REQUIRE(groups.has_value());
  REQUIRE(groups->size() == 1);
  auto ports = session.send({Service::network, "GET", "/ports/" + first, {}, {}});
  REQUIRE(ports.has_value());
  auto twin =
      session.send({Service::network,
                    "POST",
                    "/ports",
                    Value::map({{"port", Value::map({{"network_id", ports->body["port"]["network_id"]},
                                                     {"description", to_string(token)},
                                                     {"security_groups", Value::list({groups->front()["id"]})}})}}),
                    {}});
  REQUIRE(twin.has_value());
  const std::string second = twin->body["port"]["id"].text();
  real.must(DeletePort{token, first});
  CHECK(Real::find(real.cloud->observe().ports, second)->allowed_cidrs == std::vector<std::string>{"10.0.0.0/8"});
  real.must(DeletePort{token, second});
  groups = list_all(session, {Service::network, "/security-groups", "security_groups", ""});
  REQUIRE(groups.has_value());
  for (const Value& group : *groups) CHECK(group["description"].text() != to_string(token));
}
