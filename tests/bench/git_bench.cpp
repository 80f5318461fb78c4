// What a GitSource costs: 10,000 files applied from nothing, then one change. Real git, a durable store, the real road;
// no cloud behind it. bench_git [files]
#include <cstdio>
#include <cstdlib>

#include "reconciler/gitops/gitops.hpp"
#include "specs/core/log.hpp"
#include "specs/core/real.hpp"
#include "support/git_repo.hpp"
#include "support/plans.hpp"

using namespace trove;

namespace {

const std::string kHead = "apiVersion: trove/v1alpha1\nkind: ";

void fill(GitRepo& remote, int files) {
  const int instances = files / 20;
  for (int i = 0; i < files; ++i) {
    const std::string n = std::to_string(i), db = "db" + std::to_string(i % instances);
    const std::string path = "prod/" + std::to_string(i % 100) + "/" + n + ".yaml";
    if (i < instances)
      remote.write(path, kHead + "DatabaseInstance\nmetadata: {name: " + db +
                             "}\nspec: {datastore: {type: mariadb}, flavor: db.tiny, volume: {size: 2}}\n");
    else if (i < 2 * instances)
      remote.write(path, kHead + "ConfigurationGroup\nmetadata: {name: c" + n +
                             "}\nspec: {datastore: {type: mariadb}, parameters: {max_connections: 50}}\n");
    else if (i % 2 == 0)
      remote.write(path, kHead + "Database\nmetadata: {name: d" + n + "}\nspec: {instanceRef: {name: " + db + "}}\n");
    else
      remote.write(path, kHead + "User\nmetadata: {name: u" + n + "}\nspec:\n  instanceRef: {name: " + db +
                             "}\n  password: {generate: {}}\n  grants: [{privileges: [SELECT], on: \"d.*\"}]\n");
  }
}

void print(const char* row, const char* unit, double value, double target, const std::string& note) {
  std::printf("{\"row\":\"%s\",\"value\":%.3f,\"unit\":\"%s\",\"target\":%g,\"met\":%s,\"note\":\"%s\"}\n", row, value, unit,
              target, value <= target ? "true" : "false", note.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  log::configure(log::Level::error, log::Format::text);
  const int files = argc > 1 ? std::max(100, std::atoi(argv[1])) : 10'000;
  TempDir data;
  GitRepo remote;
  fill(remote, files);
  remote.commit();
  RealClock clock;
  RealRng rng;
  auto store = open_sqlite_store(data / "trove.db", clock);
  auto sealer = Sealer::open(data / "key", true, rng);
  if (!store || !sealer) return 1;
  Objects objects(**store, clock);
  Applier applier(objects, *sealer, rng, clock);
  FakePlans planner;
  PlanBook plans(objects, applier, *sealer, rng, clock, planner);
  double applying = 0;
  gitops::Gitops git({.objects = objects,
                      .sealer = *sealer,
                      .rng = rng,
                      .clock = clock,
                      .process_clock = clock,
                      .apply =
                          [&](const ApplyOrder& order) {
                            const Millis start = clock.monotonic();
                            auto result = applier.apply(order);
                            applying += static_cast<double>((clock.monotonic() - start).count());
                            return result;
                          },
                      .members = [&](const std::string& p, const std::string& s) { return applier.members(p, s); },
                      .plans = plans,
                      .data = data / "git",
                      .allowed = *gitops::Allowed::parse({remote.directory()})});
  const Key key{"default", "GitSource", "all"};
  Resource source;
  source.kind = key.kind;
  source.metadata.name = key.name;
  source.metadata.project = key.project;
  source.metadata.uid = new_uid(rng);
  source.metadata.generation = 1;
  source.spec = Value::map({{"url", remote.url()}, {"path", "prod"}, {"prune", Value::map({{"enabled", true}})}});
  Txn txn;
  objects.stage_put(txn, source, "user:bench");
  if (!objects.commit(txn) || !git.load()) return 1;
  const auto timed = [&] {
    applying = 0;
    const Millis start = clock.monotonic();
    git.step();
    return static_cast<double>((clock.monotonic() - start).count());
  };
  const auto status = [&] { return objects.get(key).value()->status; };
  const double cold = timed();
  if (status()["objects"].int_or(0) != files || status()["brokenFiles"].int_or(0) != 0) {
    std::fprintf(stderr, "%s\n", status()["lastError"]["message"].text().c_str());
    return 1;
  }
  print("git_cold_10000_files", "s", cold / 1000, 3, std::to_string(static_cast<int>(applying)) + " ms of it in the Applier");
  std::vector<double> warm, warm_applying;
  for (int i = 0; i < 9; ++i) {
    remote.write("prod/0/0.yaml", kHead + "DatabaseInstance\nmetadata: {name: db0}\nspec: {datastore: {type: mariadb}, flavor: db.tiny, "
                                          "volume: {size: " + std::to_string(3 + i) + "}}\n");
    remote.commit();
    if (!git.sync(key, {})) return 1;
    warm.push_back(timed());
    warm_applying.push_back(applying);
  }
  std::sort(warm.begin(), warm.end());
  std::sort(warm_applying.begin(), warm_applying.end());
  print("git_warm_one_change", "ms", warm[4], 100, std::to_string(static_cast<int>(warm_applying[4])) + " ms of it in the Applier; median of 9");
  std::vector<double> idle;
  for (int i = 0; i < 9; ++i) {
    if (!git.sync(key, {})) return 1;
    idle.push_back(timed());
  }
  std::sort(idle.begin(), idle.end());
  print("git_nothing_new", "ms", idle[4], 100, "a look that finds nothing; median of 9");
}
