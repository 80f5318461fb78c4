// What an edit may do to an object that exists.
#include "specs/decode.hpp"
#include "specs/decode_parts.hpp"

namespace trove {
namespace {

using namespace decoding;

struct Update {
  const Kind& kind;
  const Resource& before;
  const Resource& after;
  const Value& located;
  Sink& sink;

  void refuse(const Trail& trail, std::string message, std::string_view hint) {
    std::string path = trail.text();
    const Position at = position_of(located, path);
    sink.add(at, std::move(path), std::move(message), std::string(hint));
  }

  // `old_object` and `new_object` are effective values; both are there.
  void object(const FieldNode& node, const Value& old_object, const Value& new_object, const Trail& trail) {
    for (const FieldNode& child : node.children) {
      const Trail here = trail.member(child.name);
      const Value* old_value = effective(child, &old_object);
      const Value* new_value = effective(child, &new_object);
      if (!old_value && !new_value) continue;
      if (child.is(FieldType::object)) {
        if (old_value && new_value) object(child, *old_value, *new_value, here);
        else if (fixed(child)) presence(child, old_value != nullptr, here);
      } else {
        leaf(child, old_value, new_value, here);
      }
    }
  }

  bool fixed(const FieldNode& node) const {
    if (is_common_field(node.field->path))
      return false;  // how an object is kept may change even when what it says may not
    return kind.spec_immutable || node.field->change == Change::forbidden;
  }

  void presence(const FieldNode& node, bool was_there, const Trail& trail) {
    if (was_there && node.field->removable) return;
    refuse(trail, was_there ? "cannot be removed once it is set" : "cannot be added later", node.field->refusal);
  }

  void leaf(const FieldNode& node, const Value* old_value, const Value* new_value, const Trail& trail) {
    const Field& field = *node.field;
    if (old_value && new_value && *old_value == *new_value) return;
    if (field.grows_only && old_value && new_value) {
      if (new_value->int_or(0) < old_value->int_or(0))
        refuse(trail,
               new_value->as_written() + " is smaller than the current " + old_value->as_written() +
                   " (volumes cannot shrink)",
               "To move to a smaller disk, make a second one of the wanted size and move the data: trovectl explain " +
                   std::string(kind.short_name) + "." + trail.text());
      return;
    }
    if (!fixed(node)) return;
    if (field.path == "name" && same_name(old_value, new_value)) return;
    if (!new_value && field.removable) return;
    std::string message = "cannot change";
    if (!field.sensitive && scalar(old_value) && scalar(new_value))
      message += " from " + shown(old_value) + " to " + shown(new_value);
    refuse(trail, std::move(message), field.refusal);
  }

  // spec.name says the same as metadata.name when it is not written.
  bool same_name(const Value* old_value, const Value* new_value) const {
    const std::string& was = old_value ? old_value->text() : before.metadata.name;
    const std::string& is = new_value ? new_value->text() : after.metadata.name;
    return was == is;
  }

  static bool scalar(const Value* value) { return !value || !(value->is_list() || value->is_map()); }
  static std::string shown(const Value* value) { return value ? printable(value->as_written(), 60) : "nothing"; }
};

}  // namespace

void check_update(const Resource& before, const Resource& after, const Value& located_spec, Problems& problems) {
  const Kind* kind = find_kind(after.kind);
  if (!kind) return;
  Sink sink(problems);
  if (before.kind != after.kind) {
    sink.add(Position{}, "kind", "an object's kind cannot change");
    return;
  }
  Update update{*kind, before, after, located_spec, sink};
  const Trail root;
  update.object(field_tree(*kind), before.spec, after.spec, root.member("spec"));
}

}  // namespace trove
