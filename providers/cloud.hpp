// A cloud is two verbs: observe() and perform(). What is asked of it is data (Action), what it answers is data
// (Inventory, Outcome); retries, budgets, fault injection, tracing, audit and dry run wrap these two and live nowhere else.
// Names and words are Nova's, Cinder's and Neutron's.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/core/time.hpp"
#include "specs/value.hpp"

namespace trove {

// What we create carries a token made from its owner's uid and role: metadata (trove:uid, trove:role,
// trove:incarnation), tags, or the name where the API has neither. Two things with one token are one too many.
struct Token {
  std::string uid;        // of the owning object (a DatabaseInstance or a Volume)
  std::string role;       // "port-0" "data" "server-0"
  int incarnation = 0;    // rises when a lost or broken one is replaced
  auto operator<=>(const Token&) const = default;
};
std::string to_string(const Token& token);                      // "trove-<uid>-<role>-<incarnation>"
std::optional<Token> token_from(std::string_view text);         // the reverse

// A fact that was read, is known not to be, or could not be read. Unknown is never absent.
template <class T>
class Observed {
 public:
  static Observed known(T value) { Observed o; o.value_ = std::move(value); return o; }
  static Observed absent() { Observed o; o.absent_ = true; return o; }
  static Observed unknown() { return {}; }
  bool is_known() const { return value_.has_value(); }
  bool is_absent() const { return absent_; }
  bool is_unknown() const { return !value_ && !absent_; }
  const T* operator->() const { return &*value_; }
  const T& operator*() const { return *value_; }

 private:
  std::optional<T> value_;
  bool absent_ = false;
};

struct Port {
  std::string id, name;
  Token token;                                  // uid is "" on what is not ours
  std::string address;
  std::vector<std::string> allowed_cidrs;       // sorted
  std::string device_id;                        // server id; "" = unused
  std::string public_address = {};              // by which it is reached from outside; "" = it is not
};
// A floating IP that carries our mark and is no port's: the port that it was made for was taken away.
struct StrayAddress {
  std::string id, name;                         // name: the address itself
  Token token;                                  // of the port
};
struct CloudVolume {
  std::string id, name;
  Token token;
  enum class Status {
    creating, available, reserved, attaching, in_use, detaching, extending, retyping, deleting, error, error_deleting,
    error_extending, unknown                    // any other word of Cinder's
  } status = Status::available;
  int64_t size_gib = 0;
  std::string type;                             // its name, as Cinder shows it; a spec may name it by its id as well
  std::string server_id;                        // attached to, or reserved for; "" = nothing
  Time created = {};
};
struct Server {
  std::string id, name;
  Token token;
  // unknown: any other word of Nova's, and what a cell that is down hides.
  enum class Status { build, active, shutoff, reboot, resize, verify_resize, error, deleting, unknown } status =
      Status::build;
  std::string flavor;                           // its name; a spec may name it by its id as well
  std::string port_id, volume_id;               // "" = none
  Time created;
  std::string fault;                            // Nova's words when status is error
};
// An object of the backup store.
struct StoredObject {
  std::string key;                              // "<project>/<backup uid>"; of a further segment with ".00001" behind
  int64_t bytes = 0;
};
struct Flavor {
  std::string name;
  int64_t ram_mib = 0;
  int vcpus = 1;
  std::string id = {};                          // "" = the cloud has none, its name is all
};
struct VolumeType {
  std::string id, name;
  friend bool operator==(const VolumeType&, const VolumeType&) = default;
};
// By its name, else by its id. nullptr: there is none such.
const Flavor* find_flavor(const std::vector<Flavor>& flavors, const std::string& name_or_id);
// Whether a volume that shows `has` is of the type that a spec calls `wants`, by name or by id. nullopt: it cannot be told,
// for `wants` looks like an id, and of neither word is it known which type it is.
std::optional<bool> same_volume_type(const std::vector<VolumeType>& types, const std::string& wants,
                                     const std::string& has);
// What the project may have of something. most: -1 = as much as there is.
struct Quota {
  int64_t used = 0, most = -1;
};
struct Limits {                  // nullopt: not known
  std::optional<Quota> instances, cores, ram_mib, volumes, gigabytes;
};
std::string_view to_string(Server::Status status);       // Nova's words: BUILD ACTIVE SHUTOFF …
std::string_view to_string(CloudVolume::Status status);  // Cinder's words: creating available in-use …

// Something whose absence would have consequences: looked for directly (a GET of its id, a query by its token), beside the
// lists. A list may be older than what we know; only this makes an absence of what once was a fact.
struct Sought {
  enum class What { server, volume, port } what = What::server;
  Token token;
  std::string id;                // "" = only the token is known: its create was never answered
  auto operator<=>(const Sought&) const = default;
};

// One bulk observation. A list that could not be read in full is marked, and then nothing in it counts as absent.
struct Inventory {
  uint64_t sequence = 0;         // rises with each observation; set by whoever runs the loop
  Time as_of;                    // when the observation began
  bool servers_known = false, volumes_known = false, ports_known = false, objects_known = false;
  std::vector<Server> servers;
  std::vector<CloudVolume> volumes;
  std::vector<Port> ports;
  std::vector<StrayAddress> strays;  // known when the ports are
  std::vector<StoredObject> objects;
  std::vector<Flavor> flavors;
  std::vector<VolumeType> volume_types;  // empty: not known, or the cloud has none
  Limits limits;                 // as they were within the last minutes
  std::vector<Sought> absent;    // of what was sought: looked up and not there; what was found is in the lists
  std::string trouble;           // why something is unknown, for conditions; stable text
};

// For a cloud whose lists are always the truth: what is sought and not in them is absent.
void answer_from_lists(Inventory& seen, const std::vector<Sought>& sought);

// ---- Actions. Plain data, comparable, printable by describe(); no secret is ever inside. -----------------------------
struct CreatePort    { Token token; std::string project, name; std::vector<std::string> allowed_cidrs; bool is_public = false; };
struct UpdatePort    { Token token; std::string id; std::vector<std::string> allowed_cidrs; bool is_public = false; };
struct DeletePort    { Token token; std::string id; };
struct DeleteAddress { Token token; std::string id; };
struct CreateVolume  { Token token; std::string project, name; int64_t size_gib = 0; std::string type, zone = {}; };
struct ExtendVolume  { Token token; std::string id; int64_t from_gib = 0, to_gib = 0; };
// Cinder may copy the data to another backend, which takes as long as it takes. When it cannot, it leaves the type as it
// was, and says so nowhere.
struct RetypeVolume  { Token token; std::string id, from_type, to_type; };
struct DeleteVolume  { Token token; std::string id; };
struct CreateServer  {
  Token token;
  std::string project, name, flavor, datastore, version, port_id, volume_id, zone = {}, group = {};  // name or id; "" = none
};
struct StartServer   { Token token; std::string id; };
struct ResizeServer  { Token token; std::string id, from_flavor, to_flavor; };
struct ConfirmResize { Token token; std::string id; };
struct RevertResize  { Token token; std::string id, from_flavor, to_flavor; };  // one that waits to be confirmed
struct DeleteServer  { Token token; std::string id; };
struct AttachVolume  { Token token; std::string id, server_id; };
struct DetachVolume  { Token token; std::string id, server_id; };
struct DeleteStoredObject { std::string key; };
// Reads: who did what to the server, by the cloud's own record. `path` and `actual` are what the asker wants to know of.
struct ExplainServer { Token token; std::string id, path, actual; };
using CloudAction = std::variant<CreatePort, UpdatePort, DeletePort, DeleteAddress, CreateVolume, ExtendVolume,
                                 RetypeVolume, DeleteVolume, CreateServer, StartServer, ResizeServer, ConfirmResize, RevertResize,
                                 DeleteServer, AttachVolume, DetachVolume, DeleteStoredObject, ExplainServer>;
std::string_view action_name(const CloudAction& action);     // "nova.server.create" "cinder.volume.extend" …
std::string describe(const CloudAction& action);             // "orders-db-0 flavor db.small, port …": for people

// One line of a server's record, in Nova's words.
struct ServerDeed {
  std::string action;            // "create" "resize" "stop" …
  std::string user;              // its id; "" = not told
  std::string request_id;
  Time started;
  friend bool operator==(const ServerDeed&, const ServerDeed&) = default;
};
struct Outcome {
  std::string id;                // of what was created, when there is one
  std::string request_id;        // the cloud's, when it has one
  std::vector<ServerDeed> deeds = {};  // of ExplainServer; empty where the cloud does not tell
};

// How often a service of the cloud was asked since the start: for figures.
struct CloudRequests {
  std::string service, method;   // "nova" "GET"
  uint64_t count = 0;
};

// What the bearer of a server's document endpoint needs to know to start: handed to servers at their creation.
struct GuestEndpoint {
  std::string url;               // "http://127.0.0.1:7780"
  std::string token;             // single server's bearer token; secret
};

class Cloud {
 public:
  virtual ~Cloud() = default;
  // Never throws and never fails as a whole: what could not be read is marked unknown in the Inventory.
  // `sought` is looked for besides; a cloud whose lists are always the truth answers from them.
  virtual Inventory observe(const std::vector<Sought>& sought) = 0;
  Inventory observe() { return observe({}); }
  // invalid/denied/no_space: definite, not done. outcome_unknown: observe before anything else.
  // May be called from several threads, never for one token at a time twice.
  virtual Result<Outcome> perform(const CloudAction& action) = 0;
  virtual std::string_view name() const = 0;   // "local"
};

}  // namespace trove
