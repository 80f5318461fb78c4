// The REST API of README.md, without sockets: a request in, a response out. Made by main, called from every HTTP thread
// at once. What it writes goes through the Applier.
#pragma once
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>
#include "providers/http/server.hpp"
#include "reconciler/api/access.hpp"
#include "reconciler/api/applier.hpp"
#include "reconciler/api/joins.hpp"
#include "reconciler/api/plan_book.hpp"
#include "reconciler/api/ports.hpp"
#include "reconciler/api/refusal.hpp"
#include "reconciler/objects.hpp"
#include "reconciler/store/seal.hpp"
#include "specs/kinds/kind.hpp"

namespace trove {

inline constexpr size_t kDefaultPage = 500, kMaxPage = 1'000;
inline constexpr size_t kMaxScan = 20'000;      // objects looked at for one page of a filtered list
inline constexpr size_t kMaxApplyBytes = 32u << 20;
inline constexpr size_t kMaxReportBytes = 1u << 20;
inline constexpr size_t kMaxHookBytes = 1u << 20;
inline constexpr Millis kDocumentWait{25'000};  // long poll of a guest
inline constexpr Millis kBookmarkEvery{10'000};
inline constexpr Millis kWatchWait{500};  // how soon a watch notices that the server stops

struct ApiOptions {
  Objects& objects;
  Applier& applier;
  const Sealer& sealer;
  Rng& rng;
  const Clock& clock;
  PlanSource& plans;
  GuestHub& guests;
  ObjectStore* object_store = nullptr;  // null: /objects is not served here
  Joins* joins = nullptr;  // null: guests show bearer tokens; otherwise certificates, and nothing else is accepted
  LoopStatus& loop;
  GitSync* git = nullptr;  // null: GitSources are stored, and nobody carries them out
  std::function<std::vector<CloudRequests>()> cloud_requests;  // for figures; may be empty
  std::string tokens;  // contents of the token file; see access.hpp
  std::string version;
};

class Api {
 public:
  explicit Api(ApiOptions options);
  http::Route classify(const http::Request& without_body) const;
  http::Response handle(const http::Request& request, const http::Read& read);
  // For a place that guests reach: what is theirs, and nothing else.
  http::Response handle_guest(const http::Request& request, const http::Read& read);

 private:
  struct Call {  // one authenticated request below /apis/…/projects/{project}
    const http::Request& request;
    Caller caller;
    std::string project;
    std::string author() const { return "user:" + caller.name; }
  };

  // api.cpp
  Attempt<http::Response> route(const http::Request& request, const http::Read& read);
  Attempt<http::Response> route_project(const http::Request& request, const std::vector<std::string>& parts);
  Attempt<http::Response> route_object(const Call& call, const Kind& kind, const std::vector<std::string>& parts);
  Attempt<Caller> authenticate(const http::Request& request) const;
  Attempt<http::Response> version() const;

  // read.cpp
  Attempt<http::Response> list(const Call& call, const Kind& kind);
  Attempt<http::Response> get(const Call& call, const Kind& kind, const std::string& name);
  Attempt<http::Response> events(const Call& call, const Kind& kind, const std::string& name);
  Attempt<Resource> existing(const Key& key);

  // past.cpp
  Attempt<http::Response> history(const Call& call, const Kind& kind, const std::string& name);
  Attempt<http::Response> get_at(const Key& key, const std::string& at);
  Attempt<void> add_owners(const Resource& resource, Value& object);
  // drift.cpp
  Attempt<http::Response> drift(const std::string& project);
  Attempt<Value> drift_rows(const std::string& project, const std::set<Key>* of);
  Attempt<Value> set_drift(const std::string& project, const std::string& set);

  // watch.cpp
  Attempt<http::Response> watch(const Call& call, const Kind& kind);

  // apply.cpp, plan.cpp
  Attempt<http::Response> apply(const Call& call);
  Attempt<http::Response> put(const Call& call, const Kind& kind, const std::string& name);
  Attempt<http::Response> make_plan(const Call& call);
  Attempt<http::Response> store_plan(const Call& call, ApplyOrder order, const std::vector<Key>& blocked);
  Attempt<http::Response> get_plan(const Call& call, const std::string& id);
  Attempt<http::Response> apply_plan(const Call& call, const std::string& id);
  Attempt<http::Response> rollback(const Call& call, const Kind& kind, const std::string& name);
  Attempt<http::Response> plan_of(const Call& call, const Kind& kind, const std::string& name);
  Attempt<http::Response> remove(const Call& call, const Kind& kind, const std::string& name);

  // secrets.cpp
  Attempt<http::Response> reveal(const Call& call, const std::string& name);

  // guests.cpp
  std::optional<std::string> guest_of(const http::Request& request) const;
  Attempt<http::Response> guest_document(const http::Request& request);
  Attempt<http::Response> guest_join(const http::Request& request);
  Attempt<http::Response> guest_renew(const http::Request& request);
  Attempt<http::Response> guest_report(const http::Request& request);
  Attempt<http::Response> object(const http::Request& request, const http::Read& read);

  // git.cpp
  Attempt<http::Response> git_sync(const Call& call, const std::string& name);
  Attempt<http::Response> git_hook(const http::Request& request, bool has_body);
  static bool is_short_hook(const http::Request& request);

  // metrics.cpp, openapi.cpp
  Attempt<http::Response> healthz() const;
  Attempt<http::Response> readyz();
  Attempt<http::Response> metrics();
  Attempt<http::Response> leaks() const;
  Attempt<http::Response> openapi() const;

  ApiOptions options_;
  PlanBook book_;
  Tokens tokens_;
  std::array<std::atomic<uint64_t>, 600> answers_{};  // by status
  std::mutex counted_mutex_;
  std::map<std::string, uint64_t> counted_;  // objects by kind, as of counted_at_
  Revision counted_at_ = 0;
};

// Shared by the files of this folder.
http::Response json_response(int status, const Value& body);
// As users see it: values of sensitive fields are "(hidden)".
Resource shown(Resource resource);
Value shown_spec(const Kind* kind, Value spec);

}  // namespace trove
