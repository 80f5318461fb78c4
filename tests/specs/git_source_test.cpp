#include <catch2/catch.hpp>
#include "specs/git_url.hpp"
#include "specs/kinds/specs.hpp"
#include "tests/specs/documents.hpp"

using namespace trove;
using namespace trove::testing;

namespace {
GitSourceSpec spec(std::string_view yaml) { return git_source_spec(parse_yaml(yaml, "").documents.at(0)); }
}  // namespace

TEST_CASE("a repository's address is taken in three forms and comes out the same") {
  for (const char* text :
       {"https://git.example/shop/db.git", "https://git.example:8443/db", "ssh://git@git.example/shop/db.git",
        "ssh://git.example:2222/~kim/db", "file:///srv/git/db.git", "https://[2001:db8::1]:443/db"}) {
    INFO(text);
    auto url = parse_git_url(text);
    REQUIRE(url);
    CHECK(url->text() == text);
  }
  CHECK(parse_git_url("https://GIT.Example/db/")->text() == "https://git.example/db");
}

TEST_CASE("an address that git could read as something else is refused with the reason") {
  struct Row {
    const char *text, *why;
  };
  for (const Row& row : {
           Row{"--upload-pack=touch /tmp/x", "begins with \"-\""},
           Row{"ext::sh -c id", "helper program"},
           Row{"fd::7", "helper program"},
           Row{"http://git.example/db", "not encrypted"},
           Row{"git://git.example/db", "not encrypted"},
           Row{"git@git.example:shop/db.git", "Did you mean \"ssh://git@git.example/shop/db.git\"?"},
           Row{"/srv/git/db.git", "Did you mean \"file:///srv/git/db.git\"?"},
           Row{"db", "is no address"},
           Row{"https://kim:hunter2@git.example/db", "holds credentials"},
           Row{"https://token@git.example/db", "holds credentials"},
           Row{"ssh://kim:hunter2@git.example/db", "holds credentials"},
           Row{"ssh://-oProxyCommand=id/db", "no host"},
           Row{"ssh://-oProxyCommand@git.example/db", "user name"},
           Row{"ssh://git.example/-x", "holds \"-x\""},
           Row{"https://git.example", "names no repository"},
           Row{"https://git.example/", "names no repository"},
           Row{"https://git.example/a/../b", "holds \"..\""},
           Row{"https://git.example/a//b", "holds \"//\""},
           Row{"https://git.example/%2e%2e/b", "characters in its path"},
           Row{"https://git.example/a b", "characters in its path"},
           Row{"https://git.example/a\nb", "characters in its path"},
           Row{"https://git.example/db?x=1", "holds \"?\""},
           Row{"https://git.example:0/db", "no port"},
           Row{"https://git.example:99999/db", "no port"},
           Row{"https://[::1/db", "closing bracket"},
           Row{"https://[]/db", "no host"},
           Row{"file://host/db", "names a host"},
           Row{"file:///srv/../etc", "holds \"..\""},
       }) {
    INFO(row.text);
    auto url = parse_git_url(row.text);
    REQUIRE_FALSE(url);
    INFO(url.error().message);
    CHECK(url.error().message.find(row.why) != std::string::npos);
    CHECK(url.error().message.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("refs and folders that lead elsewhere are refused") {
  for (const char* fine : {"main", "release/1.2", "v1.0", "fix-7"}) CHECK(git_ref_complaint(fine).empty());
  for (const char* bad : {"", "-x", "a..b", "a b", "refs/heads/main", "a~1", "x:y", "@", "a.lock", "/a", "a/", "a//b",
                          ".a", "a/.b", "a@{1}", "a*", "a\nb"}) {
    INFO(bad);
    CHECK_FALSE(git_ref_complaint(bad).empty());
  }
  for (const char* fine : {"", "prod", "prod/", "a/b/", "."}) CHECK(git_path_complaint(fine).empty());
  for (const char* bad : {"/etc", "..", "a/../b", "a//b", "a/./b", ".git/config", "a\nb", "a\\b"}) {
    INFO(bad);
    CHECK_FALSE(git_path_complaint(bad).empty());
  }
}

TEST_CASE("a GitSource becomes a struct with its defaults") {
  const GitSourceSpec least = spec("url: https://git.example/db");
  CHECK(least.branch == "main");
  CHECK(least.path.empty());
  CHECK(least.interval == Millis{120'000});
  CHECK_FALSE(least.verify);
  CHECK_FALSE(least.manual);
  CHECK(spec("url: https://git.example/db\napproval: Manual").manual);
  CHECK_FALSE(least.prune);
  const GitSourceSpec pruning = spec("url: https://git.example/db\nprune: {enabled: true}");
  CHECK(pruning.prune);
  CHECK(pruning.refuse_empty);
  CHECK(pruning.max_delete == 10);
  const GitSourceSpec full = spec("url: https://git.example/db\nref: {tag: v1}\npath: prod/\ninterval: 30s\nsecretRef: {name: a}\n"
           "webhook: {secretRef: {name: b}}\nverify: {keysRef: {name: c}}\n"
           "prune: {enabled: true, maxDelete: 2, refuseEmpty: false}");
  CHECK(full.branch.empty());
  CHECK(full.tag == "v1");
  CHECK(full.path == "prod");
  CHECK(full.interval == Millis{30'000});
  CHECK(full.secret == "a");
  CHECK(full.webhook_secret == "b");
  CHECK(full.keys_secret == "c");
  CHECK(full.verify);
  CHECK(full.prune);
  CHECK_FALSE(full.refuse_empty);
  CHECK(full.max_delete == 2);
}

TEST_CASE("a GitSource's mistakes are named with their place") {
  const auto problems = decode("apiVersion: trove/v1alpha1\nkind: GitSource\nmetadata: {name: g}\nspec:\n  url: ext::sh\n  ref: {branch: a, tag: b}\n"
                                    "  path: ../x\n  interval: 1s\n  applyAs: {role: r}\n  branch: main\n");
  const std::string text = problems.text();
  INFO(text);
  CHECK(text.find("helper program") != std::string::npos);
  CHECK(text.find("excludes spec.ref.branch") != std::string::npos);
  CHECK(text.find("leads out of the repository") != std::string::npos);
  CHECK(text.find("spec.interval") != std::string::npos);
  CHECK(text.find("spec.applyAs: not supported in this release") != std::string::npos);
  CHECK(text.find("Did you mean \"ref.branch\"?") != std::string::npos);
}
