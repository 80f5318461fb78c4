// What an instance's guest is told: everything that the objects around the instance ask for, in one document.
#include <algorithm>

#include "reconciler/kinds/plan.hpp"
#include "specs/kinds/parameters.hpp"

namespace trove {
namespace {

constexpr Millis kUrlSlack{3600 * 1000};
// Restores sign with an end that moves twice a day, so that the document is stable and a late restore still has time.
constexpr int64_t kRestoreBucketMs = 12LL * 3600 * 1000;

// The hub signs it for one object; for a backup's segments, all of which begin so, with a dot after the uid.
std::string unsigned_url(const std::string& project, const std::string& uid, Time expires) {
  return "/objects/" + project + "/" + uid + "?expires=" + std::to_string(expires.ms / 1000);
}

bool managed(const Common& common) { return !common.observe_only && !common.suspend; }

void add_parameters(const Object& instance, const World& world, guest::Document& document) {
  const auto& want = instance.as<DatabaseInstanceSpec>();
  const Value& remembered = instance.resource.status["appliedParameters"];
  const Object* group = want.configuration_ref.empty()
                            ? nullptr
                            : world.find({instance.meta().project, "ConfigurationGroup", want.configuration_ref});
  std::map<std::string, guest::Parameter> parameters;
  bool keep = false;
  if (group) {
    const auto& spec = group->as<ConfigurationGroupSpec>();
    keep = spec.keep_on_remove;
    for (const auto& [name, value] : spec.parameters) {
      Result<std::string> text = render_parameter(want.engine, name, value, document.memory_mib);
      // What cannot be rendered was refused at apply; an object from an older release is left out rather than guessed.
      if (text) parameters[name] = {name, *text, parameter_drift(want, &spec, name)};
    }
  } else if (!want.configuration_ref.empty()) {
    keep = true;  // the group is missing, not emptied
  }
  for (const Value::Member& old : remembered.members()) {
    if (parameters.contains(old.key)) continue;
    if (keep)
      parameters[old.key] = {old.key, old.value.text(),
                             parameter_drift(want, group ? &group->as<ConfigurationGroupSpec>() : nullptr, old.key)};
    else
      document.reset_parameters.push_back(old.key);
  }
  for (auto& [name, parameter] : parameters) document.parameters.push_back(std::move(parameter));
  std::sort(document.reset_parameters.begin(), document.reset_parameters.end());
}

std::vector<std::string> ignored(const Common& common, std::initializer_list<std::string_view> paths) {
  std::vector<std::string> out;
  if (common.drift == Drift::ignore) return out;  // all of it is
  for (std::string_view path : paths)
    if (common.drift_at(path) == Drift::ignore) out.emplace_back(path);
  return out;
}

void add_database(const Object& object, guest::Document& document) {
  const auto& want = object.as<DatabaseSpec>();
  if (object.deleting()) {
    if (want.deletion == Common::Deletion::remove && !want.observe_only)
      document.dropped_databases.push_back(want.name);
    return;
  }
  if (managed(want))
    document.databases.push_back({want.name, want.character_set, want.collate, want.owner, want.drift,
                                  ignored(want, {"/characterSet", "/collate", "/owner"})});
}

void add_user(const Object& object, const World& world, Engine engine, guest::Document& document) {
  const auto& want = object.as<UserSpec>();
  const std::string host = engine == Engine::mariadb ? want.host : "";
  if (object.deleting()) {
    if (want.deletion == Common::Deletion::remove && !want.observe_only)
      document.dropped_users.emplace_back(want.name, host);
    return;
  }
  auto verifier = world.verifiers.find(object.key());
  // Without a password yet (its Secret is being made, or missing) the login waits; its own plan says so.
  if (!managed(want) || verifier == world.verifiers.end()) return;
  document.users.push_back({want.name, host, verifier->second, want.grants, want.max_connections, false, want.drift,
                            ignored(want, {"/password", "/grants", "/maxConnections"})});
}

void add_backup(const Object& object, const World& world, bool cuts, guest::Document& document) {
  const std::string phase = object.resource.status["phase"].text_or("Pending");
  if (object.deleting() || phase == "Completed" || phase == "Failed") return;
  const auto& want = object.as<BackupSpec>();
  const Time expires = object.meta().creation_timestamp + want.timeout + kUrlSlack;
  guest::BackupOrder order{object.meta().uid, unsigned_url(object.meta().project, object.meta().uid, expires)};
  if (cuts) {
    order.segment_bytes = world.backup_segment_bytes;
    order.segments_url = unsigned_url(object.meta().project, object.meta().uid + ".", expires);
  }
  document.backups.push_back(std::move(order));
}

void add_root(const Object& instance, const World& world, guest::Document& document) {
  const auto& want = instance.as<DatabaseInstanceSpec>();
  const std::string host = want.engine == Engine::mariadb ? "%" : "";
  if (want.engine == Engine::memcached) return;
  if (!want.root_access) {
    if (instance.resource.status["rootEnabled"].bool_or(false)) document.dropped_users.emplace_back("root", host);
    return;
  }
  auto verifier = world.verifiers.find(instance.key());
  if (verifier == world.verifiers.end()) return;
  document.users.push_back({"root", host, verifier->second, {}, 0, true, want.drift, {}});
}

}  // namespace

guest::Document compile_document(const Object& instance, const Server& server, const Port& port, const World& world,
                                 const std::string& restart_word) {
  const auto& want = instance.as<DatabaseInstanceSpec>();
  guest::Document document;
  document.engine = want.engine;
  document.instance_uid = instance.meta().uid;
  document.address = port.address;
  document.port = engine_port(want.engine);
  document.allowed_cidrs = want.allowed_cidrs;
  std::sort(document.allowed_cidrs.begin(), document.allowed_cidrs.end());
  document.memory_mib = engine_memory_mib(instance, server, world);
  document.volume_gib = want.volume_gib;
  document.restart = restart_word;
  document.suspended = want.suspend;
  if (!want.volume_ref.empty())
    if (const Object* volume = world.find({instance.meta().project, "Volume", want.volume_ref}))
      document.volume_gib = volume->as<VolumeSpec>().size_gib;
  add_parameters(instance, world, document);
  // A guest of an earlier release would not find its document's digest again. It makes small backups as ever.
  const auto guest = world.guests.find(to_string(server.token));
  const bool cuts = guest != world.guests.end() && guest->second.report && guest->second.report->cuts_backups;
  for (const Key& key : world.referrers(instance.key())) {
    const Object* object = world.find(key);
    if (!object) continue;
    if (key.kind == "Database")
      add_database(*object, document);
    else if (key.kind == "User")
      add_user(*object, world, want.engine, document);
    else if (key.kind == "Backup")
      add_backup(*object, world, cuts, document);
  }
  add_root(instance, world, document);
  // A name that a living object still declares is never dropped, whatever another object says.
  std::erase_if(document.dropped_databases, [&](const std::string& name) {
    return std::any_of(document.databases.begin(), document.databases.end(),
                       [&](const auto& d) { return d.name == name; });
  });
  std::erase_if(document.dropped_users, [&](const auto& dropped) {
    return std::any_of(document.users.begin(), document.users.end(),
                       [&](const auto& u) { return u.name == dropped.first && u.host == dropped.second; });
  });
  auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(document.databases.begin(), document.databases.end(), by_name);
  std::sort(document.users.begin(), document.users.end(),
            [](const auto& a, const auto& b) { return std::tie(a.name, a.host) < std::tie(b.name, b.host); });
  std::sort(document.backups.begin(), document.backups.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::sort(document.dropped_databases.begin(), document.dropped_databases.end());
  std::sort(document.dropped_users.begin(), document.dropped_users.end());
  if (!want.bootstrap_backup.empty() && !instance.resource.status["bootstrapped"].bool_or(false)) {
    if (const Object* backup = world.find({instance.meta().project, "Backup", want.bootstrap_backup})) {
      const Time expires{(world.now.ms / kRestoreBucketMs + 2) * kRestoreBucketMs};
      document.restore =
          guest::RestoreOrder{backup->meta().uid, unsigned_url(backup->meta().project, backup->meta().uid, expires),
                              backup->resource.status["sha256"].text()};
      document.restore->segments = static_cast<int>(backup->resource.status["segments"].int_or(1));
      if (document.restore->segments > 1)
        document.restore->segments_url = unsigned_url(backup->meta().project, backup->meta().uid + ".", expires);
    }
  }
  return document;
}

}  // namespace trove
