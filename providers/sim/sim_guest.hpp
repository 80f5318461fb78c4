// A simulated guest: agent and engine of one server. It takes documents, needs time for what takes time, and reports as
// trove-guest does; the data are on the cloud's disk (SimCloud::disk_of), the agent's memory is here and dies with the
// server. Copyable: a copy is a snapshot of the agent, and a copy of the disk is a snapshot of the data.
// One thread, the simulation's.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "providers/guest/protocol.hpp"
#include "providers/sim/sim_cloud.hpp"
#include "providers/sim/sim_disk.hpp"

namespace trove {

struct SimGuestOptions {
  Millis boot{2'000};  // from ACTIVE to the agent's first step
  Millis initialise{2'000}, restore{3'000};
  Millis start{1'000};  // of an engine
  Millis work{100};     // one pass that changes something
  Millis backup{2'000};
  Millis heartbeat{20'000};       // an unchanged report is repeated after this
  int backup_error = 0;           // attempts in per mille; the third that fails is the last
  std::string project = "p";      // of uploads whose order names no place
  std::set<std::string> pinned;   // parameters that wait for a restart, and go on waiting after it
  std::set<std::string> refused;  // parameters and items ("user app", "database orders") that the engine refuses
};

class SimGuest {
 public:
  explicit SimGuest(std::string server_id, SimGuestOptions options = {});
  const std::string& server_id() const { return server_id_; }

  // Of the newest document it took; "" = none. What its next fetch says as `after`.
  const std::string& document_digest() const { return digest_; }
  void take(const guest::Document& document);
  // Brings the guest to the clock's time: does what is due and starts what is next. The report to post, when there is
  // something new to say or the heartbeat is due. A server that is not ACTIVE says nothing and loses its processes.
  std::optional<guest::Report> step(SimCloud& cloud, const Clock& clock, Rng& rng);
  // How long nothing will happen unless somebody acts; nullopt when only a document or a server can change that.
  std::optional<Millis> next_change(const Clock& clock) const;
  const guest::Report& report() const { return report_; }  // as it would be said now
  bool running() const { return engine_ == Engine::up; }   // the engine serves

  // What a test does.
  Result<void> write(SimCloud& cloud, const std::string& database, int64_t rows);  // as a client; unavailable when down
  void kill_engine();
  void silence(bool cut_off);                   // neither hears nor is heard; the engine goes on
  SimGuest clone(std::string server_id) const;  // the same agent on another server
  // Live changes by someone else: drift.
  Result<void> drop_behind(SimCloud& cloud, const std::string& database);
  Result<void> set_behind(const std::string& parameter, const std::string& value);
  SimGuestOptions options;

 private:
  enum class Engine { none, initialising, restoring, starting, up };
  struct Backup {
    guest::BackupState state;
    int attempts = 0;
  };
  void lose_processes();
  void lose_engine();
  SimDisk* mounted(SimCloud& cloud, const Server& server);
  bool advance(SimCloud& cloud, SimDisk* disk, const Clock& clock, Rng& rng);  // true: something happened, call again
  bool prepare_data(SimDisk& disk, Millis now);
  std::string claim(SimDisk& disk) const;  // why the disk is not ours; "" = it is
  void finish_restore(SimCloud& cloud, SimDisk& disk, const Clock& clock);
  void start_engine(Millis now);
  void engine_up(SimDisk& disk, const Clock& clock);
  void work_through(SimDisk& disk, Millis now);
  bool pass_parameters(SimDisk& disk);  // true: one waits for a restart
  void pass_items(SimDisk& disk);
  bool items_drifted(const SimDisk& disk) const;
  bool pass_backups(SimCloud& cloud, const SimDisk& disk, const Clock& clock, Rng& rng);
  void fill_report(const SimDisk* disk);
  std::string key_of(const std::string& url, const std::string& id) const;
  bool has_data() const { return document_->engine != trove::Engine::memcached; }

  std::string server_id_, volume_id_;  // whose disk the engine runs on
  int boots_ = 0;  // of the server, as last seen
  bool silent_ = false, killed_ = false;
  std::optional<Millis> boot_due_, due_, backup_due_, work_due_;
  std::optional<guest::Document> document_;
  std::string digest_, worked_;  // newest document; the one that was worked through
  Engine engine_ = Engine::none;
  std::string trouble_;  // why there is no engine
  std::string restore_state_, restore_message_;
  int data_failures_ = 0;

  // What agent.json would hold: it outlives a reboot and goes with the data.
  bool settled_ = false;  // static parameters had their first restart
  std::string applied_restart_, applied_address_;
  int64_t applied_memory_mib_ = 0;
  Time engine_started_;
  std::map<std::string, std::string> persisted_, running_, asked_;  // parameters by name
  std::map<std::string, std::string> items_;                        // key -> digest of what was applied
  std::vector<Backup> backups_;

  int restarts_ = 0;
  std::string uploading_;  // id of the backup in progress
  SimBackup upload_;
  int upload_segments_ = 1;
  std::string upload_key_;
  std::vector<std::string> events_;
  guest::Report report_, said_;
  std::optional<Millis> said_at_;
};

// What a guest that obeys its document at once would report, its data kept on `disk`.
guest::Report sim_guest_report(const guest::Document& document, SimDisk& disk, Time now);

}  // namespace trove
