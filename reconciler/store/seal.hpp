// Secrets at rest: AES-256-GCM with a master key that lives in a 0600 file outside the database. Additional data binds
// a sealed text to its place, so that it cannot be moved to another object. Thread-safe after construction.
#pragma once
#include <memory>
#include <string>
#include "specs/core/result.hpp"
#include "specs/core/secret.hpp"
#include "specs/core/time.hpp"

namespace trove {

class Sealer {
 public:
  // Reads the key file, or makes it (0600, O_EXCL, fsynced) when absent and `create`. denied when its mode is wider
  // than 0600, corrupt when it is not 32 bytes in hexadecimal digits, not_found when absent and not to be made.
  static Result<Sealer> open(const std::string& key_file, bool create, Rng& rng);
  std::string seal(const Secret& plain, std::string_view place, Rng& rng) const;  // "sealed:v1:<base64>"
  Result<Secret> unseal(std::string_view sealed, std::string_view place) const;   // corrupt when it does not open
  // A stable secret derived from the master key for one purpose ("guest-token:<server>"); hex, 64 characters.
  Secret derive(std::string_view purpose) const;

 private:
  Secret key_;
};

}  // namespace trove
