// A GitSource over a real repository, for one test: what it applies goes to a fake that keeps the orders, or to the real
// Applier.
#pragma once
#include <catch2/catch.hpp>

#include "reconciler/gitops/gitops.hpp"
#include "reconciler/secrets.hpp"
#include "specs/core/real.hpp"
#include "specs/decode.hpp"
#include "specs/yaml.hpp"
#include "support/clock.hpp"
#include "support/git_repo.hpp"
#include "support/plans.hpp"
#include "support/temp_dir.hpp"

namespace trove::gitops {

inline std::string volume(const std::string& name, int size = 1) {
  return "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: " + name + "}\nspec: {size: " +
         std::to_string(size) + "}\n";
}
inline std::string group(const std::string& name, int connections = 50) {
  return "apiVersion: trove/v1alpha1\nkind: ConfigurationGroup\nmetadata: {name: " + name +
         "}\nspec: {datastore: {type: mariadb}, parameters: {max_connections: " + std::to_string(connections) + "}}\n";
}
inline std::string user(const std::string& name) {
  return "apiVersion: trove/v1alpha1\nkind: User\nmetadata: {name: " + name +
         "}\nspec: {instanceRef: {name: db}, password: {generate: {}}}\n";
}

// Stored objects by key, with what is asked of them.
struct FakeRoad {
  std::vector<ApplyOrder> orders;
  std::map<Key, Value> specs;
  std::map<Key, std::string> members;
  std::set<std::string> refused_names;  // documents of these names are refused
  std::optional<Refusal> broken;        // everything is

  Attempt<ApplyResult> apply(const ApplyOrder& order) {
    orders.push_back(order);
    if (broken) return refuse(*broken);
    ApplyResult out;
    std::vector<std::pair<Problem, std::string>> problems;
    for (size_t i = 0; i < order.sources.size(); ++i) {
      Problem problem;
      if (!refused_names.contains(order.sources[i].document["metadata"]["name"].text())) continue;
      problem.document = static_cast<int>(i);
      problem.at = order.sources[i].document["spec"].at;
      problem.path = "spec.size";
      problem.message = "volumes cannot shrink";
      problems.emplace_back(problem, "CONFIG_INVALID");
    }
    if (!problems.empty()) return refuse(problems);
    for (const trove::Source& source : order.sources) {
      Problems none;
      auto resource = decode_resource(source.document, order.project, source.file, 0, none);
      REQUIRE(resource);
      Applied item;
      auto [stored, fresh] = specs.emplace(resource->key(), resource->spec);
      item.what = fresh                               ? Applied::What::created
                  : stored->second == resource->spec ? Applied::What::unchanged
                                                      : Applied::What::configured;
      stored->second = resource->spec;
      members[resource->key()] = source.file;
      item.after = *resource;
      out.items.push_back(item);
    }
    if (order.set.prune) {
      size_t count = 0;
      for (const Key& key : *order.set.leaving) count += find_kind(key.kind)->stateful ? order.set.confirmed.contains(key) : 1;
      if (count > order.set.max_delete)
        return refuse(409, "PRUNE_BUDGET", std::to_string(count) + " objects would go", "raise maxDelete");
      for (const Key& key : *order.set.leaving) {
        Applied item;
        item.after.kind = key.kind;
        item.after.metadata.project = key.project;
        item.after.metadata.name = key.name;
        const bool kept = find_kind(key.kind)->stateful && !order.set.confirmed.contains(key);
        item.what = kept ? Applied::What::kept : Applied::What::pruned;
        if (!kept) {
          members.erase(key);
          specs.erase(key);
        }
        out.leaving.push_back(item);
      }
    }
    return out;
  }
  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& [key, spec] : specs) out.insert(to_string(key));
    return out;
  }
  size_t documents() const {
    size_t n = 0;
    for (const ApplyOrder& order : orders) n += order.sources.size();
    return n;
  }
};

struct Bed {
  GitRepo remote;
  TempDir data;
  FakeClock clock;
  RealClock real;
  SeededRng rng;
  std::unique_ptr<Store> store = open_memory_store(clock);
  Objects objects{*store, clock};
  Sealer sealer = *Sealer::open(data / "key", true, rng);
  FakeRoad road;
  bool real_road = false;  // documents go through the real Applier
  Applier applier{objects, sealer, rng, clock};
  FakePlans planner;
  PlanBook plans{objects, applier, sealer, rng, clock, planner};
  std::unique_ptr<Gitops> gitops;
  Key key{"shop", "GitSource", "prod"};
  GitLimits limits;

  void open() {
    gitops = std::make_unique<Gitops>(GitopsOptions{
        .objects = objects,
        .sealer = sealer,
        .rng = rng,
        .clock = clock,
        .process_clock = real,
        .apply = [this](const ApplyOrder& order) { return real_road ? applier.apply(order) : road.apply(order); },
        .members =
            [this](const std::string& project, const std::string& set) {
              return real_road ? applier.members(project, set) : Result<std::map<Key, std::string>>(road.members);
            },
        .plans = plans,
        .data = data / "git",
        .allowed = *Allowed::parse({remote.directory()}),
        .limits = limits});
    REQUIRE(gitops->load());
  }
  void put(Resource resource) {
    auto stored = objects.get(resource.key());
    REQUIRE(stored);
    if (*stored) {
      resource.metadata = (*stored)->metadata;
      ++resource.metadata.generation;
    } else {
      resource.metadata.uid = new_uid(rng);
      resource.metadata.generation = 1;
    }
    if (resource.kind == "Secret")
      for (Value::Member& member : resource.spec.find("data")->mutable_members())
        member.value = sealer.seal(Secret(member.value.text()), secret_place(resource, member.key), rng);
    Txn txn;
    objects.stage_put(txn, resource, "user:kim");
    REQUIRE(objects.commit(txn));
    if (gitops) gitops->changed(resource.key());
  }
  void source(const std::string& more = "") {
    Resource resource;
    resource.kind = "GitSource";
    resource.metadata.name = "prod";
    resource.metadata.project = "shop";
    resource.spec = parse_yaml("url: " + remote.url() + "\n" + more, "").documents.at(0);
    put(resource);
    if (!gitops) open();
  }
  void secret(const std::string& name, const std::string& key, const std::string& value) {
    Resource resource;
    resource.kind = "Secret";
    resource.metadata.name = name;
    resource.metadata.project = "shop";
    resource.spec = Value::map({{"data", Value::map({{key, value}})}});
    put(resource);
  }
  // One interval later.
  void later(Millis by = Millis{200'000}) {
    clock.advance(by);
    road.orders.clear();
    gitops->step();
  }
  Attempt<Value> sync(std::vector<std::string> confirm) {
    return gitops->sync(key, {.confirm = std::move(confirm), .by = "user:kim"});
  }
  Value status() { return objects.get(key).value()->status; }
  std::string reason(const char* type = "Ready") {
    const Value all = status()["conditions"];
    for (const Value& condition : all.items())
      if (condition["type"].text() == type) return condition["status"].text() + " " + condition["reason"].text();
    return "";
  }
  std::string message(const char* type = "Ready") {
    const Value all = status()["conditions"];
    for (const Value& condition : all.items())
      if (condition["type"].text() == type) return condition["message"].text();
    return "";
  }
  std::vector<std::string> events() {
    std::vector<std::string> out;
    const auto all = objects.events(key, 100).value();
    for (const Event& event : all) out.push_back(event.type + " " + event.action + " " + event.message);
    return out;
  }
};

}  // namespace trove::gitops
