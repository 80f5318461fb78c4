#include "reconciler/simulate/rehearse.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <istream>
#include <ostream>
#include <set>
#include <sstream>

#include "reconciler/simulate/explore.hpp"
#include "specs/core/log.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/yaml.hpp"

namespace trove::simulate {
namespace {

namespace fs = std::filesystem;
constexpr int kGood = 0, kWrong = 2, kNotReady = 8, kBroken = 9;  // as trovectl's exit statuses
constexpr size_t kMostDocuments = 6'000;                          // what one apply takes
constexpr size_t kMostFiles = 10'000;
constexpr uintmax_t kMostBytes = 1u << 20;  // of one file
constexpr int64_t kMostRuns = 1'000'000;
constexpr int64_t kFlavorMemoryMib = 4096;  // of a flavor that only the files know

// What loses data by itself, or shows a person at work, is no part of a rehearsal unless it is asked for.
bool by_default(Fault::Kind kind) {
  using Kind = Fault::Kind;
  for (Kind left_out : {Kind::lose_volume, Kind::rollback, Kind::clone, Kind::user_edit, Kind::detach,
                        Kind::resize, Kind::open})
    if (kind == left_out) return false;
  return true;
}

bool is_document_file(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json";
}

Result<std::vector<std::string>> files_of(const std::vector<std::string>& given) {
  std::vector<std::string> files;
  for (const std::string& name : given) {
    std::error_code error;
    if (name == "-" || !fs::is_directory(name, error)) {
      files.push_back(name);
      continue;
    }
    std::vector<std::string> below;
    for (fs::directory_iterator entry(name, error), end; !error && entry != end; entry.increment(error))
      if (is_document_file(entry->path()) && !entry->path().filename().string().starts_with("."))
        below.push_back(entry->path().string());
    if (error) return fail(Code::invalid, "cannot read the folder " + name + ": " + error.message());
    if (below.size() > kMostFiles)
      return fail(Code::too_large, name + " holds more than " + std::to_string(kMostFiles) + " files");
    std::sort(below.begin(), below.end());
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

Result<std::string> text_of_file(const std::string& name, std::istream& in) {
  std::stringstream text;
  if (name == "-") {
    text << in.rdbuf();
    return text.str();
  }
  std::error_code error;
  if (const uintmax_t size = fs::file_size(name, error); !error && size > kMostBytes)
    return fail(Code::too_large, name + " is larger than " + std::to_string(kMostBytes) + " bytes");
  std::ifstream file(name);
  if (!file) return fail(Code::invalid, "cannot read " + name);
  text << file.rdbuf();
  return text.str();
}

// All documents as one deed: what `trovectl apply -f` would do at once.
Result<Scenario> scenario_of(const Rehearsal& rehearsal, std::istream& in, Problems& problems) {
  auto files = files_of(rehearsal.files);
  if (!files) return tl::unexpected(files.error());
  Scenario scenario;
  scenario.name = "files";
  scenario.doc = "what the files say";
  scenario.project.clear();
  Value all = Value::list();
  std::set<std::string> flavors, types;
  int count = 0;
  for (const std::string& file : *files) {
    auto text = text_of_file(file, in);
    if (!text) return tl::unexpected(text.error());
    YamlStream stream = parse_yaml(*text, file == "-" ? "<stdin>" : file);
    problems.insert(problems.end(), stream.problems.begin(), stream.problems.end());
    for (const Value& document : stream.documents) {
      const std::string shown = file == "-" ? "<stdin>" : file;
      auto resource = decode_resource(document, "default", shown, count++, problems);
      if (!resource) continue;
      if (scenario.project.empty()) scenario.project = resource->metadata.project;
      if (resource->metadata.project != scenario.project)
        return fail(Code::invalid,
                    "the files speak of the projects " + scenario.project + " and " + resource->metadata.project,
                    "simulate one project at a time");
      if (resource->kind == "DatabaseInstance") {
        const DatabaseInstanceSpec spec = database_instance_spec(resource->spec);
        flavors.insert(spec.flavor);
        types.insert(spec.volume_type);
        scenario.zones.insert(spec.zone);
        scenario.server_groups.insert(spec.server_group);
      }
      if (resource->kind == "Volume") {
        const VolumeSpec spec = volume_spec(resource->spec);
        types.insert(spec.type);
        scenario.zones.insert(spec.zone);
      }
      all.push_back(Value::map({{"source", shown}, {"object", document}}));
    }
  }
  if (!problems.empty()) return scenario;
  if (count == 0) return fail(Code::invalid, "there is no document in the files", "give some with -f");
  if (static_cast<size_t>(count) > kMostDocuments)
    return fail(Code::too_large, "more than " + std::to_string(kMostDocuments) + " documents");
  const SimOptions usual;
  for (const std::string& flavor : flavors)
    if (!find_flavor(usual.flavors, flavor))
      scenario.flavors.push_back({flavor, kFlavorMemoryMib, 2});
  types.erase("");
  for (const std::string& type : types)
    if (std::none_of(usual.volume_types.begin(), usual.volume_types.end(),
                     [&](const VolumeType& t) { return t.name == type; }))
      scenario.volume_types.push_back({"id of " + type, type});
  scenario.deeds.push_back({Millis{0}, dump_json(Value::map({{"documents", std::move(all)}})), {}});
  return scenario;
}

Result<std::vector<Fault::Kind>> kinds_of(const std::string& names) {
  std::vector<Fault::Kind> kinds;
  if (names == "none") return kinds;
  if (names == "default" || names == "all") {
    for (const FaultRow& row : fault_rows())
      if (names == "all" || by_default(row.kind)) kinds.push_back(row.kind);
    return kinds;
  }
  for (size_t from = 0; from <= names.size();) {
    const size_t comma = std::min(names.find(',', from), names.size());
    const std::string name = names.substr(from, comma - from);
    const FaultRow* row = find_fault(name);
    if (!row) {
      std::string known;
      for (const FaultRow& one : fault_rows()) known += ", " + std::string(one.name);
      return fail(Code::invalid, "\"" + name + "\" is no fault", "default, none, all" + known);
    }
    kinds.push_back(row->kind);
    from = comma + 1;
  }
  return kinds;
}

struct Spread {
  int64_t least = 0, median = 0, most = 0;
};
Spread spread_of(std::vector<int64_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}
Value to_value(const Spread& spread) {
  return Value::map({{"min", spread.least}, {"median", spread.median}, {"max", spread.most}});
}
std::string text_of(const Spread& spread) {
  return "min " + std::to_string(spread.least) + " median " + std::to_string(spread.median) + " max " +
         std::to_string(spread.most);
}

// The faults of a schedule without its scenario and seed: "lost-reply 2; lose-server 8123".
std::string faults_of(const Schedule& schedule) {
  std::string text;
  for (const Fault& fault : schedule.faults) text += (text.empty() ? "" : "; ") + to_string(fault);
  return text.empty() ? "no faults" : text;
}

std::string command(const Rehearsal& rehearsal) {
  std::string text = "trovectl simulate";
  for (const std::string& file : rehearsal.files) text += " -f " + file;
  return text;
}

struct Outcome {
  Tally tally;
  Spread actions, seconds;
  Millis interruption{0};
  int64_t converged = 0;
  Schedule slowest;
};

std::vector<std::string_view> all_invariants() {
  std::vector<std::string_view> names;
  for (const Invariant& invariant : invariants()) names.push_back(invariant.name);
  for (const Invariant& invariant : final_invariants()) names.push_back(invariant.name);
  for (std::string_view name : {"same-end", "rest", "stays", "soon", "thrifty"}) names.push_back(name);
  return names;
}

void print_json(const Rehearsal& rehearsal, const Outcome& outcome, const RunResult& clean, std::ostream& out) {
  Value held = Value::list(), broken = Value::list(), not_ready = Value::list();
  for (std::string_view name : all_invariants())
    if (!outcome.tally.by_invariant.contains(std::string(name))) held.push_back(name);
  for (const Finding& finding : outcome.tally.failures)
    broken.push_back(Value::map({{"invariant", finding.violation.invariant},
                                 {"message", finding.violation.what},
                                 {"schedule", to_string(finding.schedule)}}));
  for (const std::string& line : clean.not_ready) not_ready.push_back(line);
  out << dump_json(Value::map({{"runs", outcome.tally.runs},
                               {"converged", outcome.converged},
                               {"seed", static_cast<int64_t>(rehearsal.seed)},
                               {"actions", to_value(outcome.actions)},
                               {"seconds", to_value(outcome.seconds)},
                               {"longestInterruptionSeconds", outcome.interruption.count() / 1000},
                               {"invariantsHeld", std::move(held)},
                               {"broken", std::move(broken)},
                               {"notReady", std::move(not_ready)},
                               {"slowest", to_string(outcome.slowest)}}))
      << "\n";
}

void print_text(const Rehearsal& rehearsal, const Outcome& outcome, const RunResult& clean, std::ostream& out) {
  out << "converged " << outcome.converged << "/" << outcome.tally.runs << ", actions " << text_of(outcome.actions)
      << ", seconds " << text_of(outcome.seconds) << ", longest interruption " << outcome.interruption.count() / 1000
      << " s\n";
  for (const std::string& line : clean.not_ready) out << "not ready: " << line << "\n";
  std::string held;
  for (std::string_view name : all_invariants())
    if (!outcome.tally.by_invariant.contains(std::string(name))) held += (held.empty() ? "" : ", ") + std::string(name);
  out << "invariants held: " << held << "\n";
  for (const Finding& finding : outcome.tally.failures)
    out << "BROKEN " << finding.violation.invariant << ": " << finding.violation.what
        << "\n  replay: " << command(rehearsal) << " --schedule '" << faults_of(finding.schedule) << "; seed "
        << finding.schedule.seed << "' --trace\n";
  if (!outcome.slowest.faults.empty())
    out << "slowest schedule: seed " << outcome.slowest.seed << " (" << faults_of(outcome.slowest)
        << ")\n  replay: " << command(rehearsal)
        << (rehearsal.faults == "default" ? "" : " --faults " + rehearsal.faults) << " --seed " << outcome.slowest.seed
        << " --trace\n";
}

}  // namespace

int rehearse(const Rehearsal& rehearsal, std::istream& in, std::ostream& out, std::ostream& err) {
  const auto wrong = [&](const Error& error) {
    err << "error: " << error.message << "\n" << (error.hint.empty() ? "" : "  hint: " + error.hint + "\n");
    return kWrong;
  };
  if (rehearsal.runs < 1 || rehearsal.runs > kMostRuns)
    return wrong({Code::invalid, "--runs is " + std::to_string(rehearsal.runs), "1 to " + std::to_string(kMostRuns)});
  auto kinds = kinds_of(rehearsal.faults);
  if (!kinds) return wrong(kinds.error());
  Problems problems;
  auto scenario = scenario_of(rehearsal, in, problems);
  if (!scenario) return wrong(scenario.error());
  if (!problems.empty()) {
    err << to_string(problems) << "\n";
    return kWrong;
  }
  // Faults make errors by the thousand; the trace tells them.
  log::configure(static_cast<log::Level>(99), log::Format::text);

  const RunResult clean = SimWorld(*scenario, {scenario->name, rehearsal.seed, {}}, {}).run();
  if (clean.violation && clean.violation->invariant == "accepted") {
    auto problem = parse_json(clean.refusal);
    std::string detail = problem ? (*problem)["detail"].text() : clean.refusal;
    if (problem && (*problem)["problems"].size() > 1)
      for (const Value& one : (*problem)["problems"].items())
        detail += "\n  " + one["path"].text() + ": " + one["message"].text();
    return wrong({Code::invalid, "the control plane does not accept the files: " + detail});
  }
  Explorer::Options options;
  options.threads = rehearsal.threads;
  Explorer explorer(options);
  std::vector<Schedule> schedules;
  if (!rehearsal.schedule.empty()) {
    auto schedule = parse_schedule(rehearsal.schedule);
    if (!schedule) return wrong(schedule.error());
    schedule->scenario = scenario->name;
    schedules.push_back(std::move(*schedule));
  } else if (kinds->empty()) {
    schedules.push_back({scenario->name, rehearsal.seed, {}});
  } else {
    schedules = explorer.swarm(*scenario, rehearsal.seed, rehearsal.trace ? 1 : rehearsal.runs, *kinds);
  }
  if (rehearsal.trace) {
    const RunResult run = explorer.run(*scenario, schedules.front());
    out << run.trace << faults_of(schedules.front()) << "\n";
  }
  Outcome outcome;
  std::vector<int64_t> actions, seconds;
  Millis slowest{-1};
  outcome.tally = explorer.run_all(*scenario, schedules, [&](size_t i, const RunResult& run) {
    actions.push_back(run.calls);
    seconds.push_back(run.length.count() / 1000);
    outcome.interruption = std::max(outcome.interruption, run.interruption);
    outcome.converged += !run.violation;
    if (run.rest > slowest) {
      slowest = run.rest;
      outcome.slowest = schedules[i];
    }
  });
  outcome.actions = spread_of(std::move(actions));
  outcome.seconds = spread_of(std::move(seconds));
  if (rehearsal.json)
    print_json(rehearsal, outcome, clean, out);
  else
    print_text(rehearsal, outcome, clean, out);
  if (outcome.tally.violated > 0) return kBroken;
  return clean.not_ready.empty() ? kGood : kNotReady;
}

}  // namespace trove::simulate
