#include "providers/guest/engines/memcached.hpp"
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include "providers/guest/engines/files.hpp"
#include "providers/guest/engines/settings.hpp"

namespace trove::guest {

namespace {

constexpr int kAnswerMs = 5'000;
constexpr size_t kMostAnswer = 1u << 20;

enum class Type { number, size, megabytes, decimal, boolean, word };
struct Option {
  const char* flag;        // "-o" for an extended one
  Type type;
  const char* shown;       // in `stats settings`; "" = not shown
};

// By their long names, as memcached --help has them.
const std::map<std::string, Option>& options() {
  static const std::map<std::string, Option> table = {
      {"conn-limit", {"-c", Type::number, "maxconns"}},
      {"disable-cas", {"-C", Type::boolean, "cas_enabled"}},
      {"disable-dumping", {"-X", Type::boolean, "dump_enabled"}},
      {"disable-evictions", {"-M", Type::boolean, "evictions"}},
      {"disable-flush-all", {"-F", Type::boolean, "flush_enabled"}},
      {"disable-watch", {"-W", Type::boolean, "watch_enabled"}},
      {"listen-backlog", {"-b", Type::number, "tcp_backlog"}},
      {"max-item-size", {"-I", Type::size, "item_size_max"}},
      {"max-reqs-per-event", {"-R", Type::number, "reqs_per_event"}},
      {"memory-limit", {"-m", Type::megabytes, "maxbytes"}},
      {"protocol", {"-B", Type::word, "binding_protocol"}},
      {"slab-growth-factor", {"-f", Type::decimal, "growth_factor"}},
      {"slab-min-size", {"-n", Type::number, "chunk_size"}},
      {"threads", {"-t", Type::number, "num_threads"}},
      {"hash_algorithm", {"-o", Type::word, "hash_algorithm"}},
      {"hashpower", {"-o", Type::number, "hashpower_init"}},
      {"hot_lru_pct", {"-o", Type::number, "hot_lru_pct"}},
      {"idle_timeout", {"-o", Type::number, "idle_timeout"}},
      {"lru_crawler_sleep", {"-o", Type::number, "lru_crawler_sleep"}},
      {"maxconns_fast", {"-o", Type::boolean, "maxconns_fast"}},
      {"read_buf_mem_limit", {"-o", Type::number, "read_buf_mem_limit"}},
      {"slab_automove_freeratio", {"-o", Type::decimal, "slab_automove_freeratio"}},
      {"slab_chunk_max", {"-o", Type::number, "slab_chunk_max"}},
      {"temporary_ttl", {"-o", Type::number, "temporary_ttl"}},
      {"track_sizes", {"-o", Type::boolean, "track_sizes"}},
      {"warm_lru_pct", {"-o", Type::number, "warm_lru_pct"}},
  };
  return table;
}

// A plain number of memory-limit counts megabytes, here as on the command line.
std::optional<int64_t> bytes_of(const Option& option, std::string_view text) {
  auto size = size_of(text);
  const bool plain = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (size && plain && option.type == Type::megabytes) *size <<= 20;
  return size;
}

}  // namespace

std::string MemcachedDriver::canonical_name(const std::string& name) const {
  // Short options have dashes, extended ones underscores; people mix them up.
  std::string dashed = lower(name), scored = lower(name);
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  std::replace(scored.begin(), scored.end(), '-', '_');
  return options().count(dashed) ? dashed : options().count(scored) ? scored : lower(name);
}

std::string MemcachedDriver::refuses(const std::string& name, const std::string& value) const {
  if (auto why = unsafe_parameter(name, value); !why.empty()) return why;
  for (char c : value) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_')
      return "the value holds what no option takes";
  }
  return "";
}

Result<std::vector<std::string>> MemcachedDriver::configure(const Document& document, const Parameters& parameters) {
  const std::string path = find_program({"/usr/bin/memcached", "/usr/local/bin/memcached"});
  if (path.empty()) return fail(Code::not_found, "memcached is not installed");
  if (address_ != document.address || port_ != document.port) connection_.reset();
  address_ = document.address;
  port_ = document.port;
  std::vector<std::string> argv = {path, "-l", document.address, "-p", std::to_string(document.port), "-U", "0"};
  // The flavor less what the program needs besides items.
  if (!parameters.count("memory-limit")) {
    argv.insert(argv.end(), {"-m", std::to_string(std::max<int64_t>(document.memory_mib * 3 / 4, 8))});
  }
  if (where_.engine_user.uid == 0) argv.insert(argv.end(), {"-u", where_.engine_user.name});
  for (const auto& [name, value] : parameters) {
    const auto found = options().find(name);
    if (found == options().end()) continue;
    const Option& option = found->second;
    const bool extended = std::string(option.flag) == "-o";
    if (option.type == Type::boolean) {
      const bool on = boolean_of(value).value_or(false);
      if (!extended && on) argv.emplace_back(option.flag);
      if (extended && on) argv.insert(argv.end(), {"-o", name});
      if (extended && !on && name == "maxconns_fast") argv.insert(argv.end(), {"-o", "no_maxconns_fast"});
    } else if (extended) {
      argv.insert(argv.end(), {"-o", name + "=" + value});
    } else if (option.type == Type::megabytes) {
      argv.insert(argv.end(), {option.flag, std::to_string(bytes_of(option, value).value_or(int64_t{64} << 20) >> 20)});
    } else {
      argv.insert(argv.end(), {option.flag, value});
    }
  }
  return argv;
}

int MemcachedDriver::stop_signal() const { return SIGTERM; }

Result<void> MemcachedDriver::connect() {
  if (connection_) return {};
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address_.c_str(), std::to_string(port_).c_str(), &hints, &found) != 0 || !found) {
    return fail(Code::invalid, "\"" + address_ + "\" is not an address");
  }
  UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int done = fd ? ::connect(fd.get(), found->ai_addr, found->ai_addrlen) : -1;
  int error = done == 0 ? 0 : errno;
  freeaddrinfo(found);
  if (error == EINPROGRESS) {
    pollfd p{fd.get(), POLLOUT, 0};
    socklen_t size = sizeof error;
    error = poll(&p, 1, kAnswerMs) == 1 && getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error
                                                                                                          : ETIMEDOUT;
  }
  if (error != 0) return fail(Code::unavailable, std::string("cannot connect: ") + strerror(error));
  connection_ = std::move(fd);
  return {};
}

Result<std::string> MemcachedDriver::ask(const std::string& line, const std::string& end) {
  if (auto ready = connect(); !ready) return tl::unexpected<Error>(ready.error());
  const std::string request = line + "\r\n";
  std::string answer;
  if (send(connection_.get(), request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[8192];
    for (;;) {
      pollfd p{connection_.get(), POLLIN, 0};
      if (poll(&p, 1, kAnswerMs) != 1) break;
      const ssize_t n = recv(connection_.get(), buffer, sizeof buffer, 0);
      if (n <= 0 || answer.size() > kMostAnswer) break;
      answer.append(buffer, static_cast<size_t>(n));
      if (answer.size() >= end.size() && answer.compare(answer.size() - end.size(), end.size(), end) == 0)
        return answer;
    }
  }
  connection_.reset();
  return fail(Code::unavailable, "memcached does not answer");
}

Result<std::string> MemcachedDriver::running_version() {
  auto answer = ask("version", "\r\n");
  if (!answer) return answer;
  if (answer->rfind("VERSION ", 0) != 0) return fail(Code::unavailable, "that is not memcached");
  return answer->substr(8, answer->find('\r') - 8);
}

std::string MemcachedDriver::trouble() { return last_words(where_.layout.log_dir + "/engine.out", 0, 240); }

Result<std::optional<Facets>> MemcachedDriver::look(const Database&) { return none("databases"); }
Result<std::optional<Facets>> MemcachedDriver::look(const User&) { return none("users"); }

Result<std::optional<Setting>> MemcachedDriver::setting(const std::string& name) {
  const auto option = options().find(name);
  if (option == options().end()) return std::optional<Setting>();
  auto answer = ask("stats settings", "END\r\n");
  if (!answer) return tl::unexpected<Error>(answer.error());
  const std::string label = std::string("STAT ") + option->second.shown + " ";
  const size_t at = answer->find(label);
  std::string value;
  if (at != std::string::npos) {
    value = answer->substr(at + label.size(), answer->find('\r', at) - at - label.size());
    const std::string shown = option->second.shown;
    // Options that switch something off are shown as the thing that is on.
    if (name.rfind("disable-", 0) == 0) value = boolean_of(value).value_or(true) ? "no" : "yes";
    if (option->second.type == Type::megabytes) value = std::to_string(atoll(value.c_str()) >> 20);
    if (shown == "binding_protocol") value = value == "auto-negotiate" ? "auto" : value;
  }
  return std::optional<Setting>(Setting{value, false});
}

Result<void> MemcachedDriver::set_live(const std::string&, const std::string&) {
  return fail(Code::invalid, "memcached takes its options only when it starts");
}
Result<void> MemcachedDriver::reset_live(const std::string&) {
  return fail(Code::invalid, "memcached takes its options only when it starts");
}

bool MemcachedDriver::same(const std::string& name, const std::string& a, const std::string& b) {
  const auto option = options().find(name);
  if (option == options().end()) return a == b;
  const auto left = bytes_of(option->second, a), right = bytes_of(option->second, b);
  return left && right ? *left == *right : same_setting(a, b);
}

std::string MemcachedDriver::objection(const std::string& name, const std::string& value) {
  const auto option = options().find(name);
  if (option == options().end()) return "unknown option";
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  switch (option->second.type) {
    case Type::number: return digits ? "" : "\"" + value + "\" is not a number";
    case Type::size:
    case Type::megabytes: return size_of(value) ? "" : "\"" + value + "\" is not a size";
    case Type::decimal:
      return !value.empty() && value.find_first_not_of("0123456789.") == std::string::npos
                 ? ""
                 : "\"" + value + "\" is not a number";
    case Type::boolean: return boolean_of(value) ? "" : "\"" + value + "\" is neither yes nor no";
    case Type::word: return "";
  }
  return "";
}

}  // namespace trove::guest
