// The cloud itself. One part a file: observe.cpp reads, ports.cpp, volumes.cpp, servers.cpp and objects.cpp write, each
// in its service's words. Thread-safe: Session and the caches have locks of their own, and nothing is held over a
// request.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>
#include "providers/openstack/capabilities.hpp"
#include "providers/openstack/lists.hpp"
#include "providers/openstack/openstack.hpp"
#include "providers/openstack/records.hpp"

namespace trove::openstack {

class Openstack final : public OpenStackCloud {
 public:
  explicit Openstack(Options options);

  using Cloud::observe;
  Inventory observe(const std::vector<Sought>& sought) override;
  Result<Outcome> perform(const CloudAction& action) override;
  std::string_view name() const override { return "openstack"; }
  Result<std::string> sign_url(std::string_view method, const std::string& key, Time expires, Signed what) override;
  Report report() const override;
  void stop() override { transport_->stop(); }

 private:
  template <class T>
  using Answered = tl::expected<T, Failure>;

  Answered<Outcome> run(const CreatePort& action);
  Answered<Outcome> run(const UpdatePort& action);
  Answered<Outcome> run(const DeletePort& action);
  Answered<Outcome> run(const DeleteAddress& action);
  Answered<Outcome> run(const CreateVolume& action);
  Answered<Outcome> run(const ExtendVolume& action);
  Answered<Outcome> run(const RetypeVolume& action);
  Answered<Outcome> run(const DeleteVolume& action);
  Answered<Outcome> run(const AttachVolume& action);
  Answered<Outcome> run(const DetachVolume& action);
  Answered<Outcome> run(const CreateServer& action);
  Answered<Outcome> run(const StartServer& action);
  Answered<Outcome> run(const ResizeServer& action);
  Answered<Outcome> run(const ConfirmResize& action);
  Answered<Outcome> run(const RevertResize& action);
  Answered<Outcome> run(const DeleteServer& action);
  Answered<Outcome> run(const DeleteStoredObject& action);
  Answered<Outcome> run(const ExplainServer& action);

  // That the service was asked what it can do; its requests need a microversion.
  Answered<void> ready(Service service);
  Capabilities capabilities() const;
  // Names to ids. What does not change is remembered for a while; what is not found is asked for again.
  Answered<std::string> flavor_id(const std::string& name);
  Answered<std::string> image_id(const std::string& datastore, const std::string& version);
  Answered<std::string> network_id();
  Answered<std::string> id_by_name(Service service, const std::string& path, const std::string& key,
                                   const std::string& name_or_id);
  Answered<std::string> server_group_id(const std::string& name_or_id);
  Answered<std::vector<Flavor>> flavors();
  Answered<std::vector<VolumeType>> volume_types();
  // A list that only operators change: read again after minutes, or when `until` is set back.
  template <class T>
  struct Lasting {
    std::vector<T> things;
    Millis until{0};
  };
  template <class T, class Read>
  Answered<std::vector<T>> lasting(Lasting<T>& kept, const List& list, Read read);

  // Fresh, before anything is done to it: nullopt = gone; denied = it does not carry this token.
  Answered<std::optional<Server>> own_server(const std::string& id, const Token& token);
  Answered<std::optional<CloudVolume>> own_volume(const std::string& id, const Token& token);
  // An action on a volume; refused, it is done when the volume `has_it`, and tried again while its state passes.
  Answered<Outcome> change_volume(const std::string& id, const Token& token, Value body,
                                  const std::function<bool(const CloudVolume&)>& has_it);
  Answered<std::optional<PortSeen>> own_port(const std::string& id, const Token& token);
  Answered<Reply> get(Service service, const std::string& path) {
    return session_.send({service, "GET", path, {}, {}});
  }
  Answered<Reply> server_action(const std::string& id, Value body);

  Answered<void> open_port(const Token& token, const std::string& port_id, const std::vector<std::string>& port_groups,
                           const std::vector<std::string>& cidrs, std::string& request_id);
  Answered<std::vector<SecurityGroup>> groups_of(const Token& token);
  Answered<std::vector<PortSeen>> ports_of(const Token& token);
  Answered<std::vector<FloatingSeen>> addresses_of(const Token& token);
  // The port with a floating IP of its own, or without any.
  Answered<void> give_address(const Token& token, const std::string& port_id, bool wanted, std::string& request_id);
  Answered<void> drop_addresses(const std::vector<FloatingSeen>& addresses);
  Answered<void> ensure_container();
  const std::string& zone_for(const std::string& asked) const {
    return asked.empty() ? options_.availability_zone : asked;
  }

  // observe.cpp
  struct Troubles;
  struct Seen;
  // What one list held when it was last read, and what changed since.
  template <class T>
  struct Kept {
    std::map<std::string, T> things;  // by id
    bool whole = false;               // false: not to be believed
    Millis full_at{0};
    Time since;  // the cloud's time of the last reading
  };
  // Reads the list, whole or what changed (`changes`: the parameter's beginning; "" = cannot), through `take`, which
  // adds one item to `things` or says no.
  template <class T, class Take>
  void refresh(Kept<T>& kept, List list, const std::string& changes, bool full, Troubles& troubles, Take take);
  void read_servers(bool full, Troubles& troubles);
  void read_faults();
  void read_volumes(bool full, Troubles& troubles);
  void read_network(bool access_changed, Troubles& troubles);
  void look_for(const Sought& wanted, Seen& seen);
  static std::string sought_path(const Sought& wanted);
  static void join(Inventory& inventory);
  void join_addresses(Inventory& inventory) const;
  void read_objects(const std::function<void(const Failure&)>& trouble);
  void read_volume_types(Inventory& inventory);
  void read_limits(bool touched);

  const Options options_;
  const std::unique_ptr<Transport> transport_;
  const Clock& clock_;
  Session session_;
  mutable std::mutex mutex_;  // guards what follows
  Capabilities capabilities_;
  Lasting<Flavor> flavors_;
  Lasting<VolumeType> volume_types_;
  std::map<std::string, std::string> ids_;  // "glance mariadb-image" to an id
  std::string object_base_;  // of the object store; "" = the container has not been seen yet

  std::atomic<uint64_t> performed_{0}, access_performed_{0};  // access: of ports, groups and floating IPs
  // One observation at a time, requests included; guards what follows.
  std::mutex observing_;
  Kept<Server> servers_;
  Kept<CloudVolume> volumes_;
  Kept<PortSeen> ports_;
  Kept<SecurityGroup> groups_;
  Kept<FloatingSeen> floatings_;
  struct Fault {
    std::string text;  // "" = the server does not tell either
    int asked = 0;
  };
  std::map<std::string, Fault> faults_;  // by the id of a server in ERROR that its list does not explain
  Kept<StoredObject> objects_;
  Limits limits_;
  std::optional<Millis> limits_at_, types_refused_at_;
  bool limits_doubtful_ = false;  // we used some since, or could not read them
  uint64_t performed_before_ = 0, access_before_ = 0;
  bool in_flight_ = true;
};

Failure refused(Service service, Code code, std::string message, std::string hint = {});

}  // namespace trove::openstack
