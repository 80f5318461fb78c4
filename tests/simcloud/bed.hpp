// A simulated cloud on a clock that the test moves, and short ways to ask things of it.
#pragma once
#include <catch2/catch.hpp>
#include <string>
#include "providers/sim/sim_cloud.hpp"
#include "providers/sim/sim_guest.hpp"
#include "support/clock.hpp"

namespace trove {

struct SimBed {
  explicit SimBed(SimOptions options = {}, uint64_t seed = 1) : rng(seed), cloud(clock, rng, std::move(options)) {}

  static Token token(std::string role, int incarnation = 1) { return {"uid-1", std::move(role), incarnation}; }
  Result<Outcome> port(int incarnation = 1) {
    return cloud.perform(CreatePort{token("port-0", incarnation), "p", "db-0", {"10.0.0.0/8"}});
  }
  Result<Outcome> volume(int64_t gib = 2, int incarnation = 1) {
    return cloud.perform(CreateVolume{token("data", incarnation), "p", "data", gib, ""});
  }
  Result<Outcome> server(const std::string& port, const std::string& volume, int incarnation = 1,
                         const std::string& flavor = "db.tiny") {
    return cloud.perform(
        CreateServer{token("server-0", incarnation), "p", "db-0", flavor, "mariadb", "", port, volume});
  }
  void pass(int64_t ms) { clock.advance(Millis{ms}); }
  // One port, volume and server; time passes until all are ready.
  struct Ids {
    std::string port, volume, server;
  };
  Ids ready() {
    Ids ids;
    ids.port = port()->id;
    ids.volume = volume()->id;
    pass(1'000);
    ids.server = server(ids.port, ids.volume)->id;
    pass(10'000);
    REQUIRE(status(ids.server) == "ACTIVE");
    return ids;
  }
  std::string status(const std::string& server) {
    const auto found = cloud.servers().find(server);
    return found == cloud.servers().end() ? "(gone)" : std::string(to_string(found->second.status));
  }
  std::string volume_status(const std::string& volume) {
    const auto found = cloud.volumes().find(volume);
    return found == cloud.volumes().end() ? "(gone)" : std::string(to_string(found->second.status));
  }

  FakeClock clock;
  SeededRng rng;
  SimCloud cloud;
};

inline std::string code_of(const Result<Outcome>& outcome) {
  return outcome ? "ok" : std::string(to_string(outcome.error().code));
}
inline std::string words_of(const Result<Outcome>& outcome) { return outcome ? "" : outcome.error().message; }

}  // namespace trove
