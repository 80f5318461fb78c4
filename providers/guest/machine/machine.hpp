// The agent in a virtual machine of Nova: finds out who it is, joins, brings its disk, and runs the agent over both.
// The agent begins before the join is through: a database that was here before the reboot comes up without a control
// plane.
#pragma once
#include "providers/guest/engines/process.hpp"
#include "providers/guest/machine/places.hpp"
#include "specs/core/time.hpp"

namespace trove::guest {

// Until `stop` is set; the engine is left running. An Error when it could not begin.
Result<void> run_machine(const Places& places, const Clock& clock, Rng& rng, const Cancel& stop);

}  // namespace trove::guest
