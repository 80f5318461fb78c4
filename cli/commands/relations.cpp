#include "cli/commands/relations.hpp"

#include <algorithm>
#include "specs/decode.hpp"

namespace trove::cli {
namespace {

bool refers(const Value& from, const Value& to) {
  for (const Reference& reference : references_of(resource_from_value(from))) {
    if (reference.kind == to["kind"].text() && reference.name == to.at_path("metadata.name").text()) return true;
  }
  return false;
}

bool owned(const Value& object, const Value& owner) {
  for (const Value& reference : object.at_path("metadata.ownerReferences").items()) {
    if (reference["kind"].text() == owner["kind"].text() &&
        reference["name"].text() == owner.at_path("metadata.name").text()) {
      return true;
    }
  }
  return false;
}

}  // namespace

Try<Relations> Relations::read(Api& api) {
  Relations relations;
  for (const Kind& kind : all_kinds()) {
    auto listing = api.list(kind);
    if (!listing) return tl::unexpected(listing.error());
    for (Value& object : listing->items) {
      if (!object["kind"].is_string()) object.set("kind", kind.name);
      relations.objects_.push_back(std::move(object));
    }
  }
  return relations;
}

const Value* Relations::find(const std::string& kind, const std::string& name) const {
  for (const Value& object : objects_) {
    if (object["kind"].text() == kind && object.at_path("metadata.name").text() == name) return &object;
  }
  return nullptr;
}

std::vector<const Value*> Relations::needs(const Value& object) const {
  std::vector<const Value*> found;
  for (const Reference& reference : references_of(resource_from_value(object))) {
    const Value* other = find(reference.kind, reference.name);
    if (other && other != &object && std::find(found.begin(), found.end(), other) == found.end())
      found.push_back(other);
  }
  return found;
}

std::vector<const Value*> Relations::dependants(const Value& object) const {
  std::vector<const Value*> found;
  const std::string& name = object.at_path("metadata.name").text();
  bool instance = object["kind"].text() == "DatabaseInstance";
  for (const Value& other : objects_) {
    if (&other == &object) continue;
    if (owned(other, object) || (instance && other.at_path("spec.instanceRef.name").text() == name))
      found.push_back(&other);
  }
  return found;
}

size_t Relations::users_of(const Value& object) const {
  return static_cast<size_t>(
      std::count_if(objects_.begin(), objects_.end(), [&](const Value& other) { return refers(other, object); }));
}

}  // namespace trove::cli
