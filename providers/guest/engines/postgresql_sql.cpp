#include "providers/guest/engines/postgresql_sql.hpp"
#include <libpq-fe.h>
#include "providers/guest/engines/settings.hpp"

namespace trove::guest::postgresql {

namespace {

const std::set<std::string> kOfDatabases = {"CONNECT", "CREATE", "TEMPORARY"};
const std::set<std::string> kOfTables = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"};

std::string doubled(std::string_view text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

void add(Privileges& to, const std::set<std::string>& privileges, bool option) {
  for (const auto& each : privileges) to[each] |= option;
}

}  // namespace

std::string quote_name(std::string_view name) { return doubled(name, '"'); }
std::string quote_text(std::string_view text) { return doubled(text, '\''); }

Result<Grants> wanted_grants(const std::vector<Grant>& grants) {
  Grants want;
  for (const Grant& grant : grants) {
    const std::string_view on = trimmed(grant.on);
    const size_t dot = on.rfind('.');
    const std::string database(on.substr(0, dot));
    const std::string table(dot == std::string_view::npos ? "" : on.substr(dot + 1));
    if (database.empty() || database == "*" || (dot != std::string_view::npos && table.empty())) {
      return fail(Code::invalid, "\"" + std::string(on) + "\" is not a database, database.* or database.table");
    }
    DatabaseGrants& here = want[database];
    const bool option = grant.with_grant_option;
    here.database.emplace("CONNECT", false);
    for (const auto& text : grant.privileges) {
      std::string privilege = upper(trimmed(text));
      if (privilege == "ALL PRIVILEGES") privilege = "ALL";
      if (privilege == "TEMP") privilege = "TEMPORARY";
      const bool all = privilege == "ALL";
      const bool of_database = kOfDatabases.count(privilege) > 0;
      if (!all && !of_database && !kOfTables.count(privilege)) {
        return fail(Code::invalid, "\"" + text + "\" is not a privilege on a database or its tables");
      }
      if (!table.empty() && table != "*") {
        if (of_database) return fail(Code::invalid, "\"" + text + "\" is not a privilege on a table");
        add(here.tables[table], all ? kOfTables : std::set<std::string>{privilege}, option);
        here.schema.emplace("USAGE", false);
      } else if (all) {
        if (table.empty()) add(here.database, kOfDatabases, option);
        add(here.schema, {"USAGE", "CREATE"}, option);
        add(here.all_tables, kOfTables, option);
      } else if (of_database) {
        here.database[privilege] |= option;
      } else {
        here.all_tables[privilege] |= option;
        here.schema.emplace("USAGE", false);
      }
    }
  }
  return want;
}

std::string list(const Privileges& privileges, bool with_option) {
  std::string text;
  for (const auto& [name, option] : privileges) {
    if (option == with_option) text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::string to_text(const Privileges& privileges) {
  std::string text;
  for (const auto& [name, option] : privileges) text += (text.empty() ? "" : ", ") + name + (option ? "*" : "");
  return text;
}

struct Connection::Handle {
  PGconn* pg = nullptr;
  ~Handle() {
    if (pg) PQfinish(pg);
  }
};

Connection::Connection(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const std::string& socket_dir, int port,
                                                     const std::string& database) {
  const std::string port_text = std::to_string(port);
  const char* const names[] = {
      "host", "port", "user", "dbname", "connect_timeout", "client_encoding", "application_name", nullptr};
  const char* const values[] = {socket_dir.c_str(), port_text.c_str(), "postgres", database.c_str(), "5", "UTF8",
                                "trove-guest", nullptr};
  auto handle = std::make_unique<Handle>();
  handle->pg = PQconnectdbParams(names, values, 0);
  if (!handle->pg || PQstatus(handle->pg) != CONNECTION_OK) {
    const std::string words = handle->pg ? PQerrorMessage(handle->pg) : "no memory";
    const bool locked_out = words.find("authentication failed") != std::string::npos ||
                            words.find("pg_hba.conf") != std::string::npos;
    return fail(locked_out ? Code::denied : Code::unavailable, std::string(trimmed(words)));
  }
  std::unique_ptr<Connection> connection(new Connection(std::move(handle)));
  // What quoting was written for, whatever the server's parameters say; no waiting without end; and verifiers stay out
  // of the server's log, which would quote a failed statement.
  auto ready = connection->execute(
      "SET standard_conforming_strings=on; SET statement_timeout='60s'; SET lock_timeout='20s'; "
      "SET idle_session_timeout=0; SET log_min_error_statement=panic; SET log_statement=none; "
      "SET log_min_duration_statement=-1; SET search_path=pg_catalog; SET role none");
  if (!ready) return tl::unexpected<Error>(ready.error());
  return connection;
}

Result<std::vector<Row>> Connection::query(const std::string& statement) {
  PGresult* result = PQexec(handle_->pg, statement.c_str());
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    const char* primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
    std::string words = primary ? primary : PQerrorMessage(handle_->pg);
    const bool broken = PQstatus(handle_->pg) != CONNECTION_OK;
    PQclear(result);
    return fail(broken ? Code::unavailable : Code::invalid, std::string(trimmed(words)));
  }
  std::vector<Row> rows(static_cast<size_t>(PQntuples(result)));
  for (int r = 0; r < PQntuples(result); ++r) {
    for (int c = 0; c < PQnfields(result); ++c) {
      rows[static_cast<size_t>(r)].push_back(PQgetisnull(result, r, c)
                                                 ? std::nullopt
                                                 : std::optional<std::string>(std::string(
                                                       PQgetvalue(result, r, c),
                                                       static_cast<size_t>(PQgetlength(result, r, c)))));
    }
  }
  PQclear(result);
  return rows;
}

Result<void> Connection::execute(const std::string& statement) {
  auto rows = query(statement);
  if (!rows) return tl::unexpected<Error>(rows.error());
  return {};
}

}  // namespace trove::guest::postgresql
