// One control plane of a simulated world: the product's own loop, planner, guardian, hub and API, over a store and a
// cloud with faults. Made at a boot and gone at a crash; what it knew is in the store or lost. One thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include "providers/http/server.hpp"
#include "reconciler/api/api.hpp"
#include "reconciler/loop/loop.hpp"
#include "reconciler/simulate/faulty_cloud.hpp"
#include "reconciler/simulate/faulty_store.hpp"

namespace trove::simulate {

inline constexpr const char* kPersonToken = "simulated-person-0123456789";

// Effects at once, or each a little later than it was asked for, so that other things come between and one overtakes
// another.
class SlowExecutor final : public Executor {
 public:
  SlowExecutor(const SimClock& clock, bool slow) : clock_(clock), slow_(slow) {}
  void post(std::function<void()> work) override;
  void run_due();
  std::optional<Millis> next() const;  // from now

 private:
  const SimClock& clock_;
  bool slow_;
  uint64_t posted_ = 0;
  std::map<std::pair<Millis, uint64_t>, std::function<void()>> due_;
};

class Plane {
 public:
  struct Surroundings {
    Store& store;
    Cloud& cloud;
    const Sealer& sealer;
    Injector& injector;
    const SimClock& clock;
    Rng& rng;
    FaultyStore::Committed committed;
    FaultyCloud::Deliver deliver;
    Seen seen;
    Asked asked;
    Judge judge;
    Snapshots* snapshots;
    bool async;  // effects take their time
  };
  Plane(std::string name, const Surroundings& around);
  // Reads the store and begins to watch it. May throw Crash.
  Result<void> start();
  // News in, one step. How long nothing will happen by itself. May throw Crash.
  Millis turn();
  // As a person with a token of all projects. May throw Crash.
  http::Response ask(const std::string& method, const std::string& path, const std::string& body,
                     const std::string& content_type, const std::string& if_match = "");
  // Nothing of it reaches anybody from here on; it can only be destroyed.
  void die() { store_.die(); }

  const std::string& name() const { return name_; }
  Hub& hub() { return hub_; }
  Loop& loop() { return loop_; }
  bool inside() const { return inside_; }  // its code is on the stack: it is paused in the middle of an effect

 private:
  void read_again();

  std::string name_;
  FaultyStore store_;
  FaultyCloud cloud_;
  Injector& injector_;
  SlowExecutor executor_;
  Objects objects_;
  Hub hub_;
  Loop loop_;
  Applier applier_;
  Api api_;
  std::unique_ptr<Watch> watch_;
  bool inside_ = false;
};

}  // namespace trove::simulate
