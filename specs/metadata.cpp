// metadata of documents: the user's part strictly, the server's part as far as it can be read.
#include <charconv>
#include "specs/decode_parts.hpp"

namespace trove::decoding {
namespace {

constexpr size_t kMostProject = 64, kMostKey = 253;

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Letters and digits at both ends, and `inside` between them.
bool is_word(std::string_view text, std::string_view inside) {
  if (text.empty() || !is_alnum(text.front()) || !is_alnum(text.back())) return false;
  for (char c : text) {
    if (!is_alnum(c) && inside.find(c) == std::string_view::npos) return false;
  }
  return true;
}

// A string member; nullptr and a problem when it is something else.
const std::string* text_of(const Value& value, const Trail& trail, Sink& sink) {
  if (value.is_string()) return &value.text();
  if (value.is_list() || value.is_map()) sink.add(value.at, trail, "must be a string, not " + describe(value));
  else sink.add(value.at, trail, "must be a string, not " + describe(value) + ": quote it");
  return nullptr;
}

void read_words(const Value& value, const Trail& trail, bool labels, Value& out, Sink& sink) {
  if (!value.is_map()) {
    sink.add(value.at, trail, "must be a map of names and strings, not " + describe(value));
    return;
  }
  if (value.size() > kMostMapEntries)
    sink.add(value.at, trail,
             "has " + std::to_string(value.size()) + " entries; at most " + std::to_string(kMostMapEntries) +
                 " are allowed");
  for (const Value::Member& member : value.members()) {
    const Trail here = trail.member(member.key);
    if (member.key.size() > kMostKey || !is_word(member.key, "-_./"))
      sink.add(member.key_at, here,
               "the name " + quote(member.key) +
                   " must be 1 to 253 letters, digits and - _ . / with a letter or digit at both ends");
    const std::string* text = text_of(member.value, here, sink);
    if (!text) continue;
    if (labels && !text->empty() && (text->size() > kMostLabelValue || !is_word(*text, "-_.")))
      sink.add(member.value.at, here,
               quote(*text) + " must be at most 63 letters, digits and - _ . with a letter or digit at both ends",
               "Free text belongs into metadata.annotations.");
    if (!labels && text->size() > kMostAnnotation) sink.add(member.value.at, here, "is longer than 64 KiB");
  }
  out = value;
}

// What the server owns: `get -o yaml` shows it and `apply` reads it back. Never an error: callers do not trust it.
void read_server_part(std::string_view key, const Value& value, Metadata& out) {
  if (key == "uid") out.uid = value.text();
  else if (key == "generation") out.generation = value.int_or(0);
  else if (key == "resourceVersion") {
    const std::string text = value.as_written();
    std::from_chars(text.data(), text.data() + text.size(), out.resource_version);
  } else if (key == "creationTimestamp") out.creation_timestamp = parse_time(value.text()).value_or(Time{});
  else if (key == "deletionTimestamp") out.deletion_timestamp = parse_time(value.text()).value_or(Time{});
  else if (key == "ownerReferences") {
    for (const Value& owner : value.items())
      out.owner_references.push_back({owner["kind"].text(), owner["name"].text(), owner["uid"].text()});
  }
}

bool is_server_part(std::string_view key) {
  for (std::string_view known : {"uid", "generation", "resourceVersion", "creationTimestamp", "deletionTimestamp",
                                 "ownerReferences", "finalizers", "managedFields"}) {
    if (key == known) return true;
  }
  return false;
}

void read_name(const Value& value, const Trail& trail, std::string& out, Sink& sink) {
  const std::string* text = text_of(value, trail, sink);
  if (!text) return;
  const Complaint complaint = check_format(Format::dns_label, *text);
  if (!complaint.none()) sink.add(value.at, trail, complaint.message, complaint.hint);
  out = *text;
}

void read_generate_name(const Value& value, const Trail& trail, const Kind& kind, std::string& out, Sink& sink) {
  const std::string* text = text_of(value, trail, sink);
  if (!text) return;
  if (!kind.spec_immutable) {
    sink.add(value.at, trail,
             "a " + std::string(kind.name) +
                 " needs a name of its own; only an Operation or a Backup may have a generated one",
             "Write metadata.name instead.");
    return;
  }
  // What is added makes the end, so "restart-" is fine here.
  const std::string whole = *text + "x";
  if (text->empty() || text->size() > kMostGenerateName || !check_format(Format::dns_label, whole).none())
    sink.add(value.at, trail,
             quote(*text) + " must be 1 to 57 lower-case letters, digits and \"-\", not starting with \"-\"");
  out = *text;
}

void read_project(const Value& value, const Trail& trail, std::string& out, Sink& sink) {
  const std::string* text = text_of(value, trail, sink);
  if (!text) return;
  if (text->size() > kMostProject || !is_word(*text, "-_."))
    sink.add(value.at, trail, quote(*text) + " is not a project: 1 to 64 letters, digits and - _ .");
  out = *text;
}

}  // namespace

void decode_metadata(const Value& document, const Kind& kind, std::string_view project, Metadata& out, Sink& sink) {
  const Trail root;
  const Trail trail = root.member("metadata");
  out.project = project;
  const Value& metadata = document["metadata"];
  if (!metadata.is_null() && !metadata.is_map()) {
    sink.add(metadata.at, trail, "must be a map, as {name: orders-db}, not " + describe(metadata));
    return;
  }
  for (const Value::Member& member : metadata.members()) {
    const Trail here = trail.member(member.key);
    const Value& value = member.value;
    if (value.is_null()) continue;
    if (member.key == "name") read_name(value, here, out.name, sink);
    else if (member.key == "generateName") read_generate_name(value, here, kind, out.generate_name, sink);
    else if (member.key == "project") read_project(value, here, out.project, sink);
    else if (member.key == "labels") read_words(value, here, true, out.labels, sink);
    else if (member.key == "annotations") read_words(value, here, false, out.annotations, sink);
    else if (is_server_part(member.key)) read_server_part(member.key, value, out);
    else {
      const std::string near = nearest(member.key, {"name", "generateName", "project", "labels", "annotations"});
      sink.add(member.key_at, here,
               member.key == "namespace" ? "unknown field. Did you mean \"project\"?"
               : near.empty()            ? "unknown field"
                                         : "unknown field. Did you mean \"" + near + "\"?");
    }
  }
  const auto written = [&](std::string_view key) { return !metadata[key].is_null(); };
  if (!written("name") && !written("generateName")) {
    sink.add(metadata.is_map() ? metadata.at : document.at, trail.member("name"), "required, and missing",
             kind.spec_immutable ? "Write metadata.name or metadata.generateName." : "");
  }
}

}  // namespace trove::decoding
