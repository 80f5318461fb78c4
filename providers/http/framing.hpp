// Where a request begins and ends: the strict part of HTTP/1.1 that decides about smuggling. Private to providers/http.
// The library parses lines without bounds, so nothing reaches it that has not passed here. Pure but for Input, which
// reads from a Wire. Used by one thread.
#pragma once
#include <cstdint>
#include <optional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "providers/http/wire.hpp"
#include "specs/core/result.hpp"

namespace trove::http {

inline constexpr size_t kMaxHeaders = 100;
inline constexpr size_t kMaxTargetBytes = 8000;  // the library refuses 8,192 by reading on; stay below
inline constexpr size_t kMaxChunkLine = 256;     // size and extensions of one chunk
inline constexpr size_t kMaxTrailerBytes = 4096;
inline constexpr size_t kPieceBytes = 64u << 10;  // a streamed body comes in pieces of at most this

struct Head {
  std::string method, target;
  int minor = 1;                                             // HTTP/1.<minor>
  std::vector<std::pair<std::string, std::string>> headers;  // lower case names, values trimmed
  int64_t content_length = -1;                               // -1 = none said
  bool chunked = false;
  bool expects_continue = false;
  bool close = false;  // the client's wish; always with HTTP/1.0
  bool has_body() const { return chunked || content_length > 0; }
};
struct Refusal {
  int status = 400;
  std::string message;
};

// `block` ends with the empty line. Exactly one reading is possible of what it accepts.
tl::expected<Head, Refusal> parse_head(std::string_view block);
bool is_token(std::string_view text);
bool is_header_value(std::string_view text);  // no CR, LF, NUL or other control character but TAB

// Bytes received and not yet used.
class Input {
 public:
  explicit Input(Wire& wire) : wire_(wire) {}
  std::string_view buffered() const { return std::string_view(buffer_).substr(used_); }
  void consume(size_t n);
  Io fill(int64_t deadline);  // waits for at least one more byte
  Wire& wire() { return wire_; }

 private:
  Wire& wire_;
  std::string buffer_;
  size_t used_ = 0;
};

// The body that belongs to one head.
class BodyReader {
 public:
  BodyReader(Input& input, const Head& head, size_t most) : input_(input), head_(head), most_(most) {
    left_ = head.chunked ? 0 : (head.content_length > 0 ? head.content_length : 0);
    finished_ = !head.has_body();
  }
  void set_deadline(int64_t deadline) { deadline_ = deadline; }
  // For a body that is streamed: any size, each piece within `gap_ms`.
  void stream(int64_t gap_ms) {
    gap_ms_ = gap_ms;
    most_ = SIZE_MAX;
  }
  // Empty at the end. too_large, invalid (broken framing), unavailable (late, gone or stopping).
  Result<std::string> next();
  bool finished() const { return finished_; }
  bool started() const { return started_; }

 private:
  Result<void> fill();
  Result<std::string> line(size_t most);
  Result<void> next_chunk();

  Input& input_;
  const Head& head_;
  size_t most_, taken_ = 0;
  int64_t left_ = 0;  // of the body, or of the chunk
  bool finished_ = false, started_ = false, in_chunk_ = false;
  int64_t deadline_ = 0, gap_ms_ = 0;
};

// The decoded query of a request target. A value may hold '=' itself (?labelSelector=app=shop; the library would keep
// what follows the last one); a percent that is no code stays as it is.
std::multimap<std::string, std::string> query_of(std::string_view target);

}  // namespace trove::http
