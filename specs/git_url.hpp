// Addresses of Git repositories: the few forms that are taken, and nothing that git would read as anything else (options,
// other transports, credentials). Pure; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include "specs/core/result.hpp"

namespace trove {

struct GitUrl {
  enum class Scheme { https, ssh, file } scheme = Scheme::https;
  std::string user;  // of ssh; "" = none
  std::string host;  // lower case; IPv6 in brackets; "" for file
  int port = 0;      // 0 = the usual one
  std::string path;  // "/shop/db.git"; absolute, without . and ..
  std::string text() const;  // as git is given it
};
Result<GitUrl> parse_git_url(std::string_view text);

// Names of branches and tags as git allows them, without what it would read as something else. "" = fine, else why not.
std::string git_ref_complaint(std::string_view name);
// A folder in a repository: relative, "/" between names, no "..". "" = fine, else why not.
std::string git_path_complaint(std::string_view path);

}  // namespace trove
