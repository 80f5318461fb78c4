// The real store interface, loop, planner, guardian and hub over the simulated cloud and guests, on a clock that the
// test moves. One thread.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "providers/sim/sim_cloud.hpp"
#include "providers/sim/sim_guest.hpp"
#include "reconciler/loop/loop.hpp"
#include "specs/core/log.hpp"
#include "specs/decode.hpp"
#include "specs/yaml.hpp"
#include "support/clock.hpp"
#include "support/temp_dir.hpp"

namespace trove {

class LoopWorld {
 public:
  explicit LoopWorld(uint64_t seed = 1) : rng(seed), cloud(clock, rng, SimOptions::instant()) {
    log::configure(log::Level::error, log::Format::text);
    store = open_memory_store(clock);
    // One key for all worlds of a program: making its file durable takes longer than most of these tests.
    static const Sealer shared = [] {
      TempDir dir;
      SeededRng key_rng(1);
      return *Sealer::open(dir.path().string() + "/key", true, key_rng);
    }();
    sealer = std::make_unique<Sealer>(shared);
    boot();
  }
  // A new control plane over the same store and cloud, as after a crash.
  void boot() {
    loop.reset();
    watch.reset();
    hub = std::make_unique<Hub>(*sealer, nullptr);
    objects = std::make_unique<Objects>(*store, clock);
    loop = std::make_unique<Loop>(*objects, cloud, *sealer, *hub, executor, clock, rng, options);
    const Revision revision = *loop->load();
    watch = std::move(*store->watch("/spec/", prefix_end("/spec/"), revision));
    reported.clear();
  }
  // Applies YAML as the API would, without its checks. Returns the objects as stored.
  void apply(const std::string& yaml) {
    YamlStream stream = parse_yaml(yaml, "test.yaml");
    if (!stream.problems.empty()) throw std::runtime_error(to_string(stream.problems));
    for (size_t i = 0; i < stream.documents.size(); ++i) {
      Problems problems;
      auto resource = decode_resource(stream.documents[i], "p", "test.yaml", static_cast<int>(i), problems);
      if (!resource) throw std::runtime_error(to_string(problems));
      put(std::move(*resource));
    }
  }
  void put(Resource resource, bool with_annotations = false) {
    auto current = *objects->get(resource.key());
    if (current) {
      Value annotations = std::move(resource.metadata.annotations);
      resource.metadata = current->metadata;
      if (with_annotations) resource.metadata.annotations = std::move(annotations);
      ++resource.metadata.generation;
    } else {
      resource.metadata.generation = 1;
      if (!objects->take_retained(resource)) resource.metadata.uid = new_uid(rng);
      resource.metadata.creation_timestamp = clock.wall();
      if (resource.kind == "Secret")
        for (Value::Member& m : resource.spec.find("data")->mutable_members())
          m.value = sealer->seal(Secret(m.value.text()), secret_place(resource, m.key), rng);
    }
    Txn txn;
    objects->stage_put(txn, resource, "user:test");
    if (auto done = objects->commit(txn); !done) throw std::runtime_error(done.error().message);
  }
  void remove(const std::string& kind, const std::string& name) {
    auto current = *objects->get({"p", kind, name});
    if (!current) throw std::runtime_error("no " + kind + "/" + name);
    current->metadata.deletion_timestamp = clock.wall();
    ++current->metadata.generation;
    Txn txn;
    objects->stage_put(txn, *current, "user:test");
    if (auto done = objects->commit(txn); !done) throw std::runtime_error(done.error().message);
  }
  std::optional<Resource> get(const std::string& kind, const std::string& name) {
    return *objects->get({"p", kind, name});
  }
  std::string condition(const std::string& kind, const std::string& name, const std::string& type) {
    auto resource = get(kind, name);
    if (!resource) return "(gone)";
    const auto conditions = conditions_of(resource->status);
    const Condition* c = find_condition(conditions, type);
    return c ? c->status : "(none)";
  }

  // One turn: news in, one step, guests answer. Returns how long nothing would happen.
  Millis turn() {
    WatchBatch batch = watch->next(Millis{0});
    bool news = !batch.events.empty() || batch.compacted;
    // As in production, progress without an event for us is not news that arrives in time.
    if (news) loop->deliver(std::move(batch));
    Millis wait = loop->step();
    if (guests_answer)
      for (const auto& [id, server] : cloud.servers()) {
        if (server.status != Server::Status::active || silent.contains(id)) continue;
        const std::string token = to_string(server.token);
        // A guest that has worked through its document has nothing to say until the next one or the next heartbeat.
        const auto& [said, at] = reported[token];
        const bool due = clock.wall() - at > Millis{20'000} || adjust;
        auto document = hub->document(token, due ? "" : said.document_digest, Millis{0});
        if (!document || !*document) continue;
        SimDisk& disk = cloud.disks[server.volume_id.empty() ? id : server.volume_id];
        guest::Report report = sim_guest_report(**document, disk, clock.wall());
        if (adjust) adjust(report, **document);
        Time& last = reported[token].second;
        if (!(reported[token].first == report) || clock.wall() - last > Millis{20'000}) {
          for (const auto& backup : report.backups)
            if (backup.state == "Completed") cloud.objects()["p/" + backup.id] = {"p/" + backup.id, 1};
          reported[token] = {report, clock.wall()};
          (void)hub->report(token, report);
          wait = Millis{0};
        }
      }
    return news ? Millis{0} : wait;
  }
  // Turns until `limit` of simulated time has passed.
  void run(Millis limit) {
    const Millis end = clock.monotonic() + limit;
    for (int turns = 0; clock.monotonic() < end && turns < 200'000; ++turns) {
      Millis wait = turn();
      if (wait > Millis{0}) clock.advance(std::min(wait, end - clock.monotonic()));
    }
  }

  FakeClock clock;
  SeededRng rng;
  SimCloud cloud;
  InlineExecutor executor;
  std::unique_ptr<Store> store;
  std::unique_ptr<Sealer> sealer;
  std::unique_ptr<Objects> objects;
  std::unique_ptr<Hub> hub;
  std::unique_ptr<Loop> loop;
  std::unique_ptr<Watch> watch;
  LoopOptions options;  // of the next boot()
  bool guests_answer = true;
  std::set<std::string> silent;  // server ids
  std::function<void(guest::Report&, const guest::Document&)> adjust;
  std::map<std::string, std::pair<guest::Report, Time>> reported;
};

}  // namespace trove
