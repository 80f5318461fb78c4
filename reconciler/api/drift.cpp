// What was changed outside, of a project or of every project that the caller sees. Read from the statuses: the planner
// has judged already.
#include "reconciler/api/api.hpp"
#include "specs/json.hpp"
#include "specs/ownership.hpp"

namespace trove {
namespace {

constexpr size_t kStatusPage = 1'000;

// When it is put right; "" = not by itself.
std::string corrects_in(const Value& entry, const Value& status, Time now) {
  if (entry["policy"].text() != "Correct" || entry["waitsFor"].is_string()) return "";
  const auto retry = parse_time(status["lastError"]["nextRetry"].text());
  return format_duration(retry && *retry > now ? Millis{(*retry - now).count() / 1000 * 1000} : Millis{0});
}

}  // namespace

Attempt<http::Response> Api::drift(const std::string& project) {
  auto items = drift_rows(project, nullptr);
  if (!items) return tl::unexpected(items.error());
  return json_response(200, Value::map({{"items", std::move(*items)}}));
}

// How the objects of an apply set differ from what it says: in the real things, and in their specs where a break-glass
// edit took fields over.
Attempt<Value> Api::set_drift(const std::string& project, const std::string& set) {
  const std::string prefix = "/fields/" + project + "/";
  const std::string sign = "\"set\":" + dump_json(Value(set));  // our own compact text: most are not parsed
  std::set<Key> members;
  Value edits = Value::list();
  std::string first = prefix;
  while (true) {
    auto page = options_.objects.store().range(first, prefix_end(prefix), 0);
    if (!page) return refuse(page.error());
    for (const KeyValue& item : page->items) {
      first = item.key + '\0';
      if (item.value.find(sign) == std::string::npos) continue;
      const std::optional<Key> key = Objects::key_of("/spec/" + item.key.substr(std::string_view("/fields/").size()));
      auto value = parse_stored_json(item.value);
      if (!key || !value) continue;
      const Ownership owners = ownership_from_value(*value);
      if (owners.set != set) continue;
      members.insert(*key);
      for (const FieldOwner& owner : owners.owners) {
        if (!owner.until.set()) continue;
        for (const auto& [pointer, line] : owner.fields)
          if (owner.displaced.contains(pointer))
            edits.push_back(Value::map({{"project", project},
                                        {"kind", key->kind},
                                        {"name", key->name},
                                        {"path", pointer},
                                        {"by", owner.manager},
                                        {"until", format_time(owner.until)}}));
      }
    }
    if (!page->more || page->items.empty()) break;
  }
  auto rows = drift_rows(project, &members);
  if (!rows) return rows;
  for (const Value& edit : edits.items()) rows->push_back(edit);
  return rows;
}

// `project` "*" = all of them. `of`: these objects only.
Attempt<Value> Api::drift_rows(const std::string& project, const std::set<Key>* of) {
  const std::string prefix = project == "*" ? "/status/" : "/status/" + project + "/";
  Value items = Value::list();
  std::string first = prefix;
  while (true) {
    auto page = options_.objects.store().range(first, prefix_end(prefix), kStatusPage);
    if (!page) return refuse(page.error());
    for (const KeyValue& item : page->items) {
      first = item.key + '\0';
      // Nearly all have none; these are not even parsed.
      if (item.value.find("\"drift\"") == std::string::npos) continue;
      const std::optional<Key> key = Objects::key_of(item.key);
      if (!key || (of && !of->contains(*key))) continue;
      auto object = options_.objects.get(*key);
      if (!object) return refuse(object.error());
      if (!*object) continue;
      const Value& status = (*object)->status;
      for (const Value& entry : status["drift"].items()) {
        Value row = Value::map({{"project", key->project}, {"kind", key->kind}, {"name", key->name}});
        for (const char* field : {"path", "desired", "actual", "by", "requestId", "since", "policy", "waitsFor"})
          if (const Value* value = entry.find(field)) row.set(field, *value);
        if (const std::string in = corrects_in(entry, status, options_.clock.wall()); !in.empty())
          row.set("correctsIn", in);
        items.push_back(std::move(row));
      }
    }
    if (!page->more || page->items.empty()) break;
  }
  return items;
}

}  // namespace trove
