// Neutron's part: ports are addresses of the subnet, fixed for the port's life. Allowed CIDRs are recorded for the
// guest document; loopback has no security groups, so engines enforce them where they can.
#include <algorithm>
#include "providers/local/machine.hpp"

namespace trove::local {

namespace {

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

Error in_use(const std::string& port, const std::string& server) {
  return {Code::conflict, "PortInUse: Port " + port + " is still in use by server " + server, {}, {}};
}

}  // namespace

Result<Outcome> Machine::run(const CreatePort& action) {
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  const auto ports = state_.all_ports();
  // An unreadable port could carry this token, or have the address that looks free.
  if (!ports.known) return fail(Code::unavailable, "not every port can be read: " + ports.trouble.front());
  std::set<std::string> used;
  for (const PortRecord* record : ports.rows) {
    if (record->port.token == action.token) {
      return fail(Code::conflict,
                  "Port " + record->port.id + " carries the token " + to_string(action.token) + " already");
    }
    used.insert(record->port.address);
  }
  const auto address = pick_address(subnet_, action.token, used);
  if (!address) return tl::unexpected(address.error());
  PortRecord record;
  record.port.id = new_uid(options_.rng);
  record.port.name = action.name;
  record.port.token = action.token;
  record.port.address = *address;
  record.port.allowed_cidrs = sorted(action.allowed_cidrs);
  record.project = action.project;
  if (auto done = state_.put(record); !done) return tl::unexpected(done.error());
  return Outcome{record.port.id, {}};
}

Result<Outcome> Machine::run(const UpdatePort& action) {
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  const auto found = state_.port(action.id);
  if (!found) return tl::unexpected(found.error());
  if (auto ours = check_token((*found)->port.token, action.token, "Port " + action.id); !ours)
    return tl::unexpected(ours.error());
  PortRecord record = **found;
  record.port.allowed_cidrs = sorted(action.allowed_cidrs);
  if (auto done = state_.put(record); !done) return tl::unexpected(done.error());
  if (action.is_public)
    return tl::unexpected(Error{Code::invalid,
                                "this machine has no addresses that are reached from outside (access.public)",
                                "set access.public to false; access.allowedCidrs says who may connect",
                                {}});
  return Outcome{action.id, {}};
}

Result<Outcome> Machine::run(const DeletePort& action) {
  std::vector<Belonging> left_over;
  {
    const auto lock = state_.read_lock();
    const auto found = state_.port(action.id);
    if (!found && found.error().code == Code::not_found) return Outcome{action.id, {}};
    if (!found) return tl::unexpected(found.error());
    const PortRecord& record = **found;
    if (auto ours = check_token(record.port.token, action.token, "Port " + action.id); !ours)
      return tl::unexpected(ours.error());
    if (!record.port.device_id.empty()) left_over.push_back(belonging(record.port.device_id, record.server_token, ""));
    if (state_.server_exists(record.port.device_id)) return tl::unexpected(in_use(action.id, record.port.device_id));
  }
  // The next port may get this address: nobody may still answer on it.
  if (auto done = end_left_over(left_over); !done) return tl::unexpected(done.error());
  auto lock = state_.write_lock();
  if (!lock) return tl::unexpected(lock.error());
  const auto found = state_.port(action.id);
  if (found && state_.server_exists((*found)->port.device_id))
    return tl::unexpected(in_use(action.id, (*found)->port.device_id));
  // A reservation names its port before the port names the server.
  const auto servers = state_.all_servers();
  if (!servers.known) return fail(Code::unavailable, "not every server can be read: " + servers.trouble.front());
  for (const ServerRecord* record : servers.rows) {
    if (record->server.port_id == action.id) return tl::unexpected(in_use(action.id, record->server.id));
  }
  if (auto done = state_.remove_port(action.id); !done) return tl::unexpected(done.error());
  return Outcome{action.id, {}};
}

}  // namespace trove::local
