// Grants as data: what the document wants, what SHOW GRANTS says, and the way from one to the other.
#include <cctype>
#include "providers/guest/engines/mariadb_sql.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest::mariadb {

namespace {

constexpr std::string_view kAll = "ALL PRIVILEGES";

// Names that MariaDB reads but shows as another.
std::string shown_as(const std::string& privilege) {
  static const std::map<std::string, std::string> kSynonyms = {
      {"ALL", "ALL PRIVILEGES"},
      {"REPLICATION CLIENT", "BINLOG MONITOR"},
      {"DELETE VERSIONING ROWS", "DELETE HISTORY"},
      {"REPLICA MONITOR", "SLAVE MONITOR"},
      {"REPLICATION REPLICA", "REPLICATION SLAVE"},
      {"REPLICATION REPLICA ADMIN", "REPLICATION SLAVE ADMIN"},
  };
  const auto found = kSynonyms.find(privilege);
  return found == kSynonyms.end() ? privilege : found->second;
}

// Splits at `separator` outside of backticks, quotes and brackets.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  char quote = 0;
  int depth = 0;
  for (char c : text) {
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '`' || c == '\'') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == separator && depth == 0) {
      parts.emplace_back();
      continue;
    }
    parts.back() += c;
  }
  for (auto& part : parts) part = std::string(trimmed(part));
  return parts;
}

// The first `word` outside of backticks, quotes and brackets.
size_t find_outside(std::string_view text, std::string_view word) {
  char quote = 0;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (depth == 0 && text.substr(i, word.size()) == word) {
      return i;
    } else if (c == '`' || c == '\'') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    }
  }
  return std::string_view::npos;
}

// "select (b, a)" becomes "SELECT (`a`, `b`)". Nothing but letters, spaces and a list of columns gets through, since
// privileges stand unquoted in the statement.
Result<std::string> privilege_of(std::string_view text) {
  const size_t bracket = text.find('(');
  std::string name;
  for (char c : upper(trimmed(text.substr(0, bracket)))) {
    if (!(c >= 'A' && c <= 'Z') && c != ' ')
      return fail(Code::invalid, "\"" + std::string(text) + "\" is not a privilege");
    if (c != ' ' || (!name.empty() && name.back() != ' ')) name += c;
  }
  if (name.empty()) return fail(Code::invalid, "a privilege has no name");
  name = shown_as(name);
  if (bracket == std::string_view::npos) return name;
  if (text.back() != ')') return fail(Code::invalid, "\"" + std::string(text) + "\" is not a privilege");
  std::set<std::string> columns;
  for (const auto& column : split(text.substr(bracket + 1, text.size() - bracket - 2), ',')) {
    std::string_view bare = column;
    if (bare.size() >= 2 && bare.front() == '`' && bare.back() == '`') bare = bare.substr(1, bare.size() - 2);
    if (bare.empty() || bare.find('`') != std::string_view::npos) {
      return fail(Code::invalid, "\"" + std::string(text) + "\" names a column that cannot be");
    }
    columns.insert(quote_name(bare));
  }
  std::string list;
  for (const auto& column : columns) list += (list.empty() ? "" : ", ") + column;
  return name + " (" + list + ")";
}

std::string_view unquoted(std::string_view name) {
  if (name.size() >= 2 && name.front() == '`' && name.back() == '`') name = name.substr(1, name.size() - 2);
  return name;
}

// "*.*", "orders", "orders.*", "orders.customers". The last dot divides, so that a database may have
// dots in its name; a table with dots has to be covered by its database.
Result<std::string> level_of(std::string_view on) {
  on = trimmed(on);
  if (on == "*" || on == "*.*") return std::string("*.*");
  const size_t dot = on.rfind('.');
  const std::string_view database = unquoted(on.substr(0, dot));
  const std::string_view table = dot == std::string_view::npos ? std::string_view("*") : unquoted(on.substr(dot + 1));
  if (database.empty() || table.empty() || database == "*") {
    return fail(Code::invalid, "\"" + std::string(on) + "\" is not *.*, database.* or database.table");
  }
  if (table == "*") return grant_database(database) + ".*";
  return quote_name(database) + "." + quote_name(table);
}

std::string join(const std::set<std::string>& privileges) {
  std::string text;
  for (const auto& each : privileges) text += (text.empty() ? "" : ", ") + each;
  return text;
}

}  // namespace

std::string quote_name(std::string_view name) {
  std::string out = "`";
  for (char c : name) {
    out += c;
    if (c == '`') out += c;
  }
  return out + "`";
}

std::string quote_text(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

std::string grant_database(std::string_view database) {
  std::string escaped;
  for (char c : database) {
    if (c == '%' || c == '_' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return quote_name(escaped);
}

std::string account(std::string_view name, std::string_view host) {
  return quote_name(name) + "@" + quote_name(host.empty() ? "%" : host);
}

Result<Grants> wanted_grants(const std::vector<Grant>& grants, bool superuser) {
  Grants want;
  if (superuser) want["*.*"] = {{std::string(kAll)}, true};
  for (const Grant& grant : grants) {
    auto level = level_of(grant.on.empty() ? "*.*" : grant.on);
    if (!level) return tl::unexpected<Error>(level.error());
    Level& here = want[*level];
    here.grant_option |= grant.with_grant_option;
    for (const auto& text : grant.privileges) {
      auto privilege = privilege_of(text);
      if (!privilege) return tl::unexpected<Error>(privilege.error());
      if (*privilege == "GRANT OPTION") here.grant_option = true;
      else if (*privilege != "USAGE") here.privileges.insert(*privilege);
    }
  }
  for (auto at = want.begin(); at != want.end();) {
    if (at->second.privileges.count(std::string(kAll))) at->second.privileges = {std::string(kAll)};
    at = at->second == Level{} ? want.erase(at) : std::next(at);
  }
  return want;
}

Grants shown_grants(const std::vector<std::string>& rows) {
  Grants grants;
  for (const std::string& row : rows) {
    constexpr std::string_view kGrant = "GRANT ";
    if (row.rfind(kGrant, 0) != 0) continue;   // SET DEFAULT ROLE follows from the role
    const std::string_view rest = std::string_view(row).substr(kGrant.size());
    const size_t to = find_outside(rest, " TO ");
    if (to == std::string_view::npos) continue;
    const size_t on = find_outside(rest.substr(0, to), " ON ");
    if (on == std::string_view::npos) {
      for (const auto& role : split(rest.substr(0, to), ',')) grants["ROLE " + role].privileges.insert("MEMBER");
      continue;
    }
    Level level;
    level.grant_option = find_outside(rest.substr(to), "GRANT OPTION") != std::string_view::npos;
    for (const auto& privilege : split(rest.substr(0, on), ',')) {
      if (privilege == "USAGE") continue;
      const auto known = privilege_of(privilege);
      level.privileges.insert(known ? *known : privilege);
    }
    if (level == Level{}) continue;
    Level& here = grants[std::string(rest.substr(on + 4, to - on - 4))];
    here.privileges.merge(level.privileges);
    here.grant_option |= level.grant_option;
  }
  return grants;
}

std::vector<std::string> grant_statements(const Grants& have, const Grants& want, const std::string& to_account) {
  std::vector<std::string> statements;
  const Level nothing;
  for (const auto& [level, had] : have) {
    if (level.rfind("ROLE ", 0) == 0) {
      statements.push_back("REVOKE " + level.substr(5) + " FROM " + to_account);
      continue;
    }
    const auto found = want.find(level);
    const Level& wanted = found == want.end() ? nothing : found->second;
    std::set<std::string> extra;
    const bool all_wanted = wanted.privileges.count(std::string(kAll)) > 0;
    for (const auto& privilege : had.privileges) {
      if (!all_wanted && !wanted.privileges.count(privilege)) extra.insert(privilege);
    }
    if (!extra.empty()) statements.push_back("REVOKE " + join(extra) + " ON " + level + " FROM " + to_account);
    if (had.grant_option && !wanted.grant_option) {
      statements.push_back("REVOKE GRANT OPTION ON " + level + " FROM " + to_account);
    }
  }
  for (const auto& [level, wanted] : want) {
    const auto found = have.find(level);
    const Level& had = found == have.end() ? nothing : found->second;
    if (had == wanted) continue;
    statements.push_back("GRANT " + (wanted.privileges.empty() ? "USAGE" : join(wanted.privileges)) + " ON " + level +
                         " TO " + to_account + (wanted.grant_option ? " WITH GRANT OPTION" : ""));
  }
  return statements;
}

std::string to_text(const Grants& grants) {
  std::string text;
  for (const auto& [level, what] : grants) {
    text += join(what.privileges) + " ON " + level + (what.grant_option ? " WITH GRANT OPTION; " : "; ");
  }
  return text;
}

}  // namespace trove::guest::mariadb
