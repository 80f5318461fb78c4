// One simulated guest that calls home as a real one does: it reads its user data, joins by TLS with the token in it,
// shows its certificate from then on, and waits for documents. What it does with them is SimGuest's. A thread of its own
// fetches; the driver's thread reports.
#pragma once
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/process.hpp"

namespace trove {

// What guest_user_data() wrote; nullopt when this is no user data of ours.
struct Home {
  std::string server, endpoint, token, ca, volume;
};
std::optional<Home> home_of(const std::string& user_data_base64);

class Caller {
 public:
  // `directory` keeps the key and the certificate, so that another process of this program is the same guest.
  Caller(Home home, std::filesystem::path directory);
  ~Caller();

  const Home& home() const { return home_; }
  void power(bool on) { powered_ = on; }  // a machine that is off asks for nothing
  std::optional<guest::Document> take();  // the newest that came since the last call
  bool report(const guest::Report& report);
  bool joined() const { return joined_; }

 private:
  void call_home();
  Result<std::unique_ptr<guest::Plane>> join();

  const Home home_;
  const std::filesystem::path directory_;
  guest::Cancel stop_;
  std::atomic<bool> powered_{false}, joined_{false};
  std::mutex mutex_;
  std::unique_ptr<guest::Plane> plane_;       // set once, by the thread; the pointer is guarded by mutex_
  std::optional<guest::Document> document_;   // guarded by mutex_
  std::thread thread_;
};

}  // namespace trove
