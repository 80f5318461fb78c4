// The kinds as plain structs, defaults filled in: what the planner reads. Made from decoded specs only.
// Each `*_spec` function is total: it never fails on a spec that decode_resource accepted.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/time.hpp"
#include "specs/value.hpp"

namespace trove {

enum class Engine { mariadb, postgresql, redis, memcached };
std::string_view to_string(Engine engine);                       // "mariadb" …
std::optional<Engine> engine_from(std::string_view type);        // "mysql" and "mariadb" are one engine
int engine_port(Engine engine);                                  // 3306 5432 6379 11211

enum class Drift { correct, report, ignore };
struct Common {
  bool observe_only = false;                 // managementPolicy: Observe
  enum class Deletion { retain, remove } deletion = Deletion::retain;   // Retain | Delete
  bool suspend = false;
  Drift drift = Drift::correct;
  std::vector<std::string> ignore_drift;     // JSON pointers below spec
  // What is done about a difference at this pointer: Ignore when ignoreDrift names it or something above it.
  Drift drift_at(std::string_view pointer) const;
};
// "/volume/size" -> {"volume", "size"}; nullopt: no JSON pointer.
std::optional<std::vector<std::string>> pointer_segments(std::string_view pointer);
std::string pointer_segment(std::string_view key);   // escaped: "a/b" -> "a~1b"

struct DatabaseInstanceSpec : Common {
  std::string datastore_type;   // as written: mysql or mariadb …
  Engine engine = Engine::mariadb;
  std::string version;          // "" = what the cloud has
  std::string flavor;
  int64_t volume_gib = 0;       // 0 = no inline volume
  std::string volume_type;
  std::string volume_ref;       // name of a Volume; "" = none
  std::string zone;             // "" = the cloud's choice
  std::string server_group;     // name or id; "" = none
  std::string configuration_ref;
  std::vector<std::string> allowed_cidrs;
  bool is_public = false;       // access.public
  bool root_access = false;
  bool deletion_protection = false;
  enum class Disruptive { immediate, manual } disruptive = Disruptive::manual;
  std::string bootstrap_backup; // bootstrapFrom.backupRef.name
};
struct DatabaseSpec : Common {
  std::string instance, name;                       // name inside the engine; defaults to metadata.name
  std::string character_set, collate;               // MariaDB; PostgreSQL: encoding in character_set
  std::string owner;                                // PostgreSQL: a login's engine name
};
struct Grant {
  std::vector<std::string> privileges;              // SELECT … | ALL; Redis: +@read …
  std::string on;  // "orders.*", "orders.customers", "*.*"; PostgreSQL "orders"; Redis "orders:*"
  bool with_grant_option = false;
  friend bool operator==(const Grant&, const Grant&) = default;
};
struct UserSpec : Common {
  std::string instance, name, host;                 // host: MariaDB only, default "%"
  int64_t generate_length = 0;                      // > 0: password.generate
  std::string secret_name, secret_key;              // password.secretRef
  std::vector<Grant> grants;
  int64_t max_connections = 0;                      // 0 = no limit of its own
};
struct VolumeSpec : Common {
  int64_t size_gib = 0;
  std::string type, zone;
};
struct SecretSpec : Common {
  std::map<std::string, std::string> data;          // values as stored (sealed or "(hidden)"); never print
};
struct ConfigurationGroupSpec : Common {
  std::string datastore_type, version;
  std::map<std::string, Value> parameters;
  bool keep_on_remove = false;                      // onRemove: KeepValue
};
struct BackupScheduleSpec : Common {
  std::string instance, schedule, time_zone;
  bool immediate = false;
  Millis jitter{0};
  bool run_missed_once = true;                      // missedRunPolicy: RunOnce | Skip
  Millis timeout{0};
  int64_t keep_last = 0;                            // 0 = keep all
};
struct BackupSpec : Common {
  std::string instance;
  Millis timeout{0};
};
struct OperationSpec : Common {
  std::string instance;
  bool restart = false;
  std::string reason;
  Millis ttl{0};
};
struct GitSourceSpec : Common {
  std::string url;
  std::string branch, tag, commit;                  // one of them is set
  std::string path;                                 // "" = the whole repository; no "/" at either end
  Millis interval{0};
  std::string secret, webhook_secret, keys_secret;  // names of Secrets; "" = none
  bool verify = false;
  bool manual = false;                              // approval: Manual
  bool prune = false, refuse_empty = true;
  int64_t max_delete = 0;
};

DatabaseInstanceSpec database_instance_spec(const Value& spec);
DatabaseSpec database_spec(const Value& spec, std::string_view metadata_name);
UserSpec user_spec(const Value& spec, std::string_view metadata_name);
VolumeSpec volume_spec(const Value& spec);
SecretSpec secret_spec(const Value& spec);
ConfigurationGroupSpec configuration_group_spec(const Value& spec);
BackupScheduleSpec backup_schedule_spec(const Value& spec);
BackupSpec backup_spec(const Value& spec);
OperationSpec operation_spec(const Value& spec);
GitSourceSpec git_source_spec(const Value& spec);

}  // namespace trove
