// Two specs side by side, and a spec with its defaults.
#include "specs/decode.hpp"
#include "specs/kinds/field_tree.hpp"
#include "specs/kinds/parameters.hpp"
#include "specs/kinds/specs.hpp"

namespace trove {
namespace {

constexpr std::string_view kHidden = "(sensitive)";

void fill(const FieldNode& node, Value& object);
void fill_items(const FieldNode& list, Value& value) {
  if (!value.is_list()) return;
  for (Value& item : value.mutable_items()) {
    if (item.is_map()) fill(list.item(), item);
  }
}

void fill(const FieldNode& node, Value& object) {
  for (const FieldNode& child : node.children) {
    Value* value = object.find(child.name);
    if (!value || value->is_null()) {
      if (child.default_value.is_null()) continue;
      value = &object.set(child.name, child.default_value);
    }
    if (child.is(FieldType::object) && value->is_map()) fill(child, *value);
    if (child.is(FieldType::list) && child.item().is(FieldType::object)) fill_items(child, *value);
  }
}

struct Diff {
  const Value& before_spec;
  const Value& after_spec;
  std::vector<FieldChange> changes;

  static const Value& null_value() {
    static const Value value;
    return value;
  }
  static bool same(const Value* a, const Value* b) { return (a ? *a : null_value()) == (b ? *b : null_value()); }

  // Lists of objects, with the defaults of each.
  static bool same_items(const FieldNode& node, const Value* before, const Value* after) {
    if (!node.is(FieldType::list) || !node.item().is(FieldType::object) || !before || !after) return false;
    Value old_list = *before, new_list = *after;
    fill_items(node, old_list);
    fill_items(node, new_list);
    return old_list == new_list;
  }

  void add(std::string path, const Value* before, const Value* after, Change change, bool sensitive) {
    const auto shown = [&](const Value* value) { return !value ? Value() : sensitive ? Value(kHidden) : *value; };
    changes.push_back({std::move(path), shown(before), shown(after), change});
  }

  void object(const FieldNode& node, const Value* before, const Value* after, const std::string& path) {
    for (const FieldNode& child : node.children)
      field(child, effective(child, before), effective(child, after), path + "." + std::string(child.name));
  }

  void field(const FieldNode& node, const Value* before, const Value* after, const std::string& path) {
    if (!before && !after) return;
    const Field& row = *node.field;
    switch (row.type) {
      case FieldType::object: {
        const size_t already = changes.size();
        object(node, before, after, path);
        // "restart: {}" and "generate: {}" say something by being there.
        if (changes.size() == already && !before != !after) add(path, before, after, row.change, row.sensitive);
        return;
      }
      case FieldType::string_map:
      case FieldType::scalar_map: return entries(row, before, after, path);
      default:
        if (!same(before, after) && !same_items(node, before, after))
          add(path, before, after, row.change, row.sensitive);
    }
  }

  void entries(const Field& row, const Value* before, const Value* after, const std::string& path) {
    const auto entry = [&](const std::string& key) {
      const Value* old_value = before ? before->find(key) : nullptr;
      const Value* new_value = after ? after->find(key) : nullptr;
      if (!same(old_value, new_value)) add(path + "." + key, old_value, new_value, change_of(row, key), row.sensitive);
    };
    for (const Value::Member& member : before ? before->members() : null_value().members()) entry(member.key);
    for (const Value::Member& member : after ? after->members() : null_value().members()) {
      if (!before || !before->find(member.key)) entry(member.key);
    }
  }

  // A parameter's class is the catalogue's. One that is not in there may need a restart, so that is what we say.
  Change change_of(const Field& row, const std::string& key) const {
    if (row.type != FieldType::scalar_map) return row.change;
    const Value& spec = after_spec.is_map() && !after_spec.empty() ? after_spec : before_spec;
    const auto engine = engine_from(spec["datastore"]["type"].text());
    const Parameter* known = engine ? find_parameter(*engine, key) : nullptr;
    return known ? known->change : Change::restart;
  }
};

// An empty spec stands for an object that is not there; no kind has a spec without required fields.
const Value* present(const Value& spec) { return spec.is_map() && !spec.empty() ? &spec : nullptr; }

}  // namespace

Value with_defaults(const Kind& kind, const Value& spec) {
  Value filled = spec.is_map() ? spec : Value::map();
  fill(field_tree(kind), filled);
  return filled;
}

std::vector<FieldChange> diff_specs(const Kind& kind, const Value& before, const Value& after) {
  Diff diff{before, after, {}};
  const Value* old_spec = present(before);
  const Value* new_spec = present(after);
  const FieldNode& root = field_tree(kind);
  for (const FieldNode& child : root.children) {
    // Making and removing an object: what was written, without a page of defaults.
    const auto value = [&](const Value* spec) {
      if (old_spec && new_spec) return effective(child, spec);
      const Value* written = spec ? spec->find(child.name) : nullptr;
      return written && !written->is_null() ? written : nullptr;
    };
    diff.field(child, value(old_spec), value(new_spec), "spec." + std::string(child.name));
  }
  return std::move(diff.changes);
}

}  // namespace trove
