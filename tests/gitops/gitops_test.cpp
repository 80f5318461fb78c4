// GitSources from a real repository to what they ask to be stored; the road behind that is a fake which keeps the orders.
#include "gitops/bed.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

using namespace trove;
using namespace trove::gitops;

namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

TEST_CASE("a folder of a repository is applied, and only what changed is applied again") {
  Bed bed;
  bed.remote.write("prod/a.yaml", volume("a"));
  bed.remote.write("prod/deep/b.json", dump_json(parse_yaml(group("b"), "").documents.at(0)));
  bed.remote.write("prod/notes.txt", "nothing\n");
  bed.remote.write("prod/kustomization.yaml", "resources: [a.yaml]\n");
  bed.remote.write("prod/helm.yaml", "a: {{ .Values.x }}\n");
  bed.remote.write("prod/deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n");
  bed.remote.write("test/c.yaml", volume("c"));
  const std::string commit = bed.remote.commit();
  bed.source("path: prod/");
  bed.gitops->step();
  CHECK(bed.road.names() == std::set<std::string>{"volume/a", "configurationgroup/b"});
  REQUIRE(bed.road.orders.size() == 1);
  const ApplyOrder& order = bed.road.orders[0];
  CHECK(order.author == "git:prod@" + commit.substr(0, 7));
  CHECK(order.manager == "git:prod");
  CHECK(order.set.name == "git:prod");
  CHECK(order.commit == commit);
  CHECK(order.sources.at(0).file == "prod/deep/b.json");  // what others refer to comes first
  CHECK(order.sources.at(1).document["spec"].at.line == 4);
  CHECK(bed.reason() == "True Applied");
  const Value status = bed.status();
  CHECK(status["appliedCommit"].text() == commit);
  CHECK(status["lastGoodCommit"].text() == commit);
  CHECK(status["files"] == Value(2));
  CHECK(status["skippedFiles"] == Value(4));
  CHECK(status["objects"] == Value(2));

  const Revision before = bed.store->revision();
  bed.later();
  CHECK(bed.road.orders.empty());
  CHECK(bed.store->revision() == before);

  bed.remote.write("prod/a.yaml", volume("a", 2));
  const std::string second = bed.remote.commit("grow a");
  bed.later();
  CHECK(bed.road.documents() == 1);
  CHECK(bed.status()["appliedCommit"].text() == second);
  CHECK(bed.status()["subject"].text() == "grow a");
  CHECK(bed.events().back() ==
        "Normal git.apply applied " + second.substr(0, 7) + " by Kim <kim@shop.example>: 0 created, 1 configured, 0 pruned");
}

TEST_CASE("a broken file is named with its place, the rest is applied, and nothing is pruned meanwhile") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.write("b.yaml", volume("b"));
  bed.remote.write("c.yaml", group("c"));
  bed.remote.commit();
  bed.source("prune: {enabled: true}");
  bed.gitops->step();
  bed.remote.write("a.yaml", "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: a}\nspec: {sise: 1}\n");
  bed.remote.write("b.yaml", "kind: [unfinished\n");
  bed.remote.remove("c.yaml");
  bed.remote.write("d.yaml", group("d"));
  const std::string commit = bed.remote.commit();
  bed.later();
  CHECK(bed.road.names() == std::set<std::string>{"volume/a", "volume/b", "configurationgroup/c", "configurationgroup/d"});
  CHECK(bed.reason() == "False FilesBroken");
  CHECK(bed.reason("Stalled") == "True CONFIG_INVALID");
  const Value broken = bed.status()["broken"];
  CHECK(broken.items().at(0)["file"].text() == "a.yaml");
  CHECK(broken.items().at(0)["line"] == Value(4));
  CHECK(broken.items().at(0)["column"] == Value(8));
  CHECK(broken.items().at(0)["message"].text() == "spec.sise: unknown field. Did you mean \"size\"? (and 1 more)");
  CHECK(broken.items().at(1)["file"].text() == "b.yaml");
  CHECK(bed.status()["appliedCommit"].text() == commit);
  CHECK(bed.status()["lastGoodCommit"].text() != commit);

  const Revision before = bed.store->revision();
  bed.later();
  CHECK(bed.store->revision() == before);

  bed.remote.write("a.yaml", volume("a"));
  bed.remote.write("b.yaml", volume("b"));
  const std::string good = bed.remote.commit();
  bed.later();
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.road.names() == std::set<std::string>{"volume/a", "volume/b", "configurationgroup/d"});
  CHECK(bed.status()["lastGoodCommit"].text() == good);
  CHECK(bed.events().back().find("Normal git.sync recovered") == 0);
}

TEST_CASE("a file whose documents are refused is left out and tried again") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a") + "---\n" + group("a"));
  bed.remote.write("b.yaml", volume("b"));
  bed.remote.commit();
  bed.road.refused_names = {"a"};
  bed.source();
  bed.gitops->step();
  CHECK(bed.road.names() == std::set<std::string>{"volume/b"});
  CHECK(bed.road.orders.size() == 2);
  CHECK(bed.message().find("a.yaml:") == 0);
  CHECK(bed.message().find("volumes cannot shrink") != std::string::npos);
  bed.road.refused_names.clear();
  bed.later();
  CHECK(bed.road.names() == std::set<std::string>{"volume/a", "volume/b", "configurationgroup/a"});
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.status()["lastGoodCommit"].text() == bed.status()["appliedCommit"].text());
}

TEST_CASE("moving a document or a file changes nothing") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a") + "---\n" + group("g"));
  bed.remote.commit();
  bed.source("prune: {enabled: true}");
  bed.gitops->step();
  bed.remote.move("a.yaml", "sub/other.yaml");
  bed.remote.commit();
  bed.later();
  for (const ApplyOrder& order : bed.road.orders) CHECK_FALSE(order.set.prune);
  bed.remote.write("sub/other.yaml", volume("a"));
  bed.remote.write("aa.yaml", group("g"));
  bed.remote.commit();
  bed.later();
  for (const ApplyOrder& order : bed.road.orders) CHECK_FALSE(order.set.prune);
  CHECK(bed.road.members.at({"shop", "ConfigurationGroup", "g"}) == "aa.yaml");
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.status()["objects"] == Value(2));
}

TEST_CASE("what left the repository goes, and what holds data only once it is confirmed") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.write("u.yaml", user("u"));
  bed.remote.write("g.yaml", group("g"));
  bed.remote.commit();
  bed.source("prune: {enabled: true}");
  bed.gitops->step();
  bed.remote.remove("a.yaml");
  bed.remote.remove("u.yaml");
  bed.remote.commit();
  bed.later();
  CHECK(bed.road.names() == std::set<std::string>{"volume/a", "configurationgroup/g"});
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.reason("Progressing") == "True WaitingForApproval");
  CHECK(bed.message("Progressing").find("trovectl git sync prod --confirm volume/a") != std::string::npos);
  CHECK(bed.status()["unconfirmed"].items().at(0).text() == "volume/a");
  const Revision before = bed.store->revision();
  bed.later();
  CHECK(bed.store->revision() == before);

  // A new process knows it from what is stored.
  bed.open();
  bed.gitops->step();
  CHECK(bed.status()["unconfirmed"].items().at(0).text() == "volume/a");
  CHECK(bed.store->revision() == before);

  REQUIRE(bed.sync({"volume/a"}));
  bed.gitops->step();
  CHECK(bed.road.names() == std::set<std::string>{"configurationgroup/g"});
  CHECK(bed.status()["unconfirmed"].is_null());
  CHECK(bed.reason("Progressing") == "False Idle");
}

TEST_CASE("an object that comes back before it is confirmed stays") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.write("b.yaml", volume("b"));
  bed.remote.commit();
  bed.source("prune: {enabled: true}");
  bed.gitops->step();
  bed.remote.remove("a.yaml");
  bed.remote.commit();
  bed.later();
  CHECK(bed.status()["unconfirmed"].size() == 1);
  bed.remote.write("again/a.yaml", volume("a"));
  bed.remote.commit();
  bed.later();
  CHECK(bed.status()["unconfirmed"].is_null());
  REQUIRE(bed.sync({"volume/a"}));
  bed.gitops->step();
  CHECK(bed.road.names().contains("volume/a"));
}

TEST_CASE("an empty folder and a prune beyond its budget delete nothing") {
  Bed bed;
  for (const char* name : {"a", "b", "c"}) bed.remote.write(std::string("p/") + name + ".yaml", group(name));
  bed.remote.write("q/readme.txt", "x");
  bed.remote.commit();
  bed.source("path: p\nprune: {enabled: true, maxDelete: 1}");
  bed.gitops->step();
  bed.remote.remove("p/a.yaml");
  bed.remote.remove("p/b.yaml");
  bed.remote.commit();
  bed.later();
  CHECK(bed.road.names().size() == 3);
  CHECK(bed.reason() == "False PruneRefused");
  bed.later(Millis{700'000});
  CHECK(bed.reason() == "False PruneRefused");  // for as long as it is
  bed.remote.remove("p/c.yaml");
  bed.remote.write("p/keep.txt", "x");
  bed.remote.commit();
  bed.later();
  CHECK(bed.road.names().size() == 3);
  CHECK(bed.reason() == "False Empty");
  bed.source("path: gone\nprune: {enabled: true, maxDelete: 9}");
  bed.later();
  CHECK(bed.road.names().size() == 3);
  CHECK(bed.reason() == "False NotFound");
  bed.source("path: p\nprune: {enabled: true, maxDelete: 9, refuseEmpty: false}");
  bed.later();
  CHECK(bed.road.names().empty());
}

TEST_CASE("a repository or branch that vanished is said so, is tried again, and nothing that was applied goes") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  const std::string commit = bed.remote.commit();
  bed.source("prune: {enabled: true}");
  bed.gitops->step();
  std::filesystem::rename(bed.remote.bare(), bed.remote.bare() + ".away");
  bed.later();
  CHECK(bed.reason() == "False NotFound");
  CHECK(bed.reason("Synced") == "False NotFound");
  CHECK(bed.status()["lastError"]["code"].text() == "GIT_NOT_FOUND");
  CHECK(bed.status()["lastError"]["nextRetry"].is_string());
  CHECK(bed.status()["appliedCommit"].text() == commit);
  CHECK(bed.road.orders.empty());
  const std::string since = bed.status()["lastError"]["since"].text();
  bed.later(Millis{700'000});
  CHECK(bed.status()["lastError"]["since"].text() == since);
  std::filesystem::rename(bed.remote.bare() + ".away", bed.remote.bare());
  bed.later(Millis{700'000});
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.events().back().find("Normal git.sync recovered") == 0);

  bed.source("ref: {branch: release}");
  bed.later();
  CHECK(bed.message().find("there is no refs/heads/release") != std::string::npos);
  CHECK(bed.road.names() == std::set<std::string>{"volume/a"});
}

TEST_CASE("a branch that was rewritten is followed and said to be") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.commit();
  bed.remote.write("b.yaml", volume("b"));
  const std::string second = bed.remote.commit();
  bed.source();
  bed.gitops->step();
  bed.remote.git({"reset", "--quiet", "--hard", "HEAD~1"});
  bed.remote.write("a.yaml", volume("a", 3));
  const std::string other = bed.remote.commit();
  bed.later();
  CHECK(bed.status()["appliedCommit"].text() == other);
  CHECK(bed.status()["rewrittenFrom"].text() == second);
  CHECK(bed.reason("Synced") == "True HistoryRewritten");
  CHECK(bed.events().back().find("Warning git.apply") == 0);
  CHECK(bed.road.specs.at({"shop", "Volume", "a"})["size"] == Value(3));
  CHECK(bed.road.names().contains("volume/b"));
}

TEST_CASE("only signed commits are applied where they have to be, and a way back needs a word") {
  Bed bed;
  const std::string kim = bed.remote.make_key("kim"), eve = bed.remote.make_key("eve");
  bed.secret("release-keys", "kim", read_file(kim + ".pub"));
  bed.remote.write("a.yaml", volume("a"));
  const std::string first = bed.remote.commit("one", kim);
  bed.source("verify: {keysRef: {name: release-keys}}");
  bed.gitops->step();
  CHECK(bed.reason() == "True Applied");
  CHECK(bed.status()["verifiedBy"].text().find("kim (SHA256:") == 0);
  for (const std::string& key : {std::string(), eve}) {
    bed.remote.write("a.yaml", volume("a", 2 + static_cast<int>(key.size() % 3)));
    const std::string bad = bed.remote.commit("bad", key);
    bed.later();
    CHECK(bed.reason() == "False NotVerified");
    CHECK(bed.reason("Stalled") == "True GIT_NOT_VERIFIED");
    CHECK(bed.status()["observedCommit"].text() == bad);
    CHECK(bed.status()["appliedCommit"].text() == first);
    CHECK(bed.road.orders.empty());
    bed.clock.advance(Millis{700'000});
  }
  bed.remote.write("a.yaml", volume("a", 9));
  const std::string good = bed.remote.commit("good", kim);
  bed.later();
  CHECK(bed.status()["appliedCommit"].text() == good);

  bed.remote.git({"push", "--quiet", "--force", bed.remote.bare(), first + ":main"});
  bed.later();
  CHECK(bed.reason() == "False HistoryRewritten");
  CHECK(bed.message().find("trovectl git sync prod --confirm " + first.substr(0, 7)) != std::string::npos);
  CHECK(bed.road.orders.empty());
  REQUIRE(bed.sync({first.substr(0, 7)}));
  bed.gitops->step();
  CHECK(bed.status()["appliedCommit"].text() == first);
}

TEST_CASE("a failing store or a refusal of everything is tried again with growing patience") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.commit();
  bed.road.broken = Refusal{503, "UNAVAILABLE", "System", "the disk is full"};
  bed.source();
  bed.gitops->step();
  CHECK(bed.reason() == "False ApplyFailed");
  CHECK(bed.reason("Stalled") == "False AsExpected");
  CHECK(bed.reason("Synced") == "False TransientError");
  CHECK(bed.status()["appliedCommit"].is_null());
  bed.road.broken.reset();
  bed.later(Millis{40'000});
  CHECK(bed.reason() == "True Applied");
}

TEST_CASE("two files with one object, and objects without a name of their own, are broken files") {
  Bed bed;
  bed.remote.write("a.yaml", volume("v"));
  bed.remote.write("b.yaml", volume("v", 2));
  bed.remote.write("c.yaml",
                   "apiVersion: trove/v1alpha1\nkind: Operation\nmetadata: {generateName: restart-}\n"
                   "spec: {instanceRef: {name: db}, restart: {}}\n");
  bed.remote.write("d.yaml",
                   "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: d, project: other}\nspec: {size: 1}\n");
  std::filesystem::create_symlink("a.yaml", bed.remote.work() + "/e.yaml");
  bed.remote.write("f.yaml", "#" + std::string(2u << 20, 'x') + "\n" + volume("f"));
  bed.remote.commit();
  bed.source();
  bed.gitops->step();
  CHECK(bed.road.specs.at({"shop", "Volume", "v"})["size"] == Value(1));
  const Value broken = bed.status()["broken"];
  REQUIRE(broken.size() == 5);
  const auto said = [&](size_t i) { return broken.items()[i]["file"].text() + " " + broken.items()[i]["message"].text(); };
  CHECK(said(0) == "b.yaml metadata.name: volume/v is also in a.yaml. Keep one of the two.");
  CHECK(said(1).find("in Git every object has a name of its own") != std::string::npos);
  CHECK(said(2).find("d.yaml metadata.project: is other") == 0);
  CHECK(said(3) == "e.yaml is a symbolic link, and links are not followed");
  CHECK(said(4) == "f.yaml is larger than 1024 KiB");
}

TEST_CASE("a suspended source fetches nothing, and one that observes applies nothing") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  const std::string commit = bed.remote.commit();
  bed.source("suspend: true");
  bed.gitops->step();
  CHECK(bed.status()["phase"].text() == "Suspended");
  CHECK(bed.status()["observedCommit"].is_null());
  bed.source("managementPolicy: Observe");
  bed.later();
  CHECK(bed.status()["observedCommit"].text() == commit);
  CHECK(bed.reason() == "True Observed");
  CHECK(bed.road.orders.empty());
  bed.source();
  bed.later();
  CHECK(bed.reason() == "True Applied");
}

TEST_CASE("a source that names a Secret which is not there waits for it") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.commit();
  bed.source("secretRef: {name: login}");
  bed.gitops->step();
  CHECK(bed.reason() == "False SecretMissing");
  bed.secret("login", "password", "hunter2");
  bed.gitops->step();
  CHECK(bed.reason() == "True Applied");
}

TEST_CASE("a webhook wakes a fetch when its signature is good, and says nothing otherwise") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.commit();
  bed.secret("hook", "secret", "s3cret");
  bed.source("webhook: {secretRef: {name: hook}}");
  bed.gitops->step();
  bed.remote.write("a.yaml", volume("a", 2));
  const std::string second = bed.remote.commit();
  http::Request request;
  request.method = "POST";
  request.body = R"({"ref":"refs/heads/main"})";
  const auto call = [&](const char* header, const std::string& value, const char* name = "prod") {
    http::Request signed_one = request;
    signed_one.headers[lower(header)] = value;
    bed.clock.advance(Millis{1'100});
    return bed.gitops->hook("shop", name, signed_one);
  };
  const std::string good = hmac_sha256_hex("s3cret", request.body);
  const auto wrong = call("X-Hub-Signature-256", "sha256=" + hmac_sha256_hex("other", request.body));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().status == 403);
  const auto nobody = call("X-Hub-Signature-256", "sha256=" + good, "nobody");
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().detail == wrong.error().detail);
  CHECK_FALSE(call("X-Hub-Signature-256", ""));
  CHECK_FALSE(call("X-Gitlab-Token", "s3cre"));
  bed.gitops->step();
  CHECK(bed.status()["appliedCommit"].text() != second);
  CHECK(call("X-Hub-Signature-256", "sha256=" + good));
  bed.gitops->step();
  CHECK(bed.status()["appliedCommit"].text() == second);
  CHECK(call("X-Gitea-Signature", good));
  CHECK(call("X-Gitlab-Token", "s3cret"));
  size_t refused = 0;
  for (int i = 0; i < 40; ++i) refused += !bed.gitops->hook("shop", "prod", request) ? 1 : 0;
  const auto throttled = bed.gitops->hook("shop", "prod", request);
  REQUIRE_FALSE(throttled);
  CHECK(throttled.error().status == 429);
}

TEST_CASE("a source that is deleted takes its copy along and leaves what it applied") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.commit();
  bed.source("prune: {enabled: true}");
  bed.gitops->step();
  const std::string uid = bed.objects.get(bed.key).value()->metadata.uid;
  CHECK(std::filesystem::exists(bed.data / "git/" + uid));
  Txn txn;
  bed.objects.stage_remove(txn, *bed.objects.get(bed.key).value());
  REQUIRE(bed.objects.commit(txn));
  bed.gitops->changed(bed.key);
  bed.gitops->step();
  CHECK_FALSE(std::filesystem::exists(bed.data / "git/" + uid));
  CHECK(bed.road.names() == std::set<std::string>{"volume/a"});
  CHECK_FALSE(bed.gitops->state(bed.key));
}

TEST_CASE("the threads notice what is stored, and stop at once") {
  Bed bed;
  bed.remote.write("a.yaml", volume("a"));
  bed.remote.commit();
  bed.open();
  REQUIRE(bed.gitops->start());
  bed.source();
  const Millis start = bed.real.monotonic();
  while (bed.reason() != "True Applied" && bed.real.monotonic() - start < Millis{20'000}) ::usleep(20'000);
  CHECK(bed.reason() == "True Applied");
  bed.gitops->stop();
}
