#include "reconciler/simulate/facts.hpp"

#include "reconciler/objects.hpp"

namespace trove::simulate {

void Facts::look_at(const Truth& truth) {
  servers = &truth.servers;
  volumes = &truth.volumes;
  ports = &truth.ports;
  objects = &truth.objects;
  disks = &truth.disks;
}

const Value& Facts::status_of(const Resource& resource) const {
  static const Value none = Value::map();
  const Key key = resource.key();
  auto found = statuses.find(key);
  if (found == statuses.end()) return none;
  Read& read = read_[key];
  if (read.text != found->second || read.uid != resource.metadata.uid)
    read = {found->second, resource.metadata.uid, Objects::parse_status(found->second, resource.metadata.uid)};
  return read.status.is_map() ? read.status : none;
}

std::string text_of(const Server& server) {
  return server.id + " " + server.name + " " + to_string(server.token) + " " + std::string(to_string(server.status)) +
         " " + server.flavor + " port " + server.port_id + " volume " + server.volume_id;
}

std::string text_of(const CloudVolume& volume) {
  return volume.id + " " + volume.name + " " + to_string(volume.token) + " " + std::string(to_string(volume.status)) +
         " " + std::to_string(volume.size_gib) + " GiB " + volume.type + " at " + volume.server_id;
}

std::string text_of(const Port& port) {
  std::string text =
      port.id + " " + port.name + " " + to_string(port.token) + " " + port.address + " at " + port.device_id;
  for (const std::string& cidr : port.allowed_cidrs) text += " " + cidr;
  return text;
}

}  // namespace trove::simulate
