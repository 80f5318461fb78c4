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

Value Facts::status_of(const Resource& resource) const {
  auto found = statuses.find(resource.key());
  Value status = found == statuses.end() ? Value() : Objects::parse_status(found->second, resource.metadata.uid);
  return status.is_map() ? std::move(status) : Value::map();
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
