// How PostgreSQL is talked to: quoting, grants as data, one connection. Quoting and grants are pure and thread-safe; a
// connection belongs to the thread that drives the engine.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/kinds/specs.hpp"

namespace trove::guest::postgresql {

std::string quote_name(std::string_view name);    // "a""b"
std::string quote_text(std::string_view text);    // 'it''s'; connections switch standard_conforming_strings on

using Privileges = std::map<std::string, bool>;   // "SELECT" -> with grant option

// What a login may do in one database.
struct DatabaseGrants {
  Privileges database;                            // CONNECT CREATE TEMPORARY
  Privileges schema;                              // USAGE CREATE on schema public
  Privileges all_tables;                          // on every table of schema public, present and future
  std::map<std::string, Privileges> tables;       // on single ones
  friend bool operator==(const DatabaseGrants&, const DatabaseGrants&) = default;
};
using Grants = std::map<std::string, DatabaseGrants>;

// From the document. "orders": ALL is everything in that database; CONNECT, CREATE and TEMPORARY are the database's
// own; SELECT and the like mean its tables, as in "orders.*". "orders.customers" is one table of schema public. Whoever
// gets something in a database may connect to it.
Result<Grants> wanted_grants(const std::vector<Grant>& grants);
// "SELECT, UPDATE" of those with, or without, the grant option.
std::string list(const Privileges& privileges, bool with_option);
// For people and comparison: "INSERT, SELECT*" where * is the grant option.
std::string to_text(const Privileges& privileges);

using Row = std::vector<std::optional<std::string>>;

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& socket_dir, int port, const std::string& database);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // unavailable when the connection broke, invalid when the server refused the statement (in its words).
  Result<std::vector<Row>> query(const std::string& statement);
  Result<void> execute(const std::string& statement);

 private:
  struct Handle;
  explicit Connection(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace trove::guest::postgresql
