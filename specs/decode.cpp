#include "specs/decode.hpp"
#include <algorithm>
#include <charconv>
#include "specs/decode_parts.hpp"

namespace trove {
namespace decoding {

std::string Trail::text() const {
  if (!parent) return {};
  std::string before = parent->text();
  if (key.empty()) return before + "[" + std::to_string(index) + "]";
  return before + (before.empty() ? "" : ".") + printable(key, 80);
}

void Sink::add(Position at, std::string path, std::string message, std::string hint, Code code) {
  if (full()) return;
  problems_.push_back({{}, at, std::move(path), std::move(message), std::move(hint), -1, code});
  if (full())
    problems_.back() = {{}, at, {},           "too many problems: the rest of this document is not looked at",
                        {}, -1, Code::invalid};
}

Position position_of(const Value& spec, std::string_view path) {
  if (path.starts_with("spec.")) path.remove_prefix(5);
  else if (path == "spec") return spec.at;
  for (;;) {
    if (const Value* found = spec.find_path(path); found && found->at.line > 0) return found->at;
    const auto dot = path.rfind('.');
    if (dot == std::string_view::npos) return spec.at;
    path = path.substr(0, dot);
  }
}

}  // namespace decoding

namespace {

using namespace decoding;

// Walks a copy of the spec along the kind's tree: complains, drops nulls, and turns version numbers into their text.
class Walker {
 public:
  Walker(const Kind& kind, Sink& sink, Extent extent) : kind_(kind), sink_(sink), extent_(extent) {}

  void object(const FieldNode& node, Value& value, const Trail& trail) {
    bool nulls = false;
    for (Value::Member& member : value.mutable_members()) {
      if (sink_.full()) return;
      const FieldNode* child = node.child(member.key);
      if (!child) unknown(node, member, trail.member(member.key));
      else if (member.value.is_null()) nulls = true;
      else field(*child, member.value, trail.member(member.key));
    }
    for (const FieldNode& child : node.children) {
      if (!child.field->required) continue;
      const Value* written = value.find(child.name);
      if (!written && extent_ == Extent::some) continue;
      if (!written) sink_.add(value.at, trail.member(child.name), "required, and missing");
      else if (written->is_null()) sink_.add(written->at, trail.member(child.name), "required, and empty");
    }
    if (nulls)
      std::erase_if(value.mutable_members(), [](const Value::Member& member) { return member.value.is_null(); });
  }

 private:
  void complain(const Value& value, const Trail& trail, Complaint complaint) {
    if (!complaint.none()) sink_.add(value.at, trail, std::move(complaint.message), std::move(complaint.hint));
  }

  void field(const FieldNode& node, Value& value, const Trail& trail) {
    const Field& field = *node.field;
    switch (field.type) {
      case FieldType::string: return string(field, value, trail);
      case FieldType::integer: return integer(field, value, trail);
      case FieldType::boolean: return boolean(field, value, trail);
      case FieldType::object:
        if (value.is_map()) return object(node, value, trail);
        return not_a_map(node, value, trail);
      case FieldType::list: return list(node, value, trail);
      case FieldType::string_map:
      case FieldType::scalar_map: return map(field, value, trail);
    }
  }

  void string(const Field& field, Value& value, const Trail& trail) {
    if (value.is_number() && field.format == Format::version) {
      Value text(value.as_written());   // 8.0 stays "8.0"
      text.at = value.at;
      value = std::move(text);
    }
    if (value.is_string()) return complain(value, trail, check_text(field, value.text()));
    if (field.sensitive) return sink_.add(value.at, trail, "must be a string: quote it");
    if (!field.values.empty())
      return sink_.add(value.at, trail, "must be one of " + words(field.values) + ", not " + describe(value));
    if (value.is_list() || value.is_map())
      return sink_.add(value.at, trail, "must be a string, not " + describe(value));
    sink_.add(
        value.at, trail,
        "must be a string, not " + describe(value) + ": quote it, as \"" + printable(value.as_written(), 60) + "\"");
  }

  void integer(const Field& field, const Value& value, const Trail& trail) {
    if (value.is_int()) return complain(value, trail, check_integer(field, value.int_or(0)));
    const std::string wanted = "must be an integer" + (field.unit.empty() ? "" : " in " + std::string(field.unit)) +
                               ", not " + describe(value);
    int64_t number = 0;
    const std::string& text = value.text();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool only_quoted = !text.empty() && error == std::errc{} && end == text.data() + text.size();
    sink_.add(value.at, trail, only_quoted ? wanted + ": remove the quotes" : wanted);
  }

  void boolean(const Field&, const Value& value, const Trail& trail) {
    if (value.is_bool()) return;
    const bool only_quoted = value.text() == "true" || value.text() == "false";
    sink_.add(value.at, trail,
              "must be true or false, not " + describe(value) + (only_quoted ? ": remove the quotes" : ""));
  }

  // The value is not shown: a password may have been written where its source belongs.
  void not_a_map(const FieldNode& node, const Value& value, const Trail& trail) {
    std::string message = "must be a map, not " + type_with_article(value);
    const bool needs_something = std::any_of(node.children.begin(), node.children.end(),
                                             [](const FieldNode& child) { return child.field->required; });
    if (!node.field->reference.empty()) message += ": write {name: …}";
    else if (!needs_something && value.is_bool()) message += ": write {}";
    sink_.add(value.at, trail, std::move(message),
              node.field->path == "password"
                  ? "Passwords do not stand in specs: write generate: {} or secretRef: {name: …}."
                  : "");
  }

  void list(const FieldNode& node, Value& value, const Trail& trail) {
    if (!value.is_list()) {
      const bool scalar = !value.is_map() && !node.item().is(FieldType::object);
      sink_.add(value.at, trail,
                "must be a list, not " + describe(value) +
                    (scalar ? ": write [" + printable(value.as_written(), 60) + "]" : ""));
      return;
    }
    const auto length = static_cast<int64_t>(value.size());
    if (length < node.field->min || length > node.field->max)
      sink_.add(value.at, trail, "has " + std::to_string(length) + " entries: must be " + range_of(*node.field));
    size_t index = 0;
    for (Value& item : value.mutable_items()) {
      if (sink_.full()) return;
      const Trail here = trail.item(index++);
      if (item.is_null()) sink_.add(item.at, here, "an empty entry");
      else field(node.item(), item, here);
    }
  }

  void map(const Field& field, const Value& value, const Trail& trail) {
    if (!value.is_map()) {
      sink_.add(value.at, trail, "must be a map of names and values, not " + type_with_article(value));
      return;
    }
    if (value.size() > kMostMapEntries)
      sink_.add(value.at, trail,
                "has " + std::to_string(value.size()) + " entries; at most " + std::to_string(kMostMapEntries) +
                    " are allowed");
    for (const Value::Member& member : value.members()) {
      if (sink_.full()) return;
      const Trail here = trail.member(member.key);
      Complaint name = check_format(field.format, member.key);
      if (name.none() && member.key.size() > 253) name.message = "the name is longer than 253 bytes";
      if (!name.none()) sink_.add(member.key_at, here, "the name " + name.message);
      const Value& entry = member.value;
      const bool scalar = !entry.is_null() && !entry.is_list() && !entry.is_map();
      if (entry.is_null())
        sink_.add(member.key_at, here, "has no value: write \"\" for an empty one, or remove the line");
      else if (field.type == FieldType::scalar_map && !scalar)
        sink_.add(entry.at, here, "must be a number, a boolean or a string, not " + describe(entry));
      else if (field.type == FieldType::string_map && !entry.is_string())
        sink_.add(entry.at, here, "must be a string, not " + type_with_article(entry) + (scalar ? ": quote it" : ""));
      else if (static_cast<int64_t>(entry.text().size()) > field.max)
        sink_.add(entry.at, here,
                  "is " + std::to_string(entry.text().size()) + " bytes long: at most " + std::to_string(field.max));
    }
  }

  void unknown(const FieldNode& node, const Value::Member& member, const Trail& trail) {
    const std::string path = node.field ? std::string(node.field->path) + "." + member.key : member.key;
    std::string plain;   // "grants[].x" is known as "grants.x"
    for (size_t i = 0; i < path.size(); ++i) {
      if (path.compare(i, 2, "[]") == 0) ++i;
      else plain += path[i];
    }
    if (std::string message = unsupported_field(kind_.name, plain); !message.empty())
      return sink_.add(member.key_at, trail, std::move(message));
    std::vector<std::string_view> names;
    for (const FieldNode& child : node.children) names.push_back(child.name);
    std::string near = nearest(member.key, names);
    if (near.empty()) near = elsewhere(member.key);
    const std::string shown =
        std::string(kind_.short_name) + ".spec" + (node.field ? "." + std::string(node.field->path) : "");
    sink_.add(member.key_at, trail, near.empty() ? "unknown field" : "unknown field. Did you mean \"" + near + "\"?",
              near.empty() ? "The fields: trovectl explain " + shown : "");
  }

  // A right name at the wrong depth: "disruptiveChanges" directly in spec.
  std::string elsewhere(std::string_view name) const {
    for (const Field& field : kind_.fields) {
      if (field.path == name || (field.path.ends_with(name) && field.path[field.path.size() - name.size() - 1] == '.'))
        return "spec." + std::string(field.path);
    }
    return {};
  }

  const Kind& kind_;
  Sink& sink_;
  const Extent extent_;
};

void check_api_version(const Value& document, Sink& sink) {
  const Value& version = document["apiVersion"];
  if (version.is_string() && version.text() == kApiVersion) return;
  const std::string hint = "Write apiVersion: " + std::string(kApiVersion);
  if (version.is_null()) return sink.add(document.at, "apiVersion", "required, and missing", hint);
  const std::string near = version.is_string() ? nearest(version.text(), {kApiVersion}) : std::string();
  sink.add(version.at, "apiVersion",
           (version.is_string() ? quote(version.text()) : describe(version)) + " is not a version that trove knows." +
               (near.empty() ? "" : " Did you mean \"" + near + "\"?"),
           hint);
}

const Kind* kind_of(const Value& document, Sink& sink) {
  std::vector<std::string_view> names;
  for (const Kind& kind : all_kinds()) names.push_back(kind.name);
  const std::string hint = "The kinds: " + words(names);
  const Value& value = document["kind"];
  if (!value.is_string()) {
    sink.add(value.is_null() ? document.at : value.at, "kind",
             value.is_null() ? "required, and missing" : "must be a string, not " + describe(value), hint);
    return nullptr;
  }
  const Kind* kind = find_kind(value.text());
  if (kind && kind->name == value.text()) return kind;
  if (unsupported_kind(value.text())) {
    sink.add(value.at, "kind", quote(value.text()) + " is not supported in this release", hint);
    return nullptr;
  }
  const std::string near = kind ? std::string(kind->name) : nearest(value.text(), names);
  sink.add(value.at, "kind",
           "unknown kind " + quote(value.text()) + "." + (near.empty() ? "" : " Did you mean \"" + near + "\"?"),
           near.empty() ? hint : "");
  return nullptr;
}

void check_top_level(const Value& document, const Kind& kind, Sink& sink) {
  for (const Value::Member& member : document.members()) {
    const std::string& key = member.key;
    if (key == "apiVersion" || key == "kind" || key == "metadata" || key == "spec" || key == "status") continue;
    std::string near = nearest(key, {"apiVersion", "kind", "metadata", "spec", "status"});
    if (near.empty() && field_tree(kind).child(key)) near = "spec." + key;
    sink.add(member.key_at, printable(key, 80),
             near.empty() ? "unknown field" : "unknown field. Did you mean \"" + near + "\"?");
  }
}

}  // namespace

std::optional<Resource> decode_resource(const Value& document, std::string_view project, std::string_view file,
                                        int document_index, Problems& problems, Extent extent) {
  const size_t before = problems.size();
  Sink sink(problems);
  Resource resource;
  if (!document.is_map()) {
    sink.add(document.at, "",
             "a document must be a map with apiVersion, kind, metadata and spec, not " + describe(document));
  } else {
    check_api_version(document, sink);
    if (const Kind* kind = kind_of(document, sink)) {
      check_top_level(document, *kind, sink);
      resource.kind = kind->name;
      decode_metadata(document, *kind, project, resource.metadata, sink);
      const Trail root;
      const Trail spec = root.member("spec");
      const Value& written = document["spec"];
      if (written.is_map()) {
        resource.spec = written;
      } else if (written.is_null()) {
        resource.spec.at = document.at;
      } else {
        sink.add(written.at, spec, "must be a map, not " + type_with_article(written));
      }
      if (written.is_map() || written.is_null()) {
        Walker(*kind, sink, extent).object(field_tree(*kind), resource.spec, spec);
        if (!sink.full() && extent == Extent::whole) check_resource(resource, resource.spec, problems);
      }
    }
  }
  if (problems.size() == before) return resource;
  for (size_t i = before; i < problems.size(); ++i) {
    problems[i].file = file;
    problems[i].document = document_index;
    // check_resource sees the spec alone.
    if (problems[i].path == "metadata.name" && document["metadata"]["name"].at.line > 0)
      problems[i].at = document["metadata"]["name"].at;
  }
  // In the order of the text: that is how people mend it.
  std::stable_sort(problems.begin() + static_cast<std::ptrdiff_t>(before), problems.end(),
                   [](const Problem& a, const Problem& b) {
                     return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
                   });
  return std::nullopt;
}

}  // namespace trove
