// What every object has: a key, metadata, a spec that the user owns and a status that we own.
// Plain values; not synchronised.
#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/time.hpp"
#include "specs/value.hpp"

namespace trove {

inline constexpr std::string_view kApiVersion = "trove/v1alpha1";

struct Key {
  std::string project;
  std::string kind;   // "DatabaseInstance"
  std::string name;
  auto operator<=>(const Key&) const = default;
};
std::string to_string(const Key& key);          // "databaseinstance/orders-db"

struct OwnerReference {
  std::string kind, name, uid;
  friend bool operator==(const OwnerReference&, const OwnerReference&) = default;
};

// Annotation of a Volume that was forgotten with its data kept and is made again: the cloud's volume.
inline constexpr const char* kVolumeId = "trove/volume-id";
// Of an object that was changed by a plan: the plan's id. kCalmPlan: a plan that showed no interruption of a database;
// what turns out to need one all the same is held until somebody approves.
inline constexpr const char* kPlanId = "trove/plan";
inline constexpr const char* kCalmPlan = "trove/calm-plan";

struct Metadata {
  std::string name;
  std::string project;
  std::string uid;
  int64_t generation = 0;         // rises by one with each change of the spec
  uint64_t resource_version = 0;  // the store's revision of the spec; 0 = not stored yet. In JSON a decimal string
  Time creation_timestamp;
  Time deletion_timestamp;        // set = being deleted
  Value labels = Value::map();        // string to string
  Value annotations = Value::map();   // string to string; those under trove/ are ours
  std::vector<OwnerReference> owner_references;
  // `generateName` of the input; the API makes the name from it.
  std::string generate_name;
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

struct Resource {
  std::string kind;
  Metadata metadata;
  Value spec = Value::map();     // as written: defaults are not filled in
  Value status = Value::map();
  Key key() const { return {metadata.project, kind, metadata.name}; }
  bool deleting() const { return metadata.deletion_timestamp.set(); }
};

// The wire and stored form: {apiVersion, kind, metadata, spec, status}; empty parts are left out.
Value to_value(const Resource& resource);
// The reverse for what we stored or sent ourselves: lenient, no checks. User input goes through specs/decode.hpp.
Resource resource_from_value(const Value& value);

// Conditions. Reasons say what to do; messages are templates with sorted arguments, never "now" or a request id.
struct Condition {
  std::string type;                   // Ready, Synced, Progressing, Stalled, Drifted
  std::string status;                 // "True" "False" "Unknown"
  std::string reason;
  std::string message;
  Time last_transition_time;          // filled by the loop
  int64_t observed_generation = 0;
};
Value to_value(const Condition& condition);
std::vector<Condition> conditions_of(const Value& status);
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);

}  // namespace trove
