// A schedule is data: a scenario, a seed and a list of faults. Its text form is what a failure prints and what
// `tests/sim/run --schedule` reads, so that every run repeats from one line and shrinks by leaving faults out.
//   scenario create; seed 7; crash 17; late 4 2500; outage nova 3000 20000
// Plain values; thread-safe.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::simulate {

struct Fault {
  enum class Kind {
    crash,
    stale,
    partial,
    hidden,
    lost_request,
    lost_reply,
    late,
    duplicate,
    outage,
    throttle,
    clock,
    disk_full,
    io_error,
    ambiguous,
    conflict,
    pause,
    silence,
    rollback,
    clone,
    engine_dead,
    slow,
    lose_server,
    stop_server,
    error_server,
    lose_volume,
    detach,
    quota,
    foreign,
    user_edit,
    compact,
    unlucky,
    lose_all,
    blind,
    zombie,
    astray,
    lag,
    async,
    resize,
    open
  } kind = Kind::crash;
  std::string which;  // a service or a list, where the kind has one
  int64_t at = 0;     // a number of things counted from 1, or milliseconds from the start: see FaultRow
  int64_t value = 0;  // a duration in ms, or how many snapshots back
  friend bool operator==(const Fault&, const Fault&) = default;
};

// One row a kind gives its text form, its parser, its place in a swarm and its help.
struct FaultRow {
  Fault::Kind kind;
  std::string_view name;
  enum class At { nothing, boundary, observation, call, commit, time } at;
  bool has_value;
  std::string_view words;  // what `which` may be, separated by blanks; "" = it has none
  std::string_view doc;
  // What one such fault may cost at most: time until everything is at rest again, and calls. Of a fault that lasts (or
  // says how long to wait) its own time comes on top: failures back off for as long as they have lasted.
  int rest_s = 20;
  int calls = 3;
  bool each = false;  // calls: of every instance that there is
};
std::span<const FaultRow> fault_rows();
const FaultRow& row_of(Fault::Kind kind);
const FaultRow* find_fault(std::string_view name);  // nullptr: there is none of this name

struct Schedule {
  std::string scenario = "create";
  uint64_t seed = 1;
  std::vector<Fault> faults;
  friend bool operator==(const Schedule&, const Schedule&) = default;
  bool has(Fault::Kind kind) const;
};
std::string to_string(const Fault& fault);
std::string to_string(const Schedule& schedule);
// invalid, with the offending part and what it should be.
Result<Schedule> parse_schedule(std::string_view text);

// How far a run of a scenario reaches, so that faults are drawn where something happens.
struct Extent {
  int64_t boundaries = 0, observations = 0, calls = 0, commits = 0;
  Millis length{0};
  int64_t of(FaultRow::At at) const;
};
// What the faults of a schedule may cost together, beyond a run without faults.
Millis allowed_rest(const Schedule& schedule);
int64_t allowed_calls(const Schedule& schedule, int64_t instances);

// Swarm testing: the seed switches kinds of fault on or off and draws a few of each that is on. `allowed` limits the
// kinds; empty = all.
Schedule draw_schedule(const std::string& scenario, uint64_t seed, const Extent& extent,
                       const std::vector<Fault::Kind>& allowed);

}  // namespace trove::simulate
