#include "providers/http/server.hpp"
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <limits>
#include <list>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include "providers/http/exchange.hpp"
#include "providers/http/framing.hpp"
#include "providers/http/wire.hpp"

namespace trove::http {
namespace {

constexpr int kBacklog = 512;
constexpr size_t kTurnedAwayAtOnce = 32;  // connections beyond the limit that are still told 503
constexpr int64_t kHandshakeMs = 10'000;
constexpr int64_t kLingerMs = 1'000;
constexpr size_t kLingerBytes = 128u << 20;
constexpr int64_t kStopMs = 600;  // answers in progress may take so long once we stop
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kStackBytes = 4u << 20;
#else
constexpr size_t kStackBytes = 512u << 10;  // only touched pages cost memory
#endif

struct Connection {
  explicit Connection(Wire& w) : wire(w) {}
  Wire& wire;
  int64_t idle_since = 0;  // 0 = busy; guarded by Shared::mutex
  bool evicted = false;
  int64_t trusted_until = std::numeric_limits<int64_t>::max();  // the peer's certificate ends then
};

// Outlives the server object until the last connection thread has let go of it; hence shared.
struct Shared {
  Shared(const ServerOptions& o, Server::Classify classify, Server::Handler handler)
      : limits(o.limits),
        slots(o.limits.connections, o.limits.parked),
        engine(o.limits, std::move(classify), std::move(handler), stop, slots) {}

  // Shared with connections in their handshake: those that began with a context go on with it after a renewal.
  std::shared_ptr<ssl_ctx_st> tls() {
    std::lock_guard lock(mutex);
    return context;
  }

  const Limits limits;
  bool secure = false;  // constant once the server accepts
  StopSignal stop;
  Slots slots;
  Engine engine;

  std::mutex mutex;
  std::shared_ptr<ssl_ctx_st> context;
  std::condition_variable gone;
  std::list<Connection*> connections;
  size_t threads = 0, turned_away = 0;
};

std::string address_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  char text[INET6_ADDRSTRLEN] = "";
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    if (address.ss_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(address).sin_addr, text, sizeof text);
    } else if (address.ss_family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6&>(address).sin6_addr, text, sizeof text);
    }
  }
  return text;
}

void refuse(Wire& wire, int status, std::string_view message) {
  if (wire.write(refusal_text(status, message), monotonic_ms() + kLingerMs) == Io::ok)
    wire.linger(kLingerMs, kLingerBytes);
}

// Up to the empty line. Io::failed with a status in `refused` when the head is too large.
Io read_head(Input& input, size_t most, int64_t deadline, std::string& head, int& refused) {
  size_t searched = 0;
  for (;;) {
    std::string_view seen = input.buffered();
    while (searched == 0 && seen.starts_with("\r\n")) {  // stray line ends between requests are allowed
      input.consume(2);
      seen = input.buffered();
    }
    size_t end = seen.find("\r\n\r\n", searched > 3 ? searched - 3 : 0);
    if ((end == std::string_view::npos ? seen.size() : end + 4) > most) {
      refused = 431;
      return Io::failed;
    }
    if (end != std::string_view::npos) {
      head = seen.substr(0, end + 4);
      input.consume(end + 4);
      return Io::ok;
    }
    searched = seen.size();
    if (Io io = input.fill(deadline); io != Io::ok) return io;
  }
}

// Idle until the next request begins. False: close.
bool await_request(Shared& shared, Connection& connection, Input& input) {
  if (!input.buffered().empty()) return !shared.stop.is_set() && monotonic_ms() < connection.trusted_until;
  {
    std::lock_guard lock(shared.mutex);
    connection.idle_since = monotonic_ms();
  }
  int64_t idle_until = monotonic_ms() + shared.limits.idle_time.count();
  Io io = connection.wire.wait_readable(std::min(idle_until, connection.trusted_until));
  std::lock_guard lock(shared.mutex);
  connection.idle_since = 0;
  return io == Io::ok && !connection.evicted;
}

void converse(Shared& shared, Connection& connection) {
  Wire& wire = connection.wire;
  Peer peer{address_of(wire.fd()), ""};
  if (shared.secure) {
    Io io = wire.accept_tls(shared.tls().get(), monotonic_ms() + kHandshakeMs);
    // In TLS 1.3 a client sends its request before it knows that its certificate was refused. Closing on unread bytes
    // would reset the connection and lose the reason.
    if (io == Io::failed) wire.linger(kLingerMs, kLingerBytes);
    if (io != Io::ok) return;
    PeerCertificate certificate = wire.peer_certificate();
    peer.name = std::move(certificate.name);
    connection.trusted_until = certificate.until;
  }
  Input input(wire);
  while (await_request(shared, connection, input)) {
    int64_t deadline = monotonic_ms() + shared.limits.request_time.count();
    std::string block;
    int refused = 0;
    Io io = read_head(input, shared.limits.header_bytes, deadline, block, refused);
    if (refused)
      return refuse(wire, refused, "the head is larger than " + std::to_string(shared.limits.header_bytes) + " bytes");
    if (io == Io::timeout) return refuse(wire, 408, "the request came too slowly");
    if (io != Io::ok) return;
    auto head = parse_head(block);
    if (!head) return refuse(wire, head.error().status, head.error().message);
    // It may have ended while the request arrived, or while this thread waited for its turn.
    if (monotonic_ms() >= connection.trusted_until)
      return refuse(wire, 401, "the certificate of the client has expired");
    if (!shared.engine.answer(input, *head, peer, deadline)) return wire.linger(kLingerMs, kLingerBytes);
  }
}

struct Start {
  std::shared_ptr<Shared> shared;
  int fd;
  bool turned_away;
};

void run(Start& start) {
  Shared& shared = *start.shared;
  bool holds_place = !start.turned_away;
  {
    Wire wire(start.fd, &shared.stop);
    if (start.turned_away) {
      if (!shared.secure) refuse(wire, 503, "too many connections");
    } else {
      Connection connection(wire);
      std::list<Connection*>::iterator place;
      {
        std::lock_guard lock(shared.mutex);
        place = shared.connections.insert(shared.connections.end(), &connection);
      }
      converse(shared, connection);
      std::lock_guard lock(shared.mutex);
      shared.connections.erase(place);
      holds_place = !connection.evicted;
    }
  }
  if (holds_place) shared.slots.leave();
  std::lock_guard lock(shared.mutex);
  if (start.turned_away) --shared.turned_away;
  --shared.threads;
  shared.gone.notify_all();
}

void* run_thread(void* argument) {
  std::unique_ptr<Start> start(static_cast<Start*>(argument));
  run(*start);
  return nullptr;
}

// The kept connection that has been quiet for longest hands its place over.
bool evict_one(Shared& shared) {
  std::lock_guard lock(shared.mutex);
  Connection* oldest = nullptr;
  for (Connection* c : shared.connections) {
    if (c->idle_since && !c->evicted && (!oldest || c->idle_since < oldest->idle_since)) oldest = c;
  }
  if (!oldest) return false;
  oldest->evicted = true;
  oldest->wire.shutdown_now();
  return true;
}

void begin(const std::shared_ptr<Shared>& shared, int fd) {
  bool entered = shared->slots.enter() || evict_one(*shared);
  {
    std::lock_guard lock(shared->mutex);
    if (!entered && shared->turned_away >= kTurnedAwayAtOnce) {
      close(fd);
      return;
    }
    if (!entered) ++shared->turned_away;
    ++shared->threads;
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  auto start = std::make_unique<Start>(Start{shared, fd, !entered});
  int error = pthread_create(&thread, &attributes, run_thread, start.get());
  pthread_attr_destroy(&attributes);
  if (error == 0) {
    start.release();
    return;
  }
  close(fd);
  if (entered) shared->slots.leave();
  std::lock_guard lock(shared->mutex);
  if (!entered) --shared->turned_away;
  --shared->threads;
}

Result<int> listen_on(const std::string& address, int port, int& actual) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (int error = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    return fail(Code::invalid, "cannot listen on " + address + ": " + gai_strerror(error));
  }
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int yes = 1;
  // Not SO_REUSEPORT, which the library would set: two daemons on one port must collide, not share.
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  bool fine = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, kBacklog) == 0;
  int error = errno;
  freeaddrinfo(found);
  if (!fine) {
    if (fd >= 0) close(fd);
    return fail(Code::unavailable,
                "cannot listen on " + address + ':' + std::to_string(port) + ": " + std::strerror(error),
                error == EADDRINUSE ? "is another one running? choose another port" : "");
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  actual = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  return fd;
}

Result<std::shared_ptr<ssl_ctx_st>> load_tls(const std::string& certificate, const std::string& key,
                                             const std::string& client_ca_file) {
  if (certificate.empty() || key.empty()) return fail(Code::invalid, "TLS needs both a certificate and a key");
  std::string why;
  std::shared_ptr<ssl_ctx_st> context(make_server_tls(certificate, key, why), free_tls);
  if (!context) return fail(Code::invalid, "cannot use " + certificate + " with " + key + ": " + why);
  if (!client_ca_file.empty() && !ask_clients(context.get(), client_ca_file, why))
    return fail(Code::invalid, "cannot use the authorities of clients in " + client_ca_file + ": " + why);
  return context;
}

class RealServer final : public Server {
 public:
  RealServer(std::shared_ptr<Shared> shared, int fd, int port)
      : shared_(std::move(shared)), listener_(fd), port_(port), acceptor_([this] { accept_loop(); }) {}
  ~RealServer() override {
    stop();
    std::unique_lock lock(shared_->mutex);
    shared_->gone.wait(lock, [&] { return shared_->threads == 0; });
  }
  int port() const override { return port_; }
  bool stopping() const override { return shared_->stop.is_set(); }
  size_t open_connections() const override { return shared_->slots.open(); }

  Result<void> renew(const std::string& tls_certificate, const std::string& tls_key,
                     const std::string& client_ca_file) override {
    if (!shared_->secure) return fail(Code::invalid, "a server without TLS has no certificate to renew");
    auto context = load_tls(tls_certificate, tls_key, client_ca_file);
    if (!context) return tl::unexpected<Error>(context.error());
    std::lock_guard lock(shared_->mutex);
    shared_->context = std::move(*context);
    return {};
  }

  void stop() override {
    shared_->stop.set();
    {
      std::lock_guard lock(stopping_);
      if (acceptor_.joinable()) acceptor_.join();
    }
    std::unique_lock lock(shared_->mutex);
    auto empty = [&] { return shared_->threads == 0; };
    if (shared_->gone.wait_for(lock, Millis{kStopMs}, empty)) return;
    for (Connection* c : shared_->connections) c->wire.shutdown_now();
    shared_->gone.wait_for(lock, Millis{200}, empty);
  }

 private:
  void accept_loop() {
    pollfd fds[2] = {{listener_, POLLIN, 0}, {shared_->stop.fd(), POLLIN, 0}};
    for (;;) {
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) break;
      if (shared_->stop.is_set()) break;
      int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        begin(shared_, fd);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        ::poll(&fds[1], 1, 50);  // the listener stays readable: without a pause this loop would spin
      }
    }
    close(listener_);
  }

  std::shared_ptr<Shared> shared_;
  int listener_, port_;
  std::mutex stopping_;
  std::thread acceptor_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Classify classify, Handler handler) {
  struct sigaction pipe {};
  sigaction(SIGPIPE, nullptr, &pipe);
  if (pipe.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);  // TLS writes cannot ask for MSG_NOSIGNAL
  auto shared = std::make_shared<Shared>(options, std::move(classify), std::move(handler));
  shared->secure = !options.tls_certificate.empty() || !options.tls_key.empty() || !options.client_ca_file.empty();
  if (shared->secure) {
    auto context = load_tls(options.tls_certificate, options.tls_key, options.client_ca_file);
    if (!context) return tl::unexpected<Error>(context.error());
    shared->context = std::move(*context);
  }
  int port = 0;
  auto fd = listen_on(options.address, options.port, port);
  if (!fd) return tl::unexpected<Error>(fd.error());
  return std::make_unique<RealServer>(std::move(shared), *fd, port);
}

}  // namespace trove::http
