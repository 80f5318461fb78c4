// kill -9 of the real troved, again and again over one data directory, while writers are at work; after each restart
// all that was acknowledged must be there. See tests/kill9/run.
#include <poll.h>
#include <sqlite3.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <thread>

#include "kill9/generator.hpp"
#include "specs/core/real.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

using namespace trove;
using namespace trove::kill9;

namespace {

struct Options {
  uint64_t rounds = 250, seed = 1;
  int writers = 4, slots = 5;
  std::string programs = TROVE_BIN_DIR;
};

[[noreturn]] void usage() {
  std::cerr << "usage: kill9 [--rounds N] [--seed S] [--programs DIRECTORY]\n";
  std::exit(2);
}

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--programs") {
      options.programs = value;
      continue;
    }
    uint64_t* number = name == "--rounds" ? &options.rounds : name == "--seed" ? &options.seed : nullptr;
    if (!number || value.empty() ||
        std::from_chars(value.data(), value.data() + value.size(), *number).ptr != value.data() + value.size())
      usage();
  }
  return options;
}

void nap(uint64_t ms) { ::poll(nullptr, 0, static_cast<int>(ms)); }

std::string first_word(const std::string& text) { return text.substr(0, text.find_first_of(" \n")); }

// One data directory and the daemon over it.
class Victim {
 public:
  Victim(const Options& options, std::string directory)
      : program_(options.programs + "/troved"),
        directory_(std::move(directory)),
        subnet_("127." + std::to_string(200 + ::getpid() % 40) + ".0.0/16") {}

  void start() {
    daemon_ = std::make_unique<Process>(
        std::vector<std::string>{program_, "--data", directory_, "--listen", "127.0.0.1:0", "--subnet", subnet_});
  }
  void wait_until_ready() {
    if (!daemon_->wait_for("ready", Millis{20'000}))
      throw std::runtime_error("troved does not start: " + daemon_->err());
  }
  void kill() {
    daemon_->signal(SIGKILL);
    if (!daemon_->wait(Millis{20'000})) throw std::runtime_error("troved cannot be killed");
    daemon_.reset();
  }
  void stop() {
    daemon_->signal(SIGTERM);
    const auto exit = daemon_->wait(Millis{20'000});
    if (!exit || exit->code != 0) throw std::runtime_error("troved does not stop: " + daemon_->err());
    daemon_.reset();
  }
  std::string url() const { return first_word(read_file(directory_ + "/endpoint")); }
  std::string token() const { return first_word(read_file(directory_ + "/token")); }

  // SQLite's own judgement, with no daemon running.
  std::string damage() const {
    sqlite3* db = nullptr;
    sqlite3_stmt* check = nullptr;
    std::string verdict = "cannot be opened";
    if (sqlite3_open_v2((directory_ + "/trove.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &check, nullptr) == SQLITE_OK &&
        sqlite3_step(check) == SQLITE_ROW)
      verdict = reinterpret_cast<const char*>(sqlite3_column_text(check, 0));
    sqlite3_finalize(check);
    sqlite3_close(db);
    return verdict == "ok" ? "" : verdict;
  }

 private:
  const std::string program_, directory_, subnet_;
  std::unique_ptr<Process> daemon_;
};

// Nothing of ours may be left. The writers' instance is suspended, so that no server is ever made; should one be there
// all the same it is ended, by its number, and told.
size_t processes_left(const std::string& directory) {
  size_t found = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 1 || pid == ::getpid()) continue;
    const std::string command = read_file(entry.path() / "cmdline"), environment = read_file(entry.path() / "environ");
    if (command.find(directory) == std::string::npos && environment.find(directory) == std::string::npos) continue;
    ++found;
    ::kill(pid, SIGKILL);
  }
  return found;
}

class Trial {
 public:
  Trial(const Options& options, const std::string& directory) : options_(options), victim_(options, directory) {
    SeededRng seeds(options.seed);
    for (int i = 0; i < options.writers; ++i) writers_.emplace_back(i, options.slots, seeds.next(), figures_);
  }

  void run() {
    SeededRng rng(options_.seed ^ 0x9e3779b97f4a7c15);
    prepare();
    for (round_ = 1; round_ <= options_.rounds; ++round_) {
      victim_.start();
      if (rng.below(12) == 0) {  // not even ready: recovery itself is cut off
        nap(rng.below(30));
        victim_.kill();
        continue;
      }
      victim_.wait_until_ready();
      verify();
      std::vector<std::thread> threads;
      for (Writer& writer : writers_)
        threads.emplace_back([&writer, url = victim_.url(), token = victim_.token()] { writer.run(url, token); });
      nap(1 + rng.below(120));
      victim_.kill();
      for (std::thread& thread : threads) thread.join();
      for (const Writer& writer : writers_)
        if (!writer.trouble().empty()) throw std::runtime_error(writer.trouble());
    }
    victim_.start();
    victim_.wait_until_ready();
    verify();
    victim_.stop();
    if (const std::string damage = victim_.damage(); !damage.empty())
      throw std::runtime_error("the database is damaged: " + damage);
  }

  const Figures& figures() const { return figures_; }
  uint64_t round() const { return round_; }

 private:
  void prepare() {
    victim_.start();
    victim_.wait_until_ready();
    Session session(victim_.url(), victim_.token());
    const char* base = R"({"documents":[{"object":{"apiVersion":"trove/v1alpha1","kind":"DatabaseInstance",
      "metadata":{"name":"base"},
      "spec":{"suspend":true,"datastore":{"type":"mariadb"},"flavor":"db.nano","volume":{"size":1}}}}]})";
    if (!session.call("POST", path_of("apply"), base)) throw std::runtime_error("the first apply was not answered");
    victim_.stop();
  }

  void verify() {
    Session session(victim_.url(), victim_.token());
    Writer::Objects objects;
    for (const auto& [kind, plural] : kKinds) {
      const auto list = session.call("GET", path_of(std::string(plural) + "?limit=1000"));
      if (!list || !(*list)["continue"].text().empty()) throw std::runtime_error(std::string("no list of ") + plural);
      for (const Value& object : (*list)["items"].items())
        objects[kind][object.at_path("metadata.name").text()] = object;
      objects[kind];
      const uint64_t revision = std::stoull("0" + (*list)["revision"].as_written());
      if (revision < newest_) throw std::runtime_error("the revision went back to " + std::to_string(revision));
      newest_ = std::max(newest_, revision);
    }
    for (Writer& writer : writers_) {
      if (newest_ < writer.newest()) throw std::runtime_error("an acknowledged revision is gone");
      writer.verify(objects, session);
    }
  }

  const Options options_;
  Figures figures_;
  Victim victim_;
  std::deque<Writer> writers_;
  uint64_t round_ = 0, newest_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = options_of(argc, argv);
  char directory[] = "/tmp/trove-kill9-XXXXXX";
  if (!::mkdtemp(directory)) {
    std::cerr << "kill9: " << std::strerror(errno) << "\n";
    return 1;
  }
  RealClock clock;
  const Millis begin = clock.monotonic();
  std::string wrong;
  Trial trial(options, std::string(directory) + "/data");
  try {
    trial.run();
  } catch (const std::exception& e) {
    wrong = e.what();
  }
  const size_t left = processes_left(directory);
  if (left > 0 && wrong.empty()) wrong = std::to_string(left) + " processes were left";
  if (wrong.empty())
    std::filesystem::remove_all(directory);
  else
    std::cerr << "kill9: round " << trial.round() << " of seed " << options.seed << ": " << wrong << "\n"
              << "       what is there is in " << directory << "\n";
  const Figures& figures = trial.figures();
  std::printf(
      "{\"row\":\"kill9\",\"rounds\":%llu,\"acknowledged\":%llu,\"unanswered\":%llu,\"unanswered_kept\":%llu,"
      "\"checked\":%llu,\"lost\":%d,\"seconds\":%.1f}\n",
      static_cast<unsigned long long>(std::min(trial.round(), options.rounds)),
      static_cast<unsigned long long>(figures.acknowledged), static_cast<unsigned long long>(figures.unanswered),
      static_cast<unsigned long long>(figures.unanswered_kept), static_cast<unsigned long long>(figures.checked),
      wrong.empty() ? 0 : 1, static_cast<double>((clock.monotonic() - begin).count()) / 1000);
  return wrong.empty() ? 0 : 1;
}
