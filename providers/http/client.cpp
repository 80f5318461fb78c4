#include "providers/http/client.hpp"
#include <httplib.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include "providers/http/framing.hpp"
#include "providers/http/wire.hpp"

namespace trove::http {
namespace {

constexpr size_t kAnswerHeadBytes = 64u << 10;
constexpr size_t kFlushBytes = 64u << 10;

struct Endpoint {
  bool tls = false;
  std::string host;  // no brackets
  int port = 0;
  std::string authority;  // for the Host header
};

Result<Endpoint> parse_base(std::string_view url) {
  auto wrong = [&](const char* why) { return fail(Code::invalid, "bad address \"" + std::string(url) + "\": " + why); };
  Endpoint out;
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    out.port = 80;
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    out.tls = true;
    out.port = 443;
  } else {
    return wrong("it must begin with http:// or https://");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  for (unsigned char c : rest) {
    if (c <= ' ' || c >= 0x7f || c == '/' || c == '@' || c == '?' || c == '#')
      return wrong("only a host and a port may follow");
  }
  out.authority = rest;
  std::string_view port;
  if (rest.starts_with('[')) {
    size_t end = rest.find(']');
    if (end == std::string_view::npos) return wrong("an address in brackets does not end");
    out.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    size_t colon = std::min(rest.find(':'), rest.size());
    out.host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (out.host.empty()) return wrong("the host is missing");
  if (port.empty()) return out;
  if (port[0] != ':' || port.size() < 2 || port.size() > 6 ||
      port.find_first_not_of("0123456789", 1) != std::string_view::npos) {
    return wrong("the port is not a number");
  }
  out.port = std::stoi(std::string(port.substr(1)));
  if (out.port < 1 || out.port > 65535) return wrong("the port is out of range");
  return out;
}

// What the library writes the request to and reads the answer from. Its waits end at the deadline, or `gap` after the
// last byte when the answer is streamed.
class Pipe final : public httplib::Stream {
 public:
  Pipe(Wire& wire, int64_t deadline, size_t budget) : wire_(wire), deadline_(deadline), budget_(budget) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return io_ == Io::ok; }
  ssize_t read(char* to, size_t most) override {
    if (!flush()) return -1;
    if (!spelled_.empty()) {
      *to = spelled_.back();
      spelled_.pop_back();
      return 1;
    }
    if (used_ == in_.size()) {
      in_.resize(16u << 10);
      size_t got = 0;
      Io io = wire_.read(in_.data(), in_.size(), got, gap_ms_ ? monotonic_ms() + gap_ms_ : deadline_);
      in_.resize(got);
      used_ = 0;
      received_ += got;
      if (io == Io::closed) return ended_ = true, 0;
      if (io != Io::ok) return io_ = io, -1;
    }
    size_t n = std::min(in_head_ ? 1 : most, in_.size() - used_);
    if (n > budget_) return too_large_ = true, -1;
    budget_ -= n;
    std::memcpy(to, in_.data() + used_, n);
    used_ += n;
    if (in_head_) spell(*to);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* bytes, size_t n) override {
    if (out_.size() + n > kFlushBytes && !flush()) return -1;
    if (n > kFlushBytes) return send({bytes, n}) ? static_cast<ssize_t>(n) : -1;
    out_.append(bytes, n);
    return static_cast<ssize_t>(n);
  }
  bool flush() {
    bool fine = out_.empty() || send(out_);
    out_.clear();
    return fine;
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return wire_.fd(); }

  void body_begins(size_t budget, int64_t gap_ms) { budget_ = budget, gap_ms_ = gap_ms, in_head_ = false; }
  Io io() const { return io_; }
  bool ended() const { return ended_; }
  bool too_large() const { return too_large_; }
  size_t sent() const { return sent_; }
  size_t received() const { return received_; }
  bool leftover() const { return used_ < in_.size(); }

 private:
  // The library decodes the values of headers as if they were URLs: "a%0d%0ab" would become two lines, and a plus a
  // blank. Encoded here once more, they come out as they were sent.
  void spell(char& c) {
    if (c == '\n') in_value_ = false;
    if (c == ':') in_value_ = true;
    if (!in_value_ || (c != '%' && c != '+')) return;
    spelled_ = c == '%' ? "52" : "B2";  // backwards: taken from the end
    c = '%';
  }
  bool send(std::string_view bytes) {
    if (io_ != Io::ok) return false;
    sent_ += bytes.size();  // counted even when it fails: some of it may have arrived
    io_ = wire_.write(bytes, gap_ms_ ? monotonic_ms() + gap_ms_ : deadline_);
    return io_ == Io::ok;
  }

  Wire& wire_;
  int64_t deadline_, gap_ms_ = 0;
  size_t budget_;
  std::string in_, out_;
  size_t used_ = 0, sent_ = 0, received_ = 0;
  Io io_ = Io::ok;
  bool ended_ = false, too_large_ = false;
  bool in_head_ = true, in_value_ = false;
  std::string spelled_;  // of the head, still to be read
};

// The library's HTTP without its sockets: connecting, TLS and waiting are Wire's.
class Library final : public httplib::ClientImpl {
 public:
  Library(const std::string& host, int port) : httplib::ClientImpl(host, port) {
    set_url_encode(false);
    set_decompress(false);
    set_follow_location(false);
    set_keep_alive(true);
  }
  bool exchange(httplib::Stream& stream, httplib::Request& request, httplib::Response& response,
                httplib::Error& error) {
    return process_request(stream, request, response, false, error);
  }
};

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

class RealClient final : public Client {
 public:
  RealClient(ClientOptions options, Endpoint endpoint, ssl_ctx_st* tls)
      : options_(std::move(options)),
        endpoint_(std::move(endpoint)),
        tls_(tls),
        library_(endpoint_.host, endpoint_.port) {}
  ~RealClient() override {
    wire_.reset();
    free_tls(tls_);
  }

  void stop() override { stop_.set(); }

  Result<Answer> call(const Call& call) override {
    if (auto bad = check(call); !bad) return tl::unexpected<Error>(bad.error());
    int64_t deadline = monotonic_ms() + call.deadline.count();
    if (wire_ && !wire_->quiet()) wire_.reset();  // closed meanwhile, or out of step
    for (bool reused = wire_ != nullptr;; reused = false) {
      if (stop_.is_set()) return fail(Code::unavailable, "stopped");
      if (!wire_) {
        if (auto connected = connect(deadline); !connected) return tl::unexpected<Error>(connected.error());
      }
      bool silent = false;
      auto answer = once(call, deadline, silent);
      // The server may close a kept connection at any moment. A read that met this is simply asked again.
      bool repeat = !answer && silent && reused && (call.method == "GET" || call.method == "HEAD");
      if (!repeat) return answer;
    }
  }

 private:
  static Result<void> check(const Call& call) {
    if (!is_token(call.method)) return fail(Code::invalid, "bad HTTP method");
    if (call.path.empty() || call.path[0] != '/') return fail(Code::invalid, "a request path must begin with /");
    for (unsigned char c : call.path) {
      if (c <= ' ' || c >= 0x7f) return fail(Code::invalid, "a request path holds a character that must be encoded");
    }
    for (const auto& [name, value] : call.headers) {
      if (!is_token(name)) return fail(Code::invalid, "bad header name");
      if (!is_header_value(value)) return fail(Code::invalid, "header " + name + " holds a control character");
    }
    if (!is_header_value(call.content_type)) return fail(Code::invalid, "bad content type");
    return {};
  }

  Result<void> connect(int64_t deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // first: an address must not load the resolver
    addrinfo* found = nullptr;
    std::string port = std::to_string(endpoint_.port);
    int error = getaddrinfo(endpoint_.host.c_str(), port.c_str(), &hints, &found);
    if (error == EAI_NONAME) {
      hints.ai_flags = AI_NUMERICSERV;
      error = getaddrinfo(endpoint_.host.c_str(), port.c_str(), &hints, &found);
    }
    if (error != 0) return fail(Code::unavailable, "cannot find " + endpoint_.host + ": " + gai_strerror(error));
    std::string why = "no address";
    int fd = -1;
    for (addrinfo* a = found; a && fd < 0; a = a->ai_next) {
      fd = connect_one(*a, std::min(deadline, monotonic_ms() + options_.connect_timeout.count()), why);
    }
    freeaddrinfo(found);
    if (fd < 0) return fail(Code::unavailable, "cannot connect to " + endpoint_.authority + ": " + why);
    wire_ = std::make_unique<Wire>(fd, &stop_);
    if (!tls_) return {};
    Io io = wire_->connect_tls(tls_, endpoint_.host,
                               std::min(deadline, monotonic_ms() + 3 * options_.connect_timeout.count()), why);
    if (io == Io::ok) return {};
    const std::string refusal = wire_->refusal();
    wire_.reset();
    if (!refusal.empty()) return refused(refusal);
    if (io == Io::timeout) why = "timed out";
    if (io == Io::stopped) why = "stopped";
    return fail(Code::unavailable, "cannot make a safe connection to " + endpoint_.authority + ": " + why);
  }

  tl::unexpected<Error> refused(const std::string& why) const {
    return fail(Code::unavailable,
                "cannot make a safe connection to " + endpoint_.authority + ": it refused our certificate: " + why);
  }

  int connect_one(const addrinfo& a, int64_t deadline, std::string& why) {
    int fd = socket(a.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      why = std::strerror(errno);
      return -1;
    }
    int error = ::connect(fd, a.ai_addr, a.ai_addrlen) == 0 ? 0 : errno;
    while (error == EINPROGRESS) {
      pollfd fds[2] = {{fd, POLLOUT, 0}, {stop_.fd(), POLLIN, 0}};
      int64_t left = deadline - monotonic_ms();
      if (left <= 0) {
        error = ETIMEDOUT;
        break;
      }
      if (::poll(fds, 2, static_cast<int>(std::min<int64_t>(left, 60'000))) <= 0) continue;
      if (fds[1].revents) {
        error = ECANCELED;
        break;
      }
      socklen_t size = sizeof error;
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) return fd;
    why = std::strerror(error);
    close(fd);
    return -1;
  }

  // `silent`: the connection ended before any byte of an answer.
  Result<Answer> once(const Call& call, int64_t deadline, bool& silent) {
    Pipe pipe(*wire_, deadline, kAnswerHeadBytes);
    httplib::Request request;
    std::optional<Error> gave_up;
    fill(request, call, gave_up);
    bool ended_early = false, bodiless = false, began = false, streams = false;
    Answer answer;
    request.response_handler = [&](const httplib::Response& head) {
      began = true;
      take_head(head, answer);
      bodiless = head.status == 304;  // the library would wait for a body
      streams = call.on_data && head.status >= 200 && head.status < 300;
      pipe.body_begins(streams ? std::numeric_limits<size_t>::max() : options_.answer_bytes + kAnswerHeadBytes,
                       streams ? call.deadline.count() : 0);
      return !bodiless;
    };
    bool too_large = false;
    request.content_receiver = [&](const char* bytes, size_t n, uint64_t, uint64_t) {
      if (streams) {
        if (call.on_data({bytes, n})) return true;
        ended_early = true;
        return false;
      }
      if (answer.body.size() + n > options_.answer_bytes) return too_large = true, false;
      answer.body.append(bytes, n);
      return true;
    };
    httplib::Response response;
    httplib::Error error = httplib::Error::Success;
    bool fine = library_.exchange(pipe, request, response, error);
    if (fine && !began) take_head(response, answer);
    if (answer.status < 100) fine = false;  // three digits are enough for the library
    const std::string refusal = wire_->refusal();
    bool keep = (fine || bodiless) && !pipe.ended() && !pipe.leftover() &&
                lower(answer.headers["connection"]) != "close" && answer.status != 101;
    if (!keep) wire_.reset();
    if (fine || bodiless || ended_early) return answer;
    if (gave_up) return tl::unexpected<Error>(*gave_up);
    if (too_large || pipe.too_large()) {
      return fail(Code::too_large, "the answer is larger than " + std::to_string(options_.answer_bytes) + " bytes");
    }
    if (!refusal.empty()) return refused(refusal);  // before any answer on it: our request was not looked at
    silent = pipe.received() == 0 && (pipe.ended() || pipe.io() == Io::failed);
    std::string what = call.method + " at " + endpoint_.authority;
    std::string why = pipe.io() == Io::timeout   ? "no answer in time"
                      : pipe.io() == Io::stopped ? "stopped"
                      : pipe.received() == 0     ? "the connection ended before an answer"
                                                 : "the answer broke off or is not HTTP";
    bool reading = call.method == "GET" || call.method == "HEAD";
    if (reading || pipe.sent() == 0) return fail(Code::unavailable, what + ": " + why);
    return fail(Code::outcome_unknown, what + ": " + why);
  }

  void fill(httplib::Request& request, const Call& call, std::optional<Error>& gave_up) {
    request.method = call.method;
    request.path = call.path;
    request.headers.emplace("Host", endpoint_.authority);
    request.headers.emplace("User-Agent", "trove");
    if (!options_.bearer_token.empty()) request.headers.emplace("Authorization", "Bearer " + options_.bearer_token);
    for (const auto& [name, value] : call.headers) request.headers.emplace(name, value);
    // Beside a wish of the caller's it would win: Glance then says its errors in HTML.
    if (!request.has_header("Accept")) request.headers.emplace("Accept", "*/*");
    if (call.next_body) {
      request.headers.emplace("Transfer-Encoding", "chunked");
      request.headers.emplace("Content-Type", call.content_type);
      request.is_chunked_content_provider_ = true;
      request.content_provider_ = [&](size_t, size_t, httplib::DataSink& sink) {
        auto piece = call.next_body();
        if (!piece) {
          gave_up = piece.error();
          return false;
        }
        if (piece->empty()) return sink.done(), true;
        return sink.write(piece->data(), piece->size());
      };
    } else if (!call.body.empty()) {
      request.body = call.body;
      request.headers.emplace("Content-Type", call.content_type);
    }
  }

  static void take_head(const httplib::Response& from, Answer& to) {
    to.status = from.status;
    for (const auto& [name, value] : from.headers) {
      if (is_header_value(value)) to.headers[lower(name)] = value;  // a bare CR or a NUL makes it none
    }
  }

  const ClientOptions options_;
  const Endpoint endpoint_;
  ssl_ctx_st* tls_;
  Library library_;
  StopSignal stop_;
  std::unique_ptr<Wire> wire_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::make(ClientOptions options) {
  auto endpoint = parse_base(options.base_url);
  if (!endpoint) return tl::unexpected<Error>(endpoint.error());
  if (!is_header_value(options.bearer_token)) return fail(Code::invalid, "the token holds a control character");
  const bool shows = !options.client_certificate.empty();
  if (shows == options.client_key.empty())
    return fail(Code::invalid, "a client's certificate and its key are given together");
  ssl_ctx_st* tls = nullptr;
  if (endpoint->tls) {
    std::string why;
    tls = make_client_tls(options.ca_file, why);
    if (!tls)
      return fail(Code::invalid, "cannot use the authorities" +
                                     (options.ca_file.empty() ? "" : " in " + options.ca_file) + ": " + why);
    if (shows && !show_certificate(tls, options.client_certificate, options.client_key, why)) {
      free_tls(tls);
      return fail(Code::invalid,
                  "cannot use " + options.client_certificate + " with " + options.client_key + ": " + why);
    }
  }
  return std::make_unique<RealClient>(std::move(options), std::move(*endpoint), tls);
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : text) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += digits[c >> 4];
      out += digits[c & 15];
    }
  }
  return out;
}

}  // namespace trove::http
