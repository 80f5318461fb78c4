// examples/gitops as a repository: cloned by the real troved, changed, broken, repaired, moved, rewritten, signed.
#include <catch2/catch.hpp>

#include "support/git_repo.hpp"
#include "support/system.hpp"

using namespace trove;

namespace {

const std::string kExample = std::string(TROVE_SOURCE_DIR) + "/examples/gitops/";

struct Bed {
  GitRepo remote;
  System system{{"--git-allow", remote.directory()}, true};

  Bed() {
    for (const char* file : {"README.md", "prod/sessions.yaml", "prod/tuning.yaml", "prod/data.yaml"})
      remote.write(file, read_file(kExample + file));
    remote.commit("the shop");
    follow();
  }
  // The example's GitSource, with the address of this test's repository.
  void follow(const std::string& more = "") {
    std::string source = read_file(kExample + "source.yaml");
    const std::string there = "https://git.example/shop/db.git";
    source.replace(source.find(there), there.size(), remote.url());
    system.apply(source + more);
  }
  Exit sync(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"git", "sync", "shop-prod", "--wait", "--timeout", "60s"};
    words.insert(words.end(), more.begin(), more.end());
    return system.ctl(words);
  }
  Exit push(const std::string& message, const std::string& key = "") {
    remote.commit(message, key);
    return sync();
  }
  bool there(const std::string& object) { return system.ctl({"get", object}).code == 0; }
  std::string status(const std::string& field) { return system.field("git/shop-prod", "{.status." + field + "}"); }
};

std::string group(int connections) {
  std::string text = read_file(kExample + "prod/tuning.yaml");
  text.replace(text.find("60"), 2, std::to_string(connections));
  return text;
}

}  // namespace

TEST_CASE("examples/gitops is followed: applied, changed, broken, repaired, moved, pruned, rewritten") {
  Bed bed;
  bed.system.wait_ready("git/shop-prod");
  bed.system.wait_ready("inst/sessions");
  bed.system.wait_ready("user/web");
  CHECK(bed.status("files") == "3");
  CHECK(bed.status("objects") == "4");

  bed.remote.write("prod/tuning.yaml", group(70));
  Exit changed = bed.push("more connections");
  INFO(changed.out << changed.err);
  CHECK(changed.code == 0);
  CHECK(changed.out.find("\"more connections\" by Kim <kim@shop.example>") != std::string::npos);
  CHECK(bed.system.field("cfg/orders-tuning", "{.spec.parameters.max_connections}") == "70");
  const std::string history = bed.system.must({"history", "cfg/orders-tuning"});
  CHECK(history.find("git:shop-prod@" + bed.status("appliedCommit").substr(0, 7)) != std::string::npos);

  // What a break-glass edit holds against Git is told, and for how long.
  bed.system.must({"apply", "-f", "-", "--break-glass", "3s"}, group(99));
  const std::string held = bed.system.must({"git", "status", "shop-prod"});
  INFO(held);
  CHECK(held.find("configurationgroup/orders-tuning  /spec/parameters/max_connections, by break-glass:") != std::string::npos);
  CHECK(held.find(", goes back ") != std::string::npos);
  CHECK(eventually([&] { return bed.system.field("cfg/orders-tuning", "{.spec.parameters.max_connections}") == "70"; },
                   Millis{20'000}));

  // One bad file: it is named, the other is applied, and what left the repository stays meanwhile.
  bed.remote.write("prod/tuning.yaml", group(80));
  bed.remote.write("prod/sessions.yaml",
                   "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: sessions}\nspec:\n"
                   "  datastore: {type: redis}\n  flavour: db.nano\n");
  Exit broken = bed.push("a slip");
  CHECK(broken.code == 8);
  INFO(broken.out);
  CHECK(broken.out.find("prod/sessions.yaml:6:3  spec.flavour: unknown field. Did you mean \"flavor\"?") !=
        std::string::npos);
  CHECK(bed.system.field("cfg/orders-tuning", "{.spec.parameters.max_connections}") == "80");
  CHECK(bed.there("inst/sessions"));
  CHECK(bed.there("user/web"));

  bed.remote.write("prod/sessions.yaml", read_file(kExample + "prod/sessions.yaml"));
  CHECK(bed.push("repaired").code == 0);

  const std::string uid = bed.system.field("inst/sessions", "{.metadata.uid}");
  const std::string version = bed.system.field("inst/sessions", "{.metadata.generation}");
  bed.remote.move("prod/sessions.yaml", "prod/eu/web/sessions.yaml");
  CHECK(bed.push("moved").code == 0);
  CHECK(bed.system.field("inst/sessions", "{.metadata.uid}") == uid);
  CHECK(bed.system.field("inst/sessions", "{.metadata.generation}") == version);

  // Gone from Git: a group goes, a volume waits for a word.
  bed.remote.remove("prod/tuning.yaml");
  bed.remote.remove("prod/data.yaml");
  Exit removed = bed.push("tidied");
  INFO(removed.out);
  CHECK(removed.code == 0);
  CHECK(removed.out.find("volume/scratch until confirmed: trovectl git sync shop-prod --confirm volume/scratch") !=
        std::string::npos);
  CHECK(eventually([&] { return !bed.there("cfg/orders-tuning"); }, Millis{20'000}));
  CHECK(bed.there("vol/scratch"));
  CHECK(bed.sync({"--confirm", "vol/scratch"}).code == 0);
  CHECK(eventually([&] { return !bed.there("vol/scratch"); }, Millis{20'000}));

  bed.remote.git({"reset", "--quiet", "--hard", "HEAD~1"});
  bed.remote.write("prod/tuning.yaml", group(90));
  Exit forced = bed.push("another way");
  INFO(forced.out << forced.err);
  CHECK(forced.code == 0);
  CHECK(forced.out.find("is not in the history of what is applied") != std::string::npos);
  CHECK(bed.system.field("cfg/orders-tuning", "{.spec.parameters.max_connections}") == "90");

  // The repository vanishes: said, and nothing else.
  std::filesystem::rename(bed.remote.bare(), bed.remote.bare() + ".away");
  Exit vanished = bed.sync();
  CHECK(vanished.code == 8);
  CHECK(vanished.out.find("does not exist") != std::string::npos);
  CHECK(bed.there("inst/sessions"));
  CHECK(bed.system.log().find("hunter2") == std::string::npos);
}

TEST_CASE("with verify only commits that a trusted key signed are applied") {
  Bed bed;
  const std::string kim = bed.remote.make_key("kim"), eve = bed.remote.make_key("eve");
  bed.system.apply("apiVersion: trove/v1alpha1\nkind: Secret\nmetadata: {name: release-keys}\nspec:\n  data: {kim: \"" +
                   trimmed(read_file(kim + ".pub")) + "\"}\n");
  bed.remote.write("prod/tuning.yaml", group(70));
  bed.remote.commit("signed", kim);
  bed.follow("  verify: {keysRef: {name: release-keys}}\n");
  Exit good = bed.sync();
  INFO(good.out << good.err);
  CHECK(good.code == 0);
  Exit verified = bed.system.ctl({"git", "verify", "shop-prod"});
  CHECK(verified.code == 0);
  CHECK(verified.out.find("signed by kim (SHA256:") != std::string::npos);

  bed.remote.write("prod/tuning.yaml", group(80));
  CHECK(bed.push("by somebody else", eve).code == 8);
  CHECK(bed.system.ctl({"git", "verify", "shop-prod"}).code == 9);
  bed.remote.write("prod/tuning.yaml", group(81));
  Exit unsigned_one = bed.push("by nobody");
  CHECK(unsigned_one.code == 8);
  CHECK(unsigned_one.out.find("is not signed; it is not applied") != std::string::npos);
  CHECK(bed.system.field("cfg/orders-tuning", "{.spec.parameters.max_connections}") == "70");
}

TEST_CASE("a repository that the operator has not allowed is not asked") {
  GitRepo remote;
  System system;
  system.apply("apiVersion: trove/v1alpha1\nkind: GitSource\nmetadata: {name: g}\nspec: {url: \"" + remote.url() + "\"}\n");
  const Exit exit = system.ctl({"git", "sync", "g", "--wait", "--timeout", "60s"});
  CHECK(exit.code == 8);
  CHECK(exit.out.find("ask the operator to start troved with --git-allow") != std::string::npos);
}
