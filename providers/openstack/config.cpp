#include "providers/openstack/config.hpp"
#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <sstream>
#include "specs/yaml.hpp"

namespace trove::openstack {
namespace {

// What may stand under `auth`. Everything else there is a slip when it is near one of these, and another tool's if not.
const std::vector<std::string_view> kAuthKeys = {"auth_url",
                                                 "username",
                                                 "user_id",
                                                 "password",
                                                 "user_domain_name",
                                                 "user_domain_id",
                                                 "project_name",
                                                 "project_id",
                                                 "tenant_name",
                                                 "tenant_id",
                                                 "project_domain_name",
                                                 "project_domain_id",
                                                 "domain_name",
                                                 "domain_id",
                                                 "default_domain",
                                                 "application_credential_id",
                                                 "application_credential_name",
                                                 "application_credential_secret",
                                                 "system_scope",
                                                 "trust_id",
                                                 "token"};

class Reader {
 public:
  explicit Reader(const ConfigInput& input) : input_(input) {}

  tl::expected<Config, Problems> read() {
    std::string name = input_.cloud.empty() ? variable("OS_CLOUD") : input_.cloud;
    if (name.empty() && variable("OS_AUTH_URL").empty()) name = only_cloud();
    if (!problems_.empty()) return tl::unexpected(problems_);
    if (name.empty())
      from_environment();
    else
      from_file(name);
    check();
    if (!problems_.empty()) return tl::unexpected(problems_);
    return std::move(config_);
  }

 private:
  void wrong(std::string message, std::string hint = {}, Position at = {}, std::string path = {}) {
    problems_.push_back({at.line ? file_ : "", at, std::move(path), std::move(message), std::move(hint)});
  }
  std::string variable(const std::string& name) const {
    auto found = input_.environment.find(name);
    return found == input_.environment.end() ? "" : found->second;
  }

  // The first of clouds.yaml / secure.yaml in the directories, parsed; null when there is none.
  Value load(const std::string& stem, std::string& file) {
    std::vector<std::string> paths;
    if (std::string named = variable("OS_CLIENT_CONFIG_FILE"); stem == "clouds" && !named.empty()) paths = {named};
    if (std::string named = variable("OS_CLIENT_SECURE_FILE"); stem == "secure" && !named.empty()) paths = {named};
    if (stem == "secure" && paths.empty() && !file_.empty())
      for (const char* ending : {".yaml", ".yml"})
        paths.push_back(file_.substr(0, file_.rfind('/') + 1) + stem + ending);
    if (stem == "clouds" && paths.empty())
      for (const std::string& directory : input_.directories)
        for (const char* ending : {".yaml", ".yml"}) paths.push_back(directory + "/" + stem + ending);
    for (const std::string& path : paths) {
      auto text = input_.read(path);
      if (!text) continue;
      file = path;
      YamlStream stream = parse_yaml(*text, path);
      problems_.insert(problems_.end(), stream.problems.begin(), stream.problems.end());
      return stream.documents.empty() ? Value() : std::move(stream.documents.front());
    }
    return {};
  }

  std::string only_cloud() {
    const Value document = load("clouds", file_);
    if (!problems_.empty()) return {};
    const Value& clouds = document["clouds"];
    if (clouds.size() == 1) return clouds.members().front().key;
    if (clouds.empty())
      wrong("no cloud is configured",
            "write a clouds.yaml, or set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME");
    else
      wrong("which cloud? There are: " + names_of(clouds), "name one with --os-cloud or OS_CLOUD", clouds.at, "clouds");
    return {};
  }
  static std::string names_of(const Value& clouds) {
    std::string names;
    for (const Value::Member& member : clouds.members()) names += (names.empty() ? "" : ", ") + printable(member.key);
    return names;
  }

  void from_file(const std::string& name) {
    config_.cloud = name;
    const Value document = load("clouds", file_);
    if (!problems_.empty()) return;
    if (file_.empty()) {
      std::string places;
      for (const std::string& directory : input_.directories) places += (places.empty() ? "" : ", ") + directory;
      return wrong("cloud \"" + printable(name) + "\" is wanted, and there is no clouds.yaml", "looked in: " + places);
    }
    const Value& clouds = document["clouds"];
    const Value* cloud = clouds.find(name);
    if (!cloud || !cloud->is_map())
      return wrong("there is no cloud \"" + printable(name) + "\"; there are: " + names_of(clouds), {},
                   clouds.at.line ? clouds.at : document.at, "clouds");
    where_ = cloud->at;
    path_ = "clouds." + name;
    if (const Value* profile = cloud->find("profile"))
      wrong("vendor profiles are not read", "write auth_url and region_name out", profile->at, path_ + ".profile");
    take_cloud(*cloud);
    std::string secure_file;
    const Value secure = load("secure", secure_file);
    std::swap(file_, secure_file);
    if (const Value& secrets = secure["clouds"][name]; secrets.is_map()) take_cloud(secrets);
    std::swap(file_, secure_file);
  }

  void take_cloud(const Value& cloud) {
    for (const Value::Member& member : cloud["auth"].members()) {
      if (std::find(kAuthKeys.begin(), kAuthKeys.end(), member.key) == kAuthKeys.end()) {
        const std::string meant = nearest(member.key, kAuthKeys);
        if (!meant.empty())
          wrong("unknown key. Did you mean \"" + meant + "\"?", {}, member.key_at, path_ + ".auth." + member.key);
        continue;
      }
      if (member.value.is_map() || member.value.is_list()) {
        wrong("must be a text", {}, member.value.at, path_ + ".auth." + member.key);
        continue;
      }
      take(member.key, member.value.as_written());
    }
    if (cloud.find("auth_type")) auth_type(cloud["auth_type"].text(), cloud["auth_type"].at);
    if (cloud.find("region_name")) config_.region = cloud["region_name"].as_written();
    for (const char* key : {"endpoint_type", "interface"})
      if (cloud.find(key)) interface(cloud[key].text(), cloud[key].at);
    if (cloud.find("cacert")) config_.ca_file = cloud["cacert"].text();
    const Value* verify = cloud.find("verify");
    if (verify && verify->is_string()) config_.ca_file = verify->text();
    if (verify && verify->is_bool() && !verify->bool_or(true)) unverified(verify->at);
  }

  void from_environment() {
    for (std::string_view key : kAuthKeys) {
      std::string name = "OS_" + std::string(key);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
      if (std::string text = variable(name); !text.empty()) take(key, text);
    }
    if (std::string type = variable("OS_AUTH_TYPE"); !type.empty()) auth_type(type, {});
    config_.region = variable("OS_REGION_NAME");
    for (const char* name : {"OS_ENDPOINT_TYPE", "OS_INTERFACE"})
      if (std::string text = variable(name); !text.empty()) interface(text, {});
    config_.ca_file = variable("OS_CACERT");
    if (std::string insecure = variable("OS_INSECURE"); insecure == "1" || insecure == "true" || insecure == "True")
      unverified({});
  }

  void take(std::string_view key, std::string text) {
    if (key == "auth_url")
      config_.auth_url = std::move(text);
    else if (key == "username")
      config_.user.name = std::move(text);
    else if (key == "user_id")
      config_.user.id = std::move(text);
    else if (key == "password")
      config_.password = Secret(std::move(text));
    else if (key == "user_domain_name")
      config_.user_domain.name = std::move(text);
    else if (key == "user_domain_id")
      config_.user_domain.id = std::move(text);
    else if (key == "project_name" || key == "tenant_name")
      config_.project.name = std::move(text);
    else if (key == "project_id" || key == "tenant_id")
      config_.project.id = std::move(text);
    else if (key == "project_domain_name")
      config_.project_domain.name = std::move(text);
    else if (key == "project_domain_id")
      config_.project_domain.id = std::move(text);
    else if (key == "domain_id" || key == "default_domain")
      default_domain_.id = std::move(text);
    else if (key == "domain_name")
      default_domain_.name = std::move(text);
    else if (key == "application_credential_id")
      config_.credential.id = std::move(text);
    else if (key == "application_credential_name")
      config_.credential.name = std::move(text);
    else if (key == "application_credential_secret")
      config_.credential_secret = Secret(std::move(text));
    else if (!text.empty())
      wrong(std::string(key) + " is not supported", "use a password or an application credential");
  }
  void auth_type(const std::string& type, Position at) {
    if (type == "v3applicationcredential")
      config_.application_credential = true;
    else if (type != "password" && type != "v3password")
      wrong("auth_type \"" + printable(type) + "\" is not supported", "password or v3applicationcredential", at,
            at.line ? path_ + ".auth_type" : "");
  }
  void interface(std::string text, Position at) {
    if (text.ends_with("URL")) text.resize(text.size() - 3);
    if (text == "public" || text == "internal" || text == "admin")
      config_.interface = std::move(text);
    else
      wrong("interface is public, internal or admin", {}, at, at.line ? path_ + ".interface" : "");
  }
  void unverified(Position at) {
    wrong("a cloud whose certificate is not checked could be anybody's", "name its authority's file as cacert", at,
          at.line ? path_ + ".verify" : "");
  }

  void check() {
    if (!problems_.empty()) return;
    Config& c = config_;
    const auto missing = [&](const char* key) {
      std::string variable = "OS_" + std::string(key);
      std::transform(variable.begin(), variable.end(), variable.begin(),
                     [](unsigned char ch) { return std::toupper(ch); });
      wrong(std::string(key) + " is missing", where_.line ? "" : "set " + variable, where_,
            where_.line ? path_ + ".auth" : "");
    };
    if (c.auth_url.empty()) missing("auth_url");
    while (c.auth_url.ends_with('/')) c.auth_url.pop_back();
    if (!c.auth_url.empty() && !c.auth_url.starts_with("http://") && !c.auth_url.starts_with("https://"))
      wrong("auth_url must begin with http:// or https://", {}, where_, where_.line ? path_ + ".auth.auth_url" : "");
    if (c.auth_url.ends_with("/v2.0")) c.auth_url.resize(c.auth_url.size() - 5);
    if (!c.auth_url.empty() && !c.auth_url.ends_with("/v3")) c.auth_url += "/v3";
    if (!c.credential.empty()) c.application_credential = true;
    const auto domain = [&](Named& of) {
      if (of.empty()) of = default_domain_;
      if (of.empty()) of.id = "default";
    };
    if (c.application_credential) {
      if (c.credential.empty()) missing("application_credential_id");
      if (c.credential_secret.empty()) missing("application_credential_secret");
      if (c.credential.id.empty() && c.user.empty()) missing("user_id");
      domain(c.user_domain);
      return;
    }
    if (c.user.empty()) missing("username");
    if (c.password.empty()) missing("password");
    if (c.project.empty()) missing("project_name");
    domain(c.user_domain);
    domain(c.project_domain);
  }

  const ConfigInput& input_;
  Config config_;
  Named default_domain_;
  Problems problems_;
  std::string file_, path_;
  Position where_;
};

}  // namespace

tl::expected<Config, Problems> read_config(const ConfigInput& input) { return Reader(input).read(); }

ConfigInput config_input(std::string cloud) {
  ConfigInput input;
  input.cloud = std::move(cloud);
  for (char** variable = environ; variable && *variable; ++variable) {
    const std::string_view text = *variable;
    const size_t equals = text.find('=');
    if (text.starts_with("OS_") && equals != std::string_view::npos)
      input.environment[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  input.directories = {"."};
  if (const char* home = std::getenv("HOME")) input.directories.push_back(std::string(home) + "/.config/openstack");
  input.directories.push_back("/etc/openstack");
  input.read = [](const std::string& path) -> std::optional<std::string> {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  };
  return input;
}

}  // namespace trove::openstack
