#include "cli/settings.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <filesystem>
#include "specs/yaml.hpp"

namespace trove::cli {
namespace {

struct Fd {
  int fd = -1;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

std::string trimmed(const std::string& text) {
  const char* blank = " \t\r\n";
  size_t from = text.find_first_not_of(blank);
  return from == std::string::npos ? "" : text.substr(from, text.find_last_not_of(blank) - from + 1);
}

Try<Value> read_config(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || !std::filesystem::exists(path, ignored)) return Value::map();
  auto text = read_small_file(path, kSettingsBytes);
  if (!text) return tl::unexpected(text.error());
  YamlStream stream = parse_yaml(*text, path);
  if (!stream.problems.empty()) return usage_error(to_string(stream.problems.front()));
  if (stream.documents.empty()) return Value::map();
  const Value& config = stream.documents.front();
  if (!config.is_map()) return usage_error(path + ": expected lines like \"server: http://127.0.0.1:7780\"");
  for (const auto& member : config.members()) {
    if (member.key != "server" && member.key != "tokenFile" && member.key != "project") {
      std::string near = nearest(member.key, {"server", "tokenFile", "project"});
      return usage_error(
          path + ":" + std::to_string(member.key_at.line) + ": unknown setting \"" + printable(member.key) + "\"",
          near.empty() ? "settings are server, tokenFile and project" : "Did you mean \"" + near + "\"?");
    }
    if (!member.value.is_string()) {
      return usage_error(path + ":" + std::to_string(member.value.at.line) + ": " + member.key + " must be a string");
    }
  }
  return config;
}

void choose(Setting& setting, const std::string& value, const std::string& source) {
  if (setting.value.empty() && !value.empty()) {
    setting.value = value;
    setting.source = source;
  }
}

}  // namespace

Try<std::string> read_small_file(const std::string& path, size_t most) {
  Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) {
    int error = errno;
    return failed(error == ENOENT ? kUsage : kAuth, "cannot read " + printable(path) + ": " + std::strerror(error));
  }
  std::string text;
  char buffer[4096];
  for (;;) {
    ssize_t got = ::read(file.fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return usage_error("cannot read " + printable(path) + ": " + std::strerror(errno));
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > most) return usage_error(printable(path) + " is larger than " + std::to_string(most) + " bytes");
  }
}

std::string config_path(const Environment& env) {
  std::string base = env("XDG_CONFIG_HOME");
  if (base.empty()) {
    std::string home = env("HOME");
    if (home.empty()) return "";
    base = home + "/.config";
  }
  return base + "/trove/config.yaml";
}

Try<Settings> load_settings(const Environment& env, const SettingFlags& flags) {
  Settings found;
  found.server.name = "server";
  found.token_file.name = "tokenFile";
  found.project.name = "project";
  found.config_path = config_path(env);
  choose(found.server, flags.server, "--server");
  choose(found.token_file, flags.token_file, "--token-file");
  choose(found.project, flags.project, "--project");
  choose(found.server, env("TROVE_SERVER_URL"), "TROVE_SERVER_URL");
  choose(found.token_file, env("TROVE_TOKEN_FILE"), "TROVE_TOKEN_FILE");
  choose(found.project, env("TROVE_PROJECT"), "TROVE_PROJECT");

  if (std::string data = env("TROVE_DATA"); !data.empty()) {
    if (found.server.value.empty()) {
      auto endpoint = read_small_file(data + "/endpoint", kSettingsBytes);
      if (!endpoint) {
        return failed(kUnavailable, "TROVE_DATA is " + printable(data) + ", but " + endpoint.error().message,
                      "start the server: troved --data " + printable(data));
      }
      choose(found.server, trimmed(*endpoint), "TROVE_DATA");
    }
    choose(found.token_file, data + "/token", "TROVE_DATA");
  }
  auto config = read_config(found.config_path);
  if (!config) return tl::unexpected(config.error());
  choose(found.server, (*config)["server"].text(), found.config_path);
  choose(found.token_file, (*config)["tokenFile"].text(), found.config_path);
  choose(found.project, (*config)["project"].text(), found.config_path);
  choose(found.server, kDefaultServer, "default");
  choose(found.project, "default", "default");
  while (!found.server.value.empty() && found.server.value.back() == '/') found.server.value.pop_back();
  return found;
}

Try<void> save_setting(const Environment& env, const std::string& name, const std::string& value) {
  std::string path = config_path(env);
  if (path.empty()) return usage_error("neither HOME nor XDG_CONFIG_HOME is set, so there is no configuration file");
  auto config = read_config(path);
  if (!config) return tl::unexpected(config.error());
  config->set(name, value);
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return usage_error("cannot make the folder of " + path + ": " + error.message());

  // Written beside and renamed: a crash leaves the old file or the new one, never half.
  std::string draft = path + ".new";
  Fd file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (file.fd < 0) return usage_error("cannot write " + draft + ": " + std::strerror(errno));
  ::fchmod(file.fd, 0600);
  std::string text = dump_yaml(*config);
  if (text.empty() || text.back() != '\n') text += '\n';
  if (::write(file.fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(file.fd) != 0 ||
      ::rename(draft.c_str(), path.c_str()) != 0) {
    return usage_error("cannot write " + path + ": " + std::strerror(errno));
  }
  return {};
}

Try<Secret> read_token(const Settings& settings) {
  if (settings.token_file.value.empty()) return Secret();
  auto text = read_small_file(settings.token_file.value, kSettingsBytes);
  if (!text) {
    return failed(kAuth, text.error().message, "the token file comes from " + settings.token_file.source +
                                                   "; see: trovectl config view");
  }
  return Secret(trimmed(*text));
}

}  // namespace trove::cli
