#include "specs/kinds/tables.hpp"

namespace trove::tables {

Kind git_source() {
  Kind kind;
  kind.name = "GitSource";
  kind.plural = "gitsources";
  kind.short_name = "git";
  kind.doc =
      "A folder of a Git repository whose files are applied, now and whenever they change. Deleting the GitSource ends "
      "that; what it applied stays.";
  kind.example = R"(apiVersion: trove/v1alpha1
kind: GitSource
metadata: {name: shop-prod}
spec:
  url: ssh://git@git.example/shop/db.git
  ref: {branch: main}
  path: prod/
  interval: 2m
  secretRef: {name: shop-deploy-key}
  verify: {mode: HEAD, keysRef: {name: release-keys}}
  prune: {enabled: true, maxDelete: 2}
)";
  kind.fields = {
      {.path = "url",
       .doc = "Where the repository is: https://, ssh:// or file://. The operator decides which hosts and directories may "
              "be named.",
       .required = true,
       .format = Format::git_url,
       .min = 1,
       .max = 1024},
      {.path = "ref",
       .type = FieldType::object,
       .doc = "What is followed: exactly one of branch, tag and commit. Without it: the branch main."},
      {.path = "ref.branch", .doc = "A branch; its newest commit is applied.", .format = Format::git_ref, .max = 200,
       .one_of = "ref"},
      {.path = "ref.tag", .doc = "A tag; the commit that it names is applied.", .format = Format::git_ref, .max = 200,
       .one_of = "ref"},
      {.path = "ref.commit",
       .doc = "One commit, by its whole name of 40 or 64 hexadecimal digits.",
       .format = Format::git_commit,
       .max = 64,
       .one_of = "ref"},
      {.path = "path",
       .doc = "The folder whose files are applied, with all folders below it. Without it: the whole repository.",
       .default_json = R"("")",
       .format = Format::git_path,
       .max = 1024},
      {.path = "interval",
       .doc = "How often the repository is asked for something new. A webhook or `trovectl git sync` asks at once.",
       .default_json = R"("2m")",
       .change = Change::none,
       .format = Format::duration,
       .min = 10'000,
       .max = 7 * kDayMs,
       .see = "git.spec.webhook"},
      {.path = "secretRef",
       .type = FieldType::object,
       .doc = "A Secret with the credentials. ssh: ssh-privatekey and known_hosts. https: username and password (or a "
              "token as password).",
       .change = Change::none,
       .reference = "Secret",
       .see = "sec"},
      reference_name("secretRef.name", "Name of the Secret, in the same project.", Change::none),
      {.path = "webhook",
       .type = FieldType::object,
       .doc = "Lets the Git server say that there is something new: POST /git/v1/hooks/PROJECT/NAME.",
       .change = Change::none},
      {.path = "webhook.secretRef",
       .type = FieldType::object,
       .doc = "A Secret whose value \"secret\" the Git server signs its calls with.",
       .required = true,
       .change = Change::none,
       .reference = "Secret",
       .see = "sec"},
      reference_name("webhook.secretRef.name", "Name of the Secret, in the same project.", Change::none),
      {.path = "verify",
       .type = FieldType::object,
       .doc = "Only signed commits are applied. One that is not signed by a key of keysRef changes nothing."},
      {.path = "verify.mode",
       .doc = "What is checked. HEAD: the commit that is applied.",
       .default_json = R"("HEAD")",
       .values = {"HEAD"}},
      {.path = "verify.keysRef",
       .type = FieldType::object,
       .doc = "A Secret with the keys that are trusted: SSH public keys, lines of an allowed_signers file, or OpenPGP "
              "public keys in ASCII armor.",
       .required = true,
       .reference = "Secret",
       .see = "sec"},
      reference_name("verify.keysRef.name", "Name of the Secret, in the same project."),
      {.path = "approval",
       .doc = "What is done with a commit. Automatic: it is applied. Manual: a plan of it is made and kept, and nothing of "
              "it is applied until somebody approves the plan: `trovectl git sync NAME --approve PLAN`. A commit that "
              "changes no object needs no approval.",
       .default_json = R"("Automatic")",
       .values = {"Automatic", "Manual"},
       .see = "git.spec.prune"},
      {.path = "prune",
       .type = FieldType::object,
       .doc = "What becomes of an object whose document is not in the repository any more. Without it: it stays."},
      {.path = "prune.enabled",
       .type = FieldType::boolean,
       .doc = "Deletes it. Its deletionPolicy decides what becomes of the real thing.",
       .default_json = "false"},
      {.path = "prune.maxDelete",
       .type = FieldType::integer,
       .doc = "If a commit would delete more than this, nothing is deleted.",
       .default_json = "10",
       .min = 0,
       .max = 10'000},
      {.path = "prune.refuseEmpty",
       .type = FieldType::boolean,
       .doc = "A folder without any document is taken for a slip: nothing is deleted.",
       .default_json = "true"},
      {.path = "prune.stateful",
       .doc = "A DatabaseInstance, and what would lose data (deletionPolicy: Delete). Confirm: each goes only after "
              "`trovectl git sync NAME --confirm KIND/NAME`.",
       .default_json = R"("Confirm")",
       .values = {"Confirm"}},
  };
  add_common_block(kind.fields, kDelete);
  return kind;
}

}  // namespace trove::tables
