// Plans over REST: POST /plans shows what would be done and remembers it; POST /plans/{id}/apply does exactly that, or
// refuses and names what moved. How: plan_book.hpp.
#include <algorithm>

#include "reconciler/api/api.hpp"
#include "reconciler/api/body.hpp"

namespace trove {

Attempt<http::Response> Api::make_plan(const Call& call) {
  auto order = read_order(call.request, call.project, call.caller.name);
  if (!order) return tl::unexpected(order.error());
  if (call.caller.role == Role::reader) order->dry_run = true;  // who may look only gets a plan that is not kept
  auto body = read_body(call.request);
  if (!body) return tl::unexpected(body.error());
  order->sources = std::move(body->sources);
  if (!body->remove.is_null() && !body->remove.is_list()) return refuse(400, "CONFIG_INVALID", "remove must be a list");
  std::vector<Key> blocked;
  for (const Value& entry : body->remove.items()) {
    const Kind* kind = find_kind(entry["kind"].text());
    if (!kind || entry["name"].text().empty())
      return refuse(400, "CONFIG_INVALID", "each entry of remove needs a kind and a name");
    const Key key{call.project, std::string(kind->name), entry["name"].text()};
    auto found = existing(key);
    if (!found) return tl::unexpected(found.error());
    (found->spec["deletionProtection"].bool_or(false) ? blocked : order->removed).push_back(key);
  }
  return store_plan(call, std::move(*order), blocked);
}

// Goes back to what a generation said: a plan like any other, for it may mean a restart or more.
Attempt<http::Response> Api::rollback(const Call& call, const Kind& kind, const std::string& name) {
  auto current = existing({call.project, std::string(kind.name), name});
  if (!current) return tl::unexpected(current.error());
  const std::string to = call.request.parameter("to");
  if (kind.name == "Secret")
    return refuse(400, "CONFIG_INVALID", "a Secret does not go back: what a value was is not shown again",
                  "apply the Secret with the values that it shall have");
  auto entries = options_.objects.history(current->metadata.uid);
  if (!entries) return refuse(entries.error());
  const auto entry = std::find_if(entries->begin(), entries->end(),
                                  [&](const HistoryEntry& one) { return std::to_string(one.generation) == to; });
  if (entry == entries->end())
    return refuse(404, "NOT_FOUND", to_string(current->key()) + " has no generation " + printable(to, 40),
                  "?to=N, one of: trovectl history " + to_string(current->key()));
  auto order = read_order(call.request, call.project, call.caller.name);
  if (!order) return tl::unexpected(order.error());
  if (call.caller.role == Role::reader) order->dry_run = true;
  Resource before = *current;
  before.spec = entry->spec;
  before.status = Value::map();
  Value document = to_value(shown(std::move(before)));
  order->sources.push_back({std::move(document), ""});
  return store_plan(call, std::move(*order), {});
}

Attempt<http::Response> Api::store_plan(const Call& call, ApplyOrder order, const std::vector<Key>& blocked) {
  const bool keep = !order.dry_run;
  order.author = call.author();
  auto proposal = book_.propose(std::move(order), blocked);
  if (!proposal) return tl::unexpected(proposal.error());
  if (!keep) return json_response(200, proposal->plan);
  if (auto kept = book_.keep(*proposal); !kept) return tl::unexpected(kept.error());
  http::Response out = json_response(201, proposal->plan);
  out.headers.emplace_back("Location", "/apis/trove/v1alpha1/projects/" + call.project + "/plans/" +
                                           proposal->plan["id"].text());
  return out;
}

Attempt<http::Response> Api::get_plan(const Call& call, const std::string& id) {
  auto plan = book_.get(call.project, id);
  if (!plan) return tl::unexpected(plan.error());
  return json_response(200, *plan);
}

Attempt<http::Response> Api::apply_plan(const Call& call, const std::string& id) {
  auto done = book_.carry_out(call.project, id, call.author());
  if (!done) return tl::unexpected(done.error());
  return json_response(200, Value::map({{"revision", std::to_string(done->revision)},
                                        {"plan", id},
                                        {"results", results_of(*done)}}));
}

Attempt<http::Response> Api::plan_of(const Call& call, const Kind& kind, const std::string& name) {
  const Key key{call.project, std::string(kind.name), name};
  if (auto found = existing(key); !found) return tl::unexpected(found.error());
  auto plan = options_.plans.plan_of(key);
  if (!plan) return refuse(plan.error());
  return json_response(200, *plan);
}

}  // namespace trove
