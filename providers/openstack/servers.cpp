// Nova: servers, made of an image, our port and our volume.
#include <algorithm>
#include "providers/openstack/cloud.hpp"

namespace trove::openstack {
namespace {

constexpr size_t kMostTag = 60;

bool speaks_of(const Failure& failure, std::string_view words) {
  return failure.error.message.find(words) != std::string::npos;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

Openstack::Answered<std::optional<Server>> Openstack::own_server(const std::string& id, const Token& token) {
  auto reply = get(Service::compute, "/servers/" + http::percent_encode(id));
  if (!reply && reply.error().error.code == Code::not_found) return std::nullopt;
  if (!reply) return tl::unexpected(reply.error());
  const Value& json = reply->body["server"];
  auto server = server_of(json);
  if (!server || (server->status == Server::Status::unknown && !json["metadata"].is_map()))
    return tl::unexpected(
        refused(Service::compute, Code::unavailable, "nothing is known of server " + id + " right now"));
  if (server->token != token)
    return tl::unexpected(refused(Service::compute, Code::denied,
                                  "server " + id + " does not carry " + to_string(token) + "; it is not touched"));
  return server;
}

// Nova filters no list of groups by name; a project has ten of them as a rule.
Openstack::Answered<std::string> Openstack::server_group_id(const std::string& name_or_id) {
  auto listed = get(Service::compute, "/os-server-groups");
  if (!listed) return tl::unexpected(listed.error());
  std::vector<std::string> called, all;
  for (const Value& json : listed->body["server_groups"].items()) {
    const std::string &id = json["id"].text(), &name = json["name"].text();
    if (id == name_or_id) return id;
    if (name == name_or_id) called.push_back(id);
    all.push_back(name);
  }
  if (called.size() == 1) return called.front();
  std::sort(all.begin(), all.end());
  if (called.size() > 1)
    return tl::unexpected(refused(Service::compute, Code::invalid,
                                  std::to_string(called.size()) + " server groups are called " + name_or_id,
                                  "name the id of one: " + joined(called)));
  return tl::unexpected(refused(Service::compute, Code::invalid, "there is no server group " + name_or_id,
                                all.empty() ? "openstack server group create makes one" : "there are: " + joined(all)));
}

Openstack::Answered<Outcome> Openstack::run(const CreateServer& action) {
  auto flavor = flavor_id(action.flavor);
  if (!flavor) return tl::unexpected(flavor.error());
  auto image = image_id(action.datastore, action.version);
  if (!image) return tl::unexpected(image.error());
  auto endpoint = options_.guest_endpoint(action.token);
  if (!endpoint) return tl::unexpected(refused(Service::compute, endpoint.error().code, endpoint.error().message));

  Value metadata = metadata_of(action.token, action.project);
  Value disks = Value::list({Value::map({{"boot_index", 0},
                                         {"uuid", *image},
                                         {"source_type", "image"},
                                         {"destination_type", "local"},
                                         {"delete_on_termination", true}})});
  if (!action.volume_id.empty()) {
    disks.push_back(Value::map({{"boot_index", -1},
                                {"uuid", action.volume_id},
                                {"source_type", "volume"},
                                {"destination_type", "volume"},
                                {"delete_on_termination", false}}));
  }
  Value server = Value::map({{"name", action.name},
                             {"flavorRef", *flavor},
                             {"imageRef", *image},
                             {"networks", Value::list({Value::map({{"port", action.port_id}})})},
                             {"block_device_mapping_v2", disks},
                             {"metadata", metadata},
                             {"config_drive", true},
                             {"user_data", guest_user_data(action.token, *endpoint, options_.guest_ca, action.volume_id)}});
  const std::string tag = to_string(action.token);
  if (capabilities().server_tags && tag.size() <= kMostTag) server.set("tags", Value::list({tag}));
  if (!options_.key_pair.empty()) server.set("key_name", options_.key_pair);
  if (const std::string& zone = zone_for(action.zone); !zone.empty()) server.set("availability_zone", zone);

  Value body = Value::map({{"server", server}});
  if (!action.group.empty()) {
    auto group = server_group_id(action.group);
    if (!group) return tl::unexpected(group.error());
    body.set("os:scheduler_hints", Value::map({{"group", *group}}));
  }

  auto made = session_.send({Service::compute, "POST", "/servers", std::move(body), {}});
  if (!made) {
    Failure failure = made.error();
    // The volume or the port has a server already: somebody was faster, perhaps we were, by a request without an
    // answer.
    if (failure.error.code == Code::invalid && !action.volume_id.empty() && speaks_of(failure, action.volume_id))
      failure.error.code = Code::conflict;
    if (failure.error.code == Code::invalid && speaks_of(failure, action.port_id) && speaks_of(failure, "in use"))
      failure.error.code = Code::conflict;
    return tl::unexpected(std::move(failure));
  }
  const std::string& id = made->body["server"]["id"].text();
  if (id.empty()) return tl::unexpected(refused(Service::compute, Code::outcome_unknown, "the new server has no id"));
  return Outcome{id, made->request_id};
}

Openstack::Answered<Reply> Openstack::server_action(const std::string& id, Value body) {
  return session_.send(
      {Service::compute, "POST", "/servers/" + http::percent_encode(id) + "/action", std::move(body), {}});
}

Openstack::Answered<Outcome> Openstack::run(const StartServer& action) {
  auto done = server_action(action.id, Value::map({{"os-start", Value()}}));
  if (!done) return tl::unexpected(done.error());
  return Outcome{action.id, done->request_id};
}

Openstack::Answered<Outcome> Openstack::run(const ResizeServer& action) {
  auto flavor = flavor_id(action.to_flavor);
  if (!flavor) return tl::unexpected(flavor.error());
  auto server = own_server(action.id, action.token);
  if (!server) return tl::unexpected(server.error());
  if (!*server) return tl::unexpected(refused(Service::compute, Code::not_found, "server " + action.id + " is gone"));
  if ((*server)->flavor == action.to_flavor) return Outcome{action.id, ""};
  auto done = server_action(action.id, Value::map({{"resize", Value::map({{"flavorRef", *flavor}})}}));
  if (!done) return tl::unexpected(done.error());
  return Outcome{action.id, done->request_id};
}

Openstack::Answered<Outcome> Openstack::run(const ExplainServer& action) {
  auto listed = get(Service::compute, "/servers/" + http::percent_encode(action.id) + "/os-instance-actions");
  if (!listed) return tl::unexpected(listed.error());
  Outcome outcome{action.id, listed->request_id};
  for (const Value& json : listed->body["instanceActions"].items())
    if (auto deed = deed_of(json)) outcome.deeds.push_back(std::move(*deed));
  return outcome;
}

Openstack::Answered<Outcome> Openstack::run(const ConfirmResize& action) {
  auto done = server_action(action.id, Value::map({{"confirmResize", Value()}}));
  if (done) return Outcome{action.id, done->request_id};
  // Nova shows VERIFY_RESIZE for a while after it was confirmed, and refuses to do it twice.
  if (done.error().error.code == Code::invalid || done.error().error.code == Code::conflict)
    if (auto server = own_server(action.id, action.token); server && *server)
      if ((*server)->status == Server::Status::active) return Outcome{action.id, done.error().request_id};
  return tl::unexpected(done.error());
}

Openstack::Answered<Outcome> Openstack::run(const RevertResize& action) {
  auto done = server_action(action.id, Value::map({{"revertResize", Value()}}));
  if (done) return Outcome{action.id, done->request_id};
  // As above: it is done, or on its way.
  if (done.error().error.code == Code::invalid || done.error().error.code == Code::conflict)
    if (auto server = own_server(action.id, action.token); server && *server)
      if ((*server)->status != Server::Status::verify_resize && (*server)->flavor == action.to_flavor)
        return Outcome{action.id, done.error().request_id};
  return tl::unexpected(done.error());
}

Openstack::Answered<Outcome> Openstack::run(const DeleteServer& action) {
  auto server = own_server(action.id, action.token);
  if (!server) return tl::unexpected(server.error());
  if (!*server || (*server)->status == Server::Status::deleting) return Outcome{action.id, ""};
  auto gone = session_.send({Service::compute, "DELETE", "/servers/" + http::percent_encode(action.id), {}, {}});
  if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  return Outcome{action.id, gone ? gone->request_id : gone.error().request_id};
}

}  // namespace trove::openstack
