// OpenStack as a cloud: Keystone, Nova, Cinder, Neutron, Glance and Swift of one project behind observe() and
// perform(). Owned by a program's main; any thread may call it, as providers/cloud.hpp says. Opening does not talk to
// the cloud: one that is down now is asked again at every observation.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/object_store.hpp"
#include "providers/openstack/config.hpp"
#include "providers/openstack/transport.hpp"

namespace trove::openstack {

struct Options {
  Config config;
  // By name or id. Servers get their addresses from this network; it should belong to the project that we work in, for
  // only a network's owner may choose MAC addresses.
  std::string network;
  // What servers boot from: for "mariadb 10.11", else for "mariadb", else for "".
  std::map<std::string, std::string> images;
  std::string availability_zone;  // of servers and volumes that name none; "" = the cloud's choice
  std::string external_network;   // by name or id: where floating IPs come from; "" = there are none
  std::string key_pair;           // "" = none
  std::string container = "trove-backups";
  Secret object_key;  // signs the URLs of objects
  // A server's way home: asked once for each POST of a server, so the token may be good for a single use.
  std::function<Result<GuestEndpoint>(const Token&)> guest_endpoint;
  std::string guest_ca;  // PEM: whom guests trust; "" = the system's authorities
  // While nothing of ours is in flight, Nova and Cinder are asked for changes only, and everything is read this often:
  // what others delete there, or change in security groups, is noticed by then.
  Millis full_period{60'000};
  const Clock& clock;
  Rng& rng;
  std::unique_ptr<Transport> transport;  // null = the real one
};

class OpenStackCloud : public Cloud {  // report(): thread-safe
 public:
  // A short-lived URL for one method ("PUT" or "GET") and object, or all objects whose keys begin so, without asking
  // anybody. unavailable: no observation has reached Swift yet.
  virtual Result<std::string> sign_url(std::string_view method, const std::string& key, Time expires,
                                       Signed what = Signed::object) = 0;
  struct Report {
    std::string nova, cinder;       // microversions; "" = not asked yet
    std::vector<std::string> lost;  // what this cloud cannot do, for people
    uint64_t requests = 0, logins = 0, replays = 0;
    std::vector<CloudRequests> by_service;
  };
  virtual Report report() const = 0;
  virtual void stop() = 0;  // ends requests in progress, and refuses later ones
};
// invalid: an option that cannot be.
Result<std::unique_ptr<OpenStackCloud>> open_openstack_cloud(Options options);

// What a server is told at its first start, as cloud-init reads it: one file, /etc/trove-guest/join.json, that holds
// the server's name, where to call, a single-use token, whom to trust, and by which id its data disk is known ("" =
// none). JSON, which is YAML too.
std::string guest_user_data(const Token& token, const GuestEndpoint& endpoint, const std::string& ca,
                            const std::string& volume_id);

}  // namespace trove::openstack
