#include "cli/names.hpp"

#include <algorithm>
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

Try<std::vector<Target>> parse(const std::vector<std::string>& words, bool kinds_alone) {
  if (words.empty()) {
    return usage_error(kinds_alone ? "which objects? Write KIND, or KIND/NAME" : "which object? Write KIND/NAME",
                       "kinds: trovectl api-resources");
  }
  std::vector<Target> targets;
  // "inst a b": the first word is a kind, the others are names of that kind.
  if (words[0].find('/') == std::string::npos) {
    std::string list = words[0];
    std::vector<const Kind*> kinds;
    for (size_t from = 0; from <= list.size();) {
      size_t comma = std::min(list.find(',', from), list.size());
      auto kind = kind_named(list.substr(from, comma - from));
      if (!kind) return tl::unexpected(kind.error());
      kinds.push_back(*kind);
      from = comma + 1;
    }
    if (words.size() == 1) {
      if (!kinds_alone) {
        return usage_error("which " + lower(kinds[0]->name) + "? Write " + std::string(kinds[0]->short_name) + "/NAME",
                           "what there is: trovectl get " + std::string(kinds[0]->short_name));
      }
      for (const Kind* kind : kinds) targets.push_back({kind, ""});
      return targets;
    }
    if (kinds.size() > 1) return usage_error("names can follow one kind only; write KIND/NAME for several kinds");
    for (size_t i = 1; i < words.size(); ++i) {
      if (words[i].find('/') != std::string::npos) {
        return usage_error("\"" + printable(words[i], 80) + "\" after a kind: write names, or KIND/NAME everywhere");
      }
      targets.push_back({kinds[0], words[i]});
    }
    return targets;
  }
  for (const std::string& word : words) {
    size_t slash = word.find('/');
    if (slash == std::string::npos) {
      return usage_error("\"" + printable(word, 80) + "\" has no kind: write KIND/" + printable(word, 80));
    }
    auto kind = kind_named(word.substr(0, slash));
    if (!kind) return tl::unexpected(kind.error());
    std::string name = word.substr(slash + 1);
    if (name.empty()) return usage_error("\"" + printable(word, 80) + "\" has no name after the slash");
    targets.push_back({*kind, name});
  }
  return targets;
}

}  // namespace

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}
std::string to_string(const Target& target) { return lower(target.kind->name) + "/" + target.name; }

Try<const Kind*> kind_named(const std::string& word) {
  if (const Kind* kind = find_kind(word)) return kind;
  std::vector<std::string> spellings;
  for (const Kind& kind : all_kinds()) {
    spellings.push_back(lower(kind.name));
    spellings.emplace_back(kind.plural);
    spellings.emplace_back(kind.short_name);
  }
  std::vector<std::string_view> views(spellings.begin(), spellings.end());
  std::string near = nearest(lower(word), views);
  return usage_error("unknown kind \"" + printable(word, 80) + "\"" +
                         (near.empty() ? "" : ". Did you mean \"" + near + "\"?"),
                     "kinds: trovectl api-resources");
}

Try<std::vector<Target>> parse_targets(const std::vector<std::string>& words) { return parse(words, false); }
Try<std::vector<Target>> parse_targets_or_kinds(const std::vector<std::string>& words) { return parse(words, true); }

Try<Target> parse_target(const std::vector<std::string>& words) {
  auto targets = parse(words, false);
  if (!targets) return tl::unexpected(targets.error());
  if (targets->size() != 1) return usage_error("one object at a time, please");
  return targets->front();
}

Try<Target> parse_instance(const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0].find('/') == std::string::npos) {
    return Target{find_kind("DatabaseInstance"), words[0]};
  }
  if (words.empty()) return usage_error("which instance?", "what there is: trovectl get inst");
  auto target = parse_target(words);
  if (target && target->kind->name != "DatabaseInstance") {
    return usage_error(to_string(*target) + " is not an instance", "instances: trovectl get inst");
  }
  return target;
}

}  // namespace trove::cli
