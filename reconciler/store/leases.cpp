#include "reconciler/store/leases.hpp"

namespace trove {

void LeaseTable::add(uint64_t id, Millis ttl) {
  const std::lock_guard lock(mutex_);
  leases_[id] = Entry{ttl, clock_.monotonic() + ttl};
}

void LeaseTable::erase(uint64_t id) {
  const std::lock_guard lock(mutex_);
  leases_.erase(id);
}

Result<void> LeaseTable::keep(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const Millis now = clock_.monotonic();
  auto found = leases_.find(id);
  if (found == leases_.end() || found->second.expired || found->second.deadline <= now)
    return fail(Code::not_found, "lease " + std::to_string(id) + " has expired");
  found->second.deadline = now + found->second.ttl;
  return {};
}

bool LeaseTable::alive(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  auto found = leases_.find(id);
  return found != leases_.end() && !found->second.expired && found->second.deadline > clock_.monotonic();
}

size_t LeaseTable::size() const {
  const std::lock_guard lock(mutex_);
  return leases_.size();
}

std::vector<uint64_t> LeaseTable::expire() {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> due;
  if (leases_.empty()) return due;
  const Millis now = clock_.monotonic();
  for (auto& [id, entry] : leases_) {
    if (entry.deadline <= now) entry.expired = true;
    if (entry.expired) due.push_back(id);
  }
  return due;
}

bool LeaseTable::any_due() const {
  const std::lock_guard lock(mutex_);
  if (leases_.empty()) return false;
  const Millis now = clock_.monotonic();
  for (const auto& [id, entry] : leases_)
    if (entry.expired || entry.deadline <= now) return true;
  return false;
}

}  // namespace trove
