#include "reconciler/simulate/plane.hpp"

namespace trove::simulate {
namespace {

struct Inside {
  explicit Inside(bool& flag) : flag(flag) { flag = true; }
  ~Inside() { flag = false; }
  bool& flag;
};

constexpr Millis kLookAgain{50};
constexpr int64_t kSegmentBytes = 600;  // every backup is stored in several

}  // namespace

void SlowExecutor::post(std::function<void()> work) {
  if (!slow_) return work();
  constexpr Millis kTakes[] = {Millis{40}, Millis{0}, Millis{250}, Millis{90}, Millis{600}};
  const uint64_t n = posted_++;
  due_[{clock_.monotonic() + kTakes[n % std::size(kTakes)], n}] = std::move(work);
}

void SlowExecutor::run_due() {
  while (!due_.empty() && due_.begin()->first.first <= clock_.monotonic()) {
    auto work = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    work();
  }
}

std::optional<Millis> SlowExecutor::next() const {
  if (due_.empty()) return std::nullopt;
  return std::max(Millis{0}, due_.begin()->first.first - clock_.monotonic());
}

Plane::Plane(std::string name, const Surroundings& around)
    : name_(std::move(name)),
      store_(name_, around.store, around.injector, around.committed),
      cloud_(name_, around.cloud, around.injector, around.deliver, around.seen, around.asked, around.judge,
             around.snapshots),
      injector_(around.injector),
      executor_(around.clock, around.async),
      objects_(store_, around.clock),
      hub_(around.sealer, nullptr),
      loop_(objects_, cloud_, around.sealer, hub_, executor_, around.clock, around.rng,
            {.backup_segment_bytes = kSegmentBytes}),
      applier_(objects_, around.sealer, around.rng, around.clock),
      api_(ApiOptions{.objects = objects_,
                      .applier = applier_,
                      .sealer = around.sealer,
                      .rng = around.rng,
                      .clock = around.clock,
                      .plans = loop_,
                      .guests = hub_,
                      .loop = loop_,
                      .tokens = std::string(kPersonToken) + " * admin person\n",
                      .version = "simulation"}) {}

Result<void> Plane::start() {
  const Inside inside(inside_);
  auto revision = loop_.load();
  if (!revision) return tl::unexpected(revision.error());
  auto watch = store_.watch("/spec/", prefix_end("/spec/"), *revision);
  if (!watch) return tl::unexpected(watch.error());
  watch_ = std::move(*watch);
  return {};
}

// The history that the watch needed is gone: the loop is given everything, as the threads around it do.
void Plane::read_again() {
  const Revision revision = store_.revision();
  auto watch = store_.watch("/spec/", prefix_end("/spec/"), revision);
  auto page = store_.range("/spec/", prefix_end("/spec/"), 0);
  if (!watch || !page) return;
  watch_ = std::move(*watch);
  std::vector<StoreEvent> all;
  for (KeyValue& item : page->items)
    all.push_back({item.modified, std::move(item.key), std::move(item.value), false, item.created});
  loop_.deliver_all(std::move(all), revision);
}

Millis Plane::turn() {
  const Inside inside(inside_);
  executor_.run_due();
  const bool late = injector_.lasting(Fault::Kind::lag) != nullptr;
  WatchBatch batch;
  if (!late) batch = watch_->next(Millis{0});
  const bool news = !batch.events.empty() || batch.compacted;
  if (batch.compacted)
    read_again();
  else if (news)
    loop_.deliver(std::move(batch));
  Millis wait = loop_.step();
  if (late) wait = std::min(wait, kLookAgain);
  if (auto next = executor_.next()) wait = std::min(wait, *next);
  return news ? Millis{0} : wait;
}

http::Response Plane::ask(const std::string& method, const std::string& path, const std::string& body,
                          const std::string& content_type, const std::string& if_match) {
  const Inside inside(inside_);
  http::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.headers["authorization"] = "Bearer " + std::string(kPersonToken);
  if (!content_type.empty()) request.headers["content-type"] = content_type;
  if (!if_match.empty()) request.headers["if-match"] = if_match;
  return api_.handle(request, nullptr);
}

}  // namespace trove::simulate
