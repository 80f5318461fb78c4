// git status, git plan, git sync, git verify: what a GitSource has applied, what waits, and asking it to look again.
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/commands/plan.hpp"
#include "cli/names.hpp"
#include "cli/output/columns.hpp"
#include "cli/output/table.hpp"
#include "cli/waiting.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::cli {
namespace {

constexpr Millis kAskEvery{250};

const Kind& git_source() { return *find_kind("GitSource"); }

// "shop-prod" or "git/shop-prod", as get -o name prints it.
Try<std::string> source_named(const std::vector<std::string>& words) {
  if (words.empty()) return usage_error("which GitSource?", "what there is: trovectl get git");
  if (words.size() > 1) return usage_error("one GitSource at a time, please");
  if (words[0].find('/') == std::string::npos) return words[0];
  auto target = parse_target(words);
  if (!target) return tl::unexpected(target.error());
  if (target->kind != &git_source()) return usage_error(to_string(*target) + " is not a GitSource");
  return target->name;
}

std::string text_at(const Value& object, std::string_view path) { return printable(object.at_path(path).as_written(), 300); }

std::string followed(const Value& object) {
  const Value& ref = object.at_path("spec.ref");
  for (const char* what : {"branch", "tag", "commit"})
    if (ref[what].is_string()) return std::string(what) + " " + printable(short_commit(ref[what].text()), 200);
  return "branch main";
}

class Sheet {
 public:
  explicit Sheet(Context& context) : context_(context) {}
  void line(const std::string& label, const std::string& text) {
    if (!text.empty()) context_.out << "  " << label << std::string(label.size() < 11 ? 11 - label.size() : 1, ' ') << text << '\n';
  }

 private:
  Context& context_;
};

std::string approve_command(const Value& object) {
  return "trovectl git sync " + text_at(object, "metadata.name") + " --approve " + text_at(object, "status.plan.id");
}

void print_waiting(Sheet& sheet, const Value& object) {
  const Value& plan = object.at_path("status.plan");
  if (!plan.is_map()) return;
  const auto count = [&](const char* what) { return std::to_string(plan[what].int_or(0)) + " to " + what; };
  sheet.line("waits", printable(plan["id"].text(), 40) + " of " + printable(short_commit(plan["commit"].text()), 80) + ": " +
                          count("create") + ", " + count("configure") + ", " + count("delete") +
                          "; look: trovectl git plan " + text_at(object, "metadata.name") +
                          "; approve: " + approve_command(object));
  for (const Value& text : plan["interrupts"].items()) sheet.line("interrupts", printable(text.text(), 300));
  if (const std::string why = printable(plan["replaces"].text(), 600); !why.empty()) sheet.line("because", why);
}

void print_source(Context& context, const Value& object, const Value* state) {
  const Value& status = object["status"];
  Sheet sheet(context);
  context.out << text_at(object, "metadata.name") << "   " << text_at(object, "spec.url") << ", " << followed(object);
  if (const std::string path = text_at(object, "spec.path"); !path.empty()) context.out << ", " << path;
  context.out << '\n';
  const auto commit = [&](const char* field) { return printable(short_commit(status[field].text()), 80); };
  std::string applied = commit("appliedCommit");
  if (!applied.empty()) {
    if (!status["subject"].text().empty()) applied += "  \"" + text_at(status, "subject") + "\"";
    if (!status["author"].text().empty()) applied += " by " + text_at(status, "author");
    if (auto at = parse_time(status["appliedAt"].text()))
      applied += ", " + format_age(std::max(context.clock.wall() - *at, Millis{0})) + " ago";
  }
  sheet.line("applied", applied.empty() ? "nothing yet" : applied);
  if (commit("observedCommit") != commit("appliedCommit")) sheet.line("newest", commit("observedCommit"));
  if (commit("lastGoodCommit") != commit("appliedCommit")) sheet.line("last good", commit("lastGoodCommit"));
  sheet.line("signed by", text_at(status, "verifiedBy"));
  if (const std::string from = commit("rewrittenFrom"); !from.empty())
    sheet.line("rewritten", from + " is not in the history of what is applied");
  sheet.line("holds", std::to_string(status["files"].int_or(0)) + " files (" +
                          std::to_string(status["skippedFiles"].int_or(0)) + " others skipped), " +
                          std::to_string(status["objects"].int_or(0)) + " objects");
  for (const Condition& condition : conditions_of(status))
    if (condition.type == "Ready") sheet.line("ready", condition.status + " (" + printable(condition.reason) + ")");
  const Value& broken = status["broken"];
  if (broken.empty() && status["lastError"].is_map()) sheet.line("trouble", text_at(status, "lastError.message"));
  for (const Value& file : broken.items()) {
    std::string place = printable(file["file"].text(), 300);
    if (file["line"].is_int()) place += ":" + file["line"].as_written() + ":" + file["column"].as_written();
    sheet.line("broken", place + "  " + printable(file["message"].text(), 600));
  }
  if (const int64_t all = status["brokenFiles"].int_or(0); all > static_cast<int64_t>(broken.size()))
    sheet.line("broken", "and " + std::to_string(all - static_cast<int64_t>(broken.size())) + " more files");
  print_waiting(sheet, object);
  for (const Value& object_name : status["unconfirmed"].items())
    sheet.line("stays", printable(object_name.text()) + " until confirmed: trovectl git sync " +
                            text_at(object, "metadata.name") + " --confirm " + printable(object_name.text()));
  for (const Value& object_name : status["protected"].items())
    sheet.line("stays", printable(object_name.text()) + ": left Git, and has deletionProtection");
  if (!state) return;
  for (const Value& entry : (*state)["drift"].items()) {
    std::string text = printable(lower(entry["kind"].text()) + "/" + entry["name"].text()) + "  " +
                       printable(entry["path"].text(), 200);
    if (const Value* actual = entry.find("actual"))
      text += ": " + printable(actual->as_written(), 200) + " instead of " + printable(entry["desired"].as_written(), 200);
    if (!entry["by"].text().empty()) text += ", by " + printable(entry["by"].text(), 100);
    if (auto until = parse_time(entry["until"].text()))
      text += ", goes back " + (*until > context.clock.wall() ? "in " + format_age(*until - context.clock.wall()) : "now");
    sheet.line("drifted", text);
  }
  if (auto next = parse_time((*state)["nextAttempt"].text()))
    sheet.line("next look", *next > context.clock.wall() ? "in " + format_age(*next - context.clock.wall()) : "now");
}

}  // namespace

Try<int> run_git_status(Context& context) {
  auto output = output_of(context, {Format::json, Format::yaml});
  if (!output) return tl::unexpected(output.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  if (context.args.words.empty()) {
    auto all = (*api)->list(git_source());
    if (!all) return tl::unexpected(all.error());
    if (!output->is_table()) {
      print_value(context, *output, Value::map({{"items", Value::list(all->items)}}));
      return kOk;
    }
    if (all->items.empty()) {
      context.err << "no GitSource in project " << (*api)->project() << "; what one looks like: trovectl explain git\n";
      return kOk;
    }
    print(context.out, table_of(git_source(), all->items, context.clock.wall(), {}), !context.args.has("no-headers"));
    return kOk;
  }
  auto name = source_named(context.args.words);
  if (!name) return tl::unexpected(name.error());
  auto object = (*api)->get(git_source(), *name);
  if (!object) return tl::unexpected(object.error());
  if (!output->is_table()) {
    print_value(context, *output, *object);
    return kOk;
  }
  auto state = (*api)->git_state(*name, true);
  print_source(context, *object, state ? &*state : nullptr);
  return kOk;
}

Try<int> run_git_plan(Context& context) {
  auto output = plan_output_of(context);
  if (!output) return tl::unexpected(output.error());
  auto name = source_named(context.args.words);
  if (!name) return tl::unexpected(name.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto object = (*api)->get(git_source(), *name);
  if (!object) return tl::unexpected(object.error());
  const Value& waiting = object->at_path("status.plan");
  if (!waiting.is_map())
    return failed(kStalled, "no plan of gitsource/" + printable(*name) + " waits for an approval",
                  object->at_path("spec.approval").text() == "Manual"
                      ? "trovectl git status " + printable(*name)
                      : "what is in Git is applied at once; see trovectl explain git.spec.approval");
  auto plan = (*api)->kept_plan(waiting["id"].text());
  if (!plan) return tl::unexpected(plan.error());
  PlanView view;
  view.style = Style(context.colour(context.out_tty));
  view.from = "made " + printable((*plan)["createdAt"].text()) + " of " +
              printable(short_commit(waiting["commit"].text()), 80) + " by gitsource/" + printable(*name);
  view.carry_out = approve_command(*object);
  return show_plan(context, *output, view, *plan);
}

Try<int> run_git_sync(Context& context) {
  auto name = source_named(context.args.words);
  if (!name) return tl::unexpected(name.error());
  auto timeout = context.timeout(kWaitDefault);
  if (!timeout) return tl::unexpected(timeout.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  Value confirm = Value::list();
  for (const std::string& word : context.args.all("confirm")) {
    if (word.find('/') == std::string::npos) {
      confirm.push_back(word);  // a commit
      continue;
    }
    auto target = parse_target({word});
    if (!target) return tl::unexpected(target.error());
    confirm.push_back(to_string(*target));
  }
  const std::string shown = "gitsource/" + printable(*name);
  const std::string approve = context.args.get("approve");
  if (!approve.empty() && !confirm.empty())
    return usage_error("--confirm changes the plan, so that it cannot be approved at the same time",
                       "confirm first, then look at the new plan: trovectl git plan " + printable(*name));
  Value body = Value::map({{"confirm", std::move(confirm)}});
  if (!approve.empty()) body.set("approve", approve);
  auto before = (*api)->git_sync(*name, body);
  if (!before) return tl::unexpected(before.error());
  if (!context.args.has("wait")) {
    context.out << shown << "  is asked to look now; what came of it: trovectl git status " << printable(*name) << '\n';
    return kOk;
  }
  context.catch_interrupts();
  const int64_t attempts = (*before)["attempts"].int_or(0);
  // One that was under way when we asked may have looked before we did.
  const int64_t wanted = attempts + ((*before)["running"].bool_or(false) ? 2 : 1);
  const Millis end = context.clock.monotonic() + *timeout;
  Value approval;
  while (true) {
    auto state = (*api)->git_state(*name);
    if (!state) return tl::unexpected(state.error());
    // An approval has an answer of its own; the look that we see may have begun just before it was given.
    approval = (*state)["approval"];
    const bool answered = approval["plan"].text() == approve && approval["attempt"].int_or(0) > attempts;
    if (approve.empty() ? (*state)["attempts"].int_or(0) >= wanted : answered) break;
    if (context.clock.monotonic() >= end)
      return failed(kTimeout, shown + " has not looked yet", "trovectl git status " + printable(*name));
    if (context.interrupt.wait(kAskEvery))
      return failed(kInterrupted, "interrupted; the server goes on", "trovectl git status " + printable(*name));
  }
  auto object = (*api)->get(git_source(), *name);
  if (!object) return tl::unexpected(object.error());
  print_source(context, *object, nullptr);
  if (!approve.empty() && approval["result"].text() != "applied")
    return failed(kConflict, "plan " + printable(approve, 40) + " was not carried out: " +
                                 printable(approval["message"].text(), 800));
  if (approve.empty() && object->at_path("status.plan").is_map()) return kStalled;  // somebody has to approve
  if (condition_status(*object, "Ready") == "True") return kOk;
  return condition_status(*object, "Stalled") == "True" ? kStalled : kUnavailable;
}

Try<int> run_git_verify(Context& context) {
  auto name = source_named(context.args.words);
  if (!name) return tl::unexpected(name.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  auto object = (*api)->get(git_source(), *name);
  if (!object) return tl::unexpected(object.error());
  const std::string shown = "gitsource/" + printable(*name);
  const Value& status = (*object)["status"];
  if (!object->at_path("spec.verify").is_map())
    return failed(kRefused, shown + " asks for no signature",
                  "write verify: {keysRef: {name: SECRET}}; see trovectl explain git.spec.verify");
  const std::string newest = printable(short_commit(status["observedCommit"].text()), 80);
  const std::string by = printable(status["verifiedBy"].text(), 300);
  if (!by.empty() && !newest.empty()) {
    context.out << newest << "  signed by " << by << '\n';
    return kOk;
  }
  if (status["lastError"].is_map()) return failed(kRefused, printable(status.at_path("lastError.message").text(), 600));
  return failed(kUnavailable, shown + " has fetched nothing yet", "trovectl git sync " + printable(*name) + " --wait");
}

}  // namespace trove::cli
