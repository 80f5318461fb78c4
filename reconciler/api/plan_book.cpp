#include "reconciler/api/plan_book.hpp"

#include <algorithm>

#include "specs/core/digest.hpp"
#include "specs/json.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/lines.hpp"

namespace trove {
namespace {

constexpr Millis kPlanKept{7 * 24 * 3'600'000LL};
constexpr size_t kPlanPiece = 128u << 10;  // of the stored text, before it is sealed
constexpr size_t kMaxPlanBytes = 32u << 20;
constexpr size_t kMaxMoved = 50;           // named in a refusal
constexpr std::string_view kGitSet = "git:";

std::string plan_key(const std::string& project, const std::string& id, size_t piece) {
  char number[8];
  std::snprintf(number, sizeof number, "%04zu", piece);
  return "/plan/" + project + "/" + id + "/" + number;
}

Value keys_to_value(const std::vector<Key>& keys) {
  Value out = Value::list();
  for (const Key& key : keys) out.push_back(Value::map({{"kind", key.kind}, {"name", key.name}}));
  return out;
}

Value order_to_value(const ApplyOrder& order) {
  Value sources = Value::list();
  for (const Source& source : order.sources)
    sources.push_back(
        Value::map({{"file", source.file}, {"object", source.document}, {"lines", lines_of(source.document)}}));
  const std::vector<Key> confirmed(order.set.confirmed.begin(), order.set.confirmed.end());
  Value set = Value::map({{"name", order.set.name},
                          {"prune", order.set.prune},
                          {"maxDelete", static_cast<int64_t>(order.set.max_delete)},
                          {"confirmed", keys_to_value(confirmed)},
                          {"keepUnconfirmed", order.set.keep_unconfirmed},
                          {"mayBeEmpty", order.set.may_be_empty}});
  if (order.set.leaving) set.set("leaving", keys_to_value(*order.set.leaving));
  return Value::map({{"manager", order.manager},
                     {"commit", order.commit},
                     {"sources", std::move(sources)},
                     {"removed", keys_to_value(order.removed)},
                     {"force", order.force_conflicts},
                     {"until", order.until ? order.until->count() : int64_t{0}},
                     {"set", std::move(set)}});
}

std::vector<Key> keys_from(const Value& list, const std::string& project) {
  std::vector<Key> out;
  for (const Value& key : list.items()) out.push_back({project, key["kind"].text(), key["name"].text()});
  return out;
}

ApplyOrder order_from_value(const Value& value, const std::string& project) {
  ApplyOrder out;
  out.project = project;
  out.manager = value["manager"].text();
  out.commit = value["commit"].text();
  for (const Value& source : value["sources"].items()) {
    out.sources.push_back({source["object"], source["file"].text()});
    locate(out.sources.back().document, source["lines"]);
  }
  out.removed = keys_from(value["removed"], project);
  out.force_conflicts = value["force"].bool_or(false);
  if (const int64_t until = value["until"].int_or(0)) out.until = Millis{until};
  const Value& set = value["set"];
  out.set.name = set["name"].text();
  out.set.prune = set["prune"].bool_or(false);
  out.set.max_delete = static_cast<size_t>(set["maxDelete"].int_or(0));
  for (Key& key : keys_from(set["confirmed"], project)) out.set.confirmed.insert(std::move(key));
  if (set["leaving"].is_list()) out.set.leaving = keys_from(set["leaving"], project);
  out.set.keep_unconfirmed = set["keepUnconfirmed"].bool_or(false);
  out.set.may_be_empty = set["mayBeEmpty"].bool_or(false);
  return out;
}

Value as_it_is(const Resource* resource) {
  return Value::map({{"uid", resource ? resource->metadata.uid : ""},
                     {"version", resource ? std::to_string(resource->metadata.resource_version) : "0"},
                     {"generation", resource ? resource->metadata.generation : int64_t{0}}});
}

// What the plan rests on: each object as it was.
Value base_of(const ApplyResult& ahead) {
  Value out = Value::map();
  for (const auto* items : {&ahead.items, &ahead.leaving})
    for (const Applied& item : *items)
      out.set(to_string(item.after.key()), as_it_is(item.before ? &*item.before : nullptr));
  return out;
}

Value blocked_entry(const Key& key, std::string why) {
  Value notes = Value::list();
  notes.push_back(std::move(why));
  return Value::map({{"op", "blocked"},
                     {"kind", key.kind},
                     {"name", key.name},
                     {"changes", Value::list()},
                     {"notes", std::move(notes)}});
}

std::string step_text(const Value& step) {
  return step["action"].text() + " " + step["object"].text() +
         (step["detail"].text().empty() ? "" : " " + step["detail"].text());
}

void moved(Findings& findings, std::string path, std::string message) {
  if (findings.size() >= kMaxMoved) return;
  Problem problem;
  problem.code = Code::conflict;
  problem.path = std::move(path);
  problem.message = std::move(message);
  findings.emplace_back(std::move(problem), "CONFLICT");
}

// Steps in one list and not in the other, whatever their order.
void compare_steps(const Value& then, const Value& now, Findings& findings) {
  std::map<std::string, int> count;
  for (const Value& step : then.items()) ++count[step_text(step)];
  for (const Value& step : now.items()) --count[step_text(step)];
  for (const auto& [text, difference] : count) {
    if (difference > 0) moved(findings, "actions", "no longer needed: " + text);
    if (difference < 0) moved(findings, "actions", "would be needed as well: " + text);
  }
  const auto bare = [](Value steps) {  // what to expect may have been learned meanwhile
    for (Value& step : steps.mutable_items()) step.erase("expected");
    return steps;
  };
  if (findings.empty() && !(bare(then) == bare(now)))
    moved(findings, "actions", "the order or the effect of the actions changed");
}

void compare_facts(const Value& then, const Value& now, Findings& findings) {
  for (const Value::Member& fact : then.members()) {
    const Value* other = now.find(fact.key);
    if (!other || !(*other == fact.value))
      moved(findings, fact.key, "was " + fact.value.as_written() + ", is " + (other ? other->as_written() : "gone"));
  }
  for (const Value::Member& fact : now.members())
    if (!then.find(fact.key)) moved(findings, fact.key, "is new: " + fact.value.as_written());
}

void compare_bases(const Value& then, const Value& now, Findings& findings) {
  for (const Value::Member& object : then.members()) {
    const Value* is = now.find(object.key);
    if (is && *is == object.value) continue;
    const int64_t before = object.value["generation"].int_or(0), after = is ? (*is)["generation"].int_or(0) : 0;
    moved(findings, object.key,
          before == 0             ? "exists by now"
          : !is || after == 0     ? "is gone"
          : before == after       ? "its labels or annotations were changed"
                                  : "was changed: generation " + std::to_string(before) + " → " + std::to_string(after));
  }
  for (const Value::Member& object : now.members())
    if (!then.find(object.key)) moved(findings, object.key, "was not part of the plan");
}

void compare_plans(const Value& then, const Value& now, Findings& findings) {
  compare_facts(then["facts"], now["facts"], findings);
  compare_steps(then["actions"], now["actions"], findings);
}

std::string first_of(const Findings& findings) {
  if (findings.empty()) return {};
  std::string out = findings[0].first.path + ": " + findings[0].first.message;
  if (findings.size() > 1) out += " (and " + std::to_string(findings.size() - 1) + " more)";
  return out;
}

}  // namespace

bool is_plan_id(std::string_view text) {
  return text.starts_with("pl-") && text.size() == 11 &&
         text.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
}

// The plan of what `ahead` would store. Called under the Applier's mutex.
Attempt<Value> PlanBook::plan_ahead(const std::string& project, const ApplyResult& ahead) {
  std::vector<Resource> proposed;
  std::vector<Key> removed;
  for (const Applied& item : ahead.items) proposed.push_back(item.after);
  for (const Applied& item : ahead.leaving)
    if (item.what != Applied::What::kept) removed.push_back(item.after.key());
  auto plan = plans_.plan(project, proposed, removed);
  if (!plan) return refuse(plan.error());
  for (size_t i = 0; i < ahead.items.size(); ++i) {
    Value* objects = plan->find("objects");
    Value* entry = objects && i < objects->size() ? &objects->mutable_items()[i] : nullptr;
    Value* notes = entry ? entry->find("notes") : nullptr;
    for (const std::string& warning : ahead.items[i].warnings)
      if (notes) notes->push_back(warning);
  }
  for (const Applied& item : ahead.leaving) {
    if (item.what != Applied::What::kept) continue;
    if (Value* objects = plan->find("objects")) objects->push_back(blocked_entry(item.after.key(), item.message));
  }
  return std::move(*plan);
}

Attempt<PlanBook::Proposal> PlanBook::propose(ApplyOrder order, const std::vector<Key>& blocked) {
  Proposal out;
  const bool keep_unconfirmed = order.set.keep_unconfirmed;
  order.dry_run = true;
  order.once = {};
  order.set.keep_unconfirmed = true;  // a plan shows what is blocked; the apply refuses, where it has to
  auto done = applier_.apply(order, [&](const ApplyResult& ahead) -> Attempt<void> {
    auto made = plan_ahead(order.project, ahead);
    if (!made) return tl::unexpected(made.error());
    out.plan = std::move(*made);
    out.base = base_of(ahead);
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  for (const Key& key : blocked)
    if (Value* objects = out.plan.find("objects"))
      objects->push_back(blocked_entry(key, "deletionProtection: deleting it is refused"));
  out.plan.set("digest", sha256_hex(canonical_json(Value::map(
                             {{"base", out.base}, {"facts", out.plan["facts"]}, {"actions", out.plan["actions"]}}))));
  order.set.keep_unconfirmed = keep_unconfirmed;
  for (size_t i = 0; i < done->items.size(); ++i) {  // a name that was made up is part of the plan
    Value* metadata = order.sources[i].document.find("metadata");
    if (!metadata || !metadata->erase("generateName")) continue;
    metadata->set("name", done->items[i].after.metadata.name);
  }
  out.order = std::move(order);
  out.ahead = std::move(*done);
  return out;
}

Attempt<void> PlanBook::keep(Proposal& proposal) {
  const std::string id = "pl-" + new_uid(rng_).substr(0, 8);
  Value& plan = proposal.plan;
  plan.set("id", id);
  plan.set("author", proposal.order.author);
  plan.set("createdAt", format_time(clock_.wall()));
  plan.set("expiresAt", format_time(clock_.wall() + kPlanKept));
  const Value record =
      Value::map({{"plan", plan}, {"base", proposal.base}, {"order", order_to_value(proposal.order)}});
  return store(proposal.order.project, id, dump_json(record));
}

// In pieces, for a value of the store is small, and sealed, for documents may hold secrets.
Attempt<void> PlanBook::store(const std::string& project, const std::string& id, const std::string& text) {
  if (text.size() > kMaxPlanBytes)
    return refuse(413, "TOO_LARGE", "the plan is larger than " + std::to_string(kMaxPlanBytes >> 20) + " MiB",
                  "plan in parts");
  auto lease = objects_.store().grant(kPlanKept);
  if (!lease) return refuse(lease.error());
  Txn txn;
  for (size_t at = 0, piece = 0; at < text.size(); at += kPlanPiece, ++piece) {
    const std::string key = plan_key(project, id, piece);
    txn.guards.push_back({Guard::What::absent, key, 0});
    txn.ops.push_back({Op::Kind::put, key,
                       sealer_.seal(Secret(text.substr(at, kPlanPiece)), key, rng_), lease->id});
  }
  txn.id = new_uid(rng_);
  auto done = objects_.commit(txn);
  if (!done && done.error().code == Code::outcome_unknown) done = objects_.commit(txn);
  if (!done) return refuse(done.error());
  return {};
}

Attempt<Value> PlanBook::record(const std::string& project, const std::string& id) {
  const auto absent = [&] {
    return refuse(404, "NOT_FOUND", "there is no plan " + printable(id) + " in project " + project,
                  "plans are kept for " + format_duration(kPlanKept) + ", and until they are carried out: make a new one");
  };
  if (!is_plan_id(id)) return absent();
  const std::string prefix = "/plan/" + project + "/" + id + "/";
  auto page = objects_.store().range(prefix, prefix_end(prefix), 0);
  if (!page) return refuse(page.error());
  if (page->items.empty()) return absent();
  std::string text;
  for (const KeyValue& piece : page->items) {
    auto plain = sealer_.unseal(piece.value, piece.key);
    if (!plain) return refuse(plain.error());
    text += plain->reveal();
  }
  auto record = parse_json(text, {kMaxPlanBytes, 128, 4'000'000});
  if (!record) return refuse(record.error());
  return std::move(*record);
}

Attempt<Value> PlanBook::get(const std::string& project, const std::string& id) {
  auto kept = record(project, id);
  if (!kept) return tl::unexpected(kept.error());
  return (*kept)["plan"];
}

Attempt<void> PlanBook::drop(const std::string& project, const std::string& id) {
  if (!is_plan_id(id)) return {};
  const std::string prefix = "/plan/" + project + "/" + id + "/";
  auto page = objects_.store().range(prefix, prefix_end(prefix), 0);
  if (!page) return refuse(page.error());
  Txn txn;
  for (const KeyValue& piece : page->items) txn.ops.push_back({Op::Kind::remove, piece.key, "", 0});
  if (txn.ops.empty()) return {};
  if (auto done = objects_.commit(txn); !done) return refuse(done.error());
  return {};
}

Attempt<ApplyResult> PlanBook::carry_out(const std::string& project, const std::string& id, const std::string& author,
                                         const std::string& git_set) {
  auto kept = record(project, id);
  if (!kept) return tl::unexpected(kept.error());
  ApplyOrder order = order_from_value((*kept)["order"], project);
  if (const std::string& set = order.set.name; set.starts_with(kGitSet) && set != git_set) {
    const std::string source = set.substr(kGitSet.size());
    return refuse(409, "POLICY_DENIED", "plan " + id + " is of the GitSource " + source,
                  "trovectl git sync " + source + " --approve " + id);
  }
  order.author = author;
  order.plan = id;
  const Value& then = (*kept)["plan"];
  const auto& steps = then["actions"].items();
  order.calm = std::none_of(steps.begin(), steps.end(), [](const Value& step) { return step.find("interrupts"); });
  return applier_.apply(order, [&](const ApplyResult& ahead) -> Attempt<void> {
    Findings findings;
    compare_bases((*kept)["base"], base_of(ahead), findings);
    if (findings.empty()) {
      auto plan = plan_ahead(project, ahead);
      if (!plan) return tl::unexpected(plan.error());
      compare_plans(then, *plan, findings);
    }
    if (findings.empty()) return {};
    auto refusal = refuse(std::move(findings));
    refusal.value().status = 409;
    refusal.value().detail = "plan " + id + " no longer holds: the specs or the world moved since it was made";
    refusal.value().hint = "make a new plan and look at it: trovectl plan";
    return refusal;
  });
}

Attempt<std::string> PlanBook::moved(const std::string& project, const std::string& id) {
  auto kept = record(project, id);
  if (!kept) return tl::unexpected(kept.error());
  Value now = Value::map();
  for (const Value::Member& object : (*kept)["base"].members()) {
    const size_t slash = object.key.find('/');
    const Kind* kind = find_kind(object.key.substr(0, slash));
    if (!kind || slash == std::string::npos) continue;
    auto stored = objects_.get({project, std::string(kind->name), object.key.substr(slash + 1)});
    if (!stored) return refuse(stored.error());
    now.set(object.key, as_it_is(*stored ? &**stored : nullptr));
  }
  Findings findings;
  compare_bases((*kept)["base"], now, findings);
  return first_of(findings);
}

Attempt<bool> PlanBook::asks(const std::string& project, const std::string& id, const ApplyOrder& order) {
  auto kept = record(project, id);
  if (!kept) return tl::unexpected(kept.error());
  return dump_json((*kept)["order"]) == dump_json(order_to_value(order));
}

Attempt<std::string> PlanBook::differs(const std::string& id, const Proposal& now) {
  auto kept = record(now.order.project, id);
  if (!kept) return tl::unexpected(kept.error());
  Findings findings;
  compare_bases((*kept)["base"], now.base, findings);
  compare_plans((*kept)["plan"], now.plan, findings);
  if (findings.empty() && dump_json((*kept)["order"]) != dump_json(order_to_value(now.order)))
    return std::string("something else is asked for");
  return first_of(findings);
}

Attempt<std::optional<ApplyResult>> PlanBook::settle(const ApplyOrder& order, Ahead& ahead) {
  bool more = false;
  auto done = applier_.apply(order, [&](const ApplyResult& result) -> Attempt<void> {
    ahead.changes.clear();
    for (const Applied& item : result.items) ahead.changes.push_back(item.what != Applied::What::unchanged);
    ahead.leaving = result.leaving;
    more = std::find(ahead.changes.begin(), ahead.changes.end(), true) != ahead.changes.end() ||
           std::any_of(ahead.leaving.begin(), ahead.leaving.end(),
                       [](const Applied& item) { return item.what != Applied::What::kept; });
    if (more) return refuse(409, "CONFLICT", "it would change objects");
    return {};
  });
  if (done) return std::optional<ApplyResult>(std::move(*done));
  if (more) return std::optional<ApplyResult>();
  return tl::unexpected(done.error());
}

}  // namespace trove
