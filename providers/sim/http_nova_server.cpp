// One server as Nova shows it, and what can be done with it: actions, attachments, interfaces.
#include <algorithm>
#include "providers/sim/http_world.hpp"
#include "specs/core/digest.hpp"

namespace trove::sim {

namespace {

const char* vm_state(Server::Status status) {
  switch (status) {
    case Server::Status::build:
      return "building";
    case Server::Status::shutoff:
      return "stopped";
    case Server::Status::verify_resize:
      return "resized";
    case Server::Status::error:
      return "error";
    default:
      return "active";
  }
}

Value flavor_view(World& world, const Ask& ask, const std::string& name) {
  if (ask.minor < 47) {
    return Value::map(
        {{"id", flavor_id(name)},
         {"links", Value::list({Value::map(
                       {{"rel", "bookmark"}, {"href", world.base + "/compute/flavors/" + flavor_id(name)}})})}});
  }
  const Flavor* flavor = world.model().flavor(name);
  return Value::map({{"original_name", name},
                     {"ram", flavor ? flavor->ram_mib : 0},
                     {"vcpus", flavor ? flavor->vcpus : 0},
                     {"disk", 1},
                     {"ephemeral", 0},
                     {"swap", 0},
                     {"extra_specs", Value::map()}});
}

Value self_links(World& world, const std::string& id) {
  return Value::list({Value::map({{"rel", "self"}, {"href", world.base + "/compute/v2.1/servers/" + id}}),
                      Value::map({{"rel", "bookmark"}, {"href", world.base + "/compute/servers/" + id}})});
}

std::string device_of(const SimServerMore& server, const SimVolumeMore& more, const std::string& volume) {
  if (!more.device.empty()) return more.device;
  const auto at = std::find(server.volumes.begin(), server.volumes.end(), volume) - server.volumes.begin();
  return std::string("/dev/vd") + static_cast<char>('b' + at % 24);
}

Value addresses(World& world, const SimServerMore& more, const std::string& id) {
  Value by_network = Value::map();
  for (const std::string& port : more.ports) {
    const auto row = world.model().ports.find(port);
    if (row == world.model().ports.end() || row->second.device_id != id) continue;
    const SimPortMore& details = world.model().port_more.at(port);
    const auto network = world.networks.find(details.network);
    const std::string name = network == world.networks.end() ? "private" : network->second.name;
    Value* list = by_network.find(name);
    if (!list) list = &by_network.set(name, Value::list());
    list->push_back(Value::map({{"addr", row->second.address},
                                {"version", 4},
                                {"OS-EXT-IPS:type", "fixed"},
                                {"OS-EXT-IPS-MAC:mac_addr", details.mac}}));
    for (const auto& [unused, floating] : world.floatings)
      if (floating.port == port)
        list->push_back(Value::map({{"addr", floating.address},
                                    {"version", 4},
                                    {"OS-EXT-IPS:type", "floating"},
                                    {"OS-EXT-IPS-MAC:mac_addr", details.mac}}));
  }
  return by_network;
}

http::Response bad_action(const std::string& name) { return fault(400, "There is no such action: " + name); }

}  // namespace

// Newest first, as Nova lists them.
http::Response nova_deeds(const Ask& ask, const SimServerMore& more) {
  Value list = Value::list();
  for (auto deed = more.deeds.rbegin(); deed != more.deeds.rend(); ++deed) {
    std::string started = seconds_text(deed->started);
    started.back() = '.';  // no zone, and six digits
    Value one = Value::map({{"action", deed->action},
                            {"instance_uuid", ask.at(1)},
                            {"message", Value()},
                            {"project_id", more.project},
                            {"request_id", deed->request_id},
                            {"start_time", started + "000000"},
                            {"user_id", deed->user}});
    if (ask.minor >= 58) one.set("updated_at", started + "000000");
    list.push_back(std::move(one));
  }
  return json(200, Value::map({{"instanceActions", std::move(list)}}));
}

Value nova_hidden_view(World& world, const Ask& ask, const Server& row, const SimServerMore& more, bool detail) {
  Value v = Value::map({{"id", row.id}, {"status", "UNKNOWN"}, {"links", self_links(world, row.id)}});
  if (!detail) return v;
  v.set("tenant_id", more.project);
  v.set("created", seconds_text(row.created));
  if (ask.path.size() != 2 || ask.at(1) == "detail") return v;
  v.set("user_id", world.users.begin()->second);
  v.set("image", "");
  v.set("flavor", flavor_view(world, ask, row.flavor));
  v.set("OS-EXT-AZ:availability_zone", "UNKNOWN");
  v.set("OS-EXT-STS:power_state", 0);
  return v;
}

Value nova_view(World& world, const Ask& ask, const Server& row, const SimServerMore& more, bool gone) {
  const auto status = row.status == Server::Status::deleting ? more.before : row.status;
  const bool on = status == Server::Status::active || status == Server::Status::verify_resize;
  const std::string host = sha256_hex(more.project).substr(0, 56);
  Value volumes = Value::list();
  for (const std::string& id : more.volumes) {
    Value one = Value::map({{"id", id}});
    if (ask.minor >= 3) one.set("delete_on_termination", false);
    volumes.push_back(std::move(one));
  }
  Value image = more.image.empty() ? Value("") : Value::map({{"id", more.image}, {"links", Value::list()}});
  Value v = Value::map({
      {"id", row.id},
      {"name", row.name},
      {"status", gone                              ? "DELETED"
                 : more.task == "resize_reverting" ? "REVERT_RESIZE"
                                                   : std::string(to_string(status))},
      {"tenant_id", more.project},
      {"user_id", world.users.begin()->second},
      {"metadata", gone ? Value::map() : texts(more.metadata)},
      {"hostId", status == Server::Status::build ? "" : host},
      {"image", std::move(image)},
      {"flavor", flavor_view(world, ask, row.flavor)},
      {"created", seconds_text(row.created)},
      {"updated", seconds_text(more.updated)},
      {"addresses", addresses(world, more, row.id)},
      {"accessIPv4", ""},
      {"accessIPv6", ""},
      {"links", self_links(world, row.id)},
      {"OS-DCF:diskConfig", "MANUAL"},
      {"OS-EXT-AZ:availability_zone", more.zone},
      {"config_drive", ""},
      {"key_name", more.key_name.empty() ? Value() : Value(more.key_name)},
      {"OS-SRV-USG:launched_at", more.boots > 0 ? Value(micros_text(row.created)) : Value()},
      {"OS-SRV-USG:terminated_at", gone ? Value(micros_text(more.updated)) : Value()},
      {"OS-EXT-STS:task_state", more.task.empty() ? Value() : Value(more.task)},
      {"OS-EXT-STS:vm_state", gone ? "deleted" : vm_state(status)},
      {"OS-EXT-STS:power_state", on                                  ? 1
                                 : status == Server::Status::shutoff ? 4
                                                                     : 0},
      {"os-extended-volumes:volumes_attached", std::move(volumes)},
  });
  if (on || status == Server::Status::build) v.set("progress", 0);
  if (more.port_claimed) v.set("security_groups", Value::list({Value::map({{"name", "default"}})}));
  const bool alone = ask.path.size() == 2 && ask.at(1) != "detail";
  // A list looks for faults in another database than the one that keeps servers which found no host (seen of Zed).
  if (status == Server::Status::error && !row.fault.empty() && (alone || more.boots > 0))
    v.set("fault", Value::map({{"code", 500}, {"created", seconds_text(more.updated)}, {"message", row.fault}}));
  if (ask.session.admin) {
    v.set("OS-EXT-SRV-ATTR:host", on ? Value("sim-host") : Value());
    v.set("OS-EXT-SRV-ATTR:hypervisor_hostname", on ? Value("sim-host") : Value());
    v.set("OS-EXT-SRV-ATTR:instance_name", "instance-" + row.id.substr(0, 8));
    if (ask.minor >= 3) v.set("OS-EXT-SRV-ATTR:user_data", more.user_data.empty() ? Value() : Value(more.user_data));
  }
  if (ask.minor >= 9) v.set("locked", false);
  if (ask.minor >= 16 && ask.session.admin) v.set("host_status", on ? "UP" : "");
  if (ask.minor >= 19) v.set("description", Value());
  if (ask.minor >= 26) v.set("tags", text_list(more.tags));
  if (ask.minor >= 63) v.set("trusted_image_certificates", Value());
  if (ask.minor >= 71 && alone)
    v.set("server_groups", more.group.empty() ? Value::list() : Value::list({Value(more.group)}));
  return v;
}

http::Response nova_action(World& world, Ask& ask, const std::string& id) {
  SimModel& model = world.model();
  if (ask.body.members().size() != 1) return bad_action("");
  const std::string name = ask.body.members()[0].key;
  const Value argument = ask.body.members()[0].value;
  const auto answer = [](const SimResult<void>& done, int status) {
    return done ? empty(status) : refused(done.error());
  };
  if (name == "os-start") return answer(model.start_server(id), 202);
  if (name == "os-stop") return answer(model.stop_server(id), 202);
  if (name == "reboot") {
    const std::string type = argument["type"].text();
    if (type != "SOFT" && type != "HARD" && type != "soft" && type != "hard")
      return fault(400, "Invalid input for field/attribute type. Value: " + type + ".");
    return answer(model.reboot_server(id), 202);
  }
  if (name == "resize") {
    const std::string ref = argument["flavorRef"].text();
    if (ref.empty()) return fault(400, "Invalid input for field/attribute resize. 'flavorRef' is a required property");
    const Flavor* flavor = flavor_by_id(world, ref);
    if (!flavor) return fault(400, "Flavor " + ref + " could not be found.");
    return answer(model.resize_server(id, flavor->name), 202);
  }
  if (name == "confirmResize") return answer(model.confirm_resize(id), 204);
  if (name == "revertResize") return answer(model.revert_resize(id), 202);
  if (name == "rebuild") {
    const std::string image = argument["imageRef"].text();
    if (!world.images.contains(image)) return fault(400, "Cannot find image for rebuild");
    const auto done = model.rebuild_server(id, image);
    if (!done) return refused(done.error());
    return json(202,
                Value::map({{"server", nova_view(world, ask, model.servers.at(id), model.server_more.at(id), false)}}));
  }
  if (name == "forceDelete") return answer(model.delete_server(id), 202);
  return bad_action(name);
}

http::Response nova_attachments(World& world, Ask& ask, const std::string& id) {
  SimModel& model = world.model();
  const SimServerMore& server = model.server_more.at(id);
  const auto view = [&](const std::string& volume) {
    const auto details = model.volume_more.find(volume);
    const SimVolumeMore none;
    const SimVolumeMore& more = details == model.volume_more.end() ? none : details->second;
    Value v = Value::map({{"serverId", id}, {"volumeId", volume}, {"device", device_of(server, more, volume)}});
    if (ask.minor >= 89) {
      v.set("attachment_id", more.attachment_id);
      v.set("bdm_uuid", more.attachment_id);
    } else {
      v.set("id", volume);
    }
    if (ask.minor >= 70) v.set("tag", Value());
    if (ask.minor >= 79) v.set("delete_on_termination", false);
    return v;
  };
  const auto has = [&](const std::string& volume) {
    return std::find(server.volumes.begin(), server.volumes.end(), volume) != server.volumes.end();
  };
  if (ask.is("GET", 3)) {
    Value list = Value::list();
    for (const std::string& volume : server.volumes) list.push_back(view(volume));
    return json(200, Value::map({{"volumeAttachments", std::move(list)}}));
  }
  if (ask.is("POST", 3)) {
    const Value& asked = ask.body["volumeAttachment"];
    const std::string volume = asked["volumeId"].text();
    if (volume.empty())
      return fault(400, "Invalid input for field/attribute volumeAttachment. 'volumeId' is a required property");
    const auto done = model.attach_volume(id, volume, asked["device"].text());
    if (!done) return refused(done.error());
    return json(200, Value::map({{"volumeAttachment", view(volume)}}));
  }
  if (ask.is("GET", 4)) {
    if (!has(ask.at(3))) return fault(404, "volume_id not found: " + ask.at(3));
    return json(200, Value::map({{"volumeAttachment", view(ask.at(3))}}));
  }
  if (ask.is("DELETE", 4)) {
    const auto done = model.detach_volume(id, ask.at(3));
    return done ? empty(202) : refused(done.error());
  }
  return fault(405, "The method is not allowed.");
}

http::Response nova_interfaces(World& world, Ask& ask, const std::string& id) {
  SimModel& model = world.model();
  const auto view = [&](const std::string& port) {
    const SimPortMore& more = model.port_more.at(port);
    const Value fixed =
        Value::list({Value::map({{"subnet_id", more.subnet}, {"ip_address", model.ports.at(port).address}})});
    return Value::map({{"port_id", port},
                       {"net_id", more.network},
                       {"mac_addr", more.mac},
                       {"port_state", "ACTIVE"},
                       {"fixed_ips", fixed}});
  };
  if (ask.is("GET", 3)) {
    Value list = Value::list();
    for (const auto& [port, row] : model.ports)
      if (row.device_id == id) list.push_back(view(port));
    return json(200, Value::map({{"interfaceAttachments", std::move(list)}}));
  }
  if (ask.is("POST", 3)) {
    const std::string port = ask.body["interfaceAttachment"]["port_id"].text();
    const auto done = model.attach_port(id, port);
    if (!done) return refused(done.error());
    return json(200, Value::map({{"interfaceAttachment", view(port)}}));
  }
  if (ask.is("DELETE", 4)) {
    const auto done = model.detach_port(id, ask.at(3));
    return done ? empty(202) : refused(done.error());
  }
  return fault(405, "The method is not allowed.");
}

}  // namespace trove::sim
