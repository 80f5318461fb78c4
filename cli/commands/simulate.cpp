#include <unistd.h>

#include "cli/command.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

// The simulation is the control plane itself, and so is the program: troved, beside this one or in PATH.
std::string troved() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length > 0) {
    const std::string me(path, static_cast<size_t>(length));
    std::string beside = me.substr(0, me.rfind('/') + 1) + "troved";
    if (::access(beside.c_str(), X_OK) == 0) return beside;
  }
  return "troved";
}

}  // namespace

Try<int> run_simulate(Context& context) {
  const Arguments& given = context.args;
  if (!given.words.empty())
    return usage_error("simulate takes files, not words", "did you mean -f " + printable(given.words[0], 80) + "?");
  auto files = given.flags.find("filename");
  if (files == given.flags.end()) return usage_error("simulate needs files", "trovectl simulate -f shop/");
  std::vector<std::string> argv{troved(), "simulate"};
  for (const std::string& file : files->second) argv.push_back("--filename=" + file);
  for (const char* flag : {"faults", "runs", "seed", "schedule", "output"})
    if (given.has(flag)) argv.push_back("--" + std::string(flag) + "=" + given.get(flag));
  if (given.has("trace")) argv.push_back("--trace");
  context.out.flush();
  auto outcome = context.exec(argv, {});
  if (outcome) return *outcome;
  const bool missing = outcome.error().code == Code::not_found;
  return failed(missing ? kUsage : kInternal, "cannot start " + outcome.error().message,
                missing ? "simulate runs the control plane's own program: install troved beside trovectl" : "");
}

}  // namespace trove::cli
