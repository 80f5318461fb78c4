// Keystone's and Nova's shapes.
#include "http_bed.hpp"

using namespace trove;
using Catch::Contains;

TEST_CASE("Keystone gives tokens for a password and for an application credential") {
  HttpBed bed;
  const Reply mine = bed.ask("GET", "/v3/auth/tokens", "", {{"X-Subject-Token", bed.token}});
  CHECK(mine.status == 200);
  const Value& token = mine.body["token"];
  CHECK(token["user"]["name"].text() == "trove");
  CHECK(token["project"]["name"].text() == "service");
  CHECK(token["expires_at"].text() == "2026-09-27T13:00:00.000000Z");
  CHECK(token["issued_at"].text() == "2026-09-27T12:00:00.000000Z");
  CHECK(token["roles"].items()[0]["name"].text() == "admin");
  std::map<std::string, std::string> urls;
  for (const Value& service : token["catalog"].items())
    urls[service["type"].text()] = service["endpoints"].items()[0]["url"].text();
  CHECK(urls.at("compute") == bed.face->url() + "/compute/v2.1");
  CHECK(urls.at("volumev3") == bed.face->url() + "/volume/v3/" + bed.project);
  CHECK(urls.at("object-store") == bed.face->url() + "/v1/AUTH_" + bed.project);
  for (const char* type : {"identity", "network", "image"}) CHECK(urls.contains(type));
  CHECK(bed.ask("HEAD", "/v3/auth/tokens", "", {{"X-Subject-Token", bed.token}}).status == 200);

  bed.token.clear();
  const Reply made = bed.ask(
      "POST", "/v3/auth/tokens",
      R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"sim-credential","secret":"sim-secret"}}}})");
  CHECK(made.status == 201);
  CHECK(made.body["token"]["project"]["name"].text() == "service");
  bed.token = made.header("x-subject-token");
  CHECK(bed.nova("GET", "/servers").status == 200);
}

TEST_CASE("Keystone refuses in its own words") {
  HttpBed bed;
  const std::string token = bed.token;
  bed.token.clear();
  for (const std::string& body :
       {HttpBed::login_body("trove", "wrong", "service"), HttpBed::login_body("nobody", "sim", "service"),
        HttpBed::login_body("demo", "sim", "service"), HttpBed::login_body("trove", "sim", "nowhere")}) {
    const Reply refused = bed.ask("POST", "/v3/auth/tokens", body);
    CHECK(refused.status == 401);
    CHECK(refused.body["error"]["code"].int_or(0) == 401);
    CHECK(refused.body["error"]["title"].text() == "Unauthorized");
    CHECK(refused.header("x-subject-token").empty());
  }
  CHECK(bed.ask("POST", "/v3/auth/tokens", "{}").status == 400);
  CHECK(bed.ask("POST", "/v3/auth/tokens", "{").status == 400);
  bed.token = token;
  CHECK(bed.ask("GET", "/v3/auth/tokens", "", {{"X-Subject-Token", "none"}}).status == 404);
  CHECK(bed.ask("DELETE", "/v3/auth/tokens", "", {{"X-Subject-Token", token}}).status == 204);
  CHECK(bed.nova("GET", "/servers").status == 401);
}

TEST_CASE("a token ends with its time or at once and every service says 401") {
  HttpBed bed;
  const auto all_say = [&](int status) {
    for (const std::string& path : {std::string("/compute/v2.1/servers"), "/volume/v3/" + bed.project + "/volumes",
                                    std::string("/network/v2.0/ports"), std::string("/image/v2/images")}) {
      const Reply reply = bed.ask("GET", path);
      INFO(path);
      CHECK(reply.status == status);
      if (status != 401) continue;
      // Glance speaks HTML to whom has not asked for JSON.
      if (!path.starts_with("/image")) CHECK(reply.body["error"]["code"].int_or(0) == 401);
      CHECK_THAT(reply.header("www-authenticate"), Contains("Keystone uri="));
    }
  };
  all_say(200);
  bed.pass(3'599'000);
  all_say(200);
  bed.pass(2'000);
  all_say(401);
  CHECK(bed.ask("GET", "/v1/AUTH_" + bed.project).status == 401);
  bed.login("trove", "sim", "service");
  all_say(200);
  bed.face->expire_tokens();
  all_say(401);
}

TEST_CASE("every service says its versions without a token") {
  HttpBed bed;
  bed.token.clear();
  CHECK(bed.ask("GET", "/v3").body["version"]["id"].text() == "v3.14");
  CHECK(bed.ask("GET", "/").status == 300);
  const Reply nova = bed.ask("GET", "/compute/v2.1");
  CHECK(nova.body["version"]["version"].text() == "2.93");
  CHECK(nova.body["version"]["min_version"].text() == "2.1");
  CHECK(bed.ask("GET", "/compute").body["versions"].size() == 1);
  CHECK(bed.ask("GET", "/volume/v3").body["versions"].items()[0]["version"].text() == "3.70");
  CHECK(bed.ask("GET", "/network").body["versions"].items()[0]["id"].text() == "v2.0");
  CHECK(bed.ask("GET", "/image").status == 300);
  CHECK(bed.ask("GET", "/info").body["tempurl"]["allowed_digests"].size() == 3);
}

TEST_CASE("microversions are negotiated in the header") {
  HttpBed bed;
  Reply reply = bed.ask("GET", "/compute/v2.1/servers");
  CHECK(reply.header("openstack-api-version") == "compute 2.1");
  CHECK(reply.header("x-openstack-nova-api-version") == "2.1");
  CHECK_THAT(reply.header("vary"), Contains("OpenStack-API-Version"));
  CHECK_THAT(reply.header("x-compute-request-id"), Contains("req-"));
  CHECK(reply.header("x-openstack-request-id") == reply.header("x-compute-request-id"));
  CHECK(bed.nova("GET", "/servers", "", "2.79").header("openstack-api-version") == "compute 2.79");
  CHECK(bed.nova("GET", "/servers", "", "latest").header("openstack-api-version") == "compute 2.93");
  reply = bed.nova("GET", "/servers", "", "2.999");
  CHECK(reply.status == 406);
  CHECK(reply.fault() == "computeFault");
  CHECK(reply.message() == "Version 2.999 is not supported by the API. Minimum is 2.1 and maximum is 2.93.");
  CHECK(bed.nova("GET", "/servers", "", "3.1").status == 406);
  reply = bed.nova("GET", "/servers", "", "two");
  CHECK(reply.status == 400);
  CHECK(reply.fault() == "badRequest");
  CHECK(bed.ask("GET", "/compute/v2.1/servers", "", {{"X-OpenStack-Nova-API-Version", "2.60"}})
            .header("openstack-api-version") == "compute 2.60");
  const std::string cinder = "/volume/v3/" + bed.project + "/volumes";
  CHECK(bed.ask("GET", cinder).header("openstack-api-version") == "volume 3.0");
  CHECK(bed.ask("GET", cinder, "", {{"OpenStack-API-Version", "volume 3.999"}}).status == 406);
  CHECK(bed.ask("GET", cinder, "", {{"OpenStack-API-Version", "compute 2.90"}}).status == 400);
  CHECK(bed.ask("GET", cinder, "", {{"OpenStack-API-Version", "compute 2.90,volume 3.60"}})
            .header("openstack-api-version") == "volume 3.60");
}

TEST_CASE("a server is created shown and deleted as Nova does it") {
  HttpBed bed;
  const std::string port = bed.make_port(), volume = bed.make_volume();
  bed.pass(600);
  const Reply made = bed.nova(
      "POST", "/servers",
      bed.server_body(
          "db-0", port, volume,
          R"(,"metadata":{"trove:uid":"u1","trove:role":"server-0","trove:incarnation":"3"},"tags":["trove","u1"])"));
  INFO(made.text);
  REQUIRE(made.status == 202);
  const std::string id = made.body["server"]["id"].text();
  CHECK_FALSE(made.body["server"]["adminPass"].text().empty());
  CHECK(made.header("location") == bed.face->url() + "/compute/v2.1/servers/" + id);
  Value server = bed.server_view(id);
  CHECK(server["status"].text() == "BUILD");
  CHECK(server["OS-EXT-STS:task_state"].text() == "scheduling");
  CHECK(server["OS-EXT-STS:vm_state"].text() == "building");
  CHECK(bed.cinder("GET", "/volumes/" + volume).body["volume"]["status"].text() == "reserved");
  bed.pass(3'000);
  server = bed.server_view(id);
  CHECK(server["status"].text() == "ACTIVE");
  CHECK(server["OS-EXT-STS:task_state"].is_null());
  CHECK(server["created"].text() == "2026-09-27T12:00:00Z");
  CHECK(server["flavor"]["original_name"].text() == "db.tiny");
  CHECK(server["tags"].size() == 2);
  CHECK(server["metadata"]["trove:uid"].text() == "u1");
  CHECK(server["os-extended-volumes:volumes_attached"].items()[0]["id"].text() == volume);
  CHECK(server["addresses"]["sim-net"].items()[0]["addr"].text().starts_with("10.77."));
  CHECK(bed.nova("GET", "/servers/" + id, "", "2.1").body["server"]["flavor"]["id"].text() == bed.flavor("db.tiny"));
  CHECK_FALSE(bed.nova("GET", "/servers/" + id, "", "2.1").body["server"].find("tags"));
  // One model behind both faces.
  bed.face->locked([&](SimCloud& cloud) {
    CHECK(cloud.servers().at(id).token == Token{"u1", "server-0", 3});
    CHECK(cloud.servers().at(id).port_id == port);
    CHECK(cloud.servers().at(id).volume_id == volume);
  });
  const Value shown = bed.cinder("GET", "/volumes/" + volume).body["volume"];
  CHECK(shown["status"].text() == "in-use");
  CHECK(shown["attachments"].items()[0]["server_id"].text() == id);
  CHECK(bed.neutron("GET", "/ports/" + port).body["port"]["device_id"].text() == id);
  CHECK(bed.nova("DELETE", "/servers/" + id).status == 204);
  server = bed.server_view(id);
  CHECK(server["status"].text() == "ACTIVE");
  CHECK(server["OS-EXT-STS:task_state"].text() == "deleting");
  bed.pass(1'000);
  const Reply gone = bed.nova("GET", "/servers/" + id);
  CHECK(gone.status == 404);
  CHECK(gone.fault() == "itemNotFound");
  CHECK(gone.message() == "Instance " + id + " could not be found.");
  CHECK(bed.nova("DELETE", "/servers/" + id).status == 404);
  CHECK(bed.cinder("GET", "/volumes/" + volume).body["volume"]["status"].text() == "available");
}

TEST_CASE("Nova refuses servers as it does") {
  SimOptions options;
  options.max_servers = 2;
  HttpBed bed(options);
  const std::string port = bed.make_port(), volume = bed.make_volume();
  bed.pass(600);
  const std::string id = bed.nova("POST", "/servers", bed.server_body("a", port, volume)).body["server"]["id"].text();
  bed.pass(3'000);
  struct Row {
    const char* name;
    std::string body;
    int status;
    const char *fault, *words;
  };
  const std::string other = bed.make_port();
  const Row rows[] = {
      {"a volume that is taken", bed.server_body("b", other, volume), 400, "badRequest",
       "status must be available or downloading to reserve"},
      {"a port in use", bed.server_body("b", port, ""), 409, "conflictingRequest", "is still in use"},
      {"a port that is not there", bed.server_body("b", "none", ""), 400, "badRequest", "could not be found"},
      {"no name", R"({"server":{"flavorRef":"db.tiny"}})", 400, "badRequest", "'name' is a required property"},
      {"no flavor", R"({"server":{"name":"x"}})", 400, "badRequest", "'flavorRef' is a required property"},
      {"an unknown flavor",
       R"({"server":{"name":"x","flavorRef":"none","imageRef":")" + bed.image() + R"(","networks":"none"}})", 400,
       "badRequest", "Flavor none could not be found."},
      {"an unknown image",
       R"({"server":{"name":"x","flavorRef":")" + bed.flavor("db.tiny") + R"(","imageRef":"none","networks":"none"}})",
       400, "badRequest", "Image none could not be found."},
      {"a long tag", bed.server_body("b", other, "", ",\"tags\":[\"" + std::string(61, 't') + "\"]"), 400, "badRequest",
       "tags"},
      {"metadata that is too long",
       bed.server_body("b", other, "", ",\"metadata\":{\"k\":\"" + std::string(256, 'v') + "\"}"), 400, "badRequest",
       "Invalid input for field/attribute k"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Reply reply = bed.nova("POST", "/servers", row.body);
    CHECK(reply.status == row.status);
    CHECK(reply.fault() == row.fault);
    CHECK_THAT(reply.message(), Contains(row.words));
  }
  const Reply untagged = bed.nova("POST", "/servers", bed.server_body("b", other, "", R"(,"tags":["x"])"), "2.51");
  CHECK(untagged.status == 400);
  CHECK_THAT(untagged.message(), Contains("'tags' was unexpected"));
  REQUIRE(bed.nova("POST", "/servers", bed.server_body("b", other, "")).status == 202);
  const Reply full = bed.nova("POST", "/servers", bed.server_body("c", bed.make_port(), ""));
  CHECK(full.status == 403);
  CHECK(full.fault() == "forbidden");
  CHECK(full.message() == "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances");
}

TEST_CASE("lists of servers come newest first in pages and a marker that vanished is a 400") {
  HttpBed bed;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.insert(ids.begin(), bed.make_server("db-" + std::to_string(i)));
    bed.pass(1'000);
  }
  std::vector<std::string> seen;
  std::string path = "/compute/v2.1/servers/detail?limit=2";
  for (int pages = 0; !path.empty() && pages < 10; ++pages) {
    const Reply page = bed.ask("GET", path);
    REQUIRE(page.status == 200);
    for (const Value& server : page.body["servers"].items()) seen.push_back(server["id"].text());
    path.clear();
    for (const Value& link : page.body["servers_links"].items())
      if (link["rel"].text() == "next") path = link["href"].text().substr(bed.face->url().size());
  }
  CHECK(seen == ids);
  CHECK(bed.nova("GET", "/servers?limit=0").body["servers"].size() == 0);
  CHECK(bed.nova("GET", "/servers").body["servers"].size() == 5);
  CHECK_FALSE(bed.nova("GET", "/servers").body.find("servers_links"));
  CHECK(bed.nova("GET", "/servers?limit=-1").status == 400);
  CHECK(bed.nova("GET", "/servers?limit=x").status == 400);
  REQUIRE(bed.nova("DELETE", "/servers/" + ids[1]).status == 204);
  bed.pass(2'000);
  const Reply vanished = bed.nova("GET", "/servers/detail?limit=2&marker=" + ids[1]);
  CHECK(vanished.status == 400);
  CHECK(vanished.fault() == "badRequest");
  CHECK(vanished.message() == "marker [" + ids[1] + "] not found");
  bed.cloud.options().page = 3;
  const Reply whole = bed.nova("GET", "/servers");
  CHECK(whole.body["servers"].size() == 3);
  CHECK(whole.body["servers_links"].size() == 1);
}

TEST_CASE("servers are found by tags metadata and what changed") {
  HttpBed bed;
  const std::string a = bed.make_server("a", R"(,"tags":["trove","u1"],"metadata":{"trove:uid":"u1"})");
  const std::string b = bed.make_server("b", R"(,"tags":["trove"],"metadata":{"trove:uid":"u2"})");
  bed.pass(10'000);
  const auto ids = [&](const std::string& query) {
    const Reply reply = bed.nova("GET", "/servers/detail?" + query);
    INFO(reply.text);
    CHECK(reply.status == 200);
    std::set<std::string> set;
    for (const Value& server : reply.body["servers"].items()) set.insert(server["id"].text());
    return set;
  };
  using Ids = std::set<std::string>;
  CHECK(ids("tags=trove") == Ids{a, b});
  CHECK(ids("tags=trove,u1") == Ids{a});
  CHECK(ids("tags-any=u1,none") == Ids{a});
  CHECK(ids("not-tags=u1") == Ids{b});
  CHECK(ids("metadata=%7B%22trove:uid%22:%22u2%22%7D") == Ids{b});
  CHECK(ids("name=a") == Ids{a});
  CHECK(ids("status=ACTIVE") == Ids{a, b});
  CHECK(ids("status=ERROR").empty());
  CHECK(ids("changes-since=2026-09-27T12:00:05Z").empty());
  REQUIRE(bed.nova("DELETE", "/servers/" + b).status == 204);
  bed.pass(2'000);
  CHECK(ids("tags=trove") == Ids{a});
  CHECK(ids("changes-since=2026-09-27T12:00:05Z") == Ids{b});
  CHECK(ids("deleted=true") == Ids{b});
  CHECK(bed.nova("GET", "/servers/detail?deleted=true").body["servers"].items()[0]["status"].text() == "DELETED");
  CHECK(bed.nova("GET", "/servers?changes-since=yesterday").status == 400);
  // Tags by their own resource.
  CHECK(bed.nova("PUT", "/servers/" + a + "/tags", R"({"tags":["x"]})").body["tags"].size() == 1);
  CHECK(bed.nova("PUT", "/servers/" + a + "/tags/y").status == 201);
  CHECK(ids("tags=x,y") == Ids{a});
  CHECK(bed.nova("POST", "/servers/" + a + "/metadata", R"({"metadata":{"n":"1"}})").body["metadata"].size() == 2);
}

TEST_CASE("actions on servers answer as Nova does") {
  HttpBed bed;
  const std::string id = bed.make_server();
  const auto act = [&](const std::string& body) { return bed.nova("POST", "/servers/" + id + "/action", body); };
  const auto status = [&] { return bed.server_view(id)["status"].text(); };
  const auto resize = [&](const std::string& to) { return R"({"resize":{"flavorRef":")" + bed.flavor(to) + R"("}})"; };
  Reply busy = act(resize("db.small"));
  CHECK(busy.status == 409);
  CHECK(busy.fault() == "conflictingRequest");
  CHECK(busy.message() == "Cannot 'resize' instance " + id + " while it is in vm_state building");
  bed.pass(5'000);
  CHECK(act(R"({"os-stop":null})").status == 202);
  bed.pass(1'000);
  CHECK(status() == "SHUTOFF");
  CHECK(act(R"({"os-stop":null})").status == 409);
  CHECK(act(R"({"os-start":null})").status == 202);
  bed.pass(1'000);
  CHECK(status() == "ACTIVE");
  CHECK(act(R"({"reboot":{"type":"HARD"}})").status == 202);
  CHECK(status() == "REBOOT");
  bed.pass(1'000);
  CHECK(act(R"({"reboot":{}})").status == 400);
  CHECK(act(resize("db.tiny")).status == 400);
  CHECK(act(resize("db.small")).status == 202);
  CHECK(status() == "RESIZE");
  CHECK(act(R"({"confirmResize":null})").status == 409);
  bed.pass(3'000);
  CHECK(status() == "VERIFY_RESIZE");
  CHECK(act(R"({"revertResize":null})").status == 202);
  bed.pass(1'000);
  CHECK(bed.server_view(id)["flavor"]["original_name"].text() == "db.tiny");
  CHECK(act(resize("db.small")).status == 202);
  bed.pass(3'000);
  CHECK(act(R"({"confirmResize":null})").status == 204);
  bed.pass(1'000);
  CHECK(bed.server_view(id)["flavor"]["original_name"].text() == "db.small");
  CHECK(act(R"({"rebuild":{"imageRef":")" + bed.image() + R"("}})").status == 202);
  CHECK(bed.server_view(id)["OS-EXT-STS:task_state"].text() == "rebuilding");
  bed.pass(5'000);
  CHECK(status() == "ACTIVE");
  const Reply unknown = act(R"({"dance":null})");
  CHECK(unknown.status == 400);
  CHECK(unknown.message() == "There is no such action: dance");
  bed.face->locked([&](SimCloud& cloud) { cloud.break_server(id, "the host burns"); });
  CHECK(bed.server_view(id)["fault"]["message"].text() == "the host burns");
  CHECK(bed.nova("POST", "/servers/none/action", R"({"os-start":null})").status == 404);
}

TEST_CASE("Nova keeps a record of who did what to a server, newest first") {
  HttpBed bed(SimOptions::instant());
  const std::string id = bed.make_server();
  REQUIRE(bed.nova("POST", "/servers/" + id + "/action", R"({"os-stop":null})").status == 202);
  const Reply old = bed.nova("GET", "/servers/" + id + "/os-instance-actions", "", "2.57");
  const Reply reply = bed.nova("GET", "/servers/" + id + "/os-instance-actions");
  REQUIRE(reply.status == 200);
  const auto& deeds = reply.body["instanceActions"].items();
  REQUIRE(deeds.size() == 2);
  CHECK(deeds[0]["action"].text() == "stop");
  CHECK(deeds[1]["action"].text() == "create");
  CHECK(deeds[0]["instance_uuid"].text() == id);
  CHECK(deeds[0]["project_id"].text() == bed.project);
  CHECK_FALSE(deeds[0]["user_id"].text().empty());
  CHECK(deeds[0]["request_id"].text().starts_with("req-"));
  CHECK(deeds[0]["start_time"].text().ends_with(".000000"));
  CHECK(deeds[0]["updated_at"].is_string());
  CHECK(old.body["instanceActions"].items()[0]["updated_at"].is_null());  // from 2.58 on
  CHECK(bed.nova("GET", "/servers/nobody/os-instance-actions").status == 404);
}

TEST_CASE("volumes are attached and detached through Nova") {
  HttpBed bed;
  const std::string id = bed.make_server(), volume = bed.make_volume();
  bed.pass(5'000);
  const std::string path = "/servers/" + id + "/os-volume_attachments";
  const std::string body = R"({"volumeAttachment":{"volumeId":")" + volume + "\"}}";
  Reply reply = bed.nova("POST", path, body);
  CHECK(reply.status == 200);
  CHECK(reply.body["volumeAttachment"]["device"].text() == "/dev/vdb");
  CHECK_FALSE(reply.body["volumeAttachment"]["attachment_id"].text().empty());
  CHECK(bed.nova("GET", path, "", "2.1").body["volumeAttachments"].items()[0]["id"].text() == volume);
  CHECK(bed.nova("POST", path, body).status == 400);
  bed.pass(1'000);
  CHECK(bed.nova("GET", path + "/" + volume).status == 200);
  CHECK(bed.nova("DELETE", path + "/" + volume).status == 202);
  bed.pass(1'000);
  CHECK(bed.nova("GET", path + "/" + volume).status == 404);
  CHECK(bed.nova("DELETE", path + "/" + volume).status == 404);
  CHECK(bed.cinder("GET", "/volumes/" + volume).body["volume"]["status"].text() == "available");
  CHECK(bed.nova("POST", path, R"({"volumeAttachment":{"volumeId":"none"}})").status == 404);
}

TEST_CASE("a network in place of a port gets a port that goes with the server") {
  HttpBed bed;
  const Reply made = bed.nova("POST", "/servers",
                              R"({"server":{"name":"x","flavorRef":")" + bed.flavor("db.tiny") + R"(","imageRef":")" +
                                  bed.image() + R"(","networks":[{"uuid":")" + bed.network() + "\"}]}}");
  REQUIRE(made.status == 202);
  const std::string id = made.body["server"]["id"].text();
  bed.pass(5'000);
  const Reply ports = bed.neutron("GET", "/ports?device_id=" + id);
  CHECK(ports.body["ports"].size() == 1);
  CHECK(bed.nova("GET", "/servers/" + id + "/os-interface").body["interfaceAttachments"].size() == 1);
  REQUIRE(bed.nova("DELETE", "/servers/" + id).status == 204);
  bed.pass(5'000);
  CHECK(bed.neutron("GET", "/ports").body["ports"].size() == 0);
}

TEST_CASE("a down cell hides servers from lists and shows them as UNKNOWN from 2.69 on") {
  HttpBed bed;
  const std::string id = bed.make_server("a", R"(,"tags":["trove"])");
  bed.pass(5'000);
  bed.face->locked([](SimCloud& cloud) { cloud.hide_servers(true); });
  CHECK(bed.nova("GET", "/servers/detail", "", "2.68").body["servers"].size() == 0);
  const Reply partial = bed.nova("GET", "/servers/detail", "", "2.69");
  REQUIRE(partial.body["servers"].size() == 1);
  CHECK(partial.body["servers"].items()[0]["status"].text() == "UNKNOWN");
  CHECK_FALSE(partial.body["servers"].items()[0].find("name"));
  for (const char* query : {"?tags=trove", "?limit=10", "?name=a"})
    CHECK(bed.nova("GET", std::string("/servers/detail") + query).body["servers"].size() == 0);
  CHECK(bed.nova("GET", "/servers/detail?marker=" + id).status == 500);
  CHECK(bed.nova("GET", "/servers/" + id).body["server"]["status"].text() == "UNKNOWN");
  CHECK(bed.nova("GET", "/servers/" + id, "", "2.60").status == 500);
  CHECK(bed.nova("DELETE", "/servers/" + id).status == 500);
  CHECK(bed.nova("GET", "/servers/none").status == 404);
  bed.face->locked([](SimCloud& cloud) { cloud.hide_servers(false); });
  CHECK(bed.nova("GET", "/servers/detail").body["servers"].size() == 1);
}

TEST_CASE("another project sees nothing of ours") {
  HttpBed bed;
  const std::string id = bed.make_server(), volume = bed.make_volume(), port = bed.make_port();
  bed.login("demo", "sim", "demo");
  CHECK(bed.nova("GET", "/servers").body["servers"].size() == 0);
  CHECK(bed.nova("GET", "/servers/" + id).status == 404);
  CHECK(bed.nova("DELETE", "/servers/" + id).status == 404);
  CHECK(bed.nova("GET", "/servers?all_tenants=1").status == 403);
  CHECK(bed.cinder("GET", "/volumes/" + volume).status == 404);
  CHECK(bed.cinder("GET", "/volumes/detail?all_tenants=1").body["volumes"].size() == 0);
  CHECK(bed.neutron("GET", "/ports/" + port).status == 404);
  CHECK(bed.neutron("GET", "/ports").body["ports"].size() == 0);
  CHECK(bed.neutron("GET", "/networks").body["networks"].size() == 2);
  bed.login("trove", "sim", "service");
  CHECK(bed.nova("GET", "/servers?all_tenants=1").body["servers"].size() == 1);
}

TEST_CASE("flavors groups and limits") {
  SimOptions options;
  options.max_servers = 7;
  HttpBed bed(options);
  const Reply flavors = bed.nova("GET", "/flavors/detail");
  CHECK(flavors.body["flavors"].size() == 3);
  CHECK(flavors.body["flavors"].items()[1]["ram"].int_or(0) == 512);
  CHECK(flavors.body["flavors"].items()[1].find("extra_specs"));
  CHECK(bed.nova("GET", "/flavors?limit=2").body["flavors_links"].size() == 1);
  CHECK(bed.nova("GET", "/flavors/none").status == 404);
  CHECK(bed.nova("GET", "/limits").body["limits"]["absolute"]["maxTotalInstances"].int_or(0) == 7);
  const Reply group =
      bed.nova("POST", "/os-server-groups", R"({"server_group":{"name":"g","policy":"anti-affinity"}})");
  CHECK(group.status == 200);
  const std::string id = group.body["server_group"]["id"].text();
  CHECK(bed.nova("POST", "/os-server-groups", R"({"server_group":{"name":"g","policies":["anti-affinity"]}})", "2.60")
            .status == 200);
  CHECK(bed.nova("POST", "/os-server-groups", R"({"server_group":{"name":"g","policy":"never"}})").status == 400);
  CHECK(bed.nova("GET", "/os-server-groups").body["server_groups"].size() == 3);
  CHECK(bed.nova("DELETE", "/os-server-groups/" + id).status == 204);
  CHECK(bed.nova("DELETE", "/os-server-groups/" + id).status == 404);
}
