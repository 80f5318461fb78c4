// Redis: redis-server and its own protocol over the local socket, as an ACL user of the agent's own whose random
// password lies in run/ (0600). Users are ACL users; there are no databases to make. Used by the agent's reconcile
// thread only.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

namespace redis {

// The rules behind ACL SETUSER <name>, without the name. invalid when a privilege is not a command rule.
Result<std::vector<std::string>> acl_rules(const User& user);
// "64mb" = 67108864, "1k" = 1000, as redis.conf counts; words and numbers one by one.
bool same_value(std::string_view a, std::string_view b);

// One connection; belongs to one thread.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& socket, const std::string& user,
                                                  const std::string& password);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // Every element of the answer as text, nested ones in order. unavailable: broken or still loading; invalid: refused.
  Result<std::vector<std::string>> command(const std::vector<std::string>& words);

 private:
  struct Handle;
  explicit Connection(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace redis

class RedisDriver final : public EngineDriver {
 public:
  using EngineDriver::EngineDriver;

  std::string program() const override { return "redis-server"; }
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
  Result<void> apply_grants(const User&) override { return {}; }      // part of the user
  Result<void> drop_database(const std::string&) override { return {}; }
  Result<void> drop_user(const std::string& name, const std::string& host) override;

  std::string canonical_name(const std::string& name) const override;
  std::string refuses(const std::string& name, const std::string& value) const override;
  Result<std::optional<Setting>> setting(const std::string& name) override;
  Result<void> set_live(const std::string& name, const std::string& value) override;
  Result<void> reset_live(const std::string& name) override;
  bool same(const std::string&, const std::string& a, const std::string& b) override { return redis::same_value(a, b); }
  std::string objection(const std::string&, const std::string&) override { return ""; }

  Result<BackupSource> open_backup(const Cancel& cancel) override;
  Result<void> restore(const std::string& dir, const Feed& feed, const Cancel& cancel) override;

 private:
  std::string socket_path() const { return where_.layout.socket_dir + "/redis.sock"; }
  std::string acl_path() const { return where_.layout.data_dir + "/users.acl"; }
  // Lies there while the append-only file does not hold what the dump does.
  std::string stale_log_path() const { return where_.layout.data_dir + "/trove-no-aof"; }
  Result<std::string> password();
  Result<void> ensure_acl_file();
  Result<std::vector<std::string>> command(const std::vector<std::string>& words);
  Result<void> order(const std::vector<std::string>& words);          // a command whose answer does not matter

  std::unique_ptr<redis::Connection> connection_;
  std::string password_, version_;
  Parameters own_settings_;
  bool wants_aof_ = false;                    // but may have been started without, to load a restored file
  std::map<std::string, Facets> users_;
  std::map<std::string, bool> live_;          // what CONFIG SET takes, found out by setting what is set
};

}  // namespace trove::guest
