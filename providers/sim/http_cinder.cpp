// Cinder v3: volumes, actions, types, limits, attachments.
#include <algorithm>
#include "providers/sim/http_world.hpp"
#include "specs/json.hpp"

namespace trove::sim {

namespace {

const Microversion kCinder{"volume", "", 3, 0, 70};

http::Response no_volume(const std::string& id) { return fault(404, "Volume " + id + " could not be found."); }

// Cinder puts the exception's own words before the reason.
http::Response cinder_refused(const SimRefusal& refusal) {
  if (refusal.type == "InvalidVolume") return fault(400, "Invalid volume: " + refusal.message);
  if (refusal.type == "InvalidInput") return fault(400, "Invalid input received: " + refusal.message);
  if (refusal.status == 413) return fault(413, refusal.type + ": " + refusal.message);
  return refused(refusal);
}

bool is_attached(const CloudVolume& row) {
  using Status = CloudVolume::Status;
  return !row.server_id.empty() && (row.status == Status::in_use || row.status == Status::detaching ||
                                    row.status == Status::extending || row.status == Status::retyping ||
                                    row.status == Status::error_extending);
}

Value view(World& world, const Ask& ask, const CloudVolume& row, bool detail) {
  const SimVolumeMore& more = world.model().volume_more.at(row.id);
  const std::string href = world.base + "/volume/v3/" + more.project + "/volumes/" + row.id;
  const Value links = Value::list({Value::map({{"rel", "self"}, {"href", href}})});
  if (!detail) return Value::map({{"id", row.id}, {"name", row.name}, {"links", links}});
  Value attachments = Value::list();
  if (is_attached(row)) {
    attachments.push_back(Value::map({{"id", row.id},
                                      {"attachment_id", more.attachment_id},
                                      {"volume_id", row.id},
                                      {"server_id", row.server_id},
                                      {"host_name", ask.session.admin ? Value("sim-host") : Value()},
                                      {"device", more.device.empty() ? "/dev/vdb" : more.device},
                                      {"attached_at", micros_text(more.updated)}}));
  }
  Value v = Value::map({{"id", row.id},
                        {"status", to_string(row.status)},
                        {"size", row.size_gib},
                        {"availability_zone", more.zone.empty() ? "nova" : more.zone},
                        {"created_at", micros_text(row.created)},
                        {"updated_at", micros_text(more.updated)},
                        {"name", row.name},
                        {"description", more.description},
                        {"volume_type", row.type},
                        {"snapshot_id", Value()},
                        {"source_volid", Value()},
                        {"metadata", texts(more.metadata)},
                        {"links", links},
                        {"user_id", world.users.begin()->second},
                        {"bootable", "false"},
                        {"encrypted", false},
                        {"replication_status", Value()},
                        {"consistencygroup_id", Value()},
                        {"multiattach", false},
                        {"attachments", std::move(attachments)},
                        {"migration_status", Value()},
                        {"os-vol-tenant-attr:tenant_id", more.project}});
  if (ask.session.admin) v.set("os-vol-host-attr:host", "sim-host@sim#sim");
  return v;
}

http::Response create(World& world, Ask& ask) {
  const Value& asked = ask.body["volume"];
  if (!asked.is_map()) return fault(400, "Invalid input for field/attribute volume. 'volume' is a required property");
  CloudVolume row;
  SimVolumeMore more;
  const Value& size = asked["size"];
  row.size_gib = size.is_string() ? std::atoll(size.text().c_str()) : size.int_or(0);
  row.name = asked["name"].text();
  more.description = asked["description"].text();
  more.zone = asked["availability_zone"].text_or("nova");
  if (more.zone != "nova") return fault(400, "Availability zone '" + more.zone + "' is invalid.");
  more.project = ask.session.project;
  for (const auto& member : asked["metadata"].members()) {
    if (!member.value.is_string() || member.key.empty() || member.key.size() > 255 || member.value.text().size() > 255)
      return fault(400,
                   "Invalid input for field/attribute " + member.key + ". Value: " + member.value.as_written() + ".");
    more.metadata[member.key] = member.value.text();
  }
  row.type = asked["volume_type"].text();
  row.token = token_in(more.metadata, row.name);
  const auto id = world.model().create_volume(std::move(row), std::move(more));
  if (!id) return cinder_refused(id.error());
  return json(202, Value::map({{"volume", view(world, ask, world.model().volumes.at(*id), true)}}));
}

http::Response list(World& world, Ask& ask, bool detail) {
  SimModel& model = world.model();
  const bool everyone = is_true(ask.parameter("all_tenants")) && ask.session.admin;
  Value wanted;
  if (ask.has("metadata")) {
    std::string text = ask.parameter("metadata");
    std::replace(text.begin(), text.end(), '\'', '"');  // Python's own notation
    const auto read = parse_json(text);
    if (!read || !read->is_map()) return fault(400, "Invalid input received: metadata filter");
    wanted = *read;
  }
  // "gt:2026-09-27T12:00:00Z": what has changed since.
  Time since{};
  if (std::string text = ask.parameter("updated_at"); text.starts_with("gt:")) {
    text.erase(0, 3);
    const auto read = parse_time(text.ends_with('Z') || text.find('+') != std::string::npos ? text : text + "Z");
    if (!read) return fault(400, "Invalid input received: invalid time filter updated_at");
    since = *read;
  }
  std::vector<std::string> ids;
  for (const auto& [id, row] : model.volumes) {
    const SimVolumeMore& more = model.volume_more.at(id);
    bool fit = everyone || more.project == ask.session.project;
    fit = fit && more.updated > since;
    if (ask.has("project_id")) fit = fit && more.project == ask.parameter("project_id");
    if (ask.has("name")) fit = fit && row.name == ask.parameter("name");
    if (ask.has("status")) fit = fit && to_string(row.status) == ask.parameter("status");
    for (const auto& member : wanted.members()) {
      const auto found = more.metadata.find(member.key);
      fit = fit && found != more.metadata.end() && found->second == member.value.text();
    }
    if (fit) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end(), [&](const std::string& a, const std::string& b) {
    return std::pair(model.volumes.at(a).created, a) > std::pair(model.volumes.at(b).created, b);
  });
  const auto page = page_of(ask, ids, model.options.page);
  if (!page) {
    if (page.error() == PageTrouble::bad_marker) return no_volume(ask.parameter("marker"));
    return fault(400, "Invalid input received: limit parameter must be an integer");
  }
  Value volumes = Value::list();
  for (const std::string& id : page->ids) volumes.push_back(view(world, ask, model.volumes.at(id), detail));
  Value body = Value::map({{"volumes", std::move(volumes)}});
  if (!page->next.empty())
    body.set("volumes_links", Value::list({Value::map({{"rel", "next"}, {"href", next_url(world, ask, page->next)}})}));
  return json(200, body);
}

std::optional<CloudVolume::Status> status_from(const std::string& word) {
  using Status = CloudVolume::Status;
  for (Status status :
       {Status::creating, Status::available, Status::reserved, Status::attaching, Status::in_use, Status::detaching,
        Status::extending, Status::retyping, Status::deleting, Status::error, Status::error_deleting,
        Status::error_extending})
    if (to_string(status) == word) return status;
  return std::nullopt;
}

http::Response act(World& world, Ask& ask, CloudVolume& row) {
  SimModel& model = world.model();
  const std::string id = row.id;
  const auto answer = [](const SimResult<void>& done) { return done ? empty(202) : cinder_refused(done.error()); };
  if (ask.body.members().size() != 1) return fault(400, "There is no such action");
  const std::string name = ask.body.members()[0].key;
  const Value argument = ask.body.members()[0].value;
  if (name == "os-extend") {
    if (ask.minor < 42 && row.status != CloudVolume::Status::available)
      return fault(400, "Invalid volume: Volume " + id + " status must be 'available' to extend, currently " +
                            std::string(to_string(row.status)) + ".");
    return answer(model.extend_volume(id, argument["new_size"].int_or(0)));
  }
  if (name == "os-retype") {
    const std::string policy = argument["migration_policy"].text_or("never");
    if (policy != "never" && policy != "on-demand")
      return fault(400, "Invalid input for field/attribute migration_policy. Value: " + policy + ". '" + policy +
                            "' is not one of ['on-demand', 'never']");
    return answer(model.retype_volume(id, argument["new_type"].text()));
  }
  const bool admin_only = name == "os-reset_status" || name == "os-force_delete" || name == "os-force_detach";
  if (admin_only && !ask.session.admin)
    return fault(403, "Policy doesn't allow volume_extension:volume_admin_actions to be performed.");
  if (name == "os-reset_status") {
    const auto status = status_from(argument["status"].text());
    if (!status)
      return fault(400, "Invalid input for field/attribute status. Value: " + argument["status"].text() + ".");
    if (argument["attach_status"].text() == "detached") model.release_volume(id);
    return answer(model.reset_volume(id, *status));
  }
  if (name == "os-force_delete") return answer(model.delete_volume(id, true));
  if (name == "os-force_detach") return model.release_volume(id), empty(202);
  return fault(400, "There is no such action: " + name);
}

http::Response volumes(World& world, Ask& ask) {
  SimModel& model = world.model();
  if (ask.is("POST", 1)) return create(world, ask);
  if (ask.is("GET", 1)) return list(world, ask, false);
  if (ask.is("GET", 2) && ask.at(1) == "detail") return list(world, ask, true);
  const auto found = model.volumes.find(ask.at(1));
  if (found == model.volumes.end()) return no_volume(ask.at(1));
  SimVolumeMore& more = model.volume_more.at(ask.at(1));
  if (!ask.session.admin && more.project != ask.session.project) return no_volume(ask.at(1));
  if (ask.is("GET", 2)) return json(200, Value::map({{"volume", view(world, ask, found->second, true)}}));
  if (ask.is("DELETE", 2)) {
    const auto done = model.delete_volume(ask.at(1), is_true(ask.parameter("force")) && ask.session.admin);
    return done ? empty(202) : cinder_refused(done.error());
  }
  const auto mark = [&] { found->second.token = token_in(more.metadata, found->second.name); };
  if (ask.is("PUT", 2)) {
    const Value& asked = ask.body["volume"];
    if (asked.find("name")) found->second.name = asked["name"].text();
    if (asked.find("description")) more.description = asked["description"].text();
    for (const auto& member : asked["metadata"].members()) more.metadata[member.key] = member.value.text();
    mark();
    return json(200, Value::map({{"volume", view(world, ask, found->second, true)}}));
  }
  if (ask.is("POST", 3) && ask.at(2) == "action") return act(world, ask, found->second);
  if (ask.at(2) == "metadata" && ask.path.size() == 3) {
    if (ask.request.method == "PUT") more.metadata.clear();
    for (const auto& member : ask.body["metadata"].members()) more.metadata[member.key] = member.value.text();
    mark();
    return json(200, Value::map({{"metadata", texts(more.metadata)}}));
  }
  return fault(404, "The resource could not be found.");
}

http::Response attachments(World& world, Ask& ask) {
  SimModel& model = world.model();
  const auto view_of = [&](const CloudVolume& row) {
    const SimVolumeMore& more = model.volume_more.at(row.id);
    return Value::map({{"id", more.attachment_id},
                       {"volume_id", row.id},
                       {"instance", row.server_id},
                       {"status", is_attached(row) ? "attached" : std::string(to_string(row.status))}});
  };
  if (ask.minor < 27) return fault(404, "The resource could not be found.");
  Value list = Value::list();
  for (auto& [id, row] : model.volumes) {
    const SimVolumeMore& more = model.volume_more.at(id);
    if (more.attachment_id.empty() || (!ask.session.admin && more.project != ask.session.project)) continue;
    if (ask.path.size() == 1) {
      list.push_back(view_of(row));
      continue;
    }
    if (more.attachment_id != ask.at(1)) continue;
    if (ask.request.method == "GET") return json(200, Value::map({{"attachment", view_of(row)}}));
    // Only what Nova knows nothing of any more may go this way.
    if (ask.request.method == "DELETE" && model.servers.contains(row.server_id))
      return fault(
          409, "ConflictNovaUsingAttachment: Detach volume from instance " + row.server_id + " using the Compute API");
    if (ask.request.method == "DELETE")
      return model.release_volume(id), json(200, Value::map({{"attachments", Value::list()}}));
    return fault(405, "The method is not allowed.");
  }
  if (ask.path.size() == 1) return json(200, Value::map({{"attachments", std::move(list)}}));
  return fault(404, "Volume attachment could not be found with filter: attachment_id = " + ask.at(1) + ".");
}

http::Response limits(World& world) {
  const Limits now = world.model().limits();
  return json(
      200, Value::map({{"limits",
                        Value::map({{"rate", Value::list()},
                                    {"absolute", Value::map({{"maxTotalVolumes", now.volumes->most},
                                                             {"totalVolumesUsed", now.volumes->used},
                                                             {"maxTotalVolumeGigabytes", now.gigabytes->most},
                                                             {"totalGigabytesUsed", now.gigabytes->used},
                                                             {"maxTotalSnapshots", -1},
                                                             {"totalSnapshotsUsed", 0},
                                                             {"maxTotalBackups", -1},
                                                             {"totalBackupsUsed", 0},
                                                             {"maxTotalBackupGigabytes", -1},
                                                             {"totalBackupGigabytesUsed", 0}})}})}}));
}

http::Response types(World& world, Ask& ask) {
  const auto view_of = [](const std::string& id, const std::string& name) {
    return Value::map({{"id", id},
                       {"name", name},
                       {"is_public", true},
                       {"os-volume-type-access:is_public", true},
                       {"description", Value()},
                       {"qos_specs_id", Value()},
                       {"extra_specs", Value::map()}});
  };
  if (ask.is("GET", 2)) {
    for (const VolumeType& type : world.model().options.volume_types)
      if (type.id == ask.at(1)) return json(200, Value::map({{"volume_type", view_of(type.id, type.name)}}));
    return fault(404, "Volume type " + ask.at(1) + " could not be found.");
  }
  Value list = Value::list();
  for (const VolumeType& type : world.model().options.volume_types) list.push_back(view_of(type.id, type.name));
  return json(200, Value::map({{"volume_types", std::move(list)}}));
}

}  // namespace

http::Response cinder(World& world, Ask& ask) {
  const Value version = Value::map(
      {{"id", "v3.0"},
       {"status", "CURRENT"},
       {"version", "3.70"},
       {"min_version", "3.0"},
       {"updated", "2022-08-31T00:00:00Z"},
       {"links", Value::list({Value::map({{"rel", "self"}, {"href", world.base + "/volume/v3/"}})})},
       {"media-types", Value::list({Value::map({{"base", "application/json"},
                                                {"type", "application/vnd.openstack.volume+json;version=3"}})})}});
  if (ask.path.empty() || (ask.at(0) == "v3" && ask.path.size() == 1))
    return json(ask.path.empty() ? 300 : 200, Value::map({{"versions", Value::list({version})}}));
  if (ask.at(0) != "v3") return fault(404, "The resource could not be found.");
  if (ask.session.user.empty()) return unauthorized(world);
  const auto minor = microversion(ask, kCinder);
  if (!minor) return minor.error();
  ask.minor = *minor;
  const auto answer = [&]() -> http::Response {
    if (ask.at(1) != ask.session.project) return fault(400, "Malformed request url");
    ask.path.erase(ask.path.begin(), ask.path.begin() + 2);
    if (ask.at(0) == "volumes") return volumes(world, ask);
    if (ask.at(0) == "types" && ask.request.method == "GET") return types(world, ask);
    if (ask.at(0) == "limits" && ask.is("GET", 1)) return limits(world);
    if (ask.at(0) == "attachments") return attachments(world, ask);
    return fault(404, "The resource could not be found.");
  };
  http::Response response = answer();
  say_version(response, kCinder, *minor);
  return response;
}

}  // namespace trove::sim
