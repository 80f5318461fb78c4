// Where the authority lives: made once, whole or not there, and nobody else's to read.
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>
#include <fstream>
#include <set>
#include <thread>
#include "providers/pki/pki.hpp"
#include "tests/support/openssl.hpp"
#include "tests/support/clock.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::pki;

namespace {

struct Place {
  TempDir around;
  FakeClock clock;
  std::string directory = around / "pki", key = directory + "/ca.key", certificate = directory + "/ca.pem";

  Result<Authority> open() { return Authority::open(directory, clock); }
  // The code of a start that is refused, and in `message` why; the certificate of one that is not.
  Code refusal() {
    auto opened = open();
    if (opened) FAIL("it was opened");
    message = opened.error().message;
    return opened.error().code;
  }
  std::string message;
};

mode_t mode_of(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}
std::set<std::string> files_in(const std::string& directory) {
  std::set<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) out.insert(entry.path().filename());
  return out;
}

}  // namespace

TEST_CASE("the first start makes a key that nobody else can read, whatever the umask") {
  Place place;
  const mode_t before = ::umask(GENERATE(mode_t{0}, mode_t{022}, mode_t{0777}));
  auto opened = place.open();
  ::umask(before);
  // With umask 0777 our own directory is closed to us, but for root.
  if (!opened && ::geteuid() != 0) return;
  REQUIRE(opened);
  CHECK(files_in(place.directory) == std::set<std::string>{"ca.key", "ca.pem"});
  CHECK(mode_of(place.key) == 0600);
  CHECK(mode_of(place.certificate) == 0644);
  CHECK((mode_of(place.directory) & 077) == 0);
}

TEST_CASE("the directory of an authority is its owner's alone") {
  Place place;
  REQUIRE(place.open());
  CHECK(mode_of(place.directory) == 0700);
}

TEST_CASE("an authority is the same after a restart, and its certificate on disk is the one that it shows") {
  Place place;
  std::string first = place.open()->certificate();
  place.clock.advance(Millis{86'400'000});
  CHECK(place.open()->certificate() == first);
  CHECK(read_file(place.certificate) == first);
  const TestCertificate parsed = certificate_of(first);
  REQUIRE(parsed);
  CHECK(X509_check_ca(parsed.get()) == 1);
  CHECK(X509_get_pathlen(parsed.get()) == 0);
}

TEST_CASE("two authorities never have one name, so that neither is looked for behind the other's certificates") {
  Place one, other;
  CHECK(common_name_of(one.open()->certificate()) != common_name_of(other.open()->certificate()));
}

TEST_CASE("a key that others can read is not used") {
  Place place;
  REQUIRE(place.open());
  ::chmod(place.key.c_str(), GENERATE(mode_t{0640}, mode_t{0604}, mode_t{0620}, mode_t{0601}));
  CHECK(place.refusal() == Code::denied);
  CHECK(place.message.find(place.key) != std::string::npos);
}

TEST_CASE("a key of another user is not used") {
  if (::geteuid() != 0) return;
  Place place;
  REQUIRE(place.open());
  REQUIRE(::chown(place.key.c_str(), 65534, 65534) == 0);
  CHECK(place.refusal() == Code::denied);
}

TEST_CASE("a certificate whose key is gone is not replaced") {
  Place place;
  REQUIRE(place.open());
  ::unlink(place.key.c_str());
  CHECK(place.refusal() == Code::corrupt);
  CHECK_FALSE(std::filesystem::exists(place.key));
}

TEST_CASE("a start that was cut off after the key goes on with that key") {
  Place place;
  std::string first = place.open()->certificate(), key = read_file(place.key);
  ::unlink(place.certificate.c_str());
  auto again = place.open();
  REQUIRE(again);
  CHECK(read_file(place.key) == key);
  CHECK(mode_of(place.certificate) == 0644);
  CHECK(common_name_of(again->certificate()) == common_name_of(first));
}

TEST_CASE("half written files of a start that was cut off are in nobody's way") {
  Place place;
  std::filesystem::create_directory(place.directory);
  write_file(place.key + ".partial", "-----BEGIN PRIV");
  write_file(place.certificate + ".partial", "-----BEGIN CERT");
  ::chmod((place.key + ".partial").c_str(), 0444);
  REQUIRE(place.open());
  CHECK(files_in(place.directory) == std::set<std::string>{"ca.key", "ca.pem"});
  CHECK(mode_of(place.key) == 0600);
}

TEST_CASE("the files of two authorities do not fit each other") {
  Place place, other;
  REQUIRE(place.open());
  REQUIRE(other.open());
  std::string key = read_file(place.key), certificate = read_file(place.certificate);
  SECTION("another key") { write_file(place.key, read_file(other.key)); }
  SECTION("another certificate") { write_file(place.certificate, read_file(other.certificate)); }
  SECTION("each in the other's place") {
    write_file(place.key, certificate);
    write_file(place.certificate, key);
  }
  ::chmod(place.key.c_str(), 0600);
  CHECK(place.refusal() == Code::corrupt);
}

TEST_CASE("files that hold something else are corrupt and stay as they are") {
  Place place;
  REQUIRE(place.open());
  std::string file = GENERATE(0, 1) == 0 ? place.key : place.certificate;
  std::string text = GENERATE(std::string(""), std::string("not PEM at all\n"), std::string(100'000, 'x'),
                              pem_of(ec_key("P-384")), pem_of(rsa_key()));
  write_file(file, text);
  ::chmod(file.c_str(), 0600);
  CHECK(place.refusal() == Code::corrupt);
  CHECK(read_file(file) == text);
}

TEST_CASE("a certificate that is no authority's does not become one") {
  Place place;
  auto authority = place.open();
  const TestKey key = key_of(read_file(place.key));
  // For the same key, but a server's.
  write_file(place.certificate, signed_by(authority->certificate(), key, key,
                                          {.names = "server",
                                           .usage = "serverAuth",
                                           .from = place.clock.wall(),
                                           .until = place.clock.wall() + Millis{3'600'000}}));
  CHECK(place.refusal() == Code::corrupt);
}

TEST_CASE("links, pipes and directories are not files") {
  Place place, elsewhere;
  REQUIRE(place.open());
  REQUIRE(elsewhere.open());
  std::string file = GENERATE(0, 1) == 0 ? place.key : place.certificate;
  std::string source = elsewhere.directory + file.substr(place.directory.size());
  ::unlink(file.c_str());
  SECTION("a link") { std::filesystem::create_symlink(source, file); }
  SECTION("a link to nothing") { std::filesystem::create_symlink("absent", file); }
  SECTION("a pipe, for which a reader would wait") { REQUIRE(::mkfifo(file.c_str(), 0600) == 0); }
  SECTION("a directory") { std::filesystem::create_directory(file); }
  CHECK(place.refusal() == Code::denied);
  CHECK(place.message.find(file) != std::string::npos);
}

TEST_CASE("the folder around the directory has to exist, and the directory is none when it is a file") {
  Place place;
  CHECK(Authority::open(place.around / "absent/pki", place.clock).error().code == Code::unavailable);
  write_file(place.directory, "a file");
  CHECK(place.refusal() == Code::unavailable);
}

TEST_CASE("starts at the same moment make one authority") {
  for (int round = 0; round < 10; ++round) {
    Place place;
    std::vector<std::string> seen(6);
    std::vector<std::thread> starts;
    for (std::string& certificate : seen) {
      starts.emplace_back([&] {
        if (auto opened = place.open()) certificate = opened->certificate();
      });
    }
    for (auto& one : starts) one.join();
    CHECK_FALSE(seen[0].empty());
    CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 1);
    CHECK(files_in(place.directory) == std::set<std::string>{"ca.key", "ca.pem"});
  }
}
