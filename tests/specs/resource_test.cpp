#include "specs/resource.hpp"
#include <catch2/catch.hpp>
#include "specs/json.hpp"

using namespace trove;

TEST_CASE("a resource goes to its wire form and back") {
  Resource r;
  r.kind = "DatabaseInstance";
  r.metadata.name = "orders-db";
  r.metadata.project = "shop";
  r.metadata.uid = "u-1";
  r.metadata.generation = 3;
  r.metadata.resource_version = 9'007'199'254'740'993;
  r.metadata.creation_timestamp = Time{1'790'510'400'000};
  r.metadata.deletion_timestamp = Time{1'790'510'400'500};
  r.metadata.labels.set("team", "crm");
  r.metadata.annotations.set("note", "x");
  r.metadata.owner_references.push_back({"BackupSchedule", "nightly", "u-2"});
  r.spec.set("flavor", "db.m1");
  r.status.set("phase", "x");
  const std::string wire = dump_json(to_value(r));
  CHECK(wire ==
        R"({"apiVersion":"trove/v1alpha1","kind":"DatabaseInstance",)"
        R"("metadata":{"name":"orders-db","project":"shop","uid":"u-1","generation":3,)"
        R"("resourceVersion":"9007199254740993","creationTimestamp":"2026-09-27T12:00:00Z",)"
        R"("deletionTimestamp":"2026-09-27T12:00:00.500Z","labels":{"team":"crm"},"annotations":{"note":"x"},)"
        R"("ownerReferences":[{"kind":"BackupSchedule","name":"nightly","uid":"u-2"}]},)"
        R"("spec":{"flavor":"db.m1"},"status":{"phase":"x"}})");
  const Resource back = resource_from_value(*parse_json(wire));
  CHECK(back.kind == r.kind);
  CHECK(back.metadata == r.metadata);
  CHECK(back.spec == r.spec);
  CHECK(back.status == r.status);
  CHECK(back.deleting());
  CHECK(to_string(back.key()) == "databaseinstance/orders-db");
}

TEST_CASE("empty parts of a resource are left out") {
  Resource r;
  r.kind = "Volume";
  r.metadata.name = "v";
  CHECK(dump_json(to_value(r)) == R"({"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":"v"}})");
}

TEST_CASE("reading a stored resource is lenient") {
  const Resource r = resource_from_value(*parse_json(
      R"({"kind":5,"metadata":{"labels":[1],"generation":"x","resourceVersion":12},"spec":null})"));
  CHECK(r.kind == "");
  CHECK(r.metadata.labels.is_map());
  CHECK(r.metadata.resource_version == 12);
  CHECK(r.spec.is_map());
  CHECK(r.status.is_map());
  CHECK_FALSE(r.deleting());
  CHECK(resource_from_value(Value()).metadata == Metadata{});
}

TEST_CASE("conditions go to a status and back") {
  Value status = Value::map();
  status.set("conditions", Value::list({
      to_value(Condition{"Ready", "True", "Available", "up", Time{1'790'510'400'000}, 7}),
      to_value(Condition{"Stalled", "False", "AsExpected", "", {}, 0}),
  }));
  const auto conditions = conditions_of(status);
  REQUIRE(conditions.size() == 2);
  const Condition* ready = find_condition(conditions, "Ready");
  REQUIRE(ready);
  CHECK(ready->status == "True");
  CHECK(ready->reason == "Available");
  CHECK(ready->message == "up");
  CHECK(ready->last_transition_time == Time{1'790'510'400'000});
  CHECK(ready->observed_generation == 7);
  CHECK(find_condition(conditions, "Drifted") == nullptr);
  CHECK(conditions_of(Value()).empty());
}
