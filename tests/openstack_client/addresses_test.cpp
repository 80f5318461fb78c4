// Floating IPs for access.public, availability zones and server groups: over HTTP, by the simulated cloud.
#include <catch2/catch.hpp>
#include "openstack_client/over_http.hpp"
#include "providers/openstack/lists.hpp"
#include "specs/json.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {

// Somebody else with the same credentials.
struct Somebody {
  explicit Somebody(World& world)
      : transport(make_transport("")), session(world.config, *transport, world.clock, world.rng) {}
  std::vector<Value> addresses() { return *list_all(session, {Service::network, "/floatingips", "floatingips", ""}); }
  Value make(const std::string& description, const std::string& port) {
    const auto networks = *list_all(session, {Service::network, "/networks", "networks", "name=public"});
    Value wanted = Value::map({{"floating_network_id", networks.front()["id"]}, {"description", description}});
    if (!port.empty()) wanted.set("port_id", port);
    return session.send({Service::network, "POST", "/floatingips", Value::map({{"floatingip", wanted}}), {}})
        ->body["floatingip"];
  }
  std::string make_server_group(const std::string& name) {
    session.set_microversion(Service::compute, "compute 2.64");  // from which on a group has one policy
    const Value wanted = Value::map({{"name", name}, {"policy", "anti-affinity"}});
    return session.send({Service::compute, "POST", "/os-server-groups", Value::map({{"server_group", wanted}}), {}})
        ->body["server_group"]["id"].text();
  }
  std::unique_ptr<Transport> transport;
  Session session;
};

const std::vector<std::string> kOpen = {"0.0.0.0/0"};

std::string public_of(World& world, const std::string& port) {
  for (const Port& seen : world.cloud->observe().ports)
    if (seen.id == port) return seen.public_address;
  return "(no port)";
}

}  // namespace

TEST_CASE("a public port has one floating IP with our mark for as long as it is public") {
  World world("public");
  Somebody somebody(world);
  const std::string foreign = somebody.make("somebody's", "")["id"].text();
  const Token token = world.token("port-0");
  const auto port = world.cloud->perform(CreatePort{token, "p", "db-0", kOpen, true});
  REQUIRE(port.has_value());
  const std::string address = public_of(world, port->id);
  CHECK(address.starts_with("203.0.113."));
  REQUIRE(somebody.addresses().size() == 2);
  for (const Value& one : somebody.addresses())
    if (one["id"].text() != foreign) {
      CHECK(one["description"].text() == to_string(token));
      CHECK(one["port_id"].text() == port->id);
    }

  // Asked again, it is the same one.
  REQUIRE(world.cloud->perform(UpdatePort{token, port->id, kOpen, true}).has_value());
  CHECK(public_of(world, port->id) == address);
  CHECK(somebody.addresses().size() == 2);

  SECTION("not public any more") {
    REQUIRE(world.cloud->perform(UpdatePort{token, port->id, kOpen, false}).has_value());
    CHECK(public_of(world, port->id).empty());
  }
  SECTION("deleted") {
    REQUIRE(world.cloud->perform(DeletePort{token, port->id}).has_value());
    CHECK(world.ports() == 0);
  }
  REQUIRE(somebody.addresses().size() == 1);
  CHECK(somebody.addresses().front()["id"].text() == foreign);
}

TEST_CASE("a floating IP whose answer was lost is found again by its mark") {
  World world("public");
  Somebody somebody(world);
  const Token token = world.token("port-0");
  const auto port = world.cloud->perform(CreatePort{token, "p", "db-0", kOpen});
  REQUIRE(port.has_value());
  world.fault(Kind::lost_reply, "network", "POST", 1, 503, "/floatingips");
  const auto first = world.cloud->perform(UpdatePort{token, port->id, kOpen, true});
  REQUIRE_FALSE(first.has_value());
  CHECK(first.error().code == Code::outcome_unknown);
  REQUIRE(world.cloud->perform(UpdatePort{token, port->id, kOpen, true}).has_value());
  CHECK(somebody.addresses().size() == 1);
  CHECK_FALSE(public_of(world, port->id).empty());
}

TEST_CASE("of two floating IPs with one mark the one in use stays, and one without a port is given to it") {
  World world("public");
  Somebody somebody(world);
  const Token token = world.token("port-0");
  const auto port = world.cloud->perform(CreatePort{token, "p", "db-0", kOpen});
  REQUIRE(port.has_value());
  const std::string idle = somebody.make(to_string(token), "")["id"].text();
  REQUIRE(world.cloud->perform(UpdatePort{token, port->id, kOpen, true}).has_value());
  REQUIRE(somebody.addresses().size() == 1);
  CHECK(somebody.addresses().front()["id"].text() == idle);
  CHECK(somebody.addresses().front()["port_id"].text() == port->id);
  const std::string address = public_of(world, port->id);
  somebody.make(to_string(token), "");
  REQUIRE(world.cloud->perform(UpdatePort{token, port->id, kOpen, true}).has_value());
  CHECK(somebody.addresses().size() == 1);
  CHECK(public_of(world, port->id) == address);
}

TEST_CASE("a floating IP whose port was taken away is shown as a stray, and only then deleted by itself") {
  World world("public");
  Somebody somebody(world);
  const Token token = world.token("port-0");
  const auto port = world.cloud->perform(CreatePort{token, "p", "db-0", kOpen, true});
  REQUIRE(port.has_value());
  CHECK(world.cloud->observe().strays.empty());
  const std::string id = somebody.addresses().front()["id"].text();
  const auto refused = world.cloud->perform(DeleteAddress{token, id});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::conflict);

  REQUIRE(somebody.session.send({Service::network, "DELETE", "/ports/" + port->id, {}, {}}).has_value());
  world.clock.advance(Millis{61'000});
  const Inventory seen = world.cloud->observe();
  REQUIRE(seen.strays.size() == 1);
  CHECK(seen.strays.front().id == id);
  CHECK(seen.strays.front().token == token);
  // Under another mark it is not found, and stays.
  REQUIRE(world.cloud->perform(DeleteAddress{world.token("port-1"), id}).has_value());
  CHECK(somebody.addresses().size() == 1);
  REQUIRE(world.cloud->perform(DeleteAddress{token, id}).has_value());
  CHECK(somebody.addresses().empty());
}

TEST_CASE("without floating IPs known no port is known, and without a network for them none is asked for") {
  World world("public");
  const auto port = world.cloud->perform(CreatePort{world.token("port-0"), "p", "db-0", kOpen});
  REQUIRE(port.has_value());
  world.fault(Kind::error, "network", "GET", -1, 503, "/floatingips");
  CHECK_FALSE(world.cloud->observe().ports_known);

  World plain;
  plain.fault(Kind::error, "network", "", -1, 503, "/floatingips");
  const Token token = plain.token("port-0");
  const auto other = plain.cloud->perform(CreatePort{token, "p", "db-0", kOpen, true});
  REQUIRE(other.has_value());
  CHECK(plain.cloud->observe().ports_known);
  const auto refused = plain.cloud->perform(UpdatePort{token, other->id, kOpen, true});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::invalid);
  CHECK(refused.error().hint.find("--external-network") != std::string::npos);
  CHECK(plain.cloud->perform(DeletePort{token, other->id}).has_value());
}

TEST_CASE("a server is made in the server group of that name or id; one that is not there, or not one only, is refused") {
  World world;
  Somebody somebody(world);
  std::vector<std::string> ids;
  for (const char* name : {"mine", "twice", "twice"}) ids.push_back(somebody.make_server_group(name));
  const auto made = [&](const std::string& role, const std::string& group) {
    const auto port = world.cloud->perform(CreatePort{world.token(("port-" + role).c_str()), "p", "db-" + role, {}});
    REQUIRE(port.has_value());
    return world.cloud->perform(CreateServer{world.token(("server-" + role).c_str()), "p", "db-" + role, "db.nano", "mariadb", "",
                                             port->id, "", "", group});
  };
  for (const auto& [role, group] : std::map<std::string, std::string>{{"0", "mine"}, {"1", ids[1]}}) {
    const auto server = made(role, group);
    INFO((server ? "" : server.error().message));
    REQUIRE(server.has_value());
    world.face->locked([&](SimCloud& sim) { CHECK(sim.model().server_more.at(server->id).group == (group == "mine" ? ids[0] : group)); });
  }
  const auto none = made("2", "nowhere");
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == Code::invalid);
  CHECK(none.error().message.find("there is no server group nowhere") != std::string::npos);
  CHECK(none.error().hint.find("there are: apart, mine, twice, twice") != std::string::npos);
  const auto two = made("3", "twice");
  REQUIRE_FALSE(two.has_value());
  CHECK(two.error().code == Code::invalid);
  CHECK(two.error().message.find("2 server groups are called twice") != std::string::npos);
  CHECK(two.error().hint.find(ids[1]) != std::string::npos);
}

TEST_CASE("servers and volumes are made in the zone that is asked for, and refused in one that is not there") {
  World world;
  const auto port = world.cloud->perform(CreatePort{world.token("port-0"), "p", "db-0", {}});
  REQUIRE(port.has_value());
  CreateVolume volume{world.token("data"), "p", "v", 1, "", "nova"};
  CreateServer server{world.token("server-0"), "p", "db-0", "db.nano", "mariadb", "", port->id, "", "nova"};
  for (const bool known : {false, true}) {
    volume.zone = server.zone = known ? "nova" : "mars";
    const auto made = world.cloud->perform(volume);
    const auto started = world.cloud->perform(server);
    CHECK(made.has_value() == known);
    CHECK(started.has_value() == known);
    if (known) continue;
    CHECK(made.error().code == Code::invalid);
    CHECK(made.error().message.find("Availability zone 'mars' is invalid") != std::string::npos);
    CHECK(started.error().code == Code::invalid);
    CHECK(started.error().message.find("The requested availability zone is not available") != std::string::npos);
  }
  std::string zone;
  world.face->locked([&](SimCloud& sim) {
    for (const auto& [id, more] : sim.model().server_more) zone += more.zone;
    for (const auto& [id, more] : sim.model().volume_more) zone += "," + more.zone;
  });
  CHECK(zone == "nova,nova");
}
