// troved over an OpenStack cloud whose servers are rows, with simulated guests that call home: over trove-sim-cloud, or,
// under tests/openstack/run, over the real services. Owned by one test.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "providers/openstack/session.hpp"
#include "specs/core/real.hpp"
#include "support/system.hpp"

namespace trove {

class Fleet {
 public:
  explicit Fleet(int observe_seconds = 5);
  ~Fleet();
  System& control() { return *system_; }
  bool is_real() const { return real_; }

  // trovectl until it succeeds: the daemon may be dead at the moment.
  std::string persist(std::vector<std::string> arguments, const std::string& input = "", int seconds = 120);
  // `times` kill -9 of troved at random moments, each followed by a start.
  void kill_again_and_again(int times);
  // All objects of the set ready at the newest generation, or the words of `why`.
  std::string settle(const std::string& yaml, int seconds = 300);

  // The cloud as its own clients see it: the control plane's project.
  std::vector<Value> list(openstack::Service service, const std::string& path, const std::string& key);
  Value ask(openstack::Service service, const std::string& method, const std::string& path, Value body = {});
  std::vector<Value> servers() { return list(openstack::Service::compute, "/servers/detail", "servers"); }
  std::vector<Value> volumes() { return list(openstack::Service::volume, "/volumes/detail", "volumes"); }
  std::vector<Value> ports() { return list(openstack::Service::network, "/ports", "ports"); }
  std::vector<Value> groups() { return list(openstack::Service::network, "/security-groups", "security_groups"); }
  // Something that is not ours; the test's end takes it away.
  void plant(openstack::Service service, const std::string& path, const std::string& key, Value thing);
  std::string network_id();
  void break_server(const std::string& id);  // it goes to ERROR, as an administrator can make it
  // Takes a service away, or brings it back: "nova-api" "cinder-api" "keystone" as tests/openstack/service has them.
  void service(const std::string& name, bool on);

 private:
  bool real_ = false;
  TempDir dir_;
  std::string network_ = "sim-net", image_ = "trove-guest", cloud_ = "sim", admin_ = "sim";
  std::unique_ptr<Process> sim_, guests_;
  std::string sim_url_;
  RealClock clock_;
  RealRng rng_;
  std::unique_ptr<openstack::Transport> transport_;
  std::unique_ptr<openstack::Session> session_, admin_session_;
  std::vector<std::pair<openstack::Service, std::string>> planted_;
  std::unique_ptr<System> system_;
};

}  // namespace trove
