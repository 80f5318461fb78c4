#include "reconciler/kinds/plan.hpp"

namespace trove {

std::string_view to_string(Leak::What what) {
  switch (what) {
    case Leak::What::server: return "server";
    case Leak::What::volume: return "volume";
    case Leak::What::port: return "port";
    case Leak::What::address: return "floating IP";
  }
  return "";
}

std::map<std::string, Leak> find_leaks(const World& world, const std::function<bool(const std::string& uid)>& owned) {
  std::map<std::string, Leak> found;
  const auto look = [&](Leak::What what, bool known, const auto& things) {
    if (!known) {
      for (const auto& [id, leak] : world.leaks)
        if (leak.what == what) found.emplace(id, leak);
      return;
    }
    for (const auto& thing : things) {
      const std::string& uid = thing.token.uid;
      if (uid.empty() || owned(uid) || world.gone->contains(uid)) continue;
      auto before = world.leaks.find(thing.id);
      const Time since = before == world.leaks.end() ? world.steady : before->second.since;
      found.emplace(thing.id, Leak{what, thing.id, thing.name, thing.token, since});
    }
  };
  const Inventory& cloud = *world.inventory;
  look(Leak::What::server, cloud.servers_known, cloud.servers);
  look(Leak::What::volume, cloud.volumes_known, cloud.volumes);
  look(Leak::What::port, cloud.ports_known, cloud.ports);
  look(Leak::What::address, cloud.ports_known, cloud.strays);
  return found;
}

std::vector<Action> plan_leaks(const World& world) {
  std::vector<Action> actions;
  if (!world.remove_leaks_after) return actions;
  const auto due = [&](const std::string& id) {
    auto leak = world.leaks.find(id);
    return leak != world.leaks.end() && world.steady - leak->second.since >= *world.remove_leaks_after;
  };
  const auto add = [&](CloudAction action, const std::string& id) {
    actions.push_back({std::move(action), {"", kLeak, id}, Change::none});
  };
  for (const Server& server : world.inventory->servers)
    if (due(server.id) && server.status != Server::Status::deleting && server.status != Server::Status::unknown)
      add(DeleteServer{server.token, server.id}, server.id);
  for (const Port& port : world.inventory->ports)
    if (due(port.id) && port.device_id.empty()) add(DeletePort{port.token, port.id}, port.id);
  for (const StrayAddress& stray : world.inventory->strays)
    if (due(stray.id)) add(DeleteAddress{stray.token, stray.id}, stray.id);
  return actions;
}

}  // namespace trove
