// The server as trovectl sees it: one method per route of reconciler/api/README.md, answers as Values, refusals as
// Failures with the exit status already chosen. One Api is used by one thread at a time (except stop()).
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>
#include "cli/failure.hpp"
#include "cli/settings.hpp"
#include "providers/http/client.hpp"
#include "specs/kinds/kind.hpp"
#include "specs/value.hpp"

namespace trove::cli {

inline constexpr int kPageItems = 500;
inline constexpr size_t kAnswerBytes = 64u << 20;
inline constexpr size_t kListItems = 1'000'000;
inline constexpr size_t kWatchLineBytes = 8u << 20;
inline constexpr Millis kCallDeadline{30'000};
inline constexpr Millis kWatchGap{90'000};   // bookmarks come more often than this

struct Listing {
  std::string revision;        // where a watch may start; decimal
  std::vector<Value> items;
};

class Api {
 public:
  // Reads the token; opens no connection yet.
  static Try<std::unique_ptr<Api>> connect(const Settings& settings);

  Try<Value> get(const Kind& kind, const std::string& name);
  // Selectors of labels and of fields; "" = all.
  Try<Listing> list(const Kind& kind, const std::string& selector = {}, const std::string& fields = {});
  Try<Value> remove(const Kind& kind, const std::string& name);
  // `query`: of orders.hpp, "" or "?…".
  Try<Value> apply(const Value& body, const std::string& query);
  Try<Value> plan(const Value& body, const std::string& query);
  Try<Value> kept_plan(const std::string& id);
  Try<Value> apply_plan(const std::string& id);
  Try<Value> rollback(const Kind& kind, const std::string& name, const std::string& generation,
                      const std::string& query);
  Try<Value> plan_of(const Kind& kind, const std::string& name);
  Try<Value> owners(const Kind& kind, const std::string& name);  // the object, with metadata.managedFields
  Try<Value> get_at(const Kind& kind, const std::string& name, const std::string& time);
  Try<Value> events(const Kind& kind, const std::string& name, int limit);
  Try<Value> history(const Kind& kind, const std::string& name);
  Try<Value> reveal(const std::string& secret);
  Try<Value> git_sync(const std::string& source, const Value& body);
  Try<Value> git_state(const std::string& source, bool with_drift = false);
  Try<Value> version();
  Try<Value> leaks();
  Try<Value> drift(bool all_projects);   // every project that the token sees
  // Calls `on_line` for each line of the stream until it returns false or the stream ends. A failure before the first
  // line is returned as such; a stream that breaks off later returns `unavailable` too: list again, then go on.
  Try<void> watch(const Kind& kind, const std::string& revision, const std::function<bool(const Value&)>& on_line);
  void stop() { client_->stop(); }   // from any thread
  void set_deadline(Millis deadline) { deadline_ = deadline; }
  const std::string& project() const { return project_; }

 private:
  Api(std::unique_ptr<http::Client> client, std::string server, std::string project)
      : client_(std::move(client)), server_(std::move(server)), project_(std::move(project)) {}
  std::string base() const;
  std::string path_of(const Kind& kind, const std::string& name) const;
  Try<Value> send(const char* method, const std::string& path, const Value* body);
  Failure transport_failure(const Error& error) const;

  std::unique_ptr<http::Client> client_;
  std::string server_, project_;
  Millis deadline_ = kCallDeadline;
};

// The failure that an error answer stands for. Exposed for tests.
Failure failure_from_answer(int status, const std::string& body);

}  // namespace trove::cli
