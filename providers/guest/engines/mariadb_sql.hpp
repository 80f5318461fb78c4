// How MariaDB is talked to: text that is safe inside a statement, grants as data, and one connection. The quoting and
// grant functions are pure and thread-safe; a connection belongs to the thread that drives the engine.
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

namespace trove::guest::mariadb {

std::string quote_name(std::string_view name);       // `a``b`
// 'it''s'. Correct with and without NO_BACKSLASH_ESCAPES only because connections switch that mode on.
std::string quote_text(std::string_view text);
// A database name as GRANT reads it: % and _ are wildcards there and get a backslash.
std::string grant_database(std::string_view database);
std::string account(std::string_view name, std::string_view host);

// What one level ("*.*", "`orders`.*", "`orders`.`t`") gives.
struct Level {
  std::set<std::string> privileges;    // "SELECT", "ALL PRIVILEGES", "SELECT (`a`, `b`)"; USAGE is left out
  bool grant_option = false;
  friend bool operator==(const Level&, const Level&) = default;
};
using Grants = std::map<std::string, Level>;

// From the document; invalid names the grant that cannot be.
Result<Grants> wanted_grants(const std::vector<Grant>& grants, bool superuser);
// From the rows of SHOW GRANTS. Roles appear as a level "ROLE `x`". Limits and passwords are skipped.
Grants shown_grants(const std::vector<std::string>& rows);
// The statements that lead from one to the other: revokes first, so that a synonym of something wanted survives.
std::vector<std::string> grant_statements(const Grants& have, const Grants& want, const std::string& to_account);
std::string to_text(const Grants& grants);

using Row = std::vector<std::optional<std::string>>;

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& socket, const std::string& user);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // unavailable when the connection broke, invalid when the server refused the statement (in its words).
  Result<std::vector<Row>> query(const std::string& statement);
  Result<void> execute(const std::string& statement);
  unsigned last_error() const { return last_error_; }

 private:
  struct Handle;
  explicit Connection(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
  unsigned last_error_ = 0;
};

}  // namespace trove::guest::mariadb
