// An object as it was, and who says what it is: GET …/{name}?at=TIME, ?managedFields=true, and …/history.
#include <algorithm>

#include "reconciler/api/api.hpp"

namespace trove {
namespace {

// As Kubernetes names it: one entry a manager, its fields as pointers with their lines.
Value managed_fields(const Ownership& ownership) {
  Value out = Value::list();
  for (const FieldOwner& owner : ownership.owners) {
    Value fields = Value::map();
    for (const auto& [pointer, line] : owner.fields) fields.set(pointer, line);
    Value one = Value::map({{"manager", owner.manager}, {"time", format_time(owner.time)}, {"fields", fields}});
    if (!owner.commit.empty()) one.set("commit", owner.commit);
    if (!owner.file.empty()) one.set("file", owner.file);
    if (owner.until.set()) one.set("until", format_time(owner.until));
    out.push_back(std::move(one));
  }
  return out;
}

Value entry_to_value(const Kind& kind, HistoryEntry entry) {
  Value out = Value::map({{"generation", entry.generation},
                          {"time", format_time(entry.time)},
                          {"author", entry.author},
                          {"spec", shown_spec(&kind, std::move(entry.spec))}});
  if (!entry.plan.empty()) out.set("plan", entry.plan);
  if (entry.done.set()) out.set("doneAt", format_time(entry.done));
  return out;
}

}  // namespace

Attempt<void> Api::add_owners(const Resource& resource, Value& object) {
  auto ownership = options_.applier.ownership(resource);
  if (!ownership) return refuse(ownership.error());
  Value* metadata = object.find("metadata");
  if (!metadata) return {};
  metadata->set("managedFields", managed_fields(*ownership));
  if (!ownership->set.empty()) metadata->set("set", ownership->set);
  return {};
}

// The newest generation that is not younger than `at`. Of the status nothing is kept.
Attempt<http::Response> Api::get_at(const Key& key, const std::string& at) {
  const auto time = parse_time(at);
  if (!time) return refuse(400, "CONFIG_INVALID", "at must be a time like 2026-09-19T00:00:00Z, not " + printable(at, 60));
  auto found = existing(key);
  if (!found) return tl::unexpected(found.error());
  auto entries = options_.objects.history(found->metadata.uid);
  if (!entries) return refuse(entries.error());
  const HistoryEntry* then = nullptr;
  for (const HistoryEntry& entry : *entries)
    if (entry.time <= *time) then = &entry;
  if (!then) {
    return refuse(404, "NOT_FOUND", to_string(key) + " did not exist at " + format_time(*time),
                  entries->empty() ? "" : "the oldest that is kept is of " + format_time(entries->front().time));
  }
  found->metadata.generation = then->generation;
  found->metadata.resource_version = 0;
  found->spec = then->spec;
  found->status = Value::map();
  return json_response(200, to_value(shown(std::move(*found))));
}

Attempt<http::Response> Api::history(const Call& call, const Kind& kind, const std::string& name) {
  auto found = existing({call.project, std::string(kind.name), name});
  if (!found) return tl::unexpected(found.error());
  auto entries = options_.objects.history(found->metadata.uid);
  if (!entries) return refuse(entries.error());
  Value items = Value::list();
  for (HistoryEntry& entry : *entries) items.push_back(entry_to_value(kind, std::move(entry)));
  return json_response(200, Value::map({{"items", std::move(items)}}));
}

}  // namespace trove
