#include "specs/git_url.hpp"

#include <algorithm>
#include <charconv>

#include "specs/problem.hpp"

namespace trove {
namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool only(std::string_view text, std::string_view besides) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_alnum(c) || besides.find(c) != std::string_view::npos; });
}

std::string quoted(std::string_view text) { return "\"" + printable(text, 80) + "\""; }

tl::unexpected<Error> refused(std::string_view text, const std::string& why, std::string hint = {}) {
  return fail(Code::invalid, quoted(text) + " " + why, std::move(hint));
}

// git@git.example:shop/db.git: git's own short form.
bool looks_like_scp(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && colon > 0 && text.find('/') > colon && text.substr(colon, 3) != "://" &&
         text.substr(colon, 2) != "::";
}

std::string bad_segment(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment == "." || segment == "..") return std::string(segment);
    if (segment.empty() && end != path.size()) return "//";
    if (segment.starts_with('-')) return std::string(segment);
    path.remove_prefix(end);
  }
  return {};
}

}  // namespace

std::string GitUrl::text() const {
  std::string out = scheme == Scheme::https ? "https://" : scheme == Scheme::ssh ? "ssh://" : "file://";
  if (!user.empty()) out += user + "@";
  out += host;
  if (port != 0) out += ":" + std::to_string(port);
  return out + path;
}

Result<GitUrl> parse_git_url(std::string_view text) {
  // What could be a password is never repeated.
  if (text.find("::") != std::string_view::npos && text.find("://") == std::string_view::npos)
    return refused(text, "names a helper program: write https://, ssh:// or file://");
  if (text.starts_with("-")) return refused(text, "begins with \"-\": write https://, ssh:// or file://");
  GitUrl url;
  std::string_view rest = text;
  auto take = [&](std::string_view scheme) {
    if (!rest.starts_with(scheme)) return false;
    rest.remove_prefix(scheme.size());
    return true;
  };
  if (take("https://"))
    url.scheme = GitUrl::Scheme::https;
  else if (take("ssh://"))
    url.scheme = GitUrl::Scheme::ssh;
  else if (take("file://"))
    url.scheme = GitUrl::Scheme::file;
  else if (text.starts_with("http://") || text.starts_with("git://"))
    return fail(Code::invalid, "is not encrypted: write https:// or ssh://");
  else if (looks_like_scp(text)) {
    const size_t colon = text.find(':');
    return refused(text, "is git's short form. Did you mean \"ssh://" + printable(text.substr(0, colon), 60) + "/" +
                             printable(text.substr(colon + 1), 60) + "\"?");
  } else if (text.starts_with("/"))
    return refused(text, "has no scheme. Did you mean \"file://" + printable(text, 80) + "\"?");
  else
    return fail(Code::invalid, "is no address of a repository: write https://, ssh:// or file://");

  const size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    if (url.scheme != GitUrl::Scheme::ssh || user.find(':') != std::string_view::npos)
      return fail(Code::invalid, "holds credentials, which everybody can read here",
                  "Put username and password into a Secret and name it in secretRef.");
    if (user.empty() || user.starts_with('-') || !only(user, "._-"))
      return fail(Code::invalid, "has a user name with characters that are not taken: letters, digits, . _ -");
    url.user = user;
  }
  if (url.scheme == GitUrl::Scheme::file) {
    if (!authority.empty()) return refused(text, "names a host: a file's address is file:///path");
  } else {
    size_t colon = authority.rfind(':');
    if (authority.starts_with('[')) {
      const size_t end = authority.find(']');
      if (end == std::string_view::npos) return refused(text, "has no closing bracket in its host");
      colon = end + 1 < authority.size() ? end + 1 : std::string_view::npos;
      if (colon != std::string_view::npos && authority[colon] != ':') return refused(text, "has no host that is one");
    }
    if (colon != std::string_view::npos) {
      const std::string_view digits = authority.substr(colon + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
      if (error != std::errc() || end != digits.data() + digits.size() || url.port < 1 || url.port > 65535)
        return refused(text, "has no port that is one");
      authority = authority.substr(0, colon);
    }
    for (char c : authority) url.host += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const std::string_view host = url.host;
    const bool six = host.starts_with('[') && host.size() > 2 && only(host.substr(1, host.size() - 2), ":.");
    const bool name = !host.empty() && host.front() != '-' && host.front() != '.' && only(host, ".-");
    if (!six && !name) return refused(text, "has no host that is one");
  }
  if (path.find_first_of("?#") != std::string_view::npos)
    return fail(Code::invalid, "holds \"?\" or \"#\": only host and path belong here",
                "Branch, tag and commit are fields of ref.");
  if (!only(path, "/._~+@=,-"))
    return refused(text, "has characters in its path that are not taken: letters, digits and / . _ ~ + @ = , -");
  if (path.size() < 2) return refused(text, "names no repository on that host");
  if (const std::string bad = bad_segment(path); !bad.empty()) return refused(text, "holds \"" + printable(bad) + "\"");
  url.path = path;
  while (url.path.size() > 1 && url.path.back() == '/') url.path.pop_back();
  return url;
}

std::string git_ref_complaint(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.starts_with("refs/")) return quoted(name) + " is a whole ref: write the name of the branch or tag alone";
  const bool odd = name.starts_with('-') || name.starts_with('/') || name.ends_with('/') || name.ends_with('.') ||
                   name == "@" || name.ends_with(".lock") || name.find("..") != std::string_view::npos ||
                   name.find("@{") != std::string_view::npos || name.find("//") != std::string_view::npos ||
                   name.find("/.") != std::string_view::npos || name.starts_with('.') ||
                   name.find(".lock/") != std::string_view::npos || name.find_first_of(" ~^:?*[\\") != std::string_view::npos;
  if (odd || std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return quoted(name) + " is not a name that git takes";
  return {};
}

std::string git_path_complaint(std::string_view path) {
  if (path.starts_with('/')) return quoted(path) + " begins with \"/\": it is a folder of the repository, as prod/";
  if (std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; }))
    return quoted(path) + " holds a character that is not taken";
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment == "..") return quoted(path) + " leads out of the repository";
    if (segment == "." && (end != path.size() || path.size() != 1)) return "must not hold \".\"";
    if (segment.empty()) return "must not hold \"//\"";
    if (segment == ".git") return "must not hold \".git\"";
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return {};
}

}  // namespace trove
