// One simulated guest that calls home as a real one does, with the agent's own code: it reads its user data, joins, and
// waits for documents. What it does with them is SimGuest's. Threads of its own join, renew and fetch; the driver's
// thread reports.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/machine/identity.hpp"

namespace trove {

// nullopt when this is no user data of ours. In base64, as Nova shows it.
std::optional<guest::Join> home_of(const std::string& user_data);

class Caller {
 public:
  // `directory` keeps the key and the certificate, so that another process of this program is the same guest.
  Caller(guest::Join home, const std::string& directory, const Clock& clock, Rng& rng);
  ~Caller();

  const std::string& server() const { return server_; }
  void power(bool on) { powered_ = on; }  // a machine that is off asks for nothing
  std::optional<guest::Document> take();  // the newest that came since the last call
  bool report(const guest::Report& report) { return heard_ && plane_->report(report).has_value(); }
  bool heard() const { return heard_; }  // it has joined and got a document

 private:
  void call_home();

  const std::string server_;
  const std::shared_ptr<guest::Door> door_;
  guest::Identity identity_;
  const std::unique_ptr<guest::Plane> plane_;
  guest::Cancel stop_;
  std::atomic<bool> powered_{false}, heard_{false};
  std::mutex mutex_;
  std::optional<guest::Document> document_;  // guarded by mutex_
  std::thread joins_, fetches_;
};

}  // namespace trove
