// What the server promises to well-behaved clients, and to all of them at once.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>
#include "providers/http/client.hpp"
#include "tests/http/raw.hpp"

using namespace trove;
using namespace trove::http;

namespace {

std::unique_ptr<Client> client_of(const Server& server) {
  auto client = Client::make({.base_url = "http://127.0.0.1:" + std::to_string(server.port())});
  return client ? std::move(*client) : nullptr;
}

// A handler whose /park routes wait here until the test opens it.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  std::atomic<int> waiting{0};
  void wait() {
    std::unique_lock lock(mutex);
    ++waiting;
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return open; });
    --waiting;
  }
  void release() {
    std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

bool eventually(const std::function<bool()>& true_now, int ms = 5'000) {
  int64_t deadline = monotonic_ms() + ms;
  while (!true_now()) {
    if (monotonic_ms() > deadline) return false;
    poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace

TEST_CASE("a request arrives with its path, query, headers and body") {
  auto server = serve({}, [](const Request& r, const Read&) {
    Response out;
    out.status = 201;
    out.content_type = "text/plain";
    out.headers.emplace_back("X-Answer", "yes");
    out.body =
        r.method + '|' + r.path + '|' + r.parameter("a b") + '|' + r.header("x-one") + '|' + r.body + '|' + r.remote;
    return out;
  });
  auto client = client_of(*server);
  Call call{.method = "PUT", .path = "/p%20q/r?a%20b=c%26d&e", .body = "hello", .headers = {{"X-One", "1"}}};
  auto answer = client->call(call);
  REQUIRE(answer);
  CHECK(answer->status == 201);
  CHECK(answer->body == "PUT|/p q/r|c&d|1|hello|127.0.0.1");
  CHECK(answer->headers["x-answer"] == "yes");
  CHECK(answer->headers["content-type"] == "text/plain");
  CHECK(answer->headers.count("keep-alive") == 0);
}

TEST_CASE("a query's value holds whatever follows the first equals sign") {
  auto server = serve({}, [](const Request& r, const Read&) {
    Response out;
    out.body = r.parameter("labelSelector") + '|' + r.parameter("a") + '|' + r.parameter("broken") + '|' +
               std::to_string(r.query.count("none"));
    return out;
  });
  auto client = client_of(*server);
  auto answer = client->call({.path = "/x?labelSelector=app=shop,tier!=web&a=b==&broken=%zz%4&&none&plus=a+b"});
  REQUIRE(answer);
  CHECK(answer->body == "app=shop,tier!=web|b==|%zz%4|1");
}

TEST_CASE("a connection is kept for many requests and each costs little") {
  auto server = serve();
  auto client = client_of(*server);
  std::vector<int64_t> took;
  for (int i = 0; i < 300; ++i) {
    timespec a{}, b{};
    clock_gettime(CLOCK_MONOTONIC, &a);
    auto answer = client->call({.method = "POST", .path = "/x", .body = std::to_string(i)});
    clock_gettime(CLOCK_MONOTONIC, &b);
    REQUIRE(answer);
    REQUIRE(answer->body == "POST /x " + std::to_string(i));
    took.push_back((b.tv_sec - a.tv_sec) * 1'000'000 + (b.tv_nsec - a.tv_nsec) / 1000);
  }
  CHECK(server->open_connections() == 1);
  std::sort(took.begin(), took.end());
  std::cout << "keep-alive POST: median " << took[150] << " us, p99 " << took[297] << " us\n";
}

TEST_CASE("requests that come together are answered in order") {
  auto server = serve();
  Raw raw(server->port());
  std::string two =
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nonePOST /b HTTP/1.1\r\nHost: a\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\ntwo\r\n0\r\nTrailer: x\r\n\r\nGET /c HTTP/1.1\r\nHost: "
      "a\r\nConnection: close\r\n\r\n";
  std::string answer = raw.ask(two);
  size_t a = answer.find("POST /a one"), b = answer.find("POST /b two"), c = answer.find("GET /c");
  CHECK(a < b);
  CHECK(b < c);
  CHECK(c != std::string::npos);
  CHECK(raw.closed());
}

TEST_CASE("a HEAD is answered without a body and a 204 without a length") {
  auto server = serve({}, [](const Request& r, const Read&) {
    Response out;
    out.status = r.path == "/none" ? 204 : 200;
    if (out.status == 200) out.body = "12345";
    return out;
  });
  std::string head = Raw(server->port()).ask("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(head.find("Content-Length: 5") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\n"));
  std::string none = Raw(server->port()).ask("GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(none.find("Content-Length") == std::string::npos);
}

TEST_CASE("HTTP 1.0 is answered and closed") {
  auto server = serve({}, [](const Request&, const Read&) {
    Response out;
    out.stream = [](const Write& write) { write("one") && write("two"); };
    return out;
  });
  Raw raw(server->port());
  std::string answer = raw.ask("GET / HTTP/1.0\r\n\r\n");
  CHECK(answer.ends_with("\r\n\r\nonetwo"));
  CHECK(answer.find("chunked") == std::string::npos);
  CHECK(raw.closed());
}

TEST_CASE("a client that asks first is told to continue only when its body is wanted") {
  auto server = serve({.body_bytes = 10});
  Raw good(server->port());
  good.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(good.receive("\r\n\r\n").starts_with("HTTP/1.1 100 Continue"));
  CHECK(good.ask("ok", "ok").find("POST /x ok") != std::string::npos);
  Raw large(server->port());
  CHECK(status_of(large.ask("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")) ==
        413);
}

TEST_CASE("an answer is streamed in pieces as they are written") {
  Gate gate;
  auto server = serve({}, [&](const Request&, const Read&) {
    Response out;
    out.stream = [&](const Write& write) {
      write("first\n");
      gate.wait();
      write("second\n");
    };
    return out;
  });
  auto client = client_of(*server);
  std::string seen;
  auto answer = client->call({.path = "/park", .on_data = [&](std::string_view piece) {
                                seen += piece;
                                if (seen == "first\n")
                                  gate.release();  // had the server kept it back, both would wait for ever
                                return true;
                              }});
  REQUIRE(answer);
  CHECK(seen == "first\nsecond\n");
  CHECK(answer->body.empty());
}

TEST_CASE("a stream that breaks off does not look complete") {
  auto server = serve({}, [&](const Request& r, const Read&) {
    Response out;
    if (r.path == "/known") out.stream_length = 10;
    out.stream = [&, known = r.path == "/known"](const Write& write) {
      write("part");
      if (!known) throw std::runtime_error("disk");
    };
    return out;
  });
  auto client = client_of(*server);
  for (const char* path : {"/known", "/chunked"}) {
    auto answer = client->call({.path = path});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::unavailable);
  }
}

TEST_CASE("a body is uploaded and an answer downloaded without either being held whole") {
  constexpr size_t kBytes = 48u << 20;
  size_t largest = 0;
  auto server = serve({.body_bytes = 1u << 20}, [&](const Request&, const Read& read) {
    size_t total = 0;
    for (;;) {
      auto piece = read();
      if (!piece || piece->empty()) break;
      total += piece->size();
      largest = std::max(largest, piece->size());
    }
    Response out;
    out.stream_length = static_cast<int64_t>(total);
    out.stream = [total](const Write& write) {
      std::string block(1u << 20, 'd');
      for (size_t sent = 0; sent < total; sent += block.size()) {
        if (!write(block)) return;
      }
    };
    return out;
  });
  auto client = client_of(*server);
  size_t sent = 0, received = 0;
  Call call{.method = "PUT", .path = "/upload/x"};
  call.next_body = [&]() -> Result<std::string> {
    if (sent >= kBytes) return std::string();
    sent += 1u << 20;
    return std::string(1u << 20, 'u');
  };
  call.on_data = [&](std::string_view piece) {
    received += piece.size();
    return true;
  };
  auto answer = client->call(call);
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->headers["content-length"] == std::to_string(kBytes));
  CHECK(received == kBytes);
  CHECK(largest <= 1u << 20);
}

TEST_CASE("an upload that breaks off is an error to the handler") {
  std::atomic<int> broken{0};
  auto server = serve({}, [&](const Request&, const Read& read) {
    for (;;) {
      auto piece = read();
      if (!piece) {
        ++broken;
        break;
      }
      if (piece->empty()) break;
    }
    return Response{};
  });
  {
    Raw raw(server->port());
    raw.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  }
  CHECK(eventually([&] { return broken == 1; }));
}

TEST_CASE("parked requests have a limit of their own and others go on") {
  Gate gate;
  auto server = serve({.connections = 4, .parked = 8}, [&](const Request& r, const Read& read) {
    if (r.path == "/park") gate.wait();
    return echo(r, read);
  });
  std::vector<std::unique_ptr<Raw>> parked;
  for (int i = 0; i < 8; ++i) {
    parked.push_back(std::make_unique<Raw>(server->port()));
    parked.back()->send("GET /park HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(eventually([&] { return gate.waiting == i + 1; }));
  }
  std::string ninth = Raw(server->port()).ask("GET /park HTTP/1.1\r\nHost: a\r\n\r\n", "many waiting");
  CHECK(status_of(ninth) == 503);
  CHECK(ninth.find("Retry-After") != std::string::npos);
  auto client = client_of(*server);
  auto other = client->call({.path = "/now"});
  REQUIRE(other);
  CHECK(other->status == 200);
  gate.release();
  for (auto& one : parked) CHECK(status_of(one->receive("/park")) == 200);
}

TEST_CASE("beyond the limit of connections a new one is told so and an idle one makes room") {
  Gate gate;
  auto server = serve({.connections = 2}, [&](const Request& r, const Read& read) {
    if (r.path == "/busy") gate.wait();
    return echo(r, read);
  });
  Raw one(server->port()), two(server->port());
  one.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  two.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(eventually([&] { return gate.waiting == 2; }));
  std::string third = Raw(server->port()).receive();
  CHECK(status_of(third) == 503);
  CHECK(third.find("Retry-After") != std::string::npos);
  gate.release();
  CHECK(status_of(one.receive("/busy")) == 200);
  CHECK(status_of(two.receive("/busy")) == 200);
  Raw fourth(server->port());  // both others are kept and idle by now, or about to be
  REQUIRE(eventually(
      [&] { return status_of(Raw(server->port()).ask("GET /now HTTP/1.1\r\nHost: a\r\n\r\n", "/now")) == 200; }));
}

TEST_CASE("a kept connection is closed when it is idle for too long") {
  auto server = serve({.idle_time = Millis{100}});
  Raw raw(server->port());
  CHECK(status_of(raw.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /")) == 200);
  CHECK(raw.receive("", 3'000).empty());
  CHECK(raw.closed());
  CHECK(eventually([&] { return server->open_connections() == 0; }));
}

TEST_CASE("stopping is quick with idle, half-sent, parked and streaming connections") {
  std::atomic<int> parked{0};
  Server* asked = nullptr;
  auto server = serve({}, [&](const Request& r, const Read& read) {
    if (r.path == "/park") {
      ++parked;
      while (!asked->stopping()) poll(nullptr, 0, 5);
    }
    Response out = echo(r, read);
    if (r.path == "/stream") {
      out.stream = [](const Write& write) {
        while (write("tick\n")) poll(nullptr, 0, 10);
      };
    }
    return out;
  });
  asked = server.get();
  Raw idle(server->port()), half(server->port()), upload(server->port()), waiting(server->port()),
      streaming(server->port());
  idle.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /");
  half.send("GET / HTT");
  upload.send("PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  waiting.send("GET /park HTTP/1.1\r\nHost: a\r\n\r\n");
  streaming.ask("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", "tick");
  REQUIRE(eventually([&] { return parked == 1 && server->open_connections() == 5; }));
  int64_t begin = monotonic_ms();
  server->stop();
  CHECK(monotonic_ms() - begin < 1'000);
  CHECK(server->open_connections() == 0);
  CHECK_FALSE(Raw(server->port()).connected());
  CHECK(status_of(waiting.receive()) == 200);  // a parked answer is still delivered
}

TEST_CASE("an address in use and a bad address are errors") {
  auto server = serve();
  ServerOptions same;
  same.port = server->port();
  auto second = Server::start(same, routes, echo);
  REQUIRE_FALSE(second);
  CHECK(second.error().message.find(std::to_string(same.port)) != std::string::npos);
  CHECK_FALSE(Server::start({.address = "not an address"}, routes, echo));
}

TEST_CASE("many clients at once get their own answers") {
  auto server = serve();
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      auto client = client_of(*server);
      for (int i = 0; i < 50; ++i) {
        std::string text = std::to_string(t) + '-' + std::to_string(i);
        auto answer = client->call({.method = "POST", .path = "/e", .body = text});
        if (answer && answer->body == "POST /e " + text) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(right == 400);
}
