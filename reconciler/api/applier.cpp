// Decode, check, and write everything or nothing in one transaction.
#include "reconciler/api/applier.hpp"

#include <algorithm>

#include "reconciler/api/drafts.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr size_t kGeneratedCharacters = 5;

std::string generated_name(const std::string& prefix, Rng& rng) {
  static constexpr char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string name = prefix;
  for (size_t i = 0; i < kGeneratedCharacters; ++i) name += digits[rng.next() % 36];
  return name;
}

bool meets(const std::string& must_match, const Resource* current) {
  if (must_match.empty()) return true;
  return current && (must_match == "*" || must_match == etag_of(*current) || must_match == "W/" + etag_of(*current));
}

}  // namespace

std::string etag_of(const Resource& resource) { return '"' + std::to_string(resource.metadata.resource_version) + '"'; }

std::string_view to_string(Applied::What what) {
  switch (what) {
    case Applied::What::created: return "created";
    case Applied::What::configured: return "configured";
    case Applied::What::unchanged: return "unchanged";
    case Applied::What::pruned: return "pruned";
    case Applied::What::kept: return "kept";
    case Applied::What::deleted: return "deleted";
  }
  return "unchanged";
}

Value results_of(const ApplyResult& result) {
  if (result.before) return *result.before;
  Value results = Value::list();
  for (const auto* items : {&result.items, &result.leaving}) {
    for (const Applied& item : *items) {
      Value warnings = Value::list();
      for (const std::string& warning : item.warnings) warnings.push_back(warning);
      Value one = Value::map({{"kind", item.after.kind},
                              {"name", item.after.metadata.name},
                              {"result", to_string(item.what)},
                              {"generation", item.after.metadata.generation},
                              {"warnings", std::move(warnings)}});
      if (item.what == Applied::What::kept || item.what == Applied::What::pruned) one.set("message", item.message);
      results.push_back(std::move(one));
    }
  }
  return results;
}

void add(Findings& findings, size_t document, std::string path, std::string message, Code code, std::string hint) {
  Problem problem;
  problem.document = static_cast<int>(document);
  problem.path = std::move(path);
  problem.message = std::move(message);
  problem.hint = std::move(hint);
  problem.code = code;
  std::string shown_code(code_of(problem));
  findings.emplace_back(std::move(problem), std::move(shown_code));
}

void take(Findings& findings, Problems&& problems, size_t document, std::string_view code) {
  for (Problem& problem : problems) {
    problem.document = static_cast<int>(document);
    std::string its(code.empty() ? code_of(problem) : code);
    findings.emplace_back(std::move(problem), std::move(its));
  }
}

Attempt<Applier::Draft> Applier::decode(const ApplyOrder& order) {
  Draft out{order, {}, {}, {}, {}, {}, {}};
  Findings findings;
  std::map<Key, size_t> seen;
  if (order.sources.size() + order.removed.size() > kMaxDocuments)
    return refuse(413, "TOO_LARGE", "more than " + std::to_string(kMaxDocuments) + " documents",
                  "apply them in parts");
  for (size_t i = 0; i < order.sources.size(); ++i) {
    const Source& source = order.sources[i];
    const int index = static_cast<int>(i);
    Problems problems, missing;
    auto resource = decode_resource(source.document, order.project, source.file, index, problems);
    if (!resource && !order.replace) {  // one of several owners, perhaps
      Problems rest;
      resource = decode_resource(source.document, order.project, source.file, index, rest, Extent::some);
      if (resource) missing = std::move(problems);
      problems = resource ? Problems{} : std::move(problems);
    }
    take(findings, std::move(problems), i);
    if (!resource) continue;
    if (resource->metadata.project != order.project) {
      add(findings, i, "metadata.project",
          "is " + printable(resource->metadata.project) + ", but the request is for project " + order.project,
          Code::invalid, "apply it with --project " + printable(resource->metadata.project));
    }
    if (resource->metadata.name.empty())
      resource->metadata.name = generated_name(resource->metadata.generate_name, rng_);
    auto [first, fresh] = seen.emplace(resource->key(), i);
    if (!fresh) {
      add(findings, i, "metadata.name",
          to_string(resource->key()) + " is in this set twice (also document " + std::to_string(first->second) + ")",
          Code::invalid, "keep one of the two");
    }
    out.wanted.push_back(std::move(*resource));
    out.missing.push_back(std::move(missing));
  }
  if (!findings.empty()) return refuse(std::move(findings));
  return out;
}

Attempt<void> Applier::check(Draft& draft) {
  const ApplyOrder& order = draft.order;
  Findings findings;
  Snapshot snapshot(objects_, order.project);
  snapshot.preload(draft.wanted);
  draft.result = {};
  draft.merged.clear();
  draft.owners.clear();
  draft.owners_changed.clear();
  std::vector<size_t> changed;
  for (size_t i = 0; i < draft.wanted.size(); ++i) {
    Resource& wanted = draft.wanted[i];
    while (!wanted.metadata.generate_name.empty() && snapshot.find(wanted.key()))
      wanted.metadata.name = generated_name(wanted.metadata.generate_name, rng_);
    const Resource* current = snapshot.find(wanted.key());
    if (snapshot.trouble()) return refuse(*snapshot.trouble());
    if ((order.must_be_absent && current) || !meets(order.must_match, current)) {
      const char* why = !current               ? " does not exist"
                        : order.must_be_absent ? " exists already"
                                               : " was changed meanwhile";
      return refuse(412, "CONFLICT", to_string(wanted.key()) + why, "read it again, then decide");
    }
    Problems problems, immutable;
    Applied item = compare(draft, i, current, snapshot, problems, immutable);
    if (snapshot.trouble()) return refuse(*snapshot.trouble());
    take(findings, std::move(problems), i);
    take(findings, std::move(immutable), i, "CONFIG_IMMUTABLE");
    if (current && item.spec_changed && wanted.kind == "ConfigurationGroup") {
      size_t users = snapshot.referring("DatabaseInstance", "configurationRef", {wanted.metadata.name}).size();
      if (users > 1) item.warnings.push_back("changes " + std::to_string(users) + " instances, which share it");
    }
    if (item.spec_changed) changed.push_back(i);
    draft.merged.push_back(item.after);
    draft.result.items.push_back(std::move(item));
  }
  std::vector<Value> located;  // of the merged: what came from the document has its place
  for (const Resource& merged : draft.merged) located.push_back(Value::map({{"spec", merged.spec}}));
  Problems problems;
  check_references(
      draft.merged, located, [&](const Key& key) { return snapshot.find(key); }, problems);
  for (Problem& problem : problems) {
    std::string code(code_of(problem));
    findings.emplace_back(std::move(problem), std::move(code));
  }
  check_rules(draft.merged, changed, snapshot, findings);
  if (snapshot.trouble()) return refuse(*snapshot.trouble());
  if (!findings.empty()) {
    std::stable_sort(findings.begin(), findings.end(),
                     [](const auto& a, const auto& b) { return a.first.document < b.first.document; });
    return refuse(std::move(findings));
  }
  return choose_leaving(draft, snapshot);
}

void Applier::stage(const Draft& draft, Txn& txn) {
  const ApplyOrder& order = draft.order;
  std::set<std::string> guarded;
  for (size_t i = 0; i < draft.result.items.size(); ++i) {
    const Applied& item = draft.result.items[i];
    if (draft.owners_changed[i]) {
      if (item.what == Applied::What::unchanged) {  // the record alone: the object must be the one that was compared
        const std::string key = Objects::spec_key(item.after.key());
        txn.guards.push_back({Guard::What::modified_is, key, item.after.metadata.resource_version});
      }
      objects_.stage_fields(txn, item.after, draft.owners[i]);
    }
    if (item.what == Applied::What::unchanged) continue;
    objects_.stage_put(txn, item.after, item.spec_changed ? order.author : "", order.plan);
    guarded.insert(Objects::spec_key(item.after.key()));
    Event event;
    event.time = clock_.wall();
    event.object = item.after.key();
    event.action = "spec";
    event.by = order.author;
    event.message = item.message;
    objects_.stage_event(txn, event);
  }
  for (const Applied& item : draft.result.leaving)
    if (item.what != Applied::What::kept) stage_leaving(txn, item, order.author);
  // What is referred to must still be there when this is committed.
  for (const Applied& item : draft.result.items) {
    if (item.what == Applied::What::unchanged) continue;
    for (const Reference& reference : references_of(item.after)) {
      const Key target{order.project, reference.kind, reference.name};
      std::string key = Objects::spec_key(target);
      if (guarded.insert(key).second && std::none_of(draft.wanted.begin(), draft.wanted.end(),
                                                     [&](const Resource& one) { return one.key() == target; }))
        txn.guards.push_back({Guard::What::present, key, 0});
    }
  }
}

Result<Revision> Applier::commit(Txn& txn) {
  txn.id = new_uid(rng_);
  auto done = objects_.commit(txn);
  if (!done && done.error().code == Code::outcome_unknown) done = objects_.commit(txn);  // its id makes this safe
  return done;
}

// An answer that was given before.
Attempt<std::optional<ApplyResult>> Applier::earlier(const ApplyOrder& order) {
  if (order.once.key.empty()) return std::optional<ApplyResult>();
  auto stored = objects_.store().get("/once/" + order.project + "/" + order.once.key);
  if (!stored) return refuse(stored.error());
  if (!*stored) return std::optional<ApplyResult>();
  auto value = parse_stored_json((*stored)->value);
  if (!value) return refuse(value.error());
  if ((*value)["digest"].text() != order.once.digest)
    return refuse(422, "CONFLICT", "this idempotency key was used for another request",
                  "every request needs a key of its own; the same one is for sending the same again");
  ApplyResult out;
  out.revision = (*stored)->modified;
  out.before = (*value)["results"];
  return std::optional<ApplyResult>(std::move(out));
}

Attempt<void> Applier::stage_once(const Draft& draft, Txn& txn) {
  const Once& once = draft.order.once;
  if (once.key.empty()) return {};
  const Time now = clock_.wall();
  if (once_lease_.id == 0 || now - once_leased_ > kOnceKept / 24) {  // one lease for an hour's keys
    auto lease = objects_.store().grant(kOnceKept);
    if (!lease) return refuse(lease.error());
    once_lease_ = *lease;
    once_leased_ = now;
  }
  const Value value = Value::map({{"digest", once.digest}, {"results", results_of(draft.result)}});
  txn.ops.push_back({Op::Kind::put, "/once/" + draft.order.project + "/" + once.key, dump_json(value), once_lease_.id});
  return {};
}

Attempt<ApplyResult> Applier::apply(const ApplyOrder& order, const LastWord& last_word) {
  auto draft = decode(order);
  if (!draft) return tl::unexpected(draft.error());
  Error last{Code::conflict, "others change the same objects", "try again"};
  for (int tries = 0; tries < kApplyTries; ++tries) {
    std::unique_lock lock(writing_);
    auto before = earlier(order);
    if (!before) return tl::unexpected(before.error());
    if (*before) return std::move(**before);
    if (auto checked = check(*draft); !checked) return tl::unexpected(checked.error());
    if (last_word)
      if (auto agreed = last_word(draft->result); !agreed) return tl::unexpected(agreed.error());
    Txn txn;
    stage(*draft, txn);
    if (order.dry_run) {
      draft->result.revision = objects_.store().revision();
      return std::move(draft->result);
    }
    if (auto noted = stage_once(*draft, txn); !noted) return tl::unexpected(noted.error());
    if (txn.ops.empty()) {
      draft->result.revision = objects_.store().revision();
      return std::move(draft->result);
    }
    auto done = commit(txn);
    if (done) {
      draft->result.revision = *done;
      bool earlier_end = false;
      if (order.until) {
        const Time end = clock_.wall() + *order.until;
        earlier_end = !next_end_.set() || end < next_end_;
        if (earlier_end) next_end_ = end;
      }
      lock.unlock();
      if (earlier_end && on_earlier_end) on_earlier_end();
      return std::move(draft->result);
    }
    if (done.error().code != Code::conflict) return refuse(done.error());
    last = done.error();
  }
  return refuse(Error{Code::conflict, "others kept changing the same objects: " + last.message, "try again"});
}

}  // namespace trove
