// The directory tree under the root as tables: ports, volumes, servers. Knows where files lie and keeps parsed ones
// until they change on disk; decides nothing. Owned by the local cloud. Take a Lock for everything but the paths; what
// is returned by pointer is good until the next write of that record or the end of the Lock.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>
#include "providers/local/files.hpp"
#include "providers/local/records.hpp"

namespace trove::local {

// Parsed files by path, each read again when its stamp changes.
template <class Record>
class RecordCache {
 public:
  using Decode = Result<Record> (*)(const Value&, const std::string& id);
  explicit RecordCache(Decode decode) : decode_(decode) {}
  // not_found; corrupt (stays so until the file changes); denied and unavailable when it cannot be read.
  Result<const Record*> read(const std::string& path, const std::string& id, const Result<Stamp>& stamp);
  Result<const Record*> read(const std::string& path, const std::string& id) { return read(path, id, stamp_of(path)); }
  void forget(const std::string& path) { kept_.erase(path); }
  void sweep();   // drops what was not read since the last sweep

 private:
  struct Kept {
    Stamp stamp;
    Result<Record> record;
    uint64_t round = 0;
  };
  Decode decode_;
  std::unordered_map<std::string, Kept> kept_;
  uint64_t round_ = 0;
};

template <class Record>
struct Table {
  bool known = true;                   // everything there is was read
  std::vector<const Record*> rows;     // by id
  std::vector<std::string> trouble;
  std::vector<std::string> missing;    // ids whose file is not there
};

class State {
 public:
  explicit State(std::string root);
  // Makes the directories, removes half-written files, empties the trash. Once, before anything else.
  Result<void> prepare();

  class Lock {
   public:
    Lock(std::unique_lock<std::mutex> threads, Fd processes)
        : threads_(std::move(threads)), processes_(std::move(processes)) {}
    ~Lock();
    Lock(Lock&&) = default;

   private:
    std::unique_lock<std::mutex> threads_;
    Fd processes_;
  };
  Lock read_lock();             // against other threads: files are replaced whole, so reading needs no more
  Result<Lock> write_lock();    // against other processes on the same root as well

  const std::string& root() const { return root_; }
  std::string ports() const { return root_ + "/ports"; }
  std::string volumes() const { return root_ + "/volumes"; }
  std::string servers() const { return root_ + "/servers"; }
  std::string objects() const { return root_ + "/objects"; }
  std::string volume_dir(const std::string& id) const { return volumes() + "/" + id; }
  std::string volume_disk(const std::string& id) const { return volume_dir(id) + "/fs"; }
  std::string server_dir(const std::string& id) const { return servers() + "/" + id; }
  std::string server_file(const std::string& id) const { return server_dir(id) + "/server.json"; }
  std::string guest_file(const std::string& id) const { return server_dir(id) + "/guest.json"; }
  std::string agent_file(const std::string& id) const { return server_dir(id) + "/agent.pid"; }
  std::string creating_lock(const std::string& id) const { return server_dir(id) + "/run/creating.lock"; }
  std::string agent_lock(const std::string& id) const { return server_dir(id) + "/run/agent.lock"; }
  std::string volume_lock(const std::string& id) const { return volume_dir(id) + "/agent.lock"; }

  Table<PortRecord> all_ports();
  Table<VolumeRecord> all_volumes();
  Table<ServerRecord> all_servers();
  Result<const PortRecord*> port(const std::string& id);
  Result<const VolumeRecord*> volume(const std::string& id);
  Result<const ServerRecord*> server(const std::string& id);
  // `servers_directory`: an open servers(), for those who ask for many.
  Result<const AgentRecord*> agent(const std::string& server_id, const Fd* servers_directory = nullptr);
  Result<std::vector<Flavor>> flavors();                    // the built-in ones when there is no flavors.json
  bool server_exists(const std::string& id) const;          // unknown counts as existing

  Result<void> put(const PortRecord& record);
  Result<void> put(const VolumeRecord& record);             // of a volume that was added
  Result<void> put(const ServerRecord& record);             // of a server that was added
  Result<void> put_agent(const std::string& server_id, const AgentRecord& record);
  // The directory appears with everything in it or not at all: the reservation of its port and volume.
  Result<void> add(const VolumeRecord& record);
  Result<void> add(const ServerRecord& record, const std::string& guest_json);
  Result<void> remove_port(const std::string& id);
  // Moves a directory out of the way at once; empty_trash (without a lock) then takes its time.
  Result<void> discard(const std::string& directory);
  void empty_trash();                                       // logs what it cannot remove
  void sweep();                                             // after a full reading: forgets what is gone

 private:
  template <class Record, class Name>
  Table<Record> read_all(const std::string& directory, RecordCache<Record>& cache, Name name);
  std::string shown(const std::string& path) const;         // without the root

  std::string root_;
  std::mutex mutex_;
  RecordCache<PortRecord> port_cache_{port_from};
  RecordCache<VolumeRecord> volume_cache_{volume_from};
  RecordCache<ServerRecord> server_cache_{server_from};
  RecordCache<AgentRecord> agent_cache_{agent_from};
  RecordCache<std::vector<Flavor>> flavor_cache_{flavors_from};
};

}  // namespace trove::local
