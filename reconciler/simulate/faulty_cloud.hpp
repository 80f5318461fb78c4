// A cloud as a control plane sees it over a bad network: the calls and lists of the simulated one, with the schedule's
// faults in between. One a control plane; one thread.
#pragma once
#include <functional>
#include <memory>
#include <vector>
#include "providers/patient.hpp"
#include "reconciler/simulate/injector.hpp"

namespace trove::simulate {

// What has been observed so far, by whatever control plane: what a stale answer is taken from.
using Snapshots = std::vector<std::shared_ptr<const Inventory>>;

// Hands each answer on as the control plane gets it.
using Seen = std::function<void(const Inventory&)>;

class FaultyCloud final : public Cloud {
 public:
  // `deliver` performs an action so much later, whoever lives then; `snapshots` null: none are kept.
  using Deliver = std::function<void(Millis, const CloudAction&)>;
  FaultyCloud(std::string plane, Cloud& inner, Injector& injector, Deliver deliver, Seen seen, Snapshots* snapshots)
      : plane_(std::move(plane)),
        inner_(inner),
        injector_(injector),
        deliver_(std::move(deliver)),
        seen_(std::move(seen)),
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
  Snapshots* snapshots_;
};

}  // namespace trove::simulate
