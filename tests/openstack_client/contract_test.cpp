// The same contract that tests/openstack/run holds against a real cloud, here against the simulated one over HTTP.
#include <cstdlib>
#include "providers/sim/http_face.hpp"
#include "specs/core/real.hpp"
#include "support/temp_dir.hpp"

namespace {

// Lives as long as the program: the tests find it by OS_* variables, as they would a real one.
struct SimulatedCloud {
  SimulatedCloud() : cloud(clock, rng, options()) {
    auto started = trove::SimHttp::start(cloud, clock, rng);
    if (!started) throw std::runtime_error(started.error().message);
    face = std::move(*started);
    trove::write_file(dir.path() / "clouds.yaml", face->clouds_yaml());
    ::setenv("OS_CLIENT_CONFIG_FILE", (dir / "clouds.yaml").c_str(), 1);
    ::setenv("OS_CLOUD", "sim", 1);
    ::setenv("TROVE_NETWORK", "sim-net", 1);
    ::setenv("TROVE_IMAGE", "trove-guest", 1);
    ::setenv("TROVE_SERVER_GROUP", "apart", 1);
    ::setenv("TROVE_EXTERNAL_NETWORK", "public", 1);
  }
  static trove::SimOptions options() {
    trove::SimOptions options = trove::SimOptions::instant();
    options.uuids = true;
    return options;
  }
  trove::RealClock clock;
  trove::RealRng rng;
  trove::TempDir dir;
  trove::SimCloud cloud;
  std::unique_ptr<trove::SimHttp> face;
};
SimulatedCloud simulated;

}  // namespace

#include "../openstack/contract.cpp"
#include "../openstack/contract_ports.cpp"
