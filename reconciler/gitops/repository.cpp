// What is asked of the copy that we have; fetch.cpp fills it, verify.cpp checks signatures.
#include "reconciler/gitops/repository.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "specs/problem.hpp"

namespace trove::gitops {
namespace {

constexpr std::string_view kZeroes = "0000000000000000000000000000000000000000";

// Takes up to the next NUL off the front.
std::string_view field(std::string_view& text) {
  const size_t end = std::min(text.find('\0'), text.size());
  const std::string_view out = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return out;
}
std::string_view word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const size_t end = std::min(text.find_first_of(" \t\n"), text.size());
  const std::string_view out = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return out;
}
int64_t number(std::string_view text) {
  int64_t out = -1;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

}  // namespace

Result<void> Repository::prepare_home(const Setting& setting, const Allowed& allowed) {
  std::error_code error;
  std::filesystem::create_directories(setting.home, error);
  std::filesystem::permissions(setting.home, std::filesystem::perms::owner_all, error);
  if (error) return fail(Code::unavailable, setting.home + ": " + error.message());
  std::ofstream file(setting.home + "/config", std::ios::trunc);
  file << "[protocol]\n\tallow = never\n[protocol \"https\"]\n\tallow = always\n[protocol \"ssh\"]\n\tallow = always\n";
  if (allowed.files()) file << "[protocol \"file\"]\n\tallow = always\n";
  file << "[http]\n\tfollowRedirects = false\n\tsslVerify = true\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 30\n"
          "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\tbigFileThreshold = 1m\n\tattributesFile = /dev/null\n"
          "[transfer]\n\tfsckObjects = true\n"
          "[fetch]\n\tunpackLimit = 1\n\trecurseSubmodules = false\n"
          "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[credential]\n\thelper =\n"
          // Whose the directories are that the operator allows is the operator's affair.
          "[safe]\n\tdirectory = *\n"
          "[init]\n\tdefaultBranch = main\n";
  file.close();
  if (!file) return fail(Code::unavailable, setting.home + "/config cannot be written");
  return {};
}

Repository::Repository(const Setting& setting, const Allowed& allowed, const Clock& clock, const Cancel& cancel,
                       const std::string& uid)
    : setting_(setting), allowed_(allowed), clock_(clock), cancel_(cancel), directory_(setting.home + "/" + uid) {}

ProcessOrder Repository::order(Arguments arguments, Millis deadline) const {
  ProcessOrder out;
  out.argv = {setting_.program, "--git-dir=" + git_dir_};
  out.argv.insert(out.argv.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
  const char* path = std::getenv("PATH");
  out.environment = {std::string("PATH=") + (path ? path : "/usr/local/bin:/usr/bin:/bin"),
                     "HOME=" + setting_.home,
                     "GIT_CONFIG_NOSYSTEM=1",
                     "GIT_CONFIG_GLOBAL=" + setting_.home + "/config",
                     "GIT_ATTR_NOSYSTEM=1",
                     "GIT_TERMINAL_PROMPT=0",
                     "GIT_NO_REPLACE_OBJECTS=1",
                     "GIT_LITERAL_PATHSPECS=1",
                     "LC_ALL=C",
                     "TZ=UTC"};
  out.deadline = deadline;
  return out;
}

Result<Ran> Repository::local(Arguments arguments, std::string input, size_t most) {
  ProcessOrder what = order(std::move(arguments), setting_.limits.local);
  const std::string verb = what.argv.at(2);
  what.input = std::move(input);
  what.most_output = most;
  auto ran = run_process(what, clock_, cancel_);
  if (ran && ran->code != 0) {
    return fail(ran->code == 1 || ran->code == 128 ? Code::not_found : Code::unavailable,
                "git " + verb + " failed: " + printable(ran->err, 200));
  }
  return ran;
}

Result<std::string> Repository::find_commit(const std::string& name) {
  auto ran = local({"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"});
  if (!ran) return tl::unexpected(ran.error());
  std::string_view text = ran->out;
  return std::string(word(text));
}

bool Repository::has(const std::string& commit) {
  return !git_dir_.empty() && !commit.empty() && local({"cat-file", "-e", commit + "^{commit}"}).has_value();
}

bool Repository::descends(const std::string& newer, const std::string& older) {
  return newer == older || local({"merge-base", "--is-ancestor", older, newer}).has_value();
}

Result<CommitFacts> Repository::facts(const std::string& commit) {
  auto ran = local({"show", "-s", "--no-notes", "--format=%H%x00%an <%ae>%x00%ct%x00%s%x00", "--end-of-options", commit});
  if (!ran) return tl::unexpected(ran.error());
  std::string_view text = ran->out;
  CommitFacts out;
  out.id = field(text);
  out.author = printable(field(text), 120);
  out.time = Time{std::max<int64_t>(number(field(text)), 0) * 1000};
  out.subject = printable(field(text), 120);
  return out;
}

Result<std::vector<Entry>> Repository::list(const std::string& commit, const std::string& path, bool below) {
  Arguments arguments = {"ls-tree", "-z", "-l", "--full-tree"};
  if (below) arguments.push_back("-r");
  arguments.push_back(commit);
  arguments.push_back("--");
  if (!path.empty()) arguments.push_back(path);
  // A tree can name itself a million times over: what it would print is bounded before it is counted.
  auto ran = local(std::move(arguments), {}, setting_.limits.entries * 200);
  const auto too_many = [&] {
    return fail(Code::too_large,
                "the folder holds more than " + std::to_string(setting_.limits.entries) + " files",
                "point spec.path at a folder of its own");
  };
  if (!ran) {
    if (ran.error().code == Code::too_large) return too_many();
    return tl::unexpected(ran.error());
  }
  std::vector<Entry> out;
  std::string_view text = ran->out;
  while (!text.empty()) {
    std::string_view line = field(text);
    const size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    Entry entry;
    entry.path = line.substr(tab + 1);
    std::string_view words = line.substr(0, tab);
    entry.mode = word(words);
    word(words);  // the type follows from the mode
    entry.oid = word(words);
    entry.size = number(word(words));
    out.push_back(std::move(entry));
    if (out.size() > setting_.limits.entries) return too_many();
  }
  return out;
}

// Why nothing is found at `path`: a link or a submodule on the way is named, and never followed.
Error Repository::no_such_folder(const std::string& commit, const std::string& path) {
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string upto = path.substr(0, end);
    auto found = list(commit, upto, false);
    if (found && found->size() == 1) {
      const std::string& mode = found->front().mode;
      const auto named = [&](const char* what) {
        return Error{Code::invalid, "\"" + printable(upto) + "\" is " + what,
                     "point spec.path at a folder of the repository"};
      };
      if (mode == "120000") return named("a symbolic link, and links are not followed");
      if (mode == "160000") return named("a submodule, and submodules are not fetched");
      if (found->front().file()) return named("a file, not a folder");
    } else if (found) {
      return {Code::not_found, "there is no folder \"" + printable(path) + "\" in " + commit.substr(0, 7),
              "is spec.path right? names differ by case"};
    }
    if (end == std::string::npos) break;
  }
  return {Code::not_found, "there is no folder \"" + printable(path) + "\" in " + commit.substr(0, 7)};
}

Result<std::vector<Entry>> Repository::tree(const std::string& commit, const std::string& path) {
  auto entries = list(commit, path, true);
  if (!entries || path.empty()) return entries;
  if (entries->empty() || entries->front().path == path) return tl::unexpected(no_such_folder(commit, path));
  return entries;
}

Result<void> Repository::fill_sizes(std::vector<Entry>& entries) {
  std::string input;
  for (const Entry& entry : entries)
    if (entry.file()) input += entry.oid + "\n";
  if (input.empty()) return {};
  auto ran = local({"cat-file", "--batch-check"}, std::move(input));
  if (!ran) return tl::unexpected(ran.error());
  std::string_view text = ran->out;
  for (Entry& entry : entries) {
    if (!entry.file()) continue;
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    word(line);
    word(line);
    entry.size = number(word(line));
  }
  return {};
}

Result<std::vector<Entry>> Repository::changes(const std::string& from, const std::string& to, const std::string& path) {
  Arguments arguments = {"diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-ext-diff", from, to, "--"};
  if (!path.empty()) arguments.push_back(path);
  auto ran = local(std::move(arguments), {}, setting_.limits.entries * 200);
  if (!ran) return tl::unexpected(ran.error());
  std::vector<Entry> out;
  std::string_view text = ran->out;
  while (text.starts_with(':')) {
    std::string_view line = field(text);
    Entry entry;
    entry.path = field(text);
    word(line);
    entry.mode = word(line);
    word(line);
    entry.oid = word(line);
    if (entry.oid.starts_with(kZeroes)) entry.oid.clear();
    out.push_back(std::move(entry));
  }
  if (auto sized = fill_sizes(out); !sized) return tl::unexpected(sized.error());
  return out;
}

Result<std::vector<std::string>> Repository::read(const std::vector<Entry>& files) {
  std::vector<std::string> out;
  if (files.empty()) return out;
  std::string input;
  size_t bytes = 0;
  for (const Entry& file : files) {
    input += file.oid + "\n";
    bytes += static_cast<size_t>(std::max<int64_t>(file.size, 0)) + 128;
  }
  auto ran = local({"cat-file", "--batch"}, std::move(input), bytes + 1024);
  if (!ran) return tl::unexpected(ran.error());
  out.reserve(files.size());
  std::string_view text = ran->out;
  for (const Entry& file : files) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    const std::string_view oid = word(line);
    word(line);
    const int64_t size = number(word(line));
    if (end == std::string_view::npos || oid != file.oid || size < 0 || text.size() - end - 1 < static_cast<size_t>(size))
      return fail(Code::corrupt, "the copy of the repository lacks " + printable(file.path));
    out.emplace_back(text.substr(end + 1, static_cast<size_t>(size)));
    text.remove_prefix(std::min(end + 2 + static_cast<size_t>(size), text.size()));
  }
  return out;
}

void Repository::forget() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
  git_dir_.clear();
}

}  // namespace trove::gitops
