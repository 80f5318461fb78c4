// How long things take in the simulated cloud, how often they go wrong by themselves, and where its quotas are. Chances
// are in per mille; nothing is drawn for a chance of 0, so adding an option changes no old seed. Plain data.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>
#include "providers/cloud.hpp"

namespace trove {

struct SimOptions {
  Millis server_build{2'000};   // BUILD to ACTIVE
  Millis port_claim{200};       // of the build: until then a second server may still ask for the same port
  Millis server_delete{1'000};  // DELETING to gone
  Millis server_boot{1'000};    // start and reboot
  Millis server_stop{500};
  Millis server_resize{3'000};  // RESIZE to VERIFY_RESIZE
  Millis server_confirm{300};   // VERIFY_RESIZE to ACTIVE, also for a revert
  Millis volume_create{500}, volume_delete{500}, volume_extend{500};
  Millis volume_retype{2'000};  // the data is copied
  Millis attach{300};  // also a detachment

  int server_error = 0;  // builds that end in ERROR: "No valid host was found"
  int resize_error = 0;  // resizes that end in ERROR
  int volume_error = 0;  // creates that end in `error`
  int extend_error = 0;  // extensions that end in `error_extending`
  int retype_error = 0;  // retypes that end with the old type, and without a word
  int stuck_delete = 0;  // a volume that becomes `error_deleting`, a server that stays DELETING; asked again, it goes

  int64_t max_cores = -1, max_ram_mib = -1;
  int64_t max_servers = -1, max_volumes = -1, max_gigabytes = -1, max_ports = -1;  // quotas; -1 = none
  size_t page = 1000;  // of lists: the most that one answer holds (HTTP face)
  bool uuids = false;  // ids are UUIDs; otherwise sim-1, sim-2, …

  std::vector<Flavor> flavors = {
      {"db.nano", 256, 1, "flavor-1"}, {"db.tiny", 512, 1, "flavor-2"}, {"db.small", 1024, 1, "flavor-3"}};

  std::vector<VolumeType> volume_types = {{"type-1", "__DEFAULT__"}, {"type-2", "fast"}};  // the first: of who asks for none

  // By name. (The HTTP face has groups as its clients make them.)
  std::set<std::string> zones = {"nova"}, server_groups = {"apart"};

  // Everything happens at once: for tests of what does not depend on time.
  static SimOptions instant() {
    SimOptions o;
    o.server_build = o.port_claim = o.server_delete = o.server_boot = o.server_stop = o.server_resize =
        o.server_confirm = o.volume_create = o.volume_delete = o.volume_extend = o.volume_retype = o.attach =
            Millis{0};
    return o;
  }
};

}  // namespace trove
