#include "providers/local/state.hpp"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove::local {

namespace {

constexpr mode_t kPassable = 0711;    // engine users walk through, and see nothing
constexpr mode_t kReadable = 0755;
constexpr mode_t kPrivate = 0700;
constexpr mode_t kSecretFile = 0600;
constexpr int kMaxTrashNames = 1'000;   // of one name
constexpr std::string_view kStage = ".new-";
constexpr std::string_view kJson = ".json";

// ports/<id>.json
std::string id_of_file(const Entry& entry) {
  if (!entry.regular || !entry.name.ends_with(kJson)) return {};
  const std::string id = entry.name.substr(0, entry.name.size() - kJson.size());
  return is_uuid(id) ? id : std::string();
}
// servers/<id>/
std::string id_of_directory(const Entry& entry) {
  return entry.directory && is_uuid(entry.name) ? entry.name : std::string();
}

bool is_left_over(const Entry& entry) {
  return (entry.directory && entry.name.starts_with(kStage) &&
          is_uuid(std::string_view(entry.name).substr(kStage.size()))) ||
         (entry.regular && entry.name.starts_with(".") && entry.name.ends_with(".json.tmp"));
}

}  // namespace

template <class Record>
Result<const Record*> RecordCache<Record>::read(const std::string& path, const std::string& id,
                                                const Result<Stamp>& stamp) {
  if (!stamp) {
    kept_.erase(path);
    return tl::unexpected(stamp.error());
  }
  auto it = kept_.find(path);
  if (it == kept_.end() || it->second.stamp != *stamp) {
    const auto text = read_file(path, kMaxRecordBytes);
    if (!text && text.error().code != Code::too_large) {
      kept_.erase(path);   // may be readable the next time without a change of the file
      return tl::unexpected(text.error());
    }
    Result<Record> record = fail(Code::corrupt, "");
    if (!text) {
      record = fail(Code::corrupt, "it holds more than " + std::to_string(kMaxRecordBytes) + " bytes");
    } else if (const auto value = parse_json(*text); !value) {
      record = fail(Code::corrupt, value.error().message);
    } else {
      record = decode_(*value, id);
    }
    it = kept_.insert_or_assign(path, Kept{*stamp, std::move(record), round_}).first;
  }
  it->second.round = round_;
  if (!it->second.record) return tl::unexpected(it->second.record.error());
  return &*it->second.record;
}

template <class Record>
void RecordCache<Record>::sweep() {
  std::erase_if(kept_, [this](const auto& kept) { return kept.second.round != round_; });
  ++round_;
}

State::State(std::string root) : root_(std::move(root)) {}

Result<void> State::prepare() {
  const std::pair<std::string, mode_t> directories[] = {{"", kPassable},         {"/ports", kPrivate},
                                                        {"/volumes", kPassable}, {"/servers", kPassable},
                                                        {"/objects", kPrivate},  {"/trash", kPrivate}};
  for (const auto& [name, mode] : directories) {
    if (auto done = make_directory(root_ + name, mode); !done) return done;
  }
  {
    auto lock = write_lock();   // a file being written by another process is not a left-over
    if (!lock) return tl::unexpected(lock.error());
    for (const auto& directory : {ports(), volumes(), servers()}) {
      const auto entries = list_directory(directory);
      if (!entries) return tl::unexpected(entries.error());
      for (const Entry& entry : *entries) {
        if (!is_left_over(entry)) continue;
        if (auto done = remove_tree(directory + "/" + entry.name); !done) {
          log::warning("a half-written entry cannot be removed", {{"reason", done.error().message}});
        }
      }
    }
  }
  empty_trash();
  return {};
}

State::Lock::~Lock() {
  // Explicitly: a process that was forked meanwhile may still hold the descriptor for a moment.
  if (processes_) flock(processes_.get(), LOCK_UN);
}

State::Lock State::read_lock() { return Lock(std::unique_lock(mutex_), Fd()); }

Result<State::Lock> State::write_lock() {
  std::unique_lock threads(mutex_);
  const std::string path = root_ + "/.lock";
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kSecretFile));
  if (!fd) return tl::unexpected(errno_error("open", path));
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return tl::unexpected(errno_error("lock", path));
  }
  return Lock(std::move(threads), std::move(fd));
}

std::string State::shown(const std::string& path) const {
  return path.starts_with(root_ + "/") ? path.substr(root_.size() + 1) : path;
}

template <class Record, class Name>
Table<Record> State::read_all(const std::string& directory, RecordCache<Record>& cache, Name name) {
  Table<Record> table;
  const auto entries = list_directory(directory);
  if (!entries) {
    table.known = false;
    table.trouble.push_back(shown(directory) + ": " + entries.error().message);
    return table;
  }
  const Fd open = open_directory(directory);
  for (const Entry& entry : *entries) {
    const auto [id, relative] = name(entry);
    if (id.empty()) continue;
    const std::string path = directory + "/" + relative;
    const auto record = cache.read(path, id, open ? stamp_of(relative, &open) : stamp_of(path));
    if (record) {
      table.rows.push_back(*record);
    } else if (record.error().code != Code::not_found) {
      table.known = false;
      table.trouble.push_back(shown(path) + ": " + record.error().message);
    } else {
      table.missing.push_back(id);
    }
  }
  return table;
}

Table<PortRecord> State::all_ports() {
  return read_all(ports(), port_cache_, [](const Entry& entry) { return std::pair(id_of_file(entry), entry.name); });
}

// A volume's directory that lost its volume.json still holds data: that is trouble, not absence.
Table<VolumeRecord> State::all_volumes() {
  auto table = read_all(volumes(), volume_cache_, [](const Entry& entry) {
    return std::pair(id_of_directory(entry), entry.name + "/volume.json");
  });
  for (const std::string& id : table.missing) {
    if (!exists(volume_disk(id))) continue;
    table.known = false;
    table.trouble.push_back("volumes/" + id + "/volume.json: it is missing, but its data are there");
  }
  return table;
}

Table<ServerRecord> State::all_servers() {
  return read_all(servers(), server_cache_, [](const Entry& entry) {
    return std::pair(id_of_directory(entry), entry.name + "/server.json");
  });
}

namespace {

template <class Record>
Result<const Record*> one(RecordCache<Record>& cache, const std::string& path, const std::string& id,
                          std::string_view what) {
  if (!is_uuid(id)) return fail(Code::not_found, std::string(what) + " " + id + " could not be found");
  auto record = cache.read(path, id);
  if (record) return record;
  if (record.error().code == Code::not_found)
    return fail(Code::not_found, std::string(what) + " " + id + " could not be found");
  return fail(Code::unavailable, std::string(what) + " " + id + " cannot be read: " + record.error().message);
}

}  // namespace

Result<const PortRecord*> State::port(const std::string& id) {
  return one(port_cache_, ports() + "/" + id + ".json", id, "PortNotFound: Port");
}
Result<const VolumeRecord*> State::volume(const std::string& id) {
  return one(volume_cache_, volume_dir(id) + "/volume.json", id, "VolumeNotFound: Volume");
}
Result<const ServerRecord*> State::server(const std::string& id) {
  return one(server_cache_, server_file(id), id, "InstanceNotFound: Instance");
}
Result<const AgentRecord*> State::agent(const std::string& server_id, const Fd* servers_directory) {
  const std::string path = agent_file(server_id);
  if (!servers_directory || !*servers_directory) return agent_cache_.read(path, server_id);
  return agent_cache_.read(path, server_id, stamp_of(path.substr(servers().size() + 1), servers_directory));
}

Result<std::vector<Flavor>> State::flavors() {
  const std::string path = root_ + "/flavors.json";
  const auto flavors = flavor_cache_.read(path, "");
  if (flavors) return **flavors;
  if (flavors.error().code == Code::not_found) return built_in_flavors();
  return fail(Code::unavailable, shown(path) + ": " + flavors.error().message);
}

bool State::server_exists(const std::string& id) const { return is_uuid(id) && exists(server_file(id)); }

Result<void> State::put(const PortRecord& record) {
  const std::string path = ports() + "/" + record.port.id + ".json";
  auto done = write_file(path, dump_json_pretty(to_value(record)), kSecretFile);
  port_cache_.forget(path);
  return done;
}

Result<void> State::put(const VolumeRecord& record) {
  const std::string path = volume_dir(record.volume.id) + "/volume.json";
  auto done = write_file(path, dump_json_pretty(to_value(record)), kSecretFile);
  volume_cache_.forget(path);
  return done;
}

Result<void> State::put(const ServerRecord& record) {
  const std::string path = server_file(record.server.id);
  auto done = write_file(path, dump_json_pretty(to_value(record)), kSecretFile);
  server_cache_.forget(path);
  return done;
}

Result<void> State::put_agent(const std::string& server_id, const AgentRecord& record) {
  const std::string path = agent_file(server_id);
  auto done = write_file(path, dump_json_pretty(to_value(record)), kSecretFile);
  agent_cache_.forget(path);
  return done;
}

namespace {

struct StagedFile {
  std::string name, text;
};
// Fills a directory of another name and renames it, so that it is never seen half full.
Result<void> add_directory(const std::string& parent, const std::string& id, mode_t mode,
                           const std::vector<std::pair<std::string, mode_t>>& directories,
                           const std::vector<StagedFile>& files) {
  const std::string stage = parent + "/" + std::string(kStage) + id;
  auto done = make_directory(stage, mode);
  for (const auto& [name, m] : directories) {
    if (done) done = make_directory(stage + "/" + name, m);
  }
  for (const auto& [name, text] : files) {
    if (done) done = write_file(stage + "/" + name, text, kSecretFile);
  }
  if (done) done = rename_path(stage, parent + "/" + id);
  if (!done) (void)remove_tree(stage);   // else at the next start
  return done;
}

}  // namespace

Result<void> State::add(const VolumeRecord& record) {
  return add_directory(volumes(), record.volume.id, kPassable, {{"fs", kReadable}},
                       {{"volume.json", dump_json_pretty(to_value(record))}});
}

Result<void> State::add(const ServerRecord& record, const std::string& guest_json) {
  return add_directory(servers(), record.server.id, kReadable, {{"run", kReadable}, {"log", kReadable}},
                       {{"guest.json", guest_json}, {"server.json", dump_json_pretty(to_value(record))}});
}

Result<void> State::remove_port(const std::string& id) {
  const std::string path = ports() + "/" + id + ".json";
  port_cache_.forget(path);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return tl::unexpected(errno_error("remove", path));
  return sync_directory(ports());
}

Result<void> State::discard(const std::string& directory) {
  const std::string name = directory.substr(directory.rfind('/') + 1);
  std::string target = root_ + "/trash/" + name;
  for (int n = 1; exists(target) && n < kMaxTrashNames; ++n)
    target = root_ + "/trash/" + name + "." + std::to_string(n);
  auto done = rename_path(directory, target);
  if (!done && done.error().code == Code::not_found) return {};   // somebody else removed it
  return done;
}

void State::empty_trash() {
  const auto entries = list_directory(root_ + "/trash");
  if (!entries) return;
  for (const Entry& entry : *entries) {
    if (auto done = remove_tree(root_ + "/trash/" + entry.name); !done) {
      log::warning("the trash cannot be emptied", {{"reason", done.error().message}});
    }
  }
}

void State::sweep() {
  port_cache_.sweep();
  volume_cache_.sweep();
  server_cache_.sweep();
  agent_cache_.sweep();
}

}  // namespace trove::local
