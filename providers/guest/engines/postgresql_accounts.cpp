// PostgreSQL's databases, roles and grants as items. A login's grants are read and corrected on databases as a whole
// and inside schema public; other schemas are their owners' business.
#include <set>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/engines/postgresql.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

using postgresql::DatabaseGrants;
using postgresql::Privileges;
using postgresql::quote_name;
using postgresql::quote_text;

namespace {

bool is_system_role(const std::string& name) {
  return name.empty() || name == "postgres" || name == "public" || name.rfind("pg_", 0) == 0;
}

bool is_system_database(const std::string& name) {
  return name == "postgres" || name == "template0" || name == "template1";
}

// Tables' privileges that make sense on the sequences behind them.
std::string on_sequences(const Privileges& tables, bool with_option) {
  Privileges out;
  for (const auto& [name, option] : tables) {
    if (name == "SELECT") out["SELECT"] |= option;
    if (name == "INSERT" || name == "UPDATE") out["USAGE"] |= option;
    if (name == "UPDATE") out["UPDATE"] |= option;
  }
  return postgresql::list(out, with_option);
}

// GRANT and REVOKE statements from `have` to `want` on one object.
void correct(std::vector<std::string>& statements, const Privileges& have, const Privileges& want,
             const std::string& object, const std::string& who) {
  for (const auto& [privilege, option] : have) {
    const auto wanted = want.find(privilege);
    if (wanted == want.end()) {
      statements.push_back("REVOKE " + privilege + " ON " + object + " FROM " + who + " CASCADE");
    } else if (option && !wanted->second) {
      statements.push_back("REVOKE GRANT OPTION FOR " + privilege + " ON " + object + " FROM " + who + " CASCADE");
    }
  }
  for (const auto& [privilege, option] : want) {
    const auto had = have.find(privilege);
    if (had != have.end() && (had->second || !option)) continue;
    statements.push_back("GRANT " + privilege + " ON " + object + " TO " + who + (option ? " WITH GRANT OPTION" : ""));
  }
}

// What one table should give: what all give, and what it gives by itself.
Privileges wanted_on(const DatabaseGrants& want, const std::string& table) {
  Privileges all = want.all_tables;
  if (const auto own = want.tables.find(table); own != want.tables.end()) {
    for (const auto& [privilege, option] : own->second) all[privilege] |= option;
  }
  return all;
}

}  // namespace

Result<std::unique_ptr<postgresql::Connection>> PostgresqlDriver::visit(const std::string& database) const {
  return postgresql::Connection::open(where_.layout.socket_dir, document_.port, database);
}

Result<PostgresqlDriver::TablesSeen> PostgresqlDriver::read_tables(postgresql::Connection& in) {
  TablesSeen seen;
  auto tables = in.query("SELECT c.relname, r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
                         "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r','p','v','m','f')");
  if (!tables) return tl::unexpected<Error>(tables.error());
  for (const auto& row : *tables) seen.owners[row[0].value_or("")] = row[1].value_or("");
  auto schema = in.query(
      "SELECT r.rolname, x.privilege_type, x.is_grantable FROM pg_namespace n, aclexplode(n.nspacl) x "
      "JOIN pg_roles r ON r.oid = x.grantee WHERE n.nspname = 'public'");
  if (!schema) return tl::unexpected<Error>(schema.error());
  for (const auto& row : *schema) seen.schema[row[0].value_or("")][row[1].value_or("")] |= row[2] == "t";
  auto grants = in.query("SELECT r.rolname, c.relname, x.privilege_type, x.is_grantable FROM pg_class c, "
                         "aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee "
                         "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r','p','v','m','f') "
                         "AND x.grantee <> c.relowner");
  if (!grants) return tl::unexpected<Error>(grants.error());
  for (const auto& row : *grants) {
    seen.tables[row[0].value_or("")][row[1].value_or("")][row[2].value_or("")] |= row[3] == "t";
  }
  auto defaults = in.query("SELECT DISTINCT g.rolname, c.rolname, d.defaclobjtype FROM pg_default_acl d, "
                           "aclexplode(d.defaclacl) x JOIN pg_roles g ON g.oid = x.grantee "
                           "JOIN pg_roles c ON true WHERE c.oid = d.defaclrole AND d.defaclobjtype IN ('r','S') "
                           "AND d.defaclnamespace = 'public'::regnamespace");
  if (!defaults) return tl::unexpected<Error>(defaults.error());
  for (const auto& row : *defaults)
    seen.defaults[row[0].value_or("")].emplace_back(row[1].value_or(""), row[2].value_or(""));
  return seen;
}

Result<void> PostgresqlDriver::refresh(const Document& document, bool may_change) {
  if (may_change) {
    auto written = write_file_if_changed(where_.layout.engine_dir + "/pg_hba.conf", access_rules(document), 0600,
                                         &where_.engine_user);
    if (!written) return tl::unexpected<Error>(written.error());
    if (*written) {
      if (auto done = reload_configuration(); !done) return done;
    }
  }
  document_ = document;
  users_ = document.users;
  auto databases = query(
      "SELECT d.datname, pg_encoding_to_char(d.encoding), d.datcollate, r.rolname, "
      "d.datallowconn AND NOT d.datistemplate FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba");
  if (!databases) return tl::unexpected<Error>(databases.error());
  auto acl = query(
      "SELECT d.datname, r.rolname, x.privilege_type, x.is_grantable FROM pg_database d, aclexplode(d.datacl) x "
      "JOIN pg_roles r ON r.oid = x.grantee WHERE x.grantee <> d.datdba");
  if (!acl) return tl::unexpected<Error>(acl.error());
  auto roles = query(
      "SELECT a.rolname, a.rolpassword, concat_ws(' ', a.rolsuper, a.rolinherit, a.rolcreaterole, a.rolcreatedb, "
      "a.rolcanlogin, a.rolreplication, a.rolbypassrls, a.rolconnlimit, a.rolvaliduntil), "
      "(SELECT string_agg(p.rolname, ',' ORDER BY p.rolname) FROM pg_auth_members m JOIN pg_roles p "
      "ON p.oid = m.roleid WHERE m.member = a.oid) FROM pg_authid a");
  if (!roles) return tl::unexpected<Error>(roles.error());
  databases_.clear();
  for (const auto& row : *databases) {
    databases_[row[0].value_or("")] = {
        row[1].value_or(""), row[2].value_or(""), row[3].value_or(""), row[4] == "t", {}};
  }
  for (const auto& row : *acl) {
    databases_[row[0].value_or("")].privileges[row[1].value_or("")][row[2].value_or("")] |= row[3] == "t";
  }
  roles_.clear();
  for (const auto& row : *roles)
    roles_[row[0].value_or("")] = {row[1].value_or(""), row[2].value_or(""), row[3].value_or("")};

  // Tables can only be seen from inside their database.
  std::set<std::string> spoken_of;
  for (const User& user : users_) {
    if (user.superuser) continue;
    const auto want = postgresql::wanted_grants(user.grants);
    if (!want) continue;
    for (const auto& [name, grants] : *want) {
      if (!grants.schema.empty()) spoken_of.insert(name);
    }
  }
  tables_.clear();
  for (const auto& name : spoken_of) {
    const auto known = databases_.find(name);
    if (known == databases_.end() || !known->second.open) continue;
    auto inside = visit(name);
    if (!inside) return tl::unexpected<Error>(inside.error());
    auto seen = read_tables(**inside);
    if (!seen) return tl::unexpected<Error>(seen.error());
    tables_[name] = std::move(*seen);
  }
  return {};
}

Result<std::optional<Facets>> PostgresqlDriver::look(const Database& database) {
  if (is_system_database(database.name)) return fail(Code::denied, "the database belongs to PostgreSQL");
  const auto found = databases_.find(database.name);
  if (found == databases_.end()) return std::optional<Facets>();
  Facets facets;
  if (!database.character_set.empty()) facets["encoding"] = found->second.encoding;
  if (!database.collate.empty()) facets["collation"] = found->second.collate;
  if (!database.owner.empty()) facets["owner"] = found->second.owner;
  return std::optional<Facets>(std::move(facets));
}

// Grants as they are, told relative to what is wanted of all tables, so that a table that comes or goes with the wanted
// privileges is no difference.
std::string PostgresqlDriver::grants_text(const User& user) const {
  std::string text;
  for (const auto& [name, database] : databases_) {
    const auto own = database.privileges.find(user.name);
    if (own != database.privileges.end() && !own->second.empty()) {
      text += "database " + name + ": " + postgresql::to_text(own->second) + "; ";
    }
  }
  const auto want = postgresql::wanted_grants(user.grants);
  if (!want || user.superuser) return text;
  for (const auto& [name, grants] : *want) {
    const auto seen = tables_.find(name);
    if (seen == tables_.end()) continue;
    const auto schema = seen->second.schema.find(user.name);
    if (schema != seen->second.schema.end())
      text += "schema of " + name + ": " + postgresql::to_text(schema->second) + "; ";
    const auto tables = seen->second.tables.find(user.name);
    for (const auto& [table, owner] : seen->second.owners) {
      if (owner == user.name) continue;
      Privileges have;
      if (tables != seen->second.tables.end() && tables->second.count(table)) have = tables->second.at(table);
      if (have != wanted_on(grants, table))
        text += "table " + name + "." + table + ": " + postgresql::to_text(have) + "; ";
    }
  }
  return text;
}

Result<std::optional<Facets>> PostgresqlDriver::look(const User& user) {
  if (is_system_role(user.name)) return fail(Code::denied, "the role belongs to PostgreSQL");
  const auto found = roles_.find(user.name);
  if (found == roles_.end()) return std::optional<Facets>();
  return std::optional<Facets>(Facets{{"password", found->second.password},
                                      {"attributes", found->second.attributes},
                                      {"memberships", found->second.memberships},
                                      {"grants", grants_text(user)}});
}

Result<void> PostgresqlDriver::apply(const User& user) {
  if (is_system_role(user.name)) return fail(Code::denied, "the role belongs to PostgreSQL");
  if (auto checked = postgresql::wanted_grants(user.grants); !checked) return tl::unexpected<Error>(checked.error());
  const std::string who = quote_name(user.name);
  const auto found = roles_.find(user.name);
  if (found == roles_.end()) {
    if (auto made = execute("CREATE ROLE " + who + " NOLOGIN"); !made) return made;
  } else if (!keeps(user.ignored, "/grants")) {
    for (size_t from = 0; from < found->second.memberships.size();) {
      const size_t comma = std::min(found->second.memberships.find(',', from), found->second.memberships.size());
      const std::string role = found->second.memberships.substr(from, comma - from);
      if (auto done = execute("REVOKE " + quote_name(role) + " FROM " + who); !done) return done;
      from = comma + 1;
    }
  }
  const bool there = found != roles_.end();
  std::string how = std::string(" LOGIN INHERIT NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS ") +
                    (user.superuser ? "SUPERUSER" : "NOSUPERUSER");
  if (!there || !keeps(user.ignored, "/maxConnections"))
    how += " CONNECTION LIMIT " + std::to_string(user.max_connections > 0 ? user.max_connections : -1);
  if (!there || !keeps(user.ignored, "/password"))
    how += " PASSWORD " + quote_text(user.verifier) + " VALID UNTIL 'infinity'";
  return execute("ALTER ROLE " + who + how);
}

Result<void> PostgresqlDriver::apply(const Database& database) {
  if (is_system_database(database.name)) return fail(Code::denied, "the database belongs to PostgreSQL");
  const std::string name = quote_name(database.name);
  const auto found = databases_.find(database.name);
  if (found == databases_.end()) {
    std::string how =
        " TEMPLATE template0 ENCODING " + quote_text(database.character_set.empty() ? "UTF8" : database.character_set);
    if (!database.collate.empty()) {
      how += " LC_COLLATE " + quote_text(database.collate) + " LC_CTYPE " + quote_text(database.collate);
    }
    if (!database.owner.empty()) how += " OWNER " + quote_name(database.owner);
    if (auto made = execute("CREATE DATABASE " + name + how); !made) return made;
    // PostgreSQL lets every login into every database; here only grants and ownership do.
    return execute("REVOKE CONNECT, TEMPORARY ON DATABASE " + name + " FROM PUBLIC");
  }
  const auto plain = [](const std::string& text) {
    std::string out;
    for (char c : lower(text)) {
      if (c != '-' && c != '_') out += c;
    }
    return out;
  };
  if (!database.character_set.empty() && !keeps(database.ignored, "/characterSet") && plain(database.character_set) != plain(found->second.encoding)) {
    return fail(Code::invalid, "the encoding of a database cannot be changed; it is " + found->second.encoding);
  }
  if (!database.collate.empty() && !keeps(database.ignored, "/collate") && plain(database.collate) != plain(found->second.collate)) {
    return fail(Code::invalid, "the collation of a database cannot be changed; it is " + found->second.collate);
  }
  if (database.owner.empty() || database.owner == found->second.owner || keeps(database.ignored, "/owner")) return {};
  return execute("ALTER DATABASE " + name + " OWNER TO " + quote_name(database.owner));
}

// Who may make tables in schema public of that database, as far as the document says.
std::set<std::string> PostgresqlDriver::creators(const std::string& database) const {
  std::set<std::string> names;
  if (const auto found = databases_.find(database); found != databases_.end()) names.insert(found->second.owner);
  for (const User& user : users_) {
    const auto want = postgresql::wanted_grants(user.grants);
    if (!want || !roles_.count(user.name)) continue;
    const auto here = want->find(database);
    if (user.superuser || (here != want->end() && here->second.schema.count("CREATE"))) names.insert(user.name);
  }
  return names;
}

Result<void> PostgresqlDriver::apply_in_database(const User& user, const std::string& database,
                                                 const DatabaseGrants& want) {
  auto inside = visit(database);
  if (!inside) return tl::unexpected<Error>(inside.error());
  auto seen = read_tables(**inside);
  if (!seen) return tl::unexpected<Error>(seen.error());
  const std::string who = quote_name(user.name);
  std::vector<std::string> statements;
  correct(statements, seen->schema[user.name], want.schema, "SCHEMA public", who);
  for (const auto& [table, owner] : seen->owners) {
    if (owner == user.name) continue;
    correct(statements, seen->tables[user.name][table], wanted_on(want, table), "TABLE public." + quote_name(table),
            who);
  }
  for (const auto& [table, privileges] : want.tables) {
    if (!seen->owners.count(table))
      return fail(Code::not_found, "there is no table public." + table + " in " + database);
  }
  for (const auto& [creator, kind] : seen->defaults[user.name]) {
    statements.push_back("ALTER DEFAULT PRIVILEGES FOR ROLE " + quote_name(creator) +
                         " IN SCHEMA public REVOKE ALL ON " + (kind == "S" ? "SEQUENCES" : "TABLES") + " FROM " + who);
  }
  // `reader` gets on future tables of `creator` what it wants of all.
  const auto on_future = [&](const std::string& reader, const std::string& creator, const Privileges& privileges) {
    if (reader == creator) return;
    for (const bool option : {false, true}) {
      const std::string start = "ALTER DEFAULT PRIVILEGES FOR ROLE " + quote_name(creator) + " IN SCHEMA public GRANT ";
      const std::string end = " TO " + quote_name(reader) + (option ? " WITH GRANT OPTION" : "");
      if (const auto names = postgresql::list(privileges, option); !names.empty())
        statements.push_back(start + names + " ON TABLES" + end);
      if (const auto names = on_sequences(privileges, option); !names.empty())
        statements.push_back(start + names + " ON SEQUENCES" + end);
    }
  };
  const auto makers = creators(database);
  for (const auto& creator : makers) on_future(user.name, creator, want.all_tables);
  if (!want.all_tables.empty()) {
    const bool option = want.all_tables.begin()->second;
    if (const auto names = on_sequences(want.all_tables, option); !names.empty()) {
      statements.push_back("GRANT " + names + " ON ALL SEQUENCES IN SCHEMA public TO " + who +
                           (option ? " WITH GRANT OPTION" : ""));
    }
  }
  // And the others get what this one will make.
  if (makers.count(user.name)) {
    for (const User& other : users_) {
      if (other.name == user.name || !roles_.count(other.name) || other.superuser) continue;
      const auto theirs = postgresql::wanted_grants(other.grants);
      if (!theirs) continue;
      const auto here = theirs->find(database);
      if (here != theirs->end()) on_future(other.name, user.name, here->second.all_tables);
    }
  }
  for (const auto& statement : statements) {
    if (auto done = (*inside)->execute(statement); !done) return done;
  }
  return {};
}

Result<void> PostgresqlDriver::apply_grants(const User& user) {
  if (keeps(user.ignored, "/grants")) return {};
  auto want = postgresql::wanted_grants(user.grants);
  if (!want) return tl::unexpected<Error>(want.error());
  if (user.superuser) want->clear();        // may everything already
  std::optional<Error> first;
  const auto note = [&](const Result<void>& done) {
    if (!done && !first) first = done.error();
  };
  for (const auto& [name, grants] : *want) {
    if (!databases_.count(name)) note(fail(Code::not_found, "there is no database " + name));
  }
  const std::string who = quote_name(user.name);
  for (const auto& [name, database] : databases_) {
    if (name == "template0" || name == "template1") continue;
    const auto wanted = want->find(name);
    const DatabaseGrants grants = wanted == want->end() ? DatabaseGrants{} : wanted->second;
    if (database.owner != user.name) {
      const auto have = database.privileges.find(user.name);
      std::vector<std::string> statements;
      correct(statements, have == database.privileges.end() ? Privileges{} : have->second, grants.database,
              "DATABASE " + quote_name(name), who);
      for (const auto& statement : statements) note(execute(statement));
    }
    if (database.open && (name != "postgres" || wanted != want->end())) note(apply_in_database(user, name, grants));
  }
  if (first) return tl::unexpected<Error>(*first);
  return {};
}

Result<void> PostgresqlDriver::drop_database(const std::string& name) {
  if (is_system_database(name)) return fail(Code::denied, "the database belongs to PostgreSQL");
  if (!databases_.count(name)) return {};
  auto dropped = execute("DROP DATABASE IF EXISTS " + quote_name(name) + " WITH (FORCE)");
  if (dropped) databases_.erase(name);
  return dropped;
}

Result<void> PostgresqlDriver::drop_user(const std::string& name, const std::string&) {
  if (is_system_role(name)) return fail(Code::denied, "the role belongs to PostgreSQL");
  if (!roles_.count(name)) return {};
  const std::string who = quote_name(name);
  if (auto done = execute("ALTER ROLE " + who + " NOLOGIN"); !done) return done;
  execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = " + quote_text(name));
  // What the login made stays: it goes to the owner of its database, or to the administrator. Databases come first,
  // because REASSIGN OWNED would hand them to the heir of whatever database it is told in.
  for (const auto& [database, seen] : databases_) {
    if (seen.owner != name) continue;
    if (auto done = execute("ALTER DATABASE " + quote_name(database) + " OWNER TO postgres"); !done) return done;
  }
  for (const auto& [database, seen] : databases_) {
    if (!seen.open) continue;
    auto inside = visit(database);
    if (!inside) return tl::unexpected<Error>(inside.error());
    const std::string heir = quote_name(seen.owner == name ? "postgres" : seen.owner);
    if (auto done = (*inside)->execute("REASSIGN OWNED BY " + who + " TO " + heir); !done) return done;
    if (auto done = (*inside)->execute("DROP OWNED BY " + who); !done) return done;
  }
  auto dropped = execute("DROP ROLE IF EXISTS " + who);
  if (dropped) roles_.erase(name);
  return dropped;
}

}  // namespace trove::guest
