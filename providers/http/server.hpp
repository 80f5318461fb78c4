// The HTTP server: Debian's cpp-httplib 0.11 behind a hardened subclass (tests/http shows each hole closed). The
// library's header appears in exchange.cpp and client.cpp only. Handlers run on the connection's thread; a parked one
// (long poll, watch) counts against its own limit and never starves other requests.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::http {

struct Request {
  std::string method;                             // upper case
  std::string path;                               // decoded; no query
  std::multimap<std::string, std::string> query;  // decoded
  std::map<std::string, std::string> headers;     // names in lower case; last of each; hop-by-hop kept
  std::string body;                               // empty for a streamed upload
  std::string remote;                             // peer address
  std::string peer_name;  // common name of the verified client certificate; "" without one. No header sets it
  std::string header(const std::string& lower_name) const {
    auto it = headers.find(lower_name);
    return it == headers.end() ? "" : it->second;
  }
  std::string parameter(const std::string& name) const {
    auto it = query.find(name);
    return it == query.end() ? "" : it->second;
  }
};

// Writes a piece of a streamed answer; false = the peer is gone or the server stops. An empty piece writes nothing and
// only asks that.
using Write = std::function<bool(std::string_view)>;
// Gives the next piece of a streamed request body; empty = end; an Error = the sender failed or was cut off.
using Read = std::function<Result<std::string>()>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // When set, the body is produced by calling this once; chunked.
  std::function<void(const Write&)> stream;
  int64_t stream_length = -1;  // known length of a stream: Content-Length instead of chunked
  bool hang_up = false;        // close the connection without a byte of an answer: for servers that simulate faults
};

struct Limits {
  size_t header_bytes = 16u << 10;  // request line and all headers
  size_t body_bytes = 32u << 20;
  Millis request_time{30'000};  // first byte of the request to its last; not for streamed uploads
  Millis idle_time{60'000};     // between requests on a kept connection
  size_t connections = 512;     // beyond: 503 at once
  size_t parked = 256;          // beyond: 503 with Retry-After
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0 = any; see Server::port()
  Limits limits;
  std::string tls_certificate, tls_key;  // PEM files; both empty = plain
  // PEM file; with it clients are asked for a certificate. One that is shown must be for clients (EKU clientAuth), valid
  // and signed by one of these authorities, or there is no connection; a client without one is let in. The connection
  // ends when the certificate does. Needs TLS.
  std::string client_ca_file;
};

// Decides before the body is read whether a request may be parked, or wants its body streamed.
struct Route {
  bool parks = false;
  bool streams_body = false;  // handler gets `read` and no body; body_bytes and request_time do not bind it
};

class Server {
 public:
  using Classify = std::function<Route(const Request& without_body)>;
  // `read` is set for streams_body routes only. Exceptions become 500 without their text.
  using Handler = std::function<Response(const Request&, const Read& read)>;
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Classify classify, Handler handler);
  virtual ~Server() = default;  // stops: refuses new connections, ends parked ones, joins
  virtual int port() const = 0;
  virtual void stop() = 0;            // returns within a second
  virtual bool stopping() const = 0;  // for parked handlers
  virtual size_t open_connections() const = 0;
  // Reads these files as at the start: new connections use them, old ones go on. Any thread. invalid: they do not fit,
  // or the server is plain; what was in use stays.
  virtual Result<void> renew(const std::string& tls_certificate, const std::string& tls_key,
                             const std::string& client_ca_file) = 0;
};

}  // namespace trove::http
