#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind database() {
  constexpr std::string_view kElsewhere =
      "a database stays in its instance: make a new Database there and move the data";
  Kind kind;
  kind.name = "Database";
  kind.plural = "databases";
  kind.short_name = "db";
  kind.doc =
      "A logical database inside an instance. Removing the object keeps the data unless deletionPolicy is Delete.";
  kind.stateful = true;
  kind.example = R"(apiVersion: trove/v1alpha1
kind: Database
metadata: {name: orders}
spec:
  instanceRef: {name: orders-db}
  characterSet: utf8mb4
)";
  add_instance_ref(kind.fields, "The instance that holds the database.", Change::forbidden, kElsewhere);
  kind.fields.insert(
      kind.fields.end(),
      {{.path = "name",
        .doc = "The database's name inside the engine. Without it: metadata.name.",
        .change = Change::forbidden,
        .format = Format::engine_name,
        .min = 1,
        .max = 63,
        .refusal = "engines cannot rename a database safely: make a second Database and move the tables"},
       {.path = "characterSet",
        .doc = "MariaDB: default character set of new tables; a change leaves existing tables as they are. PostgreSQL: "
               "the "
               "encoding, fixed when the database is made.",
        .format = Format::parameter_name,
        .min = 1,
        .max = 64},
       {.path = "collate",
        .doc = "MariaDB: default collation of new tables. PostgreSQL: LC_COLLATE, fixed when the database is made.",
        .format = Format::parameter_name,
        .min = 1,
        .max = 64},
       {.path = "owner",
        .doc = "PostgreSQL: the login that owns the database, by its name inside the engine.",
        .format = Format::engine_name,
        .min = 1,
        .max = 63,
        .see = "user.spec.name"}});
  add_common_block(kind.fields, kRetain);
  return kind;
}

}  // namespace trove::tables
