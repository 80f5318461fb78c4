#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "cli/output/columns.hpp"
#include "cli/output/jsonpath.hpp"
#include "cli/output/style.hpp"
#include "cli/output/table.hpp"
#include "specs/json.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::cli {
namespace {

constexpr int kEventsShown = 20;
constexpr size_t kLabelWidth = 20;

void line(Context& context, const std::string& label, const std::string& value, size_t indent = 0) {
  std::string text = std::string(indent, ' ') + printable(label, 200) + ":";
  if (text.size() < kLabelWidth) text.append(kLabelWidth - text.size(), ' ');
  else text += ' ';
  text += printable(value, 500);
  while (text.back() == ' ') text.pop_back();
  context.out << text << '\n';
}

// A map as indented lines; lists of scalars on one line; lists of maps one item a line, as JSON.
void tree(Context& context, const Value& value, size_t indent) {
  for (const auto& member : value.members()) {
    if (member.value.is_map() && !member.value.empty()) {
      context.out << std::string(indent, ' ') << printable(member.key, 200) << ":\n";
      tree(context, member.value, indent + 2);
    } else if (member.value.is_list() && !member.value.empty() && member.value.items()[0].is_map()) {
      context.out << std::string(indent, ' ') << printable(member.key, 200) << ":\n";
      for (const Value& item : member.value.items()) {
        context.out << std::string(indent, ' ') << "- " << printable(dump_json(item), 500) << '\n';
      }
    } else if (member.value.is_list()) {
      std::string joined;
      for (const Value& item : member.value.items()) joined += (joined.empty() ? "" : ", ") + plain_text(item);
      line(context, member.key, joined, indent);
    } else {
      line(context, member.key, member.value.is_map() ? "{}" : plain_text(member.value), indent);
    }
  }
}

void section(Context& context, const Style& style, const std::string& title) {
  context.out << '\n' << style.strong(title) << '\n';
}

void indented(Context& context, const Table& table) {
  auto widths = widths_of(table);
  auto row = [&](const std::vector<std::string>& cells) {
    context.out << "  ";
    print_row(context.out, cells, widths);
  };
  row(table.columns);
  for (const auto& cells : table.rows) row(cells);
}

void describe(Context& context, Api& api, const Target& target, const Value& object) {
  Style style(context.colour(context.out_tty));
  Time now = context.clock.wall();
  const Value& metadata = object["metadata"];
  line(context, "Name", metadata["name"].text());
  line(context, "Kind", std::string(target.kind->name));
  line(context, "Project", metadata["project"].text_or(api.project()));
  for (const char* field : {"labels", "annotations"}) {
    std::string joined;
    for (const auto& member : metadata[field].members()) {
      joined += (joined.empty() ? "" : ", ") + member.key + "=" + plain_text(member.value);
    }
    if (!joined.empty()) line(context, field[0] == 'l' ? "Labels" : "Annotations", joined);
  }
  line(context, "Created", metadata["creationTimestamp"].text() + " (" + age_of(object, now) + " ago)");
  if (metadata["deletionTimestamp"].is_string()) line(context, "Deleting since", metadata["deletionTimestamp"].text());
  line(context, "Generation", metadata["generation"].as_written() + " (observed " +
                                  std::to_string(object.at_path("status.observedGeneration").int_or(0)) + ")");
  for (const Value& owner : metadata["ownerReferences"].items()) {
    line(context, "Owner", lower(owner["kind"].text()) + "/" + owner["name"].text());
  }

  section(context, style, "Spec");
  tree(context, object["spec"], 2);

  Value status = object["status"];
  Value members = status["members"];
  for (const char* shown_elsewhere : {"conditions", "members", "observedGeneration", "drift", "inSync", "corrections"}) status.erase(shown_elsewhere);
  if (!status.empty()) {
    section(context, style, "Status");
    tree(context, status, 2);
  }
  if (!members.empty()) {
    section(context, style, "Members");
    Table table{{"NAME", "ROLE", "SERVER", "VOLUME", "ADDRESS", "HEALTH"}, {}};
    for (const Value& member : members.items()) {
      std::vector<std::string> row;
      for (const char* field : {"name", "role", "server", "volume", "address", "health"}) {
        std::string text = member[field].as_written();
        row.push_back(text.empty() ? "-" : text);
      }
      table.rows.push_back(std::move(row));
    }
    indented(context, table);
  }
  if (const Value& drift = object.at_path("status.drift"); !drift.empty()) {
    section(context, style, "Drift");
    Table table{{"PATH", "DESIRED", "ACTUAL", "BY", "SINCE", "POLICY"}, {}};
    for (const Value& entry : drift.items()) table.rows.push_back(drift_cells(entry, now));
    indented(context, table);
  }
  auto conditions = conditions_of(object["status"]);
  if (!conditions.empty()) {
    section(context, style, "Conditions");
    Table table{{"TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"}, {}};
    for (const Condition& condition : conditions) {
      table.rows.push_back(
          {condition.type, condition.status, condition.reason,
           condition.last_transition_time.set() ? format_age(now - condition.last_transition_time) : "-",
           condition.message});
    }
    indented(context, table);
  }
  auto plan = api.plan_of(*target.kind, target.name);
  if (plan && !(*plan)["actions"].empty()) {
    section(context, style, "Queued actions");
    Table table{{"STEP", "ACTION", "OBJECT", "DETAIL"}, {}};
    for (const Value& action : (*plan)["actions"].items()) {
      table.rows.push_back(
          {action["step"].as_written(), action["action"].text(), action["object"].text(), action["detail"].text()});
    }
    indented(context, table);
  }
  auto events = api.events(*target.kind, target.name, kEventsShown);
  if (events && !(*events)["items"].empty()) {
    section(context, style, "Events (newest last)");
    Table table{{"AGE", "TYPE", "ACTION", "BY", "MESSAGE"}, {}};
    for (const Value& event : (*events)["items"].items()) {
      auto time = parse_time(event["time"].text());
      table.rows.push_back({time ? format_age(now - *time) : "-", event["type"].text(), event["action"].text(),
                            event["by"].text(), event["message"].text()});
    }
    indented(context, table);
  }
}

}  // namespace

Try<int> run_describe(Context& context) {
  auto targets = parse_targets_or_kinds(context.args.words);
  if (!targets) return tl::unexpected(targets.error());
  auto api = context.api();
  if (!api) return tl::unexpected(api.error());
  bool first = true;
  for (const Target& target : *targets) {
    std::vector<Value> objects;
    if (target.name.empty()) {
      auto listing = (*api)->list(*target.kind);
      if (!listing) return tl::unexpected(listing.error());
      objects = std::move(listing->items);
    } else {
      auto object = (*api)->get(*target.kind, target.name);
      if (!object) return tl::unexpected(object.error());
      objects.push_back(std::move(*object));
    }
    for (const Value& object : objects) {
      if (!first) context.out << "\n---\n\n";
      first = false;
      describe(context, **api, {target.kind, object.at_path("metadata.name").text()}, object);
    }
  }
  if (first) context.err << "nothing found in project " << context.project() << '\n';
  return kOk;
}

}  // namespace trove::cli
