// Certificates and requests as a stranger would make or read them, with OpenSSL alone. Owned by one test.
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <functional>
#include <memory>
#include <string>
#include "specs/core/time.hpp"

namespace trove::pki {

using TestKey = std::shared_ptr<EVP_PKEY>;  // shared: OpenSSL counts its own references as well
using TestCertificate = std::shared_ptr<X509>;

inline TestKey ec_key(const char* curve = "P-256") { return {EVP_EC_gen(curve), EVP_PKEY_free}; }
inline TestKey rsa_key(unsigned bits = 2048) { return {EVP_RSA_gen(bits), EVP_PKEY_free}; }

inline std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(bio, &bytes);
  std::string out(bytes, static_cast<size_t>(length));
  BIO_free(bio);
  return out;
}
inline std::string pem_of(const TestKey& key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return text_of(bio);
}
inline TestKey key_of(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  TestKey out(PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr), EVP_PKEY_free);
  BIO_free(bio);
  return out;
}
inline TestCertificate certificate_of(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  TestCertificate out(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), X509_free);
  BIO_free(bio);
  return out;
}
inline void set_common_name(X509_NAME* subject, const std::string& name) {
  X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()), -1, 0);
}

// `change` runs before it is signed by `signer` (null: by the key itself).
inline std::string request_of(const TestKey& key, const TestKey& signer = nullptr,
                              const std::function<void(X509_REQ*)>& change = nullptr) {
  X509_REQ* request = X509_REQ_new();
  X509_REQ_set_pubkey(request, key.get());
  if (change) change(request);
  X509_REQ_sign(request, signer ? signer.get() : key.get(), EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_REQ(bio, request);
  X509_REQ_free(request);
  return text_of(bio);
}

// A certificate with any content, signed by an authority's key.
struct Made {
  std::string names = "guest";     // common name
  const char* usage = "clientAuth";  // nullptr: says nothing
  Time from, until;
  std::function<void(X509*)> change = nullptr;
};
inline std::string signed_by(const std::string& authority_pem, const TestKey& authority_key, const TestKey& key,
                             const Made& what) {
  const TestCertificate authority = certificate_of(authority_pem), made(X509_new(), X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 77);
  ASN1_TIME_set(X509_getm_notBefore(made.get()), what.from.ms / 1000);
  ASN1_TIME_set(X509_getm_notAfter(made.get()), what.until.ms / 1000);
  X509_set_pubkey(made.get(), key.get());
  X509_set_issuer_name(made.get(), X509_get_subject_name(authority.get()));
  if (!what.names.empty()) set_common_name(X509_get_subject_name(made.get()), what.names);
  if (what.usage) {
    X509_EXTENSION* usage = X509V3_EXT_nconf_nid(nullptr, nullptr, NID_ext_key_usage, what.usage);
    X509_add_ext(made.get(), usage, -1);
    X509_EXTENSION_free(usage);
  }
  if (what.change) what.change(made.get());
  X509_sign(made.get(), authority_key.get(), EVP_sha256());
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, made.get());
  return text_of(bio);
}

// X509_V_OK, or why a peer that trusts `authority` would not have `certificate` for that purpose at that time.
inline int verdict(const std::string& authority, const std::string& certificate, int purpose, Time at) {
  const TestCertificate trusted = certificate_of(authority), leaf = certificate_of(certificate);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, trusted.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.get(), nullptr);
  X509_STORE_CTX_set_purpose(context, purpose);
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), at.ms / 1000);
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
  X509_verify_cert(context);
  const int out = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return out;
}
inline std::string common_name_of(const std::string& certificate) {
  const TestCertificate parsed = certificate_of(certificate);
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(parsed.get()), NID_commonName, name, sizeof name);
  return name;
}

}  // namespace trove::pki
