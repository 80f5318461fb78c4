// What a GitSource's status says, made of what a pass found out; and back, after a restart. Pure.
#pragma once
#include <optional>
#include "reconciler/gitops/follower.hpp"
#include "specs/resource.hpp"

namespace trove::gitops {

inline constexpr size_t kMostShown = 20;  // of broken files and of unconfirmed objects; the rest is counted

struct Attempted {
  Time now;
  Time since;                     // of the trouble
  std::optional<Time> next_retry;  // when there is trouble
};
// The whole new status. What did not change is as it was, transition times included, so that equal facts make equal
// statuses.
Value status_of(const Resource& resource, const GitSourceSpec& spec, const SourceFacts& facts, const Attempted& attempted);
SourceFacts facts_from(const Value& status);

}  // namespace trove::gitops
