#include "providers/http/exchange.hpp"
#include <cstdio>
#include <cstring>
#include <httplib.h>
#include "specs/core/log.hpp"

// Without these the library's classes have another size than in its shared object: silent memory corruption.
#if !defined(CPPHTTPLIB_OPENSSL_SUPPORT) || !defined(CPPHTTPLIB_ZLIB_SUPPORT) || !defined(CPPHTTPLIB_BROTLI_SUPPORT)
#error "use the flags of pkg-config cpp-httplib"
#endif

namespace trove::http {

bool Slots::enter() {
  std::lock_guard lock(mutex_);
  if (active_ >= most_active_) return false;
  ++active_;
  return true;
}
void Slots::leave() {
  std::lock_guard lock(mutex_);
  --active_;
}
bool Slots::park() {
  std::lock_guard lock(mutex_);
  if (parked_ >= most_parked_) return false;
  ++parked_;
  --active_;
  return true;
}
void Slots::unpark() {  // may pass the limit for a moment: the alternative is to break off a finished answer
  std::lock_guard lock(mutex_);
  --parked_;
  ++active_;
}
size_t Slots::open() const {
  std::lock_guard lock(mutex_);
  return active_ + parked_;
}

namespace {

constexpr size_t kFlushBytes = 16u << 10;
constexpr size_t kSliceBytes = 64u << 10;   // each must be taken within request_time, ...
constexpr int64_t kSlowestBytesPerMs = 64;  // ... and the whole within what this rate needs, beyond request_time
constexpr size_t kBodiesAtOnce = 8;         // collected bodies in memory: so many of the largest size

std::string json_text(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c >= ' ' && c < 0x7f) out += static_cast<char>(c);
  }
  return out;
}

const char* title_of(int status) {
  switch (status) {
    case 400: return "Bad Request";
    case 408: return "Request Timeout";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

std::string problem_text(int status, std::string_view message) {
  bool large = status == 413 || status == 414 || status == 431;
  const char* code = large           ? "TOO_LARGE"
                     : status == 500 ? "INTERNAL"
                     : status == 503 ? "UNAVAILABLE"
                                     : "CONFIG_INVALID";
  return std::string("{\"type\":\"about:blank\",\"title\":\"") + title_of(status) +
         "\",\"status\":" + std::to_string(status) + ",\"code\":\"" + code + "\",\"actor\":\"" +
         (status == 500 || status == 503 ? "System" : "User") + "\",\"detail\":\"" + json_text(message) + "\"}";
}

Response problem(int status, std::string_view message) {
  Response out;
  out.status = status;
  out.content_type = "application/problem+json";
  out.body = problem_text(status, message);
  if (status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

// What the library reads the request from and writes the answer to.
class Pipe final : public httplib::Stream {
 public:
  Pipe(Wire& wire, std::string head, int64_t write_ms) : wire_(wire), head_(std::move(head)), write_ms_(write_ms) {}

  bool is_readable() const override { return read_ < head_.size(); }
  bool is_writable() const override { return !broken_; }
  ssize_t read(char* to, size_t most) override {
    size_t n = std::min(most, head_.size() - read_);
    std::memcpy(to, head_.data() + read_, n);
    read_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* bytes, size_t n) override {
    if (out_.size() + n > kFlushBytes) {
      flush();
      if (n > kFlushBytes) {
        send({bytes, n});
        return broken_ ? -1 : static_cast<ssize_t>(n);
      }
    }
    out_.append(bytes, n);
    return broken_ ? -1 : static_cast<ssize_t>(n);
  }
  bool flush() {
    if (!out_.empty()) send(out_);
    out_.clear();
    return !broken_;
  }
  bool broken() const { return broken_; }
  void abandon() { broken_ = true, out_.clear(); }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return wire_.fd(); }

 private:
  void send(std::string_view bytes) {
    int64_t last = monotonic_ms() + write_ms_ + static_cast<int64_t>(bytes.size()) / kSlowestBytesPerMs;
    while (!bytes.empty() && !broken_) {
      std::string_view slice = bytes.substr(0, kSliceBytes);
      broken_ = wire_.write(slice, std::min(last, monotonic_ms() + write_ms_)) != Io::ok;
      bytes.remove_prefix(slice.size());
    }
  }

  Wire& wire_;
  std::string head_, out_;
  size_t read_ = 0;
  int64_t write_ms_;
  bool broken_ = false;
};

// What belongs to the request in hand on this thread. The library's hooks carry no context of ours, and every
// connection has its own thread, so a thread-local pointer says which exchange a hook is about.
struct Exchange {
  Input& input;
  const Head& head;
  const Peer& peer;
  int64_t deadline;
  Pipe& pipe;
  BodyReader body;
  Response response;
  bool must_close = false;
  bool parked = false;
  size_t body_bytes = 0;
};
thread_local Exchange* current = nullptr;

}  // namespace

class Engine::Library final : public httplib::Server {
 public:
  Library(const Limits& limits, trove::http::Server::Classify classify, trove::http::Server::Handler handler,
          const StopSignal& stop, Slots& slots)
      : limits_(limits), classify_(std::move(classify)), handler_(std::move(handler)), stop_(stop), slots_(slots) {
    svr_sock_ = stop.fd();  // never listened on; the library only asks whether it is valid
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      handle(*current, request, response);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      response.headers.erase("Keep-Alive");  // the library's numbers are not ours
      response.headers.erase("Accept-Ranges");
      if (response.status == 204) response.headers.erase("Content-Length");
      if (!current->must_close) return;
      response.headers.erase("Connection");
      response.set_header("Connection", "close");
    });
    set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      current->must_close = true;
      response.status = 500;
      response.set_content(problem_text(500, "an internal error"), "application/problem+json");
    });
  }

  bool answer(Input& input, const Head& head, const Peer& peer, int64_t deadline) {
    std::string text =
        head.method + ' ' + head.target + " HTTP/1.1\r\n" + (head.close ? "Connection: close\r\n" : "") + "\r\n";
    Pipe pipe(input.wire(), std::move(text), limits_.request_time.count());
    Exchange exchange{input, head, peer, deadline, pipe, BodyReader(input, head, limits_.body_bytes), {}};
    current = &exchange;
    bool closed = false;
    bool fine = process_request(pipe, head.close, closed, nullptr);
    current = nullptr;
    pipe.flush();
    bodies_ -= exchange.body_bytes;
    if (exchange.parked) slots_.unpark();
    return fine && !closed && !head.close && !exchange.must_close && !pipe.broken();
  }

 private:
  bool process_and_close_socket(socket_t) override { return false; }  // we accept connections ourselves

  void handle(Exchange& exchange, const httplib::Request& request, httplib::Response& response) {
    try {
      exchange.response = respond(exchange, request);
    } catch (...) {  // its text may hold anything, so nobody sees it
      log::error("a request handler threw", {{"method", exchange.head.method}, {"path", request.path}});
      exchange.response = problem(500, "an internal error");
    }
    if (!exchange.body.finished()) exchange.must_close = true;  // else the rest would be read as the next request
    if (stop_.is_set()) exchange.must_close = true;
    if (exchange.response.hang_up) return exchange.must_close = true, exchange.pipe.abandon();
    transfer(exchange, response);
  }

  Response respond(Exchange& exchange, const httplib::Request& parsed) {
    Request request;
    request.method = parsed.method;
    request.path = parsed.path;
    request.query = query_of(exchange.head.target);
    request.remote = exchange.peer.address;
    request.peer_name = exchange.peer.name;
    for (const auto& [name, value] : exchange.head.headers) request.headers[name] = value;

    Route route = classify_(request);
    if (route.streams_body) {
      exchange.body.stream(limits_.request_time.count());
    } else {
      exchange.body.set_deadline(exchange.deadline);
      if (auto refused = collect(exchange, request.body)) return *refused;
    }
    if (route.parks) {
      if (!slots_.park()) return problem(503, "too many waiting requests");
      exchange.parked = true;
    }
    Read read;
    if (route.streams_body) {
      read = [this, &exchange]() -> Result<std::string> {
        if (auto gone = invite(exchange); !gone) return tl::unexpected<Error>(gone.error());
        return exchange.body.next();
      };
    }
    return handler_(request, read);
  }

  // A client that asked first ("Expect: 100-continue") sends nothing until it is told to.
  static Result<void> invite(Exchange& exchange) {
    if (!exchange.head.expects_continue || exchange.body.started() || exchange.body.finished()) return {};
    if (!exchange.input.buffered().empty()) return {};
    if (exchange.input.wire().write("HTTP/1.1 100 Continue\r\n\r\n", exchange.deadline) == Io::ok) return {};
    return fail(Code::unavailable, "the sender went away");
  }

  std::optional<Response> collect(Exchange& exchange, std::string& body) {
    if (exchange.body.finished()) return std::nullopt;
    if (exchange.head.content_length > static_cast<int64_t>(limits_.body_bytes)) {
      return problem(413, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
    }
    if (auto gone = invite(exchange); !gone) return problem(408, gone.error().message);
    for (;;) {
      auto piece = exchange.body.next();
      if (!piece) {
        Code code = piece.error().code;
        return problem(code == Code::too_large ? 413 : code == Code::invalid ? 400 : 408, piece.error().message);
      }
      if (piece->empty()) return std::nullopt;
      exchange.body_bytes += piece->size();
      if ((bodies_ += piece->size()) > kBodiesAtOnce * limits_.body_bytes)
        return problem(503, "too many large requests at once");
      body += *piece;
    }
  }

  void transfer(Exchange& exchange, httplib::Response& out) {
    Response& from = exchange.response;
    out.status = from.status;
    for (const auto& [name, value] : from.headers) {
      if (is_token(name) && is_header_value(value)) out.headers.emplace(name, value);
    }
    if (!from.stream || from.stream_length == 0) {
      out.body = std::move(from.body);
      if (!out.body.empty()) out.headers.emplace("Content-Type", from.content_type);
      return;
    }
    bool known = from.stream_length > 0;
    auto provider = [this, &exchange, known](httplib::DataSink& sink) {
      int64_t left = exchange.response.stream_length;
      bool fine = true;
      auto write = [&](std::string_view piece) {
        if (known && static_cast<int64_t>(piece.size()) > left) fine = false;
        if (!fine || stop_.is_set() || exchange.pipe.broken()) return fine = false;
        if (piece.empty()) return fine = exchange.pipe.flush() && !exchange.input.wire().peer_gone();
        left -= static_cast<int64_t>(piece.size());
        return fine = sink.write(piece.data(), piece.size()) && exchange.pipe.flush();
      };
      try {
        exchange.response.stream(write);
      } catch (...) {
        log::error("a streamed answer threw", {{"method", exchange.head.method}});
        fine = false;
      }
      // A short or broken stream must not look complete: no last chunk, and the connection ends.
      if (!fine || (known && left != 0)) {
        exchange.must_close = true;
        return false;
      }
      if (!known) sink.done();
      return true;
    };
    if (known) {
      out.set_content_provider(static_cast<size_t>(from.stream_length), from.content_type,
                               [provider](size_t, size_t, httplib::DataSink& sink) { return provider(sink); });
    } else if (exchange.head.minor == 0) {
      exchange.must_close = true;
      out.set_content_provider(from.content_type,
                               [provider](size_t, httplib::DataSink& sink) { return provider(sink); });
    } else {
      out.set_chunked_content_provider(from.content_type,
                                       [provider](size_t, httplib::DataSink& sink) { return provider(sink); });
    }
  }

  const Limits limits_;
  const trove::http::Server::Classify classify_;
  const trove::http::Server::Handler handler_;
  const StopSignal& stop_;
  Slots& slots_;
  std::atomic<size_t> bodies_{0};
};

Engine::Engine(const Limits& limits, Server::Classify classify, Server::Handler handler, const StopSignal& stop,
               Slots& slots)
    : library_(std::make_unique<Library>(limits, std::move(classify), std::move(handler), stop, slots)) {}
Engine::~Engine() = default;
bool Engine::answer(Input& input, const Head& head, const Peer& peer, int64_t deadline) {
  return library_->answer(input, head, peer, deadline);
}

std::string refusal_text(int status, std::string_view message) {
  std::string body = problem_text(status, message);
  return "HTTP/1.1 " + std::to_string(status) + ' ' + title_of(status) +
         "\r\nContent-Type: application/problem+json\r\nConnection: close\r\n" +
         (status == 503 ? "Retry-After: 1\r\n" : "") + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

}  // namespace trove::http
