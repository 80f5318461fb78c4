// The cloud that OS_CLOUD names, as a test of the contract sees it: what it makes carries a uid of its own.
#pragma once
#include <chrono>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <thread>
#include "providers/openstack/lists.hpp"
#include "providers/openstack/openstack.hpp"
#include "specs/core/real.hpp"

namespace trove::openstack {

inline std::string setting(const char* name, const char* otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? text : otherwise;
}

struct Real {
  Real() {
    auto config = read_config(config_input(""));
    if (!config) throw std::runtime_error(to_string(config.error()));
    this->config = *config;
    cloud = open();
    uid = new_uid(rng);
  }
  std::unique_ptr<OpenStackCloud> open(Millis full_period = Millis{60'000}, const std::string& external = "") {
    auto made = open_openstack_cloud(Options{.config = config,
                                             .network = setting("TROVE_NETWORK", "rig-net"),
                                             .images = {{"", setting("TROVE_IMAGE", "empty")}},
                                             .external_network = external,
                                             .container = "trove-contract",
                                             .object_key = Secret("a key for tests only"),
                                             .guest_endpoint =
                                                 [](const Token&) {
                                                   return GuestEndpoint{"https://192.0.2.1:7780", "single use"};
                                                 },
                                             .full_period = full_period,
                                             .clock = clock,
                                             .rng = rng});
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }
  Token token(const char* role, int incarnation = 1) const { return {uid, role, incarnation}; }
  Outcome must(const CloudAction& action) {
    auto done = cloud->perform(action);
    if (!done) throw std::runtime_error(describe(action) + ": " + done.error().message);
    return *done;
  }
  // Observes until it holds; the last inventory.
  Inventory until(const std::function<bool(const Inventory&)>& holds, int seconds = 60) {
    Inventory seen;
    for (int i = 0; i < seconds * 4; ++i) {
      seen = cloud->observe();
      if (holds(seen)) return seen;
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
    }
    throw std::runtime_error("never came true; trouble: " + seen.trouble);
  }
  template <class Things>
  static auto find(const Things& things, const std::string& id) -> decltype(things.data()) {
    for (const auto& thing : things)
      if (thing.id == id) return &thing;
    return nullptr;
  }

  RealClock clock;
  RealRng rng;
  Config config;
  std::unique_ptr<OpenStackCloud> cloud;
  std::string uid;
};

}  // namespace trove::openstack
