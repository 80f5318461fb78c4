// A simulated cloud, deterministic and in memory, with faults drawn from a seed. Not synchronised: one thread.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/guest/protocol.hpp"

namespace trove {

// Chances in per mille.
struct SimFaults {
  int lost_request = 0;   // the call fails and nothing happened
  int lost_reply = 0;     // the call took effect and its answer never came
  int blind_observe = 0;  // one of the lists cannot be read
};

class SimCloud final : public Cloud {
 public:
  SimCloud(const Clock& clock, Rng& rng) : clock_(clock), rng_(rng) {}
  using Cloud::observe;
  Inventory observe(const std::vector<Sought>& sought) override;
  Result<Outcome> perform(const CloudAction& action) override;
  std::string_view name() const override { return "sim"; }

  SimFaults faults;
  // What a test does behind the control plane's back.
  void stop_server(const std::string& id);
  void lose_server(std::string id);  // gone, as after a host failure
  void plant_server(Server server) { servers_[server.id] = std::move(server); }

  const std::map<std::string, Server>& servers() const { return servers_; }
  const std::map<std::string, CloudVolume>& volumes() const { return volumes_; }
  const std::map<std::string, Port>& ports() const { return ports_; }
  std::map<std::string, StoredObject>& objects() { return objects_; }
  size_t calls() const { return calls_; }
  // Engine data by volume id: the names of databases. It is as mortal as the volume and no more.
  std::map<std::string, std::set<std::string>> disks;

 private:
  bool chance(int per_mille) { return per_mille > 0 && static_cast<int>(rng_.next() % 1000) < per_mille; }
  Result<Outcome> apply(const CloudAction& action);

  const Clock& clock_;
  Rng& rng_;
  std::map<std::string, Server> servers_;
  std::map<std::string, CloudVolume> volumes_;
  std::map<std::string, Port> ports_;
  std::map<std::string, StoredObject> objects_;
  int next_id_ = 0;
  size_t calls_ = 0;
};

// What a guest that obeys its document would report, its databases kept on the volume's simulated disk.
guest::Report sim_guest_report(const guest::Document& document, std::set<std::string>& disk, Time now);

}  // namespace trove
