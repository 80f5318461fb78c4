// Neutron v2.0: the parts that all of its resources share, and ports.
#include "providers/sim/http_neutron.hpp"
#include <algorithm>

namespace trove::sim {

namespace {

constexpr size_t kMostTag = 255;

http::Response no_port(const std::string& id) {
  return neutron_error(404, "PortNotFound", "Port " + id + " could not be found.");
}

Value view(World& world, const Ask& ask, const Port& row) {
  const SimPortMore& more = world.model().port_more.at(row.id);
  const bool bound = !row.device_id.empty();
  Value groups = Value::list();
  for (const std::string& group : more.security_groups) groups.push_back(group);
  const auto pairs =
      more.allowed_pairs.empty() ? Value::list() : parse_json(more.allowed_pairs).value_or(Value::list());
  Value v =
      Value::map({{"id", row.id},
                  {"name", row.name},
                  {"network_id", more.network},
                  {"tenant_id", more.project},
                  {"project_id", more.project},
                  {"admin_state_up", more.admin_up},
                  {"status", bound ? "ACTIVE" : "DOWN"},
                  {"mac_address", more.mac},
                  {"fixed_ips", Value::list({Value::map({{"subnet_id", more.subnet}, {"ip_address", row.address}})})},
                  {"device_id", row.device_id},
                  {"device_owner", more.device_owner},
                  {"security_groups", std::move(groups)},
                  {"allowed_address_pairs", pairs},
                  {"extra_dhcp_opts", Value::list()},
                  {"binding:vnic_type", "normal"},
                  {"description", more.description},
                  {"tags", text_list(more.tags)},
                  {"port_security_enabled", more.port_security},
                  {"qos_policy_id", Value()},
                  {"created_at", seconds_text(more.created)},
                  {"updated_at", seconds_text(more.updated)},
                  {"revision_number", more.updated == more.created ? 1 : 2}});
  if (ask.session.admin) {
    v.set("binding:host_id", bound ? "sim-host" : "");
    v.set("binding:vif_type", bound ? "ovs" : "unbound");
    v.set("binding:vif_details", Value::map());
    v.set("binding:profile", Value::map());
  }
  return v;
}

std::optional<http::Response> read_groups(World& world, const Ask& ask, const Value& asked, SimPortMore& more) {
  more.security_groups.clear();
  for (const Value& group : asked.items()) {
    const auto found = world.groups.find(group.text());
    if (found == world.groups.end() || (!ask.session.admin && found->second.project != ask.session.project))
      return neutron_error(404, "SecurityGroupNotFound", "Security group " + group.text() + " does not exist");
    more.security_groups.push_back(group.text());
  }
  return std::nullopt;
}

// The subnet that holds the address, or the network's first.
const Subnet* subnet_for(World& world, const std::string& network, const std::string& subnet,
                         const std::string& address) {
  const auto number = read_address(address);
  for (const auto& [id, one] : world.subnets) {
    if (one.network != network || (!subnet.empty() && id != subnet)) continue;
    if (address.empty() || (number && *number >= one.base && *number - one.base < one.size)) return &one;
  }
  return nullptr;
}

tl::expected<std::string, http::Response> create_one(World& world, const Ask& ask, const Value& asked) {
  const auto bad = [](std::string type, std::string message) {
    return tl::unexpected(neutron_error(400, type, message));
  };
  Port row;
  SimPortMore more;
  more.network = asked["network_id"].text();
  if (more.network.empty())
    return bad("HTTPBadRequest", "Failed to parse request. Required attribute 'network_id' not specified");
  const auto network = world.networks.find(more.network);
  if (network == world.networks.end() || !visible_to(ask, network->second.project, network->second.shared))
    return tl::unexpected(neutron_error(404, "NetworkNotFound", "Network " + more.network + " could not be found."));
  more.project = asked["project_id"].text_or(asked["tenant_id"].text_or(ask.session.project));
  if (more.project != ask.session.project && !ask.session.admin)
    return tl::unexpected(neutron_error(403, "PolicyNotAuthorized", "(rule:create_port) is disallowed by policy"));
  more.mac = asked["mac_address"].text();
  if (!more.mac.empty() && !is_mac(more.mac))
    return bad("HTTPBadRequest",
               "Invalid input for mac_address. Reason: '" + more.mac + "' is not a valid MAC address.");
  const Value& wanted = asked["fixed_ips"].size() > 0 ? asked["fixed_ips"].items()[0] : asked["fixed_ips"];
  const bool owner = ask.session.admin || network->second.project == ask.session.project;
  for (const auto& [field, chosen] : {std::pair{"mac_address", !more.mac.empty()},
                                      std::pair{"fixed_ips:ip_address", !wanted["ip_address"].text().empty()}})
    if (chosen && !owner)
      return tl::unexpected(
          neutron_error(403, "PolicyNotAuthorized",
                        std::string("(rule:create_port and rule:create_port:") + field + ") is disallowed by policy"));
  row.name = asked["name"].text();
  more.description = asked["description"].text();
  more.device_owner = asked["device_owner"].text();
  row.device_id = asked["device_id"].text();
  more.admin_up = asked["admin_state_up"].bool_or(true);
  more.port_security = asked["port_security_enabled"].bool_or(true);
  if (asked.find("allowed_address_pairs")) more.allowed_pairs = dump_json(asked["allowed_address_pairs"]);
  for (const Value& tag : asked["tags"].items()) {
    if (tag.text().empty() || tag.text().size() > kMostTag)
      return bad("HTTPBadRequest",
                 "Invalid input for tags. Reason: '" + tag.text() + "' exceeds maximum length of 255.");
    more.tags.insert(tag.text());
  }
  const Value& fixed = asked["fixed_ips"].size() > 0 ? asked["fixed_ips"].items()[0] : asked["fixed_ips"];
  row.address = fixed["ip_address"].text();
  const Subnet* subnet = subnet_for(world, more.network, fixed["subnet_id"].text(), row.address);
  if (!subnet && !row.address.empty())
    return bad("InvalidIpForNetwork",
               "IP address " + row.address + " is not a valid IP for any of the subnets on the specified network.");
  if (!subnet) return bad("InvalidInput", "Invalid input for operation: the network has no such subnet.");
  more.subnet = subnet->id;
  more.first_address = subnet->base + std::min<uint32_t>(10, subnet->size / 4);
  more.addresses = std::max<uint32_t>(1, subnet->size - 2 * (more.first_address - subnet->base));
  if (asked["security_groups"].is_list()) {
    if (auto refusal = read_groups(world, ask, asked["security_groups"], more)) return tl::unexpected(*refusal);
  } else {
    more.security_groups = {world.default_group(more.project).id};
  }
  row.token = token_in({}, row.name);
  for (const std::string& tag : more.tags)
    if (row.token.uid.empty()) row.token = token_in({}, tag);
  if (row.token.uid.empty()) row.token = token_in({}, more.description);
  const auto id = world.model().create_port(std::move(row), std::move(more));
  if (!id) return tl::unexpected(neutron_refused(id.error()));
  return *id;
}

http::Response create(World& world, Ask& ask) {
  const auto answer = [&](const std::string& id) {
    return select_fields(ask, view(world, ask, world.model().ports.at(id)));
  };
  if (!ask.body["ports"].is_list()) {
    if (!ask.body["port"].is_map())
      return neutron_error(400, "HTTPBadRequest", "Unable to find 'port' in request body");
    const auto id = create_one(world, ask, ask.body["port"]);
    if (!id) return id.error();
    return json(201, Value::map({{"port", answer(*id)}}));
  }
  // All of them or none.
  std::vector<std::string> made;
  for (const Value& asked : ask.body["ports"].items()) {
    const auto id = create_one(world, ask, asked);
    if (!id) {
      for (const std::string& port : made) (void)world.model().delete_port(port);
      return id.error();
    }
    made.push_back(*id);
  }
  Value list = Value::list();
  for (const std::string& id : made) list.push_back(answer(id));
  return json(201, Value::map({{"ports", std::move(list)}}));
}

http::Response update(World& world, Ask& ask, Port& row, SimPortMore& more) {
  const Value& asked = ask.body["port"];
  if (!asked.is_map()) return neutron_error(400, "HTTPBadRequest", "Unable to find 'port' in request body");
  // Everything is checked before anything is changed.
  SimPortMore fresh = more;
  if (asked["security_groups"].is_list())
    if (auto refusal = read_groups(world, ask, asked["security_groups"], fresh)) return *refusal;
  if (asked.find("mac_address") && asked["mac_address"].text() != more.mac) {
    if (!row.device_id.empty())
      return neutron_error(409, "PortBound",
                           "Unable to complete operation on port " + row.id + ", port is already bound.");
    if (world.model().mac_used(more.network, asked["mac_address"].text(), row.id))
      return neutron_error(409, "MacAddressInUse",
                           "Unable to complete operation for network " + more.network + ". The mac address " +
                               asked["mac_address"].text() + " is in use.");
    fresh.mac = asked["mac_address"].text();
  }
  if (asked["fixed_ips"].size() > 0) {
    const std::string address = asked["fixed_ips"].items()[0]["ip_address"].text();
    if (!address.empty() && address != row.address) {
      const Subnet* subnet = subnet_for(world, more.network, "", address);
      if (!subnet)
        return neutron_error(
            400, "InvalidIpForNetwork",
            "IP address " + address + " is not a valid IP for any of the subnets on the specified network.");
      if (auto done = world.model().move_port(row.id, address); !done) return neutron_refused(done.error());
    }
  }
  if (asked.find("allowed_address_pairs")) fresh.allowed_pairs = dump_json(asked["allowed_address_pairs"]);
  if (asked.find("description")) fresh.description = asked["description"].text();
  if (asked.find("device_owner")) fresh.device_owner = asked["device_owner"].text();
  fresh.admin_up = asked["admin_state_up"].bool_or(more.admin_up);
  fresh.port_security = asked["port_security_enabled"].bool_or(more.port_security);
  fresh.updated = world.clock.wall();
  more = std::move(fresh);
  world.model().index_port(row.id);
  if (asked.find("name")) row.name = asked["name"].text();
  if (asked.find("device_id")) row.device_id = asked["device_id"].text();
  return json(200, Value::map({{"port", select_fields(ask, view(world, ask, row))}}));
}

http::Response tags(Ask& ask, SimPortMore& more) {
  if (ask.is("PUT", 3)) {
    std::set<std::string> fresh;
    for (const Value& tag : ask.body["tags"].items()) fresh.insert(tag.text());
    more.tags = std::move(fresh);
  } else if (ask.is("PUT", 4)) {
    return more.tags.insert(ask.at(3)), empty(201);
  } else if (ask.is("DELETE", 4)) {
    if (more.tags.erase(ask.at(3)) == 0)
      return neutron_error(404, "TagNotFound", "Tag " + ask.at(3) + " could not be found.");
    return empty(204);
  } else if (ask.is("DELETE", 3)) {
    return more.tags.clear(), empty(204);
  }
  return json(200, Value::map({{"tags", text_list(more.tags)}}));
}

}  // namespace

http::Response neutron_ports(World& world, Ask& ask) {
  SimModel& model = world.model();
  if (ask.is("POST", 1)) return create(world, ask);
  if (ask.is("GET", 1)) {
    std::vector<Value> all;
    for (const auto& [id, row] : model.ports)
      if (visible_to(ask, model.port_more.at(id).project, false)) all.push_back(view(world, ask, row));
    return neutron_list(world, ask, "ports", std::move(all));
  }
  const auto found = model.ports.find(ask.at(1));
  if (found == model.ports.end()) return no_port(ask.at(1));
  SimPortMore& more = model.port_more.at(ask.at(1));
  if (!visible_to(ask, more.project, false)) return no_port(ask.at(1));
  if (ask.at(2) == "tags") return tags(ask, more);
  if (ask.is("GET", 2)) return json(200, Value::map({{"port", select_fields(ask, view(world, ask, found->second))}}));
  if (ask.is("PUT", 2)) return update(world, ask, found->second, more);
  if (ask.is("DELETE", 2)) {
    for (auto& [id, floating] : world.floatings)
      if (floating.port == ask.at(1)) floating.port.clear();
    (void)model.delete_port(ask.at(1));
    return empty(204);
  }
  return neutron_error(405, "HTTPMethodNotAllowed", "The method is not allowed.");
}

// ---- Shared ---------------------------------------------------------------------------------------------------------

std::optional<uint32_t> read_address(const std::string& text) {
  uint32_t address = 0;
  const auto parts = split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  for (const std::string& part : parts) {
    if (part.size() > 3 || part.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    const int number = std::atoi(part.c_str());
    if (number > 255) return std::nullopt;
    address = address << 8 | static_cast<uint32_t>(number);
  }
  return address;
}

bool is_mac(const std::string& text) {
  const auto parts = split(text, ':');
  return parts.size() == 6 && std::all_of(parts.begin(), parts.end(), [](const std::string& part) {
           return part.size() == 2 && part.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
         });
}

bool visible_to(const Ask& ask, const std::string& project, bool shared) {
  return ask.session.admin || shared || project == ask.session.project;
}

Value select_fields(const Ask& ask, Value whole) {
  const auto wanted = ask.parameters("fields");
  if (wanted.empty()) return whole;
  Value v = Value::map();
  for (const std::string& field : wanted)
    if (const Value* found = whole.find(field)) v.set(field, *found);
  return v;
}

namespace {

// One filter: any of the words; "fixed_ips=ip_address=10.0.0.1" looks inside.
bool fits(const Value& thing, const std::string& field, const std::vector<std::string>& words) {
  const auto any = [&](auto test) { return std::any_of(words.begin(), words.end(), test); };
  const auto has_tag = [&](const std::string& tag) {
    const auto& tags = thing["tags"].items();
    return std::any_of(tags.begin(), tags.end(), [&](const Value& t) { return t.text() == tag; });
  };
  const auto all_tags = [&](const std::string& list) {
    const auto wanted = split(list, ',');
    return std::all_of(wanted.begin(), wanted.end(), has_tag);
  };
  const auto any_tag = [&](const std::string& list) {
    const auto wanted = split(list, ',');
    return std::any_of(wanted.begin(), wanted.end(), has_tag);
  };
  if (field == "tags") return std::all_of(words.begin(), words.end(), all_tags);
  if (field == "tags-any") return any(any_tag);
  if (field == "not-tags") return !any(all_tags);
  if (field == "not-tags-any") return !any(any_tag);
  const Value* value = thing.find(field);
  if (!value) return true;  // Neutron ignores what it does not know
  if (value->is_bool()) return any([&](const std::string& word) { return is_true(word) == value->bool_or(false); });
  if (!value->is_list()) return any([&](const std::string& word) { return value->as_written() == word; });
  return any([&](const std::string& word) {
    const size_t equals = word.find('=');
    return std::any_of(value->items().begin(), value->items().end(), [&](const Value& item) {
      if (!item.is_map()) return item.text() == word;
      return equals != std::string::npos && item[word.substr(0, equals)].text() == word.substr(equals + 1);
    });
  });
}

}  // namespace

http::Response neutron_list(World& world, Ask& ask, const std::string& plural, std::vector<Value> all) {
  static const std::set<std::string> own = {"limit", "marker", "fields", "sort_key", "sort_dir", "page_reverse"};
  std::set<std::string> fields;
  for (const auto& [name, value] : ask.request.query)
    if (!own.contains(name)) fields.insert(name);
  std::map<std::string, Value> fitting;
  std::vector<std::string> ids;
  for (Value& thing : all) {
    const bool fit = std::all_of(fields.begin(), fields.end(),
                                 [&](const std::string& field) { return fits(thing, field, ask.parameters(field)); });
    if (!fit) continue;
    ids.push_back(thing["id"].text());
    fitting[ids.back()] = std::move(thing);
  }
  std::sort(ids.begin(), ids.end());
  const auto page = page_of(ask, ids, world.model().options.page);
  if (!page) {
    if (page.error() == PageTrouble::bad_limit)
      return neutron_error(
          400, "HTTPBadRequest",
          "Bad limit request: Value must be an integer greater than 0: " + ask.parameter("limit") + ".");
    std::string single = plural.substr(0, plural.size() - 1);
    single[0] = static_cast<char>(std::toupper(single[0]));
    return neutron_error(404, single + "NotFound", single + " " + ask.parameter("marker") + " could not be found.");
  }
  Value list = Value::list();
  for (const std::string& id : page->ids) list.push_back(select_fields(ask, fitting[id]));
  Value body = Value::map({{plural, std::move(list)}});
  // Links only for those who page: without a limit the answer is the whole list, up to the server's own bound.
  if (!page->next.empty() && (ask.has("limit") || page->ids.size() < ids.size()))
    body.set(plural + "_links",
             Value::list({Value::map({{"rel", "next"}, {"href", next_url(world, ask, page->next)}})}));
  return json(200, body);
}

http::Response neutron(World& world, Ask& ask) {
  if (ask.path.empty())
    return json(200,
                Value::map({{"versions",
                             Value::list({Value::map(
                                 {{"id", "v2.0"},
                                  {"status", "CURRENT"},
                                  {"links", Value::list({Value::map(
                                                {{"rel", "self"}, {"href", world.base + "/network/v2.0/"}})})}})})}}));
  if (ask.at(0) != "v2.0") return neutron_error(404, "HTTPNotFound", "The resource could not be found.");
  if (ask.session.user.empty()) return unauthorized(world);
  ask.path.erase(ask.path.begin());
  if (ask.path.empty()) {
    Value resources = Value::list();
    for (const char* name : {"networks", "subnets", "ports", "security-groups", "security-group-rules", "floatingips"})
      resources.push_back(Value::map({{"collection", name}}));
    return json(200, Value::map({{"resources", std::move(resources)}}));
  }
  if (ask.at(0) == "ports") return neutron_ports(world, ask);
  if (ask.at(0) == "security-groups" || ask.at(0) == "security-group-rules") return neutron_groups(world, ask);
  return neutron_networks(world, ask);
}

}  // namespace trove::sim
