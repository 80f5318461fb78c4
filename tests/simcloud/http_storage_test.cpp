// Cinder's, Neutron's, Glance's and Swift's shapes.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "http_bed.hpp"
#include "specs/core/digest.hpp"

using namespace trove;
using Catch::Contains;

namespace {

std::string sign(const EVP_MD* digest, const std::string& key, const std::string& text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &length);
  return to_hex(std::string_view(reinterpret_cast<const char*>(out), length));
}

struct SwiftBed : HttpBed {
  std::string account = "/v1/AUTH_" + project;
  Reply put(const std::string& path, const std::string& data, Headers headers = {}) {
    return ask("PUT", account + path, data, std::move(headers));
  }
  Reply get(const std::string& path) { return ask("GET", account + path); }
};

}  // namespace

TEST_CASE("a volume is created grown and deleted as Cinder does it") {
  HttpBed bed;
  const Reply made = bed.cinder(
      "POST", "/volumes",
      R"({"volume":{"size":2,"name":"data","volume_type":"fast","metadata":{"trove:uid":"u1","trove:role":"data","trove:incarnation":"1"}}})");
  INFO(made.text);
  REQUIRE(made.status == 202);
  const Value& volume = made.body["volume"];
  const std::string id = volume["id"].text();
  CHECK(volume["status"].text() == "creating");
  CHECK(volume["created_at"].text() == "2026-09-27T12:00:00.000000");
  CHECK(volume["volume_type"].text() == "fast");
  CHECK(volume["attachments"].size() == 0);
  bed.face->locked([&](SimCloud& cloud) { CHECK(cloud.volumes().at(id).token == Token{"u1", "data", 1}); });
  bed.pass(500);
  const auto act = [&](const std::string& body) { return bed.cinder("POST", "/volumes/" + id + "/action", body); };
  const auto status = [&] { return bed.cinder("GET", "/volumes/" + id).body["volume"]["status"].text(); };
  CHECK(status() == "available");
  CHECK(act(R"({"os-extend":{"new_size":2}})").status == 400);
  CHECK(act(R"({"os-extend":{"new_size":5}})").status == 202);
  CHECK(status() == "extending");
  bed.pass(500);
  CHECK(bed.cinder("GET", "/volumes/" + id).body["volume"]["size"].int_or(0) == 5);
  const Reply own_type = act(R"({"os-retype":{"new_type":"fast","migration_policy":"on-demand"}})");
  CHECK(own_type.status == 400);
  CHECK_THAT(own_type.message(), Contains("Invalid volume: Retype needs volume to be in available or in-use state"));
  const Reply no_type = act(R"({"os-retype":{"new_type":"none"}})");
  CHECK(no_type.status == 404);
  CHECK(no_type.message() == "Volume type with name none could not be found.");
  CHECK(act(R"({"os-retype":{"new_type":"__DEFAULT__","migration_policy":"perhaps"}})").status == 400);
  CHECK(act(R"({"os-retype":{"new_type":"__DEFAULT__","migration_policy":"never"}})").status == 202);
  CHECK(status() == "retyping");
  CHECK(act(R"({"os-retype":{"new_type":"__DEFAULT__","migration_policy":"never"}})").status == 400);
  bed.pass(2'000);
  CHECK(status() == "available");
  CHECK(bed.cinder("GET", "/volumes/" + id).body["volume"]["volume_type"].text() == "__DEFAULT__");
  CHECK(act(R"({"os-reset_status":{"status":"error_deleting"}})").status == 202);
  const Reply stuck = bed.cinder("DELETE", "/volumes/" + id);
  CHECK(stuck.status == 400);
  CHECK(stuck.fault() == "badRequest");
  CHECK_THAT(stuck.message(), Contains("Invalid volume: Volume status must be available or error"));
  CHECK(act(R"({"os-force_delete":{}})").status == 202);
  bed.pass(500);
  const Reply gone = bed.cinder("DELETE", "/volumes/" + id);
  CHECK(gone.status == 404);
  CHECK(gone.fault() == "itemNotFound");
  CHECK(gone.message() == "Volume " + id + " could not be found.");
}

TEST_CASE("Cinder refuses what is over its quota and what is wrong") {
  SimOptions options;
  options.max_volumes = 2;
  options.max_gigabytes = 10;
  HttpBed bed(options);
  const auto make = [&](const std::string& body) {
    return bed.cinder("POST", "/volumes", R"({"volume":)" + body + "}");
  };
  CHECK(make(R"({"size":0})").status == 400);
  CHECK(make(R"({"size":1,"volume_type":"none"})").status == 404);
  CHECK(make(R"({"size":4})").status == 202);
  const Reply big = make(R"({"size":7})");
  CHECK(big.status == 413);
  CHECK(big.fault() == "overLimit");
  CHECK(big.header("retry-after") == "0");
  CHECK_THAT(big.message(), Contains("VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds"));
  CHECK(make(R"({"size":1})").status == 202);
  const Reply many = make(R"({"size":1})");
  CHECK(many.status == 413);
  CHECK_THAT(many.message(), Contains("VolumeLimitExceeded: Maximum number of volumes allowed (2) exceeded"));
  const Value limits = bed.cinder("GET", "/limits").body["limits"]["absolute"];
  CHECK(limits["totalVolumesUsed"].int_or(0) == 2);
  CHECK(limits["totalGigabytesUsed"].int_or(0) == 5);
  CHECK(limits["maxTotalVolumeGigabytes"].int_or(0) == 10);
  CHECK(bed.ask("GET", "/volume/v3/another/volumes").status == 400);
  CHECK(bed.cinder("GET", "/types").body["volume_types"].size() == 2);
}

TEST_CASE("a volume in use grows only with a version that knows how and only an admin resets it") {
  HttpBed bed;
  const std::string id = bed.make_server(), volume = bed.make_volume();
  bed.pass(5'000);
  REQUIRE(bed.nova("POST", "/servers/" + id + "/os-volume_attachments",
                   R"({"volumeAttachment":{"volumeId":")" + volume + "\"}}")
              .status == 200);
  bed.pass(1'000);
  const std::string path = "/volume/v3/" + bed.project + "/volumes/" + volume + "/action";
  const std::string grow = R"({"os-extend":{"new_size":5}})";
  CHECK(bed.ask("POST", path, grow, {{"OpenStack-API-Version", "volume 3.41"}}).status == 400);
  CHECK(bed.ask("POST", path, grow, {{"OpenStack-API-Version", "volume 3.42"}}).status == 202);
  bed.pass(1'000);
  const Reply list = bed.cinder("GET", "/attachments");
  REQUIRE(list.body["attachments"].size() == 1);
  const std::string attachment = list.body["attachments"].items()[0]["id"].text();
  CHECK(bed.cinder("DELETE", "/attachments/" + attachment).status == 409);  // Nova knows of it
  bed.face->locked([&](SimCloud& cloud) { cloud.model().servers.erase(id), cloud.model().server_more.erase(id); });
  CHECK(bed.cinder("DELETE", "/attachments/" + attachment).status == 200);
  CHECK(bed.cinder("GET", "/volumes/" + volume).body["volume"]["status"].text() == "available");
  bed.login("demo", "sim", "demo");
  const std::string mine = bed.make_volume();
  CHECK(bed.cinder("POST", "/volumes/" + mine + "/action", R"({"os-reset_status":{"status":"error"}})").status == 403);
}

TEST_CASE("lists of volumes come in pages and are filtered by metadata") {
  HttpBed bed;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.insert(ids.begin(), bed.make_volume(1, R"(,"name":"v)" + std::to_string(i) + R"(","metadata":{"n":")" +
                                                   std::to_string(i % 2) + "\"}"));
    bed.pass(1'000);
  }
  std::vector<std::string> seen;
  std::string path = "/volume/v3/" + bed.project + "/volumes/detail?limit=2";
  for (int pages = 0; !path.empty() && pages < 10; ++pages) {
    const Reply page = bed.ask("GET", path);
    for (const Value& volume : page.body["volumes"].items()) seen.push_back(volume["id"].text());
    path.clear();
    for (const Value& link : page.body["volumes_links"].items())
      path = link["href"].text().substr(bed.face->url().size());
  }
  CHECK(seen == ids);
  CHECK(bed.cinder("GET", "/volumes/detail?metadata=%7B'n':%20'1'%7D").body["volumes"].size() == 2);
  CHECK(bed.cinder("GET", "/volumes?name=v3").body["volumes"].size() == 1);
  CHECK(bed.cinder("GET", "/volumes/detail?marker=none").status == 404);
}

TEST_CASE("a port is unique by its MAC and its address") {
  HttpBed bed;
  const std::string network = bed.network();
  const auto make = [&](const std::string& more) {
    return bed.neutron("POST", "/ports", R"({"port":{"network_id":")" + network + "\"" + more + "}}");
  };
  const Reply made = make(R"(,"mac_address":"02:00:00:00:00:01","name":"p","description":"d","tags":["u1"])");
  INFO(made.text);
  REQUIRE(made.status == 201);
  const Value& port = made.body["port"];
  const std::string id = port["id"].text(), address = port["fixed_ips"].items()[0]["ip_address"].text();
  CHECK(port["status"].text() == "DOWN");
  CHECK(port["tags"].size() == 1);
  CHECK(port["security_groups"].size() == 1);
  CHECK(port["project_id"].text() == bed.project);
  const auto refused = [](const Reply& reply, int status, const char* type) {
    INFO(reply.text);
    CHECK(reply.status == status);
    CHECK(reply.body["NeutronError"]["type"].text() == type);
    CHECK_FALSE(reply.body["NeutronError"]["message"].text().empty());
    CHECK(reply.body["NeutronError"].find("detail"));
  };
  refused(make(R"(,"mac_address":"02:00:00:00:00:01")"), 409, "MacAddressInUse");
  refused(make(R"(,"fixed_ips":[{"ip_address":")" + address + "\"}]"), 409, "IpAddressAlreadyAllocated");
  refused(make(R"(,"fixed_ips":[{"ip_address":"192.168.1.1"}])"), 400, "InvalidIpForNetwork");
  refused(make(R"(,"mac_address":"nonsense")"), 400, "HTTPBadRequest");
  refused(make(R"(,"security_groups":["none"])"), 404, "SecurityGroupNotFound");
  refused(bed.neutron("POST", "/ports", R"({"port":{"network_id":"none"}})"), 404, "NetworkNotFound");
  CHECK(
      make(R"(,"fixed_ips":[{"ip_address":"10.77.9.9"}])").body["port"]["fixed_ips"].items()[0]["ip_address"].text() ==
      "10.77.9.9");
  CHECK(bed.neutron("PUT", "/ports/" + id, R"({"port":{"name":"q","description":"e"}})").body["port"]["name"].text() ==
        "q");
  refused(bed.neutron("PUT", "/ports/" + id, R"({"port":{"fixed_ips":[{"ip_address":"10.77.9.9"}]}})"), 409,
          "IpAddressAlreadyAllocated");
  CHECK(bed.neutron("PUT", "/ports/" + id + "/tags", R"({"tags":["a","b"]})").body["tags"].size() == 2);
  CHECK(bed.neutron("DELETE", "/ports/" + id).status == 204);
  refused(bed.neutron("DELETE", "/ports/" + id), 404, "PortNotFound");
  CHECK(make(R"(,"mac_address":"02:00:00:00:00:01")").status == 201);
}

TEST_CASE("ports in bulk are all made or none") {
  SimOptions options;
  options.max_ports = 3;
  HttpBed bed(options);
  const std::string one = R"({"network_id":")" + bed.network() + "\"}";
  const Reply two = bed.neutron("POST", "/ports", R"({"ports":[)" + one + "," + one + "]}");
  CHECK(two.status == 201);
  CHECK(two.body["ports"].size() == 2);
  const Reply over = bed.neutron("POST", "/ports", R"({"ports":[)" + one + "," + one + "]}");
  CHECK(over.status == 409);
  CHECK(over.body["NeutronError"]["type"].text() == "OverQuota");
  CHECK(over.body["NeutronError"]["message"].text() == "Quota exceeded for resources: ['port'].");
  CHECK(bed.neutron("GET", "/ports").body["ports"].size() == 2);
  CHECK(bed.neutron("GET", "/quotas/" + bed.project).body["quota"]["port"].int_or(0) == 3);
  CHECK(bed.neutron("GET", "/quotas/" + bed.project + "/details.json").body["quota"]["port"]["used"].int_or(0) == 2);
}

TEST_CASE("ports are filtered by every field and only the wanted fields come") {
  HttpBed bed;
  const std::string a = bed.make_port(R"(,"name":"a","tags":["trove","u1"])"),
                    b = bed.make_port(R"(,"name":"b","tags":["trove"])");
  const auto ids = [&](const std::string& query) {
    std::set<std::string> set;
    const Reply reply = bed.neutron("GET", "/ports?" + query);
    for (const Value& port : reply.body["ports"].items()) set.insert(port["id"].text());
    return set;
  };
  using Ids = std::set<std::string>;
  CHECK(ids("name=a") == Ids{a});
  CHECK(ids("name=a&name=b") == Ids{a, b});
  CHECK(ids("tags=trove") == Ids{a, b});
  CHECK(ids("tags=trove,u1") == Ids{a});
  CHECK(ids("not-tags=u1") == Ids{b});
  CHECK(ids("admin_state_up=True") == Ids{a, b});
  CHECK(ids("id=" + a) == Ids{a});
  const std::string address =
      bed.neutron("GET", "/ports/" + a).body["port"]["fixed_ips"].items()[0]["ip_address"].text();
  CHECK(ids("fixed_ips=ip_address%3D" + address) == Ids{a});
  const Reply few = bed.neutron("GET", "/ports?fields=id&fields=name&name=a");
  CHECK(few.body["ports"].items()[0].size() == 2);
  const Reply page = bed.neutron("GET", "/ports?limit=1");
  CHECK(page.body["ports"].size() == 1);
  REQUIRE(page.body["ports_links"].size() == 1);
  const std::string next = page.body["ports_links"].items()[0]["href"].text().substr(bed.face->url().size());
  const Reply second = bed.ask("GET", next);
  CHECK(second.body["ports"].size() == 1);
  CHECK_FALSE(second.body["ports"].items()[0]["id"].text() == page.body["ports"].items()[0]["id"].text());
  CHECK(bed.neutron("GET", "/ports?limit=1&marker=none").status == 404);
}

TEST_CASE("security groups are made of rules and cannot go while a port uses them") {
  HttpBed bed;
  const Reply made = bed.neutron("POST", "/security-groups", R"({"security_group":{"name":"db"}})");
  CHECK(made.status == 201);
  CHECK(made.body["security_group"]["security_group_rules"].size() == 2);
  const std::string id = made.body["security_group"]["id"].text();
  const std::string rule =
      R"({"security_group_id":")" + id +
      R"(","direction":"ingress","protocol":"tcp","port_range_min":3306,"port_range_max":3306,"remote_ip_prefix":"10.0.0.0/8"})";
  const Reply first = bed.neutron("POST", "/security-group-rules", R"({"security_group_rule":)" + rule + "}");
  CHECK(first.status == 201);
  const std::string rule_id = first.body["security_group_rule"]["id"].text();
  const Reply again = bed.neutron("POST", "/security-group-rules", R"({"security_group_rule":)" + rule + "}");
  CHECK(again.status == 409);
  CHECK(again.body["NeutronError"]["type"].text() == "SecurityGroupRuleExists");
  CHECK_THAT(again.body["NeutronError"]["message"].text(), Contains(rule_id));
  CHECK(bed.neutron("GET", "/security-group-rules?security_group_id=" + id + "&direction=ingress")
            .body["security_group_rules"]
            .size() == 1);
  const std::string port = bed.make_port(R"(,"security_groups":[")" + id + "\"]");
  const Reply used = bed.neutron("DELETE", "/security-groups/" + id);
  CHECK(used.status == 409);
  CHECK(used.body["NeutronError"]["type"].text() == "SecurityGroupInUse");
  CHECK(bed.neutron("DELETE", "/ports/" + port).status == 204);
  CHECK(bed.neutron("DELETE", "/security-group-rules/" + rule_id).status == 204);
  CHECK(bed.neutron("DELETE", "/security-group-rules/" + rule_id).status == 404);
  CHECK(bed.neutron("DELETE", "/security-groups/" + id).status == 204);
  CHECK(bed.neutron("GET", "/security-groups?name=default").body["security_groups"].size() == 1);
}

TEST_CASE("networks subnets and floating addresses") {
  HttpBed bed;
  const Reply net = bed.neutron("POST", "/networks", R"({"network":{"name":"mine"}})");
  CHECK(net.status == 201);
  const std::string id = net.body["network"]["id"].text();
  CHECK(bed.neutron("POST", "/subnets", R"({"subnet":{"network_id":")" + id + R"(","cidr":"nonsense"}})").status ==
        400);
  const Reply subnet = bed.neutron(
      "POST", "/subnets", R"({"subnet":{"network_id":")" + id + R"(","cidr":"192.168.7.0/29","ip_version":4}})");
  CHECK(subnet.status == 201);
  CHECK(subnet.body["subnet"]["gateway_ip"].text() == "192.168.7.1");
  std::set<std::string> addresses;
  Reply made;
  for (int i = 0; i < 8; ++i) {
    made = bed.neutron("POST", "/ports", R"({"port":{"network_id":")" + id + "\"}}");
    if (made.status != 201) break;
    CHECK(addresses.insert(made.body["port"]["fixed_ips"].items()[0]["ip_address"].text()).second);
  }
  CHECK(made.status == 409);
  CHECK(made.body["NeutronError"]["type"].text() == "IpAddressGenerationFailure");
  CHECK(addresses.size() >= 3);
  CHECK(bed.neutron("DELETE", "/networks/" + id).status == 409);
  const std::string outer =
      bed.neutron("GET", "/networks?router:external=True").body["networks"].items()[0]["id"].text();
  const std::string port = bed.make_port();
  const std::string body = R"({"floatingip":{"floating_network_id":")" + outer + R"(","port_id":")" + port + "\"}}";
  const Reply floating = bed.neutron("POST", "/floatingips", body);
  CHECK(floating.status == 201);
  CHECK(bed.neutron("POST", "/floatingips", body).status == 409);
  const std::string fip = floating.body["floatingip"]["id"].text();
  CHECK(bed.neutron("PUT", "/floatingips/" + fip, R"({"floatingip":{"port_id":null}})")
            .body["floatingip"]["port_id"]
            .is_null());
  CHECK(bed.neutron("DELETE", "/floatingips/" + fip).status == 204);
}

TEST_CASE("Glance lists images by name and tag") {
  HttpBed bed;
  const std::string id = bed.image();
  CHECK(bed.ask("GET", "/image/v2/images?name=none").body["images"].size() == 0);
  CHECK(bed.ask("GET", "/image/v2/images?name=trove-guest&status=active&tag=trove").body["images"].size() == 1);
  CHECK(bed.ask("GET", "/image/v2/images/" + id).body["trove_datastores"].text() ==
        "mariadb,postgresql,redis,memcached");
  const Reply none = bed.ask("GET", "/image/v2/images/none");
  CHECK(none.status == 404);
  CHECK_THAT(none.text, Contains("<title>404 Not Found</title>"));
}

TEST_CASE("Swift keeps objects in containers") {
  SwiftBed bed;
  CHECK(bed.put("/backups", "").status == 201);
  CHECK(bed.put("/backups", "").status == 202);
  const Reply put = bed.put("/backups/p/b1", "hello", {{"X-Object-Meta-Kind", "full"}});
  CHECK(put.status == 201);
  CHECK(put.header("etag") == "5d41402abc4b2a76b9719d911017c592");
  CHECK(bed.put("/backups/p/b2", "world", {{"ETag", std::string(32, '0')}}).status == 422);
  CHECK(bed.put("/backups/p/b2", "world!").status == 201);
  CHECK(bed.put("/backups/q/b3", "x").status == 201);
  const Reply got = bed.get("/backups/p/b1");
  CHECK(got.text == "hello");
  CHECK(got.header("x-object-meta-kind") == "full");
  CHECK(got.header("last-modified") == "Sun, 27 Sep 2026 12:00:00 GMT");
  const Reply head = bed.ask("HEAD", bed.account + "/backups/p/b1");
  CHECK(head.status == 200);
  CHECK(head.header("content-length") == "5");
  CHECK(bed.get("/backups").text == "p/b1\np/b2\nq/b3\n");
  const Reply list = bed.get("/backups?format=json&prefix=p/&limit=1");
  REQUIRE(list.body.size() == 1);
  CHECK(list.body.items()[0]["name"].text() == "p/b1");
  CHECK(list.body.items()[0]["bytes"].int_or(0) == 5);
  CHECK(list.body.items()[0]["hash"].text() == "5d41402abc4b2a76b9719d911017c592");
  CHECK(bed.get("/backups?format=json&marker=p/b1").body.size() == 2);
  CHECK(bed.get("/backups?format=json&delimiter=/").body.items()[0]["subdir"].text() == "p/");
  CHECK(bed.get("?format=json").body.items()[0]["count"].int_or(0) == 3);
  CHECK(bed.ask("GET", bed.account + "/backups/p/b2", "", {{"Range", "bytes=1-3"}}).text == "orl");
  CHECK(bed.ask("DELETE", bed.account + "/backups").status == 409);
  CHECK(bed.ask("DELETE", bed.account + "/backups/p/b1").status == 204);
  const Reply gone = bed.ask("DELETE", bed.account + "/backups/p/b1");
  CHECK(gone.status == 404);
  CHECK(gone.text == "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>");
  CHECK_THAT(gone.header("x-trans-id"), Contains("tx"));
  CHECK(bed.put("/none/x", "y").status == 404);
  CHECK(bed.put("/backups/old", "y", {{"X-Delete-After", "60"}}).status == 201);
  bed.pass(61'000);
  CHECK(bed.get("/backups/old").status == 404);
}

TEST_CASE("a temporary URL is good for its path its method and its time") {
  SwiftBed bed;
  REQUIRE(bed.put("/backups", "").status == 201);
  REQUIRE(bed.ask("POST", bed.account, "", {{"X-Account-Meta-Temp-URL-Key", "secret"}}).status == 204);
  bed.token.clear();
  const std::string path = bed.account + "/backups/p/b1";
  const std::string expires = std::to_string(bed.clock.wall().ms / 1000 + 60);
  const auto url = [&](const EVP_MD* digest, const std::string& method, const std::string& key, const std::string& at) {
    return path + "?temp_url_sig=" + sign(digest, key, method + "\n" + at + "\n" + path) + "&temp_url_expires=" + at;
  };
  CHECK(bed.ask("PUT", url(EVP_sha256(), "PUT", "secret", expires), "data").status == 201);
  CHECK(bed.ask("GET", url(EVP_sha1(), "GET", "secret", expires)).text == "data");
  CHECK(bed.ask("HEAD", url(EVP_sha256(), "GET", "secret", expires)).status == 200);
  CHECK(bed.ask("GET", url(EVP_sha256(), "PUT", "secret", expires)).status == 401);
  CHECK(bed.ask("GET", url(EVP_sha256(), "GET", "guess", expires)).status == 401);
  CHECK(bed.ask("GET", path).status == 401);
  const std::string other = url(EVP_sha256(), "GET", "secret", expires);
  CHECK(bed.ask("GET", bed.account + "/backups/p/b2" + other.substr(path.size())).status == 401);
  const std::string prefix = bed.account + "/backups/p/";
  const std::string by_prefix = "?temp_url_prefix=p/&temp_url_expires=" + expires + "&temp_url_sig=" +
                                sign(EVP_sha256(), "secret", "GET\n" + expires + "\nprefix:" + prefix);
  CHECK(bed.ask("GET", path + by_prefix).text == "data");
  CHECK(bed.ask("GET", bed.account + "/backups/q/b1" + by_prefix).status == 401);
  const std::string put = "?temp_url_prefix=p/b1.&temp_url_expires=" + expires + "&temp_url_sig=" +
                          sign(EVP_sha256(), "secret", "PUT\n" + expires + "\nprefix:" + path + ".");
  CHECK(bed.ask("PUT", path + ".00001" + put, "more").status == 201);
  CHECK(bed.ask("PUT", path + put, "all of it").status == 401);
  CHECK(bed.ask("GET", path + ".00001" + put).status == 401);
  CHECK(bed.ask("PUT", path + ".00002" + put, "", {{"X-Object-Manifest", "backups/p/"}}).status == 400);
  bed.pass(61'000);
  CHECK(bed.ask("GET", url(EVP_sha1(), "GET", "secret", expires)).status == 401);
}

TEST_CASE("an object larger than Swift announces is refused") {
  HttpBed bed({}, {.max_file_size = 100});
  const std::string account = "/v1/AUTH_" + bed.project;
  CHECK(bed.ask("GET", "/info").body["swift"]["max_file_size"].int_or(0) == 100);
  REQUIRE(bed.ask("PUT", account + "/backups", "").status == 201);
  CHECK(bed.ask("PUT", account + "/backups/b1", std::string(100, 'x')).status == 201);
  CHECK(bed.ask("PUT", account + "/backups/b2", std::string(101, 'x')).status == 413);
  CHECK(bed.ask("GET", account + "/backups/b2").status == 404);
}

TEST_CASE("large objects are put together from their segments") {
  SwiftBed bed;
  REQUIRE(bed.put("/c", "").status == 201);
  REQUIRE(bed.put("/s", "").status == 201);
  const Reply one = bed.put("/s/big/1", "first "), two = bed.put("/s/big/2", "second");
  CHECK(bed.put("/c/dynamic", "", {{"X-Object-Manifest", "s/big/"}}).status == 201);
  CHECK(bed.get("/c/dynamic").text == "first second");
  CHECK(bed.ask("HEAD", bed.account + "/c/dynamic").header("content-length") == "12");
  const auto manifest = [&](const std::string& etag) {
    return R"([{"path":"s/big/1","etag":")" + one.header("etag") + R"(","size_bytes":6},{"path":"/s/big/2","etag":")" +
           etag + "\"}]";
  };
  const Reply wrong = bed.put("/c/static?multipart-manifest=put", manifest(std::string(32, '0')));
  CHECK(wrong.status == 400);
  CHECK_THAT(wrong.text, Contains("s/big/2, Etag Mismatch"));
  CHECK(bed.put("/c/static?multipart-manifest=put", manifest(two.header("etag"))).status == 201);
  const Reply whole = bed.get("/c/static");
  CHECK(whole.text == "first second");
  CHECK(whole.header("x-static-large-object") == "True");
  CHECK(bed.get("/c/static?multipart-manifest=get").body.size() == 2);
  CHECK(bed.get("/c?format=json&prefix=static").body.items()[0]["bytes"].int_or(0) == 12);
  REQUIRE(bed.put("/s/big/2", "other!").status == 201);
  CHECK(bed.get("/c/static").status == 409);
  CHECK(bed.ask("DELETE", bed.account + "/c/static?multipart-manifest=delete").body["Number Deleted"].int_or(0) == 3);
  CHECK(bed.get("/s").status == 204);
}
