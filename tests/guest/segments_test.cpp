// Backups that are cut into segments, and put together again: the streams alone, without an engine.
#include <fcntl.h>
#include <catch2/catch.hpp>
#include "bed.hpp"
#include "providers/guest/agent/transfer.hpp"
#include "tests/support/clock.hpp"

namespace trove::guest {

namespace {

// Takes or refuses one upload after the other; what it takes lies under its URL.
class Shelf final : public Plane {
 public:
  Result<std::optional<Document>> fetch(const std::string&) override { return std::optional<Document>(); }
  Result<void> report(const Report&) override { return {}; }
  Result<void> upload(const std::string& url, const std::function<Result<std::string>()>& next) override {
    urls.push_back(url);
    std::string body;
    for (;;) {
      auto piece = next();
      if (!piece) return fail(Code::unavailable, "body was abandoned");
      if (piece->empty()) break;
      if (url == fails_at) return fail(Code::unavailable, "the upload was answered with 503");
      body += *piece;
      if (url == ends_early_at) break;
    }
    longest = std::max(longest, body.size());
    stored[url] = std::move(body);
    return {};
  }
  Result<void> download(const std::string& url, const std::function<bool(std::string_view)>& take) override {
    if (!stored.contains(url)) return fail(Code::not_found, "the download was answered with 404");
    return take(stored[url]) ? Result<void>() : fail(Code::unavailable, "ended early");
  }
  void stop() override {}

  std::string fails_at, ends_early_at;
  std::vector<std::string> urls;
  std::map<std::string, std::string> stored;
  size_t longest = 0;
};

const std::string kWhole = "http://s/p/b?sig=1", kParts = "http://s/p/b.?sig=2";

struct Stream {
  explicit Stream(size_t bytes) {
    SeededRng rng(7);
    std::string text;
    while (text.size() < bytes) text += random_text(rng, 1'000);
    text.resize(bytes);
    guest::write_file(dir / "in", text, 0600);
    content = text;
  }
  Result<int> send(int64_t segment_bytes, bool tool_fails = false) {
    BackupSource source;
    source.fd = UniqueFd(open((dir / "in").c_str(), O_RDONLY | O_CLOEXEC));
    if (tool_fails) source.finish = [](const Cancel&) -> Result<void> { return fail(Code::unavailable, "the tool died"); };
    Compressor compressor(source, cancel);
    BackupOrder order{"b", kWhole};
    order.segment_bytes = segment_bytes;
    order.segments_url = segment_bytes > 0 ? kParts : "";
    auto segments = upload_from(compressor, order, shelf);
    bytes = compressor.bytes();
    sha256 = compressor.sha256_hex();
    return segments;
  }
  Result<void> receive(int segments) {
    remove_tree(dir / "out");
    RestoreOrder order{"b", kWhole, sha256};
    order.segments = segments;
    order.segments_url = segments > 1 ? kParts : "";
    return download_to(dir / "out", order, shelf, cancel);
  }
  std::string restored() {
    const int out = open((dir / "plain").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const auto done = decompress_to(dir / "out", out, cancel);
    close(out);
    REQUIRE(done);
    return *guest::read_file(dir / "plain", 64u << 20);
  }
  TempDir dir;
  Cancel cancel;
  Shelf shelf;
  std::string content, sha256;
  int64_t bytes = 0;
};

}  // namespace

TEST_CASE("a backup that fits into one segment is one object under its key") {
  Stream stream(300'000);
  REQUIRE(stream.send(0));
  const int64_t stored = stream.bytes;
  // Exactly full is not more than full.
  for (const int64_t segment : {int64_t{0}, int64_t{1} << 30, stored}) {
    stream.shelf.urls.clear();
    REQUIRE(stream.send(segment).value() == 1);
    CHECK(stream.shelf.urls == std::vector<std::string>{kWhole});
    CHECK(stream.shelf.stored[kWhole].size() == static_cast<size_t>(stored));
  }
  REQUIRE(stream.receive(1));
  CHECK(stream.restored() == stream.content);
}

TEST_CASE("a larger backup is cut into segments that restore in their order") {
  Stream stream(5'000'000);
  const int64_t segment = GENERATE(100'000, 1'000'000, 1'048'577);
  const auto segments = stream.send(segment);
  REQUIRE(segments);
  CHECK(*segments == (stream.bytes - 1) / segment + 1);
  CHECK(stream.shelf.stored.size() == static_cast<size_t>(*segments));
  CHECK(stream.shelf.longest == static_cast<size_t>(segment));
  CHECK(stream.shelf.stored.contains("http://s/p/b.00001?sig=2"));
  std::string all = stream.shelf.stored[kWhole];
  for (int number = 1; number < *segments; ++number) all += stream.shelf.stored[segment_url(kParts, number)];
  CHECK(static_cast<int64_t>(all.size()) == stream.bytes);
  CHECK(sha256_hex(all) == stream.sha256);
  REQUIRE(stream.receive(*segments));
  CHECK(stream.restored() == stream.content);

  // A segment that is missing, or another one in its place.
  CHECK(stream.receive(*segments - 1).error().code == Code::corrupt);
  std::swap(stream.shelf.stored[segment_url(kParts, 1)], stream.shelf.stored[segment_url(kParts, 2)]);
  CHECK(stream.receive(*segments).error().code == Code::corrupt);
  stream.shelf.stored.erase(segment_url(kParts, 2));
  const auto gone = stream.receive(*segments);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().message == "segment 3 of " + std::to_string(*segments) + ": the download was answered with 404");
}

TEST_CASE("a segment that fails fails the backup, and the stream is not read on") {
  Stream stream(8'000'000);
  SECTION("the store refuses it") {
    stream.shelf.fails_at = segment_url(kParts, 2);
    const auto sent = stream.send(500'000);
    REQUIRE_FALSE(sent);
    CHECK(sent.error().message == "segment 3: the upload was answered with 503");
  }
  SECTION("the store takes a part of it") {
    stream.shelf.ends_early_at = segment_url(kParts, 1);   // after a piece, which is a third of a segment
    const auto sent = stream.send(3 << 20);
    REQUIRE_FALSE(sent);
    CHECK(sent.error().message == "segment 2: the object store took only a part of it");
  }
  SECTION("the tool fails at the end") {
    const auto sent = stream.send(500'000, true);
    REQUIRE_FALSE(sent);
    CHECK(sent.error().message == "the tool died");
  }
  SECTION("there are too many") {
    const auto sent = stream.send(100);
    REQUIRE_FALSE(sent);
    CHECK(sent.error().code == Code::too_large);
    CHECK(stream.shelf.urls.size() == kMostSegments);
    CHECK(sent.error().message.find("--backup-segment-size") != std::string::npos);
  }
}

}  // namespace trove::guest
