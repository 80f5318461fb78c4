// openstack_exchanges [--record] GOLDEN: asks a cloud all of exchanges.yaml and compares its answers with GOLDEN, or
// writes that. The cloud is two entries of clouds.yaml of plain members of two projects, TROVE_USER_CLOUD (demo) and
// TROVE_OTHER_CLOUD (alt); all that is made is deleted.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>
#include "openstack/exchanges.hpp"
#include "providers/openstack/config.hpp"
#include "specs/core/real.hpp"

using namespace trove;

namespace {

std::string setting(const char* name, const char* otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? text : otherwise;
}

std::string read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  const bool record = argc == 3 && std::string(argv[1]) == "--record";
  if (argc != 2 && !record) return std::cerr << "usage: openstack_exchanges [--record] GOLDEN\n", 2;
  const std::string golden = argv[argc - 1];
  RealClock clock;
  RealRng rng;
  ExchangeRun run;
  for (const auto& [prefix, variable, otherwise] :
       {std::tuple{"", "TROVE_USER_CLOUD", "demo"}, std::tuple{"other_", "TROVE_OTHER_CLOUD", "alt"}}) {
    auto config = openstack::read_config(openstack::config_input(setting(variable, otherwise)));
    if (!config) return std::cerr << to_string(config.error()) << "\n", 2;
    run.given["auth"] = config->auth_url;
    run.given[prefix + std::string("user")] = config->user.name;
    run.given[prefix + std::string("password")] = config->password.reveal();
    run.given[prefix + std::string("project")] = config->project.name;
  }
  run.given["image_name"] = setting("TROVE_IMAGE", "empty");
  run.given["shared_network"] = setting("TROVE_NETWORK", "rig-net");
  run.given["run"] = new_uid(rng);
  run.now = [&] { return clock.wall(); };
  run.wait = [](Millis time) { std::this_thread::sleep_for(time); };
  const Millis began = clock.monotonic();
  run.progress = [&](const std::string& line) {
    std::cerr << (clock.monotonic() - began).count() / 1000 << " s: " << line << "\n";
  };
  auto done = exchange_all(read(TROVE_EXCHANGES), run);
  if (!done) return std::cerr << done.error().message << "\n", 2;
  if (!done->trouble.empty()) return std::cerr << done->text << done->trouble << "\n", 1;
  if (record) {
    std::ofstream(golden) << done->text;
    return 0;
  }
  const auto differences = exchange_differences(read(golden), done->text);
  for (const std::string& line : differences) std::cout << line << "\n";
  std::cout << done->count << " exchanges, " << differences.size() << " lines differ\n";
  return differences.empty() ? 0 : 1;
}
