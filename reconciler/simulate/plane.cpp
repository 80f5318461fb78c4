#include "reconciler/simulate/plane.hpp"

namespace trove::simulate {
namespace {

struct Inside {
  explicit Inside(bool& flag) : flag(flag) { flag = true; }
  ~Inside() { flag = false; }
  bool& flag;
};

}  // namespace

Plane::Plane(std::string name, const Surroundings& around)
    : name_(std::move(name)),
      store_(name_, around.store, around.injector, around.committed),
      cloud_(name_, around.cloud, around.injector, around.deliver, around.seen, around.snapshots),
      objects_(store_, around.clock),
      hub_(around.sealer, nullptr),
      loop_(objects_, cloud_, around.sealer, hub_, executor_, around.clock, around.rng),
      api_(ApiOptions{.objects = objects_,
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
  WatchBatch batch = watch_->next(Millis{0});
  const bool news = !batch.events.empty() || batch.compacted;
  if (batch.compacted)
    read_again();
  else if (news)
    loop_.deliver(std::move(batch));
  const Millis wait = loop_.step();
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
