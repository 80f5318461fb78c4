// Which repositories the operator of a control plane lets its users name: without this list, a user's URL would make the
// control plane ask any host that it can reach. Constant after construction; thread-safe.
#pragma once
#include <string>
#include <vector>
#include "specs/git_url.hpp"

namespace trove::gitops {

class Allowed {
 public:
  // "git.example", "git.example:2222", "git.example/shop" (and all below it), "*.example", or "/srv/git", an absolute
  // directory for file://.
  static Result<Allowed> parse(const std::vector<std::string>& patterns);
  // denied, with what to ask the operator for. For file:// the address comes back with its links resolved.
  Result<GitUrl> check(GitUrl url) const;
  bool files() const { return !directories_.empty(); }

 private:
  struct Place {
    std::string host, path;  // "*.example"; "/shop" or ""
    int port = 0;            // 0 = the scheme's usual one
  };
  std::vector<Place> places_;
  std::vector<std::string> directories_;
};

}  // namespace trove::gitops
