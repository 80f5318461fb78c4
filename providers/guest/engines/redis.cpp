// Redis as a process, its configuration, its parameters, its backups.
#include "providers/guest/engines/redis.hpp"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/engines/settings.hpp"
#include "specs/core/digest.hpp"

namespace trove::guest {

namespace {

constexpr const char* kAgentUser = "trove-agent";
constexpr size_t kPasswordLength = 48;
constexpr size_t kMostAclFile = 8u << 20;
constexpr Millis kSaveLook{20};
constexpr int64_t kSavePatienceMs = 6 * 3'600'000;

std::string server_program() { return find_program({"/usr/bin/redis-server", "/usr/local/bin/redis-server"}); }

// Settings that decide where data is, who gets in, or what code is loaded; a trailing * stands for any ending.
bool is_reserved(const std::string& name) {
  static const std::set<std::string> names = {
      "bind", "bind-source-addr", "port", "unixsocket", "unixsocketperm", "dir", "dbfilename", "appendfilename",
      "appenddirname", "aclfile", "requirepass", "masterauth", "masteruser", "user", "pidfile", "logfile",
      "daemonize", "supervised", "protected-mode", "set-proc-title", "proc-title-template", "include", "loadmodule",
      "rename-command", "replicaof", "slaveof", "enable-debug-command", "enable-module-command",
      "enable-protected-configs", "socket-mark-id", "acl-pubsub-default"};
  static const std::vector<std::string> starts = {"tls-", "cluster-", "repl-", "replica-", "slave-", "syslog-"};
  return names.count(name) > 0 ||
         std::any_of(starts.begin(), starts.end(), [&](const auto& s) { return name.rfind(s, 0) == 0; });
}

// A value in redis.conf. Plain text stays bare, since some settings take several words.
std::string conf_value(const std::string& value) {
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr(" ._:/@%+-*,", c);
  });
  if (plain) return value;
  std::string out = "\"";
  for (char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc()) return std::nullopt;
  const std::string suffix = lower(text.substr(static_cast<size_t>(end - text.data())));
  static const std::map<std::string, int64_t> kFactors = {{"", 1},           {"b", 1},          {"k", 1000},
                                                          {"kb", 1 << 10},   {"m", 1'000'000},  {"mb", 1 << 20},
                                                          {"g", 1'000'000'000}, {"gb", 1 << 30}};
  const auto factor = kFactors.find(suffix);
  int64_t out = 0;
  if (factor == kFactors.end() || __builtin_mul_overflow(value, factor->second, &out)) return std::nullopt;
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (char c : text) {
    if (c == ' ') {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    words.back() += c;
  }
  return words;
}

std::string info_field(const std::string& info, const std::string& name) {
  const size_t at = info.find(name + ":");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 1;
  return info.substr(from, info.find_first_of("\r\n", from) - from);
}

}  // namespace

bool redis::same_value(std::string_view a, std::string_view b) {
  const auto left = words_of(a), right = words_of(b);
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    const auto x = number_of(left[i]), y = number_of(right[i]);
    if (x && y ? *x != *y : !same_setting(left[i], right[i])) return false;
  }
  return true;
}

std::string RedisDriver::data_version() {
  if (!version_.empty()) return version_;
  const std::string path = server_program();
  if (path.empty()) return "";
  auto tool = Tool::start({.argv = {path, "--version"}, .user = where_.engine_user, .pipe_out = true, .log_file = ""});
  if (!tool) return "";
  const UniqueFd out = (*tool)->take_out();
  const auto text = read_file("/proc/self/fd/" + std::to_string(out.get()), 4096);   // "Redis server v=7.0.15 sha=…"
  Cancel never;
  (*tool)->finish(Millis{10'000}, never);
  const size_t at = text ? text->find("v=") : std::string::npos;
  if (at == std::string::npos) return "";
  return version_ = text->substr(at + 2, text->find('.', at) - at - 2);
}

Result<void> RedisDriver::initialise(const std::string&, const Document&, const Cancel&) { return {}; }

Result<std::string> RedisDriver::password() {
  if (!password_.empty()) return password_;
  const std::string path = where_.layout.run_dir + "/redis.password";
  if (const auto known = read_file(path, 256); known && known->size() == kPasswordLength) return password_ = *known;
  const std::string made = random_text(*where_.rng, kPasswordLength);
  if (auto written = write_file(path, made, 0600); !written) return tl::unexpected<Error>(written.error());
  return password_ = made;
}

// The agent's own line must be right whenever the engine starts; everybody else's is theirs.
Result<void> RedisDriver::ensure_acl_file() {
  auto secret = password();
  if (!secret) return tl::unexpected<Error>(secret.error());
  const std::string hash = "#" + redis_verifier(*secret);
  const std::string own = std::string("user ") + kAgentUser + " on " + hash + " ~* &* +@all\n";
  std::string text, rest;
  bool fits = false, has_default = false;
  if (const auto now = read_file(acl_path(), kMostAclFile)) text = *now;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string line = text.substr(from, end - from);
    from = end + 1;
    if (line.rfind(std::string("user ") + kAgentUser + " ", 0) == 0) {
      fits = line.find(" on ") != std::string::npos && line.find(hash) != std::string::npos &&
             line.find(" ~*") != std::string::npos && line.find("+@all") != std::string::npos;
    } else if (!line.empty()) {
      has_default |= line.rfind("user default ", 0) == 0;
      rest += line + "\n";
    }
  }
  if (fits && has_default) return {};
  return write_file(acl_path(), own + rest + (has_default ? "" : "user default off resetchannels -@all\n"), 0600,
                    &where_.engine_user);
}

Result<std::vector<std::string>> RedisDriver::configure(const Document& document, const Parameters& parameters) {
  const std::string path = server_program();
  if (path.empty()) return fail(Code::not_found, "redis-server is not installed");
  if (auto ready = ensure_acl_file(); !ready) return tl::unexpected<Error>(ready.error());
  const Layout& at = where_.layout;
  const int64_t memory = std::max<int64_t>(document.memory_mib, 16) << 20;
  own_settings_ = {{"maxmemory", std::to_string(memory / 4 * 3)},
                   {"appendonly", at.volume_dir.empty() ? "no" : "yes"},
                   {"appendfsync", "everysec"}};
  Parameters settings = own_settings_;
  for (const auto& [name, value] : parameters) settings[name] = value;
  wants_aof_ = lower(settings["appendonly"]) == "yes";
  // Redis believes its append-only file before its dump. One that is not there, beside a dump that a restore put
  // there, or one from before it was switched off, would make it start with the wrong data: then the dump is loaded
  // first, and refresh() has a new file written from it.
  const bool dump = exists(at.data_dir + "/dump.rdb");
  const bool log = exists(at.data_dir + "/appendonlydir/appendonly.aof.manifest");
  if (!wants_aof_) {
    if (auto marked = write_file_if_changed(stale_log_path(), "", 0600, &where_.engine_user); !marked) {
      return tl::unexpected<Error>(marked.error());
    }
  } else if (dump && (!log || exists(stale_log_path()))) {
    settings["appendonly"] = "no";
  }
  std::string text = "# Written by trove-guest at every start and change; edits are lost.\n";
  for (const auto& [name, value] : settings) text += name + " " + conf_value(value) + "\n";
  const std::vector<std::pair<std::string, std::string>> fixed = {
      {"bind", document.address}, {"port", std::to_string(document.port)}, {"protected-mode", "no"},
      {"unixsocket", socket_path()}, {"unixsocketperm", "700"}, {"dir", at.data_dir}, {"dbfilename", "dump.rdb"},
      {"aclfile", acl_path()}, {"logfile", at.log_dir + "/redis.log"}, {"pidfile", at.engine_dir + "/redis.pid"},
      {"daemonize", "no"}, {"supervised", "no"},
      // A title would overwrite the environment that the cloud knows its servers' processes by.
      {"set-proc-title", "no"}};
  for (const auto& [name, value] : fixed) text += name + " " + conf_value(value) + "\n";
  auto written = write_file_if_changed(at.engine_dir + "/redis.conf", text, 0600, &where_.engine_user);
  if (!written) return tl::unexpected<Error>(written.error());
  return std::vector<std::string>{path, at.engine_dir + "/redis.conf"};
}

int RedisDriver::stop_signal() const { return SIGTERM; }

Result<void> RedisDriver::connect() {
  if (connection_) return {};
  auto secret = password();
  if (!secret) return tl::unexpected<Error>(secret.error());
  auto opened = redis::Connection::open(socket_path(), kAgentUser, *secret);
  if (!opened) return tl::unexpected<Error>(opened.error());
  connection_ = std::move(*opened);
  return {};
}

Result<std::vector<std::string>> RedisDriver::command(const std::vector<std::string>& words) {
  if (auto ready = connect(); !ready) return tl::unexpected<Error>(ready.error());
  auto answer = connection_->command(words);
  if (!answer && answer.error().code == Code::unavailable) connection_.reset();
  return answer;
}

Result<void> RedisDriver::order(const std::vector<std::string>& words) {
  auto answer = command(words);
  if (!answer) return tl::unexpected<Error>(answer.error());
  return {};
}

Result<std::string> RedisDriver::running_version() {
  auto info = command({"INFO", "server"});
  if (!info) return tl::unexpected<Error>(info.error());
  return info->empty() ? "" : info_field((*info)[0], "redis_version");
}

std::string RedisDriver::trouble() {
  const std::string out = last_words(where_.layout.log_dir + "/engine.out", 0, 240);
  if (!out.empty()) return out;
  return last_words(where_.layout.log_dir + "/redis.log", 0, 240);
}

// ---- parameters -----------------------------------------------------------------------------------------------------

std::string RedisDriver::canonical_name(const std::string& name) const { return lower(name); }

std::string RedisDriver::refuses(const std::string& name, const std::string& value) const {
  if (auto why = unsafe_parameter(name, value); !why.empty()) return why;
  return is_reserved(name) ? "is set by trove-guest itself" : "";
}

Result<std::optional<Setting>> RedisDriver::setting(const std::string& name) {
  auto answer = command({"CONFIG", "GET", name});
  if (!answer) return tl::unexpected<Error>(answer.error());
  if (answer->size() < 2) return std::optional<Setting>();
  const std::string value = (*answer)[1];
  auto live = live_.find(name);
  if (live == live_.end()) {
    auto tried = command({"CONFIG", "SET", name, value});
    if (!tried && tried.error().code == Code::unavailable) return tl::unexpected<Error>(tried.error());
    live = live_.emplace(name, tried.has_value()).first;
  }
  return std::optional<Setting>(Setting{value, live->second});
}

Result<void> RedisDriver::set_live(const std::string& name, const std::string& value) {
  auto done = order({"CONFIG", "SET", name, value});
  // Without the log of writes the dump is all there is: have a fresh one.
  if (done && name == "appendonly" && lower(value) == "no") order({"BGSAVE", "SCHEDULE"});
  return done;
}

Result<void> RedisDriver::reset_live(const std::string& name) {
  if (const auto own = own_settings_.find(name); own != own_settings_.end()) return set_live(name, own->second);
  return fail(Code::invalid, "Redis does not tell its default");   // the caller knows what it was before
}

// ---- backups --------------------------------------------------------------------------------------------------------

Result<BackupSource> RedisDriver::open_backup(const Cancel&) {
  auto secret = password();
  if (!secret) return tl::unexpected<Error>(secret.error());
  BackupSource source;
  source.begin = [socket = socket_path(), secret = *secret, file = where_.layout.data_dir + "/dump.rdb"](
                     const Cancel& cancel) -> Result<UniqueFd> {
    auto connection = redis::Connection::open(socket, kAgentUser, secret);
    if (!connection) return tl::unexpected<Error>(connection.error());
    std::string before;
    for (int64_t waited = 0;; waited += kSaveLook.count()) {
      auto info = (*connection)->command({"INFO", "persistence"});
      if (!info || info->empty()) return fail(Code::unavailable, "Redis does not tell about its dumps");
      const bool busy = info_field((*info)[0], "rdb_bgsave_in_progress") == "1";
      if (!busy && before.empty()) {
        // One that began before the order does not count; ours may have to wait for a rewrite of the log.
        before = info_field((*info)[0], "rdb_saves") + "/";
        if (auto begun = (*connection)->command({"BGSAVE", "SCHEDULE"}); !begun)
          return tl::unexpected<Error>(begun.error());
      } else if (!busy && !before.empty() && info_field((*info)[0], "rdb_saves") + "/" != before) {
        break;
      } else if (!busy && info_field((*info)[0], "rdb_last_bgsave_status") == "err") {
        return fail(Code::unavailable, "Redis could not write its dump");
      }
      if (waited > kSavePatienceMs) return fail(Code::unavailable, "Redis did not write its dump in time");
      if (pause_for(kSaveLook, cancel)) return fail(Code::unavailable, "interrupted");
    }
    UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return fail(Code::unavailable, std::string("cannot read the dump: ") + strerror(errno));
    return fd;
  };
  return source;
}

Result<void> RedisDriver::restore(const std::string& dir, const Feed& feed, const Cancel&) {
  UniqueFd file(open((dir + "/dump.rdb").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return fail(Code::unavailable, std::string("cannot write the dump: ") + strerror(errno));
  if (auto fed = feed(file.get()); !fed) return fed;
  file.reset();
  UniqueFd back(open((dir + "/dump.rdb").c_str(), O_RDONLY | O_CLOEXEC));
  char magic[5] = {};
  if (read(back.get(), magic, sizeof magic) != sizeof magic || std::memcmp(magic, "REDIS", 5) != 0) {
    return fail(Code::corrupt, "the backup holds no Redis dump");
  }
  return {};
}

}  // namespace trove::guest
