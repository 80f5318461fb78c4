#include "reconciler/gitops/follower.hpp"

#include <algorithm>

namespace trove::gitops {
namespace {

std::string short_of(const std::string& commit) { return commit.substr(0, 7); }

std::string ref_of(const GitSourceSpec& spec) {
  if (!spec.commit.empty()) return spec.commit;
  return spec.tag.empty() ? "refs/heads/" + spec.branch : "refs/tags/" + spec.tag;
}

bool is_busy(const Refusal& refusal) { return refusal.status >= 500 || refusal.status == 429; }

size_t depth_of(const std::string& path) { return static_cast<size_t>(std::count(path.begin(), path.end(), '/')); }

GitTrouble trouble_of(const Error& error, const std::string& doing) {
  const std::string message = doing + error.message + (error.hint.empty() ? "" : "; " + error.hint);
  switch (error.code) {
    case Code::not_found:
      return {"NotFound", "GIT_NOT_FOUND", "User", message, true};
    case Code::denied:
      return {"NotAllowed", "GIT_NOT_ALLOWED", "CloudOperator", message, true};
    case Code::unauthenticated:
      return {"Unauthenticated", "GIT_UNAUTHENTICATED", "User", message, true};
    case Code::too_large:
      return {"TooLarge", "GIT_TOO_LARGE", "User", message, true};
    case Code::invalid:
      return {"Invalid", "GIT_INVALID", "User", message, true};
    case Code::no_space:
      return {"NoSpace", "NO_SPACE", "CloudOperator", message, false};
    default:
      return {"Unreachable", "GIT_UNREACHABLE", "System", message, false};
  }
}

}  // namespace

Follower::Follower(Key key, std::unique_ptr<Repository> repository, Apply apply, SetMembers members,
                   PlanBook& plans, const Clock& clock)
    : key_(std::move(key)),
      set_("git:" + key_.name),
      repository_(std::move(repository)),
      apply_(std::move(apply)),
      members_(std::move(members)),
      plans_(plans),
      clock_(clock) {}

std::string Follower::author(const std::string& commit) const { return set_ + "@" + short_of(commit); }

void Follower::fail_with(const Error& error, const char* doing) { facts_.trouble = trouble_of(error, doing); }

bool Follower::verified(const PassOrder& order, const std::string& commit) {
  facts_.verified.clear();
  if (!order.spec.verify) return true;
  auto signature = repository_->verify(commit, order.keys);
  if (!signature) {
    fail_with(signature.error(), "the signature could not be checked: ");
    return false;
  }
  if (signature->good) {
    facts_.verified = signature->by;
    return true;
  }
  facts_.trouble = GitTrouble{"NotVerified", "GIT_NOT_VERIFIED", "User",
                              "commit " + short_of(commit) + " " + signature->message + "; it is not applied", true};
  return false;
}

// True when the pass may go on. A branch that was set back is followed, unless commits have to be signed: then an old
// commit, though signed, may be somebody's way back to what was already mended.
bool Follower::rewritten(const PassOrder& order, const std::string& commit) {
  if (facts_.applied.empty() || facts_.applied == commit) return true;
  facts_.rewritten.clear();
  // A tag or a single commit is named by the spec, and a copy that was made anew cannot tell.
  if (order.spec.branch.empty() || repository_->descends(commit, facts_.applied) || !repository_->has(facts_.applied))
    return true;
  const bool confirmed = std::any_of(confirm_.begin(), confirm_.end(), [&](const std::string& word) {
    return word.size() >= 7 && commit.starts_with(word);
  });
  if (!order.spec.verify || confirmed) {
    facts_.rewritten = facts_.applied;
    return true;
  }
  facts_.trouble = GitTrouble{"HistoryRewritten", "GIT_HISTORY_REWRITTEN", "User",
                              "the branch " + order.spec.branch + " was set to " + short_of(commit) +
                                  ", which does not come after " + short_of(facts_.applied) +
                                  "; if that is meant: trovectl git sync " + key_.name + " --confirm " + short_of(commit),
                              true};
  return false;
}

Tidings Follower::pass(const PassOrder& order) {
  Tidings tidings;
  look(order, tidings);
  answer(order, tidings);
  return tidings;
}

void Follower::look(const PassOrder& order, Tidings& tidings) {
  facts_.trouble.reset();
  auto url = parse_git_url(order.spec.url);
  if (!url) return fail_with(url.error(), "");
  auto commit = repository_->fetch(*url, ref_of(order.spec), order.credentials);
  if (!commit) return fail_with(commit.error(), "");
  facts_.observed = *commit;
  confirm_ = order.confirm;
  if (facts_.plan && facts_.plan->commit == *commit)
    confirm_.insert(facts_.plan->confirmed.begin(), facts_.plan->confirmed.end());
  if (!verified(order, *commit) || !rewritten(order, *commit)) return;
  if (!order.spec.manual || order.spec.observe_only) forget_plan();
  if (order.spec.observe_only) return;
  std::string moved;  // why the plan that waits does not hold any more
  if (order.spec.manual && !order.approve.empty() && !carry_out(order, *commit, tidings, moved)) return;
  const bool stale = clock_.monotonic() - read_all_at_ >= kFullEvery;
  const bool full = order.full || read_.empty() || stale || (facts_.applied.empty() && !facts_.plan);
  const bool mending = std::any_of(files_.begin(), files_.end(), [](const auto& f) { return f.second.broken; });
  const bool idle = facts_.plan ? still_waits(*commit, moved) : facts_.applied == *commit;
  if (!full && idle && !mending && order.confirm.empty()) return;

  auto done = read(order, *commit, full);
  // A copy that was made anew does not hold the commit that was read: then everything is.
  if (!done && !full && !repository_->has(read_)) done = read(order, *commit, true);
  // Until the end of the pass nobody knows what is stored: should it break off, everything is compared again.
  read_.clear();
  if (!done) return fail_with(done.error(), "");
  Counts counts;
  const bool fresh = facts_.applied != *commit;
  const std::vector<Broken> broken_before = std::move(facts_.broken);
  if (order.spec.manual) {
    const Outcome outcome = propose(order, *commit, full, moved, tidings);
    if (outcome == Outcome::failed) return;
    if (full) read_all_at_ = clock_.monotonic();
    if (outcome == Outcome::waits) {
      if (!facts_.trouble) read_ = *commit;
      return;
    }
    now_applied(*commit);
    count();
  } else {
    if (!apply(*commit, counts)) return count();
    now_applied(*commit);
    count();
    prune(order, *commit, full, counts);
    if (full) read_all_at_ = clock_.monotonic();
  }
  // What should have gone and did not is tried again, and its trouble told until then.
  if (!facts_.trouble) read_ = *commit;
  if (facts_.broken.empty() && !facts_.trouble) facts_.last_good = *commit;
  if (!fresh && counts.created + counts.configured + counts.pruned == 0 && broken_before == facts_.broken) return;
  tidings.events.push_back({facts_.broken.empty() && facts_.rewritten.empty(), "git.apply", told_of(*commit, counts)});
}

std::string Follower::told_of(const std::string& commit, const Counts& counts) const {
  std::string told = "applied " + short_of(commit) + " by " + facts_.author + ": " + std::to_string(counts.created) +
                     " created, " + std::to_string(counts.configured) + " configured, " +
                     std::to_string(counts.pruned) + " pruned";
  if (!facts_.broken.empty()) told += ", " + std::to_string(facts_.broken.size()) + " files left out";
  if (!facts_.rewritten.empty())
    told += "; the branch was rewritten, " + short_of(facts_.rewritten) + " is not in its history";
  return told;
}

void Follower::now_applied(const std::string& commit) {
  if (auto what = repository_->facts(commit)) {
    facts_.author = what->author;
    facts_.subject = what->subject;
  }
  if (facts_.applied != commit) facts_.applied_at = clock_.wall();
  facts_.applied = commit;
}

void Follower::drop_file(const std::string& path) {
  others_.erase(path);
  pending_.erase(path);
  auto found = files_.find(path);
  if (found == files_.end()) return;
  for (const Key& key : found->second.keys) {
    auto holder = holders_.find(key);
    if (holder == holders_.end() || holder->second != path) continue;
    holders_.erase(holder);
    leaving_.insert(key);
  }
  files_.erase(found);
}

// What it held before is still wanted, as far as anybody can tell.
void Follower::break_file(const std::string& path, Broken broken) {
  files_[path].broken = std::move(broken);
  pending_.erase(path);
}

void Follower::take_file(const std::string& path, FileDocuments parsed) {
  if (!parsed.ours()) {
    drop_file(path);
    others_.insert(path);
    return;
  }
  if (parsed.broken) {
    others_.erase(path);
    return break_file(path, std::move(*parsed.broken));
  }
  drop_file(path);
  for (size_t i = 0; i < parsed.keys.size(); ++i) {
    auto [holder, fresh] = holders_.emplace(parsed.keys[i], path);
    if (fresh) continue;
    const std::string other = holder->second;
    for (size_t j = 0; j < i; ++j) {
      holders_.erase(parsed.keys[j]);
      leaving_.insert(parsed.keys[j]);
    }
    Problem problem;
    problem.at = parsed.documents[i]["metadata"]["name"].at;
    problem.path = "metadata.name";
    problem.message = to_string(parsed.keys[i]) + " is also in " + printable(other);
    problem.hint = "Keep one of the two.";
    files_[path].keys.clear();
    return break_file(path, broken_by(path, problem));
  }
  for (const Key& key : parsed.keys) leaving_.erase(key);
  files_[path] = {std::move(parsed.keys), std::nullopt};
  pending_[path] = std::move(parsed.documents);
}

// Brings files_ from what read_ holds to what `commit` holds, and adds what has to be applied to pending_, where there
// is something already while a plan waits.
Result<void> Follower::read(const PassOrder& order, const std::string& commit, bool full) {
  if (full) pending_.clear();
  const auto below = [&](const std::string& path) {
    return order.spec.path.empty() || path.starts_with(order.spec.path + "/");
  };
  std::vector<Entry> entries;
  if (full || read_ == commit) {
    auto tree = repository_->tree(commit, order.spec.path);
    if (!tree) return tl::unexpected(tree.error());
    entries = std::move(*tree);
    std::set<std::string> there;
    for (const Entry& entry : entries) there.insert(entry.path);
    std::vector<std::string> gone;
    for (const auto& [path, file] : files_)
      if (!there.contains(path)) gone.push_back(path);
    for (const std::string& path : gone) drop_file(path);
    if (full)
      std::erase_if(others_, [&](const std::string& path) { return !there.contains(path); });
    else
      std::erase_if(entries, [&](const Entry& entry) {
        auto known = files_.find(entry.path);
        return known == files_.end() || !known->second.broken;
      });
  } else {
    auto changed = repository_->changes(read_, commit, order.spec.path);
    if (!changed) return tl::unexpected(changed.error());
    entries = std::move(*changed);
    std::set<std::string> named;
    for (const Entry& entry : entries) named.insert(entry.path);
    // Files that were left out are tried again: what they lacked may be there now.
    bool broken = false;
    for (const auto& [path, file] : files_) broken = broken || (file.broken && !named.contains(path));
    if (broken) {
      auto tree = repository_->tree(commit, order.spec.path);
      if (!tree) return tl::unexpected(tree.error());
      for (Entry& entry : *tree) {
        auto known = files_.find(entry.path);
        if (known != files_.end() && known->second.broken && !named.contains(entry.path))
          entries.push_back(std::move(entry));
      }
    }
  }
  const GitLimits& limits = repository_->limits();
  std::vector<Entry> wanted;
  size_t bytes = 0;
  for (Entry& entry : entries) {
    if (entry.oid.empty()) {
      drop_file(entry.path);
      continue;
    }
    if (!below(entry.path) || !may_hold_documents(entry.path)) {
      if (below(entry.path)) others_.insert(entry.path);
      continue;
    }
    const auto named = [&](const std::string& what) {
      others_.erase(entry.path);
      break_file(entry.path, {printable(entry.path, 200), {}, what});
    };
    if (!entry.file()) {
      named(entry.mode == "120000" ? "is a symbolic link, and links are not followed"
                                   : "is a submodule, and submodules are not fetched");
    } else if (entry.size < 0 || static_cast<size_t>(entry.size) > limits.file_bytes) {
      named("is larger than " + std::to_string(limits.file_bytes >> 10) + " KiB");
    } else if (depth_of(entry.path) > limits.depth) {
      named("lies deeper than " + std::to_string(limits.depth) + " folders");
    } else {
      bytes += static_cast<size_t>(entry.size);
      wanted.push_back(std::move(entry));
    }
  }
  if (wanted.size() > limits.files)
    return fail(Code::too_large, "the folder holds " + std::to_string(wanted.size()) + " documents' files, and " +
                                     std::to_string(limits.files) + " is the most",
                "divide it between several GitSources");
  if (bytes > limits.read_bytes)
    return fail(Code::too_large, "the files hold more than " + std::to_string(limits.read_bytes >> 20) + " MiB",
                "divide the folder between several GitSources");
  auto texts = repository_->read(wanted);
  if (!texts) return tl::unexpected(texts.error());
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
  // All that is new is dropped before any of it is taken: an object that moved between two files is in one of them.
  std::vector<FileDocuments> parsed;
  parsed.reserve(wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    auto known = files_.find(wanted[i].path);
    const bool held = known != files_.end() && (known->second.broken || !known->second.keys.empty());
    parsed.push_back(parse_file(key_.project, wanted[i].path, (*texts)[i], held));
    if (!parsed.back().broken) drop_file(wanted[i].path);
  }
  for (size_t i = 0; i < wanted.size(); ++i) take_file(wanted[i].path, std::move(parsed[i]));
  return {};
}

void Follower::count_broken() {
  facts_.broken.clear();
  for (const auto& [path, file] : files_)
    if (file.broken) facts_.broken.push_back(*file.broken);
}

void Follower::count() {
  facts_.files = static_cast<int64_t>(files_.size());
  facts_.skipped = static_cast<int64_t>(others_.size());
  facts_.objects = static_cast<int64_t>(holders_.size());
  count_broken();
}

// In the order in which they are applied.
std::vector<Follower::Item> Follower::items() const {
  std::vector<Item> out;
  for (const auto& [path, documents] : pending_)
    for (size_t i = 0; i < documents.size(); ++i) out.push_back({rank_of(documents[i]["kind"].text()), &path, i});
  std::stable_sort(out.begin(), out.end(), [](const Item& a, const Item& b) { return a.rank < b.rank; });
  return out;
}

ApplyOrder Follower::order_of(const std::string& commit) const {
  ApplyOrder what;
  what.project = key_.project;
  what.author = author(commit);
  what.manager = set_;
  what.commit = commit;
  what.set.name = set_;
  what.force_conflicts = true;
  return what;
}

// `items` by `road`, without the files that are refused. False when all of it is to be tried again; the trouble is noted.
bool Follower::hand_over(const std::string& commit, std::span<const Item> items, ApplyOrder& what,
                         std::map<std::string, Broken>& refused, const Road& road, std::optional<ApplyResult>& result) {
  result = ApplyResult{};
  for (int round = 0;; ++round) {
    what.sources.clear();
    for (const Item& item : items)
      if (!refused.contains(*item.file)) what.sources.push_back({pending_[*item.file][item.index], *item.file});
    // What a file that is left out still wants is not known: then nothing goes.
    if (!refused.empty()) what.set.prune = false;
    if (what.sources.empty() && !what.set.prune) return true;
    auto done = road(what);
    if (done) {
      result = std::move(*done);
      return true;
    }
    const Refusal& refusal = done.error();
    size_t news = 0;
    for (const auto& [problem, code] : refusal.problems) {
      if (problem.document < 0 || static_cast<size_t>(problem.document) >= what.sources.size()) continue;
      const std::string& file = what.sources[static_cast<size_t>(problem.document)].file;
      news += refused.emplace(file, broken_by(file, problem)).second;
    }
    if (news == 0 && what.set.prune && !is_busy(refusal)) {
      refused_prune(refusal);
      what.set.prune = false;
      continue;
    }
    if (news == 0 || round + 1 == kApplyRounds) {
      refused_as_a_whole(commit, refusal);
      return false;
    }
  }
}

void Follower::refused_as_a_whole(const std::string& commit, const Refusal& refusal) {
  facts_.trouble = GitTrouble{"ApplyFailed", refusal.code, refusal.actor,
                              "commit " + short_of(commit) + " could not be applied: " + refusal.detail,
                              !is_busy(refusal)};
}

void Follower::refused_prune(const Refusal& refusal) {
  facts_.trouble = GitTrouble{"PruneRefused", refusal.code, refusal.actor,
                              refusal.detail + (refusal.hint.empty() ? "" : "; " + refusal.hint), true};
}

// False when all of it is to be tried again; the trouble is noted.
bool Follower::apply(const std::string& commit, Counts& counts) {
  const std::vector<Item> all = items();
  std::map<std::string, Broken> refused;  // in this pass
  const Road road = [&](const ApplyOrder& what) -> Attempt<std::optional<ApplyResult>> {
    auto done = apply_(what);
    if (!done) return tl::unexpected(done.error());
    return std::optional<ApplyResult>(std::move(*done));
  };
  for (size_t from = 0; from < all.size(); from += kMaxDocuments) {
    ApplyOrder what = order_of(commit);
    std::optional<ApplyResult> result;
    const auto some = std::span(all).subspan(from, std::min(all.size() - from, kMaxDocuments));
    if (!hand_over(commit, some, what, refused, road, result)) return false;
    for (const Applied& item : result->items) {
      counts.created += item.what == Applied::What::created;
      counts.configured += item.what == Applied::What::configured;
    }
  }
  for (auto& [file, broken] : refused) break_file(file, std::move(broken));
  pending_.clear();
  return true;
}

// Puts what is to be pruned into `what`. False when that is not known or not meant; the trouble is noted.
bool Follower::choose_leaving(const PassOrder& order, const std::string& commit, bool full, ApplyOrder& what) {
  facts_.unconfirmed.clear();
  facts_.held.clear();
  if (!order.spec.prune) {
    leaving_.clear();
    return true;
  }
  // What a file that cannot be read still wants is not known: then nothing goes.
  if (!facts_.broken.empty()) return true;
  if (full) {
    auto members = members_(key_.project, set_);
    if (!members) {
      fail_with(members.error(), "what was applied before could not be read: ");
      return false;
    }
    leaving_.clear();
    for (const auto& [key, file] : *members)
      if (!holders_.contains(key)) leaving_.insert(key);
  }
  if (leaving_.empty()) return true;
  if (holders_.empty() && order.spec.refuse_empty) {
    facts_.trouble = GitTrouble{"Empty", "GIT_EMPTY", "User",
                                "there is no document in " + short_of(commit) + "; the " +
                                    std::to_string(leaving_.size()) +
                                    " objects that were applied before stay. If that is meant, set prune.refuseEmpty: false",
                                true};
    return false;
  }
  what.set.prune = true;
  what.set.leaving = std::vector<Key>(leaving_.begin(), leaving_.end());
  what.set.max_delete = static_cast<size_t>(std::max<int64_t>(order.spec.max_delete, 0));
  what.set.keep_unconfirmed = true;
  what.set.may_be_empty = true;
  for (const Key& key : leaving_)
    if (confirm_.contains(to_string(key))) what.set.confirmed.insert(key);
  return true;
}

// What stays although it left Git.
std::set<Key> Follower::note_kept(const std::vector<Applied>& leaving) {
  std::set<Key> kept;
  for (const Applied& item : leaving) {
    if (item.what != Applied::What::kept) continue;
    kept.insert(item.after.key());
    const bool held = item.after.spec["deletionProtection"].bool_or(false);
    (held ? facts_.held : facts_.unconfirmed).push_back(to_string(item.after.key()));
  }
  return kept;
}

// False when something that should have gone is still there; the trouble is noted.
bool Follower::prune(const PassOrder& order, const std::string& commit, bool full, Counts& counts) {
  ApplyOrder what = order_of(commit);
  if (!choose_leaving(order, commit, full, what)) return false;
  if (!what.set.prune) return true;
  auto result = apply_(what);
  if (!result) {
    refused_prune(result.error());
    return false;
  }
  leaving_ = note_kept(result->leaving);
  counts.pruned += result->leaving.size() - leaving_.size();
  return true;
}

}  // namespace trove::gitops
