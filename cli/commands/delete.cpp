#include <algorithm>
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/documents.hpp"
#include "cli/names.hpp"
#include "cli/output/plan.hpp"
#include "cli/output/style.hpp"
#include "cli/waiting.hpp"

namespace trove::cli {
namespace {

Try<std::vector<Target>> targets_of(Context& context) {
  std::vector<Target> targets;
  std::string selector = context.args.get("selector");
  if (context.args.has("filename")) {
    auto documents = load_documents(context);
    if (!documents) return tl::unexpected(documents.error());
    if (!documents->problems.empty()) return tl::unexpected(report_problems(context, documents->problems));
    for (const Document& document : documents->items) {
      if (document.resource.metadata.name.empty()) continue;   // generateName names nothing that exists
      targets.push_back({find_kind(document.resource.kind), document.resource.metadata.name});
    }
  }
  if (context.args.words.empty() && !targets.empty()) return targets;
  auto parsed = selector.empty() ? parse_targets(context.args.words) : parse_targets_or_kinds(context.args.words);
  if (!parsed) return tl::unexpected(parsed.error());
  for (Target& target : *parsed) {
    if (!target.name.empty()) {
      targets.push_back(std::move(target));
      continue;
    }
    auto api = context.api();
    if (!api) return tl::unexpected(api.error());
    auto listing = (*api)->list(*target.kind, selector);
    if (!listing) return tl::unexpected(listing.error());
    for (const Value& object : listing->items) targets.push_back({target.kind, object.at_path("metadata.name").text()});
  }
  return targets;
}

// What a person needs to hear about this one before it goes. The policy is in the object; the actions are the server's.
void say_fate(Context& context, const Target& target, const Value& object) {
  std::string fallback = target.kind->stateful ? "Retain" : "Delete";
  bool keeps = object.at_path("spec.deletionPolicy").text_or(fallback) == "Retain";
  std::string name = to_string(target);
  std::string_view kind = target.kind->name;
  std::string text;
  if (kind == "DatabaseInstance") {
    std::string reference = object.at_path("spec.volumeRef.name").text();
    text = "goes: its server, address and engine. ";
    if (!reference.empty()) text += "stays: volume/" + reference + " with the data.";
    else if (object.at_path("spec.volume.size").int_or(0) == 0)
      text += "It has no volume: what it holds in memory is lost.";
    else
      text += keeps ? "stays: its data volume (deletionPolicy Retain)."
                    : "goes too: ITS DATA VOLUME (deletionPolicy Delete).";
  } else if (kind == "Database") {
    text = keeps ? "stays: the database inside the engine, no longer managed (deletionPolicy Retain)."
                 : "goes: THE DATABASE AND ITS TABLES (deletionPolicy Delete).";
  } else if (kind == "User") {
    text = keeps ? "stays: the login inside the engine, no longer managed." : "goes: the login inside the engine.";
  } else if (kind == "Volume") {
    text = keeps ? "stays: the volume and its data, no longer managed (deletionPolicy Retain)."
                 : "goes: THE VOLUME AND ITS DATA (deletionPolicy Delete).";
  } else if (kind == "Backup") {
    text = keeps ? "stays: the stored backup (deletionPolicy Retain)."
                 : "goes: THE STORED BACKUP (deletionPolicy Delete).";
  } else if (kind == "BackupSchedule") {
    text = "goes: the schedule. stays: the backups it made.";
  } else {
    text = "goes: the object.";
  }
  context.err << "  " << printable(name, 300) << "\n      " << text << '\n';
}

Try<void> ask(Context& context, const std::vector<Target>& targets) {
  if (context.args.has("yes")) return {};
  bool from_stdin = false;
  for (const std::string& file : context.args.all("filename")) from_stdin = from_stdin || file == "-";
  if (!context.in_tty || !context.err_tty || from_stdin) {
    return usage_error("nothing was deleted: this is no terminal, so nobody can be asked", "to go ahead, add --yes");
  }
  std::string wanted = targets.size() == 1 ? targets[0].name : std::to_string(targets.size());
  context.err << "\nTo delete, type " << (targets.size() == 1 ? "the name (" : "the number of objects (")
              << printable(wanted) << "): " << std::flush;
  std::string typed;
  std::getline(context.in, typed);
  if (typed != wanted) return usage_error("that is not \"" + printable(wanted) + "\": nothing was deleted");
  return {};
}

}  // namespace

Try<int> run_delete(Context& context) {
  std::string dry = context.args.get("dry-run");
  if (!dry.empty() && dry != "server") return usage_error("--dry-run: only \"server\" is known");
  auto timeout = context.timeout(kWaitDefault);
  if (!timeout) return tl::unexpected(timeout.error());
  auto targets = targets_of(context);
  if (!targets) return tl::unexpected(targets.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());

  std::vector<Target> there;
  std::vector<Value> objects;
  std::vector<Failure> missing;
  for (const Target& target : *targets) {
    auto object = (*api)->get(*target.kind, target.name);
    if (object) {
      there.push_back(target);
      objects.push_back(std::move(*object));
    } else if (object.error().exit == kNotFound) {
      // Deleting by file says what should not be there; what is gone already is fine.
      if (context.args.has("filename")) context.err << to_string(target) << " is not there\n";
      else missing.push_back(object.error());
    } else {
      return tl::unexpected(object.error());
    }
  }
  for (const Failure& failure : missing) print_failure(context, failure);
  if (!missing.empty()) return failed(kNotFound, "nothing was deleted");
  if (there.empty()) {
    context.err << "nothing to delete\n";
    return kOk;
  }
  // Dependants first, so that a protected or missing parent stops nothing half-way.
  std::vector<size_t> order(there.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  auto late = [&](size_t i) {
    std::string_view kind = there[i].kind->name;
    return kind == "DatabaseInstance"                                             ? 1
           : kind == "Volume" || kind == "ConfigurationGroup" || kind == "Secret" ? 2
                                                                                  : 0;
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return late(a) < late(b); });

  context.err << "To be deleted in project " << (*api)->project() << ":\n";
  Value remove = Value::list();
  for (size_t i : order) {
    say_fate(context, there[i], objects[i]);
    remove.push_back(Value::map({{"kind", there[i].kind->name}, {"name", there[i].name}}));
  }
  auto plan = (*api)->plan(Value::map({{"documents", Value::list()}, {"remove", remove}}), "?dryRun=server");
  if (plan) {
    Value actions_only = *plan;
    actions_only.set("objects", Value::list());
    actions_only.erase("summary");
    std::string text = render_plan(actions_only, {false, "", Style(context.colour(context.err_tty))});
    size_t first_line = text.find('\n');   // its title speaks of a plan; this is one step of a deletion
    if (!(*plan)["actions"].empty() && first_line != std::string::npos) context.err << text.substr(first_line + 1);
  }
  if (!dry.empty()) {
    context.err << "dry run: nothing was deleted\n";
    return kOk;
  }
  if (auto agreed = ask(context, there); !agreed) return tl::unexpected(agreed.error());

  int status = kOk;
  std::vector<Target> going;
  for (size_t i : order) {
    const Target& target = there[i];
    auto gone = (*api)->remove(*target.kind, target.name);
    if (!gone && gone.error().exit == kNotFound) {
      context.out << printable(to_string(target), 300) << "  deleted" << std::endl;   // a parent took it along
      continue;
    }
    if (!gone) {
      Failure failure = gone.error();
      if (failure.exit == kRefused && failure.hint.empty()) {
        failure.hint = "set spec.deletionProtection: false, apply, and delete again";
      }
      failure.message = to_string(target) + ": " + failure.message;
      print_failure(context, failure);
      if (status == kOk) status = failure.exit;
      continue;
    }
    bool at_once = !(*gone).at_path("metadata.deletionTimestamp").is_string();
    context.out << printable(to_string(target), 300) << (at_once ? "  deleted" : "  deleting") << std::endl;
    going.push_back(target);
  }
  if (status != kOk || !context.args.has("wait")) return status;
  Goal goal;
  goal.what = Goal::What::deleted;
  return wait_for(context, std::move(going), goal, *timeout);
}

}  // namespace trove::cli
