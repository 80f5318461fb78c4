// Whether the cloud has what a plan asks for: quotas that its steps use, flavors that its instances name. Pure.
#pragma once
#include <set>
#include <string>
#include "reconciler/kinds/preview.hpp"

namespace trove {

// [{check: "quota" | "flavor", ok, message}]; ok is null where the cloud does not say. Empty: nothing to check.
Value checks_of(const Needs& needs, const std::set<std::string>& flavors, const Inventory& cloud);

}  // namespace trove
