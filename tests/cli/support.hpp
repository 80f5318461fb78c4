// A server with canned answers, and trovectl run in process against it. Test code only; one test at a time.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>
#include "cli/context.hpp"
#include "cli/run.hpp"
#include "providers/http/server.hpp"

namespace trove::cli::test {

inline const std::string kBase = "/apis/trove/v1alpha1/projects/default";

class CannedServer {
 public:
  CannedServer();
  // Every GET, POST … of `path` (without the query) gets this answer; several answers are given in turn, the last
  // stays.
  void on(const std::string& method, const std::string& path, int status, const std::string& body);
  // Lines of a watch; the stream stays open after the last one until the client leaves or the server stops.
  void on_watch(const std::string& path, std::vector<std::string> lines);
  std::string url() const;
  // "POST /…/apply?dryRun=server" in order; bodies beside them.
  std::vector<std::string> requests() const;
  std::string body_of(const std::string& method_and_path) const;
  std::string token_seen() const;

 private:
  http::Response answer(const http::Request& request);

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::pair<int, std::string>>> answers_;
  std::map<std::string, std::vector<std::string>> watches_;
  std::vector<std::pair<std::string, std::string>> seen_;
  std::string token_;
  std::unique_ptr<http::Server> server_;   // last: stops before the rest goes
};

struct Given {
  const CannedServer* server = nullptr;
  std::string in;
  bool tty = false;                              // all three streams
  std::map<std::string, std::string> env;
  std::string interrupt_at;                      // Ctrl-C as soon as this was printed
};
struct Ran {
  int status = -1;
  std::string out, err;
  std::vector<std::string> executed, executed_env;   // what connect would have become
};
Ran trovectl(std::vector<std::string> words, const Given& given = {});
// The real parser of cli/main.cpp.
Parser real_parser();

// Compares with tests/golden/cli/NAME; TROVE_UPDATE_GOLDEN=1 writes it instead.
bool same_as_golden(const std::string& name, const std::string& text);
std::string read_file(const std::string& path);

// A folder under /tmp that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  std::string write(const std::string& name, const std::string& text) const;   // the path
  const std::string path;
};

// Objects as the server would answer them.
std::string list(const std::vector<std::string>& items, int revision = 100);
extern const std::string kOrdersInstance, kCrmInstance, kOrdersDatabase, kOrdersUser, kWaitingDatabase, kNightly,
    kVolume;
// A server that lists exactly these, kind by kind, and has each by name.
void serve(CannedServer& server, const std::vector<std::string>& objects);

}  // namespace trove::cli::test
