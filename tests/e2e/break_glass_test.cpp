// The real daemon ends what was only meant for a while, whatever happens to it meanwhile.
#include <catch2/catch.hpp>

#include "support/system.hpp"

using namespace trove;

namespace {

std::string group(int connections) {
  return "apiVersion: trove/v1alpha1\nkind: ConfigurationGroup\nmetadata: {name: g}\nspec:\n"
         "  datastore: {type: mariadb}\n  parameters: {max_connections: " +
         std::to_string(connections) + "}\n";
}

}  // namespace

TEST_CASE("a break-glass edit goes back by itself when its time is over, also after the daemon was killed") {
  System system;
  const auto connections = [&] { return trimmed(system.field("cfg/g", "{.spec.parameters.max_connections}")); };
  system.must({"apply", "-f", "-", "--field-manager", "release"}, group(100));
  system.must({"apply", "-f", "-", "--break-glass", "2s"}, group(900));
  CHECK(connections() == "900");
  CHECK(eventually([&] { return connections() == "100"; }, Millis{20'000}));
  const std::string history = system.must({"history", "cfg/g"});
  INFO(history);
  CHECK(history.find("break-glass") != std::string::npos);

  // Nobody is there when it ends.
  system.must({"apply", "-f", "-", "--break-glass", "1s"}, group(700));
  system.kill();
  system.start();
  CHECK(eventually([&] { return connections() == "100"; }, Millis{30'000}));
}
