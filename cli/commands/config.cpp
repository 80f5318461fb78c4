#include "cli/command.hpp"
#include "cli/output/data.hpp"
#include "cli/output/table.hpp"
#include "specs/problem.hpp"

namespace trove::cli {

Try<int> run_config_view(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());
  const Setting* all[] = {&(*settings)->server, &(*settings)->token_file, &(*settings)->project};
  if (!output->is_table()) {
    Value value = Value::map();
    for (const Setting* setting : all) value.set(setting->name, setting->value);
    print_value(context, *output, value);
    return kOk;
  }
  Table table{{"SETTING", "VALUE", "FROM"}, {}};
  for (const Setting* setting : all) {
    table.rows.push_back({setting->name, setting->value.empty() ? "-" : setting->value,
                          setting->source.empty() ? "-" : setting->source});
  }
  print(context.out, table);
  return kOk;
}

Try<int> run_config_set(Context& context) {
  const auto& words = context.args.words;
  if (words.size() != 2)
    return usage_error("config set takes a setting and a value", "settings: server, tokenFile, project");
  if (words[0] != "server" && words[0] != "tokenFile" && words[0] != "project") {
    std::string near = nearest(words[0], {"server", "tokenFile", "project"});
    return usage_error("unknown setting \"" + printable(words[0], 60) + "\"" +
                           (near.empty() ? "" : ". Did you mean \"" + near + "\"?"),
                       "settings: server, tokenFile, project");
  }
  if (words[0] == "server" && !words[1].starts_with("http://") && !words[1].starts_with("https://")) {
    return usage_error("the server is a URL: http://HOST:PORT or https://HOST:PORT");
  }
  auto saved = save_setting(context.env, words[0], words[1]);
  if (!saved) return tl::unexpected(saved.error());
  context.err << words[0] << " is set in " << config_path(context.env) << '\n';
  return kOk;
}

}  // namespace trove::cli
