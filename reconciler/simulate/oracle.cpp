#include "reconciler/simulate/oracle.hpp"

#include <algorithm>
#include <array>

#include "reconciler/world.hpp"
#include "specs/json.hpp"

namespace trove::simulate {
namespace {

bool live(Server::Status status) { return status != Server::Status::error && status != Server::Status::deleting; }

// The engine of such a server may be writing.
bool runs(Server::Status status) {
  return status == Server::Status::active || status == Server::Status::reboot ||
         status == Server::Status::verify_resize;
}

const Resource* owner_of(const Facts& facts, const std::string& uid) {
  for (const auto& [key, resource] : facts.stored)
    if (resource.metadata.uid == uid) return &resource;
  return nullptr;
}

bool ours(const Token& token) { return !token.uid.empty(); }

}  // namespace

std::string one_server(const Facts& facts) {
  std::map<std::pair<std::string, std::string>, const Server*> running;
  std::map<Token, const Server*> by_token;
  std::map<std::string, const Server*> by_volume;
  for (const auto& [id, server] : *facts.servers) {
    if (facts.foreign.contains(id)) continue;
    // Nova takes a port only while it builds, so without a volume two of one token may be in BUILD for a moment; one of
    // them fails there. A volume is reserved when the server is asked for.
    if (live(server.status) && server.status != Server::Status::build && ours(server.token)) {
      auto [other, first] = by_token.emplace(server.token, &server);
      if (!first) return "two servers of one token: " + other->second->id + " and " + text_of(server);
    }
    if (runs(server.status) && ours(server.token)) {
      auto [other, first] = running.emplace(std::pair(server.token.uid, server.token.role), &server);
      if (!first) return "two servers of one instance run: " + other->second->id + " and " + text_of(server);
    }
    if (!server.volume_id.empty() && live(server.status)) {
      auto [other, first] = by_volume.emplace(server.volume_id, &server);
      if (!first) return "two servers on one volume: " + other->second->id + " and " + text_of(server);
    }
  }
  return "";
}

std::string foreign_untouched(const Facts& facts) {
  for (const auto& [id, was] : facts.foreign) {
    std::string is = "gone";
    if (auto server = facts.servers->find(id); server != facts.servers->end()) is = text_of(server->second);
    if (auto volume = facts.volumes->find(id); volume != facts.volumes->end()) is = text_of(volume->second);
    if (auto port = facts.ports->find(id); port != facts.ports->end()) is = text_of(port->second);
    if (is != was) return "not ours and touched: it was " + was + ", it is " + is;
  }
  return "";
}

std::string rows_kept(const Facts& facts) {
  for (const auto& [of, written] : facts.rows) {
    if (facts.lost_volumes.contains(written.volume)) continue;
    auto disk = facts.disks->find(written.volume);
    int64_t found = 0;
    if (disk != facts.disks->end())
      if (auto database = disk->second.databases.find(of.second); database != disk->second.databases.end())
        found = database->second;
    if (found < written.rows)
      return "database " + of.second + " on volume " + written.volume + " acknowledged " +
             std::to_string(written.rows) + " rows and has " +
             (disk == facts.disks->end() ? "no disk" : std::to_string(found));
  }
  return "";
}

std::string backups_kept(const Facts& facts) {
  for (const auto& [object, instance] : facts.backups) {
    if (facts.objects->contains(object)) continue;
    const std::string uid = guest::backup_uid(object);
    if (!facts.given_up_backups.contains(uid))
      return "backup " + object + " of " + instance + " is gone, and nobody deleted it";
  }
  return "";
}

// What an engine runs with and nobody remembers cannot be taken back when the wish for it is withdrawn.
std::string told_remembered(const Facts& facts) {
  std::map<std::string, const SimDisk*> disks;  // by the instance that runs on it
  for (const auto& [id, server] : *facts.servers) {
    if (facts.foreign.contains(id) || !runs(server.status)) continue;
    auto disk = facts.disks->find(server.volume_id);
    if (disk != facts.disks->end() && disk->second.mark == server.token.uid) disks[server.token.uid] = &disk->second;
  }
  for (const auto& [key, resource] : facts.stored) {
    auto disk = disks.find(resource.metadata.uid);
    if (disk == disks.end() || disk->second->parameters.empty()) continue;
    const Value& status = facts.status_of(resource);
    for (const auto& [name, value] : disk->second->parameters)
      if (!status["appliedParameters"].find(name))
        return to_string(key) + " runs with " + name + " = " + value + ", and its status does not know it was told";
  }
  return "";
}

std::string commits_honest(const Facts& facts) { return facts.broken.empty() ? "" : facts.broken.front(); }

std::string nothing_left_behind(const Facts& facts) {
  const auto orphan = [&](const Token& token) { return ours(token) && !owner_of(facts, token.uid); };
  std::map<std::pair<std::string, std::string>, int> volumes, ports, servers;
  for (const auto& [id, server] : *facts.servers) {
    if (facts.foreign.contains(id)) continue;
    if (orphan(server.token)) return "nobody owns server " + text_of(server);
    if (++servers[{server.token.uid, server.token.role}] > 1) return "one server too many: " + text_of(server);
  }
  for (const auto& [id, port] : *facts.ports) {
    if (facts.foreign.contains(id)) continue;
    if (orphan(port.token)) return "nobody owns port " + text_of(port);
    if (++ports[{port.token.uid, port.token.role}] > 1) return "one port too many: " + text_of(port);
  }
  for (const auto& [id, volume] : *facts.volumes) {
    if (facts.foreign.contains(id)) continue;
    if (orphan(volume.token) && !facts.retained.contains(volume.token.uid))
      return "nobody owns volume " + text_of(volume) + ", and nobody retained it";
    // Where the one in use was lost, no other with its mark is known to be empty: they stay until a person decides.
    if (++volumes[{volume.token.uid, volume.token.role}] > 1 && !facts.robbed.contains(volume.token.uid))
      return "one volume too many: " + text_of(volume);
  }
  for (const auto& [key, object] : *facts.objects) {
    const std::string uid = guest::backup_uid(key);
    if (!owner_of(facts, uid) && facts.given_up_backups.contains(uid))
      return "stored backup " + key + " was deleted and is there";
  }
  return "";
}

std::string creates_resolved(const Facts& facts) {
  for (const auto& [key, value] : facts.ledger) {
    auto entry = parse_stored_json(value);
    if (entry && (*entry)["state"].text() == "SENT") return key + " was sent and never resolved";
  }
  return "";
}

std::string specs_readable(const Facts& facts) {
  for (const auto& [key, spec] : facts.acknowledged) {
    auto row = facts.history.find(key);
    if (row == facts.history.end()) return "an acknowledged spec is gone: " + key;
    if (row->second != spec) return "an acknowledged spec was changed afterwards: " + key;
  }
  return "";
}

std::string losses_told(const Facts& facts) {
  for (const auto& [key, resource] : facts.stored) {
    if (key.kind != "Volume" || resource.deleting() || !facts.bereft.contains(resource.metadata.uid)) continue;
    const auto conditions = conditions_of(facts.status_of(resource));
    const Condition* stalled = find_condition(conditions, "Stalled");
    if (!stalled || stalled->status != "True")
      return to_string(key) + " has lost its data, and its status does not say so";
  }
  return "";
}

namespace {

constexpr std::array kInvariants = {
    Invariant{"one-server", "never two servers of one token, one instance or one volume", one_server},
    Invariant{"foreign-untouched", "what is not ours is never changed", foreign_untouched},
    Invariant{"no-data-loss", "acknowledged rows stay on the volume they were written to", rows_kept},
    Invariant{"backups-kept", "a stored backup goes only when it is deleted", backups_kept},
    Invariant{"told-remembered", "a guest is told nothing that the store does not remember", told_remembered},
    Invariant{"honest-commits", "revisions and generations rise, statuses are true, no secret is stored",
              commits_honest},
};
constexpr std::array kFinal = {
    Invariant{"nothing-left", "everything with our token is owned or retained, once", nothing_left_behind},
    Invariant{"creates-resolved", "every intent ended", creates_resolved},
    Invariant{"specs-kept", "acknowledged specs are all readable", specs_readable},
    Invariant{"losses-told", "whose data is lost says so, and is not given an empty volume", losses_told},
};

}  // namespace

std::span<const Invariant> invariants() { return kInvariants; }
std::span<const Invariant> final_invariants() { return kFinal; }

std::optional<Violation> first_broken(std::span<const Invariant> of, const Facts& facts) {
  for (const Invariant& invariant : of)
    if (std::string what = invariant.check(facts); !what.empty())
      return Violation{std::string(invariant.name), std::move(what)};
  return std::nullopt;
}

}  // namespace trove::simulate
