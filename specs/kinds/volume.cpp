#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind volume() {
  Kind kind;
  kind.name = "Volume";
  kind.plural = "volumes";
  kind.short_name = "vol";
  kind.doc = "A data volume with a life of its own. An instance uses it through volumeRef.";
  kind.stateful = true;
  kind.example = R"(apiVersion: trove/v1alpha1
kind: Volume
metadata: {name: orders-data}
spec: {size: 100}
)";
  kind.fields = {
      {.path = "size",
       .type = FieldType::integer,
       .doc = "Size of the volume. It may grow while it is in use, and never shrinks.",
       .required = true,
       .change = Change::live,
       .min = 1,
       .max = kMostGib,
       .unit = "GiB",
       .grows_only = true},
      {.path = "type",
       .doc = "Cinder volume type, by name or id. Changing it has Cinder retype the volume, in use or not; where the types are "
              "of different backends all data is copied, which may take long. Without it: the cloud's default at creation, "
              "and no change later.",
       .min = 1,
       .max = 255},
      {.path = "availabilityZone",
       .doc = "Cinder availability zone of the volume. Without it: what troved was started with, else the cloud's choice.",
       .change = Change::forbidden,
       .min = 1,
       .max = 255,
       .refusal = "a volume stays in its zone: make a second Volume there, and move the data by a backup and "
                  "bootstrapFrom"},
  };
  add_common_block(kind.fields, kRetain);
  return kind;
}

}  // namespace trove::tables
