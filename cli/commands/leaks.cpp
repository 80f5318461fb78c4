#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/output/data.hpp"
#include "cli/output/table.hpp"
#include "specs/json.hpp"
#include "specs/problem.hpp"

namespace trove::cli {

Try<int> run_leaks(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto answer = (*api)->leaks();
  if (!answer) return tl::unexpected(answer.error());
  if (!output->is_table()) {
    print_value(context, *output, *answer);
    return kOk;
  }
  const Value& leaks = (*answer)["items"];
  if (leaks.items().empty()) {
    context.err << "nothing has leaked\n";
    return kOk;
  }
  Table table{{"WHAT", "ID", "NAME", "MARK", "SINCE", "REMOVED"}, {}};
  for (const Value& leak : leaks.items())
    table.rows.push_back({leak["what"].text(), leak["id"].text(), leak["name"].text(), leak["mark"].text(),
                          leak["since"].text(), leak["removedAt"].text_or("by hand")});
  print(context.out, table, !context.args.has("no-headers"));
  return kOk;
}

}  // namespace trove::cli
