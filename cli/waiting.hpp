// Waiting for objects: what "done" and "hopeless" mean, and the loop that tells the user how it goes. Used by apply,
// wait, delete, backup and restart. One thread.
#pragma once
#include <string>
#include <vector>
#include "cli/context.hpp"
#include "cli/names.hpp"
#include "specs/value.hpp"

namespace trove::cli {

inline constexpr Millis kWaitDefault{30 * 60'000};

struct Goal {
  enum class What { ready, settled, deleted, condition } what = What::ready;   // settled: ready and nothing under way
  std::string type = "Ready", status = "True";                                 // of the condition
};
Try<Goal> goal_named(const std::string& text);   // Ready, Synced, delete, condition=X[=Y]

struct Verdict {
  enum class State { waiting, done, failed } state = State::waiting;
  std::string reason, message;   // what it waits for, or why it failed
};
// `object` nullptr = there is none. Pure.
Verdict judge(const Goal& goal, const Target& target, const Value* object);

// Waits until every target is done. 0; or the Failure: 8 with code and message for the first that is hopeless, 7 when
// time is over, 130 when interrupted (the message names the command that goes on waiting).
Try<int> wait_for(Context& context, std::vector<Target> targets, const Goal& goal, Millis timeout);

}  // namespace trove::cli
