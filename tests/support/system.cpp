#include "support/system.hpp"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "specs/core/real.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

std::string bin(const std::string& name) { return std::string(TROVE_BIN_DIR) + "/" + name; }

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void nap(Millis d) { ::poll(nullptr, 0, static_cast<int>(d.count())); }

}  // namespace

bool eventually(const std::function<bool()>& condition, Millis deadline) {
  const RealClock clock;
  const Millis end = clock.monotonic() + deadline;
  do {
    if (condition()) return true;
    nap(Millis{50});
  } while (clock.monotonic() < end);
  return condition();
}

std::string trimmed(std::string text) {
  while (!text.empty() && std::strchr(" \t\r\n", text.back())) text.pop_back();
  return text;
}

// Tests of one machine may run side by side, each with loopback addresses of its own.
static std::string next_subnet() {
  static std::atomic<int> count{0};
  return "127." + std::to_string(100 + (::getpid() * 3 + count++) % 120) + ".";
}

System::System() : System(std::vector<std::string>{}, true) {}

System::System(std::vector<std::string> cloud) : System(std::move(cloud), false) {}

System::System(std::vector<std::string> arguments, bool local) : subnet_("no local cloud"), cloud_(std::move(arguments)) {
  if (local) {
    subnet_ = next_subnet();
    cloud_.insert(cloud_.end(), {"--subnet", subnet_ + "0.0/16"});
  }
  start();
}

System::~System() {
  try {
    power_cut();
  } catch (...) {
  }
}

void System::start(const std::string& listen) {
  std::vector<std::string> argv{bin("troved"), "--data", data(), "--listen", listen};
  argv.insert(argv.end(), cloud_.begin(), cloud_.end());
  daemon_ = std::make_unique<Process>(std::move(argv));
  if (!daemon_->wait_for("ready", Millis{20'000}))
    throw std::runtime_error("troved did not get ready: " + daemon_->err());
}

void System::stop() {
  daemon_->signal(SIGTERM);
  auto exit = daemon_->wait(Millis{10'000});
  log_ += daemon_->err();
  if (!exit || exit->code != 0) throw std::runtime_error("troved did not stop cleanly");
  daemon_.reset();
}

void System::kill() {
  // Only the daemon: its process group is its own, but the servers left it long ago.
  ::kill(daemon_->pid(), SIGKILL);
  daemon_->wait(Millis{10'000});
  log_ += daemon_->err();
  daemon_.reset();
}

std::string System::log() const { return log_ + (daemon_ ? daemon_->err() : ""); }

void System::power_cut() {
  if (daemon_) kill();
  for (int round = 0; round < 50; ++round) {
    auto left = processes();
    if (left.empty()) return;
    for (pid_t pid : left) ::kill(pid, SIGKILL);
    nap(Millis{20});
  }
}

std::vector<pid_t> System::processes(const std::string& name) {
  std::vector<pid_t> found;
  DIR* proc = ::opendir("/proc");
  if (!proc) return found;
  while (dirent* entry = ::readdir(proc)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 1) continue;
    const std::string base = std::string("/proc/") + entry->d_name;
    const std::string environ = slurp(base + "/environ");
    if (environ.find("TROVE_SERVER=") == std::string::npos) continue;
    const std::string command = slurp(base + "/cmdline");
    if (command.find(data()) == std::string::npos && command.find(subnet_) == std::string::npos &&
        environ.find(data()) == std::string::npos)
      continue;
    const std::string stat = slurp(base + "/stat");
    if (stat.find(") Z ") != std::string::npos) continue;
    if (!name.empty() && !trimmed(slurp(base + "/comm")).starts_with(name)) continue;
    found.push_back(pid);
  }
  ::closedir(proc);
  return found;
}

std::vector<pid_t> System::agents() { return processes("trove-guest"); }

Exit System::ctl(std::vector<std::string> arguments, const std::string& input, Millis deadline) {
  arguments.insert(arguments.begin(), bin("trovectl"));
  ProcessOptions options;
  options.env = {"TROVE_DATA=" + data(), "NO_COLOR=1"};
  options.input = input;
  return run(std::move(arguments), options, deadline);
}

std::string System::must(std::vector<std::string> arguments, const std::string& input) {
  std::string line;
  for (const std::string& a : arguments) line += " " + a;
  Exit exit = ctl(std::move(arguments), input);
  if (exit.code != 0)
    throw std::runtime_error("trovectl" + line + " exited " + std::to_string(exit.code) + ": " + exit.out + exit.err);
  return exit.out;
}

std::string System::wait_ready(const std::string& object, int seconds) {
  return must({"wait", "--for=Ready", object, "--timeout=" + std::to_string(seconds) + "s"});
}

std::string System::field(const std::string& object, const std::string& jsonpath) {
  return trimmed(must({"get", object, "-o", "jsonpath=" + jsonpath}));
}

std::string System::password(const std::string& secret, const std::string& key) {
  return trimmed(must({"secret", "reveal", secret, "--key", key}));
}

void System::forget_address(const std::string& instance) { addresses_.erase(instance); }

std::string System::address(const std::string& instance) {
  // An address is for life, and a test may ask while the daemon is down.
  std::string& known = addresses_[instance];
  if (!known.empty()) return known;
  const std::string endpoint = field("inst/" + instance, "{.status.endpoints.primary}");
  return known = endpoint.substr(0, endpoint.rfind(':'));
}

Exit System::mariadb(const std::string& instance, const std::string& user, const std::string& password,
                     const std::string& sql, const std::string& database) {
  ProcessOptions options;
  options.env = {"MYSQL_PWD=" + password};
  std::vector<std::string> argv{
      "mariadb", "--no-defaults", "--protocol=tcp", "-h", address(instance), "-u", user, "-N", "-B", "-e", sql};
  if (!database.empty()) argv.push_back(database);
  return run(std::move(argv), options, Millis{20'000});
}

Exit System::psql(const std::string& instance, const std::string& user, const std::string& password,
                  const std::string& database, const std::string& sql) {
  ProcessOptions options;
  options.env = {"PGPASSWORD=" + password};
  return run({"psql", "-X", "-q", "-A", "-t", "-h", address(instance), "-U", user, "-d", database, "-c", sql}, options,
             Millis{20'000});
}

Exit System::redis(const std::string& instance, const std::string& user, const std::string& password,
                   std::vector<std::string> command) {
  ProcessOptions options;
  options.env = {"REDISCLI_AUTH=" + password};
  std::vector<std::string> argv{"redis-cli", "-h", address(instance), "--user", user};
  argv.insert(argv.end(), command.begin(), command.end());
  return run(std::move(argv), options, Millis{20'000});
}

std::string System::server_directory(const std::string& instance) {
  return data() + "/cloud/servers/" + field("inst/" + instance, "{.status.members[0].server}");
}

Exit System::mariadb_admin(const std::string& instance, const std::string& sql) {
  // Where the engine listens is in the configuration that the agent wrote for it.
  Exit found = run({"sh", "-c", "sed -n 's/^socket *= *//p' $(find \"$1\" -name my.cnf) | head -1 | tr -d '\"'", "sh",
                    server_directory(instance)});
  const std::string socket = trimmed(found.out);
  return run({"mariadb", "--no-defaults", "-S", socket, "-u", "root", "-N", "-B", "-e", sql});
}

}  // namespace trove
