// The numbers of the SQLite store on this disk. One line each: what, how many, how fast.
// Usage: bench_store [directory on the disk to measure]
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>
#include "reconciler/store/store.hpp"
#include "specs/core/real.hpp"

using namespace trove;

namespace {

double now_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

Op put(std::string key, size_t bytes) { return {Op::Kind::put, std::move(key), std::string(bytes, 'v'), 0}; }

void commit(Store& store, const Txn& txn) {
  auto result = store.commit(txn);
  if (result) return;
  std::fprintf(stderr, "commit: %s\n", result.error().message.c_str());
  std::exit(1);
}

void one_by_one(Store& store) {
  std::vector<double> took;
  for (int i = 0; i < 500; ++i) {
    const double start = now_ms();
    commit(store, Txn{{}, {put("/one/" + std::to_string(i % 50), 1'000)}});
    took.push_back(now_ms() - start);
  }
  std::sort(took.begin(), took.end());
  std::printf("%-44s p50 %.2f ms, p99 %.2f ms\n", "one durable commit of 1 kB", took[250], took[495]);
}

void many_writers(Store& store, int writers, int each) {
  const double start = now_ms();
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&, w] {
      for (int i = 0; i < each; ++i) commit(store, Txn{{}, {put("/w/" + std::to_string(w), 1'000)}});
    });
  for (auto& thread : threads) thread.join();
  const std::string what = std::to_string(writers) + " writers, 1 kB each";
  std::printf("%-44s %.0f commits/s\n", what.c_str(), writers * each / (now_ms() - start) * 1e3);
}

void big_commit(Store& store, const char* what) {
  Txn txn;
  for (int i = 0; i < 5'000; ++i) txn.ops.push_back(put("/spec/p/Database/d" + std::to_string(i), 1'000));
  const double start = now_ms();
  commit(store, txn);
  std::printf("%-44s %.0f ms\n", what, now_ms() - start);
}

void reads(Store& store) {
  double start = now_ms();
  for (int i = 0; i < 50'000; ++i) (void)store.get("/spec/p/Database/d" + std::to_string(i % 5'000));
  std::printf("%-44s %.0f reads/s\n", "get of 1 kB", 50'000 / (now_ms() - start) * 1e3);
  start = now_ms();
  size_t items = 0;
  for (int i = 0; i < 20; ++i) items += store.range("/spec/", prefix_end("/spec/"), 0).value().items.size();
  std::printf("%-44s %.0f rows/s\n", "range of 5,000 x 1 kB", static_cast<double>(items) / (now_ms() - start) * 1e3);
}

void watched(Store& store) {
  auto watch = store.watch("/seen/", prefix_end("/seen/"), store.revision()).value();
  std::vector<double> took;
  for (int i = 0; i < 200; ++i) {
    std::atomic<double> committed{0};
    store.commit_async(Txn{{}, {put("/seen/x", 100)}}, [&](Result<Revision>) { committed = now_ms(); });
    while (watch->next(Millis{1'000}).events.empty()) {
    }
    const double seen = now_ms();
    while (committed == 0) std::this_thread::yield();
    took.push_back(std::max(0.0, seen - committed));
  }
  std::sort(took.begin(), took.end());
  std::printf("%-44s p50 %.3f ms, p99 %.3f ms\n", "from acknowledged to seen by a watcher", took[100], took[197]);
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = std::string(argc > 1 ? argv[1] : "/tmp") + "/trove-bench-XXXXXX";
  if (!::mkdtemp(directory.data())) return 1;
  RealClock clock;
  {
    auto store = open_sqlite_store(directory + "/trove.db", clock);
    if (!store) {
      std::fprintf(stderr, "%s\n", store.error().message.c_str());
      return 1;
    }
    one_by_one(**store);
    for (const int writers : {4, 16}) many_writers(**store, writers, 200);
    big_commit(**store, "one commit of 5,000 x 1 kB, new keys");
    big_commit(**store, "one commit of 5,000 x 1 kB, changed keys");
    reads(**store);
    watched(**store);
  }
  const double start = now_ms();
  { auto store = open_sqlite_store(directory + "/trove.db", clock); }
  std::printf("%-44s %.0f ms\n", "open and close", now_ms() - start);
  std::filesystem::remove_all(directory);
}
