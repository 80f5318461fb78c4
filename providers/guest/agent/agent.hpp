// The agent of one database server: fetches the document, brings the engine to it, keeps it there, reports. One
// reconcile thread (whoever calls run) owns driver, memory and engine; one thread fetches, one reports, one uploads a
// backup at a time. It never ends because the control plane is away, and the engine outlives it.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/process.hpp"
#include "specs/core/time.hpp"

namespace trove::guest {

struct AgentOptions {
  std::string server_dir;        // absolute; guest.json lies here
  bool has_guest_file = true;    // false: no guest.json, and nothing ends with it
  std::string volume_dir;        // "" = data in the server's directory
  std::string run_as;            // OS user of the engine; "" = the package's
  Millis verify_every{5'000};    // how often the engine is compared with the document while nothing happens
  // Asked on the reconcile thread before the volume is claimed, each time: makes it be at volume_dir, or says why it
  // is not. May take minutes. Empty: a directory that is there is the volume.
  std::function<Result<void>(const Cancel&)> volume_ready;
};

class Agent {
 public:
  // `plane`, `clock` and `rng` are borrowed and outlive the agent.
  Agent(AgentOptions options, Plane& plane, const Clock& clock, Rng& rng);
  ~Agent();
  // Until `stop` is set (the engine is left running) or guest.json is gone. An Error when it could not begin.
  Result<void> run(const Cancel& stop);
  // From any thread, while this lives: the volume came, went or grew. It is looked at now and not at the next round.
  void volume_changed();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace trove::guest
