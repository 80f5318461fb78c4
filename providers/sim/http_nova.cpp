// Nova v2.1: versions, servers (list, create, show, delete, tags, metadata), flavors, limits, server groups.
#include <algorithm>
#include <charconv>
#include "providers/sim/http_world.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove::sim {

namespace {

const Microversion kNova{"compute", "x-openstack-nova-api-version", 2, 1, 93};
constexpr size_t kMostText = 255, kMostTag = 60, kMostTags = 50;

http::Response no_server(const std::string& id) { return fault(404, "Instance " + id + " could not be found."); }
http::Response marker_gone(const std::string& marker) { return fault(400, "marker [" + marker + "] not found"); }

Value version_document(const World& world) {
  return Value::map(
      {{"id", "v2.1"},
       {"status", "CURRENT"},
       {"version", "2.93"},
       {"min_version", "2.1"},
       {"updated", "2013-07-23T11:33:21Z"},
       {"links", Value::list({Value::map({{"rel", "self"}, {"href", world.base + "/compute/v2.1/"}})})},
       {"media-types", Value::list({Value::map({{"base", "application/json"},
                                                {"type", "application/vnd.openstack.compute+json;version=2.1"}})})}});
}

http::Response flavors(World& world, Ask& ask) {
  const auto view = [&](const Flavor& flavor, bool detail) {
    Value v = Value::map(
        {{"id", flavor_id(flavor.name)},
         {"name", flavor.name},
         {"links",
          Value::list({Value::map(
              {{"rel", "self"}, {"href", world.base + "/compute/v2.1/flavors/" + flavor_id(flavor.name)}})})}});
    if (!detail) return v;
    v.set("ram", flavor.ram_mib);
    v.set("vcpus", flavor.vcpus);
    v.set("disk", 1);
    v.set("swap", ask.minor >= 75 ? Value(0) : Value(""));
    v.set("OS-FLV-EXT-DATA:ephemeral", 0);
    v.set("OS-FLV-DISABLED:disabled", false);
    v.set("os-flavor-access:is_public", true);
    v.set("rxtx_factor", 1.0);
    if (ask.minor >= 55) v.set("description", Value());
    if (ask.minor >= 61) v.set("extra_specs", Value::map());
    return v;
  };
  const auto& all = world.model().options.flavors;
  if (ask.is("GET", 2) && ask.at(1) != "detail") {
    const Flavor* flavor = flavor_by_id(world, ask.at(1));
    if (!flavor) return fault(404, "Flavor " + ask.at(1) + " could not be found.");
    return json(200, Value::map({{"flavor", view(*flavor, true)}}));
  }
  if (!ask.is("GET", 1) && !ask.is("GET", 2)) return fault(404, "The resource could not be found.");
  std::vector<std::string> ids;
  for (const Flavor& flavor : all) ids.push_back(flavor_id(flavor.name));
  const auto page = page_of(ask, ids, world.model().options.page);
  if (!page)
    return page.error() == PageTrouble::bad_marker ? marker_gone(ask.parameter("marker"))
                                                   : fault(400, "Invalid input for query parameters limit.");
  Value list = Value::list();
  for (const std::string& id : page->ids) list.push_back(view(*flavor_by_id(world, id), ask.path.size() == 2));
  Value body = Value::map({{"flavors", std::move(list)}});
  if (!page->next.empty())
    body.set("flavors_links", Value::list({Value::map({{"rel", "next"}, {"href", next_url(world, ask, page->next)}})}));
  return json(200, body);
}

http::Response limits(World& world) {
  const Limits now = world.model().limits();
  return json(
      200,
      Value::map({{"limits", Value::map({{"rate", Value::list()},
                                         {"absolute", Value::map({{"maxTotalInstances", now.instances->most},
                                                                  {"totalInstancesUsed", now.instances->used},
                                                                  {"maxTotalCores", now.cores->most},
                                                                  {"totalCoresUsed", now.cores->used},
                                                                  {"maxTotalRAMSize", now.ram_mib->most},
                                                                  {"totalRAMUsed", now.ram_mib->used},
                                                                  {"maxServerMeta", 128},
                                                                  {"maxTotalKeypairs", 100},
                                                                  {"maxServerGroups", 10},
                                                                  {"totalServerGroupsUsed", world.server_groups.size()},
                                                                  {"maxServerGroupMembers", 10}})}})}}));
}

http::Response server_groups(World& world, Ask& ask) {
  const auto view = [&](const ServerGroup& group) {
    Value members = Value::list();
    for (const auto& [id, more] : world.model().server_more)
      if (more.group == group.id) members.push_back(id);
    Value v = Value::map({{"id", group.id}, {"name", group.name}});
    if (ask.minor >= 64) {
      v.set("policy", group.policy);
      v.set("rules", Value::map());
    } else {
      v.set("policies", Value::list({Value(group.policy)}));
      v.set("metadata", Value::map());
    }
    v.set("members", std::move(members));
    v.set("project_id", group.project);
    return v;
  };
  if (ask.is("POST", 1)) {
    const Value& asked = ask.body["server_group"];
    const std::string policy = ask.minor >= 64
                                   ? asked["policy"].text()
                                   : (asked["policies"].size() == 1 ? asked["policies"].items()[0].text() : "");
    static const std::set<std::string> known = {"affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"};
    if (asked["name"].text().empty() || !known.contains(policy))
      return fault(400, "Invalid input for field/attribute server_group.");
    ServerGroup group{uid(world), asked["name"].text(), ask.session.project, policy};
    world.server_groups[group.id] = group;
    return json(200, Value::map({{"server_group", view(group)}}));
  }
  if (ask.is("GET", 1)) {
    Value list = Value::list();
    for (const auto& [id, group] : world.server_groups)
      if (group.project == ask.session.project || is_true(ask.parameter("all_projects"))) list.push_back(view(group));
    return json(200, Value::map({{"server_groups", std::move(list)}}));
  }
  const auto found = world.server_groups.find(ask.at(1));
  if (found == world.server_groups.end() || ask.path.size() != 2)
    return fault(404, "Instance group " + ask.at(1) + " could not be found.");
  if (ask.request.method == "GET") return json(200, Value::map({{"server_group", view(found->second)}}));
  if (ask.request.method == "DELETE") return world.server_groups.erase(found), empty(204);
  return fault(405, "The method is not allowed.");
}

// ---- Servers --------------------------------------------------------------------------------------------------------

bool is_base64(const std::string& text) {
  std::string bytes;
  return from_base64(text, bytes);
}

bool is_tag(const std::string& tag) {
  return !tag.empty() && tag.size() <= kMostTag && tag.find_first_of(",/") == std::string::npos;
}

std::optional<std::string> read_metadata(const Value& from, std::map<std::string, std::string>& to) {
  for (const auto& member : from.members()) {
    if (!member.value.is_string() || member.key.empty() || member.key.size() > kMostText ||
        member.value.text().size() > kMostText)
      return "Invalid input for field/attribute " + member.key + ". Value: " + member.value.as_written() + ".";
    to[member.key] = member.value.text();
  }
  return std::nullopt;
}

// A port for a server that named only a network. It is Nova's and goes with the server.
SimResult<std::string> port_in(World& world, const Ask& ask, const std::string& network, const std::string& address) {
  for (const auto& [id, subnet] : world.subnets) {
    if (subnet.network != network) continue;
    SimPortMore more;
    more.project = ask.session.project;
    more.network = network;
    more.subnet = id;
    more.first_address = subnet.base + 10;
    more.addresses = subnet.size - 20;
    more.security_groups = {world.default_group(ask.session.project).id};
    Port row;
    row.address = address;
    return world.model().create_port(std::move(row), std::move(more));
  }
  return refuse(Code::invalid, 400, "", "Network " + network + " could not be found.");
}

http::Response create(World& world, Ask& ask) {
  const Value& asked = ask.body["server"];
  const auto bad = [](const std::string& what) { return fault(400, what); };
  if (!asked.is_map()) return bad("Invalid input for field/attribute server. 'server' is a required property");
  for (const char* field : {"name", "flavorRef"})
    if (asked[field].text().empty())
      return bad(std::string("Invalid input for field/attribute server. '") + field + "' is a required property");
  if (asked["name"].text().size() > kMostText)
    return bad("Invalid input for field/attribute name. Value: " + asked["name"].text() + ". is too long");
  SimServerRequest request;
  request.row.name = asked["name"].text();
  const std::string flavor_ref = asked["flavorRef"].text();
  const Flavor* flavor = flavor_by_id(world, flavor_ref.substr(flavor_ref.rfind('/') + 1));
  if (!flavor) return bad("Flavor " + flavor_ref + " could not be found.");
  request.row.flavor = flavor->name;
  SimServerMore& more = request.more;
  more.project = ask.session.project;
  more.image = asked["imageRef"].text();
  if (!more.image.empty() && !world.images.contains(more.image))
    return bad("Image " + more.image + " could not be found.");
  more.key_name = asked["key_name"].text();
  // Nobody can make a key here.
  if (!more.key_name.empty()) return bad("Invalid key_name provided.");
  more.user_data = asked["user_data"].text();
  if (!is_base64(more.user_data))
    return bad("Invalid input for field/attribute user_data. Value: " + more.user_data + ". '" + more.user_data +
               "' is not a 'base64'");
  more.zone = asked["availability_zone"].text_or("nova");
  if (more.zone != "nova") return bad("The requested availability zone is not available");
  more.group = ask.body["os:scheduler_hints"]["group"].text();
  if (!more.group.empty() && !world.server_groups.contains(more.group))
    return bad("Instance group " + more.group + " could not be found.");
  // There is one host.
  if (!more.group.empty() && world.server_groups.at(more.group).policy == "anti-affinity")
    for (const auto& [id, other] : world.model().server_more) more.doomed = more.doomed || other.group == more.group;
  if (auto why = read_metadata(asked["metadata"], more.metadata)) return bad(*why);
  if (asked.find("tags")) {
    if (ask.minor < 52)
      return bad(
          "Invalid input for field/attribute server. Additional properties are not allowed ('tags' was "
          "unexpected)");
    for (const Value& tag : asked["tags"].items()) {
      if (!is_tag(tag.text())) return bad("Invalid input for field/attribute tags. Value: " + tag.text() + ".");
      more.tags.insert(tag.text());
    }
    if (more.tags.size() > kMostTags) return bad("Invalid input for field/attribute tags. is too long");
  }
  for (const Value& device : asked["block_device_mapping_v2"].items()) {
    if (device["source_type"].text() != "volume") continue;  // an image's root disk is the server's own
    more.volumes.push_back(device["uuid"].text());
  }
  if (more.image.empty() && more.volumes.empty()) return bad("Invalid imageRef provided.");
  const Value& networks = asked["networks"];
  if (ask.minor >= 37 && !asked.find("networks"))
    return bad("Invalid input for field/attribute server. 'networks' is a required property");
  if (!networks.is_list() && asked.find("networks") && networks.text() != "auto" && networks.text() != "none")
    return bad("Invalid input for field/attribute networks. Value: " + networks.as_written() + ".");
  std::vector<std::string> made;
  const auto undo = [&] {
    for (const std::string& port : made) (void)world.model().delete_port(port);
  };
  for (const Value& network : networks.items()) {
    if (!network["port"].text().empty()) {
      more.ports.push_back(network["port"].text());
      continue;
    }
    auto port = port_in(world, ask, network["uuid"].text(), network["fixed_ip"].text());
    if (!port) return undo(), fault(port.error().status == 409 ? 400 : port.error().status, port.error().message);
    made.push_back(*port);
    more.ports.push_back(*port);
  }
  more.own_ports = made;
  request.row.token = token_in(more.metadata, request.row.name);
  const auto id = world.model().create_server(std::move(request));
  if (!id) return undo(), refused(id.error());
  const std::string href = world.base + "/compute/v2.1/servers/" + *id;
  Value server = Value::map({{"id", *id},
                             {"links", Value::list({Value::map({{"rel", "self"}, {"href", href}})})},
                             {"OS-DCF:diskConfig", "MANUAL"},
                             {"security_groups", Value::list({Value::map({{"name", "default"}})})},
                             {"adminPass", random_text(world.rng, 12)}});
  http::Response response = json(202, Value::map({{"server", std::move(server)}}));
  response.headers.emplace_back("Location", href);
  return response;
}

struct Row {
  const Server* row;
  const SimServerMore* more;
  bool gone;
};

bool has_filter(const Ask& ask) {
  static const std::set<std::string> harmless = {"all_tenants", "project_id", "tenant_id", "all_projects"};
  return std::any_of(ask.request.query.begin(), ask.request.query.end(),
                     [](const auto& parameter) { return !harmless.contains(parameter.first); });
}

tl::expected<bool, http::Response> fits(const Ask& ask, const Row& row, const std::string& status) {
  const auto all_of = [&](const std::string& name, auto test) {
    if (!ask.has(name)) return true;
    return test(ask.parameter(name));
  };
  const auto& tags = row.more->tags;
  const auto has_tag = [&](const std::string& tag) { return tags.contains(tag); };
  const auto any = [&](const std::string& text) {
    const auto wanted = split(text, ',');
    return std::any_of(wanted.begin(), wanted.end(), has_tag);
  };
  const auto every = [&](const std::string& text) {
    const auto wanted = split(text, ',');
    return std::all_of(wanted.begin(), wanted.end(), has_tag);
  };
  bool fit = all_of("status", [&](const std::string& s) { return s == status; }) &&
             all_of("name", [&](const std::string& n) { return row.row->name.find(n) != std::string::npos; }) &&
             all_of("flavor", [&](const std::string& f) { return flavor_id(row.row->flavor) == f; }) &&
             all_of("image", [&](const std::string& i) { return row.more->image == i; });
  if (ask.minor >= 26) {
    fit = fit && all_of("tags", every) && all_of("tags-any", any) &&
          all_of("not-tags", [&](const std::string& t) { return !every(t); }) &&
          all_of("not-tags-any", [&](const std::string& t) { return !any(t); });
  }
  if (ask.has("metadata")) {
    const auto wanted = parse_json(ask.parameter("metadata"));
    if (!wanted || !wanted->is_map()) return tl::unexpected(fault(400, "Invalid filter metadata."));
    for (const auto& member : wanted->members()) {
      const auto found = row.more->metadata.find(member.key);
      fit = fit && found != row.more->metadata.end() && found->second == member.value.text();
    }
  }
  return fit;
}

http::Response list(World& world, Ask& ask, bool detail) {
  SimModel& model = world.model();
  const bool everyone = is_true(ask.parameter("all_tenants"));
  if (everyone && !ask.session.admin)
    return fault(403, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.");
  Time since{}, before{};
  for (auto [name, time] : {std::pair{"changes-since", &since}, std::pair{"changes-before", &before}}) {
    if (!ask.has(name)) continue;
    const std::string text = ask.parameter(name);
    const auto read =
        parse_time(text.find('Z') == std::string::npos && text.find('+') == std::string::npos ? text + "Z" : text);
    if (!read) return fault(400, std::string("Invalid input for query parameters ") + name + ". Value: " + text + ".");
    *time = *read;
  }
  const bool only_deleted = is_true(ask.parameter("deleted"));
  if (only_deleted && !ask.session.admin) return fault(403, "Only administrators may list deleted instances");
  std::vector<Row> rows;
  bool hidden_marker = false;
  if (!only_deleted)
    for (const auto& [id, row] : model.servers) {
      if (model.is_hidden(id))
        hidden_marker = hidden_marker || id == ask.parameter("marker");
      else
        rows.push_back({&row, &model.server_more.at(id), false});
    }
  if (hidden_marker)
    return fault(500,
                 "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova "
                 "API log if possible.");
  if (only_deleted || since.set())
    for (const auto& deleted : model.deleted_servers) rows.push_back({&deleted.row, &deleted.more, true});
  std::map<std::string, Row> fitting;
  std::vector<std::string> ids;
  for (const Row& row : rows) {
    const bool mine = everyone || row.more->project == ask.session.project;
    if (!mine || (since.set() && row.more->updated.ms / 1000 < since.ms / 1000) ||
        (before.set() && row.more->updated > before))
      continue;
    const std::string status =
        row.gone
            ? "DELETED"
            : std::string(to_string(row.row->status == Server::Status::deleting ? row.more->before : row.row->status));
    const auto fit = fits(ask, row, status);
    if (!fit) return fit.error();
    if (*fit) fitting[row.row->id] = row, ids.push_back(row.row->id);
  }
  // Newest first, as Nova sorts.
  std::sort(ids.begin(), ids.end(), [&](const std::string& a, const std::string& b) {
    return std::pair(fitting[a].row->created, a) > std::pair(fitting[b].row->created, b);
  });
  const auto page = page_of(ask, ids, model.options.page);
  if (!page)
    return page.error() == PageTrouble::bad_marker
               ? marker_gone(ask.parameter("marker"))
               : fault(400, "Invalid input for query parameters limit. Value: " + ask.parameter("limit") + ".");
  Value servers = Value::list();
  for (const std::string& id : page->ids) {
    const Row& row = fitting[id];
    if (detail) {
      servers.push_back(nova_view(world, ask, *row.row, *row.more, row.gone));
      continue;
    }
    const std::string href = world.base + "/compute/v2.1/servers/" + id;
    servers.push_back(Value::map({{"id", id},
                                  {"name", row.row->name},
                                  {"links", Value::list({Value::map({{"rel", "self"}, {"href", href}})})}}));
  }
  // What a cell that is down can still tell: only without filters, limit and marker.
  if (ask.minor >= 69 && !has_filter(ask))
    for (const auto& [id, row] : model.servers) {
      const SimServerMore& more = model.server_more.at(id);
      if (model.is_hidden(id) && (everyone || more.project == ask.session.project))
        servers.push_back(nova_hidden_view(world, ask, row, more, detail));
    }
  Value body = Value::map({{"servers", std::move(servers)}});
  if (!page->next.empty())
    body.set("servers_links", Value::list({Value::map({{"rel", "next"}, {"href", next_url(world, ask, page->next)}})}));
  return json(200, body);
}

http::Response tags_of(World& world, Ask& ask, const std::string& id) {
  SimServerMore& more = world.model().server_more.at(id);
  if (ask.minor < 26) return fault(404, "The resource could not be found.");
  if (ask.is("GET", 3)) return json(200, Value::map({{"tags", text_list(more.tags)}}));
  if (ask.is("PUT", 3)) {
    std::set<std::string> tags;
    for (const Value& tag : ask.body["tags"].items()) {
      if (!is_tag(tag.text())) return fault(400, "Invalid input for field/attribute tags. Value: " + tag.text() + ".");
      tags.insert(tag.text());
    }
    if (tags.size() > kMostTags) return fault(400, "The number of tags exceeded the per-server limit 50");
    more.tags = std::move(tags);
    return json(200, Value::map({{"tags", text_list(more.tags)}}));
  }
  if (ask.is("PUT", 4)) {
    if (!is_tag(ask.at(3))) return fault(400, "Invalid input for field/attribute tag. Value: " + ask.at(3) + ".");
    return empty(more.tags.insert(ask.at(3)).second ? 201 : 204);
  }
  if (ask.is("DELETE", 4)) return empty(more.tags.erase(ask.at(3)) ? 204 : 404);
  if (ask.is("DELETE", 3)) return more.tags.clear(), empty(204);
  return fault(405, "The method is not allowed.");
}

http::Response metadata_of(World& world, Ask& ask, const std::string& id) {
  SimServerMore& more = world.model().server_more.at(id);
  if (ask.is("POST", 3) || ask.is("PUT", 3)) {
    std::map<std::string, std::string> fresh;
    if (ask.request.method == "POST") fresh = more.metadata;
    if (auto why = read_metadata(ask.body["metadata"], fresh)) return fault(400, *why);
    more.metadata = std::move(fresh);
    world.model().servers.at(id).token = token_in(more.metadata, world.model().servers.at(id).name);
  } else if (ask.is("DELETE", 4)) {
    if (more.metadata.erase(ask.at(3)) == 0) return fault(404, "Metadata item was not found");
    return empty(204);
  } else if (!ask.is("GET", 3)) {
    return fault(405, "The method is not allowed.");
  }
  return json(200, Value::map({{"metadata", texts(more.metadata)}}));
}

}  // namespace

http::Response nova_server(World& world, Ask& ask) {
  SimModel& model = world.model();
  if (ask.is("POST", 1)) return create(world, ask);
  if (ask.is("GET", 1)) return list(world, ask, false);
  if (ask.is("GET", 2) && ask.at(1) == "detail") return list(world, ask, true);
  const std::string id = ask.at(1);
  const auto found = model.servers.find(id);
  if (found == model.servers.end()) return no_server(id);
  const SimServerMore& more = model.server_more.at(id);
  if (!ask.session.admin && more.project != ask.session.project) return no_server(id);
  if (model.is_hidden(id)) {
    if (ask.is("GET", 2) && ask.minor >= 69)
      return json(200, Value::map({{"server", nova_hidden_view(world, ask, found->second, more, true)}}));
    return fault(500,
                 "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the Nova "
                 "API log if possible.");
  }
  if (ask.is("GET", 2)) return json(200, Value::map({{"server", nova_view(world, ask, found->second, more, false)}}));
  if (ask.is("DELETE", 2)) {
    const auto done = model.delete_server(id);
    return done ? empty(204) : refused(done.error());
  }
  if (ask.is("PUT", 2)) {
    if (!ask.body["server"]["name"].text().empty()) found->second.name = ask.body["server"]["name"].text();
    return json(200, Value::map({{"server", nova_view(world, ask, found->second, more, false)}}));
  }
  if (ask.is("POST", 3) && ask.at(2) == "action") return nova_action(world, ask, id);
  if (ask.at(2) == "os-volume_attachments") return nova_attachments(world, ask, id);
  if (ask.at(2) == "os-instance-actions" && ask.is("GET", 3)) return nova_deeds(ask, more);
  if (ask.at(2) == "os-interface") return nova_interfaces(world, ask, id);
  if (ask.at(2) == "tags") return tags_of(world, ask, id);
  if (ask.at(2) == "metadata") return metadata_of(world, ask, id);
  return fault(404, "The resource could not be found.");
}

http::Response nova(World& world, Ask& ask) {
  if (ask.path.empty() || ask.at(0) != "v2.1") {
    if (!ask.path.empty()) return fault(404, "The resource could not be found.");
    return json(200, Value::map({{"versions", Value::list({version_document(world)})}}));
  }
  ask.path.erase(ask.path.begin());
  const auto minor = microversion(ask, kNova);
  if (!minor) return minor.error();
  ask.minor = *minor;
  const auto answer = [&]() -> http::Response {
    if (ask.path.empty()) return json(200, Value::map({{"version", version_document(world)}}));
    if (ask.session.user.empty()) return unauthorized(world);
    world.model().acting = ask.session.user;
    if (ask.at(0) == "servers") return nova_server(world, ask);
    if (ask.at(0) == "flavors") return flavors(world, ask);
    if (ask.at(0) == "limits" && ask.is("GET", 1)) return limits(world);
    if (ask.at(0) == "os-server-groups") return server_groups(world, ask);
    if (ask.at(0) == "os-availability-zone" && ask.is("GET", 1))
      return json(200, Value::map({{"availabilityZoneInfo",
                                    Value::list({Value::map({{"zoneName", "nova"},
                                                             {"zoneState", Value::map({{"available", true}})},
                                                             {"hosts", Value()}})})}}));
    return fault(404, "The resource could not be found.");
  };
  http::Response response = answer();
  say_version(response, kNova, *minor);
  return response;
}

}  // namespace trove::sim
