#include "providers/patient.hpp"

#include <algorithm>

namespace trove {

std::string_view service_of(const CloudAction& action) {
  const std::string_view name = action_name(action);
  return name.substr(0, name.find('.'));
}

Result<Outcome> PatientCloud::perform(const CloudAction& action) {
  const std::string_view name = service_of(action);
  int refusals = 0;
  {
    const std::lock_guard lock(mutex_);
    auto found = services_.find(name);
    if (found == services_.end()) found = services_.emplace(name, Service()).first;
    Service& service = found->second;
    const Millis now = clock_.monotonic();
    if (service.refusals > 0 && (now < service.until || service.asking)) {
      Error error = service.last;
      error.retry_after = std::max(service.until - now, kFirstPause);
      return tl::unexpected(std::move(error));
    }
    service.asking = true;
    refusals = service.refusals;
  }
  Result<Outcome> outcome = inner_.perform(action);
  const std::lock_guard lock(mutex_);
  Service& service = services_.find(name)->second;
  service.asking = false;
  const bool silent = !outcome && outcome.error().code == Code::unavailable;
  if (!silent && (outcome || outcome.error().code != Code::throttled)) {
    service.refusals = 0;
    service.failed.clear();
    return outcome;
  }
  if (silent && service.refusals == 0) {
    std::string what = describe(action);
    const bool alone = service.failed.empty() || service.failed == what;
    service.failed = std::move(what);
    if (alone) return outcome;
  }
  Error& error = outcome.error();
  // Of several that were on their way at once, one counts.
  if (service.refusals == refusals) ++service.refusals;
  const Millis pause = std::min(kFirstPause * (int64_t{1} << std::min(service.refusals - 1, 10)), kLongestPause);
  error.retry_after = std::max(error.retry_after.value_or(pause), pause);
  service.until = std::max(service.until, clock_.monotonic() + *error.retry_after);
  service.last = error;
  return outcome;
}

}  // namespace trove
