// The agent's HTTP side against the real server class.
#include <catch2/catch.hpp>
#include <mutex>
#include "providers/guest/agent/plane.hpp"
#include "providers/guest/engines/files.hpp"
#include "providers/http/server.hpp"
#include "specs/json.hpp"
#include "tests/support/temp_dir.hpp"

namespace trove::guest {

TEST_CASE("documents, reports and objects travel over HTTP with the right credentials") {
  Document document;
  document.instance_uid = "uid";
  std::mutex mutex;
  std::string reported, stored, seen_by_store;
  auto server = http::Server::start(
      {}, [](const http::Request& r) { return http::Route{.parks = false, .streams_body = r.method == "PUT"}; },
      [&](const http::Request& request, const http::Read& read) -> http::Response {
        std::lock_guard lock(mutex);
        if (request.path == "/objects/p/b") {
          seen_by_store = request.header("authorization") + request.parameter("signature");
          if (request.method == "GET")
            return {.status = 200, .content_type = "application/octet-stream", .body = stored};
          std::string body;
          for (;;) {
            auto piece = read();
            if (!piece) return {.status = 400};
            if (piece->empty()) break;
            body += *piece;
          }
          stored = body;
          return {.status = 201};
        }
        if (request.header("authorization") != "Bearer sesame") return {.status = 401};
        if (request.path == "/guest/v1/document") {
          if (request.parameter("after") == digest(document)) return {.status = 204};
          return {.status = 200, .body = dump_json(to_value(document))};
        }
        reported = request.body;
        return {.status = 204};
      });
  REQUIRE(server);
  const std::string url = "http://127.0.0.1:" + std::to_string((*server)->port());
  TempDir dir;
  guest::write_file(dir / "guest.json",
                    R"({"url":")" + url + R"(","token":"sesame","server":"s","volume":"/v/","run_as":""})", 0600);
  auto file = read_guest_file(dir / "guest.json");
  REQUIRE(file);
  CHECK(file->volume == "/v");
  auto plane = make_http_plane(*file);
  REQUIRE(plane);
  auto first = (*plane)->fetch("");
  REQUIRE(first);
  CHECK(**first == document);
  auto second = (*plane)->fetch(digest(document));
  REQUIRE(second);
  CHECK_FALSE(*second);
  Report report;
  report.engine_state = "Running";
  CHECK((*plane)->report(report));
  {
    std::lock_guard lock(mutex);
    CHECK(*report_from_value(*parse_json(reported)) == report);
  }
  int pieces = 0;
  const std::string block(100'000, 'z');
  CHECK((*plane)->upload(url + "/objects/p/b?expires=1&signature=abc", [&]() -> Result<std::string> {
    return ++pieces <= 20 ? block : std::string();
  }));
  {
    std::lock_guard lock(mutex);
    CHECK(stored.size() == 2'000'000);
    CHECK(seen_by_store == "abc");      // the signature, and no bearer token
  }
  size_t got = 0;
  CHECK((*plane)->download(url + "/objects/p/b?signature=abc",
                           [&](std::string_view bytes) { return got += bytes.size(), true; }));
  CHECK(got == 2'000'000);
  // A source that fails half way leaves nothing that looks whole.
  {
    std::lock_guard lock(mutex);
    stored = "untouched";
  }
  pieces = 0;
  CHECK_FALSE((*plane)->upload(url + "/objects/p/b?signature=abc", [&]() -> Result<std::string> {
    if (++pieces > 3) return fail(Code::unavailable, "the tool failed");
    return block;
  }));
  {
    std::lock_guard lock(mutex);
    CHECK(stored == "untouched");
  }
  guest::write_file(dir / "guest.json", R"({"url":")" + url + R"(","token":"wrong"})", 0600);
  auto stranger = make_http_plane(*read_guest_file(dir / "guest.json"));
  auto refused = (*stranger)->fetch("");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::unauthenticated);
  CHECK_FALSE(read_guest_file(dir / "none"));
  (*plane)->stop();
  CHECK_FALSE((*plane)->download(url + "/objects/p/b", [](std::string_view) { return true; }));
}

}  // namespace trove::guest
