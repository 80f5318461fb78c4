#include "specs/kinds/kind.hpp"
#include <algorithm>
#include <array>
#include <cctype>
#include "specs/kinds/tables.hpp"

namespace trove {
namespace {

const std::vector<Kind>& registry() {
  // In the order in which people make things.
  static const std::vector<Kind> kinds = {
      tables::database_instance(), tables::database(),        tables::user(),   tables::volume(),    tables::secret(),
      tables::configuration_group(), tables::backup_schedule(), tables::backup(), tables::operation(),
      tables::git_source(),
  };
  return kinds;
}

bool same_letters(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

}  // namespace

std::string_view to_string(FieldType type) {
  static constexpr std::array<std::string_view, 7> names = {"string", "integer", "boolean", "object",
                                                            "list",   "map",     "map"};
  return names[static_cast<size_t>(type)];
}

std::string_view to_string(Change change) {
  static constexpr std::array<std::string_view, 9> names = {"none",   "live",    "reload", "RESTART",  "failover",
                                                            "REBOOT", "REBUILD", "copy",   "forbidden"};
  return names[static_cast<size_t>(change)];
}

std::span<const Kind> all_kinds() { return registry(); }

const Kind* find_kind(std::string_view any_spelling) {
  for (const Kind& kind : registry()) {
    if (kind.name == any_spelling) return &kind;   // the usual case, without touching letters
  }
  for (const Kind& kind : registry()) {
    if (same_letters(kind.name, any_spelling) || same_letters(kind.plural, any_spelling) ||
        same_letters(kind.short_name, any_spelling))
      return &kind;
  }
  return nullptr;
}

const Field* find_field(const Kind& kind, std::string_view path) {
  for (const Field& field : kind.fields) {
    if (field.path == path) return &field;
  }
  return nullptr;
}

bool is_common_field(std::string_view path) {
  return path == "managementPolicy" || path == "deletionPolicy" || path == "suspend" || path == "drift" ||
         path == "ignoreDrift" || path == "ignoreDrift[]";
}

namespace tables {

void add_common_block(std::vector<Field>& fields, std::string_view default_deletion) {
  fields.push_back({.path = "managementPolicy",
                    .doc = "Whether trove changes anything. Manage: it makes reality follow the spec. Observe: it "
                           "reads and reports, and never writes.",
                    .default_json = R"("Manage")",
                    .change = Change::none,
                    .values = {"Manage", "Observe"}});
  fields.push_back(
      {.path = "deletionPolicy",
       .doc = "What happens to the real thing when this object is deleted. Retain: it stays and is forgotten. "
              "Delete: it goes too.",
       .default_json = default_deletion,
       .change = Change::none,
       .values = {"Retain", "Delete"}});
  fields.push_back({.path = "suspend",
                    .type = FieldType::boolean,
                    .doc = "Stops all corrections while true. Deleting the object still works.",
                    .default_json = "false",
                    .change = Change::none});
  fields.push_back({.path = "drift",
                    .doc =
                        "What to do when somebody changed the real thing. Correct: put it back. Report: say so in the "
                        "Drifted condition. Ignore: neither.",
                    .default_json = R"("Correct")",
                    .change = Change::none,
                    .values = {"Correct", "Report", "Ignore"}});
  fields.push_back({.path = "ignoreDrift",
                    .type = FieldType::list,
                    .doc =
                        "Fields that somebody else looks after, as JSON pointers below spec. What others change there "
                        "is neither corrected nor reported. A value that changes in the spec is still carried out, "
                        "once; and what trove makes anew (a server that died) begins with the spec's value.",
                    .default_json = "[]",
                    .change = Change::none,
                    .max = 64});
  fields.push_back({.path = "ignoreDrift[]",
                    .doc =
                        "A field, as /volume/size, with all below it; a key of a map, as /parameters/max_connections; a whole "
                        "list, as /grants. A slash in a key is written ~1, a tilde ~0.",
                    .change = Change::none,
                    .min = 2,
                    .max = 512});
}

Field reference_name(std::string_view path, std::string_view doc, Change change, std::string_view refusal) {
  return {.path = path,
          .doc = doc,
          .required = true,
          .change = change,
          .format = Format::dns_label,
          .max = 63,
          .refusal = refusal};
}

void add_instance_ref(std::vector<Field>& fields, std::string_view doc, Change change, std::string_view refusal) {
  fields.push_back({.path = "instanceRef",
                    .type = FieldType::object,
                    .doc = doc,
                    .required = true,
                    .change = change,
                    .reference = "DatabaseInstance",
                    .see = "inst",
                    .refusal = refusal});
  fields.push_back(
      reference_name("instanceRef.name", "Name of the DatabaseInstance, in the same project.", change, refusal));
}

}  // namespace tables
}  // namespace trove
