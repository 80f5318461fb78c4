#include "specs/core/log.hpp"
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <functional>
#include <unistd.h>
#include "specs/core/time.hpp"
#include "specs/json.hpp"
#include "support/temp_dir.hpp"

using namespace trove;

namespace {

// What `write_lines` sends to stderr.
std::string captured(log::Format format, const std::function<void()>& write_lines) {
  TempDir dir;
  const std::string file = dir / "stderr";
  const int saved = dup(2);
  const int fd = open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  dup2(fd, 2);
  close(fd);
  log::configure(log::Level::info, format);
  write_lines();
  log::configure(log::Level::info, log::Format::text);
  dup2(saved, 2);
  close(saved);
  return read_file(file);
}

}  // namespace

TEST_CASE("a log line is one line of time level message and fields") {
  const std::string text = captured(log::Format::text, [] {
    log::info("reconciled", {{"key", "volume/a"}, {"took_ms", 3}});
  });
  const auto space = text.find(' ');
  CHECK(parse_time(text.substr(0, space)).has_value());
  CHECK(text.substr(space) == " info reconciled key=volume/a took_ms=3\n");
}

TEST_CASE("log values are quoted and escaped when they need it") {
  const std::string text = captured(log::Format::text, [] {
    log::warning("odd", {{"a", "two words"},
                         {"b", "new\nline"},
                         {"c", "\x1b[31m"},
                         {"d", ""},
                         {"e", "x=y"},
                         {"f", "say \"hi\""},
                         {"g", "\xff"},
                         {"h", "é"}});
  });
  CHECK(text.find(" warning odd a=\"two words\" b=\"new\\nline\" c=\"\\x1b[31m\" d=\"\" e=\"x=y\" f=\"say \\\"hi\\\"\" "
                  "g=\"\\xff\" h=é\n") != std::string::npos);
}

TEST_CASE("log lines below the level are not written") {
  const std::string text = captured(log::Format::text, [] {
    log::debug("quiet");
    log::error("loud");
  });
  CHECK(text.find("quiet") == std::string::npos);
  CHECK(text.find(" error loud\n") != std::string::npos);
}

TEST_CASE("json log lines are json") {
  const std::string text = captured(log::Format::json, [] {
    log::error("bad \"thing\" 100%", {{"key", "a\nb"}, {"n", 7}});
  });
  REQUIRE(text.ends_with("}\n"));
  const auto line = parse_json(text);
  REQUIRE(line.has_value());
  CHECK(parse_time((*line)["time"].text()).has_value());
  CHECK((*line)["level"].text() == "error");
  CHECK((*line)["message"].text() == "bad \"thing\" 100%");
  CHECK((*line)["key"].text() == "a\nb");
  CHECK((*line)["n"].text() == "7");
}

TEST_CASE("a huge log field is cut") {
  const std::string big(100'000, 'x');
  CHECK(captured(log::Format::text, [&] { log::info("big", {{"body", big}}); }).size() < 5'000);
  std::string wide = "x";
  for (int i = 0; i < 10'000; ++i) wide += "é";
  const std::string text = captured(log::Format::json, [&] { log::info("big", {{"body", wide}}); });
  CHECK(text.size() < 5'000);
  CHECK(text.find("\xEF\xBF\xBD") == std::string::npos);
}
