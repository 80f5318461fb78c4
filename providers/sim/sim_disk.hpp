// What lies on a simulated volume: the mark of its owner and an engine's data. It is as mortal as the volume and no
// more; a copy is a snapshot. Plain data.
#pragma once
#include <cstdint>
#include <map>
#include <string>

namespace trove {

struct SimDisk {
  // The mark that an agent writes before any data.
  std::string mark;           // uid of the instance; "" = nobody's
  std::string engine;         // "mariadb"; part of the mark
  bool filled = false;        // part of the mark: data were here, so an empty engine must not take their place
  std::string restored_from;  // part of the mark: id of the restore that filled it
  bool foreign = false;       // holds something and no mark of ours

  // The engine's data.
  bool initialised = false;
  std::map<std::string, int64_t> databases;  // name -> rows
  std::map<std::string, std::string> users;  // "name" or "name@host" -> digest of what was applied
  int64_t position = 0;                      // replication position: grows with every write

  // What the engine that last ran on it was started with.
  std::map<std::string, std::string> parameters;
  std::string restart;
  int64_t memory_mib = 0;

  bool contains(const std::string& database) const { return databases.contains(database); }
  int64_t rows() const {
    int64_t sum = 0;
    for (const auto& [name, rows] : databases) sum += rows;
    return sum;
  }
  friend bool operator==(const SimDisk&, const SimDisk&) = default;
};

// A finished upload: what was on the disk then. `sha256` is of the content, so an altered one shows.
struct SimBackup {
  SimDisk content;
  std::string sha256;
  int64_t bytes = 0;
  friend bool operator==(const SimBackup&, const SimBackup&) = default;
};
SimBackup backup_of(const SimDisk& disk);         // databases, users, rows and position; no mark, no parameters
std::string content_digest(const SimDisk& disk);  // sha256 hex of what a backup holds

}  // namespace trove
