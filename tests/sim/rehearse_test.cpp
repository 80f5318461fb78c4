#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "reconciler/simulate/rehearse.hpp"
#include "specs/json.hpp"
#include "tests/support/temp_dir.hpp"

using namespace trove;
using namespace trove::simulate;

namespace {

const char* kShop = R"(apiVersion: trove/v1alpha1
kind: DatabaseInstance
metadata: {name: orders-db}
spec: {datastore: {type: mariadb}, flavor: m1.enormous, volume: {size: 2}}
---
apiVersion: trove/v1alpha1
kind: Database
metadata: {name: orders}
spec: {instanceRef: {name: orders-db}}
)";

struct Ran {
  int status = -1;
  std::string out, err;
};

Ran rehearsed(Rehearsal rehearsal, const std::string& input = kShop) {
  if (rehearsal.files.empty()) rehearsal.files = {"-"};
  std::istringstream in(input);
  std::ostringstream out, err;
  Ran ran;
  ran.status = rehearse(rehearsal, in, out, err);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

}  // namespace

TEST_CASE("a good set converges under faults and says in how many actions") {
  const Ran ran = rehearsed({.runs = 20});
  INFO(ran.out << ran.err);
  CHECK(ran.status == 0);
  CHECK(ran.err == "");
  CHECK(ran.out.find("converged 20/20, actions min 3 ") == 0);
  CHECK(ran.out.find("invariants held: one-server, ") != std::string::npos);
  CHECK(ran.out.find("slowest schedule: seed ") != std::string::npos);
  CHECK(ran.out == rehearsed({.runs = 20}).out);
}

TEST_CASE("the same as data") {
  const Ran ran = rehearsed({.runs = 10, .seed = 7, .json = true});
  auto data = parse_json(ran.out);
  REQUIRE(data);
  CHECK((*data)["runs"].int_or(0) == 10);
  CHECK((*data)["converged"].int_or(0) == 10);
  CHECK((*data)["seed"].int_or(0) == 7);
  CHECK((*data)["actions"]["min"].int_or(0) >= 3);
  CHECK((*data)["actions"]["max"].int_or(0) >= (*data)["actions"]["median"].int_or(0));
  CHECK((*data)["invariantsHeld"].size() > 8);
  CHECK((*data)["broken"].empty());
}

TEST_CASE("a run is replayed with everything that happens in it") {
  const Ran ran = rehearsed({.schedule = "crash 12; lose-server 9000", .trace = true});
  INFO(ran.out);
  CHECK(ran.status == 0);
  CHECK(ran.out.find("dies at boundary 12") != std::string::npos);
  CHECK(ran.out.find("nova.server.create") != std::string::npos);
  CHECK(ran.out.find("converged 1/1") != std::string::npos);
  const Ran seed = rehearsed({.seed = 9, .trace = true});
  CHECK(seed.out.find("converged 1/1") != std::string::npos);
  CHECK(rehearsed({.faults = "none"}).out.find("longest interruption 0 s") != std::string::npos);
}

TEST_CASE("a server that is lost interrupts its database") {
  const Ran ran = rehearsed({.schedule = "lose-server 20000", .json = true});
  auto data = parse_json(ran.out);
  REQUIRE(data);
  CHECK((*data)["longestInterruptionSeconds"].int_or(0) == 0);  // gone with its server; the new one was never up before
  const Ran stopped = rehearsed({.schedule = "stop-server 20000", .json = true});
  data = parse_json(stopped.out);
  REQUIRE(data);
  CHECK((*data)["longestInterruptionSeconds"].int_or(0) > 0);
}

TEST_CASE("what is not ready is said") {
  const std::string waits =
      std::string(kShop) +
      "---\napiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: copy}\nspec: {datastore: "
      "{type: mariadb}, flavor: db.tiny, volume: {size: 2}, suspend: true}\n";
  const Ran ran = rehearsed({.runs = 3}, waits);
  CHECK(ran.status == 8);
  CHECK(ran.out.find("not ready: databaseinstance/copy: Suspended") != std::string::npos);
}

TEST_CASE("what is wrong with the files is said with its place") {
  Ran ran = rehearsed({}, "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec: {size: big}\n");
  CHECK(ran.status == 2);
  CHECK(ran.err.find("<stdin>:4:14") != std::string::npos);
  ran = rehearsed(
      {}, "apiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: d}\nspec: {instanceRef: {name: none}}\n");
  CHECK(ran.status == 2);
  CHECK(ran.err.find("databaseinstance/none does not exist") != std::string::npos);
  CHECK(rehearsed({}, "").status == 2);
  CHECK(rehearsed({.files = {"/nowhere/at/all.yaml"}}).err.find("cannot read /nowhere/at/all.yaml") !=
        std::string::npos);
  CHECK(rehearsed({.faults = "crash,crush"}).err.find("\"crush\" is no fault") != std::string::npos);
  CHECK(rehearsed({.schedule = "crush 1"}).status == 2);
  CHECK(rehearsed({.runs = 0}).status == 2);
  CHECK(rehearsed({.runs = 1'000'001}).status == 2);
}

TEST_CASE("a folder is all its documents and one project at a time") {
  TempDir dir;
  std::ofstream(dir / "b.yaml") << "apiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: orders}\nspec: "
                                   "{instanceRef: {name: orders-db}}\n";
  std::ofstream(dir / "a.json")
      << R"({"apiVersion":"trove/v1alpha1","kind":"DatabaseInstance","metadata":{"name":"orders-db"},)"
      << R"("spec":{"datastore":{"type":"mariadb"},"flavor":"db.tiny","volume":{"size":2}}})";
  std::ofstream(dir / ".draft.yaml") << "what nobody reads: [";
  std::ofstream(dir / "notes.txt") << "nor this";
  Rehearsal rehearsal{.files = {dir.path().string()}, .runs = 2};
  Ran ran = rehearsed(rehearsal);
  INFO(ran.out << ran.err);
  CHECK(ran.status == 0);
  std::ofstream(dir / "c.yaml")
      << "apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v, project: other}\nspec: {size: 1}\n";
  ran = rehearsed(rehearsal);
  CHECK(ran.status == 2);
  CHECK(ran.err.find("one project at a time") != std::string::npos);
}
