#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind user() {
  constexpr std::string_view kElsewhere = "a login stays in its instance: make a new User for the other instance";
  constexpr std::string_view kNewLogin = "make a second User, move the programs to it, then delete this one";
  Kind kind;
  kind.name = "User";
  kind.plural = "users";
  kind.short_name = "user";
  kind.doc =
      "A login inside an instance, with its password's source and its grants. The list of grants is complete: what it "
      "does not name is revoked.";
  kind.example = R"(apiVersion: trove/v1alpha1
kind: User
metadata: {name: orders-app}
spec:
  instanceRef: {name: orders-db}
  name: orders_app
  password: {generate: {}}
  grants:
  - {privileges: [SELECT, INSERT, UPDATE, DELETE], on: "orders.*"}
)";
  add_instance_ref(kind.fields, "The instance that the login is for.", Change::forbidden, kElsewhere);
  kind.fields.insert(
      kind.fields.end(),
      {{.path = "name",
        .doc = "The login's name inside the engine. Without it: metadata.name.",
        .change = Change::forbidden,
        .format = Format::engine_name,
        .min = 1,
        .max = 63,
        .refusal = kNewLogin},
       {.path = "host",
        .doc = "MariaDB only: from which hosts the login may come, with % and _ as wildcards.",
        .default_json = R"("%")",
        .change = Change::forbidden,
        .format = Format::host_pattern,
        .min = 1,
        .max = 255,
        .refusal = kNewLogin},
       {.path = "password",
        .type = FieldType::object,
        .doc = "Where the password comes from: exactly one of the two.",
        .required = true},
       {.path = "password.generate",
        .type = FieldType::object,
        .doc = "trove makes a password and keeps it in the Secret NAME-password.",
        .see = "sec",
        .one_of = "password"},
       {.path = "password.generate.length",
        .type = FieldType::integer,
        .doc = "How many characters.",
        .default_json = "32",
        .min = 8,
        .max = 128},
       {.path = "password.secretRef",
        .type = FieldType::object,
        .doc = "A Secret of yours that holds the password.",
        .reference = "Secret",
        .see = "sec",
        .one_of = "password"},
       reference_name("password.secretRef.name", "Name of the Secret, in the same project."),
       {.path = "password.secretRef.key",
        .doc = "Which value of the Secret.",
        .default_json = R"("password")",
        .format = Format::parameter_name,
        .min = 1,
        .max = 253},
       {.path = "grants",
        .type = FieldType::list,
        .doc = "All that the login may do; what is not listed is revoked.",
        .default_json = "[]",
        .max = 256,
        .list_key = "on"},
       {.path = "grants[]", .type = FieldType::object, .doc = "Privileges on one object."},
       {.path = "grants[].privileges",
        .type = FieldType::list,
        .doc = "SQL privileges (SELECT, ALL, CREATE VIEW) or Redis rules (+@read, -flushall).",
        .required = true,
        .min = 1,
        .max = 64},
       {.path = "grants[].privileges[]", .doc = "One privilege.", .min = 1, .max = 64},
       {.path = "grants[].on",
        .doc = "MariaDB: \"*.*\", \"db.*\" or \"db.table\". PostgreSQL: a database. Redis: a pattern of keys.",
        .required = true,
        .format = Format::engine_name,
        .min = 1,
        .max = 256},
       {.path = "grants[].withGrantOption",
        .type = FieldType::boolean,
        .doc = "May the login pass these privileges on.",
        .default_json = "false"},
       {.path = "maxConnections",
        .type = FieldType::integer,
        .doc = "How many connections the login may hold at once; 0 is no limit of its own.",
        .default_json = "0",
        .min = 0,
        .max = 100000}});
  add_common_block(kind.fields, kDelete);
  return kind;
}

}  // namespace trove::tables
