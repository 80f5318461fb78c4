#include "cli/waiting.hpp"

#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"

namespace trove::cli {

Try<int> run_wait(Context& context) {
  auto goal = goal_named(context.args.get("for"));
  if (!goal) return tl::unexpected(goal.error());
  auto timeout = context.timeout(kWaitDefault);
  if (!timeout) return tl::unexpected(timeout.error());
  std::vector<Target> targets;
  if (context.args.has("filename")) {
    auto documents = load_documents(context);
    if (!documents) return tl::unexpected(documents.error());
    if (!documents->problems.empty()) return tl::unexpected(report_problems(context, documents->problems));
    for (const Document& document : documents->items) {
      targets.push_back({find_kind(document.resource.kind), document.resource.metadata.name});
    }
  }
  if (!context.args.words.empty() || targets.empty()) {
    auto parsed = parse_targets_or_kinds(context.args.words);
    if (!parsed) return tl::unexpected(parsed.error());
    for (Target& target : *parsed) {
      if (!target.name.empty()) {
        targets.push_back(std::move(target));
        continue;
      }
      // A kind alone means the objects there are now.
      auto api = context.api();
      if (!api) return tl::unexpected(api.error());
      auto listing = (*api)->list(*target.kind, context.args.get("selector"));
      if (!listing) return tl::unexpected(listing.error());
      for (const Value& object : listing->items) {
        targets.push_back({target.kind, object.at_path("metadata.name").text()});
      }
    }
    if (targets.empty()) {
      context.err << "nothing to wait for\n";
      return kOk;
    }
  }
  return wait_for(context, std::move(targets), *goal, *timeout);
}

}  // namespace trove::cli
