// A cloud as a control plane sees it over a bad network: the calls and lists of the simulated one, with the schedule's
// faults in between. One a control plane; one thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>
#include "providers/patient.hpp"
#include "reconciler/simulate/injector.hpp"

namespace trove::simulate {

// What has been observed so far, by whatever control plane: what a stale answer is taken from.
using Snapshots = std::vector<std::shared_ptr<const Inventory>>;

// Hands each answer on as the control plane gets it.
using Seen = std::function<void(const Inventory&)>;
// A control plane's own call: when it decides to make it, and again when it reaches the cloud.
enum class Moment { asks, arrives };
using Asked = std::function<void(const std::string& plane, const CloudAction&, Moment)>;
// It did what it must not.
using Judge = std::function<void(std::string invariant, std::string what)>;

class FaultyCloud final : public Cloud {
 public:
  // `deliver` performs an action so much later, whoever lives then (`again`: it was answered once); `snapshots` null:
  // none are kept.
  using Deliver = std::function<void(Millis, const CloudAction&, bool again)>;
  FaultyCloud(std::string plane, Cloud& inner, Injector& injector, Deliver deliver, Seen seen, Asked asked,
              Judge judge, Snapshots* snapshots)
      : plane_(std::move(plane)),
        inner_(inner),
        injector_(injector),
        deliver_(std::move(deliver)),
        seen_(std::move(seen)),
        asked_(std::move(asked)),
        judge_(std::move(judge)),
        snapshots_(snapshots) {}
  using Cloud::observe;
  Inventory observe(const std::vector<Sought>& sought) override;
  Result<Outcome> perform(const CloudAction& action) override;
  std::string_view name() const override { return "sim"; }

 private:
  void blur(Inventory& seen, int64_t n);

  std::string plane_;
  Cloud& inner_;
  Injector& injector_;
  Deliver deliver_;
  Seen seen_;
  Asked asked_;
  Judge judge_;
  std::map<std::string, Millis, std::less<>> not_before_;  // by service: what it asked us for
  Snapshots* snapshots_;
};

}  // namespace trove::simulate
