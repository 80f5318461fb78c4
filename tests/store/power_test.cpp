// Power loss: SQLite and our own file handling on a disk that is cut after any operation, in any way that a real one
// may be. TROVE_POWER_SEEDS=100 tells more stories than the everyday test does.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "reconciler/store/seal.hpp"
#include "specs/core/real.hpp"
#include "tests/store/story.hpp"

using namespace trove;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kThinning = 12;  // the same code at a fraction of the speed
#else
constexpr uint64_t kThinning = 1;
#endif

struct Figures {
  uint64_t operations = 0, images = 0, twice = 0, acknowledged = 0, unacknowledged_kept = 0;
};

// One story, told once and then cut after each of its operations.
class Cuts {
 public:
  Cuts(const std::string& root, uint64_t seed, StoreBounds bounds, Figures& figures)
      : root_(root), rng_(seed ^ 0x9e3779b9), figures_(figures), story_(seed, root + "/state/trove.db", bounds) {}

  std::string tell(int steps, size_t much) {
    Disk disk(root_);
    disk.record();
    std::string wrong = story_.open(disk);
    for (int i = 0; i < steps && wrong.empty(); ++i) wrong = story_.step(disk);
    if (wrong.empty() && much > 0) wrong = quiet_checkpoint(disk, much);
    story_.close();
    notes_ = disk.take_notes();
    figures_.acknowledged += story_.acknowledged();
    return wrong;
  }

  // Every prefix as kill -9 would leave it, and as a power loss would: with nothing unsynced, and with some of it.
  std::string replay(uint64_t torn_each, uint64_t every = 1) {
    DiskModel model;
    Story::Known known;
    DiskModel::Files durable;
    uint64_t number = 0;
    for (const DiskOp& op : notes_) {
      model.apply(op);
      known.take(op);
      ++figures_.operations;
      if (++number % every != 0) continue;
      if (op.kind == DiskOp::Kind::mark) continue;  // changes what must be there at the next cut, not what is
      std::vector<std::pair<const char*, DiskModel::Files>> images;
      const bool synced = op.kind == DiskOp::Kind::sync || op.kind == DiskOp::Kind::sync_directory;
      if (!synced) images.emplace_back("killed", model.cached());
      if (DiskModel::Files now = model.durable(); now != durable) {
        durable = now;
        images.emplace_back("synced", std::move(now));
      }
      for (uint64_t i = 0; i < torn_each; ++i) images.emplace_back("torn", model.torn(rng_));
      for (auto& [how, files] : images)
        if (std::string wrong = examine(std::move(files), known); !wrong.empty())
          return "cut after operation " + std::to_string(number) + " of " + std::to_string(notes_.size()) + ", " + how +
                 ": " + wrong;
    }
    return "";
  }

 private:
  // A write-ahead log big enough to be given back, and a moment of rest to do so.
  std::string quiet_checkpoint(Disk& disk, size_t much) {
    if (std::string wrong = story_.write_much(disk, much); !wrong.empty()) return wrong;
    const std::string log = root_ + "/state/trove.db-wal";
    if (!eventually([&] { return std::filesystem::file_size(log) == 0; })) return "the log was not truncated";
    for (int i = 0; i < 10; ++i)
      if (std::string wrong = story_.step(disk); !wrong.empty()) return wrong;
    return "";
  }

  std::string examine(DiskModel::Files files, const Story::Known& known) {
    ++figures_.images;
    // Whatever the shared index holds after a cut, it must not matter.
    if (files.contains("state/") && rng_.below(4) == 0)
      files["state/trove.db-shm"] = random_text(rng_, 32'768 * rng_.below(2) + rng_.below(300));
    put_files(root_, files);
    const bool again = rng_.below(16) == 0;  // cut once more, while it recovers
    Story::Found found;
    DiskModel platter;
    std::vector<DiskOp> notes;
    {
      Disk disk(root_);
      if (again) disk.record();
      for (const DiskOp& op : disk.take_notes()) platter.apply(op);
      found = story_.examine(known, &disk, again);
      notes = disk.take_notes();
    }
    if (!found.wrong.empty()) return found.wrong;
    if (found.revision > known.acknowledged) ++figures_.unacknowledged_kept;
    return again ? cut_again(std::move(platter), notes, known, found.revision) : "";
  }

  std::string cut_again(DiskModel model, const std::vector<DiskOp>& notes, Story::Known known, Revision recovered) {
    const uint64_t cut = rng_.below(notes.size() + 1);
    int marks = 0;  // that it is open; that it committed
    for (uint64_t i = 0; i < cut; ++i) {
      model.apply(notes[i]);
      if (notes[i].kind != DiskOp::Kind::mark) continue;
      ++marks;
      known.acknowledged = known.asked = recovered;  // once it was told, nothing else will do
    }
    ++figures_.images;
    ++figures_.twice;
    put_files(root_, rng_.below(3) ? model.torn(rng_) : model.durable());
    const Disk disk(root_);
    const Story::Found found = story_.examine(known);
    if (!found.wrong.empty()) return "cut again after " + std::to_string(cut) + ": " + found.wrong;
    if (marks == 2 && !found.followed) return "cut again: the commit after the recovery is lost";
    return "";
  }

  const std::string root_;
  SeededRng rng_;
  Figures& figures_;
  Story story_;
  std::vector<DiskOp> notes_;
};

}  // namespace

TEST_CASE("whenever the power fails all that was acknowledged is there and nothing else") {
  const char* wanted = std::getenv("TROVE_POWER_SEEDS");
  const uint64_t seeds = wanted ? std::strtoull(wanted, nullptr, 10) : 2;
  RealClock clock;
  const Millis begin = clock.monotonic();
  Figures figures;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    const MemoryDir directory;
    // So small that checkpoints and the sweeping of the log happen all the time.
    Cuts cuts(directory.path(), seed, {.log_changes = 40, .log_bytes = 60'000, .wal_bytes = 120'000}, figures);
    REQUIRE(cuts.tell(32, 0) == "");
    REQUIRE(cuts.replay(2, kThinning) == "");
  }
  CHECK(figures.operations > 400 * seeds / kThinning);  // or else nobody took the notes
  CHECK(figures.unacknowledged_kept > 0);               // the cuts fell inside of commits, too
  std::printf(
      "{\"row\":\"power_loss\",\"images\":%llu,\"operations\":%llu,\"cut_twice\":%llu,\"acknowledged\":%llu,"
      "\"kept_unacknowledged\":%llu,\"lost\":0,\"seconds\":%.1f}\n",
      static_cast<unsigned long long>(figures.images), static_cast<unsigned long long>(figures.operations),
      static_cast<unsigned long long>(figures.twice), static_cast<unsigned long long>(figures.acknowledged),
      static_cast<unsigned long long>(figures.unacknowledged_kept),
      static_cast<double>((clock.monotonic() - begin).count()) / 1000);
}

TEST_CASE("nothing is lost when the power fails while the log is given back to the disk") {
  Figures figures;
  const MemoryDir directory;
  Cuts cuts(directory.path(), 4711, {.wal_bytes = 120'000}, figures);
  REQUIRE(cuts.tell(4, 1'200'000) == "");
  REQUIRE(cuts.replay(1, 29 * kThinning) == "");
}

TEST_CASE("a key file is whole or absent whenever the power fails") {
  const MemoryDir directory;
  const std::string path = directory.path() + "/master.key";
  SeededRng rng(7);
  std::vector<DiskOp> notes;
  std::string derived;
  {
    Disk disk(directory.path());
    disk.record();
    derived = Sealer::open(path, true, rng).value().derive("x").reveal();
    disk.mark(1);
    notes = disk.take_notes();
  }
  REQUIRE(notes.size() > 5);
  DiskModel model;
  bool acknowledged = false;
  size_t images = 0;
  const auto check = [&](const DiskModel::Files& files) {
    ++images;
    put_files(directory.path(), files);
    const Disk disk(directory.path());
    const auto there = Sealer::open(path, false, rng);
    if (!there) {
      CHECK(code_of(there) == "not_found");
      CHECK_FALSE(acknowledged);
      CHECK(code_of(Sealer::open(path, true, rng)) == "ok");
    } else {
      CHECK(there->derive("x").reveal() == derived);
    }
  };
  for (const DiskOp& op : notes) {
    model.apply(op);
    acknowledged = acknowledged || op.kind == DiskOp::Kind::mark;
    check(model.cached());
    check(model.durable());
    for (int i = 0; i < 10; ++i) check(model.torn(rng));
  }
  CHECK(images > 60);
}

TEST_CASE("a backup is whole or absent whenever the power fails") {
  const MemoryDir directory, elsewhere;
  FakeClock clock;
  auto store = open_sqlite_store(elsewhere.path() + "/trove.db", clock).value();
  for (int i = 0; i < 20; ++i) put_now(*store, "/k/" + std::to_string(i), std::string(3'000, 'v'));
  const std::string path = directory.path() + "/copy.db";
  std::vector<DiskOp> notes;
  {
    Disk disk(directory.path());
    disk.record();
    REQUIRE(store->backup(path));
    disk.mark(1);
    notes = disk.take_notes();
  }
  REQUIRE(notes.size() > 20);
  SeededRng rng(7);
  DiskModel model;
  bool acknowledged = false;
  size_t whole = 0, absent_ones = 0;
  const auto check = [&](const DiskModel::Files& files) {
    if (!files.contains("copy.db")) {
      ++absent_ones;
      CHECK_FALSE(acknowledged);
      return;
    }
    put_files(directory.path(), files);
    const Disk disk(directory.path());
    auto copy = open_sqlite_store(path, clock);
    REQUIRE(code_of(copy) == "ok");
    CHECK((*copy)->range("/k/", prefix_end("/k/"), 0)->items.size() == 20);
    copy->reset();
    CHECK(structure_of(path) == "");
    ++whole;
  };
  for (const DiskOp& op : notes) {
    model.apply(op);
    acknowledged = acknowledged || op.kind == DiskOp::Kind::mark;
    check(model.cached());
    check(model.durable());
    for (int i = 0; i < 5; ++i) check(model.torn(rng));
  }
  CHECK(whole > 0);
  CHECK(absent_ones > 0);
}
