#include "openstack/guests/caller.hpp"
#include <fstream>
#include <sstream>
#include "providers/http/client.hpp"
#include "providers/pki/pki.hpp"
#include "specs/core/digest.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr Millis kRetry{500};

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}
std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

std::optional<Home> home_of(const std::string& user_data_base64) {
  std::string text;
  constexpr std::string_view kFirstLine = "#cloud-config\n";
  if (!from_base64(user_data_base64, text) || !text.starts_with(kFirstLine)) return std::nullopt;
  auto config = parse_json(text.substr(kFirstLine.size()));
  if (!config || (*config)["write_files"].items().size() != 1) return std::nullopt;
  auto join = parse_json((*config)["write_files"].items()[0]["content"].text());
  if (!join) return std::nullopt;
  const Value& v = *join;
  Home home{v["server"].text(), v["endpoint"].text(), v["token"].text(), v["ca"].text(), v["volume"].text()};
  if (home.server.empty() || home.endpoint.empty()) return std::nullopt;
  return home;
}

Caller::Caller(Home home, std::filesystem::path directory)
    : home_(std::move(home)), directory_(std::move(directory)), thread_([this] { call_home(); }) {}

Caller::~Caller() {
  stop_.set();
  {
    std::lock_guard lock(mutex_);
    if (plane_) plane_->stop();
  }
  thread_.join();
}

Result<std::unique_ptr<guest::Plane>> Caller::join() {
  std::filesystem::create_directories(directory_);
  const auto key = directory_ / "key.pem", certificate = directory_ / "certificate.pem", ca = directory_ / "ca.pem";
  write(ca, home_.ca);
  if (!std::filesystem::exists(key)) {
    auto request = pki::make_request();
    if (!request) return tl::unexpected(request.error());
    write(key, request->key.reveal());
  }
  if (!std::filesystem::exists(certificate)) {
    auto request = pki::request_for(Secret(read(key)));
    if (!request) return tl::unexpected(request.error());
    auto client = http::Client::make({.base_url = home_.endpoint, .ca_file = ca.string()});
    if (!client) return tl::unexpected(client.error());
    auto answer = (*client)->call(
        {.method = "POST",
         .path = "/guest/v1/join",
         .body = dump_json(Value::map({{"server", home_.server}, {"token", home_.token}, {"request", *request}}))});
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) return fail(Code::denied, std::to_string(answer->status) + " " + answer->body);
    auto body = parse_json(answer->body);
    if (!body) return tl::unexpected(body.error());
    write(certificate, (*body)["certificate"].text());
  }
  return guest::make_http_plane({.url = home_.endpoint,
                                 .server = home_.server,
                                 .ca_file = ca.string(),
                                 .client_certificate = certificate.string(),
                                 .client_key = key.string()});
}

void Caller::call_home() {
  std::string said, after;
  while (!stop_.is_set()) {
    if (!powered_) {
      guest::pause_for(kRetry, stop_);
      continue;
    }
    if (!joined_) {
      auto plane = join();
      if (!plane) {
        if (plane.error().message != said)
          log::warning("a join failed", {{"server", home_.server}, {"why", plane.error().message}});
        said = plane.error().message;
        guest::pause_for(kRetry, stop_);
        continue;
      }
      std::lock_guard lock(mutex_);
      plane_ = std::move(*plane);
      joined_ = true;
    }
    auto document = plane_->fetch(after);
    if (!document) {
      if (document.error().message != said)
        log::warning("no document", {{"server", home_.server}, {"why", document.error().message}});
      said = document.error().message;
      guest::pause_for(kRetry, stop_);
      continue;
    }
    said.clear();
    if (!*document) continue;
    after = guest::digest(**document);
    std::lock_guard lock(mutex_);
    document_ = std::move(*document);
  }
}

std::optional<guest::Document> Caller::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(document_, std::nullopt);
}

bool Caller::report(const guest::Report& report) {
  return joined_ && plane_->report(report).has_value();  // plane_ never changes once joined_ is set
}

}  // namespace trove
