// Who is at the other end: clients that show certificates, servers that ask for them and renew their own.
#include <catch2/catch.hpp>
#include <openssl/ssl.h>
#include <ctime>
#include "providers/http/client.hpp"
#include "providers/pki/pki.hpp"
#include "tests/http/raw.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/openssl.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::http;

namespace {

constexpr Millis kHour{3'600'000};

Time now() { return {static_cast<int64_t>(::time(nullptr)) * 1000}; }
void wait_ms(int64_t ms) { ::poll(nullptr, 0, static_cast<int>(ms)); }

// Files of a certificate and its key; "" for somebody who has none.
struct Shown {
  std::string certificate, key;
};

// An authority, and what it and others sign.
struct Office {
  TempDir dir;
  FakeClock clock{now()};
  pki::Authority authority = *pki::Authority::open(dir / "pki", clock);
  std::string ca = dir / "pki/ca.pem";
  int files = 0;

  Shown keep(const std::string& certificate, const std::string& key) {
    const std::string base = dir / std::to_string(++files);
    write_file(base + ".pem", certificate);
    write_file(base + ".key", key);
    return {base + ".pem", base + ".key"};
  }
  Shown server(const std::vector<std::string>& names = {"127.0.0.1", "localhost"}) {
    auto issued = authority.issue_server(names, kHour);
    return keep(issued->certificate, issued->key.reveal());
  }
  Shown client(const std::string& name) {
    auto request = pki::make_request();
    return keep(*authority.issue_client(request->pem, name, kHour), request->key.reveal());
  }
  // What the authority itself would never sign, but with its key.
  Shown strange(const pki::Made& what) {
    const pki::TestKey key = pki::ec_key();
    const pki::TestKey signer = pki::key_of(read_file(dir / "pki/ca.key"));
    return keep(pki::signed_by(authority.certificate(), signer, key, what), pki::pem_of(key));
  }
  // Of another authority that calls itself by the same name.
  Shown impostor() {
    const pki::TestKey key = pki::ec_key();
    return keep(pki::signed_by(authority.certificate(), pki::ec_key(), key,
                               {.from = now() - kHour, .until = now() + kHour}),
                pki::pem_of(key));
  }
};

// Answers whom it sees. What it saw may be read when no request is on its way.
struct Door {
  Office office;
  std::atomic<int> asked{0};
  std::unique_ptr<Server> server;

  explicit Door(Limits limits = {}) {
    ServerOptions options;
    options.limits = limits;
    const Shown own = office.server();
    options.tls_certificate = own.certificate;
    options.tls_key = own.key;
    options.client_ca_file = office.ca;
    auto started = Server::start(options, routes, [this](const Request& request, const Read& read) {
      ++asked;
      while (read) {
        auto piece = read();
        if (!piece || piece->empty()) break;
      }
      Response out;
      out.body = "[" + request.peer_name + "]";
      return out;
    });
    if (started) server = std::move(*started);
  }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(server->port()); }
  std::unique_ptr<Client> client(const Shown& shown) {
    auto made = Client::make({.base_url = url(),
                              .ca_file = office.ca,
                              .client_certificate = shown.certificate,
                              .client_key = shown.key});
    if (!made) FAIL(made.error().message);
    return std::move(*made);
  }
  Result<Answer> ask(const Shown& shown, const Call& call = {.path = "/who"}) { return client(shown)->call(call); }
  std::string who(const Shown& shown) {
    auto answer = ask(shown);
    return answer ? answer->body : answer.error().message;
  }
};

// A client that speaks one version of TLS and stays for as long as the test wants.
struct Caller {
  std::string why;
  std::unique_ptr<Wire> wire;
  std::shared_ptr<ssl_ctx_st> context;

  Caller(int port, const std::string& ca, const Shown& shown, int version = TLS1_3_VERSION) {
    context.reset(make_client_tls(ca, why), free_tls);
    if (!shown.certificate.empty()) REQUIRE(show_certificate(context.get(), shown.certificate, shown.key, why));
    SSL_CTX_set_max_proto_version(context.get(), version);
    SSL_CTX_set_min_proto_version(context.get(), version);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    wire = std::make_unique<Wire>(fd, nullptr);
    if (wire->connect_tls(context.get(), "127.0.0.1", monotonic_ms() + 5'000, why) != Io::ok) wire.reset();
  }
  // The body of the answer, or "gone" and why.
  std::string ask(const std::string& extra = "") {
    std::string seen;
    const std::string request = "GET /who HTTP/1.1\r\nHost: a\r\n" + extra + "\r\n";
    bool fine = wire && wire->write(request, monotonic_ms() + 5'000) == Io::ok;
    while (fine && seen.find(']') == std::string::npos) {
      char bytes[4096];
      size_t got = 0;
      fine = wire->read(bytes, sizeof bytes, got, monotonic_ms() + 5'000) == Io::ok;
      seen.append(bytes, got);
    }
    if (fine) return seen.substr(seen.find('['));
    if (wire) why = wire->refusal();
    return "gone";
  }
  // The peer has closed, within `ms`.
  bool ends(int64_t ms) {
    char byte;
    size_t got = 0;
    const Io io = wire->read(&byte, 1, got, monotonic_ms() + ms);
    return io == Io::closed || io == Io::failed;
  }
};

}  // namespace

TEST_CASE("a client without a certificate is let in and has no name") {
  Door door;
  REQUIRE(door.server);
  CHECK(door.who({}) == "[]");
}

TEST_CASE("a client with a good certificate is called by its name") {
  Door door;
  CHECK(door.who(door.office.client("trove-1-server-0-1")) == "[trove-1-server-0-1]");
  CHECK(door.who(door.office.client(std::string(64, 'n'))) == "[" + std::string(64, 'n') + "]");
}

TEST_CASE("no header gives a client a name") {
  Door door;
  for (const char* header : {"Peer-Name", "peer_name", "X-Client-Cert", "REMOTE_USER", "REMOTE_ADDR"}) {
    auto answer = door.ask({}, {.path = "/who", .headers = {{header, "guest"}}});
    REQUIRE(answer);
    CHECK(answer->body == "[]");
  }
}

TEST_CASE("names hold for one connection, not for the next one from the same address") {
  Door door;
  const Shown one = door.office.client("one"), two = door.office.client("two");
  auto first = door.client(one), second = door.client(two), third = door.client({});
  for (int i = 0; i < 3; ++i) {
    CHECK(first->call({.path = "/who"})->body == "[one]");
    CHECK(second->call({.path = "/who"})->body == "[two]");
    CHECK(third->call({.path = "/who"})->body == "[]");
  }
}

TEST_CASE("a certificate that is not good makes no connection, and the client knows why") {
  Door door;
  Office other;
  const Time past = now() - kHour, future = now() + kHour;
  struct Bad {
    const char* what;
    Shown shown;
  };
  const Bad all[] = {
      {"another authority's", other.client("guest")},
      {"signed by an impostor", door.office.impostor()},
      {"expired", door.office.strange({.from = past - kHour, .until = past})},
      {"not yet valid", door.office.strange({.from = future, .until = future + kHour})},
      {"a server's", door.office.server()},
      {"one that does not say for what", door.office.strange({.usage = nullptr, .from = past, .until = future})},
      {"for e-mail", door.office.strange({.usage = "emailProtection", .from = past, .until = future})},
      {"the authority's own", door.office.keep(door.office.authority.certificate(),
                                               read_file(door.office.dir / "pki/ca.key"))},
  };
  for (const Bad& bad : all) {
    INFO(bad.what);
    for (const char* method : {"GET", "POST"}) {
      const int64_t begin = monotonic_ms();
      auto answer = door.ask(bad.shown, {.method = method, .path = "/who", .body = "{}"});
      REQUIRE_FALSE(answer);
      INFO(answer.error().message);
      CHECK(answer.error().code == Code::unavailable);
      CHECK(answer.error().message.find("it refused our certificate: ") != std::string::npos);
      CHECK(monotonic_ms() - begin < 5'000);
    }
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      Caller caller(door.server->port(), door.office.ca, bad.shown, version);
      CHECK(caller.ask() == "gone");
      CHECK(caller.why.find("alert") != std::string::npos);
    }
  }
  CHECK(door.asked == 0);
}

TEST_CASE("a large or slow request with a refused certificate is not thought to have arrived") {
  Door door;
  Office other;
  const Shown bad = other.client("guest");
  auto check = [&](const Call& call) {
    auto answer = door.ask(bad, call);
    REQUIRE_FALSE(answer);
    INFO(answer.error().message);
    CHECK(answer.error().code == Code::unavailable);
    CHECK(answer.error().message.find("it refused our certificate: ") != std::string::npos);
  };
  check({.method = "POST", .path = "/who", .body = std::string(8u << 20, 'x')});
  int pieces = 0;
  check({.method = "PUT", .path = "/upload", .next_body = [&]() -> Result<std::string> {
           wait_ms(250);  // longer in all than the server listens to somebody whom it has refused
           return std::string(++pieces <= 12 ? 100'000 : 0, 'p');
         }});
  CHECK(door.asked == 0);
}

TEST_CASE("a refused certificate is shown once for each call, and never in a loop") {
  Office office;
  const Shown own = office.server(), bad = office.impostor();
  std::string why;
  std::shared_ptr<ssl_ctx_st> context(make_server_tls(own.certificate, own.key, why), free_tls);
  REQUIRE(ask_clients(context.get(), office.ca, why));
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), version);
  Peer peer([&](int fd) {
    Wire wire(::dup(fd), nullptr);
    if (wire.accept_tls(context.get(), monotonic_ms() + 5'000) != Io::ok) wire.linger(1'000, 1u << 20);
  });
  auto client = Client::make({.base_url = "https" + peer.url().substr(4),
                              .ca_file = office.ca,
                              .client_certificate = bad.certificate,
                              .client_key = bad.key});
  REQUIRE(client);
  for (int calls = 1; calls <= 4; ++calls) {
    auto answer = (*client)->call({.method = calls % 2 ? "GET" : "POST", .path = "/who", .body = "{}"});
    REQUIRE_FALSE(answer);
    INFO(answer.error().message);
    CHECK(answer.error().code == Code::unavailable);
    CHECK(answer.error().message.find("it refused our certificate: ") != std::string::npos);
    CHECK(peer.accepted == calls);
  }
}

TEST_CASE("a server that ends the connection after the request is still an unknown outcome") {
  Office office;
  const Shown own = office.server(), good = office.client("guest");
  std::string why;
  std::shared_ptr<ssl_ctx_st> context(make_server_tls(own.certificate, own.key, why), free_tls);
  REQUIRE(ask_clients(context.get(), office.ca, why));
  Peer peer([&](int fd) {
    Wire wire(::dup(fd), nullptr);
    char bytes[4096];
    size_t got = 0;
    if (wire.accept_tls(context.get(), monotonic_ms() + 5'000) == Io::ok)
      wire.read(bytes, sizeof bytes, got, monotonic_ms() + 5'000);
  });
  auto client = Client::make({.base_url = "https" + peer.url().substr(4),
                              .ca_file = office.ca,
                              .client_certificate = good.certificate,
                              .client_key = good.key});
  REQUIRE(client);
  CHECK((*client)->call({.method = "POST", .path = "/who", .body = "{}"}).error().code == Code::outcome_unknown);
}

TEST_CASE("a name that could be read in two ways is none") {
  Door door;
  const Time past = now() - kHour, future = now() + kHour;
  const auto called = [&](const std::string& name, std::function<void(X509*)> change = nullptr) {
    return door.who(door.office.strange({.names = name, .from = past, .until = future, .change = std::move(change)}));
  };
  CHECK(called("gäst") == "[gäst]");
  for (const std::string& name : {std::string("guest\0x", 7), std::string("\0", 1), std::string("a\nb"),
                                  std::string("a\r\nb"), std::string("a\tb"), std::string("\x1b[31mguest"),
                                  std::string("guest\x7f"), std::string()}) {
    CHECK(called(name) == "[]");
  }
  CHECK(called("guest", [](X509* made) { pki::set_common_name(X509_get_subject_name(made), "admin"); }) == "[]");
}

TEST_CASE("both versions of TLS say who the client is") {
  Door door;
  const Shown good = door.office.client("guest");
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Caller named(door.server->port(), door.office.ca, good, version);
    CHECK(named.ask() == "[guest]");
    CHECK(named.ask("Peer-Name: admin\r\n") == "[guest]");
    Caller nameless(door.server->port(), door.office.ca, {}, version);
    CHECK(nameless.ask() == "[]");
  }
}

TEST_CASE("a kept connection ends when the certificate does, and the next call says that it is over") {
  Door door;
  const Shown brief = door.office.strange({.from = now() - kHour, .until = now() + Millis{3'000}});
  const int64_t begin = monotonic_ms();
  auto client = door.client(brief);
  Caller idle(door.server->port(), door.office.ca, brief), busy(door.server->port(), door.office.ca, brief),
      old(door.server->port(), door.office.ca, brief, TLS1_2_VERSION);
  CHECK(client->call({.path = "/who"})->body == "[guest]");
  CHECK(idle.ask() == "[guest]");
  CHECK(old.ask() == "[guest]");
  // One that is never quiet for long.
  while (busy.ask() == "[guest]" && monotonic_ms() - begin < 10'000) wait_ms(20);
  CHECK(monotonic_ms() - begin > 1'000);
  CHECK(monotonic_ms() - begin < 6'000);
  CHECK(idle.ends(2'000));
  CHECK(old.ends(2'000));
  // The last one of them may only just be shown out.
  const int64_t end = monotonic_ms() + 5'000;
  while (door.server->open_connections() > 0 && monotonic_ms() < end) wait_ms(20);
  CHECK(door.server->open_connections() == 0);
  for (const char* method : {"POST", "GET", "POST"}) {
    auto late = client->call({.method = method, .path = "/who", .body = "{}"});
    REQUIRE_FALSE(late);
    CHECK(late.error().code == Code::unavailable);
    CHECK(late.error().message.find("expired") != std::string::npos);
  }
}

TEST_CASE("a request that was begun with a good certificate and ended with an expired one is refused") {
  Door door;
  const Shown brief = door.office.strange({.from = now() - kHour, .until = now() + Millis{2'000}});
  Caller slow(door.server->port(), door.office.ca, brief);
  REQUIRE(slow.wire);
  REQUIRE(slow.wire->write("GET /who HTTP/1.1\r\nHost: a\r\n", monotonic_ms() + 5'000) == Io::ok);
  wait_ms(2'500);
  REQUIRE(slow.wire->write("\r\n", monotonic_ms() + 5'000) == Io::ok);
  std::string seen;
  char bytes[4096];
  size_t got = 0;
  while (slow.wire->read(bytes, sizeof bytes, got, monotonic_ms() + 5'000) == Io::ok) seen.append(bytes, got);
  CHECK(seen.starts_with("HTTP/1.1 401"));
  CHECK(seen.find("[guest]") == std::string::npos);
}

TEST_CASE("after a renewal new connections see the new certificate and old ones go on") {
  Door door;
  Office next;
  auto old = door.client(door.office.client("guest"));
  REQUIRE(old->call({.path = "/who"}));
  const Shown fresh = next.server();
  REQUIRE(door.server->renew(fresh.certificate, fresh.key, next.ca));
  CHECK(old->call({.path = "/who"})->body == "[guest]");
  CHECK(door.server->open_connections() == 1);
  // Whoever trusts the old authority alone finds a stranger, and is one.
  CHECK(door.ask({}).error().code == Code::unavailable);
  const Shown known = next.client("new-guest");
  const auto made = [&](const Shown& shown) {
    return std::move(*Client::make({.base_url = door.url(),
                                    .ca_file = next.ca,
                                    .client_certificate = shown.certificate,
                                    .client_key = shown.key}));
  };
  CHECK(made(known)->call({.path = "/who"})->body == "[new-guest]");
  auto refused = made(door.office.client("guest"))->call({.path = "/who"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unavailable);
}

TEST_CASE("files that do not fit leave in use what was") {
  Door door;
  const Shown one = door.office.server(), two = door.office.server();
  write_file(door.office.dir / "empty", "");
  write_file(door.office.dir / "text", "no PEM\n");
  const auto kept = [&](const std::string& certificate, const std::string& key, const std::string& ca) {
    auto renewed = door.server->renew(certificate, key, ca);
    CHECK_FALSE(renewed);
    CHECK((renewed || renewed.error().code == Code::invalid));
    CHECK(door.who(door.office.client("guest")) == "[guest]");
  };
  kept(one.certificate, two.key, door.office.ca);
  kept("", "", door.office.ca);
  kept(one.certificate, "", door.office.ca);
  kept(one.key, one.key, door.office.ca);
  kept(door.office.dir / "absent", one.key, door.office.ca);
  for (const char* file : {"empty", "text", "absent"}) {
    kept(door.office.dir / file, one.key, door.office.ca);
    kept(one.certificate, one.key, door.office.dir / file);
  }
  kept(one.certificate, one.key, one.key);
}

TEST_CASE("renewals while clients come and go lose none of them") {
  Door door;
  const Shown guest = door.office.client("guest"), files[] = {door.office.server(), door.office.server()};
  std::atomic<bool> over{false};
  std::atomic<int> answered{0}, lost{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      for (int calls = 0; calls < 20; ++calls) {
        auto client = Client::make({.base_url = door.url(),
                                    .ca_file = door.office.ca,
                                    .client_certificate = guest.certificate,
                                    .client_key = guest.key});
        auto answer = (*client)->call({.path = "/who"});
        ++(answer && answer->body == "[guest]" ? answered : lost);
      }
    });
  }
  std::thread renewing([&] {
    for (int i = 0; !over; ++i) {
      if (!door.server->renew(files[i % 2].certificate, files[i % 2].key, door.office.ca)) ++lost;
    }
  });
  for (auto& one : callers) one.join();
  over = true;
  renewing.join();
  CHECK(answered == 60);
  CHECK(lost == 0);
}

TEST_CASE("a server without TLS has nothing to renew and cannot ask for certificates") {
  auto plain = serve();
  REQUIRE(plain);
  Office office;
  const Shown own = office.server();
  CHECK(plain->renew(own.certificate, own.key, office.ca).error().code == Code::invalid);
  ServerOptions options;
  options.client_ca_file = office.ca;
  CHECK(Server::start(options, routes, echo).error().code == Code::invalid);
}

TEST_CASE("authorities that cannot be read keep a server from starting") {
  Office office;
  const Shown own = office.server();
  write_file(office.dir / "empty", "");
  ServerOptions options;
  options.tls_certificate = own.certificate;
  options.tls_key = own.key;
  for (const std::string& file : {office.dir / "absent", office.dir / "empty", own.key}) {
    options.client_ca_file = file;
    auto started = Server::start(options, routes, echo);
    REQUIRE_FALSE(started);
    CHECK(started.error().code == Code::invalid);
    CHECK(started.error().message.find(file) != std::string::npos);
  }
}

TEST_CASE("a client's certificate and key are given together and fit") {
  Office office;
  const Shown one = office.client("one"), two = office.client("two");
  const auto code = [&](const Shown& shown) {
    auto made = Client::make({.base_url = "https://127.0.0.1:1",
                              .ca_file = office.ca,
                              .client_certificate = shown.certificate,
                              .client_key = shown.key});
    return made ? Code::internal : made.error().code;
  };
  CHECK(code({one.certificate, ""}) == Code::invalid);
  CHECK(code({"", one.key}) == Code::invalid);
  CHECK(code({one.certificate, two.key}) == Code::invalid);
  CHECK(code({office.dir / "absent", one.key}) == Code::invalid);
  CHECK(code({one.key, one.key}) == Code::invalid);
  CHECK(code(one) == Code::internal);
  // They are read once: who replaces the files makes a new client.
  write_file(one.certificate, "");
  CHECK(code(one) == Code::invalid);
}
