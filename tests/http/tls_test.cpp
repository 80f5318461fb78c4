// TLS in the same server and client, with a certificate made for the test.
#include <catch2/catch.hpp>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "providers/http/client.hpp"
#include "tests/http/raw.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::http;

namespace {

void make_certificate(const std::string& certificate_file, const std::string& key_file, const char* names) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("trove test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* alternatives = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  X509_add_ext(certificate, alternatives, -1);
  X509_EXTENSION_free(alternatives);
  X509_sign(certificate, key, EVP_sha256());
  FILE* out = fopen(certificate_file.c_str(), "w");
  PEM_write_X509(out, certificate);
  fclose(out);
  out = fopen(key_file.c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

struct Secured {
  TempDir dir;
  std::string certificate = dir / "cert.pem", key = dir / "key.pem";
  std::unique_ptr<Server> server;
  explicit Secured(const char* names = "IP:127.0.0.1,DNS:localhost") {
    make_certificate(certificate, key, names);
    ServerOptions options;
    options.tls_certificate = certificate;
    options.tls_key = key;
    auto started = Server::start(options, routes, echo);
    if (started) server = std::move(*started);
  }
  Result<Answer> get(const std::string& host, const std::string& ca) {
    auto client = Client::make({.base_url = "https://" + host + ":" + std::to_string(server->port()), .ca_file = ca});
    if (!client) return tl::unexpected<Error>(client.error());
    return (*client)->call({.method = "POST", .path = "/s", .body = std::string(100'000, 's')});
  }
};

}  // namespace

TEST_CASE("a request and its answer pass through TLS") {
  Secured secured;
  REQUIRE(secured.server);
  auto answer = secured.get("127.0.0.1", secured.certificate);
  INFO((answer ? "" : answer.error().message));
  REQUIRE(answer);
  CHECK(answer->body.size() == 100'000 + 8);
  CHECK(secured.get("localhost", secured.certificate));
}

TEST_CASE("a TLS connection is kept") {
  Secured secured;
  auto client = Client::make(
      {.base_url = "https://127.0.0.1:" + std::to_string(secured.server->port()), .ca_file = secured.certificate});
  REQUIRE(client);
  for (int i = 0; i < 20; ++i) REQUIRE((*client)->call({.path = "/k"}));
  CHECK(secured.server->open_connections() == 1);
}

TEST_CASE("a certificate that is not trusted or names another host is refused") {
  Secured secured("DNS:elsewhere.example");
  auto other_name = secured.get("127.0.0.1", secured.certificate);
  REQUIRE_FALSE(other_name);
  CHECK(other_name.error().code == Code::unavailable);
  INFO(other_name.error().message);
  CHECK(other_name.error().message.find("mismatch") != std::string::npos);
  Secured trusted;
  CHECK_FALSE(trusted.get("127.0.0.1", secured.certificate));
  CHECK_FALSE(trusted.get("127.0.0.1", ""));
}

TEST_CASE("clients that never finish the handshake stop nobody and end with the server") {
  Secured secured;
  std::vector<std::unique_ptr<Raw>> stuck;
  for (int i = 0; i < 20; ++i) stuck.push_back(std::make_unique<Raw>(secured.server->port()));
  Raw plain(secured.server->port());
  plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(plain.receive().find("HTTP/1.1") == std::string::npos);
  CHECK(secured.get("127.0.0.1", secured.certificate));
  int64_t begin = monotonic_ms();
  secured.server->stop();
  CHECK(monotonic_ms() - begin < 1'000);
}

TEST_CASE("a certificate and a key that do not fit are refused at the start") {
  TempDir dir;
  make_certificate(dir / "a.pem", dir / "a.key", "DNS:a");
  make_certificate(dir / "b.pem", dir / "b.key", "DNS:b");
  ServerOptions options;
  options.tls_certificate = dir / "a.pem";
  options.tls_key = dir / "b.key";
  CHECK_FALSE(Server::start(options, routes, echo));
  options.tls_key.clear();
  CHECK_FALSE(Server::start(options, routes, echo));
  options.tls_key = dir / "absent.key";
  CHECK_FALSE(Server::start(options, routes, echo));
}
