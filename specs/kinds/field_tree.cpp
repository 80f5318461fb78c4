#include "specs/kinds/field_tree.hpp"
#include "specs/core/result.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

// One segment of "grants[].on": "grants", then "[]", then "on".
std::string_view take_segment(std::string_view& path) {
  if (path.starts_with("[]")) {
    path.remove_prefix(path.starts_with("[].") ? 3 : 2);
    return "[]";
  }
  const size_t end = path.find_first_of(".[");
  const std::string_view word = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : path[end] == '.' ? end + 1 : end);
  return word;
}

FieldNode* step(FieldNode& node, std::string_view segment) {
  const std::string_view wanted = segment == "[]" ? std::string_view{} : segment;
  for (FieldNode& child : node.children) {
    if (child.name == wanted) return &child;
  }
  return nullptr;
}

FieldNode build(const Kind& kind) {
  FieldNode root;
  for (const Field& field : kind.fields) {
    FieldNode* parent = &root;
    std::string_view rest = field.path;
    std::string_view segment = take_segment(rest);
    while (!rest.empty()) {
      parent = step(*parent, segment);
      TROVE_CHECK(parent && "a row must follow the row of its parent");
      segment = take_segment(rest);
    }
    FieldNode node;
    node.field = &field;
    if (segment != "[]") node.name = segment;
    if (!field.default_json.empty()) {
      Result<Value> parsed = parse_json(field.default_json);
      TROVE_CHECK(parsed && "a default must be JSON");
      node.default_value = std::move(*parsed);
    }
    parent->children.push_back(std::move(node));
  }
  return root;
}

const std::vector<FieldNode>& trees() {
  static const std::vector<FieldNode> all = [] {
    std::vector<FieldNode> built;
    for (const Kind& kind : all_kinds()) built.push_back(build(kind));
    return built;
  }();
  return all;
}

}  // namespace

const FieldNode& field_tree(const Kind& kind) {
  const auto index = &kind - all_kinds().data();
  TROVE_CHECK(index >= 0 && static_cast<size_t>(index) < all_kinds().size());
  return trees()[static_cast<size_t>(index)];
}

const FieldNode* find_node(const Kind& kind, std::string_view path) {
  const FieldNode* node = &field_tree(kind);
  while (node && !path.empty()) {
    const std::string_view segment = take_segment(path);
    if (segment == "[]") {
      node = node->is(FieldType::list) ? &node->item() : nullptr;
      continue;
    }
    if (node->field && node->is(FieldType::list)) node = &node->item();   // "grants.on" means the item's
    node = node->child(segment);
  }
  return node;
}

}  // namespace trove
