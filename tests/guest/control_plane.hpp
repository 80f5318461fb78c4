// The control plane's half of a join, over the real HTTP server with TLS and the real authority: one key for one token,
// documents and reports for whoever has a certificate, and a name for every caller. Thread-safe where it says so.
#pragma once
#include <unistd.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/protocol.hpp"
#include "providers/http/server.hpp"
#include "providers/pki/pki.hpp"
#include "specs/core/real.hpp"
#include "specs/json.hpp"

namespace trove::guest {

inline constexpr Millis kDay{86'400'000};
inline const std::string kServer = "trove-6d1f5a0e-1111-4222-8333-123456789abc-server-0-1";

class ControlPlane {
 public:
  explicit ControlPlane(const std::string& directory) {
    make_directory(directory, 0700);
    authority_ = std::make_unique<pki::Authority>(std::move(*pki::Authority::open(directory, clock_)));
    auto tls = authority_->issue_server({"127.0.0.1"}, 30 * kDay);
    REQUIRE(tls);
    guest::write_file(directory + "/server.pem", tls->certificate, 0600);
    guest::write_file(directory + "/server.key", tls->key.reveal(), 0600);
    auto server = http::Server::start(
        {.tls_certificate = directory + "/server.pem",
         .tls_key = directory + "/server.key",
         .client_ca_file = directory + "/ca.pem"},
        [](const http::Request& r) {
          return http::Route{.parks = r.path == "/guest/v1/document", .streams_body = r.method == "PUT"};
        },
        [this](const http::Request& request, const http::Read& read) { return answer(request, read); });
    REQUIRE(server);
    server_ = std::move(*server);
  }
  ~ControlPlane() { server_->stop(); }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(server_->port()); }
  const std::string& ca() const { return authority_->certificate(); }

  std::map<std::string, std::string> tokens;  // server → token; filled before the first call
  std::atomic<int> lose_answers{0}, joins{0}, renewals{0};
  std::atomic<bool> parks{false};
  Millis life = 30 * kDay;
  std::vector<std::string> names() {  // of the callers of document, report and renew
    std::lock_guard lock(mutex_);
    return names_;
  }
  Report latest() {
    std::lock_guard lock(mutex_);
    return latest_;
  }
  Document document;  // set before the first call

 private:
  http::Response answer(const http::Request& request, const http::Read& read) {
    const bool joins_now = request.path == "/guest/v1/join";
    if (request.method == "PUT") {
      while (auto piece = read()) {
        if (piece->empty()) break;
      }
    }
    if (!joins_now) {
      std::lock_guard lock(mutex_);
      names_.push_back(request.path + " " + request.peer_name + request.header("authorization"));
    }
    if (request.method == "PUT") return {.status = 201};
    if (joins_now || request.path == "/guest/v1/renew") {
      const auto body = parse_json(request.body);
      const std::string server = joins_now ? (*body)["server"].text() : request.peer_name;
      const std::string pem = (*body)["request"].text();
      const auto key = pki::public_key_digest(pem);
      if (!key) return {.status = 400};
      std::lock_guard lock(mutex_);
      if (joins_now) {
        ++joins;
        std::string& used_by = used_[(*body)["token"].text()];
        if (tokens[server] != (*body)["token"].text() || (!used_by.empty() && used_by != *key)) {
          return {.status = 403, .body = R"({"detail":"the token is used up"})"};
        }
        used_by = *key;
      } else {
        if (server.empty()) return {.status = 401};
        ++renewals;
      }
      if (lose_answers > 0) return --lose_answers, http::Response{.hang_up = true};
      auto certificate = authority_->issue_client(pem, server, life);
      if (!certificate) return {.status = 400};
      return {.status = 200, .body = dump_json(Value::map({{"certificate", *certificate}}))};
    }
    if (request.peer_name.empty()) return {.status = 401};
    if (request.path == "/guest/v1/report") {
      std::lock_guard lock(mutex_);
      if (auto report = report_from_value(*parse_json(request.body))) latest_ = *report;
      return {.status = 204};
    }
    if (request.parameter("after") == digest(document)) {
      for (int i = 0; i < 100 && !server_->stopping(); ++i) usleep(10'000);
      return {.status = 204};
    }
    for (int i = 0; parks && i < 500 && !server_->stopping(); ++i) usleep(10'000);
    return {.status = 200, .body = dump_json(to_value(document))};
  }

  RealClock clock_;
  std::unique_ptr<pki::Authority> authority_;
  std::mutex mutex_;
  std::vector<std::string> names_;           // guarded by mutex_
  Report latest_;                            // guarded by mutex_
  std::map<std::string, std::string> used_;  // token → key; guarded by mutex_
  std::unique_ptr<http::Server> server_;
};

}  // namespace trove::guest
