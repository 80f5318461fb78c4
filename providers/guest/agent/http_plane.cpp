#include <atomic>
#include <mutex>
#include <set>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/files.hpp"
#include "providers/http/client.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostGuestFile = 64u << 10;
constexpr size_t kMostDocument = 8u << 20;
constexpr Millis kFetchDeadline{40'000};          // the server answers after about 25 s when nothing changed
constexpr Millis kReportDeadline{15'000};
constexpr Millis kTransferDeadline{6 * 3'600'000};
constexpr Millis kDownloadGap{60'000};

Error refused(int status, std::string_view what) {
  const Code code = status == 401 || status == 403 ? Code::unauthenticated
                    : status == 404                ? Code::not_found
                    : status >= 400 && status < 500 && status != 429 ? Code::invalid
                                                                     : Code::unavailable;
  return Error{code, std::string(what) + " was answered with " + std::to_string(status)};
}

// "http://host:port" and "/path?query".
std::pair<std::string, std::string> split_url(const std::string& url) {
  const size_t scheme = url.find("://");
  const size_t slash = scheme == std::string::npos ? std::string::npos : url.find('/', scheme + 3);
  if (slash == std::string::npos) return {url, "/"};
  return {url.substr(0, slash), url.substr(slash)};
}

Result<std::unique_ptr<http::Client>> make_client(const Access& access) {
  return http::Client::make({.base_url = access.url, .bearer_token = access.token, .ca_file = access.ca_file,
                             .client_certificate = access.certificate, .client_key = access.key,
                             .connect_timeout = Millis{3'000}, .answer_bytes = kMostDocument});
}

// One kept connection for one kind of call. A client reads its certificate once, so another access means another
// client; it is changed between two calls, and so none is cut short.
class Line {
 public:
  Result<http::Answer> call(Door& door, const http::Call& call) {
    auto access = door.wait(call.deadline);
    if (!access) return fail(Code::unavailable, "this server was not let in yet");
    if (access != access_) {
      auto client = make_client(*access);
      if (!client) return tl::unexpected<Error>(client.error());
      std::lock_guard lock(mutex_);
      client_ = std::move(*client);
      access_ = std::move(access);
      if (stopped_) client_->stop();
    }
    return client_->call(call);
  }
  void stop() {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    if (client_) client_->stop();
  }

 private:
  std::shared_ptr<const Access> access_;   // of the calling thread
  std::mutex mutex_;                       // the caller alone changes client_; stop() reads it
  std::unique_ptr<http::Client> client_;
  bool stopped_ = false;
};

class HttpPlane final : public Plane {
 public:
  explicit HttpPlane(std::shared_ptr<Door> door) : door_(std::move(door)) {}

  Result<std::optional<Document>> fetch(const std::string& after) override {
    http::Call call;
    call.path = "/guest/v1/document?after=" + http::percent_encode(after);
    call.deadline = kFetchDeadline;
    auto answer = documents_.call(*door_, call);
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (answer->status == 204) return std::optional<Document>();
    if (answer->status != 200) return tl::unexpected<Error>(refused(answer->status, "the request for the document"));
    auto json = parse_json(answer->body);
    if (!json) return tl::unexpected<Error>(json.error());
    auto document = document_from_value(*json);
    if (!document) return tl::unexpected<Error>(document.error());
    return std::optional<Document>(std::move(*document));
  }

  Result<void> report(const Report& report) override {
    http::Call call;
    call.method = "POST";
    call.path = "/guest/v1/report";
    call.body = dump_json(to_value(report));
    call.deadline = kReportDeadline;
    auto answer = reports_.call(*door_, call);
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (answer->status / 100 != 2) return tl::unexpected<Error>(refused(answer->status, "the report"));
    return {};
  }

  Result<void> upload(const std::string& url, const std::function<Result<std::string>()>& next) override {
    const auto [base, path] = split_url(url);
    http::Call call;
    call.method = "PUT";
    call.path = path;
    call.content_type = "application/octet-stream";
    call.next_body = next;
    call.deadline = kTransferDeadline;
    auto answer = once(base, call);
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (answer->status == 413) {
      return fail(Code::too_large, "the object store takes no object of this size (413): lower --backup-segment-size of troved");
    }
    if (answer->status / 100 != 2) return tl::unexpected<Error>(refused(answer->status, "the upload"));
    return {};
  }

  Result<void> download(const std::string& url, const std::function<bool(std::string_view)>& take) override {
    const auto [base, path] = split_url(url);
    http::Call call;
    call.path = path;
    call.on_data = take;
    call.deadline = kDownloadGap;
    auto answer = once(base, call);
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (answer->status != 200) return tl::unexpected<Error>(refused(answer->status, "the download"));
    return {};
  }

  void stop() override {
    stopped_ = true;
    door_->shut();
    documents_.stop();
    reports_.stop();
    std::lock_guard lock(mutex_);
    for (http::Client* client : transfers_) client->stop();
  }

 private:
  // A client for one transfer. Object storage gets no token and no certificate: the URL is the permission. The private
  // authority speaks for the control plane alone.
  Result<http::Answer> once(const std::string& base, const http::Call& call) {
    const auto access = door_->wait(Millis{0});
    const bool ours = access && split_url(access->url + "/").first == base;
    auto client = http::Client::make({.base_url = base, .ca_file = ours ? access->ca_file : ""});
    if (!client) return tl::unexpected<Error>(client.error());
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return fail(Code::unavailable, "the agent is stopping");
      transfers_.insert(client->get());
    }
    auto answer = (*client)->call(call);
    std::lock_guard lock(mutex_);
    transfers_.erase(client->get());
    return answer;
  }

  const std::shared_ptr<Door> door_;       // shared with whoever opens it
  Line documents_, reports_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::set<http::Client*> transfers_;    // guarded by mutex_
};

}  // namespace

Result<GuestFile> read_guest_file(const std::string& path) {
  auto text = read_file(path, kMostGuestFile);
  if (!text) return tl::unexpected<Error>(text.error());
  auto json = parse_json(*text);
  if (!json || !json->is_map()) return fail(Code::invalid, path + " is not a JSON object");
  GuestFile file;
  file.url = (*json)["url"].text();
  file.token = (*json)["token"].text();
  file.server = (*json)["server"].text();
  file.volume = (*json)["volume"].text();
  file.run_as = (*json)["run_as"].text();
  file.ca_file = (*json)["ca_file"].text();
  if (file.url.empty() || file.token.empty()) return fail(Code::invalid, path + " lacks url or token");
  if (!file.volume.empty() && file.volume[0] != '/')
    return fail(Code::invalid, path + ": volume is not an absolute path");
  while (file.volume.size() > 1 && file.volume.back() == '/') file.volume.pop_back();
  return file;
}

std::unique_ptr<Plane> make_http_plane(std::shared_ptr<Door> door) {
  return std::make_unique<HttpPlane>(std::move(door));
}

Result<std::unique_ptr<Plane>> make_http_plane(const GuestFile& file) {
  const Access access{.url = file.url, .token = file.token, .ca_file = file.ca_file, .certificate = "", .key = ""};
  // A bad URL is said at once and not at every call.
  if (auto client = make_client(access); !client) return tl::unexpected<Error>(client.error());
  auto door = std::make_shared<Door>();
  door->open(access);
  return make_http_plane(std::move(door));
}

}  // namespace trove::guest
