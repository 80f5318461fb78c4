// Where the server is and who we are there. Sources, strongest first: flags, TROVE_SERVER_URL / TROVE_TOKEN_FILE /
// TROVE_PROJECT, TROVE_DATA (a troved data directory), the configuration file, defaults. Plain values.
#pragma once
#include <functional>
#include <string>
#include <vector>
#include "cli/failure.hpp"
#include "specs/core/secret.hpp"

namespace trove::cli {

inline constexpr const char* kDefaultServer = "http://127.0.0.1:7780";
inline constexpr size_t kSettingsBytes = 64u << 10;   // of the configuration, endpoint and token files

struct Setting {
  std::string name;     // "server" "tokenFile" "project", as in the file
  std::string value;
  std::string source;   // "flag --server", "TROVE_DATA", a file, "default"
};
struct Settings {
  Setting server, token_file, project;
  std::string config_path;
};

using Environment = std::function<std::string(const std::string&)>;

std::string config_path(const Environment& env);
// `flags` holds what was given on the command line ("" = not given).
struct SettingFlags {
  std::string server, token_file, project;
};
Try<Settings> load_settings(const Environment& env, const SettingFlags& flags);
// Changes one setting in the file, which is made with mode 0600 when missing; replaced in one step.
Try<void> save_setting(const Environment& env, const std::string& name, const std::string& value);
// The token named by settings; an empty Secret when no token file is set.
Try<Secret> read_token(const Settings& settings);
// The whole of a small file; refuses more than `most` bytes.
Try<std::string> read_small_file(const std::string& path, size_t most);

}  // namespace trove::cli
