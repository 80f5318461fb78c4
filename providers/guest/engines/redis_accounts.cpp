// Redis' users as items.
#include <unistd.h>
#include <algorithm>
#include "providers/guest/engines/redis.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {

constexpr const char* kAgentUser = "trove-agent";

// "+@read" "-flushall" "+config|get" "allcommands": nothing that could set passwords or key patterns.
bool is_command_rule(const std::string& rule) {
  if (rule == "allcommands" || rule == "nocommands") return true;
  if (rule.size() < 2 || (rule[0] != '+' && rule[0] != '-')) return false;
  return std::all_of(rule.begin() + 1, rule.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '@' || c == '|' || c == '-' || c == '_' || c == '.';
  });
}

// Words as ACL LIST shows them; a selector in brackets is one.
void add_words(std::vector<std::string>& words, const std::string& text) {
  int depth = 0;
  std::string word;
  for (char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c != ' ' || depth > 0) {
      word += c;
      continue;
    }
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  }
  if (!word.empty()) words.push_back(std::move(word));
}

}  // namespace

Result<std::vector<std::string>> redis::acl_rules(const User& user) {
  std::vector<std::string> rules = {"reset", "on", "#" + user.verifier};
  if (user.superuser || user.grants.empty()) {
    for (const char* rule : {"~*", "&*", "+@all"}) rules.emplace_back(rule);
    return rules;
  }
  // The first grant is the user's own; each other one is a selector, so that no command of one reaches the keys of
  // another.
  bool first = true;
  for (const Grant& grant : user.grants) {
    const std::string on = grant.on.empty() || grant.on == "*.*" ? "*" : grant.on;
    if (on.find_first_of(" \t()") != std::string::npos) {
      return fail(Code::invalid, "\"" + on + "\" is not a pattern of keys");
    }
    std::vector<std::string> mine = {"~" + on, "&" + on};
    for (const auto& privilege : grant.privileges) {
      std::string rule = lower(trimmed(privilege));
      if (rule == "all" || rule == "all privileges") rule = "+@all";
      if (!is_command_rule(rule))
        return fail(Code::invalid, "\"" + privilege + "\" is not a command rule such as +@read");
      mine.push_back(rule);
    }
    if (first) {
      rules.insert(rules.end(), mine.begin(), mine.end());
    } else {
      std::string selector;
      for (const auto& rule : mine) selector += (selector.empty() ? "(" : " ") + rule;
      rules.push_back(selector + ")");
    }
    first = false;
  }
  return rules;
}

Result<void> RedisDriver::refresh(const Document& document, bool may_change) {
  if (wants_aof_) {
    // Started without, to load a dump; from here on writes are logged.
    auto now = command({"INFO", "persistence"});
    if (!now) return tl::unexpected<Error>(now.error());
    const std::string info = now->empty() ? "" : now->front();
    const bool on = info.find("aof_enabled:1") != std::string::npos;
    const bool rewriting = info.find("aof_rewrite_in_progress:1") != std::string::npos ||
                           info.find("aof_rewrite_scheduled:1") != std::string::npos;
    if (!on) {
      if (auto done = order({"CONFIG", "SET", "appendonly", "yes"}); !done) return done;
    } else if (!rewriting && info.find("aof_last_bgrewrite_status:ok") != std::string::npos) {
      unlink(stale_log_path().c_str());
    }
  }
  auto lines = command({"ACL", "LIST"});
  if (!lines) return tl::unexpected<Error>(lines.error());
  users_.clear();
  for (const auto& line : *lines) {
    // "user orders on #hash ~orders:* resetchannels -@all +@read"
    const size_t name_end = line.find(' ', 5);
    if (line.rfind("user ", 0) != 0 || name_end == std::string::npos) continue;
    Facets facets = {{"password", ""}, {"grants", ""}, {"account", ""}};
    for (size_t from = name_end + 1; from < line.size();) {
      const size_t end = std::min(line.find(' ', from), line.size());
      const std::string word = line.substr(from, end - from);
      from = end + 1;
      const bool account = word == "on" || word == "off" || word == "nopass";
      facets[word[0] == '#' ? "password" : account ? "account" : "grants"] += word + " ";
    }
    users_[line.substr(5, name_end - 5)] = std::move(facets);
  }
  const bool named =
      std::any_of(document.users.begin(), document.users.end(), [](const User& u) { return u.name == "default"; });
  if (!named && may_change && users_.count("default") && users_["default"]["account"] != "off ") {
    if (auto done = drop_user("default", ""); !done) return done;
  }
  return {};
}

Result<std::optional<Facets>> RedisDriver::look(const Database&) {
  return fail(Code::invalid, "Redis has no databases to make: keys are told apart by their prefix");
}
Result<void> RedisDriver::apply(const Database&) { return fail(Code::invalid, "Redis has no databases to make"); }

Result<std::optional<Facets>> RedisDriver::look(const User& user) {
  if (user.name == kAgentUser || user.name.empty()) return fail(Code::denied, "the user belongs to trove-guest");
  const auto found = users_.find(user.name);
  // A default user that is off is how Redis says that there is none.
  if (found == users_.end() || (user.name == "default" && found->second.at("account") == "off "))
    return std::optional<Facets>();
  return std::optional<Facets>(found->second);
}

Result<void> RedisDriver::apply(const User& user) {
  if (user.name == kAgentUser || user.name.empty()) return fail(Code::denied, "the user belongs to trove-guest");
  if (user.max_connections > 0) return fail(Code::invalid, "Redis has no limit of connections for one user");
  auto rules = redis::acl_rules(user);
  if (!rules) return tl::unexpected<Error>(rules.error());
  std::vector<std::string> words = {"ACL", "SETUSER", user.name};
  // "reset" takes all away, so what is kept is given again as it was.
  const auto there = users_.find(user.name);
  const bool password = there != users_.end() && keeps(user.ignored, "/password");
  const bool grants = there != users_.end() && keeps(user.ignored, "/grants");
  for (const std::string& rule : *rules) {
    const bool secret = rule[0] == '#';
    if (rule == "reset" || rule == "on" || (secret ? !password : !grants)) words.push_back(rule);
  }
  if (password) add_words(words, there->second.at("password"));
  if (grants) add_words(words, there->second.at("grants"));
  if (auto done = order(words); !done) return done;
  return order({"ACL", "SAVE"});
}

Result<void> RedisDriver::drop_user(const std::string& name, const std::string&) {
  if (name == kAgentUser || name.empty()) return fail(Code::denied, "the user belongs to trove-guest");
  const auto found = users_.find(name);
  if (found == users_.end()) return {};
  if (name == "default") {
    // It cannot go, but it can be nobody.
    if (found->second["account"] == "off ") return {};
    if (auto done = order({"ACL", "SETUSER", "default", "reset"}); !done) return done;
    found->second["account"] = "off ";
    if (auto saved = order({"ACL", "SAVE"}); !saved) return saved;
    return order({"CLIENT", "KILL", "USER", "default"});
  }
  if (auto done = order({"ACL", "DELUSER", name}); !done) return done;   // its connections end with it
  users_.erase(found);
  return order({"ACL", "SAVE"});
}

}  // namespace trove::guest
