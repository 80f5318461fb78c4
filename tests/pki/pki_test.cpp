// What the authority signs, read as a peer reads it, and what it refuses.
#include "providers/pki/pki.hpp"
#include <catch2/catch.hpp>
#include "tests/support/openssl.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::pki;

namespace {

constexpr Millis kHour{3'600'000}, kDay{24 * 3'600'000};
constexpr Time kUnchanged{1'790'510'400'000};  // where a FakeClock begins

struct Office {
  TempDir dir;
  FakeClock clock;
  Authority authority = *Authority::open(dir / "pki", clock);

  Result<std::string> client(const std::string& request, const std::string& name = "guest", Millis life = kHour) {
    return authority.issue_client(request, name, life);
  }
  Code refused_server(const std::vector<std::string>& names) {
    auto issued = authority.issue_server(names, kHour);
    if (issued) return Code::internal;
    message = issued.error().message;
    return issued.error().code;
  }
  std::string message;
};

std::string extension(const std::string& certificate, int kind) {
  const TestCertificate parsed = certificate_of(certificate);
  const int at = X509_get_ext_by_NID(parsed.get(), kind, -1);
  if (at < 0) return "";
  BIO* bio = BIO_new(BIO_s_mem());
  X509V3_EXT_print(bio, X509_get_ext(parsed.get(), at), 0, 0);
  return text_of(bio);
}
std::string serial_of(const std::string& certificate) {
  const TestCertificate parsed = certificate_of(certificate);
  const ASN1_INTEGER* number = X509_get0_serialNumber(parsed.get());
  return std::string(reinterpret_cast<const char*>(number->data), static_cast<size_t>(number->length));
}
bool same_key(const std::string& certificate, const std::string& key_pem) {
  return X509_check_private_key(certificate_of(certificate).get(), key_of(key_pem).get()) == 1;
}

}  // namespace

TEST_CASE("a server's certificate is good for its names and addresses and for no others") {
  Office office;
  auto issued = office.authority.issue_server({"10.0.0.7", "fd00::7", "trove.example", "Guests.Trove.Example"}, kHour);
  REQUIRE(issued);
  CHECK(same_key(issued->certificate, issued->key.reveal()));
  const TestCertificate server = certificate_of(issued->certificate);
  const auto host = [&](const char* name) { return X509_check_host(server.get(), name, 0, 0, nullptr); };
  const auto address = [&](const char* text) { return X509_check_ip_asc(server.get(), text, 0); };
  CHECK(host("trove.example") == 1);
  CHECK(host("guests.trove.example") == 1);
  CHECK(host("trove.example.org") == 0);
  CHECK(host("other.trove.example") == 0);
  CHECK(host("10.0.0.7") == 0);  // an address is no name
  CHECK(host("trove server") == 0);
  CHECK(address("10.0.0.7") == 1);
  CHECK(address("fd00:0:0::7") == 1);
  CHECK(address("10.0.0.8") == 0);
}

TEST_CASE("chains verify, each certificate for its own purpose only") {
  Office office;
  const std::string authority = office.authority.certificate();
  const std::string server = office.authority.issue_server({"trove.example"}, kHour)->certificate;
  const std::string client = *office.client(make_request()->pem);
  const Time now = office.clock.wall();
  CHECK(verdict(authority, server, X509_PURPOSE_SSL_SERVER, now) == X509_V_OK);
  CHECK(verdict(authority, server, X509_PURPOSE_SSL_CLIENT, now) == X509_V_ERR_INVALID_PURPOSE);
  CHECK(verdict(authority, client, X509_PURPOSE_SSL_CLIENT, now) == X509_V_OK);
  CHECK(verdict(authority, client, X509_PURPOSE_SSL_SERVER, now) == X509_V_ERR_INVALID_PURPOSE);
  // Nobody becomes an authority by a certificate of ours.
  CHECK(X509_check_ca(certificate_of(client).get()) == 0);
  CHECK(X509_check_ca(certificate_of(server).get()) == 0);
  Office other;
  CHECK(verdict(other.authority.certificate(), client, X509_PURPOSE_SSL_CLIENT, now) != X509_V_OK);
}

TEST_CASE("a certificate begins a little before now, for clocks that are behind, and ends when its life does") {
  Office office;
  const std::string authority = office.authority.certificate(), client = *office.client(make_request()->pem);
  auto validity = validity_of(client);
  REQUIRE(validity);
  const Time now = office.clock.wall();
  CHECK(validity->from <= now - Millis{60'000});
  CHECK(validity->until == now + kHour);
  const auto at = [&](Time time) { return verdict(authority, client, X509_PURPOSE_SSL_CLIENT, time); };
  CHECK(at(now - Millis{60'000}) == X509_V_OK);
  CHECK(at(now - kDay) != X509_V_OK);
  CHECK(at(now + kHour + Millis{2'000}) == X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_CASE("times that are no whole seconds are never made shorter") {
  Office office;
  office.clock.advance(Millis{1});
  auto validity = validity_of(*office.client(make_request()->pem, "guest", Millis{500}));
  REQUIRE(validity);
  CHECK(validity->until >= office.clock.wall() + Millis{500});
  CHECK(validity->until <= office.clock.wall() + Millis{1'500});
}

TEST_CASE("no certificate outlives its authority, and after its end nothing is signed") {
  Office office;
  const Time end = validity_of(office.authority.certificate())->until;
  CHECK(end > office.clock.wall() + 3'650 * kDay);
  CHECK(end < office.clock.wall() + 3'660 * kDay);
  const std::string request = make_request()->pem;
  office.clock.set_wall(end - kHour);
  CHECK(validity_of(*office.client(request, "guest", 100 * kDay))->until == end);
  CHECK(validity_of(*office.client(request, "guest", Millis::max()))->until == end);
  CHECK(validity_of(office.authority.issue_server({"a.example"}, 100 * kDay)->certificate)->until == end);
  CHECK(validity_of(*office.client(request, "guest", kHour / 2))->until == end - kHour / 2);
  office.clock.set_wall(end + GENERATE(Millis{0}, kDay));
  CHECK(office.client(request).error().code == Code::denied);
  CHECK(office.authority.issue_server({"a.example"}, kHour).error().code == Code::denied);
  CHECK_FALSE(office.client(request).error().hint.empty());
}

TEST_CASE("a life of nothing is refused") {
  Office office;
  const Millis life = GENERATE(Millis{0}, Millis{-1}, Millis::min());
  CHECK(office.client(make_request()->pem, "guest", life).error().code == Code::invalid);
  CHECK(office.authority.issue_server({"a.example"}, life).error().code == Code::invalid);
}

TEST_CASE("what is no name and no address gets no server's certificate") {
  Office office;
  const std::string bad =
      GENERATE(as<std::string>{}, "", " ", ".", "a..b", "a.", ".a", "-a", "a-", "a_b", "*.example", "10.0.0.256",
               "10.0.0", "1.2.3.4.5", "fd00::7%eth0", "[::1]", "a b", "a/b", "a:80", "http://a", "a\nb", "ä.example",
               std::string("a\0b", 3), std::string("10.0.0.7\0", 9), std::string(64, 'a') + ".example",
               // 255 characters of good labels
               std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
                   std::string(63, 'd'));
  CHECK(office.refused_server({bad}) == Code::invalid);
  CHECK(office.message.find('\n') == std::string::npos);
  CHECK(office.refused_server({"good.example", bad}) == Code::invalid);
}

TEST_CASE("names of a server are between one and thirty-two, of up to 253 characters") {
  Office office;
  CHECK(office.refused_server({}) == Code::invalid);
  CHECK(office.refused_server(std::vector<std::string>(33, "a.example")) == Code::invalid);
  CHECK(office.authority.issue_server(std::vector<std::string>(32, "a.example"), kHour));
  const std::string label(63, 'a'), longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  auto issued = office.authority.issue_server({longest}, kHour);
  REQUIRE(issued);
  CHECK(X509_check_host(certificate_of(issued->certificate).get(), longest.c_str(), 0, 0, nullptr) == 1);
  CHECK(office.refused_server({longest + "b"}) == Code::invalid);
}

TEST_CASE("a client's name is up to 64 visible characters, and is what the certificate says") {
  Office office;
  const std::string request = make_request()->pem;
  const std::string good = GENERATE(as<std::string>{}, "g", "trove-0f5c1f3e-6a5b-4c0e-9d7a-3b1f2c4d5e6f-server-0-12",
                                    std::string(64, 'n'), "CN=x,O=y/+\"<>;#", "a\\b");
  auto issued = office.client(request, good);
  REQUIRE(issued);
  CHECK(common_name_of(*issued) == good);
  CHECK(X509_NAME_entry_count(X509_get_subject_name(certificate_of(*issued).get())) == 1);
  const std::string bad = GENERATE(as<std::string>{}, "", " ", "a b", "a\n", "\x7f", "ä", std::string("a\0b", 3),
                                   std::string(65, 'n'));
  CHECK(office.client(request, bad).error().code == Code::invalid);
}

TEST_CASE("a client's certificate is for the key of its request") {
  Office office;
  auto request = make_request();
  REQUIRE(request);
  auto issued = office.client(request->pem);
  REQUIRE(issued);
  CHECK(same_key(*issued, request->key.reveal()));
  CHECK_FALSE(same_key(*issued, make_request()->key.reveal()));
  CHECK(serial_of(*issued) != serial_of(*office.client(request->pem)));
}

TEST_CASE("what is no request is refused") {
  Office office;
  const std::string good = make_request()->pem;
  const std::string bad = GENERATE_REF(
      as<std::string>{}, "", "garbage", std::string("\0\0\0", 3), good.substr(0, good.size() / 2),
      "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n",
      "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", office.authority.certificate(),
      make_request()->key.reveal(),
      // Encrypted: the passphrase must not be asked for on the terminal.
      "-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,"
      "00000000000000000000000000000000\n\nAAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE REQUEST-----\n");
  CHECK(office.client(bad).error().code == Code::invalid);
  CHECK(public_key_digest(bad).error().code == Code::invalid);
}

TEST_CASE("no flipped bit of a request goes through unnoticed") {
  Office office;
  const std::string good = make_request()->pem, digest = *public_key_digest(good);
  const size_t first = good.find('\n') + 1, last = good.rfind("\n-----END");
  for (size_t at = first; at < last; ++at) {
    if (good[at] == '\n') continue;
    std::string bad = good;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    // The last character may hold bits that mean nothing.
    auto issued = office.client(bad);
    if (issued) CHECK(*public_key_digest(bad) == digest);
    if (!issued) CHECK(issued.error().code == Code::invalid);
  }
}

TEST_CASE("keys of any other kind are refused") {
  Office office;
  const TestKey p256 = ec_key();
  const TestKey key = GENERATE(rsa_key(), ec_key("P-384"), ec_key("secp256k1"),
                               TestKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free));
  const std::string request = request_of(key);
  CHECK(office.client(request).error().code == Code::invalid);
  CHECK(public_key_digest(request).error().code == Code::invalid);
  CHECK(request_for(Secret(pem_of(key))).error().code == Code::invalid);
}

TEST_CASE("a P-256 key in another form is refused, so that each key has one digest") {
  Office office;
  const TestKey key = ec_key();
  EVP_PKEY_set_utf8_string_param(key.get(), "point-format", "compressed");
  CHECK(office.client(request_of(key)).error().code == Code::invalid);
}

TEST_CASE("a request that its key did not sign is refused") {
  Office office;
  CHECK(office.client(request_of(ec_key(), ec_key())).error().code == Code::invalid);
  CHECK(public_key_digest(request_of(ec_key(), ec_key())).error().code == Code::invalid);
  CHECK(office.client(request_of(ec_key(), rsa_key())).error().code == Code::invalid);
}

TEST_CASE("a request has at most 16 KiB") {
  Office office;
  const std::string request = make_request()->pem, full = request + std::string((16u << 10) - request.size(), '\n');
  CHECK(office.client(full));
  CHECK(public_key_digest(full));
  CHECK(office.client(full + '\n').error().code == Code::too_large);
  CHECK(public_key_digest(full + '\n').error().code == Code::too_large);
}

TEST_CASE("the digest is the key's: the same for all its requests, and for no other key's") {
  auto request = make_request();
  REQUIRE(request);
  const std::string digest = *public_key_digest(request->pem);
  CHECK(digest.size() == 64);
  auto again = request_for(request->key);
  REQUIRE(again);
  CHECK(*public_key_digest(*again) == digest);
  const std::string wishes = request_of(key_of(request->key.reveal()), nullptr, [](X509_REQ* r) {
    set_common_name(X509_REQ_get_subject_name(r), "somebody");
  });
  CHECK(*public_key_digest(wishes) == digest);
  CHECK(*public_key_digest(make_request()->pem) != digest);
}

TEST_CASE("what a request asks for besides is ignored") {
  Office office;
  const TestKey key = ec_key();
  const std::string request = request_of(key, nullptr, [](X509_REQ* r) {
    set_common_name(X509_REQ_get_subject_name(r), "another-guest");
    STACK_OF(X509_EXTENSION)* wanted = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(wanted, X509V3_EXT_nconf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE"));
    sk_X509_EXTENSION_push(wanted, X509V3_EXT_nconf_nid(nullptr, nullptr, NID_ext_key_usage, "serverAuth"));
    sk_X509_EXTENSION_push(wanted, X509V3_EXT_nconf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:trove.example"));
    X509_REQ_add_extensions(r, wanted);
    sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
  });
  auto issued = office.client(request, "this-guest");
  REQUIRE(issued);
  CHECK(common_name_of(*issued) == "this-guest");
  CHECK(extension(*issued, NID_basic_constraints) == "CA:FALSE");
  CHECK(extension(*issued, NID_ext_key_usage) == "TLS Web Client Authentication");
  CHECK(extension(*issued, NID_key_usage) == "Digital Signature");
  CHECK(extension(*issued, NID_subject_alt_name).empty());
}

TEST_CASE("keys are made for one holder and never twice") {
  CHECK(make_request()->key.reveal() != make_request()->key.reveal());
  Office office;
  auto one = office.authority.issue_server({"a.example"}, kHour);
  auto two = office.authority.issue_server({"a.example"}, kHour);
  CHECK(one->key.reveal() != two->key.reveal());
  CHECK(request_for(one->key));
  CHECK(request_for(Secret("garbage")).error().code == Code::invalid);
  CHECK(request_for(Secret(std::string(20'000, 'x'))).error().code == Code::invalid);
}

TEST_CASE("the validity of what is no certificate is not known") {
  CHECK(validity_of("").error().code == Code::invalid);
  CHECK(validity_of(make_request()->pem).error().code == Code::invalid);
  CHECK(validity_of(std::string((16u << 10) + 1, '\n')).error().code == Code::too_large);
  Office office;
  auto validity = validity_of(office.authority.certificate());
  REQUIRE(validity);
  CHECK(validity->from <= kUnchanged);
}
