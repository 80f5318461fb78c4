#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind backup_schedule() {
  Kind kind;
  kind.name = "BackupSchedule";
  kind.plural = "backupschedules";
  kind.short_name = "bs";
  kind.doc =
      "Makes a Backup of an instance at each due time. Each run is named after the schedule and its due time, so none "
      "happens twice.";
  kind.example = R"(apiVersion: trove/v1alpha1
kind: BackupSchedule
metadata: {name: orders-nightly}
spec:
  instanceRef: {name: orders-db}
  schedule: "15 2 * * *"
  timeZone: Europe/Berlin
  retention: {keepLast: 7}
)";
  add_instance_ref(kind.fields, "The instance to back up.", Change::forbidden,
                   "make a second BackupSchedule for the other instance");
  kind.fields.insert(kind.fields.end(),
                     {{.path = "schedule",
                       .doc = "When a backup is due: five cron fields (minute, hour, day of month, month, day of week) "
                              "or @hourly, @daily, "
                              "@weekly, @monthly, @yearly.",
                       .required = true,
                       .change = Change::none,
                       .format = Format::cron,
                       .min = 1,
                       .max = 256,
                       .see = "bs.spec.timeZone"},
                      {.path = "timeZone",
                       .doc = "IANA time zone that the schedule is read in.",
                       .default_json = R"("UTC")",
                       .change = Change::none,
                       .format = Format::time_zone,
                       .min = 1,
                       .max = 64},
                      {.path = "immediate",
                       .type = FieldType::boolean,
                       .doc = "Also make one backup as soon as the schedule exists.",
                       .default_json = "false",
                       .change = Change::none},
                      {.path = "jitter",
                       .doc = "Each run starts up to this much later, so that many schedules do not start together.",
                       .default_json = R"("0s")",
                       .change = Change::none,
                       .format = Format::duration,
                       .min = 0,
                       .max = kDayMs},
                      {.path = "missedRunPolicy",
                       .doc = "After a time without control plane. RunOnce: one backup for all that were missed. Skip: "
                              "wait for the next.",
                       .default_json = R"("RunOnce")",
                       .change = Change::none,
                       .values = {"RunOnce", "Skip"}},
                      {.path = "timeout",
                       .doc = "A backup that is not done by then has failed.",
                       .default_json = R"("4h")",
                       .change = Change::none,
                       .format = Format::duration,
                       .min = 60'000,
                       .max = 30 * kDayMs},
                      {.path = "retention",
                       .type = FieldType::object,
                       .doc = "Which finished backups of this schedule are kept. Without it: all.",
                       .change = Change::none},
                      {.path = "retention.keepLast",
                       .type = FieldType::integer,
                       .doc = "How many completed backups to keep; older ones are deleted.",
                       .change = Change::none,
                       .min = 1,
                       .max = 1000}});
  add_common_block(kind.fields, kDelete);
  return kind;
}

}  // namespace trove::tables
