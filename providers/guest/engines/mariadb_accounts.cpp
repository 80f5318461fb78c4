// MariaDB's databases, users and grants as items.
#include <set>
#include "providers/guest/engines/mariadb.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {

bool is_system_database(const std::string& name) {
  static const std::set<std::string> names = {"mysql", "information_schema", "performance_schema", "sys"};
  return names.count(lower(name)) > 0;
}

std::string host_of(const std::string& host) { return host.empty() ? "%" : host; }

Result<std::string> character_set_word(const std::string& word) {
  for (char c : word) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') {
      return fail(Code::invalid, "\"" + word + "\" is no character set or collation");
    }
  }
  return word;
}

constexpr unsigned kNoSuchDatabase = 1008;

}  // namespace

// MariaDB's own or the agent's; a document that names them is refused, whatever it wants with them.
bool MariadbDriver::is_system_user(const std::string& name, const std::string& host) const {
  if (name.empty() || name == "mariadb.sys" || name == "PUBLIC") return true;
  return host == "localhost" && (name == "root" || name == "mysql" || name == where_.agent_user.name ||
                                 name == where_.engine_user.name);
}

Result<void> MariadbDriver::refresh(const Document&, bool) {
  auto schemata =
      query("SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA");
  if (!schemata) return tl::unexpected<Error>(schemata.error());
  auto accounts = query(
      "SELECT User, Host, JSON_VALUE(Priv,'$.plugin'), JSON_VALUE(Priv,'$.authentication_string'), "
      "JSON_QUERY(Priv,'$.auth_or'), JSON_VALUE(Priv,'$.max_user_connections'), JSON_VALUE(Priv,'$.account_locked'), "
      "JSON_VALUE(Priv,'$.is_role') FROM mysql.global_priv");
  if (!accounts) return tl::unexpected<Error>(accounts.error());
  schemata_.clear();
  for (const auto& row : *schemata) {
    if (row[0]) schemata_[*row[0]] = {row[1].value_or(""), row[2].value_or("")};
  }
  accounts_.clear();
  for (const auto& row : *accounts) {
    if (!row[0] || !row[1]) continue;
    const bool role = row[7] == "1" || row[7] == "true";
    const bool locked = row[6] == "1" || row[6] == "true";
    accounts_[{*row[0], *row[1]}] = {
        {"password", row[2].value_or("") + " " + row[3].value_or("") + " " + row[4].value_or("")},
        {"limits", row[5].value_or("0")},
        {"account", role ? "role" : locked ? "locked" : "login"}};
  }
  return {};
}

Result<std::optional<Facets>> MariadbDriver::look(const Database& database) {
  if (is_system_database(database.name)) return fail(Code::denied, "the database belongs to MariaDB");
  const auto found = schemata_.find(database.name);
  if (found == schemata_.end()) return std::optional<Facets>();
  Facets facets;
  // Only what the document speaks of is compared.
  if (!database.character_set.empty()) facets["character set"] = found->second.first;
  if (!database.collate.empty()) facets["collation"] = found->second.second;
  return std::optional<Facets>(std::move(facets));
}

Result<void> MariadbDriver::apply(const Database& database) {
  if (is_system_database(database.name)) return fail(Code::denied, "the database belongs to MariaDB");
  std::string how;
  const bool there = schemata_.count(database.name) > 0;
  for (const auto& [keyword, word, path] : {std::tuple{" CHARACTER SET ", database.character_set, "/characterSet"},
                                            std::tuple{" COLLATE ", database.collate, "/collate"}}) {
    if (word.empty() || (there && keeps(database.ignored, path))) continue;
    auto checked = character_set_word(word);
    if (!checked) return tl::unexpected<Error>(checked.error());
    how += keyword + *checked;
  }
  const std::string name = mariadb::quote_name(database.name);
  auto made = execute("CREATE DATABASE IF NOT EXISTS " + name + how);
  if (made && !how.empty()) made = execute("ALTER DATABASE " + name + how);
  return made;
}

Result<mariadb::Grants> MariadbDriver::grants_of(const std::string& account) {
  auto rows = query("SHOW GRANTS FOR " + account);
  if (!rows) return tl::unexpected<Error>(rows.error());
  std::vector<std::string> texts;
  for (const auto& row : *rows) texts.push_back(row[0].value_or(""));
  return mariadb::shown_grants(texts);
}

Result<std::optional<Facets>> MariadbDriver::look(const User& user) {
  const std::string host = host_of(user.host);
  if (is_system_user(user.name, host)) return fail(Code::denied, "the account belongs to MariaDB or to trove-guest");
  const auto found = accounts_.find({user.name, host});
  if (found == accounts_.end()) return std::optional<Facets>();
  auto grants = grants_of(mariadb::account(user.name, host));
  if (!grants) return tl::unexpected<Error>(grants.error());
  Facets facets = found->second;
  facets["grants"] = mariadb::to_text(*grants);
  return std::optional<Facets>(std::move(facets));
}

Result<void> MariadbDriver::apply(const User& user) {
  const std::string host = host_of(user.host);
  if (is_system_user(user.name, host)) return fail(Code::denied, "the account belongs to MariaDB or to trove-guest");
  if (auto checked = mariadb::wanted_grants(user.grants, user.superuser); !checked) {
    return tl::unexpected<Error>(checked.error());   // a login without what it is for helps nobody
  }
  const std::string who = mariadb::account(user.name, host);
  const auto found = accounts_.find({user.name, host});
  const bool there = found != accounts_.end();
  std::string how;
  if (!there || !keeps(user.ignored, "/password"))
    how += " IDENTIFIED VIA mysql_native_password USING " + mariadb::quote_text(user.verifier);
  if (!there || !keeps(user.ignored, "/maxConnections"))
    how += " WITH MAX_USER_CONNECTIONS " + std::to_string(user.max_connections);
  how += " ACCOUNT UNLOCK";
  if (there && found->second.at("account") == "role") {
    return fail(Code::conflict, "a role of this name exists");
  }
  Result<void> made = there ? Result<void>() : execute("CREATE USER IF NOT EXISTS " + who + how);
  if (made) made = execute("ALTER USER " + who + how);
  return made;
}

Result<void> MariadbDriver::apply_grants(const User& user) {
  if (keeps(user.ignored, "/grants")) return {};
  const std::string who = mariadb::account(user.name, host_of(user.host));
  auto want = mariadb::wanted_grants(user.grants, user.superuser);
  if (!want) return tl::unexpected<Error>(want.error());
  auto have = grants_of(who);
  if (!have) return tl::unexpected<Error>(have.error());
  std::optional<Error> first;
  for (const auto& statement : mariadb::grant_statements(*have, *want, who)) {
    auto done = execute(statement);
    if (!done && !first) first = done.error();
  }
  if (first) return tl::unexpected<Error>(*first);
  return {};
}

Result<void> MariadbDriver::drop_database(const std::string& name) {
  if (is_system_database(name)) return fail(Code::denied, "the database belongs to MariaDB");
  if (!schemata_.count(name)) return {};
  auto dropped = execute("DROP DATABASE " + mariadb::quote_name(name));
  if (!dropped && !(connection_ && connection_->last_error() == kNoSuchDatabase)) return dropped;
  schemata_.erase(name);
  return {};
}

Result<void> MariadbDriver::drop_user(const std::string& name, const std::string& given_host) {
  const std::string host = host_of(given_host);
  if (is_system_user(name, host)) return fail(Code::denied, "the account belongs to MariaDB or to trove-guest");
  const auto found = accounts_.find({name, host});
  if (found == accounts_.end()) return {};
  if (found->second.at("account") == "role") return fail(Code::conflict, "a role has this name");
  const std::string who = mariadb::account(name, host);
  auto dropped = execute("DROP USER IF EXISTS " + who);
  if (!dropped) return dropped;
  accounts_.erase(found);
  execute("KILL USER " + who);   // sessions of a dropped account would live on; there may be none
  return {};
}

}  // namespace trove::guest
