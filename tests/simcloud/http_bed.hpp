// The simulated cloud behind HTTP, a client, and a token of the first user.
#pragma once
#include <memory>
#include "bed.hpp"
#include "providers/http/client.hpp"
#include "providers/sim/http_face.hpp"
#include "specs/json.hpp"

namespace trove {

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;
  std::string text;
  Value body;
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
  // {"itemNotFound": {"code": 404, …}}: "itemNotFound".
  std::string fault() const { return body.members().empty() ? "" : body.members()[0].key; }
  std::string message() const { return body.members().empty() ? "" : body.members()[0].value["message"].text(); }
};

struct HttpBed : SimBed {
  explicit HttpBed(SimOptions options = {}, SimHttpOptions http = {}, uint64_t seed = 1)
      : SimBed(std::move(options), seed) {
    auto started = SimHttp::start(cloud, clock, rng, std::move(http));
    REQUIRE(started);
    face = std::move(*started);
    client = *http::Client::make({.base_url = face->url()});
    login("trove", "sim", "service");
  }
  ~HttpBed() {
    client.reset();
    face->stop();
  }
  using Headers = std::vector<std::pair<std::string, std::string>>;
  Result<http::Answer> raw(http::Call call) { return client->call(call); }
  Reply ask(const std::string& method, const std::string& path, const std::string& body = "", Headers headers = {}) {
    if (!token.empty()) headers.emplace_back("X-Auth-Token", token);
    http::Call call;
    call.method = method;
    call.path = path;
    call.body = body;
    call.headers = std::move(headers);
    const auto answer = client->call(call);
    INFO(method << " " << path << " " << body);
    if (!answer) FAIL(answer.error().message);
    Reply reply{answer->status, answer->headers, answer->body, {}};
    if (auto json = parse_json(answer->body)) reply.body = std::move(*json);
    return reply;
  }
  Reply nova(const std::string& method, const std::string& path, const std::string& body = "",
             const std::string& version = "2.90") {
    return ask(method, "/compute/v2.1" + path, body, {{"OpenStack-API-Version", "compute " + version}});
  }
  Reply cinder(const std::string& method, const std::string& path, const std::string& body = "") {
    return ask(method, "/volume/v3/" + project + path, body, {{"OpenStack-API-Version", "volume 3.59"}});
  }
  Reply neutron(const std::string& method, const std::string& path, const std::string& body = "") {
    return ask(method, "/network/v2.0" + path, body);
  }
  static std::string login_body(const std::string& user, const std::string& password, const std::string& in) {
    return R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":")" + user +
           R"(","domain":{"name":"Default"},"password":")" + password + R"("}}},"scope":{"project":{"name":")" + in +
           R"(","domain":{"id":"default"}}}}})";
  }
  void login(const std::string& user, const std::string& password, const std::string& in) {
    token.clear();
    const Reply reply = ask("POST", "/v3/auth/tokens", login_body(user, password, in));
    REQUIRE(reply.status == 201);
    token = reply.header("x-subject-token");
    project = reply.body["token"]["project"]["id"].text();
  }
  std::string network() { return neutron("GET", "/networks?name=sim-net").body["networks"].items()[0]["id"].text(); }
  std::string image() { return ask("GET", "/image/v2/images?tag=trove").body["images"].items()[0]["id"].text(); }
  std::string flavor(const std::string& name) {
    const Reply all = nova("GET", "/flavors");
    for (const Value& one : all.body["flavors"].items())
      if (one["name"].text() == name) return one["id"].text();
    return "";
  }
  std::string make_port(const std::string& more = "") {
    const Reply made = neutron("POST", "/ports", R"({"port":{"network_id":")" + network() + "\"" + more + "}}");
    REQUIRE(made.status == 201);
    return made.body["port"]["id"].text();
  }
  std::string make_volume(int gib = 1, const std::string& more = "") {
    const Reply made = cinder("POST", "/volumes", R"({"volume":{"size":)" + std::to_string(gib) + more + "}}");
    REQUIRE(made.status == 202);
    return made.body["volume"]["id"].text();
  }
  std::string server_body(const std::string& name, const std::string& port, const std::string& volume,
                          const std::string& more = "") {
    return R"({"server":{"name":")" + name + R"(","flavorRef":")" + flavor("db.tiny") + R"(","imageRef":")" + image() +
           R"(","networks":[{"port":")" + port + "\"}]" +
           (volume.empty()
                ? ""
                : R"(,"block_device_mapping_v2":[{"source_type":"volume","destination_type":"volume","uuid":")" +
                      volume + "\"}]") +
           more + "}}";
  }
  std::string make_server(const std::string& name = "db", const std::string& more = "") {
    const Reply made = nova("POST", "/servers", server_body(name, make_port(), "", more));
    INFO(made.text);
    REQUIRE(made.status == 202);
    return made.body["server"]["id"].text();
  }
  Value server_view(const std::string& id) { return nova("GET", "/servers/" + id).body["server"]; }

  std::unique_ptr<SimHttp> face;
  std::unique_ptr<http::Client> client;
  std::string token, project;
};

}  // namespace trove
