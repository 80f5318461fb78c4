#include "cli/watch.hpp"

#include <algorithm>

namespace trove::cli {

Watcher::Watcher(const Settings& settings, Interrupt& interrupt, std::vector<const Kind*> kinds, std::string selector,
                 std::string fields)
    : settings_(settings), interrupt_(interrupt), selector_(std::move(selector)), fields_(std::move(fields)) {
  interrupt_.on_raise([this] {
    std::lock_guard lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  });
  if (interrupt_.raised()) interrupted_ = true;
  for (const Kind* kind : kinds) threads_.emplace_back([this, kind] { follow(*kind); });
}

Watcher::~Watcher() {
  interrupt_.on_raise({});
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    for (Api* api : open_) api->stop();
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

std::optional<WatchEvent> Watcher::next(Millis most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::max(most, Millis{0}), [&] { return interrupted_ || !queue_.empty(); });
  if (interrupted_ || queue_.empty()) return std::nullopt;
  WatchEvent event = std::move(queue_.front());
  queue_.pop_front();
  changed_.notify_all();   // a full queue has room again
  return event;
}

void Watcher::push(WatchEvent event) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stop_ || queue_.size() < kWatchQueue; });
  if (stop_) return;
  queue_.push_back(std::move(event));
  changed_.notify_all();
}

bool Watcher::stopped_after(Millis pause) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, pause, [&] { return stop_; });
}

void Watcher::follow(const Kind& kind) {
  Millis pause = kWatchRetryFirst;
  auto made = Api::connect(settings_);
  if (!made) return push({WatchEvent::What::trouble, &kind, {}, made.error()});
  Api& api = **made;
  {
    std::lock_guard lock(mutex_);
    if (stop_) return;
    open_.push_back(&api);
  }
  for (;;) {
    auto listing = api.list(kind, selector_, fields_);
    Failure trouble;
    if (listing) {
      pause = kWatchRetryFirst;
      std::string revision = listing->revision;
      push({WatchEvent::What::listed, &kind, std::move(listing->items), {}});
      bool again = true;
      while (again) {   // a stream that simply ends goes on where it ended
        again = false;
        std::string before = revision;
        auto ended = api.watch(kind, revision, [&](const Value& line) {
          const std::string& type = line["type"].text();
          if (type == "ERROR") return again = false;
          if (line["revision"].is_int()) revision = std::to_string(line["revision"].int_or(0));
          else if (line["revision"].is_string()) revision = line["revision"].text();
          again = revision != before;
          if (type == "BOOKMARK") return true;
          push(
              {type == "DELETED" ? WatchEvent::What::deleted : WatchEvent::What::changed, &kind, {line["object"]}, {}});
          return true;
        });
        if (!ended) {
          again = false;
          if (ended.error().code != "EXPIRED") trouble = ended.error();  // else: list again
        }
      }
    } else {
      trouble = listing.error();
    }
    {
      std::lock_guard lock(mutex_);
      if (stop_) break;
    }
    if (!trouble.message.empty()) push({WatchEvent::What::trouble, &kind, {}, trouble});
    if (stopped_after(pause)) break;
    pause = std::min(pause * 2, kWatchRetryMost);
  }
  std::lock_guard lock(mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), &api));
}

}  // namespace trove::cli
