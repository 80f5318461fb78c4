// Makes the directories of one server and decides whom the engine runs as. Called once, before anything else.
#pragma once
#include <string>
#include "providers/guest/agent/agent.hpp"
#include "providers/guest/engines/engine.hpp"

namespace trove::guest {

// run/ (the agent's, 0711), run/engine/ and log/ (the engine's). Sockets lie in run/engine/ unless that would pass the
// 108 bytes of a socket's address; then in a directory of the engine's user in /tmp, named after the server directory.
Result<Surroundings> make_surroundings(const AgentOptions& options, Engine engine, Rng& rng);

}  // namespace trove::guest
