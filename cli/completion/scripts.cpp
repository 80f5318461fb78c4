#include "cli/completion/scripts.hpp"

#include <algorithm>
#include "cli/command.hpp"
#include "cli/names.hpp"
#include "specs/kinds/kind.hpp"

namespace trove::cli {
namespace {

// The commands' first words, each once.
std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    std::string word(command.name.substr(0, command.name.find(' ')));
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  words.emplace_back("help");
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::string> flag_words(const Command& command) {
  std::vector<std::string> words;
  for (const Flag& flag : command.flags) {
    if (flag.letter) words.push_back(std::string("-") + flag.letter);
    words.push_back("--" + std::string(flag.name));
  }
  words.emplace_back("--help");
  return words;
}

const Flag* flag_named(const Command& command, const std::string& word) {
  for (const Flag& flag : command.flags) {
    if (word == "--" + std::string(flag.name) || (flag.letter && word == std::string("-") + flag.letter)) return &flag;
  }
  return nullptr;
}

void ask(Expect expect, const std::vector<std::string_view>& choices, Question& question) {
  for (std::string_view choice : choices) question.candidates.push_back(question.prefix + std::string(choice));
  switch (expect) {
    case Expect::kind: case Expect::object: case Expect::field: question.kinds = true; break;
    case Expect::instance: question.names_of = "DatabaseInstance"; break;
    case Expect::secret: question.names_of = "Secret"; break;
    case Expect::git_source: question.names_of = "GitSource"; break;
    case Expect::backup: question.names_of = "Backup"; break;
    case Expect::file: question.files = true; break;
    case Expect::project: question.projects = true; break;
    case Expect::choice: case Expect::nothing: break;
  }
}

// "inst/or" asks for names of that kind, written with the kind before them.
void ask_object(const std::string& last, Question& question) {
  if (size_t slash = last.find('/'); slash != std::string::npos) {
    if (const Kind* kind = find_kind(last.substr(0, slash))) {
      question.kinds = false;
      question.candidates.clear();
      question.names_of = kind->name;
      question.prefix += last.substr(0, slash + 1);
    }
  }
}

}  // namespace

Question question_of(const std::vector<std::string>& words) {
  Question question;
  if (words.size() <= 1) {
    question.candidates = first_words();
    return question;
  }
  const Command* command = words.size() > 2 ? find_command(words[0] + " " + words[1]) : nullptr;
  size_t used = command ? 2 : 1;
  if (!command) command = find_command(words[0]);
  if (!command) {
    for (const Command& other : commands()) {
      if (words.size() == 2 && other.name.starts_with(words[0] + " ")) {
        question.candidates.emplace_back(other.name.substr(words[0].size() + 1));
      }
    }
    return question;
  }
  const std::string& last = words.back();
  const std::string& before = words[words.size() - 2];
  for (size_t i = used; i + 1 < words.size(); ++i) {
    if (words[i] == "--") return question;   // another program's arguments
  }
  // "--for=Re" and "--for Re".
  if (last.starts_with("--") && last.find('=') != std::string::npos) {
    const Flag* flag = flag_named(*command, last.substr(0, last.find('=')));
    if (!flag || flag->value.empty()) return question;
    question.prefix = last.substr(0, last.find('=') + 1);
    ask(flag->expect, flag->choices, question);
    ask_object(last.substr(last.find('=') + 1), question);
    return question;
  }
  if (words.size() - 1 > used) {
    const Flag* flag = flag_named(*command, before);
    if (flag && !flag->value.empty()) {
      ask(flag->expect, flag->choices, question);
      if (flag->expect == Expect::object) ask_object(last, question);
      return question;
    }
  }
  if (last.starts_with("-")) {
    question.candidates = flag_words(*command);
    return question;
  }
  // A kind already given means its names come next: "get inst or<TAB>".
  const Kind* kind = nullptr;
  for (size_t i = used; i + 1 < words.size(); ++i) {
    if (words[i].starts_with("-")) {
      const Flag* flag = flag_named(*command, words[i]);
      if (flag && !flag->value.empty()) ++i;
    } else if (words[i].find('/') == std::string::npos && !kind) {
      kind = find_kind(words[i]);
    }
  }
  if (command->expect == Expect::object && kind) {
    question.names_of = kind->name;
    return question;
  }
  ask(command->expect, command->choices, question);
  if (command->expect == Expect::object || command->expect == Expect::instance || command->expect == Expect::secret) {
    ask_object(last, question);
  }
  return question;
}

std::string bash_script() {
  std::string text =
      "# bash completion for trovectl. Use: source <(trovectl completion bash)\n"
      "_trovectl() {\n"
      "  local current words flags answers\n"
      "  COMPREPLY=()\n"
      "  # Words as typed: bash cuts them at = and :, and names may hold both.\n"
      "  read -r -a words <<< \"${COMP_LINE:0:COMP_POINT}\"\n"
      "  [[ \"${COMP_LINE:0:COMP_POINT}\" == *[[:space:]] ]] && words+=(\"\")\n"
      "  current=\"${words[-1]}\"\n"
      "  if (( ${#words[@]} <= 2 )); then\n"
      "    mapfile -t COMPREPLY < <(compgen -W '" + joined(first_words()) + "' -- \"$current\")\n"
      "    return\n"
      "  fi\n"
      "  if [[ \"$current\" == -* && \"$current\" != *=* ]]; then\n"
      "    flags='--help'\n"
      "    case \"${words[1]} ${words[2]}\" in\n";
  // Two-word commands first, so that "config view" is not taken for an unknown "config".
  for (bool two : {true, false}) {
    for (const Command& command : commands()) {
      bool has_two = command.name.find(' ') != std::string_view::npos;
      if (command.hidden || has_two != two) continue;
      text += "      '" + std::string(command.name) + "'" + (two ? "" : "' '*") + ") flags='" +
              joined(flag_words(command)) + "' ;;\n";
    }
  }
  text +=
      "    esac\n"
      "    mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$current\")\n"
      "    return\n"
      "  fi\n"
      "  case \"${words[-2]}\" in\n"
      "    -f|--filename|--token-file) mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); compopt -o filenames; "
      "return ;;\n"
      "  esac\n"
      "  mapfile -t answers < <(trovectl __complete \"${words[@]:1}\" 2>/dev/null)\n"
      "  local answer\n"
      "  for answer in \"${answers[@]}\"; do\n"
      "    [[ \"$answer\" == \"$current\"* ]] || continue\n"
      "    # Readline replaces only what follows the last = or :.\n"
      "    [[ \"$current\" == *=* ]] && answer=\"${answer#\"${current%=*}=\"}\"\n"
      "    COMPREPLY+=(\"$answer\")\n"
      "  done\n"
      "  if (( ${#COMPREPLY[@]} == 1 )) && [[ \"${COMPREPLY[0]}\" == */ || \"${COMPREPLY[0]}\" == *= ]]; then\n"
      "    compopt -o nospace\n"
      "  fi\n"
      "}\n"
      "complete -F _trovectl trovectl\n";
  return text;
}

namespace {
std::string zsh_quoted(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '\'') result += "'\\''";
    else if (c == ':') result += "\\:";
    else result += c;
  }
  return result;
}
std::string fish_quoted(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}
}  // namespace

std::string zsh_script() {
  std::string text =
      "#compdef trovectl\n"
      "# zsh completion for trovectl. Use: source <(trovectl completion zsh)\n"
      "_trovectl() {\n"
      "  local -a commands answers\n"
      "  local current=\"${words[CURRENT]}\"\n"
      "  commands=(\n";
  std::vector<std::string> done;
  for (const Command& command : commands()) {
    std::string word(command.name.substr(0, command.name.find(' ')));
    if (command.hidden || std::find(done.begin(), done.end(), word) != done.end()) continue;
    done.push_back(word);
    text += "    '" + word + ":" + zsh_quoted(command.summary) + "'\n";
  }
  text +=
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe -t commands 'command' commands\n"
      "    return\n"
      "  fi\n"
      "  case \"${words[CURRENT-1]}\" in\n"
      "    -f|--filename|--token-file) _files; return ;;\n"
      "  esac\n"
      "  answers=(\"${(@f)$(trovectl __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
      "  compadd -Q -S '' -- ${answers:#}\n"
      "}\n"
      "compdef _trovectl trovectl\n";
  return text;
}

std::string fish_script() {
  std::string text =
      "# fish completion for trovectl. Use: trovectl completion fish | source\n"
      "function __trovectl_answers\n"
      "  set -l words (commandline -opc) (commandline -ct)\n"
      "  trovectl __complete $words[2..-1] 2>/dev/null\n"
      "end\n"
      "complete -c trovectl -f\n";
  std::vector<std::string> done;
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    size_t space = command.name.find(' ');
    std::string word(command.name.substr(0, space));
    if (std::find(done.begin(), done.end(), word) == done.end()) {
      done.push_back(word);
      text +=
          "complete -c trovectl -n __fish_use_subcommand -a '" + word + "' -d '" + fish_quoted(command.summary) + "'\n";
    }
    for (const Flag& flag : command.flags) {
      text += "complete -c trovectl -n '__fish_seen_subcommand_from " + word + "' -l " + std::string(flag.name);
      if (flag.letter) text += std::string(" -s ") + flag.letter;
      if (!flag.value.empty()) text += flag.expect == Expect::file ? " -r -F" : " -x -a '(__trovectl_answers)'";
      text += " -d '" + fish_quoted(flag.doc) + "'\n";
    }
  }
  text += "complete -c trovectl -n 'not __fish_use_subcommand' -a '(__trovectl_answers)'\n";
  return text;
}

}  // namespace trove::cli
