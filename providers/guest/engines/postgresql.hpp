// PostgreSQL: initdb, postgres, pg_basebackup, and SQL over the local socket as the role postgres, which peer
// authentication gives to the agent's and the engine's OS users and to nobody else. All configuration lies outside of
// the data directory, so a restored one brings none along. Used by the agent's reconcile thread only.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include "providers/guest/engines/engine.hpp"
#include "providers/guest/engines/postgresql_sql.hpp"

namespace trove::guest {

class PostgresqlDriver final : public EngineDriver {
 public:
  using EngineDriver::EngineDriver;

  std::string program() const override { return "postgres"; }
  std::string data_version() override;
  Result<void> initialise(const std::string& dir, const Document& document, const Cancel& cancel) override;
  Result<std::vector<std::string>> configure(const Document& document, const Parameters& parameters) override;
  int stop_signal() const override;
  Result<void> connect() override;
  void disconnect() override { connection_.reset(); }
  Result<std::string> running_version() override;
  std::string trouble() override;

  Result<void> refresh(const Document& document, bool may_change) override;
  Result<std::optional<Facets>> look(const Database& database) override;
  Result<std::optional<Facets>> look(const User& user) override;
  Result<void> apply(const User& user) override;
  Result<void> apply(const Database& database) override;
  Result<void> apply_grants(const User& user) override;
  Result<void> drop_database(const std::string& name) override;
  Result<void> drop_user(const std::string& name, const std::string& host) override;

  std::string canonical_name(const std::string& name) const override;
  std::string refuses(const std::string& name, const std::string& value) const override;
  Result<std::optional<Setting>> setting(const std::string& name) override;
  Result<void> set_live(const std::string& name, const std::string& value) override;
  Result<void> reset_live(const std::string& name) override;
  bool same(const std::string& name, const std::string& a, const std::string& b) override;
  std::string objection(const std::string& name, const std::string& value) override;

  Result<BackupSource> open_backup(const Cancel& cancel) override;
  Result<void> restore(const std::string& dir, const Feed& feed, const Cancel& cancel) override;

 private:
  struct Variable {
    std::string value, unit, context, type, least, most, words, file;
  };
  struct DatabaseSeen {
    std::string encoding, collate, owner;
    bool open = true;                                                  // takes connections and is no template
    std::map<std::string, postgresql::Privileges> privileges;          // of roles other than the owner
  };
  struct RoleSeen {
    std::string password, attributes, memberships;
  };
  // Schema public of one database: who may do what with which table.
  struct TablesSeen {
    std::map<std::string, std::string> owners;                                             // table -> role
    std::map<std::string, postgresql::Privileges> schema;                                  // role ->
    std::map<std::string, std::map<std::string, postgresql::Privileges>> tables;           // role -> table ->
    std::map<std::string, std::vector<std::pair<std::string, std::string>>> defaults;      // role -> (creator, t or S)
  };

  std::string bin(const std::string& name) const;
  std::string newest_bin() const;
  std::string access_rules(const Document& document) const;
  Result<void> reload_configuration();
  Result<Variable> variable(const std::string& name);                  // not_found when there is none
  Result<std::vector<postgresql::Row>> query(const std::string& statement);
  Result<void> execute(const std::string& statement);
  Result<TablesSeen> read_tables(postgresql::Connection& in);
  Result<std::unique_ptr<postgresql::Connection>> visit(const std::string& database) const;
  std::set<std::string> creators(const std::string& database) const;
  std::string grants_text(const User& user) const;
  Result<void> apply_in_database(const User& user, const std::string& database, const postgresql::DatabaseGrants& want);

  std::unique_ptr<postgresql::Connection> connection_;
  Document document_;                        // as last configured
  Parameters parameters_;
  std::vector<User> users_;                  // of the document being worked on
  std::map<std::string, DatabaseSeen> databases_;
  std::map<std::string, RoleSeen> roles_;
  std::map<std::string, TablesSeen> tables_; // of databases that grants speak of
};

}  // namespace trove::guest
