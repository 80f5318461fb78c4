#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind configuration_group() {
  constexpr std::string_view kOther = "parameters belong to one engine: make a second ConfigurationGroup";
  Kind kind;
  kind.name = "ConfigurationGroup";
  kind.plural = "configurationgroups";
  kind.short_name = "cfg";
  kind.doc = "Engine parameters, shared by the instances that refer to it.";
  kind.example = R"(apiVersion: trove/v1alpha1
kind: ConfigurationGroup
metadata: {name: mariadb-oltp}
spec:
  datastore: {type: mariadb}
  parameters: {max_connections: 800, innodb_buffer_pool_size: 70%ram}
)";
  kind.fields = {
      {.path = "datastore",
       .type = FieldType::object,
       .doc = "The engine that the parameters are for.",
       .required = true,
       .change = Change::forbidden,
       .refusal = kOther},
      {.path = "datastore.type",
       .doc = "The engine. mysql and mariadb are one engine here: MariaDB.",
       .required = true,
       .change = Change::forbidden,
       .values = {"mysql", "mariadb", "postgresql", "redis", "memcached"},
       .refusal = kOther},
      {.path = "datastore.version",
       .doc = "The version that the parameters were chosen for.",
       .change = Change::forbidden,
       .format = Format::version,
       .max = 32,
       .refusal = kOther},
      {.path = "parameters",
       .type = FieldType::scalar_map,
       .doc =
           "Parameter names and values as the engine spells them; sizes also as N%ram, a share of the server's memory. "
           "`explain cfg.ENGINE` lists well-known ones; the engine judges others. Some belong to trove and are "
           "refused.",
       .required = true,
       .format = Format::parameter_name,
       .max = 4096,
       .see = "cfg.mariadb"},
      {.path = "onRemove",
       .doc =
           "What happens to a parameter that is taken out of the group. EngineDefault: back to the engine's default. "
           "KeepValue: it stays as it is.",
       .default_json = R"("EngineDefault")",
       .change = Change::none,
       .values = {"EngineDefault", "KeepValue"}},
  };
  add_common_block(kind.fields, kDelete);
  return kind;
}

}  // namespace trove::tables
