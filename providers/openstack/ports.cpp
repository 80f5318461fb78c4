// Neutron: a port per instance, closed but for what a security group of its own lets in. The port comes first and goes
// last, because it is what the lists show: whatever a crash leaves half done is seen, and done again.
#include <algorithm>
#include "providers/openstack/cloud.hpp"

namespace trove::openstack {
namespace {

constexpr const char* kUnused = "";

Value ids(const std::vector<std::string>& all) {
  Value list = Value::list();
  for (const std::string& id : all) list.push_back(id);
  return list;
}

}  // namespace

Openstack::Answered<std::optional<PortSeen>> Openstack::own_port(const std::string& id, const Token& token) {
  auto reply = get(Service::network, "/ports/" + http::percent_encode(id));
  if (!reply && reply.error().error.code == Code::not_found) return std::nullopt;
  if (!reply) return tl::unexpected(reply.error());
  auto port = port_of(reply->body["port"]);
  if (!port)
    return tl::unexpected(refused(Service::network, Code::unavailable, "port " + id + " cannot be understood"));
  if (port->port.token != token)
    return tl::unexpected(refused(Service::network, Code::denied,
                                  "port " + id + " does not carry " + to_string(token) + "; it is not touched"));
  return port;
}

Openstack::Answered<std::vector<SecurityGroup>> Openstack::groups_of(const Token& token) {
  auto listed = list_all(session_, {Service::network, "/security-groups", "security_groups",
                                    "description=" + http::percent_encode(to_string(token))});
  if (!listed) return tl::unexpected(listed.error());
  std::vector<SecurityGroup> groups;
  for (const Value& json : *listed)
    if (auto group = group_of(json); group && group->token == token) groups.push_back(std::move(*group));
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return groups;
}

Openstack::Answered<std::vector<PortSeen>> Openstack::ports_of(const Token& token) {
  auto listed = list_all(
      session_, {Service::network, "/ports", "ports", "description=" + http::percent_encode(to_string(token))});
  if (!listed) return tl::unexpected(listed.error());
  std::vector<PortSeen> ports;
  for (const Value& json : *listed)
    if (auto port = port_of(json); port && port->port.token == token) ports.push_back(std::move(*port));
  std::sort(ports.begin(), ports.end(), [](const auto& a, const auto& b) { return a.port.id < b.port.id; });
  return ports;
}

// The group of this token with exactly these rules, and the port in it and in no other.
Openstack::Answered<void> Openstack::open_port(const Token& token, const std::string& port_id,
                                               const std::vector<std::string>& port_groups,
                                               const std::vector<std::string>& cidrs, std::string& request_id) {
  auto groups = groups_of(token);
  if (!groups) return tl::unexpected(groups.error());
  SecurityGroup group;
  if (!groups->empty()) {
    group = std::move(groups->front());
  } else {
    auto made = session_.send(
        {Service::network,
         "POST",
         "/security-groups",
         Value::map({{"security_group", Value::map({{"name", to_string(token)}, {"description", to_string(token)}})}}),
         {}});
    if (!made) return tl::unexpected(made.error());
    auto seen = group_of(made->body["security_group"]);
    if (!seen)
      return tl::unexpected(
          refused(Service::network, Code::outcome_unknown, "the new security group cannot be understood"));
    group = std::move(*seen);
  }
  // First what is missing, then what is too much: who may come in keeps coming in.
  Value missing = Value::list();
  for (const std::string& cidr : cidrs)
    if (std::none_of(group.rules.begin(), group.rules.end(), [&](const auto& r) { return r.ours && r.cidr == cidr; }))
      missing.push_back(rule_for(group.id, cidr));
  if (!missing.empty()) {
    auto made = session_.send(
        {Service::network, "POST", "/security-group-rules", Value::map({{"security_group_rules", missing}}), {}});
    // Somebody of ours was faster: the next observation shows what is there.
    if (!made) return tl::unexpected(made.error());
    request_id = made->request_id;
  }
  if (port_groups != std::vector<std::string>{group.id}) {
    auto put = session_.send({Service::network,
                              "PUT",
                              "/ports/" + http::percent_encode(port_id),
                              Value::map({{"port", Value::map({{"security_groups", ids({group.id})}})}}),
                              {}});
    if (!put) return tl::unexpected(put.error());
    request_id = put->request_id;
  }
  std::vector<std::string> kept;
  for (const SecurityGroup::Rule& rule : group.rules) {
    const bool wanted = rule.ours && std::find(cidrs.begin(), cidrs.end(), rule.cidr) != cidrs.end() &&
                        std::find(kept.begin(), kept.end(), rule.cidr) == kept.end();
    if (wanted) {
      kept.push_back(rule.cidr);
      continue;
    }
    auto gone =
        session_.send({Service::network, "DELETE", "/security-group-rules/" + http::percent_encode(rule.id), {}, {}});
    if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  }
  // Two that carry one token: the one that the port is in stays.
  for (size_t i = 1; i < groups->size(); ++i) {
    auto gone = session_.send(
        {Service::network, "DELETE", "/security-groups/" + http::percent_encode((*groups)[i].id), {}, {}});
    if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  }
  return {};
}

Openstack::Answered<std::vector<FloatingSeen>> Openstack::addresses_of(const Token& token) {
  auto listed = list_all(session_, {Service::network, "/floatingips", "floatingips",
                                    "description=" + http::percent_encode(to_string(token))});
  if (!listed) return tl::unexpected(listed.error());
  std::vector<FloatingSeen> addresses;
  for (const Value& json : *listed)
    if (auto floating = floating_of(json); floating && floating->token == token)
      addresses.push_back(std::move(*floating));
  std::sort(addresses.begin(), addresses.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return addresses;
}

Openstack::Answered<void> Openstack::drop_addresses(const std::vector<FloatingSeen>& addresses) {
  for (const FloatingSeen& floating : addresses) {
    auto gone = session_.send({Service::network, "DELETE", "/floatingips/" + http::percent_encode(floating.id), {}, {}});
    if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  }
  return {};
}

// Looked for by the token before one is made, so a request without an answer makes no second. Two that carry one token:
// the one that the port has stays.
Openstack::Answered<void> Openstack::give_address(const Token& token, const std::string& port_id, bool wanted,
                                                  std::string& request_id) {
  if (options_.external_network.empty()) {
    if (!wanted) return {};
    return tl::unexpected(refused(Service::network, Code::invalid,
                                  "access.public needs a network for floating IPs, and none is configured",
                                  "start troved with --external-network, or set access.public to false"));
  }
  auto addresses = addresses_of(token);
  if (!addresses) return tl::unexpected(addresses.error());
  if (!wanted) return drop_addresses(*addresses);
  if (addresses->empty()) {
    auto network = id_by_name(Service::network, "/networks", "networks", options_.external_network);
    if (!network) return tl::unexpected(network.error());
    auto made = session_.send({Service::network,
                               "POST",
                               "/floatingips",
                               Value::map({{"floatingip", Value::map({{"floating_network_id", *network},
                                                                      {"port_id", port_id},
                                                                      {"description", to_string(token)}})}}),
                               {}});
    if (!made) return tl::unexpected(made.error());
    request_id = made->request_id;
    return {};
  }
  std::stable_partition(addresses->begin(), addresses->end(), [&](const auto& a) { return a.port_id == port_id; });
  const FloatingSeen kept = addresses->front();
  addresses->erase(addresses->begin());
  if (auto dropped = drop_addresses(*addresses); !dropped) return dropped;
  if (kept.port_id == port_id) return {};
  auto put = session_.send({Service::network,
                            "PUT",
                            "/floatingips/" + http::percent_encode(kept.id),
                            Value::map({{"floatingip", Value::map({{"port_id", port_id}})}}),
                            {}});
  if (!put) return tl::unexpected(put.error());
  request_id = put->request_id;
  return {};
}

Openstack::Answered<Outcome> Openstack::run(const CreatePort& action) {
  auto network = network_id();
  if (!network) return tl::unexpected(network.error());
  Value port = Value::map({{"network_id", *network},
                           {"name", action.name},
                           {"description", to_string(action.token)},
                           {"security_groups", Value::list()},
                           {"mac_address", mac_of(action.token)}});
  auto made = session_.send({Service::network, "POST", "/ports", Value::map({{"port", port}}), {}});
  if (!made && (made.error().kind == "MacAddressInUse" || made.error().error.code == Code::denied)) {
    // One network has each MAC address once, so a port that was made by a request without an answer refuses a second.
    // Only the network's owner may choose the address; for others, looking for the token is all that prevents a second.
    auto there = ports_of(action.token);
    if (!there) return tl::unexpected(there.error());
    if (!there->empty()) return Outcome{there->front().port.id, made.error().request_id};
    if (made.error().error.code != Code::denied) return tl::unexpected(made.error());
    port.erase("mac_address");
    made = session_.send({Service::network, "POST", "/ports", Value::map({{"port", port}}), {}});
  }
  if (!made) return tl::unexpected(made.error());
  auto seen = port_of(made->body["port"]);
  if (!seen)
    return tl::unexpected(refused(Service::network, Code::outcome_unknown, "the new port cannot be understood"));
  // The port is there, whatever becomes of its access: that shows in the next observation, and is then UpdatePort's.
  std::string request_id = made->request_id;
  (void)open_port(action.token, seen->port.id, seen->groups, action.allowed_cidrs, request_id);
  if (action.is_public) (void)give_address(action.token, seen->port.id, true, request_id);
  return Outcome{seen->port.id, made->request_id};
}

Openstack::Answered<Outcome> Openstack::run(const UpdatePort& action) {
  auto port = own_port(action.id, action.token);
  if (!port) return tl::unexpected(port.error());
  if (!*port) return tl::unexpected(refused(Service::network, Code::not_found, "port " + action.id + " is gone"));
  Outcome done{action.id, ""};
  auto opened = open_port(action.token, action.id, (*port)->groups, action.allowed_cidrs, done.request_id);
  if (!opened) return tl::unexpected(opened.error());
  auto given = give_address(action.token, action.id, action.is_public, done.request_id);
  if (!given) return tl::unexpected(given.error());
  return done;
}

Openstack::Answered<Outcome> Openstack::run(const DeletePort& action) {
  auto port = own_port(action.id, action.token);
  if (!port) return tl::unexpected(port.error());
  auto groups = groups_of(action.token);
  if (!groups) return tl::unexpected(groups.error());
  if (*port && (*port)->port.device_id != kUnused) {
    // Neutron would take it from a running server without a word. A server that is gone has left its name behind.
    auto user = get(Service::compute, "/servers/" + http::percent_encode((*port)->port.device_id));
    if (user || user.error().error.code != Code::not_found) {
      if (!user) return tl::unexpected(user.error());
      return tl::unexpected(refused(Service::network, Code::conflict,
                                    "PortInUse: port " + action.id + " belongs to server " + (*port)->port.device_id));
    }
  }
  if (!options_.external_network.empty()) {
    auto addresses = addresses_of(action.token);
    if (!addresses) return tl::unexpected(addresses.error());
    // That of another port of this token goes with that one.
    std::erase_if(*addresses, [&](const auto& a) { return !a.port_id.empty() && a.port_id != action.id; });
    if (auto dropped = drop_addresses(*addresses); !dropped) return tl::unexpected(dropped.error());
  }
  if (*port && !(*port)->groups.empty() && !groups->empty()) {
    auto closed = session_.send({Service::network,
                                 "PUT",
                                 "/ports/" + http::percent_encode(action.id),
                                 Value::map({{"port", Value::map({{"security_groups", Value::list()}})}}),
                                 {}});
    if (!closed) return tl::unexpected(closed.error());
  }
  for (const SecurityGroup& group : *groups) {
    auto gone =
        session_.send({Service::network, "DELETE", "/security-groups/" + http::percent_encode(group.id), {}, {}});
    if (gone || gone.error().error.code == Code::not_found) continue;
    // Two ports that carry one token share the group: it goes with the last of them.
    if (gone.error().kind == "SecurityGroupInUse") {
      auto ports = ports_of(action.token);
      if (!ports) return tl::unexpected(ports.error());
      if (std::any_of(ports->begin(), ports->end(), [&](const PortSeen& p) { return p.port.id != action.id; }))
        continue;
    }
    return tl::unexpected(gone.error());
  }
  if (!*port) return Outcome{action.id, ""};
  auto gone = session_.send({Service::network, "DELETE", "/ports/" + http::percent_encode(action.id), {}, {}});
  if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  return Outcome{action.id, gone ? gone->request_id : gone.error().request_id};
}

Openstack::Answered<Outcome> Openstack::run(const DeleteAddress& action) {
  auto addresses = addresses_of(action.token);
  if (!addresses) return tl::unexpected(addresses.error());
  std::erase_if(*addresses, [&](const FloatingSeen& one) { return one.id != action.id; });
  if (!addresses->empty() && !addresses->front().port_id.empty())
    return tl::unexpected(refused(Service::network, Code::conflict,
                                  "floating IP " + action.id + " belongs to port " + addresses->front().port_id));
  if (auto dropped = drop_addresses(*addresses); !dropped) return tl::unexpected(dropped.error());
  return Outcome{action.id, ""};
}

}  // namespace trove::openstack
