#include "reconciler/api/access.hpp"
#include <algorithm>
#include "specs/core/digest.hpp"
#include "specs/core/log.hpp"

namespace trove {
namespace {

constexpr size_t kLeastTokenBytes = 16;
constexpr size_t kMaxProjectBytes = 64;
constexpr size_t kMaxNameBytes = 64;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

bool is_word(std::string_view text, size_t most, std::string_view inside) {
  auto alnum = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && text.size() <= most && alnum(text.front()) && alnum(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return alnum(c) || inside.find(c) != std::string_view::npos; });
}

std::optional<Role> role_from(std::string_view text) {
  if (text == "reader") return Role::reader;
  if (text == "member") return Role::member;
  if (text == "admin") return Role::admin;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Role role) {
  return role == Role::reader ? "reader" : role == Role::member ? "member" : "admin";
}

bool is_project_name(std::string_view text) { return is_word(text, kMaxProjectBytes, "-_."); }

Tokens::Tokens(std::string_view file) {
  int number = 0;
  while (!file.empty()) {
    size_t end = std::min(file.find('\n'), file.size());
    auto words = words_of(file.substr(0, end));
    file.remove_prefix(std::min(end + 1, file.size()));
    ++number;
    if (words.empty() || words[0].starts_with('#')) continue;
    Entry entry{sha256_raw(words[0]), {"admin", "*", Role::admin}};
    auto role = words.size() > 2 ? role_from(words[2]) : words.size() == 1 ? std::optional(Role::admin) : std::nullopt;
    bool fine = words[0].size() >= kLeastTokenBytes && words.size() <= 4 && role &&
                (words.size() < 2 || words[1] == "*" || is_project_name(words[1])) &&
                (words.size() < 4 || is_word(words[3], kMaxNameBytes, "-_.@+"));
    if (!fine) {
      log::warning("a line of the token file is left out", {{"line", number}});
      continue;
    }
    entry.caller.role = *role;
    if (words.size() > 1) entry.caller.project = words[1];
    if (words.size() > 2) entry.caller.name = words[2];
    if (words.size() > 3) entry.caller.name = words[3];
    entries_.push_back(std::move(entry));
  }
}

std::optional<Caller> Tokens::find(std::string_view token) const {
  const std::string digest = sha256_raw(token);
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {  // no early end: how long it takes tells nothing
    if (same_bytes(entry.digest, digest)) found = &entry;
  }
  if (token.empty() || !found) return std::nullopt;
  return found->caller;
}

std::string bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return {};
  for (size_t i = 0; i < kScheme.size(); ++i) {
    if ((authorization[i] >= 'A' && authorization[i] <= 'Z' ? authorization[i] | 0x20 : authorization[i]) != kScheme[i])
      return {};
  }
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return std::string(authorization);
}

}  // namespace trove
