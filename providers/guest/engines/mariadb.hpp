// MariaDB: mariadb-install-db, mariadbd, mariadb-backup, and SQL over the local socket as the account of the agent's
// own OS user (unix_socket takes no other). That account, and one for backups of the engine's OS user, are written at
// every start by an init file, so that a restored data directory, or one where somebody dropped them, heals. Used by
// the agent's reconcile thread only.
#pragma once
#include <map>
#include <memory>
#include <string>
#include "providers/guest/engines/engine.hpp"
#include "providers/guest/engines/mariadb_sql.hpp"

namespace trove::guest {

class MariadbDriver final : public EngineDriver {
 public:
  using EngineDriver::EngineDriver;

  std::string program() const override { return "mariadbd"; }
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
  std::string objection(const std::string&, const std::string&) override { return ""; }

  Result<BackupSource> open_backup(const Cancel& cancel) override;
  Result<void> restore(const std::string& dir, const Feed& feed, const Cancel& cancel) override;

 private:
  struct Variable {
    std::string value;
    bool read_only = false, on_command_line = false, session_only = false;
  };
  std::string socket_path() const { return where_.layout.socket_dir + "/mysql.sock"; }
  Result<std::vector<mariadb::Row>> query(const std::string& statement);
  Result<void> execute(const std::string& statement);
  bool is_system_user(const std::string& name, const std::string& host) const;
  Result<mariadb::Grants> grants_of(const std::string& account);

  std::unique_ptr<mariadb::Connection> connection_;
  std::map<std::string, std::pair<std::string, std::string>> schemata_;      // character set, collation
  std::map<std::pair<std::string, std::string>, Facets> accounts_;           // all but grants
  std::map<std::string, std::string> types_;                                 // of variables asked about
  std::map<std::string, std::string> own_settings_;                          // what configure() wrote by itself
  std::string version_;
};

}  // namespace trove::guest
