#include "reconciler/kinds/drift.hpp"

#include <algorithm>

#include "specs/json.hpp"
#include "specs/kinds/parameters.hpp"

namespace trove {
namespace {

constexpr const char* kFlavorPath = "/flavor";

std::string shown(const Value& value) {
  std::string text = value.is_list() || value.is_map() ? dump_json(value) : value.as_written();
  return text.empty() ? "nothing" : text;
}

// Who did `deed`, by the server's own record; null: the record does not say. A later deed of the same kind takes its
// place, and what happened to a server after it was stopped (it was started) means that nobody stopped it since.
const ServerDeed* author(const std::vector<ServerDeed>& deeds, std::string_view deed) {
  const ServerDeed* newest = nullptr;
  for (const ServerDeed& one : deeds) {
    if (deed == "resize" && one.action != "resize") continue;
    if (!newest || one.started > newest->started) newest = &one;
  }
  return newest && newest->action == deed && !newest->user.empty() ? newest : nullptr;
}

}  // namespace

std::string_view to_string(Drift policy) {
  switch (policy) {
    case Drift::correct: return "Correct";
    case Drift::report: return "Report";
    case Drift::ignore: return "Ignore";
  }
  return "Correct";
}

std::string describe_drift(const Value& entry) {
  std::string text = entry["path"].text() + ": " + shown(entry["actual"]) + " instead of " + shown(entry["desired"]);
  if (const std::string& by = entry["by"].text(); !by.empty()) text += ", by " + by;
  if (const std::string& wait = entry["waitsFor"].text(); !wait.empty()) text += " (" + wait + ")";
  return text;
}

bool same_drift(const Value& before, const Value& entry) {
  return before["path"] == entry["path"] && before["actual"] == entry["actual"];
}

DriftJudge::DriftJudge(const Object& object, const World& world)
    : object_(object), world_(world), common_(common_of(object.spec)) {
  const Value& status = object.resource.status;
  in_sync_ = status["inSync"].is_map() ? status["inSync"] : Value::map();
  for (const Value& entry : status["drift"].items()) before_[entry["path"].text()] = entry;
  drift_ = before_;
  corrections_ = Value::list();
  // A change of the spec is a new start.
  for (const Value& record : status["corrections"].items())
    if (record["generation"].int_or(0) == object.meta().generation) corrections_.push_back(record);
}

void DriftJudge::forget(const std::string& path) {
  in_sync_.erase(path);
  drift_.erase(path);
}

void DriftJudge::forget_all() {
  in_sync_ = Value::map();
  drift_.clear();
  corrections_ = Value::list();
  stopped_.clear();
}

DriftJudge::Finding DriftJudge::judge(DriftFact fact) { return found(std::move(fact), nullptr, ""); }

DriftJudge::Finding DriftJudge::judge(DriftFact fact, const Server& server, std::string_view deed) {
  return found(std::move(fact), &server, deed);
}

DriftJudge::Finding DriftJudge::found(DriftFact fact, const Server* server, std::string_view deed) {
  const Value mark = fact.mark.is_null() ? fact.desired : fact.mark;
  const Value remembered = in_sync_[fact.path];
  drift_.erase(fact.path);
  if (fact.fits) {
    if (!(remembered == mark)) in_sync_.set(fact.path, mark);
    return Finding::fits;
  }
  if (!(remembered == mark)) {
    // From here on it is ours, also when the spec is changed back while it is being done.
    in_sync_.erase(fact.path);
    return Finding::change;
  }
  const Drift policy = common_.drift_at(fact.path);
  if (policy == Drift::ignore) return Finding::left;
  Value entry = Value::map({{"path", fact.path}, {"desired", fact.desired}, {"actual", fact.actual}});
  const auto before = before_.find(fact.path);
  if (before != before_.end() && same_drift(before->second, entry)) {
    for (const char* field : {"by", "requestId", "since"})
      if (const Value* value = before->second.find(field)) entry.set(field, *value);
  } else {
    if (!seen_twice(fact)) return Finding::asking;
    if (server) {
      const auto told = world_.explained.find({server->id, fact.path});
      if (told == world_.explained.end() || told->second.actual != fact.actual.text()) {
        asks_.push_back(ExplainServer{server->token, server->id, fact.path, fact.actual.text()});
        return Finding::asking;
      }
      const ServerDeed* by = author(told->second.deeds, deed);
      // A server that is off although nobody stopped it has failed; that is no drift, and is always healed.
      if (!by && deed == "stop") return Finding::change;
      if (by) entry.set("by", "keystone:" + by->user);
      if (by && !by->request_id.empty()) entry.set("requestId", by->request_id);
    }
    entry.set("since", format_time(world_.now));
  }
  entry.set("policy", to_string(policy));
  const bool stopped = policy == Drift::correct && fact.correctable && flaps(fact.path, entry);
  drift_[fact.path] = std::move(entry);
  if (stopped) {
    stopped_.insert(fact.path);
    waits_for(fact.path, "put right " + std::to_string(kMaxCorrections) + " times within an hour; stopped");
  }
  return policy == Drift::report || stopped || !fact.correctable ? Finding::left : Finding::correct;
}

bool DriftJudge::seen_twice(const DriftFact& fact) {
  if (!world_.second_look) return true;
  const auto seen = world_.suspected.find({object_.meta().uid, fact.path});
  if (seen != world_.suspected.end() && seen->second.actual == fact.actual &&
      seen->second.sequence < world_.inventory->sequence)
    return true;
  suspects_.push_back({fact.path, fact.actual});
  return false;
}

DriftJudge::Finding DriftJudge::judge_size(const std::string& path, int64_t want_gib, int64_t have_gib,
                                           std::string accept) {
  // The first look at a new object may be an old list: nothing is remembered of its volume before it was in sync once.
  if (object_.resource.status["syncedGeneration"].int_or(0) == 0) return Finding::fits;
  const Value& remembered = in_sync_[path];
  DriftFact fact{path, want_gib, have_gib};
  fact.correctable = false;
  // Smaller than the spec is always a change of ours; larger when it was first seen is what it came with.
  fact.fits = have_gib <= want_gib || !remembered.is_int() || have_gib <= remembered.int_or(0);
  fact.mark = fact.fits ? Value(have_gib) : remembered;
  const Finding finding = found(std::move(fact), nullptr, "");
  if (drifted(path)) waits_for(path, "a volume never shrinks; " + accept);
  return finding;
}

DriftJudge::Finding DriftJudge::judge_type(const std::string& path, const std::string& wants,
                                           const CloudVolume& volume) {
  // Whatever it has then is right; should one be asked for again, that is a change.
  if (wants.empty()) return forget(path), Finding::fits;
  const std::optional<bool> has_it = world_.has_type(volume, wants);
  if (!has_it) return Finding::fits;
  const Finding finding = found({path, wants, volume.type, *has_it}, nullptr, "");
  if (finding == Finding::correct) corrected(path);
  return finding;
}

void DriftJudge::clear_reported() {
  std::erase_if(drift_, [&](const auto& entry) { return entry.second["guest"].bool_or(false); });
}

void DriftJudge::report(std::string path, Value desired, Value actual, Drift policy, std::string waits) {
  Value entry = Value::map({{"path", path}, {"desired", std::move(desired)}, {"actual", std::move(actual)}});
  const auto before = before_.find(path);
  const bool again = before != before_.end() && same_drift(before->second, entry);
  entry.set("since", again ? before->second["since"] : Value(format_time(world_.now)));
  entry.set("policy", to_string(policy));
  entry.set("guest", true);
  if (!waits.empty()) entry.set("waitsFor", std::move(waits));
  drift_[std::move(path)] = std::move(entry);
}

Value* DriftJudge::record_of(const std::string& path) {
  for (Value& record : corrections_.mutable_items())
    if (record["path"].text() == path) return &record;
  return nullptr;
}

// The clock may have been set back meanwhile: what is said to have been in the future does not count.
bool DriftJudge::recent(const Value& time) const {
  const auto at = parse_time(time.text());
  return at && *at <= world_.now && world_.now - *at < kCorrectionWindow;
}

bool DriftJudge::flaps(const std::string& path, const Value& entry) {
  Value* record = record_of(path);
  if (!record) return false;
  if ((*record)["stopped"].bool_or(false)) return true;
  if ((*record)["since"] == entry["since"]) return false;  // this one, going on
  const auto& times = (*record)["times"].items();
  if (std::count_if(times.begin(), times.end(), [&](const Value& time) { return recent(time); }) < kMaxCorrections)
    return false;
  record->set("stopped", true);
  record->set("desired", entry["desired"]);
  record->set("actual", entry["actual"]);
  return true;
}

void DriftJudge::corrected(const std::string& path) {
  const auto entry = drift_.find(path);
  if (entry == drift_.end()) return;
  const Value& since = entry->second["since"];
  Value* record = record_of(path);
  if (!record)
    record = &corrections_.push_back(
        Value::map({{"path", path}, {"generation", object_.meta().generation}, {"times", Value::list()}}));
  if ((*record)["since"] == since) return;
  Value kept = Value::list();
  for (const Value& time : (*record)["times"].items())
    if (recent(time)) kept.push_back(time);
  kept.push_back(format_time(world_.now));
  record->set("times", std::move(kept));
  record->set("since", since);
}

void DriftJudge::waits_for(const std::string& path, std::string what) {
  if (auto entry = drift_.find(path); entry != drift_.end()) entry->second.set("waitsFor", std::move(what));
}

std::string DriftJudge::message() const {
  std::string text;
  for (const auto& [path, entry] : drift_) text += (text.empty() ? "" : "; ") + describe_drift(entry);
  return text;
}

std::string DriftJudge::flapping() const {
  std::string text;
  for (const std::string& path : stopped_) {
    const Value& entry = drift_.at(path);
    text += (text.empty() ? "" : "; ") + path + " was put back to " + shown(entry["desired"]) + " " +
            std::to_string(kMaxCorrections) + " times within an hour and is " + shown(entry["actual"]) + " again";
  }
  return text;
}

void DriftJudge::write(Value& status) const {
  if (!in_sync_.empty()) status.set("inSync", in_sync_);
  if (!corrections_.empty()) status.set("corrections", corrections_);
  if (drift_.empty()) return;
  Value list = Value::list();
  for (const auto& [path, entry] : drift_) list.push_back(entry);
  status.set("drift", std::move(list));
}

Drift parameter_drift(const DatabaseInstanceSpec& instance, const ConfigurationGroupSpec* group,
                      const std::string& name) {
  if (instance.drift_at("/configurationRef") == Drift::ignore) return Drift::ignore;
  Drift policy = instance.drift;
  if (!group) return policy;
  policy = std::max(policy, group->drift_at("/parameters"));
  for (const std::string& ignored : group->ignore_drift)
    if (const auto segments = pointer_segments(ignored); segments && segments->size() == 2 && (*segments)[0] == "parameters" &&
        canonical_parameter(instance.engine, (*segments)[1]) == name)
      return Drift::ignore;
  return policy;
}

bool to_be_done(const Object& owner, const std::string& path, const Value& desired) {
  const Value& status = owner.resource.status;
  const Common& common = common_of(owner.spec);
  if (!(status["inSync"][path] == desired)) return true;
  if (common.suspend || common.drift_at(path) != Drift::correct) return false;
  const auto names_it = [&](const Value& entry) { return entry["path"].text() == path; };
  const auto& drift = status["drift"].items();
  const auto& corrections = status["corrections"].items();
  const auto record = std::find_if(corrections.begin(), corrections.end(), names_it);
  return std::any_of(drift.begin(), drift.end(), names_it) &&
         (record == corrections.end() || !(*record)["stopped"].bool_or(false));
}

int64_t engine_memory_mib(const Object& instance, const Server& server, const World& world) {
  const auto& want = instance.as<DatabaseInstanceSpec>();
  const int64_t has = world.flavor_ram_mib(server.flavor), asked = world.flavor_ram_mib(want.flavor);
  if (has == 0) {
    const auto guest = world.guests.find(to_string(server.token));
    if (guest == world.guests.end()) return 0;
    if (guest->second.document) return guest->second.document->memory_mib;
    return guest->second.report ? guest->second.report->applied_memory_mib : 0;
  }
  const bool outside = server.flavor != world.flavor_name(want.flavor) &&
                       instance.resource.status["inSync"][kFlavorPath] == want.flavor;
  return outside && asked != 0 && want.drift_at(kFlavorPath) == Drift::report ? std::min(has, asked) : has;
}

}  // namespace trove
