#include "providers/cloud.hpp"
#include <algorithm>
#include <charconv>

namespace trove {

namespace {

constexpr std::string_view kPrefix = "trove-";
constexpr size_t kUuidLength = 36;
constexpr int kMaxIncarnation = 1'000'000'000;

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool is_uuid(std::string_view text) {
  if (text.size() != kUuidLength) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
      return false;
  }
  return true;
}

// "port-0", "data": a word, and perhaps a number.
bool is_role(std::string_view text) {
  const size_t dash = text.find('-');
  return dash == std::string_view::npos ? is_word(text)
                                        : is_word(text.substr(0, dash)) && is_digits(text.substr(dash + 1));
}

// Takes the last "-part" off `text`.
std::string_view take_last(std::string_view& text) {
  const size_t dash = text.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view last = text.substr(dash + 1);
  text = text.substr(0, dash);
  return last;
}

std::string cidrs_text(const std::vector<std::string>& cidrs) {
  if (cidrs.empty()) return "nobody";
  std::string text;
  for (const auto& cidr : cidrs) text += (text.empty() ? "" : ", ") + cidr;
  return text;
}

std::string or_else(const std::string& text, std::string_view fallback) {
  return text.empty() ? std::string(fallback) : text;
}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

std::string to_string(const Token& token) {
  return std::string(kPrefix) + token.uid + "-" + token.role + "-" + std::to_string(token.incarnation);
}

// A uid may hold dashes itself (a UUID does), so the text is read from its end: incarnation, role, and the rest is uid.
std::optional<Token> token_from(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  std::string_view rest = text.substr(kPrefix.size());
  Token token;
  const std::string_view incarnation = take_last(rest);
  if (!is_digits(incarnation)) return std::nullopt;
  const auto [end, error] =
      std::from_chars(incarnation.data(), incarnation.data() + incarnation.size(), token.incarnation);
  if (error != std::errc{} || token.incarnation > kMaxIncarnation) return std::nullopt;
  if (rest.size() > kUuidLength + 1 && rest[kUuidLength] == '-' && is_uuid(rest.substr(0, kUuidLength))) {
    token.uid = rest.substr(0, kUuidLength);
    token.role = rest.substr(kUuidLength + 1);
  } else {
    const std::string_view number_or_word = take_last(rest);
    token.role = number_or_word;
    if (is_digits(number_or_word)) token.role = std::string(take_last(rest)) + "-" + std::string(number_or_word);
    token.uid = rest;
  }
  if (token.uid.empty() || !is_role(token.role) || to_string(token) != text) return std::nullopt;
  return token;
}

std::string_view to_string(Server::Status status) {
  switch (status) {
    case Server::Status::build: return "BUILD";
    case Server::Status::active: return "ACTIVE";
    case Server::Status::shutoff: return "SHUTOFF";
    case Server::Status::reboot: return "REBOOT";
    case Server::Status::resize: return "RESIZE";
    case Server::Status::verify_resize: return "VERIFY_RESIZE";
    case Server::Status::error: return "ERROR";
    case Server::Status::deleting: return "DELETING";
    case Server::Status::unknown: return "UNKNOWN";
  }
  return "UNKNOWN";
}

std::string_view to_string(CloudVolume::Status status) {
  switch (status) {
    case CloudVolume::Status::creating: return "creating";
    case CloudVolume::Status::available: return "available";
    case CloudVolume::Status::reserved: return "reserved";
    case CloudVolume::Status::attaching: return "attaching";
    case CloudVolume::Status::detaching: return "detaching";
    case CloudVolume::Status::in_use: return "in-use";
    case CloudVolume::Status::extending: return "extending";
    case CloudVolume::Status::retyping: return "retyping";
    case CloudVolume::Status::deleting: return "deleting";
    case CloudVolume::Status::error: return "error";
    case CloudVolume::Status::error_deleting: return "error_deleting";
    case CloudVolume::Status::error_extending: return "error_extending";
    case CloudVolume::Status::unknown: return "unknown";
  }
  return "unknown";
}

std::string_view action_name(const CloudAction& action) {
  return std::visit(Overloaded{
                        [](const CreatePort&) { return "neutron.port.create"; },
                        [](const UpdatePort&) { return "neutron.port.update"; },
                        [](const DeletePort&) { return "neutron.port.delete"; },
                        [](const DeleteAddress&) { return "neutron.floatingip.delete"; },
                        [](const CreateVolume&) { return "cinder.volume.create"; },
                        [](const ExtendVolume&) { return "cinder.volume.extend"; },
                        [](const RetypeVolume&) { return "cinder.volume.retype"; },
                        [](const DeleteVolume&) { return "cinder.volume.delete"; },
                        [](const CreateServer&) { return "nova.server.create"; },
                        [](const StartServer&) { return "nova.server.start"; },
                        [](const ResizeServer&) { return "nova.server.resize"; },
                        [](const ConfirmResize&) { return "nova.server.confirm_resize"; },
                        [](const RevertResize&) { return "nova.server.revert_resize"; },
                        [](const DeleteServer&) { return "nova.server.delete"; },
                        [](const AttachVolume&) { return "nova.volume.attach"; },
                        [](const DetachVolume&) { return "nova.volume.detach"; },
                        [](const DeleteStoredObject&) { return "swift.object.delete"; },
                        [](const ExplainServer&) { return "nova.server.explain"; },
                    },
                    action);
}

std::string describe(const CloudAction& action) {
  const auto gib = [](int64_t size) { return std::to_string(size) + " GiB"; };
  const auto access = [](const auto& a) {
    return ", open to " + cidrs_text(a.allowed_cidrs) + (a.is_public ? ", with a public address" : "");
  };
  const auto zone = [](const auto& a) { return a.zone.empty() ? "" : ", zone " + a.zone; };
  return std::visit(
      Overloaded{
          [&](const CreatePort& a) { return "port " + a.name + access(a); },
          [&](const UpdatePort& a) { return "port " + a.id + access(a); },
          [](const DeletePort& a) { return "port " + a.id; },
          [](const DeleteAddress& a) { return "floating IP " + a.id; },
          [&](const CreateVolume& a) {
            return "volume " + a.name + ", " + gib(a.size_gib) + (a.type.empty() ? "" : ", type " + a.type) + zone(a);
          },
          [&](const ExtendVolume& a) { return "volume " + a.id + ", " + gib(a.from_gib) + " to " + gib(a.to_gib); },
          [](const RetypeVolume& a) {
            return "volume " + a.id + ", type " + or_else(a.from_type, "none") + " to " + a.to_type;
          },
          [](const DeleteVolume& a) { return "volume " + a.id; },
          [&](const CreateServer& a) {
            return a.name + ", flavor " + a.flavor + ", " + a.datastore + (a.version.empty() ? "" : " " + a.version) +
                   ", port " + or_else(a.port_id, "none") + ", volume " + or_else(a.volume_id, "none") +
                   zone(a) + (a.group.empty() ? "" : ", server group " + a.group);
          },
          [](const StartServer& a) { return "server " + a.id; },
          [](const ResizeServer& a) { return "server " + a.id + ", flavor " + a.from_flavor + " to " + a.to_flavor; },
          [](const ConfirmResize& a) { return "server " + a.id; },
          [](const RevertResize& a) {
            return "server " + a.id + ", flavor " + a.from_flavor + " back to " + a.to_flavor;
          },
          [](const DeleteServer& a) { return "server " + a.id; },
          [](const AttachVolume& a) { return "volume " + a.id + " to server " + a.server_id; },
          [](const DetachVolume& a) { return "volume " + a.id + " from server " + a.server_id; },
          [](const DeleteStoredObject& a) { return "stored object " + a.key; },
          [](const ExplainServer& a) { return "server " + a.id + ", who changed " + a.path; },
      },
      action);
}

const Flavor* find_flavor(const std::vector<Flavor>& flavors, const std::string& name_or_id) {
  const Flavor* found = nullptr;
  for (const Flavor& flavor : flavors) {
    if (flavor.name == name_or_id) return &flavor;
    if (!found && !name_or_id.empty() && flavor.id == name_or_id) found = &flavor;
  }
  return found;
}

std::optional<bool> same_volume_type(const std::vector<VolumeType>& types, const std::string& wants,
                                     const std::string& has) {
  if (wants == has) return true;
  // As Cinder reads a type: an id first.
  const auto known = [&](const std::string& word) {
    const auto by_id = std::find_if(types.begin(), types.end(), [&](const VolumeType& type) { return type.id == word; });
    return by_id != types.end()
               ? by_id
               : std::find_if(types.begin(), types.end(), [&](const VolumeType& type) { return type.name == word; });
  };
  const auto wanted = known(wants), had = known(has);
  if (wanted != types.end() && had != types.end()) return wanted->id == had->id;
  if (wanted == types.end() && had == types.end() && is_uuid(wants) && !has.empty()) return std::nullopt;
  return false;
}

void answer_from_lists(Inventory& seen, const std::vector<Sought>& sought) {
  const auto there = [](const auto& things, const Sought& wanted) {
    return std::any_of(things.begin(), things.end(), [&](const auto& thing) {
      return wanted.id.empty() ? thing.token == wanted.token : thing.id == wanted.id;
    });
  };
  for (const Sought& wanted : sought) {
    switch (wanted.what) {
      case Sought::What::server:
        if (seen.servers_known && !there(seen.servers, wanted)) seen.absent.push_back(wanted);
        break;
      case Sought::What::volume:
        if (seen.volumes_known && !there(seen.volumes, wanted)) seen.absent.push_back(wanted);
        break;
      case Sought::What::port:
        if (seen.ports_known && !there(seen.ports, wanted)) seen.absent.push_back(wanted);
        break;
    }
  }
}

}  // namespace trove
