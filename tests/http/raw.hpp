// A socket that says exactly what a test wants to say, a server to say it to, and one that does exactly what a test
// wants. Owned by one test.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include "providers/http/server.hpp"
#include "providers/http/wire.hpp"

namespace trove::http {

class Raw {
 public:
  explicit Raw(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Raw() { close(fd_); }
  Raw(const Raw&) = delete;
  bool connected() const { return connected_; }

  // False once the peer is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Up to the close, or until `enough` is in it, or for `ms`.
  std::string receive(const std::string& enough = "", int ms = 5'000) {
    std::string out;
    int64_t deadline = monotonic_ms() + ms;
    closed_ = false;
    for (;;) {
      pollfd one{fd_, POLLIN, 0};
      int64_t left = deadline - monotonic_ms();
      if (left <= 0 || poll(&one, 1, static_cast<int>(left)) <= 0) return out;
      char bytes[65536];
      ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
      if (n <= 0) {
        closed_ = true;
        return out;
      }
      out.append(bytes, static_cast<size_t>(n));
      if (!enough.empty() && out.find(enough) != std::string::npos) return out;
    }
  }
  std::string ask(std::string_view bytes, const std::string& enough = "", int ms = 5'000) {
    send(bytes);
    return receive(enough, ms);
  }
  bool closed() const { return closed_; }
  void finish() { shutdown(fd_, SHUT_WR); }   // nothing more will be said

 private:
  int fd_;
  bool connected_ = false, closed_ = false;
};

// Accepts one connection after another and hands each to `talk`.
class Peer {
 public:
  explicit Peer(std::function<void(int fd)> talk)
      : talk_(std::move(talk)), fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&at), size) == 0 && listen(fd_, 8) == 0) {
      getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    }
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        int one = accept(fd_, nullptr, nullptr);
        if (one < 0) return;
        ++accepted;
        talk_(one);
        close(one);
      }
    });
  }
  ~Peer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::atomic<int> accepted{0};

 private:
  std::function<void(int)> talk_;
  int fd_, port_ = 0;
  std::thread thread_;
};

inline int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") && answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}
inline size_t count(const std::string& text, const std::string& word) {
  size_t n = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + word.size())) ++n;
  return n;
}

// Answers "<method> <path> <body>"; routes below /park are parked, below /upload streamed.
inline Response echo(const Request& request, const Read& read) {
  Response out;
  out.content_type = "text/plain";
  std::string body = request.body;
  while (read) {
    auto piece = read();
    if (!piece) {
      out.status = 400;
      out.body = piece.error().message;
      return out;
    }
    if (piece->empty()) break;
    body += *piece;
  }
  out.body = request.method + ' ' + request.path + ' ' + body;
  return out;
}
inline Route routes(const Request& request) {
  return {.parks = request.path.starts_with("/park"), .streams_body = request.path.starts_with("/upload")};
}
inline std::unique_ptr<Server> serve(Limits limits = {}, Server::Handler handler = echo) {
  ServerOptions options;
  options.limits = limits;
  auto server = Server::start(options, routes, std::move(handler));
  return server ? std::move(*server) : nullptr;
}

}  // namespace trove::http
