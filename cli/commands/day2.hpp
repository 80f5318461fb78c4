// What backup and restart share: make one object through apply, print its name, perhaps wait. One thread.
#pragma once
#include "cli/context.hpp"
#include "specs/value.hpp"

namespace trove::cli {

Try<int> make_and_wait(Context& context, Value object);

}  // namespace trove::cli
