// Everything that an oracle may read: what the store holds, what is true in the cloud and on the guests' disks, and
// what has been promised to people so far. Plain data, kept up by Witness from each commit; a test builds one by hand.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/sim/sim_disk.hpp"
#include "providers/sim/sim_options.hpp"
#include "reconciler/store/store.hpp"
#include "reconciler/world.hpp"

namespace trove::simulate {

// Rows that a database acknowledged to its client: they have to be on the volume that they were written to until a
// person consents to their loss.
struct WrittenRows {
  std::string volume;  // cloud id
  int64_t rows = 0;
};

struct Truth {
  std::map<std::string, Server> servers;
  std::map<std::string, CloudVolume> volumes;
  std::map<std::string, Port> ports;
  std::map<std::string, StoredObject> objects;
  std::map<std::string, SimDisk> disks;
};

inline const SimOptions kUsualCloud;

struct Facts {
  // The truth, lent by the cloud.
  const std::map<std::string, Server>* servers = nullptr;
  const std::map<std::string, CloudVolume>* volumes = nullptr;
  const std::map<std::string, Port>* ports = nullptr;
  const std::map<std::string, StoredObject>* objects = nullptr;
  const std::map<std::string, SimDisk>* disks = nullptr;
  const SimOptions* options = &kUsualCloud;  // its flavors and volume types
  void look_at(const Truth& truth);
  // An empty map when there is none. Valid until it is asked for again.
  const Value& status_of(const Resource& resource) const;

  // The store: specs and statuses, and the bookkeeping of creates.
  std::map<Key, Resource> stored;              // without their statuses
  std::map<Key, std::string> statuses;         // as stored
  std::map<std::string, std::string> ledger;   // "/ledger/…" -> JSON
  std::map<std::string, std::string> history;  // "/history/…" -> JSON
  std::set<std::string> retained;              // uids of Volumes that were forgotten with their data kept
  Revision revision = 0;

  // Promises.
  std::map<std::string, std::string> foreign;                       // id of what is not ours -> its text
  std::map<std::pair<std::string, std::string>, WrittenRows> rows;  // (instance uid, database)
  std::map<std::string, std::string> acknowledged;  // history key -> the spec a person was told is stored
  std::map<std::string, std::string> backups;       // stored object -> instance it is of
  std::set<std::string> given_up_backups;           // uids: deleted with deletionPolicy Delete
  std::set<std::string> lost_volumes;               // cloud ids that a fault took away
  std::set<std::string> robbed;                     // uids of Volumes that a fault took the cloud's volume of
  std::set<std::string> bereft;                     // uids of Volumes whose rows went with them
  std::map<Key, std::set<std::string>> runs;        // of each BackupSchedule: the due times that it made a Backup for
  std::map<Key, std::string> drifted;                               // what was said to have been changed outside, first
  std::map<Key, int64_t> flips;                     // how often an object became ready, or no more
  std::vector<std::string> secrets;                 // canaries: in no value of the store
  // Generations that the truth has not been seen to match yet, by uid; a status may claim none of them.
  std::map<std::string, std::map<int64_t, std::shared_ptr<const Object>>> unmet;
  std::vector<std::string> broken;  // what a single commit broke, in words

 private:
  struct Read {
    std::string text, uid;
    Value status;
  };
  mutable std::map<Key, Read> read_;  // statuses are looked at far more often than they change
};

std::string text_of(const Server& server);
std::string text_of(const CloudVolume& volume);
std::string text_of(const Port& port);

}  // namespace trove::simulate
