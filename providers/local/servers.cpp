// Nova's part: a server is a directory and the agent process that works in it. The directory with server.json is the
// reservation of port and volume and comes before anything else, so that a crash at any point is seen and resumed.
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include "providers/local/launch.hpp"
#include "providers/local/machine.hpp"
#include "providers/local/memory_group.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove::local {

namespace {

constexpr int64_t kMaxLogBytes = 8 << 20;    // agent.log; then it becomes agent.log.1
constexpr const char* kPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void turn_log(const std::string& path) {
  if (const auto stamp = stamp_of(path); stamp && stamp->size > kMaxLogBytes)
    rename(path.c_str(), (path + ".1").c_str());
}

}  // namespace

std::string Machine::guest_json(const ServerRecord& record) const {
  const Secret token = options_.guest_token ? options_.guest_token(record.server.token) : Secret();
  const std::string& volume = record.server.volume_id;
  return dump_json_pretty(Value::map({{"url", options_.endpoint_url},
                                      {"token", token.reveal()},
                                      {"server", to_string(record.server.token)},
                                      {"volume", volume.empty() ? std::string() : state_.volume_disk(volume)},
                                      {"run_as", ""}}));
}

Result<Machine::Reservation> Machine::reserve(const CreateServer& action, const std::string& id) {
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  if (!action.zone.empty()) return no_zone(action.zone);
  if (!action.group.empty())
    return fail(Code::invalid, "there is no server group " + action.group + ": this machine has none");
  if (auto ram = ram_of(action.flavor); !ram) return tl::unexpected(ram.error());
  const auto servers = state_.all_servers();
  // One that cannot be read could carry this token, or have this volume.
  if (!servers.known) return fail(Code::unavailable, "not every server can be read: " + servers.trouble.front());
  const auto volume_in_use = [&](const std::string& server) {
    return fail(Code::conflict,
                "InvalidVolume: volume " + action.volume_id + " is in-use, attached to server " + server);
  };
  const auto port_in_use = [&](const std::string& server) {
    return fail(Code::conflict, "PortInUse: Port " + action.port_id + " is still in use by server " + server);
  };
  for (const ServerRecord* record : servers.rows) {
    const Server& other = record->server;
    if (other.token == action.token) {
      return fail(Code::conflict, "Server " + other.id + " carries the token " + to_string(action.token) + " already");
    }
    if (!action.volume_id.empty() && other.volume_id == action.volume_id) return volume_in_use(other.id);
    if (!action.port_id.empty() && other.port_id == action.port_id) return port_in_use(other.id);
  }
  // Of a server whose directory is gone, processes may live on: they must not meet the new one, on its volume or
  // address or under its token.
  Reservation reservation;
  reservation.left_over.push_back(belonging("", to_string(action.token), action.volume_id));
  if (!action.port_id.empty()) {
    const auto port = state_.port(action.port_id);
    if (!port) return tl::unexpected(port.error());
    const std::string& device = (*port)->port.device_id;
    if (state_.server_exists(device)) return port_in_use(device);
    if (!device.empty()) reservation.left_over.push_back(belonging(device, (*port)->server_token, action.volume_id));
  }
  if (!action.volume_id.empty()) {
    const auto volume = state_.volume(action.volume_id);
    if (!volume) return tl::unexpected(volume.error());
    const std::string& server = (*volume)->volume.server_id;
    if (state_.server_exists(server)) return volume_in_use(server);
    if (!server.empty()) reservation.left_over.push_back(belonging(server, (*volume)->server_token, action.volume_id));
  }
  ServerRecord record;
  record.server.id = id;
  record.server.name = action.name;
  record.server.token = action.token;
  record.server.flavor = action.flavor;
  record.server.port_id = action.port_id;
  record.server.volume_id = action.volume_id;
  record.server.created = options_.clock.wall();
  record.project = action.project;
  record.datastore = action.datastore;
  record.version = action.version;
  if (auto done = state_.add(record, guest_json(record)); !done) return tl::unexpected(done.error());
  auto creating = hold_file(state_.creating_lock(id));
  if (!creating) {
    (void)state_.discard(state_.server_dir(id));
    return tl::unexpected(creating.error());
  }
  reservation.creating = std::move(*creating);
  return reservation;
}

// The old server's name stays on volume and port until what was left over of it has ended.
Result<void> Machine::attach(const ServerRecord& record) {
  const std::string token = to_string(record.server.token);
  if (!record.server.volume_id.empty()) {
    const auto found = state_.volume(record.server.volume_id);
    if (!found) return tl::unexpected(found.error());
    VolumeRecord volume = **found;
    volume.volume.server_id = record.server.id;
    volume.server_token = token;
    if (auto done = state_.put(volume); !done) return done;
  }
  if (!record.server.port_id.empty()) {
    const auto found = state_.port(record.server.port_id);
    if (!found) return tl::unexpected(found.error());
    PortRecord port = **found;
    port.port.device_id = record.server.id;
    port.server_token = token;
    if (auto done = state_.put(port); !done) return done;
  }
  return {};
}

Result<void> Machine::release(const std::string& server_id, const std::string& port_id, const std::string& volume_id) {
  if (const auto found = state_.volume(volume_id); found && (*found)->volume.server_id == server_id) {
    VolumeRecord volume = **found;
    volume.volume.server_id.clear();
    volume.server_token.clear();
    if (auto done = state_.put(volume); !done) return done;
  }
  if (const auto found = state_.port(port_id); found && (*found)->port.device_id == server_id) {
    PortRecord port = **found;
    port.port.device_id.clear();
    port.server_token.clear();
    if (auto done = state_.put(port); !done) return done;
  }
  return {};
}

void Machine::undo_reservation(const std::string& id) {
  {
    auto lock = state_.write_lock();
    const auto found = lock ? state_.server(id) : Result<const ServerRecord*>();
    if (!lock || !found || !*found) return;
    const Server server = (*found)->server;
    (void)release(id, server.port_id, server.volume_id);   // else lazily, once the directory is gone
    if (auto done = state_.discard(state_.server_dir(id)); !done) {
      log::warning("a server that could not be made cannot be removed",
                   {{"server", id}, {"reason", done.error().message}});
    }
  }
  state_.empty_trash();
}

Result<Outcome> Machine::run(const CreateServer& action) {
  const std::string id = new_uid(options_.rng);
  auto reservation = reserve(action, id);
  if (!reservation) return tl::unexpected(reservation.error());
  Result<void> ready = end_left_over(std::move(reservation->left_over), id);
  if (ready && !action.volume_id.empty()) {
    if (const auto writer = writer_in(state_.volume_disk(action.volume_id))) {
      ready = fail(Code::conflict,
                   "InvalidVolume: volume " + action.volume_id + " is in use by process " + std::to_string(*writer));
    }
  }
  ServerRecord record;
  int64_t ram_mib = 0;
  if (ready) {
    auto lock = state_.write_lock();
    const auto found = lock ? state_.server(id) : tl::unexpected(lock.error());
    const auto ram = found ? ram_of(action.flavor) : tl::unexpected(found.error());
    if (ram) {
      record = **found;
      ram_mib = *ram;
      ready = attach(record);
    } else {
      ready = tl::unexpected(ram.error());
    }
  }
  if (ready) ready = start_agent(record, ram_mib);
  if (!ready) {
    undo_reservation(id);
    return tl::unexpected(ready.error());
  }
  return Outcome{id, {}};
}

// The agent is running when this succeeds, also when it was running already.
Result<void> Machine::start_agent(const ServerRecord& record, int64_t ram_mib) {
  const std::string& id = record.server.id;
  Launch launch;
  launch.program = options_.guest_program;
  launch.arguments = {"--dir", state_.server_dir(id)};
  launch.environment = {kPath, "LANG=C.UTF-8", std::string(kServerVariable) + "=" + to_string(record.server.token)};
  launch.log_file = state_.server_dir(id) + "/log/agent.log";
  launch.server_lock = state_.agent_lock(id);
  if (!record.server.volume_id.empty()) launch.volume_lock = state_.volume_lock(record.server.volume_id);
  if (ram_mib > 0) launch.memory_group = make_memory_group(memory_base_, id, ram_mib);
  turn_log(launch.log_file);
  auto pid = launch_detached(launch);
  if (!pid && pid.error().code == Code::conflict) {
    // Ours, if a crash came between its start and our note of it.
    if (const auto holder = lock_holder(launch.server_lock);
        holder && has_token(*holder, to_string(record.server.token)).value_or(false)) {
      pid = *holder;
    }
  }
  if (!pid) {
    remove_memory_group(launch.memory_group);
    return tl::unexpected(pid.error());
  }
  if (!remember_agent(record, *pid, launch.memory_group)) {
    log::warning("an agent runs but could not be noted", {{"server", id}, {"pid", *pid}});
  }
  return {};
}

bool Machine::remember_agent(const ServerRecord& record, pid_t pid, const std::string& memory_group) {
  const auto process = read_process(pid);   // none: it ended at once, and is then known not to run
  const AgentRecord agent{pid, process ? process->start_time : 0, boot_, memory_group};
  auto lock = state_.write_lock();
  if (!lock || !state_.put_agent(record.server.id, agent)) return false;
  if (process) watcher_->watch(pid, process->start_time);
  const auto found = state_.server(record.server.id);
  if (!found || (*found)->state != ServerRecord::State::build) return found.has_value();
  ServerRecord built = **found;
  built.state = ServerRecord::State::built;
  return state_.put(built).has_value();
}

bool Machine::is_running(const AgentRecord& agent, const std::string& token) {
  if (agent.pid <= 0 || agent.boot != boot_) return false;
  if (watcher_->is_alive(agent.pid, agent.start_time)) return true;
  const auto process = read_process(agent.pid);
  if (!process || process->ended() || process->start_time != agent.start_time) return false;
  if (!has_token(agent.pid, token).value_or(true)) return false;   // unreadable: pid and start are proof enough
  watcher_->watch(agent.pid, agent.start_time);
  return true;
}

Result<Outcome> Machine::run(const StartServer& action) {
  ServerRecord record;
  int64_t ram_mib = 0;
  {
    auto lock = state_.write_lock();
    if (!lock) return tl::unexpected(lock.error());
    const auto found = state_.server(action.id);
    if (!found) return tl::unexpected(found.error());
    record = **found;
    if (auto ours = check_token(record.server.token, action.token, "Instance " + action.id); !ours)
      return tl::unexpected(ours.error());
    if (record.state == ServerRecord::State::deleting) {
      return fail(Code::conflict, "Cannot 'start' instance " + action.id + " while it is in task_state deleting");
    }
    if (const auto agent = state_.agent(action.id); agent && is_running(**agent, to_string(record.server.token))) {
      return Outcome{action.id, {}};
    }
    ram_mib = ram_of(record.server.flavor).value_or(0);   // a flavor that was taken away: without a limit
    // The endpoint may have moved since.
    if (auto done = write_file(state_.guest_file(action.id), guest_json(record), 0600); !done)
      return tl::unexpected(done.error());
  }
  if (auto done = start_agent(record, ram_mib); !done) return tl::unexpected(done.error());
  return Outcome{action.id, {}};
}

Result<Outcome> Machine::run(const ResizeServer& action) {
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  const auto found = state_.server(action.id);
  if (!found) return tl::unexpected(found.error());
  ServerRecord record = **found;
  if (auto ours = check_token(record.server.token, action.token, "Instance " + action.id); !ours)
    return tl::unexpected(ours.error());
  if (record.state == ServerRecord::State::deleting) {
    return fail(Code::conflict, "Cannot 'resize' instance " + action.id + " while it is in task_state deleting");
  }
  const auto ram = ram_of(action.to_flavor);
  if (!ram) return tl::unexpected(ram.error());
  if (record.server.flavor != action.to_flavor) {
    record.server.flavor = action.to_flavor;
    if (auto done = state_.put(record); !done) return tl::unexpected(done.error());
  }
  if (const auto agent = state_.agent(action.id); agent && !(*agent)->memory_group.empty()) {
    limit_memory_group((*agent)->memory_group, *ram);
  }
  return Outcome{action.id, {}};
}

Result<Outcome> Machine::run(const DeleteServer& action) {
  std::string port_id, volume_id, memory_group = memory_group_of(action.id);
  bool present = false;
  {
    auto lock = state_.write_lock();
    if (!lock) return tl::unexpected(lock.error());
    const auto found = state_.server(action.id);
    if (!found && found.error().code != Code::not_found) return tl::unexpected(found.error());
    if (found) {
      ServerRecord record = **found;
      if (auto ours = check_token(record.server.token, action.token, "Instance " + action.id); !ours)
        return tl::unexpected(ours.error());
      present = true;
      port_id = record.server.port_id;
      volume_id = record.server.volume_id;
      if (record.state != ServerRecord::State::deleting) {
        record.state = ServerRecord::State::deleting;   // from here on nothing starts its agent, whoever comes next
        // A full disk must not keep a server from being deleted: that would never free it.
        if (auto done = state_.put(record); !done && done.error().code != Code::no_space)
          return tl::unexpected(done.error());
      }
      if (const auto agent = state_.agent(action.id); agent && !(*agent)->memory_group.empty())
        memory_group = (*agent)->memory_group;
    } else {
      // Its directory is gone: find what it was attached to, so that this is freed as well.
      for (const PortRecord* port : state_.all_ports().rows) {
        if (port->port.device_id == action.id) port_id = port->port.id;
      }
      for (const VolumeRecord* volume : state_.all_volumes().rows) {
        if (volume->volume.server_id == action.id) volume_id = volume->volume.id;
      }
    }
  }
  Belonging server = belonging(action.id, to_string(action.token), volume_id);
  server.memory_group = memory_group;
  const auto ended = present ? end_processes(server, options_.stop_grace) : end_left_over({server});
  if (!ended) return tl::unexpected(ended.error());
  {
    auto lock = state_.write_lock();
    if (!lock) return tl::unexpected(lock.error());
    // With a full disk the attachments stay on disk and count for nothing once the directory is gone.
    if (auto done = release(action.id, port_id, volume_id); !done && done.error().code != Code::no_space) {
      return tl::unexpected(done.error());
    }
    if (is_uuid(action.id) && exists(state_.server_dir(action.id))) {
      if (auto done = state_.discard(state_.server_dir(action.id)); !done) return tl::unexpected(done.error());
    }
  }
  remove_memory_group(memory_group);
  state_.empty_trash();
  return Outcome{action.id, {}};
}

// What a crash of the control plane left half done, and guests that must be told a new endpoint.
Result<void> Machine::resume_all() {
  {
    auto lock = state_.write_lock();
    if (!lock) return tl::unexpected(lock.error());
    std::vector<ServerRecord> records;   // copies: resuming one rewrites it
    for (const ServerRecord* record : state_.all_servers().rows) records.push_back(*record);
    for (const ServerRecord& record : records) resume(record);
  }
  state_.empty_trash();
  return {};
}

void Machine::resume(const ServerRecord& record) {
  using State = ServerRecord::State;
  const std::string& id = record.server.id;
  if (record.state == State::deleting || record.server.token.uid.empty()) return;
  const auto warn = [&](const Error& error) {
    log::warning("a server cannot be resumed", {{"server", id}, {"reason", error.message}});
  };
  if (record.state == State::build) {
    const auto creating = hold_file(state_.creating_lock(id));
    if (!creating) return creating.error().code == Code::conflict ? void() : warn(creating.error());
    const auto agent = lock_holder(state_.agent_lock(id));
    if (!agent || !has_token(*agent, to_string(record.server.token)).value_or(false)) {
      // Never started, as far as can be told: the loop makes another. Volume and port keep what they say of their last
      // server, so that whatever is left over of it is ended before they are used.
      if (auto done = state_.discard(state_.server_dir(id)); !done) warn(done.error());
      return;
    }
    const auto process = read_process(*agent);
    const AgentRecord note{*agent, process ? process->start_time : 0, boot_, memory_group_of(id)};
    ServerRecord built = record;
    built.state = State::built;
    auto done = state_.put_agent(id, note);
    if (done) done = state_.put(built);
    if (!done) return warn(done.error());
  }
  const std::string guest = guest_json(record);
  if (const auto now = read_file(state_.guest_file(id), kMaxRecordBytes); !now || *now != guest) {
    if (auto done = write_file(state_.guest_file(id), guest, 0600); !done) warn(done.error());
  }
}

}  // namespace trove::local
