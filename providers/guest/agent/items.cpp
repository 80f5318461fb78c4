#include "providers/guest/agent/items.hpp"
#include <algorithm>
#include <set>
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr Millis kFirstRetry{5'000}, kLongestRetry{60'000};
constexpr size_t kMostMessage = 500;
// Put back so often within an hour, and changed again: somebody else wants it so.
constexpr int kMostRepairs = 3;
constexpr Millis kRepairWindow{3'600'000};

std::map<std::string, std::string> hashed(const Facets& facets) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : facets) out[name] = sha256_hex(value).substr(0, 16);
  return out;
}

// Canonical text of one item, by way of a document that holds nothing else.
std::string digest_of(const Database& database) {
  Document d;
  d.databases = {database};
  d.databases[0].drift = Drift::correct;     // another policy is no other item
  d.databases[0].ignored.clear();
  return digest(d);
}
std::string digest_of(const User& user) {
  Document d;
  d.users = {user};
  d.users[0].drift = Drift::correct;
  d.users[0].ignored.clear();
  return digest(d);
}

// What is asked for, field by field: one that is left to somebody else is set only when this changes.
std::map<std::string, std::string> wanted_of(const Database& database) {
  return hashed({{"/characterSet", database.character_set}, {"/collate", database.collate}, {"/owner", database.owner}});
}
std::map<std::string, std::string> wanted_of(const User& user) {
  Document grants;
  grants.users.push_back({});
  grants.users[0].grants = user.grants;
  return hashed({{"/password", user.verifier},
                 {"/grants", digest(grants)},
                 {"/maxConnections", std::to_string(user.max_connections)}});
}

std::string display(const std::string& name, const std::string& host) {
  return host.empty() || host == "%" ? name : name + "@" + host;
}

// Engines quote statements in their errors, and ours hold verifiers.
std::string without(std::string message, const std::string& secret) {
  for (size_t at; secret.size() >= 8 && (at = message.find(secret)) != std::string::npos;) {
    message.replace(at, secret.size(), "…");
  }
  // An error may quote from the middle of a statement; anything left that could be part of a verifier goes too.
  for (size_t length = secret.size(); length-- > 16;) {
    const size_t at = message.find(secret.substr(secret.size() - length));
    if (at != std::string::npos) message.replace(at, length, "…");
  }
  if (message.size() > kMostMessage) message.resize(kMostMessage);
  return message;
}

}  // namespace

struct Items::Work {
  const Database* database = nullptr;
  const User* user = nullptr;
  std::string key, digest, label;
  Drift drift = Drift::correct;
  Need need = Need::nothing;
  std::optional<Facets> seen;
  std::map<std::string, std::string> wanted;
  std::string difference;          // in words, for drift
  std::optional<User> user_as_applied;           // with the fields that are not touched in `ignored`
  std::optional<Database> database_as_applied;
  const std::vector<std::string>& ignored() const { return user ? user->ignored : database->ignored; }
  bool failed = false;
  ItemState state;
};

void Items::note_failure(Work& work, const Error& error) {
  work.failed = true;
  work.state.state = "Failed";
  work.state.message = without(error.message, work.user ? work.user->verifier : "");
  Failure& failure = failures_[work.key];
  if (failure.digest != work.digest) failure = {work.digest, "", 0, Millis{0}};
  failure.message = work.state.message;
  const int doublings = std::min(failure.times++, 4);
  failure.next = clock_.monotonic() + std::min(kLongestRetry, kFirstRetry * (1 << doublings));
}

void Items::judge(Work& work, const Document& document) {
  const auto known = memory_.items.find(work.key);
  const bool applied_before = known != memory_.items.end() && known->second.digest == work.digest;
  if (applied_before) {
    const auto now = work.seen ? hashed(*work.seen) : std::map<std::string, std::string>();
    std::vector<std::pair<std::string, std::string>> changed;
    for (const auto& [name, hash] : known->second.facets) {
      const auto found = now.find(name);
      if (!work.seen || (found != now.end() && found->second == hash)) continue;
      const auto& ignored = work.ignored();
      if (std::find(ignored.begin(), ignored.end(), path_of_facet(name)) != ignored.end()) continue;
      std::string actual = name == "password" || found == now.end() ? "" : work.seen->at(name);
      if (actual.size() > kMostMessage) actual.resize(kMostMessage);
      changed.emplace_back(name, work.user ? without(std::move(actual), work.user->verifier) : std::move(actual));
    }
    if (work.seen && changed.empty()) {
      work.state.state = "Applied";
      return;
    }
    if (!work.seen) {
      work.difference = "was dropped by someone";
    } else {
      std::string facets;
      for (const auto& [name, actual] : changed) facets += (facets.empty() ? "" : ", ") + name;
      work.difference = "was changed by someone (" + facets + ")";
    }
    work.state.changed = std::move(changed);
    if (work.drift == Drift::ignore) {
      work.state.state = "Applied";
      work.state.changed.clear();
      return;
    }
    Memory::Item& item = known->second;
    const bool often = item.repaired == work.difference &&
                       (item.repairs > kMostRepairs ||
                        (item.repairs == kMostRepairs && clock_.wall() - item.first_repair < kRepairWindow));
    if (work.drift == Drift::report || often) {
      work.state.state = "Drifted";
      work.state.message = work.difference;
      if (often && work.drift != Drift::report) {
        item.repairs = kMostRepairs + 1;  // until what is asked for changes
        work.state.message += "; put back " + std::to_string(kMostRepairs) + " times within an hour, and left now";
      }
      return;
    }
  }
  if (document.suspended) {
    work.state.state = applied_before ? "Drifted" : "Pending";
    work.state.message = applied_before ? work.difference : "suspended: nothing is changed";
    return;
  }
  const auto failure = failures_.find(work.key);
  if (failure != failures_.end() && failure->second.digest == work.digest &&
      clock_.monotonic() < failure->second.next) {
    work.failed = true;
    work.state.state = "Failed";
    work.state.message = failure->second.message;
    return;
  }
  work.need = applied_before ? Need::repair : Need::make;
  // What is left to somebody else is touched only when the item is not there, or when what is asked for has changed.
  std::vector<std::string> kept;
  if (work.seen && known != memory_.items.end())
    for (const std::string& path : work.ignored()) {
      const auto before = known->second.wanted.find(path);
      if (before != known->second.wanted.end() && before->second == work.wanted.at(path)) kept.push_back(path);
    }
  if (work.user) work.user_as_applied = *work.user, work.user_as_applied->ignored = std::move(kept);
  else work.database_as_applied = *work.database, work.database_as_applied->ignored = std::move(kept);
}

void Items::settle(Work& work, const std::optional<Facets>& facets) {
  if (!facets) return note_failure(work, {Code::unavailable, "it is not there right after it was made"});
  Memory::Item item{work.digest, hashed(*facets), work.wanted, {}, 0, {}};
  if (work.need == Need::repair) {
    const Memory::Item& before = memory_.items[work.key];
    const bool going_on = before.repaired == work.difference && clock_.wall() - before.first_repair < kRepairWindow;
    item.repaired = work.difference;
    item.repairs = going_on ? before.repairs + 1 : 1;
    item.first_repair = going_on ? before.first_repair : clock_.wall();
  }
  memory_.items[work.key] = std::move(item);
  failures_.erase(work.key);
  work.state.state = "Applied";
  work.state.changed.clear();
}

Result<ItemsOutcome> Items::pass(const Document& document) {
  if (auto read = driver_.refresh(document, !document.suspended); !read) return tl::unexpected<Error>(read.error());

  std::vector<Work> users, databases;
  std::set<std::string> keys;
  for (const User& user : document.users) {
    Work work;
    work.user = &user;
    work.key = "user " + user.name + "@" + user.host;
    work.label = "user " + display(user.name, user.host);
    work.digest = digest_of(user);
    work.wanted = wanted_of(user);
    work.drift = user.drift;
    work.state = {user.name, user.host, "Pending", "", {}};
    if (keys.insert(work.key).second) users.push_back(std::move(work));
  }
  for (const Database& database : document.databases) {
    Work work;
    work.database = &database;
    work.key = "database " + database.name;
    work.label = "database " + database.name;
    work.digest = digest_of(database);
    work.wanted = wanted_of(database);
    work.drift = database.drift;
    work.state = {database.name, "", "Pending", "", {}};
    if (keys.insert(work.key).second) databases.push_back(std::move(work));
  }

  const auto look = [&](Work& work) { return work.user ? driver_.look(*work.user) : driver_.look(*work.database); };
  for (auto* list : {&users, &databases}) {
    for (Work& work : *list) {
      auto seen = look(work);
      if (seen) {
        work.seen = std::move(*seen);
        judge(work, document);
      } else if (seen.error().code == Code::unavailable) {
        return tl::unexpected<Error>(seen.error());
      } else {
        note_failure(work, seen.error());
      }
    }
  }

  // Users, then databases (which may have an owner), then grants (which need both).
  bool changed = false;
  const auto attempt = [&](Work& work, const Result<void>& done) {
    changed = true;
    if (!done) note_failure(work, done.error());
  };
  ItemsOutcome outcome;
  // Each step reads again what the one before made.
  const auto step = [&](std::vector<Work>& works, auto apply) -> Result<void> {
    bool any = false;
    for (Work& work : works) {
      if (work.need == Need::nothing) continue;
      attempt(work, apply(work));
      any = true;
    }
    return any ? driver_.refresh(document, true) : Result<void>();
  };
  if (auto done = step(users, [&](Work& work) { return driver_.apply(*work.user_as_applied); }); !done) {
    return tl::unexpected<Error>(done.error());
  }
  if (auto done = step(databases, [&](Work& work) { return driver_.apply(*work.database_as_applied); }); !done) {
    return tl::unexpected<Error>(done.error());
  }
  for (Work& work : users) {
    if (work.need != Need::nothing && !work.failed) attempt(work, driver_.apply_grants(*work.user_as_applied));
  }
  if (changed) {
    if (auto read = driver_.refresh(document, true); !read) return tl::unexpected<Error>(read.error());
    for (auto* list : {&users, &databases}) {
      for (Work& work : *list) {
        if (work.need == Need::nothing || work.failed) continue;
        auto seen = look(work);
        if (!seen) {
          note_failure(work, seen.error());
          continue;
        }
        settle(work, *seen);
        if (work.need == Need::repair && !work.failed) {
          outcome.events.push_back(work.label + " " + work.difference + (work.seen ? "; put back" : "; created again"));
        }
      }
    }
  }
  for (auto& work : users) outcome.users.push_back(std::move(work.state));
  for (auto& work : databases) outcome.databases.push_back(std::move(work.state));

  // Drops come last: users of a dropped database lose nothing that they still need.
  const auto drop = [&](const std::string& key, ItemState state, auto perform) {
    if (keys.count(key)) return ItemState{state.name, state.host, "Failed", "it is both wanted and dropped: kept", {}};
    if (document.suspended) return ItemState{state.name, state.host, "Pending", "suspended: nothing is changed", {}};
    Result<void> done = perform();
    state.state = done ? "Dropped" : "Failed";
    if (!done) state.message = without(done.error().message, "");
    else memory_.items.erase(key);
    return state;
  };
  for (const auto& [name, host] : document.dropped_users) {
    outcome.users.push_back(drop("user " + name + "@" + host, {name, host, "", "", {}},
                                 [&, n = name, h = host] { return driver_.drop_user(n, h); }));
  }
  for (const auto& name : document.dropped_databases) {
    outcome.databases.push_back(
        drop("database " + name, {name, "", "", "", {}}, [&, n = name] { return driver_.drop_database(n); }));
  }

  // What the document no longer speaks of is nobody's business any more; a later mention is news, not drift.
  std::erase_if(memory_.items, [&](const auto& item) { return !keys.count(item.first); });
  std::erase_if(failures_, [&](const auto& failure) { return !keys.count(failure.first); });
  return outcome;
}

}  // namespace trove::guest
