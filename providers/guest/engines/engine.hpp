// One database engine as the agent drives it: how it is initialised, started, asked, changed, saved and restored. Each
// engine is one implementation; the agent owns exactly one and calls it from its reconcile thread only (open_backup
// runs on that thread too; what it returns may be read by another). A driver decides nothing about when: drift policy,
// back-off, retries and reports are the agent's.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include "providers/guest/engines/process.hpp"
#include "providers/guest/protocol.hpp"

namespace trove::guest {

// Where things are. Every path is absolute.
struct Layout {
  std::string server_dir;
  std::string run_dir;       // the agent's own state, 0600 files
  std::string engine_dir;    // generated configuration and pid file; belongs to the engine's user
  std::string socket_dir;    // engine_dir, or a short directory in /tmp where a socket's path would pass 108 bytes
  std::string log_dir;       // belongs to the engine's user
  std::string volume_dir;    // "" = no volume
  std::string data_dir;
};

struct Surroundings {
  Layout layout;
  OsUser agent_user;         // who connects to the local socket
  OsUser engine_user;        // whom engine and tools run as
  Rng* rng = nullptr;        // borrowed; outlives the driver
};

// What an item looks like inside the engine, facet by facet ("password", "grants"); nullopt where the item is absent.
// Values may be verifiers: the agent compares and hashes them and never prints them.
using Facets = std::map<std::string, std::string>;
using Parameters = std::map<std::string, std::string>;
inline bool keeps(const std::vector<std::string>& ignored, std::string_view path) {
  return std::find(ignored.begin(), ignored.end(), path) != ignored.end();
}

// A parameter as the running engine knows it.
struct Setting {
  std::string value;
  bool live = false;         // can change without a restart
};

// Bytes of a backup in the making: call begin if there is one, read `fd` to its end, then call finish, which says
// whether they are a backup. All three may run on another thread than the driver's and use nothing of the driver.
struct BackupSource {
  std::function<Result<UniqueFd>(const Cancel&)> begin;       // for engines that first have to write a file
  UniqueFd fd;
  std::unique_ptr<Tool> tool;                                  // nullptr when fd is a plain file
  std::function<Result<void>(const Cancel&)> finish;           // may be empty
};

// Writes the restored, decompressed bytes to a file descriptor (a tool's standard input, or a file).
using Feed = std::function<Result<void>(int fd)>;

class EngineDriver {
 public:
  explicit EngineDriver(Surroundings surroundings) : where_(std::move(surroundings)) {}
  virtual ~EngineDriver() = default;
  EngineDriver(const EngineDriver&) = delete;
  EngineDriver& operator=(const EngineDriver&) = delete;

  // ---- process -------------------------------------------------------------------------------------------------
  virtual std::string program() const = 0;                     // "mariadbd": the process' name, for adoption
  virtual std::string data_version() = 0;                      // "10.11": data of another one is refused; "" = unknown
  virtual bool has_data() const { return true; }
  // Fills the empty directory `dir`, which belongs to the engine's user. A failed attempt is thrown away by the caller.
  virtual Result<void> initialise(const std::string& dir, const Document& document, const Cancel& cancel) = 0;
  // Writes the configuration and returns the command line. Also called while the engine runs, after parameters changed.
  virtual Result<std::vector<std::string>> configure(const Document& document, const Parameters& parameters) = 0;
  virtual int stop_signal() const = 0;
  virtual Result<void> connect() = 0;                          // quick; unavailable while the engine is starting
  virtual void disconnect() = 0;
  virtual Result<std::string> running_version() = 0;           // a round trip: serves as the health check
  virtual std::string trouble() = 0;                           // why it did not start, from its log; may be ""

  // ---- items ---------------------------------------------------------------------------------------------------
  // Reads in bulk what the look_* calls answer from; allowed_cidrs and the like are put right on the way.
  virtual Result<void> refresh(const Document& document, bool may_change) = 0;
  virtual Result<std::optional<Facets>> look(const Database& database) = 0;
  virtual Result<std::optional<Facets>> look(const User& user) = 0;
  // Make it so, whatever is there now; but of what is there, the fields in `ignored` keep what they have. Users come
  // first, then databases, then grants: each may need the one before.
  virtual Result<void> apply(const User& user) = 0;
  virtual Result<void> apply(const Database& database) = 0;
  virtual Result<void> apply_grants(const User& user) = 0;
  virtual Result<void> drop_database(const std::string& name) = 0;       // absent is fine
  virtual Result<void> drop_user(const std::string& name, const std::string& host) = 0;

  // ---- parameters ----------------------------------------------------------------------------------------------
  virtual std::string canonical_name(const std::string& name) const { return name; }
  // Why this name or value is never accepted ("" = it may be): the agent's own settings, unsafe text.
  virtual std::string refuses(const std::string& name, const std::string& value) const = 0;
  virtual Result<std::optional<Setting>> setting(const std::string& name) = 0;   // nullopt: the engine has no such one
  virtual Result<void> set_live(const std::string& name, const std::string& value) = 0;
  virtual Result<void> reset_live(const std::string& name) = 0;          // to the engine's default
  virtual bool same(const std::string& name, const std::string& a, const std::string& b) = 0;
  // Checks a value that only a restart would try out; "" = nothing known against it.
  virtual std::string objection(const std::string& name, const std::string& value) = 0;

  // ---- backups -------------------------------------------------------------------------------------------------
  virtual Result<BackupSource> open_backup(const Cancel& cancel) = 0;
  virtual Result<void> restore(const std::string& dir, const Feed& feed, const Cancel& cancel) = 0;

 protected:
  Surroundings where_;
};

// The driver for an engine. Never null.
std::unique_ptr<EngineDriver> make_driver(Engine engine, Surroundings surroundings);
// The OS users that the engine's packages run it as, best first.
std::vector<std::string> engine_os_users(Engine engine);

}  // namespace trove::guest
