#include "cli/command.hpp"

namespace trove::cli {
namespace {

const Flag kFile{.name = "filename", .letter = 'f', .value = "FILE",
                 .doc = "file, folder or - (standard input); may be repeated", .expect = Expect::file, .repeat = true};
const Flag kRecursive{"recursive", 'R', "", "with a folder: its sub-folders too"};
const Flag kSelector{"selector", 'l', "LABELS", "only objects with these labels: app=shop,tier!=test"};
const Flag kFieldSelector{"field-selector", 0, "FIELDS", "only objects with these fields: status.phase=HEALTHY,spec.flavor!=db.tiny"};
const Flag kOutput{"output", 'o', "FORMAT", "wide, json, yaml, name, jsonl, jsonpath=TEMPLATE or custom-columns=SPEC",
                   Expect::choice, {"wide", "json", "yaml", "name", "jsonl", "jsonpath=", "custom-columns="}};
const Flag kDataOutput{"output", 'o', "FORMAT", "json or yaml", Expect::choice, {"json", "yaml"}};
const Flag kNoHeaders{"no-headers", 0, "", "leave out the line of column names"};
const Flag kSort{"sort-by", 0, "PATH", "order by a field: .status.volume.usedPercent", Expect::field};
const Flag kWatch{"watch", 'w', "", "then go on showing changes until Ctrl-C"};
const Flag kWait{"wait", 0, "", "wait until it is done"};
const Flag kTimeout{"timeout", 0, "DURATION", "give up waiting after this long: 30s, 15m, 2h (default 30m)"};
const Flag kYes{"yes", 'y', "", "do not ask; scripts need this"};
const Flag kDryRun{"dry-run", 0, "MODE", "server: check everything there, store nothing", Expect::choice, {"server"}};
const Flag kSet{"set", 0, "NAME", "these objects are one set, which --prune compares with what was in it before"};
const Flag kPrune{"prune", 0, "", "delete what is in the set and not in the files any more"};
const Flag kMaxDelete{"max-delete", 0, "N", "refuse to prune more than this (default 10)"};
const Flag kConfirm{.name = "confirm", .value = "KIND/NAME", .doc = "prune this although its database stops or its data goes; may be repeated",
                    .expect = Expect::object, .repeat = true};
const Flag kForceConflicts{"force-conflicts", 0, "", "take over fields that others manage"};
const Flag kFieldManager{"field-manager", 0, "NAME", "who manages the fields of these files (default trovectl)"};
const Flag kServerSide{"server-side", 0, "", "always so; accepted because fingers type it"};
const Flag kBreakGlass{"break-glass", 0, "DURATION", "take fields over for this long (up to 7d); then they go back to their owners"};
const Flag kPlan{"plan", 0, "ID", "do exactly what this plan shows, or refuse and name what moved"};
const Flag kPlanOutput{"output", 'o', "FORMAT", "json, yaml or markdown", Expect::choice, {"json", "yaml", "markdown"}};
const Flag kTo{"to", 0, "REV", "generation to go back to: trovectl history"};
const Flag kAt{"at", 0, "TIME", "the spec as it was then: 2026-09-19T00:00Z, or 2h ago as 2h"};
const Flag kRemove{.name = "remove", .value = "KIND/NAME", .doc = "plan this deletion too; may be repeated",
                   .expect = Expect::object, .repeat = true};
const Flag kExitCode{"exit-code", 0, "", "exit 1 when there is anything to do"};
const Flag kSince{"since", 0, "DURATION", "only events younger than this"};
const Flag kEventOutput{"output", 'o', "FORMAT", "json, yaml or jsonl", Expect::choice, {"json", "yaml", "jsonl"}};
const Flag kFor{"for", 0, "WHAT", "Ready (default), Synced, delete, or condition=TYPE[=STATUS]", Expect::choice,
                {"Ready", "Synced", "delete", "condition="}};
const Flag kBackupName{"name", 0, "NAME", "name of the Backup (default: made from the instance's)"};
const Flag kReason{"reason", 0, "TEXT", "kept with the operation"};
const Flag kLogin{"user", 0, "NAME", "User object to log in as (default: the first one; root: the administrator)"};
const Flag kDatabase{"database", 'd', "NAME", "database to open"};
const Flag kPrint{"print", 0, "", "show the command instead of running it; without the password"};
const Flag kKey{"key", 'k', "KEY", "only this value, and nothing else"};
const Flag kFaults{"faults", 0, "NAMES", "default, none, all, or some: crash,late,lose-server", Expect::choice,
                   {"default", "none", "all", "crash", "stale", "late", "lost-reply", "outage", "lose-server"}};
const Flag kRuns{"runs", 0, "N", "how many schedules of faults (default 200)"};
const Flag kSeed{"seed", 0, "N", "of the first schedule (default 1)"};
const Flag kSchedule{"schedule", 0, "TEXT", "one run of exactly these faults: 'crash 17; late 2 800'"};
const Flag kTrace{"trace", 0, "", "one run, with everything that happens in it"};
const Flag kJsonOutput{"output", 'o', "FORMAT", "json", Expect::choice, {"json"}};
const Flag kAllProjects{"all-projects", 'A', "", "of every project that the token may see"};
const Flag kApprove{.name = "approve", .value = "PLAN", .doc = "carry out this plan, which waits; see git plan"};
const Flag kGitConfirm{.name = "confirm", .value = "KIND/NAME",
                    .doc = "this object may go, with its data; or a commit: follow the branch back to it; may be repeated",
                    .expect = Expect::object, .repeat = true};
const Flag kClientOnly{"client", 0, "", "do not ask the server"};

const std::vector<Flag> kServer{
    {"project", 'p', "NAME", "project to work in", Expect::project},
    {"server", 0, "URL", "where troved listens"},
    {"token-file", 0, "FILE", "file that holds the token", Expect::file},
};

std::vector<Flag> with_server(std::vector<Flag> flags) {
  flags.insert(flags.end(), kServer.begin(), kServer.end());
  return flags;
}

std::vector<Command> make() {
  std::vector<Command> all;
  const char* write = "Change";
  const char* look = "Look";
  const char* day2 = "Operate";
  const char* git = "Git";
  const char* author = "Author (offline)";
  const char* self = "This program";

  all.push_back({.name = "apply", .group = write, .words = "-f FILE…", .summary = "Bring objects to what files say",
                 .details =
                     "Every file is checked before anything is sent; the server takes all documents or none. What the\n"
                     "files leave out is not deleted, unless they are a --set and you --prune. Fields that somebody else\n"
                     "manages are a conflict (exit status 6) that names the owner.\n\n"
                     "  trovectl apply -f shop/ --wait\n  generate | trovectl apply -f -\n"
                     "  trovectl apply --plan pl-7f3a21c0\n  trovectl apply -f shop/ --set shop --prune",
                 .flags = with_server({kFile, kRecursive, kPlan, kSet, kPrune, kMaxDelete, kConfirm, kForceConflicts,
                                       kBreakGlass, kFieldManager, kServerSide, kDryRun, kWait, kTimeout}),
                 .run = run_apply});
  all.push_back({.name = "plan", .group = write, .words = "-f FILE… | KIND/NAME | ID",
                 .summary = "Show which actions a change needs, before any happens",
                 .details =
                     "With -f: what applying the files would do; the server keeps the plan, and apply --plan ID does\n"
                     "exactly that or refuses. With KIND/NAME: what is still to be done for one object. With an ID:\n"
                     "that plan again. -o markdown is for merge requests.",
                 .flags = with_server({kFile, kRecursive, kRemove, kSet, kPrune, kMaxDelete, kConfirm, kForceConflicts,
                                       kFieldManager, kExitCode, kPlanOutput}),
                 .expect = Expect::object, .run = run_plan});
  all.push_back({.name = "diff", .group = write, .words = "-f FILE…", .summary = "Show which fields would change",
                 .details = "Exit status 0: no differences. 1: differences. Anything else is an error.",
                 .flags = with_server({kFile, kRecursive, kDataOutput}),
                 .run = run_diff});
  all.push_back({.name = "rollback", .group = write, .words = "KIND/NAME --to REV",
                 .summary = "Plan the way back to an earlier spec",
                 .details = "Makes a plan, as trovectl plan does; nothing changes before apply --plan ID.",
                 .flags = with_server({kTo, kForceConflicts, kFieldManager, kExitCode, kPlanOutput}),
                 .expect = Expect::object, .run = run_rollback});
  all.push_back({.name = "delete", .group = write, .words = "KIND/NAME… | -f FILE…",
                 .summary = "Delete objects; says first what stays and what goes",
                 .details = "Data of stateful objects is kept unless their deletionPolicy is Delete.",
                 .flags = with_server({kFile, kRecursive, kSelector, kYes, kDryRun, kWait, kTimeout}),
                 .expect = Expect::object, .run = run_delete});

  all.push_back({.name = "get", .group = look, .words = "KIND [NAME…] | KIND/NAME… | all",
                 .summary = "List objects, or print them as data",
                 .details =
                     "  trovectl get inst\n  trovectl get all -l app=shop\n  trovectl get inst/orders-db -o yaml\n"
                     "  trovectl get inst -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'",
                 .flags = with_server({kOutput, kSelector, kFieldSelector, kWatch, kNoHeaders, kSort, kAt}),
                 .expect = Expect::object, .choices = {"all"}, .run = run_get});
  all.push_back({.name = "describe", .group = look, .words = "KIND/NAME…",
                 .summary = "Everything about an object, for people",
                 .flags = with_server({}), .expect = Expect::object, .run = run_describe});
  all.push_back({.name = "tree", .group = look, .words = "KIND/NAME", .summary = "An object and what belongs to it",
                 .flags = with_server({}), .expect = Expect::object, .run = run_tree});
  all.push_back({.name = "why", .group = look, .words = "KIND/NAME",
                 .summary = "Why an object is not ready: what waits for what, and who must act",
                 .flags = with_server({}), .expect = Expect::object, .run = run_why});
  all.push_back({.name = "events", .group = look, .words = "KIND/NAME…",
                 .summary = "What happened to an object, newest last",
                 .flags = with_server({kSince, kWatch, kNoHeaders, kEventOutput}),
                 .expect = Expect::object, .run = run_events});
  all.push_back({.name = "history", .group = look, .words = "KIND/NAME",
                 .summary = "Who changed the spec when, newest first",
                 .flags = with_server({kNoHeaders, kDataOutput}), .expect = Expect::object, .run = run_history});
  all.push_back({.name = "blame", .group = look, .words = "KIND/NAME",
                 .summary = "The spec, and who wrote each line of it where and when",
                 .flags = with_server({kNoHeaders, kDataOutput}), .expect = Expect::object, .run = run_blame});
  all.push_back({.name = "drift", .group = look, .words = "[KIND/NAME…]",
                 .summary = "What was changed outside, by whom, and what is done about it",
                 .details =
                     "Exit status 0: nothing. 1: something has drifted. Whether it is put back, reported or left alone\n"
                     "is said by spec.drift and, field by field, by spec.ignoreDrift. BY is known where the cloud keeps\n"
                     "a record: of servers, not of volumes, ports or what happens inside an engine.\n\n"
                     "  trovectl drift -A\n  trovectl drift inst/orders-db -o json",
                 .flags = with_server({kAllProjects, kNoHeaders, kDataOutput}),
                 .expect = Expect::object, .run = run_drift});
  all.push_back({.name = "leaks", .group = look, .words = "",
                 .summary = "Things in the cloud with trove's mark that belong to nobody",
                 .details =
                     "The store was set back or lost, or another control plane works in the same cloud project. Servers\n"
                     "and ports are removed by `troved --remove-leaks-after`; volumes only by hand.",
                 .flags = with_server({kNoHeaders, kDataOutput}), .expect = Expect::nothing, .run = run_leaks});
  all.push_back({.name = "wait", .group = look, .words = "KIND/NAME… | -f FILE…",
                 .summary = "Wait until objects are ready, gone, or what you say",
                 .details =
                     "An object that does not exist yet is waited for. Exit status 7: time is over. 8: it will not\n"
                     "get there without somebody acting.\n\n"
                     "  trovectl wait inst/orders-db --for=Ready --timeout=10m\n"
                     "  trovectl wait vol/old --for=delete",
                 .flags = with_server({kFor, kFile, kRecursive, kSelector, kTimeout}),
                 .expect = Expect::object, .run = run_wait});

  all.push_back({.name = "backup", .group = day2, .words = "INSTANCE", .summary = "Take a backup of an instance now",
                 .details = "Makes a Backup object and prints its name.",
                 .flags = with_server({kBackupName, kWait, kTimeout}), .expect = Expect::instance, .run = run_backup});
  all.push_back({.name = "restart", .group = day2, .words = "INSTANCE",
                 .summary = "Restart the database engine of an instance",
                 .details =
                     "Makes an Operation object and prints its name. Also approves changes that wait for a restart.",
                 .flags = with_server({kReason, kWait, kTimeout}), .expect = Expect::instance, .run = run_restart});
  all.push_back({.name = "connect", .group = day2, .words = "INSTANCE [-- CLIENT ARGUMENT…]",
                 .summary = "Open the engine's own client, logged in",
                 .details =
                     "Starts mariadb, psql or redis-cli. The password is handed over in the environment, never as an\n"
                     "argument.\n\n"
                     "  trovectl connect inst/orders-db --user orders-app -- -e 'SELECT 1'",
                 .flags = with_server({kLogin, kDatabase, kPrint}),
                 .expect = Expect::instance, .takes_rest = true, .run = run_connect});
  all.push_back({.name = "secret reveal", .group = day2, .words = "NAME",
                 .summary = "Print the values of a Secret; the server notes who asked",
                 .flags = with_server({kKey, kDataOutput}), .expect = Expect::secret, .run = run_secret_reveal});

  all.push_back({.name = "git status", .group = git, .words = "[NAME]",
                 .summary = "What each GitSource has applied, and what is wrong with which file",
                 .flags = with_server({kNoHeaders, kDataOutput}), .expect = Expect::git_source, .run = run_git_status});
  all.push_back({.name = "git plan", .group = git, .words = "NAME",
                 .summary = "The plan of a commit that waits for an approval",
                 .details =
                     "For a GitSource with approval: Manual. Exit status 8: no plan waits. -o markdown is for merge requests.",
                 .flags = with_server({kExitCode, kPlanOutput}), .expect = Expect::git_source, .run = run_git_plan});
  all.push_back({.name = "git sync", .group = git, .words = "NAME", .summary = "Fetch and apply now",
                 .details =
                     "With --wait: exit status 0 when all of it is applied, 8 when somebody has to act, 10 when it will be\n"
                     "tried again. With --approve --wait: 6 when the plan was not carried out.\n\n"
                     "  trovectl git sync shop-prod --wait\n  trovectl git sync shop-prod --confirm database/old\n"
                     "  trovectl git sync shop-prod --approve pl-7f3a21c0 --wait",
                 .flags = with_server({kApprove, kGitConfirm, kWait, kTimeout}), .expect = Expect::git_source, .run = run_git_sync});
  all.push_back({.name = "git verify", .group = git, .words = "NAME",
                 .summary = "Who signed the newest commit; exit status 9 when it is not good",
                 .flags = with_server({}), .expect = Expect::git_source, .run = run_git_verify});

  all.push_back({.name = "validate", .group = author, .words = "-f FILE…", .summary = "Check files without a server",
                 .details = "Finds every mistake, not just the first.",
                 .flags = {kFile, kRecursive}, .run = run_validate});
  all.push_back({.name = "simulate", .group = author, .words = "-f FILE…",
                 .summary = "Try files out in a simulated cloud that fails in every way",
                 .details =
                     "Runs the control plane over a simulated cloud, once without faults and many times with them, and\n"
                     "says whether the set converges, in how many actions, after how long, how long a database was\n"
                     "interrupted, and which invariants held. Needs no server and touches nothing. Exit status 8: an\n"
                     "object does not get ready. 9: an invariant broke.\n\n"
                     "  trovectl simulate -f shop/ --runs 2000\n  trovectl simulate -f shop/ --seed 1733 --trace",
                 .flags = {kFile, kFaults, kRuns, kSeed, kSchedule, kTrace, kJsonOutput}, .run = run_simulate});
  all.push_back({.name = "explain", .group = author, .words = "KIND[.FIELD]",
                 .summary = "What a field means, and what changing it does",
                 .details = "  trovectl explain inst\n  trovectl explain inst.spec.flavor",
                 .expect = Expect::field, .run = run_explain});
  all.push_back({.name = "schema", .group = author, .words = "KIND | all",
                 .summary = "JSON Schema of a kind, for editors",
                 .expect = Expect::kind, .choices = {"all"}, .run = run_schema});
  all.push_back({.name = "api-resources", .group = author, .summary = "The kinds there are",
                 .flags = {kNoHeaders}, .run = run_api_resources});

  all.push_back({.name = "config view", .group = self,
                 .summary = "The settings in force, and where each comes from",
                 .flags = with_server({kDataOutput}), .run = run_config_view});
  all.push_back({.name = "config set", .group = self, .words = "SETTING VALUE",
                 .summary = "Change server, tokenFile or project in the configuration file",
                 .expect = Expect::choice, .choices = {"server", "tokenFile", "project"}, .run = run_config_set});
  all.push_back({.name = "completion", .group = self, .words = "bash | zsh | fish",
                 .summary = "Print a completion script", .details = "  source <(trovectl completion bash)",
                 .expect = Expect::choice, .choices = {"bash", "zsh", "fish"}, .run = run_completion});
  all.push_back({.name = "version", .group = self, .summary = "The version of this program and of the server",
                 .flags = with_server({kClientOnly}), .run = run_version});
  all.push_back({.name = "__complete", .group = self, .words = "WORD…", .summary = "Candidates for the last word",
                 .takes_rest = true, .hidden = true, .run = run_complete});
  return all;
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> all = make();
  return all;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

}  // namespace trove::cli
