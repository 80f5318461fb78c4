#include "providers/http/wire.hpp"
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "specs/core/result.hpp"

namespace trove::http {
namespace {

std::string tls_trouble() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "unknown TLS error";
}

// Alerts that are only sent about the certificate that we showed; decrypt_error is about its signature.
bool is_about_certificate(int alert) {
  return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) || alert == SSL_AD_UNKNOWN_CA ||
         alert == SSL_AD_ACCESS_DENIED || alert == SSL_AD_DECRYPT_ERROR || alert == TLS13_AD_CERTIFICATE_REQUIRED;
}

// The one common name of a subject; "" when there are none or more, or when it holds what no name of ours does. A NUL,
// say, would end the name early for whoever compares it as a C string.
std::string common_name(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return "";
  unsigned char* bytes = nullptr;
  const int length = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (length < 0) return "";
  std::string name(reinterpret_cast<char*>(bytes), static_cast<size_t>(length));
  OPENSSL_free(bytes);
  for (unsigned char c : name) {
    if (c < ' ' || c == 0x7f) return "";
  }
  return name;
}

}  // namespace

int64_t monotonic_ms() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

StopSignal::StopSignal() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { TROVE_CHECK(fd_ >= 0); }
StopSignal::~StopSignal() { close(fd_); }
void StopSignal::set() {
  set_ = true;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(fd_, &one, sizeof one);  // cannot fail before 2^64 stops
}

Wire::Wire(int fd, const StopSignal* stop) : fd_(fd), stop_(stop) {
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
  // Without it a kept connection pays Nagle's delay times the peer's delayed acknowledgement: 88 ms a request.
  int yes = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

Wire::~Wire() {
  if (ssl_) {
    if (!broken_) SSL_shutdown(ssl_);  // one try; the socket is non-blocking
    SSL_free(ssl_);
    ERR_clear_error();
  }
  close(fd_);
}

Io Wire::poll_for(short events, int64_t deadline, bool stoppable) {
  for (;;) {
    pollfd fds[2] = {{fd_, events, 0}, {stop_ ? stop_->fd() : -1, POLLIN, 0}};
    int64_t left = deadline - monotonic_ms();
    if (left <= 0) return Io::timeout;
    int n = ::poll(fds, stoppable && stop_ ? 2 : 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (n < 0 && errno != EINTR) return Io::failed;
    if (n <= 0) continue;
    if (stoppable && fds[1].revents) return Io::stopped;
    return Io::ok;
  }
}

Io Wire::handshake(bool server, int64_t deadline) {
  for (;;) {
    ERR_clear_error();
    int n = server ? SSL_accept(ssl_) : SSL_connect(ssl_);
    if (n == 1) return Io::ok;
    int error = SSL_get_error(ssl_, n);
    Io io = Io::failed;
    if (error == SSL_ERROR_WANT_READ) io = poll_for(POLLIN, deadline, true);
    if (error == SSL_ERROR_WANT_WRITE) io = poll_for(POLLOUT, deadline, true);
    if (io != Io::ok) {
      broken_ = true;
      return io;
    }
  }
}

Io Wire::accept_tls(ssl_ctx_st* context, int64_t deadline) {
  ssl_ = SSL_new(context);
  TROVE_CHECK(ssl_ != nullptr);
  SSL_set_fd(ssl_, fd_);
  Io io = handshake(true, deadline);
  ERR_clear_error();
  return io;
}

Io Wire::connect_tls(ssl_ctx_st* context, const std::string& host, int64_t deadline, std::string& why) {
  ssl_ = SSL_new(context);
  TROVE_CHECK(ssl_ != nullptr);
  SSL_set_fd(ssl_, fd_);
  unsigned char address[16];
  bool numeric = inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
  if (numeric) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
  } else {
    SSL_set1_host(ssl_, host.c_str());
    SSL_set_tlsext_host_name(ssl_, host.c_str());
  }
  Io io = handshake(false, deadline);
  if (io == Io::failed) {
    note_refusal();
    long verdict = SSL_get_verify_result(ssl_);
    why = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_trouble();
  }
  ERR_clear_error();
  return io;
}

PeerCertificate Wire::peer_certificate() const {
  PeerCertificate out;
  const X509* certificate = ssl_ ? SSL_get0_peer_certificate(ssl_) : nullptr;
  if (!certificate || SSL_get_verify_result(ssl_) != X509_V_OK) return out;
  out.name = common_name(certificate);
  // To the millisecond: by whole seconds two connections of one certificate would end at different times.
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  ASN1_TIME* second = ASN1_TIME_set(nullptr, wall.tv_sec);
  int days = 0, seconds = 0;
  const bool known = second && ASN1_TIME_diff(&days, &seconds, second, X509_get0_notAfter(certificate)) == 1;
  ASN1_TIME_free(second);
  const int64_t left = (days * int64_t{86'400} + seconds) * 1000 - wall.tv_nsec / 1'000'000;
  out.until = monotonic_ms() + (known ? left : 0);
  return out;
}

void Wire::note_refusal() {
  const unsigned long code = ERR_peek_last_error();
  if (heard_ || ERR_GET_LIB(code) != ERR_LIB_SSL) return;
  if (!is_about_certificate(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET)) return;
  const char* reason = ERR_reason_error_string(code);
  refusal_ = reason ? reason : "no reason given";
}

// A server that refused us listens for a moment only; a longer request would end in a reset that says nothing.
bool Wire::refused_early() {
  if (heard_ || quiet()) return false;
  char byte;
  ERR_clear_error();
  const int n = SSL_peek(ssl_, &byte, 1);  // an early answer stays where it is
  if (n <= 0 && SSL_get_error(ssl_, n) == SSL_ERROR_SSL) note_refusal();
  ERR_clear_error();
  if (!refusal_.empty()) broken_ = true;
  return !refusal_.empty();
}

Io Wire::read(char* bytes, size_t most, size_t& got, int64_t deadline) {
  got = 0;
  for (;;) {
    short wanted = POLLIN;
    if (ssl_) {
      ERR_clear_error();
      int n = SSL_read(ssl_, bytes, static_cast<int>(std::min<size_t>(most, 1u << 20)));
      if (n > 0) {
        got = static_cast<size_t>(n);
        heard_ = true;
        return Io::ok;
      }
      int error = SSL_get_error(ssl_, n);
      if (error == SSL_ERROR_ZERO_RETURN) return Io::closed;
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        broken_ = true;
        note_refusal();
        ERR_clear_error();
        return Io::failed;  // an end without close_notify counts as failed: it could be a cut
      }
      if (error == SSL_ERROR_WANT_WRITE) wanted = POLLOUT;
    } else {
      ssize_t n = ::recv(fd_, bytes, most, 0);
      if (n > 0) {
        got = static_cast<size_t>(n);
        return Io::ok;
      }
      if (n == 0) return Io::closed;
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Io::failed;
    }
    if (Io io = poll_for(wanted, deadline, true); io != Io::ok) return io;
  }
}

Io Wire::write(std::string_view bytes, int64_t deadline) {
  while (!bytes.empty()) {
    short wanted = POLLOUT;
    if (ssl_) {
      if (refused_early()) return Io::failed;
      ERR_clear_error();
      int n = SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1u << 20)));
      if (n > 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
        continue;
      }
      int error = SSL_get_error(ssl_, n);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        broken_ = true;
        ERR_clear_error();
        return Io::failed;
      }
      if (error == SSL_ERROR_WANT_READ) wanted = POLLIN;
    } else {
      ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n >= 0) {
        bytes.remove_prefix(static_cast<size_t>(n));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return Io::failed;
    }
    if (Io io = poll_for(wanted, deadline, false); io != Io::ok) return io;
  }
  return Io::ok;
}

Io Wire::wait_readable(int64_t deadline) {
  if (ssl_ && SSL_pending(ssl_) > 0) return Io::ok;
  return poll_for(POLLIN, deadline, true);
}

bool Wire::quiet() const {
  pollfd one{fd_, POLLIN, 0};
  return ::poll(&one, 1, 0) == 0;
}

bool Wire::peer_gone() const {
  pollfd one{fd_, POLLRDHUP, 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Wire::linger(int64_t most_ms, size_t most_bytes) {
  if (ssl_ && !broken_) SSL_shutdown(ssl_);
  broken_ = true;  // the goodbye was said; the rest is discarded below TLS
  shutdown(fd_, SHUT_WR);
  int64_t deadline = monotonic_ms() + most_ms;
  char bytes[4096];
  while (most_bytes > 0) {
    ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (n > 0) most_bytes -= std::min(most_bytes, static_cast<size_t>(n));
    if (n < 0 && poll_for(POLLIN, deadline, true) != Io::ok) return;
    if (monotonic_ms() >= deadline) return;
  }
}

void Wire::shutdown_now() { shutdown(fd_, SHUT_RDWR); }

namespace {

ssl_ctx_st* make_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (!context) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // The passphrase of an encrypted key would be asked for on the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
  return context;
}

// The library takes a certificate that does not say what it is for as one for everything.
int verify_client(int fine, X509_STORE_CTX* chain) {
  if (fine != 1 || X509_STORE_CTX_get_error_depth(chain) != 0) return fine;
  if (X509_get_extension_flags(X509_STORE_CTX_get_current_cert(chain)) & EXFLAG_XKUSAGE) return 1;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_INVALID_PURPOSE);
  return 0;
}

}  // namespace

ssl_ctx_st* make_server_tls(const std::string& certificate, const std::string& key, std::string& why) {
  SSL_CTX* context = make_context(TLS_server_method());
  if (context && show_certificate(context, certificate, key, why)) return context;
  if (!context) why = tls_trouble();
  free_tls(context);
  return nullptr;
}

bool ask_clients(ssl_ctx_st* context, const std::string& client_ca_file, std::string& why) {
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(client_ca_file.c_str());
  if (names) SSL_CTX_set_client_CA_list(context, names);  // lets a browser offer only certificates that can be good
  if (!names || SSL_CTX_load_verify_locations(context, client_ca_file.c_str(), nullptr) != 1) {
    why = tls_trouble();
    return false;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verify_client);
  // A resumed session would bring its certificate along unchecked, expired or not.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  return true;
}

bool show_certificate(ssl_ctx_st* context, const std::string& certificate, const std::string& key, std::string& why) {
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_check_private_key(context) == 1) {
    return true;
  }
  why = tls_trouble();
  return false;
}

ssl_ctx_st* make_client_tls(const std::string& ca_file, std::string& why) {
  SSL_CTX* context = make_context(TLS_client_method());
  if (context) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    int ok = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context)
                             : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr);
    if (ok == 1) return context;
  }
  why = tls_trouble();
  if (context) SSL_CTX_free(context);
  return nullptr;
}

void free_tls(ssl_ctx_st* context) {
  if (context) SSL_CTX_free(context);
}

}  // namespace trove::http
