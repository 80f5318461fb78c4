// Reading: whole lists in bulk, and a look at each thing that was asked for by name.
#include <algorithm>
#include <future>
#include "providers/openstack/cloud.hpp"

namespace trove::openstack {
namespace {

constexpr int kMostFaultAsks = 5;      // of one server
constexpr size_t kMostSought = 200;  // of one observation; the others stay unknown until the next

constexpr Millis kOverlap{300'000};
constexpr Millis kLimitsLast{600'000}, kLimitsTouched{60'000};  // how often they are read

// Does anything of ours change by itself right now?
bool moves(const Inventory& inventory) {
  const auto server = [](const Server& s) {
    using S = Server::Status;
    return !s.token.uid.empty() && s.status != S::active && s.status != S::shutoff && s.status != S::error;
  };
  const auto volume = [](const CloudVolume& v) {
    using S = CloudVolume::Status;
    return !v.token.uid.empty() && v.status != S::available && v.status != S::in_use && v.status != S::error &&
           v.status != S::error_deleting && v.status != S::error_extending;
  };
  return std::any_of(inventory.servers.begin(), inventory.servers.end(), server) ||
         std::any_of(inventory.volumes.begin(), inventory.volumes.end(), volume);
}

constexpr const char* kPortFields =
    "fields=id&fields=name&fields=description&fields=fixed_ips&fields=device_id&fields=security_groups&fields=network_"
    "id";

}  // namespace

// Each once, in the order of asking: they become part of conditions, which must not change without a reason.
struct Openstack::Troubles {
  std::vector<std::string> texts;
  void add(const std::string& text) {
    if (std::find(texts.begin(), texts.end(), text) == texts.end()) texts.push_back(text);
  }
  void add(const Failure& failure) { add(failure.error.message); }
};

struct Openstack::Seen {
  Inventory inventory;
  std::vector<PortSeen> ports;
  Troubles troubles;
  void trouble(const Failure& failure) { troubles.add(failure); }
};

std::string Openstack::sought_path(const Sought& wanted) {
  const std::string text = http::percent_encode(to_string(wanted.token));
  switch (wanted.what) {
    case Sought::What::server:
      return "tags=" + text;
    case Sought::What::port:
      return "description=" + text;
    case Sought::What::volume:
      return "metadata=" +
             http::percent_encode("{'trove:uid': '" + wanted.token.uid + "', 'trove:role': '" + wanted.token.role +
                                  "', 'trove:incarnation': '" + std::to_string(wanted.token.incarnation) + "'}");
  }
  return {};
}

// In the lists: nothing to do. Else asked for itself: found, it joins the lists; a definite no makes it absent;
// anything else leaves it unknown.
void Openstack::look_for(const Sought& wanted, Seen& seen) {
  const auto same = [&](const auto& thing) {
    return wanted.id.empty() ? thing.token == wanted.token : thing.id == wanted.id;
  };
  const auto among = [&](const auto& things) { return std::any_of(things.begin(), things.end(), same); };
  Service service = Service::compute;
  std::string collection, one, many;
  switch (wanted.what) {
    case Sought::What::server:
      if (among(seen.inventory.servers)) return;
      collection = "/servers", one = "server", many = "servers";
      break;
    case Sought::What::volume:
      if (among(seen.inventory.volumes)) return;
      service = Service::volume, collection = "/volumes", one = "volume", many = "volumes";
      break;
    case Sought::What::port:
      for (const PortSeen& port : seen.ports)
        if (same(port.port)) return;
      service = Service::network, collection = "/ports", one = "port", many = "ports";
      break;
  }
  if (auto asked = ready(service); !asked) return seen.trouble(asked.error());
  std::vector<Value> found;
  if (!wanted.id.empty()) {
    auto reply = get(service, collection + "/" + http::percent_encode(wanted.id));
    if (!reply && reply.error().error.code == Code::not_found) return seen.inventory.absent.push_back(wanted);
    if (!reply) return seen.trouble(reply.error());
    found.push_back(reply->body[one]);
  } else {
    if (wanted.what == Sought::What::server && !capabilities().server_tags) {
      // Nothing to look for it by: the list is all there is.
      if (seen.inventory.servers_known) seen.inventory.absent.push_back(wanted);
      return;
    }
    auto listed = list_all(session_, {service, collection + (wanted.what == Sought::What::port ? "" : "/detail"), many,
                                      sought_path(wanted)});
    if (!listed) return seen.trouble(listed.error());
    found = std::move(*listed);
  }
  size_t added = 0;
  for (const Value& json : found) {
    bool readable = true;
    if (wanted.what == Sought::What::server) {
      auto server = server_of(json);
      if ((readable = server.has_value()) && same(*server))
        ++added, seen.inventory.servers.push_back(std::move(*server));
    } else if (wanted.what == Sought::What::volume) {
      auto volume = volume_of(json);
      if ((readable = volume.has_value()) && same(*volume))
        ++added, seen.inventory.volumes.push_back(std::move(*volume));
    } else {
      auto port = port_of(json);
      if ((readable = port.has_value()) && same(port->port)) ++added, seen.ports.push_back(std::move(*port));
    }
    if (!readable) return;  // unknown
  }
  if (added == 0 && wanted.id.empty()) seen.inventory.absent.push_back(wanted);
}

template <class T, class Take>
void Openstack::refresh(Kept<T>& kept, List list, const std::string& changes, bool full, Troubles& troubles,
                        Take take) {
  const Millis now = clock_.monotonic();
  full = full || !kept.whole || changes.empty() || !kept.since.set() || now - kept.full_at >= options_.full_period;
  kept.whole = false;
  if (auto asked = ready(list.service); !asked) return troubles.add(asked.error());
  // The cloud's clock and its databases' may differ, and a change may be stamped before it can be seen.
  if (!full)
    list.query += (list.query.empty() ? "" : "&") + changes + http::percent_encode(format_time(kept.since - kOverlap));
  Time said;
  auto listed = list_all(session_, list, &said);
  if (!listed) return troubles.add(listed.error());
  std::map<std::string, T> things;
  if (!full) things = kept.things;
  for (const Value& json : *listed)
    if (!take(json, things))
      return troubles.add(refused(list.service, Code::unavailable, list.key + ": an item cannot be understood"));
  kept.things = std::move(things);
  kept.whole = true;
  kept.since = Time{said.ms / 1000 * 1000};
  if (full) kept.full_at = now;
}

void Openstack::read_servers(bool full, Troubles& troubles) {
  refresh(servers_, {Service::compute, "/servers/detail", "servers", ""}, "changes-since=", full, troubles,
          [&](const Value& json, auto& things) {
            auto server = server_of(json);
            if (!server) return false;
            if (json["status"].text() == "DELETED") return things.erase(server->id), true;
            // Of a cell that is down Nova knows little more than the id: whose it is must come from our memory.
            if (server->status == Server::Status::unknown && !json["metadata"].is_map()) {
              auto before = servers_.things.find(server->id);
              if (before == servers_.things.end()) return false;
              server = before->second;
              server->status = Server::Status::unknown;
            }
            things[server->id] = std::move(*server);
            return true;
          });
  if (servers_.whole) read_faults();
}

// Nova's lists leave out why a server found no host (Zed: the fault is in the database of another cell than they ask);
// the server's own record has it, a moment after it says ERROR. One that an operator put into ERROR has none.
void Openstack::read_faults() {
  std::map<std::string, Fault> known;
  size_t asked = 0;
  for (auto& [id, server] : servers_.things) {
    if (server.status != Server::Status::error || server.token.uid.empty()) continue;
    const auto before = faults_.find(id);
    if (before == faults_.end() && !server.fault.empty()) continue;  // its list does tell
    Fault fault = before == faults_.end() ? Fault{} : before->second;
    if (fault.text.empty() && fault.asked < kMostFaultAsks && asked++ < kMostSought) {
      ++fault.asked;
      auto reply = get(Service::compute, "/servers/" + http::percent_encode(id));
      if (const auto alone = reply ? server_of(reply->body["server"]) : std::nullopt) fault.text = alone->fault;
    }
    server.fault = fault.text;
    known[id] = std::move(fault);
  }
  faults_ = std::move(known);
}

void Openstack::read_volumes(bool full, Troubles& troubles) {
  refresh(volumes_, {Service::volume, "/volumes/detail", "volumes", ""},
          capabilities().volume_changes ? "updated_at=gt%3A" : "", full, troubles, [](const Value& json, auto& things) {
            auto volume = volume_of(json);
            if (volume) things[volume->id] = std::move(*volume);
            return volume.has_value();
          });
}

// Who may come in is a part of what a port is; it changes by what we do, and seldom otherwise.
void Openstack::read_network(bool access_changed, Troubles& troubles) {
  // Neutron has changed_since, and refuses it: "invalid attribute for filtering" (Zed).
  refresh(ports_, {Service::network, "/ports", "ports", kPortFields}, "", true, troubles,
          [](const Value& json, auto& things) {
            auto port = port_of(json);
            if (port) things[port->port.id] = std::move(*port);
            return port.has_value();
          });
  const auto due = [&](const auto& kept) {
    return access_changed || !kept.whole || clock_.monotonic() - kept.full_at >= options_.full_period;
  };
  if (due(groups_))
    refresh(groups_, {Service::network, "/security-groups", "security_groups", ""}, "", true, troubles,
            [](const Value& json, auto& things) {
              auto group = group_of(json);
              if (group) things[group->id] = std::move(*group);
              return group.has_value();
            });
  if (options_.external_network.empty())
    floatings_.whole = true;  // none is made; what somebody made without us is no business of ours
  else if (due(floatings_))
    refresh(floatings_, {Service::network, "/floatingips", "floatingips", ""}, "", true, troubles,
            [](const Value& json, auto& things) {
              auto floating = floating_of(json);
              if (floating) things[floating->id] = std::move(*floating);
              return floating.has_value();
            });
}

Inventory Openstack::observe(const std::vector<Sought>& sought) {
  std::lock_guard observing(observing_);
  Seen seen;
  Inventory& inventory = seen.inventory;
  inventory.as_of = clock_.wall();
  const uint64_t performed = performed_, access = access_performed_;
  const bool touched = performed != performed_before_;
  // Lists of changes do not tell what is gone.
  const bool full = touched || in_flight_ || !sought.empty();

  // Each service's lists by a thread of their own: a look takes as long as the slowest of them, not as all together.
  Troubles of_servers, of_volumes, of_network;
  auto servers = std::async(std::launch::async, [&] { read_servers(full, of_servers); });
  auto volumes = std::async(std::launch::async, [&] { read_volumes(full, of_volumes); });
  auto network = std::async(std::launch::async, [&] { read_network(access != access_before_, of_network); });
  Troubles of_others;
  // Guests write objects without our knowing.
  read_objects([&](const Failure& failure) { of_others.add(failure); });
  if (auto known = flavors()) {
    inventory.flavors = std::move(*known);
  } else {
    of_others.add(known.error());
    std::lock_guard lock(mutex_);
    inventory.flavors = flavors_.things;  // without them no flavor's id is anything but another name
  }
  read_volume_types(inventory);
  read_limits(touched);
  servers.get(), volumes.get(), network.get();
  inventory.limits = limits_;
  for (const Troubles* some : {&of_servers, &of_volumes, &of_network, &of_others})
    for (const std::string& text : some->texts) seen.troubles.add(text);
  performed_before_ = performed;
  access_before_ = access;

  const auto give = [](const auto& kept, bool& known, auto& list) {
    if (!(known = kept.whole)) return;
    for (const auto& [id, thing] : kept.things) list.push_back(thing);
  };
  give(servers_, inventory.servers_known, inventory.servers);
  give(volumes_, inventory.volumes_known, inventory.volumes);
  give(objects_, inventory.objects_known, inventory.objects);
  give(ports_, inventory.ports_known, seen.ports);
  // Who may come in is a part of what a port is.
  if (!groups_.whole || !floatings_.whole) inventory.ports_known = false, seen.ports.clear();

  for (size_t i = 0; i < sought.size() && i < kMostSought; ++i) look_for(sought[i], seen);

  if (groups_.whole)
    for (PortSeen& port : seen.ports) {
      port.port.allowed_cidrs = allowed_by(port, groups_.things);
      inventory.ports.push_back(std::move(port.port));
    }
  join_addresses(inventory);
  join(inventory);
  in_flight_ = moves(inventory);
  for (const std::string& trouble : seen.troubles.texts)
    inventory.trouble += (inventory.trouble.empty() ? "" : "; ") + trouble;
  return std::move(inventory);
}

// An address is a port's by the port's own token; one that somebody else gave it is theirs.
void Openstack::join_addresses(Inventory& inventory) const {
  if (!inventory.ports_known) return;
  for (const auto& [id, floating] : floatings_.things) {
    if (floating.token.uid.empty()) continue;
    bool used = false;
    for (Port& port : inventory.ports) {
      if (port.token != floating.token) continue;
      used = true;
      if (floating.port_id == port.id) port.public_address = floating.address;
    }
    if (!used) inventory.strays.push_back({floating.id, floating.address, floating.token});
  }
}

// Only those who name a type by its id need them: what cannot be read is not known, and is not asked for at every look.
void Openstack::read_volume_types(Inventory& inventory) {
  const Millis now = clock_.monotonic();
  if (types_refused_at_ && now - *types_refused_at_ < kLimitsTouched) return;
  types_refused_at_.reset();
  if (auto known = volume_types())
    inventory.volume_types = std::move(*known);
  else
    types_refused_at_ = now;
}

// How much of the quotas is used changes mostly by what we do. What cannot be read is not known, and nothing waits for it.
void Openstack::read_limits(bool touched) {
  limits_doubtful_ = limits_doubtful_ || touched;
  const Millis now = clock_.monotonic();
  if (limits_at_ && now - *limits_at_ < (limits_doubtful_ ? kLimitsTouched : kLimitsLast)) return;
  limits_at_ = now;
  limits_ = {};
  limits_doubtful_ = false;
  for (Service service : {Service::compute, Service::volume}) {
    if (!ready(service)) continue;
    auto reply = get(service, "/limits");
    if (reply) add_limits(reply->body["limits"]["absolute"], limits_);
    limits_doubtful_ = limits_doubtful_ || !reply;
  }
}

// Nova does not say which port a server has, and names its volumes without saying whose they are.
void Openstack::join(Inventory& inventory) {
  std::unordered_map<std::string, const Port*> port_of_server;
  for (const Port& port : inventory.ports)
    if (!port.device_id.empty()) {
      const Port*& known = port_of_server[port.device_id];
      if (!known || known->token.uid.empty()) known = &port;
    }
  std::unordered_map<std::string, std::string> volume_of_server;
  for (const CloudVolume& volume : inventory.volumes)
    if (!volume.server_id.empty() && !volume.token.uid.empty()) volume_of_server[volume.server_id] = volume.id;
  for (Server& server : inventory.servers) {
    if (auto port = port_of_server.find(server.id); port != port_of_server.end()) server.port_id = port->second->id;
    if (auto volume = volume_of_server.find(server.id); volume != volume_of_server.end())
      server.volume_id = volume->second;
  }
}

}  // namespace trove::openstack
