// One connected socket, plain or TLS, on which nothing waits without a deadline. Private to providers/http: server and
// client both read and write through it, so that time limits and stopping are enforced in one place.
// Owned by one thread; only the stop descriptor and shutdown_now() are touched by others.
#pragma once
#include <atomic>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

struct ssl_st;      // OpenSSL's SSL
struct ssl_ctx_st;  // and SSL_CTX

namespace trove::http {

// Milliseconds of CLOCK_MONOTONIC. Socket deadlines need the machine's clock; nothing else here asks for time.
int64_t monotonic_ms();

// An eventfd that, once set, stays readable: every wait on it ends.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  void set();
  bool is_set() const { return set_.load(); }
  int fd() const { return fd_; }

 private:
  int fd_;
  std::atomic<bool> set_{false};
};

enum class Io { ok, closed, timeout, stopped, failed };

// What a verified client certificate says. A name that could be read in two ways is none.
struct PeerCertificate {
  std::string name;                                      // common name; "" without a certificate
  int64_t until = std::numeric_limits<int64_t>::max();  // of monotonic_ms()
};

class Wire {
 public:
  // Takes the descriptor; makes it non-blocking with TCP_NODELAY. `stop` may be null.
  Wire(int fd, const StopSignal* stop);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // TLS handshakes. `host` is verified against the certificate: a name or an address.
  Io accept_tls(ssl_ctx_st* context, int64_t deadline);
  Io connect_tls(ssl_ctx_st* context, const std::string& host, int64_t deadline, std::string& why);
  PeerCertificate peer_certificate() const;
  // Why the server would not have our certificate, or "". In TLS 1.3 that comes only after the client's handshake, while
  // the request is written or instead of its answer; nothing that was sent has been looked at then.
  const std::string& refusal() const { return refusal_; }

  // Waits for at least one byte; `got` is 0 only when the result is not ok.
  Io read(char* bytes, size_t most, size_t& got, int64_t deadline);
  // All of it, or not ok. A stop does not end a write: an answer that was begun is finished, within the deadline.
  Io write(std::string_view bytes, int64_t deadline);
  Io wait_readable(int64_t deadline);
  // Not waiting: has the peer sent something or closed? Used on kept connections before they are used again.
  bool quiet() const;
  // Has the peer closed? (Or said that it will send no more: nobody who waits for a stream does that.)
  bool peer_gone() const;
  // Says goodbye in a way that lets the peer read our last answer even when it is still sending: half close, then
  // discard what comes for a short, bounded time.
  void linger(int64_t most_ms, size_t most_bytes);
  void shutdown_now();
  int fd() const { return fd_; }

 private:
  Io poll_for(short events, int64_t deadline, bool stoppable);
  Io handshake(bool server, int64_t deadline);
  void note_refusal();
  bool refused_early();

  int fd_;
  const StopSignal* stop_;
  ssl_st* ssl_ = nullptr;
  bool broken_ = false;  // after a TLS error no goodbye may be sent
  bool heard_ = false;   // a byte of the peer's was read
  std::string refusal_;
};

// PEM files to a server context; nullptr and `why` when they do not fit.
ssl_ctx_st* make_server_tls(const std::string& certificate, const std::string& key, std::string& why);
// Clients are asked for certificates of these authorities. False and `why` when the file holds none.
bool ask_clients(ssl_ctx_st* context, const std::string& client_ca_file, std::string& why);
// "" = the system's authorities.
ssl_ctx_st* make_client_tls(const std::string& ca_file, std::string& why);
// The same files for a client. False and `why` when they do not fit.
bool show_certificate(ssl_ctx_st* context, const std::string& certificate, const std::string& key, std::string& why);
void free_tls(ssl_ctx_st* context);

}  // namespace trove::http
