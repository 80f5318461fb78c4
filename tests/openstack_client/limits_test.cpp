// What a project may have and has: Nova's and Cinder's limits.
#include <catch2/catch.hpp>
#include "openstack_client/over_http.hpp"
#include "providers/openstack/records.hpp"
#include "specs/json.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {

SimOptions small() {
  SimOptions options = World::options();
  options.max_servers = 4, options.max_cores = 8, options.max_ram_mib = 4096, options.max_gigabytes = 100;
  return options;
}

std::string text(const std::optional<Quota>& quota) {
  return quota ? std::to_string(quota->used) + "/" + std::to_string(quota->most) : "unknown";
}
std::string text(const Limits& limits) {
  return text(limits.instances) + " " + text(limits.cores) + " " + text(limits.ram_mib) + " " + text(limits.volumes) + " " +
         text(limits.gigabytes);
}

}  // namespace

TEST_CASE("quotas and what is used of them are read from Nova and Cinder") {
  World world("", small());
  CHECK(text(world.cloud->observe().limits) == "0/4 0/8 0/4096 0/-1 0/100");
  REQUIRE(world.cloud->perform(CreateVolume{world.token("data"), "p", "v", 7, ""}).has_value());
  auto port = world.cloud->perform(CreatePort{world.token("port-0"), "p", "db-0", {}});
  REQUIRE(port.has_value());
  REQUIRE(world.cloud
              ->perform(CreateServer{world.token("server-0"), "p", "db-0", "db.small", "mariadb", "", port->id, ""})
              .has_value());
  (void)world.cloud->observe();
  world.clock.advance(Millis{61'000});
  CHECK(text(world.cloud->observe().limits) == "1/4 1/8 1024/4096 1/-1 7/100");
}

TEST_CASE("limits are asked for seldom, and a little more often after something was made") {
  World world("", small());
  const auto asked = [&] {  // of one observation, in requests to Nova
    const auto count = [&] {
      uint64_t n = 0;
      for (const CloudRequests& one : world.cloud->report().by_service)
        if (one.service == "nova") n += one.count;
      return n;
    };
    const uint64_t before = count();
    (void)world.cloud->observe();
    return count() - before;
  };
  asked();
  world.clock.advance(Millis{300'000});
  CHECK(asked() == 1);  // the servers
  REQUIRE(world.cloud->perform(CreateVolume{world.token("data"), "p", "v", 7, ""}).has_value());
  CHECK(asked() == 2);
  CHECK(asked() == 1);
  world.clock.advance(Millis{599'000});
  CHECK(asked() == 2);  // the flavors, which are older
  CHECK(asked() == 1);
  world.clock.advance(Millis{2'000});
  CHECK(asked() == 2);
  CHECK(asked() == 1);
}

TEST_CASE("limits that cannot be read are unknown and trouble nobody") {
  World world("", small());
  world.fault(Kind::error, "volume", "GET", -1, 503, "/limits");
  Inventory seen = world.cloud->observe();
  CHECK(text(seen.limits) == "0/4 0/8 0/4096 unknown unknown");
  CHECK(seen.trouble.empty());
  CHECK(seen.volumes_known);
  world.face->clear_faults();
  world.clock.advance(Millis{61'000});
  CHECK(text(world.cloud->observe().limits) == "0/4 0/8 0/4096 0/-1 0/100");
}

TEST_CASE("a limit that is missing or is no number stays unknown") {
  Limits limits;
  add_limits(*parse_json(R"({"maxTotalCores":20,"totalCoresUsed":3,"maxTotalInstances":"many","totalInstancesUsed":1,)"
                         R"("maxTotalRAMSize":-1,"totalRAMUsed":512,"maxTotalVolumes":5})"),
             limits);
  CHECK(text(limits) == "unknown 3/20 512/-1 unknown unknown");
}

TEST_CASE("a server that does not fit the quota is refused in Nova's words") {
  SimOptions options = small();
  options.max_ram_mib = 1500;
  World world("", options);
  const auto create = [&](const char* role, const char* flavor) {
    auto port = world.cloud->perform(CreatePort{world.token(role), "p", "db", {}});
    REQUIRE(port.has_value());
    return world.cloud->perform(CreateServer{{world.token("x").uid, role, 9}, "p", "db", flavor, "mariadb", "", port->id, ""});
  };
  const auto first = create("port-0", "db.small");
  REQUIRE(first.has_value());
  const auto second = create("port-1", "db.tiny");
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Code::no_space);
  CHECK(second.error().message.find("Quota exceeded for ram: Requested 512, but already used 1024 of 1500 ram") !=
        std::string::npos);
}
