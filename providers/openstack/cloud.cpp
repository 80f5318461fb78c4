#include "providers/openstack/cloud.hpp"
#include <algorithm>
#include "specs/core/digest.hpp"
#include "specs/core/overload.hpp"
#include "specs/json.hpp"

namespace trove::openstack {
namespace {

constexpr Millis kListsLast{600'000};  // those that only operators change: flavors, volume types
// Whose requests an action makes.
std::vector<Service> services_of(const CloudAction& action) {
  using S = Service;
  return std::visit(Overload{[](const CreatePort&) { return std::vector{S::network}; },
                             [](const UpdatePort&) { return std::vector{S::network}; },
                             [](const DeletePort&) {
                               return std::vector{S::network, S::compute};
                             },
                             [](const DeleteAddress&) { return std::vector{S::network}; },
                             [](const CreateVolume&) { return std::vector{S::volume}; },
                             [](const ExtendVolume&) { return std::vector{S::volume}; },
                             [](const RetypeVolume&) { return std::vector{S::volume}; },
                             [](const DeleteVolume&) { return std::vector{S::volume}; },
                             [](const AttachVolume&) {
                               return std::vector{S::volume, S::compute};
                             },
                             [](const DetachVolume&) {
                               return std::vector{S::volume, S::compute};
                             },
                             [](const DeleteStoredObject&) { return std::vector{S::object_store}; },
                             [](const auto&) { return std::vector{S::compute}; }},
                    action);
}

constexpr size_t kMostUserData = 65'535;  // Nova's bound on the encoded text

}  // namespace

Failure refused(Service service, Code code, std::string message, std::string hint) {
  return no_answer(service, Error{code, std::move(message), std::move(hint), {}}, "");
}

Openstack::Openstack(Options options)
    : options_(Options{std::move(options.config), std::move(options.network), std::move(options.images),
                       std::move(options.availability_zone), std::move(options.external_network), std::move(options.key_pair), std::move(options.container),
                       std::move(options.object_key), std::move(options.guest_endpoint), std::move(options.guest_ca),
                       options.full_period, options.clock, options.rng, nullptr}),
      transport_(options.transport ? std::move(options.transport) : make_transport(options_.config.ca_file)),
      clock_(options_.clock),
      session_(options_.config, *transport_, options_.clock, options_.rng) {}

Result<Outcome> Openstack::perform(const CloudAction& action) {
  for (Service service : services_of(action))
    if (auto known = ready(service); !known) return tl::unexpected(with_request(known.error()));
  // Before and after: an observation that overlaps with it in any way is followed by a full one.
  const bool access = std::holds_alternative<CreatePort>(action) || std::holds_alternative<UpdatePort>(action) ||
                      std::holds_alternative<DeletePort>(action) || std::holds_alternative<DeleteAddress>(action);
  ++performed_, access_performed_ += access;
  auto done = std::visit([this](const auto& a) { return run(a); }, action);
  ++performed_, access_performed_ += access;
  if (!done) return tl::unexpected(with_request(done.error()));
  return std::move(*done);
}

OpenStackCloud::Report Openstack::report() const {
  Report out;
  const Session::Counts counts = session_.counts();
  for (const auto& [what, count] : counts.requests) {
    out.by_service.push_back({std::string(to_string(what.first)), what.second, count});
    out.requests += count;
  }
  out.logins = counts.logins;
  out.replays = counts.replays;
  const Capabilities known = capabilities();
  out.nova = known.nova;
  out.cinder = known.cinder;
  out.lost = known.lost;
  return out;
}

Capabilities Openstack::capabilities() const {
  std::lock_guard lock(mutex_);
  return capabilities_;
}

Openstack::Answered<void> Openstack::ready(Service service) {
  Capabilities known = capabilities();
  if (known.asked.contains(service)) return {};
  known = {};
  if (auto asked = probe(session_, service, known); !asked) return tl::unexpected(asked.error());
  std::lock_guard lock(mutex_);
  if (!capabilities_.asked.insert(service).second) return {};  // another thread asked as well
  if (service == Service::compute) capabilities_.nova = known.nova, capabilities_.server_tags = known.server_tags;
  if (service == Service::volume)
    capabilities_.cinder = known.cinder, capabilities_.volume_changes = known.volume_changes;
  if (service == Service::object_store) capabilities_.object_store = known.object_store;
  for (std::string& lost : known.lost) capabilities_.lost.push_back(std::move(lost));
  return {};
}

template <class T, class Read>
Openstack::Answered<std::vector<T>> Openstack::lasting(Lasting<T>& kept, const List& list, Read read) {
  {
    std::lock_guard lock(mutex_);
    if (!kept.things.empty() && clock_.monotonic() < kept.until) return kept.things;
  }
  if (auto asked = ready(list.service); !asked) return tl::unexpected(asked.error());
  auto listed = list_all(session_, list);
  if (!listed) return tl::unexpected(listed.error());
  std::vector<T> seen;
  for (const Value& json : *listed)
    if (auto thing = read(json)) seen.push_back(std::move(*thing));
  std::lock_guard lock(mutex_);
  kept.things = seen;
  kept.until = clock_.monotonic() + kListsLast;
  return seen;
}

Openstack::Answered<std::vector<Flavor>> Openstack::flavors() {
  return lasting(flavors_, {Service::compute, "/flavors/detail", "flavors", ""}, flavor_of);
}

Openstack::Answered<std::vector<VolumeType>> Openstack::volume_types() {
  return lasting(volume_types_, {Service::volume, "/types", "volume_types", ""}, volume_type_of);
}

Openstack::Answered<std::string> Openstack::flavor_id(const std::string& name) {
  for (bool fresh = false;; fresh = true) {
    auto seen = flavors();
    if (!seen) return tl::unexpected(seen.error());
    std::string names;
    if (const Flavor* found = find_flavor(*seen, name)) return found->id;
    for (const Flavor& flavor : *seen) names += (names.empty() ? "" : ", ") + flavor.name;
    if (fresh)
      return tl::unexpected(
          refused(Service::compute, Code::invalid, "there is no flavor " + name, "there are: " + names));
    std::lock_guard lock(mutex_);
    flavors_.until = Millis{0};  // it may be new
  }
}

Openstack::Answered<std::string> Openstack::id_by_name(Service service, const std::string& path, const std::string& key,
                                                       const std::string& name_or_id) {
  const std::string memo = std::string(to_string(service)) + " " + name_or_id;
  {
    std::lock_guard lock(mutex_);
    if (auto known = ids_.find(memo); known != ids_.end()) return known->second;
  }
  auto listed = list_all(session_, {service, path, key, "name=" + http::percent_encode(name_or_id)});
  if (!listed) return tl::unexpected(listed.error());
  if (listed->empty()) {
    listed = list_all(session_, {service, path, key, "id=" + http::percent_encode(name_or_id)});
    if (!listed) return tl::unexpected(listed.error());
  }
  const std::string thing = key.substr(0, key.size() - 1);
  if (listed->empty())
    return tl::unexpected(refused(service, Code::invalid, "there is no " + thing + " " + name_or_id));
  if (listed->size() > 1)
    return tl::unexpected(refused(service, Code::invalid,
                                  std::to_string(listed->size()) + " " + key + " are called " + name_or_id,
                                  "name its id"));
  std::string id = listed->front()["id"].text();
  std::lock_guard lock(mutex_);
  return ids_[memo] = id;
}

Openstack::Answered<std::string> Openstack::network_id() {
  return id_by_name(Service::network, "/networks", "networks", options_.network);
}

Openstack::Answered<std::string> Openstack::image_id(const std::string& datastore, const std::string& version) {
  for (const std::string& which : {datastore + " " + version, datastore, std::string()})
    if (auto image = options_.images.find(which); image != options_.images.end()) {
      auto id = id_by_name(Service::image, "/images", "images", image->second);
      // Images are replaced by newer ones of the same name.
      std::lock_guard lock(mutex_);
      ids_.erase("glance " + image->second);
      return id;
    }
  return tl::unexpected(
      refused(Service::image, Code::invalid, "no image is configured for " + datastore + " " + version));
}

Result<std::unique_ptr<OpenStackCloud>> open_openstack_cloud(Options options) {
  if (options.network.empty()) return fail(Code::invalid, "which network? Servers need one");
  if (options.images.empty()) return fail(Code::invalid, "which image? Servers boot from one");
  if (options.container.empty() || options.container.find('/') != std::string::npos || options.container.size() > 256)
    return fail(Code::invalid, "\"" + options.container + "\" cannot be the name of a container");
  if (!options.guest_endpoint) return fail(Code::invalid, "servers must be told where to call");
  return std::make_unique<Openstack>(std::move(options));
}

std::string guest_user_data(const Token& token, const GuestEndpoint& endpoint, const std::string& ca,
                            const std::string& volume_id) {
  Value join = Value::map({{"server", to_string(token)},
                           {"endpoint", endpoint.url},
                           {"token", endpoint.token},
                           {"volume", volume_id}});
  if (!ca.empty()) join.set("ca", ca);
  const Value file = Value::map({{"path", "/etc/trove-guest/join.json"},
                                 {"permissions", "0600"},
                                 {"owner", "root:root"},
                                 {"content", dump_json(join) + "\n"}});
  const std::string text = "#cloud-config\n" + dump_json(Value::map({{"write_files", Value::list({file})}})) + "\n";
  const std::string encoded = base64(text);
  TROVE_CHECK(encoded.size() <= kMostUserData);
  return encoded;
}

}  // namespace trove::openstack
