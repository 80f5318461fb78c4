#include "specs/core/digest.hpp"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <memory>
#include "specs/core/result.hpp"

namespace trove {
namespace {

const unsigned char* raw(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// OpenSSL 3 looks an algorithm up at each use of it unless it is kept, which costs more than a short text's digest.
// These are never freed: a thread may still need one when the program ends.
const EVP_MD* sha256() {
  static const EVP_MD* const kind = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  TROVE_CHECK(kind != nullptr);
  return kind;
}

// Knows its digest, and no key yet.
const EVP_MAC_CTX* hmac_sha256() {
  static const EVP_MAC_CTX* const blank = [] {
    EVP_MAC* kind = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    EVP_MAC_CTX* context = EVP_MAC_CTX_new(kind);
    EVP_MAC_free(kind);  // the context holds it
    char name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    TROVE_CHECK(context != nullptr && EVP_MAC_CTX_set_params(context, parameters) == 1);
    return context;
  }();
  return blank;
}

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  std::string out(static_cast<size_t>(EVP_MD_get_size(kind)), '\0');
  unsigned int length = 0;
  // Fails only when memory is gone or the library is broken; an empty digest must never pass for a real one.
  TROVE_CHECK(EVP_Digest(bytes.data(), bytes.size(), raw(out), &length, kind, nullptr) == 1);
  return out;
}

}  // namespace

std::string sha256_raw(std::string_view bytes) { return digest(sha256(), bytes); }
std::string sha256_hex(std::string_view bytes) { return to_hex(sha256_raw(bytes)); }
std::string sha1_raw(std::string_view bytes) { return digest(EVP_sha1(), bytes); }

std::string hmac_sha256_raw(std::string_view key, std::string_view bytes) {
  std::string out(32, '\0');
  size_t length = 0;
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_dup(hmac_sha256()),
                                                                          &EVP_MAC_CTX_free);
  // OpenSSL reads a null key as "the key of the last call"; an empty view may hold one.
  const char* key_bytes = key.empty() ? "" : key.data();
  TROVE_CHECK(context && EVP_MAC_init(context.get(), raw(std::string_view(key_bytes, key.size())), key.size(),
                                      nullptr) == 1 &&
              EVP_MAC_update(context.get(), raw(bytes), bytes.size()) == 1 &&
              EVP_MAC_final(context.get(), raw(out), &length, out.size()) == 1);
  return out;
}
std::string hmac_sha256_hex(std::string_view key, std::string_view bytes) {
  return to_hex(hmac_sha256_raw(key, bytes));
}

std::string pbkdf2_sha256_raw(std::string_view password, std::string_view salt, int iterations, size_t bytes) {
  std::string out(bytes, '\0');
  TROVE_CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), raw(salt),
                                static_cast<int>(salt.size()), iterations, sha256(), static_cast<int>(bytes),
                                raw(out)) == 1);
  return out;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char c : bytes) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');   // EVP_EncodeBlock writes a NUL after the text
  const int length = EVP_EncodeBlock(raw(out), raw(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

bool from_base64(std::string_view text, std::string& bytes) {
  // EVP_DecodeBlock skips white space and accepts "=" anywhere near the end; one text per value is wanted.
  if (text.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  for (const char c : text.substr(0, text.size() - padding)) {
    const bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    if (!ok) return false;
  }
  std::string out(text.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(raw(out), raw(text), static_cast<int>(text.size())) < 0) return false;
  out.resize(out.size() - padding);
  if (base64(out) != text) return false;   // leftover bits that are not zero
  bytes = std::move(out);
  return true;
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace trove
