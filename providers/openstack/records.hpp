// What the services' JSON says, as the records of providers/cloud.hpp, and the marks by which ours are known. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "specs/value.hpp"

namespace trove::openstack {

// trove:uid, trove:role, trove:incarnation; and trove:project, for people.
Value metadata_of(const Token& token, const std::string& project);
std::optional<Token> token_of_metadata(const Value& metadata);
// Ports, security groups and floating IPs carry to_string(token) as their description: it is there from the first moment, and Neutron
// finds things by it.
std::optional<Token> token_of_description(const Value& thing);

// nullopt: not such a thing; then nothing of the list that it came from may be believed.
std::optional<Server> server_of(const Value& json);
std::optional<ServerDeed> deed_of(const Value& json);  // of os-instance-actions
std::optional<CloudVolume> volume_of(const Value& json);
struct SecurityGroup {
  std::string id, name;
  Token token;
  struct Rule {
    std::string id, cidr;
    bool ours = true;  // made by rule_for()
  };
  std::vector<Rule> rules;  // incoming ones
};
// The body of a rule that lets `cidr` in, to any TCP port.
Value rule_for(const std::string& group_id, const std::string& cidr);
std::optional<SecurityGroup> group_of(const Value& json);
struct PortSeen {
  Port port;                        // allowed_cidrs is not set yet
  std::vector<std::string> groups;  // ids
  std::string network_id;
};
std::optional<PortSeen> port_of(const Value& json);
struct FloatingSeen {
  std::string id, address, port_id;
  Token token;  // of the port that it was made for
};
std::optional<FloatingSeen> floating_of(const Value& json);
// Nova's or Cinder's "absolute" limits, added to what is known; a figure that is missing stays unknown.
void add_limits(const Value& absolute, Limits& limits);
std::optional<Flavor> flavor_of(const Value& json);
std::optional<VolumeType> volume_type_of(const Value& json);

// Of a port: what the rules of the one group that is its own and ours let in; nothing when it has others, so that it is
// corrected.
std::vector<std::string> allowed_by(const PortSeen& port, const std::map<std::string, SecurityGroup>& groups);
// The same for one token, always; never an address that a card of a maker could have.
std::string mac_of(const Token& token);

}  // namespace trove::openstack
