#include "cli/command.hpp"

namespace trove::cli {
namespace {

const Flag kFile{"filename", 'f', "FILE", "file, folder or - (standard input); may be repeated", Expect::file, {}, true};
const Flag kRecursive{"recursive", 'R', "", "with a folder: its sub-folders too"};
const Flag kSelector{"selector", 'l', "LABELS", "only objects with these labels: app=shop,tier!=test"};
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
  const char* author = "Author (offline)";
  const char* self = "This program";

  all.push_back({"apply", write, "-f FILE…", "Bring objects to what files say",
                 "Every file is checked before anything is sent; the server takes all documents or none. What a file leaves\n"
                 "out is not deleted.\n\n"
                 "  trovectl apply -f shop/ --wait\n  generate | trovectl apply -f -",
                 with_server({kFile, kRecursive, kDryRun, kWait, kTimeout}), Expect::nothing, {}, false, false, run_apply});
  all.push_back({"plan", write, "-f FILE… | KIND/NAME", "Show which actions a change needs, before any happens",
                 "With -f: what applying the files would do. With KIND/NAME: what is still to be done for one object.\n"
                 "Nothing is stored.",
                 with_server({kFile, kRecursive,
                              {"remove", 0, "KIND/NAME", "plan this deletion too; may be repeated", Expect::object, {}, true},
                              {"exit-code", 0, "", "exit 1 when there is anything to do"}, kDataOutput}),
                 Expect::object, {}, false, false, run_plan});
  all.push_back({"diff", write, "-f FILE…", "Show which fields would change",
                 "Exit status 0: no differences. 1: differences. Anything else is an error.",
                 with_server({kFile, kRecursive, kDataOutput}), Expect::nothing, {}, false, false, run_diff});
  all.push_back({"delete", write, "KIND/NAME… | -f FILE…", "Delete objects; says first what stays and what goes",
                 "Data of stateful objects is kept unless their deletionPolicy is Delete.",
                 with_server({kFile, kRecursive, kSelector, kYes, kDryRun, kWait, kTimeout}), Expect::object, {}, false, false,
                 run_delete});

  all.push_back({"get", look, "KIND [NAME…] | KIND/NAME… | all", "List objects, or print them as data",
                 "  trovectl get inst\n  trovectl get all -l app=shop\n  trovectl get inst/orders-db -o yaml\n"
                 "  trovectl get inst -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'",
                 with_server({kOutput, kSelector, kWatch, kNoHeaders, kSort}), Expect::object, {"all"}, false, false, run_get});
  all.push_back({"describe", look, "KIND/NAME…", "Everything about an object, for people", "", with_server({}), Expect::object,
                 {}, false, false, run_describe});
  all.push_back({"tree", look, "KIND/NAME", "An object and what belongs to it", "", with_server({}), Expect::object, {}, false,
                 false, run_tree});
  all.push_back({"why", look, "KIND/NAME", "Why an object is not ready: what waits for what, and who must act", "",
                 with_server({}), Expect::object, {}, false, false, run_why});
  all.push_back({"events", look, "KIND/NAME…", "What happened to an object, newest last", "",
                 with_server({{"since", 0, "DURATION", "only events younger than this"}, kWatch, kNoHeaders,
                              {"output", 'o', "FORMAT", "json, yaml or jsonl", Expect::choice, {"json", "yaml", "jsonl"}}}),
                 Expect::object, {}, false, false, run_events});
  all.push_back({"history", look, "KIND/NAME", "Who changed the spec when, newest first", "",
                 with_server({kNoHeaders, kDataOutput}), Expect::object, {}, false, false, run_history});
  all.push_back({"wait", look, "KIND/NAME… | -f FILE…", "Wait until objects are ready, gone, or what you say",
                 "An object that does not exist yet is waited for. Exit status 7: time is over. 8: it will not get there\n"
                 "without somebody acting.\n\n"
                 "  trovectl wait inst/orders-db --for=Ready --timeout=10m\n  trovectl wait vol/old --for=delete",
                 with_server({{"for", 0, "WHAT", "Ready (default), Synced, delete, or condition=TYPE[=STATUS]", Expect::choice,
                               {"Ready", "Synced", "delete", "condition="}},
                              kFile, kRecursive, kSelector, kTimeout}),
                 Expect::object, {}, false, false, run_wait});

  all.push_back({"backup", day2, "INSTANCE", "Take a backup of an instance now",
                 "Makes a Backup object and prints its name.",
                 with_server({{"name", 0, "NAME", "name of the Backup (default: made from the instance's)"}, kWait, kTimeout}),
                 Expect::instance, {}, false, false, run_backup});
  all.push_back({"restart", day2, "INSTANCE", "Restart the database engine of an instance",
                 "Makes an Operation object and prints its name.",
                 with_server({{"reason", 0, "TEXT", "kept with the operation"}, kWait, kTimeout}), Expect::instance, {}, false,
                 false, run_restart});
  all.push_back({"connect", day2, "INSTANCE [-- CLIENT ARGUMENT…]", "Open the engine's own client, logged in",
                 "Starts mariadb, psql or redis-cli. The password is handed over in the environment, never as an argument.\n\n"
                 "  trovectl connect inst/orders-db --user orders-app -- -e 'SELECT 1'",
                 with_server({{"user", 0, "NAME", "User object to log in as (default: the first one; root: the administrator)",
                               Expect::nothing},
                              {"database", 'd', "NAME", "database to open"},
                              {"print", 0, "", "show the command instead of running it; without the password"}}),
                 Expect::instance, {}, true, false, run_connect});
  all.push_back({"secret reveal", day2, "NAME", "Print the values of a Secret; the server notes who asked", "",
                 with_server({{"key", 'k', "KEY", "only this value, and nothing else"}, kDataOutput}), Expect::secret, {}, false,
                 false, run_secret_reveal});

  all.push_back({"validate", author, "-f FILE…", "Check files without a server", "Finds every mistake, not just the first.",
                 {kFile, kRecursive}, Expect::nothing, {}, false, false, run_validate});
  all.push_back({"explain", author, "KIND[.FIELD]", "What a field means, and what changing it does",
                 "  trovectl explain inst\n  trovectl explain inst.spec.flavor", {}, Expect::field, {}, false, false,
                 run_explain});
  all.push_back({"schema", author, "KIND | all", "JSON Schema of a kind, for editors", "", {}, Expect::kind, {"all"}, false, false,
                 run_schema});
  all.push_back({"api-resources", author, "", "The kinds there are", "", {kNoHeaders}, Expect::nothing, {}, false, false,
                 run_api_resources});

  all.push_back({"config view", self, "", "The settings in force, and where each comes from", "", with_server({kDataOutput}),
                 Expect::nothing, {}, false, false, run_config_view});
  all.push_back({"config set", self, "SETTING VALUE", "Change server, tokenFile or project in the configuration file", "",
                 {}, Expect::choice, {"server", "tokenFile", "project"}, false, false, run_config_set});
  all.push_back({"completion", self, "bash | zsh | fish", "Print a completion script",
                 "  source <(trovectl completion bash)", {}, Expect::choice, {"bash", "zsh", "fish"}, false, false,
                 run_completion});
  all.push_back({"version", self, "", "The version of this program and of the server", "",
                 with_server({{"client", 0, "", "do not ask the server"}}), Expect::nothing, {}, false, false, run_version});
  all.push_back({"__complete", self, "WORD…", "Candidates for the last word", "", {}, Expect::nothing, {}, true, true,
                 run_complete});
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
