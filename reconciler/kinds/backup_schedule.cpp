// A BackupSchedule makes Backups. A run's name is its schedule and its due time, so no crash and no second control
// plane can take it twice; retention deletes what the schedule itself made, never the last good one.
#include <algorithm>

#include "reconciler/kinds/plan.hpp"
#include "specs/core/digest.hpp"
#include "specs/schedule.hpp"

namespace trove {
namespace {

constexpr size_t kMaxNameBytes = 63;
// With missedRunPolicy Skip a run may still start this late: a pass takes time, and so does a restart of ours.
constexpr Millis kPunctual{60'000};

// "2026-09-27T02:15:00Z" as a DNS label's tail: "20260927t0215z".
std::string stamp(Time due) {
  std::string text = format_time({due.ms / 60'000 * 60'000});
  std::string out;
  for (char c : text.substr(0, 16))
    if (c != '-' && c != ':') out += c == 'T' ? 't' : c;
  return out + "z";
}

std::string run_name(const std::string& schedule, Time due) {
  std::string tail = "-" + stamp(due);
  if (schedule.size() + tail.size() <= kMaxNameBytes) return schedule + tail;
  std::string hash = sha256_hex(schedule).substr(0, 6);
  return schedule.substr(0, kMaxNameBytes - tail.size() - hash.size() - 1) + "-" + hash + tail;
}

// The same for every pass and every control plane: a hash of the schedule's uid and the due time.
Millis jitter_of(const std::string& uid, Time due, Millis most) {
  if (most.count() <= 0) return Millis{0};
  std::string hash = sha256_raw(uid + "/" + std::to_string(due.ms));
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(hash[i]);
  return Millis{static_cast<int64_t>(number % static_cast<uint64_t>(most.count()))};
}

std::string phase_of(const Object& backup) { return backup.resource.status["phase"].text_or("Pending"); }

}  // namespace

Plan plan_backup_schedule(const Object& object, const World& world) {
  const auto& want = object.as<BackupScheduleSpec>();
  Plan plan;
  StatusBuilder status(object, world);
  const Value& before = object.resource.status;
  for (const char* field : {"lastRun", "lastBackup", "ranImmediately"})
    if (!before[field].is_null()) status.fields().set(field, before[field]);
  if (object.deleting()) {
    plan.actions.push_back({RemoveObject{object.key(), object.meta().uid}, object.key(), Change::none});
    plan.status = status.phase("DELETING").build();
    return plan;
  }
  Result<Schedule> schedule = Schedule::parse(want.schedule, want.time_zone);
  if (!schedule) {
    status.phase("Invalid").ready(false, "InvalidConfiguration", schedule.error().message);
    status.stalled({"CONFIG_INVALID", "User", schedule.error().message});
    plan.status = status.build();
    return plan;
  }

  std::vector<const Object*> runs;  // that this schedule made, oldest first
  for (const Key& key : world.referrers(object.key())) {
    const Object* backup = world.find(key);
    if (key.kind != "Backup" || !backup || backup->deleting()) continue;
    for (const OwnerReference& owner : backup->meta().owner_references)
      if (owner.uid == object.meta().uid) runs.push_back(backup);
  }
  std::sort(runs.begin(), runs.end(), [](const Object* a, const Object* b) {
    return std::pair(a->meta().creation_timestamp, a->meta().name) <
           std::pair(b->meta().creation_timestamp, b->meta().name);
  });
  const bool running = std::any_of(runs.begin(), runs.end(), [](const Object* run) {
    return phase_of(*run) == "Pending" || phase_of(*run) == "Running";
  });

  const Time last_run = parse_time(before["lastRun"].text()).value_or(Time{});
  const Time since = std::max(last_run, object.meta().creation_timestamp);
  Time next = schedule->next(std::max(world.now, since));
  Time wake = next + jitter_of(object.meta().uid, next, want.jitter);
  std::optional<Time> due;
  if (std::optional<Time> last = schedule->last(since, world.now)) {
    const Time start = *last + jitter_of(object.meta().uid, *last, want.jitter);
    if (start > world.now)
      wake = start;
    else if (want.run_missed_once || world.now - start <= kPunctual)
      due = last;
  }
  const InstanceView view = view_instance(world, object.meta().project, want.instance);
  const bool never_ran = want.immediate && !before["ranImmediately"].bool_or(false) && !due;
  if (want.suspend || want.observe_only) {
    status.phase("Suspended").ready(true, "Suspended").synced(false, "Suspended", "no runs while suspended");
    plan.status = status.build();
    return plan;
  }
  status.fields().set("nextRun", format_time(next));
  status.phase("Active").ready(true, "Available");
  plan.wake = wake;

  if (view.going()) {
    status.ready(false, "WaitingForDependency", "instance " + want.instance + " does not exist");
  } else if (due || never_ran) {
    const Time run = due ? *due : object.meta().creation_timestamp;
    const std::string name = run_name(object.meta().name, run);
    if (world.find({object.meta().project, "Backup", name})) {
      // Made already, in the last pass or before a crash: only the memory of it is missing.
      if (due) status.fields().set("lastRun", format_time(*due));
      if (never_ran) status.fields().set("ranImmediately", true);
      status.fields().set("lastBackup", name);
    } else if (running) {
      plan.waiting_reason = "WaitingForDependency";
      plan.waiting_message = "an earlier run is not finished";
      status.progressing(plan.waiting_reason, plan.waiting_message);
    } else {
      Resource backup;
      backup.kind = "Backup";
      backup.metadata.name = name;
      backup.metadata.project = object.meta().project;
      backup.metadata.labels.set("trove/schedule", object.meta().name);
      backup.metadata.annotations.set("trove/due", format_time(run));
      backup.metadata.owner_references.push_back({"BackupSchedule", object.meta().name, object.meta().uid});
      backup.spec = Value::map({{"instanceRef", Value::map({{"name", want.instance}})},
                                {"timeout", format_duration(want.timeout)},
                                {"deletionPolicy", "Delete"}});
      // The run is remembered when it is there, above: a crash between the two takes it again, under the same name.
      plan.actions.push_back({CreateObject{std::move(backup)}, object.key(), Change::none});
    }
  }

  if (want.keep_last > 0) {
    int64_t good = 0, bad = 0;
    for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
      const std::string phase = phase_of(**run);
      if (phase != "Completed" && phase != "Failed") continue;
      int64_t& kept = phase == "Completed" ? good : bad;
      if (kept++ < want.keep_last) continue;
      plan.actions.push_back({DeleteObject{(*run)->key(), (*run)->meta().uid,
                                           "retention keeps the last " + std::to_string(want.keep_last)},
                              object.key(), Change::none});
    }
    status.fields().set("kept", std::min<int64_t>(good, want.keep_last));
  }
  plan.status = status.build();
  return plan;
}

}  // namespace trove
