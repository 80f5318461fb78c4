#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind backup() {
  constexpr std::string_view kOnce = "a Backup is one run: make another one";
  Kind kind;
  kind.name = "Backup";
  kind.plural = "backups";
  kind.short_name = "bk";
  kind.doc = "One backup of an instance. Deleting the object keeps the stored data unless deletionPolicy is Delete.";
  kind.stateful = true;
  kind.spec_immutable = true;
  kind.example = R"(apiVersion: trove/v1alpha1
kind: Backup
metadata: {name: orders-before-migration}
spec:
  instanceRef: {name: orders-db}
)";
  add_instance_ref(kind.fields, "The instance to back up.", Change::forbidden, kOnce);
  kind.fields.push_back({.path = "timeout", .doc = "A backup that is not done by then has failed.",
                         .default_json = R"("4h")", .change = Change::forbidden, .format = Format::duration,
                         .min = 60'000, .max = 30 * kDayMs, .refusal = kOnce});
  add_common_block(kind.fields, kRetain);
  return kind;
}

}  // namespace trove::tables
