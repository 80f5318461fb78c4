#include "cli/output/plan.hpp"

#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/names.hpp"
#include "cli/output/data.hpp"
#include "cli/output/style.hpp"

namespace trove::cli {
namespace {

std::string source_of(const Documents& documents, const std::vector<std::string>& given) {
  size_t count = documents.items.size();
  std::string text = std::to_string(count) + (count == 1 ? " object" : " objects") + " from ";
  return text + (given.size() == 1 ? (given[0] == "-" ? "<stdin>" : printable(given[0]))
                                   : std::to_string(given.size()) + " places");
}

// The plan for -f (and --remove), its problems reported.
Try<Value> plan_of_files(Context& context, std::string& from) {
  Documents documents;
  if (context.args.has("filename")) {
    auto loaded = load_documents(context);
    if (!loaded) return tl::unexpected(loaded.error());
    if (!loaded->problems.empty()) return tl::unexpected(report_problems(context, loaded->problems));
    documents = std::move(*loaded);
    from = source_of(documents, context.args.all("filename"));
  }
  Value body = request_body(documents);
  if (context.args.has("remove")) {
    auto targets = parse_targets(context.args.all("remove"));
    if (!targets) return tl::unexpected(targets.error());
    Value remove = Value::list();
    for (const Target& target : *targets) {
      remove.push_back(Value::map({{"kind", target.kind->name}, {"name", target.name}}));
    }
    body.set("remove", std::move(remove));
  }
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto plan = (*api)->plan(body);
  if (!plan && !plan.error().problems.empty()) {
    return tl::unexpected(report_problems(context, located(plan.error(), documents)));
  }
  return plan;
}

}  // namespace

Try<int> run_plan(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  bool files = context.args.has("filename") || context.args.has("remove");
  if (files && !context.args.words.empty()) return usage_error("either files or one object, not both");
  if (!files && context.args.words.empty()) return usage_error("what to plan? -f FILE, or KIND/NAME");

  PlanView view;
  view.style = Style(context.colour(context.out_tty));
  Try<Value> plan;
  if (files) {
    plan = plan_of_files(context, view.from);
  } else {
    auto target = parse_target(context.args.words);
    if (!target) return tl::unexpected(target.error());
    auto api = context.api();
    if (!api) return tl::unexpected(api.error());
    plan = (*api)->plan_of(*target->kind, target->name);
    view.from = "what is left to do for " + to_string(*target);
  }
  if (!plan) return tl::unexpected(plan.error());
  if (output->is_table()) {
    context.out << render_plan(*plan, view);
  } else {
    print_value(context, *output, *plan);
  }
  return context.args.has("exit-code") && has_differences(*plan) ? kDifferences : kOk;
}

Try<int> run_diff(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  if (!context.args.words.empty()) return usage_error("diff takes files, not words", "trovectl diff -f FILE");
  if (!context.args.has("filename")) return usage_error("what to compare? -f FILE is missing");
  PlanView view;
  view.fields_only = true;
  view.style = Style(context.colour(context.out_tty));
  auto plan = plan_of_files(context, view.from);
  if (!plan) return tl::unexpected(plan.error());
  if (output->is_table()) {
    context.out << render_plan(*plan, view);
  } else {
    print_value(context, *output, (*plan)["objects"]);
  }
  return has_changes(*plan) ? kDifferences : kOk;
}

}  // namespace trove::cli
