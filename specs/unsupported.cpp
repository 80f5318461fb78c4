// What trove is meant to have and this release does not: users read about it and try it, and "unknown field" would be a
// lie.
#include <algorithm>
#include "specs/decode_parts.hpp"

namespace trove::decoding {
namespace {

struct Planned {
  std::string_view kind;   // "" = every kind
  std::string_view path;
};
constexpr Planned kPlanned[] = {
    {"DatabaseInstance", "autoGrow"},
    {"DatabaseInstance", "region"},
    {"DatabaseInstance", "locality"},
    {"DatabaseInstance", "networks"},
    {"DatabaseInstance", "nics"},
    {"DatabaseInstance", "objectives"},
    {"DatabaseInstance", "pointInTimeRecovery"},
    {"DatabaseInstance", "replicaOf"},
    {"DatabaseInstance", "replicas"},
    {"DatabaseInstance", "replication"},
    {"DatabaseInstance", "securityGroups"},
    {"DatabaseInstance", "tls"},
    {"DatabaseInstance", "maintenance.windows"},
    {"DatabaseInstance", "bootstrapFrom.instanceRef"},
    {"DatabaseInstance", "bootstrapFrom.targetTime"},
    {"Database", "locale"},
    {"Database", "connectionLimit"},
    {"Database", "extensions"},
    {"Database", "schemas"},
    {"User", "requireTls"},
    {"User", "password.rotation"},
    {"User", "password.writeTo"},
    {"User", "password.externalRef"},
    {"Volume", "import"},
    {"Volume", "autoGrow"},
    {"Secret", "barbican"},
    {"Secret", "vault"},
    {"BackupSchedule", "type"},
    {"BackupSchedule", "target"},
    {"BackupSchedule", "concurrencyPolicy"},
    {"BackupSchedule", "startingDeadline"},
    {"BackupSchedule", "verify"},
    {"BackupSchedule", "storageRef"},
    {"BackupSchedule", "retention.keepFor"},
    {"BackupSchedule", "retention.keepDaily"},
    {"BackupSchedule", "retention.keepWeekly"},
    {"BackupSchedule", "retention.keepMonthly"},
    {"BackupSchedule", "retention.deleteFromStorage"},
    {"Backup", "type"},
    {"Backup", "target"},
    {"Backup", "storageRef"},
    {"Operation", "promote"},
    {"Operation", "rotatePassword"},
    {"Operation", "rebuildReplica"},
    {"Operation", "upgrade"},
    {"Operation", "fence"},
    {"GitSource", "applyAs"},
    {"GitSource", "report"},
    {"GitSource", "decrypt"},
    {"GitSource", "submodules"},
};

// The same thing under another name.
struct Renamed {
  std::string_view kind, path, now;
};
constexpr Renamed kRenamed[] = {
    {"User", "maxUserConnections", "maxConnections"},
    {"User", "connectionLimit", "maxConnections"},
    {"Database", "encoding", "characterSet"},
    {"Database", "collation", "collate"},
    {"DatabaseInstance", "engine", "datastore"},
    {"DatabaseInstance", "allowedCidrs", "access.allowedCidrs"},
    {"DatabaseInstance", "size", "volume.size"},
    {"DatabaseInstance", "storage", "volume"},
    {"DatabaseInstance", "flavorRef", "flavor"},
    {"DatabaseInstance", "configurationGroup", "configurationRef"},
    {"BackupSchedule", "cron", "schedule"},
    {"BackupSchedule", "timezone", "timeZone"},
    {"ConfigurationGroup", "values", "parameters"},
    {"Secret", "stringData", "data"},
    {"GitSource", "branch", "ref.branch"},
    {"GitSource", "tag", "ref.tag"},
    {"GitSource", "commit", "ref.commit"},
    {"GitSource", "repository", "url"},
    {"GitSource", "repoURL", "url"},
};

constexpr std::string_view kPlannedKinds[] = {
    "Grant", "Restore", "BackupStorage", "MaintenanceWindow", "Policy", "DatastoreVersion", "Cluster"};

}  // namespace

std::string unsupported_field(std::string_view kind, std::string_view path) {
  for (const Planned& planned : kPlanned) {
    if ((planned.kind.empty() || planned.kind == kind) && planned.path == path) return "not supported in this release";
  }
  // References reach into the same project only.
  if (path.ends_with("Ref.project")) return "not supported in this release: references stay in one project";
  for (const Renamed& renamed : kRenamed) {
    if (renamed.kind == kind && renamed.path == path)
      return "unknown field. Did you mean \"" + std::string(renamed.now) + "\"?";
  }
  return {};
}

bool unsupported_kind(std::string_view name) {
  return std::find(std::begin(kPlannedKinds), std::end(kPlannedKinds), name) != std::end(kPlannedKinds);
}

bool unsupported_value(std::string_view path, std::string_view value) {
  return (path == "deletionPolicy" && value == "Snapshot") ||
         (path == "maintenance.disruptiveChanges" && value == "InWindow") ||
         (path == "datastore.type" && (value == "mongodb" || value == "cassandra" || value == "couchbase"));
}

}  // namespace trove::decoding
