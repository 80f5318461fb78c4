// Answers made smaller for who asks for it (Accept-Encoding: gzip). Pure functions; thread-safe.
#pragma once
#include <string>
#include <string_view>
#include "providers/http/server.hpp"

namespace trove {

inline constexpr size_t kCompressFrom = 4u << 10;  // below, the bytes saved are not worth the time

bool accepts_gzip(std::string_view accept_encoding);
std::string gzip(std::string_view text);  // "" when zlib refuses
// Compresses a whole JSON answer of some size when the request allows it, and says that it depends on that. Not for
// what reveals secrets: the size of a compressed answer tells about its contents.
void compress(const http::Request& request, http::Response& response);

}  // namespace trove
