#include "cli/output/plan.hpp"

#include <algorithm>
#include <vector>
#include "cli/output/table.hpp"
#include "specs/core/time.hpp"
#include "specs/json.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

std::string shown(const Value& value) {
  if (value.is_null()) return "(none)";
  if (value.is_list() || value.is_map()) return printable(dump_json(value), 100);
  std::string text = value.as_written();
  return text.empty() ? "\"\"" : printable(text, 100);
}

constexpr size_t kExpected = 20;  // "4m  p95 9m  n=57"

std::string padded(std::string text, size_t width) {
  size_t have = characters(text);
  if (have < width) text.append(width - have, ' ');
  return text;
}

struct Mark {
  char letter;
  std::string (Style::*paint)(std::string_view) const;
};
Mark mark_of(const std::string& op) {
  if (op == "create") return {'+', &Style::good};
  if (op == "delete") return {'-', &Style::bad};
  if (op == "forget") return {'o', &Style::doubtful};
  if (op == "blocked") return {'!', &Style::bad};
  return {'~', &Style::doubtful};
}

bool loud(std::string_view change) {
  return change == "RESTART" || change == "failover" || change == "REBOOT" || change == "REBUILD" || change == "copy" ||
         change == "forbidden";
}

void render_object(const Value& object, const PlanView& view, std::string& out) {
  Mark mark = mark_of(object["op"].text());
  std::string title = printable(object["kind"].text()) + "/" + printable(object["name"].text());
  const auto& notes = object["notes"].items();
  const auto& changes = object["changes"].items();
  out += (view.style.*mark.paint)(std::string(1, mark.letter)) + " " + view.style.strong(title);
  // One remark and nothing else fits on the line: "o Database/tmp   forgotten, NOT dropped".
  bool beside = changes.empty() && notes.size() == 1;
  if (beside) out += "   " + printable(notes[0].text(), 300);
  out += '\n';

  struct Row {
    std::string path, values, change;
  };
  std::vector<Row> rows;
  size_t path_width = 0, values_width = 0;
  for (const Value& change : changes) {
    // A new object is made as a whole: what was there before, and what changing each field would do, is beside the
    // point.
    bool fresh = object["op"].text() == "create";
    std::string values = (fresh ? "" : shown(change["before"]) + " → ") + shown(change["after"]);
    std::string what = fresh ? "" : change["change"].text();
    rows.push_back({printable(change["path"].text()), std::move(values), std::move(what)});
    path_width = std::max(path_width, characters(rows.back().path));
    if (!rows.back().change.empty()) values_width = std::max(values_width, characters(rows.back().values));
  }
  for (const Row& row : rows) {
    std::string line =
        "    " + padded(row.path, path_width) + "  " + padded(row.values, row.change.empty() ? 0 : values_width);
    if (!row.change.empty()) line += "   " + (loud(row.change) ? view.style.bad(row.change) : row.change);
    out += line + '\n';
  }
  if (!beside) {
    for (const Value& note : notes) out += "    " + printable(note.text(), 300) + '\n';
  }
}

std::string interruption(const Value& action) {
  const Value& interrupts = action["interrupts"];
  std::string text = interrupts.is_string()      ? interrupts.text()
                     : interrupts.bool_or(false) ? "interrupts the database"
                                                 : "";
  std::string change = action["change"].text();
  if (text.empty() || !loud(change)) return text;
  return change + ": " + text;
}

std::string expectation(const Value& action) {
  const Value& expected = action["expected"];
  if (!expected.is_map()) return "no history yet";
  const auto age = [&](const char* key) {
    const int64_t ms = expected[key].int_or(0);
    return ms < 1'000 ? std::to_string(ms) + "ms" : format_age(Millis{ms});
  };
  return age("p50Ms") + "  p95 " + age("p95Ms") + "  n=" + expected["n"].as_written();
}

void render_actions(const Value& plan, const PlanView& view, std::string& out) {
  const auto& actions = plan["actions"].items();
  if (actions.empty()) return;
  out += "\n" + view.style.strong("Actions") + "\n";
  const bool any = std::any_of(actions.begin(), actions.end(), [](const Value& a) { return a["expected"].is_map(); });
  size_t step_width = 0, action_width = 0, object_width = 0, detail_width = 0;
  for (const Value& action : actions) {
    step_width = std::max(step_width, action["step"].as_written().size());
    action_width = std::max(action_width, characters(printable(action["action"].text())));
    object_width = std::max(object_width, characters(printable(action["object"].text())));
    if (any || !interruption(action).empty())
      detail_width = std::max(detail_width, characters(printable(action["detail"].text(), 200)));
  }
  for (const Value& action : actions) {
    std::string step = action["step"].as_written();
    std::string interrupts = printable(interruption(action), 100);
    std::string line = "  " + std::string(step_width - step.size(), ' ') + step + "  " +
                       padded(printable(action["action"].text()), action_width) + "  " +
                       padded(printable(action["object"].text()), object_width) + "  " +
                       padded(printable(action["detail"].text(), 200), !any && interrupts.empty() ? 0 : detail_width);
    if (any) line += "   " + view.style.faint(padded(expectation(action), kExpected));
    if (!interrupts.empty()) line += "   " + view.style.bad(interrupts);
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + '\n';
  }
}

// "Checks  quota ok (cores 12 → 24 of 64) · flavor NOT ok (this cloud has no flavor db.smal …)": a check once, with all
// that was found.
void render_checks(const Value& plan, const PlanView& view, std::string& out) {
  struct Found {
    std::string check, messages;
    bool failed = false, doubtful = false;
  };
  std::vector<Found> all;
  for (const Value& entry : plan["checks"].items()) {
    const std::string name = printable(entry["check"].text(), 40);
    auto found = std::find_if(all.begin(), all.end(), [&](const Found& one) { return one.check == name; });
    if (found == all.end()) found = all.insert(all.end(), {name, "", false, false});
    found->messages += (found->messages.empty() ? "" : ", ") + printable(entry["message"].text(), 400);
    found->failed = found->failed || (entry["ok"].is_bool() && !entry["ok"].bool_or(true));
    found->doubtful = found->doubtful || !entry["ok"].is_bool();
  }
  std::string line;
  for (const Found& one : all) {
    // What is not known says so itself.
    const std::string state = one.failed ? view.style.bad("NOT ok ") : one.doubtful ? "" : view.style.good("ok ");
    line += (line.empty() ? "" : " · ") + one.check + ' ' + state + "(" + one.messages + ")";
  }
  if (!line.empty()) out += "\n" + view.style.strong("Checks") + "  " + line + '\n';
}

void render_waiting(const Value& plan, const PlanView& view, std::string& out) {
  const auto& waiting = plan["waiting"].items();
  if (waiting.empty()) return;
  out += "\n" + view.style.strong("Waiting") + "\n";
  size_t object_width = 0, reason_width = 0;
  for (const Value& entry : waiting) {
    object_width = std::max(object_width, characters(printable(entry["object"].text())));
    reason_width = std::max(reason_width, characters(printable(entry["reason"].text())));
  }
  for (const Value& entry : waiting) {
    std::string line = "  " + padded(printable(entry["object"].text()), object_width) + "  " +
                       padded(printable(entry["reason"].text()), reason_width) + "  " +
                       printable(entry["message"].text(), 300);
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + '\n';
  }
}

}  // namespace

bool has_changes(const Value& plan) {
  const auto& objects = plan["objects"].items();
  return std::any_of(objects.begin(), objects.end(), [](const Value& object) {
    return object["op"].text() != "unchanged" && !object["op"].text().empty();
  });
}
bool has_differences(const Value& plan) { return has_changes(plan) || !plan["actions"].empty(); }

std::string render_plan(const Value& plan, const PlanView& view) {
  std::string out;
  if (!view.fields_only) {
    out += "Plan for project " + printable(plan["project"].text());
    if (!view.from.empty()) out += ", " + view.from;
    out += " (revision " + plan["revision"].as_written();
    // The day is today; the clock time is what one compares.
    if (std::string seen = plan["observedAt"].text(); seen.size() >= 20)
      out += ", observed " + printable(seen.substr(11));
    out += ")\n";
  }
  bool first = true;
  for (const Value& object : plan["objects"].items()) {
    if (object["op"].text() == "unchanged") continue;
    if (first && !view.fields_only) out += '\n';
    first = false;
    render_object(object, view, out);
  }
  if (view.fields_only) return out;

  render_actions(plan, view, out);
  if (const auto& list = plan["actions"].items();
      !list.empty() && std::none_of(list.begin(), list.end(), [](const Value& a) { return a["expected"].is_map(); }))
    out += "How long these take here: no history yet.\n";
  render_checks(plan, view, out);
  render_waiting(plan, view, out);
  if (!plan["complete"].bool_or(true)) {
    out += "\nThe plan stops early: some facts are not known yet" +
           std::string(plan["waiting"].empty() ? "" : " (see Waiting)") + ".\n";
  }
  if (!has_differences(plan) && plan["waiting"].empty() && plan["complete"].bool_or(true)) {
    out += "\nNothing to do: everything is as the specs say.\n";
    return out;
  }
  const Value& summary = plan["summary"];
  if (summary.is_map()) {
    auto count = [&](const char* key) { return std::to_string(summary[key].int_or(0)); };
    out += "\n" + count("add") + " to add, " + count("change") + " to change, " + count("destroy") + " to destroy, " +
           count("forget") + " to forget.\n";
  }
  if (const std::string id = plan["id"].text(); !id.empty())
    out += "Apply exactly this:  " +
           (view.carry_out.empty() ? "trovectl apply --plan " + printable(id, 40) : view.carry_out) +
           "        (valid until the specs or the world move)\n";
  return out;
}

std::string markdown_plan(const Value& plan, const PlanView& view) {
  PlanView plain = view;
  plain.style = Style(false);
  const Value& summary = plan["summary"];
  const auto count = [&](const char* key) { return std::to_string(summary[key].int_or(0)); };
  std::string out = "### trove plan" + (plan["id"].text().empty() ? "" : " `" + plan["id"].text() + "`") + ": " +
                    (has_differences(plan) ? count("add") + " to add, " + count("change") + " to change, " +
                                                 count("destroy") + " to destroy, " + count("forget") + " to forget"
                                           : std::string("nothing to do")) +
                    "\n\n";
  std::string worst;
  for (const Value& action : plan["actions"].items())
    if (loud(action["change"].text()))
      worst += "- **" + action["change"].text() + "** " + printable(action["object"].text()) + ": " +
               printable(action["action"].text()) + "\n";
  if (!worst.empty()) out += "Interruptions:\n\n" + worst + "\n";
  // Longer than any run of back quotes in it, so that nothing in the plan ends the block.
  std::string text = render_plan(plan, plain), fence = "```";
  while (text.find(fence) != std::string::npos) fence += '`';
  return out + fence + "diff\n" + text + fence + "\n";
}

}  // namespace trove::cli
