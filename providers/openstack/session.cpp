#include "providers/openstack/session.hpp"
#include <algorithm>
#include "specs/json.hpp"

namespace trove::openstack {
namespace {

// A token is not used any more when so little of its life is left that a slow request might outlive it.
constexpr Millis kTokenReserve{60'000};
constexpr Millis kUnknownLife{300'000};

Value named(const Named& of) { return of.id.empty() ? Value::map({{"name", of.name}}) : Value::map({{"id", of.id}}); }
Value named_in(const Named& of, const Named& domain) {
  Value value = named(of);
  if (of.id.empty()) value.set("domain", named(domain));
  return value;
}

std::string login_body(const Config& config) {
  Value identity, scope;
  if (config.application_credential) {
    Value credential =
        config.credential.id.empty()
            ? Value::map({{"name", config.credential.name}, {"user", named_in(config.user, config.user_domain)}})
            : Value::map({{"id", config.credential.id}});
    credential.set("secret", config.credential_secret.reveal());
    identity =
        Value::map({{"methods", Value::list({"application_credential"})}, {"application_credential", credential}});
    return dump_json(Value::map({{"auth", Value::map({{"identity", identity}})}}));
  }
  Value user = named_in(config.user, config.user_domain);
  user.set("password", config.password.reveal());
  identity = Value::map({{"methods", Value::list({"password"})}, {"password", Value::map({{"user", user}})}});
  scope = Value::map({{"project", named_in(config.project, config.project_domain)}});
  return dump_json(Value::map({{"auth", Value::map({{"identity", identity}, {"scope", scope}})}}));
}

const std::vector<std::string_view>& types_of(Service service) {
  static const std::map<Service, std::vector<std::string_view>> types = {
      {Service::identity, {"identity"}},
      {Service::compute, {"compute"}},
      {Service::volume, {"block-storage", "volumev3", "block-store", "volume"}},
      {Service::network, {"network"}},
      {Service::image, {"image"}},
      {Service::object_store, {"object-store"}}};
  return types.at(service);
}

// Catalogues name services with and without a version.
std::string with_version(Service service, std::string url) {
  while (url.ends_with('/')) url.pop_back();
  const std::string path = split_url(url).path;
  if (service == Service::compute && path.find("/v2") == std::string::npos) url += "/v2.1";
  if (service == Service::network && !path.ends_with("/v2.0")) url += "/v2.0";
  if (service == Service::image && path.find("/v2") == std::string::npos) url += "/v2";
  return url;
}

Failure config_failure(Service service, std::string message, std::string hint) {
  Failure out = no_answer(service, Error{Code::invalid, std::move(message), std::move(hint), {}}, "");
  return out;
}

}  // namespace

Session::Session(Config config, Transport& transport, const Clock& clock, Rng& rng)
    : config_(std::move(config)), transport_(transport), clock_(clock), rng_(rng) {}

std::string Session::new_request_id(Service service, const std::string& method) {
  std::lock_guard lock(mutex_);
  ++counts_.requests[{service, method}];
  return "req-" + new_uid(rng_);
}

Session::Counts Session::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

void Session::set_microversion(Service service, std::string version) {
  std::lock_guard lock(mutex_);
  microversions_[service] = std::move(version);
}

tl::expected<Reply, Failure> Session::exchange(Service service, const std::string& base, const std::string& token,
                                               const Request& request) {
  const Url url = split_url(base);
  const bool write = request.method != "GET" && request.method != "HEAD";
  http::Call call;
  call.method = request.method;
  call.path = url.path + request.path;
  if (call.path.empty()) call.path = "/";
  if (!request.body.is_null()) call.body = dump_json(request.body);
  call.headers = request.headers;
  call.headers.emplace_back("Accept", "application/json");
  call.deadline = write ? kWriteDeadline : kReadDeadline;
  const std::string ours = new_request_id(service, request.method);
  call.headers.emplace_back("X-OpenStack-Request-ID", ours);
  if (!token.empty()) call.headers.emplace_back("X-Auth-Token", token);
  {
    std::lock_guard lock(mutex_);
    if (auto version = microversions_.find(service); version != microversions_.end())
      call.headers.emplace_back("OpenStack-API-Version", version->second);
  }
  const Millis began = clock_.monotonic();
  Result<http::Answer> answer = transport_.call(url.origin, call);
  // Reset, refused, cut off: a read costs nothing to ask again, unless it was slowness that ended it.
  if (!answer && !write && answer.error().code == Code::unavailable && clock_.monotonic() - began < call.deadline / 3)
    answer = transport_.call(url.origin, call);
  if (!answer) return tl::unexpected(no_answer(service, answer.error(), ours));
  return judge(service, write, std::move(*answer), clock_.wall(), ours);
}

tl::expected<std::shared_ptr<const Session::Login>, Failure> Session::sign_in() {
  Request request{Service::identity, "POST", "/auth/tokens", {}, {}};
  const Url url = split_url(config_.auth_url);
  http::Call call;
  call.method = "POST";
  call.path = url.path + request.path;
  call.body = login_body(config_);
  call.headers = {{"Accept", "application/json"}};
  const std::string ours = new_request_id(Service::identity, "POST");
  call.headers.emplace_back("X-OpenStack-Request-ID", ours);
  call.deadline = kReadDeadline;
  Result<http::Answer> answer = transport_.call(url.origin, call);
  // A login changes nothing: one whose answer was lost is no mystery, it just has to be made again.
  const auto harmless = [](Failure failure) {
    if (failure.error.code == Code::outcome_unknown) failure.error.code = Code::unavailable;
    // Keystone's 404 for an application credential that was taken away: nothing else is "not there" because of it.
    if (failure.error.code == Code::not_found) failure.error.code = Code::unauthenticated;
    return tl::unexpected(std::move(failure));
  };
  if (!answer) return harmless(no_answer(Service::identity, answer.error(), ours));
  const std::string token = answer->headers["x-subject-token"];
  auto reply = judge(Service::identity, false, std::move(*answer), clock_.wall(), ours);
  if (!reply) return harmless(reply.error());
  const Value& body = reply->body["token"];
  if (token.empty() || !body.is_map())
    return harmless(
        no_answer(Service::identity, Error{Code::unavailable, "the answer holds no token"}, reply->request_id));
  auto login = std::make_shared<Login>();
  login->token = token;
  login->project = body["project"]["id"].text();
  login->catalog = body["catalog"];
  // Both times are the cloud's, so its clock may differ from ours as it likes.
  const auto issued = parse_time(body["issued_at"].text()), expires = parse_time(body["expires_at"].text());
  const Millis life = issued && expires && *expires > *issued ? *expires - *issued : kUnknownLife;
  login->ends = clock_.monotonic() + std::max(life - kTokenReserve, life / 2);
  return std::shared_ptr<const Login>(std::move(login));
}

tl::expected<std::shared_ptr<const Session::Login>, Failure> Session::login(uint64_t refused) {
  std::unique_lock lock(mutex_);
  const auto good = [&] { return login_ && login_->number > refused && clock_.monotonic() < login_->ends; };
  if (good()) return login_;
  while (signing_in_) {
    const uint64_t flight = flights_;
    changed_.wait(lock, [&] { return flights_ != flight; });
    if (good()) return login_;
    if (last_failure_) return tl::unexpected(*last_failure_);
  }
  signing_in_ = true;
  lock.unlock();
  auto made = sign_in();
  lock.lock();
  ++flights_;
  signing_in_ = false;
  last_failure_.reset();
  if (made) {
    auto numbered = std::make_shared<Login>(**made);
    numbered->number = ++last_number_;
    ++counts_.logins;
    login_ = numbered;
  } else {
    last_failure_ = made.error();
  }
  changed_.notify_all();
  if (!made) return tl::unexpected(made.error());
  return login_;
}

tl::expected<std::string, Failure> Session::endpoint_of(const Login& login, Service service) const {
  std::string there;
  for (std::string_view type : types_of(service))
    for (const Value& entry : login.catalog.items()) {
      if (entry["type"].text() != type) continue;
      for (const Value& endpoint : entry["endpoints"].items()) {
        const std::string& region =
            endpoint["region_id"].text().empty() ? endpoint["region"].text() : endpoint["region_id"].text();
        if (endpoint["interface"].text() != config_.interface) continue;
        if (config_.region.empty() || region == config_.region) return with_version(service, endpoint["url"].text());
        if (there.find(region) == std::string::npos) there += (there.empty() ? "" : ", ") + region;
      }
    }
  if (!there.empty())
    return tl::unexpected(
        config_failure(service, "there is no endpoint in region " + config_.region, "region_name may be: " + there));
  return tl::unexpected(config_failure(service, "the catalogue has no " + config_.interface + " endpoint of it",
                                       "the cloud does not offer " + std::string(types_of(service).front())));
}

tl::expected<std::string, Failure> Session::endpoint(Service service) {
  auto signed_in = login(0);
  if (!signed_in) return tl::unexpected(signed_in.error());
  return endpoint_of(**signed_in, service);
}

tl::expected<std::string, Failure> Session::project_id() {
  auto signed_in = login(0);
  if (!signed_in) return tl::unexpected(signed_in.error());
  return (*signed_in)->project;
}

tl::expected<Reply, Failure> Session::send(const Request& request) {
  uint64_t refused = 0;
  for (bool replay = false;; replay = true) {
    auto signed_in = login(refused);
    if (!signed_in) return tl::unexpected(signed_in.error());
    auto base = endpoint_of(**signed_in, request.service);
    if (!base) return tl::unexpected(base.error());
    auto reply = exchange(request.service, *base, (*signed_in)->token, request);
    // Refused at the door: nothing was done, so even a write may be sent again.
    if (reply || reply.error().status != 401 || replay) return reply;
    refused = (*signed_in)->number;
    std::lock_guard lock(mutex_);
    ++counts_.replays;
  }
}

tl::expected<Value, Failure> Session::version_document(Service service) {
  auto signed_in = login(0);
  if (!signed_in) return tl::unexpected(signed_in.error());
  auto base = endpoint_of(**signed_in, service);
  if (!base) return tl::unexpected(base.error());
  // Cinder's endpoint goes on with the project, below which there is no such document.
  std::string url = *base;
  if (const std::string& project = (*signed_in)->project; !project.empty() && url.ends_with("/" + project))
    url.resize(url.size() - project.size() - 1);
  auto reply = exchange(service, url, (*signed_in)->token, Request{service, "GET", "/", {}, {}});
  if (!reply) return tl::unexpected(reply.error());
  return std::move(reply->body);
}

}  // namespace trove::openstack
