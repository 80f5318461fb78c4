// What goes: deletions that are asked for, and objects that left their set. Marked here, carried out and ended by the
// loop.
#include "reconciler/api/drafts.hpp"
#include "specs/json.hpp"
#include "specs/kinds/specs.hpp"

namespace trove {
namespace {

bool is_protected(const Resource& resource) { return resource.spec["deletionProtection"].bool_or(false); }

std::string policy_of(const Resource& resource) {
  const Kind* kind = find_kind(resource.kind);
  const Field* field = kind ? find_field(*kind, "deletionPolicy") : nullptr;
  const std::string fallback = field ? std::string(field->default_json) : "";
  return resource.spec["deletionPolicy"].text_or(fallback == "\"Retain\"" ? "Retain" : "Delete");
}

// Destroys data, or stops a database that somebody may be using.
bool needs_confirmation(const Resource& resource) {
  const Kind* kind = find_kind(resource.kind);
  if (resource.kind == "DatabaseInstance") return true;
  return kind && kind->stateful && policy_of(resource) != "Retain";
}

Refusal protection(const Key& key) {
  Refusal out;
  out.status = 409;
  out.code = "POLICY_DENIED";
  out.detail = to_string(key) + " is protected against deletion";
  out.path = "spec.deletionProtection";
  out.hint = "set spec.deletionProtection to false and apply (trovectl apply -f FILE), then: trovectl delete " +
             to_string(key);
  return out;
}

Refusal not_pruned(std::string detail, std::string hint) {
  Refusal out;
  out.status = 409;
  out.code = "POLICY_DENIED";
  out.detail = std::move(detail);
  out.hint = std::move(hint);
  return out;
}

}  // namespace

Result<std::map<Key, std::string>> Applier::members(const std::string& project, const std::string& set) {
  std::map<Key, std::string> out;
  const std::string prefix = "/fields/" + project + "/";
  const std::string sign = "\"set\":" + dump_json(Value(set));  // our own compact text: most are not parsed
  std::string first = prefix;
  while (true) {
    auto page = objects_.store().range(first, prefix_end(prefix), 0);
    if (!page) return tl::unexpected(page.error());
    for (const KeyValue& item : page->items) {
      first = item.key + '\0';
      if (item.value.find(sign) == std::string::npos) continue;
      auto value = parse_stored_json(item.value);
      if (!value || (*value)["set"].text() != set) continue;
      const std::string path = item.key.substr(prefix.size());
      const size_t slash = path.find('/');
      if (slash == std::string::npos) continue;
      std::string file;
      for (const Value& owner : (*value)["owners"].items())
        if (file.empty() || owner["manager"].text() == set) file = owner["file"].text();
      out.emplace(Key{project, path.substr(0, slash), path.substr(slash + 1)}, std::move(file));
    }
    if (!page->more) return out;
  }
}

Result<Ownership> Applier::ownership(const Resource& resource) {
  auto stored = objects_.store().get(Objects::fields_key(resource.key()));
  if (!stored) return tl::unexpected(stored.error());
  return *stored ? Objects::parse_fields((*stored)->value, resource.metadata.uid) : Ownership{};
}

Attempt<void> Applier::choose_leaving(Draft& draft, Snapshot& snapshot) {
  const ApplyOrder& order = draft.order;
  std::set<Key> wanted;
  for (const Resource& one : draft.wanted) wanted.insert(one.key());
  for (const Key& key : order.removed) {
    const Resource* current = snapshot.find(key);
    if (snapshot.trouble()) return refuse(*snapshot.trouble());
    if (!current) return refuse(404, "NOT_FOUND", printable(to_string(key)) + " not found in project " + key.project);
    if (wanted.contains(key))
      return refuse(400, "CONFIG_INVALID", to_string(key) + " is to be applied and deleted at once");
    if (is_protected(*current)) return refuse(protection(key));
    if (current->deleting()) continue;
    draft.result.leaving.push_back({Applied::What::deleted, *current, *current, true, "deletion requested", {}});
  }
  if (!order.set.prune || order.set.name.empty()) return {};
  if (order.sources.empty() && !order.set.may_be_empty && !order.set.leaving)
    return refuse(not_pruned("nothing is left of the set " + printable(order.set.name) +
                                 ", and an empty set never means to delete all",
                             "delete the objects by name, or keep one document"));
  auto members = this->members(order.project, order.set.name);
  if (!members) return refuse(members.error());
  std::set<Key> candidates;
  if (order.set.leaving) {
    for (const Key& key : *order.set.leaving)
      if (members->contains(key)) candidates.insert(key);
  } else {
    for (const auto& [key, file] : *members) candidates.insert(key);
  }
  std::string unconfirmed;
  size_t pruned = 0;
  for (const Key& key : candidates) {
    if (wanted.contains(key)) continue;
    const Resource* current = snapshot.find(key);
    if (snapshot.trouble()) return refuse(*snapshot.trouble());
    if (!current || current->deleting()) continue;
    Applied item{Applied::What::pruned, *current, *current, true, "", {}};
    const bool retained = policy_of(*current) == "Retain";
    item.message = retained ? "left the set; what it stands for is kept" : "left the set";
    if (is_protected(*current)) {
      item.what = Applied::What::kept;
      item.message = "protected: set spec.deletionProtection to false first";
    } else if (needs_confirmation(*current) && !order.set.confirmed.contains(key)) {
      item.what = Applied::What::kept;
      item.message = current->kind == "DatabaseInstance" ? "its database would stop: this has to be confirmed"
                                                         : "its data would be lost: this has to be confirmed";
      unconfirmed += (unconfirmed.empty() ? "" : ",") + to_string(key);
    } else {
      ++pruned;
    }
    draft.result.leaving.push_back(std::move(item));
  }
  if (!unconfirmed.empty() && !order.set.keep_unconfirmed)
    return refuse(not_pruned(unconfirmed + " left the set " + printable(order.set.name) +
                                 ", and pruning that has to be confirmed",
                             "--confirm " + unconfirmed + "; or put it back into the files; nothing was changed"));
  if (pruned > order.set.max_delete)
    return refuse(not_pruned(std::to_string(pruned) + " objects left the set " + printable(order.set.name) + ", and " +
                                 std::to_string(order.set.max_delete) + " may be pruned at once",
                             "look whether that is meant; then raise the limit: --max-delete " +
                                 std::to_string(pruned) + "; nothing was changed"));
  return {};
}

void Applier::stage_leaving(Txn& txn, const Applied& item, const std::string& author) const {
  Resource next = item.after;
  next.metadata.deletion_timestamp = clock_.wall();
  ++next.metadata.generation;
  objects_.stage_put(txn, next, author);
  Event event;
  event.time = next.metadata.deletion_timestamp;
  event.object = next.key();
  event.action = item.what == Applied::What::pruned ? "prune" : "delete";
  event.by = author;
  event.message = item.message;
  objects_.stage_event(txn, event);
}

Attempt<Resource> Applier::remove(const Key& key, const std::string& author, const std::string& must_match) {
  for (int tries = 0; tries < kApplyTries; ++tries) {
    std::lock_guard lock(writing_);
    auto found = objects_.get(key);
    if (!found) return refuse(found.error());
    if (!*found) return refuse(404, "NOT_FOUND", printable(to_string(key)) + " not found in project " + key.project);
    Resource& current = **found;
    if (!must_match.empty() && must_match != "*" && must_match != etag_of(current))
      return refuse(412, "CONFLICT", to_string(key) + " was changed meanwhile", "read it again, then decide");
    if (current.deleting()) return std::move(current);
    if (is_protected(current)) return refuse(protection(key));
    Txn txn;
    stage_leaving(txn, {Applied::What::deleted, {}, current, true, "deletion requested", {}}, author);
    auto done = commit(txn);
    if (done) {
      current.metadata.deletion_timestamp = clock_.wall();
      ++current.metadata.generation;
      current.metadata.resource_version = *done;
      return std::move(current);
    }
    if (done.error().code != Code::conflict) return refuse(done.error());
  }
  return refuse(Error{Code::conflict, "others kept changing " + to_string(key), "try again"});
}

}  // namespace trove
