#include "reconciler/gitops/documents.hpp"

#include <algorithm>
#include <array>

#include "specs/decode.hpp"
#include "specs/json.hpp"
#include "specs/yaml.hpp"

namespace trove::gitops {
namespace {

// One that names our API, or one of our kinds and no API at all, is meant for us.
bool is_ours(const Value& document) {
  const Value& version = document["apiVersion"];
  if (version.is_string()) return version.text().starts_with("trove/");
  return version.is_null() && document["kind"].is_string() && find_kind(document["kind"].text());
}

}  // namespace

bool may_hold_documents(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (std::string_view not_ours : {"kustomization.yaml", "kustomization.yml", "Chart.yaml", "values.yaml"})
    if (name == not_ours) return false;
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

Broken broken_by(const std::string& file, const Problem& problem) {
  Broken out;
  out.file = printable(file, 200);
  out.at = problem.at;
  out.message = (problem.path.empty() ? "" : problem.path + ": ") + problem.message;
  if (!problem.hint.empty()) out.message += (out.message.ends_with('.') ? " " : ". ") + problem.hint;
  return out;
}

Broken broken_by(const std::string& file, const Problems& problems) {
  // A field that is missing is often the one that was misspelt: what is written and wrong comes first.
  const auto written = std::find_if(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.message.find("missing") == std::string::npos;
  });
  Broken out = broken_by(file, written == problems.end() ? problems.front() : *written);
  if (problems.size() > 1) out.message += " (and " + std::to_string(problems.size() - 1) + " more)";
  return out;
}

FileDocuments parse_file(const std::string& project, const std::string& path, const std::string& text, bool held) {
  FileDocuments out;
  std::vector<Value> all;
  Problems problems;
  if (path.ends_with(".json")) {
    auto value = parse_json(text);
    if (!value)
      problems.push_back({path, {}, {}, value.error().message, value.error().hint});
    else if (value->is_list())
      all = value->items();
    else
      all.push_back(std::move(*value));
  } else {
    YamlStream stream = parse_yaml(text, path);
    all = std::move(stream.documents);
    problems = std::move(stream.problems);
  }
  if (!problems.empty()) {
    // Templates and other people's YAML are not ours to judge.
    if (held || text.find("trove/v") != std::string::npos) out.broken = broken_by(path, problems);
    return out;
  }
  for (Value& document : all) {
    if (!is_ours(document)) continue;
    auto resource = decode_resource(document, project, path, static_cast<int>(out.documents.size()), problems);
    if (resource && resource->metadata.name.empty())
      problems.push_back({path, document.at, "metadata.name", "is missing: in Git every object has a name of its own",
                          "A generated name would make another object with every commit."});
    if (resource && resource->metadata.project != project)
      problems.push_back({path, document["metadata"].at, "metadata.project",
                          "is " + printable(resource->metadata.project) + ", but the GitSource is in " + project,
                          "Leave it out, or apply the file from a GitSource of that project."});
    if (!problems.empty()) {
      FileDocuments broken;
      broken.broken = broken_by(path, problems);
      return broken;
    }
    out.keys.push_back(resource->key());
    out.documents.push_back(std::move(document));
  }
  return out;
}

int rank_of(std::string_view kind) {
  static constexpr std::array<std::string_view, 10> order = {
      "Secret", "ConfigurationGroup", "Volume",  "DatabaseInstance", "Database",
      "User",   "BackupSchedule",     "Backup",  "Operation",        "GitSource"};
  return static_cast<int>(std::find(order.begin(), order.end(), kind) - order.begin());
}

}  // namespace trove::gitops
