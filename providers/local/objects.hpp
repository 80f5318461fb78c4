// The object store: objects/<project>/<uid> under the root, reached by URLs that are good for one method, one key (or
// the keys that begin alike) and a short time. Owned by the local cloud; thread-safe.
#pragma once
#include <string>
#include <vector>
#include "providers/cloud.hpp"
#include "providers/object_store.hpp"
#include "specs/core/secret.hpp"
#include "specs/core/time.hpp"

namespace trove::local {

inline constexpr int64_t kMaxObjectBytes = int64_t{1} << 40;
inline constexpr size_t kMaxPieceBytes = 1u << 20;     // of one read

class ObjectFiles {
 public:
  ObjectFiles(std::string directory, Secret key, const Clock& clock, Rng& rng)
      : directory_(std::move(directory)), key_(std::move(key)), clock_(clock), rng_(rng) {}

  void prepare();                                      // removes uploads that a crash cut short
  std::string sign_url(const std::string& base_url, std::string_view method, const std::string& key, Time expires,
                       Signed what) const;
  Result<std::unique_ptr<ObjectStore::Upload>> upload(const std::string& key, const std::string& expires,
                                                      const std::string& signature, const std::string& prefix);
  Result<std::unique_ptr<ObjectStore::Download>> download(const std::string& key, const std::string& expires,
                                                          const std::string& signature, const std::string& prefix);
  struct Listing {
    bool known = true;
    std::vector<StoredObject> objects;                 // by key
    std::vector<std::string> trouble;
  };
  Listing list() const;
  Result<void> remove(const std::string& key);         // not there: success

 private:
  std::string signature(std::string_view method, const std::string& key, const std::string& expires) const;
  Result<void> check(std::string_view method, const std::string& key, const std::string& expires,
                     const std::string& signature, const std::string& prefix) const;

  std::string directory_;
  Secret key_;
  const Clock& clock_;
  Rng& rng_;
};

// "<project>/<uid>": two segments of A-Z a-z 0-9 . _ - that do not begin with a dot.
bool is_object_key(std::string_view key);

}  // namespace trove::local
