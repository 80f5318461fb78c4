#include "reconciler/loop/runner.hpp"

#include "specs/core/log.hpp"

namespace trove {
namespace {
constexpr Millis kWatchWait{30'000};
}

Result<std::unique_ptr<Runner>> Runner::start(Loop& loop, Store& store) {
  Result<Revision> revision = loop.load();
  if (!revision) return tl::unexpected(revision.error());
  std::unique_ptr<Runner> runner(new Runner(loop, store));
  auto watch = store.watch("/spec/", prefix_end("/spec/"), *revision);
  if (!watch) return tl::unexpected(watch.error());
  runner->watch_ = std::move(*watch);
  runner->pump_thread_ = std::thread([r = runner.get()] { r->pump(); });
  runner->loop_thread_ = std::thread([r = runner.get()] { r->run(); });
  return runner;
}

Runner::~Runner() {
  stopping_ = true;
  if (watch_) watch_->cancel();
  loop_.wake();
  if (pump_thread_.joinable()) pump_thread_.join();
  if (loop_thread_.joinable()) loop_thread_.join();
}

void Runner::pump() {
  while (!stopping_) {
    WatchBatch batch = watch_->next(kWatchWait);
    if (stopping_) return;
    if (batch.compacted) {
      read_again();
      continue;
    }
    loop_.deliver(std::move(batch));
  }
}

// The loop fell behind the kept history: it is given everything, and the watch goes on from there.
void Runner::read_again() {
  const Revision revision = store_.revision();
  auto watch = store_.watch("/spec/", prefix_end("/spec/"), revision);
  if (!watch) {
    log::error("the store cannot be watched", {{"why", watch.error().message}});
    return;
  }
  std::vector<StoreEvent> all;
  std::string first = "/spec/";
  while (true) {
    auto page = store_.range(first, prefix_end("/spec/"), 1000);
    if (!page) {
      log::error("the store cannot be read", {{"why", page.error().message}});
      return;
    }
    for (KeyValue& item : page->items) {
      first = item.key + std::string(1, '\0');
      all.push_back({item.modified, std::move(item.key), std::move(item.value), false, item.created});
    }
    if (!page->more) break;
  }
  watch_ = std::move(*watch);
  loop_.deliver_all(std::move(all), revision);
}

void Runner::run() {
  while (!stopping_) {
    const Millis wait = loop_.step();
    if (wait > Millis{0}) loop_.wait(wait);
  }
}

}  // namespace trove
