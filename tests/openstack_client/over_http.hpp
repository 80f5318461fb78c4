// The OpenStack provider over HTTP against the simulated cloud, on a clock that the test moves.
#pragma once
#include "providers/openstack/openstack.hpp"
#include "providers/sim/http_face.hpp"
#include "support/clock.hpp"

namespace trove::openstack {

using Kind = SimHttpFault::Kind;

struct World {
  explicit World(const std::string& external_network = "", SimOptions simulated = options())
      : sim(clock, rng, std::move(simulated)) {
    auto started = SimHttp::start(sim, clock, rng);
    if (!started) throw std::runtime_error(started.error().message);
    face = std::move(*started);
    ConfigInput input;
    input.cloud = "sim";
    input.directories = {"."};
    input.read = [this](const std::string& path) -> std::optional<std::string> {
      if (path == "./clouds.yaml") return face->clouds_yaml();
      return std::nullopt;
    };
    auto read = read_config(input);
    if (!read) throw std::runtime_error(to_string(read.error()));
    config = *read;
    cloud = *open_openstack_cloud(Options{.config = config,
                                          .network = "sim-net",
                                          .images = {{"", "trove-guest"}},
                                          .external_network = external_network,
                                          .object_key = Secret("canary-object-key"),
                                          .guest_endpoint =
                                              [](const Token&) {
                                                return GuestEndpoint{"https://h", "once"};
                                              },
                                          .clock = clock,
                                          .rng = rng});
  }
  static SimOptions options() {
    SimOptions options = SimOptions::instant();
    options.uuids = true;
    return options;
  }
  Token token(const char* role) const { return {"11111111-2222-4333-8444-555555555555", role, 1}; }
  void fault(Kind kind, std::string service, std::string method = "", int times = -1, int status = 503,
             std::string path = "") {
    SimHttpFault fault;
    fault.kind = kind;
    fault.service = std::move(service);
    fault.method = std::move(method);
    fault.path = std::move(path);
    fault.times = times;
    fault.status = status;
    face->add_fault(std::move(fault));
  }
  // What there really is; the server's threads may still be at work.
  size_t volumes() {
    return count([](SimCloud& s) { return s.volumes().size(); });
  }
  size_t ports() {
    return count([](SimCloud& s) { return s.ports().size(); });
  }
  size_t servers() {
    return count([](SimCloud& s) { return s.servers().size(); });
  }
  template <class Of>
  size_t count(Of of) {
    size_t n = 0;
    face->locked([&](SimCloud& s) { n = of(s); });
    return n;
  }
  FakeClock clock;
  SeededRng rng{1};
  SimCloud sim;
  std::unique_ptr<SimHttp> face;
  Config config;
  std::unique_ptr<OpenStackCloud> cloud;
};

}  // namespace trove::openstack
