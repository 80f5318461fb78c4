// The client against peers that are late, silent, lying or gone.
#include "providers/http/client.hpp"
#include <catch2/catch.hpp>
#include <thread>
#include "tests/http/raw.hpp"

using namespace trove;
using namespace trove::http;

namespace {

std::string read_request(int fd) {
  std::string seen;
  char bytes[4096];
  while (seen.find("\r\n\r\n") == std::string::npos) {
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) break;
    seen.append(bytes, static_cast<size_t>(n));
  }
  return seen;
}
bool say(int fd, std::string_view text) {
  return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::unique_ptr<Client> client_of(const std::string& url, size_t answer_bytes = 1u << 20) {
  auto client = Client::make({.base_url = url, .answer_bytes = answer_bytes});
  return client ? std::move(*client) : nullptr;
}

}  // namespace

TEST_CASE("nothing that becomes a header may hold a line end") {
  auto server = serve();
  auto client = client_of("http://127.0.0.1:" + std::to_string(server->port()));
  for (const std::string& bad : {std::string("a\r\nX: 1"), std::string("a\nb"), std::string("a\0b", 3)}) {
    auto answer = client->call({.path = "/", .headers = {{"X-One", bad}}});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::invalid);
    CHECK_FALSE(client->call({.path = "/", .headers = {{bad, "v"}}}));
    CHECK_FALSE(client->call({.path = "/" + bad}));
    CHECK_FALSE(client->call({.method = "GET" + bad, .path = "/"}));
    CHECK_FALSE(client->call({.method = "PUT", .path = "/", .body = "x", .content_type = bad}));
    CHECK_FALSE(Client::make({.base_url = "http://127.0.0.1", .bearer_token = bad}));
    CHECK_FALSE(Client::make({.base_url = "http://127.0.0.1" + bad}));
  }
}

TEST_CASE("an address is checked before anything is sent") {
  for (const char* url : {"", "127.0.0.1", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a:x",
                          "http://u@a", "http://a/path", "http://[::1"}) {
    INFO(url);
    auto client = Client::make({.base_url = url});
    REQUIRE_FALSE(client);
    CHECK(client.error().code == Code::invalid);
  }
  CHECK(Client::make({.base_url = "http://[::1]:80/"}));
}

TEST_CASE("a token travels as a bearer header") {
  auto server = serve({}, [](const Request& r, const Read&) {
    Response out;
    out.body = r.header("authorization");
    return out;
  });
  auto client =
      Client::make({.base_url = "http://127.0.0.1:" + std::to_string(server->port()), .bearer_token = "t0ken"});
  REQUIRE(client);
  auto answer = (*client)->call({.path = "/"});
  REQUIRE(answer);
  CHECK(answer->body == "Bearer t0ken");
}

TEST_CASE("a caller's wish for a kind of answer is the only one") {
  std::string head;
  Peer peer([&](int fd) {
    head = read_request(fd);
    say(fd, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  });
  auto client = Client::make({.base_url = peer.url()});
  REQUIRE(client);
  REQUIRE((*client)->call({.path = "/", .headers = {{"Accept", "application/json"}}}));
  CHECK(head.find("Accept: application/json\r\n") != std::string::npos);
  CHECK(head.find("*/*") == std::string::npos);
  REQUIRE((*client)->call({.path = "/"}));
  CHECK(head.find("Accept: */*\r\n") != std::string::npos);
}

TEST_CASE("the deadline binds the whole exchange with a server that drips") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 200 && say(fd, "x"); ++i) poll(nullptr, 0, 20);
  });
  auto client = client_of(peer.url());
  int64_t begin = monotonic_ms();
  auto answer = client->call({.path = "/", .deadline = Millis{300}});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::unavailable);
  CHECK(monotonic_ms() - begin < 1'500);
}

TEST_CASE("a read that got no answer is unavailable and a write is of unknown outcome") {
  Peer peer([](int fd) { read_request(fd); });
  auto client = client_of(peer.url());
  for (auto [method, code] :
       {std::pair{"GET", Code::unavailable}, {"POST", Code::outcome_unknown}, {"DELETE", Code::outcome_unknown}}) {
    auto answer = client->call({.method = method, .path = "/"});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == code);
  }
}

TEST_CASE("nobody listening is unavailable also for a write") {
  int port = 0;
  {
    auto server = serve();
    port = server->port();
  }
  auto answer = client_of("http://127.0.0.1:" + std::to_string(port))->call({.method = "POST", .path = "/"});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::unavailable);
}

TEST_CASE("an answer beyond the bound is refused whatever its framing") {
  const std::string x(3000, 'x');
  for (const std::string& head :
       {std::string("Content-Length: 3000\r\n\r\n") + x, "\r\n" + x, "Transfer-Encoding: chunked\r\n\r\nbb8\r\n" + x}) {
    Peer peer([&](int fd) {
      read_request(fd);
      say(fd, "HTTP/1.1 200 OK\r\n" + head);
    });
    auto client = client_of(peer.url(), 2000);
    auto answer = client->call({.path = "/"});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::too_large);
  }
}

TEST_CASE("an answer head without end is refused") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nX: ");
    std::string piece(1u << 16, 'x');
    for (int i = 0; i < 1000 && say(fd, piece); ++i) {
    }
  });
  auto answer = client_of(peer.url())->call({.path = "/", .deadline = Millis{5'000}});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::too_large);
}

TEST_CASE("an answer that is not HTTP is refused") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "SSH-2.0-OpenSSH\r\n\r\n");
  });
  CHECK_FALSE(client_of(peer.url())->call({.path = "/"}));
  Peer zero([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n");
  });
  CHECK_FALSE(client_of(zero.url())->call({.path = "/"}));
}

TEST_CASE("a connection that was closed while it was idle is replaced") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  auto client = client_of(peer.url());
  for (int i = 0; i < 3; ++i) {
    auto answer = client->call({.path = "/"});
    REQUIRE(answer);
    CHECK(answer->body == "ok");
  }
  CHECK(peer.accepted == 3);
}

TEST_CASE("redirects are shown and not followed") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n");
  });
  auto answer = client_of(peer.url())->call({.path = "/"});
  REQUIRE(answer);
  CHECK(answer->status == 302);
  CHECK(peer.accepted == 1);
}

TEST_CASE("a header of an answer comes as it was sent") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd,
        "HTTP/1.1 200 OK\r\nETag: \"a+b%2Fc\"\r\nX-A: 1%0d%0aX-Injected: 2\r\nX-B: a\rb\r\nContent-Length: 5\r\n\r\n"
        "1+1%3");
  });
  auto client = Client::make({.base_url = peer.url(), .bearer_token = "", .ca_file = ""});
  REQUIRE(client);
  auto answer = (*client)->call({.path = "/"});
  REQUIRE(answer);
  CHECK(answer->headers["etag"] == "\"a+b%2Fc\"");
  CHECK(answer->headers["x-a"] == "1%0d%0aX-Injected: 2");
  CHECK(answer->headers.count("x-injected") == 0);
  CHECK(answer->headers.count("x-b") == 0);
  CHECK(answer->body == "1+1%3");
}

TEST_CASE("an unchanged answer without a length is complete") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 304 Not Modified\r\nETag: \"7\"\r\n\r\n");
    poll(nullptr, 0, 200);
  });
  auto answer = client_of(peer.url())->call({.path = "/", .deadline = Millis{2'000}});
  REQUIRE(answer);
  CHECK(answer->status == 304);
  CHECK(answer->headers["etag"] == "\"7\"");
}

TEST_CASE("the body of an error is collected even when a stream was asked for") {
  Peer peer([](int fd) {
    read_request(fd);
    say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
  });
  std::string streamed;
  auto answer = client_of(peer.url())->call({.path = "/", .on_data = [&](std::string_view piece) {
                                               streamed += piece;
                                               return true;
                                             }});
  REQUIRE(answer);
  CHECK(answer->body == "none");
  CHECK(streamed.empty());
}

TEST_CASE("stop from another thread ends a call and every later one") {
  Peer peer([](int fd) {
    read_request(fd);
    poll(nullptr, 0, 400);
  });
  auto client = client_of(peer.url());
  std::thread stopper([&] {
    poll(nullptr, 0, 100);
    client->stop();
  });
  int64_t begin = monotonic_ms();
  auto answer = client->call({.path = "/", .deadline = Millis{20'000}});
  CHECK(monotonic_ms() - begin < 2'000);
  stopper.join();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Code::unavailable);
  CHECK_FALSE(client->call({.path = "/"}));
}

TEST_CASE("a stream ends when its receiver has enough") {
  auto server = serve({}, [](const Request&, const Read&) {
    Response out;
    out.stream = [](const Write& write) {
      while (write("tick\n")) poll(nullptr, 0, 5);
    };
    return out;
  });
  auto client = client_of("http://127.0.0.1:" + std::to_string(server->port()));
  int ticks = 0;
  auto answer = client->call({.path = "/", .on_data = [&](std::string_view) { return ++ticks < 3; }});
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(ticks == 3);
}

TEST_CASE("percent encoding leaves only unreserved characters") {
  CHECK(percent_encode("aZ09-._~") == "aZ09-._~");
  CHECK(percent_encode("a b/c?d&e=f%\xc3\xa4") == "a%20b%2Fc%3Fd%26e%3Df%25%C3%A4");
}
