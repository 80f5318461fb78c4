// Documents become stored objects here, whatever road they came by: REST, a plan that was kept, a Git repository. Decode,
// merge with what others own, compare, check, and write everything or nothing in one transaction.
// One for the whole daemon; thread-safe: writes are serialised by one mutex from their checks to their commit, because
// checks across objects (two Databases of one name) cannot be guards of a transaction.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "reconciler/api/refusal.hpp"
#include "reconciler/objects.hpp"
#include "reconciler/store/seal.hpp"
#include "specs/ownership.hpp"

namespace trove {

inline constexpr size_t kMaxDocuments = 6'000;  // of one apply: four store operations each
inline constexpr int kApplyTries = 5;
inline constexpr size_t kDefaultMaxDelete = 10;  // of one prune
inline constexpr Millis kOnceKept{24 * 3'600'000};  // answers of requests with an idempotency key
inline constexpr Millis kLongestBreakGlass{7 * 24 * 3'600'000LL};

using Findings = std::vector<std::pair<Problem, std::string>>;  // with the code that problem+json shows

// One document with what is known of where it stands.
struct Source {
  Value document;    // located: each node has its line
  std::string file;  // "prod/orders.yaml"; "" or "body" = not from a file
};
inline constexpr std::string_view kBody = "body";

// Objects that are handed in together, over and over: what was in it the last time and is not there any more can be
// pruned. An object is in one set at most.
struct SetOrder {
  std::string name;  // "" = no set. "git:<name>" are GitSources'
  bool prune = false;
  // What to prune: what the set holds and `sources` do not; or, when given, exactly these (that are in the set).
  std::optional<std::vector<Key>> leaving;
  size_t max_delete = kDefaultMaxDelete;  // more than this: refused, nothing is done
  std::set<Key> confirmed;                // of those that need it
  bool keep_unconfirmed = false;          // what needs a confirmation and has none stays; otherwise all is refused
  bool may_be_empty = false;              // no document at all is a slip unless this says that it is meant
};

// A request that may be sent twice and has to act once.
struct Once {
  std::string key;     // with the caller in it; "" = none
  std::string digest;  // of the whole request: the same key for something else is refused
};

struct ApplyOrder {
  std::string project;
  std::string author;   // "user:kim", "git:shop-prod@9f31c2e": of history and events
  std::string manager;  // whose fields these are: "trovectl", "git:shop-prod"
  std::string commit;   // that `sources` are from; "" = none
  std::vector<Source> sources;
  SetOrder set;
  bool force_conflicts = false;  // takes over what others own
  std::optional<Millis> until;   // break-glass: what is taken over goes back after so long
  bool replace = false;          // PUT: the document is all there is, whoever owned what
  bool must_be_absent = false;   // If-None-Match: *
  std::string must_match;        // If-Match: "7" or *; "" = no condition
  bool dry_run = false;
  std::vector<Key> removed;  // to delete, in or out of a set
  std::string plan;          // the plan that this carries out; "" = none
  Once once;
};

struct Applied {
  enum class What { created, configured, unchanged, pruned, kept, deleted };
  What what = What::unchanged;
  std::optional<Resource> before;
  Resource after;  // of one that goes: as it was, marked for deletion
  bool spec_changed = false;
  std::string message;  // of the event; of what was kept: why
  std::vector<std::string> warnings;
};
std::string_view to_string(Applied::What what);

struct ApplyResult {
  Revision revision = 0;
  std::vector<Applied> items;    // in the order of `sources`
  std::vector<Applied> leaving;  // deleted, pruned and kept
  std::optional<Value> before;   // the results of the first time, when this was the second
};
// [{kind, name, result, generation, warnings}] of both.
Value results_of(const ApplyResult& result);

class Snapshot;

class Applier {
 public:
  Applier(Objects& objects, const Sealer& sealer, Rng& rng, const Clock& clock)
      : objects_(objects), sealer_(sealer), rng_(rng), clock_(clock) {}

  // All or nothing. A refusal's problems carry the index of their source in `document`. `last_word`, when given, is
  // asked under the mutex, after all checks and before the commit, and can refuse.
  using LastWord = std::function<Attempt<void>(const ApplyResult& ahead)>;
  Attempt<ApplyResult> apply(const ApplyOrder& order, const LastWord& last_word = {});
  // Marks for deletion; the loop carries it out. `must_match`: an ETag, or "".
  Attempt<Resource> remove(const Key& key, const std::string& author, const std::string& must_match);
  // What a set holds, with the file that each was last read from.
  Result<std::map<Key, std::string>> members(const std::string& project, const std::string& set);
  // Who owns which fields of an object.
  Result<Ownership> ownership(const Resource& resource);
  // Ends the break-glass edits that are due, and says when the next one is; not set = none that is known of.
  Result<Time> end_break_glass();
  // Called after an apply that made an earlier end; from the applying thread. Set before the first apply.
  std::function<void()> on_earlier_end;

 private:
  struct Draft;  // what an apply would write; drafts.hpp
  Attempt<Draft> decode(const ApplyOrder& order);
  Attempt<void> check(Draft& draft);
  Applied compare(Draft& draft, size_t i, const Resource* current, Snapshot& snapshot, Problems& problems,
                  Problems& immutable);
  void merge(Draft& draft, size_t i, const Resource& current, Snapshot& snapshot, Applied& item, Problems& problems);
  bool seal(Resource& next, const Resource* current, Problems& problems) const;
  Attempt<void> choose_leaving(Draft& draft, Snapshot& snapshot);
  void stage(const Draft& draft, Txn& txn);
  void stage_leaving(Txn& txn, const Applied& item, const std::string& author) const;
  Result<Revision> commit(Txn& txn);
  Attempt<std::optional<ApplyResult>> earlier(const ApplyOrder& order);
  Attempt<void> stage_once(const Draft& draft, Txn& txn);

  Objects& objects_;
  const Sealer& sealer_;
  Rng& rng_;
  const Clock& clock_;
  std::mutex writing_;
  // Under writing_:
  Lease once_lease_;
  Time once_leased_;
  Time next_end_;  // of break-glass edits, as far as is known
  bool ends_known_ = false;
};

std::string etag_of(const Resource& resource);
inline constexpr std::string_view kHidden = "(hidden)";

}  // namespace trove
