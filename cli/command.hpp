// The one table of commands and flags. Dispatch, parsing, help, completion and "did you mean" all read it and nothing
// else repeats it. Constant after its first use; thread-safe.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "cli/context.hpp"

namespace trove::cli {

// What a word or a flag's value may be, for completion.
enum class Expect { nothing, choice, kind, object, instance, secret, backup, git_source, file, project, field };

struct Flag {
  std::string_view name = {};          // "output"
  char letter = 0;                     // 'o'; 0 = none
  std::string_view value = {};         // "FORMAT"; empty = a switch
  std::string_view doc = {};
  Expect expect = Expect::nothing;
  std::vector<std::string_view> choices = {};   // for completion; other values may be fine ("jsonpath=…")
  bool repeat = false;
};

struct Command {
  std::string_view name;               // "get", "secret reveal"
  std::string_view group;              // heading in the help
  std::string_view words = {};         // "KIND[/NAME]…" for the usage line
  std::string_view summary;            // one line
  std::string_view details = {};       // paragraphs and examples for --help
  std::vector<Flag> flags = {};
  Expect expect = Expect::nothing;     // what completes the words
  std::vector<std::string_view> choices = {};
  bool takes_rest = false;             // words after "--"
  bool hidden = false;
  Try<int> (*run)(Context&) = nullptr;
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

// commands/*.cpp, one each.
Try<int> run_api_resources(Context&);
Try<int> run_apply(Context&);
Try<int> run_backup(Context&);
Try<int> run_blame(Context&);
Try<int> run_completion(Context&);
Try<int> run_complete(Context&);
Try<int> run_config_set(Context&);
Try<int> run_config_view(Context&);
Try<int> run_connect(Context&);
Try<int> run_delete(Context&);
Try<int> run_describe(Context&);
Try<int> run_diff(Context&);
Try<int> run_events(Context&);
Try<int> run_leaks(Context&);
Try<int> run_drift(Context&);
Try<int> run_explain(Context&);
Try<int> run_get(Context&);
Try<int> run_git_plan(Context&);
Try<int> run_git_status(Context&);
Try<int> run_git_sync(Context&);
Try<int> run_git_verify(Context&);
Try<int> run_history(Context&);
Try<int> run_plan(Context&);
Try<int> run_restart(Context&);
Try<int> run_rollback(Context&);
Try<int> run_schema(Context&);
Try<int> run_secret_reveal(Context&);
Try<int> run_simulate(Context&);
Try<int> run_tree(Context&);
Try<int> run_validate(Context&);
Try<int> run_version(Context&);
Try<int> run_wait(Context&);
Try<int> run_why(Context&);

}  // namespace trove::cli
