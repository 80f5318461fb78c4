// Ways to trouble a durable store: a kernel that refuses or hangs, an operator's shell, answers that come later.
#pragma once
#include <sqlite3.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "tests/store/story.hpp"

namespace trove {

inline void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  const bool ok = sqlite3_open(path.c_str(), &db) == SQLITE_OK &&
                  sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
  sqlite3_close(db);
  if (!ok) throw std::runtime_error("not executed: " + sql);
}

// An operator's shell that holds on to something until this ends.
class Shell {
 public:
  Shell(const std::string& path, const std::string& sql) {
    const bool ok = sqlite3_open(path.c_str(), &db_) == SQLITE_OK &&
                    sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
    if (!ok) throw std::runtime_error(sqlite3_errmsg(db_));
  }
  ~Shell() { sqlite3_close(db_); }

 private:
  sqlite3* db_ = nullptr;
};

// Refuses one kind of call.
inline Disk::Fault refuse(DiskCall what, int error, std::string ending = "") {
  return [=](DiskCall call, const std::string& path) { return call == what && path.ends_with(ending) ? error : 0; };
}

// A disk that hangs at a call until it is let go.
class Hang {
 public:
  Hang(Disk& disk, DiskCall what, std::string ending) {
    disk.on_call([this, what, ending](DiskCall call, const std::string& path) {
      if (call != what || !path.ends_with(ending)) return 0;
      std::unique_lock lock(mutex_);
      hangs_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return over_; });
      return 0;
    });
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return hangs_; });
  }
  void end() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hangs_ = false, over_ = false;
};

// Counts what was answered.
class Answers {
 public:
  std::function<void(Result<Revision>)> one() {
    return [this](Result<Revision> result) {
      const std::lock_guard lock(mutex_);
      codes_.push_back(code_of(result));
      arrived_.notify_all();
    };
  }
  std::vector<std::string> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return codes_.size() >= count; });
    return codes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::string> codes_;
};

struct OnDisk {
  OnDisk() : disk(directory.path()) {}
  Result<std::unique_ptr<Store>> open(StoreBounds bounds = {}) { return open_sqlite_store(path, clock, bounds); }
  std::string code_of_opening() { return code_of(open()); }
  FakeClock clock;
  TempDir directory;
  Disk disk;
  const std::string path = directory / "a/b/trove.db";
};

}  // namespace trove
