#include "reconciler/api/snapshot.hpp"

namespace trove {
namespace {

constexpr size_t kSweepFrom = 32;  // so many of one kind in a set cost more than one sweep over the kind

// Whether the stored text may name one of `names` in this reference; parsing decides. Our own text is compact and a
// reference has no other member, so this finds it without parsing each object of a large project.
bool may_name(const std::string& text, const std::string& field, const std::set<std::string>& names) {
  const std::string opening = '"' + field + "\":{\"name\":\"";
  size_t at = text.find(opening);
  if (at == std::string::npos) return text.find('"' + field + '"') != std::string::npos;
  at += opening.size();
  size_t end = text.find('"', at);
  return end == std::string::npos || names.contains(text.substr(at, end - at));
}

}  // namespace

const Resource* Snapshot::keep(const Key& key, const std::string& value, Revision modified) {
  auto known = known_.find(key);
  if (known != known_.end()) return known->second ? &*known->second : nullptr;
  auto resource = Objects::parse_spec(value, modified);
  if (!resource) {
    trouble_ = resource.error();
    return nullptr;
  }
  return &*known_.emplace(key, std::move(*resource)).first->second;
}

template <class Visit>
void Snapshot::sweep(const std::string& kind, Visit visit) {
  sweep_below(Objects::spec_key({project_, kind, ""}),
              [&](const std::string& name, const KeyValue& item) { visit(Key{project_, kind, name}, item); });
}

template <class Visit>
void Snapshot::sweep_below(const std::string& prefix, Visit visit) {
  std::string first = prefix;
  while (true) {
    auto page = objects_.store().range(first, prefix_end(prefix), 0);
    if (!page) {
      trouble_ = page.error();
      return;
    }
    for (const KeyValue& item : page->items) visit(item.key.substr(prefix.size()), item);
    if (!page->more || page->items.empty()) return;
    first = page->items.back().key + '\0';
  }
}

void Snapshot::preload(const std::vector<Resource>& set) {
  std::map<std::string, std::set<std::string>> wanted;
  for (const Resource& resource : set) wanted[resource.kind].insert(resource.metadata.name);
  for (const auto& [kind, names] : wanted) {
    if (names.size() < kSweepFrom) continue;
    sweep(kind, [&, these = &names](const Key& key, const KeyValue& item) {  // clang 14 captures no bindings
      if (these->contains(key.name)) keep(key, item.value, item.modified);
    });
    for (const std::string& name : names) known_.emplace(Key{project_, kind, name}, std::nullopt);
    sweep_below(Objects::fields_key({project_, kind, ""}), [&, these = &names](const std::string& name,
                                                                               const KeyValue& item) {
      if (these->contains(name)) fields_.emplace(item.key, item.value);
    });
    swept_.insert(kind);
  }
}

const Resource* Snapshot::find(const Key& key) {
  auto known = known_.find(key);
  if (known != known_.end()) return known->second ? &*known->second : nullptr;
  auto stored = objects_.store().get(Objects::spec_key(key));
  if (!stored) {
    trouble_ = stored.error();
    return nullptr;
  }
  if (*stored) return keep(key, (*stored)->value, (*stored)->modified);
  known_.emplace(key, std::nullopt);
  return nullptr;
}

Ownership Snapshot::fields_of(const Resource& resource) {
  const std::string key = Objects::fields_key(resource.key());
  if (auto read = fields_.find(key); read != fields_.end())
    return Objects::parse_fields(read->second, resource.metadata.uid);
  if (swept_.contains(resource.kind)) return {};
  auto stored = objects_.store().get(key);
  if (!stored) trouble_ = stored.error();
  return stored && *stored ? Objects::parse_fields((*stored)->value, resource.metadata.uid) : Ownership{};
}

std::vector<const Resource*> Snapshot::referring(const std::string& kind, const std::string& field,
                                                 const std::set<std::string>& names) {
  std::vector<const Resource*> out;
  sweep(kind, [&](const Key& key, const KeyValue& item) {
    if (!may_name(item.value, field, names)) return;
    const Resource* resource = keep(key, item.value, item.modified);
    if (resource && names.contains(resource->spec[field]["name"].text())) out.push_back(resource);
  });
  return out;
}

}  // namespace trove
