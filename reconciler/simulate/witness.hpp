// Follows every commit of every control plane and keeps the facts that the oracles judge by: what is stored, what a
// person was promised, and whose loss a person consented to. One a world; one thread.
#pragma once
#include <deque>
#include "reconciler/simulate/facts.hpp"
#include "reconciler/store/seal.hpp"

namespace trove::simulate {

class Witness {
 public:
  Witness(Facts& facts, const Sealer& sealer) : facts_(facts), sealer_(sealer) {}
  // A transaction took effect. What it breaks by itself goes to facts.broken.
  void committed(const Txn& txn, Revision revision);
  // The truth has moved: which generations does it match now, which backups are there?
  void looked();
  // A control plane was shown this. What it says of the cloud can be no newer.
  void shown(const Inventory& seen);
  // True when it was shown lately that this server does not work, or is one of two.
  bool was_shown_broken(const Server& server) const;
  // A client's write was acknowledged by the engine on this server.
  void wrote(const std::string& instance_uid, const std::string& volume, const std::string& database, int64_t rows);

 private:
  void put_spec(const Key& key, const std::string& value, Revision revision, bool by_person);
  void put_status(const Key& key, const std::string& value);
  void check_run(const Resource& backup);
  bool matched_when_shown(const Object& object);
  void removed(const Key& key);
  void consent(const Resource& resource, bool by_person);
  void learn_secrets(const Resource& secret);
  void give_up_volume(const std::string& volume_uid);

  Facts& facts_;
  const Sealer& sealer_;
  std::map<std::string, std::string> retained_;  // store key -> uid
  std::set<std::string> ids_;                    // of transactions
  std::deque<Truth> shown_;                      // the last that any control plane saw, newest last
  size_t objects_seen_ = 0;
};

}  // namespace trove::simulate
