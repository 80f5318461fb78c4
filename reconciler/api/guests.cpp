// What guests ask for: their document, a place for their report, and objects behind signed URLs.
#include "reconciler/api/api.hpp"
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr size_t kPieceBytes = 256u << 10;
constexpr int kReportDepth = 16;
constexpr size_t kReportNodes = 100'000;

tl::unexpected<Refusal> not_a_guest() {
  auto out = refuse(401, "CLOUD_UNAUTHENTICATED", "the guest has not proven who it is, or its server was replaced");
  out.value().headers.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

}  // namespace

// By its certificate, which the TLS layer has checked, or by its bearer token.
std::optional<std::string> Api::guest_of(const http::Request& request) const {
  if (!options_.joins) return options_.guests.authenticate(bearer_of(request.header("authorization")));
  if (request.peer_name.empty() || !options_.guests.admits(request.peer_name)) return std::nullopt;
  return request.peer_name;
}

Attempt<http::Response> Api::guest_join(const http::Request& request) {
  auto body = parse_json(request.body, {kMaxReportBytes, kReportDepth, kReportNodes});
  if (!body) return refuse(body.error());
  const std::string& server = (*body)["server"].text();
  auto certificate = options_.joins->join(server, (*body)["token"].text(), (*body)["request"].text());
  if (!certificate) {
    log::warning("a guest's join was refused",
                 {{"server", printable(server)}, {"from", request.remote}, {"why", certificate.error().message}});
    return refuse(certificate.error());
  }
  log::info("a guest has joined", {{"server", server}, {"from", request.remote}});
  return json_response(200, Value::map({{"certificate", *certificate}}));
}

Attempt<http::Response> Api::guest_renew(const http::Request& request) {
  auto server = guest_of(request);
  if (!server) return not_a_guest();
  auto body = parse_json(request.body, {kMaxReportBytes, kReportDepth, kReportNodes});
  if (!body) return refuse(body.error());
  auto certificate = options_.joins->renew(*server, (*body)["request"].text());
  if (!certificate) return refuse(certificate.error());
  return json_response(200, Value::map({{"certificate", *certificate}}));
}

Attempt<http::Response> Api::guest_document(const http::Request& request) {
  auto server = guest_of(request);
  if (!server) return not_a_guest();
  auto document = options_.guests.document(*server, request.parameter("after"), kDocumentWait);
  if (!document) return refuse(document.error());
  if (!*document) {
    http::Response out;
    out.status = 204;
    return out;
  }
  return json_response(200, guest::to_value(**document));
}

Attempt<http::Response> Api::guest_report(const http::Request& request) {
  auto server = guest_of(request);
  if (!server) return not_a_guest();
  auto body = parse_json(request.body, {kMaxReportBytes, kReportDepth, kReportNodes});
  if (!body) return refuse(body.error());
  auto report = guest::report_from_value(*body);
  if (!report) return refuse(report.error());
  if (auto taken = options_.guests.report(*server, std::move(*report)); !taken) return refuse(taken.error());
  http::Response out;
  out.status = 204;
  return out;
}

Attempt<http::Response> Api::object(const http::Request& request, const http::Read& read) {
  const std::string key = request.path.substr(std::string_view("/objects/").size());
  const std::string expires = request.parameter("expires"), signature = request.parameter("signature"),
                    prefix = request.parameter("prefix");
  http::Response out;
  if (request.method == "PUT") {
    if (!read) return refuse(500, "INTERNAL", "an upload that is not streamed");
    auto upload = options_.object_store->upload(key, expires, signature, prefix);
    if (!upload) return refuse(upload.error());
    while (true) {
      auto piece = read();
      if (!piece) return refuse(piece.error());  // what came so far is dropped with `upload`
      if (piece->empty()) break;
      if (auto written = (*upload)->write(*piece); !written) return refuse(written.error());
    }
    auto bytes = (*upload)->finish();
    if (!bytes) return refuse(bytes.error());
    return json_response(201, Value::map({{"bytes", *bytes}}));
  }
  auto download = options_.object_store->download(key, expires, signature, prefix);
  if (!download) return refuse(download.error());
  std::shared_ptr<ObjectStore::Download> object = std::move(*download);  // shared: a std::function must be copyable
  out.content_type = "application/octet-stream";
  out.stream_length = object->bytes();
  out.stream = [object](const http::Write& write) {
    while (true) {
      auto piece = object->read(kPieceBytes);
      if (!piece || piece->empty() || !write(*piece)) return;  // too short a stream ends the connection
    }
  };
  return out;
}

}  // namespace trove
