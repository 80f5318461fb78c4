// The simulated cloud answers as a real one did: tests/openstack/exchanges.yaml, asked of its HTTP face.
#include "openstack/exchanges.hpp"
#include <fstream>
#include <sstream>
#include "http_bed.hpp"

using namespace trove;

namespace {

std::string read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(std::string(TROVE_SOURCE_DIR) + "/tests/" + path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the simulated cloud and a real one answer the same requests alike") {
  SimHttpOptions http;
  http.users.push_back({"alt", "sim", "alt", false, "", ""});
  HttpBed bed({}, http);
  ExchangeRun run;
  run.given = {{"auth", bed.face->url() + "/v3"},
               {"user", "demo"},
               {"password", "sim"},
               {"project", "demo"},
               {"other_user", "alt"},
               {"other_password", "sim"},
               {"other_project", "alt"},
               {"image_name", "trove-guest"},
               {"shared_network", "sim-net"},
               {"run", new_uid(bed.rng)}};
  run.now = [&] { return bed.clock.wall(); };
  run.wait = [&](Millis time) { bed.pass(time.count()); };
  const auto done = exchange_all(read("openstack/exchanges.yaml"), run);
  REQUIRE(done);
  INFO(done->text);
  REQUIRE(done->trouble == "");
  std::string differences;
  for (const std::string& line : exchange_differences(read("golden/openstack/exchanges.txt"), done->text))
    differences += line + "\n";
  CHECK(differences == "");
}

TEST_CASE("differences between two runs of the exchanges are told by name") {
  const std::string golden = "a\n  GET x\n  200 json\n  ~ words\n\nb\n  GET y\n  404 json\n";
  CHECK(exchange_differences(golden, golden).empty());
  CHECK(exchange_differences(golden, "b\n  GET y\n  404 json\n\na\n  GET x\n  200 json\n  ~ others\n").empty());
  CHECK(exchange_differences(golden, "a\n  GET x\n  201 json\n\nb\n  GET y\n  404 json\n") ==
        std::vector<std::string>{"a", "- 200 json", "+ 201 json"});
  CHECK(exchange_differences(golden, "a\n  GET x\n  200 json\n") ==
        std::vector<std::string>{"b", "- GET y", "- 404 json"});
  CHECK(exchange_differences("", "c\n  GET z\n") == std::vector<std::string>{"c", "+ GET z"});
}
