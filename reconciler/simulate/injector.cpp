#include "reconciler/simulate/injector.hpp"

namespace trove::simulate {

Injector::Injector(const Schedule& schedule, const SimClock& clock, Trace& trace)
    : schedule_(schedule), clock_(clock), trace_(trace), paused_(schedule.faults.size(), false) {
  for (const Fault& fault : schedule.faults) by_kind_[fault.kind].push_back(&fault);
}

void Injector::boundary(std::string_view plane, std::string_view point, std::string_view effect) {
  const int64_t n = ++counted_.boundaries;
  if (keep_sites) sites.push_back(std::string(point) + " " + std::string(effect));
  if (aimed(Fault::Kind::crash, n)) {
    ++crashes;
    say(plane, "dies at boundary " + std::to_string(n) + ", " + std::string(point) + " of " + std::string(effect));
    throw Crash{};
  }
  if (!pause || point != "c1") return;
  for (size_t i = 0; i < schedule_.faults.size(); ++i) {
    const Fault& fault = schedule_.faults[i];
    if (fault.kind != Fault::Kind::pause || paused_[i] || clock_.since_start() < Millis{fault.at}) continue;
    paused_[i] = true;
    pause(plane, Millis{fault.value});
  }
}

const Fault* Injector::aimed(Fault::Kind kind, int64_t n) const {
  auto found = by_kind_.find(kind);
  if (found == by_kind_.end()) return nullptr;
  for (const Fault* fault : found->second)
    if (fault->at == n) return fault;
  return nullptr;
}

const Fault* Injector::lasting(Fault::Kind kind, std::string_view which) const {
  auto found = by_kind_.find(kind);
  if (found == by_kind_.end()) return nullptr;
  const Millis now = clock_.since_start();
  for (const Fault* fault : found->second)
    if (now >= Millis{fault->at} && now < Millis{fault->at + fault->value} &&
        (which.empty() || fault->which == which))
      return fault;
  return nullptr;
}

}  // namespace trove::simulate
