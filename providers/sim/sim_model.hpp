// The rules of Nova, Cinder and Neutron, once: SimCloud speaks to them in actions, the HTTP face in requests. A call
// answers at once and leaves a thing in a passing state (BUILD, creating); the state moves when the clock has passed
// the time it was due, which every call looks at first. Owned by a SimCloud; not synchronised; makes no time or chance
// of its own, so one seed gives one history.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/sim/sim_disk.hpp"
#include "providers/sim/sim_options.hpp"

namespace trove {

// A refusal in the service's words. `status` is what the HTTP face answers, `code` what the in-process face says: the
// two are not one, for Nova says 400 to a volume that somebody else was faster to take.
struct SimRefusal {
  Code code = Code::invalid;
  int status = 400;
  std::string type;  // "MacAddressInUse", "PortInUse", "InvalidVolume": Neutron puts it in its body
  std::string message;
  Error error() const { return {code, type.empty() ? message : type + ": " + message, {}, {}}; }
};
template <class T>
using SimResult = tl::expected<T, SimRefusal>;
inline tl::unexpected<SimRefusal> refuse(Code code, int status, std::string type, std::string message) {
  return tl::unexpected<SimRefusal>(SimRefusal{code, status, std::move(type), std::move(message)});
}

// What the services keep beside what cloud.hpp shows. One for each row of the same id.
struct SimServerMore {
  std::string project;
  std::map<std::string, std::string> metadata;
  std::set<std::string> tags;
  std::string image, key_name, user_data, group, zone, old_flavor;
  std::vector<std::string> ports, volumes;        // as asked for and attached since
  std::vector<std::string> own_ports;             // made by Nova for it: they go with it
  std::string task;                               // Nova's task_state: "scheduling" "powering-on" …; "" = none
  Server::Status before = Server::Status::build;  // its deletion: Nova's status stays, only the task says it
  bool was_off = false;                           // before a resize
  bool stuck = false;                             // its deletion hangs
  bool doomed = false;                            // its build will fail
  bool hidden = false;                            // in a cell that is down
  bool port_claimed = false;
  int boots = 0;  // how often its operating system was started
  std::vector<ServerDeed> deeds;  // Nova's instance actions, oldest first
  Time updated;
};
struct SimVolumeMore {
  std::string project, description, zone;
  std::map<std::string, std::string> metadata;
  std::string attachment_id, device;
  bool doomed = false, stuck = false;
  int64_t growing_to = 0;
  std::string retyping_to;
  Time updated;
};
struct SimPortMore {
  std::string project, network, subnet, mac, device_owner, description;
  std::vector<std::string> security_groups;
  std::set<std::string> tags;
  uint32_t first_address = 0x0A4D000A, addresses = 65'000;  // where one is taken from: 10.77.0.10 …
  std::string allowed_pairs;                                // JSON text; the model does not read it
  bool admin_up = true, port_security = true;
  Time created, updated;
};

struct SimServerRequest {
  Server row;  // name, token, flavor; port_id and volume_id are set from the lists
  SimServerMore more;
};

class SimModel {
 public:
  SimModel(const Clock& clock, Rng& rng, SimOptions options) : options(std::move(options)), clock_(clock), rng_(rng) {}

  SimOptions options;  // may be changed between calls
  std::map<std::string, Server> servers;
  std::map<std::string, CloudVolume> volumes;
  std::map<std::string, Port> ports;
  std::map<std::string, SimServerMore> server_more;
  std::map<std::string, SimVolumeMore> volume_more;
  std::map<std::string, SimPortMore> port_more;
  std::map<std::string, SimDisk> disks;  // by volume id, or by server id for a server without a volume
  struct Deleted {
    Server row;
    SimServerMore more;
    Time at;
  };
  std::deque<Deleted> deleted_servers;  // Nova keeps them for lists with deleted or changes-since; newest last
  bool cell_down = false;               // every server is hidden
  std::string acting = "trove";         // the user whose request is being worked on

  void settle();                              // does what is due
  std::optional<Millis> next_change() const;  // 0 = something is due already

  SimResult<std::string> create_port(Port row, SimPortMore more);
  bool mac_used(const std::string& network, const std::string& mac, const std::string& but) const;
  SimResult<void> move_port(const std::string& id, const std::string& address);
  SimResult<void> delete_port(const std::string& id);

  SimResult<std::string> create_volume(CloudVolume row, SimVolumeMore more);
  SimResult<void> extend_volume(const std::string& id, int64_t gib);
  SimResult<void> retype_volume(const std::string& id, const std::string& type);
  SimResult<void> delete_volume(const std::string& id, bool force);
  SimResult<void> reset_volume(const std::string& id, CloudVolume::Status status);

  SimResult<std::string> create_server(SimServerRequest request);
  SimResult<void> start_server(const std::string& id);
  SimResult<void> stop_server(const std::string& id);
  SimResult<void> reboot_server(const std::string& id);
  SimResult<void> rebuild_server(const std::string& id, const std::string& image);
  SimResult<void> resize_server(const std::string& id, const std::string& flavor);
  SimResult<void> confirm_resize(const std::string& id);
  SimResult<void> revert_resize(const std::string& id);
  SimResult<void> delete_server(const std::string& id);
  SimResult<void> attach_volume(const std::string& server, const std::string& volume, const std::string& device);
  SimResult<void> detach_volume(const std::string& server, const std::string& volume);
  SimResult<void> attach_port(const std::string& server, const std::string& port);
  SimResult<void> detach_port(const std::string& server, const std::string& port);

  // Behind everybody's back.
  void drop_server(const std::string& id);  // the row is gone; what it held is released
  void break_server(const std::string& id, const std::string& fault);
  void halt_server(const std::string& id);
  void drop_volume(const std::string& id);
  void release_volume(const std::string& id);  // its attachment is gone
  void drop_port(const std::string& id);
  void index_port(const std::string& id);  // after its network, address or MAC was set from outside
  bool is_hidden(const std::string& server) const;
  void note_deed(const std::string& server, std::string_view action);  // by `acting`

  Limits limits() const;  // the quotas, and what is used of them
  std::string new_id();
  const Flavor* flavor(const std::string& name) const;
  const Clock& clock() const { return clock_; }
  Rng& rng() { return rng_; }

 private:
  enum class Step {
    claim_port,
    begin_attach,
    built,
    server_gone,
    started,
    stopped,
    resized,
    confirmed,
    reverted,
    rebuilt,
    volume_created,
    volume_gone,
    volume_extended,
    volume_retyped,
    attached,
    detached,
  };
  struct Task {
    Step step;
    std::string id, other;
  };
  Time now() const;  // of what happens: when it was due, not when somebody looked
  void later(Millis wait, Step step, const std::string& id, const std::string& other = {});
  void cancel(const std::string& id);
  void run(const Task& task);
  void claim_ports(const std::string& id);
  void begin_attachments(const std::string& id);
  void unbind_ports(const std::string& server, const std::vector<std::string>& held);
  void fail_build(const std::string& id, std::string why);
  void finish_build(const std::string& id);
  void set_status(const std::string& id, Server::Status status, std::string task = {});
  void set_status(CloudVolume& volume, CloudVolume::Status status);
  std::optional<std::string> free_address(const SimPortMore& more);
  bool address_used(const std::string& network, const std::string& address, const std::string& but) const;
  SimResult<void> check_gigabytes(int64_t more) const;
  SimResult<void> check_compute(int64_t servers, int64_t cores, int64_t ram_mib) const;
  bool chance(int per_mille) { return per_mille > 0 && static_cast<int>(rng_.next() % 1000) < per_mille; }
  SimResult<Server*> reachable_server(const std::string& id);
  SimResult<Server*> idle_server(const std::string& id, std::string_view action,
                                 std::initializer_list<Server::Status> allowed);
  SimResult<CloudVolume*> reserve_volume(const std::string& id);
  SimResult<std::string> type_named(const std::string& name_or_id) const;  // its name; "" is the default

  const Clock& clock_;
  Rng& rng_;
  using TaskKey = std::pair<Millis, uint64_t>;  // when due, and which was first
  std::map<TaskKey, Task> tasks_;
  std::map<std::string, TaskKey> pending_;  // by id: a thing waits for one task at a time
  // "<network> <address>" and "<network> <MAC>" -> port. Entries may be stale: who looks compares.
  std::map<std::string, std::string> by_address_, by_mac_;
  uint64_t next_task_ = 0;
  std::optional<Millis> running_at_;  // when the task in hand was due
  int next_id_ = 0, next_mac_ = 0, next_request_ = 0;
  uint32_t next_address_ = 0;
};

// 46 bits of the token's hash as a locally administered address: a second port of one token is Neutron's conflict.
std::string sim_mac(const Token& token);

}  // namespace trove
