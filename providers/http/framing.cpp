#include "providers/http/framing.hpp"
#include <algorithm>
#include <cstring>

namespace trove::http {
namespace {

bool is_token_char(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != 0 && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool list_has(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    if (lower(trim(list.substr(0, comma))) == word) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

tl::unexpected<Refusal> refuse(int status, std::string message) {
  return tl::unexpected<Refusal>(Refusal{status, std::move(message)});
}

std::optional<Refusal> parse_request_line(std::string_view line, Head& head) {
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refusal{400, "the request line has not three parts"};
  std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return Refusal{400, "the method is not a word"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Refusal{version.starts_with("HTTP/") ? 505 : 400, "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  }
  static constexpr std::string_view known[] = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                               "PATCH", "OPTIONS", "TRACE", "CONNECT"};
  if (std::find(std::begin(known), std::end(known), method) == std::end(known)) return Refusal{501, "unknown method"};
  if (target.size() > kMaxTargetBytes) return Refusal{414, "the request target is too long"};
  if (target.empty() || target[0] != '/') return Refusal{400, "the request target must be an absolute path"};
  for (unsigned char c : target) {
    if (c <= ' ' || c >= 0x7f || c == '#')
      return Refusal{400, "the request target holds a character that must be encoded"};
  }
  if (lower(target).find("%00") != std::string::npos) return Refusal{400, "the request target holds a NUL"};
  head.method = method;
  head.target = target;
  head.minor = version.back() - '0';
  head.close = head.minor == 0;
  return std::nullopt;
}

std::optional<Refusal> take_header(const std::string& name, std::string_view value, Head& head, bool& has_host) {
  if (name == "host") {
    if (has_host) return Refusal{400, "more than one Host"};
    has_host = true;
  } else if (name == "content-length") {
    if (head.content_length >= 0) return Refusal{400, "more than one Content-Length"};
    if (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string_view::npos) {
      return Refusal{400, "Content-Length is not a number"};
    }
    head.content_length = std::stoll(std::string(value));
  } else if (name == "transfer-encoding") {
    if (head.chunked) return Refusal{400, "more than one Transfer-Encoding"};
    if (head.minor == 0) return Refusal{400, "Transfer-Encoding needs HTTP/1.1"};
    if (lower(value) != "chunked") return Refusal{501, "the only transfer coding is chunked"};
    head.chunked = true;
  } else if (name == "content-encoding") {
    if (lower(value) != "identity") return Refusal{415, "compressed bodies are not accepted: send it as it is"};
  } else if (name == "content-type") {
    if (lower(value).starts_with("multipart/")) return Refusal{415, "multipart bodies are not accepted"};
  } else if (name == "expect") {
    if (lower(value) != "100-continue") return Refusal{417, "the only expectation is 100-continue"};
    head.expects_continue = head.minor == 1;
  } else if (name == "connection") {
    if (list_has(value, "close")) head.close = true;
  }
  return std::nullopt;
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return is_token_char(c); });
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c == '\t' || (c >= ' ' && c != 0x7f); });
}

tl::expected<Head, Refusal> parse_head(std::string_view block) {
  Head head;
  bool has_host = false, first = true;
  while (!block.empty()) {
    size_t end = block.find("\r\n");
    if (end == std::string_view::npos) return refuse(400, "a line does not end with CRLF");
    std::string_view line = block.substr(0, end);
    block.remove_prefix(end + 2);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      return refuse(400, "a bare CR, LF or NUL in the head");
    }
    if (first) {
      first = false;
      if (auto no = parse_request_line(line, head)) return tl::unexpected<Refusal>(*no);
      continue;
    }
    if (line.empty()) {
      if (!block.empty()) return refuse(400, "text after the head");
      if (head.chunked && head.content_length >= 0) return refuse(400, "both Content-Length and Transfer-Encoding");
      if (head.minor == 1 && !has_host) return refuse(400, "no Host");
      return head;
    }
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return refuse(400, "a header line has no proper name");
    }
    std::string_view value = trim(line.substr(colon + 1));
    if (!is_header_value(value)) return refuse(400, "a control character in a header");
    if (head.headers.size() >= kMaxHeaders) return refuse(431, "more than 100 headers");
    std::string name = lower(line.substr(0, colon));
    if (auto no = take_header(name, value, head, has_host)) return tl::unexpected<Refusal>(*no);
    head.headers.emplace_back(std::move(name), value);
  }
  return refuse(400, "the head does not end");
}

void Input::consume(size_t n) {
  used_ += n;
  if (used_ < buffer_.size()) return;
  used_ = 0;
  if (buffer_.capacity() > (16u << 10)) std::string().swap(buffer_);  // an idle connection keeps no large buffer
  buffer_.clear();
}

Io Input::fill(int64_t deadline) {
  if (used_ > 0) {
    buffer_.erase(0, used_);
    used_ = 0;
  }
  char bytes[16u << 10];
  size_t got = 0;
  Io io = wire_.read(bytes, sizeof bytes, got, deadline);
  buffer_.append(bytes, got);
  return io;
}

Result<void> BodyReader::fill() {
  switch (input_.fill(gap_ms_ ? monotonic_ms() + gap_ms_ : deadline_)) {
    case Io::ok: return {};
    case Io::timeout: return fail(Code::unavailable, "the body came too slowly");
    case Io::stopped: return fail(Code::unavailable, "the server is stopping");
    default: return fail(Code::unavailable, "the sender went away in the middle of the body");
  }
}

Result<std::string> BodyReader::line(size_t most) {
  for (;;) {
    std::string_view seen = input_.buffered();
    size_t end = seen.find('\n');
    if (end != std::string_view::npos && end <= most) {
      if (end == 0 || seen[end - 1] != '\r') return fail(Code::invalid, "a chunk line does not end with CRLF");
      std::string out(seen.substr(0, end - 1));
      input_.consume(end + 1);
      if (out.find('\r') != std::string::npos) return fail(Code::invalid, "a bare CR in a chunk line");
      return out;
    }
    if (seen.size() > most) return fail(Code::invalid, "a chunk line is too long");
    if (auto more = fill(); !more) return tl::unexpected<Error>(more.error());
  }
}

Result<void> BodyReader::next_chunk() {
  if (in_chunk_) {
    auto end = line(2);
    if (!end) return tl::unexpected<Error>(end.error());
    if (!end->empty()) return fail(Code::invalid, "a chunk is longer than it said");
    in_chunk_ = false;
  }
  auto size = line(kMaxChunkLine);
  if (!size) return tl::unexpected<Error>(size.error());
  std::string_view digits = std::string_view(*size).substr(0, size->find(';'));
  digits = trim(digits);
  if (digits.empty() || digits.size() > 15 || size->front() == ' ' || size->front() == '\t') {
    return fail(Code::invalid, "a chunk size is not a number");
  }
  int64_t n = 0;
  for (char c : digits) {
    int digit = c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
    if (digit < 0) return fail(Code::invalid, "a chunk size is not a number");
    n = n * 16 + digit;
  }
  if (n > 0) {
    left_ = n;
    in_chunk_ = true;
    return {};
  }
  size_t trailers = 0;
  for (;;) {  // trailers are read and forgotten
    auto trailer = line(kMaxTrailerBytes);
    if (!trailer) return tl::unexpected<Error>(trailer.error());
    if (trailer->empty()) break;
    trailers += trailer->size();
    if (trailers > kMaxTrailerBytes) return fail(Code::invalid, "too many trailers");
  }
  finished_ = true;
  return {};
}

Result<std::string> BodyReader::next() {
  started_ = true;
  if (finished_) return std::string();
  if (!head_.chunked && static_cast<uint64_t>(head_.content_length) > most_) {
    return fail(Code::too_large, "the body is larger than " + std::to_string(most_) + " bytes");
  }
  if (head_.chunked && left_ == 0) {
    if (auto chunk = next_chunk(); !chunk) return tl::unexpected<Error>(chunk.error());
    if (finished_) return std::string();
    if (static_cast<uint64_t>(left_) > most_ - taken_) {
      return fail(Code::too_large, "the body is larger than " + std::to_string(most_) + " bytes");
    }
  }
  if (input_.buffered().empty()) {
    if (auto more = fill(); !more) return tl::unexpected<Error>(more.error());
  }
  std::string_view seen = input_.buffered();
  size_t n = std::min({seen.size(), static_cast<size_t>(left_), kPieceBytes});
  std::string piece(seen.substr(0, n));
  input_.consume(n);
  left_ -= static_cast<int64_t>(n);
  taken_ += n;
  if (!head_.chunked && left_ == 0) finished_ = true;
  return piece;
}

std::multimap<std::string, std::string> query_of(std::string_view target) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  const auto decode = [&](std::string_view text) {
    std::string plain;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
        plain += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
      } else {
        plain += text[i] == '+' ? ' ' : text[i];
      }
    }
    return plain;
  };
  std::multimap<std::string, std::string> query;
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return query;
  target.remove_prefix(question + 1);
  while (!target.empty()) {
    const size_t end = std::min(target.find('&'), target.size());
    const std::string_view part = target.substr(0, end);
    target.remove_prefix(std::min(end + 1, target.size()));
    if (part.empty()) continue;
    const size_t equals = std::min(part.find('='), part.size());
    query.emplace(decode(part.substr(0, equals)), decode(part.substr(std::min(equals + 1, part.size()))));
  }
  return query;
}

}  // namespace trove::http
