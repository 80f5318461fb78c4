// The faults that strike at a time: what somebody, or bad luck, does behind the control plane's back.
#include <algorithm>

#include "reconciler/simulate/sim_world.hpp"
#include "specs/json.hpp"

namespace trove::simulate {
namespace {

using Kind = Fault::Kind;
constexpr Millis kBeforeRevert{4'000};
constexpr const char* kEverybody = "0.0.0.0/0";
constexpr Millis kLeftAlone{8'000};
constexpr const char* kEdited = "10.77.0.0/16";
constexpr const char* kForeignUid = "11111111-2222-4333-8444-555555555555";

}  // namespace

void SimWorld::plan_faults() {
  for (const Fault& fault : schedule_.faults) {
    const Millis when = kStart + Millis{fault.at};
    switch (fault.kind) {
      case Kind::foreign:
        plant_foreign();
        break;
      case Kind::rollback:
        at(kStart + Millis{fault.at / 2}, [this] { disk_copy_ = cloud_.disks; });
        at(when, [this, fault] { strike(fault); });
        break;
      case Kind::clock:
      case Kind::lose_server:
      case Kind::stop_server:
      case Kind::error_server:
      case Kind::lose_volume:
      case Kind::detach:
      case Kind::engine_dead:
      case Kind::clone:
      case Kind::slow:
      case Kind::quota:
      case Kind::unlucky:
      case Kind::lose_all:
      case Kind::zombie:
      case Kind::resize:
      case Kind::open:
        at(when, [this, fault] { strike(fault); });
        break;
      case Kind::user_edit:
        at(when, [this] { edit_and_revert(0, false, "", ""); });
        break;
      case Kind::hidden:
      case Kind::outage:
      case Kind::disk_full:
      case Kind::silence:
      case Kind::astray:
      case Kind::lag:
        // Looked up while they last; their ends are disturbances like their beginnings.
        at(when + Millis{fault.value}, [this, fault] {
          injector_.say("fault", to_string(fault) + " is over");
          disturbed_ = clock_.monotonic();
          ++strikes_;
        });
        break;
      default:
        break;  // counted where they strike
    }
  }
}

void SimWorld::plant_foreign() {
  ++strikes_;
  Server server;
  server.id = "foreign-server";
  server.name = "orders-db-0";
  server.status = Server::Status::active;
  server.flavor = "db.tiny";
  CloudVolume volume;
  volume.id = "foreign-volume";
  volume.name = "orders-db-data";
  volume.size_gib = 2;
  Port port;
  port.id = "foreign-port";
  port.name = "orders-db-0";
  port.address = "10.255.0.1";
  for (bool marked : {false, true}) {
    // The second of each carries a token like ours, of an owner that we never had: another installation's.
    if (marked) {
      server.id += "-marked", volume.id += "-marked", port.id += "-marked";
      server.token = {kForeignUid, "server-0", 1};
      volume.token = {kForeignUid, "data", 1};
      port.token = {kForeignUid, "port-0", 1};
      port.address = "10.255.0.2";
    }
    facts_.foreign[server.id] = text_of(server);
    facts_.foreign[volume.id] = text_of(volume);
    facts_.foreign[port.id] = text_of(port);
    cloud_.plant(server);
    cloud_.plant(volume);
    cloud_.plant(port);
  }
}

// What is reported or ignored stays as somebody made it, for as long as the spec stays as it is.
void SimWorld::watch_opened(const std::string& port, const std::string& uid, const std::vector<std::string>& before) {
  // A person's own change that is under way may arrive all the same.
  if (schedule_.has(Kind::user_edit) &&
      (schedule_.has(Kind::late) || schedule_.has(Kind::duplicate) || schedule_.has(Kind::pause)))
    return;
  const auto owner = [this, uid]() -> const Resource* {
    for (const auto& [key, resource] : facts_.stored)
      if (resource.metadata.uid == uid) return &resource;
    return nullptr;
  };
  const Resource* resource = owner();
  if (!resource || resource->deleting()) return;
  Value seen = Value::list();
  for (const std::string& cidr : before) seen.push_back(cidr);
  const bool in_sync = facts_.status_of(*resource)["inSync"]["/access/allowedCidrs"] == seen;
  // What was wished for since is still to come, whatever somebody did meanwhile.
  DatabaseInstanceSpec spec = database_instance_spec(resource->spec);
  std::sort(spec.allowed_cidrs.begin(), spec.allowed_cidrs.end());
  if (!in_sync || spec.allowed_cidrs != before || spec.drift_at("/access/allowedCidrs") == Drift::correct) return;
  at(clock_.monotonic() + kLeftAlone, [this, owner, port, generation = resource->metadata.generation] {
    const Resource* now = owner();
    const auto there = cloud_.ports().find(port);
    if (!now || now->deleting() || now->metadata.generation != generation || there == cloud_.ports().end()) return;
    if (there->second.allowed_cidrs != std::vector<std::string>{kEverybody})
      broken("left-alone", port + " was opened by somebody and put back although drift is not to be corrected");
  });
}

void SimWorld::strike(const Fault& fault) {
  const auto first_server = [&](bool with_volume) -> std::string {
    for (const auto& [id, server] : cloud_.servers())
      if (!facts_.foreign.contains(id) && (!with_volume || !server.volume_id.empty())) return id;
    return "";
  };
  const auto first_guest = [&]() -> Guest* { return guests_.empty() ? nullptr : &guests_.begin()->second; };
  const auto done = [&](const std::string& what) {
    injector_.say("fault", std::string(row_of(fault.kind).name) + " " + what);
    disturbed_ = clock_.monotonic();
    ++strikes_;
    changed();
  };
  switch (fault.kind) {
    case Kind::clock:
      clock_.jump_wall(Millis{fault.value});
      return done(std::to_string(fault.value));
    case Kind::lose_server:
      if (const std::string id = first_server(false); !id.empty()) {
        cloud_.lose_server(id);
        return done(id);
      }
      return;
    case Kind::zombie:
      if (!guests_.empty()) {
        auto [id, guest] = *guests_.begin();
        guest.clone_until = clock_.monotonic() + Millis{fault.value};
        guest.clone_speaks = Millis{0};
        at(guest.clone_until, [this] { disturbed_ = clock_.monotonic(); });
        zombies_.push_back(std::move(guest));
        cloud_.lose_server(id);
        return done(id);
      }
      return;
    case Kind::lose_all: {
      std::vector<std::string> all;
      for (const auto& [id, server] : cloud_.servers())
        if (!facts_.foreign.contains(id)) all.push_back(id);
      for (const std::string& id : all) cloud_.lose_server(id);
      return done(std::to_string(all.size()) + " servers");
    }
    case Kind::resize:
      // Where a correction waits for a person's approval it would wait for ever.
      for (const auto& [key, resource] : facts_.stored) {
        if (key.kind != "DatabaseInstance" ||
            database_instance_spec(resource.spec).disruptive != DatabaseInstanceSpec::Disruptive::immediate)
          continue;
        for (const auto& [id, server] : cloud_.servers()) {
          if (server.token.uid != resource.metadata.uid || server.status != Server::Status::active) continue;
          const std::string to = server.flavor == "db.small" ? "db.tiny" : "db.small", of = id;
          if (cloud_.outside("somebody", [&](SimModel& model) { return model.resize_server(of, to); }))
            return done(of + " to " + to);
          return;
        }
      }
      return;
    case Kind::open:
      for (const auto& [id, port] : cloud_.ports()) {
        if (facts_.foreign.contains(id) || port.token.uid.empty()) continue;
        const std::string opened = id, uid = port.token.uid;
        const std::vector<std::string> before = port.allowed_cidrs;
        cloud_.change_port(opened, {std::string(kEverybody)});
        watch_opened(opened, uid, before);
        return done(opened);
      }
      return;
    case Kind::stop_server:
      if (const std::string id = first_server(false);
          !id.empty() && cloud_.find_server(id)->status == Server::Status::active) {
        cloud_.stop_server(id);
        return done(id);
      }
      return;
    case Kind::error_server:
      if (const std::string id = first_server(false); !id.empty()) {
        cloud_.break_server(id, "the host is on fire");
        return done(id);
      }
      return;
    case Kind::lose_volume:
      for (const auto& [id, volume] : cloud_.volumes()) {
        if (facts_.foreign.contains(id) || volume.token.uid.empty()) continue;
        const std::string lost = id;
        facts_.lost_volumes.insert(lost);
        facts_.robbed.insert(volume.token.uid);
        for (const auto& [of, written] : facts_.rows)
          if (written.volume == lost && written.rows > 0) facts_.bereft.insert(volume.token.uid);
        cloud_.lose_volume(lost);
        return done(lost);
      }
      return;
    case Kind::detach:
      if (const std::string id = first_server(true); !id.empty()) {
        const std::string volume = cloud_.find_server(id)->volume_id;
        cloud_.detach_volume(volume);
        return done(volume);
      }
      return;
    case Kind::rollback:
      for (auto& [id, old] : disk_copy_) {
        auto disk = cloud_.disks.find(id);
        if (disk == cloud_.disks.end() || !old.initialised) continue;
        old.mark = disk->second.mark;  // the agent writes it whenever it finds another
        disk->second = old;
        for (auto& [of, written] : facts_.rows) {
          if (written.volume != id) continue;
          auto database = old.databases.find(of.second);
          written.rows = std::min(written.rows, database == old.databases.end() ? 0 : database->second);
        }
        // Whoever puts an old disk back has stopped the engine for it.
        for (auto& [server, guest] : guests_)
          if (const Server* of = cloud_.find_server(server); of && of->volume_id == id) guest.agent.kill_engine();
        return done(id);
      }
      return;
    case Kind::engine_dead:
      if (Guest* guest = first_guest()) {
        guest->agent.kill_engine();
        return done(guest->name);
      }
      return;
    case Kind::clone:
      if (Guest* guest = first_guest()) {
        guest->clone = guest->agent;
        guest->clone->kill_engine();
        for (const auto& [key, resource] : facts_.stored)
          if (resource.metadata.uid == guest->token.uid) guest->flips = facts_.flips[key];
        guest->clone_until = clock_.monotonic() + Millis{fault.value};
        thawed_ = guest->clone_until + kCloneFreeze + kObservePeriod * 3;
        at(guest->clone_until, [this] { disturbed_ = clock_.monotonic(); });
        return done(guest->name);
      }
      return;
    case Kind::slow: {
      const SimGuestOptions usual;
      for (auto& [id, guest] : guests_) {
        guest.agent.options.work = usual.work * 50;
        guest.agent.options.start = usual.start * 10;
        guest.agent.options.initialise = usual.initialise * 10;
        guest.agent.options.backup = usual.backup * 10;
      }
      at(clock_.monotonic() + Millis{fault.value}, [this, usual] {
        disturbed_ = clock_.monotonic();
        for (auto& [id, guest] : guests_) {
          guest.agent.options.work = usual.work;
          guest.agent.options.start = usual.start;
          guest.agent.options.initialise = usual.initialise;
          guest.agent.options.backup = usual.backup;
        }
      });
      return done("for " + std::to_string(fault.value) + " ms");
    }
    case Kind::quota: {
      SimOptions& limits = cloud_.options();
      limits.max_servers = static_cast<int64_t>(cloud_.servers().size());
      limits.max_volumes = static_cast<int64_t>(cloud_.volumes().size());
      limits.max_ports = static_cast<int64_t>(cloud_.ports().size());
      limits.max_gigabytes = 0;
      for (const auto& [id, volume] : cloud_.volumes()) limits.max_gigabytes += volume.size_gib;
      at(clock_.monotonic() + Millis{fault.value}, [this] {
        SimOptions& now = cloud_.options();
        now.max_servers = now.max_volumes = now.max_ports = now.max_gigabytes = -1;
        disturbed_ = clock_.monotonic();
      });
      return done("is exhausted for " + std::to_string(fault.value) + " ms");
    }
    case Kind::unlucky: {
      const auto set = [this](const std::string& what, int per_mille) {
        SimOptions& chances = cloud_.options();
        (what == "build"    ? chances.server_error
         : what == "resize" ? chances.resize_error
         : what == "create" ? chances.volume_error
         : what == "retype" ? chances.retype_error
                            : chances.stuck_delete) = per_mille;
      };
      set(fault.which, 500);
      at(clock_.monotonic() + Millis{fault.value}, [this, set, fault] {
        set(fault.which, 0);
        disturbed_ = clock_.monotonic();
      });
      return done(fault.which + " for " + std::to_string(fault.value) + " ms");
    }
    default:
      return;
  }
}

// A person opens an instance to one more network and changes that back a moment later.
void SimWorld::edit_and_revert(int attempt, bool revert, std::string before, std::string name) {
  const auto again = [&](bool then_revert, std::string saved, Millis in) {
    at(clock_.monotonic() + in,
       [this, attempt, then_revert, saved, name] { edit_and_revert(attempt + 1, then_revert, saved, name); });
  };
  const Resource* instance = nullptr;
  for (const auto& [key, resource] : facts_.stored)
    if (key.kind == "DatabaseInstance" && !resource.deleting() && (name.empty() || key.name == name)) {
      instance = &resource;
      break;
    }
  if (!instance) return;
  name = instance->metadata.name;
  Value spec = instance->spec;
  const bool edited = spec.at_path("access.allowedCidrs").is_list() &&
                      spec.at_path("access.allowedCidrs").items().front().text() == kEdited;
  if (revert && !edited) return;
  if (revert) {
    auto old = parse_json(before);
    if (old && old->is_map())
      spec.set("access", *old);
    else
      spec.erase("access");
  } else {
    // An earlier attempt may have worked although nobody heard of it.
    if (attempt == 0 || !edited) before = spec.find("access") ? dump_json(spec["access"]) : "";
    Value cidrs = Value::list();
    cidrs.push_back(kEdited);
    spec.set("access", Value::map({{"allowedCidrs", std::move(cidrs)}}));
  }
  Plane* plane = reachable();
  if (!plane) return again(revert, before, Millis{1'000});
  const Value body = Value::map({{"apiVersion", kApiVersion},
                                 {"kind", "DatabaseInstance"},
                                 {"metadata", Value::map({{"name", name}})},
                                 {"spec", std::move(spec)}});
  http::Response answer;
  answer.status = 503;
  try {
    answer = plane->ask("PUT", "/apis/trove/v1alpha1/projects/" + scenario_.project + "/databaseinstances/" + name,
                        dump_json(body), "application/json",
                        "\"" + std::to_string(instance->metadata.resource_version) + "\"");
  } catch (const Crash&) {
    for (size_t i = 0; i < planes_.size(); ++i)
      if (planes_[i].get() == plane) down(i);
  }
  disturbed_ = clock_.monotonic();
  ++strikes_;
  injector_.say("person",
                std::string(revert ? "reverts" : "edits") + " " + name + ": " + std::to_string(answer.status));
  const bool accepted = answer.status >= 200 && answer.status < 300;
  // Somebody else was faster, or it is gone: the next attempt looks again.
  if (!revert) return again(accepted, before, accepted ? kBeforeRevert : Millis{1'000});
  if (!accepted) again(true, before, Millis{1'000});
}

}  // namespace trove::simulate
