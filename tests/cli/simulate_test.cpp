#include <catch2/catch.hpp>
#include "tests/cli/support.hpp"

using namespace trove;
using namespace trove::cli::test;

TEST_CASE("simulate starts the control plane's program with words of its own") {
  Ran ran = trovectl({"simulate", "-f", "a b.yaml", "-f", "shop/", "--runs", "20", "--seed=7", "--faults", "crash,late", "--trace",
                      "-o", "json"});
  REQUIRE(ran.executed.size() == 9);
  CHECK(ran.executed[0].ends_with("troved"));
  CHECK(std::vector<std::string>(ran.executed.begin() + 1, ran.executed.end()) ==
        std::vector<std::string>{"simulate", "--filename=a b.yaml", "--filename=shop/", "--faults=crash,late", "--runs=20",
                                 "--seed=7", "--output=json", "--trace"});
  CHECK(ran.executed_env.empty());
}

TEST_CASE("simulate needs files and says so") {
  Ran ran = trovectl({"simulate"});
  CHECK(ran.status == 2);
  CHECK(ran.executed.empty());
  CHECK(ran.err.find("trovectl simulate -f shop/") != std::string::npos);
  ran = trovectl({"simulate", "shop/"});
  CHECK(ran.status == 2);
  CHECK(ran.err.find("did you mean -f shop/?") != std::string::npos);
}
