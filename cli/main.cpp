// trovectl: makes the real world (clock, streams, signals, environment), parses flags, hands over to run().
// The only file that includes the library for flags: it alone costs more to compile than all other files here.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <thread>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include "cli/run.hpp"
#include "specs/core/real.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

// Only the chosen command's flags are built, which keeps the start short.
Try<Arguments> parse_flags(const Command& command, std::vector<std::string> words) {
  Arguments arguments;
  auto separator = std::find(words.begin(), words.end(), "--");
  if (separator != words.end()) {
    arguments.rest.assign(separator + 1, words.end());
    words.erase(separator, words.end());
  }
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<std::vector<std::string>> values(command.flags.size());
  std::vector<CLI::Option*> options;
  for (size_t i = 0; i < command.flags.size(); ++i) {
    const Flag& flag = command.flags[i];
    std::string name = "--" + std::string(flag.name);
    if (flag.letter) name = std::string("-") + flag.letter + "," + name;
    CLI::Option* option = flag.value.empty() ? app.add_flag(name) : app.add_option(name, values[i]);
    // One value each: in "-f a.yaml b.yaml" the second is a word, and the command says what it thinks of it.
    if (!flag.value.empty()) option->expected(1)->take_all()->allow_extra_args(false);
    options.push_back(option);
  }
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return usage_error(printable(error.what(), 300), "trovectl " + std::string(command.name) + " --help");
  }
  for (const std::string& extra : app.remaining()) {
    if (extra.size() > 1 && extra[0] == '-') return tl::unexpected(unknown_flag(command, extra));
    arguments.words.push_back(extra);
  }
  for (size_t i = 0; i < options.size(); ++i) {
    const Flag& flag = command.flags[i];
    if (options[i]->count() == 0) continue;
    std::string name(flag.name);
    arguments.flags[name] = flag.value.empty() ? std::vector<std::string>{"true"} : values[i];
    if (!flag.repeat && !flag.value.empty() && values[i].size() > 1) {
      return usage_error("--" + name + " is given " + std::to_string(values[i].size()) + " times; it takes one value");
    }
  }
  return arguments;
}

Result<int> replace_process(const std::vector<std::string>& argv, const std::vector<std::string>& extra_env) {
  for (const std::string& assignment : extra_env) {
    size_t equals = assignment.find('=');
    ::setenv(assignment.substr(0, equals).c_str(), assignment.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> pointers;
  for (const std::string& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);   // what we ignore the client should not
  ::execvp(pointers[0], pointers.data());
  return fail(errno == ENOENT ? Code::not_found : Code::internal, argv[0] + ": " + std::strerror(errno));
}

}  // namespace

int run_program(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  std::signal(SIGPIPE, SIG_IGN);   // `trovectl get … | head` ends with a failed write, not with a signal
  RealClock clock;
  // Lives as long as the process: the thread that waits for signals may still use it while main returns.
  static Interrupt interrupt;
  Context context(std::cout, std::cerr, std::cin, clock, interrupt, [](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return std::string(value ? value : "");
  });
  context.in_tty = ::isatty(STDIN_FILENO);
  context.out_tty = ::isatty(STDOUT_FILENO);
  context.err_tty = ::isatty(STDERR_FILENO);
  context.exec = replace_process;
  context.catch_interrupts = [] {
    static bool caught = false;
    if (caught) return;
    caught = true;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);   // inherited by every later thread
    std::thread([signals] {
      int number = 0;
      sigwait(&signals, &number);
      interrupt.raise();
      sigwait(&signals, &number);   // asked twice: at once
      ::_exit(kInterrupted);
    }).detach();
  };
  return run(context, std::vector<std::string>(argv + 1, argv + argc), parse_flags);
}

}  // namespace trove::cli

int main(int argc, char** argv) { return trove::cli::run_program(argc, argv); }
