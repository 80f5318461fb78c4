// ignoreDrift: a pointer that names nothing would silently ignore nothing.
#include "specs/decode_parts.hpp"
#include "specs/kinds/specs.hpp"

namespace trove::decoding {
namespace {

Complaint unknown(const std::string& segment, const std::string& where, const std::vector<std::string_view>& there) {
  Complaint out{quote(segment) + " is not in " + where, {}};
  if (const std::string near = nearest(segment, there); !near.empty())
    out.message += ". Did you mean " + quote(near) + "?";
  else if (!there.empty())
    out.hint = "There is: " + words(there) + ".";
  return out;
}

Complaint check_pointer(const Kind& kind, const Value& spec, std::string_view pointer) {
  const auto segments = pointer_segments(pointer);
  if (!segments)
    return {quote(pointer) + " is not a JSON pointer: it starts with a slash, as /volume/size, and ~ is written ~0", {}};
  const FieldNode* node = &field_tree(kind);
  const Value* value = &spec;  // null where nothing was written
  std::string where = "spec";
  for (size_t i = 0; i < segments->size(); ++i) {
    const std::string& segment = (*segments)[i];
    std::vector<std::string_view> there;
    if (node->is(FieldType::object)) {
      for (const FieldNode& child : node->children)
        if (i > 0 || !is_common_field(child.name)) there.push_back(child.name);
      if (i == 0 && is_common_field(segment))
        return {quote(segment) + " is trove's own: nobody else can change it", {}};
      const FieldNode* child = node->child(segment);
      if (!child) return unknown(segment, where, there);
      node = child;
      value = &(*value)[segment];
    } else if (node->is(FieldType::string_map) || node->is(FieldType::scalar_map)) {
      for (const Value::Member& member : value->members()) there.push_back(member.key);
      if (!value->find(segment)) return unknown(segment, where, there);
      if (i + 1 < segments->size()) return {"there is nothing below " + where + "." + printable(segment), {}};
      return {};
    } else if (node->is(FieldType::list)) {
      return {"items of " + where + " cannot be named one by one: name the whole list", {}};
    } else {
      return {"there is nothing below " + where, {}};
    }
    where += "." + printable(segment);
  }
  return {};
}

}  // namespace

void check_ignore_drift(const Kind& kind, const Value& located_spec, Sink& sink) {
  size_t index = 0;
  for (const Value& pointer : located_spec["ignoreDrift"].items()) {
    const std::string path = "spec.ignoreDrift[" + std::to_string(index++) + "]";
    if (!pointer.is_string() || pointer.text().empty()) continue;  // said already
    Complaint complaint = check_pointer(kind, located_spec, pointer.text());
    if (!complaint.none()) sink.add(pointer.at, path, std::move(complaint.message), std::move(complaint.hint));
  }
}

}  // namespace trove::decoding
