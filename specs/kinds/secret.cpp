#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind secret() {
  Kind kind;
  kind.name = "Secret";
  kind.plural = "secrets";
  kind.short_name = "sec";
  kind.doc = "Values that are kept sealed and shown only by `trovectl secret reveal`.";
  kind.example = R"(apiVersion: trove/v1alpha1
kind: Secret
metadata: {name: orders-login}
spec:
  data: {password: "correct horse battery staple"}
)";
  kind.fields = {
      {.path = "data", .type = FieldType::string_map,
       .doc = "Names and values. A value shown as (hidden) and applied again keeps what is stored.", .required = true,
       .format = Format::parameter_name, .max = 64 << 10, .sensitive = true, .see = "user.spec.password.secretRef"},
  };
  add_common_block(kind.fields, kDelete);
  return kind;
}

}  // namespace trove::tables
