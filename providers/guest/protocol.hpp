// What crosses between control plane and guest: one versioned document down, one report up. Both are plain structs with
// JSON forms. The agent fetches its document by long poll and drops only what the document names as dropped.
// Documents hold password verifiers, never passwords (but see root and memcached: none there either).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/time.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/value.hpp"

namespace trove::guest {

inline constexpr int kProtocolVersion = 1;

struct Database {
  std::string name, character_set, collate, owner;
  Drift drift = Drift::correct;
  std::vector<std::string> ignored;  // fields that are left to somebody else: "/owner"
  friend bool operator==(const Database&, const Database&) = default;
};
struct User {
  std::string name, host;          // host "" except for MariaDB
  std::string verifier;            // MariaDB "*HEX40", PostgreSQL "SCRAM-SHA-256$…", Redis sha256 hex
  std::vector<Grant> grants;
  int64_t max_connections = 0;
  bool superuser = false;          // root access
  Drift drift = Drift::correct;
  std::vector<std::string> ignored;  // fields that are left to somebody else: "/password"
  friend bool operator==(const User&, const User&) = default;
};
struct BackupOrder {
  std::string id;                  // uid of the Backup
  std::string upload_url;          // absolute; short-lived; PUT
  // What is longer is cut into segments of this size: the first is the object itself, the others go to
  // segment_url(segments_url, 1) and so on. 0: never cut.
  int64_t segment_bytes = 0;
  std::string segments_url;
  friend bool operator==(const BackupOrder&, const BackupOrder&) = default;
};
struct RestoreOrder {              // only ever acted on while the data directory has never been initialised
  std::string id;
  std::string download_url;
  std::string sha256;              // of the stored bytes, hex; of all segments together
  int segments = 1;
  std::string segments_url;        // as in BackupOrder; GET; "" where there is one segment
  friend bool operator==(const RestoreOrder&, const RestoreOrder&) = default;
};
struct Parameter {
  std::string name, value;         // as the engine's configuration file takes it
  Drift drift = Drift::correct;
  friend bool operator==(const Parameter&, const Parameter&) = default;
};

struct Document {
  int version = kProtocolVersion;
  Engine engine = Engine::mariadb;
  std::string instance_uid;             // the data directory is marked with it; a foreign mark is refused
  std::string address;                  // the port's
  int port = 0;
  std::vector<std::string> allowed_cidrs;
  int64_t memory_mib = 0;               // of the flavor; the agent sizes caches from it
  int64_t volume_gib = 0;
  std::vector<Parameter> parameters;
  std::vector<std::string> reset_parameters;   // back to the engine's default (ConfigurationGroup onRemove)
  std::string restart;                  // an opaque word; when it changes, the engine is restarted once (Operation uid)
  std::vector<Database> databases;
  std::vector<User> users;
  std::vector<std::string> dropped_databases;                      // engine names, each behind deletionPolicy Delete
  std::vector<std::pair<std::string, std::string>> dropped_users;  // name, host
  std::vector<BackupOrder> backups;
  std::optional<RestoreOrder> restore;
  bool suspended = false;               // keep the engine up; change nothing
  friend bool operator==(const Document&, const Document&) = default;
};
Value to_value(const Document& document);
Result<Document> document_from_value(const Value& value);    // invalid for another version or a wrong shape
std::string digest(const Document& document);                // sha256 hex of the canonical JSON

// One thing of the document as the guest sees it.
struct ItemState {
  std::string name, host;
  std::string state;           // "Applied" "Pending" "Drifted" "Failed" "Dropped"
  std::string message;         // engine's words; no secret
  std::vector<std::pair<std::string, std::string>> changed;  // Drifted: what differs (a facet), and what it is now
  friend bool operator==(const ItemState&, const ItemState&) = default;
};
struct ParameterState {
  std::string name;
  std::string value;           // the running value
  bool pending_restart = false;
  std::string state;           // as ItemState
  std::string message;
  friend bool operator==(const ParameterState&, const ParameterState&) = default;
};
struct BackupState {
  std::string id;
  std::string state;           // "Running" "Completed" "Failed"
  std::string sha256;
  int64_t bytes = 0;           // stored (compressed), of all segments together
  int segments = 1;
  Time started, finished;
  std::string message;
  friend bool operator==(const BackupState&, const BackupState&) = default;
};
struct Report {
  int version = kProtocolVersion;
  std::string agent;                     // chosen anew by each agent process: two that answer in turn are a clone
  bool cuts_backups = false;             // it knows of segments: one that does not is not told of them
  std::string document_digest;           // the newest document that was fully worked through; "" = none yet
  std::string engine_state;              // "Starting" "Running" "Stopped" "Failed" "Initialising" "Restoring"
  std::string engine_message;
  std::string engine_version;            // "10.11.11"
  Time engine_started;
  std::string applied_restart;           // the document's `restart` word that the running engine honours
  int64_t applied_memory_mib = 0;        // flavor that the running engine was started with
  int64_t volume_used_bytes = 0, volume_total_bytes = 0;
  int restarts = 0;                      // engine restarts by the agent since it started
  std::vector<ItemState> databases, users;
  std::vector<ParameterState> parameters;
  std::vector<BackupState> backups;
  std::string restore_state;             // "" "Restoring" "Restored" "Failed"
  std::string restore_message;
  std::vector<std::string> events;       // repairs since the last report, one sentence each
  friend bool operator==(const Report&, const Report&) = default;
};
Value to_value(const Report& report);
Result<Report> report_from_value(const Value& value);        // strict on types and bounds: guests are not trusted

// Which field of the spec a facet of an item is: "limits" is "/maxConnections"; "/" where there is none.
std::string_view path_of_facet(std::string_view facet);

// Endpoints, with `Authorization: Bearer <server token>` (local cloud) or a client certificate (machines, see machine/):
//   GET  /guest/v1/document?after=<digest>   200 with the document when it differs, 204 after ~25 s when it does not
//   POST /guest/v1/report                    204
// Machines besides, once {"server","token","request"} and later {"request"}, both answered with {"certificate"}:
//   POST /guest/v1/join                      200; 403 when the token is unknown or used up by another key
//   POST /guest/v1/renew                     200; with the certificate that is to be renewed
// Object storage, with short-lived URLs:
//   PUT  /objects/<project>/<backup uid>?expires=<unix>&signature=<hex>   201
//   GET  /objects/<project>/<backup uid>?expires=<unix>&signature=<hex>   200
// and the same with "&prefix=<project>/<backup uid>." for its segments.

// A large backup is cut into segments, for an object store has a largest object (Swift: 5 GiB). The first is the object
// under the backup's key, the others lie beside it: "<project>/<backup uid>.00001", "….00002". There is no manifest:
// the Backup's status says how many there are.
inline constexpr int64_t kSegmentBytes = int64_t{1} << 30;
inline constexpr int kMostSegments = 10'000;
// Where a segment goes or comes from; number is 1 or more. `segments_url` is good for all of them: "…/<key>.?…".
std::string segment_url(const std::string& segments_url, int number);
// "<project>/<backup uid>", of the key of any of its segments.
std::string_view backup_key(std::string_view key);
std::string backup_uid(std::string_view key);

// Verifiers: what an engine stores in place of a password.
std::string mariadb_verifier(std::string_view password);                             // *HEX(SHA1(SHA1(p)))
std::string postgresql_verifier(std::string_view password, std::string_view salt16);  // SCRAM-SHA-256$4096:…
std::string redis_verifier(std::string_view password);                               // sha256 hex

}  // namespace trove::guest
