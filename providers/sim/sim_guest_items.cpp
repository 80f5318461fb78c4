// What a simulated guest makes of the parameters, databases and users in its document.
#include <algorithm>
#include <set>
#include "providers/sim/sim_guest.hpp"
#include "specs/kinds/parameters.hpp"

namespace trove {

namespace {

std::string digest_of(const guest::Database& database) {
  guest::Document d;
  d.databases = {database};
  d.databases[0].drift = Drift::correct;
  return guest::digest(d);
}
std::string digest_of(const guest::User& user) {
  guest::Document d;
  d.users = {user};
  d.users[0].drift = Drift::correct;
  return guest::digest(d);
}

std::string account(const std::string& name, const std::string& host) {
  return host.empty() ? name : name + "@" + host;
}

}  // namespace

// Parameters, restarts, items: what makes a document worked through.
void SimGuest::work_through(SimDisk& disk, Millis now) {
  const bool pending = pass_parameters(disk);
  const bool asked = applied_restart_ != document_->restart;
  const bool first_settling = !settled_ && pending;
  settled_ = true;
  if (!document_->suspended && (first_settling || asked)) {
    ++restarts_;
    start_engine(now);
    return;
  }
  pass_items(disk);
  worked_ = digest_;
}

bool SimGuest::pass_parameters(SimDisk& disk) {
  report_.parameters.clear();
  bool pending = false;
  for (const guest::Parameter& wanted : document_->parameters) {
    const std::string& name = wanted.name;
    guest::ParameterState state{name, "", false, "Applied", ""};
    const auto say = [&](const char* word, std::string message) {
      state.state = word;
      state.message = std::move(message);
    };
    const trove::Parameter* known = find_parameter(document_->engine, name);
    const bool live = !known || known->change != Change::restart;
    const std::string running = running_.contains(name) ? running_[name] : "";
    const bool asked_before = asked_.contains(name) && asked_[name] == wanted.value;
    const bool fits = running_.contains(name) && running == wanted.value;
    state.value = running;
    if (options.refused.contains(name)) {
      say("Failed", "the engine refuses " + wanted.value);
    } else if (fits) {
      asked_[name] = persisted_[name] = wanted.value;
    } else if (asked_before && live && wanted.drift == Drift::ignore) {
      // left as someone set it
    } else if (asked_before && live && wanted.drift == Drift::report) {
      say("Drifted", "someone set it to " + running);
    } else if (document_->suspended) {
      say("Pending", "suspended: nothing is changed");
    } else if (!live) {
      persisted_[name] = wanted.value;
      state.pending_restart = pending = true;
      say("Pending", "takes effect at the next restart");
    } else {
      if (asked_before)
        events_.push_back("parameter " + name + " was set to " + running + " by someone; set to " + wanted.value +
                          " again");
      running_[name] = persisted_[name] = asked_[name] = state.value = disk.parameters[name] = wanted.value;
    }
    report_.parameters.push_back(std::move(state));
  }
  for (const std::string& name : document_->reset_parameters) {
    if (!persisted_.contains(name) && !asked_.contains(name) && !running_.contains(name)) continue;
    guest::ParameterState state{name, "", false, "Dropped", ""};
    const trove::Parameter* known = find_parameter(document_->engine, name);
    persisted_.erase(name);
    asked_.erase(name);
    if (known && known->change == Change::restart && running_.contains(name)) {
      state = {name, running_[name], true, "Pending", "back to the default at the next restart"};
      pending = true;
    } else {
      running_.erase(name);
      disk.parameters.erase(name);
    }
    report_.parameters.push_back(std::move(state));
  }
  return pending;
}

// Something that was applied is there no more, or another.
bool SimGuest::items_drifted(const SimDisk& disk) const {
  if (document_->suspended || worked_ != digest_) return false;
  for (const guest::Parameter& p : document_->parameters) {
    const auto running = running_.find(p.name);
    const bool asked = asked_.contains(p.name) && asked_.at(p.name) == p.value;
    const bool off = asked && (running == running_.end() || running->second != p.value);
    if (off && p.drift == Drift::correct) return true;
  }
  for (const guest::Database& d : document_->databases)
    if (d.drift == Drift::correct && items_.contains("database " + d.name) && !disk.databases.contains(d.name))
      return true;
  for (const guest::User& u : document_->users) {
    const auto item = items_.find("user " + account(u.name, u.host));
    if (u.drift != Drift::correct || item == items_.end()) continue;
    const auto there = disk.users.find(account(u.name, u.host));
    if (there == disk.users.end() || there->second != item->second) return true;
  }
  return false;
}

void SimGuest::pass_items(SimDisk& disk) {
  std::set<std::string> keys;
  const auto one = [&](const std::string& key, const std::string& digest, Drift drift, bool seen, bool fits,
                       guest::ItemState state, auto make) {
    keys.insert(key);
    const bool applied_before = items_.contains(key) && items_[key] == digest;
    const std::string difference = seen ? "was changed by someone" : "was dropped by someone";
    state.state = "Applied";
    if (applied_before && (fits || drift == Drift::ignore)) return state;
    if (applied_before && drift == Drift::report) return state.state = "Drifted", state.message = difference, state;
    if (document_->suspended) {
      state.state = applied_before ? "Drifted" : "Pending";
      state.message = applied_before ? difference : "suspended: nothing is changed";
      return state;
    }
    if (options.refused.contains(key)) return state.state = "Failed", state.message = "the engine refuses it", state;
    make();
    items_[key] = digest;
    ++disk.position;
    if (applied_before) events_.push_back(key + " " + difference + (seen ? "; put back" : "; created again"));
    return state;
  };
  report_.users.clear(), report_.databases.clear();
  for (const guest::User& user : document_->users) {
    const std::string name = account(user.name, user.host), digest = digest_of(user);
    const auto there = disk.users.find(name);
    const bool seen = there != disk.users.end();
    report_.users.push_back(one("user " + name, digest, user.drift, seen, seen && there->second == digest,
                                {user.name, user.host, "", ""}, [&] { disk.users[name] = digest; }));
  }
  for (const guest::Database& database : document_->databases) {
    const bool seen = disk.databases.contains(database.name);
    report_.databases.push_back(one("database " + database.name, digest_of(database), database.drift, seen, seen,
                                    {database.name, "", "", ""}, [&] { disk.databases.emplace(database.name, 0); }));
  }
  const auto drop = [&](const std::string& key, guest::ItemState state, auto erase) {
    state.state = "Dropped";
    if (keys.contains(key)) return state.state = "Failed", state.message = "it is both wanted and dropped: kept", state;
    if (document_->suspended) return state.state = "Pending", state.message = "suspended: nothing is changed", state;
    if (erase() > 0) ++disk.position;
    items_.erase(key);
    return state;
  };
  for (const auto& [name, host] : document_->dropped_users)
    report_.users.push_back(drop("user " + account(name, host), {name, host, "", ""},
                                 [&, n = account(name, host)] { return disk.users.erase(n); }));
  for (const std::string& name : document_->dropped_databases)
    report_.databases.push_back(
        drop("database " + name, {name, "", "", ""}, [&, n = name] { return disk.databases.erase(n); }));
  // What the document no longer speaks of is nobody's business any more.
  std::erase_if(items_, [&](const auto& item) { return !keys.contains(item.first); });
}

guest::Report sim_guest_report(const guest::Document& document, SimDisk& disk, Time now) {
  guest::Report report;
  report.document_digest = guest::digest(document);
  report.cuts_backups = true;
  report.engine_state = "Running";
  report.engine_version = "1.0";
  report.applied_restart = document.restart;
  report.applied_memory_mib = document.memory_mib;
  disk.initialised = true;
  for (const auto& d : document.databases) {
    disk.databases.emplace(d.name, 0);
    report.databases.push_back({d.name, "", "Applied", ""});
  }
  for (const auto& name : document.dropped_databases) {
    disk.databases.erase(name);
    report.databases.push_back({name, "", "Dropped", ""});
  }
  for (const auto& u : document.users) report.users.push_back({u.name, u.host, "Applied", ""});
  for (const auto& [name, host] : document.dropped_users) report.users.push_back({name, host, "Dropped", ""});
  for (const auto& p : document.parameters) report.parameters.push_back({p.name, p.value, false, "Applied", ""});
  for (const auto& b : document.backups)
    report.backups.push_back({b.id, "Completed", std::string(64, 'a'), 1, 1, now, now, ""});
  if (document.restore) report.restore_state = "Restored";
  return report;
}

}  // namespace trove
