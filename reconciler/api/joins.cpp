#include "reconciler/api/joins.hpp"

#include <charconv>

#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr int kTries = 3;
constexpr Millis kSkew{60'000};  // a clock that was set back a little is no reason to refuse

tl::unexpected<Error> refused(std::string why) {
  return fail(Code::denied, "the join is refused: " + std::move(why));
}

}  // namespace

std::string join_key(const Token& server) {
  return "/join/" + server.uid + "/" + server.role + "/" + std::to_string(server.incarnation);
}

std::string Joins::mac(const Token& server, int64_t issued_ms) const {
  return sealer_.derive("join:" + to_string(server) + ":" + std::to_string(issued_ms)).reveal();
}

GuestEndpoint Joins::endpoint(const Token& server) const {
  const int64_t now = clock_.wall().ms;
  return {url_, std::to_string(now) + "." + mac(server, now)};
}

Result<std::string> Joins::join(const std::string& server, const std::string& token, const std::string& request) {
  const std::optional<Token> name = token_from(server);
  const size_t dot = token.find('.');
  int64_t issued = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + std::min(dot, token.size()), issued);
  const bool readable = name && dot != std::string::npos && error == std::errc() && end == token.data() + dot;
  if (!readable || !same_bytes(mac(*name, issued), token.substr(dot + 1))) return refused("the token is not good");
  const Millis age = clock_.wall() - Time{issued};
  if (age > kJoinLife || age < -kSkew) return refused("the token is too old; the server has to be made again");
  if (request.size() > kMaxCertificateRequest) return fail(Code::too_large, "the request for a certificate is too large");
  Result<std::string> key = pki::public_key_digest(request);
  if (!key) return tl::unexpected(key.error());

  for (int attempt = 0;; ++attempt) {
    const std::string path = join_key(*name);
    auto there = store_.get(path);
    if (!there) return tl::unexpected(there.error());
    if (*there) {
      Result<Value> value = parse_stored_json((*there)->value);
      if (!value || (*value)["key"].text() != *key) return refused("this server's guest has joined with another key");
      break;
    }
    Txn txn;
    txn.guards.push_back({Guard::What::absent, path, 0});
    txn.ops.push_back({Op::Kind::put, path,
                       dump_json(Value::map({{"key", *key}, {"time", format_time(clock_.wall())}})), 0});
    auto written = store_.commit(txn);
    if (written) break;
    // Somebody was faster, or the answer was lost: what is there now tells.
    if (attempt + 1 >= kTries) return tl::unexpected(written.error());
  }
  return authority_.issue_client(request, to_string(*name), kCertificateLife);
}

Result<std::string> Joins::renew(const std::string& server, const std::string& request) const {
  if (request.size() > kMaxCertificateRequest) return fail(Code::too_large, "the request for a certificate is too large");
  return authority_.issue_client(request, server, kCertificateLife);
}

}  // namespace trove
