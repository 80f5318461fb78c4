// One document beside what is stored: whose fields it changes, and what becomes of the object.
#include <algorithm>

#include "reconciler/api/drafts.hpp"
#include "reconciler/secrets.hpp"
#include "specs/core/digest.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr size_t kMaxTold = 5;  // changes spelled out in an event

std::string told(const Value& value) {
  if (value.is_null()) return "(none)";
  std::string text = value.is_list() || value.is_map() ? dump_json(value) : value.as_written();
  return printable(text, 60);
}

std::string describe(const std::vector<FieldChange>& changes, bool words_changed) {
  std::string out = "configured";
  size_t n = 0;
  for (const FieldChange& change : changes) {
    if (n == kMaxTold) break;
    out += (n++ ? ", " : ": ") + change.path + ' ' + told(change.before) + " → " + told(change.after);
  }
  if (changes.size() > n) out += " and " + std::to_string(changes.size() - n) + " more";
  if (words_changed) out += n ? ", labels or annotations" : ": labels or annotations";
  return out;
}

bool only_common(const std::vector<FieldChange>& changes) {
  return std::all_of(changes.begin(), changes.end(), [](const FieldChange& change) {
    return change.path.starts_with("spec.") && is_common_field(std::string_view(change.path).substr(5));
  });
}

std::string file_of(const Source& source) { return source.file == kBody ? std::string() : source.file; }

Problem problem_of(const FieldConflict& conflict, bool git) {
  Problem problem;
  problem.code = Code::conflict;
  problem.path = dotted(conflict.pointer);
  problem.at = conflict.ours.at;
  problem.message = "managed by " + told(conflict.owner, conflict.line);
  problem.hint = git ? "change it there, or leave it out here"
                     : "change it there, leave it out here, take it for a while (--break-glass 4h), or take it over "
                       "(--force-conflicts)";
  return problem;
}

}  // namespace

// Values are sealed, those that did not change stay sealed as they are. False when a problem was added.
bool Applier::seal(Resource& next, const Resource* current, Problems& problems) const {
  Value* data = next.spec.find("data");
  if (!data) return true;
  bool fine = true;
  for (Value::Member& member : data->mutable_members()) {
    const Value* stored = current ? current->spec["data"].find(member.key) : nullptr;
    const std::string given = member.value.text();
    const Position at = member.value.at;
    const auto set = [&](Value value) { member.value = std::move(value), member.value.at = at; };
    if (given == kHidden) {
      if (stored) {
        set(*stored);
        continue;
      }
      Problem problem;
      problem.path = "spec.data." + member.key;
      problem.message = "(hidden) keeps the stored value, and none is stored";
      problem.hint = "write the value itself";
      problems.push_back(std::move(problem));
      fine = false;
      continue;
    }
    const std::string place = secret_place(next, member.key);
    if (stored) {
      auto plain = sealer_.unseal(stored->text(), place);
      if (plain && same_bytes(plain->reveal(), given)) {
        set(*stored);
        continue;
      }
    }
    set(sealer_.seal(Secret(given), place, rng_));
  }
  return fine;
}

// The fields of `wanted` laid over what is stored, by the rules of who owns what.
void Applier::merge(Draft& draft, size_t i, const Resource& current, Snapshot& snapshot, Applied& item,
                    Problems& problems) {
  const ApplyOrder& order = draft.order;
  const Kind& kind = *find_kind(current.kind);
  FieldOwner who;
  who.manager = order.manager;
  who.time = clock_.wall();
  who.commit = order.commit;
  who.file = file_of(order.sources[i]);
  if (order.until) who.until = who.time + *order.until;
  const Ownership before = snapshot.fields_of(current);
  const Taking taking = order.replace                          ? Taking::replace
                        : order.force_conflicts || order.until ? Taking::force
                                                               : Taking::refuse;
  Resource named = draft.wanted[i];
  named.metadata.uid = current.metadata.uid;  // what is sealed is bound to the object
  if (named.kind == "Secret" && !seal(named, &current, problems)) return;
  Merged merged = merge_apply(kind, current, before, named, std::move(who), taking);
  for (const FieldConflict& conflict : merged.conflicts)
    problems.push_back(problem_of(conflict, order.manager.starts_with("git:")));
  for (const std::string& pointer : merged.held)
    item.warnings.push_back(dotted(pointer) + " is held by a break-glass edit; this takes effect when that ends");
  const bool partial = !draft.missing[i].empty();
  if (merged.conflicts.empty() && (partial || !(merged.resource.spec == named.spec))) {
    Problems found;  // together they must be a whole and sound object
    if (!decode_resource(to_value(merged.resource), order.project, order.sources[i].file, static_cast<int>(i), found))
      for (Problem& problem : found) problems.push_back(std::move(problem));
  }
  item.after = std::move(merged.resource);
  draft.owners[i] = std::move(merged.ownership);
}

Applied Applier::compare(Draft& draft, size_t i, const Resource* current, Snapshot& snapshot, Problems& problems,
                         Problems& immutable) {
  const ApplyOrder& order = draft.order;
  const Resource& wanted = draft.wanted[i];
  const Kind& kind = *find_kind(wanted.kind);
  draft.owners.emplace_back();
  draft.owners_changed.push_back(false);
  Applied item;
  if (!current) {
    problems = draft.missing[i];
    item.after = wanted;
    item.after.status = Value::map();
    Metadata& metadata = item.after.metadata;
    metadata = {};
    metadata.labels = wanted.metadata.labels;
    metadata.annotations = wanted.metadata.annotations;
    metadata.name = wanted.metadata.name;
    metadata.project = order.project;
    metadata.generation = 1;
    if (!objects_.take_retained(item.after)) metadata.uid = new_uid(rng_);
    metadata.creation_timestamp = clock_.wall();
    FieldOwner who;
    who.manager = order.manager;
    who.time = metadata.creation_timestamp;
    who.commit = order.commit;
    who.file = file_of(order.sources[i]);
    draft.owners[i] = own_all(kind, item.after, std::move(who));
    draft.owners[i].set = order.set.name;
    draft.owners_changed[i] = true;
    if (wanted.kind == "Secret") seal(item.after, nullptr, problems);
    item.what = Applied::What::created;
    item.spec_changed = true;
    item.message = "created";
    return item;
  }
  item.before = *current;
  item.after = *current;
  merge(draft, i, *current, snapshot, item, problems);
  item.after.status = Value::map();
  const Ownership before = snapshot.fields_of(*current);
  Ownership& owners = draft.owners[i];
  if (!order.set.name.empty() && owners.set != order.set.name) {
    const bool may_move = order.force_conflicts && !order.set.name.starts_with("git:");  // two sources would take turns
    if (!owners.set.empty() && !may_move) {
      Problem problem;
      problem.code = Code::conflict;
      problem.message = to_string(wanted.key()) + " is in the set " + printable(owners.set);
      problem.hint = "take it out there first, or move it over: --force-conflicts";
      problems.push_back(std::move(problem));
    }
    owners.set = order.set.name;
  }
  draft.owners_changed[i] = !same_owners(before, owners);
  if (!problems.empty()) return item;
  Metadata& metadata = item.after.metadata;
  std::vector<FieldChange> changes;
  item.spec_changed = !(with_defaults(kind, current->spec) == with_defaults(kind, item.after.spec));
  if (item.spec_changed) {
    changes = diff_specs(kind, current->spec, item.after.spec);
    check_update(*current, item.after, item.after.spec, immutable);
    ++metadata.generation;
  } else {
    item.after.spec = current->spec;  // defaults that were spelled out are no change
  }
  const bool words =
      !(metadata.labels == current->metadata.labels) || !(metadata.annotations == current->metadata.annotations);
  if (item.spec_changed || words) {
    item.what = Applied::What::configured;
    item.message = describe(changes, words);
  }
  if (item.spec_changed) {
    metadata.annotations.erase(kCalmPlan);
    metadata.annotations.erase(kPlanId);
    if (!order.plan.empty()) metadata.annotations.set(order.calm ? kCalmPlan : kPlanId, order.plan);
  }
  // How an object goes may still be changed while it goes: that is how a stuck deletion is ended.
  if (current->deleting() && (changes.empty() || !only_common(changes))) {
    Problem problem;
    problem.code = Code::conflict;
    problem.message = to_string(wanted.key()) + " is being deleted";
    problem.hint =
        "wait until it is gone (trovectl wait --for=delete " + to_string(wanted.key()) + "), then apply again";
    problems.push_back(std::move(problem));
  }
  return item;
}

}  // namespace trove
