// The real daemon, driven by a client that has read nothing but its OpenAPI document.
#include <catch2/catch.hpp>

#include "support/system.hpp"

using namespace trove;

TEST_CASE("a client that knows only the OpenAPI document can do everything") {
  System system;
  ProcessOptions options;
  options.env = {"TROVE_TOKEN=" + trimmed(read_file(system.data() + "/token"))};
  const Exit client = run({"python3", std::string(TROVE_SOURCE_DIR) + "/tests/e2e/openapi_client.py",
                           trimmed(read_file(system.data() + "/endpoint"))},
                          options, Millis{120'000});
  INFO(client.err);
  CHECK(client.code == 0);
  CHECK(trimmed(client.out) == "ok");
}
