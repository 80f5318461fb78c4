// Which cloud, and how to sign in: clouds.yaml with secure.yaml, or OS_* variables, as OpenStack's own client reads
// them. read_config() is pure but for the `read` it is given. Values; thread-safe.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>
#include "specs/core/secret.hpp"
#include "specs/problem.hpp"

namespace trove::openstack {

// A user, project or domain is named by id, or by name within a domain.
struct Named {
  std::string id, name;
  bool empty() const { return id.empty() && name.empty(); }
};

struct Config {
  std::string cloud;     // its name; "" = from the environment
  std::string auth_url;  // ends in /v3
  bool application_credential = false;
  Named user, user_domain;
  Secret password;
  Named project, project_domain;
  Named credential;
  Secret credential_secret;
  std::string region;                // "" = the only one
  std::string interface = "public";  // public, internal or admin
  std::string ca_file;               // "" = the system's authorities
};

struct ConfigInput {
  std::string cloud;                               // asked for by name; wins over OS_CLOUD
  std::map<std::string, std::string> environment;  // OS_* is used
  // Where clouds.yaml (or .yml) and secure.yaml are looked for; the first directory that has the file counts.
  std::vector<std::string> directories;
  std::function<std::optional<std::string>(const std::string& path)> read;  // nullopt: there is none
};

// All that is wrong, with file:line:column where it stands in a file. A certificate that is not checked is refused.
tl::expected<Config, Problems> read_config(const ConfigInput& input);
// From this process's environment: ., ~/.config/openstack, /etc/openstack, or OS_CLIENT_CONFIG_FILE.
ConfigInput config_input(std::string cloud);

}  // namespace trove::openstack
