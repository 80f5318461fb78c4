// The agent of one database server: fetches the document, brings the engine to it, keeps it there, reports. One
// reconcile thread (whoever calls run) owns driver, memory and engine; one thread fetches, one reports, one uploads a
// backup at a time. It never ends because the control plane is away, and the engine outlives it.
#pragma once
#include <memory>
#include <string>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/process.hpp"
#include "specs/core/time.hpp"

namespace trove::guest {

struct AgentOptions {
  std::string server_dir;        // absolute; guest.json lies here
  std::string volume_dir;        // "" = data in the server's directory
  std::string run_as;            // OS user of the engine; "" = the package's
  Millis verify_every{5'000};    // how often the engine is compared with the document while nothing happens
};

class Agent {
 public:
  // `plane`, `clock` and `rng` are borrowed and outlive the agent.
  Agent(AgentOptions options, Plane& plane, const Clock& clock, Rng& rng);
  ~Agent();
  // Until `stop` is set (the engine is left running) or guest.json is gone. An Error when it could not begin.
  Result<void> run(const Cancel& stop);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace trove::guest
