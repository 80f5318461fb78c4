// The last rung of an instance: what its guest is told, when it may restart its engine, and what its report means.
#include "reconciler/kinds/instance_ladder.hpp"
#include "specs/core/digest.hpp"

namespace trove {

bool restart_asked(const Object& object, const World& world, std::string* word) {
  const Object* oldest = nullptr;
  for (const Key& key : world.referrers(object.key())) {
    const Object* operation = world.find(key);
    if (key.kind != "Operation" || !operation || operation->deleting() || !operation->as<OperationSpec>().restart)
      continue;
    const std::string phase = operation->resource.status["phase"].text_or("Pending");
    if (phase == "Succeeded" || phase == "Failed") continue;
    if (!oldest || std::pair(operation->meta().creation_timestamp, operation->meta().uid) <
                       std::pair(oldest->meta().creation_timestamp, oldest->meta().uid))
      oldest = operation;
  }
  if (oldest && word) *word = oldest->meta().uid;
  return oldest != nullptr;
}

namespace {

// What waits for a restart: parameters that the engine cannot take live, and a flavor.
std::vector<std::string> pending_restart(const Ladder& ladder, const GuestState* guest) {
  std::vector<std::string> pending;
  if (guest && guest->report)
    for (const guest::ParameterState& parameter : guest->report->parameters)
      if (parameter.pending_restart) pending.push_back(parameter.name);
  if (ladder.flavor_waits)
    pending.push_back("flavor");
  else if (guest && guest->report && guest->report->applied_memory_mib != 0 &&
           guest->report->applied_memory_mib != engine_memory_mib(ladder.object, *ladder.server, ladder.world))
    pending.push_back("flavor");
  std::sort(pending.begin(), pending.end());
  return pending;
}

std::string restart_word(const Ladder& ladder, const GuestState* guest, const std::vector<std::string>& pending) {
  std::string word;
  if (restart_asked(ladder.object, ladder.world, &word)) return word;
  // What was told stays told: the guest may not have looked yet. After a loss of that memory, what the engine honours
  // is the best there is.
  if (guest && guest->document)
    word = guest->document->restart;
  else if (guest && guest->report && !guest->report->applied_restart.empty())
    word = guest->report->applied_restart;
  else
    word = ladder.before["restartWord"].text();
  const bool settled =
      guest && guest->report && guest->document && guest->report->document_digest == guest->document_digest;
  if (ladder.interruption_allowed() && settled && !pending.empty()) {
    std::string what = std::to_string(engine_memory_mib(ladder.object, *ladder.server, ladder.world));
    for (const guest::Parameter& parameter : guest->document->parameters)
      what += "\n" + parameter.name + "=" + parameter.value;
    word = "auto-" + sha256_hex(what).substr(0, 16);
  }
  return word;
}

void report_drift(Ladder& ladder, const GuestState& guest) {
  ladder.drift.clear_reported();
  std::map<std::string, const guest::Parameter*> wanted;
  for (const guest::Parameter& parameter : guest.document->parameters) wanted[parameter.name] = &parameter;
  for (const guest::ParameterState& state : guest.report->parameters)
    if (const auto want = wanted.find(state.name); state.state == "Drifted" && want != wanted.end())
      ladder.drift.report("/parameters/" + pointer_segment(state.name), want->second->value, state.value,
                          want->second->drift);
}

void read_report(Ladder& ladder, const GuestState& guest, const std::vector<std::string>& pending, bool settled) {
  const guest::Report& report = *guest.report;
  StatusBuilder& status = ladder.status;
  const bool silent = ladder.world.steady - guest.heard > kGuestSilence;
  if (!silent)  // then only the guest brings news
    ladder.wake_at(ladder.world.at(guest.heard + kGuestSilence + Millis{1}));
  const bool running = report.engine_state == "Running";
  if (!report.engine_version.empty())
    status.fields().set("datastore", Value::map({{"resolved", report.engine_version}}));
  if (report.volume_total_bytes > 0) {
    Value* volume = status.fields().find("volume");
    // What the file system offers: it grows a moment after Cinder's volume, and is a little smaller.
    const int64_t offers = report.volume_total_bytes;
    if (volume) volume->set("usedPercent", std::min<int64_t>(100, report.volume_used_bytes * 100 / offers));
    if (volume) volume->set("usableMib", offers >> 20);
  }
  if (report.restore_state == "Restored" || (settled && running)) status.fields().set("bootstrapped", true);
  if (settled && running && !ladder.want.root_access) {
    bool dropped = false;
    for (const guest::ItemState& user : report.users)
      dropped = dropped || (user.name == "root" && user.state == "Dropped");
    if (dropped) status.fields().set("rootEnabled", false);
  }
  if (settled && running && guest.document) {
    Value applied = Value::map();
    for (const guest::Parameter& parameter : guest.document->parameters) applied.set(parameter.name, parameter.value);
    // Names that were reset stay known, so that a guest that lost its state resets them as well.
    for (const std::string& name : guest.document->reset_parameters)
      if (!applied.find(name)) applied.set(name, "");
    status.fields().set("appliedParameters", std::move(applied));
  }
  Value names = Value::list();
  for (const std::string& name : pending) names.push_back(name);
  status.fields().set("pendingRestart", std::move(names));
  if (Value* members = status.fields().find("members"); members && members->size() == 1)
    members->mutable_items()[0].set("health", silent                            ? "UNKNOWN"
                                              : running                         ? "HEALTHY"
                                              : report.engine_state == "Failed" ? "ERROR"
                                                                                : "BUILD");

  std::string refused;
  for (const guest::ParameterState& parameter : report.parameters)
    if (parameter.state == "Failed")
      refused += (refused.empty() ? "" : "; ") + parameter.name + ": " + parameter.message;
  if (settled && running && !silent) report_drift(ladder, guest);

  if (report.restore_state == "Failed") {
    status.phase("ERROR").ready(false, "TerminalError", report.restore_message);
    status.stalled({"ENGINE_ERROR", "User", "restore: " + report.restore_message}).observed(0);
  } else if (silent) {
    status.phase("ERROR").ready_unknown("GuestUnreachable", "the guest has been silent for more than 90s").observed(0);
    status.synced(false, "GuestUnreachable", "the guest has been silent for more than 90s");
    status.stalled({"GUEST_UNREACHABLE", "CloudOperator", "the guest has been silent for more than 90s"});
  } else if (report.engine_state == "Failed") {
    status.phase("ERROR")
        .ready(false, "TransientError", report.engine_message)
        .synced(false, "TransientError", report.engine_message);
    status.stalled({"ENGINE_ERROR", "User", report.engine_message}).observed(0);
  } else if (!running) {
    const std::string message = "the engine is " + report.engine_state;
    status.phase(ladder.was_ready() ? "SHUTDOWN" : "BUILD").ready(false, "Progressing", message);
    status.synced(false, "Progressing", message).progressing("Progressing", message).observed(0);
  } else if (!settled) {
    status.phase(ladder.was_ready() ? "ACTIVE" : "BUILD");
    status.ready(ladder.was_ready(), ladder.was_ready() ? "Available" : "Progressing");
    status.synced(false, "Progressing", "the guest works through its document").observed(0);
    status.progressing("Progressing", "the guest works through its document");
  } else if (ladder.want.suspend) {
    status.phase("ACTIVE").ready(true, "Available").synced(false, "Suspended", "spec.suspend is true");
  } else if (!refused.empty()) {
    status.phase("ACTIVE").ready(true, "Available").synced(false, "InvalidConfiguration", refused);
    status.stalled({"CONFIG_INVALID", "User", refused});
  } else if (ladder.volume && ladder.want.volume_ref.empty() && ladder.volume->size_gib < ladder.want.volume_gib) {
    // Its Volume does it, and says what holds it up.
    const std::string message = "its volume grows to " + std::to_string(ladder.want.volume_gib) + " GiB";
    status.phase("ACTIVE").ready(true, "Available").synced(false, "Progressing", message).observed(0);
    status.progressing("Extending", message);
  } else if (ladder.type_waits) {
    const std::string message = "its volume changes from type " + ladder.volume->type + " to " + ladder.want.volume_type +
                                "; trovectl why vol/" + ladder.object.meta().name + "-data tells how far that is";
    status.phase("ACTIVE").ready(true, "Available").synced(false, "Progressing", message).observed(0);
    status.progressing("Retyping", message);
  } else if (const std::string& group = ladder.want.configuration_ref;
             !group.empty() && !ladder.world.find({ladder.object.meta().project, "ConfigurationGroup", group})) {
    const std::string message = "configuration group " + group + " does not exist (spec.configurationRef)";
    status.phase("ACTIVE").ready(true, "Available").synced(false, "WaitingForDependency", message).observed(0);
    ladder.plan.waiting_reason = "WaitingForDependency";
    ladder.plan.waiting_message = message;
  } else if (!pending.empty()) {
    std::string list;
    for (const std::string& name : pending) list += (list.empty() ? "" : ", ") + name;
    status.phase("RESTART_REQUIRED").ready(true, "Available");
    status.synced(false, "WaitingForApproval",
                  list + " waits for a restart: trovectl restart inst/" + ladder.object.meta().name);
    ladder.plan.waiting_reason = "WaitingForApproval";
    const bool by_plan = !ladder.calm_plan().empty();
    ladder.plan.waiting_message = list + " waits for a restart (" +
                                  (by_plan ? "plan " + ladder.calm_plan() + " showed no interruption"
                                           : std::string("maintenance.disruptiveChanges: Manual")) +
                                  "); run: trovectl restart inst/" + ladder.object.meta().name;
  } else {
    status.phase("HEALTHY").ready(true, "Available");
    if (ladder.drift.drifted()) status.synced(false, "Drifted", ladder.drift.message());
  }
}

}  // namespace

namespace {

// What a guest may have done has to be known before it is told: it can act, fall silent, and the wish be withdrawn
// meanwhile. So names of parameters, the root login and a restart are in the status first, and the document goes out a
// pass later.
bool remembered(Ladder& ladder, const guest::Document& document) {
  Value names = ladder.before["appliedParameters"].is_map() ? ladder.before["appliedParameters"] : Value::map();
  bool all = true;
  for (const guest::Parameter& parameter : document.parameters)
    if (!names.find(parameter.name)) names.set(parameter.name, ""), all = false;
  if (!all) ladder.status.fields().set("appliedParameters", std::move(names));
  if (document.restart != ladder.before["restartWord"].text()) all = false;  // it is in the status already
  for (const guest::User& user : document.users)
    if (user.superuser && !ladder.before["rootEnabled"].bool_or(false))
      ladder.status.fields().set("rootEnabled", true), all = false;
  return all;
}

}  // namespace

Plan guest_rung(Ladder& ladder) {
  const World& world = ladder.world;
  const GuestState* guest = nullptr;
  if (auto found = world.guests.find(to_string(ladder.server->token)); found != world.guests.end())
    guest = &found->second;
  if (guest && guest->frozen.set() && world.steady - guest->frozen < kCloneFreeze) {
    const std::string message = "two machines answer as server " + ladder.server->id +
                                ": one of them is a copy; stop it. Neither is told anything until then";
    ladder.plan.waiting_reason = "DATA_SAFETY_HOLD";
    ladder.plan.waiting_message = message;
    ladder.wake_at(world.at(guest->frozen + kCloneFreeze));
    ladder.status.phase("ERROR").ready_unknown("TerminalError", message).synced(false, "TerminalError", message);
    ladder.status.stalled({"DATA_SAFETY_HOLD", "CloudOperator", message}).observed(0);
    ladder.plan.status = ladder.status.build();
    return std::move(ladder.plan);
  }
  const std::vector<std::string> pending = pending_restart(ladder, guest);
  const std::string word = restart_word(ladder, guest, pending);
  if (!word.empty()) ladder.status.fields().set("restartWord", word);
  guest::Document document = compile_document(ladder.object, *ladder.server, ladder.port, world, word);
  // Sized for nothing, an engine would start again some day with next to no cache. Where the flavor was retired, nobody
  // will ever know, and the least has to do.
  if (document.memory_mib == 0 && world.inventory->flavors.empty())
    return ladder.unknown("the cloud's flavors could not be read" +
                          (world.inventory->trouble.empty() ? "" : ": " + world.inventory->trouble));
  const bool told = guest && guest->document && *guest->document == document;
  const bool known = remembered(ladder, document);
  if (known && !told)
    ladder.plan.actions.push_back(
        {PutGuestDocument{ladder.server->token, std::move(document)}, ladder.object.key(), Change::live});
  if (!guest || !guest->report) {
    if (ladder.was_ready() && world.steady - world.started < kGuestSilence) {
      // We have just started; the guest will call. Until then what was said stands.
      ladder.wake_at(world.at(world.started + kGuestSilence));
      ladder.plan.keep_status = known;
      if (!known) {
        ladder.plan.status = ladder.before;
        for (const char* field : {"appliedParameters", "rootEnabled"})
          if (const Value* value = ladder.status.fields().find(field)) ladder.plan.status.set(field, *value);
      }
      return std::move(ladder.plan);
    }
    ladder.plan.waiting_reason = "WaitingForGuest";
    ladder.plan.waiting_message = "the guest has not called yet";
    ladder.status.phase("BUILD").ready(false, "Progressing", ladder.plan.waiting_message).observed(0);
    ladder.status.synced(false, "Progressing", ladder.plan.waiting_message)
        .progressing("WaitingForGuest", ladder.plan.waiting_message);
    // Longer than any image boots, and counted from our own start: before it nobody could hear the guest.
    const Time enough = std::max(world.at(world.started), ladder.server->created) + kFirstCall;
    if (world.now >= enough)
      ladder.status.stalled({"GUEST_UNREACHABLE", "CloudOperator",
                             "the guest of server " + ladder.server->id +
                                 " has not called in 15m: its console tells why. Deleting the server has it made again, "
                                 "with the same volume and address"});
    else
      ladder.wake_at(enough);
    ladder.plan.status = ladder.status.build();
    return std::move(ladder.plan);
  }
  // Heard before we have told anything since our start: the next pass, which comes at once, can compare.
  if (!guest->document && known && world.steady - world.started < kGuestSilence) {
    ladder.plan.keep_status = true;
    return std::move(ladder.plan);
  }
  const bool settled = told && guest->report->document_digest == guest->document_digest;
  read_report(ladder, *guest, pending, settled);
  ladder.plan.status = ladder.status.build();
  return std::move(ladder.plan);
}

}  // namespace trove
