// Plans until convergence: each action's expected effect is applied to a copy of the world, and it is planned again.
// Pure. What the loop will do, in the order it will do it, as far as it can be known now.
#pragma once
#include <string>
#include <vector>
#include "reconciler/kinds/plan.hpp"

namespace trove {

struct PreviewStep {
  Key object;
  std::string action, detail;
  Change change = Change::live;
  std::string interrupts;
};
struct PreviewWait {
  Key object;
  std::string reason, message;
};
// What the steps need of the project's quotas: the most of it at any one time.
struct Needs {
  int64_t instances = 0, cores = 0, ram_mib = 0, volumes = 0, gigabytes = 0;
};
struct Preview {
  std::vector<PreviewStep> steps;
  Needs needs;
  std::vector<PreviewWait> waits;  // what would still not be converged at the end
  bool complete = true;            // false: a fact is unknown, or the bound was reached
};

inline constexpr size_t kMaxPreviewSteps = 100'000;

// Runs `keys` and whatever they touch. `world` is the caller's copy and is used up.
Preview preview(World world, const std::vector<Key>& keys);

// The effect that performing `action` is expected to have, once the cloud and the guest are done with it.
void apply_expected(World& world, const Action& action);

// What a new document makes the guest do, one step a thing: "guest.db.create orders", "guest.restart".
std::vector<PreviewStep> guest_steps(const Key& object, const guest::Document* before, const guest::Document& after,
                                     const guest::Report* report);

}  // namespace trove
