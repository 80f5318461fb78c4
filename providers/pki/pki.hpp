// Certificates of the guests: who a server is, and who calls it. Keys are P-256 and everything is PEM; OpenSSL stays
// in the .cpp. A request proves possession of its key and says nothing else that is believed.
#pragma once
#include <memory>
#include <string>
#include <vector>
#include "specs/core/result.hpp"
#include "specs/core/secret.hpp"
#include "specs/core/time.hpp"

namespace trove::pki {

struct Issued {
  Secret key;
  std::string certificate;
};
struct Request {
  Secret key;
  std::string pem;
};
struct Validity {
  Time from, until;
};

// The certificate authority of one control plane, for its guests. Owned by the daemon; any thread may call it once it
// is open.
class Authority {
 public:
  // <directory>/ca.key (0600) and ca.pem, made when there are none; the folder around the directory has to exist.
  // `clock` must outlive the authority. denied: the key can be read by others. corrupt: the two files do not fit each
  // other, or the key is gone.
  static Result<Authority> open(const std::string& directory, const Clock& clock);
  Authority(Authority&&) noexcept;
  Authority& operator=(Authority&&) noexcept;
  ~Authority();

  const std::string& certificate() const;
  // A server that is reached by these names (IP addresses and DNS names, at least one), with a fresh key. A certificate
  // never outlives its authority: `life` is cut there, and denied when that moment has passed.
  Result<Issued> issue_server(const std::vector<std::string>& names, Millis life) const;
  // A client called `name` (up to 64 visible ASCII characters), for the key of the request. What else the request asks
  // for is ignored. invalid: not a request, signed by another key, or its key is not P-256. too_large: over 16 KiB.
  Result<std::string> issue_client(const std::string& request_pem, const std::string& name, Millis life) const;

 private:
  struct Parts;
  explicit Authority(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

Result<Request> make_request();                          // with a fresh key
Result<std::string> request_for(const Secret& key_pem);  // for a key that exists; invalid: not P-256
// SHA-256, as hexadecimal digits, of the request's SubjectPublicKeyInfo: the same for every request of one key. Refuses
// what issue_client refuses.
Result<std::string> public_key_digest(const std::string& request_pem);
Result<Validity> validity_of(const std::string& certificate_pem);

}  // namespace trove::pki
