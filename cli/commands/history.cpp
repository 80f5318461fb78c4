#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/data.hpp"
#include "cli/output/jsonpath.hpp"
#include "cli/output/table.hpp"
#include "specs/decode.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

constexpr size_t kChangesNamed = 4;

std::string what_changed(const Kind& kind, const Value* before, const Value& after) {
  if (!before) return "created";
  auto changes = diff_specs(kind, *before, after);
  std::string text;
  for (size_t i = 0; i < changes.size() && i < kChangesNamed; ++i) {
    std::string path = changes[i].path;
    if (path.starts_with("spec.")) path = path.substr(5);
    text += (i > 0 ? ", " : "") + path;
    if (!changes[i].before.is_null() && !changes[i].after.is_null()) {
      text += " " + printable(plain_text(changes[i].before), 40) + "→" + printable(plain_text(changes[i].after), 40);
    }
  }
  if (changes.size() > kChangesNamed) text += " and " + std::to_string(changes.size() - kChangesNamed) + " more";
  return text.empty() ? "metadata" : text;
}

// What became of it: reached after so long, overtaken by the next one, or still on its way.
std::string result_of(const Value& item, bool newest) {
  const std::string plan = item["plan"].text().empty() ? "" : " (" + printable(item["plan"].text(), 20) + ")";
  const auto made = parse_time(item["time"].text()), done = parse_time(item["doneAt"].text());
  if (done && made) return "ok " + format_age(*done - *made) + plan;
  return (newest ? "in progress" : "overtaken") + plan;
}

}  // namespace

Try<int> run_history(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  auto target = parse_target(context.args.words);
  if (!target) return tl::unexpected(target.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto answer = (*api)->history(*target->kind, target->name);
  if (!answer) return tl::unexpected(answer.error());
  if (!output->is_table()) {
    print_value(context, *output, *answer);
    return kOk;
  }
  const auto& items = (*answer)["items"].items();
  Table table{{"REV", "WHEN", "BY", "CHANGE", "RESULT"}, {}};
  for (size_t i = items.size(); i-- > 0;) {   // the server gives the oldest first
    const Value& item = items[i];
    // The oldest that is kept need not be the first there was.
    bool first = i == 0 && item["generation"].int_or(1) > 1;
    table.rows.push_back({item["generation"].as_written(), item["time"].text(), item["author"].text(),
                          first ? "(older ones are gone)"
                                : what_changed(*target->kind, i > 0 ? &items[i - 1]["spec"] : nullptr, item["spec"]),
                          result_of(item, i + 1 == items.size())});
  }
  print(context.out, table, !context.args.has("no-headers"));
  return kOk;
}

}  // namespace trove::cli
