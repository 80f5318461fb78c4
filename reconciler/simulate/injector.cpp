#include "reconciler/simulate/injector.hpp"

namespace trove::simulate {

Injector::Injector(const Schedule& schedule, const SimClock& clock, Trace& trace) : clock_(clock), trace_(trace) {
  for (const Fault& fault : schedule.faults) by_kind_[fault.kind].push_back(&fault);
}

void Injector::boundary(std::string_view plane, std::string_view point, std::string_view effect) {
  const int64_t n = ++counted_.boundaries;
  if (aimed(Fault::Kind::crash, n)) {
    say(plane, "dies at boundary " + std::to_string(n) + ", " + std::string(point) + " of " + std::string(effect));
    throw Crash{};
  }
  if (const Fault* stop = aimed(Fault::Kind::pause, n); stop && pause) {
    say(plane, "stops at boundary " + std::to_string(n) + ", " + std::string(point) + " of " + std::string(effect));
    pause(plane, Millis{stop->value});
    say(plane, "goes on with " + std::string(effect));
  }
}

const Fault* Injector::aimed(Fault::Kind kind, int64_t n) {
  auto found = by_kind_.find(kind);
  if (found == by_kind_.end()) return nullptr;
  for (const Fault* fault : found->second)
    if (fault->at == n) {
      ++struck_;
      return fault;
    }
  return nullptr;
}

const Fault* Injector::lasting(Fault::Kind kind, std::string_view which) const {
  auto found = by_kind_.find(kind);
  if (found == by_kind_.end()) return nullptr;
  const Millis now = clock_.since_start();
  for (const Fault* fault : found->second)
    if (now >= Millis{fault->at} && now < Millis{fault->at + fault->value} && (which.empty() || fault->which == which))
      return fault;
  return nullptr;
}

}  // namespace trove::simulate
