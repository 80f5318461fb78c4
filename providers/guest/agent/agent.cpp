#include "providers/guest/agent/agent.hpp"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include "providers/guest/agent/backups.hpp"
#include "providers/guest/agent/items.hpp"
#include "providers/guest/agent/keeper.hpp"
#include "providers/guest/agent/layout.hpp"
#include "providers/guest/agent/memory.hpp"
#include "providers/guest/agent/outbox.hpp"
#include "providers/guest/agent/volume.hpp"
#include "providers/guest/engines/files.hpp"
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {

// Changes whenever the file is replaced; 0 = there is none.
uint64_t version_of(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return 0;
  const uint64_t time = static_cast<uint64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(info.st_mtim.tv_nsec);
  return (time * 31 + info.st_ino) | 1;
}

constexpr Millis kLongestSleep{1'000};        // so that a removed server directory is noticed
constexpr Millis kStartSlice{1'000};          // how long one step waits for an engine to come up
constexpr Millis kMeasureEvery{60'000};       // walking the data directory
constexpr Millis kSetupRetry{5'000};
constexpr Millis kFirstDataRetry{2'000}, kLongestDataRetry{60'000};

}  // namespace

// Everything that needs to know the engine: made when the first document says which.
struct Engaged {
  Surroundings where;
  std::unique_ptr<EngineDriver> driver;
  ParameterKeeper parameters;
  Items items;
  Keeper keeper;
  Volume volume;
  Backups backups;

  Engaged(Surroundings surroundings, Engine engine, Memory& memory, Plane& plane, const Clock& clock,
          std::function<void()> wake, std::function<Result<void>(const Cancel&)> ready)
      : where(std::move(surroundings)),
        driver(make_driver(engine, where)),
        parameters(*driver, memory),
        items(*driver, memory, clock),
        keeper(*driver, memory, where, parameters, clock),
        volume(where.layout, *driver, where.engine_user, std::move(ready)),
        backups(*driver, memory, plane, clock, std::move(wake)) {}
};

class Agent::Loop {
 public:
  Loop(AgentOptions options, Plane& plane, const Clock& clock, Rng& rng)
      : options_(std::move(options)),
        plane_(plane),
        clock_(clock),
        rng_(rng),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    report_.agent = random_text(rng, 16);
    report_.cuts_backups = true;
  }

  Result<void> run(const Cancel& stop);
  void volume_changed() {
    volume_news_ = true;
    ring();
  }

 private:
  void fetch_documents(const Cancel& stop);
  void take_document();
  // One pass; returns how long the loop may sleep.
  Millis step(const Cancel& stop);
  Result<void> ensure_data(const Cancel& stop);
  Result<void> work_through(const Cancel& stop);
  void measure();
  void put_report();
  void save();
  void ring() {
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t n = write(wake_.get(), &one, sizeof one);
  }
  std::string run_file(const char* name) const { return options_.server_dir + "/run/" + name; }

  const AgentOptions options_;
  Plane& plane_;
  const Clock& clock_;
  Rng& rng_;
  UniqueFd wake_;
  std::atomic<bool> volume_news_{false};

  std::mutex mutex_;
  std::optional<Document> fetched_;       // guarded by mutex_

  // The rest belongs to the reconcile thread.
  Document document_;
  std::string digest_;                    // "" = no document yet
  Memory memory_, saved_;
  std::unique_ptr<Engaged> engaged_;
  Report report_;
  Outbox outbox_;
  Millis setup_again_{0}, data_again_{0}, measure_again_{0};
  int data_failures_ = 0;
  bool volume_doubt_ = false;             // something was said of the volume, and nobody has looked since
};

void Agent::Loop::fetch_documents(const Cancel& stop) {
  std::string have = digest_;             // read before the thread starts; own copy from here on
  int failures = 0;
  while (!stop.is_set()) {
    auto document = plane_.fetch(have);
    if (!document) {
      if (++failures == 1 && !stop.is_set()) {
        log::warning("no document from the control plane; retrying", {{"error", document.error().message}});
      }
      pause_for(back_off(failures, rng_), stop);
      continue;
    }
    if (failures > 0) log::info("the control plane answers again");
    failures = 0;
    if (!*document) continue;
    std::string got = digest(**document);
    if (got == have) {                    // a plane that does not hold its answers back must not make us spin
      pause_for(Millis{200}, stop);
      continue;
    }
    have = std::move(got);
    {
      std::lock_guard lock(mutex_);
      fetched_ = std::move(*document);
    }
    ring();
  }
}

void Agent::Loop::take_document() {
  std::optional<Document> fresh;
  {
    std::lock_guard lock(mutex_);
    fresh.swap(fetched_);
  }
  if (!fresh) return;
  document_ = std::move(*fresh);
  digest_ = digest(document_);
  setup_again_ = data_again_ = Millis{0};
  if (auto kept = save_document(run_file("document.json"), document_); !kept) {
    log::warning("the document was not kept", {{"error", kept.error().message}});
  }
}

void Agent::Loop::save() {
  if (memory_ == saved_) return;
  if (auto done = save_memory(run_file("agent.json"), memory_); !done) {
    log::warning("the agent's memory was not saved", {{"error", done.error().message}});
    return;
  }
  saved_ = memory_;
}

void Agent::Loop::put_report() {
  if (engaged_) {
    report_.restarts = engaged_->keeper.restarts();
    report_.backups = engaged_->backups.states(document_);
    outbox_.add_events(engaged_->keeper.take_events());
    if (!document_.restore) {
      report_.restore_state.clear();
      report_.restore_message.clear();
    } else if (engaged_->volume.has_data()) {
      const bool ours = engaged_->volume.marker().restored_from == document_.restore->id;
      report_.restore_state = ours ? "Restored" : "Failed";
      report_.restore_message = ours ? "" : "the volume held data already; nothing was restored over it";
    }
  }
  report_.engine_started = memory_.engine_started;
  report_.applied_restart = memory_.applied_restart;
  report_.applied_memory_mib = memory_.applied_memory_mib;
  outbox_.put(report_);
}

Result<void> Agent::Loop::ensure_data(const Cancel& stop) {
  Engaged& e = *engaged_;
  if (auto claimed = e.volume.claim(document_, stop); !claimed) {
    report_.engine_state = "Failed";
    report_.engine_message = claimed.error().message;
    return claimed;
  }
  if (e.volume.has_data()) return {};
  // An engine that still runs on a data directory that is gone would be fed half of the new one.
  if (!e.keeper.stop(stop)) return fail(Code::unavailable, "the engine does not end");
  Memory fresh;                             // what was applied went with the data; backups taken did not
  fresh.backups = std::move(memory_.backups);
  memory_ = std::move(fresh);
  Result<void> done;
  if (document_.restore) {
    report_.engine_state = "Restoring";
    report_.restore_state = "Restoring";
    report_.engine_message = report_.restore_message = "";
    put_report();
    log::info("restoring", {{"id", document_.restore->id}});
    done = e.volume.restore(document_, plane_, stop);
    report_.restore_state = done ? "Restored" : "Failed";
    report_.restore_message = done ? "" : done.error().message;
  } else {
    report_.engine_state = "Initialising";
    report_.engine_message.clear();
    put_report();
    done = e.volume.initialise(document_, stop);
  }
  if (!done) {
    report_.engine_state = "Failed";
    report_.engine_message = done.error().message;
  }
  return done;
}

void Agent::Loop::measure() {
  if (clock_.monotonic() < measure_again_) return;
  measure_again_ = clock_.monotonic() + kMeasureEvery;
  const Volume::Usage usage = engaged_->volume.usage(document_.volume_gib);
  report_.volume_used_bytes = usage.used;
  report_.volume_total_bytes = usage.total;
}

// Parameters, restarts, items, backups, on an engine that answers.
Result<void> Agent::Loop::work_through(const Cancel& stop) {
  Engaged& e = *engaged_;
  auto version = e.driver->running_version();
  if (!version) return tl::unexpected<Error>(version.error());
  report_.engine_version = *version;

  auto parameters = e.parameters.pass(document_);
  if (!parameters) return tl::unexpected<Error>(parameters.error());
  // Before the first client there is nobody to disturb: static parameters take effect at once.
  const bool first_settling = !memory_.settled && parameters->pending_restart;
  const bool asked = memory_.applied_restart != document_.restart;
  if (!document_.suspended && (first_settling || asked)) {
    memory_.settled = true;
    save();
    log::info("restarting the engine", {{"why", asked ? "asked" : "parameters"}});
    report_.engine_state = "Starting";
    report_.engine_message.clear();
    if (!e.keeper.stop(stop)) return fail(Code::unavailable, "the engine does not end");
    ring();                               // the next step starts it
    return fail(Code::unavailable, "");
  }
  memory_.settled = true;
  report_.parameters = std::move(parameters->states);
  outbox_.add_events(std::move(parameters->events));

  auto items = e.items.pass(document_);
  if (!items) return tl::unexpected<Error>(items.error());
  report_.databases = std::move(items->databases);
  report_.users = std::move(items->users);
  outbox_.add_events(std::move(items->events));

  e.backups.pass(document_, [this] { save(); });
  report_.document_digest = digest_;
  return {};
}

Millis Agent::Loop::step(const Cancel& stop) {
  take_document();
  if (volume_news_.exchange(false)) {
    data_again_ = measure_again_ = Millis{0};
    volume_doubt_ = static_cast<bool>(options_.volume_ready);
  }
  const Millis now = clock_.monotonic();
  if (digest_.empty()) return kLongestSleep;
  if (!engaged_) {
    if (now < setup_again_) return setup_again_ - now;
    auto where = make_surroundings(options_, document_.engine, rng_);
    if (!where) {
      setup_again_ = now + kSetupRetry;
      report_.engine_state = "Failed";
      report_.engine_message = where.error().message;
      put_report();
      return kSetupRetry;
    }
    engaged_ =
        std::make_unique<Engaged>(std::move(*where), document_.engine, memory_, plane_, clock_, [this] { ring(); },
                                  options_.volume_ready);
  }
  Engaged& e = *engaged_;
  e.keeper.notice();

  // A running engine proves that its data are there, unless there is news of its disk: an engine that does not read
  // lives on for long on one that is gone.
  const bool claimed = e.volume.marker().instance_uid == document_.instance_uid;
  if (!e.keeper.alive() || !e.volume.has_data() || !claimed || volume_doubt_) {
    if (now < data_again_) return data_again_ - now;
    if (auto ready = ensure_data(stop); !ready) {
      if (stop.is_set()) return Millis{0};
      log::error("no data directory", {{"error", ready.error().message}});
      if (volume_doubt_ && e.keeper.alive() && ready.error().code == Code::unavailable) {
        put_report();
        log::warning("the engine is stopped: its volume cannot be used");
        e.keeper.stop(stop, true);
        return Millis{0};                   // without the engine it may be possible to repair it
      }
      data_again_ = now + std::min(kLongestDataRetry, kFirstDataRetry * (1 << std::min(data_failures_++, 6)));
      put_report();
      return data_again_ - now;
    }
    data_failures_ = 0;
    volume_doubt_ = false;
  }

  const Keeper::State state = e.keeper.keep(document_, kStartSlice, stop);
  if (state != Keeper::State::running) {
    const bool coming = state == Keeper::State::starting;
    report_.engine_state = coming ? "Starting" : "Failed";
    report_.engine_message = coming && e.keeper.message().empty() ? "" : e.keeper.message();
    save();
    put_report();
    return coming ? Millis{0} : std::max(e.keeper.wake() - clock_.monotonic(), Millis{0});
  }
  auto worked = work_through(stop);
  if (worked) {
    report_.engine_state = "Running";
    report_.engine_message.clear();
    measure();
  } else {
    // The engine lives but did not answer this time; what was known about its items still stands in the report.
    if (report_.engine_state != "Starting") report_.engine_message = worked.error().message;
    if (!worked.error().message.empty()) log::warning("a pass was cut short", {{"error", worked.error().message}});
  }
  save();
  put_report();
  return worked ? options_.verify_every : std::min(options_.verify_every, Millis{500});
}

Result<void> Agent::Loop::run(const Cancel& stop) {
  if (auto made = make_directory(options_.server_dir + "/run", 0711); !made) return made;
  memory_ = saved_ = load_memory(run_file("agent.json"));
  if (auto kept = load_document(run_file("document.json"))) {
    document_ = std::move(*kept);
    digest_ = digest(document_);
    report_.engine_state = "Starting";
  }
  Cancel ending;
  std::thread fetcher([&] { fetch_documents(ending); });
  std::thread reporter([&] { outbox_.run(plane_, rng_); });
  Millis next{0};                           // when the next step is due
  const std::string file = options_.server_dir + "/guest.json";
  const uint64_t first_version = options_.has_guest_file ? version_of(file) : 1;
  while (!stop.is_set()) {
    const uint64_t version = options_.has_guest_file ? version_of(file) : 1;
    if (version == 0) {
      log::info("the server is gone; ending");
      break;
    }
    if (version != first_version) {
      // The control plane has another address now. The cloud starts the next agent, and that one finds the engine running.
      log::info("the server's file was written anew; ending for an agent that reads it");
      break;
    }
    const Millis now = clock_.monotonic();
    if (now >= next) next = clock_.monotonic() + step(stop);
    if (stop.is_set()) break;
    const Millis sleep = std::clamp(next - clock_.monotonic(), Millis{0}, kLongestSleep);
    pollfd p[3] = {{wake_.get(), POLLIN, 0}, {stop.fd(), POLLIN, 0},
                   {engaged_ ? engaged_->keeper.watch_fd() : -1, POLLIN, 0}};
    if (poll(p, 3, static_cast<int>(sleep.count())) > 0) {
      uint64_t count = 0;
      [[maybe_unused]] ssize_t n = read(wake_.get(), &count, sizeof count);
      next = Millis{0};
    }
  }
  save();
  ending.set();
  plane_.stop();
  outbox_.stop();
  fetcher.join();
  reporter.join();
  engaged_.reset();                         // joins a backup's thread; the engine stays
  return {};
}

Agent::Agent(AgentOptions options, Plane& plane, const Clock& clock, Rng& rng)
    : loop_(std::make_unique<Loop>(std::move(options), plane, clock, rng)) {}
Agent::~Agent() = default;
void Agent::volume_changed() { loop_->volume_changed(); }
Result<void> Agent::run(const Cancel& stop) { return loop_->run(stop); }

}  // namespace trove::guest
