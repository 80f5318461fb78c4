// Break-glass edits end by themselves: what they took over goes back to what its owners want.
#include "reconciler/api/drafts.hpp"
#include "specs/core/log.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"

namespace trove {

Result<Time> Applier::end_break_glass() {
  std::lock_guard lock(writing_);
  const Time now = clock_.wall();
  if (ends_known_ && (!next_end_.set() || next_end_ > now)) return next_end_;
  const std::string prefix = "/fields/";
  std::string first = prefix;
  Time next;
  while (true) {
    auto page = objects_.store().range(first, prefix_end(prefix), 0);
    if (!page) return tl::unexpected(page.error());
    for (const KeyValue& item : page->items) {
      first = item.key + '\0';
      if (item.value.find("\"until\":") == std::string::npos) continue;
      auto value = parse_stored_json(item.value);
      if (!value) continue;
      const Ownership owners = ownership_from_value(*value);
      const Time end = next_break_glass_end(owners);
      if (!end.set()) continue;
      if (end > now) {
        if (!next.set() || end < next) next = end;
        continue;
      }
      const auto key = Objects::key_of("/spec/" + item.key.substr(prefix.size()));
      auto found = key ? objects_.get(*key) : Result<std::optional<Resource>>(std::nullopt);
      if (!found) return tl::unexpected(found.error());
      if (!*found || (*found)->metadata.uid != (*value)["uid"].text()) continue;
      Resource& current = **found;
      Merged back = end_break_glass_of(current, owners, now);
      const Kind* kind = find_kind(current.kind);
      if (!kind) continue;
      Problems problems;
      check_update(current, back.resource, back.resource.spec, problems);
      Event event;
      event.time = now;
      event.object = current.key();
      event.action = "break-glass";
      event.by = "system";
      Txn txn;
      if (problems.empty() && decode_resource(to_value(back.resource), key->project, "", 0, problems)) {
        const bool changed = !(with_defaults(*kind, current.spec) == with_defaults(*kind, back.resource.spec));
        if (changed) ++back.resource.metadata.generation;
        objects_.stage_put(txn, back.resource, changed ? "system:break-glass" : "");
        event.message = "the break-glass edit is over; its fields went back to their owners";
      } else {  // a volume that grew cannot shrink: the edit stays, and is nobody's secret
        back.resource = current;
        txn.guards.push_back({Guard::What::modified_is, Objects::spec_key(current.key()), current.metadata.resource_version});
        event.type = "Warning";
        event.message = "the break-glass edit is over and stays, for it cannot be undone: " + problems[0].path + ' ' +
                        problems[0].message;
      }
      objects_.stage_fields(txn, back.resource, back.ownership);
      objects_.stage_event(txn, event);
      if (auto done = commit(txn); !done) {
        log::warning("a break-glass edit could not be ended yet",
                     {{"object", to_string(current.key())}, {"why", done.error().message}});
        next = now + Millis{5'000};
      }
    }
    if (!page->more) break;
  }
  next_end_ = next;
  ends_known_ = true;
  return next;
}

}  // namespace trove
