// The flags that say how files are applied, as the query of POST /apply and /plans.
#pragma once
#include <string>
#include "cli/context.hpp"

namespace trove::cli {

// "?fieldManager=ci&set=shop&prune=true"; "" = nothing said. Usage errors name the flag.
Try<std::string> order_query(Context& context);

}  // namespace trove::cli
