#include "reconciler/store/seal.hpp"
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <memory>
#include "reconciler/store/file_lock.hpp"
#include "specs/core/digest.hpp"

namespace trove {

namespace {

constexpr size_t kKeyBytes = 32, kNonceBytes = 12, kTagBytes = 16;
constexpr std::string_view kPrefix = "sealed:v1:";

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
Cipher new_cipher() { return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free}; }
// Looked up once: OpenSSL 3 would do so for every value. Never freed, as a thread may need it when the program ends.
const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const kind = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return kind;
}
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string random_bytes(Rng& rng, size_t length) {
  std::string out;
  while (out.size() < length) {
    const uint64_t number = rng.next();
    for (int i = 0; i < 8 && out.size() < length; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
  }
  return out;
}

tl::unexpected<Error> failed(const std::string& what, const std::string& path) {
  const Code code = errno == ENOSPC || errno == EDQUOT ? Code::no_space : Code::unavailable;
  return fail(code, "cannot " + what + " the key file " + path + ": " + std::strerror(errno));
}

// An even number of digits.
bool from_hex(std::string_view text, std::string& out) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  out.clear();
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// Written beside and linked into place, so that no crash leaves half a key and no race replaces a whole one.
Result<void> make_key(const std::string& path, Rng& rng) {
  const std::string partial = path + ".partial";
  ::unlink(partial.c_str());
  std::string line = to_hex(random_bytes(rng, kKeyBytes)) + "\n";
  {
    const Descriptor file{::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (file.fd < 0) return failed("make", path);
    const bool written = ::write(file.fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    OPENSSL_cleanse(line.data(), line.size());
    if (!written || ::fsync(file.fd) != 0) {
      auto error = failed("write", path);
      ::unlink(partial.c_str());
      return error;
    }
  }
  const bool linked = ::link(partial.c_str(), path.c_str()) == 0 || errno == EEXIST;
  auto error = failed("make", path);
  ::unlink(partial.c_str());
  if (!linked) return error;
  return sync_directory_of(path);
}

Result<Secret> read_key(int fd, const std::string& path) {
  struct stat st {};
  if (::fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    return fail(Code::denied, "the key file " + path + " is not a regular file");
  if ((st.st_mode & 077) != 0)
    return fail(Code::denied, "the key file " + path + " can be read by others than its owner", "chmod 600 " + path);
  std::string text(2 * kKeyBytes + 2, '\0');  // one more than allowed
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  if (n < 0) return failed("read", path);
  std::string_view digits(text.data(), static_cast<size_t>(n));
  if (!digits.empty() && digits.back() == '\n') digits.remove_suffix(1);
  std::string key;
  const bool good = digits.size() == 2 * kKeyBytes && from_hex(digits, key);
  OPENSSL_cleanse(text.data(), text.size());
  if (!good)
    return fail(Code::corrupt, "the key file " + path + " does not hold 64 hexadecimal digits",
                "restore it: without this key the stored secrets cannot be read");
  return Secret(std::move(key));
}

}  // namespace

Result<Sealer> Sealer::open(const std::string& key_file, bool create, Rng& rng) {
  Descriptor file{::open(key_file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0 && errno == ENOENT && create) {
    if (auto ok = make_key(key_file, rng); !ok) return tl::unexpected(ok.error());
    file.fd = ::open(key_file.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (file.fd < 0 && errno == ENOENT) return fail(Code::not_found, "there is no key file " + key_file);
  if (file.fd < 0) return failed("open", key_file);
  auto key = read_key(file.fd, key_file);
  if (!key) return tl::unexpected(key.error());
  Sealer sealer;
  sealer.key_ = std::move(*key);
  return sealer;
}

// nonce, ciphertext, tag.
std::string Sealer::seal(const Secret& plain, std::string_view place, Rng& rng) const {
  const std::string& text = plain.reveal();
  const std::string nonce = random_bytes(rng, kNonceBytes);
  std::string sealed = nonce + std::string(text.size() + kTagBytes, '\0');
  auto cipher = new_cipher();
  TROVE_CHECK(cipher != nullptr);
  int n = 0;
  const bool ok = EVP_EncryptInit_ex(cipher.get(), aes_256_gcm(), nullptr, bytes(std::string_view(key_.reveal())),
                                     bytes(std::string_view(nonce))) == 1 &&
                  EVP_EncryptUpdate(cipher.get(), nullptr, &n, bytes(place), static_cast<int>(place.size())) == 1 &&
                  EVP_EncryptUpdate(cipher.get(), bytes(sealed) + kNonceBytes, &n, bytes(std::string_view(text)),
                                    static_cast<int>(text.size())) == 1 &&
                  EVP_EncryptFinal_ex(cipher.get(), bytes(sealed) + kNonceBytes + text.size(), &n) == 1 &&
                  EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                                      bytes(sealed) + kNonceBytes + text.size()) == 1;
  TROVE_CHECK(ok);  // OpenSSL cannot fail here but for lack of memory
  return std::string(kPrefix) + base64(sealed);
}

Result<Secret> Sealer::unseal(std::string_view sealed, std::string_view place) const {
  const auto refuse = [&] {
    return fail(Code::corrupt, "the sealed value of " + std::string(place) + " does not open",
                "it was damaged or moved, or the key file is not the one it was sealed with");
  };
  std::string raw;
  if (sealed.substr(0, kPrefix.size()) != kPrefix || !from_base64(sealed.substr(kPrefix.size()), raw) ||
      raw.size() < kNonceBytes + kTagBytes)
    return refuse();
  const size_t length = raw.size() - kNonceBytes - kTagBytes;
  std::string text(length + 1, '\0');  // never empty: EVP takes a null output for additional data
  auto cipher = new_cipher();
  TROVE_CHECK(cipher != nullptr);
  int n = 0;
  const bool ok =
      EVP_DecryptInit_ex(cipher.get(), aes_256_gcm(), nullptr, bytes(std::string_view(key_.reveal())),
                         bytes(raw)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &n, bytes(place), static_cast<int>(place.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), bytes(text), &n, bytes(raw) + kNonceBytes, static_cast<int>(length)) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, bytes(raw) + kNonceBytes + length) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), bytes(text) + length, &n) == 1;
  if (!ok) {
    OPENSSL_cleanse(text.data(), text.size());
    return refuse();
  }
  text.resize(length);
  return Secret(std::move(text));
}

Secret Sealer::derive(std::string_view purpose) const { return Secret(hmac_sha256_hex(key_.reveal(), purpose)); }

}  // namespace trove
