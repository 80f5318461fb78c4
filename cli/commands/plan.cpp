#include "cli/commands/plan.hpp"

#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/names.hpp"
#include "cli/orders.hpp"
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
Try<Value> plan_of_files(Context& context, const std::string& query, std::string& from) {
  Documents documents;
  if (context.args.has("filename")) {
    auto loaded = load_documents(context, Extent::some);
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
  auto plan = (*api)->plan(body, query);
  if (!plan && !plan.error().problems.empty()) {
    return tl::unexpected(report_problems(context, located(plan.error(), documents)));
  }
  return plan;
}

}  // namespace

Try<PlanOutput> plan_output_of(Context& context) {
  if (context.args.get("output") == "markdown") return PlanOutput{{}, true};
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  return PlanOutput{*output, false};
}

int show_plan(Context& context, const PlanOutput& output, const PlanView& view, const Value& plan) {
  if (output.markdown) context.out << markdown_plan(plan, view);
  else if (output.data.is_table()) context.out << render_plan(plan, view);
  else print_value(context, output.data, plan);
  return context.args.has("exit-code") && has_differences(plan) ? kDifferences : kOk;
}

Try<int> run_plan(Context& context) {
  auto output = plan_output_of(context);
  if (!output) return tl::unexpected(output.error());
  auto query = order_query(context);
  if (!query) return tl::unexpected(query.error());
  bool files = context.args.has("filename") || context.args.has("remove");
  if (files && !context.args.words.empty()) return usage_error("either files or one object, not both");
  if (!files && context.args.words.empty()) return usage_error("what to plan? -f FILE, or KIND/NAME");

  PlanView view;
  view.style = Style(context.colour(context.out_tty));
  Try<Value> plan;
  if (files) {
    plan = plan_of_files(context, *query, view.from);
  } else if (context.args.words.size() == 1 && context.args.words[0].starts_with("pl-")) {
    auto api = context.api();
    if (!api) return tl::unexpected(api.error());
    plan = (*api)->kept_plan(context.args.words[0]);
    if (plan) view.from = "made " + (*plan)["createdAt"].text() + " by " + printable((*plan)["author"].text());
  } else {
    auto target = parse_target(context.args.words);
    if (!target) return tl::unexpected(target.error());
    auto api = context.api();
    if (!api) return tl::unexpected(api.error());
    plan = (*api)->plan_of(*target->kind, target->name);
    view.from = "what is left to do for " + to_string(*target);
  }
  if (!plan) return tl::unexpected(plan.error());
  return show_plan(context, *output, view, *plan);
}

Try<int> run_rollback(Context& context) {
  auto output = plan_output_of(context);
  if (!output) return tl::unexpected(output.error());
  auto target = parse_target(context.args.words);
  if (!target) return tl::unexpected(target.error());
  const std::string to = context.args.get("to");
  if (to.empty()) return usage_error("back to which generation? --to REV is missing", "trovectl history " + to_string(*target));
  auto query = order_query(context);
  if (!query) return tl::unexpected(query.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto plan = (*api)->rollback(*target->kind, target->name, to, *query);
  if (!plan && !plan.error().problems.empty()) return tl::unexpected(report_problems(context, located(plan.error(), {})));
  if (!plan) return tl::unexpected(plan.error());
  PlanView view;
  view.style = Style(context.colour(context.out_tty));
  view.from = to_string(*target) + " back to generation " + printable(to, 20);
  return show_plan(context, *output, view, *plan);
}

Try<int> run_diff(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  if (!context.args.words.empty()) return usage_error("diff takes files, not words", "trovectl diff -f FILE");
  if (!context.args.has("filename")) return usage_error("what to compare? -f FILE is missing");
  PlanView view;
  view.fields_only = true;
  view.style = Style(context.colour(context.out_tty));
  auto plan = plan_of_files(context, "?dryRun=server", view.from);
  if (!plan) return tl::unexpected(plan.error());
  if (output->is_table()) {
    context.out << render_plan(*plan, view);
  } else {
    print_value(context, *output, (*plan)["objects"]);
  }
  return has_changes(*plan) ? kDifferences : kOk;
}

}  // namespace trove::cli
