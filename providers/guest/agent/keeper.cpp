#include "providers/guest/agent/keeper.hpp"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <algorithm>
#include "providers/guest/engines/files.hpp"
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {

constexpr Millis kProbe{15};                 // between looks at an engine that is coming up
constexpr Millis kStable{60'000};            // up for this long, an end is not part of a series
constexpr Millis kFirstRest{250}, kLongestRest{30'000};
constexpr Millis kLockedOut{20'000};         // then a restart is the milder evil
constexpr Millis kStopPatience{120'000};     // for an orderly end; then the engine's crash safety has to do
constexpr Millis kDisklessPatience{3'000};    // Redis does not end before it has saved, which it never will

}  // namespace

void Keeper::remember(const ProcessMark& mark) {
  mark_ = mark;
  watch_ = watch_process(mark.pid);
  auto written = write_file(pid_file(), std::to_string(mark.pid) + " " + std::to_string(mark.started) + "\n", 0600);
  if (!written) log::warning("the engine's pid was not written", {{"error", written.error().message}});
}

void Keeper::adopt() {
  looked_ = true;
  const auto take = [this](const ProcessMark& mark) {
    remember(mark);
    started_ = clock_.monotonic();
    starts_ = 1;
    starting_with_ = memory_.started_with;
    log::info("engine adopted", {{"program", driver_.program()}, {"pid", mark.pid}});
  };
  if (const auto text = read_file(pid_file(), 256)) {
    ProcessMark mark;
    unsigned long long started = 0;
    int pid = 0;
    if (sscanf(text->c_str(), "%d %llu", &pid, &started) == 2) {
      mark = {pid, started};
      if (is_alive(mark) && is_called(pid, driver_.program())) return take(mark);
    }
  }
  // An agent that died between fork and the pid file.
  if (const auto mark = find_ours(driver_.program(), work_directory())) take(*mark);
}

Result<void> Keeper::start(const Document& document) {
  starting_with_ = memory_.persisted;
  auto argv = driver_.configure(document, memory_.persisted);
  if (!argv) return tl::unexpected<Error>(argv.error());
  const std::string path = where_.layout.log_dir + "/engine.out";
  UniqueFd out(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  auto pid = spawn({.argv = *argv, .user = where_.engine_user, .out = out.get(), .err = out.get(),
                    .directory = work_directory()});
  if (!pid) return tl::unexpected<Error>(pid.error());
  up_ = false;
  ours_to_stop_ = false;
  started_ = clock_.monotonic();
  if (starts_++ > 0) ++restarts_;
  if (const auto mark = mark_process(*pid)) {
    remember(*mark);
  } else {
    mark_ = {*pid, 0};          // ended already: the next look notices
    watch_.reset();
  }
  memory_.engine_started = clock_.wall();
  memory_.applied_restart = document.restart;
  memory_.applied_memory_mib = document.memory_mib;
  memory_.applied_address = document.address + ":" + std::to_string(document.port);
  log::info("engine started", {{"program", driver_.program()}, {"pid", *pid}});
  return {};
}

void Keeper::fell_over() {
  reap(mark_.pid);
  driver_.disconnect();
  const bool was_up = up_;
  mark_ = {};
  watch_.reset();
  up_ = false;
  if (ours_to_stop_) return;
  const Millis now = clock_.monotonic();
  falls_ = was_up && now - started_ > kStable ? 1 : falls_ + 1;
  message_ = driver_.trouble();
  if (was_up) {
    events_.push_back(driver_.program() + " stopped unexpectedly; started again");
    log::warning("engine stopped unexpectedly", {{"program", driver_.program()}, {"falls", falls_}});
  } else if (parameters_.fall_back(message_)) {
    log::warning("engine did not start; parameters taken back", {{"program", driver_.program()}, {"error", message_}});
    not_before_ = now;
    return;
  } else if (!memory_.rejected.empty() && falls_ == 2) {
    memory_.rejected.clear();   // it does not start without them either: they were not the reason
  }
  // The first fall of a series is mended at once.
  const int doublings = std::min(std::max(falls_ - 2, 0), 10);
  not_before_ = was_up && falls_ == 1 ? now : now + std::min(kLongestRest, kFirstRest * (1 << doublings));
}

void Keeper::notice() {
  if (mark_.pid != 0 && !alive()) fell_over();
}

Keeper::State Keeper::keep(const Document& document, Millis patience, const Cancel& cancel) {
  if (!looked_) {
    adopt();
    if (alive()) {                       // the driver must know what it talks to
      if (auto known = driver_.configure(document, memory_.persisted); !known) message_ = known.error().message;
    }
  }
  const std::string address = document.address + ":" + std::to_string(document.port);
  if (alive() && memory_.applied_address.empty()) {
    // The agent's memory is lost, the engine is not: a restart to be sure would be an outage for nothing.
    memory_.applied_address = address;
    memory_.applied_restart = document.restart;
    memory_.applied_memory_mib = document.memory_mib;
    memory_.settled = true;
  }
  if (mark_.pid != 0 && memory_.applied_address != address && !document.suspended) {
    log::info("restarting the engine", {{"why", "address"}});
    if (!stop(cancel)) return State::starting;
  }
  const Millis until = clock_.monotonic() + patience;
  for (;;) {
    const Millis now = clock_.monotonic();
    notice();
    if (mark_.pid == 0) {
      if (now < not_before_) return State::resting;
      if (auto done = start(document); !done) {
        message_ = done.error().message;
        not_before_ = now + kLongestRest;
        return State::failed;
      }
    }
    auto connected = driver_.connect();
    if (connected && !up_) {
      const auto version = driver_.running_version();
      if (!version) connected = tl::unexpected<Error>(version.error());
    }
    if (connected) {
      if (!up_) memory_.started_with = starting_with_;
      up_ = true;
      message_.clear();
      return State::running;
    }
    message_ = connected.error().message;
    if (connected.error().code == Code::denied) {
      // It is up and knows us no more. Drivers write their own account at a start, so a start mends that.
      if (clock_.monotonic() - started_ > kLockedOut) {
        log::warning("locked out of the engine; restarting it", {{"program", driver_.program()}, {"error", message_}});
        events_.push_back(driver_.program() + " refused its own administrator; restarted");
        if (!stop(cancel)) return State::starting;
        continue;
      }
      not_before_ = clock_.monotonic() + Millis{1'000};
      return State::failed;
    }
    if (clock_.monotonic() >= until || cancel.is_set()) return State::starting;
    pollfd p[2] = {{watch_.get(), POLLIN, 0}, {cancel.fd(), POLLIN, 0}};
    poll(p, 2, static_cast<int>(kProbe.count()));
  }
}

bool Keeper::stop(const Cancel& cancel, bool diskless) {
  if (!looked_) adopt();
  driver_.disconnect();
  if (mark_.pid == 0) return true;
  ours_to_stop_ = true;
  if (!end_process(mark_, driver_.stop_signal(), diskless ? kDisklessPatience : kStopPatience, &cancel)) return false;
  mark_ = {};
  watch_.reset();
  up_ = false;
  not_before_ = Millis{0};
  return true;
}

}  // namespace trove::guest
