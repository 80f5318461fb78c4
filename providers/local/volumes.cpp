// Cinder's part: a volume is a directory, volumes/<id>/fs. Sizes are recorded, not enforced: the machine's file system
// has one free space for all.
#include <algorithm>
#include "providers/local/launch.hpp"
#include "providers/local/machine.hpp"

namespace trove::local {

namespace {

Error attached(const std::string& volume, const std::string& server) {
  return {Code::conflict, "InvalidVolume: volume " + volume + " is in-use, attached to server " + server, {}, {}};
}

}  // namespace

Result<Outcome> Machine::run(const CreateVolume& action) {
  if (action.size_gib < 1)
    return fail(Code::invalid, "InvalidInput: Volume size must be an integer and greater than 0");
  if (!action.zone.empty()) return no_zone(action.zone);
  if (auto space = check_space(); !space) return tl::unexpected(space.error());
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  const auto volumes = state_.all_volumes();
  if (!volumes.known) return fail(Code::unavailable, "not every volume can be read: " + volumes.trouble.front());
  for (const VolumeRecord* record : volumes.rows) {
    if (record->volume.token == action.token) {
      return fail(Code::conflict,
                  "Volume " + record->volume.id + " carries the token " + to_string(action.token) + " already");
    }
  }
  VolumeRecord record;
  record.volume.id = new_uid(options_.rng);
  record.volume.name = action.name;
  record.volume.token = action.token;
  record.volume.size_gib = action.size_gib;
  record.volume.type = action.type;
  record.project = action.project;
  if (auto done = state_.add(record); !done) return tl::unexpected(done.error());
  return Outcome{record.volume.id, {}};
}

Result<Outcome> Machine::change(const std::string& id, const Token& token,
                                const std::function<Result<void>(VolumeRecord&)>& how) {
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  const auto found = state_.volume(id);
  if (!found) return tl::unexpected(found.error());
  VolumeRecord record = **found;
  if (auto ours = check_token(record.volume.token, token, "Volume " + id); !ours) return tl::unexpected(ours.error());
  if (auto done = how(record); !done) return tl::unexpected(done.error());
  if (auto done = state_.put(record); !done) return tl::unexpected(done.error());
  return Outcome{id, {}};
}

Result<Outcome> Machine::run(const ExtendVolume& action) {
  return change(action.id, action.token, [&](VolumeRecord& record) -> Result<void> {
    if (action.to_gib == record.volume.size_gib) return {};
    if (action.to_gib < record.volume.size_gib) {
      return fail(Code::invalid, "InvalidInput: New size for extend must be greater than current size. (current: " +
                                     std::to_string(record.volume.size_gib) +
                                     ", extended: " + std::to_string(action.to_gib) + ")");
    }
    if (auto space = check_space(); !space) return space;
    record.volume.size_gib = action.to_gib;
    return {};
  });
}

// There is one kind of disk here: the type is what was asked for, and written down.
Result<Outcome> Machine::run(const RetypeVolume& action) {
  return change(action.id, action.token, [&](VolumeRecord& record) -> Result<void> {
    record.volume.type = action.to_type;
    return {};
  });
}

Result<Outcome> Machine::run(const DeleteVolume& action) {
  std::vector<Belonging> left_over;
  {
    const auto lock = state_.read_lock();
    const auto found = state_.volume(action.id);
    if (!found && found.error().code == Code::not_found) return Outcome{action.id, {}};
    if (!found) return tl::unexpected(found.error());
    const VolumeRecord& record = **found;
    if (auto ours = check_token(record.volume.token, action.token, "Volume " + action.id); !ours)
      return tl::unexpected(ours.error());
    const std::string& server = record.volume.server_id;
    if (state_.server_exists(server)) return tl::unexpected(attached(action.id, server));
    if (!server.empty()) left_over.push_back(belonging(server, record.server_token, action.id));
  }
  if (auto done = end_left_over(left_over); !done) return tl::unexpected(done.error());
  {
    auto lock = state_.write_lock();
    if (!lock) return tl::unexpected(lock.error());
    // Looked at again, for a server may have taken it meanwhile; a reservation names it before the volume does.
    const auto found = state_.volume(action.id);
    if (!found && found.error().code == Code::not_found) return Outcome{action.id, {}};
    if (!found) return tl::unexpected(found.error());
    if (state_.server_exists((*found)->volume.server_id)) {
      return tl::unexpected(attached(action.id, (*found)->volume.server_id));
    }
    const auto servers = state_.all_servers();
    if (!servers.known) return fail(Code::unavailable, "not every server can be read: " + servers.trouble.front());
    for (const ServerRecord* record : servers.rows) {
      if (record->server.volume_id == action.id) return tl::unexpected(attached(action.id, record->server.id));
    }
    const auto holder = lock_holder(state_.volume_lock(action.id));
    const auto writer = holder ? holder : writer_in(state_.volume_disk(action.id));
    if (writer) {
      return fail(Code::conflict,
                  "InvalidVolume: volume " + action.id + " is in use by process " + std::to_string(*writer));
    }
    if (auto done = state_.discard(state_.volume_dir(action.id)); !done) return tl::unexpected(done.error());
  }
  state_.empty_trash();
  return Outcome{action.id, {}};
}

// An agent is started with its directory: there is no attaching to one that runs.
Result<Outcome> Machine::run(const AttachVolume& action) {
  return fail(Code::conflict, "Cannot attach volume " + action.id + " to server " + action.server_id +
                                  ": on the local cloud a volume comes with its server");
}

Result<Outcome> Machine::run(const DetachVolume& action) {
  std::vector<Belonging> left_over;
  {
    const auto lock = state_.read_lock();
    const auto found = state_.volume(action.id);
    if (!found) return tl::unexpected(found.error());
    const VolumeRecord& record = **found;
    if (auto ours = check_token(record.volume.token, action.token, "Volume " + action.id); !ours)
      return tl::unexpected(ours.error());
    if (record.volume.server_id.empty()) return Outcome{action.id, {}};
    if (record.volume.server_id != action.server_id)
      return tl::unexpected(attached(action.id, record.volume.server_id));
    const auto server = state_.server(action.server_id);
    const auto agent = state_.agent(action.server_id);
    if (server && agent && is_running(**agent, to_string((*server)->server.token))) {
      return fail(Code::conflict,
                  "Cannot 'detach_volume' instance " + action.server_id + " while it is in vm_state active");
    }
    left_over.push_back(belonging(action.server_id, record.server_token, action.id));
  }
  if (auto done = end_left_over(left_over); !done) return tl::unexpected(done.error());
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  // The server first: a crash in between leaves a volume that seems attached, never one that seems free.
  if (const auto server = state_.server(action.server_id); server && (*server)->server.volume_id == action.id) {
    ServerRecord record = **server;
    record.server.volume_id.clear();
    if (auto done = state_.put(record); !done) return tl::unexpected(done.error());
  }
  const auto found = state_.volume(action.id);
  if (!found) return tl::unexpected(found.error());
  if ((*found)->volume.server_id == action.server_id) {
    VolumeRecord record = **found;
    record.volume.server_id.clear();
    record.server_token.clear();
    if (auto done = state_.put(record); !done) return tl::unexpected(done.error());
  }
  return Outcome{action.id, {}};
}

}  // namespace trove::local
