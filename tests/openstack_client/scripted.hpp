// A transport that answers as the test says, and keeps what it was asked. Any thread may call it.
#pragma once
#include <functional>
#include <mutex>
#include <string>
#include <vector>
#include "providers/openstack/session.hpp"
#include "specs/json.hpp"
#include "support/clock.hpp"

namespace trove::openstack {

struct Asked {
  std::string origin, method, path, body;
  std::map<std::string, std::string> headers;
};

class Scripted final : public Transport {
 public:
  using Answers = std::function<Result<http::Answer>(const Asked&)>;
  Answers answers;  // for what is not a login; null: 404

  Result<http::Answer> call(const std::string& origin, const http::Call& call) override {
    Asked asked{origin, call.method, call.path, call.body, {}};
    for (const auto& [name, value] : call.headers) asked.headers[name] = value;
    {
      std::lock_guard lock(mutex_);
      asked_.push_back(asked);
    }
    if (call.path.ends_with("/auth/tokens")) return login(asked);
    return answers ? answers(asked) : http::Answer{404, {}, ""};
  }
  void stop() override {}
  std::vector<Asked> asked() const {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  size_t count(const std::string& part) const {
    size_t n = 0;
    for (const Asked& one : asked()) n += one.path.find(part) != std::string::npos;
    return n;
  }

  Answers logins;  // null: a token "token-N" that lives for `life_s`
  int life_s = 3600;

  static http::Answer json(int status, const std::string& body) {
    return {status, {{"content-type", "application/json"}, {"x-openstack-request-id", "req-theirs"}}, body};
  }

 private:
  Result<http::Answer> login(const Asked& asked) {
    if (logins) return logins(asked);
    const auto endpoint = [](const std::string& type, const std::string& url) {
      return R"({"type":")" + type + R"(","endpoints":[{"interface":"public","region_id":"One","url":")" + url +
             R"("},)" + R"({"interface":"internal","region_id":"One","url":"http://internal"},)" +
             R"({"interface":"public","region_id":"Two","url":"http://two"}]})";
    };
    http::Answer answer = json(
        201, R"({"token":{"project":{"id":"p1"},"issued_at":"2026-01-01T00:00:00.000000Z","expires_at":")" +
                 format_time(Time{1'767'225'600'000} + Millis{life_s * 1000}) + R"(","catalog":[)" +
                 endpoint("compute", "http://nova:8774/v2.1") + "," + endpoint("volumev3", "http://cinder:8776/v3/p1") +
                 "," + endpoint("network", "http://neutron:9696") + "," + endpoint("image", "http://glance/image") +
                 "]}}");
    std::lock_guard lock(mutex_);
    answer.headers["x-subject-token"] = "token-" + std::to_string(++tokens_);
    return answer;
  }

  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  int tokens_ = 0;
};

inline Config password_config() {
  Config config;
  config.auth_url = "http://keystone:5000/v3";
  config.user.name = "trove";
  config.user_domain.id = config.project_domain.id = "default";
  config.password = Secret("canary-password");
  config.project.name = "databases";
  config.region = "One";
  return config;
}

struct Bed {
  explicit Bed(Config config = password_config()) : session(std::move(config), transport, clock, rng) {}
  FakeClock clock;
  SeededRng rng{1};
  Scripted transport;
  Session session;
};

}  // namespace trove::openstack
