#include "reconciler/loop/durations.hpp"

#include <algorithm>
#include <vector>

namespace trove {

void Durations::began(const Key& key, std::string action, Time steady) {
  under_way_[key] = {std::move(action), steady};
}

std::optional<Durations::Finished> Durations::ended(const Key& key, Time steady) {
  const auto found = under_way_.find(key);
  if (found == under_way_.end()) return std::nullopt;
  Finished out{std::move(found->second.action), steady - found->second.since};
  under_way_.erase(found);
  add(out.action, out.took);
  return out;
}

void Durations::add(const std::string& action, Millis took) {
  auto& all = seen_[action];
  all.push_back(took);
  if (all.size() > kWindow) all.pop_front();
}

std::optional<Durations::Expected> Durations::expected(const std::string& action) const {
  const auto found = seen_.find(action);
  if (found == seen_.end() || found->second.empty()) return std::nullopt;
  std::vector<Millis> sorted(found->second.begin(), found->second.end());
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](size_t percent) { return sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)]; };
  return Expected{at(50), at(95), sorted.size()};
}

}  // namespace trove
