#include "bench/rest_rows.hpp"
#include <time.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>
#include "providers/http/client.hpp"
#include "reconciler/api/compression.hpp"
#include "support/system.hpp"
#include "tests/api/fixture.hpp"

namespace trove {
namespace {

using Steady = std::chrono::steady_clock;
double ms_between(Steady::time_point from, Steady::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}
double cpu_ms() {  // of this thread: what the work costs, whatever else runs here
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}
double p(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.at(std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size()))));
}
std::string rounded(double value) {
  std::string text = std::to_string(value);
  return text.substr(0, text.find('.') + 3);
}

Resource database(int number) {
  Resource one;
  one.kind = "Database";
  one.metadata.name = "d" + std::to_string(1'000'000 + number);
  one.metadata.project = "shop";
  one.metadata.uid = "0190a4d2-0000-7000-8000-" + std::to_string(100'000'000'000 + number);
  one.metadata.generation = 1;
  one.metadata.creation_timestamp = Time{1'700'000'000'000 + number};
  one.metadata.labels = Value::map({{"app", "bench"}, {"tier", number % 2 ? "prod" : "dev"}});
  one.spec = Value::map({{"instanceRef", Value::map({{"name", "orders-db"}})}, {"characterSet", "utf8mb4"}});
  Value conditions = Value::list();
  for (const char* type : {"Ready", "Synced"})
    conditions.push_back(Value::map({{"type", type},
                                     {"status", "True"},
                                     {"reason", "Applied"},
                                     {"lastTransitionTime", "2026-01-01T00:00:00Z"},
                                     {"observedGeneration", 1}}));
  one.status = Value::map({{"phase", "HEALTHY"}, {"observedGeneration", 1}, {"conditions", std::move(conditions)}});
  return one;
}

struct Daemon {
  Daemon() : url(trimmed(read_file(system.data() + "/endpoint"))), token(trimmed(read_file(system.data() + "/token"))) {}
  std::unique_ptr<http::Client> client() const {
    auto made = http::Client::make({.base_url = url, .bearer_token = token});
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }
  // A volume that nobody has to make: suspended objects are left alone.
  static http::Call put(const std::string& name, int number) {
    return {.method = "PUT",
            .path = "/apis/trove/v1alpha1/projects/default/volumes/" + name,
            .body = R"({"apiVersion":"trove/v1alpha1","kind":"Volume","metadata":{"name":")" + name +
                    R"(","labels":{"n":")" + std::to_string(number) + R"("}},"spec":{"size":1,"suspend":true}})"};
  }
  System system;
  std::string url, token;
};

void must_succeed(const Result<http::Answer>& answer) {
  if (!answer) throw std::runtime_error(answer.error().message);
  if (answer->status >= 300) throw std::runtime_error(answer->body.substr(0, 500));
}

}  // namespace

std::vector<RestFigure> list_page() {
  constexpr int kObjects = 100'000, kPages = 1'000, kFirst = 100;  // pages that only warm it up
  Fixture f;  // for what stands behind the ports
  TempDir dir;
  auto store = open_sqlite_store(dir / "trove.db", f.clock);
  if (!store) throw std::runtime_error(store.error().message);
  Objects objects(**store, f.clock);
  for (int i = 0; i < kObjects;) {
    Txn txn;
    for (int n = 0; n < 5'000; ++n, ++i) {
      const Resource one = database(i);
      objects.stage_put(txn, one, "");
      objects.stage_status(txn, one);
      txn.guards.clear();
    }
    if (auto done = objects.commit(txn); !done) throw std::runtime_error(done.error().message);
  }
  std::this_thread::sleep_for(Millis{8'000});  // the store tidies up after so much
  Applier applier(objects, f.sealer, f.rng, f.clock);
  ApiOptions options{.objects = objects,
                     .applier = applier,
                     .sealer = f.sealer,
                     .rng = f.rng,
                     .clock = f.clock,
                     .plans = f.plans,
                     .guests = f.guests,
                     .loop = f.loop,
                     .tokens = std::string(kAdmin) + "\n"};
  Api api(std::move(options));
  http::Request request;
  request.method = "GET";
  request.path = "/apis/trove/v1alpha1/projects/shop/databases";
  request.headers["authorization"] = std::string("Bearer ") + kAdmin;
  request.query.emplace("limit", "1000");
  std::vector<double> took, cpu, zipped;
  size_t bytes = 0, small = 0;
  for (int i = -kFirst; i < kPages; ++i) {
    const double cpu_began = cpu_ms();
    const auto began = Steady::now();
    const http::Response page = api.handle(request, nullptr);
    took.push_back(ms_between(began, Steady::now()));
    cpu.push_back(cpu_ms() - cpu_began);
    if (page.status != 200) throw std::runtime_error(page.body);
    const auto read = Steady::now();
    small = gzip(page.body).size();
    zipped.push_back(ms_between(read, Steady::now()));
    bytes = page.body.size();
    const size_t token = page.body.find("\"continue\":\"");
    const size_t begin = token + std::strlen("\"continue\":\"");
    const std::string next =
        token > 200 ? "" : page.body.substr(begin, page.body.find('"', begin) - begin);  // it comes before the items
    if (i < 0) took.clear(), cpu.clear(), zipped.clear();
    request.query.erase("continue");
    if (!next.empty()) request.query.emplace("continue", next);
  }
  return {{"list page of 1,000 among 100,000 objects p99", p(took, 0.99), 3,
           "p50 " + rounded(p(took, 0.5)) + " ms; of processor time p50 " + rounded(p(cpu, 0.5)) + ", p99 " +
               rounded(p(cpu, 0.99)) + " ms; " + std::to_string(bytes >> 10) + " KiB; compressed " +
               std::to_string(small >> 10) + " KiB in " + rounded(p(zipped, 0.5)) + " ms more"}};
}

std::vector<RestFigure> watch_latency() {
  constexpr int kPuts = 400;
  Daemon daemon;
  std::mutex mutex;
  std::vector<Steady::time_point> seen(kPuts), sent(kPuts), answered(kPuts);
  std::atomic<int> arrived{0};
  std::atomic<bool> stop{false}, open{false};
  auto writer = daemon.client();
  must_succeed(writer->call(Daemon::put("w", 1'000'000)));
  std::thread watcher([&] {
    auto mine = daemon.client();
    std::string pending;
    (void)mine->call({.path = "/apis/trove/v1alpha1/projects/default/volumes?watch=true",
                      .on_data = [&](std::string_view piece) {
                        open = true;
                        pending += piece;
                        for (size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
                          const auto now = Steady::now();
                          auto line = parse_json(std::string_view(pending).substr(0, end));
                          const int n = line ? std::atoi((*line)["object"]["metadata"]["labels"]["n"].text().c_str()) : -1;
                          const std::lock_guard lock(mutex);
                          if (n >= 0 && n < kPuts && seen[static_cast<size_t>(n)] == Steady::time_point{}) {
                            seen[static_cast<size_t>(n)] = now;
                            ++arrived;
                          }
                        }
                        return !stop;
                      }});
  });
  eventually([&] { return open.load(); }, Millis{10'000});
  for (int n = 0; n < kPuts; ++n) {
    sent[static_cast<size_t>(n)] = Steady::now();
    must_succeed(writer->call(Daemon::put("w", n)));
    answered[static_cast<size_t>(n)] = Steady::now();
    std::this_thread::sleep_for(Millis{10});
  }
  eventually([&] { return arrived == kPuts; }, Millis{5'000});
  stop = true;
  (void)writer->call(Daemon::put("w", 1'000'001));  // one more line, so that the watcher looks at `stop`
  watcher.join();
  std::vector<double> took, whole;
  for (size_t n = 0; n < kPuts; ++n) {
    if (seen[n] == Steady::time_point{}) continue;  // a later change overtook it
    took.push_back(std::max(0.0, ms_between(answered[n], seen[n])));
    whole.push_back(ms_between(sent[n], seen[n]));
  }
  return {{"watch latency p99", p(took, 0.99), 20,
           "from a put's durable answer to its line at another client, " + std::to_string(took.size()) +
               " lines; from the request on p99 " + rounded(p(whole, 0.99)) + " ms"}};
}

std::vector<RestFigure> put_latency() {
  constexpr int kWriters = 8, kEach = 250, kPerSecond = 500;
  Daemon daemon;
  std::vector<std::vector<double>> took(kWriters);
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  const auto start = Steady::now() + Millis{100};
  for (int w = 0; w < kWriters; ++w)
    threads.emplace_back([&, w] {
      auto client = daemon.client();
      for (int i = 0; i < kEach; ++i) {
        const auto due = start + std::chrono::microseconds((i * kWriters + w) * 1'000'000LL / kPerSecond);
        std::this_thread::sleep_until(due);
        auto answer = client->call(Daemon::put("p" + std::to_string(w), i));
        if (!answer || answer->status >= 300) ++failed;
        // From when it was due: a writer that falls behind does not make the next one look fast.
        took[static_cast<size_t>(w)].push_back(ms_between(due, Steady::now()));
      }
    });
  for (auto& thread : threads) thread.join();
  if (failed > 0) throw std::runtime_error(std::to_string(failed) + " puts failed");
  std::vector<double> all;
  for (const auto& one : took) all.insert(all.end(), one.begin(), one.end());
  return {{"single durable put p99 at 500 a second", p(all, 0.99), 10,
           "p50 " + rounded(p(all, 0.5)) + " ms, " + std::to_string(all.size()) +
               " puts by 8 clients; the disk's sync is most of it"}};
}

}  // namespace trove
