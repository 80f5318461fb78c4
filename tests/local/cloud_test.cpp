#include <catch2/catch.hpp>
#include "providers/cloud.hpp"

using namespace trove;

TEST_CASE("a token reads back from its text") {
  for (const std::string uid : {"5b0cf5b4-4d3f-4f0e-9f5c-0123456789ab", "u1", "uid-7"}) {
    for (const std::string role : {"port-0", "data", "server-12"}) {
      const Token token{uid, role, 3};
      INFO(to_string(token));
      const auto read = token_from(to_string(token));
      REQUIRE(read);
      CHECK(*read == token);
    }
  }
  CHECK(to_string(Token{"u1", "server-0", 2}) == "trove-u1-server-0-2");
}

TEST_CASE("text that only looks like a token is none") {
  for (const std::string text :
       {"", "trove-", "trove-u1", "trove-u1-data", "trove--data-0", "trove-u1-data-x", "trove-u1-data-01",
        "orders-db-0", "xtrove-u1-data-0", "trove-u1-DATA-0", "trove-u1-data-0 ", "trove-u1-data-99999999999",
        "trove-u1-data--1", "trove-5b0cf5b4-4d3f-4f0e-9f5c-0123456789ab-9-0"}) {
    INFO(text);
    CHECK_FALSE(token_from(text));
  }
}

TEST_CASE("actions are named and described for people") {
  const Token token{"u1", "server-0", 0};
  const CloudAction create = CreateServer{token, "shop", "orders-db-0", "db.small", "mariadb", "10.11", "p1", ""};
  CHECK(action_name(create) == "nova.server.create");
  CHECK(describe(create) == "orders-db-0, flavor db.small, mariadb 10.11, port p1, volume none");
  const CloudAction extend = ExtendVolume{token, "v1", 1, 5};
  CHECK(action_name(extend) == "cinder.volume.extend");
  CHECK(describe(extend) == "volume v1, 1 GiB to 5 GiB");
  const CloudAction retype = RetypeVolume{token, "v1", "", "fast"};
  CHECK(action_name(retype) == "cinder.volume.retype");
  CHECK(describe(retype) == "volume v1, type none to fast");
  const CloudAction open = UpdatePort{token, "p1", {"10.0.0.0/8", "192.0.2.1/32"}};
  CHECK(action_name(open) == "neutron.port.update");
  CHECK(describe(open) == "port p1, open to 10.0.0.0/8, 192.0.2.1/32");
  CHECK(describe(UpdatePort{token, "p1", {}}) == "port p1, open to nobody");
  CHECK(action_name(DetachVolume{}) == "nova.volume.detach");
  CHECK(action_name(DeleteStoredObject{}) == "swift.object.delete");
}

TEST_CASE("a volume's type is the one that a spec names by its name or by its id") {
  const std::string gold_id = "11111111-2222-4333-8444-000000000001", tin_id = "11111111-2222-4333-8444-000000000002",
                    new_id = "11111111-2222-4333-8444-000000000003";
  const std::vector<VolumeType> types = {{gold_id, "gold"}, {tin_id, "tin"}};
  CHECK(same_volume_type(types, "gold", "gold") == true);
  CHECK(same_volume_type(types, gold_id, "gold") == true);
  CHECK(same_volume_type(types, "gold", gold_id) == true);
  CHECK(same_volume_type(types, gold_id, "tin") == false);
  CHECK(same_volume_type(types, "tin", "gold") == false);
  CHECK(same_volume_type(types, "gold", "") == false);
  // Of a type that came after the list was read, and of a cloud that does not show its types.
  CHECK(same_volume_type(types, "new", "gold") == false);
  CHECK(same_volume_type(types, new_id, "gold") == false);
  CHECK_FALSE(same_volume_type(types, new_id, "new").has_value());
  CHECK(same_volume_type({}, "gold", "gold") == true);
  CHECK(same_volume_type({}, "gold", "tin") == false);
  CHECK_FALSE(same_volume_type({}, gold_id, "tin").has_value());
  // One that is named like another's id is not that one.
  CHECK(same_volume_type({{gold_id, "gold"}, {tin_id, gold_id}}, gold_id, "gold") == true);
}

TEST_CASE("statuses are the words of Nova and Cinder") {
  CHECK(to_string(Server::Status::shutoff) == "SHUTOFF");
  CHECK(to_string(Server::Status::verify_resize) == "VERIFY_RESIZE");
  CHECK(to_string(CloudVolume::Status::in_use) == "in-use");
}
