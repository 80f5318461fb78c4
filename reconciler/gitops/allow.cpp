#include "reconciler/gitops/allow.hpp"

#include <charconv>
#include <filesystem>

#include "specs/problem.hpp"

namespace trove::gitops {
namespace {

// "/shop" holds "/shop" and "/shop/db.git" but not "/shopping"; git servers take a name with and without ".git".
bool lies_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || folder.ends_with('/') ||
                                      path[folder.size()] == '/' || path.substr(folder.size()) == ".git");
}

bool host_matches(std::string_view host, std::string_view pattern) {
  if (!pattern.starts_with("*.")) return host == pattern;
  return host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1));
}

}  // namespace

Result<Allowed> Allowed::parse(const std::vector<std::string>& patterns) {
  Allowed out;
  for (const std::string& pattern : patterns) {
    const auto wrong = [&](const char* why) {
      return fail(Code::invalid, "\"" + printable(pattern) + "\" " + why,
                  "write a host (git.example, *.example, git.example:2222), a host with a path (git.example/shop), or an "
                  "absolute directory");
    };
    if (pattern.starts_with('/')) {
      if (!git_path_complaint(pattern.substr(1)).empty()) return wrong("is no directory's whole path");
      std::error_code error;
      const auto real = std::filesystem::weakly_canonical(pattern, error);
      std::string directory = error ? pattern : real.string();
      while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
      out.directories_.push_back(std::move(directory));
      continue;
    }
    const bool wild = pattern.starts_with("*.");
    auto url = parse_git_url("https://" + pattern.substr(wild ? 2 : 0) +
                             (pattern.find('/') == std::string::npos ? "/any" : ""));
    if (!url || pattern.find("://") != std::string::npos) return wrong("is no host");
    out.places_.push_back(
        {(wild ? "*." : "") + url->host, pattern.find('/') == std::string::npos ? "" : url->path, url->port});
  }
  return out;
}

Result<GitUrl> Allowed::check(GitUrl url) const {
  if (url.scheme == GitUrl::Scheme::file) {
    std::error_code error;
    const auto real = std::filesystem::canonical(url.path, error);
    if (!error) {
      for (const std::string& directory : directories_)
        if (lies_below(real.string(), directory)) {
          url.path = real.string();
          return url;
        }
    } else {
      // Whether a path that is not allowed exists is nobody's business; a repository that vanished is said to have.
      for (const std::string& directory : directories_)
        if (lies_below(url.path, directory))
          return fail(Code::not_found, url.text() + " does not exist", "is it the right path?");
    }
    return fail(Code::denied, url.text() + " is not among the repositories that the operator allows",
                "ask the operator to start troved with --git-allow " +
                    std::filesystem::path(url.path).parent_path().string());
  }
  const int usual = url.scheme == GitUrl::Scheme::https ? 443 : 22;
  for (const Place& place : places_) {
    const int port = url.port == 0 ? usual : url.port;
    if (host_matches(url.host, place.host) && port == (place.port == 0 ? usual : place.port) &&
        (place.path.empty() || lies_below(url.path, place.path)))
      return url;
  }
  const std::string host = url.host + (url.port == 0 || url.port == usual ? "" : ":" + std::to_string(url.port));
  return fail(Code::denied, host + url.path + " is not among the repositories that the operator allows",
              "ask the operator to start troved with --git-allow " + host);
}

}  // namespace trove::gitops
