// One GitSource at work: from what its repository holds to what is stored, once each time that it is asked. Keeps in
// memory what each file of the applied commit holds, so that a commit costs what it changes. Used by one thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>
#include "reconciler/api/applier.hpp"
#include "reconciler/gitops/documents.hpp"
#include "reconciler/gitops/repository.hpp"
#include "specs/kinds/specs.hpp"

namespace trove::gitops {

inline constexpr int kApplyRounds = 20;            // files that are refused are left out, and the rest is tried again
inline constexpr Millis kFullEvery{4 * 3'600'000};  // then everything is read and compared anew

// The road by which documents become stored objects.
using Apply = std::function<Attempt<ApplyResult>(const ApplyOrder&)>;
using SetMembers = std::function<Result<std::map<Key, std::string>>(const std::string& project, const std::string& set)>;

// Why a pass did not end well.
struct GitTrouble {
  std::string reason;  // of the conditions: "Unreachable"
  std::string code;    // GIT_UNREACHABLE
  std::string actor;   // User CloudOperator System
  std::string message;
  bool for_a_person = false;  // waiting does not help
  friend bool operator==(const GitTrouble&, const GitTrouble&) = default;
};

// What is known after a pass; the status says no more.
struct SourceFacts {
  std::string observed;   // the newest commit that was seen
  std::string applied;    // the one whose files were applied last
  std::string last_good;  // the last of which all files were
  std::string author, subject;  // of the applied one
  Time applied_at;
  int64_t files = 0, skipped = 0, objects = 0;
  std::vector<Broken> broken;
  std::vector<std::string> unconfirmed;  // "database/orders": left Git, and go only when somebody confirms it
  std::vector<std::string> held;         // left Git, and stay while they have deletionProtection
  std::string verified;                  // "kim (SHA256:…)"; "" = not asked for, or not good
  std::string rewritten;                 // the commit before, when the applied one does not come after it
  std::optional<GitTrouble> trouble;
};

struct PassOrder {
  GitSourceSpec spec;
  Credentials credentials;
  std::map<std::string, Secret> keys;  // for verify
  std::set<std::string> confirm;       // "database/orders", or a commit
  bool full = false;                   // read everything, whatever is known
};

class Follower {
 public:
  Follower(Key key, std::unique_ptr<Repository> repository, Apply apply, SetMembers members, const Clock& clock);

  // What an earlier process stored of it, before the first pass.
  void remember(SourceFacts facts) { facts_ = std::move(facts); }
  const SourceFacts& facts() const { return facts_; }
  // Fetches, checks, applies and prunes. Its trouble is in facts(). The answer: what to tell of it as an event, "" when
  // nothing happened.
  std::string pass(const PassOrder& order);
  void forget() { repository_->forget(); }

 private:
  struct File {
    std::vector<Key> keys;
    std::optional<Broken> broken;
  };
  struct Counts {
    size_t created = 0, configured = 0, pruned = 0;
  };
  void fail_with(const Error& error, const char* doing);
  bool verified(const PassOrder& order, const std::string& commit);
  bool rewritten(const PassOrder& order, const std::string& commit);
  Result<void> read(const PassOrder& order, const std::string& commit, bool full);
  void take_file(const std::string& path, FileDocuments parsed);
  void drop_file(const std::string& path);
  void break_file(const std::string& path, Broken broken);
  bool apply(const std::string& commit, Counts& counts);
  bool prune(const PassOrder& order, const std::string& commit, bool full, Counts& counts);
  std::string author(const std::string& commit) const;
  void count();

  Key key_;
  std::string set_;  // "git:shop-prod"
  std::unique_ptr<Repository> repository_;
  Apply apply_;
  SetMembers members_;
  const Clock& clock_;

  SourceFacts facts_;
  bool known_ = false;                   // files_ is what facts_.applied holds
  Millis read_all_at_{0};
  std::map<std::string, File> files_;    // of ours
  std::set<std::string> others_;         // files that hold nothing for us
  std::map<Key, std::string> holders_;   // the file of each object
  std::map<std::string, std::vector<Value>> pending_;  // documents of this pass, by file
  std::set<Key> leaving_;                // in the set and in no file any more
  std::set<std::string> confirmed_commits_;
};

}  // namespace trove::gitops
