// The one HTTP client: TLS, total deadlines, bounded answers. One Client is used by one thread at a time and keeps its
// connection. Never follows redirects; refuses CR, LF and NUL in anything that becomes a header.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>
#include "specs/core/result.hpp"

namespace trove::http {

struct ClientOptions {
  std::string base_url;      // "http://127.0.0.1:7780", "https://…", "unix:/path" is not supported
  std::string bearer_token;  // secret; "" = none
  std::string ca_file;       // "" = the system's
  std::string client_certificate, client_key;  // PEM files, read once: shown to a server that asks; both or neither
  Millis connect_timeout{3'000};
  size_t answer_bytes = 64u << 20;  // larger: too_large
};
struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower case names
  std::string body;
};
struct Call {
  std::string method = "GET";
  std::string path;  // with query, already encoded
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  Millis deadline{30'000};  // for the whole exchange
  // Streams the answer's body instead of collecting it (any size, deadline then bounds the gap between pieces);
  // return false to end. Only the body of a 2xx answer: an error's is collected as usual.
  std::function<bool(std::string_view)> on_data;
  // Streams the request's body: returns the next piece, empty at the end, an Error to give up.
  std::function<Result<std::string>()> next_body;
};

class Client {
 public:
  static Result<std::unique_ptr<Client>> make(ClientOptions options);
  virtual ~Client() = default;
  // An Answer for any HTTP status. unavailable: could not connect or send, or our certificate was refused.
  // outcome_unknown: a request other than GET was sent and its answer did not come. invalid: a bad URL or header.
  // too_large: see answer_bytes.
  virtual Result<Answer> call(const Call& call) = 0;
  // From another thread: ends a call in progress soon, and every later one at once (unavailable; outcome_unknown when
  // the request was on its way).
  virtual void stop() = 0;
};

std::string percent_encode(std::string_view text);  // everything but unreserved characters

}  // namespace trove::http
