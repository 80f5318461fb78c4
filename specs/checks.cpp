// What rows cannot say: fields that exclude each other, what an engine needs, grants that make sense.
#include <algorithm>
#include <map>
#include "specs/decode.hpp"
#include "specs/decode_parts.hpp"
#include "specs/kinds/parameters.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/schedule.hpp"

namespace trove {
namespace {

using namespace decoding;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alnum(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }
bool written(const Value& object, std::string_view key) { return !object[key].is_null(); }

struct Check {
  const Resource& resource;
  const Value& spec;       // located
  Sink& sink;
  void add(std::string path, std::string message, std::string hint = {}) {
    const Position at = position_of(spec, path);
    sink.add(at, std::move(path), std::move(message), std::move(hint));
  }
};

// Rows that share a one_of word: at most one of them.
void check_exclusive(const FieldNode& node, const Value& value, const Trail& trail, Sink& sink) {
  std::map<std::string_view, std::string_view> seen;
  for (const FieldNode& child : node.children) {
    const Value* found = node.is(FieldType::object) ? value.find(child.name) : nullptr;
    if (!found || found->is_null()) continue;
    const Trail here = trail.member(child.name);
    if (!child.field->one_of.empty()) {
      const auto [first, fresh] = seen.emplace(child.field->one_of, child.name);
      if (!fresh) sink.add(found->at, here, "excludes " + trail.member(first->second).text() + ": use one of the two");
    }
    if (child.is(FieldType::object)) check_exclusive(child, *found, here, sink);
  }
}

void check_instance(Check& check) {
  const Value& spec = check.spec;
  const auto engine = engine_from(spec["datastore"]["type"].text());
  if (!engine) return;
  const bool volume = written(spec, "volume"), reference = written(spec, "volumeRef");
  if (*engine == Engine::memcached) {
    const std::string memory = "Memcached keeps everything in memory: remove it";
    if (volume) check.add("spec.volume", memory);
    if (reference) check.add("spec.volumeRef", memory);
    if (spec["rootAccess"].bool_or(false)) check.add("spec.rootAccess", "Memcached has no logins: remove it");
    if (written(spec, "bootstrapFrom")) check.add("spec.bootstrapFrom", "Memcached has no backups: remove it");
  } else if (*engine != Engine::redis && !volume && !reference) {
    check.add("spec.volume", spec["datastore"]["type"].text() +
                                 " needs a volume for its data: write volume: {size: 10} or volumeRef: {name: …}");
  }
}

bool is_sql_privilege(std::string_view text) {
  if (text.empty() || !is_letter(text.front()) || !is_letter(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || c == ' '; });
}

// +@read, -flushall, +config|get
bool is_redis_rule(std::string_view text) {
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return false;
  text.remove_prefix(1);
  if (text[0] == '@') text.remove_prefix(1);
  if (text.empty() || !is_alnum(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '_' || c == '|' || c == '-'; });
}

bool means_grant_option(std::string_view text) {
  constexpr std::string_view kWords = "GRANT OPTION";
  return text.size() == kWords.size() && std::equal(text.begin(), text.end(), kWords.begin(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
  });
}

void check_privileges(Check& check, const Value& grant, const std::string& path, bool& sql, bool& redis) {
  size_t index = 0;
  for (const Value& privilege : grant["privileges"].items()) {
    const std::string here = path + ".privileges[" + std::to_string(index++) + "]";
    const std::string& text = privilege.text();
    if (text.empty()) continue;   // said already
    if (is_redis_rule(text)) redis = true;
    else if (!is_sql_privilege(text))
      check.add(here, quote(text) +
                          " is not a privilege: write SQL words as SELECT or CREATE VIEW, or a Redis rule as +@read");
    else if (means_grant_option(text))
      check.add(here, "write withGrantOption: true instead");
    else sql = true;
  }
}

void check_user(Check& check) {
  const Value& spec = check.spec;
  const Value& password = spec["password"];
  if (password.is_map() && !written(password, "generate") && !written(password, "secretRef"))
    check.add("spec.password",
              "needs exactly one of generate and secretRef: write generate: {} or secretRef: {name: …}");
  const std::string name = spec["name"].text_or(check.resource.metadata.name);
  const std::string path = written(spec, "name") ? "spec.name" : "metadata.name";
  if (name == "root" || name == "postgres")
    check.add(path, quote(name) + " is the engine's administrator and is not managed as a User",
              "For an administrator's login set rootAccess: true on the instance.");
  else if (name == "mysql" || name == "mariadb.sys" || name == "PUBLIC" || name == "public" || name.starts_with("pg_"))
    check.add(path, quote(name) + " belongs to the engine: choose another name");
  else if (name.starts_with("trove_"))
    check.add(path, quote(name) + ": names that start with trove_ belong to trove");
  bool sql = false, redis = false;
  std::map<std::string, size_t> seen;
  size_t index = 0;
  for (const Value& grant : spec["grants"].items()) {
    const std::string here = "spec.grants[" + std::to_string(index) + "]";
    check_privileges(check, grant, here, sql, redis);
    const std::string& on = grant["on"].text();
    if (!on.empty()) {
      const auto [first, fresh] = seen.emplace(on, index);
      if (!fresh)
        check.add(here + ".on", quote(on) + " was named in grants[" + std::to_string(first->second) +
                                    "]: put the privileges into one entry");
    }
    ++index;
  }
  if (sql && redis) check.add("spec.grants", "mixes SQL privileges and Redis rules: a login is in one engine");
}

void check_database(Check& check) {
  const std::string name = check.spec["name"].text_or(check.resource.metadata.name);
  for (std::string_view taken :
       {"mysql", "information_schema", "performance_schema", "sys", "postgres", "template0", "template1"}) {
    if (name == taken)
      check.add(written(check.spec, "name") ? "spec.name" : "metadata.name",
                quote(name) + " belongs to the engine: choose another name");
  }
}

void check_parameters(Check& check) {
  const auto engine = engine_from(check.spec["datastore"]["type"].text());
  if (!engine) return;
  std::map<std::string, std::string> seen;
  for (const Value::Member& member : check.spec["parameters"].members()) {
    // What the walk complained about already.
    if (member.value.is_null() || member.value.is_list() || member.value.is_map() || member.key.empty()) continue;
    const std::string path = "spec.parameters." + printable(member.key, 80);
    if (const auto rendered = render_parameter(*engine, member.key, member.value, 0); !rendered) {
      const bool owned = !is_owned_parameter(*engine, member.key).empty();
      check.sink.add(owned ? member.key_at : member.value.at, path, rendered.error().message, rendered.error().hint);
    }
    const auto [first, fresh] = seen.emplace(canonical_parameter(*engine, member.key), member.key);
    if (!fresh) check.sink.add(member.key_at, path, "is the same parameter as " + quote(first->second));
  }
}

void check_schedule(Check& check) {
  // Each by itself was checked; together they must give due times as well.
  const std::string& cron = check.spec["schedule"].text();
  const std::string zone = check.spec["timeZone"].text_or("UTC");
  if (zone == "UTC" || cron.empty() || zone.empty()) return;
  if (!Schedule::parse(cron) || !Schedule::parse("@daily", zone)) return;
  if (const auto parsed = Schedule::parse(cron, zone); !parsed)
    check.add("spec.schedule", parsed.error().message, parsed.error().hint);
}

void check_operation(Check& check) {
  if (written(check.spec, "restart")) return;
  for (const Value::Member& member : check.spec.members()) {
    if (!unsupported_field(check.resource.kind, member.key).empty()) return;  // a verb of a later release: said already
  }
  check.add("spec", "must say what to do: write restart: {}");
}

}  // namespace

void check_resource(const Resource& resource, const Value& located_spec, Problems& problems) {
  const Kind* kind = find_kind(resource.kind);
  if (!kind || !located_spec.is_map()) return;
  Sink sink(problems);
  Check check{resource, located_spec, sink};
  check_ignore_drift(*kind, located_spec, sink);
  const Trail root;
  check_exclusive(field_tree(*kind), located_spec, root.member("spec"), sink);
  if (kind->name == "DatabaseInstance") check_instance(check);
  else if (kind->name == "User") check_user(check);
  else if (kind->name == "Database") check_database(check);
  else if (kind->name == "ConfigurationGroup") check_parameters(check);
  else if (kind->name == "BackupSchedule") check_schedule(check);
  else if (kind->name == "Operation") check_operation(check);
}

}  // namespace trove
