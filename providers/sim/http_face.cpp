#include "providers/sim/http_face.hpp"
#include <atomic>
#include <condition_variable>
#include <mutex>
#include "providers/sim/http_faults.hpp"
#include "providers/sim/http_world.hpp"
#include "specs/json.hpp"

namespace trove {

namespace {

using namespace sim;

constexpr Millis kLook{20};  // how often a held request looks whether the server ends

std::string service_of(const std::string& path) {
  const auto under = [&](std::string_view root) {
    return path == root || (path.starts_with(root) && path[root.size()] == '/');
  };
  if (under("/compute")) return "compute";
  if (under("/volume")) return "volume";
  if (under("/network")) return "network";
  if (under("/image")) return "image";
  if (under("/v1") || path == "/info") return "object-store";
  if (under("/sim")) return "sim";
  return "identity";
}

class Face final : public SimHttp {
 public:
  Face(SimCloud& cloud, const Clock& clock, Rng& rng, SimHttpOptions options)
      : faults_(rng), world_{cloud, clock, rng, std::move(options), ""} {}

  Result<void> begin() {
    http::ServerOptions options;
    options.address = world_.options.address;
    options.port = world_.options.port;
    auto server = http::Server::start(
        options,
        [](const http::Request& request) {
          http::Route route;
          route.streams_body = request.method == "PUT" && request.path.starts_with("/v1/");
          return route;
        },
        [this](const http::Request& request, const http::Read& read) { return handle(request, read); });
    if (!server) return tl::unexpected<Error>(server.error());
    std::lock_guard lock(mutex_);
    server_ = std::move(*server);
    world_.base = "http://" + world_.options.address + ":" + std::to_string(server_->port());
    world_.cloud.options().uuids = true;
    world_.fill();
    ready_ = true;
    return {};
  }
  ~Face() override { stop(); }

  std::string url() const override { return world_.base; }
  std::string clouds_yaml() const override;
  void locked(const std::function<void(SimCloud&)>& touch) override {
    std::lock_guard lock(mutex_);
    touch(world_.cloud);
  }
  void add_fault(SimHttpFault fault) override {
    std::lock_guard lock(mutex_);
    faults_.add(std::move(fault));
  }
  void clear_faults() override {
    std::lock_guard lock(mutex_);
    faults_.clear();
  }
  void expire_tokens() override {
    std::lock_guard lock(mutex_);
    world_.tokens.clear();
  }
  std::map<std::string, int64_t> requests() const override {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  void stop() override {
    {
      std::lock_guard lock(hold_mutex_);
      stopping_ = true;
    }
    held_.notify_all();
    if (server_) server_->stop();
  }

 private:
  http::Response handle(const http::Request& request, const http::Read& read);
  http::Response route(Ask& ask, const std::string& service);
  http::Response admin(Ask& ask);
  // Waits, unless the server ends first.
  void hold(Millis time) {
    std::unique_lock lock(hold_mutex_);
    for (Millis left = time; left > Millis{0} && !stopping_; left -= kLook)
      held_.wait_for(lock, std::min(left, kLook), [this] { return stopping_; });
  }

  mutable std::mutex mutex_;  // world_, faults_, requests_
  std::mutex hold_mutex_;
  std::condition_variable held_;
  bool stopping_ = false;  // guarded by hold_mutex_
  std::atomic<bool> ready_{false};
  Faults faults_;
  World world_;
  std::map<std::string, int64_t> requests_;
  std::unique_ptr<http::Server> server_;
};

http::Response hang_up() {
  http::Response response;
  response.hang_up = true;
  return response;
}

// Half of the body under the length of the whole.
http::Response cut(http::Response response) {
  if (response.body.empty()) return hang_up();
  response.stream_length = static_cast<int64_t>(response.body.size());
  response.stream = [half = response.body.substr(0, response.body.size() / 2)](const http::Write& write) {
    (void)write(half);
  };
  response.body.clear();
  return response;
}

http::Response Face::handle(const http::Request& request, const http::Read& read) {
  using Kind = SimHttpFault::Kind;
  if (!ready_) return empty(503);
  Ask ask{request, {}, {}, {}, {}, 0};
  if (read) {
    for (;;) {
      auto piece = read();
      if (!piece) return swift_error(piece.error().code == Code::invalid ? 400 : 408);
      if (piece->empty()) break;
      ask.bytes += *piece;
      if (static_cast<int64_t>(ask.bytes.size()) > world_.options.max_file_size) return swift_error(413);
    }
  } else {
    ask.bytes = request.body;
  }
  const std::string service = service_of(request.path);
  if (service == "sim") {
    std::lock_guard lock(mutex_);
    return admin(ask);
  }
  std::optional<SimHttpFault> fault;
  {
    std::lock_guard lock(mutex_);
    ++requests_[service + " " + request.method];
    fault = faults_.draw(service, request);
  }
  if (fault) {
    switch (fault->kind) {
      case Kind::reset:
        return hang_up();
      case Kind::hang:
        return hold(fault->hold), hang_up();
      case Kind::slow:
        hold(fault->hold);
        break;
      case Kind::error:
      case Kind::throttled:
      case Kind::over_limit:
      case Kind::html:
        return instead(*fault, service);
      case Kind::lost_reply:
      case Kind::truncated:
        break;
    }
  }
  http::Response response;
  {
    std::lock_guard lock(mutex_);
    world_.model().settle();
    response = route(ask, service);
    world_.model().settle();
    const std::string id = "req-" + uid(world_);
    // Glance's door is before what counts its requests.
    if (service != "image" || response.status != 401) response.headers.emplace_back("X-Openstack-Request-Id", id);
    if (service == "compute" || service == "volume") response.headers.emplace_back("X-Compute-Request-Id", id);
    if (service == "object-store") response.headers.emplace_back("X-Trans-Id", "tx" + id.substr(4));
  }
  if (fault && fault->kind == Kind::lost_reply) return hang_up();
  if (fault && fault->kind == Kind::truncated) return cut(std::move(response));
  return response;
}

http::Response Face::route(Ask& ask, const std::string& service) {
  const std::string token = ask.request.header("x-auth-token");
  const auto session = world_.tokens.find(token);
  if (session != world_.tokens.end() && session->second.expires > world_.clock.wall()) ask.session = session->second;
  ask.path = split(ask.request.path, '/');
  if (service != "object-store" && !ask.bytes.empty()) {
    auto body = parse_json(ask.bytes);
    if (!body) {
      const std::string words =
          "The server could not comply with the request since it is either malformed or otherwise "
          "incorrect.";
      if (service == "identity") return keystone_error(400, words);
      if (service == "network") return neutron_error(400, "HTTPBadRequest", words);
      return fault(400, "Malformed request body");
    }
    ask.body = std::move(*body);
  }
  if (service == "object-store") {
    if (ask.request.path == "/info")
      return json(
          200,
          Value::map({{"swift", Value::map({{"version", "2.30.0"},
                                            {"max_file_size", world_.options.max_file_size},
                                            {"container_listing_limit", 10'000}})},
                      {"slo", Value::map({{"max_manifest_segments", 1000}, {"min_segment_size", 1}})},
                      {"dlo", Value::map({{"max_segments", 100'000}})},
                      {"tempurl", Value::map({{"allowed_digests", Value::list({"sha1", "sha256", "sha512"})},
                                              {"methods", Value::list({"GET", "HEAD", "PUT", "POST", "DELETE"})}})}}));
    return swift(world_, ask);
  }
  if (!ask.path.empty()) ask.path.erase(ask.path.begin());  // the service's root
  if (service == "compute") return nova(world_, ask);
  if (service == "volume") return cinder(world_, ask);
  if (service == "network") return neutron(world_, ask);
  if (service == "image") return glance(world_, ask);
  return keystone(world_, ask);
}

// /sim/…: what no cloud has. Faults, and what happens behind everybody's back.
http::Response Face::admin(Ask& ask) {
  ask.path = split(ask.request.path, '/');
  const auto bad = [](std::string why) { return json(400, Value::map({{"error", std::move(why)}})); };
  if (!ask.bytes.empty()) {
    auto body = parse_json(ask.bytes);
    if (!body || !body->is_map()) return bad("not a JSON object");
    ask.body = std::move(*body);
  }
  SimCloud& cloud = world_.cloud;
  if (ask.at(1) == "faults" && ask.path.size() == 2) {
    if (ask.request.method == "DELETE") {
      faults_.clear();
      cloud.hide_servers(false);
      return empty(204);
    }
    if (ask.request.method == "POST") {
      std::vector<SimHttpFault> fresh;
      for (const Value& one : ask.body["faults"].items()) {
        auto fault = fault_from(one);
        if (!fault) return bad(fault.error().message);
        fresh.push_back(std::move(*fault));
      }
      for (const auto& member : ask.body.members())
        if (member.key != "faults" && member.key != "expireTokens" && member.key != "downCell")
          return bad("\"" + member.key + "\" is none of faults, expireTokens, downCell");
      for (SimHttpFault& fault : fresh) faults_.add(std::move(fault));
      if (ask.body["expireTokens"].bool_or(false)) world_.tokens.clear();
      if (ask.body.find("downCell")) cloud.hide_servers(ask.body["downCell"].bool_or(false));
    } else if (ask.request.method != "GET") {
      return empty(405);
    }
    return json(200, Value::map({{"faults", faults_.list()}, {"downCell", world_.model().cell_down}}));
  }
  if (ask.at(1) == "servers" && ask.is("POST", 4)) {
    cloud.model().settle();
    const std::string id = ask.at(2), what = ask.at(3);
    if (!cloud.model().servers.contains(id)) return empty(404);
    if (what == "stop")
      cloud.stop_server(id);
    else if (what == "lose")
      cloud.lose_server(id);
    else if (what == "break")
      cloud.break_server(id, ask.body["fault"].text_or("broken by the simulation"));
    else if (what == "hide")
      cloud.hide_server(id, true);
    else if (what == "show")
      cloud.hide_server(id, false);
    else
      return empty(404);
    return empty(204);
  }
  if (ask.at(1) == "volumes" && ask.is("POST", 4)) {
    if (!cloud.model().volumes.contains(ask.at(2))) return empty(404);
    if (ask.at(3) == "lose")
      cloud.lose_volume(ask.at(2));
    else if (ask.at(3) == "detach")
      cloud.detach_volume(ask.at(2));
    else
      return empty(404);
    return empty(204);
  }
  if (ask.at(1) == "requests" && ask.is("GET", 2)) {
    Value counts = Value::map();
    for (const auto& [what, count] : requests_) counts.set(what, count);
    return json(200, counts);
  }
  return empty(404);
}

std::string Face::clouds_yaml() const {
  std::string text = "clouds:\n";
  const auto entry = [&](const std::string& name, const SimUser& user, bool credential) {
    text += "  " + name + ":\n";
    if (credential) text += "    auth_type: v3applicationcredential\n";
    text += "    auth:\n      auth_url: " + world_.base + "/v3\n";
    if (credential) {
      text += "      application_credential_id: " + user.credential_id +
              "\n      application_credential_secret: " + user.credential_secret + "\n";
    } else {
      text += "      username: " + user.name + "\n      password: " + user.password +
              "\n      project_name: " + user.project +
              "\n      user_domain_name: Default\n      project_domain_name: Default\n";
    }
    text += "    region_name: " + world_.options.region + "\n    identity_api_version: 3\n    interface: public\n";
  };
  const auto& users = world_.options.users;
  entry("sim", users.front(), false);
  for (const SimUser& user : users) {
    entry("sim-" + user.name, user, false);
    if (!user.credential_id.empty()) entry("sim-" + user.name + "-credential", user, true);
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<SimHttp>> SimHttp::start(SimCloud& cloud, const Clock& clock, Rng& rng, SimHttpOptions options) {
  if (options.users.empty()) return fail(Code::invalid, "a cloud needs a user");
  auto face = std::make_unique<Face>(cloud, clock, rng, std::move(options));
  if (auto begun = face->begin(); !begun) return tl::unexpected<Error>(begun.error());
  return face;
}

}  // namespace trove
