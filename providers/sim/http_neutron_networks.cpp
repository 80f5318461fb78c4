// Neutron's networks, subnets, floating addresses and quotas.
#include <algorithm>
#include <charconv>
#include "providers/sim/http_neutron.hpp"

namespace trove::sim {

namespace {

http::Response not_allowed() { return neutron_error(405, "HTTPMethodNotAllowed", "The method is not allowed."); }

Value network_view(World& world, const Network& network) {
  Value subnets = Value::list();
  for (const auto& [id, subnet] : world.subnets)
    if (subnet.network == network.id) subnets.push_back(id);
  return Value::map({{"id", network.id},
                     {"name", network.name},
                     {"tenant_id", network.project},
                     {"project_id", network.project},
                     {"admin_state_up", true},
                     {"status", "ACTIVE"},
                     {"shared", network.shared},
                     {"router:external", network.external},
                     {"mtu", 1500},
                     {"port_security_enabled", true},
                     {"subnets", std::move(subnets)},
                     {"tags", Value::list()},
                     {"description", ""}});
}

Value subnet_view(const Subnet& subnet) {
  return Value::map({{"id", subnet.id},
                     {"name", subnet.name},
                     {"tenant_id", subnet.project},
                     {"project_id", subnet.project},
                     {"network_id", subnet.network},
                     {"ip_version", 4},
                     {"cidr", subnet.cidr},
                     {"gateway_ip", subnet.gateway},
                     {"enable_dhcp", true},
                     {"dns_nameservers", Value::list()},
                     {"host_routes", Value::list()},
                     {"allocation_pools", Value::list()},
                     {"tags", Value::list()}});
}

Value floating_view(World& world, const Floating& floating) {
  const auto port = world.model().ports.find(floating.port);
  const bool bound = port != world.model().ports.end();
  return Value::map({{"id", floating.id},
                     {"tenant_id", floating.project},
                     {"project_id", floating.project},
                     {"floating_network_id", floating.network},
                     {"floating_ip_address", floating.address},
                     {"fixed_ip_address", bound ? Value(port->second.address) : Value()},
                     {"port_id", bound ? Value(floating.port) : Value()},
                     {"router_id", Value()},
                     {"status", bound ? "ACTIVE" : "DOWN"},
                     {"description", floating.description},
                     {"tags", Value::list()}});
}

http::Response networks(World& world, Ask& ask) {
  if (ask.is("GET", 1)) {
    std::vector<Value> all;
    for (const auto& [id, network] : world.networks)
      if (visible_to(ask, network.project, network.shared || network.external))
        all.push_back(network_view(world, network));
    return neutron_list(world, ask, "networks", std::move(all));
  }
  if (ask.is("POST", 1)) {
    const Value& asked = ask.body["network"];
    Network network{uid(world), asked["name"].text(), ask.session.project, asked["shared"].bool_or(false),
                    asked["router:external"].bool_or(false)};
    world.networks[network.id] = network;
    return json(201, Value::map({{"network", network_view(world, network)}}));
  }
  const auto found = world.networks.find(ask.at(1));
  if (found == world.networks.end() ||
      !visible_to(ask, found->second.project, found->second.shared || found->second.external))
    return neutron_error(404, "NetworkNotFound", "Network " + ask.at(1) + " could not be found.");
  if (ask.is("GET", 2))
    return json(200, Value::map({{"network", select_fields(ask, network_view(world, found->second))}}));
  if (ask.is("DELETE", 2)) {
    for (const auto& [id, more] : world.model().port_more)
      if (more.network == ask.at(1))
        return neutron_error(409, "NetworkInUse",
                             "Unable to complete operation on network " + ask.at(1) +
                                 ". There are one or more ports still in use on the network.");
    std::erase_if(world.subnets, [&](const auto& subnet) { return subnet.second.network == ask.at(1); });
    world.networks.erase(found);
    return empty(204);
  }
  return not_allowed();
}

http::Response subnets(World& world, Ask& ask) {
  if (ask.is("GET", 1)) {
    std::vector<Value> all;
    for (const auto& [id, subnet] : world.subnets) {
      const auto network = world.networks.find(subnet.network);
      const bool open = network != world.networks.end() && network->second.shared;
      if (visible_to(ask, subnet.project, open)) all.push_back(subnet_view(subnet));
    }
    return neutron_list(world, ask, "subnets", std::move(all));
  }
  if (ask.is("POST", 1)) {
    const Value& asked = ask.body["subnet"];
    Subnet subnet{
        uid(world), asked["name"].text(), ask.session.project, asked["network_id"].text(), asked["cidr"].text(), "", 0,
        0};
    if (!world.networks.contains(subnet.network))
      return neutron_error(404, "NetworkNotFound", "Network " + subnet.network + " could not be found.");
    const size_t slash = subnet.cidr.find('/');
    const auto base = read_address(subnet.cidr.substr(0, slash));
    const int bits = slash == std::string::npos ? 0 : std::atoi(subnet.cidr.c_str() + slash + 1);
    if (!base || bits < 8 || bits > 30)
      return neutron_error(400, "HTTPBadRequest",
                           "Invalid input for cidr. Reason: '" + subnet.cidr + "' is not a valid IP subnet.");
    subnet.size = 1u << (32 - bits);
    subnet.base = *base & ~(subnet.size - 1);
    const uint32_t gate = subnet.base + 1;
    subnet.gateway = std::to_string(gate >> 24) + "." + std::to_string((gate >> 16) & 255) + "." +
                     std::to_string((gate >> 8) & 255) + "." + std::to_string(gate & 255);
    world.subnets[subnet.id] = subnet;
    return json(201, Value::map({{"subnet", subnet_view(subnet)}}));
  }
  const auto found = world.subnets.find(ask.at(1));
  if (found == world.subnets.end())
    return neutron_error(404, "SubnetNotFound", "Subnet " + ask.at(1) + " could not be found.");
  if (ask.is("GET", 2)) return json(200, Value::map({{"subnet", select_fields(ask, subnet_view(found->second))}}));
  if (ask.is("DELETE", 2)) {
    for (const auto& [id, more] : world.model().port_more)
      if (more.subnet == ask.at(1))
        return neutron_error(409, "SubnetInUse",
                             "Unable to complete operation on subnet " + ask.at(1) +
                                 ": One or more ports have an IP allocation from this subnet.");
    return world.subnets.erase(found), empty(204);
  }
  return not_allowed();
}

http::Response floatings(World& world, Ask& ask) {
  if (ask.is("GET", 1)) {
    std::vector<Value> all;
    for (const auto& [id, floating] : world.floatings)
      if (visible_to(ask, floating.project, false)) all.push_back(floating_view(world, floating));
    return neutron_list(world, ask, "floatingips", std::move(all));
  }
  const auto check_port = [&](const std::string& port, const std::string& self) -> std::optional<http::Response> {
    if (port.empty()) return std::nullopt;
    if (!world.model().ports.contains(port))
      return neutron_error(404, "PortNotFound", "Port " + port + " could not be found.");
    for (const auto& [id, other] : world.floatings)
      if (other.port == port && id != self)
        return neutron_error(409, "FloatingIPPortAlreadyAssociated",
                             "Cannot associate floating IP " + other.address + " (" + id + ") with port " + port +
                                 ", as that fixed IP already has a floating IP on external network " + other.network +
                                 ".");
    return std::nullopt;
  };
  if (ask.is("POST", 1)) {
    const Value& asked = ask.body["floatingip"];
    const auto network = world.networks.find(asked["floating_network_id"].text());
    if (network == world.networks.end() || !network->second.external)
      return neutron_error(400, "BadRequest",
                           "Bad floatingip request: Network " + asked["floating_network_id"].text() +
                               " is not a valid external network.");
    Floating floating{
        uid(world), "", network->first, asked["port_id"].text(), ask.session.project, asked["description"].text()};
    if (auto refusal = check_port(floating.port, "")) return *refusal;
    std::set<std::string> used;
    for (const auto& [id, other] : world.floatings) used.insert(other.address);
    for (int n = 10; n < 250 && floating.address.empty(); ++n)
      if (std::string address = "203.0.113." + std::to_string(n); !used.contains(address)) floating.address = address;
    if (floating.address.empty())
      return neutron_error(409, "IpAddressGenerationFailure",
                           "No more IP addresses available on network " + floating.network + ".");
    world.floatings[floating.id] = floating;
    return json(201, Value::map({{"floatingip", floating_view(world, floating)}}));
  }
  const auto found = world.floatings.find(ask.at(1));
  if (found == world.floatings.end() || !visible_to(ask, found->second.project, false))
    return neutron_error(404, "FloatingIPNotFound", "Floating IP " + ask.at(1) + " could not be found.");
  if (ask.is("GET", 2)) return json(200, Value::map({{"floatingip", floating_view(world, found->second)}}));
  if (ask.is("PUT", 2)) {
    const Value& asked = ask.body["floatingip"];
    if (asked.find("port_id")) {
      if (auto refusal = check_port(asked["port_id"].text(), ask.at(1))) return *refusal;
      found->second.port = asked["port_id"].text();
    }
    return json(200, Value::map({{"floatingip", floating_view(world, found->second)}}));
  }
  if (ask.is("DELETE", 2)) return world.floatings.erase(found), empty(204);
  return not_allowed();
}

http::Response quotas(World& world, Ask& ask) {
  const SimModel& model = world.model();
  if (!ask.session.admin && ask.at(1) != ask.session.project)
    return neutron_error(403, "AdminRequired",
                         "User does not have admin privileges: Cannot GET resource for non admin tenant.");
  struct Row {
    const char* name;
    int64_t limit;
    size_t used;
  };
  const Row rows[] = {{"port", model.options.max_ports, model.ports.size()},
                      {"network", -1, world.networks.size()},
                      {"subnet", -1, world.subnets.size()},
                      {"security_group", -1, world.groups.size()},
                      {"security_group_rule", -1, world.rules.size()},
                      {"floatingip", -1, world.floatings.size()}};
  const bool details = ask.at(2).starts_with("details");
  Value quota = Value::map();
  for (const Row& row : rows)
    quota.set(row.name,
              details ? Value::map({{"limit", row.limit}, {"used", row.used}, {"reserved", 0}}) : Value(row.limit));
  return json(200, Value::map({{"quota", std::move(quota)}}));
}

}  // namespace

http::Response neutron_networks(World& world, Ask& ask) {
  if (ask.at(0) == "networks") return networks(world, ask);
  if (ask.at(0) == "subnets") return subnets(world, ask);
  if (ask.at(0) == "floatingips") return floatings(world, ask);
  if (ask.at(0) == "quotas" && ask.request.method == "GET" && ask.path.size() >= 2) return quotas(world, ask);
  if (ask.at(0) == "extensions" && ask.is("GET", 1)) {
    Value list = Value::list();
    for (const char* alias : {"security-group", "port-security", "standard-attr-tag", "tag-ports-during-bulk-creation",
                              "standard-attr-description", "allowed-address-pairs", "quotas", "router", "external-net",
                              "pagination", "sorting"})
      list.push_back(Value::map({{"alias", alias}, {"name", alias}, {"description", ""}, {"links", Value::list()}}));
    return json(200, Value::map({{"extensions", std::move(list)}}));
  }
  return neutron_error(404, "HTTPNotFound", "The resource could not be found.");
}

}  // namespace trove::sim
