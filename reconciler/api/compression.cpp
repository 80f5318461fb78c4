#include "reconciler/api/compression.hpp"
#include <zlib.h>
#include <charconv>

namespace trove {
namespace {

constexpr int kLevel = 1;             // a page of JSON shrinks to a tenth already; more costs more than it gives
constexpr int kGzipWindow = 15 + 16;  // zlib's way to say gzip

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// "gzip;q=0" is a no.
bool is_refused(std::string_view parameters) {
  const size_t at = parameters.find("q=");
  if (at == std::string_view::npos) return false;
  const std::string_view weight = parameters.substr(at + 2);
  double value = 1;
  std::from_chars(weight.data(), weight.data() + weight.size(), value);
  return value <= 0;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  for (std::string_view rest = accept_encoding; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view one = rest.substr(0, comma);
    const size_t semicolon = std::min(one.find(';'), one.size());
    const std::string_view name = trimmed(one.substr(0, semicolon));
    const bool refused = is_refused(one.substr(semicolon));
    if (name == "gzip" || name == "x-gzip") return !refused;
    if (name == "*") any = !refused;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return any;
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(done ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

void compress(const http::Request& request, http::Response& response) {
  const bool json = response.content_type == "application/json";
  if (!json || response.stream || response.body.size() < kCompressFrom) return;
  if (!request.path.starts_with("/apis/") && request.path != "/openapi.json" && request.path != "/leaks") return;
  if (request.path.ends_with("/reveal")) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (!accepts_gzip(request.header("accept-encoding"))) return;
  std::string small = gzip(response.body);
  if (small.empty()) return;
  response.body = std::move(small);
  response.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace trove
