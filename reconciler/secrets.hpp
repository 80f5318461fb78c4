// Secret objects: where a sealed value belongs, and what the guests get instead of a password. Pure but for the sealer.
#pragma once
#include <map>
#include <string>
#include "reconciler/store/seal.hpp"
#include "reconciler/world.hpp"

namespace trove {

// The place that a sealed value is bound to: another project, object or key cannot open it.
std::string secret_place(const Resource& secret, const std::string& key);

// Verifiers of users and of instances' root, made from the Secrets as they are now. Each is made once per version of
// its Secret (a SCRAM verifier costs about 2 ms). Used by the loop's thread only.
class Verifiers {
 public:
  explicit Verifiers(const Sealer& sealer) : sealer_(sealer) {}
  // Sets or clears world.verifiers for one User or DatabaseInstance.
  void refresh(World& world, const Key& key);

 private:
  struct Made {
    std::string secret_uid;
    uint64_t secret_version = 0;
    std::string secret_key;
    Engine engine = Engine::mariadb;
    std::string verifier;
  };
  const Sealer& sealer_;
  std::map<Key, Made> made_;
};

}  // namespace trove
