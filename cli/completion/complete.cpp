#include <algorithm>
#include "cli/api.hpp"
#include "cli/command.hpp"
#include "cli/completion/scripts.hpp"
#include "cli/names.hpp"

namespace trove::cli {
namespace {

constexpr Millis kPatience{1'000};   // a finger on TAB waits no longer

// The flags that say where the server is, from a half-written command line.
void borrow_flags(Context& context, const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    for (const char* name : {"project", "server", "token-file"}) {
      std::string flag = std::string("--") + name;
      bool split = words[i] == flag || (words[i] == "-p" && std::string(name) == "project");
      if (split && i + 2 < words.size()) context.args.flags[name] = {words[i + 1]};
      if (words[i].starts_with(flag + "=")) context.args.flags[name] = {words[i].substr(flag.size() + 1)};
    }
  }
}

}  // namespace

Try<int> run_completion(Context& context) {
  std::string shell = context.args.words.size() == 1 ? context.args.words[0] : "";
  if (shell == "bash") context.out << bash_script();
  else if (shell == "zsh") context.out << zsh_script();
  else if (shell == "fish") context.out << fish_script();
  else return usage_error("for which shell? trovectl completion bash, zsh or fish");
  return kOk;
}

// Never fails and never talks: whoever presses TAB is in the middle of a line.
Try<int> run_complete(Context& context) {
  const std::vector<std::string> words = context.args.words;
  Question question = question_of(words);
  std::string last = words.empty() ? "" : words.back();
  std::vector<std::string> answers = question.candidates;
  if (question.kinds) {
    for (const Kind& kind : all_kinds()) {
      answers.push_back(question.prefix + std::string(kind.short_name));
      answers.push_back(question.prefix + lower(kind.name));
      answers.push_back(question.prefix + std::string(kind.plural));
    }
  }
  if (!question.names_of.empty()) {
    borrow_flags(context, words);
    if (auto api = context.api()) {
      (*api)->set_deadline(kPatience);
      if (auto listing = (*api)->list(*find_kind(question.names_of))) {
        for (const Value& object : listing->items) {
          answers.push_back(question.prefix + object.at_path("metadata.name").text());
        }
      }
    }
  }
  std::vector<std::string> printed;
  for (const std::string& answer : answers) {
    if (!answer.starts_with(last) || std::find(printed.begin(), printed.end(), answer) != printed.end()) continue;
    printed.push_back(answer);
    context.out << answer << '\n';
  }
  return kOk;
}

}  // namespace trove::cli
