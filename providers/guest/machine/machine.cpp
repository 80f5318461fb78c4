#include "providers/guest/machine/machine.hpp"
#include <stdlib.h>
#include <memory>
#include <thread>
#include "providers/guest/agent/agent.hpp"
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/files.hpp"
#include "providers/guest/machine/disk.hpp"
#include "providers/guest/machine/identity.hpp"
#include "providers/guest/machine/uevents.hpp"
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {

constexpr Millis kJoinFileRetry{5'000};
constexpr Millis kLookAtDisk{60'000};   // when the kernel said nothing
constexpr Millis kBetweenLooks{1'000};  // however much it says

// The first boot: cloud-init may be about to write the file.
Result<Join> wait_for_join(const Places& places, const Cancel& stop) {
  std::string said;
  while (!stop.is_set()) {
    auto join = find_join(places);
    if (join) return join;
    if (said != join.error().message)
      log::error("this machine was not told which server it is; looking again", {{"error", join.error().message}});
    said = join.error().message;
    pause_for(kJoinFileRetry, stop);
  }
  return fail(Code::unavailable, "stopped before there was a join file");
}

void watch_disk(Disk& disk, Agent& agent, const Cancel& stop) {
  Uevents uevents;
  std::string said;
  for (bool news = false; !stop.is_set(); news = uevents.wait(kLookAtDisk, stop)) {
    auto grown = disk.grow(stop);
    const std::string error = grown || stop.is_set() ? "" : grown.error().message;
    if (!error.empty() && error != said) log::error("the volume did not grow", {{"error", error}});
    said = error;
    if (news || (grown && *grown) || disk.stale()) agent.volume_changed();
    pause_for(kBetweenLooks, stop);
  }
}

}  // namespace

Result<void> run_machine(const Places& places, const Clock& clock, Rng& rng, const Cancel& stop) {
  if (auto made = make_directory(places.state, 0711); !made) return made;
  auto join = wait_for_join(places, stop);
  if (!join) return stop.is_set() ? Result<void>() : tl::unexpected<Error>(join.error());
  log::info("trove-guest begins", {{"server", join->server}, {"endpoint", join->endpoint}, {"volume", join->volume}});
  // Engines carry it, and the agent after a restart knows them by it. Before there is a thread that reads it.
  setenv("TROVE_SERVER", join->server.c_str(), 1);

  auto door = std::make_shared<Door>();  // shared: the plane's and the identity's
  Identity identity(places, *join, door, clock, rng);
  if (auto opened = identity.open(); !opened) return opened;
  auto plane = make_http_plane(door);
  std::unique_ptr<Disk> disk;
  AgentOptions options{.server_dir = places.state + "/server", .has_guest_file = false, .volume_dir = "", .run_as = ""};
  if (!join->volume.empty()) {
    disk = std::make_unique<Disk>(places, join->volume, clock, rng);
    options.volume_dir = places.mount_point;
    options.volume_ready = [&disk](const Cancel& cancel) { return disk->ready(cancel); };
  }
  Agent agent(std::move(options), *plane, clock, rng);
  Cancel ending;  // of the two threads; the agent may end by itself
  std::thread joins([&] { identity.run(ending); });
  std::thread watcher([&] {
    if (disk) watch_disk(*disk, agent, ending);
  });
  auto done = agent.run(stop);
  ending.set();
  identity.stop();
  joins.join();
  watcher.join();
  return done;
}

}  // namespace trove::guest
