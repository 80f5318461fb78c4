// Wraps a cloud: a service that asked for time, or does not answer for two different things in a row, is left alone by
// everybody until that time has passed, and is then asked by one; the others follow when that one got an answer. What
// fails for one thing alone is nobody else's trouble. Reads pass. Thread-safe.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include "providers/cloud.hpp"

namespace trove {

inline constexpr Millis kFirstPause{1'000};
inline constexpr Millis kLongestPause{60'000};

class PatientCloud final : public Cloud {
 public:
  PatientCloud(Cloud& inner, const Clock& clock) : inner_(inner), clock_(clock) {}
  using Cloud::observe;
  Inventory observe(const std::vector<Sought>& sought) override { return inner_.observe(sought); }
  // throttled or unavailable, with retry_after: what the service last said, when it is not asked now.
  Result<Outcome> perform(const CloudAction& action) override;
  std::string_view name() const override { return inner_.name(); }

 private:
  struct Service {
    Error last;        // why it is left alone
    int refusals = 0;  // in a row; 0 = it answers
    Millis until{0};   // monotonic
    bool asking = false;
    std::string failed;  // the action that got no answer last
  };
  Cloud& inner_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Service, std::less<>> services_;  // "nova": the first word of an action's name
};

// "nova" of "nova.server.create".
std::string_view service_of(const CloudAction& action);

}  // namespace trove
