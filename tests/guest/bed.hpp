// One agent in this process, over a control plane that is a few variables: a test hands in documents, waits for
// reports, and looks at the real engine. Everything that it started is ended with it. Owned by the test's thread.
#pragma once
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include "providers/guest/agent/agent.hpp"
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/files.hpp"
#include "specs/core/digest.hpp"
#include "specs/core/real.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove::guest {

class FakePlane final : public Plane {
 public:
  Result<std::optional<Document>> fetch(const std::string& after) override {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, Millis{1'000}, [&] { return stopped_ || (document_ && digest(*document_) != after); });
    if (stopped_ || away_) return fail(Code::unavailable, "away");
    if (!document_ || digest(*document_) == after) return std::optional<Document>();
    return document_;
  }
  Result<void> report(const Report& report) override {
    std::lock_guard lock(mutex_);
    if (stopped_ || away_) return fail(Code::unavailable, "away");
    // What crosses the wire is what counts.
    auto crossed = report_from_value(to_value(report));
    if (!crossed) return tl::unexpected<Error>(crossed.error());
    latest_ = *crossed;
    for (const auto& event : report.events) events_.push_back(event);
    ++reports_;
    wake_.notify_all();
    return {};
  }
  Result<void> upload(const std::string& url, const std::function<Result<std::string>()>& next) override {
    std::string body;
    for (;;) {
      auto piece = next();
      if (!piece) return tl::unexpected<Error>(piece.error());
      if (piece->empty()) break;
      body += *piece;
    }
    std::lock_guard lock(mutex_);
    ++uploads_;
    objects_[url] = std::move(body);
    return {};
  }
  Result<void> download(const std::string& url, const std::function<bool(std::string_view)>& take) override {
    std::string body;
    {
      std::lock_guard lock(mutex_);
      if (!objects_.count(url)) return fail(Code::not_found, "no such object");
      body = objects_[url];
    }
    for (size_t at = 0; at < body.size(); at += 10'000) {
      if (!take(std::string_view(body).substr(at, 10'000))) return fail(Code::unavailable, "ended early");
    }
    return {};
  }
  void stop() override {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }

  void give(const Document& document) {
    std::lock_guard lock(mutex_);
    document_ = document;
    wake_.notify_all();
  }
  void set_away(bool away) {
    std::lock_guard lock(mutex_);
    away_ = away;
    wake_.notify_all();
  }
  void restart() {
    std::lock_guard lock(mutex_);
    stopped_ = false;
    latest_ = {};
  }
  bool wait(const std::function<bool(const Report&)>& fits, Millis deadline) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, deadline, [&] { return fits(latest_); });
  }
  Report latest() {
    std::lock_guard lock(mutex_);
    return latest_;
  }
  std::vector<std::string> events() {
    std::lock_guard lock(mutex_);
    return events_;
  }
  std::map<std::string, std::string> objects() {
    std::lock_guard lock(mutex_);
    return objects_;
  }
  void put_object(const std::string& url, std::string body) {
    std::lock_guard lock(mutex_);
    objects_[url] = std::move(body);
  }
  int uploads() {
    std::lock_guard lock(mutex_);
    return uploads_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<Document> document_;
  Report latest_;
  std::vector<std::string> events_;
  std::map<std::string, std::string> objects_;
  bool stopped_ = false, away_ = false;
  int reports_ = 0, uploads_ = 0;
};

inline const Millis kLong{120'000};

class Bed {
 public:
  explicit Bed(Engine engine, bool with_volume = true, const std::string& below = "")
      : volume_(with_volume ? dir_ / "volume" : "") {
    static std::atomic<int> count{0};
    const int number = ++count;
    setenv("TROVE_SERVER", ("trove-test-" + std::to_string(getpid()) + "-" + std::to_string(number)).c_str(), 1);
    if (!below.empty()) make_directory(dir_.path().string() + below, 0755);
    server_dir_ = dir_.path().string() + below + "/s";
    make_directory(server_dir_, 0755);
    guest::write_file(server_dir_ + "/guest.json", "{}", 0600);
    if (with_volume) make_directory(volume_, 0755);
    document.engine = engine;
    document.instance_uid = "uid-1";
    document.address = "127." + std::to_string(64 + getpid() % 64) + "." + std::to_string(getpid() / 64 % 256) + "." +
                       std::to_string(number);
    document.port = engine_port(engine);
    document.allowed_cidrs = {"127.0.0.0/8"};
    document.memory_mib = 256;
    document.volume_gib = with_volume ? 1 : 0;
  }
  ~Bed() {
    stop_agent();
    remove_tree("/tmp/trove-" + sha256_hex(server_dir_).substr(0, 16));
    if (auto mark = engine_mark()) end_process(*mark, SIGKILL, Millis{5'000}, nullptr);
  }

  void start_agent() {
    plane.restart();
    stop_ = std::make_unique<Cancel>();
    thread_ = std::thread([this] {
      Agent agent({.server_dir = server_dir_, .volume_dir = volume_, .run_as = "", .verify_every = Millis{300}}, plane,
                  clock_, rng_);
      agent.run(*stop_);
    });
  }
  void stop_agent() {
    if (!thread_.joinable()) return;
    stop_->set();
    thread_.join();
  }
  // Hands the document in and waits until it was worked through by a running engine.
  bool settle(Millis deadline = kLong) {
    if (!thread_.joinable()) start_agent();
    plane.give(document);
    const std::string wanted = digest(document);
    return plane.wait([&](const Report& r) { return r.document_digest == wanted && r.engine_state == "Running"; },
                      deadline);
  }
  bool eventually(const std::function<bool(const Report&)>& fits, Millis deadline = kLong) {
    return plane.wait(fits, deadline);
  }
  // An event with these words, from now on or before.
  bool has_event(const std::string& part, Millis deadline = kLong) {
    for (int i = 0; i < deadline.count() / 50; ++i) {
      for (const auto& event : plane.events()) {
        if (event.find(part) != std::string::npos) return true;
      }
      usleep(50'000);
    }
    return false;
  }
  std::optional<ProcessMark> engine_mark() const {
    const auto text = guest::read_file(server_dir_ + "/run/engine.pid", 100);
    if (!text) return std::nullopt;
    return mark_process(atoi(text->c_str()));
  }
  std::string state_of_user(const std::string& name) {
    for (const auto& u : plane.latest().users) {
      if (u.name == name) return u.state + (u.message.empty() ? "" : ": " + u.message);
    }
    return "";
  }
  std::string state_of_database(const std::string& name) {
    for (const auto& d : plane.latest().databases) {
      if (d.name == name) return d.state + (d.message.empty() ? "" : ": " + d.message);
    }
    return "";
  }
  ParameterState parameter(const std::string& name) {
    for (const auto& p : plane.latest().parameters) {
      if (p.name == name) return p;
    }
    return {};
  }
  const std::string& server_dir() const { return server_dir_; }
  const std::string& volume() const { return volume_; }
  std::string data_dir() const { return (volume_.empty() ? server_dir_ : volume_) + "/data"; }

  Document document;
  FakePlane plane;

 private:
  TempDir dir_;
  std::string server_dir_, volume_;
  RealClock clock_;
  RealRng rng_;
  std::unique_ptr<Cancel> stop_;
  std::thread thread_;
};

}  // namespace trove::guest
