// What this cloud can do, asked once of each service, when it first answers; one that is down keeps nobody from the
// others. What is lacking is named with what is lost. Also fixes the microversions, so that every later answer has one
// shape. Pure but for the requests.
#pragma once
#include <set>
#include <string>
#include <vector>
#include "providers/openstack/session.hpp"

namespace trove::openstack {

struct Capabilities {
  std::set<Service> asked;
  std::string nova, cinder;     // the microversions that are used; "" = not asked yet
  bool server_tags = true;      // a server can be looked for by its token
  bool volume_changes = false;  // its list can be limited to what changed
  bool object_store = true;
  std::vector<std::string> lost;  // for people
};
// Asks one service, and adds what it says. invalid: this cloud will not do, and why. Everything else: ask again later.
tl::expected<void, Failure> probe(Session& session, Service service, Capabilities& out);

// 2.9 is before 2.10; {0, 0} for what is no version.
std::pair<int, int> parse_version(std::string_view text);

}  // namespace trove::openstack
