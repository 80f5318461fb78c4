// The cloud that a control plane works on, with what comes with it: where guests call, who signs their URLs. Made by
// main before the API and the loop, and outlives them.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/object_store.hpp"
#include "reconciler/api/api.hpp"
#include "reconciler/loop/loop.hpp"
#include "reconciler/store/seal.hpp"

namespace trove {

struct SiteOptions {
  std::string data;  // directory
  // Of the local cloud.
  std::string guest_program, subnet;
  std::string url;  // of the API, which local guests call as well
  // Of OpenStack.
  std::string os_cloud;             // in clouds.yaml; "" = OS_CLOUD, or the other OS_* variables
  std::string network;              // name or id
  std::vector<std::string> images;  // "NAME" or "DATASTORE=NAME" or "DATASTORE VERSION=NAME"
  std::string guest_url;            // https://HOST:PORT that machines can reach
  std::string guest_listen;         // ADDRESS:PORT; "" = that of guest_url
  std::string availability_zone, external_network, key_pair, container = "trove-backups";
  int remove_leaks_hours = 0;  // 0 = leaks are only reported
  int observe_seconds = 30;  // between looks at a cloud in which nothing of ours moves
};

class Site {
 public:
  virtual ~Site() = default;
  virtual Cloud& cloud() = 0;
  virtual Hub::Sign sign() = 0;
  virtual LoopOptions loop_options() const { return {}; }
  virtual ObjectStore* object_store() { return nullptr; }
  virtual Joins* joins() { return nullptr; }
  virtual std::vector<CloudRequests> requests() const { return {}; }  // any thread
  // Something happened in the cloud; once, before start().
  virtual void on_change(std::function<void()>) {}
  // Lets guests in, when they do not come through the API's own door.
  virtual Result<void> start(Api&) { return {}; }
  virtual void stop() = 0;  // no call of start()'s or on_change()'s is in progress when it returns
};

Result<std::unique_ptr<Site>> open_local_site(const SiteOptions& options, const Sealer& sealer, const Clock& clock,
                                              Rng& rng);
Result<std::unique_ptr<Site>> open_openstack_site(const SiteOptions& options, Store& store, const Sealer& sealer,
                                                  const Clock& clock, Rng& rng);

// "127.0.0.1:7780" to its parts; the port is -1 when there is none that can be.
std::pair<std::string, int> split_address(const std::string& text);
// A file that only its owner may read, in place at once or not at all.
Result<void> write_private(const std::string& path, const std::string& text);

}  // namespace trove
