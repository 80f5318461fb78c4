// What people do in a run: documents applied and objects deleted, each at its time. Everything else follows.
// Plain data; thread-safe.
#pragma once
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "providers/sim/sim_options.hpp"
#include "specs/resource.hpp"

namespace trove::simulate {

struct Deed {
  Millis at{0};
  std::string body;        // of an apply: documents as JSON; "" = a deletion
  Key remove;              // deleted otherwise
  bool refused = false;    // the API has to refuse it
  std::string field = {};  // and to name this field when it does
};

struct Scenario {
  std::string name, doc;
  std::vector<Deed> deeds;  // in order of time
  std::string project = "p";
  std::vector<Flavor> flavors;  // that the cloud has besides its own
  std::set<std::string> pinned = {};  // parameters that wait for a restart for ever: the engine is stubborn
  std::vector<VolumeType> volume_types = {};  // that the cloud has besides its own
  std::set<std::string> zones = {}, server_groups = {};  // likewise
};

// Documents of YAML as the body of an apply: read once, sent often.
std::string body_of(const std::string& yaml);

const std::vector<Scenario>& scenarios();
const Scenario* find_scenario(std::string_view name);  // nullptr: there is none of this name

}  // namespace trove::simulate
