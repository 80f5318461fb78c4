// The only answer that holds the values of a Secret.
#include "reconciler/api/api.hpp"
#include "reconciler/secrets.hpp"

namespace trove {

Attempt<http::Response> Api::reveal(const Call& call, const std::string& name) {
  const Key key{call.project, "Secret", name};
  auto found = existing(key);
  if (!found) return tl::unexpected(found.error());
  Value data = Value::map();
  for (const Value::Member& member : found->spec["data"].members()) {
    auto plain = options_.sealer.unseal(member.value.text(), secret_place(*found, member.key));
    if (!plain) {
      return refuse(500, "INTERNAL",
                    "the value " + printable(member.key) + " of " + to_string(key) + " cannot be opened",
                    "was the master key replaced? apply the value anew");
    }
    data.set(member.key, plain->reveal());
  }
  // The trace comes first: what is not recorded is not told.
  Txn txn;
  Event event;
  event.time = options_.clock.wall();
  event.object = key;
  event.action = "secret.reveal";
  event.by = call.author();
  event.message = "values were shown";
  options_.objects.stage_event(txn, event);
  if (auto done = options_.objects.commit(txn); !done) return refuse(done.error());
  return json_response(200, Value::map({{"data", std::move(data)}}));
}

}  // namespace trove
