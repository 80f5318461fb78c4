#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/commands/day2.hpp"
#include "cli/documents.hpp"
#include "cli/waiting.hpp"
#include "specs/decode.hpp"

namespace trove::cli {

Try<int> make_and_wait(Context& context, Value object) {
  auto timeout = context.timeout(kWaitDefault);
  if (!timeout) return tl::unexpected(timeout.error());
  auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());
  Problems problems;
  decode_resource(object, (*settings)->project.value, "", 0, problems);
  if (!problems.empty()) return tl::unexpected(report_problems(context, problems));
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  Value body = Value::map({{"documents", Value::list({Value::map({{"source", "trovectl"}, {"object", object}})})}});
  auto answer = (*api)->apply(body, "");
  if (!answer) {
    Failure failure = answer.error();
    // Nobody wrote this document, so its fields' names would mean nothing to them: the first message says it all.
    if (!failure.problems.empty()) {
      failure.message = failure.problems[0].message;
      failure.hint = failure.problems[0].hint;
    }
    return tl::unexpected(failure);
  }
  const Value& result = (*answer).at_path("results[0]");
  Target target{find_kind(object["kind"].text()), result["name"].text(), result["generation"].int_or(0)};
  context.out << printable(to_string(target), 400) << "  " << result["result"].text() << std::endl;
  for (const Value& text : result["warnings"].items()) warn(context, printable(text.text(), 500));
  if (!context.args.has("wait")) return kOk;
  return wait_for(context, {target}, {}, *timeout);
}

Try<int> run_backup(Context& context) {
  auto instance = parse_instance(context.args.words);
  if (!instance) return tl::unexpected(instance.error());
  std::string name = context.args.get("name");
  Value metadata = name.empty() ? Value::map({{"generateName", instance->name + "-"}}) : Value::map({{"name", name}});
  return make_and_wait(context,
                       Value::map({{"apiVersion", "trove/v1alpha1"},
                                   {"kind", "Backup"},
                                   {"metadata", metadata},
                                   {"spec", Value::map({{"instanceRef", Value::map({{"name", instance->name}})}})}}));
}

}  // namespace trove::cli
