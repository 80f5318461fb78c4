#include "tests/fuzz/documents.hpp"
#include <algorithm>
#include "specs/decode.hpp"
#include "specs/json.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/yaml.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace trove::fuzz {
namespace {

constexpr size_t kMostProblems = 1'000 + 1;         // of one stream; of a document 200 and the last word
constexpr size_t kMostProblemText = 4 * 4 * 4'200;  // file, path, message and hint, a character taking at most 4 bytes
constexpr int kDepth = 64;

struct Size {
  size_t nodes = 0, bytes = 0;
};
void add_size(const Value& value, Size& size) {
  ++size.nodes;
  size.bytes += value.text().size();
  for (const Value& item : value.items()) add_size(item, size);
  for (const Value::Member& member : value.members()) {
    size.bytes += member.key.size();
    add_size(member.value, size);
  }
}

std::string shown(const Value& value) { return dump_json(value).substr(0, 4'000); }

void use_spec(const Resource& resource) {
  const Value& spec = resource.spec;
  const std::string& name = resource.metadata.name;
  const std::string& kind = resource.kind;
  if (kind == "DatabaseInstance")
    database_instance_spec(spec);
  else if (kind == "Database")
    database_spec(spec, name);
  else if (kind == "User")
    user_spec(spec, name);
  else if (kind == "Volume")
    volume_spec(spec);
  else if (kind == "Secret")
    secret_spec(spec);
  else if (kind == "ConfigurationGroup")
    configuration_group_spec(spec);
  else if (kind == "BackupSchedule")
    backup_schedule_spec(spec);
  else if (kind == "Backup")
    backup_spec(spec);
  else if (kind == "Operation")
    operation_spec(spec);
  else
    broken("a resource has one of the known kinds", kind);
}

std::string complaints(const Value& document, const Problems& problems) {
  return to_string(problems) + "\n" + shown(document);
}

Resource decoded_again(const Value& document, const char* promise) {
  Problems problems;
  auto resource = decode_resource(document, "shop", "again", 0, problems);
  expect(resource.has_value(), promise, [&] { return complaints(document, problems); });
  return *resource;
}

void check_resource_ways(const Resource& resource) {
  const Kind* kind = find_kind(resource.kind);
  expect(kind != nullptr, "the kind of a resource is in the registry");
  use_spec(resource);

  const Value wire = to_value(resource);
  const Resource lenient = resource_from_value(wire);
  expect(lenient.metadata == resource.metadata && lenient.spec == resource.spec,
         "the wire form reads back as the same resource", [&] { return shown(wire); });
  YamlStream yaml = parse_yaml(dump_yaml(wire), "printed");
  expect(yaml.problems.empty() && yaml.documents.size() == 1, "a printed resource is one good document",
         [&] { return complaints(wire, yaml.problems) + "\n" + dump_yaml(wire); });
  const Resource again = decoded_again(yaml.documents[0], "a printed resource is accepted again");
  expect(again.kind == resource.kind && again.metadata == resource.metadata && again.spec == resource.spec,
         "what was printed is the same resource", [&] { return shown(wire) + "\n" + shown(to_value(again)); });

  Resource full = resource;
  full.spec = with_defaults(*kind, resource.spec);
  expect(with_defaults(*kind, full.spec) == full.spec, "filling in defaults twice changes nothing",
         [&] { return shown(full.spec); });
  decoded_again(to_value(full), "a spec with its defaults spelled out is accepted");
  use_spec(full);
  expect(resource.spec.empty() || diff_specs(*kind, resource.spec, full.spec).empty(),
         "spelling out a default is no difference", [&] { return shown(full.spec); });
  Problems problems;
  check_update(resource, resource, resource.spec, problems);
  check_update(resource, full, full.spec, problems);
  expect(problems.empty(), "an object may be applied again as it is",
         [&] { return complaints(to_value(resource), problems); });
}

}  // namespace

Lines::Lines(std::string_view text) {
  for (;;) {
    const auto end = text.find('\n');
    lengths_.push_back(static_cast<int>(std::min(end, text.size())));
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

bool Lines::hold(Position at) const {
  return at.line >= 1 && at.line <= static_cast<int>(lengths_.size()) && at.column >= 1 &&
         at.column <= lengths_[static_cast<size_t>(at.line) - 1] + 1;
}

void check_tree(const Value& value, const Lines& lines, int depth) {
  const auto where = [](Position at) { return std::to_string(at.line) + ":" + std::to_string(at.column); };
  expect(lines.hold(value.at), "a value lies within its text", [&] { return where(value.at) + " " + shown(value); });
  if (!value.is_list() && !value.is_map()) return;
  expect(depth > 0, "no value is deeper than the limit");
  for (const Value& item : value.items()) check_tree(item, lines, depth - 1);
  for (const Value::Member& member : value.members()) {
    expect(lines.hold(member.key_at), "a key lies within its text",
           [&] { return where(member.key_at) + " " + member.key; });
    check_tree(member.value, lines, depth - 1);
  }
}

void check_round_trips(const Value& value) {
  Size size;
  add_size(value, size);
  // A character becomes six at most ("\u0001"); every node has its line, indentation and punctuation.
  const size_t most = 6 * size.bytes + size.nodes * (2 * kDepth + 48) + 64;

  const std::string json = dump_json(value), canonical = canonical_json(value);
  expect(json.size() <= most && canonical.size() <= most, "JSON is not much longer than what it says");
  auto from_json = parse_json(json);
  expect(from_json.has_value() && *from_json == value, "JSON is read back as the same value",
         [&] { return json.substr(0, 4'000) + (from_json ? "" : "\n" + from_json.error().message); });
  expect(dump_json(*from_json) == json, "JSON that was read back prints the same",
         [&] { return json + "\n" + dump_json(*from_json); });
  expect(canonical_json(*from_json) == canonical, "equal values have one canonical text",
         [&] { return canonical + "\n" + canonical_json(*from_json); });
  auto from_canonical = parse_json(canonical);
  expect(from_canonical.has_value() && *from_canonical == value, "canonical JSON says the same",
         [&] { return canonical; });
  auto from_pretty = parse_json(dump_json_pretty(value));
  expect(from_pretty.has_value() && *from_pretty == value, "indented JSON says the same");

  if (value.is_null()) return;  // an empty YAML document is skipped
  const std::string yaml = dump_yaml(value);
  expect(yaml.size() <= most, "YAML is not much longer than what it says", [&] { return yaml; });
  YamlStream from_yaml = parse_yaml(yaml, "printed");
  expect(from_yaml.problems.empty() && from_yaml.documents.size() == 1, "printed YAML is one good document",
         [&] { return to_string(from_yaml.problems) + "\n" + json + "\n" + yaml; });
  expect(from_yaml.documents[0] == value, "printed YAML is read back as the same value",
         [&] { return json + "\n" + yaml; });
  expect(dump_yaml(from_yaml.documents[0]) == yaml, "YAML that was read back prints the same",
         [&] { return yaml + "\n" + dump_yaml(from_yaml.documents[0]); });
}

void check_problems(const Problems& problems, const Lines& lines) {
  expect(problems.size() <= kMostProblems, "the number of problems is bounded");
  for (const Problem& problem : problems) {
    expect(lines.hold(problem.at), "a problem has a position in its text", [&] { return to_string(problem); });
    expect(!problem.message.empty(), "a problem says something", [&] { return to_string(problem); });
    const std::string text = to_string(problem);
    expect(text.size() <= kMostProblemText, "a problem is bounded", [&] { return text; });
    expect(std::count(text.begin(), text.end(), '\n') <= (problem.hint.empty() ? 0 : 1) &&
               std::all_of(text.begin(), text.end(),
                           [](unsigned char c) { return c == '\n' || (c >= 0x20 && c != 0x7f); }),
           "a problem can be printed to a terminal", [&] { return text; });
  }
}

std::optional<Resource> check_document(const Value& document, const Lines& lines) {
  Problems problems;
  auto resource = decode_resource(document, "shop", "in.yaml", 0, problems);
  expect(resource.has_value() == problems.empty(), "a document gives a resource or problems, never both or neither",
         [&] { return complaints(document, problems); });
  check_problems(problems, lines);
  if (!problems.empty() && canaries_in_secrets(document) == canaries_in(canonical_json(document))) {
    expect(canaries_in(to_string(problems)) == 0, "a secret's value is in no problem",
           [&] { return to_string(problems); });
  }
  // The same document sent as JSON by a program.
  if (auto sent = parse_json(dump_json(document))) {
    Problems others;
    const bool accepted = decode_resource(*sent, "shop", "", 0, others).has_value();
    expect(accepted == resource.has_value(), "a document is good or bad whether it is YAML or JSON",
           [&] { return complaints(document, problems) + "\n" + to_string(others); });
  }
  if (!resource) return resource;
  for (const Reference& reference : references_of(*resource)) {
    expect(lines.hold(reference.at), "a reference has a position", [&] { return reference.path; });
    expect(find_kind(reference.kind) != nullptr, "a reference has a known kind", [&] { return reference.kind; });
  }
  check_resource_ways(*resource);
  return resource;
}

void check_edit(const Resource& before, const Resource& after, const Lines& lines) {
  const Kind* kind = find_kind(after.kind);
  if (before.kind == after.kind) {
    const bool same = with_defaults(*kind, before.spec) == with_defaults(*kind, after.spec);
    const auto changes = diff_specs(*kind, before.spec, after.spec);
    expect(same == changes.empty() || before.spec.empty() || after.spec.empty(),
           "specs differ exactly when a difference is named",
           [&] { return shown(before.spec) + "\n" + shown(after.spec); });
    if (kind->name == "Secret" && canaries_in(canonical_json(to_value(before).operator[]("metadata"))) == 0) {
      for (const FieldChange& change : changes)
        expect(canaries_in(dump_json(change.before)) + canaries_in(dump_json(change.after)) == 0,
               "a difference hides a secret's value", [&] { return change.path; });
    }
    if (same) {
      Problems none;
      check_update(before, after, after.spec, none);
      expect(none.empty(), "an edit that changes nothing is allowed", [&] { return to_string(none); });
    }
    diff_specs(*kind, Value(), after.spec);
    diff_specs(*kind, before.spec, Value());
  }
  Problems problems;
  check_update(before, after, after.spec, problems);
  for (const Problem& problem : problems) expect(!problem.path.empty(), "a refused edit names its field");
  if (before.kind == after.kind) check_problems(problems, lines);
}

void check_set(const std::vector<Resource>& set, const std::vector<Value>& documents, const Lines& lines) {
  Problems problems;
  check_references(
      set, documents, [](const Key&) -> const Resource* { return nullptr; }, problems);
  check_problems(problems, lines);
  for (const Problem& problem : problems)
    expect(problem.document >= 0 && problem.document < static_cast<int>(set.size()), "a problem names its document");
}

size_t canaries_in(std::string_view text) {
  size_t found = 0;
  for (size_t at = text.find(kCanary); at != text.npos; at = text.find(kCanary, at + 1)) ++found;
  return found;
}

size_t canaries_in_secrets(const Value& document) {
  size_t found = 0;
  if (document["kind"].text() != "Secret") return 0;
  for (const Value::Member& member : document["spec"]["data"].members()) found += canaries_in(member.value.text());
  return found;
}

}  // namespace trove::fuzz
