#include "reconciler/kinds/plan.hpp"

namespace trove {

std::vector<Action> plan_orphans(const World& world) {
  std::vector<Action> actions;
  if (world.gone->empty()) return actions;
  const Inventory& cloud = *world.inventory;
  auto owner = [&](const Token& token) -> const Gone* {
    if (token.uid.empty()) return nullptr;
    auto gone = world.gone->find(token.uid);
    return gone == world.gone->end() ? nullptr : &gone->second;
  };
  auto add = [&](CloudAction action, const Token& token, const Gone& gone) {
    actions.push_back({std::move(action), {gone.key.project, kOrphan, token.uid}, Change::none});
  };
  for (const Server& server : cloud.servers)
    if (const Gone* gone = owner(server.token);
        gone && server.status != Server::Status::deleting && server.status != Server::Status::unknown)
      add(DeleteServer{server.token, server.id}, server.token, *gone);
  for (const CloudVolume& volume : cloud.volumes)
    if (const Gone* gone = owner(volume.token);
        gone && gone->destroy && volume.server_id.empty() && volume.status != CloudVolume::Status::deleting)
      add(DeleteVolume{volume.token, volume.id}, volume.token, *gone);
  for (const Port& port : cloud.ports)
    if (const Gone* gone = owner(port.token); gone && port.device_id.empty())
      add(DeletePort{port.token, port.id}, port.token, *gone);
  for (const StrayAddress& stray : cloud.strays)
    if (const Gone* gone = owner(stray.token)) add(DeleteAddress{stray.token, stray.id}, stray.token, *gone);
  // An upload that was on its way when its Backup was deleted.
  for (const StoredObject& object : cloud.objects) {
    const Token token{guest::backup_uid(object.key), "backup", 0};
    const Gone* gone = owner(token);
    if (gone && gone->destroy && guest::backup_key(object.key) == gone->key.project + "/" + token.uid)
      add(DeleteStoredObject{object.key}, token, *gone);
  }
  return actions;
}

}  // namespace trove
