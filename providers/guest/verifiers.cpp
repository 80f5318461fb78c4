// Verifiers: what an engine stores in place of a password, computed as the engines' own documents describe.
#include "providers/guest/protocol.hpp"
#include "specs/core/digest.hpp"

namespace trove::guest {

namespace {
constexpr int kScramIterations = 4096;   // PostgreSQL's own default
}

std::string mariadb_verifier(std::string_view password) {
  std::string hex = to_hex(sha1_raw(sha1_raw(password)));
  for (char& c : hex) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  }
  return "*" + hex;
}

// RFC 5802 / RFC 7677. SASLprep is the identity for the passwords that Trove generates and for all of ASCII; PostgreSQL
// itself falls back to the raw bytes when a password cannot be prepared.
std::string postgresql_verifier(std::string_view password, std::string_view salt16) {
  const std::string salted = pbkdf2_sha256_raw(password, salt16, kScramIterations, 32);
  const std::string client_key = hmac_sha256_raw(salted, "Client Key");
  const std::string server_key = hmac_sha256_raw(salted, "Server Key");
  return "SCRAM-SHA-256$" + std::to_string(kScramIterations) + ":" + base64(salt16) + "$" +
         base64(sha256_raw(client_key)) + ":" + base64(server_key);
}

std::string redis_verifier(std::string_view password) { return sha256_hex(password); }

}  // namespace trove::guest
