// Reads of the SQLite store, on read-only connections of their own that see what is committed and nothing else. They
// never checkpoint. Owned by the store; any thread may call it: connections are borrowed from a small pool.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include "reconciler/store/hub.hpp"

namespace trove {

inline constexpr size_t kMaxReaders = 16;  // at once; the next one waits
inline constexpr size_t kIdleReaders = 4;  // kept open

class SqliteReaders {
 public:
  explicit SqliteReaders(std::string path);
  ~SqliteReaders();
  SqliteReaders(const SqliteReaders&) = delete;
  SqliteReaders& operator=(const SqliteReaders&) = delete;

  Result<std::optional<KeyValue>> get(const std::string& key);
  Result<Page> range(const std::string& first, const std::string& last, size_t limit, Revision at);
  Result<ChangeLog::Slice> read_log(const std::string& first, const std::string& last, Revision after,
                                    Revision through);
  Result<Revision> newest();

 private:
  struct Connection;
  template <class T, class Read>
  Result<T> with_connection(Read read);
  Result<std::unique_ptr<Connection>> borrow();
  void give_back(std::unique_ptr<Connection> connection);  // null: it was closed

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
  size_t borrowed_ = 0;                            // guarded by mutex_
};

}  // namespace trove
