#include "specs/resource.hpp"
#include <charconv>

namespace trove {
namespace {

void set_text(Value& map, std::string_view key, const std::string& text) {
  if (!text.empty()) map.set(key, text);
}

void set_time(Value& map, std::string_view key, Time time) {
  if (time.set()) map.set(key, format_time(time));
}

Time time_of(const Value& value) { return parse_time(value.text()).value_or(Time{}); }

Value map_or_empty(const Value& value) { return value.is_map() ? value : Value::map(); }

uint64_t revision_of(const Value& value) {
  if (value.is_int()) return static_cast<uint64_t>(value.int_or(0));
  uint64_t revision = 0;
  const std::string& text = value.text();
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

Value to_value(const Metadata& metadata) {
  Value map = Value::map();
  set_text(map, "name", metadata.name);
  set_text(map, "generateName", metadata.generate_name);
  set_text(map, "project", metadata.project);
  set_text(map, "uid", metadata.uid);
  if (metadata.generation) map.set("generation", metadata.generation);
  // A string, because JavaScript and jq round integers past 2^53.
  if (metadata.resource_version) map.set("resourceVersion", std::to_string(metadata.resource_version));
  set_time(map, "creationTimestamp", metadata.creation_timestamp);
  set_time(map, "deletionTimestamp", metadata.deletion_timestamp);
  if (!metadata.labels.empty()) map.set("labels", metadata.labels);
  if (!metadata.annotations.empty()) map.set("annotations", metadata.annotations);
  if (!metadata.owner_references.empty()) {
    Value& owners = map.set("ownerReferences", Value::list());
    for (const auto& owner : metadata.owner_references) {
      owners.push_back(Value::map({{"kind", owner.kind}, {"name", owner.name}, {"uid", owner.uid}}));
    }
  }
  return map;
}

Metadata metadata_from(const Value& value) {
  Metadata metadata;
  metadata.name = value["name"].text();
  metadata.generate_name = value["generateName"].text();
  metadata.project = value["project"].text();
  metadata.uid = value["uid"].text();
  metadata.generation = value["generation"].int_or(0);
  metadata.resource_version = revision_of(value["resourceVersion"]);
  metadata.creation_timestamp = time_of(value["creationTimestamp"]);
  metadata.deletion_timestamp = time_of(value["deletionTimestamp"]);
  metadata.labels = map_or_empty(value["labels"]);
  metadata.annotations = map_or_empty(value["annotations"]);
  for (const auto& owner : value["ownerReferences"].items()) {
    metadata.owner_references.push_back({owner["kind"].text(), owner["name"].text(), owner["uid"].text()});
  }
  return metadata;
}

}  // namespace

std::string to_string(const Key& key) {
  std::string text;
  for (const char c : key.kind) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return text + "/" + key.name;
}

Value to_value(const Resource& resource) {
  Value map = Value::map();
  map.set("apiVersion", kApiVersion);
  map.set("kind", resource.kind);
  map.set("metadata", to_value(resource.metadata));
  if (!resource.spec.empty()) map.set("spec", resource.spec);
  if (!resource.status.empty()) map.set("status", resource.status);
  return map;
}

Resource resource_from_value(const Value& value) {
  Resource resource;
  resource.kind = value["kind"].text();
  resource.metadata = metadata_from(value["metadata"]);
  resource.spec = map_or_empty(value["spec"]);
  resource.status = map_or_empty(value["status"]);
  return resource;
}

Value to_value(const Condition& condition) {
  // Every pass over every object makes five of these.
  Value value = Value::map();
  Value::Map& map = value.mutable_members();
  map.reserve(6);
  map.push_back({"type", condition.type, {}});
  map.push_back({"status", condition.status, {}});
  if (!condition.reason.empty()) map.push_back({"reason", condition.reason, {}});
  if (!condition.message.empty()) map.push_back({"message", condition.message, {}});
  if (condition.last_transition_time.set())
    map.push_back({"lastTransitionTime", format_time(condition.last_transition_time), {}});
  if (condition.observed_generation) map.push_back({"observedGeneration", condition.observed_generation, {}});
  return value;
}

std::vector<Condition> conditions_of(const Value& status) {
  std::vector<Condition> conditions;
  for (const auto& item : status["conditions"].items()) {
    conditions.push_back({item["type"].text(), item["status"].text(), item["reason"].text(), item["message"].text(),
                          time_of(item["lastTransitionTime"]), item["observedGeneration"].int_or(0)});
  }
  return conditions;
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  for (const auto& condition : conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

}  // namespace trove
