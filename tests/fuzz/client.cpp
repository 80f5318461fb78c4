// Raw bytes as the answer to our HTTP client. Whatever a server says, the caller gets a bounded answer or an error that
// tells whether a write may have happened.
#include "providers/http/client.hpp"
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <mutex>
#include <thread>
#include "tests/fuzz/fuzz.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr size_t kAnswerBytes = 4'000;

// Answers every connection with the same bytes: what the input says.
class Peer {
 public:
  Peer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    expect(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener_, 16) == 0 &&
               getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
           "a port is free");
    port_ = ntohs(address.sin_port);
    std::thread([this] { run(); }).detach();  // lives as long as the process
  }
  int port() const { return port_; }
  void set_answer(std::string_view bytes) {
    std::lock_guard lock(mutex_);
    answer_ = bytes;
  }

 private:
  void run() {
    sigset_t all;  // the fuzzer's alarm is not for this thread
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
      const int fd = accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      char bytes[4'096];
      recv(fd, bytes, sizeof bytes, 0);
      {
        std::lock_guard lock(mutex_);
        send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      }
      shutdown(fd, SHUT_WR);
      while (recv(fd, bytes, sizeof bytes, 0) > 0) {
      }
      close(fd);
    }
  }

  int listener_, port_ = 0;
  std::mutex mutex_;
  std::string answer_;
};

Peer& peer() {
  static Peer* const the = new Peer;
  return *the;
}

Result<http::Answer> ask(http::Client& client, const std::string& method) {
  http::Call call;
  call.method = method;
  call.path = "/x?y=1";
  call.deadline = Millis{5'000};
  if (method == "POST") call.body = "{}";
  return client.call(call);
}

void check(const std::string& method, const Result<http::Answer>& answer) {
  if (!answer) {
    const Code code = answer.error().code;
    const bool writes = method != "GET" && method != "HEAD";
    expect(code == Code::too_large || code == (writes ? Code::outcome_unknown : Code::unavailable),
           "an error tells whether a write may have happened",
           [&] { return method + " " + std::string(to_string(code)) + " " + answer.error().message; });
    expect(answer.error().message.find("in time") == std::string::npos, "no answer makes the client wait",
           [&] { return answer.error().message; });
    return;
  }
  expect(answer->status >= 100 && answer->status <= 999, "an answer has a status",
         [&] { return std::to_string(answer->status); });
  expect(answer->body.size() <= kAnswerBytes, "an answer is bounded");
  for (const auto& [name, value] : answer->headers) {
    expect(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
           "header names are in lower case");
    expect(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos, "a header is one line");
  }
  if (method == "HEAD") expect(answer->body.empty(), "HEAD has no body");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  peer().set_answer(text_of(data, size));
  auto client = http::Client::make({.base_url = "http://127.0.0.1:" + std::to_string(peer().port()),
                                    .bearer_token = "token",
                                    .ca_file = "",
                                    .answer_bytes = kAnswerBytes});
  expect(client.has_value(), "a client can be made");
  for (const char* method : {"GET", "POST", "HEAD"}) {
    const auto first = ask(**client, method);
    check(method, first);
    if (method == std::string_view("POST")) continue;
    const auto second = ask(**client, method);
    expect(first.has_value() == second.has_value() &&
               (!first || (first->status == second->status && first->body == second->body)),
           "the same bytes are the same answer", [&] { return std::string(method); });
  }
  return 0;
}
