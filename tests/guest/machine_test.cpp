// The whole machine: join, disk, agent and a real Redis, against a control plane that speaks TLS.
#include "providers/guest/machine/machine.hpp"
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <thread>
#include "control_plane.hpp"
#include "machine_bed.hpp"
#include "providers/guest/engines/process.hpp"
#include "tests/support/system.hpp"

namespace trove::guest {

namespace {

struct World : MachineBed {
  World() : control(dir / "control") {
    control.tokens[kServer] = "sesame";
    guest::write_file(places.join_file,
                      dump_json(Value::map({{"server", kServer},
                                            {"endpoint", control.url()},
                                            {"token", "sesame"},
                                            {"volume", kVolumeId},
                                            {"ca", control.ca()}})),
                      0600);
    Document& d = control.document;
    d.engine = Engine::redis;
    d.instance_uid = "uid-1";
    d.address = "127." + std::to_string(64 + getpid() % 64) + "." + std::to_string(getpid() / 64 % 256) + ".200";
    d.port = engine_port(d.engine);
    d.allowed_cidrs = {"127.0.0.0/8"};
    d.memory_mib = 64;
  }
  ~World() {
    stop();
    if (auto mark = engine()) end_process(*mark, SIGKILL, Millis{5'000}, nullptr);
    remove_tree("/tmp/trove-" + sha256_hex(places.state + "/server").substr(0, 16));
  }
  void start() {
    cancel.emplace();
    thread = std::thread([this] { (void)run_machine(places, clock, rng, *cancel); });
  }
  void stop() {
    if (!thread.joinable()) return;
    cancel->set();
    thread.join();
  }
  bool reports(const std::function<bool(const Report&)>& fits) {
    return eventually([&] { return fits(control.latest()); }, Millis{30'000});
  }
  bool runs() {
    return reports([](const Report& r) { return r.engine_state == "Running"; });
  }
  std::optional<ProcessMark> engine() {
    const auto text = guest::read_file(places.state + "/server/run/engine.pid", 100);
    return text ? mark_process(atoi(text->c_str())) : std::nullopt;
  }

  ControlPlane control;
  RealClock clock;
  RealRng rng;
  std::optional<Cancel> cancel;
  std::thread thread;
};

}  // namespace

TEST_CASE("a machine says that its volume is missing, and runs its engine on it once it is there") {
  World world;
  if (!world.can_use_disks()) return;
  world.start();
  CHECK(world.reports([](const Report& r) {
    return r.engine_state == "Failed" && r.engine_message == "the volume " + kVolumeId + " is not attached yet";
  }));
  CHECK_FALSE(exists(world.places.mount_point + "/trove-volume.json"));  // nothing on the root disk

  const auto device = world.attach_file("disk", 128 << 20, kVolumeId.substr(0, 20));
  REQUIRE(world.runs());
  struct stat data {
  }, disk{};
  REQUIRE(stat((world.places.mount_point + "/data").c_str(), &data) == 0);
  REQUIRE(stat(world.dev(device).c_str(), &disk) == 0);
  CHECK(data.st_dev == disk.st_rdev);
  CHECK(world.reports(
      [](const Report& r) { return r.volume_total_bytes > (100 << 20) && r.volume_total_bytes < (128 << 20); }));
  for (const auto& name : world.control.names()) CHECK(name.find(" " + kServer) != std::string::npos);

  // The agent ends, the engine stays; the next agent finds both.
  const auto before = world.engine();
  REQUIRE(before);
  world.stop();
  CHECK(world.engine() == before);
  const std::string agent = world.control.latest().agent;
  world.start();
  CHECK(world.reports([&](const Report& r) { return r.agent != agent && r.engine_state == "Running"; }));
  CHECK(world.engine() == before);
  CHECK(world.control.joins == 1);

  // The volume goes while the engine runs, which does not notice; another disk's news make us look.
  const std::string serial = world.places.sys + "/block/" + device + "/serial";
  remove_tree(serial);
  world.detach(world.attach_file("other", 8 << 20, ""));
  CHECK(world.reports([](const Report& r) { return r.engine_state == "Failed"; }));
  CHECK(eventually([&] { return !world.engine(); }, Millis{20'000}));
  guest::write_file(serial, kVolumeId, 0600);
  REQUIRE(world.runs());
  const auto again = world.engine();
  REQUIRE(again);
  CHECK(again != before);

  // The volume goes while the engine is down: no empty engine takes its place.
  world.stop();
  end_process(*again, SIGTERM, Millis{10'000}, nullptr);
  world.must({"umount", world.places.mount_point});
  world.detach(device);
  world.start();
  CHECK(world.reports([](const Report& r) {
    return r.engine_state == "Failed" && r.engine_message.find("not attached yet") != std::string::npos;
  }));
  CHECK(names_in(world.places.mount_point).empty());
}

TEST_CASE("a machine refuses a volume of somebody else, and says what it holds") {
  World world;
  if (!world.can_use_disks()) return;
  const auto device = world.attach_file("disk", 64 << 20, kVolumeId);
  world.must({"mkfs.ext4", "-q", "-L", "theirs", world.dev(device)});
  const std::string before = world.checksum(device);
  world.start();
  CHECK(world.reports([](const Report& r) {
    return r.engine_state == "Failed" &&
           r.engine_message.find("holds an ext4 without a marker of ours: it is not touched") != std::string::npos;
  }));
  world.stop();
  CHECK(world.checksum(device) == before);
}

}  // namespace trove::guest
