// Cinder: volumes; and Nova's half of attaching them.
#include "providers/openstack/cloud.hpp"

namespace trove::openstack {

Openstack::Answered<std::optional<CloudVolume>> Openstack::own_volume(const std::string& id, const Token& token) {
  auto reply = get(Service::volume, "/volumes/" + http::percent_encode(id));
  if (!reply && reply.error().error.code == Code::not_found) return std::nullopt;
  if (!reply) return tl::unexpected(reply.error());
  auto volume = volume_of(reply->body["volume"]);
  if (!volume)
    return tl::unexpected(refused(Service::volume, Code::unavailable, "volume " + id + " cannot be understood"));
  if (volume->token != token)
    return tl::unexpected(refused(Service::volume, Code::denied,
                                  "volume " + id + " does not carry " + to_string(token) + "; it is not touched"));
  return volume;
}

Openstack::Answered<Outcome> Openstack::run(const CreateVolume& action) {
  Value volume = Value::map({{"size", action.size_gib},
                             {"name", action.name},
                             {"description", to_string(action.token)},
                             {"metadata", metadata_of(action.token, action.project)}});
  if (!action.type.empty()) volume.set("volume_type", action.type);
  if (const std::string& zone = zone_for(action.zone); !zone.empty()) volume.set("availability_zone", zone);
  auto made = session_.send({Service::volume, "POST", "/volumes", Value::map({{"volume", volume}}), {}});
  if (!made) {
    Failure failure = made.error();
    if (failure.error.code == Code::not_found) failure.error.code = Code::invalid;  // the type: nothing else is named
    return tl::unexpected(std::move(failure));
  }
  const std::string& id = made->body["volume"]["id"].text();
  if (id.empty()) return tl::unexpected(refused(Service::volume, Code::outcome_unknown, "the new volume has no id"));
  return Outcome{id, made->request_id};
}

Openstack::Answered<Outcome> Openstack::change_volume(const std::string& id, const Token& token, Value body,
                                                      const std::function<bool(const CloudVolume&)>& has_it) {
  auto done =
      session_.send({Service::volume, "POST", "/volumes/" + http::percent_encode(id) + "/action", std::move(body), {}});
  if (done) return Outcome{id, done->request_id};
  Failure failure = done.error();
  // Cinder says 400 for a state that passes, and for what the volume has by now; 404 for whatever it was told of.
  if (failure.error.code == Code::invalid || failure.error.code == Code::not_found) {
    auto seen = own_volume(id, token);
    if (seen && !*seen) return tl::unexpected(std::move(failure));
    if (seen && has_it(**seen)) return Outcome{id, failure.request_id};
    const bool settled = seen && ((*seen)->status == CloudVolume::Status::available ||
                                  (*seen)->status == CloudVolume::Status::in_use);
    failure.error.code = settled ? Code::invalid : Code::conflict;
  }
  return tl::unexpected(std::move(failure));
}

Openstack::Answered<Outcome> Openstack::run(const ExtendVolume& action) {
  return change_volume(action.id, action.token,
                       Value::map({{"os-extend", Value::map({{"new_size", action.to_gib}})}}),
                       [&](const CloudVolume& volume) { return volume.size_gib >= action.to_gib; });
}

Openstack::Answered<Outcome> Openstack::run(const RetypeVolume& action) {
  auto volume = own_volume(action.id, action.token);
  if (!volume) return tl::unexpected(volume.error());
  if (!*volume) return tl::unexpected(refused(Service::volume, Code::not_found, "volume " + action.id + " is gone"));
  const auto types = volume_types();  // not known: then Cinder says what it thinks of it
  const auto has_it = [&](const CloudVolume& seen) {
    return same_volume_type(types ? *types : std::vector<VolumeType>{}, action.to_type, seen.type).value_or(false);
  };
  if (has_it(**volume)) return Outcome{action.id, ""};
  return change_volume(
      action.id, action.token,
      Value::map({{"os-retype", Value::map({{"new_type", action.to_type}, {"migration_policy", "on-demand"}})}}), has_it);
}

Openstack::Answered<Outcome> Openstack::run(const DeleteVolume& action) {
  auto volume = own_volume(action.id, action.token);
  if (!volume) return tl::unexpected(volume.error());
  if (!*volume || (*volume)->status == CloudVolume::Status::deleting) return Outcome{action.id, ""};
  if (!(*volume)->server_id.empty())
    return tl::unexpected(refused(Service::volume, Code::conflict,
                                  "volume " + action.id + " is attached to server " + (*volume)->server_id));
  auto gone = session_.send({Service::volume, "DELETE", "/volumes/" + http::percent_encode(action.id), {}, {}});
  if (gone) return Outcome{action.id, gone->request_id};
  Failure failure = gone.error();
  if (failure.error.code == Code::not_found) return Outcome{action.id, failure.request_id};
  if (failure.error.code == Code::invalid) failure.error.code = Code::conflict;  // 400: its state does not allow it now
  return tl::unexpected(std::move(failure));
}

Openstack::Answered<Outcome> Openstack::run(const AttachVolume& action) {
  auto volume = own_volume(action.id, action.token);
  if (!volume) return tl::unexpected(volume.error());
  if (!*volume) return tl::unexpected(refused(Service::volume, Code::not_found, "volume " + action.id + " is gone"));
  if ((*volume)->server_id == action.server_id) return Outcome{action.id, ""};
  auto done = session_.send({Service::compute,
                             "POST",
                             "/servers/" + http::percent_encode(action.server_id) + "/os-volume_attachments",
                             Value::map({{"volumeAttachment", Value::map({{"volumeId", action.id}})}}),
                             {}});
  if (done) return Outcome{action.id, done->request_id};
  Failure failure = done.error();
  if (failure.error.code == Code::invalid) failure.error.code = Code::conflict;  // 400: the volume is not available
  return tl::unexpected(std::move(failure));
}

Openstack::Answered<Outcome> Openstack::run(const DetachVolume& action) {
  auto reply = get(Service::volume, "/volumes/" + http::percent_encode(action.id));
  if (!reply && reply.error().error.code == Code::not_found) return Outcome{action.id, ""};
  if (!reply) return tl::unexpected(reply.error());
  const Value& json = reply->body["volume"];
  const auto volume = volume_of(json);
  if (!volume || volume->token != action.token)
    return tl::unexpected(
        refused(Service::volume, Code::denied,
                "volume " + action.id + " does not carry " + to_string(action.token) + "; it is not touched"));
  if (volume->server_id != action.server_id) return Outcome{action.id, ""};
  auto done = session_.send({Service::compute,
                             "DELETE",
                             "/servers/" + http::percent_encode(action.server_id) + "/os-volume_attachments/" +
                                 http::percent_encode(action.id),
                             {},
                             {}});
  if (done) return Outcome{action.id, done->request_id};
  if (done.error().error.code != Code::not_found) return tl::unexpected(done.error());
  auto server = get(Service::compute, "/servers/" + http::percent_encode(action.server_id));
  if (server) return Outcome{action.id, done.error().request_id};  // only the attachment is gone: Cinder follows
  if (server.error().error.code != Code::not_found) return tl::unexpected(server.error());
  // A server that went without letting go. Cinder checks with Nova once more before it lets us.
  for (const Value& attachment : json["attachments"].items()) {
    if (attachment["server_id"].text() != action.server_id) continue;
    auto gone = session_.send({Service::volume,
                               "DELETE",
                               "/attachments/" + http::percent_encode(attachment["attachment_id"].text()),
                               {},
                               {}});
    if (!gone && gone.error().error.code != Code::not_found) return tl::unexpected(gone.error());
  }
  return Outcome{action.id, done.error().request_id};
}

}  // namespace trove::openstack
