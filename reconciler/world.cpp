#include "reconciler/world.hpp"

#include <algorithm>
#include <tuple>

#include "specs/decode.hpp"

namespace trove {

const Common& common_of(const AnySpec& spec) {
  static const Common none;
  return std::visit(
      [](const auto& s) -> const Common& {
        if constexpr (std::is_same_v<std::decay_t<decltype(s)>, std::monostate>)
          return none;
        else
          return s;
      },
      spec);
}

std::shared_ptr<const Object> make_object(Resource resource) {
  auto object = std::make_shared<Object>();
  const Value& spec = resource.spec;
  const std::string& name = resource.metadata.name;
  if (resource.kind == "DatabaseInstance")
    object->spec = database_instance_spec(spec);
  else if (resource.kind == "Database")
    object->spec = database_spec(spec, name);
  else if (resource.kind == "User")
    object->spec = user_spec(spec, name);
  else if (resource.kind == "Volume")
    object->spec = volume_spec(spec);
  else if (resource.kind == "Secret")
    object->spec = secret_spec(spec);
  else if (resource.kind == "ConfigurationGroup")
    object->spec = configuration_group_spec(spec);
  else if (resource.kind == "BackupSchedule")
    object->spec = backup_schedule_spec(spec);
  else if (resource.kind == "Backup")
    object->spec = backup_spec(spec);
  else if (resource.kind == "Operation")
    object->spec = operation_spec(spec);
  else if (resource.kind == "GitSource")
    object->spec = git_source_spec(spec);
  for (const Reference& reference : references_of(resource))
    object->references.push_back({resource.metadata.project, reference.kind, reference.name});
  for (const OwnerReference& owner : resource.metadata.owner_references)
    object->references.push_back({resource.metadata.project, owner.kind, owner.name});
  // A generated password lives in a Secret that the spec does not spell out.
  if (const auto* user = std::get_if<UserSpec>(&object->spec); user && user->generate_length > 0)
    object->references.push_back({resource.metadata.project, "Secret", name + "-password"});
  std::sort(object->references.begin(), object->references.end());
  object->references.erase(std::unique(object->references.begin(), object->references.end()), object->references.end());
  object->resource = std::move(resource);
  return object;
}

void World::put(std::shared_ptr<const Object> object) {
  Key key = object->key();
  remove(key);
  for (const Key& target : object->references) referrers_[target].insert(key);
  objects_[std::move(key)] = std::move(object);
}

void World::remove(const Key& key) {
  auto found = objects_.find(key);
  if (found == objects_.end()) return;
  for (const Key& target : found->second->references) {
    auto refs = referrers_.find(target);
    if (refs == referrers_.end()) continue;
    refs->second.erase(key);
    if (refs->second.empty()) referrers_.erase(refs);
  }
  objects_.erase(found);
}

const Object* World::find(const Key& key) const {
  auto found = objects_.find(key);
  return found == objects_.end() ? nullptr : found->second.get();
}

const std::set<Key>& World::referrers(const Key& key) const {
  static const std::set<Key> none;
  auto found = referrers_.find(key);
  return found == referrers_.end() ? none : found->second;
}

std::vector<Key> World::affected_by(const Key& key) const {
  std::set<Key> keys{key};
  const bool passes_on = key.kind == "Secret" || key.kind == "ConfigurationGroup";
  for (const Key& referrer : referrers(key)) {
    keys.insert(referrer);
    if (!passes_on) continue;
    if (const Object* object = find(referrer)) keys.insert(object->references.begin(), object->references.end());
  }
  if (const Object* object = find(key)) keys.insert(object->references.begin(), object->references.end());
  return {keys.begin(), keys.end()};
}

void World::set_inventory(std::shared_ptr<const Inventory> fresh) {
  inventory = std::move(fresh);
  servers_by_uid_.clear();
  volumes_by_uid_.clear();
  ports_by_uid_.clear();
  index_from(0, 0, 0);
}

void World::index_from(size_t servers, size_t volumes, size_t ports) {
  auto index = [](Positions& positions, const auto& things, size_t first) {
    for (size_t i = first; i < things.size(); ++i)
      if (!things[i].token.uid.empty()) positions.emplace(things[i].token.uid, i);
  };
  index(servers_by_uid_, inventory->servers, servers);
  index(volumes_by_uid_, inventory->volumes, volumes);
  index(ports_by_uid_, inventory->ports, ports);
}

void World::edit_inventory(bool appended, const std::function<void(Inventory&)>& change) {
  // Alone with it, nobody else can see the change; otherwise a copy is made, once.
  if (inventory.use_count() != 1) inventory = std::make_shared<Inventory>(*inventory);
  const size_t servers = inventory->servers.size(), volumes = inventory->volumes.size(),
               ports = inventory->ports.size();
  change(const_cast<Inventory&>(*inventory));
  if (appended)
    index_from(servers, volumes, ports);
  else
    set_inventory(std::move(inventory));
}

std::vector<const Server*> World::servers_of(const std::string& uid) const {
  std::vector<const Server*> found;
  auto [first, last] = servers_by_uid_.equal_range(uid);
  for (auto it = first; it != last; ++it) found.push_back(&inventory->servers[it->second]);
  return found;
}

Ledger& World::edit_ledger() {
  if (ledger.use_count() != 1) ledger = std::make_shared<Ledger>(*ledger);
  return const_cast<Ledger&>(*ledger);
}

bool World::servers_doubtful(const std::string& uid) const {
  return !inventory->servers_known || ledger->doubtful(uid, Sought::What::server);
}

namespace {
// Two that carry one token: the better one stays.
template <class Thing, class Better>
const Thing* best_of(const std::unordered_multimap<std::string, size_t>& positions, const std::vector<Thing>& things,
                     const std::string& uid, Better better) {
  auto [first, last] = positions.equal_range(uid);
  const Thing* best = nullptr;
  for (auto it = first; it != last; ++it)
    if (!best || better(things[it->second], *best)) best = &things[it->second];
  return best;
}
}  // namespace

Observed<CloudVolume> World::volume_of(const std::string& uid, const std::string& bound) const {
  Token token;
  const Intent* made = ledger->newest(uid, "data", &token);
  auto rank = [&](const CloudVolume& v) {
    return std::tuple(v.server_id.empty(), v.id != bound, !made || v.id != made->id,
                      v.status == CloudVolume::Status::deleting, v.created);
  };
  const CloudVolume* best =
      best_of(volumes_by_uid_, inventory->volumes, uid, [&](const CloudVolume& a, const CloudVolume& b) {
        return std::tuple_cat(rank(a), std::tie(a.id)) < std::tuple_cat(rank(b), std::tie(b.id));
      });
  if (best) return Observed<CloudVolume>::known(*best);
  if (!inventory->volumes_known || ledger->doubtful(uid, Sought::What::volume)) return Observed<CloudVolume>::unknown();
  return Observed<CloudVolume>::absent();
}

Observed<CloudVolume> World::bound_volume_of(const std::string& uid, const std::string& bound) const {
  const Observed<CloudVolume> seen = volume_of(uid, bound);
  if (!seen.is_known() || bound.empty() || seen->id == bound || !seen->server_id.empty()) return seen;
  if (!inventory->volumes_known || ledger->doubtful(uid, Sought::What::volume)) return Observed<CloudVolume>::unknown();
  return Observed<CloudVolume>::absent();
}

bool disposable(CloudVolume::Status status) {
  return status == CloudVolume::Status::available || status == CloudVolume::Status::error ||
         status == CloudVolume::Status::error_deleting;
}

Observed<Port> World::port_of(const std::string& uid) const {
  const Port* best = best_of(ports_by_uid_, inventory->ports, uid, [](const Port& a, const Port& b) {
    return std::tuple(a.device_id.empty(), a.id) < std::tuple(b.device_id.empty(), b.id);
  });
  if (best) return Observed<Port>::known(*best);
  if (!inventory->ports_known || ledger->doubtful(uid, Sought::What::port)) return Observed<Port>::unknown();
  return Observed<Port>::absent();
}

std::vector<const CloudVolume*> World::surplus_volumes(const std::string& uid, const std::string& keep) const {
  std::vector<const CloudVolume*> surplus;
  auto [first, last] = volumes_by_uid_.equal_range(uid);
  for (auto it = first; it != last; ++it) {
    const CloudVolume& v = inventory->volumes[it->second];
    if (v.id != keep && v.server_id.empty() && disposable(v.status)) surplus.push_back(&v);
  }
  return surplus;
}

std::string World::doubt() const {
  if (!inventory->trouble.empty()) return inventory->trouble;
  if (!inventory->servers_known || !inventory->volumes_known || !inventory->ports_known)
    return "it has not been read yet";
  return "the list does not have what was made; it is looked for directly";
}

int64_t World::flavor_ram_mib(const std::string& name_or_id) const {
  const Flavor* flavor = find_flavor(inventory->flavors, name_or_id);
  return flavor ? flavor->ram_mib : 0;
}

const std::string& World::flavor_name(const std::string& name_or_id) const {
  const Flavor* flavor = find_flavor(inventory->flavors, name_or_id);
  return flavor ? flavor->name : name_or_id;
}

}  // namespace trove
