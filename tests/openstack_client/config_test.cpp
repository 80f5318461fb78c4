// clouds.yaml, secure.yaml and OS_*: what is read, and how a mistake is told.
#include "providers/openstack/config.hpp"
#include <catch2/catch.hpp>

using namespace trove;
using namespace trove::openstack;

namespace {

using Files = std::map<std::string, std::string>;

tl::expected<Config, Problems> read(Files files, std::map<std::string, std::string> environment = {},
                                    std::string cloud = {}) {
  ConfigInput input;
  input.cloud = std::move(cloud);
  input.environment = std::move(environment);
  input.directories = {"here", "home"};
  input.read = [&files](const std::string& path) -> std::optional<std::string> {
    auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
  return read_config(input);
}

std::string problems(const tl::expected<Config, Problems>& read) { return read ? "" : to_string(read.error()); }

const std::string kClouds = R"(clouds:
  prod:
    region_name: RegionOne
    interface: internalURL
    cacert: /etc/ssl/cloud.pem
    auth:
      auth_url: https://keystone.example:5000/
      username: trove
      project_name: databases
      user_domain_name: Default
      project_domain_id: default
      password: 12345
  robot:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://keystone.example/identity/v3
      application_credential_id: abc
      application_credential_secret: def
)";

}  // namespace

TEST_CASE("a cloud is read from clouds.yaml") {
  auto config = read({{"here/clouds.yaml", kClouds}}, {}, "prod");
  INFO(problems(config));
  REQUIRE(config.has_value());
  CHECK(config->auth_url == "https://keystone.example:5000/v3");
  CHECK(config->user.name == "trove");
  CHECK(config->user_domain.name == "Default");
  CHECK(config->project.name == "databases");
  CHECK(config->project_domain.id == "default");
  CHECK(config->password.reveal() == "12345");
  CHECK(config->region == "RegionOne");
  CHECK(config->interface == "internal");
  CHECK(config->ca_file == "/etc/ssl/cloud.pem");
  CHECK_FALSE(config->application_credential);
}

TEST_CASE("an application credential needs neither user nor project") {
  auto config = read({{"home/clouds.yml", kClouds}}, {{"OS_CLOUD", "robot"}});
  INFO(problems(config));
  REQUIRE(config.has_value());
  CHECK(config->application_credential);
  CHECK(config->credential.id == "abc");
  CHECK(config->credential_secret.reveal() == "def");
  CHECK(config->auth_url == "https://keystone.example/identity/v3");
}

TEST_CASE("secure.yaml beside clouds.yaml adds what is secret") {
  auto config = read({{"here/clouds.yaml",
                       "clouds:\n  a:\n    auth:\n      auth_url: http://k/v3\n      username: u\n"
                       "      project_name: p\n"},
                      {"here/secure.yaml", "clouds:\n  a:\n    auth:\n      password: hidden\n"}},
                     {}, "a");
  INFO(problems(config));
  REQUIRE(config.has_value());
  CHECK(config->password.reveal() == "hidden");
  CHECK(config->user_domain.id == "default");
}

TEST_CASE("the only cloud of a file needs no name") {
  CHECK(read({{"here/clouds.yaml",
               "clouds:\n  a:\n    auth: {auth_url: 'http://k', username: u, password: p, "
               "project_name: p}\n"}})
            .has_value());
  const std::string said = problems(read({{"here/clouds.yaml", kClouds}}));
  CHECK(said.find("There are: prod, robot") != std::string::npos);
  CHECK(said.find("here/clouds.yaml:2:") == 0);
}

TEST_CASE("OS_ variables alone are enough") {
  auto config = read({}, {{"OS_AUTH_URL", "http://10.0.0.1:5000/v3"},
                          {"OS_USERNAME", "trove"},
                          {"OS_PASSWORD", "secret"},
                          {"OS_PROJECT_NAME", "databases"},
                          {"OS_USER_DOMAIN_NAME", "Users"},
                          {"OS_REGION_NAME", "R"},
                          {"OS_CACERT", "/ca"},
                          {"OS_INTERFACE", "admin"}});
  INFO(problems(config));
  REQUIRE(config.has_value());
  CHECK(config->user_domain.name == "Users");
  CHECK(config->project_domain.id == "default");
  CHECK(config->region == "R");
  CHECK(config->ca_file == "/ca");
  CHECK(config->interface == "admin");
  const std::string said = problems(read({}, {{"OS_AUTH_URL", "http://10.0.0.1:5000/v3"}}));
  for (const char* missing : {"set OS_USERNAME", "set OS_PASSWORD", "set OS_PROJECT_NAME"})
    CHECK(said.find(missing) != std::string::npos);
}

TEST_CASE("a mistake in clouds.yaml is told with file, line and column") {
  const auto said = [](const std::string& cloud) {
    return problems(read({{"here/clouds.yaml", "clouds:\n  a:\n" + cloud}}, {}, "a"));
  };
  const std::string auth = "    auth: {auth_url: 'http://k', username: u, password: p, project_name: p}\n";
  CHECK(said("    auth:\n      auth_url: http://k\n      usrname: u\n")
            .find("here/clouds.yaml:5:7  clouds.a.auth.usrname: unknown key. Did you mean \"username\"?") == 0);
  CHECK(said("    auth:\n      auth_url: http://k\n      password: [1]\n").find("here/clouds.yaml:5:17  ") == 0);
  CHECK(said(auth + "    interface: privat\n").find("here/clouds.yaml:4:16  clouds.a.interface: interface is public") ==
        0);
  CHECK(said(auth + "    verify: false\n").find("here/clouds.yaml:4:13  clouds.a.verify: a cloud whose certificate") ==
        0);
  CHECK(said(auth + "    profile: rackspace\n").find("here/clouds.yaml:4:14  clouds.a.profile: vendor profiles") == 0);
  CHECK(said(auth + "    auth_type: v3oidc\n").find("here/clouds.yaml:4:16  clouds.a.auth_type: ") == 0);
  CHECK(said("    auth:\n      username: u\n      password: hush\n").find("auth_url is missing") != std::string::npos);
  CHECK(said("    auth:\n      username: u\n      password: hush\n").find("hush") == std::string::npos);
  CHECK(said("    auth: {auth_url: 'ftp://k', username: u, password: p, project_name: p}\n").find("http://") !=
        std::string::npos);
  CHECK(said("   auth: [\n").find("here/clouds.yaml:") == 0);
  CHECK(problems(read({{"here/clouds.yaml", kClouds}}, {}, "prd"))
            .find("there is no cloud \"prd\"; there are: prod, robot") != std::string::npos);
  CHECK(problems(read({}, {}, "prod")).find("looked in: here, home") != std::string::npos);
  CHECK(problems(read({})).find("no cloud is configured") != std::string::npos);
}

TEST_CASE("keys of other tools are left alone") {
  CHECK(read({{"here/clouds.yaml",
               "clouds:\n  a:\n    compute_api_version: '2.79'\n    image_format: raw\n    verify: true\n    auth: "
               "{auth_url: "
               "'http://k', username: u, password: p, project_name: p, some_plugin_option: 7}\n"}},
             {}, "a")
            .has_value());
}
