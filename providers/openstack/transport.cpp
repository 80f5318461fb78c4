#include "providers/openstack/transport.hpp"
#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

namespace trove::openstack {
namespace {

constexpr size_t kIdlePerOrigin = 4;

class Connections final : public Transport {
 public:
  explicit Connections(std::string ca_file) : ca_file_(std::move(ca_file)) {}

  Result<http::Answer> call(const std::string& origin, const http::Call& call) override {
    const bool reading = call.method == "GET" || call.method == "HEAD";
    auto client = take(origin, reading);
    if (!client) return tl::unexpected(client.error());
    auto answer = (*client)->call(call);
    give_back(origin, std::move(*client), answer.has_value());
    return answer;
  }
  void stop() override {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    for (http::Client* client : busy_) client->stop();
  }

 private:
  Result<std::unique_ptr<http::Client>> take(const std::string& origin, bool reading) {
    std::lock_guard lock(mutex_);
    if (stopped_) return fail(Code::unavailable, "stopped");
    auto& idle = idle_[origin];
    std::unique_ptr<http::Client> client;
    if (reading && !idle.empty()) {
      client = std::move(idle.back());
      idle.pop_back();
    } else {
      http::ClientOptions options;
      options.base_url = origin;
      options.ca_file = ca_file_;
      auto made = http::Client::make(std::move(options));
      if (!made) return tl::unexpected(made.error());
      client = std::move(*made);
    }
    busy_.push_back(client.get());
    return client;
  }
  void give_back(const std::string& origin, std::unique_ptr<http::Client> client, bool usable) {
    std::lock_guard lock(mutex_);
    std::erase(busy_, client.get());
    auto& idle = idle_[origin];
    if (usable && !stopped_ && idle.size() < kIdlePerOrigin) idle.push_back(std::move(client));
  }

  const std::string ca_file_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::unique_ptr<http::Client>>> idle_;
  std::vector<http::Client*> busy_;
  bool stopped_ = false;
};

}  // namespace

std::unique_ptr<Transport> make_transport(std::string ca_file) {
  return std::make_unique<Connections>(std::move(ca_file));
}

Url split_url(std::string_view url) {
  const size_t scheme = url.find("://");
  const size_t slash = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  Url out{std::string(url.substr(0, slash)), slash == std::string_view::npos ? "" : std::string(url.substr(slash))};
  while (out.path.ends_with('/')) out.path.pop_back();
  return out;
}

}  // namespace trove::openstack
