// Signed in at a cloud: token, catalogue, and every request to its services. A token is renewed before it ends; when a
// service refuses it all the same, there is one new login and one replay. Several threads that need a login share one.
// Neither tokens nor passwords reach an error or a log. Thread-safe.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include "providers/openstack/answer.hpp"
#include "providers/openstack/config.hpp"
#include "providers/openstack/transport.hpp"

namespace trove::openstack {

inline constexpr Millis kReadDeadline{30'000};
inline constexpr Millis kWriteDeadline{60'000};

struct Request {
  Service service = Service::compute;
  std::string method = "GET";
  std::string path;  // below the service's endpoint, with query, encoded: "/servers/detail?limit=1000"
  Value body;        // null = none
  std::vector<std::pair<std::string, std::string>> headers;
};

class Session {
 public:
  Session(Config config, Transport& transport, const Clock& clock, Rng& rng);

  // A GET that met a broken connection is asked once more; nothing else is ever repeated but for a refused token.
  tl::expected<Reply, Failure> send(const Request& request);
  // Where a service is, with its version in the path as its requests need it: "http://host:8774/v2.1".
  tl::expected<std::string, Failure> endpoint(Service service);
  tl::expected<std::string, Failure> project_id();
  // The versions document of a service, which stands above the project's part of the endpoint.
  tl::expected<Value, Failure> version_document(Service service);
  // Sent with every request of that service: "compute 2.79".
  void set_microversion(Service service, std::string version);

  struct Counts {
    uint64_t logins = 0, replays = 0;
    std::map<std::pair<Service, std::string>, uint64_t> requests;  // by service and method
  };
  Counts counts() const;

 private:
  struct Login {
    uint64_t number = 0;  // 0 = never
    std::string token;
    std::string project;
    Value catalog;
    Millis ends{0};  // monotonic
  };
  // A login other than number `refused`; makes one when there is none that will last.
  tl::expected<std::shared_ptr<const Login>, Failure> login(uint64_t refused);
  tl::expected<std::shared_ptr<const Login>, Failure> sign_in();
  tl::expected<std::string, Failure> endpoint_of(const Login& login, Service service) const;
  tl::expected<Reply, Failure> exchange(Service service, const std::string& base, const std::string& token,
                                        const Request& request);
  std::string new_request_id(Service service, const std::string& method);

  const Config config_;
  Transport& transport_;
  const Clock& clock_;
  Rng& rng_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool signing_in_ = false;
  std::shared_ptr<const Login> login_;
  std::optional<Failure> last_failure_;  // of the login that others waited for
  uint64_t flights_ = 0;
  uint64_t last_number_ = 0;
  std::map<Service, std::string> microversions_;
  Counts counts_;
};

}  // namespace trove::openstack
