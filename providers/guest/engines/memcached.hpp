// Memcached: a program with a command line and a text protocol over TCP; nothing to create, nothing to save, every
// parameter needs a restart. Used by the agent's reconcile thread only.
#pragma once
#include <map>
#include <string>
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

class MemcachedDriver final : public EngineDriver {
 public:
  using EngineDriver::EngineDriver;

  std::string program() const override { return "memcached"; }
  std::string data_version() override { return "1"; }
  bool has_data() const override { return false; }
  Result<void> initialise(const std::string&, const Document&, const Cancel&) override { return {}; }
  Result<std::vector<std::string>> configure(const Document& document, const Parameters& parameters) override;
  int stop_signal() const override;
  Result<void> connect() override;
  void disconnect() override { connection_.reset(); }
  Result<std::string> running_version() override;
  std::string trouble() override;

  Result<void> refresh(const Document&, bool) override { return {}; }
  Result<std::optional<Facets>> look(const Database&) override;
  Result<std::optional<Facets>> look(const User&) override;
  Result<void> apply(const User&) override { return none("users"); }
  Result<void> apply(const Database&) override { return none("databases"); }
  Result<void> apply_grants(const User&) override { return {}; }
  Result<void> drop_database(const std::string&) override { return {}; }
  Result<void> drop_user(const std::string&, const std::string&) override { return {}; }

  std::string canonical_name(const std::string& name) const override;
  std::string refuses(const std::string& name, const std::string& value) const override;
  Result<std::optional<Setting>> setting(const std::string& name) override;
  Result<void> set_live(const std::string&, const std::string&) override;
  Result<void> reset_live(const std::string&) override;
  bool same(const std::string& name, const std::string& a, const std::string& b) override;
  std::string objection(const std::string& name, const std::string& value) override;

  Result<BackupSource> open_backup(const Cancel&) override { return none("data to save"); }
  Result<void> restore(const std::string&, const Feed&, const Cancel&) override { return none("data to restore"); }

 private:
  static tl::unexpected<Error> none(const std::string& what) { return fail(Code::denied, "memcached has no " + what); }
  // Sends one line, reads to the line that ends the answer.
  Result<std::string> ask(const std::string& line, const std::string& end);

  UniqueFd connection_;
  std::string address_;
  int port_ = 0;
};

}  // namespace trove::guest
