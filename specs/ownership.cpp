#include "specs/ownership.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "specs/kinds/field_tree.hpp"

namespace trove {
namespace {

constexpr size_t kShownCommit = 7;

std::string escaped(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && i + 1 < text.size()) out += text[++i] == '1' ? '/' : '~';
    else out += text[i];
  }
  return out;
}

std::vector<std::string> segments(std::string_view pointer) {
  std::vector<std::string> out;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const size_t end = std::min(pointer.find('/'), pointer.size());
    out.push_back(unescaped(pointer.substr(0, end)));
    pointer.remove_prefix(end);
  }
  return out;
}

// "[on=orders.*]" → {"on", "orders.*"}
std::optional<std::pair<std::string_view, std::string_view>> item_key(std::string_view segment) {
  const size_t equals = segment.find('=');
  if (!segment.starts_with('[') || !segment.ends_with(']') || equals == std::string_view::npos) return std::nullopt;
  return std::pair(segment.substr(1, equals - 1), segment.substr(equals + 1, segment.size() - equals - 2));
}

// Labels, annotations and spec of an object as one tree.
Value whole_of(const Resource& resource) {
  Value annotations = Value::map();  // ours under trove/ are nobody's
  for (const Value::Member& member : resource.metadata.annotations.members())
    if (!member.key.starts_with("trove/")) annotations.mutable_members().push_back(member);
  return Value::map({{"metadata", Value::map({{"labels", resource.metadata.labels}, {"annotations", annotations}})},
                     {"spec", resource.spec}});
}

void back_into(Resource& resource, Value whole) {
  Value* metadata = whole.find("metadata");
  const auto words = [&](std::string_view name) {
    Value* found = metadata ? metadata->find(name) : nullptr;
    return found && found->is_map() ? std::move(*found) : Value::map();
  };
  Value annotations = words("annotations");
  for (const Value::Member& member : resource.metadata.annotations.members())
    if (member.key.starts_with("trove/")) annotations.set(member.key, member.value);
  resource.metadata.labels = words("labels");
  resource.metadata.annotations = std::move(annotations);
  Value* spec = whole.find("spec");
  resource.spec = spec && spec->is_map() ? std::move(*spec) : Value::map();
}

using Leaves = std::map<std::string, const Value*>;

void gather(const FieldNode& node, const Value& value, const std::string& pointer, Leaves& into);

void gather_children(const FieldNode& node, const Value& object, const std::string& pointer, Leaves& into) {
  for (const Value::Member& member : object.members()) {
    const FieldNode* child = node.child(member.key);
    if (child && !member.value.is_null()) gather(*child, member.value, pointer + '/' + escaped(member.key), into);
  }
}

void gather(const FieldNode& node, const Value& value, const std::string& pointer, Leaves& into) {
  const auto leaf = [&] { into.emplace(pointer, &value); };
  if (node.is(FieldType::object) && value.is_map()) {
    if (value.empty()) return leaf();  // "restart: {}" says something by being there
    return gather_children(node, value, pointer, into);
  }
  if ((node.is(FieldType::string_map) || node.is(FieldType::scalar_map)) && value.is_map()) {
    for (const Value::Member& member : value.members())
      into.emplace(pointer + '/' + escaped(member.key), &member.value);
    return;
  }
  const std::string_view key = node.field ? node.field->list_key : std::string_view();
  if (node.is(FieldType::list) && !key.empty() && value.is_list() && !value.empty()) {
    for (const Value& item : value.items())
      gather_children(node.item(), item,
                      pointer + "/[" + std::string(key) + '=' + escaped(item[key].as_written()) + ']', into);
    return;
  }
  leaf();
}

Leaves leaves_of(const Kind& kind, const Value& whole) {
  Leaves out;
  for (std::string_view words : {"labels", "annotations"})
    for (const Value::Member& member : whole["metadata"][words].members())
      out.emplace("/metadata/" + std::string(words) + '/' + escaped(member.key), &member.value);
  gather_children(field_tree(kind), whole["spec"], "/spec", out);
  return out;
}

// The default of a field that is not written; null = it has none.
Value default_at(const Kind& kind, const std::vector<std::string>& path) {
  if (path.empty() || path[0] != "spec") return {};
  const FieldNode* node = &field_tree(kind);
  for (size_t i = 1; i < path.size() && node; ++i)
    node = item_key(path[i]) && node->is(FieldType::list) ? &node->item() : node->child(path[i]);
  return node ? node->default_value : Value();
}

void set_at(Value& whole, const std::string& pointer, const Value& value) {
  Value* at = &whole;
  const auto path = segments(pointer);
  for (size_t i = 0; i < path.size(); ++i) {
    const bool last = i + 1 == path.size();
    if (const auto key = item_key(path[i])) {
      Value* found = nullptr;
      if (!at->is_list()) *at = Value::list();
      for (Value& item : at->mutable_items())
        if (item[key->first].as_written() == key->second) found = &item;
      at = found ? found : &at->push_back(Value::map());
      if (last) *at = value;
      continue;
    }
    if (last) {
      at->set(path[i], value);
      return;
    }
    Value* next = at->find(path[i]);
    const bool list_next = item_key(path[i + 1]).has_value();
    if (!next || (list_next ? !next->is_list() : !next->is_map()))
      next = &at->set(path[i], list_next ? Value::list() : Value::map());
    at = next;
  }
}

// Removes it, and what is left empty around it.
bool erase_in(Value& at, const std::vector<std::string>& path, size_t i) {
  if (const auto key = item_key(path[i])) {
    auto& items = at.mutable_items();
    for (size_t n = 0; n < items.size(); ++n) {
      if (items[n][key->first].as_written() != key->second) continue;
      if (i + 1 < path.size() && !erase_in(items[n], path, i + 1)) return false;
      if (i + 1 == path.size() || items[n].empty()) items.erase(items.begin() + static_cast<std::ptrdiff_t>(n));
      return true;
    }
    return false;
  }
  Value* next = at.find(path[i]);
  if (!next) return false;
  if (i + 1 == path.size()) return at.erase(path[i]);
  if ((!next->is_map() && !next->is_list()) || !erase_in(*next, path, i + 1)) return false;
  if (next->empty()) at.erase(path[i]);
  return true;
}
void erase_at(Value& whole, const std::string& pointer) {
  if (const auto path = segments(pointer); path.size() > 1) erase_in(whole, path, 0);
}

// The field by which an item of a list is found: it has to go last.
bool is_item_key(const std::string& pointer) {
  const auto path = segments(pointer);
  const auto key = path.size() > 1 ? item_key(path[path.size() - 2]) : std::nullopt;
  return key && key->first == path.back();
}

bool owned_by_another(const Ownership& ownership, std::string_view manager, const std::string& pointer) {
  return std::any_of(ownership.owners.begin(), ownership.owners.end(), [&](const FieldOwner& owner) {
    return owner.manager != manager && owner.fields.contains(pointer);
  });
}

void drop_empty(Ownership& ownership) {
  std::erase_if(ownership.owners, [](const FieldOwner& owner) { return owner.fields.empty(); });
}

FieldOwner without_fields(const FieldOwner& owner) {
  FieldOwner out = owner;
  out.fields.clear();
  out.displaced.clear();
  return out;
}

// One apply to one object.
class Merge {
 public:
  Merge(const Kind& kind, const Resource& current, const Ownership& ownership, const Resource& wanted, FieldOwner who,
        Taking taking)
      : kind_(kind), who_(std::move(who)), taking_(taking), old_(whole_of(current)), new_(old_), want_(whole_of(wanted)) {
    out_.resource = current;
    out_.ownership = ownership;
    if (!ownership.known) {  // older than its record
      FieldOwner first = without_fields(who_);
      first.until = {};
      for (const auto& [pointer, value] : leaves_of(kind_, old_)) first.fields.emplace(pointer, 0);
      out_.ownership.owners = {std::move(first)};
      out_.ownership.known = true;
    }
  }

  Merged run() {
    const Leaves have = leaves_of(kind_, old_);
    const Leaves want = leaves_of(kind_, want_);
    const FieldOwner* before = out_.ownership.find(who_.manager);
    const std::map<std::string, int> mine = before ? before->fields : std::map<std::string, int>();
    if (before && who_.until.set()) who_.displaced = before->displaced;
    for (const auto& [pointer, value] : want) {
      const auto there = have.find(pointer);
      take(pointer, there == have.end() ? nullptr : there->second, *value);
    }
    if (taking_ == Taking::replace) {
      for (const bool keys : {false, true})
        for (const auto& [pointer, value] : have)
          if (!want.contains(pointer) && is_item_key(pointer) == keys) give_up_all(pointer);
    } else if (!who_.until.set()) {  // a break-glass edit only adds and changes
      for (const bool keys : {false, true})
        for (const auto& [pointer, line] : mine)
          if (!want.contains(pointer) && is_item_key(pointer) == keys) give_up(pointer);
    } else {
      for (const auto& [pointer, line] : mine) who_.fields.emplace(pointer, line);
    }
    if (FieldOwner* place = out_.ownership.find(who_.manager)) *place = std::move(who_);
    else out_.ownership.owners.push_back(std::move(who_));
    drop_empty(out_.ownership);
    back_into(out_.resource, std::move(new_));
    return std::move(out_);
  }

 private:
  void take(const std::string& pointer, const Value* there, const Value& value) {
    const int line = who_.file.empty() ? 0 : value.at.line;
    const bool same = there ? *there == value : default_at(kind_, segments(pointer)) == value;
    if (same) {
      who_.fields.emplace(pointer, line);
      if (!there) set_at(new_, pointer, value);
      return;
    }
    if (hold(pointer, value, line)) return;
    if (taking_ == Taking::refuse) {
      bool free = true;
      for (const FieldOwner& owner : out_.ownership.owners) {
        const auto found = owner.fields.find(pointer);
        if (owner.manager == who_.manager || found == owner.fields.end()) continue;
        out_.conflicts.push_back({pointer, without_fields(owner), found->second, there ? *there : Value(), value});
        free = false;
      }
      if (!free) return;
    }
    FieldOwner::Displaced before{there ? *there : Value(), {}};
    for (FieldOwner& owner : out_.ownership.owners) {
      if (owner.manager == who_.manager) continue;
      if (auto found = owner.fields.find(pointer); found != owner.fields.end()) {
        before.owners.emplace_back(owner.manager, found->second);
        owner.fields.erase(found);
      }
      owner.displaced.erase(pointer);  // a lasting owner ends a break-glass edit of this field
    }
    if (who_.until.set()) who_.displaced.emplace(pointer, std::move(before));
    who_.fields.emplace(pointer, line);
    set_at(new_, pointer, value);
  }

  // A field that a break-glass edit took: its owners' wishes are noted for when that ends, however much they insist.
  bool hold(const std::string& pointer, const Value& value, int line) {
    if (taking_ == Taking::replace || who_.until.set()) return false;
    for (FieldOwner& owner : out_.ownership.owners) {
      auto taken = owner.displaced.find(pointer);
      if (!owner.until.set() || taken == owner.displaced.end() || owner.manager == who_.manager) continue;
      auto& owners = taken->second.owners;
      const auto mine =
          std::find_if(owners.begin(), owners.end(), [&](const auto& one) { return one.first == who_.manager; });
      if (mine == owners.end()) return false;  // somebody who never owned it: an ordinary conflict
      mine->second = line;
      taken->second.value = value;
      out_.held.push_back(pointer);
      return true;
    }
    return false;
  }

  void give_up(const std::string& pointer) {
    for (FieldOwner& owner : out_.ownership.owners) {
      auto taken = owner.displaced.find(pointer);
      if (taken == owner.displaced.end()) continue;
      std::erase_if(taken->second.owners, [&](const auto& one) { return one.first == who_.manager; });
      if (taken->second.owners.empty()) taken->second.value = Value();
    }
    if (!owned_by_another(out_.ownership, who_.manager, pointer)) erase_at(new_, pointer);
  }
  void give_up_all(const std::string& pointer) {
    for (FieldOwner& owner : out_.ownership.owners) owner.fields.erase(pointer), owner.displaced.erase(pointer);
    erase_at(new_, pointer);
  }

  const Kind& kind_;
  FieldOwner who_;
  const Taking taking_;
  const Value old_;
  Value new_;
  const Value want_;
  Merged out_;
};

}  // namespace

const FieldOwner* Ownership::find(std::string_view manager) const {
  for (const FieldOwner& owner : owners)
    if (owner.manager == manager) return &owner;
  return nullptr;
}
FieldOwner* Ownership::find(std::string_view manager) {
  return const_cast<FieldOwner*>(std::as_const(*this).find(manager));
}

Value to_value(const Ownership& ownership) {
  Value owners = Value::list();
  for (const FieldOwner& owner : ownership.owners) {
    Value one = Value::map({{"manager", owner.manager}, {"time", format_time(owner.time)}});
    if (!owner.commit.empty()) one.set("commit", owner.commit);
    if (!owner.file.empty()) one.set("file", owner.file);
    if (owner.until.set()) one.set("until", format_time(owner.until));
    Value fields = Value::map();
    for (const auto& [pointer, line] : owner.fields) fields.mutable_members().push_back({pointer, line, {}});
    one.set("fields", std::move(fields));
    if (!owner.displaced.empty()) {
      Value displaced = Value::map();
      for (const auto& [pointer, was] : owner.displaced) {
        Value lines = Value::map();
        for (const auto& [manager, line] : was.owners) lines.set(manager, line);
        displaced.mutable_members().push_back({pointer, Value::map({{"value", was.value}, {"owners", lines}}), {}});
      }
      one.set("displaced", std::move(displaced));
    }
    owners.push_back(std::move(one));
  }
  Value out = Value::map({{"owners", std::move(owners)}});
  if (!ownership.set.empty()) out.set("set", ownership.set);
  return out;
}

Ownership ownership_from_value(const Value& value) {
  Ownership out;
  out.set = value["set"].text();
  out.known = value["owners"].is_list();
  for (const Value& one : value["owners"].items()) {
    FieldOwner owner;
    owner.manager = one["manager"].text();
    owner.time = parse_time(one["time"].text()).value_or(Time{});
    owner.commit = one["commit"].text();
    owner.file = one["file"].text();
    owner.until = parse_time(one["until"].text()).value_or(Time{});
    for (const Value::Member& field : one["fields"].members())
      owner.fields.emplace(field.key, static_cast<int>(field.value.int_or(0)));
    for (const Value::Member& field : one["displaced"].members()) {
      FieldOwner::Displaced was{field.value["value"], {}};
      for (const Value::Member& line : field.value["owners"].members())
        was.owners.emplace_back(line.key, static_cast<int>(line.value.int_or(0)));
      owner.displaced.emplace(field.key, std::move(was));
    }
    out.owners.push_back(std::move(owner));
  }
  return out;
}

bool same_owners(const Ownership& a, const Ownership& b) {
  const auto same_displaced = [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.value == y.second.value && x.second.owners == y.second.owners;
  };
  return a.known == b.known && a.set == b.set && a.owners.size() == b.owners.size() &&
         std::equal(a.owners.begin(), a.owners.end(), b.owners.begin(), [&](const FieldOwner& x, const FieldOwner& y) {
           return x.manager == y.manager && x.file == y.file && x.fields == y.fields && x.until == y.until &&
                  x.displaced.size() == y.displaced.size() &&
                  std::equal(x.displaced.begin(), x.displaced.end(), y.displaced.begin(), same_displaced);
         });
}

Merged merge_apply(const Kind& kind, const Resource& current, const Ownership& ownership, const Resource& wanted,
                   FieldOwner who, Taking taking) {
  who.fields.clear();
  const bool alone = std::all_of(ownership.owners.begin(), ownership.owners.end(),
                                 [&](const FieldOwner& owner) { return owner.manager == who.manager; });
  if (alone && !who.until.set()) {  // nearly always: then the document is all there is
    Merged out;
    out.resource = current;
    back_into(out.resource, whole_of(wanted));
    out.ownership = own_all(kind, wanted, std::move(who));
    out.ownership.set = ownership.set;
    return out;
  }
  return Merge(kind, current, ownership, wanted, std::move(who), taking).run();
}

Ownership own_all(const Kind& kind, const Resource& wanted, FieldOwner who) {
  who.fields.clear();
  const Value whole = whole_of(wanted);
  for (const auto& [pointer, value] : leaves_of(kind, whole)) who.fields.emplace(pointer, who.file.empty() ? 0 : value->at.line);
  Ownership out;
  out.known = true;
  out.owners.push_back(std::move(who));
  return out;
}

Merged end_break_glass_of(const Resource& current, const Ownership& ownership, Time now) {
  Merged out;
  out.resource = current;
  out.ownership = ownership;
  Value whole = whole_of(current);
  std::vector<std::tuple<std::string, std::string, int>> returned;  // manager, pointer, line
  for (FieldOwner& ending : out.ownership.owners) {
    if (!ending.until.set() || ending.until > now) continue;
    for (const bool keys : {false, true})
      for (const auto& [pointer, was] : ending.displaced)
        if (was.value.is_null() && is_item_key(pointer) == keys) erase_at(whole, pointer);
    for (const auto& [pointer, was] : ending.displaced) {
      if (!was.value.is_null()) set_at(whole, pointer, was.value);
      for (const auto& [manager, line] : was.owners) returned.emplace_back(manager, pointer, line);
    }
    ending.displaced.clear();
    ending.fields.clear();
  }
  for (const auto& [manager, pointer, line] : returned) {
    FieldOwner* owner = out.ownership.find(manager);
    if (!owner) {  // all that it owned had been taken over
      out.ownership.owners.push_back({});
      owner = &out.ownership.owners.back();
      owner->manager = manager;
      owner->time = now;
    }
    owner->fields[pointer] = line;
  }
  drop_empty(out.ownership);
  back_into(out.resource, std::move(whole));
  return out;
}

Time next_break_glass_end(const Ownership& ownership) {
  Time next;
  for (const FieldOwner& owner : ownership.owners)
    if (owner.until.set() && (!next.set() || owner.until < next)) next = owner.until;
  return next;
}

std::string dotted(std::string_view pointer) {
  std::string out;
  for (const std::string& segment : segments(pointer)) {
    const auto key = item_key(segment);
    if (!out.empty() && !key) out += '.';
    out += segment;
  }
  return out;
}

std::string told(const FieldOwner& owner, int line) {
  std::string place;
  if (!owner.commit.empty()) place = "commit " + owner.commit.substr(0, kShownCommit);
  if (!owner.file.empty()) {
    place += (place.empty() ? "" : ", ") + owner.file;
    if (line > 0) place += ":" + std::to_string(line);
  }
  if (owner.until.set()) place += (place.empty() ? "until " : ", until ") + format_time(owner.until);
  return owner.manager + (place.empty() ? "" : " (" + place + ")");
}

}  // namespace trove
