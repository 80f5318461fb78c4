// How the control plane is reached at this moment: where, and who we are. Opened, and opened anew when a certificate
// was renewed, by one thread; calls of others wait for it and use what they find. Thread-safe.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include "specs/core/result.hpp"

namespace trove::guest {

struct Access {
  std::string url;
  std::string token;             // secret; "" = none
  std::string ca_file;           // for this url; others are checked against the system's authorities
  std::string certificate, key;  // PEM files; both or neither
};

class Door {
 public:
  void open(Access access) {
    std::lock_guard lock(mutex_);
    access_ = std::make_shared<const Access>(std::move(access));
    changed_.notify_all();
  }
  // nullptr: it did not open within `most`, or is shut for good. Another pointer than the last time: another access.
  std::shared_ptr<const Access> wait(Millis most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, most, [&] { return shut_ || access_; });
    return shut_ ? nullptr : access_;
  }
  void shut() {
    std::lock_guard lock(mutex_);
    shut_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Access> access_;  // shared: a call keeps what it began with. Guarded by mutex_
  bool shut_ = false;                     // guarded by mutex_
};

}  // namespace trove::guest
