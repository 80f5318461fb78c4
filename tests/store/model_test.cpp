// The SQLite store against the memory store: the same random life, the same answers, through closing and opening.
#include <catch2/catch.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include "tests/store/stores.hpp"

using namespace trove;

namespace {

class Pair {
 public:
  explicit Pair(uint64_t seed)
      : rng_(seed), model_(Backend::memory), real_(Backend::sqlite, {}, StoreUnderTest::Syncs::none) {}

  // "" or what differs.
  std::string step() {
    switch (rng_.below(15)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return commit();
      case 5:
        return get();
      case 6:
      case 7:
        return range();
      case 8:
        return grant();
      case 9:
        return lease_verb();
      case 10:
        return advance();
      case 11:
        return rng_.below(4) ? "" : compact();
      case 12:
        return watch();
      case 13:
        return burst();
      default:
        return rng_.below(3) ? "" : reopen();
    }
  }
  std::string all() {
    return differ("everything", described(model_->range("", "", 0)), described(real_->range("", "", 0)));
  }

 private:
  std::string key() { return "/k/" + std::string(1 + rng_.below(2), static_cast<char>('a' + rng_.below(5))); }
  Revision any_revision() { return rng_.below(model_->revision() + 2); }
  uint64_t any_lease() { return leases_.empty() ? 7'777 : leases_[rng_.below(leases_.size())].id; }

  std::string commit() {
    const Txn change = any_change();
    std::string wrong;
    for (uint64_t n = 1 + rng_.below(2); n > 0 && wrong.empty(); --n)
      wrong = differ("commit", described(model_->commit(change)), described(real_->commit(change)));
    return wrong;
  }

  // Without waiting for each other: they may share a batch, and must not notice.
  std::string burst() {
    const size_t count = 2 + rng_.below(8);
    std::mutex mutex;
    std::condition_variable answered;
    std::vector<std::string> model, real;
    for (size_t i = 0; i < count; ++i) {
      const Txn change = any_change();
      model_->commit_async(change, [&](Result<Revision> done) { model.push_back(described(done)); });
      real_->commit_async(change, [&](Result<Revision> done) {
        const std::lock_guard lock(mutex);
        real.push_back(described(done));
        answered.notify_one();
      });
    }
    std::unique_lock lock(mutex);
    answered.wait(lock, [&] { return real.size() == count; });
    return differ("burst", joined(model), joined(real));
  }

  Txn any_change() {
    Txn change;
    for (uint64_t n = rng_.below(3); n > 0; --n) {
      const std::string k = key();
      const auto now = model_->get(k).value();
      switch (rng_.below(4)) {
        case 0:
          change.guards.push_back(now ? present(k) : absent(k));
          break;
        case 1:
          change.guards.push_back(modified_is(k, now ? now->modified : 0));
          break;
        case 2:
          change.guards.push_back(created_is(k, now ? now->created : 0));
          break;
        default:
          change.guards.push_back({static_cast<Guard::What>(rng_.below(4)), k, any_revision()});
      }
    }
    std::map<std::string, Op> ops;
    for (uint64_t n = rng_.below(5); n > 0; --n) {
      const std::string k = key();
      ops[k] = rng_.below(3) ? put(k, random_text(rng_, rng_.below(50)), rng_.below(5) ? 0 : any_lease()) : removal(k);
    }
    for (auto& [k, op] : ops) change.ops.push_back(op);
    if (rng_.below(30) == 0 && !change.ops.empty()) change.ops.push_back(change.ops.front());  // refused
    if (rng_.below(3) == 0) change.id = "id-" + std::to_string(rng_.below(4) ? ++ids_ : rng_.below(ids_ + 1));
    return change;
  }

  std::string get() {
    const std::string k = key();
    return differ("get", described(model_->get(k)), described(real_->get(k)));
  }

  std::string range() {
    std::string first = key(), last = rng_.below(8) ? key() : "";
    const size_t limit = rng_.below(6);
    const Revision at = rng_.below(2) ? any_revision() : 0;
    return differ("range", described(model_->range(first, last, limit, at)),
                  described(real_->range(first, last, limit, at)));
  }

  std::string grant() {
    const Millis ttl{static_cast<int64_t>(rng_.below(5'000))};
    const auto a = model_->grant(ttl), b = real_->grant(ttl);
    if (a) leases_.push_back(*a);
    return differ("grant", a ? std::to_string(a->id) : code_of(a), b ? std::to_string(b->id) : code_of(b));
  }

  std::string lease_verb() {
    const Lease lease{any_lease()};
    if (rng_.below(3) == 0) return differ("revoke", code_of(model_->revoke(lease)), code_of(real_->revoke(lease)));
    return differ("keep", code_of(model_->keep(lease)), code_of(real_->keep(lease)));
  }

  // An empty commit lets both stores end what has expired.
  std::string advance(Millis by = Millis{-1}) {
    if (by < Millis{0}) by = Millis{static_cast<int64_t>(rng_.below(2'000))};
    model_.clock.advance(by);
    real_.clock.advance(by);
    return differ("expiry", described(model_->commit(Txn{})), described(real_->commit(Txn{})));
  }

  std::string compact() {
    const Revision before = any_revision();
    return differ("compact", code_of(model_->compact(before)), code_of(real_->compact(before)));
  }

  std::string watch() {
    const std::string first = key(), last = prefix_end("/k/");
    const Revision after = any_revision(), newest = model_->revision();
    const auto a = collect(*model_->watch(first, last, after).value(), newest, Millis{0});
    const auto b = collect(*real_->watch(first, last, after).value(), newest, Millis{0});
    return differ("watch", joined(a), joined(b));
  }

  std::string reopen() {
    if (auto wrong = advance(Millis{0}); !wrong.empty()) return wrong;
    real_.reopen();
    put_now(*model_, kBootEpochKey, std::to_string(++boots_));
    for (const Lease& lease : leases_) (void)model_->keep(lease);  // leases start over with a process
    return all();
  }

  static std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += line + "\n";
    return out;
  }
  static std::string described(const Result<Revision>& r) {
    return r ? std::to_string(*r) : code_of(r) + ": " + r.error().message;
  }
  static std::string described(const KeyValue& kv) {
    return kv.key + "=" + kv.value + "@" + std::to_string(kv.created) + "/" + std::to_string(kv.modified) + "/" +
           std::to_string(kv.lease);
  }
  static std::string described(const Result<std::optional<KeyValue>>& r) {
    return !r ? code_of(r) : *r ? described(**r) : "absent";
  }
  static std::string described(const Result<Page>& r) {
    if (!r) return code_of(r);
    std::string out = std::to_string(r->revision) + (r->more ? " more\n" : "\n");
    for (const auto& kv : r->items) out += described(kv) + "\n";
    return out;
  }
  static std::string differ(const std::string& what, const std::string& model, const std::string& real) {
    return model == real ? "" : what + ": the model says\n" + model + "\nthe store says\n" + real;
  }

  SeededRng rng_;
  StoreUnderTest model_, real_;
  std::vector<Lease> leases_;
  uint64_t ids_ = 0, boots_ = 1;
};

}  // namespace

TEST_CASE("the durable store lives the life of the model") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr uint64_t kSeeds = 6;
#else
  constexpr uint64_t kSeeds = 40;
#endif
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Pair pair(seed);
    for (int step = 0; step < 200; ++step) {
      const std::string wrong = pair.step();
      INFO("seed " << seed << ", step " << step);
      REQUIRE(wrong == "");
    }
    REQUIRE(pair.all() == "");
  }
}
