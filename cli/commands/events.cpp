#include <algorithm>
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/data.hpp"
#include "cli/output/table.hpp"
#include "specs/json.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

constexpr int kEvents = 200;
constexpr Millis kPoll{1'000};
constexpr size_t kRemembered = 5'000;   // events shown already, so that a poll shows only new ones

// Today's events need no date.
std::string clock_time(const std::string& time, Time now) {
  auto parsed = parse_time(time);
  if (!parsed) return time;
  std::string full = format_time(Time{parsed->ms / 1000 * 1000});
  return full.substr(0, 10) == format_time(now).substr(0, 10) ? full.substr(11, 8) : full;
}

std::vector<std::string> row(const Value& event, Time now, bool with_object) {
  std::vector<std::string> cells{clock_time(event["time"].text(), now), event["type"].text(), event["action"].text(),
                                 event["by"].text()};
  if (with_object) cells.push_back(event["object"].text());
  cells.push_back(event["message"].text());
  return cells;
}

}  // namespace

Try<int> run_events(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml, Format::jsonl});
  if (!output) return tl::unexpected(output.error());
  auto targets = parse_targets(context.args.words);
  if (!targets) return tl::unexpected(targets.error());
  Time since;
  if (context.args.has("since")) {
    auto age = parse_duration(context.args.get("since"));
    if (!age)
      return usage_error("--since: \"" + printable(context.args.get("since"), 60) + "\" is not a duration",
                         "write 10m, 1h or 2d");
    since = context.clock.wall() - *age;
  }
  bool watch = context.args.has("watch");
  if (watch && !output->is_table() && output->format != Format::jsonl) return usage_error("-w goes with -o jsonl");
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  if (watch) context.catch_interrupts();

  bool many = targets->size() > 1;
  std::vector<std::string> titles{"TIME", "TYPE", "ACTION", "BY"};
  if (many) titles.emplace_back("OBJECT");
  titles.emplace_back("MESSAGE");
  std::vector<std::string> seen;
  std::vector<size_t> widths;
  for (bool first = true;; first = false) {
    std::vector<Value> events;
    for (const Target& target : *targets) {
      auto answer = (*api)->events(*target.kind, target.name, kEvents);
      if (!answer) {
        if (!first && answer.error().exit == kUnavailable) continue;
        return tl::unexpected(answer.error());
      }
      for (const Value& event : (*answer)["items"].items()) {
        auto time = parse_time(event["time"].text());
        if (since.set() && time && *time < since) continue;
        if (watch) {
          std::string fingerprint = canonical_json(event);
          if (std::find(seen.begin(), seen.end(), fingerprint) != seen.end()) continue;
          seen.push_back(std::move(fingerprint));
        }
        events.push_back(event);
      }
    }
    if (seen.size() > kRemembered) seen.erase(seen.begin(), seen.end() - static_cast<long>(kRemembered / 2));
    if (many) {
      std::stable_sort(events.begin(), events.end(),
                       [](const Value& a, const Value& b) { return a["time"].text() < b["time"].text(); });
    }
    if (output->format == Format::jsonl) {
      for (const Value& event : events) print_value(context, *output, event);
    } else if (!output->is_table()) {
      print_value(context, *output, Value::map({{"items", Value::list(std::move(events))}}));
    } else {
      Table table{titles, {}};
      for (const Value& event : events) table.rows.push_back(row(event, context.clock.wall(), many));
      widths = widths_of(table, widths);
      if (first && !context.args.has("no-headers") && (watch || !table.rows.empty()))
        print_row(context.out, titles, widths);
      for (const auto& cells : table.rows) print_row(context.out, cells, widths);
      if (first && !watch && table.rows.empty()) context.err << "no events\n";
    }
    if (!watch) return kOk;
    context.out.flush();
    if (context.interrupt.wait(kPoll) || !context.out) return kInterrupted;
  }
}

}  // namespace trove::cli
