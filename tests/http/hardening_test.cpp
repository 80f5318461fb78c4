// Each hole of the library that a peer on the network could use, shown closed.
#include <catch2/catch.hpp>
#include <fstream>
#include <stdexcept>
#include "tests/http/raw.hpp"

using namespace trove;
using namespace trove::http;

namespace {

constexpr const char* kEnd = "\r\n\r\n";

size_t resident_mib() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096 >> 20;
}

std::string post(const std::string& headers, const std::string& body = "") {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body;
}

}  // namespace

TEST_CASE("a chunked body beyond the limit is refused and not kept in memory") {
  auto server = serve({.body_bytes = 1u << 20});
  Raw raw(server->port());
  size_t before = resident_mib();
  raw.send(post("Transfer-Encoding: chunked\r\n"));
  std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 1024 && raw.send(chunk); ++i) {
  }
  CHECK(status_of(raw.receive()) == 413);
  CHECK(resident_mib() < before + 16);
}

TEST_CASE("a chunk that claims more than the limit is refused before it comes") {
  auto server = serve({.body_bytes = 1000});
  CHECK(status_of(Raw(server->port()).ask(post("Transfer-Encoding: chunked\r\n", "3e9\r\n"))) == 413);
  CHECK(status_of(Raw(server->port()).ask(post("Transfer-Encoding: chunked\r\n", "7fffffffffffffff\r\n"))) == 400);
  std::string most = post("Transfer-Encoding: chunked\r\n", "3e8\r\n" + std::string(1000, 'y') + "\r\n0\r\n\r\n");
  CHECK(status_of(Raw(server->port()).ask(most, "yyy")) == 200);
}

TEST_CASE("a declared body beyond the limit is refused before it is read and the connection closes") {
  auto server = serve({.body_bytes = 1000});
  Raw raw(server->port());
  std::string answer = raw.ask(post("Content-Length: 1001\r\n", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK(status_of(answer) == 413);
  CHECK(count(answer, "HTTP/1.1") == 1);
  CHECK(answer.find("Connection: close") != std::string::npos);
  CHECK(raw.closed());
  CHECK(status_of(Raw(server->port()).ask(post("Content-Length: 1000\r\n", std::string(1000, 'z')), "zzz")) == 200);
}

TEST_CASE("a header line that never ends is refused at the header limit") {
  auto server = serve();
  size_t before = resident_mib();
  Raw raw(server->port());
  raw.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  std::string piece(1u << 20, 'x');
  for (int i = 0; i < 64 && raw.send(piece); ++i) {
  }
  CHECK(status_of(raw.receive()) == 431);
  CHECK(resident_mib() < before + 16);
}

TEST_CASE("hundreds of thousands of headers are refused and one hundred are not") {
  auto server = serve({.header_bytes = 64u << 10});
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 300'000; ++i) many += "a:b\r\n";
  CHECK(status_of(Raw(server->port()).ask(many + "\r\n")) == 431);
  auto with = [&](int n) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < n; ++i) text += "a:b\r\n";
    return status_of(Raw(server->port()).ask(text + "\r\n", kEnd));
  };
  CHECK(with(100) == 200);
  CHECK(with(101) == 431);
}

TEST_CASE("a compressed body is refused instead of inflated") {
  auto server = serve({.body_bytes = 1u << 20});
  // 20 bytes that gunzip to nothing: what matters is that nobody tries.
  std::string packed("\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", 20);
  std::string head = "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(packed.size()) + "\r\n";
  CHECK(status_of(Raw(server->port()).ask(post(head, packed))) == 415);
  CHECK(status_of(Raw(server->port()).ask(post("Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n"))) == 415);
  CHECK(status_of(Raw(server->port()).ask(post("Content-Encoding: identity\r\nContent-Length: 1\r\n", "i"), " i")) ==
        200);
}

TEST_CASE("a thousand ranges are ignored") {
  auto server = serve({}, [](const Request&, const Read&) {
    Response out;
    out.body = std::string(1u << 20, 'r');
    return out;
  });
  std::string ranges = "Range: bytes=0-";
  for (int i = 0; i < 1000; ++i) ranges += ",0-";
  Raw raw(server->port());
  std::string answer = raw.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + ranges + kEnd);
  CHECK(status_of(answer) == 200);
  CHECK(answer.size() < (1u << 20) + 1000);
}

TEST_CASE("answers are never compressed behind the handler") {
  auto server = serve();
  std::string answer =
      Raw(server->port()).ask("GET /plain HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\n\r\n", "/plain");
  CHECK(answer.find("GET /plain") != std::string::npos);
  CHECK(answer.find("ncoding") == std::string::npos);
}

TEST_CASE("the text of an exception is never sent") {
  auto server = serve({}, [](const Request& request, const Read&) -> Response {
    if (request.path == "/other") throw 42;
    throw std::runtime_error("password=hunter2");
  });
  for (const char* path : {"/any", "/other"}) {
    std::string answer =
        Raw(server->port()).ask(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CHECK(status_of(answer) == 500);
    CHECK(answer.find("hunter2") == std::string::npos);
    CHECK(answer.find("EXCEPTION") == std::string::npos);
  }
}

TEST_CASE("a client cannot say where it comes from") {
  auto server = serve({}, [](const Request& request, const Read&) {
    Response out;
    out.body = "from " + request.remote;
    return out;
  });
  std::string answer = Raw(server->port()).ask("GET / HTTP/1.1\r\nHost: a\r\nREMOTE_ADDR: 10.9.9.9\r\n\r\n", "from ");
  CHECK(answer.find("from 127.0.0.1") != std::string::npos);
}

TEST_CASE("percent signs in a header are not decoded") {
  auto server = serve({}, [](const Request& request, const Read&) {
    Response out;
    out.body = '<' + request.header("x") + '>';
    return out;
  });
  CHECK(Raw(server->port()).ask("GET / HTTP/1.1\r\nHost: a\r\nX: a%0d%0ab\r\n\r\n", ">").find("<a%0d%0ab>") !=
        std::string::npos);
}

TEST_CASE("a slow sender is cut off at the request time in the head and in the body") {
  auto server = serve({.request_time = Millis{300}});
  auto drip = [&](const std::string& head) {
    Raw raw(server->port());
    raw.send(head);
    int64_t begin = monotonic_ms();
    std::string answer;
    while (answer.empty() && !raw.closed() && monotonic_ms() - begin < 5'000) {
      raw.send("x");
      answer += raw.receive("HTTP", 50);
    }
    INFO(answer);
    CHECK(status_of(answer + raw.receive()) == 408);
    CHECK(monotonic_ms() - begin < 2'500);
  };
  drip("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  drip("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
}

TEST_CASE("a reader that stops reading does not hold its connection for ever") {
  auto server = serve({.request_time = Millis{200}}, [](const Request&, const Read&) {
    Response out;
    out.stream = [](const Write& write) {
      std::string piece(1u << 20, 's');
      while (write(piece)) {
      }
    };
    return out;
  });
  Raw raw(server->port());
  raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  int64_t begin = monotonic_ms();
  while (server->open_connections() == 0 && monotonic_ms() - begin < 5'000) poll(nullptr, 0, 5);
  while (server->open_connections() > 0 && monotonic_ms() - begin < 60'000) poll(nullptr, 0, 20);
  CHECK(server->open_connections() == 0);
}

TEST_CASE("ambiguous or malformed heads are refused and close the connection") {
  auto server = serve();
  struct Case {
    const char* what;
    std::string text;
    int status;
  };
  const Case cases[] = {
      {"both framings",
       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"both framings, reversed",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
      {"two equal lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
      {"two lengths in one", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400},
      {"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
      {"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400},
      {"hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nx", 400},
      {"huge length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\nx", 400},
      {"another coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"hidden coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n", 400},
      {"space before colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\nx", 400},
      {"folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n Content-Length: 5\r\n\r\n", 400},
      {"bare line feed", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400},
      {"bare carriage return", "GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"nul in target", "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute target", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"long target", "GET /" + std::string(8'100, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"multipart",
       "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1\r\n\r\nx",
       415},
      {"unknown method", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"another version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"not HTTP", "\x16\x03\x01\x02 hello there\r\n\r\n", 400},
      {"chunk size with sign", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
       400},
      {"chunk with bare line feed", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n", 400},
      {"chunk longer than said",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", 400},
      {"endless chunk extension",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(300, 'e'), 400},
  };
  for (const Case& one : cases) {
    Raw raw(server->port());
    std::string answer = raw.ask(one.text + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    INFO(one.what << ": " << answer);
    CHECK(status_of(answer) == one.status);
    CHECK(raw.closed());
    CHECK(answer.find("/smuggled") == std::string::npos);
  }
}

TEST_CASE("a handler that leaves a streamed body unread ends the connection") {
  auto server = serve({}, [](const Request& request, const Read&) {
    Response out;
    out.status = request.path == "/upload/denied" ? 403 : 200;
    return out;
  });
  Raw raw(server->port());
  std::string answer = raw.ask(
      "PUT /upload/denied HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: "
      "a\r\n\r\n..");
  CHECK(status_of(answer) == 403);
  CHECK(count(answer, "HTTP/1.1") == 1);
  CHECK(raw.closed());
}
