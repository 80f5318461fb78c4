// How a guest in a machine becomes known: once by a token that its server was started with, from then on by a
// certificate. A join is remembered in the store, so that no token is good twice, after a restart neither. Thread-safe.
#pragma once
#include <string>
#include "providers/cloud.hpp"
#include "providers/pki/pki.hpp"
#include "reconciler/store/seal.hpp"
#include "reconciler/store/store.hpp"

namespace trove {

inline constexpr Millis kJoinLife{86'400'000};               // of a token, from the request for its server on: we may be away meanwhile
inline constexpr Millis kCertificateLife{7 * 86'400'000};    // renewed when two thirds are over
inline constexpr size_t kMaxCertificateRequest = 16u << 10;  // of PEM

// /join/<uid>/<role>/<incarnation>: {key: digest of the public key, time}
std::string join_key(const Token& server);

class Joins {
 public:
  Joins(Store& store, const Sealer& sealer, const pki::Authority& authority, const Clock& clock, std::string url)
      : store_(store), sealer_(sealer), authority_(authority), clock_(clock), url_(std::move(url)) {}

  // What a server is told at its creation. Each request for one gets a token of its own; the first that is used counts.
  GuestEndpoint endpoint(const Token& server) const;
  // The certificate for the key of `request`. denied: the token is not good for this server, is too old, or was used
  // with another key; with the same key it may be asked again, for an answer can be lost.
  Result<std::string> join(const std::string& server, const std::string& token, const std::string& request);
  // For a guest that has proven who it is.
  Result<std::string> renew(const std::string& server, const std::string& request) const;
  const std::string& url() const { return url_; }

 private:
  std::string mac(const Token& server, int64_t issued_ms) const;

  Store& store_;
  const Sealer& sealer_;
  const pki::Authority& authority_;
  const Clock& clock_;
  const std::string url_;
};

}  // namespace trove
