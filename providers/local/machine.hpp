// The local cloud itself: what Nova, Cinder, Neutron and Swift decide, over State (files), processes and objects. One
// part a file: machine.cpp opens and observes, ports.cpp Neutron, volumes.cpp Cinder, servers.cpp Nova. Thread-safe: a
// decision is taken and written under State's lock; waiting for processes and removing data happen outside it.
#pragma once
#include <memory>
#include <string>
#include <vector>
#include "providers/local/addresses.hpp"
#include "providers/local/local.hpp"
#include "providers/local/objects.hpp"
#include "providers/local/processes.hpp"
#include "providers/local/state.hpp"
#include "providers/local/watcher.hpp"

namespace trove::local {

class Machine final : public LocalCloud {
 public:
  Machine(LocalOptions options, Subnet subnet);
  Result<void> prepare();

  using Cloud::observe;
  Inventory observe(const std::vector<Sought>& sought) override;
  Result<Outcome> perform(const CloudAction& action) override;
  std::string_view name() const override { return "local"; }

  Result<std::unique_ptr<Upload>> upload(const std::string& key, const std::string& expires,
                                         const std::string& signature, const std::string& prefix) override {
    return objects_.upload(key, expires, signature, prefix);
  }
  Result<std::unique_ptr<Download>> download(const std::string& key, const std::string& expires,
                                             const std::string& signature, const std::string& prefix) override {
    return objects_.download(key, expires, signature, prefix);
  }
  std::string sign_url(const std::string& base_url, std::string_view method, const std::string& key,
                       Time expires, Signed what) const override {
    return objects_.sign_url(base_url, method, key, expires, what);
  }
  void on_change(std::function<void()> callback) override { watcher_->on_change(std::move(callback)); }

 private:
  // One action each; the id of what was created, or "".
  Result<Outcome> run(const CreatePort& action);
  Result<Outcome> run(const UpdatePort& action);
  Result<Outcome> run(const DeletePort& action);
  Result<Outcome> run(const DeleteAddress& action) { return Outcome{action.id, {}}; }  // there are none
  Result<Outcome> run(const CreateVolume& action);
  Result<Outcome> run(const ExtendVolume& action);
  Result<Outcome> run(const RetypeVolume& action);
  Result<Outcome> run(const DeleteVolume& action);
  Result<Outcome> run(const AttachVolume& action);
  Result<Outcome> run(const DetachVolume& action);
  Result<Outcome> run(const CreateServer& action);
  Result<Outcome> run(const StartServer& action);
  Result<Outcome> run(const ResizeServer& action);
  Result<Outcome> run(const ConfirmResize& action) { return nothing_to("confirmResize", action.id); }
  Result<Outcome> run(const RevertResize& action) { return nothing_to("revertResize", action.id); }
  Result<Outcome> run(const DeleteServer& action);
  Result<Outcome> run(const DeleteStoredObject& action);
  Result<Outcome> run(const ExplainServer&) { return Outcome{}; }  // nobody is recorded here

  // A volume's record, read, changed and written under one lock.
  Result<Outcome> change(const std::string& id, const Token& token,
                         const std::function<Result<void>(VolumeRecord&)>& how);
  // A resize is over when it returns: nothing ever waits for a word.
  static tl::unexpected<Error> nothing_to(const std::string& action, const std::string& id) {
    return fail(Code::conflict, "Cannot '" + action + "' instance " + id + " while it is in vm_state active");
  }
  static tl::unexpected<Error> no_zone(const std::string& zone) {
    return fail(Code::invalid, "Availability zone '" + zone + "' is invalid: this machine has none");
  }
  Result<void> check_space() const;                                 // no_space
  Result<int64_t> ram_of(const std::string& flavor);                // invalid: no such flavor. Needs a Lock
  // What of a server that is no more may still run on its volume or address. Ending it spares tokens that a present
  // server carries, but for the one that is being made.
  Belonging belonging(const std::string& server_id, const std::string& server_token,
                      const std::string& volume_id) const;
  Result<void> end_left_over(std::vector<Belonging> left_over, const std::string& except_id = {});
  std::string memory_group_of(const std::string& server_id) const;

  // servers.cpp. Those with "Needs a Lock" are called under one; the others are not.
  struct Reservation {
    Fd creating;  // held until the creation is over: another process does not take it for a crash
    std::vector<Belonging> left_over;
  };
  Result<Reservation> reserve(const CreateServer& action, const std::string& id);
  Result<void> attach(const ServerRecord& record);                  // needs a Lock
  Result<void> release(const std::string& server_id, const std::string& port_id,
                       const std::string& volume_id);  // needs a Lock
  void undo_reservation(const std::string& id);
  std::string guest_json(const ServerRecord& record) const;
  Result<void> start_agent(const ServerRecord& record, int64_t ram_mib);
  bool remember_agent(const ServerRecord& record, pid_t pid, const std::string& memory_group);
  bool is_running(const AgentRecord& agent, const std::string& token);
  void resume(const ServerRecord& record);                          // needs a Lock
  Result<void> resume_all();

  LocalOptions options_;
  Subnet subnet_;
  State state_;
  ObjectFiles objects_;
  std::string boot_, memory_base_;
  std::unique_ptr<Watcher> watcher_;                                // made by prepare(), once its directories are there
};

// "nothing without our token is changed": denied, unless what was found carries the action's token.
Result<void> check_token(const Token& found, const Token& wanted, const std::string& what);

}  // namespace trove::local
