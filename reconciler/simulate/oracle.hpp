// The invariants of the design as pure functions over facts, without expectations written by hand. Each says what is
// wrong, "" = it holds. Thread-safe.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include "reconciler/simulate/facts.hpp"

namespace trove::simulate {

struct Invariant {
  std::string_view name;  // "one-server"
  std::string_view doc;
  std::string (*check)(const Facts&);
};
// After every event.
std::span<const Invariant> invariants();
// When everything has come to rest: nothing left behind, nothing unresolved.
std::span<const Invariant> final_invariants();

struct Violation {
  std::string invariant, what;
};
std::optional<Violation> first_broken(std::span<const Invariant> of, const Facts& facts);

// One at a time, for tests of the tests.
std::string one_server(const Facts& facts);
std::string foreign_untouched(const Facts& facts);
std::string rows_kept(const Facts& facts);
std::string backups_kept(const Facts& facts);
std::string told_remembered(const Facts& facts);
std::string commits_honest(const Facts& facts);
std::string nothing_left_behind(const Facts& facts);
std::string creates_resolved(const Facts& facts);
std::string specs_readable(const Facts& facts);
std::string losses_told(const Facts& facts);

// The whole state without ids, times, addresses and counts of rows: what must be alike after every way to get there.
std::string normal_state(const Facts& facts);
// Whether the cloud and the guests' disks are as this object's spec asks. nullopt: the kind says nothing about them, or
// nothing follows the spec at the moment.
std::optional<bool> matches_truth(const Facts& facts, const Object& object);

}  // namespace trove::simulate
