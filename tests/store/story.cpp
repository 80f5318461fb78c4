#include "tests/store/story.hpp"

#include <sqlite3.h>

#include <condition_variable>
#include <mutex>

namespace trove {

namespace {

constexpr const char* kFollowKey = "/after the cut";

enum class Mark : uint64_t { asked = 1, acknowledged, granted, revoking, revoked };
uint64_t mark_of(Mark what, uint64_t number) { return static_cast<uint64_t>(what) << 56 | number; }

std::string text_of_all(const Page& page) {
  std::string text;
  for (const KeyValue& kv : page.items) {
    if (kv.key == kBootEpochKey || kv.key == kFollowKey) continue;
    text += kv.key + "@" + std::to_string(kv.created) + "/" + std::to_string(kv.modified) + "/" +
            std::to_string(kv.lease) + "=" + kv.value + "\n";
  }
  return text;
}

const KeyValue* find(const Page& page, const std::string& key) {
  for (const KeyValue& kv : page.items)
    if (kv.key == key) return &kv;
  return nullptr;
}

}  // namespace

void Story::Known::take(const DiskOp& op) {
  if (op.kind != DiskOp::Kind::mark) return;
  const uint64_t number = op.at & ((uint64_t{1} << 56) - 1);
  switch (static_cast<Mark>(op.at >> 56)) {
    case Mark::asked:
      asked = std::max(asked, number);
      break;
    case Mark::acknowledged:
      acknowledged = std::max(acknowledged, number);
      break;
    case Mark::granted:
      leases.insert(number);
      break;
    case Mark::revoking:
      leases.erase(number);
      break;
    case Mark::revoked:
      revoked.insert(number);
      break;
  }
}

Story::Story(uint64_t seed, std::string path, StoreBounds bounds)
    : rng_(seed), path_(std::move(path)), bounds_(bounds), model_(open_memory_store(clock_)) {
  model_watch_ = std::move(*model_->watch("", "", 0));
  contents_[0] = "";
  boots_[0] = 0;
}

void Story::remember() {
  const Page page = model_->range("", "", 0).value();
  contents_[page.revision] = text_of_all(page);
  boots_[page.revision] = opened_;
  for (const StoreEvent& event : model_watch_->next(Millis{0}).events)
    events_[event.revision].push_back(text_of(event));
}

Revision Story::predict(const Txn& txn) {
  const auto revision = model_->commit(txn);
  remember();
  return revision ? *revision : 0;
}

std::string Story::open(Disk& disk) {
  const Revision before = opened_ == 0 ? 0 : model_->revision();
  disk.mark(mark_of(Mark::asked, before + 1));
  auto opened = open_sqlite_store(path_, clock_, bounds_);
  if (!opened) return "cannot open: " + opened.error().message;
  store_ = std::move(*opened);
  disk.mark(mark_of(Mark::acknowledged, before + 1));
  ++acknowledged_;
  if (++opened_ == 1)
    remember();  // the memory store began with the same commit
  else
    predict(txn({}, {put(kBootEpochKey, std::to_string(opened_))}));
  const Revision now = store_->revision();
  return now == model_->revision() ? "" : "opened at revision " + std::to_string(now);
}

Txn Story::any_change() {
  Txn change;
  std::map<std::string, Op> ops;
  for (uint64_t n = 1 + rng_.below(4); n > 0; --n) {
    const std::string key = "/k/" + std::to_string(rng_.below(16));
    const size_t size = rng_.below(8) == 0 ? 2'000 + rng_.below(9'000) : rng_.below(300);
    const uint64_t lease = leases_.empty() || rng_.below(6) ? 0 : leases_[rng_.below(leases_.size())];
    ops[key] = rng_.below(5) ? put(key, random_text(rng_, 8) + std::string(size, 'v'), lease) : removal(key);
  }
  for (auto& [key, op] : ops) change.ops.push_back(std::move(op));
  switch (rng_.below(4)) {
    case 0:
      change.guards.push_back(absent("/k/" + std::to_string(rng_.below(16))));
      break;
    case 1:
      change.guards.push_back(present(change.ops.front().key));
      break;
    default:
      break;
  }
  if (rng_.below(2)) change.id = "id-" + std::to_string(++ids_);
  return change;
}

std::string Story::commit(Disk& disk, const Txn& txn) {
  const Revision before = model_->revision(), expected = predict(txn);
  if (expected > before && !txn.id.empty()) transactions_[expected] = txn;
  disk.mark(mark_of(Mark::asked, std::max(before, expected)));
  const auto done = store_->commit(txn);
  if ((done ? *done : 0) != expected) return "committed " + (done ? std::to_string(*done) : done.error().message);
  if (!done) return "";
  disk.mark(mark_of(Mark::acknowledged, *done));
  ++acknowledged_;
  return "";
}

// Several at once: they share a batch, or a few.
std::string Story::burst(Disk& disk) {
  const uint64_t count = 2 + rng_.below(10);
  std::mutex mutex;
  std::condition_variable arrived;
  uint64_t answered = 0;
  std::string wrong;
  for (uint64_t i = 0; i < count; ++i) {
    const Txn txn = any_change();
    const Revision before = model_->revision(), expected = predict(txn);
    if (expected > before && !txn.id.empty()) transactions_[expected] = txn;
    disk.mark(mark_of(Mark::asked, std::max(before, expected)));
    store_->commit_async(txn, [&, expected](Result<Revision> done) {
      if (done) disk.mark(mark_of(Mark::acknowledged, *done));
      const std::lock_guard lock(mutex);
      ++answered;
      if (done) ++acknowledged_;
      if ((done ? *done : 0) != expected) wrong = "a burst committed something else";
      arrived.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  arrived.wait(lock, [&] { return answered == count; });
  return wrong;
}

std::string Story::lease(Disk& disk) {
  if (leases_.size() < 3 || rng_.below(2)) {
    const auto granted = store_->grant(Millis{60'000});
    if (!granted || granted->id != model_->grant(Millis{60'000})->id) return "a lease was not granted";
    disk.mark(mark_of(Mark::granted, granted->id));
    leases_.push_back(granted->id);
    return "";
  }
  const uint64_t id = leases_.front();
  leases_.erase(leases_.begin());
  disk.mark(mark_of(Mark::revoking, id));
  (void)model_->revoke({id});
  remember();
  disk.mark(mark_of(Mark::asked, model_->revision()));
  if (!store_->revoke({id})) return "a lease was not revoked";
  disk.mark(mark_of(Mark::acknowledged, model_->revision()));
  disk.mark(mark_of(Mark::revoked, id));
  return store_->revision() == model_->revision() ? "" : "revoking a lease made another revision";
}

std::string Story::write_much(Disk& disk, size_t bytes) {
  Txn change;
  for (size_t done = 0; done < bytes; done += 200'000)
    change.ops.push_back(put("/much/" + std::to_string(done), std::string(200'000, 'm')));
  return commit(disk, change);
}

std::string Story::step(Disk& disk) {
  switch (rng_.below(16)) {
    case 0:
      return lease(disk);
    case 1:
      if (!store_->compact(model_->revision() > 9 ? model_->revision() - 9 : 1)) return "cannot compact";
      return "";
    case 2:
    case 3:
      return burst(disk);
    case 4:
      if (rng_.below(2)) return commit(disk, any_change());
      close();
      return open(disk);
    default:
      return commit(disk, any_change());
  }
}

Story::Found Story::compare(Store& store, const Known& known) const {
  const auto page = store.range("", "", 0);
  if (!page) return {"cannot be read: " + page.error().message};
  const KeyValue* boot = find(*page, kBootEpochKey);
  const KeyValue* follow = find(*page, kFollowKey);
  if (!boot || boot->modified != page->revision) return {"the opening is not the newest revision"};
  const uint64_t boots = std::stoull(boot->value);
  const std::string text = text_of_all(*page);
  Found found;
  found.followed = follow != nullptr;
  found.wrong = "holds revision " + std::to_string(page->revision) + " with what no revision from " +
                std::to_string(known.acknowledged) + " to " + std::to_string(known.asked) + " held";
  for (Revision r = known.acknowledged; r <= known.asked; ++r) {
    const uint64_t openings = boots - boots_.at(r);
    if (boots < boots_.at(r) || r + openings + (follow ? 1 : 0) != page->revision || text != contents_.at(r)) continue;
    found.wrong.clear();
    found.revision = r;
  }
  if (!found.wrong.empty()) return found;

  // The log tells the same story, from the first revision that it still has, each revision once and whole.
  Revision floor = page->revision;  // found by asking, as a watcher would
  for (Revision low = 0, high = page->revision; low <= high;) {
    const Revision middle = low + (high - low) / 2;
    if (store.watch("", "", middle).value()->next(Millis{0}).compacted) {
      low = middle + 1;
    } else {
      floor = middle;
      if (middle == 0) break;
      high = middle - 1;
    }
  }
  auto watch = store.watch("", "", floor).value();
  Revision last = floor;
  std::map<Revision, std::vector<std::string>> told;
  while (last < page->revision) {
    const WatchBatch batch = watch->next(Millis{0});
    if (batch.compacted || batch.events.empty()) return {"the log ends at revision " + std::to_string(last)};
    for (const StoreEvent& event : batch.events) {
      if (event.revision != last && event.revision != last + 1) return {"the log has a gap"};
      last = event.revision;
      told[last].push_back(text_of(event));
    }
  }
  for (const auto& [revision, events] : told)
    if (revision <= found.revision && events != events_.at(revision))
      return {"revision " + std::to_string(revision) + " is not what it was"};
  return found;
}

Story::Found Story::examine(const Known& known, Disk* disk, bool follow) const {
  Found found;
  {
    auto store = open_sqlite_store(path_, clock_, bounds_);
    if (!store) return {"cannot be opened: " + store.error().message};
    found = compare(**store, known);
    if (!found.wrong.empty()) return found;
    for (uint64_t id : known.leases)
      if (!(*store)->keep({id})) return {"lease " + std::to_string(id) + " is gone"};
    for (uint64_t id : known.revoked)
      if ((*store)->keep({id})) return {"lease " + std::to_string(id) + " is back"};
    // A repetition of what is there changes nothing and is answered as before.
    auto repeated = transactions_.upper_bound(found.revision);
    if (repeated != transactions_.begin() && (--repeated, true)) {
      const auto again = (*store)->commit(repeated->second);
      if (!again || *again != repeated->first) return {"a transaction id was forgotten"};
    }
    if (disk) disk->mark(mark_of(Mark::acknowledged, found.revision));
    if (follow) {
      if (!(*store)->commit(txn({}, {put(kFollowKey, "x")}))) return {"cannot be written"};
      if (disk) disk->mark(mark_of(Mark::acknowledged, found.revision + 1));
    }
  }
  found.wrong = structure_of(path_);
  return found;
}

std::string structure_of(const std::string& path) {
  sqlite3* db = nullptr;
  std::string wrong;
  const auto ask = [&](const char* sql, const std::string& expected) {
    sqlite3_stmt* statement = nullptr;
    std::string answer = "no answer";
    if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
      answer = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    if (answer != expected && wrong.empty()) wrong = std::string(sql) + " says " + answer;
  };
  if (sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    ask("PRAGMA integrity_check", "ok");
    ask("SELECT (SELECT log_changes FROM state) = (SELECT count(*) FROM log)", "1");
    ask("SELECT (SELECT log_bytes FROM state) = (SELECT coalesce(sum(64 + length(key) + length(value)), 0) FROM "
        "(SELECT key, value FROM log UNION ALL SELECT key, value FROM old))",
        "1");
    ask("SELECT count(*) FROM kv WHERE modified > (SELECT revision FROM state) OR created > modified", "0");
  } else {
    wrong = "cannot be opened by sqlite3";
  }
  sqlite3_close(db);
  return wrong;
}

}  // namespace trove
