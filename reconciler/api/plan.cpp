// Plans that are kept: POST /plans shows what would be done and remembers it; POST /plans/{id}/apply does exactly that, or
// refuses and names what moved.
#include <algorithm>

#include "reconciler/api/api.hpp"
#include "reconciler/api/body.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"
#include "specs/lines.hpp"

namespace trove {
namespace {

constexpr Millis kPlanKept{7 * 24 * 3'600'000LL};
constexpr size_t kPlanPiece = 128u << 10;  // of the stored text, before it is sealed
constexpr size_t kMaxPlanBytes = 32u << 20;
constexpr size_t kMaxMoved = 50;           // named in a refusal

std::string plan_key(const std::string& project, const std::string& id, size_t piece) {
  char number[8];
  std::snprintf(number, sizeof number, "%04zu", piece);
  return "/plan/" + project + "/" + id + "/" + number;
}

bool is_plan_id(std::string_view text) {
  return text.starts_with("pl-") && text.size() == 11 &&
         text.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
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
  return Value::map({{"manager", order.manager},
                     {"commit", order.commit},
                     {"sources", std::move(sources)},
                     {"removed", keys_to_value(order.removed)},
                     {"force", order.force_conflicts},
                     {"until", order.until ? order.until->count() : int64_t{0}},
                     {"set", Value::map({{"name", order.set.name},
                                         {"prune", order.set.prune},
                                         {"maxDelete", static_cast<int64_t>(order.set.max_delete)},
                                         {"confirmed", keys_to_value(confirmed)}})}});
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
  for (const Value& key : value["removed"].items()) out.removed.push_back({project, key["kind"].text(), key["name"].text()});
  out.force_conflicts = value["force"].bool_or(false);
  if (const int64_t until = value["until"].int_or(0)) out.until = Millis{until};
  const Value& set = value["set"];
  out.set.name = set["name"].text();
  out.set.prune = set["prune"].bool_or(false);
  out.set.max_delete = static_cast<size_t>(set["maxDelete"].int_or(0));
  for (const Value& key : set["confirmed"].items())
    out.set.confirmed.insert({project, key["kind"].text(), key["name"].text()});
  return out;
}

// What the plan rests on: each object as it was.
Value base_of(const ApplyResult& ahead) {
  Value out = Value::map();
  for (const auto* items : {&ahead.items, &ahead.leaving})
    for (const Applied& item : *items)
      out.set(to_string(item.after.key()),
              Value::map({{"uid", item.before ? item.before->metadata.uid : ""},
                          {"version", item.before ? std::to_string(item.before->metadata.resource_version) : "0"},
                          {"generation", item.before ? item.before->metadata.generation : int64_t{0}}}));
  return out;
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
  if (findings.empty() && !(then == now)) moved(findings, "actions", "the order or the effect of the actions changed");
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

}  // namespace

// The plan of what `ahead` would store. Called under the Applier's mutex.
Attempt<Value> Api::plan_ahead(const std::string& project, const ApplyResult& ahead) {
  std::vector<Resource> proposed;
  std::vector<Key> removed;
  for (const Applied& item : ahead.items) proposed.push_back(item.after);
  for (const Applied& item : ahead.leaving)
    if (item.what != Applied::What::kept) removed.push_back(item.after.key());
  auto plan = options_.plans.plan(project, proposed, removed);
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
    Value notes = Value::list();
    notes.push_back(item.message);
    if (Value* objects = plan->find("objects"))
      objects->push_back(Value::map({{"op", "blocked"},
                                     {"kind", item.after.kind},
                                     {"name", item.after.metadata.name},
                                     {"changes", Value::list()},
                                     {"notes", std::move(notes)}}));
  }
  return std::move(*plan);
}

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
  order.dry_run = true;
  order.once = {};
  order.author = call.author();
  order.set.keep_unconfirmed = true;  // a plan shows what is blocked; the apply refuses
  Value plan, base;
  auto done = options_.applier.apply(order, [&](const ApplyResult& ahead) -> Attempt<void> {
    auto made = plan_ahead(call.project, ahead);
    if (!made) return tl::unexpected(made.error());
    plan = std::move(*made);
    base = base_of(ahead);
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  for (const Key& key : blocked) {
    Value notes = Value::list();
    notes.push_back("deletionProtection: deleting it is refused");
    if (Value* objects = plan.find("objects"))
      objects->push_back(Value::map({{"op", "blocked"},
                                     {"kind", key.kind},
                                     {"name", key.name},
                                     {"changes", Value::list()},
                                     {"notes", std::move(notes)}}));
  }
  plan.set("digest", sha256_hex(canonical_json(Value::map({{"base", base}, {"facts", plan["facts"]}, {"actions", plan["actions"]}}))));
  if (!keep) return json_response(200, plan);
  order.set.keep_unconfirmed = false;
  for (size_t i = 0; i < done->items.size(); ++i) {  // a name that was made up is part of the plan
    Value* metadata = order.sources[i].document.find("metadata");
    if (!metadata || !metadata->erase("generateName")) continue;
    metadata->set("name", done->items[i].after.metadata.name);
  }
  const std::string id = "pl-" + new_uid(options_.rng).substr(0, 8);
  plan.set("id", id);
  plan.set("author", order.author);
  plan.set("createdAt", format_time(options_.clock.wall()));
  plan.set("expiresAt", format_time(options_.clock.wall() + kPlanKept));
  const Value record = Value::map({{"plan", plan}, {"base", base}, {"order", order_to_value(order)}});
  if (auto kept = keep_plan(call.project, id, dump_json(record)); !kept) return tl::unexpected(kept.error());
  http::Response out = json_response(201, plan);
  out.headers.emplace_back("Location", "/apis/trove/v1alpha1/projects/" + call.project + "/plans/" + id);
  return out;
}

// In pieces, for a value of the store is small, and sealed, for documents may hold secrets.
Attempt<void> Api::keep_plan(const std::string& project, const std::string& id, const std::string& text) {
  if (text.size() > kMaxPlanBytes)
    return refuse(413, "TOO_LARGE", "the plan is larger than " + std::to_string(kMaxPlanBytes >> 20) + " MiB",
                  "plan in parts");
  auto lease = options_.objects.store().grant(kPlanKept);
  if (!lease) return refuse(lease.error());
  Txn txn;
  for (size_t at = 0, piece = 0; at < text.size(); at += kPlanPiece, ++piece) {
    const std::string key = plan_key(project, id, piece);
    txn.guards.push_back({Guard::What::absent, key, 0});
    txn.ops.push_back({Op::Kind::put, key,
                       options_.sealer.seal(Secret(text.substr(at, kPlanPiece)), key, options_.rng), lease->id});
  }
  txn.id = new_uid(options_.rng);
  auto done = options_.objects.commit(txn);
  if (!done && done.error().code == Code::outcome_unknown) done = options_.objects.commit(txn);
  if (!done) return refuse(done.error());
  return {};
}

Attempt<Value> Api::kept_plan(const std::string& project, const std::string& id) {
  const auto absent = [&] {
    return refuse(404, "NOT_FOUND", "there is no plan " + printable(id) + " in project " + project,
                  "plans are kept for " + format_duration(kPlanKept) + ", and until they are carried out: make a new one");
  };
  if (!is_plan_id(id)) return absent();
  const std::string prefix = "/plan/" + project + "/" + id + "/";
  auto page = options_.objects.store().range(prefix, prefix_end(prefix), 0);
  if (!page) return refuse(page.error());
  if (page->items.empty()) return absent();
  std::string text;
  for (const KeyValue& piece : page->items) {
    auto plain = options_.sealer.unseal(piece.value, piece.key);
    if (!plain) return refuse(plain.error());
    text += plain->reveal();
  }
  auto record = parse_json(text, {kMaxPlanBytes, 128, 4'000'000});
  if (!record) return refuse(record.error());
  return std::move(*record);
}

Attempt<http::Response> Api::get_plan(const Call& call, const std::string& id) {
  auto record = kept_plan(call.project, id);
  if (!record) return tl::unexpected(record.error());
  return json_response(200, (*record)["plan"]);
}

Attempt<http::Response> Api::apply_plan(const Call& call, const std::string& id) {
  auto record = kept_plan(call.project, id);
  if (!record) return tl::unexpected(record.error());
  ApplyOrder order = order_from_value((*record)["order"], call.project);
  order.author = call.author();
  order.plan = id;
  const Value& then = (*record)["plan"];
  auto done = options_.applier.apply(order, [&](const ApplyResult& ahead) -> Attempt<void> {
    Findings findings;
    const Value base = base_of(ahead);
    for (const Value::Member& object : (*record)["base"].members()) {
      const Value* now = base.find(object.key);
      if (now && *now == object.value) continue;
      const int64_t before = object.value["generation"].int_or(0), after = now ? (*now)["generation"].int_or(0) : 0;
      moved(findings, object.key,
            before == 0              ? "exists by now"
            : !now || after == 0     ? "is gone"
            : before == after        ? "its labels or annotations were changed"
                                     : "was changed: generation " + std::to_string(before) + " → " + std::to_string(after));
    }
    for (const Value::Member& object : base.members())
      if (!(*record)["base"].find(object.key)) moved(findings, object.key, "was not part of the plan");
    if (findings.empty()) {
      auto plan = plan_ahead(call.project, ahead);
      if (!plan) return tl::unexpected(plan.error());
      compare_facts(then["facts"], (*plan)["facts"], findings);
      compare_steps(then["actions"], (*plan)["actions"], findings);
    }
    if (findings.empty()) return {};
    auto refusal = refuse(std::move(findings));
    refusal.value().status = 409;
    refusal.value().detail = "plan " + id + " no longer holds: the specs or the world moved since it was made";
    refusal.value().hint = "make a new plan and look at it: trovectl plan";
    return refusal;
  });
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
