#include "providers/guest/agent/backups.hpp"
#include <algorithm>
#include <atomic>
#include "providers/guest/agent/transfer.hpp"
#include "specs/core/log.hpp"

namespace trove::guest {

namespace {
constexpr int kMostAttempts = 3;
constexpr size_t kMostRemembered = 500;
constexpr size_t kMostMessage = 500;
constexpr Millis kPause{2'000};              // between attempts
}  // namespace

struct Backups::Job {
  BackupOrder order;
  BackupSource source;
  Cancel cancel;
  std::atomic<bool> ended{false};
  // Written by the worker before `ended`, read after it.
  Result<void> outcome;
  std::string sha256;
  int64_t bytes = 0;
  int segments = 1;
};

Backups::Backups(EngineDriver& driver, Memory& memory, Plane& plane, const Clock& clock, std::function<void()> wake)
    : driver_(driver), memory_(memory), plane_(plane), clock_(clock), wake_(std::move(wake)) {}

Backups::~Backups() {
  if (job_) job_->cancel.set();
  if (worker_.joinable()) worker_.join();
}

void Backups::start(const BackupOrder& order, Memory::Backup& entry) {
  auto job = std::make_unique<Job>();
  job->order = order;
  auto source = driver_.open_backup(job->cancel);
  if (!source) {
    job->outcome = tl::unexpected<Error>(source.error());
    job->ended = true;
    job_ = std::move(job);
    return collect();
  }
  job->source = std::move(*source);
  entry.state.state = "Running";
  job_ = std::move(job);
  worker_ = std::thread([this, job = job_.get()] {
    Compressor compressor(job->source, job->cancel);
    const auto segments = upload_from(compressor, job->order, plane_);
    if (job->source.tool) job->source.tool->end();
    if (segments) {
      job->segments = *segments;
      job->sha256 = compressor.sha256_hex();
    } else {
      job->outcome = tl::unexpected<Error>(segments.error());
    }
    job->bytes = compressor.bytes();
    job->ended = true;
    wake_();
  });
  log::info("backup started", {{"id", order.id}});
}

void Backups::collect() {
  if (!job_ || !job_->ended) return;
  if (worker_.joinable()) worker_.join();
  const auto found = std::find_if(memory_.backups.begin(), memory_.backups.end(),
                                  [&](const auto& b) { return b.state.id == job_->order.id; });
  if (found != memory_.backups.end()) {
    BackupState& state = found->state;
    if (job_->outcome) {
      state.state = "Completed";
      state.sha256 = job_->sha256;
      state.bytes = job_->bytes;
      state.segments = job_->segments;
      state.message.clear();
      state.finished = clock_.wall();
    } else {
      state.message = job_->outcome.error().message.substr(0, kMostMessage);
      const bool final = found->attempts >= kMostAttempts || job_->outcome.error().code == Code::denied;
      state.state = final ? "Failed" : "Running";
      if (final) state.finished = clock_.wall();
      next_try_ = clock_.monotonic() + kPause;
    }
    log::info("backup attempt ended", {{"id", state.id}, {"state", state.state}, {"bytes", state.bytes},
                                       {"segments", state.segments}, {"message", state.message}});
  }
  job_.reset();
}

void Backups::pass(const Document& document, const std::function<void()>& save) {
  collect();
  if (job_ || clock_.monotonic() < next_try_) return;
  for (const BackupOrder& order : document.backups) {
    auto found = std::find_if(memory_.backups.begin(), memory_.backups.end(),
                              [&](const auto& b) { return b.state.id == order.id; });
    if (found != memory_.backups.end() && (found->state.state == "Completed" || found->state.state == "Failed"))
      continue;
    if (found == memory_.backups.end()) {
      // What no document speaks of any more is forgotten first.
      for (size_t i = 0; i < memory_.backups.size() && memory_.backups.size() >= kMostRemembered;) {
        const std::string& id = memory_.backups[i].state.id;
        const bool wanted = std::any_of(document.backups.begin(), document.backups.end(),
                                        [&](const auto& o) { return o.id == id; });
        if (wanted) ++i;
        else memory_.backups.erase(memory_.backups.begin() + static_cast<ptrdiff_t>(i));
      }
      Memory::Backup entry;
      entry.state.id = order.id;
      entry.state.state = "Running";
      entry.state.started = clock_.wall();
      memory_.backups.push_back(std::move(entry));
      found = memory_.backups.end() - 1;
    }
    if (found->attempts >= kMostAttempts) {
      found->state.state = "Failed";
      found->state.finished = clock_.wall();
      if (found->state.message.empty()) found->state.message = "the agent ended during the backup, each time";
      save();
      continue;
    }
    ++found->attempts;
    save();                               // an attempt that kills the agent must count
    return start(order, *found);
  }
}

std::vector<BackupState> Backups::states(const Document& document) const {
  std::vector<BackupState> states;
  for (const auto& entry : memory_.backups) {
    const bool wanted = std::any_of(document.backups.begin(), document.backups.end(),
                                    [&](const auto& o) { return o.id == entry.state.id; });
    if (wanted) states.push_back(entry.state);
  }
  return states;
}

}  // namespace trove::guest
