// Engine parameters: live ones are set at once and kept in the configuration file, others wait there for a restart, and
// what the engine does not know or did not start with never stays there. Belongs to the reconcile thread.
#pragma once
#include <string>
#include <vector>
#include "providers/guest/agent/memory.hpp"
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

struct ParametersOutcome {
  std::vector<ParameterState> states;
  std::vector<std::string> events;
  bool pending_restart = false;
};

class ParameterKeeper {
 public:
  ParameterKeeper(EngineDriver& driver, Memory& memory) : driver_(driver), memory_(memory) {}

  // One pass over a running engine. Rewrites the configuration when what should stand there changed.
  Result<ParametersOutcome> pass(const Document& document);
  // The engine did not come up with what stands in the configuration: back to the last set that worked. False when that
  // was what it was started with, or nothing ever worked.
  bool fall_back(const std::string& why);

 private:
  Result<void> one(const Parameter& parameter, const std::string& name, const Document& document,
                   ParametersOutcome& outcome);
  Result<void> reset(const std::string& name, ParametersOutcome& outcome);

  EngineDriver& driver_;
  Memory& memory_;
};

}  // namespace trove::guest
