// Rules between objects: what an engine can hold, and what only one object may claim. Reads the set and the store,
// writes nothing.
#include <map>
#include <set>
#include "reconciler/api/drafts.hpp"
#include "specs/decode.hpp"
#include "specs/kinds/specs.hpp"

namespace trove {
namespace {

class Rules {
 public:
  Rules(const std::vector<Resource>& set, Snapshot& snapshot, Findings& findings)
      : set_(set), snapshot_(snapshot), findings_(findings) {
    for (const Resource& resource : set) in_set_.emplace(resource.key(), &resource);
  }

  void check(size_t document) {
    document_ = document;
    const Resource& resource = set_[document];
    check_going(resource);
    if (resource.kind == "DatabaseInstance") check_instance(resource);
    if (resource.kind == "Database") check_database(resource);
    if (resource.kind == "User") check_user(resource);
    if (resource.kind == "ConfigurationGroup") check_configuration(resource);
    if (resource.kind == "Backup" || resource.kind == "BackupSchedule") check_backup(resource);
  }

  // Two that claim one name inside an engine, or one volume. `changed` in the set against each other and the store.
  void check_claims(const std::vector<size_t>& changed) {
    std::set<std::string> databases, users, volumes;
    for (size_t i : changed) {
      const Resource& resource = set_[i];
      if (resource.kind == "Database") databases.insert(instance_of(resource));
      if (resource.kind == "User") users.insert(instance_of(resource));
      if (resource.kind == "DatabaseInstance" && !volume_of(resource).empty()) volumes.insert(volume_of(resource));
    }
    gather("Database", "instanceRef", databases);
    gather("User", "instanceRef", users);
    gather("DatabaseInstance", "volumeRef", volumes);
    for (size_t i : changed) {
      document_ = i;
      const Resource& resource = set_[i];
      const std::string claim = claim_of(resource);
      if (claim.empty()) continue;
      auto [first, last] = claims_.equal_range(claim);
      for (auto it = first; it != last; ++it) {
        if (it->second == resource.key()) continue;
        add_claimed(resource, it->second);
        break;
      }
    }
  }

 private:
  void add(std::string path, std::string message, std::string hint = {}, Code code = Code::invalid,
           std::string_view shown = {}) {
    Problem problem;
    problem.document = static_cast<int>(document_);
    problem.path = std::move(path);
    problem.message = std::move(message);
    problem.hint = std::move(hint);
    problem.code = code;
    std::string its(shown.empty() ? code_of(problem) : shown);
    findings_.emplace_back(std::move(problem), std::move(its));
  }

  static std::string instance_of(const Resource& resource) { return resource.spec["instanceRef"]["name"].text(); }
  static std::string volume_of(const Resource& resource) { return resource.spec["volumeRef"]["name"].text(); }

  // As it will be: of the set before of the store.
  const Resource* find(const Resource& near, const std::string& kind, const std::string& name) {
    Key key{near.metadata.project, kind, name};
    auto found = in_set_.find(key);
    return found != in_set_.end() ? found->second : snapshot_.find(key);
  }
  std::optional<Engine> engine_of(const Resource& near, const std::string& instance) {
    const Resource* found = find(near, "DatabaseInstance", instance);
    return found ? engine_from(found->spec["datastore"]["type"].text())
                 : std::nullopt;  // a missing one is a problem of its own
  }

  void check_going(const Resource& resource) {
    for (const Reference& reference : references_of(resource)) {
      const Resource* target = snapshot_.find({resource.metadata.project, reference.kind, reference.name});
      if (!target || !target->deleting()) continue;
      add(reference.path, to_string(target->key()) + " is being deleted",
          "refer to another one, or wait and make it anew", Code::conflict);
    }
  }

  void check_instance(const Resource& resource) {
    const DatabaseInstanceSpec spec = database_instance_spec(resource.spec);
    if (const Resource* group =
            spec.configuration_ref.empty() ? nullptr : find(resource, "ConfigurationGroup", spec.configuration_ref)) {
      auto engine = engine_from(group->spec["datastore"]["type"].text());
      if (engine && *engine != spec.engine) {
        add("spec.configurationRef.name", to_string(group->key()) + " holds parameters of " +
                                              std::string(to_string(*engine)) + ", and this instance is " +
                                              std::string(to_string(spec.engine)));
      }
    }
    if (spec.bootstrap_backup.empty() || snapshot_.find(resource.key()))
      return;  // only read while the instance is made
    const Resource* backup = find(resource, "Backup", spec.bootstrap_backup);
    auto source = backup ? engine_of(resource, instance_of(*backup)) : std::nullopt;
    if (source && *source != spec.engine) {
      add("spec.bootstrapFrom.backupRef.name", to_string(backup->key()) + " is of " + std::string(to_string(*source)) +
                                                   " and cannot fill " + std::string(to_string(spec.engine)));
    }
  }

  void check_database(const Resource& resource) {
    auto engine = engine_of(resource, instance_of(resource));
    if (!engine) return;
    if (*engine == Engine::redis || *engine == Engine::memcached) {
      add("spec.instanceRef.name", std::string(to_string(*engine)) + " has no databases to make",
          "remove this Database");
      return;
    }
    if (*engine != Engine::postgresql) {
      if (!resource.spec["owner"].is_null())
        add("spec.owner", "only PostgreSQL's databases have an owner", "remove it; give the login grants instead");
      return;
    }
    const Resource* before = snapshot_.find(resource.key());
    if (!before) return;
    for (const char* field : {"characterSet", "collate"}) {
      if (before->spec[field] == resource.spec[field]) continue;
      add(std::string("spec.") + field, "PostgreSQL fixes it when a database is made",
          "make a second Database and move the data", Code::invalid, "CONFIG_IMMUTABLE");
    }
  }

  void check_user(const Resource& resource) {
    auto engine = engine_of(resource, instance_of(resource));
    if (!engine) return;
    const UserSpec spec = user_spec(resource.spec, resource.metadata.name);
    if (*engine == Engine::memcached) {
      add("spec.instanceRef.name", "memcached has no logins", "remove this User");
      return;
    }
    const std::string name(to_string(*engine));
    if (*engine != Engine::mariadb && spec.host != "%" && !spec.host.empty()) {
      add("spec.host", name + " does not tell logins apart by host",
          "remove it; who may connect is the instance's access.allowedCidrs");
    }
    if (*engine == Engine::redis && spec.max_connections > 0)
      add("spec.maxConnections", "redis has no such limit for a login", "remove it");
    for (size_t i = 0; i < spec.grants.size(); ++i)
      check_grant(*engine, name, spec.grants[i], "spec.grants[" + std::to_string(i) + "]");
  }

  void check_grant(Engine engine, const std::string& name, const Grant& grant, const std::string& path) {
    for (size_t i = 0; i < grant.privileges.size(); ++i) {
      const std::string& privilege = grant.privileges[i];
      const std::string at = path + ".privileges[" + std::to_string(i) + "]";
      bool rule = privilege.starts_with('+') || privilege.starts_with('-');
      if (engine == Engine::redis && !rule && privilege != "ALL") {
        add(at, '"' + printable(privilege) + "\" is not a rule of redis", "write +@read, +get, -flushall or ALL");
      } else if (engine != Engine::redis && rule) {
        add(at, '"' + printable(privilege) + "\" is a rule of redis, and the instance is " + name,
            "write SELECT, INSERT … or ALL");
      }
    }
    if (engine == Engine::redis && grant.with_grant_option)
      add(path + ".withGrantOption", "redis has no grant option", "remove it");
    if (engine == Engine::mariadb && grant.on != "*.*" && grant.on.find('.') == std::string::npos) {
      add(path + ".on", '"' + printable(grant.on) + "\" names no table",
          "write \"" + printable(grant.on) + ".*\" for all tables of a database");
    }
    if (engine == Engine::postgresql && grant.on.ends_with(".*")) {
      add(path + ".on", "PostgreSQL grants on a database, by its name alone",
          "write \"" + printable(grant.on.substr(0, grant.on.size() - 2)) + '"');
    }
  }

  void check_configuration(const Resource& resource) {
    auto engine = engine_from(resource.spec["datastore"]["type"].text());
    const Resource* before = snapshot_.find(resource.key());
    if (!engine || !before || engine_from(before->spec["datastore"]["type"].text()) == engine) return;
    for (const Resource* instance :
         snapshot_.referring("DatabaseInstance", "configurationRef", {resource.metadata.name})) {
      const Resource* next = find(resource, "DatabaseInstance", instance->metadata.name);
      if (!next || next->spec["configurationRef"]["name"].text() != resource.metadata.name) continue;
      if (engine_from(next->spec["datastore"]["type"].text()) == engine) continue;
      add("spec.datastore.type", to_string(next->key()) + " uses these parameters and is another engine", {},
          Code::conflict);
      return;
    }
  }

  void check_backup(const Resource& resource) {
    if (engine_of(resource, instance_of(resource)) == Engine::memcached) {
      add("spec.instanceRef.name", "memcached keeps nothing that could be backed up", "remove this " + resource.kind);
    }
  }

  // What only one object may have; "" = nothing.
  std::string claim_of(const Resource& resource) {
    if (resource.kind == "Database") {
      const DatabaseSpec spec = database_spec(resource.spec, resource.metadata.name);
      return "database\n" + spec.instance + '\n' + spec.name;
    }
    if (resource.kind == "User") {
      const UserSpec spec = user_spec(resource.spec, resource.metadata.name);
      bool hosts = engine_of(resource, spec.instance) == Engine::mariadb;
      return "user\n" + spec.instance + '\n' + spec.name + (hosts ? '\n' + spec.host : "");
    }
    if (resource.kind == "DatabaseInstance" && !volume_of(resource).empty()) return "volume\n" + volume_of(resource);
    return {};
  }

  void gather(const std::string& kind, const std::string& field, const std::set<std::string>& names) {
    if (names.empty()) return;
    for (const Resource& resource : set_) {
      if (resource.kind == kind && names.contains(resource.spec[field]["name"].text()))
        claims_.emplace(claim_of(resource), resource.key());
    }
    for (const Resource* stored : snapshot_.referring(kind, field, names)) {
      if (!in_set_.contains(stored->key())) claims_.emplace(claim_of(*stored), stored->key());
    }
  }

  void add_claimed(const Resource& resource, const Key& other) {
    if (resource.kind == "DatabaseInstance") {
      add("spec.volumeRef.name", "volume/" + volume_of(resource) + " is used by " + to_string(other) + " already",
          "a data volume belongs to one instance: make another Volume", Code::conflict);
      return;
    }
    bool named = !resource.spec["name"].is_null();
    std::string what = resource.kind == "Database" ? "database" : "login";
    add(named ? "spec.name" : "metadata.name",
        to_string(other) + " is the same " + what + " of instance " + instance_of(resource) + " already",
        "two objects cannot own one " + what + ": remove one, or give it another spec.name", Code::conflict);
  }

  const std::vector<Resource>& set_;
  Snapshot& snapshot_;
  Findings& findings_;
  std::map<Key, const Resource*> in_set_;
  std::multimap<std::string, Key> claims_;
  size_t document_ = 0;
};

}  // namespace

void check_rules(const std::vector<Resource>& set, const std::vector<size_t>& changed, Snapshot& snapshot,
                 Findings& findings) {
  Rules rules(set, snapshot, findings);
  for (size_t i : changed) rules.check(i);
  rules.check_claims(changed);
}

}  // namespace trove
