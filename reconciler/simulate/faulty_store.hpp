// A store as one control plane sees it: the shared one, with the schedule's faults between. After a crash nothing of
// the dead process reaches the store any more. One a control plane; one thread.
#pragma once
#include <functional>
#include <string>
#include "reconciler/simulate/injector.hpp"
#include "reconciler/store/store.hpp"

namespace trove::simulate {

class FaultyStore final : public Store {
 public:
  // `committed` is told of everything that took effect.
  using Committed = std::function<void(const Txn&, Revision)>;
  FaultyStore(std::string plane, Store& inner, Injector& injector, Committed committed)
      : plane_(std::move(plane)), inner_(inner), injector_(injector), committed_(std::move(committed)) {}
  // The process is gone: its destructors still run here, but say nothing to anybody.
  void die() { dead_ = true; }

  Result<Revision> commit(const Txn& txn) override;
  void commit_async(Txn txn, std::function<void(Result<Revision>)> done) override { done(commit(txn)); }
  Result<std::optional<KeyValue>> get(const std::string& key) override { return inner_.get(key); }
  Result<Page> range(const std::string& first, const std::string& last, size_t limit, Revision at = 0) override {
    return inner_.range(first, last, limit, at);
  }
  Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after) override {
    return inner_.watch(first, last, after);
  }
  Result<Lease> grant(Millis ttl) override;
  Result<void> keep(Lease lease) override;
  Result<void> revoke(Lease lease) override;
  Result<void> compact(Revision before) override { return inner_.compact(before); }
  Result<void> backup(const std::string& path) override { return inner_.backup(path); }
  Revision revision() override { return inner_.revision(); }
  Result<void> health() override { return inner_.health(); }

 private:
  void overtake(const Txn& txn);

  std::string plane_;
  Store& inner_;
  Injector& injector_;
  Committed committed_;
  bool dead_ = false;
};

// What a transaction is about, for a trace: its first telling key, without what differs from run to run.
std::string subject_of(const Txn& txn);

}  // namespace trove::simulate
