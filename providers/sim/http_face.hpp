// The simulated cloud as an HTTP server that speaks like Keystone, Nova, Cinder, Neutron, Glance and Swift: the second
// face of SimModel. One port serves all: Keystone at /v3, Nova at /compute/v2.1, Cinder at /volume/v3, Neutron at
// /network, Glance at /image, Swift at /v1. Faults are set here or by POST /sim/faults (see http_faults.cpp).
// Thread-safe; the SimCloud behind it is only touched under the face's lock: see locked().
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "providers/sim/sim_cloud.hpp"

namespace trove {

// What goes wrong with requests that match. Empty words match everything.
struct SimHttpFault {
  enum class Kind {
    error,       // `status` in the service's own words: 500, 503, 409 …; nothing happened
    throttled,   // 429 with Retry-After
    over_limit,  // 413 with Retry-After
    html,        // `status` and a proxy's HTML page
    hang,        // nothing is answered for `hold`, nothing happened
    reset,       // the connection is closed without an answer; nothing happened
    lost_reply,  // it happened, and the connection is closed without an answer
    truncated,   // it happened, and half of the answer's body comes
    slow,        // the answer comes `hold` later
  } kind = Kind::error;
  std::string service;       // "identity" "compute" "volume" "network" "image" "object-store"
  std::string method, path;  // "POST"; a part of the path
  int status = 503;
  int per_mille = 1000;
  int times = -1;  // how often; -1 = until it is taken away
  Millis hold{60'000};
  int64_t retry_after_s = 1;
};
std::string_view to_string(SimHttpFault::Kind kind);  // "error" "overLimit" "lostReply" … as POST /sim/faults has it

struct SimUser {
  std::string name, password, project;  // projects are made as they are named
  bool admin = false;
  std::string credential_id, credential_secret;  // an application credential; "" = none
};

struct SimHttpOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0 = any
  Millis token_life{3'600'000};
  std::string region = "RegionOne";
  int64_t max_file_size = 512 << 20;  // of Swift, for larger than it a backup has to be cut
  std::vector<SimUser> users = {{"trove", "sim", "service", true, "sim-credential", "sim-secret"},
                                {"demo", "sim", "demo", false, "", ""}};
};

class SimHttp {
 public:
  // `cloud`, `clock` and `rng` are borrowed and outlive the face.
  static Result<std::unique_ptr<SimHttp>> start(SimCloud& cloud, const Clock& clock, Rng& rng,
                                                SimHttpOptions options = {});
  virtual ~SimHttp() = default;
  virtual std::string url() const = 0;          // "http://127.0.0.1:41234"
  virtual std::string clouds_yaml() const = 0;  // clouds "sim" (first user), "sim-<user>" …
  virtual void locked(const std::function<void(SimCloud&)>& touch) = 0;
  virtual void add_fault(SimHttpFault fault) = 0;
  virtual void clear_faults() = 0;
  virtual void expire_tokens() = 0;                             // every token given out so far
  virtual std::map<std::string, int64_t> requests() const = 0;  // "compute GET" -> how many
  virtual void stop() = 0;
};

}  // namespace trove
