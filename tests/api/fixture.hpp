// An Api over the memory store with fakes for everything behind its ports. Owned by one test.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include "reconciler/api/api.hpp"
#include "specs/json.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/plans.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove {

inline constexpr const char* kAdmin = "admin-token-0123456789";
inline constexpr const char* kMember = "member-token-0123456789";
inline constexpr const char* kReader = "reader-token-0123456789";
inline constexpr const char* kOther = "other-token-0123456789";

class FakeGuests final : public GuestHub {
 public:
  std::optional<std::string> authenticate(std::string_view bearer) override {
    if (bearer == "guest-token") return "trove-1-server-0-1";
    return std::nullopt;
  }
  bool admits(std::string_view server) override { return server == "trove-1-server-0-1"; }
  Result<std::optional<guest::Document>> document(const std::string& server, const std::string& after,
                                                  Millis) override {
    asked_server = server;
    if (after == "newest") return std::optional<guest::Document>{};
    if (after == "none") return fail(Code::not_found, "no document yet");
    guest::Document document;
    document.instance_uid = "uid-1";
    return std::optional<guest::Document>(document);
  }
  Result<void> report(const std::string& server, guest::Report report) override {
    asked_server = server;
    reports.push_back(std::move(report));
    return {};
  }
  void stop() override {}
  std::string asked_server;
  std::vector<guest::Report> reports;
};

class FakeObjects final : public ObjectStore {
 public:
  struct Up final : Upload {
    Up(FakeObjects& o, std::string k) : owner(o), key(std::move(k)) {}
    Result<void> write(std::string_view piece) override {
      bytes += piece;
      return {};
    }
    Result<int64_t> finish() override {
      owner.stored[key] = bytes;
      return static_cast<int64_t>(bytes.size());
    }
    FakeObjects& owner;
    std::string key, bytes;
  };
  struct Down final : Download {
    explicit Down(std::string b) : all(std::move(b)), total(static_cast<int64_t>(all.size())) {}
    int64_t bytes() const override { return total; }
    Result<std::string> read(size_t most) override {
      std::string piece = all.substr(0, std::min(most, all.size()));
      all.erase(0, piece.size());
      return piece;
    }
    std::string all;
    int64_t total;
  };
  Result<std::unique_ptr<Upload>> upload(const std::string& key, const std::string& expires,
                                         const std::string& signature, const std::string& prefix) override {
    if (!key.starts_with(prefix)) return fail(Code::denied, "the prefix does not fit");
    if (expires != "99" || signature != "good") return fail(Code::denied, "the signature does not fit");
    return std::make_unique<Up>(*this, key);
  }
  Result<std::unique_ptr<Download>> download(const std::string& key, const std::string&,
                                             const std::string& signature, const std::string& prefix) override {
    if (!key.starts_with(prefix)) return fail(Code::denied, "the prefix does not fit");
    if (signature != "good") return fail(Code::denied, "the signature does not fit");
    if (!stored.contains(key)) return fail(Code::not_found, "no such object");
    return std::make_unique<Down>(stored[key]);
  }
  std::map<std::string, std::string> stored;
};

class FakeLoop final : public LoopStatus {
 public:
  std::vector<LeakSeen> leaks() override { return leaked; }
  std::vector<LeakSeen> leaked;
  LoopHealth health() override { return value; }
  LoopHealth value{.observing = true, .queue = 3, .actions = 7};
};

class FakeGit final : public GitSync {
 public:
  Attempt<Value> sync(const Key& key, const SyncOrder& order) override {
    asked.emplace_back(key, order);
    return state(key);
  }
  Attempt<Value> state(const Key&) override { return Value::map({{"attempts", int64_t{3}}, {"running", false}}); }
  Attempt<void> hook(const std::string&, const std::string&, const http::Request&) override { return {}; }
  std::vector<std::pair<Key, SyncOrder>> asked;
};

// Passes everything on; fails or interferes when the test says so.
class WrappedStore final : public Store {
 public:
  explicit WrappedStore(std::unique_ptr<Store> inner) : inner_(std::move(inner)) {}
  Result<Revision> commit(const Txn& txn) override {
    ++commits;
    if (before_commit) before_commit();
    if (lose_answers > 0) {
      --lose_answers;
      auto done = inner_->commit(txn);
      if (!done) return done;
      return fail(Code::outcome_unknown, "the answer was lost");
    }
    return inner_->commit(txn);
  }
  void commit_async(Txn txn, std::function<void(Result<Revision>)> done) override {
    inner_->commit_async(std::move(txn), std::move(done));
  }
  Result<std::optional<KeyValue>> get(const std::string& key) override {
    ++reads;
    if (broken) return fail(Code::unavailable, "the disk is gone");
    return inner_->get(key);
  }
  Result<Page> range(const std::string& first, const std::string& last, size_t limit, Revision at = 0) override {
    ++reads;
    if (broken) return fail(Code::unavailable, "the disk is gone");
    if (before_range) before_range();
    return inner_->range(first, last, limit, at);
  }
  Result<std::unique_ptr<Watch>> watch(const std::string& first, const std::string& last, Revision after) override {
    return inner_->watch(first, last, after);
  }
  Result<Lease> grant(Millis ttl) override { return inner_->grant(ttl); }
  Result<void> keep(Lease lease) override { return inner_->keep(lease); }
  Result<void> revoke(Lease lease) override { return inner_->revoke(lease); }
  Result<void> compact(Revision before) override { return inner_->compact(before); }
  Result<void> backup(const std::string& path) override { return inner_->backup(path); }
  Revision revision() override { return inner_->revision(); }
  Result<void> health() override {
    if (broken) return fail(Code::unavailable, "the disk is gone");
    return inner_->health();
  }
  Store& inner() { return *inner_; }

  std::function<void()> before_commit, before_range;
  std::atomic<int> lose_answers{0};
  std::atomic<size_t> commits{0}, reads{0};
  std::atomic<bool> broken{false};

 private:
  std::unique_ptr<Store> inner_;
};

struct Fixture {
  Fixture() { serve(nullptr); }
  void serve(Joins* joins) {
    ApiOptions options{.objects = objects,
                       .applier = applier,
                       .sealer = sealer,
                       .rng = rng,
                       .clock = clock,
                       .plans = plans,
                       .guests = guests,
                       .object_store = &object_store,
                       .joins = joins,
                       .loop = loop,
                       .git = &git,
                       .version = "1.2.3"};
    options.tokens = std::string(kAdmin) + "\n# people\n" + kMember + " shop member jana\n" + kReader +
                     " shop reader rita\n\n" + kOther + " elsewhere member otto\n";
    api = std::make_unique<Api>(std::move(options));
  }

  http::Response ask(const std::string& method, std::string path, const std::string& body = "",
                     const std::string& token = kMember, std::map<std::string, std::string> headers = {}) {
    http::Request request;
    request.method = method;
    size_t question = path.find('?');
    std::string query = question == std::string::npos ? "" : path.substr(question + 1);
    request.path = path.substr(0, question);
    while (!query.empty()) {
      size_t end = std::min(query.find('&'), query.size());
      std::string one = query.substr(0, end);
      query.erase(0, end + 1);
      size_t equals = std::min(one.find('='), one.size());
      request.query.emplace(one.substr(0, equals), equals < one.size() ? one.substr(equals + 1) : "");
    }
    request.body = body;
    request.headers = std::move(headers);
    if (!token.empty()) request.headers["authorization"] = "Bearer " + token;
    return api->handle(request, nullptr);
  }
  // Below the project "shop".
  http::Response at(const std::string& method, const std::string& path, const std::string& body = "",
                    const std::string& token = kMember, std::map<std::string, std::string> headers = {}) {
    return ask(method, "/apis/trove/v1alpha1/projects/shop" + path, body, token, std::move(headers));
  }
  http::Response apply(const std::string& yaml, const std::string& query = "", const std::string& token = kMember) {
    return at("POST", "/apply" + query, yaml, token, {{"content-type", "application/yaml"}});
  }
  std::optional<Resource> stored(const std::string& kind, const std::string& name,
                                 const std::string& project = "shop") {
    auto found = objects.get({project, kind, name});
    return found ? *found : std::nullopt;
  }
  std::string last_event(const std::string& kind, const std::string& name) {
    auto events = objects.events({"shop", kind, name}, 100);
    if (!events || events->empty()) return "";
    const Event& event = events->back();
    return event.action + "|" + event.by + "|" + event.message;
  }

  TempDir dir;
  FakeClock clock;
  SeededRng rng;
  WrappedStore store{open_memory_store(clock)};
  Objects objects{store, clock};
  Sealer sealer{*Sealer::open(dir / "key", true, rng)};
  Applier applier{objects, sealer, rng, clock};
  FakePlans plans;
  FakeGuests guests;
  FakeObjects object_store;
  FakeLoop loop;
  FakeGit git;
  std::unique_ptr<Api> api;
};

inline Value json_of(const http::Response& response) {
  auto value = parse_json(response.body);
  return value ? *value : Value();
}
inline std::string code_of(const http::Response& response) { return json_of(response)["code"].text(); }
inline std::string header_of(const http::Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

inline std::string instance(const std::string& name, const std::string& type = "mariadb",
                            const std::string& more = "") {
  std::string volume = type == "memcached" || more.find("volumeRef") != std::string::npos ? "" : ", volume: {size: 5}";
  return "---\napiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: " + name +
         "}\nspec: {datastore: {type: " + type + "}, flavor: db.small" + volume + (more.empty() ? "" : ", " + more) +
         "}\n";
}
inline std::string database(const std::string& name, const std::string& of, const std::string& more = "") {
  return "---\napiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: " + name +
         "}\nspec: {instanceRef: {name: " + of + "}" + (more.empty() ? "" : ", " + more) + "}\n";
}
inline std::string user(const std::string& name, const std::string& of, const std::string& more = "") {
  return "---\napiVersion: trove/v1alpha1\nkind: User\nmetadata: {name: " + name +
         "}\nspec: {instanceRef: {name: " + of + "}, password: {generate: {}}" + (more.empty() ? "" : ", " + more) +
         "}\n";
}
inline std::string secret(const std::string& name, const std::string& data) {
  return "---\napiVersion: trove/v1alpha1\nkind: Secret\nmetadata: {name: " + name + "}\nspec: {data: {" + data +
         "}}\n";
}

}  // namespace trove
