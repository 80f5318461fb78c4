// trove-sim-cloud, the program.
#include <signal.h>
#include <fstream>
#include <sstream>
#include "http_bed.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

using namespace trove;
using Catch::Contains;

namespace {
const std::string kProgram = std::string(TROVE_BIN_DIR) + "/trove-sim-cloud";
}

TEST_CASE("the program serves a cloud writes its clouds yaml and ends when told") {
  TempDir dir;
  const std::string yaml = dir.path().string() + "/clouds.yaml";
  Process program({kProgram, "--listen", "127.0.0.1:0", "--clouds-yaml", yaml, "--instant"});
  REQUIRE(program.wait_for("serving http://127.0.0.1:", Millis{10'000}));
  const std::string out = program.out();
  const std::string url = out.substr(8, out.find("/v3") - 8);
  std::stringstream written;
  written << std::ifstream(yaml).rdbuf();
  CHECK_THAT(written.str(), Contains("auth_url: " + url + "/v3"));
  auto client = *http::Client::make({.base_url = url});
  http::Call login;
  login.method = "POST";
  login.path = "/v3/auth/tokens";
  login.body = HttpBed::login_body("demo", "sim", "demo");
  const auto token = client->call(login);
  REQUIRE(token);
  CHECK(token->status == 201);
  http::Call volume;
  volume.method = "POST";
  volume.path = "/volume/v3/" + (*parse_json(token->body))["token"]["project"]["id"].text() + "/volumes";
  volume.body = R"({"volume":{"size":1}})";
  volume.headers = {{"X-Auth-Token", token->headers.at("x-subject-token")}};
  const auto made = client->call(volume);
  REQUIRE(made);
  CHECK(made->status == 202);
  program.signal(SIGTERM);
  const auto end = program.wait(Millis{5'000});
  REQUIRE(end);
  CHECK(end->code == 0);
}

TEST_CASE("the program refuses what it does not know") {
  struct Row {
    std::vector<std::string> arguments;
    int code;
    const char* words;
  };
  for (const Row& row : {Row{{"--listen", "nonsense"}, 2, "ADDRESS:PORT"}, Row{{"--dance"}, 2, "unknown argument"},
                         Row{{"--listen", "127.0.0.1:"}, 2, "ADDRESS:PORT"},
                         Row{{"--clouds-yaml", "/nowhere/clouds.yaml"}, 1, "cannot write"}}) {
    std::vector<std::string> argv = {kProgram};
    argv.insert(argv.end(), row.arguments.begin(), row.arguments.end());
    const Exit end = run(argv);
    CHECK(end.code == row.code);
    CHECK_THAT(end.err, Contains(row.words));
  }
}
