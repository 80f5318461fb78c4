// What a new machine is told by Nova: which server it is, where its control plane is, and a token that is good for one
// join. cloud-init writes it to a file; where there is no cloud-init we read it off the config drive ourselves. User
// data may hold anything else: we take one file's text out of it and execute nothing. Thread-safe: no state.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include "providers/guest/machine/places.hpp"
#include "specs/core/result.hpp"
#include "specs/core/secret.hpp"

namespace trove::guest {

inline constexpr size_t kMostJoinBytes = 64u << 10;  // Nova's bound for user data, and more than a join needs

struct Join {
  std::string server;    // trove-<uid>-<role>-<incarnation>
  std::string endpoint;  // https://host:port
  Secret token;
  std::string volume;  // Cinder's id; "" = data on the root disk
  std::string ca;      // PEM; "" = the system's authorities
};
Result<Join> parse_join(std::string_view json);
// The text of /etc/trove-guest/join.json in "#cloud-config" user data that is JSON below its first line. not_found: it
// is something else, or has no such file.
Result<std::string> join_in_user_data(std::string_view user_data);

using FileSystems = std::set<std::string>;
// The user data on the disk labelled config-2; not_found when there is no such disk. Needs root.
Result<std::string> read_config_drive(const Places& places, const FileSystems& types = {"iso9660", "vfat"});
// The file, or else the config drive. not_found: neither is there (yet).
Result<Join> find_join(const Places& places);

}  // namespace trove::guest
