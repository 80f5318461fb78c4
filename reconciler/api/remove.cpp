// Deletion: marked here, carried out and ended by the loop.
#include "reconciler/api/apply.hpp"

namespace trove {

Attempt<http::Response> Api::remove(const Call& call, const Kind& kind, const std::string& name) {
  const Key key{call.project, std::string(kind.name), name};
  const std::string must_match = call.request.header("if-match");
  for (int tries = 0; tries < kApplyTries; ++tries) {
    std::lock_guard lock(writing_);
    auto found = existing(key);
    if (!found) return tl::unexpected(found.error());
    if (!must_match.empty() && must_match != "*" && must_match != etag_of(*found)) {
      return refuse(412, "CONFLICT", to_string(key) + " was changed meanwhile", "read it again, then decide");
    }
    if (found->deleting()) return json_response(202, to_value(shown(std::move(*found))));
    if (found->spec["deletionProtection"].bool_or(false)) {
      Refusal out;
      out.status = 409;
      out.code = "POLICY_DENIED";
      out.detail = to_string(key) + " is protected against deletion";
      out.path = "spec.deletionProtection";
      out.hint = "set spec.deletionProtection to false and apply (trovectl apply -f FILE), then: trovectl delete " +
                 to_string(key);
      return refuse(std::move(out));
    }
    Resource next = *found;
    next.metadata.deletion_timestamp = options_.clock.wall();
    ++next.metadata.generation;
    Txn txn;
    options_.objects.stage_put(txn, next, call.author());
    Event event;
    event.time = options_.clock.wall();
    event.object = key;
    event.action = "delete";
    event.by = call.author();
    event.message = "deletion requested";
    options_.objects.stage_event(txn, event);
    txn.id = new_uid(options_.rng);
    auto done = options_.objects.commit(txn);
    if (!done && done.error().code == Code::outcome_unknown) done = options_.objects.commit(txn);
    if (done) {
      next.metadata.resource_version = *done;
      return json_response(202, to_value(shown(std::move(next))));
    }
    if (done.error().code != Code::conflict) return refuse(done.error());
  }
  return refuse(Error{Code::conflict, "others kept changing " + to_string(key), "try again"});
}

}  // namespace trove
