// What the agent must remember over its own restart, in run/agent.json (0600). All of it can be lost: then everything
// is applied again, which changes nothing that already fits. Belongs to the reconcile thread.
#pragma once
#include <map>
#include <string>
#include <vector>
#include "providers/guest/engines/engine.hpp"
#include "providers/guest/protocol.hpp"

namespace trove::guest {

struct Memory {
  std::string applied_restart;
  int64_t applied_memory_mib = 0;
  std::string applied_address;              // "10.0.0.1:3306"
  Time engine_started;
  bool settled = false;                     // static parameters had their first restart; clients may be connected

  // An item that was applied: the digest of what was asked, and hashes of what the engine showed right afterwards. A
  // later difference from the latter is drift; an engine's own spelling of what was asked is not.
  struct Item {
    std::string digest;
    std::map<std::string, std::string> facets;
    std::map<std::string, std::string> wanted;  // field ("/password") to a hash of what was asked for it
    std::string repaired;                       // what was put back last: "was changed by someone (grants)"
    int repairs = 0;                            // of that, within an hour from `first_repair`
    Time first_repair;
    friend bool operator==(const Item&, const Item&) = default;
  };
  std::map<std::string, Item> items;

  Parameters persisted;                     // stand in the configuration file
  Parameters started_with;                  // stood there when the engine last came up
  struct Tried {
    std::string value;                      // asked for
    std::string running;                    // what the engine made of it
    friend bool operator==(const Tried&, const Tried&) = default;
  };
  std::map<std::string, Tried> parameters;
  std::map<std::string, Tried> rejected;    // value, and why the engine did not start with it
  Parameters originals;                     // values before the first change, for engines without defaults

  struct Backup {
    BackupState state;
    int attempts = 0;
    friend bool operator==(const Backup&, const Backup&) = default;
  };
  std::vector<Backup> backups;              // newest last

  friend bool operator==(const Memory&, const Memory&) = default;
};

Memory load_memory(const std::string& path);          // an unreadable file counts as lost
Result<void> save_memory(const std::string& path, const Memory& memory);

// The last document, so that an agent that starts without its control plane still keeps the engine.
std::optional<Document> load_document(const std::string& path);
Result<void> save_document(const std::string& path, const Document& document);

}  // namespace trove::guest
