// This machine as Nova, Cinder, Neutron and Swift would be: a server is a trove-guest process, a volume a directory, a
// port a loopback address, an object a file. State is small JSON files under one root, so it outlives every process;
// several processes may open one root. Owned by a program's main; any thread may call it, as providers/cloud.hpp says.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include "providers/cloud.hpp"
#include "providers/object_store.hpp"
#include "specs/core/secret.hpp"

namespace trove {

struct LocalOptions {
  std::string root;                                    // made when it is missing, mode 0711
  std::string guest_program;                           // absolute path of trove-guest
  std::string endpoint_url;                            // "http://127.0.0.1:7780": what guests are told to call
  std::function<Secret(const Token&)> guest_token;     // a server's bearer token; the same one whenever asked
  Secret object_key;                                   // signs the URLs of objects
  std::string subnet = "127.77.0.0/16";                // IPv4, /8 to /30; ports get their addresses from it
  const Clock& clock;
  Rng& rng;
  Millis stop_grace{10'000};                           // from SIGTERM to SIGKILL when a server is deleted
  int64_t least_free_bytes = 256ll << 20;              // less on the root's file system: no volume is made or grown
  bool limit_memory = true;                            // memory cgroups, where this user may make them
};

class LocalCloud : public Cloud, public ObjectStore {
 public:
  // Called from a thread of the cloud's own soon after an agent died, or a server, volume or port was removed by hand;
  // it must return quickly. Set once, before there is traffic; an empty function ends it and waits for a call in
  // progress.
  virtual void on_change(std::function<void()> callback) = 0;
  // "<base_url>/objects/<key>?expires=…&signature=…" for one method ("PUT" or "GET") and key, or for all keys that begin
  // so; whole seconds count.
  virtual std::string sign_url(const std::string& base_url, std::string_view method, const std::string& key,
                               Time expires, Signed what = Signed::object) const = 0;
};

// Finds what earlier processes left under the root, finishes or undoes what a crash cut short, and tells running guests
// a changed endpoint. invalid: a bad subnet or root.
Result<std::unique_ptr<LocalCloud>> open_local_cloud(LocalOptions options);

}  // namespace trove
