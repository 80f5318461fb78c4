// POST /apply and PUT.
#include "reconciler/api/api.hpp"
#include "reconciler/api/body.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove {

Attempt<http::Response> Api::apply(const Call& call) {
  auto order = read_order(call.request, call.project, call.caller.name);
  if (!order) return tl::unexpected(order.error());
  auto body = read_body(call.request);
  if (!body) return tl::unexpected(body.error());
  order->sources = std::move(body->sources);
  order->author = call.author();
  auto done = options_.applier.apply(*order);
  if (!done) return tl::unexpected(done.error());
  http::Response out = json_response(
      200, Value::map({{"revision", std::to_string(done->revision)}, {"results", results_of(*done)}}));
  if (done->before) out.headers.emplace_back("Idempotent-Replayed", "true");
  return out;
}

Attempt<http::Response> Api::put(const Call& call, const Kind& kind, const std::string& name) {
  auto document = parse_json(call.request.body);
  if (!document) return refuse(document.error());
  if (!document->is_map()) return refuse(400, "CONFIG_INVALID", "the body must be a JSON object");
  if ((*document)["kind"].text() != kind.name || (*document)["metadata"]["name"].text() != name) {
    return refuse(400, "CONFIG_INVALID", "the body must be the " + std::string(kind.name) + " named " + printable(name),
                  "kind and metadata.name must be those of the path");
  }
  auto order = read_order(call.request, call.project, call.caller.name);
  if (!order) return tl::unexpected(order.error());
  if (!order->set.name.empty() || order->until)
    return refuse(400, "CONFIG_INVALID", "a PUT knows no set and no breakGlass", "use POST …/apply");
  order->author = call.author();
  order->replace = true;
  order->must_match = call.request.header("if-match");
  const std::string none = call.request.header("if-none-match");
  if (!none.empty() && none != "*") return refuse(400, "CONFIG_INVALID", "If-None-Match can only be *");
  order->must_be_absent = !none.empty();
  order->sources.push_back({std::move(*document), ""});
  auto done = options_.applier.apply(*order);
  if (!done) return tl::unexpected(done.error());
  const Key key{call.project, std::string(kind.name), name};
  const bool created = done->before ? (done->before->items().empty() ? false
                                                                      : done->before->items()[0]["result"].text() ==
                                                                            "created")
                                    : done->items[0].what == Applied::What::created;
  if (order->dry_run) return json_response(created ? 201 : 200, to_value(shown(std::move(done->items[0].after))));
  auto stored = existing(key);
  if (!stored) return tl::unexpected(stored.error());
  std::string etag = etag_of(*stored);
  http::Response out = json_response(created ? 201 : 200, to_value(shown(std::move(*stored))));
  out.headers.emplace_back("ETag", std::move(etag));
  return out;
}

Attempt<http::Response> Api::remove(const Call& call, const Kind& kind, const std::string& name) {
  auto gone = options_.applier.remove({call.project, std::string(kind.name), name}, call.author(),
                                      call.request.header("if-match"));
  if (!gone) return tl::unexpected(gone.error());
  return json_response(202, to_value(shown(std::move(*gone))));
}

}  // namespace trove
