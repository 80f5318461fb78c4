// Hashes and encodings (OpenSSL behind the .cpp). Pure functions; thread-safe.
#pragma once
#include <string>
#include <string_view>

namespace trove {

std::string sha256_hex(std::string_view bytes);
std::string sha256_raw(std::string_view bytes);
std::string sha1_raw(std::string_view bytes);
std::string hmac_sha256_raw(std::string_view key, std::string_view bytes);
std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);
std::string pbkdf2_sha256_raw(std::string_view password, std::string_view salt, int iterations, size_t bytes);
std::string to_hex(std::string_view bytes);
std::string base64(std::string_view bytes);
bool from_base64(std::string_view text, std::string& bytes);
bool same_bytes(std::string_view a, std::string_view b);   // constant time for equal lengths

}  // namespace trove
