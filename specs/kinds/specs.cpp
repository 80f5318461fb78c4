#include "specs/kinds/specs.hpp"
#include <array>
#include "specs/kinds/field_tree.hpp"
#include "specs/kinds/parameters.hpp"

namespace trove {
namespace {

// Reads a spec with the table's defaults, so that no default is written down a second time here.
class Reader {
 public:
  // The kind's name is one of the registry's, in its exact spelling.
  Reader(std::string_view kind, const Value& spec) : Reader(field_tree(*find_kind(kind)), &spec) {}

  std::string text(std::string_view name) const {
    const Value* value = get(name);
    return value ? value->as_written() : std::string();
  }
  int64_t integer(std::string_view name) const {
    const Value* value = get(name);
    return value ? value->int_or(0) : 0;
  }
  bool boolean(std::string_view name) const {
    const Value* value = get(name);
    return value && value->bool_or(false);
  }
  Millis duration(std::string_view name) const {
    const Value* value = get(name);
    return value ? parse_duration(value->text()).value_or(Millis{0}) : Millis{0};
  }
  std::vector<std::string> texts(std::string_view name) const {
    std::vector<std::string> all;
    if (const Value* value = get(name)) {
      for (const Value& item : value->items()) all.push_back(item.text());
    }
    return all;
  }
  const Value* get(std::string_view name) const {
    const FieldNode* node = node_->child(name);
    return node ? effective(*node, value_) : nullptr;
  }
  bool has(std::string_view name) const { return get(name) != nullptr; }
  Reader object(std::string_view name) const { return {*node_->child(name), get(name)}; }
  std::vector<Reader> items(std::string_view name) const {
    std::vector<Reader> all;
    if (const Value* value = get(name)) {
      for (const Value& item : value->items()) all.push_back({node_->child(name)->item(), &item});
    }
    return all;
  }
  std::string reference(std::string_view name) const { return object(name).text("name"); }

  void common(Common& into) const {
    into.observe_only = text("managementPolicy") == "Observe";
    into.deletion = text("deletionPolicy") == "Delete" ? Common::Deletion::remove : Common::Deletion::retain;
    into.suspend = boolean("suspend");
    const std::string drift = text("drift");
    into.drift = drift == "Report" ? Drift::report : drift == "Ignore" ? Drift::ignore : Drift::correct;
    into.ignore_drift = texts("ignoreDrift");
  }

 private:
  Reader(const FieldNode& node, const Value* value) : node_(&node), value_(value) {}
  const FieldNode* node_;
  const Value* value_;   // nullptr when absent
};

struct EngineFacts {
  Engine engine;
  std::string_view name;
  int port;
};
constexpr std::array<EngineFacts, 4> kEngines{{{Engine::mariadb, "mariadb", 3306},
                                               {Engine::postgresql, "postgresql", 5432},
                                               {Engine::redis, "redis", 6379},
                                               {Engine::memcached, "memcached", 11211}}};

std::string name_or(std::string name, std::string_view fallback) { return name.empty() ? std::string(fallback) : name; }

}  // namespace

Drift Common::drift_at(std::string_view pointer) const {
  for (const std::string& ignored : ignore_drift)
    if (pointer.starts_with(ignored) && (pointer.size() == ignored.size() || pointer[ignored.size()] == '/'))
      return Drift::ignore;
  return drift;
}

std::optional<std::vector<std::string>> pointer_segments(std::string_view pointer) {
  if (!pointer.starts_with('/')) return std::nullopt;
  std::vector<std::string> segments;
  for (size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      segments.emplace_back();
      continue;
    }
    char c = pointer[i];
    if (c == '~') {
      if (++i == pointer.size() || (pointer[i] != '0' && pointer[i] != '1')) return std::nullopt;
      c = pointer[i] == '0' ? '~' : '/';
    }
    segments.back() += c;
  }
  return segments;
}

std::string pointer_segment(std::string_view key) {
  std::string out;
  for (char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

std::string_view to_string(Engine engine) { return kEngines[static_cast<size_t>(engine)].name; }
int engine_port(Engine engine) { return kEngines[static_cast<size_t>(engine)].port; }

std::optional<Engine> engine_from(std::string_view type) {
  if (type == "mysql") return Engine::mariadb;
  for (const EngineFacts& facts : kEngines) {
    if (facts.name == type) return facts.engine;
  }
  return std::nullopt;
}

DatabaseInstanceSpec database_instance_spec(const Value& value) {
  const Reader spec("DatabaseInstance", value);
  DatabaseInstanceSpec out;
  spec.common(out);
  out.datastore_type = spec.object("datastore").text("type");
  out.engine = engine_from(out.datastore_type).value_or(Engine::mariadb);
  out.version = spec.object("datastore").text("version");
  out.flavor = spec.text("flavor");
  out.volume_gib = spec.object("volume").integer("size");
  out.volume_type = spec.object("volume").text("type");
  out.zone = spec.text("availabilityZone");
  out.server_group = spec.text("serverGroup");
  out.volume_ref = spec.reference("volumeRef");
  out.configuration_ref = spec.reference("configurationRef");
  out.allowed_cidrs = spec.object("access").texts("allowedCidrs");
  out.is_public = spec.object("access").boolean("public");
  out.root_access = spec.boolean("rootAccess");
  out.deletion_protection = spec.boolean("deletionProtection");
  out.disruptive = spec.object("maintenance").text("disruptiveChanges") == "Immediate"
                       ? DatabaseInstanceSpec::Disruptive::immediate
                       : DatabaseInstanceSpec::Disruptive::manual;
  out.bootstrap_backup = spec.object("bootstrapFrom").reference("backupRef");
  return out;
}

DatabaseSpec database_spec(const Value& value, std::string_view metadata_name) {
  const Reader spec("Database", value);
  DatabaseSpec out;
  spec.common(out);
  out.instance = spec.reference("instanceRef");
  out.name = name_or(spec.text("name"), metadata_name);
  out.character_set = spec.text("characterSet");
  out.collate = spec.text("collate");
  out.owner = spec.text("owner");
  return out;
}

UserSpec user_spec(const Value& value, std::string_view metadata_name) {
  const Reader spec("User", value);
  UserSpec out;
  spec.common(out);
  out.instance = spec.reference("instanceRef");
  out.name = name_or(spec.text("name"), metadata_name);
  out.host = spec.text("host");
  const Reader password = spec.object("password");
  out.generate_length = password.object("generate").integer("length");
  out.secret_name = password.reference("secretRef");
  out.secret_key = password.object("secretRef").text("key");
  for (const Reader& grant : spec.items("grants"))
    out.grants.push_back({grant.texts("privileges"), grant.text("on"), grant.boolean("withGrantOption")});
  out.max_connections = spec.integer("maxConnections");
  return out;
}

VolumeSpec volume_spec(const Value& value) {
  const Reader spec("Volume", value);
  VolumeSpec out;
  spec.common(out);
  out.size_gib = spec.integer("size");
  out.type = spec.text("type");
  out.zone = spec.text("availabilityZone");
  return out;
}

SecretSpec secret_spec(const Value& value) {
  const Reader spec("Secret", value);
  SecretSpec out;
  spec.common(out);
  for (const Value::Member& member : value["data"].members()) out.data[member.key] = member.value.text();
  return out;
}

ConfigurationGroupSpec configuration_group_spec(const Value& value) {
  const Reader spec("ConfigurationGroup", value);
  ConfigurationGroupSpec out;
  spec.common(out);
  out.datastore_type = spec.object("datastore").text("type");
  out.version = spec.object("datastore").text("version");
  const Engine engine = engine_from(out.datastore_type).value_or(Engine::mariadb);
  for (const Value::Member& member : value["parameters"].members())
    out.parameters[canonical_parameter(engine, member.key)] = member.value;
  out.keep_on_remove = spec.text("onRemove") == "KeepValue";
  return out;
}

BackupScheduleSpec backup_schedule_spec(const Value& value) {
  const Reader spec("BackupSchedule", value);
  BackupScheduleSpec out;
  spec.common(out);
  out.instance = spec.reference("instanceRef");
  out.schedule = spec.text("schedule");
  out.time_zone = spec.text("timeZone");
  out.immediate = spec.boolean("immediate");
  out.jitter = spec.duration("jitter");
  out.run_missed_once = spec.text("missedRunPolicy") != "Skip";
  out.timeout = spec.duration("timeout");
  out.keep_last = spec.object("retention").integer("keepLast");
  return out;
}

BackupSpec backup_spec(const Value& value) {
  const Reader spec("Backup", value);
  BackupSpec out;
  spec.common(out);
  out.instance = spec.reference("instanceRef");
  out.timeout = spec.duration("timeout");
  return out;
}

OperationSpec operation_spec(const Value& value) {
  const Reader spec("Operation", value);
  OperationSpec out;
  spec.common(out);
  out.instance = spec.reference("instanceRef");
  out.restart = spec.has("restart");
  out.reason = spec.text("reason");
  out.ttl = spec.duration("ttl");
  return out;
}

GitSourceSpec git_source_spec(const Value& value) {
  const Reader spec("GitSource", value);
  GitSourceSpec out;
  spec.common(out);
  out.url = spec.text("url");
  const Reader ref = spec.object("ref");
  out.branch = ref.text("branch");
  out.tag = ref.text("tag");
  out.commit = ref.text("commit");
  if (out.branch.empty() && out.tag.empty() && out.commit.empty()) out.branch = "main";
  out.path = spec.text("path");
  while (out.path.ends_with('/')) out.path.pop_back();
  if (out.path == ".") out.path.clear();
  out.interval = spec.duration("interval");
  out.secret = spec.reference("secretRef");
  out.webhook_secret = spec.object("webhook").reference("secretRef");
  out.verify = spec.has("verify");
  out.keys_secret = spec.object("verify").reference("keysRef");
  out.manual = spec.text("approval") == "Manual";
  const Reader prune = spec.object("prune");
  out.prune = prune.boolean("enabled");
  out.refuse_empty = prune.boolean("refuseEmpty");
  out.max_delete = prune.integer("maxDelete");
  return out;
}

}  // namespace trove
