#include "providers/openstack/records.hpp"
#include <algorithm>
#include <charconv>
#include <map>
#include "specs/core/digest.hpp"
#include "specs/core/time.hpp"

namespace trove::openstack {
namespace {

constexpr size_t kFaultBytes = 300;
constexpr std::string_view kRuleMark = "trove ";

Server::Status server_status(const std::string& status, const std::string& task) {
  using S = Server::Status;
  if (task == "deleting" || task == "soft-deleting" || status == "DELETED" || status == "SOFT_DELETED")
    return S::deleting;
  static const std::map<std::string_view, S> words = {
      {"BUILD", S::build},      {"ACTIVE", S::active},        {"SHUTOFF", S::shutoff},
      {"REBOOT", S::reboot},    {"HARD_REBOOT", S::reboot},   {"RESIZE", S::resize},
      {"MIGRATING", S::resize}, {"REVERT_RESIZE", S::resize}, {"VERIFY_RESIZE", S::verify_resize},
      {"ERROR", S::error}};
  auto found = words.find(status);
  if (found == words.end()) return S::unknown;
  // On its way up: asking again would only be refused.
  if (found->second == S::shutoff && (task == "powering-on" || task.starts_with("reboot"))) return S::reboot;
  if (found->second == S::verify_resize && !task.empty()) return S::resize;  // being confirmed
  return found->second;
}

CloudVolume::Status volume_status(const std::string& status) {
  using S = CloudVolume::Status;
  static const std::map<std::string_view, S> words = {{"creating", S::creating},
                                                      {"available", S::available},
                                                      {"reserved", S::reserved},
                                                      {"attaching", S::attaching},
                                                      {"in-use", S::in_use},
                                                      {"detaching", S::detaching},
                                                      {"extending", S::extending},
                                                      {"retyping", S::retyping},
                                                      {"deleting", S::deleting},
                                                      {"error", S::error},
                                                      {"error_deleting", S::error_deleting},
                                                      {"error_extending", S::error_extending},
                                                      {"downloading", S::creating}};
  auto found = words.find(status);
  return found == words.end() ? S::unknown : found->second;
}

// Cinder leaves out the zone; all its times are UTC.
Time time_of(std::string text) {
  if (!text.empty() && !text.ends_with('Z') && text.find('+') == std::string::npos) text += "Z";
  return parse_time(text).value_or(Time{});
}

}  // namespace

Value metadata_of(const Token& token, const std::string& project) {
  Value metadata = Value::map(
      {{"trove:uid", token.uid}, {"trove:role", token.role}, {"trove:incarnation", std::to_string(token.incarnation)}});
  if (!project.empty()) metadata.set("trove:project", project);
  return metadata;
}

std::optional<Token> token_of_metadata(const Value& metadata) {
  const std::string &uid = metadata["trove:uid"].text(), &role = metadata["trove:role"].text(),
                    &incarnation = metadata["trove:incarnation"].text();
  // Through the text, so that there is one opinion of what a token looks like.
  return token_from("trove-" + uid + "-" + role + "-" + incarnation);
}

std::optional<Token> token_of_description(const Value& thing) { return token_from(thing["description"].text()); }

std::optional<Server> server_of(const Value& json) {
  Server out;
  out.id = json["id"].text();
  const std::string& status = json["status"].text();
  if (out.id.empty() || status.empty()) return std::nullopt;
  out.name = json["name"].text();
  if (auto token = token_of_metadata(json["metadata"])) out.token = std::move(*token);
  out.status = server_status(status, json["OS-EXT-STS:task_state"].text());
  out.flavor = json["flavor"]["original_name"].text();
  const Value& volumes = json["os-extended-volumes:volumes_attached"];
  if (!volumes.items().empty()) out.volume_id = volumes.items().front()["id"].text();
  out.created = time_of(json["created"].text());
  out.fault = json["fault"]["message"].text().substr(0, kFaultBytes);
  return out;
}

std::optional<ServerDeed> deed_of(const Value& json) {
  ServerDeed out{json["action"].text(), json["user_id"].text(), json["request_id"].text(),
                 time_of(json["start_time"].text())};
  if (out.action.empty() || !out.started.set()) return std::nullopt;
  return out;
}

std::optional<CloudVolume> volume_of(const Value& json) {
  CloudVolume out;
  out.id = json["id"].text();
  const std::string& status = json["status"].text();
  if (out.id.empty() || status.empty() || !json["size"].is_int()) return std::nullopt;
  out.name = json["name"].text();
  if (auto token = token_of_metadata(json["metadata"])) out.token = std::move(*token);
  out.status = volume_status(status);
  out.size_gib = json["size"].int_or(0);
  out.type = json["volume_type"].text();
  for (const Value& attachment : json["attachments"].items())
    if (const std::string& server = attachment["server_id"].text(); !server.empty()) out.server_id = server;
  out.created = time_of(json["created_at"].text());
  return out;
}

std::optional<SecurityGroup> group_of(const Value& json) {
  SecurityGroup out;
  out.id = json["id"].text();
  if (out.id.empty() || !json["security_group_rules"].is_list()) return std::nullopt;
  out.name = json["name"].text();
  if (auto token = token_of_description(json)) out.token = std::move(*token);
  for (const Value& rule : json["security_group_rules"].items()) {
    if (rule["direction"].text() != "ingress") continue;
    SecurityGroup::Rule seen{rule["id"].text(), "", false};
    // Neutron may write a network in another way than it was asked for; its rules cannot be changed, so what stands in
    // the description is what was asked.
    if (const std::string& said = rule["description"].text(); said.starts_with(kRuleMark)) {
      seen.cidr = said.substr(kRuleMark.size());
      seen.ours = true;
    }
    out.rules.push_back(std::move(seen));
  }
  return out;
}

std::optional<PortSeen> port_of(const Value& json) {
  PortSeen out;
  out.port.id = json["id"].text();
  if (out.port.id.empty() || !json["fixed_ips"].is_list()) return std::nullopt;
  out.port.name = json["name"].text();
  if (auto token = token_of_description(json)) out.port.token = std::move(*token);
  if (!json["fixed_ips"].items().empty()) out.port.address = json["fixed_ips"].items().front()["ip_address"].text();
  out.port.device_id = json["device_id"].text();
  out.network_id = json["network_id"].text();
  for (const Value& group : json["security_groups"].items()) out.groups.push_back(group.text());
  return out;
}

std::optional<FloatingSeen> floating_of(const Value& json) {
  FloatingSeen out{json["id"].text(), json["floating_ip_address"].text(), json["port_id"].text(), {}};
  if (out.id.empty() || out.address.empty()) return std::nullopt;
  if (auto token = token_of_description(json)) out.token = std::move(*token);
  return out;
}

void add_limits(const Value& absolute, Limits& limits) {
  const auto add = [&](std::optional<Quota>& quota, const char* most, const char* used) {
    if (absolute[most].is_int() && absolute[used].is_int())
      quota = Quota{absolute[used].int_or(0), std::max<int64_t>(absolute[most].int_or(-1), -1)};
  };
  add(limits.instances, "maxTotalInstances", "totalInstancesUsed");
  add(limits.cores, "maxTotalCores", "totalCoresUsed");
  add(limits.ram_mib, "maxTotalRAMSize", "totalRAMUsed");
  add(limits.volumes, "maxTotalVolumes", "totalVolumesUsed");
  add(limits.gigabytes, "maxTotalVolumeGigabytes", "totalGigabytesUsed");
}

std::optional<Flavor> flavor_of(const Value& json) {
  Flavor out;
  out.id = json["id"].text();
  out.name = json["name"].text();
  out.ram_mib = json["ram"].int_or(0);
  out.vcpus = static_cast<int>(json["vcpus"].int_or(0));
  if (out.id.empty() || out.name.empty() || out.ram_mib <= 0) return std::nullopt;
  return out;
}

std::optional<VolumeType> volume_type_of(const Value& json) {
  VolumeType out{json["id"].text(), json["name"].text()};
  if (out.id.empty() || out.name.empty()) return std::nullopt;
  return out;
}

Value rule_for(const std::string& group_id, const std::string& cidr) {
  return Value::map({{"security_group_id", group_id},
                     {"direction", "ingress"},
                     {"ethertype", cidr.find(':') == std::string::npos ? "IPv4" : "IPv6"},
                     {"protocol", "tcp"},
                     {"remote_ip_prefix", cidr},
                     {"description", std::string(kRuleMark) + cidr}});
}

std::vector<std::string> allowed_by(const PortSeen& port, const std::map<std::string, SecurityGroup>& groups) {
  std::vector<std::string> cidrs;
  // A rule or a group that we did not make opens more than is asked for; shown as what nobody asks for, so that it goes.
  for (const std::string& id : port.groups) {
    const auto found = groups.find(id);
    if (found == groups.end() || found->second.token != port.port.token) {
      cidrs.push_back("group " + (found == groups.end() || found->second.name.empty() ? id : found->second.name));
      continue;
    }
    for (const SecurityGroup::Rule& rule : found->second.rules)
      cidrs.push_back(rule.ours ? rule.cidr : "rule " + rule.id);
  }
  std::sort(cidrs.begin(), cidrs.end());
  return cidrs;
}

std::string mac_of(const Token& token) {
  // fa: a single card (bit 0 clear), of nobody's making (bit 1 set).
  const std::string digest = sha256_hex(to_string(token));
  std::string mac = "fa";
  for (size_t i = 0; i < 5; ++i) mac += ":" + digest.substr(2 * i, 2);
  return mac;
}

}  // namespace trove::openstack
