// trove-sim-guests: a simulated guest for each server of a cloud whose hypervisor starts none (Nova's fake driver, or
// trove-sim-cloud). Lists the servers as an administrator, reads their user data, and lets each call home.
#include <signal.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include "openstack/guests/caller.hpp"
#include "providers/openstack/lists.hpp"
#include "providers/openstack/records.hpp"
#include "providers/sim/sim_guest.hpp"
#include "specs/core/log.hpp"
#include "specs/core/real.hpp"
#include "specs/json.hpp"

using namespace trove;

namespace {

constexpr const char* kUsage =
    "usage: trove-sim-guests --os-cloud NAME --state DIR [--quick]\n"
    "  --os-cloud  an administrator's, in clouds.yaml\n"
    "  --state     keys and certificates of the guests, and guests.json: what each has\n"
    "  --quick     engines start at once\n";
constexpr Millis kTick{100}, kList{1'000}, kListAtRest{2'000};

struct Seen {
  Server server;
  std::string user_data;
};

tl::expected<std::vector<Seen>, openstack::Failure> list(openstack::Session& session) {
  auto rows = openstack::list_all(session, {openstack::Service::compute, "/servers/detail", "servers", "all_tenants=True"});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Seen> out;
  for (const Value& row : *rows)
    if (auto server = openstack::server_of(row)) out.push_back({std::move(*server), row["OS-EXT-SRV-ATTR:user_data"].text()});
  return out;
}

class Machines {
 public:
  Machines(std::string state, SimGuestOptions options, const Clock& clock, Rng& rng)
      : state_(std::move(state)), options_(std::move(options)), clock_(clock), rng_(rng), cloud_(clock, rng, SimOptions::instant()) {}

  // What the cloud says; servers that it no longer names are gone, with their machines.
  void mirror(const std::vector<Seen>& seen) {
    std::set<std::string> there;
    for (const Seen& one : seen) {
      const std::string& id = one.server.id;
      if (!machines_.contains(id)) {
        auto home = home_of(one.user_data);
        if (!home) continue;
        const std::string directory = state_ + "/" + id;
        machines_.try_emplace(id, Machine{SimGuest(id, options_), std::make_unique<Caller>(std::move(*home), directory, clock_, rng_), {}, {}, 0});
      }
      there.insert(id);
      Machine& machine = machines_.at(id);
      const bool on = is_on(one.server.status);
      // Its operating system started when it came on, or when Nova moved it to another flavor.
      if (on && (!is_on(machine.status) || machine.flavor != one.server.flavor)) ++machine.boots;
      machine.status = one.server.status;
      machine.flavor = one.server.flavor;
      Server row = one.server;
      for (const auto& [volume_id, volume] : cloud_.volumes())
        if (volume.server_id == id && volume_id != row.volume_id) detached_.push_back(volume);
      for (CloudVolume& volume : detached_) {
        volume.server_id.clear();
        cloud_.plant(volume);
      }
      detached_.clear();
      if (!row.volume_id.empty())
        cloud_.plant(CloudVolume{.id = row.volume_id, .status = CloudVolume::Status::in_use, .server_id = id});
      cloud_.plant(std::move(row));
      cloud_.model().server_more[id].boots = machine.boots;
      machine.caller->power(on);
    }
    for (auto it = machines_.begin(); it != machines_.end();) {
      if (there.contains(it->first)) {
        ++it;
        continue;
      }
      cloud_.model().servers.erase(it->first);
      it = machines_.erase(it);
    }
  }

  // True while something moves.
  bool tick() {
    bool busy = false;
    for (auto& [id, machine] : machines_) {
      if (auto document = machine.caller->take()) machine.guest.take(*document);
      if (auto report = machine.guest.step(cloud_, clock_, rng_); report || machine.unsaid) {
        if (report) machine.unsaid = std::move(report);
        if (machine.caller->report(*machine.unsaid)) machine.unsaid.reset();
        busy = true;
      }
      busy = busy || !machine.guest.running();
    }
    return busy;
  }

  std::string describe() {
    Value out = Value::list();
    for (auto& [id, machine] : machines_) {
      Value databases = Value::map();
      if (const SimDisk* disk = cloud_.disk_of(id))
        for (const auto& [name, rows] : disk->databases) databases.set(name, rows);
      out.push_back(Value::map({{"id", id},
                                {"server", machine.caller->server()},
                                {"heard", machine.caller->heard()},
                                {"running", machine.guest.running()},
                                {"databases", std::move(databases)}}));
    }
    return dump_json(out);
  }

 private:
  struct Machine {
    SimGuest guest;
    std::unique_ptr<Caller> caller;
    std::optional<guest::Report> unsaid;
    std::string flavor;
    int boots = 0;
    Server::Status status = Server::Status::build;
  };
  static bool is_on(Server::Status status) {
    return status == Server::Status::active || status == Server::Status::verify_resize;
  }

  const std::string state_;
  const SimGuestOptions options_;
  const Clock& clock_;
  Rng& rng_;
  SimCloud cloud_;  // the servers as the real cloud has them, and their disks, which it has not
  std::map<std::string, Machine> machines_;
  std::vector<CloudVolume> detached_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string cloud, state;
  SimGuestOptions guests;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help") return std::cout << kUsage, 0;
    if (word == "--quick") guests.boot = guests.initialise = guests.restore = guests.start = Millis{100};
    else if (word == "--os-cloud" && i + 1 < argc) cloud = argv[++i];
    else if (word == "--state" && i + 1 < argc) state = argv[++i];
    else return std::cerr << kUsage, 2;
  }
  if (cloud.empty() || state.empty()) return std::cerr << kUsage, 2;
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);

  auto config = openstack::read_config(openstack::config_input(cloud));
  if (!config) return std::cerr << to_string(config.error()) << "\n", 1;
  RealClock clock;
  RealRng rng;
  auto transport = openstack::make_transport(config->ca_file);
  openstack::Session session(*config, *transport, clock, rng);
  session.set_microversion(openstack::Service::compute, "compute 2.79");
  std::filesystem::create_directories(state);

  Machines machines(state, guests, clock, rng);
  Millis list_at{0};
  std::string said, told;
  std::cout << "ready" << std::endl;
  for (;;) {
    timespec wait{0, kTick.count() * 1'000'000};
    if (sigtimedwait(&ends, nullptr, &wait) > 0) return 0;
    if (clock.monotonic() >= list_at) {
      auto seen = list(session);
      if (seen) machines.mirror(*seen);
      const std::string trouble = seen ? "" : seen.error().error.message;
      if (trouble != said) log::warning("the servers cannot be listed", {{"why", trouble}});
      said = trouble;
      list_at = clock.monotonic() + kListAtRest;
    }
    if (machines.tick()) list_at = std::min(list_at, clock.monotonic() + kList);
    if (std::string now = machines.describe(); now != told) {
      std::ofstream(state + "/guests.json.new", std::ios::trunc) << (told = std::move(now)) << "\n";
      std::filesystem::rename(state + "/guests.json.new", state + "/guests.json");
    }
  }
}
