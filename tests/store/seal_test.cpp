// Secrets at rest.
#include "reconciler/store/seal.hpp"
#include <fcntl.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <set>
#include "specs/core/digest.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;

namespace {

std::string code_of_opening(const std::string& path, bool create = false) {
  SeededRng rng(5);
  auto sealer = Sealer::open(path, create, rng);
  return sealer ? "ok" : std::string(to_string(sealer.error().code));
}

std::string raw_of(const std::string& sealed) {
  std::string raw;
  REQUIRE(from_base64(std::string_view(sealed).substr(10), raw));
  return raw;
}

void write_key(const std::string& path, const std::string& text, mode_t mode = 0600) {
  write_file(path, text);
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("a sealed secret opens in its place with its key") {
  TempDir directory;
  SeededRng rng;
  const auto sealer = Sealer::open(directory / "key", true, rng).value();
  const std::string every_length(300, 'p');
  for (const size_t length : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{300}}) {
    const Secret plain(every_length.substr(0, length));
    const std::string sealed = sealer.seal(plain, "/spec/p/Secret/s", rng);
    CHECK(sealed.rfind("sealed:v1:", 0) == 0);
    const auto opened = sealer.unseal(sealed, "/spec/p/Secret/s");
    REQUIRE(opened.has_value());
    CHECK(opened->reveal() == plain.reveal());
  }
  const auto again = Sealer::open(directory / "key", true, rng).value();
  CHECK(again.unseal(sealer.seal(Secret("x"), "a", rng), "a").has_value());
}

TEST_CASE("a sealed secret does not open elsewhere or with another key") {
  TempDir directory;
  SeededRng rng;
  const auto sealer = Sealer::open(directory / "key", true, rng).value();
  const auto stranger = Sealer::open(directory / "other", true, rng).value();
  const std::string sealed = sealer.seal(Secret("hunter2"), "/here", rng);
  const auto moved = sealer.unseal(sealed, "/there");
  REQUIRE_FALSE(moved.has_value());
  CHECK(moved.error().code == Code::corrupt);
  CHECK_FALSE(stranger.unseal(sealed, "/here").has_value());
  CHECK(sealer.unseal(sealed, "/here").has_value());
}

TEST_CASE("no changed byte and no cut goes unnoticed") {
  TempDir directory;
  SeededRng rng;
  const auto sealer = Sealer::open(directory / "key", true, rng).value();
  const std::string raw = raw_of(sealer.seal(Secret("hunter2"), "/here", rng));
  for (size_t i = 0; i < raw.size(); ++i) {
    std::string changed = raw;
    changed[i] = static_cast<char>(changed[i] ^ 0x20);
    INFO("byte " << i);
    CHECK_FALSE(sealer.unseal("sealed:v1:" + base64(changed), "/here").has_value());
  }
  for (size_t length = 0; length < raw.size(); ++length)
    CHECK_FALSE(sealer.unseal("sealed:v1:" + base64(raw.substr(0, length)), "/here").has_value());
  for (const char* text : {"", "sealed:v1:", "sealed:v2:AAAA", "sealed:v1:!!!!", "hunter2"})
    CHECK_FALSE(sealer.unseal(text, "/here").has_value());
}

TEST_CASE("nothing of the plain text is seen and no two sealings are alike") {
  TempDir directory;
  SeededRng rng;
  const auto sealer = Sealer::open(directory / "key", true, rng).value();
  const std::string plain = "correct horse battery staple";
  std::set<std::string> all;
  for (int i = 0; i < 200; ++i) {
    const std::string sealed = sealer.seal(Secret(plain), "/here", rng);
    const std::string raw = raw_of(sealed);
    for (const char* word : {"correct", "horse", "battery", "staple"}) {
      REQUIRE(raw.find(word) == std::string::npos);
      REQUIRE(sealed.find(word) == std::string::npos);
    }
    REQUIRE(sealed.find(base64(plain)) == std::string::npos);
    all.insert(raw.substr(0, 12));
  }
  CHECK(all.size() == 200);
  const auto refused = sealer.unseal(sealer.seal(Secret(plain), "/here", rng), "/there");
  CHECK(refused.error().message.find("horse") == std::string::npos);
}

TEST_CASE("a key file is made private and only when asked") {
  TempDir directory;
  const std::string path = directory / "key";
  CHECK(code_of_opening(path) == "not_found");
  CHECK(code_of_opening(path, true) == "ok");
  struct stat st {};
  REQUIRE(::stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  CHECK(read_file(path).size() == 65);
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
  CHECK(code_of_opening(directory / "missing/key", true) == "unavailable");
}

TEST_CASE("a key file that others may read is refused") {
  TempDir directory;
  const std::string path = directory / "key", key(64, 'a');
  for (const mode_t mode : {0644, 0640, 0604, 0620, 0602, 0610}) {
    write_key(path, key, mode);
    INFO("mode " << mode);
    CHECK(code_of_opening(path, true) == "denied");
  }
  for (const mode_t mode : {0600, 0400}) {
    write_key(path, key, mode);
    CHECK(code_of_opening(path) == "ok");
  }
  std::filesystem::create_directory(directory / "folder");
  CHECK(code_of_opening(directory / "folder") == "denied");
}

TEST_CASE("a key file of the wrong shape is refused and never replaced") {
  TempDir directory;
  const std::string path = directory / "key";
  for (const std::string& text : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g'),
                                  std::string(66, 'a'), std::string(64, 'a') + "\n\n"}) {
    write_key(path, text);
    CHECK(code_of_opening(path, true) == "corrupt");
    CHECK(read_file(path) == text);
  }
}

TEST_CASE("derived secrets are stable and different for each purpose and key") {
  TempDir directory;
  SeededRng rng;
  const auto sealer = Sealer::open(directory / "key", true, rng).value();
  const auto other = Sealer::open(directory / "other", true, rng).value();
  const Secret token = sealer.derive("guest-token:a");
  CHECK(token.reveal().size() == 64);
  CHECK(token == Sealer::open(directory / "key", false, rng)->derive("guest-token:a"));
  CHECK_FALSE(token == sealer.derive("guest-token:b"));
  CHECK_FALSE(token == other.derive("guest-token:a"));
}
