// One remote repository and our bare copy of it, through the git program: never a work tree, never a shell, never a
// hook, a filter, a submodule or a redirect. Nothing here knows what the files mean. Used by one thread.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>
#include "reconciler/gitops/allow.hpp"
#include "reconciler/gitops/process.hpp"
#include "specs/core/secret.hpp"

namespace trove::gitops {

struct GitLimits {
  uint64_t repository_bytes = 512u << 20;  // on disk, with all that was ever fetched
  size_t entries = 200'000;                // of a tree
  size_t files = 20'000;                   // that hold documents
  size_t file_bytes = 1u << 20;
  size_t read_bytes = 256u << 20;          // of all files that are read at once
  size_t depth = 32;                       // folders in folders
  Millis fetch{120'000}, local{60'000};    // deadlines
};

// From a Secret; which of them are needed depends on the address.
struct Credentials {
  Secret username, password;         // https
  Secret private_key, known_hosts;   // ssh
};

struct Entry {
  std::string path;  // in the repository, from its top
  std::string mode;  // "100644"; "120000" a link, "160000" a submodule
  std::string oid;
  int64_t size = -1;  // -1 = not known
  bool file() const { return mode.starts_with("100"); }
};
struct CommitFacts {
  std::string id, author, subject;  // "Kim <kim@shop.example>"
  Time time;
};
struct Signature {
  bool good = false;
  std::string by;       // "kim (ssh-ed25519 SHA256:…)"
  std::string message;  // why it is not good
};

class Repository {
 public:
  struct Setting {
    std::string program = "git";
    std::string home;  // a directory of ours, 0700; the copy lies in <home>/<uid>
    GitLimits limits;
  };
  // The directory, and the configuration that git reads instead of the system's and the user's. Once, before the first.
  static Result<void> prepare_home(const Setting& setting, const Allowed& allowed);
  Repository(const Setting& setting, const Allowed& allowed, const Clock& clock, const Cancel& cancel,
             const std::string& uid);

  // Makes the copy hold what `ref` names there now ("refs/heads/main", "refs/tags/v1", or a whole commit), and says
  // which commit that is. not_found: the repository or the ref is not there. denied: not allowed. unauthenticated: not
  // let in. too_large: refused, and nothing of it is left here.
  Result<std::string> fetch(const GitUrl& url, const std::string& ref, const Credentials& credentials);
  bool has(const std::string& commit);
  // Whether `older` is among the ancestors of `newer`, as far as the copy reaches.
  bool descends(const std::string& newer, const std::string& older);
  Result<CommitFacts> facts(const std::string& commit);
  // Every entry at or below `path` ("" = all). not_found: there is no such folder.
  Result<std::vector<Entry>> tree(const std::string& commit, const std::string& path);
  // What is different at or below `path`, as it is in `to`; an oid of "" = gone.
  Result<std::vector<Entry>> changes(const std::string& from, const std::string& to, const std::string& path);
  // The contents of files, in order; the caller has seen to their sizes.
  Result<std::vector<std::string>> read(const std::vector<Entry>& files);
  // `keys` by name: SSH public keys, lines of allowed_signers, OpenPGP keys in armor.
  Result<Signature> verify(const std::string& commit, const std::map<std::string, Secret>& keys);
  const GitLimits& limits() const { return setting_.limits; }
  void forget();  // the copy goes

 private:
  using Arguments = std::vector<std::string>;
  ProcessOrder order(Arguments arguments, Millis deadline) const;
  Result<Ran> local(Arguments arguments, std::string input = {}, size_t most = 64u << 20);
  Result<void> prepare();
  Result<void> stay_small() const;
  Result<void> fetch_once(const GitUrl& url, const std::string& ref, const Credentials& credentials, bool shallow);
  Result<std::string> find_commit(const std::string& name);
  Result<std::string> named_now(const std::string& ours);
  Result<void> fill_sizes(std::vector<Entry>& entries);
  Result<std::vector<Entry>> list(const std::string& commit, const std::string& path, bool below);
  Error no_such_folder(const std::string& commit, const std::string& path);
  Result<std::vector<std::string>> lay_out(const GitUrl& url, const Credentials& credentials) const;

  const Setting& setting_;
  const Allowed& allowed_;
  const Clock& clock_;
  const Cancel& cancel_;
  std::string directory_;  // of this object
  std::string git_dir_;    // "" before the first fetch
  int fetched_ = 0;        // commits since the copy was packed anew
};

}  // namespace trove::gitops
