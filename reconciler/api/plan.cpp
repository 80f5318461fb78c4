// Plans: the same checks as an apply, then the loop's own planner.
#include <algorithm>
#include "reconciler/api/apply.hpp"

namespace trove {

Attempt<http::Response> Api::plan(const Call& call) {
  auto body = read_body(call.request);
  if (!body) return tl::unexpected(body.error());
  std::vector<Key> removed;
  Value refused = Value::list();
  if (!body->remove.is_null() && !body->remove.is_list()) return refuse(400, "CONFIG_INVALID", "remove must be a list");
  if (body->remove.size() > kMaxDocuments)
    return refuse(413, "TOO_LARGE", "more than " + std::to_string(kMaxDocuments) + " objects to remove");
  for (const Value& entry : body->remove.items()) {
    const Kind* kind = find_kind(entry["kind"].text());
    if (!kind || entry["name"].text().empty())
      return refuse(400, "CONFIG_INVALID", "each entry of remove needs a kind and a name");
    const Key key{call.project, std::string(kind->name), entry["name"].text()};
    auto found = existing(key);
    if (!found) return tl::unexpected(found.error());
    if (!found->spec["deletionProtection"].bool_or(false)) {
      removed.push_back(key);
      continue;
    }
    Value notes = Value::list();
    notes.push_back("deletionProtection: deleting it is refused");
    refused.push_back(Value::map({{"op", "unchanged"},
                                  {"kind", key.kind},
                                  {"name", key.name},
                                  {"changes", Value::list()},
                                  {"notes", std::move(notes)}}));
  }
  auto prepared = decode(call, std::move(body->documents));
  if (!prepared) return tl::unexpected(prepared.error());
  if (auto checked = write(call, *prepared, {}, true); !checked) return tl::unexpected(checked.error());
  std::vector<Resource> proposed;
  for (Item& item : prepared->items) proposed.push_back(std::move(item.after));
  auto plan = options_.plans.plan(call.project, proposed, removed);
  if (!plan) return refuse(plan.error());
  for (Value& entry : refused.mutable_items()) {
    if (Value* objects = plan->find("objects")) objects->push_back(std::move(entry));
  }
  return json_response(200, *plan);
}

Attempt<http::Response> Api::plan_of(const Call& call, const Kind& kind, const std::string& name) {
  const Key key{call.project, std::string(kind.name), name};
  if (auto found = existing(key); !found) return tl::unexpected(found.error());
  auto plan = options_.plans.plan_of(key);
  if (!plan) return refuse(plan.error());
  return json_response(200, *plan);
}

}  // namespace trove
