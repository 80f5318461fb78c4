// GitSources: asked to look now, and called by Git servers. What they do is reconciler/gitops.
#include "reconciler/api/api.hpp"
#include <algorithm>
#include <cstdlib>

#include "specs/json.hpp"

namespace trove {
namespace {

constexpr std::string_view kHooks = "/git/v1/hooks/";

}  // namespace

// GET: what changes too often for a status. POST {"confirm": ["database/orders"], "approve": "pl-7f3a21c0"}:
// fetch and apply now.
Attempt<http::Response> Api::git_sync(const Call& call, const std::string& name) {
  if (!options_.git) return refuse(404, "NOT_FOUND", "this control plane follows no repositories");
  const Key key{call.project, "GitSource", name};
  if (call.request.method != "POST") {
    auto state = options_.git->state(key);
    if (!state) return tl::unexpected(state.error());
    if (call.request.parameter("drift") == "true") {
      auto drift = set_drift(key.project, "git:" + name);
      if (!drift) return tl::unexpected(drift.error());
      state->set("drift", std::move(*drift));
    }
    return json_response(200, *state);
  }
  SyncOrder order;
  order.by = call.author();
  if (!call.request.body.empty()) {
    auto body = parse_json(call.request.body);
    if (!body) return refuse(body.error());
    const Value &list = (*body)["confirm"], &approve = (*body)["approve"];
    const bool words = std::all_of(list.items().begin(), list.items().end(),
                                   [](const Value& word) { return word.is_string(); });
    if (!body->is_map() || (!list.is_null() && !list.is_list()) || !words)
      return refuse(400, "CONFIG_INVALID",
                    "the body must be {\"confirm\": [\"KIND/NAME\", …], \"approve\": \"PLAN\"} or empty");
    for (const Value& word : list.items()) order.confirm.push_back(word.text());
    if (!approve.is_null() && !is_plan_id(approve.text()))
      return refuse(400, "CONFIG_INVALID", "approve must be the id of a plan, not " + printable(approve.as_written(), 60),
                    "for example pl-7f3a21c0; which one waits: trovectl git status " + printable(name, 100));
    order.approve = approve.text();
    if (!order.approve.empty() && !order.confirm.empty())
      return refuse(400, "CONFIG_INVALID", "confirm changes the plan, so that it cannot be approved at the same time",
                    "confirm first, look at the new plan, then approve that");
  }
  auto asked = options_.git->sync(key, order);
  if (!asked) return tl::unexpected(asked.error());
  return json_response(202, *asked);
}

// Without a token: the signature is all that a Git server can show. /git/v1/hooks/{project}/{name}
Attempt<http::Response> Api::git_hook(const http::Request& request, bool has_body) {
  const std::string rest = request.path.substr(kHooks.size());
  const size_t slash = rest.find('/');
  if (!options_.git || slash == std::string::npos || rest.find('/', slash + 1) != std::string::npos)
    return refuse(404, "NOT_FOUND", "there is no webhook here");
  if (!has_body) return refuse(413, "TOO_LARGE", "the call of a webhook needs a Content-Length of at most 1 MiB");
  auto done = options_.git->hook(rest.substr(0, slash), rest.substr(slash + 1), request);
  if (!done) return tl::unexpected(done.error());
  return json_response(202, Value::map({{"result", "a fetch was asked for"}}));
}

// A longer body is not even read.
bool Api::is_short_hook(const http::Request& request) {
  const std::string length = request.header("content-length");
  return !length.empty() && length.size() <= 7 && std::atoll(length.c_str()) <= static_cast<long long>(kMaxHookBytes);
}

}  // namespace trove
