// A simulated cloud, deterministic and in memory: the in-process face of SimModel. Not synchronised: one thread.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/sim/sim_disk.hpp"
#include "providers/sim/sim_model.hpp"
#include "providers/sim/sim_options.hpp"

namespace trove {

// Chances in per mille.
struct SimFaults {
  int lost_request = 0;   // the call fails and nothing happened
  int lost_reply = 0;     // the call took effect and its answer never came
  int blind_observe = 0;  // one of the lists cannot be read
};

class SimCloud final : public Cloud {
 public:
  SimCloud(const Clock& clock, Rng& rng, SimOptions options = {});
  SimCloud(const SimCloud&) = delete;
  SimCloud& operator=(const SimCloud&) = delete;
  using Cloud::observe;
  // Lists as a client gets them: a server in a cell that is down is missing from a list that is whole. What is sought
  // and not listed is asked for by itself: found, it joins the list (hidden: with status unknown); else it is absent.
  Inventory observe(const std::vector<Sought>& sought) override;
  Result<Outcome> perform(const CloudAction& action) override;
  std::string_view name() const override { return "sim"; }

  SimFaults faults;
  std::vector<StrayAddress> strays;  // planted: floating IPs whose ports are gone
  // Until the next change of state that nobody has to ask for; 0 = due now. For a simulation's clock.
  std::optional<Millis> next_change() const { return model_.next_change(); }

  // The present truth; references hold until the next call that is not const.
  const std::map<std::string, Server>& servers() { return model_.settle(), model_.servers; }
  const std::map<std::string, CloudVolume>& volumes() { return model_.settle(), model_.volumes; }
  const std::map<std::string, Port>& ports() { return model_.settle(), model_.ports; }
  std::map<std::string, StoredObject>& objects() { return objects_; }
  std::map<std::string, SimBackup>& backups() { return backups_; }  // contents, by the key of the object
  size_t calls() const { return calls_; }                           // of perform
  SimOptions& options() { return model_.options; }

  // What happens behind the control plane's back. Ids must exist.
  void stop_server(const std::string& id);
  // Somebody else's request, with a record of who it was.
  Result<void> outside(const std::string& user, const std::function<SimResult<void>(SimModel&)>& act);
  void lose_server(std::string id);                                    // row gone, attachment and port released
  void break_server(const std::string& id, const std::string& fault);  // ERROR; keeps what it holds
  void hide_servers(bool down);                                        // a down cell holds every server
  void hide_server(const std::string& id, bool down);
  void lose_volume(std::string id);  // with its data
  void detach_volume(const std::string& id);
  void lose_port(std::string id);
  void change_port(const std::string& id, std::vector<std::string> cidrs);
  void plant(Server server);  // look-alikes, or leftovers of ours
  void plant(CloudVolume volume);
  void plant(Port port);

  // Engine data by volume id, or by server id for a server without a volume.
  std::map<std::string, SimDisk>& disks;
  // The disk that the server's engine writes to; nullptr when the volume is not there or not attached to it.
  SimDisk* disk_of(const std::string& server_id);
  const Server* find_server(const std::string& id);
  // A finished upload. The key is what Inventory lists, beside those of its further segments.
  void store(const std::string& key, SimBackup backup, int segments = 1);

  SimModel& model() { return model_; }

 private:
  bool chance(int per_mille) { return per_mille > 0 && static_cast<int>(rng_.next() % 1000) < per_mille; }
  Result<Outcome> apply(const CloudAction& action);
  void answer(Inventory& seen, const Sought& wanted);

  const Clock& clock_;
  Rng& rng_;
  SimModel model_;
  std::map<std::string, StoredObject> objects_;
  std::map<std::string, SimBackup> backups_;
  size_t calls_ = 0;
};

}  // namespace trove
