#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind operation() {
  constexpr std::string_view kOnce = "an Operation is done once: make another one";
  Kind kind;
  kind.name = "Operation";
  kind.plural = "operations";
  kind.short_name = "op";
  kind.doc = "Something done once to an instance. It never changes the instance's spec.";
  kind.spec_immutable = true;
  kind.example = R"(apiVersion: trove/v1alpha1
kind: Operation
metadata: {generateName: restart-}
spec:
  instanceRef: {name: orders-db}
  restart: {}
  reason: picks up the new buffer pool size
)";
  add_instance_ref(kind.fields, "The instance that it is done to.", Change::forbidden, kOnce);
  kind.fields.insert(
      kind.fields.end(),
      {{.path = "restart",
        .type = FieldType::object,
        .doc = "Restarts the engine once. Also approves the disruptive changes that wait for one.",
        .change = Change::forbidden,
        .see = "inst.spec.maintenance.disruptiveChanges",
        .refusal = kOnce,
        .one_of = "verb"},
       {.path = "reason", .doc = "Why, for the history.", .change = Change::forbidden, .max = 1024, .refusal = kOnce},
       {.path = "ttl",
        .doc = "How long the finished object is kept.",
        .default_json = R"("30d")",
        .change = Change::forbidden,
        .format = Format::duration,
        .min = 0,
        .max = 3650 * kDayMs,
        .refusal = kOnce}});
  add_common_block(kind.fields, kDelete);
  return kind;
}

}  // namespace trove::tables
