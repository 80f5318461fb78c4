// The table for people: `trovectl explain`.
#include <algorithm>
#include <array>
#include "specs/decode.hpp"
#include "specs/decode_parts.hpp"
#include "specs/json.hpp"
#include "specs/kinds/parameters.hpp"
#include "specs/kinds/specs.hpp"

namespace trove {
namespace {

using namespace decoding;

constexpr size_t kWidth = 110;
constexpr std::string_view kSince = "v1alpha1";

// What happens, in the order of Change. A kind's own refusal replaces the last.
constexpr std::array<std::string_view, 9> kEffects = {
    "nothing happens to the database.",
    "takes effect while the database runs.",
    "the engine reads its configuration again.",
    "the engine restarts once.",
    "connections break once while another server takes over.",
    "the server stops for a moment and the database with it; data and address stay.",
    "the server is made anew; data volume and address stay.",
    "the data is copied to a new place.",
    "refused.",
};

std::string wrapped(std::string_view text, std::string_view indent = "  ") {
  std::string out(indent);
  size_t column = indent.size();
  while (!text.empty()) {
    const auto space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (column > indent.size() && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(indent);
      column = indent.size();
    } else if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out + "\n";
}

std::string_view first_sentence(std::string_view text) {
  const auto end = text.find(". ");
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

std::string type_of(const FieldNode& node) {
  if (node.is(FieldType::list)) return "list of " + std::string(to_string(node.item().field->type)) + "s";
  return std::string(to_string(node.field->type));
}

std::string default_of(const FieldNode& node) {
  if (node.default_value.is_null()) return "none";
  if (node.default_value.is_list() || node.default_value.is_map()) return dump_json(node.default_value);
  return node.default_value.as_written();
}

struct Row {
  std::string name, type, need, change;
  std::string_view doc;
};

std::string table(const std::vector<Row>& rows) {
  size_t name = 0, type = 0, need = 0, change = 0;
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    type = std::max(type, row.type.size());
    need = std::max(need, row.need.size());
    change = std::max(change, row.change.size());
  }
  const auto padded = [](const std::string& text, size_t width) {
    return text + std::string(width - text.size() + 2, ' ');
  };
  std::string out;
  for (const Row& row : rows)
    out += "  " + padded(row.name, name) + padded(row.type, type) + padded(row.need, need) +
           padded(row.change, change) + std::string(row.doc) + "\n";
  return out;
}

std::string children_of(const FieldNode& node) {
  std::vector<Row> rows;
  for (const FieldNode& child : node.children) {
    const Field& field = *child.field;
    const bool plain_default = !child.default_value.is_null() && !child.default_value.is_map();
    rows.push_back({std::string(child.name), "<" + type_of(child) + ">",
                    field.required  ? "required"
                    : plain_default ? "default " + default_of(child)
                                    : "",
                    std::string(to_string(field.change)), first_sentence(field.doc)});
  }
  return table(rows);
}

std::string explain_kind(const Kind& kind) {
  std::string out = "KIND: " + std::string(kind.name) + "   SHORT: " + std::string(kind.short_name) +
                    "   PLURAL: " + std::string(kind.plural) + "\n";
  out += wrapped(kind.doc);
  if (kind.spec_immutable)
    out += wrapped(
        "The spec is fixed once the object exists, but for managementPolicy, deletionPolicy, suspend and drift.");
  out += "FIELDS of spec (type, default, change):\n" + children_of(field_tree(kind));
  out += "EXAMPLE:\n";
  std::string_view example = kind.example;
  while (!example.empty()) {
    const auto end = example.find('\n');
    out += "  " + std::string(example.substr(0, end)) + "\n";
    example.remove_prefix(end == std::string_view::npos ? example.size() : end + 1);
  }
  return out;
}

std::string change_line(const Field& field) {
  std::string out = "CHANGE: " + std::string(to_string(field.change)) + " – ";
  if (field.grows_only) return out + "may grow while the database runs; a smaller value is refused.\n";
  if (field.change == Change::forbidden) {
    if (field.removable) out += "cannot be added or changed later, only removed; ";
    else if (field.type == FieldType::object && !field.required) out += "cannot be added or removed later; ";
    return out + std::string(field.refusal) + ".\n";
  }
  return out + std::string(kEffects[static_cast<size_t>(field.change)]) + "\n";
}

std::string values_of(const Field& field) {
  if (!field.values.empty()) return words(field.values);
  if (field.type == FieldType::integer || field.format == Format::duration) return range_of(field);
  switch (field.format) {
    case Format::dns_label: return "1 to 63 lower-case letters, digits and \"-\"";
    case Format::cidr: return "a network, as 10.20.0.0/16";
    case Format::cron: return "five cron fields, or @hourly @daily @weekly @monthly @yearly";
    case Format::time_zone: return "an IANA time zone, as Europe/Berlin";
    case Format::version: return "digits and dots, as 10.11";
    default: return {};
  }
}

std::string explain_field(const Kind& kind, const FieldNode& node) {
  const Field& field = *node.field;
  std::string out = "KIND: " + std::string(kind.name) + "   FIELD: spec." + std::string(field.path) + " <" +
                    type_of(node) + ">" + (field.required ? "  required" : "") + "\n";
  out += wrapped(field.doc) + change_line(field);
  if (!field.reference.empty()) {
    const Kind* target = find_kind(field.reference);
    out += "REFERS TO: " + std::string(field.reference) + (target ? " (" + std::string(target->short_name) + ")" : "") +
           "\n";
  }
  if (!field.one_of.empty()) {
    std::string others;
    for (const Field& other : kind.fields) {
      if (&other != &field && other.one_of == field.one_of)
        others += (others.empty() ? "" : ", ") + ("spec." + std::string(other.path));
    }
    if (!others.empty()) out += "NOT WITH: " + others + "\n";
  }
  if (const std::string values = values_of(field); !values.empty()) out += "VALUES: " + values + "\n";
  if (!field.see.empty()) out += "SEE: " + std::string(field.see) + "      ";
  out += "DEFAULT: " + default_of(node) + "      SINCE: " + std::string(kSince) + "\n";
  const FieldNode& inner = node.is(FieldType::list) ? node.item() : node;
  if (!inner.children.empty()) out += "FIELDS (type, default, change):\n" + children_of(inner);
  return out;
}

struct MetadataRow {
  std::string_view name, type, need, doc;
};
constexpr MetadataRow kMetadata[] = {
    {"name", "<string>", "required",
     "Name of the object, unique for its kind in its project: 1 to 63 lower-case letters, digits and \"-\"."},
    {"generateName", "<string>", "", "Operation and Backup only: start of a name that the server completes."},
    {"project", "<string>", "default: the login's", "Project that the object belongs to."},
    {"labels", "<map>", "", "Short words to select objects by."},
    {"annotations", "<map>", "", "Free text for people and programs."},
    {"uid", "<string>", "server", "Never the same for two objects, also of one name."},
    {"generation", "<integer>", "server", "Rises by one with each change of the spec."},
    {"resourceVersion", "<string>", "server", "Rises with each change; guards against lost updates."},
    {"creationTimestamp", "<string>", "server", "When the object was made."},
    {"deletionTimestamp", "<string>", "server", "When its deletion began; absent otherwise."},
    {"ownerReferences", "<list>", "server", "Objects that this one goes with."},
};

Result<std::string> explain_metadata(const Kind& kind, std::string_view rest) {
  std::string out = "KIND: " + std::string(kind.name) + "   FIELD: metadata";
  if (rest.empty()) {
    std::vector<Row> rows;
    for (const MetadataRow& row : kMetadata)
      rows.push_back({std::string(row.name), std::string(row.type), std::string(row.need), "none", row.doc});
    return out + " <object>  required\n" + wrapped("What the object is called and what belongs to the server.") +
           "FIELDS:\n" + table(rows);
  }
  std::vector<std::string_view> names;
  for (const MetadataRow& row : kMetadata) {
    if (row.name == rest)
      return out + "." + std::string(row.name) + " " + std::string(row.type) +
             (row.need == "required" ? "  required" : "") + "\n" + wrapped(row.doc) + "CHANGE: none – " +
             (row.need == "server" ? "written by the server." : std::string(kEffects[0])) + "\n";
    names.push_back(row.name);
  }
  const std::string near = nearest(rest, names);
  return fail(
      Code::not_found,
      "metadata has no field " + quote(rest) + "." +
          (near.empty() ? "" : " Did you mean \"" + std::string(kind.short_name) + ".metadata." + near + "\"?"));
}

std::string bounds_of(const Parameter& p) {
  if (!p.values.empty()) {
    std::string text;
    for (std::string_view value : p.values) text += (text.empty() ? " " : "|") + std::string(value);
    return text;
  }
  if (p.type == ParameterType::string || p.type == ParameterType::boolean) return {};
  const auto shown = [&](int64_t bound) -> std::string {
    constexpr std::array<std::pair<int64_t, std::string_view>, 4> units = {
        {{int64_t{1} << 40, "T"}, {int64_t{1} << 30, "G"}, {int64_t{1} << 20, "M"}, {int64_t{1} << 10, "K"}}};
    for (const auto& [factor, letter] : units) {
      if (p.type == ParameterType::size && bound >= factor && bound % factor == 0)
        return std::to_string(bound / factor) + std::string(letter);
    }
    return std::to_string(bound);
  };
  const bool low = p.min != INT64_MIN && !(p.type == ParameterType::size && p.min < 0), high = p.max != INT64_MAX;
  std::string text = (low || high ? " " : "") + (low ? shown(p.min) : std::string()) + (low || high ? ".." : "") +
                     (high ? shown(p.max) : std::string());
  if (!p.unit_name.empty()) text += " " + std::string(p.unit_name);
  return text;
}

std::string parameter_line(Engine engine, const Parameter& p) {
  return std::string(to_string(p.type)) + bounds_of(p) + ", default " +
         (p.default_text.empty() ? "none" : std::string(p.default_text)) + ", " + std::string(to_string(p.change)) +
         ".  " + std::string(engine_title(engine)) + ".";
}

Result<std::string> explain_parameter(Engine engine, std::string_view engine_word, std::string_view name) {
  if (name.empty()) {
    std::vector<Row> rows;
    for (const Parameter& p : known_parameters(engine))
      rows.push_back({std::string(p.name), "<" + std::string(to_string(p.type)) + ">",
                      p.default_text.empty() ? "" : "default " + printable(p.default_text, 32),
                      std::string(to_string(p.change)), first_sentence(p.doc)});
    return "PARAMETERS: " + std::string(engine_title(engine)) + "\n" +
           wrapped(
               "Well-known ones; others are accepted and the engine judges them. Sizes may also be written as N%ram.") +
           table(rows);
  }
  if (const Parameter* p = find_parameter(engine, name)) {
    std::string out = parameter_line(engine, *p) + "\n" + wrapped(p->doc);
    if (p->type == ParameterType::size) out += wrapped("Also as N%ram: that share of the server's memory.");
    return out + "CHANGE: " + std::string(to_string(p->change)) + " – " +
           std::string(kEffects[static_cast<size_t>(p->change)]) + "\n";
  }
  if (const std::string reason = is_owned_parameter(engine, name); !reason.empty())
    return std::string(engine_title(engine)) + ": " + printable(name) + " belongs to trove and cannot be set.\n" +
           wrapped(reason + ".");
  std::vector<std::string_view> names;
  for (const Parameter& p : known_parameters(engine)) names.push_back(p.name);
  const std::string near = nearest(canonical_parameter(engine, name), names);
  return fail(Code::not_found,
              quote(name) + " is not in the catalogue of " + std::string(engine_title(engine)) + "." +
                  (near.empty() ? "" : " Did you mean \"cfg." + std::string(engine_word) + "." + near + "\"?"),
              near.empty() ? "It may still be set: the engine judges it." : "");
}

std::string without_brackets(std::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path.substr(i, 2) == "[]") ++i;
    else out += path[i];
  }
  return out;
}

Result<std::string> explain_spec(const Kind& kind, std::string_view path) {
  const FieldNode* node = find_node(kind, path);   // also "grants.on" for "grants[].on"
  if (node && node->field) return explain_field(kind, *node);
  const std::string prefix = std::string(kind.short_name) + ".spec.";
  std::vector<std::string> all;
  for (const Field& field : kind.fields) all.push_back(without_brackets(field.path));
  // The last word alone also finds its field: "inst.spec.disruptiveChanges".
  const std::string_view word = path.substr(path.rfind('.') == std::string_view::npos ? 0 : path.rfind('.') + 1);
  std::string near = nearest(path, std::vector<std::string_view>(all.begin(), all.end()));
  for (const std::string& field : all) {
    if (near.empty() && (field == word || field.ends_with("." + std::string(word)))) near = field;
  }
  if (const std::string message = unsupported_field(kind.name, path); near.empty() && !message.empty())
    return fail(Code::not_found, "spec." + printable(path) + ": " + message);
  return fail(Code::not_found,
              std::string(kind.name) + " has no field " + quote("spec." + std::string(path)) + "." +
                  (near.empty() ? "" : " Did you mean \"" + prefix + near + "\"?"),
              near.empty() ? "The fields: trovectl explain " + std::string(kind.short_name) : "");
}

}  // namespace

Result<std::string> explain(std::string_view kind_and_path) {
  const auto dot = kind_and_path.find('.');
  const std::string_view word = kind_and_path.substr(0, dot);
  std::string_view rest = dot == std::string_view::npos ? std::string_view{} : kind_and_path.substr(dot + 1);
  const Kind* kind = find_kind(word);
  if (!kind) {
    std::vector<std::string_view> names;
    for (const Kind& known : all_kinds()) names.insert(names.end(), {known.name, known.plural, known.short_name});
    const std::string near = nearest(word, names);
    if (near.empty() && unsupported_kind(word))
      return fail(Code::not_found, quote(word) + " is not supported in this release.");
    return fail(Code::not_found,
                "unknown kind " + quote(word) + "." + (near.empty() ? "" : " Did you mean \"" + near + "\"?"),
                near.empty() ? "The kinds: trovectl api-resources" : "");
  }
  if (rest.empty() || rest == "spec") return explain_kind(*kind);
  const auto next = rest.find('.');
  const std::string_view first = rest.substr(0, next);
  const std::string_view after = next == std::string_view::npos ? std::string_view{} : rest.substr(next + 1);
  if (first == "spec") return explain_spec(*kind, after);
  if (first == "metadata") return explain_metadata(*kind, after);
  if (first == "status")
    return "KIND: " + std::string(kind->name) + "   FIELD: status\n" +
           wrapped(
               "What trove found and did: observedGeneration, conditions (Ready, Synced, Progressing, Stalled, "
               "Drifted) and facts of the kind. "
               "Written by trove; ignored when it is applied.");
  if (kind->name == "ConfigurationGroup") {
    if (const auto engine = engine_from(first)) return explain_parameter(*engine, first, after);
  }
  return explain_spec(*kind, rest);   // "inst.flavor" is clear enough
}

}  // namespace trove
