#include <algorithm>
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/orders.hpp"
#include "cli/output/style.hpp"
#include "cli/waiting.hpp"

namespace trove::cli {
namespace {

// What a person wants to know beside "created".
std::string remark(const Value& result, const Document* document) {
  const std::string& what = result["result"].text();
  if (!result["message"].text().empty()) return "(" + printable(result["message"].text(), 200) + ")";
  if (what == "configured" && result["generation"].int_or(0) > 0) {
    return "(generation " + std::to_string(result["generation"].int_or(0)) + ")";
  }
  if (what == "created" && document && document->value.at_path("spec.password").find("generate")) {
    return "(password in secret/" + result["name"].text() + "-password)";
  }
  return "";
}

}  // namespace

Try<int> run_apply(Context& context) {
  if (!context.args.words.empty()) {
    return usage_error("apply takes files, not words", "did you mean -f " + printable(context.args.words[0], 80) + "?");
  }
  const std::string dry = context.args.get("dry-run");
  auto query = order_query(context);
  if (!query) return tl::unexpected(query.error());
  const std::string plan = context.args.get("plan");
  if (!plan.empty() && (context.args.has("filename") || !query->empty()))
    return usage_error("--plan is all there is to say: the plan holds the files, the set and who manages what",
                       "trovectl apply --plan " + printable(plan, 40));
  auto timeout = context.timeout(kWaitDefault);
  if (!timeout) return tl::unexpected(timeout.error());
  auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());

  Try<Documents> documents = Documents{};
  if (plan.empty()) documents = load_documents(context, Extent::some);
  if (!documents) return tl::unexpected(documents.error());
  if (!documents->problems.empty()) return tl::unexpected(report_problems(context, documents->problems));

  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto answer = plan.empty() ? (*api)->apply(request_body(*documents), *query) : (*api)->apply_plan(plan);
  if (!answer && !plan.empty()) {
    for (const ServerProblem& moved : answer.error().problems)
      context.err << "moved: " << printable(moved.path, 200) << ": " << printable(moved.message, 500) << '\n';
    Failure failure = answer.error();
    failure.problems.clear();
    return tl::unexpected(failure);
  }
  if (!answer) {
    if (answer.error().problems.empty()) return tl::unexpected(answer.error());
    return tl::unexpected(report_problems(context, located(answer.error(), *documents)));
  }

  Style style(context.colour(context.out_tty));
  const auto& results = (*answer)["results"].items();
  size_t name_width = 0, result_width = 0;
  for (const Value& result : results) {
    name_width = std::max(name_width, result["kind"].text().size() + result["name"].text().size() + 1);
    result_width = std::max(result_width, result["result"].text().size());
  }
  std::vector<Target> targets;
  for (size_t i = 0; i < results.size(); ++i) {
    const Value& result = results[i];
    std::string name = printable(lower(result["kind"].text()) + "/" + result["name"].text(), 400);
    std::string what = result["result"].text();
    std::string line = name + std::string(name_width + 2 - std::min(name_width, name.size()), ' ');
    line += what == "unchanged" ? style.faint(what) : style.good(what);
    std::string extra = remark(result, i < documents->items.size() ? &documents->items[i] : nullptr);
    if (!dry.empty()) extra += extra.empty() ? "(dry run)" : " (dry run)";
    if (!extra.empty()) line += std::string(result_width + 2 - what.size(), ' ') + extra;
    context.out << line << '\n';
    for (const Value& text : result["warnings"].items()) warn(context, name + ": " + printable(text.text(), 500));
    const bool stays = what == "created" || what == "configured" || what == "unchanged";
    if (const Kind* kind = find_kind(result["kind"].text()); kind && stays) {
      targets.push_back({kind, result["name"].text(), result["generation"].int_or(0)});
    }
  }
  context.out.flush();
  if (!context.args.has("wait") || !dry.empty()) return kOk;
  return wait_for(context, std::move(targets), {Goal::What::settled}, *timeout);
}

}  // namespace trove::cli
