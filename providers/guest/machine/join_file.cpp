#include "providers/guest/machine/join_file.hpp"
#include <sys/mount.h>
#include <algorithm>
#include <cstring>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/machine/block.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr const char* kJoinPath = "/etc/trove-guest/join.json";  // in user data, wherever ours lies
constexpr size_t kMostServerName = 64;                           // becomes a certificate's common name
constexpr JsonLimits kJoinLimits{kMostJoinBytes, 16, 10'000};

bool is_server_name(const std::string& name) {
  return name.rfind("trove-", 0) == 0 && name.size() <= kMostServerName &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

// https://host:port and nothing behind it.
bool is_endpoint(const std::string& url) {
  constexpr std::string_view scheme = "https://";
  return url.rfind(scheme, 0) == 0 && url.size() > scheme.size() && url.size() <= 300 &&
         url.find_first_of("/?#@ \t\r\n", scheme.size()) == std::string::npos;
}

}  // namespace

Result<Join> parse_join(std::string_view json) {
  auto parsed = parse_json(json, kJoinLimits);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  if (!parsed->is_map()) return fail(Code::invalid, "the join file is not a JSON object");
  const Value& v = *parsed;
  for (const char* name : {"server", "endpoint", "token", "volume", "ca"}) {
    if (!v[name].is_null() && !v[name].is_string())
      return fail(Code::invalid, std::string("the join file's ") + name + " is not a text");
  }
  Join join{v["server"].text(), v["endpoint"].text(), Secret(v["token"].text()), v["volume"].text(), v["ca"].text()};
  if (!is_server_name(join.server)) return fail(Code::invalid, "the join file names no server of trove");
  if (!is_endpoint(join.endpoint)) return fail(Code::invalid, "the join file's endpoint is not https://host:port");
  if (join.token.empty()) return fail(Code::invalid, "the join file lacks its token");
  if (!join.volume.empty() && !is_volume_id(join.volume)) {
    return fail(Code::invalid, "the join file's volume is not the id of a volume");
  }
  if (!join.ca.empty() && join.ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return fail(Code::invalid, "the join file's ca is not a certificate");
  }
  return join;
}

Result<std::string> join_in_user_data(std::string_view user_data) {
  if (user_data.size() > kMostJoinBytes) return fail(Code::too_large, "the user data are too large");
  constexpr std::string_view header = "#cloud-config";
  const size_t line = user_data.find('\n');
  if (user_data.substr(0, header.size()) != header || line == std::string_view::npos ||
      user_data.substr(header.size(), line - header.size()).find_first_not_of(" \t\r") != std::string_view::npos) {
    return fail(Code::not_found, "the user data are not ours");
  }
  auto json = parse_json(user_data.substr(line + 1), kJoinLimits);
  if (!json) return fail(Code::not_found, "the user data are not ours: " + json.error().message);
  const Value* found = nullptr;
  for (const Value& file : (*json)["write_files"].items()) {
    if (file["path"].text() != kJoinPath) continue;
    if (found) return fail(Code::invalid, "the user data hold two join files");
    found = &file;
  }
  if (!found || !(*found)["content"].is_string()) return fail(Code::not_found, "the user data hold no join file");
  // cloud-init would decode it; we are never sent such a one.
  if (found->find("encoding")) return fail(Code::invalid, "the join file in the user data is encoded");
  return (*found)["content"].text();
}

Result<std::string> read_config_drive(const Places& places, const FileSystems& types) {
  for (const auto& name : block_devices(places)) {
    const std::string device = places.dev + "/" + name;
    const Found found = inspect_device(device, false);
    std::string label = found.label;
    std::transform(label.begin(), label.end(), label.begin(), [](unsigned char c) { return std::tolower(c); });
    if (label != "config-2" || !types.contains(found.type)) continue;
    const std::string here = places.state + "/config-drive";
    if (auto made = make_directory(here, 0700); !made) return tl::unexpected<Error>(made.error());
    if (mount(device.c_str(), here.c_str(), found.type.c_str(), MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC,
              nullptr) != 0) {
      return fail(Code::unavailable, "cannot mount the config drive " + device + ": " + strerror(errno));
    }
    auto text = read_file(here + "/openstack/latest/user_data", kMostJoinBytes);
    umount2(here.c_str(), MNT_DETACH);
    return text;
  }
  return fail(Code::not_found, "there is no config drive");
}

Result<Join> find_join(const Places& places) {
  auto text = read_file(places.join_file, kMostJoinBytes);
  if (!text && text.error().code != Code::not_found) return tl::unexpected<Error>(text.error());
  if (!text) {
    auto user_data = read_config_drive(places);
    if (!user_data) {
      return fail(user_data.error().code, "no " + places.join_file + ", and " + user_data.error().message);
    }
    text = join_in_user_data(*user_data);
    if (!text) return tl::unexpected<Error>(text.error());
  }
  return parse_join(*text);
}

}  // namespace trove::guest
