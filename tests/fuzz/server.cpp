// Raw bytes to the HTTP server, over one loopback connection per input. What the handlers were given is what an
// independent and simple reading of the same bytes finds, and the answers are well formed and in order.
#include <algorithm>
#include <mutex>
#include <optional>
#include "tests/fuzz/fuzz.hpp"
#include "tests/http/raw.hpp"

using namespace trove;
using namespace trove::fuzz;

namespace {

constexpr size_t kBodyBytes = 4'000;

struct Seen {
  std::string method, path, body;
};
std::mutex seen_mutex;
std::vector<Seen> seen;

http::Response handle(const http::Request& request, const http::Read& read) {
  Seen one{request.method, request.path, request.body};
  while (read) {
    auto piece = read();
    if (!piece || piece->empty()) break;
    one.body += *piece;
  }
  {
    std::lock_guard lock(seen_mutex);
    seen.push_back(one);
  }
  if (one.path.starts_with("/throw")) throw std::runtime_error("this text must not be seen");
  http::Response out;
  out.content_type = "text/plain";
  out.headers.emplace_back("X-Bad", "a\r\nX-Injected: 1");
  if (one.path.starts_with("/stream")) {
    // An empty piece would ask whether the peer is still there; this one has said all it will and looks gone.
    out.stream = [body = one.body](const http::Write& write) { write("first ") && write("second " + body); };
  } else {
    out.body = one.method + ' ' + one.body;
  }
  return out;
}

http::Server& server() {
  static const std::unique_ptr<http::Server> the = [] {
    http::ServerOptions options;
    options.limits.body_bytes = kBodyBytes;
    options.limits.request_time = Millis{3'000};
    options.limits.idle_time = Millis{3'000};
    auto started = http::Server::start(options, http::routes, handle);
    expect(started.has_value(), "the server starts");
    return std::move(*started);
  }();
  return *the;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}
std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A body in chunks; nullopt when it is not one.
std::optional<std::string> dechunk(std::string_view& bytes) {
  std::string body;
  for (;;) {
    std::string_view line = take(bytes, "\r\n");
    const std::string size(trimmed(take(line, ";")));
    if (size.empty() || size.find_first_not_of("0123456789abcdefABCDEF") != size.npos || size.size() > 15)
      return std::nullopt;
    const size_t length = std::stoull(size, nullptr, 16);
    if (length == 0) {
      while (!bytes.empty()) {
        if (take(bytes, "\r\n").empty()) return body;
      }
      return std::nullopt;
    }
    if (length > bytes.size()) return std::nullopt;
    body += bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (!bytes.starts_with("\r\n")) return std::nullopt;
    bytes.remove_prefix(2);
  }
}

// The next request of the bytes as RFC 9112 has it; the caller knows that the server took it.
struct Plain {
  std::string method, target, body;
  bool close = false;
};
Plain next_request(std::string_view& bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  expect(bytes.find("\r\n\r\n") != bytes.npos, "a request that was handled has a whole head");
  std::string_view head = take(bytes, "\r\n\r\n");
  std::string_view line = take(head, "\r\n");
  Plain out;
  out.method = take(line, " ");
  out.target = take(line, " ");
  expect(line == "HTTP/1.1" || line == "HTTP/1.0", "a request that was handled names its version");
  out.close = line == "HTTP/1.0";
  size_t hosts = 0, lengths = 0, codings = 0, length = 0;
  while (!head.empty()) {
    std::string_view value = take(head, "\r\n");
    const std::string name = lower(take(value, ":"));
    value = trimmed(value);
    expect(name.find_first_of(" \t") == name.npos, "a header that was accepted has no folding or blank in its name");
    if (name == "host") ++hosts;
    if (name == "content-length") {
      ++lengths;
      expect(!value.empty() && value.find_first_not_of("0123456789") == value.npos, "a length is digits");
      length = std::stoull(std::string(value));
    }
    if (name == "transfer-encoding") {
      ++codings;
      expect(lower(value) == "chunked", "the only coding is chunked");
    }
    if (name == "connection" && lower(value).find("close") != std::string::npos) out.close = true;
  }
  expect(lengths + codings <= 1, "a request that was handled has one length at most");
  expect(out.close || hosts == 1, "a request that was handled has one Host");
  if (codings) {
    auto body = dechunk(bytes);
    expect(body.has_value(), "a body that was handled is in good chunks");
    out.body = *body;
  } else {
    expect(length <= bytes.size(), "a body that was handled came whole");
    out.body = bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  return out;
}

void check_requests(std::string_view bytes, const std::vector<Seen>& handled) {
  bool closed = false;
  for (const Seen& one : handled) {
    expect(!closed, "nothing is handled after a request that closes");
    // An upload is handled while it comes, and may break off.
    if (one.path.starts_with("/upload")) return;
    const Plain plain = next_request(bytes);
    expect(plain.method == one.method && plain.body == one.body, "a handler gets what was sent",
           [&] { return plain.method + " " + plain.target + " " + plain.body + "\n" + one.method + " " + one.body; });
    if (plain.target.find_first_of("%?") == std::string::npos)
      expect(plain.target == one.path, "a handler gets the path that was sent");
    closed = plain.close;
  }
}

// `may_be_head`: what was refused may have been a HEAD, whose answer has no body.
void check_answers(std::string_view bytes, const std::vector<Seen>& handled, bool may_be_head) {
  size_t answers = 0;
  while (!bytes.empty()) {
    expect(bytes.find("\r\n\r\n") != bytes.npos, "an answer has a whole head", [&] { return std::string(bytes); });
    std::string_view head = take(bytes, "\r\n\r\n");
    const std::string text(head);
    std::string_view line = take(head, "\r\n");
    expect(line.starts_with("HTTP/1.1 ") && line.size() >= 12, "an answer has a status line", [&] { return text; });
    const int status = std::stoi(std::string(line.substr(9, 3)));
    if (status == 100) continue;
    const bool refusal = answers >= handled.size();
    const std::string method = refusal ? "" : handled[answers].method;
    ++answers;
    expect(!refusal || status >= 400, "what no handler answered is a refusal", [&] { return text; });
    std::optional<size_t> length;
    bool chunked = false;
    while (!head.empty()) {
      std::string_view value = take(head, "\r\n");
      const std::string name = lower(take(value, ":"));
      expect(name != "x-injected" && name != "x-bad", "a header with a line break is left out", [&] { return text; });
      if (name == "content-length") length = std::stoull(std::string(trimmed(value)));
      if (name == "transfer-encoding") chunked = true;
    }
    if (method == "HEAD" || status == 204 || status == 304) continue;
    if (refusal && may_be_head && bytes.empty()) continue;
    std::string body;
    if (chunked) {
      auto whole = dechunk(bytes);
      expect(whole.has_value(), "an answer is in good chunks", [&] { return text; });
      body = *whole;
    } else if (length) {
      expect(*length <= bytes.size(), "an answer is as long as it says", [&] { return text; });
      body = bytes.substr(0, *length);
      bytes.remove_prefix(*length);
    } else {
      body = bytes;  // up to the end of the connection
      bytes = {};
    }
    expect(body.find("must not be seen") == std::string::npos, "an exception's text is not told");
    if (refusal) {
      expect(bytes.empty(), "a refusal is the last answer", [&] { return text; });
    } else if (status == 200) {
      const Seen& one = handled[answers - 1];
      expect(body == (one.path.starts_with("/stream") ? "first second " + one.body : one.method + ' ' + one.body),
             "an answer is the handler's own", [&] { return text + "\n" + body; });
    }
  }
  expect(answers >= handled.size(), "every handled request was answered");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes = text_of(data, size);
  {
    std::lock_guard lock(seen_mutex);
    seen.clear();
  }
  std::string answers;
  {
    http::Raw peer(server().port());
    expect(peer.connected(), "the server accepts");
    peer.send(bytes);
    peer.finish();
    // The fuzzer's alarm interrupts a wait now and then.
    const int64_t late = http::monotonic_ms() + 10'000;
    while (!peer.closed() && http::monotonic_ms() < late) answers += peer.receive("", 10'000);
    expect(peer.closed(), "the server ends every conversation");
  }
  std::lock_guard lock(seen_mutex);
  check_requests(bytes, seen);
  check_answers(answers, seen, bytes.find("HEAD ") != bytes.npos);
  return 0;
}
