#include <algorithm>
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/columns.hpp"
#include "cli/output/data.hpp"
#include "cli/output/table.hpp"

namespace trove::cli {
Try<int> run_drift(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  std::vector<Target> targets;
  if (!context.args.words.empty()) {
    if (context.args.has("all-projects"))
      return usage_error("-A shows every object", "leave out " + context.args.words.front() + ", or -A");
    auto parsed = parse_targets(context.args.words);
    if (!parsed) return tl::unexpected(parsed.error());
    targets = std::move(*parsed);
  }
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  const bool all = context.args.has("all-projects");
  auto answer = (*api)->drift(all);
  if (!answer) return tl::unexpected(answer.error());
  for (const Target& target : targets)  // a name that nobody has must not look like an object without drift
    if (auto object = (*api)->get(*target.kind, target.name); !object) return tl::unexpected(object.error());
  Value shown = Value::list();
  for (const Value& row : (*answer)["items"].items()) {
    const bool asked = targets.empty() || std::any_of(targets.begin(), targets.end(), [&](const Target& target) {
                         return row["kind"].text() == target.kind->name && row["name"].text() == target.name;
                       });
    if (asked) shown.push_back(row);
  }
  const bool any = !shown.empty();
  if (!output->is_table()) {
    print_value(context, *output, Value::map({{"items", std::move(shown)}}));
    return any ? kDifferences : kOk;
  }
  if (!any) {
    context.err << "nothing has drifted\n";
    return kOk;
  }
  Table table{{"PROJECT", "OBJECT", "PATH", "DESIRED", "ACTUAL", "BY", "SINCE", "POLICY"}, {}};
  for (const Value& row : shown.items()) {
    const Kind* kind = find_kind(row["kind"].text());
    std::vector<std::string> cells = drift_cells(row, context.clock.wall());
    const std::string object = (kind ? std::string(kind->short_name) : row["kind"].text()) + "/" + row["name"].text();
    cells.insert(cells.begin(), {row["project"].text(), object});
    table.rows.push_back(std::move(cells));
  }
  print(context.out, table, !context.args.has("no-headers"));
  return kDifferences;
}

}  // namespace trove::cli
