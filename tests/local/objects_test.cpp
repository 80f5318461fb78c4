#include "tests/local/fixture.hpp"

using namespace trove;
using test_local::Fixture;

namespace {

struct Parts {
  std::string expires, signature, prefix;
};
Parts parts_of(const std::string& url) {
  const size_t expires = url.find("?expires="), signature = url.find("&signature=");
  REQUIRE(expires != std::string::npos);
  REQUIRE(signature != std::string::npos);
  const size_t prefix = std::min(url.find("&prefix="), url.size());
  return {url.substr(expires + 9, signature - expires - 9), url.substr(signature + 11, prefix - signature - 11),
          prefix == url.size() ? "" : url.substr(prefix + 8)};
}
Parts sign(Fixture& f, std::string_view method, const std::string& key, Signed what = Signed::object) {
  return parts_of(f.cloud->sign_url("http://127.0.0.1:7780", method, key, f.clock.wall() + Millis{60'000}, what));
}
void store(Fixture& f, const std::string& key, const std::string& bytes) {
  const auto s = sign(f, "PUT", key);
  auto upload = f.cloud->upload(key, s.expires, s.signature);
  REQUIRE(upload);
  REQUIRE((*upload)->write(bytes));
  const auto stored = (*upload)->finish();
  REQUIRE(stored);
  CHECK(*stored == static_cast<int64_t>(bytes.size()));
}
std::string load(Fixture& f, const std::string& key) {
  const auto s = sign(f, "GET", key);
  auto download = f.cloud->download(key, s.expires, s.signature);
  REQUIRE(download);
  std::string all;
  for (;;) {
    const auto piece = (*download)->read(3);
    REQUIRE(piece);
    if (piece->empty()) break;
    all += *piece;
  }
  CHECK((*download)->bytes() == static_cast<int64_t>(all.size()));
  return all;
}

}  // namespace

TEST_CASE("an object goes up and comes down through signed URLs") {
  Fixture f;
  store(f, "shop/backup-1", "all the rows");
  CHECK(load(f, "shop/backup-1") == "all the rows");
  f.open();
  CHECK(load(f, "shop/backup-1") == "all the rows");
  const auto seen = f.cloud->observe();
  REQUIRE(seen.objects_known);
  REQUIRE(seen.objects.size() == 1);
  CHECK(seen.objects[0].key == "shop/backup-1");
  CHECK(seen.objects[0].bytes == 12);
}

TEST_CASE("a second upload replaces the first at its end and not before") {
  Fixture f;
  store(f, "shop/backup-1", "old");
  const auto s = sign(f, "PUT", "shop/backup-1");
  auto upload = f.cloud->upload("shop/backup-1", s.expires, s.signature);
  REQUIRE(upload);
  REQUIRE((*upload)->write("new and longer"));
  CHECK(load(f, "shop/backup-1") == "old");
  REQUIRE((*upload)->finish());
  CHECK(load(f, "shop/backup-1") == "new and longer");
  CHECK(f.cloud->observe().objects.size() == 1);
}

TEST_CASE("an upload that is given up leaves nothing") {
  Fixture f;
  {
    const auto s = sign(f, "PUT", "shop/backup-1");
    auto upload = f.cloud->upload("shop/backup-1", s.expires, s.signature);
    REQUIRE(upload);
    REQUIRE((*upload)->write("half"));
    CHECK(f.cloud->observe().objects.empty());
  }
  CHECK(std::filesystem::is_empty(f.root() + "/objects/shop"));
}

TEST_CASE("what a crash left of an upload is removed at the next start") {
  Fixture f;
  store(f, "shop/backup-1", "kept");
  write_file(f.root() + "/objects/shop/.upload-5b0cf5b4-4d3f-4f0e-9f5c-0123456789ab", "half");
  write_file(f.root() + "/objects/shop/.somebody", "else");
  f.open();
  CHECK_FALSE(std::filesystem::exists(f.root() + "/objects/shop/.upload-5b0cf5b4-4d3f-4f0e-9f5c-0123456789ab"));
  CHECK(std::filesystem::exists(f.root() + "/objects/shop/.somebody"));
  CHECK(f.cloud->observe().objects.size() == 1);
}

TEST_CASE("a URL is good for its method and key and time only") {
  Fixture f;
  store(f, "shop/backup-1", "rows");
  store(f, "shop/backup-2", "rows");
  const auto get = sign(f, "GET", "shop/backup-1");
  const auto code = [](const auto& result) { return result ? Code::internal : result.error().code; };
  CHECK(f.cloud->download("shop/backup-1", get.expires, get.signature));
  CHECK(code(f.cloud->download("shop/backup-2", get.expires, get.signature)) == Code::denied);
  CHECK(code(f.cloud->upload("shop/backup-1", get.expires, get.signature)) == Code::denied);
  CHECK(code(f.cloud->download("shop/backup-1", std::to_string(atoll(get.expires.c_str()) + 1), get.signature)) ==
        Code::denied);
  auto tampered = get.signature;
  tampered[0] = tampered[0] == '0' ? '1' : '0';
  CHECK(code(f.cloud->download("shop/backup-1", get.expires, tampered)) == Code::denied);
  CHECK(code(f.cloud->download("shop/backup-1", get.expires, "")) == Code::denied);
  f.clock.advance(Millis{59'999});
  CHECK(f.cloud->download("shop/backup-1", get.expires, get.signature));
  f.clock.advance(Millis{1});
  CHECK(code(f.cloud->download("shop/backup-1", get.expires, get.signature)) == Code::denied);
}

TEST_CASE("a URL that is signed for a prefix is good for what begins so, and for nothing else") {
  Fixture f;
  const auto put = sign(f, "PUT", "shop/b1.", Signed::prefix);
  CHECK(put.prefix == "shop/b1.");
  for (const std::string key : {"shop/b1.00001", "shop/b1.00002"}) {
    auto upload = f.cloud->upload(key, put.expires, put.signature, put.prefix);
    REQUIRE(upload);
    REQUIRE((*upload)->write("rows"));
    REQUIRE((*upload)->finish());
  }
  const auto get = sign(f, "GET", "shop/b1.", Signed::prefix);
  CHECK(f.cloud->download("shop/b1.00002", get.expires, get.signature, get.prefix));
  const auto denied = [&](const std::string& key, const Parts& parts, const std::string& prefix) {
    const auto upload = f.cloud->upload(key, parts.expires, parts.signature, prefix);
    return !upload && upload.error().code == Code::denied;
  };
  CHECK(denied("shop/b1", put, put.prefix));
  CHECK(denied("shop/b2.00001", put, put.prefix));
  CHECK(denied("shop/b2.00001", put, "shop/b"));           // another prefix is another signature
  CHECK(denied("shop/b1.00001", put, ""));
  CHECK(denied("shop/b1.00001", get, get.prefix));
  // A key that looks like a prefix, and a prefix that looks like a key.
  CHECK(denied("shop/b1.00001", sign(f, "PUT", "shop/b1."), "shop/b1."));
  CHECK(denied("shop/b1.", put, ""));
  f.clock.advance(Millis{60'000});
  CHECK(denied("shop/b1.00001", put, put.prefix));
}

TEST_CASE("without a key nobody can sign") {
  Fixture f;
  auto options = f.options();
  options.object_key = Secret();
  auto opened = open_local_cloud(std::move(options));
  REQUIRE(opened);
  const auto s = parts_of((*opened)->sign_url("", "PUT", "shop/backup-1", f.clock.wall() + Millis{60'000}));
  CHECK_FALSE((*opened)->upload("shop/backup-1", s.expires, s.signature));
}

TEST_CASE("an object's name stays inside the object store") {
  Fixture f;
  for (const std::string key : {"", "shop", "shop/", "/backup", "shop/../x", "../shop/x", "shop/..", "shop/.hidden",
                                "shop/a/b", "shop/a b", "shop/a%2fb", "shop/a\nb"}) {
    INFO(key);
    const auto upload = f.cloud->upload(key, "1", "00");
    REQUIRE_FALSE(upload);
    CHECK(upload.error().code == Code::invalid);
    CHECK(f.refused(DeleteStoredObject{key}).code == Code::invalid);
  }
}

TEST_CASE("a stored object is deleted once and deleting it again is no failure") {
  Fixture f;
  store(f, "shop/backup-1", "rows");
  f.must(DeleteStoredObject{"shop/backup-1"});
  CHECK(f.cloud->observe().objects.empty());
  f.must(DeleteStoredObject{"shop/backup-1"});
  const auto s = sign(f, "GET", "shop/backup-1");
  const auto download = f.cloud->download("shop/backup-1", s.expires, s.signature);
  REQUIRE_FALSE(download);
  CHECK(download.error().code == Code::not_found);
}
