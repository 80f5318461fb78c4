#include "cli/documents.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include "cli/output/style.hpp"
#include "specs/decode.hpp"
#include "specs/json.hpp"
#include "specs/lines.hpp"
#include "specs/yaml.hpp"

namespace trove::cli {
namespace {

namespace fs = std::filesystem;

bool is_document_file(const fs::path& path) {
  auto extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

Try<void> files_below(const fs::path& folder, bool recursive, int depth, std::vector<std::string>& files) {
  if (depth > kFolderDepth) return usage_error(printable(folder.string()) + " is nested too deeply");
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
    if (entries.size() > kFiles)
      return usage_error(printable(folder.string()) + " holds more than " + std::to_string(kFiles) + " files");
  }
  if (error) return usage_error("cannot read the folder " + printable(folder.string()) + ": " + error.message());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    if (entry.filename().string().starts_with(".")) continue;   // .git, editors' drafts
    if (fs::is_directory(entry, error)) {
      if (!recursive) continue;
      if (fs::is_symlink(entry, error)) continue;               // no loops
      auto below = files_below(entry, true, depth + 1, files);
      if (!below) return below;
    } else if (is_document_file(entry)) {
      files.push_back(entry.string());
    }
  }
  return {};
}

Try<std::string> read_stream(std::istream& in, size_t most) {
  std::string text;
  char buffer[16384];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<size_t>(in.gcount()));
    if (text.size() > most) return usage_error("standard input is larger than " + std::to_string(most) + " bytes");
  }
  return text;
}

void decode_into(Value value, const std::string& file, const std::string& project, Documents& into, Extent extent) {
  if (value["kind"].text() == "List" && value["items"].is_list()) {
    for (Value& item : value.find("items")->mutable_items()) decode_into(std::move(item), file, project, into, extent);
    return;
  }
  if (into.items.size() >= kDocuments) {
    if (into.items.size() == kDocuments) {
      into.problems.push_back(
          {file, value.at, "", "more than " + std::to_string(kDocuments) + " documents in one call"});
    }
    return;
  }
  Document document{file, std::move(value), {}};
  const int index = static_cast<int>(into.items.size());
  Problems problems;
  auto resource = decode_resource(document.value, project, file, index, problems);
  if (!resource && extent == Extent::some) {
    Problems rest;
    resource = decode_resource(document.value, project, file, index, rest, Extent::some);
    if (resource) problems.clear();
  }
  into.problems.insert(into.problems.end(), problems.begin(), problems.end());
  if (resource) document.resource = std::move(*resource);
  into.items.push_back(std::move(document));
}

// "line 2, column 42: text", as the JSON parser writes it, taken apart.
Problem from_json_error(const Error& error, const std::string& file) {
  Problem problem{file, {1, 1}, "", error.message, error.hint};
  int line = 0, column = 0, used = 0;
  if (std::sscanf(error.message.c_str(), "line %d, column %d: %n", &line, &column, &used) == 2 && used > 0) {
    problem.at = {line, column};
    problem.message = error.message.substr(static_cast<size_t>(used));
  }
  return problem;
}

void find_duplicates(Documents& documents) {
  std::map<Key, const Document*> seen;
  for (size_t i = 0; i < documents.items.size(); ++i) {
    const Document& document = documents.items[i];
    if (document.resource.metadata.name.empty()) continue;   // generateName, or not decoded
    auto [it, fresh] = seen.emplace(document.resource.key(), &document);
    if (fresh) continue;
    const Value& name = document.value.at_path("metadata.name");
    documents.problems.push_back({document.file, name.at, "metadata.name",
                                  to_string(document.resource.key()) + " is defined twice",
                                  "the first one is at " + it->second->file + ":" +
                                      std::to_string(it->second->value.at_path("metadata.name").at.line),
                                  static_cast<int>(i)});
  }
}

}  // namespace

void load_text(const std::string& text, const std::string& file, const std::string& project, Documents& into,
               Extent extent) {
  if (file.ends_with(".json")) {
    JsonLimits limits;
    limits.bytes = kFileBytes;
    auto value = parse_json(text, limits);
    if (!value) {
      into.problems.push_back(from_json_error(value.error(), file));
      return;
    }
    decode_into(std::move(*value), file, project, into, extent);
    return;
  }
  YamlStream stream = parse_yaml(text, file);
  into.problems.insert(into.problems.end(), stream.problems.begin(), stream.problems.end());
  for (Value& value : stream.documents) decode_into(std::move(value), file, project, into, extent);
}

Try<Documents> load_documents(Context& context, Extent extent) {
  std::vector<std::string> files;
  bool recursive = context.args.has("recursive");
  for (const std::string& given : context.args.all("filename")) {
    std::error_code error;
    if (given == "-") {
      files.push_back(given);
    } else if (fs::is_directory(given, error)) {
      size_t before = files.size();
      auto below = files_below(given, recursive, 0, files);
      if (!below) return tl::unexpected(below.error());
      if (files.size() == before) {
        return usage_error("no .yaml, .yml or .json file in " + printable(given),
                           recursive ? "" : "sub-folders are read with -R");
      }
    } else {
      files.push_back(given);
    }
  }
  if (files.empty())
    return usage_error("nothing to read: -f FILE is missing", "a file, a folder, or - for standard input");
  if (files.size() > kFiles) return usage_error("more than " + std::to_string(kFiles) + " files in one call");

  // A file named twice ("-f shop/ -f shop/db.yaml") is read once.
  std::vector<std::string> once;
  for (const std::string& file : files) {
    if (std::find(once.begin(), once.end(), file) == once.end()) once.push_back(file);
  }
  std::string project = context.project();
  Documents documents;
  for (const std::string& file : once) {
    std::error_code error;
    if (file != "-" && !fs::is_regular_file(file, error) && fs::exists(file, error) && !fs::is_fifo(file, error) &&
        !fs::is_character_file(file, error)) {
      return usage_error(printable(file) + " is neither a file nor a folder");
    }
    auto text = file == "-" ? read_stream(context.in, kFileBytes) : read_small_file(file, kFileBytes);
    if (!text) return tl::unexpected(text.error());
    load_text(*text, file == "-" ? "<stdin>" : file, project, documents, extent);
  }
  find_duplicates(documents);
  if (documents.items.empty() && documents.problems.empty()) {
    return usage_error("no document in " + (once.size() == 1 ? printable(once[0]) : std::string("any of the files")));
  }
  return documents;
}

Value request_body(const Documents& documents) {
  Value list = Value::list();
  for (const Document& document : documents.items) {
    list.push_back(Value::map(
        {{"source", document.file}, {"lines", lines_of(document.value)}, {"object", document.value}}));
  }
  return Value::map({{"documents", std::move(list)}});
}

Failure report_problems(Context& context, const Problems& problems) {
  Style style(context.colour(context.err_tty));
  size_t shown = 0;
  for (const Problem& problem : problems) {
    if (++shown > kProblemsShown) {
      context.err << "and " << problems.size() - kProblemsShown << " more problems\n";
      break;
    }
    const char* word = problem.code == Code::conflict ? "conflict:"
                       : problem.code == Code::denied ? "refused:"
                                                      : "error:";
    std::string text = to_string(problem);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    std::string indented;
    for (char c : text) {
      indented += c;
      if (c == '\n') indented += "       ";
    }
    context.err << style.bad(word) << ' ' << indented << '\n';
  }
  bool refused = std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.code == Code::denied; });
  bool conflict =
      std::any_of(problems.begin(), problems.end(), [](const Problem& p) { return p.code == Code::conflict; });
  bool invalid = std::any_of(problems.begin(), problems.end(),
                             [](const Problem& p) { return p.code != Code::denied && p.code != Code::conflict; });
  return Failure{invalid ? kUsage : refused ? kRefused : conflict ? kConflict : kUsage, ""};
}

Problems located(const Failure& failure, const Documents& documents) {
  Problems problems;
  for (const ServerProblem& from : failure.problems) {
    Problem problem;
    problem.path = from.path;
    problem.message = from.message;
    problem.hint = from.hint;
    problem.document = from.document;
    if (from.code == "CONFLICT") problem.code = Code::conflict;
    if (from.code == "POLICY_DENIED" || from.code == "DATA_SAFETY_HOLD") problem.code = Code::denied;
    if (from.document >= 0 && static_cast<size_t>(from.document) < documents.items.size()) {
      const Document& document = documents.items[static_cast<size_t>(from.document)];
      problem.file = document.file;
      problem.at = document.value.at;
      // The field itself, else the nearest thing around it that was written: a missing field has no position.
      for (std::string path = from.path; !path.empty();) {
        if (const Value* value = document.value.find_path(path)) {
          problem.at = value->at;
          break;
        }
        size_t cut = path.find_last_of(".[");
        path = cut == std::string::npos ? "" : path.substr(0, cut);
      }
    }
    problems.push_back(std::move(problem));
  }
  return problems;
}

}  // namespace trove::cli
