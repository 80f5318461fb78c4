// Everything a plan may read, as plain data: objects with their parsed specs, the last inventory, the guests' reports,
// failures of earlier actions and the time. Copying is cheap (objects and inventory are shared and immutable), so that
// a preview can run ahead on a copy. Owned by the loop's thread; a copy belongs to whoever took it.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/guest/protocol.hpp"
#include "reconciler/ledger.hpp"
#include "specs/kinds/specs.hpp"
#include "specs/resource.hpp"

namespace trove {

using AnySpec = std::variant<std::monostate, DatabaseInstanceSpec, DatabaseSpec, UserSpec, VolumeSpec, SecretSpec,
                             ConfigurationGroupSpec, BackupScheduleSpec, BackupSpec, OperationSpec, GitSourceSpec>;
const Common& common_of(const AnySpec& spec);

struct Object {
  Resource resource;
  AnySpec spec;
  std::vector<Key> references;  // what the spec and the owner references point to

  const Metadata& meta() const { return resource.metadata; }
  Key key() const { return resource.key(); }
  bool deleting() const { return resource.deleting(); }
  template <class Spec>
  const Spec& as() const {
    return std::get<Spec>(spec);
  }
};
std::shared_ptr<const Object> make_object(Resource resource);

// What one server's guest last said, and what it was last told.
struct GuestState {
  std::optional<guest::Document> document;  // as planned: its URLs are unsigned (the hub signs them)
  std::string document_digest;              // of the signed one, which the guest reports back
  std::optional<guest::Report> report;
  Time heard;                       // steady
  std::string agent;                // whose report that was
  std::vector<std::string> former;  // agents before it; one that comes back is no restart
  int returns = 0;                  // how often one came back
  Time frozen;  // steady; two machines answer for this server: since when nothing is told or believed
};
// Two agents in turn are two machines with one disk's past (a clone, a restored snapshot). Neither is told anything
// until only one of them has been heard for so long.
inline constexpr Millis kCloneFreeze{300'000};

// The last failed action of a key; cleared by success or by any change of the key's inputs.
struct Failure {
  std::string action;  // "nova.server.create"
  Code code = Code::internal;
  std::string message;
  Time since, next_retry;  // for people
  Time due;                // steady: not before
  int attempts = 0;
  bool stale = false;  // planned from old facts: looked at again at once, and not worth a word
};

// An owner that was deleted and forgotten. What still turns up with its token (a request that arrived late) has no
// other proof that nobody wants it.
struct Gone {
  Key key;
  bool destroy = false;  // its deletionPolicy was Delete
};

// Something in the cloud that carries our mark, and of whose owner there is no record, neither alive nor deleted: the
// store was lost or set back, or another control plane works in the same project.
struct Leak {
  enum class What { server, volume, port, address } what = What::server;
  std::string id, name;
  Token token;
  Time since;  // steady: when it was first seen to be one
};
std::string_view to_string(Leak::What what);

struct KeyHash {
  size_t operator()(const Key& key) const {
    const std::hash<std::string> hash;
    return (hash(key.project) * 31 + hash(key.kind)) * 31 + hash(key.name);
  }
};

// What the cloud told of a server's fact that was changed outside; forgotten when the fact changes again.
struct Explained {
  std::string actual;
  std::vector<ServerDeed> deeds;  // empty: it does not tell
};

// A difference that one look at the cloud has shown. Lists are old now and then: it takes another look, begun later, that
// shows the same before anything is said of it or done about it.
struct Suspicion {
  Value actual;
  uint64_t sequence = 0;  // of the newest look that had begun then
};

// Of a volume that holds nothing: cinder will take its deletion.
bool disposable(CloudVolume::Status status);

class World {
 public:
  // Order is of no meaning; the same history gives the same order.
  using ByKey = std::unordered_map<Key, std::shared_ptr<const Object>, KeyHash>;

  Time now;
  Time steady;   // the monotonic clock: for how long something has lasted, whatever happens to the wall clock
  Time started;  // steady; of this control plane: for patience with guests after a restart
  std::shared_ptr<const Inventory> inventory = std::make_shared<Inventory>();
  std::unordered_map<std::string, GuestState> guests;  // by server token text
  std::unordered_map<Key, std::string, KeyHash>
      verifiers;  // of User objects and of instances' root; by key; never printed
  std::map<Key, Failure> failures;
  std::shared_ptr<const Ledger> ledger = std::make_shared<Ledger>();
  std::shared_ptr<const std::map<std::string, Gone>> gone = std::make_shared<std::map<std::string, Gone>>();  // by uid

  std::map<std::pair<std::string, std::string>, Explained> explained;  // by server id and path
  std::map<std::pair<std::string, std::string>, Suspicion> suspected;   // by owner's uid and path
  bool second_look = true;            // false: one look is enough; for a plan that only tells what would be done
  std::map<std::string, Leak> leaks;  // by id
  // Servers and ports that have leaked go after this long; nullopt: nothing does, it is only reported. Volumes never do.
  std::optional<Millis> remove_leaks_after;
  int64_t backup_segment_bytes = guest::kSegmentBytes;  // guests cut what is longer

  // What the wall clock will say at a steady time.
  Time at(Time steady_time) const { return now + (steady_time - steady); }

  void put(std::shared_ptr<const Object> object);
  void remove(const Key& key);
  const Object* find(const Key& key) const;
  const ByKey& objects() const { return objects_; }
  // Keys of objects whose spec or owner reference names `key`.
  const std::set<Key>& referrers(const Key& key) const;
  // Everything whose plan may read `key`: itself, what it refers to, what refers to it, and one step further through
  // secrets and configuration groups.
  std::vector<Key> affected_by(const Key& key) const;

  void set_inventory(std::shared_ptr<const Inventory> inventory);
  // For previews: changes the world's own copy of the inventory. `appended` is true when `change` only appended to
  // lists or changed elements in place; otherwise everything is indexed anew.
  void edit_inventory(bool appended, const std::function<void(Inventory&)>& change);
  // Changes the world's own ledger (a copy of a shared one).
  Ledger& edit_ledger();
  std::vector<const Server*> servers_of(const std::string& uid) const;
  // True when servers_of() may lack one: the list could not be read, or one that we made is missing without proof.
  bool servers_doubtful(const std::string& uid) const;
  // Absent only with proof (ledger.hpp). Of several with one token: the attached one, then `bound`, then the one that
  // we were told of when we made it, then the oldest.
  Observed<CloudVolume> volume_of(const std::string& uid, const std::string& bound = {}) const;
  // The one with the data, of an owner that is bound to it: an empty one that was asked for earlier and came later does
  // not take its place.
  Observed<CloudVolume> bound_volume_of(const std::string& uid, const std::string& bound) const;
  Observed<Port> port_of(const std::string& uid) const;
  // The others with that token, unattached: a create that was answered late, and made twice.
  std::vector<const CloudVolume*> surplus_volumes(const std::string& uid, const std::string& keep) const;
  // Why an absence is not believed, for conditions.
  std::string doubt() const;
  // Whether it is of the type that a spec names; nullopt: that cannot be told.
  std::optional<bool> has_type(const CloudVolume& volume, const std::string& wants) const {
    return same_volume_type(inventory->volume_types, wants, volume.type);
  }
  int64_t flavor_ram_mib(const std::string& name_or_id) const;  // 0 = no such flavor
  // As a server shows it; what is not known is taken for a name. Valid as long as `name_or_id` and this world.
  const std::string& flavor_name(const std::string& name_or_id) const;

 private:
  ByKey objects_;
  std::unordered_map<Key, std::set<Key>, KeyHash> referrers_;
  // Positions in the inventory's lists, by the owner's uid.
  using Positions = std::unordered_multimap<std::string, size_t>;
  void index_from(size_t servers, size_t volumes, size_t ports);
  Positions servers_by_uid_, volumes_by_uid_, ports_by_uid_;
};

}  // namespace trove
