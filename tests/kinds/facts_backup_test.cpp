// What is done about each fact of a backup and of a schedule.
#include "kinds/facts.hpp"

using namespace trove;

namespace {

const Key kBackup{"p", "Backup", "b"}, kSchedule{"p", "BackupSchedule", "s"};
const char* kTaken = R"(
---
apiVersion: trove/v1alpha1
kind: Backup
metadata: {name: b}
spec: {instanceRef: {name: i}}
)";
const char* kNightly = R"(
---
apiVersion: trove/v1alpha1
kind: BackupSchedule
metadata: {name: s}
spec: {instanceRef: {name: i}, schedule: "0 * * * *", retention: {keepLast: 1}}
)";

void backups(Facts& fact) {
  // As if the guest had not answered for it yet; what it says now is `state`.
  const auto open = [](const char* phase, const char* state) {
    return [=](Bench& b) {
      b.know(kBackup, [&](Resource& r) { r.status = Value::map({{"phase", phase}}); });
      b.hear([&](guest::Report& r) {
        r.backups.clear();
        if (*state)
          r.backups.push_back({.id = b.world.get("Backup", "b")->metadata.uid, .state = state, .message = "as the guest says"});
      });
    };
  };
  fact("a backup that was taken", kBackup, [](Bench&) {}, kTaken);
  fact("a backup that failed", kBackup, open("Failed", "Failed"), kTaken);
  for (const char* phase : {"Pending", "Running"})
    for (const char* state : {"", "Running", "Completed", "Failed"})
      fact(std::string("a backup is ") + phase + ", and its guest says " + (*state ? state : "nothing of it"), kBackup,
           open(phase, state), kTaken);
  fact("a backup whose guest speaks of another one only", kBackup,
       [&](Bench& b) {
         open("Pending", "Running")(b);
         b.hear([](guest::Report& r) { r.backups.front().id = "another"; });
       },
       kTaken);
  for (const char* phase : {"Pending", "Running"})
    fact(std::string("a backup is ") + phase + ", and its guest has not called since the start", kBackup,
         [&](Bench& b) {
           open(phase, "")(b);
           b.facts.guests.clear();
           b.facts.started = b.facts.steady;
         },
         kTaken);
  fact("a backup takes too long", kBackup,
       [&](Bench& b) {
         open("Running", "Running")(b);
         b.pass(Millis{30 * 86'400'000LL});
       },
       kTaken);
  fact("a backup of an instance that is gone", kBackup,
       [&](Bench& b) {
         open("Pending", "")(b);
         b.facts.remove(kInstance);
       },
       kTaken);
  const auto stored = [](Bench& b, int segments) {
    const std::string key = "p/" + b.world.get("Backup", "b")->metadata.uid;
    b.see([&](Inventory& i) {
      i.objects = {{"p/another", 1}};
      if (segments > 0) i.objects.push_back({key, 1});
      if (segments > 1) i.objects.push_back({key + ".00001", 1});
      i.objects_known = segments >= 0;
    });
  };
  for (const auto& [what, segments] :
       {std::pair("not stored", 0), std::pair("stored", 1), std::pair("stored in two", 2), std::pair("perhaps stored", -1)}) {
    fact(std::string("a backup that is ") + what + " is deleted for good", kBackup,
         [&, segments = segments](Bench& b) {
           stored(b, segments);
           b.know(kBackup, Bench::ended);
         },
         kTaken);
    fact(std::string("a backup that is ") + what + " is deleted and kept", kBackup,
         [&, segments = segments](Bench& b) {
           stored(b, segments);
           b.know(kBackup, [&](Resource& r) { b.retained(r); });
         },
         kTaken);
  }
  for (const bool done : {false, true})
    fact(std::string("a backup is deleted that an instance ") + (done ? "was" : "is") + " restored from", kBackup,
         [&](Bench& b) {
           stored(b, 1);
           b.know(kBackup, Bench::ended);
           b.know({"p", "DatabaseInstance", "other"}, [&](Resource& r) {
             r.spec.set_path("bootstrapFrom.backupRef.name", "b");
             r.status.set("bootstrapped", done);
           });
         },
         kTaken);
  fact("a backup is deleted with the instance that is restored from it", kBackup,
       [&](Bench& b) {
         stored(b, 1);
         b.know(kBackup, Bench::ended);
         b.know({"p", "DatabaseInstance", "other"}, [&](Resource& r) {
           Bench::marked(r);
           r.spec.set_path("bootstrapFrom.backupRef.name", "b");
           r.status.set("bootstrapped", false);
         });
       },
       kTaken);
}

void schedules(Facts& fact) {
  const auto spec = [](const char* path, Value value) {
    return [path, value](Bench& b) { b.know(kSchedule, [&](Resource& r) { r.spec.set_path(path, value); }); };
  };
  const auto later = [](Millis time, const std::function<void(Bench&)>& change) {
    return [=](Bench& b) {
      change(b);
      b.pass(time);
    };
  };
  const Millis hour{3'600'000}, soon{3'530'000};
  fact("a schedule before its time", kSchedule, [](Bench&) {}, kNightly);
  fact("a schedule at its time", kSchedule, later(hour, [](Bench&) {}), kNightly);
  fact("a schedule that was missed", kSchedule, later(hour * 5, [](Bench&) {}), kNightly);
  fact("a schedule that was missed and does not care", kSchedule, later(hour * 5 / 2, spec("missedRunPolicy", "Skip")), kNightly);
  fact("a schedule that is a little late and does not care", kSchedule, later(soon, spec("missedRunPolicy", "Skip")), kNightly);
  fact("a schedule that scatters its runs", kSchedule, later(hour, spec("jitter", "30m")), kNightly);
  fact("a schedule that begins at once", kSchedule, spec("immediate", true), kNightly);
  fact("a schedule that is suspended", kSchedule, later(hour, spec("suspend", true)), kNightly);
  fact("a schedule that is only observed", kSchedule, later(hour, spec("managementPolicy", "Observe")), kNightly);
  fact("a schedule that says nothing", kSchedule, spec("schedule", "never"), kNightly);
  fact("a schedule that is deleted", kSchedule, [](Bench& b) { b.know(kSchedule, Bench::marked); }, kNightly);
  fact("a schedule of an instance that is gone", kSchedule, later(hour, [](Bench& b) { b.facts.remove(kInstance); }), kNightly);
  const auto made = [](Bench& b, const std::string& name, const char* phase, Millis age, bool deleting = false) {
    Resource run;
    run.kind = "Backup";
    run.metadata = {.name = name, .project = "p", .uid = name + "-uid"};
    run.metadata.creation_timestamp = b.facts.now - age;
    if (deleting) run.metadata.deletion_timestamp = b.facts.now;
    run.metadata.owner_references.push_back({"BackupSchedule", "s", b.world.get("BackupSchedule", "s")->metadata.uid});
    run.spec = Value::map({{"instanceRef", Value::map({{"name", "i"}})}, {"deletionPolicy", "Delete"}});
    run.status.set("phase", phase);
    b.facts.put(make_object(run));
  };
  for (const char* phase : {"Pending", "Running", "Failed", "Completed"})
    fact(std::string("a schedule at its time whose last run is ") + phase, kSchedule,
         [&](Bench& b) {
           b.pass(hour);
           made(b, "earlier", phase, hour);
         },
         kNightly);
  fact("a schedule that keeps one of many", kSchedule,
       [&](Bench& b) {
         made(b, "a", "Completed", Millis{5'000});
         made(b, "b", "Completed", Millis{4'000});
         made(b, "c", "Failed", Millis{3'000});
         made(b, "d", "Failed", Millis{2'000});
         made(b, "e", "Completed", Millis{1'000}, true);
       },
       kNightly);
  fact("a schedule whose run is there already", kSchedule,
       [&](Bench& b) {
         b.pass(hour);
         const Object* schedule = b.facts.find(kSchedule);
         for (const Action& action : plan_object(*schedule, b.facts).actions)
           if (const auto* create = std::get_if<CreateObject>(&action.effect))
             made(b, create->resource.metadata.name, "Running", Millis{0});
       },
       kNightly);
}

}  // namespace

TEST_CASE("what is done about each fact of a backup") {
  Facts fact;
  backups(fact);
  fact.check("backups");
}

TEST_CASE("what is done about each fact of a schedule") {
  Facts fact;
  schedules(fact);
  fact.check("schedules");
}
