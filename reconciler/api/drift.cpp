// What was changed outside, of a project or of every project that the caller sees. Read from the statuses: the planner
// has judged already.
#include "reconciler/api/api.hpp"
#include "specs/json.hpp"

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

// `project` "*" = all of them.
Attempt<http::Response> Api::drift(const std::string& project) {
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
      if (!key) continue;
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
  return json_response(200, Value::map({{"items", std::move(items)}}));
}

}  // namespace trove
