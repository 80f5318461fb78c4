#include <set>
#include "providers/local/addresses.hpp"
#include "tests/local/fixture.hpp"

using namespace trove;
using test_local::Fixture;

TEST_CASE("a port has one address for its whole life") {
  Fixture f;
  const auto id =
      f.must(CreatePort{f.token("port-0"), "shop", "orders-port-0", {"192.0.2.0/24", "10.0.0.0/8", "10.0.0.0/8"}}).id;
  const auto before = f.seen_port(id);
  REQUIRE(before);
  CHECK(before->name == "orders-port-0");
  CHECK(before->token == f.token("port-0"));
  CHECK(before->address.starts_with("127.77."));
  CHECK(before->allowed_cidrs == std::vector<std::string>{"10.0.0.0/8", "192.0.2.0/24"});
  CHECK(before->device_id.empty());
  f.open();
  f.must(UpdatePort{f.token("port-0"), id, {"198.51.100.7/32"}});
  const auto after = f.seen_port(id);
  REQUIRE(after);
  CHECK(after->address == before->address);
  CHECK(after->allowed_cidrs == std::vector<std::string>{"198.51.100.7/32"});
}

TEST_CASE("a port that was lost gets its old address again while it is free") {
  Fixture f;
  const auto first = f.port();
  const auto address = f.seen_port(first)->address;
  std::filesystem::remove(f.root() + "/ports/" + first + ".json");
  CHECK_FALSE(f.seen_port(first));
  const auto second = f.must(CreatePort{f.token("port-0", 1), "shop", "orders-port-0", {}}).id;
  CHECK(f.seen_port(second)->address == address);
}

TEST_CASE("two ports never share an address and a full subnet says so") {
  Fixture f;
  f.subnet = "127.77.9.0/29";   // six hosts
  f.open();
  std::set<std::string> addresses;
  for (int i = 0; i < 6; ++i) addresses.insert(f.seen_port(f.port("port-" + std::to_string(i)))->address);
  CHECK(addresses ==
        std::set<std::string>{"127.77.9.1", "127.77.9.2", "127.77.9.3", "127.77.9.4", "127.77.9.5", "127.77.9.6"});
  const auto error = f.refused(CreatePort{f.token("port-6"), "shop", "one more", {}});
  CHECK(error.code == Code::no_space);
  CHECK(error.message.find("IpAddressGenerationFailure") == 0);
}

TEST_CASE("no address ends in 0 or 255") {
  const auto subnet = local::parse_subnet("127.77.0.0/22");
  REQUIRE(subnet);
  std::set<std::string> used;
  for (;;) {
    const auto address = local::pick_address(*subnet, {"u1", "port-0", 0}, used);
    if (!address) break;
    CHECK_FALSE(address->ends_with(".0"));
    CHECK_FALSE(address->ends_with(".255"));
    REQUIRE(used.insert(*address).second);
  }
  CHECK(used.size() == 4 * 254);
}

TEST_CASE("a subnet that is none is refused") {
  for (const std::string text : {"", "127.77.0.0", "127.77.0.0/", "127.77.0.0/7", "127.77.0.0/31", "127.77.0.1/16",
                                 "127.77.0/16", "127.77.0.256/24", "::1/64", "127.77.0.0/16 "}) {
    INFO(text);
    CHECK_FALSE(local::parse_subnet(text));
  }
  Fixture f;
  f.subnet = "here";
  const auto opened = open_local_cloud(f.options());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Code::invalid);
}

TEST_CASE("a second port with one token is refused and the first is named") {
  Fixture f;
  const auto id = f.port();
  const auto error = f.refused(CreatePort{f.token("port-0"), "shop", "orders-port-0", {}});
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find(id) != std::string::npos);
  CHECK(f.cloud->observe().ports.size() == 1);
}

TEST_CASE("a port is deleted once and deleting it again is no failure") {
  Fixture f;
  const auto id = f.port();
  f.must(DeletePort{f.token("port-0"), id});
  CHECK_FALSE(f.seen_port(id));
  f.must(DeletePort{f.token("port-0"), id});
  CHECK(f.refused(UpdatePort{f.token("port-0"), id, {}}).code == Code::not_found);
}

TEST_CASE("a port in use by a server stays") {
  Fixture f;
  const auto port = f.port();
  f.server(port, f.volume());
  const auto error = f.refused(DeletePort{f.token("port-0"), port});
  CHECK(error.code == Code::conflict);
  CHECK(error.message.find("PortInUse") == 0);
  CHECK(f.seen_port(port));
}

TEST_CASE("what carries another token is not changed") {
  Fixture f;
  const auto port = f.port();
  const auto volume = f.volume();
  const Token other{"somebody-else", "port-0", 0};
  CHECK(f.refused(DeletePort{other, port}).code == Code::denied);
  CHECK(f.refused(UpdatePort{other, port, {"0.0.0.0/0"}}).code == Code::denied);
  CHECK(f.refused(DeleteVolume{other, volume}).code == Code::denied);
  CHECK(f.refused(ExtendVolume{f.token("data", 1), volume, 1, 2}).code == Code::denied);
  CHECK(f.seen_port(port)->allowed_cidrs.empty());
  CHECK(f.seen_volume(volume)->size_gib == 1);
}

TEST_CASE("an id that is a path is simply not found") {
  Fixture f;
  write_file(f.dir / "precious.json", "{}");
  CHECK(f.refused(UpdatePort{f.token("port-0"), "../../precious", {}}).code == Code::not_found);
  f.must(DeletePort{f.token("port-0"), "../../precious"});
  f.must(DeleteVolume{f.token("data"), "../ports"});
  f.must(DeleteServer{f.token("server-0"), "../volumes"});
  CHECK(std::filesystem::exists(f.dir / "precious.json"));
  CHECK(std::filesystem::is_directory(f.root() + "/ports"));
  CHECK(std::filesystem::is_directory(f.root() + "/volumes"));
}
