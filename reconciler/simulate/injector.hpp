// Counts what faults are aimed at (effect boundaries, observations, calls, commits) and says which fault strikes now.
// One a world, shared by the decorators of its control planes. One thread.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>
#include "reconciler/simulate/chance.hpp"
#include "reconciler/simulate/schedule.hpp"
#include "reconciler/simulate/trace.hpp"

namespace trove::simulate {

// Thrown through a control plane's code when it dies; caught by the world, by nobody else.
struct Crash {};

class Injector {
 public:
  Injector(const Schedule& schedule, const SimClock& clock, Trace& trace);

  // A point of an effect where a control plane may die: c0 before an intent is stored, c1 stored and not sent, c2 sent
  // and not applied, c3 applied and the answer lost, c4 the answer recorded and the next effect not started.
  void boundary(std::string_view plane, std::string_view point, std::string_view effect);
  int64_t next_observation() { return ++counted_.observations; }
  int64_t next_call() { return ++counted_.calls; }
  int64_t next_commit() { return ++counted_.commits; }

  // The fault of this kind that is aimed at the n-th thing; nullptr = none.
  const Fault* aimed(Fault::Kind kind, int64_t n);
  // The fault of this kind whose time is now: from `at`, for `value` ms. Of the services or lists, the one named
  // `which`.
  const Fault* lasting(Fault::Kind kind, std::string_view which = {}) const;

  const Extent& counted() const { return counted_; }
  Millis now() const { return clock_.monotonic(); }
  int64_t struck() const { return struck_; }  // how many of the aimed ones found their thing
  // A pause is due: the world runs everybody else and comes back. Set by the world.
  std::function<void(std::string_view plane, Millis)> pause;
  void say(std::string_view who, std::string_view what) { trace_.add(clock_.since_start(), who, what); }

 private:
  const SimClock& clock_;
  Trace& trace_;
  Extent counted_;
  int64_t struck_ = 0;
  std::map<Fault::Kind, std::vector<const Fault*>> by_kind_;
};

}  // namespace trove::simulate
