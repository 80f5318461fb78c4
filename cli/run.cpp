#include "cli/run.hpp"

#include <algorithm>
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

void pad(std::string& line, size_t width) {
  if (line.size() < width) line.append(width - line.size(), ' ');
}

std::string flag_text(const Flag& flag) {
  std::string text = flag.letter ? std::string("-") + flag.letter + ", " : "    ";
  text += "--" + std::string(flag.name);
  if (!flag.value.empty()) text += "=" + std::string(flag.value);
  return text;
}

// The commands that start with `first` as their first of two words: "secret" -> "secret reveal".
std::vector<const Command*> family(const std::string& first) {
  std::vector<const Command*> members;
  for (const Command& command : commands()) {
    if (command.name.substr(0, first.size() + 1) == first + " ") members.push_back(&command);
  }
  return members;
}

Failure unknown_command(const std::vector<std::string>& words) {
  std::vector<std::string_view> names;
  for (const Command& command : commands()) {
    if (!command.hidden) names.push_back(command.name);
  }
  Failure failure{kUsage, "unknown command \"" + printable(words[0], 60) + "\"", "all commands: trovectl help"};
  std::string near = words.size() > 1 ? nearest(words[0] + " " + words[1], names) : "";
  if (near.empty()) near = nearest(words[0], names);
  if (near.empty()) {
    // "secrte" is near "secret", which is only the first half of a command.
    std::vector<std::string_view> halves;
    for (std::string_view name : names) {
      if (size_t space = name.find(' '); space != std::string_view::npos) halves.push_back(name.substr(0, space));
    }
    near = nearest(words[0], halves);
  }
  if (!near.empty()) failure.message += ". Did you mean \"" + near + "\"?";
  return failure;
}

}  // namespace

std::string help() {
  std::string text =
      "trovectl: declarative databases\n\n"
      "Usage: trovectl COMMAND [FLAG…]\n";
  std::string_view group;
  size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, command.name.size());
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    if (command.group != group) text += "\n" + std::string(command.group) + ":\n";
    group = command.group;
    std::string line = "  " + std::string(command.name);
    pad(line, width + 5);
    text += line + std::string(command.summary) + "\n";
  }
  text +=
      "\ntrovectl COMMAND --help explains a command. Kinds: trovectl api-resources\n"
      "Exit status: 0 ok, 1 differences (diff, plan --exit-code), 2 usage or validation, 3 not found, 4 not allowed,\n"
      "5 internal, 6 conflict, 7 time over, 8 stalled, 9 refused by a protection, 10 unavailable, 130 interrupted\n";
  return text;
}

std::string help(const Command& command) {
  std::string text = std::string(command.summary) + ".\n\nUsage: trovectl " + std::string(command.name);
  if (!command.words.empty()) text += " " + std::string(command.words);
  if (!command.flags.empty()) text += " [FLAG…]";
  text += "\n";
  if (!command.details.empty()) text += "\n" + std::string(command.details) + "\n";
  if (!command.flags.empty()) {
    size_t width = 0;
    for (const Flag& flag : command.flags) width = std::max(width, flag_text(flag).size());
    text += "\nFlags:\n";
    for (const Flag& flag : command.flags) {
      std::string line = "  " + flag_text(flag);
      pad(line, width + 5);
      text += line + std::string(flag.doc) + "\n";
    }
  }
  return text;
}

Failure unknown_flag(const Command& command, const std::string& word) {
  std::string bare = word.substr(0, word.find('='));
  Failure failure{kUsage, "unknown flag " + printable(bare, 60),
                  "flags of this command: trovectl " + std::string(command.name) + " --help"};
  std::vector<std::string_view> names;
  for (const Flag& flag : command.flags) names.push_back(flag.name);
  names.push_back("help");
  size_t dashes = bare.find_first_not_of('-');
  if (dashes != std::string::npos) {
    std::string near = nearest(std::string_view(bare).substr(dashes), names);
    if (!near.empty()) failure.message += ". Did you mean --" + near + "?";
  }
  return failure;
}

int run(Context& context, std::vector<std::string> words, const Parser& parser) {
  if (words.empty()) {
    context.err << help();
    return kUsage;
  }
  if (words[0] == "help" || words[0] == "--help" || words[0] == "-h") {
    words.erase(words.begin());
    if (words.empty()) {
      context.out << help();
      return kOk;
    }
    words.push_back("--help");
  }
  if (words[0] == "--version") words[0] = "version";

  const Command* command = words.size() > 1 ? find_command(words[0] + " " + words[1]) : nullptr;
  size_t used = command ? 2 : 1;
  if (!command) command = find_command(words[0]);
  if (!command) {
    auto members = family(words[0]);
    if (members.empty()) return print_failure(context, unknown_command(words));
    bool asks = words.size() > 1 && (words[1] == "--help" || words[1] == "-h");
    std::string text = "Usage:\n";
    for (const Command* member : members) {
      text += "  trovectl " + std::string(member->name) + " " + std::string(member->words) + "\n      " +
              std::string(member->summary) + "\n";
    }
    if (asks) {
      context.out << text;
      return kOk;
    }
    if (words.size() > 1) print_failure(context, unknown_command(words));
    context.err << text;
    return kUsage;
  }
  words.erase(words.begin(), words.begin() + static_cast<long>(used));

  // Completion gets every word untouched: they are somebody's half-written command line.
  if (command->hidden) {
    context.args.words = std::move(words);
  } else {
    auto separator = std::find(words.begin(), words.end(), "--");
    if (std::any_of(words.begin(), separator, [](const std::string& w) { return w == "--help" || w == "-h"; })) {
      context.out << help(*command);
      return kOk;
    }
    auto parsed = parser(*command, std::move(words));
    if (!parsed) return print_failure(context, parsed.error());
    context.args = std::move(*parsed);
    if (!command->takes_rest && !context.args.rest.empty()) {
      context.args.words.insert(context.args.words.end(), context.args.rest.begin(), context.args.rest.end());
      context.args.rest.clear();
    }
  }
  auto status = command->run(context);
  context.out.flush();
  return status ? *status : print_failure(context, status.error());
}

}  // namespace trove::cli
