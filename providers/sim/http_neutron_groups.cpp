// Neutron's security groups and their rules.
#include <algorithm>
#include "providers/sim/http_neutron.hpp"

namespace trove::sim {

namespace {

http::Response no_group(const std::string& id) {
  return neutron_error(404, "SecurityGroupNotFound", "Security group " + id + " does not exist");
}

Value or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

Value rule_view(World& world, const GroupRule& rule) {
  const std::string project = world.groups.at(rule.group).project;
  return Value::map({{"id", rule.id},
                     {"tenant_id", project},
                     {"project_id", project},
                     {"security_group_id", rule.group},
                     {"direction", rule.direction},
                     {"ethertype", rule.ethertype},
                     {"protocol", or_null(rule.protocol)},
                     {"port_range_min", rule.low ? Value(*rule.low) : Value()},
                     {"port_range_max", rule.high ? Value(*rule.high) : Value()},
                     {"remote_ip_prefix", or_null(rule.remote_prefix)},
                     {"remote_group_id", or_null(rule.remote_group)},
                     {"remote_address_group_id", Value()},
                     {"description", rule.description},
                     {"revision_number", 0}});
}

Value group_view(World& world, const Group& group) {
  Value rules = Value::list();
  for (const auto& [id, rule] : world.rules)
    if (rule.group == group.id) rules.push_back(rule_view(world, rule));
  return Value::map({{"id", group.id},
                     {"name", group.name},
                     {"description", group.description},
                     {"tenant_id", group.project},
                     {"project_id", group.project},
                     {"stateful", true},
                     {"shared", false},
                     {"tags", Value::list()},
                     {"security_group_rules", std::move(rules)},
                     {"created_at", seconds_text(group.created)},
                     {"updated_at", seconds_text(group.updated)},
                     {"revision_number", 1}});
}

tl::expected<GroupRule, http::Response> read_rule(World& world, const Ask& ask, const Value& asked) {
  const auto bad = [](std::string type, std::string message) {
    return tl::unexpected(neutron_error(400, type, message));
  };
  GroupRule rule;
  rule.id = uid(world);
  rule.group = asked["security_group_id"].text();
  const auto group = world.groups.find(rule.group);
  if (group == world.groups.end() || !visible_to(ask, group->second.project, false))
    return tl::unexpected(no_group(rule.group));
  rule.direction = asked["direction"].text();
  if (rule.direction != "ingress" && rule.direction != "egress")
    return bad("HTTPBadRequest",
               "Invalid input for direction. Reason: '" + rule.direction + "' is not in ['ingress', 'egress'].");
  rule.ethertype = asked["ethertype"].text_or("IPv4");
  rule.protocol = asked["protocol"].as_written();
  rule.remote_prefix = asked["remote_ip_prefix"].text();
  rule.remote_group = asked["remote_group_id"].text();
  rule.description = asked["description"].text();
  if (asked["port_range_min"].is_int()) rule.low = asked["port_range_min"].int_or(0);
  if (asked["port_range_max"].is_int()) rule.high = asked["port_range_max"].int_or(0);
  if ((rule.low || rule.high) && rule.protocol.empty())
    return bad("SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.");
  if (rule.low && rule.high && *rule.low > *rule.high)
    return bad("SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max");
  if (!rule.remote_prefix.empty() && !rule.remote_group.empty())
    return bad("SecurityGroupMultipleRemoteEntites",
               "Only one of remote_ip_prefix, remote_group_id or "
               "remote_address_group_id may be provided.");
  const size_t slash = rule.remote_prefix.find('/');
  const int bits = slash == std::string::npos ? 32 : std::atoi(rule.remote_prefix.c_str() + slash + 1);
  if (!rule.remote_prefix.empty() && rule.ethertype == "IPv4" &&
      (!read_address(rule.remote_prefix.substr(0, slash)) || bits < 0 || bits > 32))
    return bad("InvalidCIDR", "Invalid CIDR " + rule.remote_prefix + " given as IP prefix.");
  for (const auto& [id, other] : world.rules) {
    const bool same = other.group == rule.group && other.direction == rule.direction &&
                      other.ethertype == rule.ethertype && other.protocol == rule.protocol && other.low == rule.low &&
                      other.high == rule.high && other.remote_prefix == rule.remote_prefix &&
                      other.remote_group == rule.remote_group;
    if (same)
      return tl::unexpected(
          neutron_error(409, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is " + id + "."));
  }
  return rule;
}

http::Response create_rules(World& world, Ask& ask) {
  const bool bulk = ask.body["security_group_rules"].is_list();
  std::vector<Value> asked;
  if (bulk)
    asked = ask.body["security_group_rules"].items();
  else
    asked.push_back(ask.body["security_group_rule"]);
  std::vector<std::string> made;
  for (const Value& one : asked) {
    auto rule = read_rule(world, ask, one);
    if (!rule) {
      for (const std::string& id : made) world.rules.erase(id);
      return rule.error();
    }
    made.push_back(rule->id);
    world.rules[rule->id] = *rule;
  }
  if (!bulk) return json(201, Value::map({{"security_group_rule", rule_view(world, world.rules.at(made[0]))}}));
  Value list = Value::list();
  for (const std::string& id : made) list.push_back(rule_view(world, world.rules.at(id)));
  return json(201, Value::map({{"security_group_rules", std::move(list)}}));
}

http::Response rules(World& world, Ask& ask) {
  if (ask.is("POST", 1)) return create_rules(world, ask);
  if (ask.is("GET", 1)) {
    std::vector<Value> all;
    for (const auto& [id, rule] : world.rules)
      if (visible_to(ask, world.groups.at(rule.group).project, false)) all.push_back(rule_view(world, rule));
    return neutron_list(world, ask, "security_group_rules", std::move(all));
  }
  const auto found = world.rules.find(ask.at(1));
  if (found == world.rules.end() || !visible_to(ask, world.groups.at(found->second.group).project, false))
    return neutron_error(404, "SecurityGroupRuleNotFound", "Security group rule " + ask.at(1) + " does not exist");
  if (ask.is("GET", 2))
    return json(200, Value::map({{"security_group_rule", select_fields(ask, rule_view(world, found->second))}}));
  if (ask.is("DELETE", 2)) return world.rules.erase(found), empty(204);
  return neutron_error(405, "HTTPMethodNotAllowed", "The method is not allowed.");
}

}  // namespace

http::Response neutron_groups(World& world, Ask& ask) {
  (void)world.default_group(ask.session.project);
  if (ask.at(0) == "security-group-rules") return rules(world, ask);
  if (ask.is("POST", 1)) {
    const Value& asked = ask.body["security_group"];
    Group group{uid(world),          asked["name"].text(), asked["description"].text(),
                ask.session.project, world.clock.wall(),   world.clock.wall()};
    if (group.name == "default")
      return neutron_error(409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.");
    world.groups[group.id] = group;
    for (const char* type : {"IPv4", "IPv6"}) {
      GroupRule out{uid(world), group.id, "egress", type, "", "", "", "", {}, {}};
      world.rules[out.id] = out;
    }
    return json(201, Value::map({{"security_group", group_view(world, group)}}));
  }
  if (ask.is("GET", 1)) {
    std::vector<Value> all;
    for (const auto& [id, group] : world.groups)
      if (visible_to(ask, group.project, false)) all.push_back(group_view(world, group));
    return neutron_list(world, ask, "security_groups", std::move(all));
  }
  const auto found = world.groups.find(ask.at(1));
  if (found == world.groups.end() || !visible_to(ask, found->second.project, false)) return no_group(ask.at(1));
  Group& group = found->second;
  if (ask.is("GET", 2))
    return json(200, Value::map({{"security_group", select_fields(ask, group_view(world, group))}}));
  if (ask.is("PUT", 2)) {
    const Value& asked = ask.body["security_group"];
    if (asked.find("name")) group.name = asked["name"].text();
    if (asked.find("description")) group.description = asked["description"].text();
    group.updated = world.clock.wall();
    return json(200, Value::map({{"security_group", group_view(world, group)}}));
  }
  if (ask.is("DELETE", 2)) {
    for (const auto& [id, more] : world.model().port_more)
      if (std::find(more.security_groups.begin(), more.security_groups.end(), group.id) != more.security_groups.end())
        return neutron_error(409, "SecurityGroupInUse", "Security Group " + group.id + " in use.");
    std::erase_if(world.rules, [&](const auto& rule) { return rule.second.group == group.id; });
    world.groups.erase(found);
    return empty(204);
  }
  return neutron_error(405, "HTTPMethodNotAllowed", "The method is not allowed.");
}

}  // namespace trove::sim
