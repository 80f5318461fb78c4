#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/data.hpp"
#include "cli/output/table.hpp"
#include "specs/decode.hpp"

namespace trove::cli {

Try<int> run_explain(Context& context) {
  if (context.args.words.empty()) {
    context.err << "explain what? For example: trovectl explain inst, trovectl explain inst.spec.volume.size\n\n";
    return run_api_resources(context);
  }
  for (size_t i = 0; i < context.args.words.size(); ++i) {
    auto text = explain(context.args.words[i]);
    if (!text) return usage_error(text.error().message, text.error().hint);
    if (i > 0) context.out << '\n';
    context.out << *text << (text->empty() || text->back() != '\n' ? "\n" : "");
  }
  return kOk;
}

Try<int> run_schema(Context& context) {
  if (context.args.words.size() != 1) return usage_error("which kind? trovectl schema KIND, or trovectl schema all");
  if (context.args.words[0] != "all") {
    auto kind = kind_named(context.args.words[0]);
    if (!kind) return tl::unexpected(kind.error());
    print_value(context, {}, json_schema(**kind));
    return kOk;
  }
  // One schema for files that hold any kind: what an editor wants.
  Value definitions = Value::map(), any = Value::list();
  for (const Kind& kind : all_kinds()) {
    definitions.set(kind.name, json_schema(kind));
    any.push_back(Value::map({{"$ref", "#/$defs/" + std::string(kind.name)}}));
  }
  print_value(context, {}, Value::map({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                                       {"title", "trove/v1alpha1"},
                                       {"oneOf", any},
                                       {"$defs", definitions}}));
  return kOk;
}

Try<int> run_api_resources(Context& context) {
  Table table{{"KIND", "SHORT", "PLURAL", "PURPOSE"}, {}};
  for (const Kind& kind : all_kinds()) {
    std::string doc(kind.doc.substr(0, kind.doc.find(". ")));
    if (!doc.empty() && doc.back() == '.') doc.pop_back();
    table.rows.push_back({std::string(kind.name), std::string(kind.short_name), std::string(kind.plural), doc});
  }
  print(context.out, table, !context.args.has("no-headers"));
  return kOk;
}

}  // namespace trove::cli
