// The table of fields. One row per field gives strict decoding, defaults, bounds, immutability, JSON Schema,
// OpenAPI, `explain` and each field's change class; nothing else in the tree repeats these facts.
// All tables are constant after static initialisation; thread-safe.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trove {

enum class FieldType {
  string, integer, boolean,
  object,          // has rows below it: "volume" and "volume.size"
  list,            // rows below it are "grants[]" (the item) and "grants[].on"
  string_map,      // free keys, string values (labels, annotations)
  scalar_map,      // free keys, scalar values (parameters)
};
std::string_view to_string(FieldType type);   // "string" "integer" "boolean" "object" "list" "map"

// What the text of a string must look like, beyond its length.
enum class Format {
  any,
  dns_label,    // metadata.name and references
  engine_name,  // a database or user name inside the engine: 1..63 bytes UTF-8, no NUL; any other character is quoted
  duration,     // 30s 15m 7d
  cidr,         // IPv4 or IPv6
  cron,         // five fields or @daily …; six are refused with the reason
  time_zone,    // IANA
  version,      // digits and dots
  parameter_name,  // [a-zA-Z0-9_.-]+
  host_pattern,    // MariaDB's host part: % _ letters digits . : / -
  git_url, git_ref, git_commit, git_path,  // specs/git_url.hpp
};

// What changing a field does (product.md 2.6), mildest first.
enum class Change { none, live, reload, restart, failover, reboot, rebuild, copy, forbidden };
std::string_view to_string(
    Change change);  // "none" "live" "reload" "RESTART" "failover" "REBOOT" "REBUILD" "copy" "forbidden"

struct Field {
  std::string_view path;                 // below spec: "volume.size", "grants[].privileges[]"
  FieldType type = FieldType::string;
  std::string_view doc = {};             // one or two plain sentences
  bool required = false;
  std::string_view default_json = {};    // JSON text; "" = no default
  Change change = Change::live;
  Format format = Format::any;           // of a map: of its keys
  // Bounds: of integers; of the length in bytes of strings and map values; of the length of lists; of durations in ms.
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
  std::vector<std::string_view> values = {};           // enumeration of strings
  std::string_view unit = {};            // "GiB"
  std::string_view reference = {};       // the kind that an object {name} points to
  bool grows_only = false;               // an integer that may rise but never fall
  bool sensitive = false;                // never shown back
  std::string_view see = {};             // related field or command for `explain`
  std::string_view refusal = {};         // for Change::forbidden: what to do instead
  std::string_view one_of = {};          // fields that share this word exclude each other ("volume")
  bool removable = false;                // Change::forbidden, but taking the field away is harmless
  std::string_view list_key = {};        // of a list of objects: the item's field by which owners tell items apart
};

struct Kind {
  std::string_view name;       // "DatabaseInstance"
  std::string_view plural;     // "databaseinstances"; the path segment in REST
  std::string_view short_name; // "inst"
  std::string_view doc;
  std::vector<Field> fields;   // common block included
  bool stateful = false;       // default deletionPolicy Retain; removal needs care
  bool spec_immutable = false; // Backup, Operation: once created
  std::string_view example;    // a YAML document that decodes
};

std::span<const Kind> all_kinds();
// Any spelling that fingers know: "DatabaseInstance", "databaseinstance(s)", "inst"; case does not count. nullptr =
// none.
const Kind* find_kind(std::string_view any_spelling);
// "volume.size", "grants[].on"; nullptr when there is no such row.
const Field* find_field(const Kind& kind, std::string_view path);
bool is_common_field(std::string_view path);   // managementPolicy deletionPolicy suspend drift ignoreDrift

}  // namespace trove
