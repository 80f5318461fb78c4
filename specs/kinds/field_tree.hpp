// The rows of a kind as the tree that documents are walked with, so that decoding looks names up among a few siblings
// instead of comparing dotted paths. Built once per kind; constant afterwards; thread-safe.
#pragma once
#include <string_view>
#include <vector>
#include "specs/kinds/kind.hpp"
#include "specs/value.hpp"

namespace trove {

struct FieldNode {
  const Field* field = nullptr;       // nullptr for the root, which is the spec itself
  std::string_view name;              // "size"; "" for the root and for the item of a list
  std::vector<FieldNode> children;    // of an object; of a list: its item alone
  Value default_value;                // null = none

  const FieldNode* child(std::string_view wanted) const {
    for (const FieldNode& node : children) {
      if (node.name == wanted) return &node;
    }
    return nullptr;
  }
  const FieldNode& item() const { return children.front(); }
  bool is(FieldType type) const { return field ? field->type == type : type == FieldType::object; }
};

// `kind` must be one of all_kinds().
const FieldNode& field_tree(const Kind& kind);
// "volume.size", also without the "[]" of lists; nullptr when there is none.
const FieldNode* find_node(const Kind& kind, std::string_view path);

// What a field amounts to: as written, else its default, else nullptr. `object` is its parent's effective value,
// nullptr when that is absent.
inline const Value* effective(const FieldNode& node, const Value* object) {
  if (!object) return nullptr;
  const Value* written = object->find(node.name);
  if (written && !written->is_null()) return written;
  return node.default_value.is_null() ? nullptr : &node.default_value;
}

}  // namespace trove
