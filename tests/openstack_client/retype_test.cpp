// A volume's type: what Cinder is told, and what its refusals mean.
#include <catch2/catch.hpp>
#include "openstack_client/over_http.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {

SimOptions slow_retype() {
  SimOptions options = World::options();
  options.volume_retype = Millis{2'000};
  return options;
}

struct Bed : World {
  Bed() : World("", slow_retype()) {
    auto made = cloud->perform(CreateVolume{token("data"), "p", "v", 1, ""});
    if (!made) throw std::runtime_error(made.error().message);
    id = made->id;
  }
  CloudVolume volume() { return cloud->observe().volumes.at(0); }
  Result<Outcome> retype(const std::string& to) { return cloud->perform(RetypeVolume{token("data"), id, "", to}); }
  std::string id_of(const std::string& name) {
    for (const VolumeType& type : cloud->observe().volume_types)
      if (type.name == name) return type.id;
    return "";
  }
  std::string id;
};

}  // namespace

TEST_CASE("a volume is given another type by name and by id") {
  Bed bed;
  CHECK(bed.volume().type == "__DEFAULT__");
  REQUIRE(bed.retype("fast").has_value());
  CHECK(bed.volume().status == CloudVolume::Status::retyping);
  bed.clock.advance(Millis{2'000});
  CHECK(bed.volume().status == CloudVolume::Status::available);
  CHECK(bed.volume().type == "fast");
  REQUIRE(bed.id_of("__DEFAULT__").size() == 36);
  REQUIRE(bed.retype(bed.id_of("__DEFAULT__")).has_value());
  bed.clock.advance(Millis{2'000});
  CHECK(bed.volume().type == "__DEFAULT__");
}

TEST_CASE("the type that it has is done, in either word") {
  Bed bed;
  for (const std::string& type : {std::string("__DEFAULT__"), bed.id_of("__DEFAULT__")}) {
    CHECK(bed.retype(type).has_value());
    CHECK(bed.volume().status == CloudVolume::Status::available);
  }
}

TEST_CASE("a refusal is final while the volume is settled, and passes while it is at work") {
  Bed bed;
  bed.fault(Kind::error, "volume", "POST", 1, 400, "/action");
  const auto refused = bed.retype("fast");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::invalid);
  bed.fault(Kind::lost_reply, "volume", "POST", 1, 0, "/action");
  const auto silent = bed.retype("fast");
  REQUIRE_FALSE(silent.has_value());
  CHECK(silent.error().code == Code::outcome_unknown);
  const auto again = bed.retype("fast");  // while the first is at work
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Code::conflict);
  bed.clock.advance(Millis{2'000});
  CHECK(bed.retype("fast").has_value());
  CHECK(bed.volume().type == "fast");
}

TEST_CASE("a type that is not there is refused with Cinder's words and not tried again as if it would come") {
  Bed bed;
  const auto retyped = bed.retype("no-such-type");
  REQUIRE_FALSE(retyped.has_value());
  CHECK(retyped.error().code == Code::invalid);
  CHECK(retyped.error().message.find("Volume type with name no-such-type could not be found.") != std::string::npos);
  const auto made = bed.cloud->perform(CreateVolume{bed.token("data"), "p", "v", 1, "no-such-type"});
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().code == Code::invalid);
}

TEST_CASE("nobody else's volume is given another type") {
  Bed bed;
  const auto theirs = bed.cloud->perform(RetypeVolume{{"somebody", "data", 1}, bed.id, "", "fast"});
  REQUIRE_FALSE(theirs.has_value());
  CHECK(theirs.error().code == Code::denied);
  const auto gone = bed.cloud->perform(RetypeVolume{bed.token("data"), new_uid(bed.rng), "", "fast"});
  REQUIRE_FALSE(gone.has_value());
  CHECK(gone.error().code == Code::not_found);
  CHECK(bed.volume().type == "__DEFAULT__");
}

TEST_CASE("volume types are read as seldom as flavors, and trouble nobody when they cannot be") {
  Bed bed;
  const auto asked = [&] {  // of one observation, in requests to Cinder
    const auto count = [&] {
      uint64_t n = 0;
      for (const CloudRequests& one : bed.cloud->report().by_service)
        if (one.service == "cinder") n += one.count;
      return n;
    };
    const uint64_t before = count();
    (void)bed.cloud->observe();
    return count() - before;
  };
  bed.fault(Kind::error, "volume", "GET", -1, 403, "/types");
  const Inventory blind = bed.cloud->observe();
  CHECK(blind.volume_types.empty());
  CHECK(blind.volumes_known);
  CHECK(blind.trouble.empty());
  asked();
  CHECK(asked() == 1);  // the volumes
  bed.face->clear_faults();
  bed.clock.advance(Millis{61'000});
  CHECK(bed.cloud->observe().volume_types.size() == 2);
  CHECK(asked() == 1);
  CHECK(bed.cloud->observe().volume_types.size() == 2);
}
