#include "specs/lines.hpp"

namespace trove {
namespace {

// Calls visit(pointer, value) for each node below and including `value`.
template <class Node, class Visit>
void walk(Node& value, std::string& pointer, Visit& visit) {
  visit(pointer, value);
  const size_t length = pointer.size();
  const auto below = [&](std::string_view name, Node& child) {
    pointer += '/';
    for (const char c : name) {
      if (c == '~') pointer += "~0";
      else if (c == '/') pointer += "~1";
      else pointer += c;
    }
    walk(child, pointer, visit);
    pointer.resize(length);
  };
  const auto each = [&](auto& members, auto& items) {
    for (auto& member : members) below(member.key, member.value);
    size_t index = 0;
    for (auto& item : items) below(std::to_string(index++), item);
  };
  if constexpr (std::is_const_v<Node>) {
    each(value.members(), value.items());
  } else {
    if (value.is_map()) for (auto& member : value.mutable_members()) below(member.key, member.value);
    size_t index = 0;
    if (value.is_list()) for (auto& item : value.mutable_items()) below(std::to_string(index++), item);
  }
}

}  // namespace

Value lines_of(const Value& document) {
  Value out = Value::map();
  std::string pointer;
  auto visit = [&](const std::string& at, const Value& value) {
    const bool leaf = (!value.is_map() && !value.is_list()) || value.empty() || value.is_list();
    if (leaf && value.at.line > 0) out.mutable_members().push_back({at, value.at.line, {}});
  };
  walk(document, pointer, visit);
  return out;
}

void locate(Value& document, const Value& lines) {
  std::string pointer;
  auto visit = [&](const std::string& at, Value& value) {
    const Value* line = lines.find(at);
    value.at = {line ? static_cast<int>(line->int_or(0)) : 0, line ? 1 : 0};
  };
  walk(document, pointer, visit);
}

}  // namespace trove
