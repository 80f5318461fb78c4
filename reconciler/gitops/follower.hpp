// One GitSource at work: from what its repository holds to what is stored, once each time that it is asked. Keeps in
// memory what each file of the applied commit holds, so that a commit costs what it changes. Used by one thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>
#include "reconciler/api/plan_book.hpp"
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

// The plan of a commit that waits until somebody approves it.
struct WaitingPlan {
  std::string id, commit;
  int64_t generation = 0;  // of the GitSource that it was made for
  int64_t create = 0, configure = 0, remove = 0;
  std::vector<std::string> interrupts;  // "databaseinstance/orders: the database restarts"
  std::set<std::string> confirmed;      // what somebody confirmed for this commit: it is part of the plan
  std::string replaces;                 // "pl-… no longer holds: …", when one waited before
  Time since;
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
  std::optional<WaitingPlan> plan;
  std::optional<GitTrouble> trouble;
};

std::string approval_of(const std::string& source, const WaitingPlan& plan);  // the command
std::string counts_of(const WaitingPlan& plan);  // "2 to create, 1 to configure, 0 to delete"

struct PassOrder {
  GitSourceSpec spec;
  int64_t generation = 0;  // of the spec
  Credentials credentials;
  std::map<std::string, Secret> keys;  // for verify
  std::set<std::string> confirm;       // "database/orders", or a commit
  std::string approve, by;             // a plan, and who approves it; "" = nobody does
  bool full = false;                   // read everything, whatever is known
};

// What became of an approval.
struct Approved {
  std::string plan;
  bool done = false;
  std::string message;
};
// What to tell of a pass.
struct Tidings {
  struct Event {
    bool good = true;
    const char* action;  // "git.apply"
    std::string message;
  };
  std::vector<Event> events;
  std::optional<Approved> approved;
};

class Follower {
 public:
  Follower(Key key, std::unique_ptr<Repository> repository, Apply apply, SetMembers members, PlanBook& plans,
           const Clock& clock);

  // What an earlier process stored of it, before the first pass.
  void remember(SourceFacts facts) { facts_ = std::move(facts); }
  const SourceFacts& facts() const { return facts_; }
  // Fetches, checks, applies and prunes; or, where approvals are asked for, makes a plan of that and waits. Its trouble
  // is in facts().
  Tidings pass(const PassOrder& order);
  void forget() { repository_->forget(); }

 private:
  struct File {
    std::vector<Key> keys;
    std::optional<Broken> broken;
  };
  struct Counts {
    size_t created = 0, configured = 0, pruned = 0;
  };
  struct Item {  // one document of pending_
    int rank;
    const std::string* file;
    size_t index;
  };
  // nullopt: it would change objects, and nothing was done.
  using Road = std::function<Attempt<std::optional<ApplyResult>>(const ApplyOrder&)>;
  enum class Outcome { failed, waits, applied };
  void fail_with(const Error& error, const char* doing);
  void look(const PassOrder& order, Tidings& tidings);
  bool verified(const PassOrder& order, const std::string& commit);
  bool rewritten(const PassOrder& order, const std::string& commit);
  Result<void> read(const PassOrder& order, const std::string& commit, bool full);
  void take_file(const std::string& path, FileDocuments parsed);
  void drop_file(const std::string& path);
  void break_file(const std::string& path, Broken broken);
  std::vector<Item> items() const;
  ApplyOrder order_of(const std::string& commit) const;
  bool hand_over(const std::string& commit, std::span<const Item> items, ApplyOrder& what,
                 std::map<std::string, Broken>& refused, const Road& road, std::optional<ApplyResult>& result);
  void refused_as_a_whole(const std::string& commit, const Refusal& refusal);
  bool apply(const std::string& commit, Counts& counts);
  bool choose_leaving(const PassOrder& order, const std::string& commit, bool full, ApplyOrder& what);
  bool prune(const PassOrder& order, const std::string& commit, bool full, Counts& counts);
  void refused_prune(const Refusal& refusal);
  std::set<Key> note_kept(const std::vector<Applied>& leaving);
  void now_applied(const std::string& commit);
  std::string told_of(const std::string& commit, const Counts& counts) const;
  std::string author(const std::string& commit) const;
  void count();
  void count_broken();

  // approval.cpp
  bool still_waits(const std::string& commit, std::string& moved);
  bool carry_out(const PassOrder& order, const std::string& commit, Tidings& tidings, std::string& moved);
  Outcome propose(const PassOrder& order, const std::string& commit, bool full, const std::string& moved,
                  Tidings& tidings);
  bool wait_for(const PassOrder& order, const std::string& commit, const ApplyOrder& what, bool full,
                std::string moved, Tidings& tidings);
  void answer(const PassOrder& order, Tidings& tidings) const;
  void forget_plan();

  Key key_;
  std::string set_;  // "git:shop-prod"
  std::unique_ptr<Repository> repository_;
  Apply apply_;
  SetMembers members_;
  PlanBook& plans_;
  const Clock& clock_;

  SourceFacts facts_;
  std::string read_;                     // the commit that files_ is of; "" = nobody knows, all is to be read
  Millis read_all_at_{0};
  std::map<std::string, File> files_;    // of ours
  std::set<std::string> others_;         // files that hold nothing for us
  std::map<Key, std::string> holders_;   // the file of each object
  std::map<std::string, std::vector<Value>> pending_;  // documents that are not applied yet, by file
  std::set<Key> leaving_;                // in the set and in no file any more
  std::set<std::string> confirm_;        // of this pass, and what was confirmed for the plan that waits
  Revision looked_at_ = 0;               // the store's, when the plan that waits was last compared with it
};

}  // namespace trove::gitops
