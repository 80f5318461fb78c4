#include "providers/pki/pki.hpp"
#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <algorithm>
#include <initializer_list>
#include <utility>
#include "providers/pki/directory.hpp"
#include "specs/core/digest.hpp"

namespace trove::pki {
namespace {

constexpr char kKeyFile[] = "ca.key", kCertificateFile[] = "ca.pem";
constexpr Millis kDay{24 * 3'600'000};
constexpr Millis kAuthorityLife = 3652 * kDay;  // ten years
constexpr Millis kSkew{5 * 60'000};             // a guest's clock may be so far behind ours
constexpr size_t kCommonNameBytes = 64;         // X.509's ub-common-name
constexpr size_t kDnsNameBytes = 253, kDnsLabelBytes = 63;
constexpr size_t kServerNames = 32;
constexpr size_t kPemBytes = 16u << 10;
constexpr int kSerialBits = 128;
// How the SubjectPublicKeyInfo of every P-256 key begins when the curve is named and the point is not compressed;
// the 64 bytes of the point follow.
constexpr std::string_view kP256Begin(
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04", 27);
constexpr size_t kP256Bytes = 27 + 64;

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using SigningRequest = std::unique_ptr<X509_REQ, Release<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Release<BN_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;

// OpenSSL keeps what went wrong for each thread; what is left there would be taken for a later call's trouble.
struct ErrorsEnd {
  ~ErrorsEnd() { ERR_clear_error(); }
};

tl::unexpected<Error> openssl_failed(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return fail(Code::internal, "OpenSSL could not " + what + ": " + (reason ? reason : "no reason given"));
}

// OpenSSL would ask for the passphrase of an encrypted block on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

Bio reader(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

template <class Write>
std::string written(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  char* bytes = nullptr;
  TROVE_CHECK(bio && write(bio.get()) == 1);  // fails only for lack of memory
  const long length = BIO_get_mem_data(bio.get(), &bytes);
  return std::string(bytes, static_cast<size_t>(length));
}
std::string to_pem(const X509* certificate) {
  return written([&](BIO* to) { return PEM_write_bio_X509(to, certificate); });
}
Secret to_pem(const EVP_PKEY* key) {
  return Secret(
      written([&](BIO* to) { return PEM_write_bio_PKCS8PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr); }));
}

// "" for any key but one on P-256 in its usual form: then each key has one encoding and one digest.
std::string p256_info(const X509_PUBKEY* key) {
  unsigned char* bytes = nullptr;
  const int length = i2d_X509_PUBKEY(key, &bytes);
  if (length < 0) return "";
  std::string info(reinterpret_cast<char*>(bytes), static_cast<size_t>(length));
  OPENSSL_free(bytes);
  return info.size() == kP256Bytes && info.starts_with(kP256Begin) ? info : "";
}
std::string p256_info(const EVP_PKEY* key) {
  X509_PUBKEY* info = nullptr;
  if (X509_PUBKEY_set(&info, const_cast<EVP_PKEY*>(key)) != 1) return "";
  std::string out = p256_info(info);
  X509_PUBKEY_free(info);
  return out;
}

Result<Key> make_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failed("make a key");
  return key;
}

// Null: not a P-256 key, or its private half belongs to another public one.
Key parse_key(const Secret& pem) {
  if (pem.reveal().size() > kPemBytes) return nullptr;
  Key key(PEM_read_bio_PrivateKey(reader(pem.reveal()).get(), nullptr, no_passphrase, nullptr));
  if (!key || p256_info(key.get()).empty()) return nullptr;
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  return context && EVP_PKEY_pairwise_check(context.get()) == 1 ? std::move(key) : nullptr;
}

Certificate parse_certificate(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, no_passphrase, nullptr));
}

struct Checked {
  SigningRequest request;
  std::string info;  // SubjectPublicKeyInfo
  EVP_PKEY* key() const { return X509_REQ_get0_pubkey(request.get()); }
};

// A request whose signature was made by its key. The kind of key comes first: checking a signature of any other kind
// can be made as expensive as the sender likes.
Result<Checked> parse_request(const std::string& pem) {
  if (pem.size() > kPemBytes)
    return fail(Code::too_large, "a certificate request has at most " + std::to_string(kPemBytes) + " bytes");
  Checked out;
  out.request.reset(PEM_read_bio_X509_REQ(reader(pem).get(), nullptr, no_passphrase, nullptr));
  if (!out.request) return fail(Code::invalid, "this is not a certificate request in PEM");
  out.info = p256_info(X509_REQ_get_X509_PUBKEY(out.request.get()));
  if (out.info.empty() || !out.key()) return fail(Code::invalid, "the key of the certificate request is not on P-256");
  if (X509_REQ_verify(out.request.get(), out.key()) != 1)
    return fail(Code::invalid, "the certificate request was not signed by its own key");
  return out;
}

Result<Time> time_of(const ASN1_TIME* time) {
  tm parts{};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return fail(Code::invalid, "a certificate's time cannot be read");
  return Time{static_cast<int64_t>(timegm(&parts)) * 1000};
}
Result<Validity> span_of(const X509* certificate) {
  auto from = time_of(X509_get0_notBefore(certificate)), until = time_of(X509_get0_notAfter(certificate));
  if (!from) return tl::unexpected(from.error());
  if (!until) return tl::unexpected(until.error());
  return Validity{*from, *until};
}

// Whole seconds, so that nothing of the span is lost.
bool set_validity(X509* certificate, const Validity& validity) {
  const auto seconds = [](int64_t ms, bool up) {
    const int64_t down = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
    return static_cast<time_t>(down + (up && ms % 1000 != 0 ? 1 : 0));
  };
  return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(validity.from.ms, false)) &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(validity.until.ms, true));
}

bool set_serial(X509* certificate) {
  const Number number(BN_new());
  return number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

struct Extra {
  int kind;
  const char* value;  // in the words of openssl.cnf; never made from anybody's input
};

bool add(X509* certificate, X509* issuer, const Extra& extra) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  const Extension extension(X509V3_EXT_nconf_nid(nullptr, &context, extra.kind, extra.value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Signer {
  X509* certificate;  // null: the new certificate signs itself
  EVP_PKEY* key;
};

// Null when OpenSSL failed. `names` may be null.
Certificate make_certificate(const std::string& common_name, EVP_PKEY* key, const Validity& validity, Signer signer,
                             std::initializer_list<Extra> extras, GENERAL_NAMES* names) {
  Certificate made(X509_new());
  if (!made) return nullptr;
  X509* certificate = made.get();
  X509* issuer = signer.certificate ? signer.certificate : certificate;
  bool fine = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
              set_validity(certificate, validity) && X509_set_pubkey(certificate, key) == 1 &&
              X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate), NID_commonName, MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(common_name.data()),
                                         static_cast<int>(common_name.size()), -1, 0) == 1 &&
              X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1;
  for (const Extra& extra : extras) fine = fine && add(certificate, issuer, extra);
  if (names) fine = fine && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
  fine = fine && X509_sign(certificate, signer.key, EVP_sha256()) > 0;
  return fine ? std::move(made) : nullptr;
}

Certificate make_authority(EVP_PKEY* key, Time now) {
  // The name belongs to the key: one that is made again is the same authority to those who know the first, and two
  // authorities are never taken for each other.
  const std::string name = "trove authority " + sha256_hex(p256_info(key)).substr(0, 16);
  return make_certificate(name, key, {now - kSkew, now + kAuthorityLife}, {nullptr, key},
                          {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                           {NID_key_usage, "critical,keyCertSign"},
                           {NID_subject_key_identifier, "hash"}},
                          nullptr);
}

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > kDnsNameBytes) return false;
  bool digits = false;
  for (;;) {
    const std::string_view label = name.substr(0, name.find('.'));
    if (label.empty() || label.size() > kDnsLabelBytes || label.front() == '-' || label.back() == '-') return false;
    digits = true;
    for (const char c : label) {
      const bool digit = c >= '0' && c <= '9';
      if (!digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-') return false;
      digits = digits && digit;
    }
    if (label.size() == name.size()) break;
    name.remove_prefix(label.size() + 1);
  }
  return !digits;  // "10.0.0.256" is a mistyped address
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Takes the value, also when it fails.
bool add_name(GENERAL_NAMES* names, int kind, std::string_view bytes) {
  ASN1_STRING* value = ASN1_STRING_type_new(kind == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (!value || !name || ASN1_STRING_set(value, bytes.data(), static_cast<int>(bytes.size())) != 1) {
    ASN1_STRING_free(value);
    GENERAL_NAME_free(name);
    return false;
  }
  GENERAL_NAME_set0_value(name, kind, value);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

Result<Names> alternative_names(const std::vector<std::string>& names) {
  if (names.empty()) return fail(Code::invalid, "a server's certificate needs a name or an address");
  if (names.size() > kServerNames)
    return fail(Code::invalid, "a server's certificate has at most " + std::to_string(kServerNames) + " names");
  Names out(GENERAL_NAMES_new());
  bool fine = out != nullptr;
  for (const std::string& name : names) {
    char address[16];
    const bool whole = name.find('\0') == std::string::npos;
    if (whole && inet_pton(AF_INET, name.c_str(), address) == 1) {
      fine = fine && add_name(out.get(), GEN_IPADD, {address, 4});
    } else if (whole && inet_pton(AF_INET6, name.c_str(), address) == 1) {
      fine = fine && add_name(out.get(), GEN_IPADD, {address, 16});
    } else if (is_dns_name(name)) {
      fine = fine && add_name(out.get(), GEN_DNS, name);
    } else {
      return fail(Code::invalid,
                  "\"" + (is_visible(name) ? name.substr(0, kDnsNameBytes) : "…") + "\" is no address and no DNS name",
                  "a DNS name has labels of up to 63 letters, digits and hyphens, 253 characters in all");
    }
  }
  if (!fine) return openssl_failed("list the names");
  return out;
}

}  // namespace

struct Authority::Parts {
  const Clock& clock;
  Key key;
  Certificate certificate;
  std::string pem;
  Validity validity;

  Result<Validity> span(Millis life) const {
    if (life <= Millis{0}) return fail(Code::invalid, "a certificate has to be valid for a while");
    const Time now = clock.wall();
    if (now >= validity.until)
      return fail(Code::denied, "the certificate authority ended on " + format_time(validity.until),
                  "move ca.key and ca.pem away: the next start makes new ones, which every guest has to be given");
    return Validity{now - kSkew, std::min(now + std::min(life, kAuthorityLife), validity.until)};
  }
  Certificate sign(const std::string& name, EVP_PKEY* for_key, const Validity& valid, const char* usage,
                   GENERAL_NAMES* names) const {
    return make_certificate(name, for_key, valid, {certificate.get(), key.get()},
                            {{NID_basic_constraints, "critical,CA:FALSE"},
                             {NID_key_usage, "critical,digitalSignature"},
                             {NID_ext_key_usage, usage},
                             {NID_subject_key_identifier, "hash"},
                             {NID_authority_key_identifier, "keyid:always"}},
                            names);
  }
};

Authority::Authority(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Authority::Authority(Authority&&) noexcept = default;
Authority& Authority::operator=(Authority&&) noexcept = default;
Authority::~Authority() = default;

// The key is written first, so a certificate without a key means that the key was lost, and a key without a certificate
// that a start was cut off between the two.
Result<Authority> Authority::open(const std::string& directory, const Clock& clock) {
  const ErrorsEnd end;
  const std::string key_path = directory + '/' + kKeyFile, certificate_path = directory + '/' + kCertificateFile;
  auto files = Directory::hold(directory);
  if (!files) return tl::unexpected(files.error());
  auto pem = files->read(kCertificateFile);
  if (!pem) return tl::unexpected(pem.error());
  auto secret = files->read_private(kKeyFile);
  if (!secret) return tl::unexpected(secret.error());
  if (*pem && !*secret)
    return fail(Code::corrupt, certificate_path + " is there, but its key " + key_path + " is not",
                "restore the key; without it move ca.pem away as well, and give the new one to every guest");
  if (!*secret) {
    auto made = make_key();
    if (!made) return tl::unexpected(made.error());
    *secret = to_pem(made->get());
    if (auto added = files->add(kKeyFile, (*secret)->reveal(), 0600); !added) return tl::unexpected(added.error());
  }
  Key key = parse_key(**secret);
  if (!key) return fail(Code::corrupt, "the key file " + key_path + " does not hold a P-256 key");
  if (!*pem) {
    const Certificate made = make_authority(key.get(), clock.wall());
    if (!made) return openssl_failed("make the certificate of the authority");
    *pem = to_pem(made.get());
    if (auto added = files->add(kCertificateFile, **pem, 0644); !added) return tl::unexpected(added.error());
  }
  Certificate certificate = parse_certificate(**pem);
  if (!certificate || X509_check_ca(certificate.get()) != 1)
    return fail(Code::corrupt, certificate_path + " does not hold the certificate of an authority");
  if (X509_check_private_key(certificate.get(), key.get()) != 1 || X509_verify(certificate.get(), key.get()) != 1)
    return fail(Code::corrupt, certificate_path + " does not fit the key " + key_path, "restore both from one backup");
  auto validity = span_of(certificate.get());
  if (!validity) return tl::unexpected(validity.error());
  if (auto durable = files->sync(); !durable) return tl::unexpected(durable.error());  // others may have been cut off
  std::string text = to_pem(certificate.get());
  return Authority(
      std::unique_ptr<Parts>(new Parts{clock, std::move(key), std::move(certificate), std::move(text), *validity}));
}

const std::string& Authority::certificate() const { return parts_->pem; }

Result<Issued> Authority::issue_server(const std::vector<std::string>& names, Millis life) const {
  const ErrorsEnd end;
  auto alternatives = alternative_names(names);
  if (!alternatives) return tl::unexpected(alternatives.error());
  auto validity = parts_->span(life);
  if (!validity) return tl::unexpected(validity.error());
  auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  // Clients look at the alternative names only; a subject with room for 64 bytes could not hold them anyway.
  const Certificate certificate =
      parts_->sign("trove server", key->get(), *validity, "serverAuth", alternatives->get());
  if (!certificate) return openssl_failed("sign a server's certificate");
  return Issued{to_pem(key->get()), to_pem(certificate.get())};
}

Result<std::string> Authority::issue_client(const std::string& request_pem, const std::string& name,
                                            Millis life) const {
  const ErrorsEnd end;
  if (name.empty() || !is_visible(name))
    return fail(Code::invalid, "the name in a client's certificate is made of visible ASCII characters");
  if (name.size() > kCommonNameBytes)
    return fail(Code::invalid, "the name in a client's certificate has at most " + std::to_string(kCommonNameBytes) +
                                   " characters, not " + std::to_string(name.size()));
  auto request = parse_request(request_pem);
  if (!request) return tl::unexpected(request.error());
  auto validity = parts_->span(life);
  if (!validity) return tl::unexpected(validity.error());
  const Certificate certificate = parts_->sign(name, request->key(), *validity, "clientAuth", nullptr);
  if (!certificate) return openssl_failed("sign a client's certificate");
  return to_pem(certificate.get());
}

Result<Request> make_request() {
  const ErrorsEnd end;
  auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  Secret secret = to_pem(key->get());
  auto pem = request_for(secret);
  if (!pem) return tl::unexpected(pem.error());
  return Request{std::move(secret), std::move(*pem)};
}

Result<std::string> request_for(const Secret& key_pem) {
  const ErrorsEnd end;
  const Key key = parse_key(key_pem);
  if (!key) return fail(Code::invalid, "this is not a P-256 key in PEM");
  const SigningRequest request(X509_REQ_new());
  const bool fine = request && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
                    X509_REQ_set_pubkey(request.get(), key.get()) == 1 &&
                    X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0;
  if (!fine) return openssl_failed("sign a certificate request");
  return written([&](BIO* to) { return PEM_write_bio_X509_REQ(to, request.get()); });
}

Result<std::string> public_key_digest(const std::string& request_pem) {
  const ErrorsEnd end;
  auto request = parse_request(request_pem);
  if (!request) return tl::unexpected(request.error());
  return sha256_hex(request->info);
}

Result<Validity> validity_of(const std::string& certificate_pem) {
  const ErrorsEnd end;
  if (certificate_pem.size() > kPemBytes)
    return fail(Code::too_large, "a certificate has at most " + std::to_string(kPemBytes) + " bytes");
  const Certificate certificate = parse_certificate(certificate_pem);
  if (!certificate) return fail(Code::invalid, "this is not a certificate in PEM");
  return span_of(certificate.get());
}

}  // namespace trove::pki
