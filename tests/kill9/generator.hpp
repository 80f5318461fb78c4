// Writers over HTTP that remember what was acknowledged, and what must therefore be found after a crash. What they
// remember lives in this process only: it is not the one that gets killed. One thread a writer; verify() runs alone.
#pragma once
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "providers/http/client.hpp"
#include "specs/value.hpp"
#include "support/clock.hpp"

namespace trove::kill9 {

struct Figures {
  std::atomic<uint64_t> acknowledged{0};  // applies and deletions
  uint64_t unanswered = 0;                // requests that were cut off
  uint64_t unanswered_kept = 0;           // of them, those that were found done
  uint64_t checked = 0;                   // objects compared after a restart
};

// Some objects that are always written together, in one request: they carry the same count or something is torn.
struct Slot {
  std::string name;
  uint64_t acknowledged = 0, asked = 0;
  uint64_t revision = 0;                      // of the acknowledged request
  std::map<std::string, int64_t> generation;  // by kind
};

// Talks to one daemon: a connection, a token.
class Session {
 public:
  Session(const std::string& url, const std::string& token);
  // Nullopt when the daemon went away meanwhile. Throws std::runtime_error on an answer that should not be.
  std::optional<Value> call(const std::string& method, const std::string& path, const std::string& body = "");

 private:
  std::unique_ptr<http::Client> client_;
};

class Writer {
 public:
  Writer(int number, int slots, uint64_t seed, Figures& figures);
  // Writes until the daemon is gone.
  void run(const std::string& url, const std::string& token);
  // What there is by kind and name, after a restart.
  using Objects = std::map<std::string, std::map<std::string, Value>>;
  void verify(const Objects& objects, Session& session);
  uint64_t newest() const { return newest_; }  // the highest revision that was acknowledged
  const std::string& trouble() const { return trouble_; }

 private:
  bool apply(Session& session, Slot& slot);
  bool make_and_delete(Session& session);
  void verify(Slot& slot, const Objects& objects);

  const int number_;
  SeededRng rng_;
  Figures& figures_;
  std::vector<Slot> slots_;
  std::deque<std::string> deleted_;  // acknowledged; the newest of them
  uint64_t newest_ = 0, deletions_ = 0;
  std::string trouble_;
};

inline constexpr const char* kProject = "kill9";
inline constexpr const char* kKinds[][2] = {{"Secret", "secrets"},
                                            {"ConfigurationGroup", "configurationgroups"},
                                            {"Volume", "volumes"},
                                            {"Database", "databases"}};
std::string path_of(const std::string& rest);

}  // namespace trove::kill9
