// From the words of the command line to an exit status. The parser of flags is handed in, because the library behind it
// is heavy and lives in main.cpp alone. One thread.
#pragma once
#include <functional>
#include <string>
#include <vector>
#include "cli/command.hpp"

namespace trove::cli {

// Checks `words` against the command's flags. Errors are usage errors; run() adds the "did you mean".
using Parser = std::function<Try<Arguments>(const Command& command, std::vector<std::string> words)>;

int run(Context& context, std::vector<std::string> words, const Parser& parser);

// The overview, and one command's page. Exposed for tests.
std::string help();
std::string help(const Command& command);
// What to say about a flag that the command does not have: "unknown flag --outptu. Did you mean --output?"
Failure unknown_flag(const Command& command, const std::string& word);

}  // namespace trove::cli
