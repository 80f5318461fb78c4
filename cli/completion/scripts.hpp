// Completion scripts made from the table of commands. Pure; thread-safe.
#pragma once
#include <string>
#include <vector>

namespace trove::cli {

std::string bash_script();
std::string zsh_script();
std::string fish_script();

// What could stand in place of the last of `words` (which may be empty), as far as the table knows.
struct Question {
  std::vector<std::string> candidates;   // complete answers: commands, flags, choices
  bool kinds = false;                    // also kinds …
  std::string names_of;                  // … or names of this kind ("" = none) …
  std::string prefix;                    // … each written after this: "inst/" or "--remove="
  bool files = false, projects = false;
};
Question question_of(const std::vector<std::string>& words);

}  // namespace trove::cli
