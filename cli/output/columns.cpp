#include "cli/output/columns.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include "cli/names.hpp"
#include "specs/json.hpp"
#include "specs/problem.hpp"
#include "specs/resource.hpp"

namespace trove::cli {
namespace {

constexpr size_t kMostDriftCell = 60;

struct Column {
  const char* title;
  std::function<std::string(const Value& object, Time now)> cell;
  bool wide = false;
};

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }
std::string at(const Value& object, std::string_view path) { return or_dash(object.at_path(path).as_written()); }

std::string time_until(const Value& value, Time now) {
  auto time = parse_time(value.text());
  if (!time) return "-";
  return time->ms >= now.ms ? "in " + format_age(*time - now) : format_age(now - *time) + " ago";
}

std::string datastore(const Value& object) {
  std::string type = object.at_path("spec.datastore.type").text();
  std::string version = object.at_path("status.datastore.resolved").as_written();
  if (version.empty()) version = object.at_path("spec.datastore.version").as_written();
  return or_dash(version.empty() ? type : type + " " + version);
}

std::string instance_volume(const Value& object) {
  int64_t size = object.at_path("status.volume.size").int_or(object.at_path("spec.volume.size").int_or(0));
  const Value& used = object.at_path("status.volume.usedPercent");
  if (size > 0 && used.is_number()) {
    auto used_gib = static_cast<int64_t>(static_cast<double>(size) * used.number_or(0) / 100.0 + 0.5);
    return std::to_string(used_gib) + "/" + std::to_string(size) + "G";
  }
  if (size > 0) return std::to_string(size) + "G";
  return at(object, "spec.volumeRef.name");
}

std::string members(const Value& object) {
  const auto& all = object.at_path("status.members").items();
  auto healthy = std::count_if(all.begin(), all.end(), [](const Value& m) { return m["health"].text() == "HEALTHY"; });
  return std::to_string(healthy) + "/" + std::to_string(std::max<size_t>(all.size(), 1));
}

// The phase, and what the user asked for that explains why nothing happens.
std::string instance_status(const Value& object) {
  std::string phase = or_dash(object.at_path("status.phase").text());
  if (object.at_path("metadata.deletionTimestamp").is_string()) phase = "DELETING";
  if (object.at_path("spec.managementPolicy").text() == "Observe") phase += " (observe)";
  if (object.at_path("spec.suspend").bool_or(false)) phase += " (suspended)";
  return phase;
}

// Why an object is as it is: the reason of the condition that says most.
std::string reason(const Value& object) {
  if (object.at_path("metadata.deletionTimestamp").is_string()) return "Deleting";
  auto conditions = conditions_of(object["status"]);
  if (auto* stalled = find_condition(conditions, "Stalled"); stalled && stalled->status == "True") {
    return or_dash(stalled->reason);
  }
  auto* ready = find_condition(conditions, "Ready");
  return ready ? or_dash(ready->reason) : "-";
}

std::string password_source(const Value& object) {
  const Value& password = object.at_path("spec.password");
  if (password.find("generate")) {
    return "secret/" + object.at_path("status.secret").text_or(object.at_path("metadata.name").text() + "-password");
  }
  return "secret/" + password.at_path("secretRef.name").text_or("-");
}

std::string operation_verb(const Value& object) { return object.at_path("spec.restart").is_map() ? "Restart" : "-"; }

std::string git_ref(const Value& object) {
  const Value& ref = object.at_path("spec.ref");
  for (const char* what : {"branch", "tag", "commit"})
    if (ref[what].is_string()) return short_commit(ref[what].text());
  return "main";
}

std::string git_commit(const Value& object) {
  return or_dash(short_commit(object.at_path("status.appliedCommit").text()));
}

std::string git_broken(const Value& object) { return std::to_string(object.at_path("status.brokenFiles").int_or(0)); }

const std::vector<Column>& columns_for(const Kind& kind) {
  auto path = [](const char* title, std::string p, bool wide = false) {
    return Column{title, [p](const Value& o, Time) { return at(o, p); }, wide};
  };
  auto condition = [](const char* title, std::string type, bool wide = false) {
    return Column{title, [type](const Value& o, Time) { return condition_status(o, type); }, wide};
  };
  auto with = [](const char* title, std::string (*cell)(const Value&), bool wide = false) {
    return Column{title, [cell](const Value& o, Time) { return cell(o); }, wide};
  };
  auto size = [](const char* title, std::string p) {
    return Column{title, [p](const Value& o, Time) {
      int64_t bytes = o.at_path(p).int_or(-1);
      return bytes < 0 ? std::string("-") : human_bytes(bytes);
    }};
  };
  auto moment = [](const char* title, std::string p, bool wide = false) {
    return Column{title, [p](const Value& o, Time now) { return time_until(o.at_path(p), now); }, wide};
  };
  static const std::vector<std::pair<std::string_view, std::vector<Column>>> all = {
      {"DatabaseInstance",
       {with("DATASTORE", datastore), path("FLAVOR", "spec.flavor"), with("VOLUME", instance_volume),
        with("MEMBERS", members), condition("READY", "Ready"), with("STATUS", instance_status),
        path("ENDPOINT", "status.endpoints.primary", true), path("CONFIG", "spec.configurationRef.name", true),
        condition("SYNCED", "Synced", true), condition("DRIFTED", "Drifted", true), with("REASON", reason, true)}},
      {"Database",
       {path("INSTANCE", "spec.instanceRef.name"),
        {"DATABASE",
         [](const Value& o, Time) { return o.at_path("spec.name").text_or(o.at_path("metadata.name").text()); }},
        condition("READY", "Ready"),
        with("STATUS", reason),
        path("OWNER", "spec.owner", true),
        path("CHARSET", "spec.characterSet", true)}},
      {"User",
       {path("INSTANCE", "spec.instanceRef.name"),
        {"LOGIN",
         [](const Value& o, Time) { return o.at_path("spec.name").text_or(o.at_path("metadata.name").text()); }},
        with("PASSWORD", password_source),
        condition("READY", "Ready"),
        with("STATUS", reason),
        path("HOST", "spec.host", true)}},
      {"Volume",
       {{"SIZE",
         [](const Value& o, Time) {
           int64_t gib = o.at_path("status.size").int_or(o.at_path("spec.size").int_or(0));
           return gib > 0 ? std::to_string(gib) + "G" : std::string("-");
         }},
        path("TYPE", "spec.type"),
        path("ATTACHED-TO", "status.attachedTo"),
        condition("READY", "Ready"),
        with("STATUS", reason),
        path("ID", "status.id", true)}},
      {"Secret", {{"KEYS", [](const Value& o, Time) { return std::to_string(o.at_path("spec.data").size()); }}}},
      {"ConfigurationGroup",
       {{"DATASTORE", [](const Value& o, Time) { return datastore(o); }},
        {"PARAMETERS", [](const Value& o, Time) { return std::to_string(o.at_path("spec.parameters").size()); }},
        condition("READY", "Ready")}},
      {"BackupSchedule",
       {path("INSTANCE", "spec.instanceRef.name"),
        path("SCHEDULE", "spec.schedule"),
        {"ZONE", [](const Value& o, Time) { return o.at_path("spec.timeZone").text_or("UTC"); }},
        moment("NEXT", "status.nextRun"),
        moment("LAST", "status.lastRun"),
        condition("READY", "Ready"),
        path("LAST-BACKUP", "status.lastBackup", true)}},
      {"Backup",
       {path("INSTANCE", "spec.instanceRef.name"), path("PHASE", "status.phase"), size("SIZE", "status.bytes"),
        moment("FINISHED", "status.finishedAt"), path("SHA256", "status.sha256", true)}},
      {"Operation",
       {path("INSTANCE", "spec.instanceRef.name"), with("VERB", operation_verb), path("PHASE", "status.phase"),
        path("REASON", "spec.reason", true)}},
      {"GitSource",
       {with("REF", git_ref), path("PATH", "spec.path"), with("COMMIT", git_commit), path("FILES", "status.files"),
        path("OBJECTS", "status.objects"), with("BROKEN", git_broken), condition("READY", "Ready"),
        with("STATUS", reason), path("URL", "spec.url", true), condition("SYNCED", "Synced", true)}},
  };
  static const std::vector<Column> plain = {condition("READY", "Ready"), with("STATUS", reason)};
  for (const auto& [name, columns] : all) {
    if (name == kind.name) return columns;
  }
  return plain;
}

}  // namespace

std::string condition_status(const Value& object, std::string_view type) {
  for (const Value& condition : object.at_path("status.conditions").items()) {
    if (condition["type"].text() == type) return or_dash(condition["status"].text());
  }
  return "-";
}

std::string age_of(const Value& object, Time now) {
  auto made = parse_time(object.at_path("metadata.creationTimestamp").text());
  return made ? format_age(std::max(now - *made, Millis{0})) : "-";
}

std::string short_commit(const std::string& commit) {
  const bool whole = commit.size() >= 40 && commit.find_first_not_of("0123456789abcdef") == std::string::npos;
  return whole ? commit.substr(0, 7) : commit;
}

std::string human_bytes(int64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes);
  int unit = 0;
  for (; amount >= 1024 && unit < 4; ++unit) amount /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || amount >= 10 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
  return text;
}

std::string object_name(const Value& object) {
  return lower(object["kind"].text()) + "/" + object.at_path("metadata.name").text();
}

std::vector<std::string> columns_of(const Kind& kind, ColumnOptions options) {
  std::vector<std::string> titles{"NAME"};
  for (const Column& column : columns_for(kind)) {
    if (options.wide || !column.wide) titles.emplace_back(column.title);
  }
  titles.emplace_back(options.wide ? "CREATED" : "AGE");
  return titles;
}

std::vector<std::string> row_of(const Kind& kind, const Value& object, Time now, ColumnOptions options) {
  std::string name = object.at_path("metadata.name").text();
  std::vector<std::string> cells{options.with_kind ? lower(kind.name) + "/" + name : name};
  for (const Column& column : columns_for(kind)) {
    if (options.wide || !column.wide) cells.push_back(column.cell(object, now));
  }
  cells.push_back(options.wide ? at(object, "metadata.creationTimestamp") : age_of(object, now));
  return cells;
}

Table table_of(const Kind& kind, const std::vector<Value>& objects, Time now, ColumnOptions options) {
  Table table{columns_of(kind, options), {}};
  for (const Value& object : objects) table.rows.push_back(row_of(kind, object, now, options));
  return table;
}

std::vector<std::string> drift_cells(const Value& entry, Time now) {
  const auto cell = [](const Value& value) {
    const std::string text = value.is_list() || value.is_map() ? dump_json(value) : value.as_written();
    return printable(text.empty() ? "-" : text, kMostDriftCell);
  };
  std::string policy = entry["policy"].text();
  if (const std::string& in = entry["correctsIn"].text(); !in.empty()) policy += in == "0s" ? " now" : " in " + in;
  if (const std::string& wait = entry["waitsFor"].text(); !wait.empty()) policy += ": " + wait;
  const auto since = parse_time(entry["since"].text());
  return {cell(entry["path"]), cell(entry["desired"]), cell(entry["actual"]), cell(entry["by"]),
          since ? format_age(now - *since) : "-",  printable(policy, 200)};
}

}  // namespace trove::cli
