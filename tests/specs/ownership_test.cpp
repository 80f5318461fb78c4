// Who owns which field, and what an apply by one of several owners makes of an object.
#include "specs/ownership.hpp"

#include <catch2/catch.hpp>

#include "specs/decode.hpp"
#include "specs/yaml.hpp"

using namespace trove;

namespace {

const Kind& instance_kind() { return *find_kind("DatabaseInstance"); }

Resource object(const std::string& kind, const std::string& spec, const std::string& labels = "{}") {
  auto stream = parse_yaml("apiVersion: trove/v1alpha1\nkind: " + kind + "\nmetadata:\n  name: x\n  labels: " + labels +
                               "\nspec:\n" + spec,
                           "x.yaml");
  REQUIRE(stream.problems.empty());
  Problems problems;
  auto resource = decode_resource(stream.documents[0], "shop", "x.yaml", 0, problems, Extent::some);
  INFO(to_string(problems));
  REQUIRE(resource);
  return *resource;
}
Resource instance(const std::string& spec, const std::string& labels = "{}") {
  return object("DatabaseInstance", spec, labels);
}

FieldOwner owner(const std::string& manager, const std::string& file = "a.yaml") {
  FieldOwner out;
  out.manager = manager;
  out.file = file;
  out.time = Time{1'000};
  return out;
}

const std::string kOrders = "  datastore: {type: mariadb}\n  flavor: db.small\n  volume: {size: 5}\n";

}  // namespace

TEST_CASE("a sole owner's document is all there is: what it leaves out goes") {
  const Resource before = instance(kOrders + "  rootAccess: true\n", "{app: shop}");
  const Ownership owners = own_all(instance_kind(), before, owner("trovectl"));
  const Merged merged =
      merge_apply(instance_kind(), before, owners, instance(kOrders), owner("trovectl"), Taking::refuse);
  CHECK(merged.conflicts.empty());
  CHECK(merged.resource.spec == instance(kOrders).spec);
  CHECK(merged.resource.metadata.labels.empty());
}

TEST_CASE("a second owner adds fields, and each keeps its own") {
  const Resource before = instance(kOrders);
  const Ownership owners = own_all(instance_kind(), before, owner("git:shop"));
  const Merged added = merge_apply(instance_kind(), before, owners, instance("  rootAccess: true\n", "{team: dba}"),
                                   owner("dba"), Taking::refuse);
  REQUIRE(added.conflicts.empty());
  CHECK(added.resource.spec["flavor"].text() == "db.small");
  CHECK(added.resource.spec["rootAccess"].bool_or(false));
  CHECK(added.resource.metadata.labels["team"].text() == "dba");

  // The first applies again without them: they stay, for they are not its.
  const Merged again = merge_apply(instance_kind(), added.resource, added.ownership, instance(kOrders),
                                   owner("git:shop"), Taking::refuse);
  CHECK(again.resource.spec["rootAccess"].bool_or(false));
  // The second leaves one out: it goes, and only that.
  const Merged less = merge_apply(instance_kind(), again.resource, again.ownership, instance("  {}\n", "{team: dba}"),
                                  owner("dba"), Taking::refuse);
  CHECK(less.resource.spec == instance(kOrders).spec);
  CHECK(less.resource.metadata.labels["team"].text() == "dba");
}

TEST_CASE("another's field is a conflict that names owner, commit and place; the same value is none") {
  const Resource before = instance(kOrders);
  FieldOwner git = owner("git:shop", "prod/orders.yaml");
  git.commit = "9f31c2e0aa11";
  const Ownership owners = own_all(instance_kind(), before, git);
  const Merged same =
      merge_apply(instance_kind(), before, owners, instance("  flavor: db.small\n"), owner("jana"), Taking::refuse);
  CHECK(same.conflicts.empty());
  CHECK(same.ownership.find("jana")->fields.contains("/spec/flavor"));

  const Merged other =
      merge_apply(instance_kind(), before, owners, instance("  flavor: db.large\n"), owner("jana"), Taking::refuse);
  REQUIRE(other.conflicts.size() == 1);
  CHECK(other.conflicts[0].pointer == "/spec/flavor");
  CHECK(told(other.conflicts[0].owner, other.conflicts[0].line) ==
        "git:shop (commit 9f31c2e, prod/orders.yaml:8)");

  const Merged forced =
      merge_apply(instance_kind(), before, owners, instance("  flavor: db.large\n"), owner("jana"), Taking::force);
  CHECK(forced.resource.spec["flavor"].text() == "db.large");
  CHECK_FALSE(forced.ownership.find("git:shop")->fields.contains("/spec/flavor"));
}

TEST_CASE("a default that is spelled out never fights somebody who left it out") {
  const Resource before = instance(kOrders);
  const Ownership owners = own_all(instance_kind(), before, owner("git:shop"));
  const Merged merged =
      merge_apply(instance_kind(), before, owners, instance("  rootAccess: false\n"), owner("jana"), Taking::refuse);
  CHECK(merged.conflicts.empty());
}

TEST_CASE("entries of maps and of keyed lists have owners of their own") {
  const Kind& kind = *find_kind("User");
  const std::string base = "  instanceRef: {name: orders-db}\n  password: {generate: {}}\n";
  const Resource before = object("User", base + "  grants:\n  - {privileges: [SELECT], on: orders.*}\n");
  const Ownership owners = own_all(kind, before, owner("git:shop"));
  const Merged added = merge_apply(
      kind, before, owners, object("User", "  grants:\n  - {privileges: [ALL], on: \"a/b.*\"}\n"), owner("dba"),
      Taking::refuse);
  REQUIRE(added.conflicts.empty());
  REQUIRE(added.resource.spec["grants"].size() == 2);
  // Back to one: the second's entry goes as a whole.
  const Merged less = merge_apply(kind, added.resource, added.ownership, object("User", "  maxConnections: 5\n"),
                                  owner("dba"), Taking::refuse);
  REQUIRE(less.resource.spec["grants"].size() == 1);
  CHECK(less.resource.spec["grants"].items()[0]["on"].text() == "orders.*");
  CHECK(less.resource.spec["maxConnections"].int_or(0) == 5);
  // The first's own entry is the first's.
  const Merged clash = merge_apply(
      kind, added.resource, added.ownership, object("User", "  grants:\n  - {privileges: [ALL], on: orders.*}\n"),
      owner("dba"), Taking::refuse);
  REQUIRE(clash.conflicts.size() == 1);
  CHECK(clash.conflicts[0].pointer == "/spec/grants/[on=orders.*]/privileges");

  const Kind& group = *find_kind("ConfigurationGroup");
  const Resource tuning = object("ConfigurationGroup", "  datastore: {type: mariadb}\n  parameters: {max_connections: 60}\n");
  const Merged more =
      merge_apply(group, tuning, own_all(group, tuning, owner("git:shop")),
                  object("ConfigurationGroup", "  parameters: {wait_timeout: 30}\n"), owner("dba"), Taking::refuse);
  CHECK(more.conflicts.empty());
  CHECK(more.resource.spec["parameters"].size() == 2);
}

TEST_CASE("a break-glass edit holds against the owner, and gives back when it ends") {
  const Resource before = instance(kOrders);
  const Ownership owners = own_all(instance_kind(), before, owner("git:shop"));
  FieldOwner glass = owner("break-glass:kim");
  glass.until = Time{10'000};
  const Merged broken = merge_apply(instance_kind(), before, owners,
                                    instance("  flavor: db.large\n  rootAccess: true\n"), glass, Taking::force);
  CHECK(broken.resource.spec["flavor"].text() == "db.large");
  CHECK(next_break_glass_end(broken.ownership) == Time{10'000});

  // Git goes on applying, and insists; its wish is kept for later.
  const std::string medium = "  datastore: {type: mariadb}\n  flavor: db.medium\n  volume: {size: 5}\n";
  const Merged meanwhile = merge_apply(instance_kind(), broken.resource, broken.ownership, instance(medium),
                                       owner("git:shop"), Taking::force);
  CHECK(meanwhile.conflicts.empty());
  CHECK(meanwhile.held == std::vector<std::string>{"/spec/flavor"});
  CHECK(meanwhile.resource.spec["flavor"].text() == "db.large");

  const Merged early = end_break_glass_of(meanwhile.resource, meanwhile.ownership, Time{9'999});
  CHECK(early.resource.spec == meanwhile.resource.spec);
  const Merged over = end_break_glass_of(meanwhile.resource, meanwhile.ownership, Time{10'000});
  CHECK(over.resource.spec == instance(medium).spec);
  CHECK(over.ownership.find("break-glass:kim") == nullptr);
  CHECK(over.ownership.find("git:shop")->fields.contains("/spec/flavor"));
}

TEST_CASE("a stranger runs into a break-glass edit as into any owner") {
  const Resource before = instance(kOrders);
  FieldOwner glass = owner("break-glass:kim");
  glass.until = Time{10'000};
  const Merged broken = merge_apply(instance_kind(), before, own_all(instance_kind(), before, owner("git:shop")),
                                    instance("  flavor: db.large\n"), glass, Taking::force);
  const Merged other = merge_apply(instance_kind(), broken.resource, broken.ownership,
                                   instance("  flavor: db.tiny\n"), owner("jana"), Taking::refuse);
  CHECK(other.conflicts.size() == 1);
}

TEST_CASE("an object without a record belongs to whoever applies first") {
  const Resource before = instance(kOrders + "  rootAccess: true\n");
  const Merged merged =
      merge_apply(instance_kind(), before, Ownership{}, instance(kOrders), owner("git:shop"), Taking::refuse);
  CHECK(merged.conflicts.empty());
  CHECK(merged.resource.spec == instance(kOrders).spec);
}

TEST_CASE("owners survive being stored, and what moved in a file is a change of them") {
  const Resource before = instance(kOrders);
  Ownership owners = own_all(instance_kind(), before, owner("git:shop"));
  owners.set = "shop";
  FieldOwner glass = owner("break-glass:kim");
  glass.until = Time{10'000};
  const Merged broken =
      merge_apply(instance_kind(), before, owners, instance("  flavor: db.large\n"), glass, Taking::force);
  const Ownership back = ownership_from_value(to_value(broken.ownership));
  CHECK(same_owners(back, broken.ownership));
  CHECK(back.set == "shop");
  Ownership moved = back;
  moved.owners[0].fields["/spec/volume/size"] += 1;
  CHECK_FALSE(same_owners(back, moved));
}

TEST_CASE("whatever two owners apply in turn, each finds its own document in the object or a conflict") {
  // All orders of three edits by two owners over a few values.
  const std::vector<std::string> edits = {"  flavor: a\n", "  flavor: b\n", "  rootAccess: true\n",
                                          "  flavor: a\n  rootAccess: true\n", "  access: {allowedCidrs: [10.0.0.0/8]}\n"};
  for (size_t first = 0; first < edits.size(); ++first)
    for (size_t second = 0; second < edits.size(); ++second)
      for (size_t third = 0; third < edits.size(); ++third) {
        Resource now = instance(kOrders);
        Ownership owners = own_all(instance_kind(), now, owner("base"));
        const std::pair<const char*, size_t> steps[] = {{"one", first}, {"two", second}, {"one", third}};
        for (const auto& [who, edit] : steps) {
          const Resource wanted = instance(edits[edit]);
          const Merged merged = merge_apply(instance_kind(), now, owners, wanted, owner(who), Taking::refuse);
          if (!merged.conflicts.empty()) continue;
          now = merged.resource;
          owners = merged.ownership;
          for (const Value::Member& member : wanted.spec.members()) CHECK(now.spec[member.key] == member.value);
        }
        CHECK(now.spec["flavor"].is_string());  // the base's own is never lost
        CHECK(now.spec["volume"]["size"].int_or(0) == 5);
      }
}
