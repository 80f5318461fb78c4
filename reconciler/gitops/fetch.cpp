// How the copy is filled: credentials laid out for one call, the call, and what its failure means.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "reconciler/gitops/repository.hpp"
#include "specs/core/digest.hpp"
#include "specs/problem.hpp"

namespace trove::gitops {
namespace {

constexpr int kPackEvery = 200;  // commits; each fetch leaves a pack behind

// A file that nobody else can read, from its first byte on.
Result<void> write_private(const std::string& path, std::string_view text, mode_t mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return fail(Code::unavailable, path + ": " + std::strerror(errno));
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (!whole) return fail(Code::no_space, path + " cannot be written");
  return {};
}

std::string with_newline(const std::string& text) { return text.ends_with('\n') ? text : text + "\n"; }
std::string first_line(const std::string& text) { return text.substr(0, text.find_first_of("\r\n")); }
std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The line of git's own words that says most: the last that is one of its complaints.
std::string complaint(const std::string& err) {
  std::string best;
  size_t from = 0;
  while (from < err.size()) {
    const size_t end = std::min(err.find('\n', from), err.size());
    const std::string line = err.substr(from, end - from);
    from = end + 1;
    if (line.starts_with("fatal: ") && best.empty()) best = line.substr(7);
    else if (line.starts_with("ERROR: ")) best = line.substr(7);
    else if (line.starts_with("remote: ") && best.empty() && line.size() > 8) best = line.substr(8);
  }
  return printable(best.empty() ? err : best, 200);
}

Error meaning(const std::string& err, const GitUrl& url, const std::string& ref) {
  const auto says = [&](const char* text) { return err.find(text) != std::string::npos; };
  const std::string where = url.text();
  if (says("couldn't find remote ref"))
    return {Code::not_found, "there is no " + ref + " in " + where, "was the branch or tag deleted or renamed?"};
  if (says("not our ref") || says("unadvertised object"))
    return {Code::not_found, "the server does not give out the commit " + ref, "follow a branch or a tag instead"};
  if (says("Host key verification failed"))
    return {Code::unauthenticated, "the host key of " + url.host + " is not in known_hosts",
            "put the line that `ssh-keyscan " + url.host + "` prints into known_hosts of the Secret, once it is checked"};
  if (says("Permission denied") && url.scheme == GitUrl::Scheme::ssh)
    return {Code::unauthenticated, where + " does not accept the key", "is the public key known there?"};
  if (says("Authentication failed") || says("could not read Username") || says("could not read Password") ||
      says("error: 401") || says("error: 403"))
    return {Code::unauthenticated, where + " does not accept the credentials",
            "check username and password in the Secret that secretRef names"};
  if (says("redirect") || says("error: 30"))
    return {Code::invalid, where + " answers with a redirect, which is not followed", "write the new address into url"};
  if (says("not found") || says("does not appear to be a git repository") || says("does not exist") ||
      says("Repository not found") || says("error: 404"))
    return {Code::not_found, "there is no repository at " + where, "was it moved, or is it private?"};
  if (says("fsck error") || says("error in object") || says("bad tree") || says("invalid index-pack"))
    return {Code::invalid, "the repository holds an object that git itself calls broken: " + complaint(err),
            "git fsck in a clone of it names the commit"};
  return {Code::unavailable, "fetching from " + where + " failed: " + complaint(err)};
}

}  // namespace

Result<void> Repository::stay_small() const {
  uint64_t bytes = 0;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(git_dir_, error); !error && it != decltype(it)();
       it.increment(error)) {
    std::error_code gone;  // git renames files while we look
    if (it->is_regular_file(gone)) {
      const uint64_t size = it->file_size(gone);
      if (!gone) bytes += size;
    }
  }
  if (bytes <= setting_.limits.repository_bytes) return {};
  return fail(Code::too_large,
              "the repository needs more than " + std::to_string(setting_.limits.repository_bytes >> 20) +
                  " MiB even without its history",
              "keep big files elsewhere, or the specs in a repository of their own");
}

// The environment with which this address is reached; the files that it names last until the fetch is over.
Result<std::vector<std::string>> Repository::lay_out(const GitUrl& url, const Credentials& credentials) const {
  std::vector<std::string> out;
  const std::string place = directory_ + "/credentials";
  std::error_code ignored;
  std::filesystem::remove_all(place, ignored);
  if (::mkdir(place.c_str(), 0700) != 0) return fail(Code::unavailable, place + ": " + std::strerror(errno));
  if (url.scheme == GitUrl::Scheme::ssh) {
    if (credentials.private_key.empty() || credentials.known_hosts.empty())
      return fail(Code::unauthenticated, "ssh needs ssh-privatekey and known_hosts in the Secret that secretRef names");
    auto key = write_private(place + "/key", with_newline(credentials.private_key.reveal()), 0600);
    auto hosts = write_private(place + "/known_hosts", with_newline(credentials.known_hosts.reveal()), 0600);
    if (!key) return tl::unexpected(key.error());
    if (!hosts) return tl::unexpected(hosts.error());
    out.push_back("GIT_SSH_COMMAND=ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes "
                  "-o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o ServerAliveInterval=15 "
                  "-o ForwardAgent=no -o ClearAllForwardings=yes -i " +
                  shell_quoted(place + "/key") + " -o UserKnownHostsFile=" + shell_quoted(place + "/known_hosts"));
    out.push_back("GIT_SSH_VARIANT=ssh");
  } else if (url.scheme == GitUrl::Scheme::https && !credentials.password.empty()) {
    const std::string user = credentials.username.empty() ? "git" : first_line(credentials.username.reveal());
    auto name = write_private(place + "/username", user + "\n", 0600);
    auto word = write_private(place + "/password", first_line(credentials.password.reveal()) + "\n", 0600);
    // git asks this program; only the files know the answers.
    auto ask = write_private(place + "/ask",
                             "#!/bin/sh\ncase \"$1\" in\nUsername*) exec cat " + shell_quoted(place + "/username") +
                                 " ;;\n*) exec cat " + shell_quoted(place + "/password") + " ;;\nesac\n",
                             0700);
    for (const auto* written : {&name, &word, &ask})
      if (!*written) return tl::unexpected(written->error());
    out.push_back("GIT_ASKPASS=" + place + "/ask");
  }
  return out;
}

Result<void> Repository::fetch_once(const GitUrl& url, const std::string& ref, const Credentials& credentials,
                                    bool shallow) {
  auto environment = lay_out(url, credentials);
  if (!environment) return tl::unexpected(environment.error());
  const bool whole = ref.starts_with("refs/");
  Arguments arguments = {"fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"};
  // The first time one commit; later what was added to it, which also tells whether anything was rewritten.
  if (shallow) arguments.push_back("--depth=1");
  arguments.push_back("--");
  arguments.push_back(url.text());
  arguments.push_back("+" + ref + ":refs/trove/" + (whole ? ref.substr(5) : "commit"));
  ProcessOrder what = order(std::move(arguments), setting_.limits.fetch);
  what.environment.insert(what.environment.end(), environment->begin(), environment->end());
  what.watch = [this] { return stay_small(); };
  auto ran = run_process(what, clock_, cancel_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_ + "/credentials", ignored);
  if (!ran) return tl::unexpected(ran.error());
  if (ran->code != 0) return tl::unexpected(meaning(ran->err, url, ref));
  return stay_small();
}

// A branch's own file says it without a process; tags have to be peeled, and packed refs looked for.
Result<std::string> Repository::named_now(const std::string& ours) {
  if (ours.starts_with("refs/trove/heads/")) {
    std::ifstream file(git_dir_ + "/" + ours);
    std::string line;
    if (std::getline(file, line) && (line.size() == 40 || line.size() == 64) &&
        line.find_first_not_of("0123456789abcdef") == std::string::npos)
      return line;
  }
  return find_commit(ours);
}

Result<std::string> Repository::fetch(const GitUrl& asked, const std::string& ref, const Credentials& credentials) {
  auto url = allowed_.check(asked);
  if (!url) return tl::unexpected(url.error());
  const std::string git_dir = directory_ + "/" + sha256_hex(url->text()).substr(0, 16) + ".git";
  std::error_code error;
  if (!std::filesystem::exists(git_dir + "/HEAD", error)) forget();  // nothing yet, or of another address
  git_dir_ = git_dir;
  const auto make = [&]() -> Result<void> {
    std::filesystem::create_directories(directory_, error);
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all, error);
    if (error) return fail(Code::unavailable, directory_ + ": " + error.message());
    ProcessOrder init = order({"init", "--bare", "--quiet", "--template="}, setting_.limits.local);
    auto ran = run_process(init, clock_, cancel_);
    if (!ran) return tl::unexpected(ran.error());
    if (ran->code != 0) return fail(Code::unavailable, "git init failed: " + printable(ran->err, 200));
    return {};
  };
  if (!std::filesystem::exists(git_dir + "/HEAD", error))
    if (auto made = make(); !made) return tl::unexpected(made.error());
  const std::string ours = ref.starts_with("refs/") ? "refs/trove/" + ref.substr(5) : "refs/trove/commit";
  const auto before = named_now(ours);
  if (!ref.starts_with("refs/") && before && *before == ref) return ref;  // a commit never changes
  auto done = fetch_once(*url, ref, credentials, !before);
  if (!done && done.error().code == Code::too_large) {
    // What was fetched before takes part of the room: once more, without it.
    forget();
    git_dir_ = git_dir;
    if (before) {
      if (auto made = make(); !made) return tl::unexpected(made.error());
      done = fetch_once(*url, ref, credentials, true);
      if (!done && done.error().code == Code::too_large) forget();
    } else {
      git_dir_.clear();
    }
  }
  if (!done) return tl::unexpected(done.error());
  auto commit = named_now(ours);
  if (!commit)
    return fail(Code::not_found, ref + " in " + url->text() + " does not name a commit", "is it a tag of something else?");
  if (before && *before != *commit && ++fetched_ >= kPackEvery) {
    fetched_ = 0;
    static_cast<void>(local({"gc", "--quiet", "--prune=now"}));
  }
  return commit;
}

}  // namespace trove::gitops
