// Apply and put: decode, compare with what is stored, check, and write everything or nothing in one transaction.
#include "reconciler/api/apply.hpp"
#include <algorithm>
#include <map>
#include "reconciler/secrets.hpp"
#include "specs/core/digest.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr size_t kMaxTold = 5;  // changes spelled out in an event
constexpr size_t kGeneratedCharacters = 5;

std::string generated_name(const std::string& prefix, Rng& rng) {
  static constexpr char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string name = prefix;
  for (size_t i = 0; i < kGeneratedCharacters; ++i) name += digits[rng.next() % 36];
  return name;
}

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

void add(Findings& findings, size_t document, std::string path, std::string message, Code code, std::string hint = {}) {
  Problem problem;
  problem.document = static_cast<int>(document);
  problem.path = std::move(path);
  problem.message = std::move(message);
  problem.hint = std::move(hint);
  problem.code = code;
  std::string shown_code(code_of(problem));
  findings.emplace_back(std::move(problem), std::move(shown_code));
}

// Takes what a function of specs/ found wrong with one document.
void take(Findings& findings, Problems&& problems, size_t document, std::string_view code = {}) {
  for (Problem& problem : problems) {
    problem.document = static_cast<int>(document);
    std::string its(code.empty() ? code_of(problem) : code);
    findings.emplace_back(std::move(problem), std::move(its));
  }
}

bool meets(const std::string& must_match, const Resource* current) {
  if (must_match.empty()) return true;
  return current && (must_match == "*" || must_match == etag_of(*current) || must_match == "W/" + etag_of(*current));
}

}  // namespace

// Values are sealed, those that did not change stay sealed as they are. False when a problem was added.
bool Api::merge_secret(Resource& next, const Resource* current, Problems& problems) const {
  Value* data = next.spec.find("data");
  if (!data) return true;
  bool fine = true;
  for (Value::Member& member : data->mutable_members()) {
    const Value* stored = current ? current->spec["data"].find(member.key) : nullptr;
    const std::string given = member.value.text();
    if (given == kHidden) {
      if (stored) {
        member.value = *stored;
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
      auto plain = options_.sealer.unseal(stored->text(), place);
      if (plain && same_bytes(plain->reveal(), given)) {
        member.value = *stored;
        continue;
      }
    }
    member.value = options_.sealer.seal(Secret(given), place, options_.rng);
  }
  return fine;
}

Attempt<Api::Prepared> Api::decode(const Call& call, std::vector<Value> documents) const {
  Prepared out;
  Findings findings;
  std::map<Key, size_t> seen;
  const std::string file = call.request.header("content-type").find("yaml") != std::string::npos ? "body" : "";
  for (size_t i = 0; i < documents.size(); ++i) {
    Problems problems;
    auto resource = decode_resource(documents[i], call.project, file, static_cast<int>(i), problems);
    take(findings, std::move(problems), i);
    if (!resource) continue;
    if (resource->metadata.project != call.project) {
      add(findings, i, "metadata.project",
          "is " + printable(resource->metadata.project) + ", but the request is for project " + call.project,
          Code::invalid, "apply it with --project " + printable(resource->metadata.project));
    }
    if (resource->metadata.name.empty())
      resource->metadata.name = generated_name(resource->metadata.generate_name, options_.rng);
    auto [first, fresh] = seen.emplace(resource->key(), i);
    if (!fresh) {
      add(findings, i, "metadata.name",
          to_string(resource->key()) + " is in this set twice (also document " + std::to_string(first->second) + ")",
          Code::invalid, "keep one of the two");
    }
    out.wanted.push_back(std::move(*resource));
  }
  if (!findings.empty()) return refuse(std::move(findings));
  out.documents = std::move(documents);
  return out;
}

// `wanted` as it would be stored, and what that changes.
Api::Item Api::compare(const Call& call, const Resource& wanted, const Resource* current, const Value& located_spec,
                       Problems& problems, Problems& immutable) const {
  const Kind& kind = *find_kind(wanted.kind);
  Item item;
  item.after = wanted;
  item.after.status = Value::map();
  Metadata& metadata = item.after.metadata;
  metadata = current ? current->metadata : Metadata{};
  metadata.labels = wanted.metadata.labels;
  metadata.annotations = wanted.metadata.annotations;
  if (current)  // ours stay
    for (const Value::Member& member : current->metadata.annotations.members())
      if (member.key.starts_with("trove/") && !metadata.annotations.find(member.key))
        metadata.annotations.set(member.key, member.value);
  if (!current) {
    metadata.name = wanted.metadata.name;
    metadata.project = call.project;
    metadata.generation = 1;
    if (!options_.objects.take_retained(item.after)) metadata.uid = new_uid(options_.rng);
    metadata.creation_timestamp = options_.clock.wall();
  }
  if (wanted.kind == "Secret") merge_secret(item.after, current, problems);
  if (!current) {
    item.what = Item::What::created;
    item.spec_changed = true;
    item.message = "created";
    return item;
  }
  item.before = *current;
  std::vector<FieldChange> changes;
  item.spec_changed = !(with_defaults(kind, current->spec) == with_defaults(kind, item.after.spec));
  if (item.spec_changed) {
    changes = diff_specs(kind, current->spec, item.after.spec);
    check_update(*current, item.after, located_spec, immutable);
    ++metadata.generation;
  } else {
    item.after.spec = current->spec;  // defaults that were spelled out are no change
  }
  bool words =
      !(metadata.labels == current->metadata.labels) || !(metadata.annotations == current->metadata.annotations);
  if (item.spec_changed || words) {
    item.what = Item::What::configured;
    item.message = describe(changes, words);
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

Attempt<void> Api::check(const Call& call, Prepared& prepared, const Conditions& conditions) {
  Findings findings;
  Snapshot snapshot(options_.objects, call.project);
  snapshot.preload(prepared.wanted);
  prepared.items.clear();
  std::vector<size_t> changed;
  for (size_t i = 0; i < prepared.wanted.size(); ++i) {
    Resource& wanted = prepared.wanted[i];
    while (!wanted.metadata.generate_name.empty() && snapshot.find(wanted.key())) {
      wanted.metadata.name = generated_name(wanted.metadata.generate_name, options_.rng);
    }
    const Resource* current = snapshot.find(wanted.key());
    if (snapshot.trouble()) return refuse(*snapshot.trouble());
    if ((conditions.must_be_absent && current) || !meets(conditions.must_match, current)) {
      const char* why = !current                    ? " does not exist"
                        : conditions.must_be_absent ? " exists already"
                                                    : " was changed meanwhile";
      return refuse(412, "CONFLICT", to_string(wanted.key()) + why, "read it again, then decide");
    }
    Problems problems, immutable;
    auto item = compare(call, wanted, current, prepared.documents[i]["spec"], problems, immutable);
    take(findings, std::move(problems), i);
    take(findings, std::move(immutable), i, "CONFIG_IMMUTABLE");
    if (current && item.spec_changed && wanted.kind == "ConfigurationGroup") {
      size_t users = snapshot.referring("DatabaseInstance", "configurationRef", {wanted.metadata.name}).size();
      if (users > 1) item.warnings.push_back("changes " + std::to_string(users) + " instances, which share it");
    }
    if (item.spec_changed) changed.push_back(i);
    prepared.items.push_back(std::move(item));
  }
  Problems problems;
  check_references(
      prepared.wanted, prepared.documents, [&](const Key& key) { return snapshot.find(key); }, problems);
  for (Problem& problem : problems) {
    std::string code(code_of(problem));
    findings.emplace_back(std::move(problem), std::move(code));
  }
  check_rules(prepared.wanted, changed, snapshot, findings);
  if (snapshot.trouble()) return refuse(*snapshot.trouble());
  if (findings.empty()) return {};
  std::stable_sort(findings.begin(), findings.end(),
                   [](const auto& a, const auto& b) { return a.first.document < b.first.document; });
  return refuse(std::move(findings));
}

Attempt<Revision> Api::write(const Call& call, Prepared& prepared, const Conditions& conditions, bool dry_run) {
  Error last{Code::conflict, "others change the same objects", "try again"};
  for (int tries = 0; tries < kApplyTries; ++tries) {
    std::lock_guard lock(writing_);
    if (auto checked = check(call, prepared, conditions); !checked) return tl::unexpected(checked.error());
    Txn txn;
    std::set<std::string> guarded;
    for (const Item& item : prepared.items) {
      if (item.what == Item::What::unchanged) continue;
      options_.objects.stage_put(txn, item.after, item.spec_changed ? call.author() : "");
      guarded.insert(Objects::spec_key(item.after.key()));
      Event event;
      event.time = options_.clock.wall();
      event.object = item.after.key();
      event.action = "spec";
      event.by = call.author();
      event.message = item.message;
      options_.objects.stage_event(txn, event);
    }
    if (dry_run || txn.ops.empty()) return options_.objects.store().revision();
    // What is referred to must still be there when this is committed.
    for (const Item& item : prepared.items) {
      if (item.what == Item::What::unchanged) continue;
      for (const Reference& reference : references_of(item.after)) {
        std::string key = Objects::spec_key({call.project, reference.kind, reference.name});
        if (guarded.insert(key).second &&
            std::none_of(prepared.wanted.begin(), prepared.wanted.end(), [&](const Resource& one) {
              return one.kind == reference.kind && one.metadata.name == reference.name;
            })) {
          txn.guards.push_back({Guard::What::present, key, 0});
        }
      }
    }
    txn.id = new_uid(options_.rng);
    auto done = options_.objects.commit(txn);
    if (!done && done.error().code == Code::outcome_unknown)
      done = options_.objects.commit(txn);  // its id makes this safe
    if (done) return *done;
    if (done.error().code != Code::conflict) return refuse(done.error());
    last = done.error();
  }
  return refuse(Error{Code::conflict, "others kept changing the same objects: " + last.message, "try again"});
}

Attempt<http::Response> Api::apply(const Call& call) {
  const std::string dry = call.request.parameter("dryRun");
  if (!dry.empty() && dry != "server") return refuse(400, "CONFIG_INVALID", "dryRun can only be server");
  auto body = read_body(call.request);
  if (!body) return tl::unexpected(body.error());
  auto prepared = decode(call, std::move(body->documents));
  if (!prepared) return tl::unexpected(prepared.error());
  auto revision = write(call, *prepared, {}, !dry.empty());
  if (!revision) return tl::unexpected(revision.error());
  Value results = Value::list();
  for (const Item& item : prepared->items) {
    Value warnings = Value::list();
    for (const std::string& warning : item.warnings) warnings.push_back(warning);
    using What = Item::What;
    results.push_back(Value::map({{"kind", item.after.kind},
                                  {"name", item.after.metadata.name},
                                  {"result", item.what == What::created      ? "created"
                                             : item.what == What::configured ? "configured"
                                                                             : "unchanged"},
                                  {"generation", item.after.metadata.generation},
                                  {"warnings", std::move(warnings)}}));
  }
  return json_response(200, Value::map({{"revision", std::to_string(*revision)}, {"results", std::move(results)}}));
}

Attempt<http::Response> Api::put(const Call& call, const Kind& kind, const std::string& name) {
  auto document = parse_json(call.request.body);
  if (!document) return refuse(document.error());
  if (!document->is_map()) return refuse(400, "CONFIG_INVALID", "the body must be a JSON object");
  if ((*document)["kind"].text() != kind.name || (*document)["metadata"]["name"].text() != name) {
    return refuse(400, "CONFIG_INVALID", "the body must be the " + std::string(kind.name) + " named " + printable(name),
                  "kind and metadata.name must be those of the path");
  }
  Conditions conditions;
  conditions.must_match = call.request.header("if-match");
  const std::string none = call.request.header("if-none-match");
  if (!none.empty() && none != "*") return refuse(400, "CONFIG_INVALID", "If-None-Match can only be *");
  conditions.must_be_absent = !none.empty();
  std::vector<Value> documents;
  documents.push_back(std::move(*document));
  auto prepared = decode(call, std::move(documents));
  if (!prepared) return tl::unexpected(prepared.error());
  auto revision = write(call, *prepared, conditions, false);
  if (!revision) return tl::unexpected(revision.error());
  const Item& item = prepared->items[0];
  bool created = item.what == Item::What::created;
  auto stored = existing(item.after.key());
  if (!stored) return tl::unexpected(stored.error());
  std::string etag = etag_of(*stored);
  http::Response out = json_response(created ? 201 : 200, to_value(shown(std::move(*stored))));
  out.headers.emplace_back("ETag", std::move(etag));
  return out;
}

}  // namespace trove
