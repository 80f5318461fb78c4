#include "reconciler/simulate/transitions.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "specs/json.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::simulate {
namespace {

constexpr Millis kChangedAt{40'000}, kBackAt{70'000};

// An object to change, in surroundings that its fields can refer to.
struct Bed {
  std::string_view kind, name;
  std::string environment;               // YAML, applied before
  std::string spec;                      // JSON
  std::vector<std::string_view> covers;  // fields by their first part
};

std::string yaml(std::string_view kind, std::string_view name, std::string_view spec) {
  return "---\napiVersion: trove/v1alpha1\nkind: " + std::string(kind) + "\nmetadata: {name: " + std::string(name) +
         "}\nspec: " + std::string(spec) + "\n";
}

constexpr std::string_view kMaria =
    R"({"datastore":{"type":"mariadb"},"flavor":"db.tiny","volume":{"size":2},"maintenance":{"disruptiveChanges":"Immediate"}})";
constexpr std::string_view kPostgres =
    R"({"datastore":{"type":"postgresql"},"flavor":"db.tiny","volume":{"size":2},"maintenance":{"disruptiveChanges":"Immediate"}})";

const std::vector<Bed>& beds() {
  static const std::vector<Bed> all = [] {
    const std::string one = yaml("DatabaseInstance", "one", kMaria), two = yaml("DatabaseInstance", "two", kMaria);
    const std::string groups =
        yaml("ConfigurationGroup", "g1", R"({"datastore":{"type":"mariadb"},"parameters":{"max_connections":100}})") +
        yaml("ConfigurationGroup", "g2", R"({"datastore":{"type":"mariadb"},"parameters":{"max_connections":200}})");
    const std::string secrets =
        yaml("Secret", "s1", R"({"data":{"password":"first-password-1","other":"second-password-2"}})") +
        yaml("Secret", "s2", R"({"data":{"password":"third-password-3"}})");
    const std::string volumes = yaml("Volume", "v1", R"({"size":2})") + yaml("Volume", "v2", R"({"size":2})");
    const std::string backups = one + yaml("Backup", "b1", R"({"instanceRef":{"name":"one"}})") +
                                yaml("Backup", "b2", R"({"instanceRef":{"name":"one"}})");
    const std::vector<std::string_view> common{"managementPolicy", "deletionPolicy", "suspend", "drift",
                                               "ignoreDrift"};
    auto with_common = [&](std::vector<std::string_view> covers) {
      covers.insert(covers.end(), common.begin(), common.end());
      return covers;
    };
    return std::vector<Bed>{
        {"DatabaseInstance", "x", groups, std::string(kMaria),
         with_common({"datastore", "flavor", "volume", "availabilityZone", "serverGroup", "configurationRef", "access",
                      "rootAccess", "deletionProtection", "maintenance"})},
        {"DatabaseInstance",
         "x",
         volumes,
         R"({"datastore":{"type":"mariadb"},"flavor":"db.tiny","volumeRef":{"name":"v1"}})",
         {"volumeRef"}},
        {"DatabaseInstance",
         "x",
         backups,
         R"({"datastore":{"type":"mariadb"},"flavor":"db.tiny","volume":{"size":2},"bootstrapFrom":{"backupRef":{"name":"b1"}}})",
         {"bootstrapFrom"}},
        {"Database", "x", one + two, R"({"instanceRef":{"name":"one"}})",
         with_common({"instanceRef", "name", "characterSet", "collate"})},
        {"Database", "x", yaml("DatabaseInstance", "one", kPostgres), R"({"instanceRef":{"name":"one"}})", {"owner"}},
        {"User", "x", one + two + secrets,
         R"({"instanceRef":{"name":"one"},"password":{"generate":{}},"grants":[{"privileges":["SELECT"],"on":"orders.*"}]})",
         with_common({"instanceRef", "name", "host", "password", "grants", "maxConnections"})},
        {"Volume", "x", "", R"({"size":2})", with_common({"size", "type", "availabilityZone"})},
        {"Secret", "x",
         one + yaml("User", "u", R"({"instanceRef":{"name":"one"},"password":{"secretRef":{"name":"x"}}})"),
         R"({"data":{"password":"first-password-1"}})", with_common({"data"})},
        {"ConfigurationGroup", "x",
         yaml(
             "DatabaseInstance", "one",
             R"({"datastore":{"type":"mariadb"},"flavor":"db.tiny","volume":{"size":2},"configurationRef":{"name":"x"},"maintenance":{"disruptiveChanges":"Immediate"}})"),
         R"({"datastore":{"type":"mariadb"},"parameters":{"max_connections":100}})",
         with_common({"datastore", "parameters", "onRemove"})},
        {"BackupSchedule", "x", one + two, R"({"instanceRef":{"name":"one"},"schedule":"15 2 * * *"})",
         with_common({"instanceRef", "schedule", "timeZone", "immediate", "jitter", "missedRunPolicy", "timeout",
                      "retention"})},
        {"Backup", "x", one + two, R"({"instanceRef":{"name":"one"}})", with_common({"instanceRef", "timeout"})},
        {"Operation", "x", one + two, R"({"instanceRef":{"name":"one"},"restart":{}})",
         with_common({"instanceRef", "restart", "reason", "ttl"})},
        {"GitSource", "x", secrets, R"({"url":"https://git.example/a.git"})",
         with_common({"url", "ref", "path", "interval", "secretRef", "webhook", "verify", "approval", "prune"})},
    };
  }();
  return all;
}

// Values of fields whose row does not tell enough; "-" stands for an absent field.
const std::map<std::string, std::string, std::less<>>& known_values() {
  static const std::map<std::string, std::string, std::less<>> known = {
      {"DatabaseInstance.datastore.type", R"(["mariadb","postgresql"])"},
      {"DatabaseInstance.datastore", R"([])"},
      {"DatabaseInstance.flavor", R"(["db.tiny","db.small","flavor-2"])"},
      {"DatabaseInstance.volume", R"([])"},
      {"DatabaseInstance.volume.size", R"([2,3])"},
      {"DatabaseInstance.volume.type", R"(["-","fast","__DEFAULT__"])"},
      {"DatabaseInstance.availabilityZone", R"(["-","nova"])"},
      {"DatabaseInstance.serverGroup", R"(["-","apart"])"},
      {"DatabaseInstance.volumeRef", R"([])"},
      {"DatabaseInstance.volumeRef.name", R"(["v1","v2"])"},
      {"DatabaseInstance.configurationRef", R"(["-",{"name":"g1"}])"},
      {"DatabaseInstance.configurationRef.name", R"(["g1","g2"])"},
      {"DatabaseInstance.access", R"([])"},
      {"DatabaseInstance.maintenance", R"([])"},
      {"DatabaseInstance.bootstrapFrom", R"(["-",{"backupRef":{"name":"b1"}}])"},
      {"DatabaseInstance.bootstrapFrom.backupRef", R"([])"},
      {"DatabaseInstance.bootstrapFrom.backupRef.name", R"(["b1","b2"])"},
      {"User.password",
       R"([{"generate":{}},{"secretRef":{"name":"s1"}},{"secretRef":{"name":"s1","key":"other"}},{"secretRef":{"name":"s2"}}])"},
      {"User.password.generate", R"([])"},
      {"User.password.secretRef", R"([])"},
      {"User.password.secretRef.name", R"([])"},
      {"User.password.secretRef.key", R"([])"},
      {"User.grants",
       R"([[],[{"privileges":["SELECT"],"on":"orders.*"}],[{"privileges":["SELECT"],"on":"orders.*"},{"privileges":["ALL"],"on":"other.*"}]])"},
      {"User.grants[]", R"([])"},
      {"User.grants[].privileges", R"([["SELECT"],["SELECT","INSERT"]])"},
      {"User.grants[].privileges[]", R"([])"},
      {"User.grants[].on", R"(["orders.*","*.*"])"},
      {"Volume.size", R"([2,3])"},
      {"Volume.type", R"(["-","fast","type-1"])"},
      {"Volume.availabilityZone", R"(["-","nova"])"},
      {"Secret.data",
       R"([{"password":"first-password-1"},{"password":"second-password-2"},{"password":"first-password-1","more":"third-password-3"}])"},
      {"ConfigurationGroup.datastore", R"([])"},
      {"ConfigurationGroup.datastore.type", R"(["mariadb","postgresql"])"},
      {"ConfigurationGroup.parameters",
       R"([{"max_connections":100},{"max_connections":300},{"max_connections":100,"innodb_buffer_pool_size":134217728}])"},
      {"BackupSchedule.retention", R"(["-",{"keepLast":2}])"},
      {"Operation.restart", R"([])"},
      {"GitSource.url", R"(["https://git.example/a.git","ssh://git@git.example/b.git"])"},
      {"GitSource.ref", R"(["-",{"branch":"main"},{"tag":"v1"},{"commit":"0123456789abcdef0123456789abcdef01234567"}])"},
      {"GitSource.ref.branch", R"([])"},
      {"GitSource.ref.tag", R"([])"},
      {"GitSource.ref.commit", R"([])"},
      {"GitSource.path", R"(["-","prod/"])"},
      {"GitSource.secretRef", R"(["-",{"name":"s1"}])"},
      {"GitSource.secretRef.name", R"(["s1","s2"])"},
      {"GitSource.webhook", R"(["-",{"secretRef":{"name":"s1"}}])"},
      {"GitSource.webhook.secretRef", R"([])"},
      {"GitSource.webhook.secretRef.name", R"(["s1","s2"])"},
      {"GitSource.verify", R"(["-",{"keysRef":{"name":"s1"}}])"},
      {"GitSource.verify.keysRef", R"([])"},
      {"GitSource.verify.keysRef.name", R"(["s1","s2"])"},
      {"GitSource.prune", R"(["-",{"enabled":true}])"},
  };
  return known;
}

constexpr std::string_view kAbsent = "-";

// What a field may be set to: at least two values, or none when it is changed by way of its parts or its whole.
std::vector<Value> values_of(const Kind& kind, const Field& field, bool* known = nullptr) {
  const auto list = [&](std::string_view json) {
    if (known) *known = true;
    return parse_json(std::string(json))->items();
  };
  if (auto found = known_values().find(std::string(kind.name) + "." + std::string(field.path));
      found != known_values().end())
    return list(found->second);
  if (field.type == FieldType::object && field.reference == "DatabaseInstance") return list("[]");
  if (field.path == "instanceRef.name") return list(R"(["one","two"])");
  if (!field.values.empty()) {
    Value all = Value::list();
    for (std::string_view word : field.values) all.push_back(word);
    return list(dump_json(all));
  }
  if (field.type == FieldType::boolean) return list(R"(["-",false,true])");
  if (field.type == FieldType::integer)
    return list("[" + std::to_string(std::max<int64_t>(field.min, 0)) + "," +
                std::to_string(std::max<int64_t>(field.min, 0) + 1) + "]");
  if (field.type == FieldType::list && field.path == "access.allowedCidrs")
    return list(R"(["-",[],["10.1.0.0/16"],["10.2.0.0/16","10.1.0.0/16"]])");
  if (field.path == "ignoreDrift") return list(R"(["-",[]])");  // what it names depends on the kind
  if (field.path.ends_with("[]")) return list("[]");
  switch (field.format) {
    case Format::duration:
      return list(R"(["1h","2h"])");
    case Format::cron:
      return list(R"(["15 2 * * *","30 3 * * 1","@daily"])");
    case Format::time_zone:
      return list(R"(["UTC","Europe/Berlin"])");
    case Format::version:
      return list(R"(["-","10.11","10.6"])");
    case Format::parameter_name:
      return list(field.path == "collate" ? R"(["-","utf8mb4_bin"])" : R"(["-","utf8mb4","latin1"])");
    case Format::engine_name:
      return list(R"(["-","alpha","beta"])");
    case Format::host_pattern:
      return list(R"(["%","10.%"])");
    case Format::any:
      return field.type == FieldType::string ? list(R"(["-","some","other"])") : std::vector<Value>{};
    default:
      return {};
  }
}

// Sets "grants[].on" in the first item of the list, "volume.size" in the map; an absent one is taken away.
void put(Value& spec, std::string_view path, const Value& value) {
  const size_t dot = path.find('.');
  std::string_view head = path.substr(0, dot);
  const bool in_list = head.ends_with("[]");
  if (in_list) head.remove_suffix(2);
  if (dot == std::string_view::npos) {
    if (value.is_string() && value.text() == kAbsent)
      spec.erase(head);
    else
      spec.set(head, value);
    return;
  }
  Value* below = spec.find(head);
  if (!below) below = &spec.set(head, in_list ? Value::list() : Value::map());
  if (in_list && below->empty()) below->push_back(Value::map());
  put(in_list ? below->mutable_items().front() : *below, path.substr(dot + 1), value);
}

bool common(std::string_view path) { return is_common_field(path); }

bool is_refused(const Kind& kind, const Field& field, const Value& from, const Value& to) {
  if (common(field.path)) return false;
  const bool absent = to.is_string() && to.text() == kAbsent;
  if (field.removable && absent) return false;
  if (field.grows_only && !absent && to.int_or(0) < from.int_or(0)) return true;
  return kind.spec_immutable || field.change == Change::forbidden;
}

// While it is so, nothing of the real thing follows the spec: such a state has no fresh make to be compared with.
bool stands_aside(std::string_view path, const Value& to) {
  return (path == "suspend" && to.bool_or(false)) || (path == "managementPolicy" && to.text() == "Observe");
}

std::string document(const Bed& bed, const Value& spec) { return yaml(bed.kind, bed.name, dump_json(spec)); }

Scenario scenario_of(const Bed& bed, std::vector<std::pair<Millis, Value>> specs, const std::string& refused = "") {
  Scenario scenario;
  scenario.name = "transition";
  // What it refers to is there first; then everything is applied in one piece.
  for (auto& [when, spec] : specs) {
    const bool first = scenario.deeds.empty();
    scenario.deeds.push_back(
        {when, body_of((first ? bed.environment : "") + document(bed, spec)), {}, !first && !refused.empty(), refused});
  }
  return scenario;
}

struct Edit {
  const Field* field;
  Value from, to;
};

Transition make(const Bed& bed, const Kind& kind, const std::vector<Edit>& edits) {
  Value before = *parse_json(bed.spec);
  for (const Edit& edit : edits) put(before, edit.field->path, edit.from);
  Value after = before;
  Transition transition;
  transition.name = std::string(bed.kind);
  bool aside = false;
  std::string field;  // that the refusal has to name
  for (const Edit& edit : edits) {
    put(after, edit.field->path, edit.to);
    if (!transition.refused && is_refused(kind, *edit.field, edit.from, edit.to)) {
      transition.refused = true;
      field = "spec." + std::string(edit.field->path.substr(0, edit.field->path.find_first_of(".[")));
    }
    aside = aside || stands_aside(edit.field->path, edit.to);
    transition.name +=
        " " + std::string(edit.field->path) + ": " + dump_json(edit.from) + " to " + dump_json(edit.to) + ";";
  }
  if (aside && !transition.refused) {
    // Out of it again: it has to be as if it had never stood aside.
    Value back = after;
    for (const Edit& edit : edits)
      if (stands_aside(edit.field->path, edit.to)) put(back, edit.field->path, edit.from);
    transition.name += " and back";
    transition.changed = scenario_of(bed, {{Millis{0}, before}, {kChangedAt, after}, {kBackAt, back}});
    transition.fresh = scenario_of(bed, {{Millis{0}, back}});
    return transition;
  }
  transition.changed = scenario_of(bed, {{Millis{0}, before}, {kChangedAt, after}}, field);
  transition.fresh = scenario_of(bed, {{Millis{0}, transition.refused ? before : after}});
  return transition;
}

std::vector<std::pair<const Field*, std::vector<Value>>> fields_of(const Bed& bed, const Kind& kind) {
  std::vector<std::pair<const Field*, std::vector<Value>>> fields;
  for (const Field& field : kind.fields) {
    const std::string_view first = field.path.substr(0, field.path.find_first_of(".["));
    if (std::find(bed.covers.begin(), bed.covers.end(), first) == bed.covers.end()) continue;
    auto values = values_of(kind, field);
    if (values.size() >= 2) fields.emplace_back(&field, std::move(values));
  }
  return fields;
}

// Changes that cannot be made together and be compared: another engine takes other surroundings, and what interrupts
// waits for approval from the moment that it has to.
bool apart(const Field& a, const Field& b) {
  return a.path.starts_with("datastore") || b.path.starts_with("datastore") ||
         a.path == "maintenance.disruptiveChanges" || b.path == "maintenance.disruptiveChanges";
}

// What a spec can start from: suspended or observed from its first day it would not be made at all.
// Parameters for another engine cannot be what an instance of the bed refers to.
bool may_start(const Bed& bed, const Field& field, const Value& value) {
  if (bed.kind == "ConfigurationGroup" && field.path == "datastore.type") return value.text() == "mariadb";
  return !stands_aside(field.path, value);
}

}  // namespace

std::vector<Transition> single_transitions() {
  std::vector<Transition> all;
  for (const Bed& bed : beds()) {
    const Kind& kind = *find_kind(bed.kind);
    for (const auto& [field, values] : fields_of(bed, kind))
      for (const Value& from : values)
        for (const Value& to : values)
          if (!(from == to) && may_start(bed, *field, from)) all.push_back(make(bed, kind, {{field, from, to}}));
  }
  // Out of an error, and made with one: a flavor that does not exist.
  const Bed& bed = beds().front();
  const Value good = *parse_json(bed.spec);
  Value bad = good;
  bad.set("flavor", "db.none");
  const Scenario fresh = scenario_of(bed, {{Millis{0}, good}});
  all.push_back({"DatabaseInstance flavor: into an error and back",
                 scenario_of(bed, {{Millis{0}, good}, {kChangedAt, bad}, {kBackAt, good}}), fresh, false});
  all.push_back({"DatabaseInstance flavor: made with an error",
                 scenario_of(bed, {{Millis{0}, bad}, {kChangedAt, good}}), fresh, false});
  return all;
}

std::vector<Transition> paired_transitions() {
  std::vector<Transition> all;
  for (const Bed& bed : beds()) {
    const Kind& kind = *find_kind(bed.kind);
    const auto fields = fields_of(bed, kind);
    for (size_t i = 0; i < fields.size(); ++i)
      for (size_t j = i + 1; j < fields.size(); ++j) {
        const auto& [a, a_values] = fields[i];
        const auto& [b, b_values] = fields[j];
        if (a->path.starts_with(b->path) || b->path.starts_with(a->path) || apart(*a, *b)) continue;
        if (!may_start(bed, *a, a_values[0]) || !may_start(bed, *b, b_values[0])) continue;
        all.push_back(make(bed, kind, {{a, a_values[0], a_values[1]}, {b, b_values[0], b_values[1]}}));
        if (may_start(bed, *a, a_values[1]) && may_start(bed, *b, b_values[1]))
          all.push_back(make(bed, kind, {{a, a_values[1], a_values[0]}, {b, b_values[1], b_values[0]}}));
      }
  }
  return all;
}

std::vector<std::string> fields_without_values() {
  std::vector<std::string> without;
  for (const Kind& kind : all_kinds())
    for (const Field& field : kind.fields) {
      bool known = false;
      (void)values_of(kind, field, &known);
      const std::string_view first = field.path.substr(0, field.path.find_first_of(".["));
      const bool covered = std::any_of(beds().begin(), beds().end(), [&](const Bed& bed) {
        return bed.kind == kind.name && std::find(bed.covers.begin(), bed.covers.end(), first) != bed.covers.end();
      });
      if (!known || !covered) without.push_back(std::string(kind.name) + "." + std::string(field.path));
    }
  return without;
}

}  // namespace trove::simulate
