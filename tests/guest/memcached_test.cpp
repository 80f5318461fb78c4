#include <arpa/inet.h>
#include <sys/socket.h>
#include <catch2/catch.hpp>
#include "tests/guest/bed.hpp"

namespace trove::guest {

namespace {

// One request on a connection of its own; "" when nobody answers.
std::string ask(const Document& at, const std::string& request) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(at.port));
  inet_pton(AF_INET, at.address.c_str(), &address.sin_addr);
  timeval patience{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
  send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  char buffer[4096];
  const ssize_t n = recv(fd.get(), buffer, sizeof buffer, 0);
  return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : "";
}

}  // namespace

TEST_CASE("memcached serves, takes options at a restart and has neither users nor databases") {
  Bed bed(Engine::memcached, false);
  bed.document.memory_mib = 100;
  bed.document.users = {{"app", "", "x", {}, 0, false, Drift::correct}};
  bed.document.databases = {{"orders", "", "", "", Drift::correct}};
  REQUIRE(bed.settle());
  CHECK(bed.plane.latest().engine_version.rfind("1.", 0) == 0);
  CHECK(bed.state_of_user("app") == "Failed: memcached has no users");
  CHECK(bed.state_of_database("orders") == "Failed: memcached has no databases");
  CHECK(ask(bed.document, "set k 0 0 3\r\nabc\r\n") == "STORED\r\n");
  CHECK(ask(bed.document, "get k\r\n") == "VALUE k 0 3\r\nabc\r\nEND\r\n");
  CHECK(ask(bed.document, "stats settings\r\n").find("STAT maxbytes " + std::to_string(75 << 20)) != std::string::npos);

  bed.document.parameters = {{"threads", "2", Drift::correct}, {"disable-flush-all", "yes", Drift::correct},
                             {"idle_timeout", "600", Drift::correct}, {"memory-limit", "80", Drift::correct},
                             {"unix-socket", "/tmp/x", Drift::correct}, {"max-item-size", "2m -u root", Drift::correct},
                             {"hashpower", "many", Drift::correct}};
  REQUIRE(bed.settle());
  CHECK(bed.parameter("threads").pending_restart);
  CHECK(bed.parameter("unix-socket").state == "Failed");
  CHECK(bed.parameter("max-item-size").state == "Failed");
  CHECK(bed.parameter("hashpower").state == "Failed");
  bed.document.restart = "op";
  REQUIRE(bed.settle());
  CHECK(bed.parameter("threads").value == "2");
  CHECK(bed.parameter("threads").state == "Applied");
  CHECK(bed.parameter("disable-flush-all").value == "yes");
  CHECK(bed.parameter("memory-limit").value == "80");
  CHECK(bed.plane.latest().applied_restart == "op");
  CHECK(ask(bed.document, "flush_all\r\n").find("not allowed") != std::string::npos);

  // A value that it does not start with is taken back.
  const int restarts = bed.plane.latest().restarts;
  bed.document.parameters.push_back({"hash_algorithm", "md5", Drift::correct});
  bed.document.restart = "op-2";
  REQUIRE(bed.settle());
  REQUIRE(bed.eventually([&](const Report& r) { return r.applied_restart == "op-2" && r.engine_state == "Running"; }));
  CHECK(bed.eventually([&](const Report&) { return true; }));
  CHECK(bed.parameter("hash_algorithm").state == "Failed");
  CHECK(bed.parameter("threads").state == "Applied");
  CHECK(bed.plane.latest().restarts > restarts);
  CHECK(ask(bed.document, "version\r\n").rfind("VERSION", 0) == 0);
}

}  // namespace trove::guest
