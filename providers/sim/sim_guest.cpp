#include "providers/sim/sim_guest.hpp"
#include <algorithm>
#include <charconv>

namespace trove {

namespace {

constexpr int kMostAttempts = 3;  // of a backup
constexpr Millis kBackupPause{2'000};
constexpr Millis kFirstDataRetry{2'000}, kLongestDataRetry{60'000};
constexpr int64_t kRowBytes = 100, kEmptyBytes = 8 << 20;

std::string_view version_of(Engine engine) {
  switch (engine) {
    case Engine::mariadb:
      return "10.11.11";
    case Engine::postgresql:
      return "15.10";
    case Engine::redis:
      return "7.0.15";
    case Engine::memcached:
      return "1.6.18";
  }
  return "";
}

// Has the end that the URL names come?
bool has_expired(const std::string& url, Time now) {
  const size_t at = url.find("expires=");
  int64_t seconds = 0;
  if (at == std::string::npos) return false;
  const char* first = url.data() + at + 8;
  if (std::from_chars(first, url.data() + url.size(), seconds).ec != std::errc{}) return false;
  return now.ms / 1000 >= seconds;
}

}  // namespace

SimGuest::SimGuest(std::string server_id, SimGuestOptions options)
    : options(std::move(options)), server_id_(std::move(server_id)) {}

// The last two parts of the URL's path: the key under which Inventory lists the object.
std::string SimGuest::key_of(const std::string& url, const std::string& id) const {
  const std::string path = url.substr(0, url.find('?'));
  const size_t last = path.rfind('/');
  if (last == std::string::npos || last == 0) return options.project + "/" + id;
  const size_t before = path.rfind('/', last - 1);
  return path.substr(before == std::string::npos ? 0 : before + 1);
}

void SimGuest::take(const guest::Document& document) {
  if (silent_) return;
  std::string digest = guest::digest(document);
  if (digest == digest_) return;
  document_ = document;
  digest_ = std::move(digest);
  if (engine_ == Engine::none) due_.reset();  // what did not work may work now
}

void SimGuest::silence(bool cut_off) {
  silent_ = cut_off;
  if (!cut_off) said_at_.reset();
}

void SimGuest::kill_engine() { killed_ = engine_ == Engine::up || engine_ == Engine::starting; }

SimGuest SimGuest::clone(std::string server_id) const {
  SimGuest copy = *this;
  copy.server_id_ = std::move(server_id);
  copy.boots_ = 0;
  return copy;
}

Result<void> SimGuest::write(SimCloud& cloud, const std::string& database, int64_t rows) {
  SimDisk* disk = cloud.disk_of(server_id_);
  if (!running() || !disk) return fail(Code::unavailable, "the engine does not serve");
  const auto found = disk->databases.find(database);
  if (found == disk->databases.end()) return fail(Code::not_found, "Unknown database '" + database + "'");
  found->second += rows;
  disk->position += rows;
  return {};
}

Result<void> SimGuest::drop_behind(SimCloud& cloud, const std::string& database) {
  SimDisk* disk = cloud.disk_of(server_id_);
  if (!running() || !disk) return fail(Code::unavailable, "the engine does not serve");
  if (disk->databases.erase(database) == 0) return fail(Code::not_found, "Unknown database '" + database + "'");
  ++disk->position;
  return {};
}

Result<void> SimGuest::set_behind(const std::string& parameter, const std::string& value) {
  if (!running()) return fail(Code::unavailable, "the engine does not serve");
  running_[parameter] = value;
  return {};
}

// The server was stopped, rebooted or lost: processes are gone, the files of the server are not.
void SimGuest::lose_processes() {
  lose_engine();
  boot_due_.reset();
  trouble_.clear();
  restarts_ = 0;
  worked_.clear();
  report_ = {};
  said_at_.reset();
}

void SimGuest::lose_engine() {
  engine_ = Engine::none;
  killed_ = false;
  due_.reset(), backup_due_.reset(), work_due_.reset();
  uploading_.clear();
  running_.clear();
}

// A server that is to have a volume keeps nothing elsewhere while it has none; an engine ends with the disk that it ran
// on.
SimDisk* SimGuest::mounted(SimCloud& cloud, const Server& server) {
  const bool missing = document_->volume_gib > 0 && server.volume_id.empty();
  if (!missing && server.volume_id != volume_id_) {
    lose_engine();
    volume_id_ = server.volume_id;
  }
  return missing ? nullptr : cloud.disk_of(server_id_);
}

std::optional<guest::Report> SimGuest::step(SimCloud& cloud, const Clock& clock, Rng& rng) {
  const Millis now = clock.monotonic();
  const Server* server = cloud.find_server(server_id_);
  const bool on =
      server && (server->status == Server::Status::active || server->status == Server::Status::verify_resize);
  if (!on) {
    lose_processes();
    boots_ = 0;
    return std::nullopt;
  }
  const auto more = cloud.model().server_more.find(server_id_);
  const int boots = std::max(1, more->second.boots);
  if (boots != boots_) {
    lose_processes();
    boots_ = boots;
    boot_due_ = now + options.boot;
    report_.agent = server_id_ + "/" + std::to_string(boots_);
  }
  if (boot_due_ && now < *boot_due_) return std::nullopt;
  boot_due_.reset();
  if (!document_) return std::nullopt;
  SimDisk* disk = mounted(cloud, *server);
  for (int steps = 0; steps < 100 && advance(cloud, disk, clock, rng); ++steps) {
  }
  fill_report(disk);
  if (silent_) return std::nullopt;
  const bool due = !said_at_ || now - *said_at_ >= options.heartbeat;
  if (!due && report_ == said_) return std::nullopt;
  guest::Report report = report_;
  events_.clear(), report_.events.clear();
  said_ = report_;
  said_at_ = now;
  return report;
}

std::optional<Millis> SimGuest::next_change(const Clock& clock) const {
  std::optional<Millis> next;
  const auto consider = [&](const std::optional<Millis>& due) {
    if (due && (!next || *due < *next)) next = due;
  };
  for (const auto& due : {boot_due_, due_, backup_due_, work_due_}) consider(due);
  if (said_at_ && !silent_) consider(*said_at_ + options.heartbeat);
  if (killed_) consider(clock.monotonic());
  if (!next) return std::nullopt;
  return std::max(*next - clock.monotonic(), Millis{0});
}

// ---- The engine -----------------------------------------------------------------------------------------------------

bool SimGuest::advance(SimCloud& cloud, SimDisk* disk, const Clock& clock, Rng& rng) {
  const Millis now = clock.monotonic();
  const bool due = due_ && now >= *due_;
  if (!disk) {
    const bool news = trouble_.empty();
    lose_engine();
    trouble_ = "the volume is not there";
    due_ = now + kFirstDataRetry;
    return news;
  }
  if (std::exchange(killed_, false)) {
    if (engine_ == Engine::up)
      events_.push_back(std::string(to_string(document_->engine)) + " stopped unexpectedly; started again");
    ++restarts_;
    start_engine(now);
    return true;
  }
  switch (engine_) {
    case Engine::none:
      if (due_ && !due) return false;
      due_.reset();
      return prepare_data(*disk, now);
    case Engine::initialising:
      if (!due) return false;
      disk->initialised = disk->filled = true;
      start_engine(now);
      return true;
    case Engine::restoring:
      if (!due) return false;
      finish_restore(cloud, *disk, clock);
      return true;
    case Engine::starting:
      if (!due) return false;
      engine_up(*disk, clock);
      return true;
    case Engine::up:
      break;
  }
  const std::string address = document_->address + ":" + std::to_string(document_->port);
  if (applied_address_ != address && !document_->suspended) {
    ++restarts_;
    start_engine(now);
    return true;
  }
  if (work_due_) {
    if (now < *work_due_) return pass_backups(cloud, *disk, clock, rng);
    work_due_.reset();
    work_through(*disk, now);
    return true;
  }
  if (worked_ != digest_ || items_drifted(*disk)) {
    work_due_ = now + options.work;
    return true;
  }
  return pass_backups(cloud, *disk, clock, rng);
}

// Whose is it? A retained volume at a new instance changes hands; another engine's data, or what carries no mark of
// ours, is not touched.
std::string SimGuest::claim(SimDisk& disk) const {
  if (disk.foreign) return "the volume holds \"data\" and no marker of ours: it is not touched";
  const std::string engine(to_string(document_->engine));
  if (!disk.mark.empty() && disk.engine != engine)
    return "the volume holds data of " + disk.engine + ", not of " + engine + ": it is not touched";
  if (disk.filled && !disk.initialised) return "the data directory is gone: no empty one takes its place";
  disk.mark = document_->instance_uid;
  disk.engine = engine;
  disk.filled = disk.initialised;
  return "";
}

bool SimGuest::prepare_data(SimDisk& disk, Millis now) {
  if (!has_data()) return start_engine(now), true;
  trouble_ = claim(disk);
  if (!trouble_.empty()) {
    due_ = now + std::min(kLongestDataRetry, kFirstDataRetry * (1 << std::min(data_failures_++, 5)));
    return false;
  }
  if (disk.initialised) return start_engine(now), true;
  // What was applied went with the data; the backups that were taken did not.
  settled_ = false;
  applied_restart_.clear(), applied_address_.clear();
  applied_memory_mib_ = 0;
  engine_started_ = {};
  persisted_.clear(), asked_.clear(), items_.clear();
  engine_ = document_->restore ? Engine::restoring : Engine::initialising;
  due_ = now + (document_->restore ? options.restore : options.initialise);
  restore_state_ = document_->restore ? "Restoring" : "";
  restore_message_.clear();
  return true;
}

void SimGuest::finish_restore(SimCloud& cloud, SimDisk& disk, const Clock& clock) {
  const Millis now = clock.monotonic();
  engine_ = Engine::none;
  const auto give_up = [&](std::string why) {
    trouble_ = restore_message_ = std::move(why);
    restore_state_ = "Failed";
    due_ = now + std::min(kLongestDataRetry, kFirstDataRetry * (1 << std::min(data_failures_++, 5)));
  };
  if (!document_->restore) return due_.reset();  // not wanted any more: an empty one is made
  const guest::RestoreOrder& order = *document_->restore;
  if (has_expired(order.download_url, clock.wall())) return give_up("download: 403: the URL has expired");
  const auto found = cloud.backups().find(key_of(order.download_url, order.id));
  bool whole = found != cloud.backups().end();
  for (int number = 1; whole && number < order.segments; ++number)
    whole = cloud.objects().contains(guest::segment_url(found->first + ".", number));
  if (!whole) return give_up("download: 404: there is no such object");
  if (content_digest(found->second.content) != order.sha256) return give_up("the checksum of the download is another");
  if (found->second.content.engine != disk.engine)
    return give_up("the backup is of " + found->second.content.engine + ", not of " + disk.engine);
  disk.databases = found->second.content.databases;
  disk.users = found->second.content.users;
  disk.position = found->second.content.position;
  disk.restored_from = order.id;
  disk.initialised = disk.filled = true;
  restore_state_ = "Restored";
  data_failures_ = 0;
  start_engine(now);
}

void SimGuest::start_engine(Millis now) {
  engine_ = Engine::starting;
  trouble_.clear();
  work_due_.reset();
  uploading_.clear();
  backup_due_.reset();
  due_ = now + options.start;
}

void SimGuest::engine_up(SimDisk& disk, const Clock& clock) {
  engine_ = Engine::up;
  due_.reset();
  data_failures_ = 0;
  running_ = persisted_;
  for (const std::string& name : options.pinned) running_.erase(name);
  engine_started_ = clock.wall();
  applied_restart_ = document_->restart;
  applied_memory_mib_ = document_->memory_mib;
  applied_address_ = document_->address + ":" + std::to_string(document_->port);
  disk.parameters = persisted_;
  disk.restart = applied_restart_;
  disk.memory_mib = applied_memory_mib_;
  work_due_ = clock.monotonic() + options.work;
}

// ---- Backups --------------------------------------------------------------------------------------------------------

bool SimGuest::pass_backups(SimCloud& cloud, const SimDisk& disk, const Clock& clock, Rng& rng) {
  const Millis now = clock.monotonic();
  const auto entry = [&](const std::string& id) {
    return std::find_if(backups_.begin(), backups_.end(), [&](const Backup& b) { return b.state.id == id; });
  };
  const auto end_attempt = [&](Backup& backup, std::string why, bool final) {
    backup.state.message = std::move(why);
    backup.state.state = final || backup.attempts >= kMostAttempts ? "Failed" : "Running";
    if (backup.state.state == "Failed") backup.state.finished = clock.wall();
    backup_due_ = now + kBackupPause;
  };
  if (backup_due_ && now < *backup_due_) return false;
  if (!uploading_.empty()) {
    backup_due_.reset();
    const std::string id = std::exchange(uploading_, "");
    Backup& backup = *entry(id);
    if (options.backup_error > 0 && static_cast<int>(rng.next() % 1000) < options.backup_error) {
      end_attempt(backup, "upload: 503", false);
      return true;
    }
    const auto order = std::find_if(document_->backups.begin(), document_->backups.end(),
                                    [&](const guest::BackupOrder& o) { return o.id == id; });
    backup.state.state = "Completed";
    backup.state.sha256 = upload_.sha256;
    backup.state.bytes = upload_.bytes;
    backup.state.segments = upload_segments_;
    backup.state.message.clear();
    backup.state.finished = clock.wall();
    cloud.store(order == document_->backups.end() ? upload_key_ : key_of(order->upload_url, id), upload_,
                upload_segments_);
    return true;
  }
  backup_due_.reset();
  if (worked_.empty() || document_->suspended) return false;
  for (const guest::BackupOrder& order : document_->backups) {
    auto found = entry(order.id);
    if (found != backups_.end() && (found->state.state == "Completed" || found->state.state == "Failed")) continue;
    if (found == backups_.end()) {
      Backup fresh;
      fresh.state.id = order.id;
      fresh.state.started = clock.wall();
      backups_.push_back(std::move(fresh));
      found = backups_.end() - 1;
    }
    found->state.state = "Running";
    if (found->attempts >= kMostAttempts) {
      end_attempt(*found,
                  found->state.message.empty() ? "the agent ended during the backup, each time" : found->state.message,
                  true);
      return true;
    }
    ++found->attempts;
    if (has_expired(order.upload_url, clock.wall())) {
      end_attempt(*found, "upload: 403: the URL has expired", true);
      return true;
    }
    uploading_ = order.id;
    upload_ = backup_of(disk);
    upload_segments_ = order.segment_bytes == 0 ? 1 : static_cast<int>((upload_.bytes - 1) / order.segment_bytes) + 1;
    upload_key_ = key_of(order.upload_url, order.id);
    backup_due_ = now + options.backup;
    return true;
  }
  return false;
}

// ---- What is said ---------------------------------------------------------------------------------------------------

void SimGuest::fill_report(const SimDisk* disk) {
  report_.cuts_backups = true;
  report_.events = events_;
  report_.restarts = restarts_;
  report_.engine_message = trouble_;
  switch (engine_) {
    case Engine::none:
      report_.engine_state = trouble_.empty() ? "Starting" : "Failed";
      break;
    case Engine::initialising:
      report_.engine_state = "Initialising";
      break;
    case Engine::restoring:
      report_.engine_state = "Restoring";
      break;
    case Engine::starting:
      report_.engine_state = "Starting";
      break;
    case Engine::up:
      report_.engine_state = "Running";
      report_.engine_version = version_of(document_->engine);
      break;
  }
  report_.document_digest = worked_;
  report_.engine_started = engine_started_;
  report_.applied_restart = applied_restart_;
  report_.applied_memory_mib = applied_memory_mib_;
  if (disk && has_data() && disk->initialised) {
    report_.volume_used_bytes = kEmptyBytes + kRowBytes * disk->rows();
    report_.volume_total_bytes = document_->volume_gib << 30;
  }
  report_.restore_state.clear(), report_.restore_message.clear();
  if (document_->restore) {
    report_.restore_state = restore_state_;
    report_.restore_message = restore_message_;
    if (disk && disk->initialised) {
      const bool ours = disk->restored_from == document_->restore->id;
      report_.restore_state = ours ? "Restored" : "Failed";
      report_.restore_message = ours ? "" : "the volume held data already; nothing was restored over it";
    }
  }
  report_.backups.clear();
  for (const Backup& backup : backups_) {
    const bool wanted = std::any_of(document_->backups.begin(), document_->backups.end(),
                                    [&](const guest::BackupOrder& o) { return o.id == backup.state.id; });
    if (wanted) report_.backups.push_back(backup.state);
  }
}

}  // namespace trove
