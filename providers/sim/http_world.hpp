// What the services of the HTTP face share: a request taken apart, what lies only behind HTTP (networks, groups,
// images, objects, tokens), and the shapes of answers. Private to the face; everything is called under its lock.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>
#include "providers/http/server.hpp"
#include "providers/sim/http_face.hpp"
#include "specs/value.hpp"

namespace trove::sim {

struct Session {
  std::string user, project;  // ids
  bool admin = false;
  Time expires;
};

struct Ask {
  const http::Request& request;
  std::vector<std::string> path;  // behind the service's root and version
  Value body;                     // of a JSON request
  std::string bytes;              // of another one
  Session session;
  int minor = 0;  // of the microversion
  const std::string& at(size_t i) const {
    static const std::string none;
    return i < path.size() ? path[i] : none;
  }
  bool is(const char* method, size_t parts) const { return request.method == method && path.size() == parts; }
  std::string parameter(const std::string& name) const { return request.parameter(name); }
  bool has(const std::string& name) const { return request.query.count(name) > 0; }
  std::vector<std::string> parameters(const std::string& name) const {
    std::vector<std::string> all;
    for (auto [it, end] = request.query.equal_range(name); it != end; ++it) all.push_back(it->second);
    return all;
  }
};

struct Network {
  std::string id, name, project;
  bool shared = false, external = false;
};
struct Subnet {
  std::string id, name, project, network, cidr, gateway;
  uint32_t base = 0, size = 0;  // of the CIDR, in addresses
};
struct GroupRule {
  std::string id, group, direction, ethertype, protocol, remote_prefix, remote_group, description;
  std::optional<int64_t> low, high;
};
struct Group {
  std::string id, name, description, project;
  Time created, updated;
};
struct Floating {
  std::string id, address, network, port, project, description;
};
struct Image {
  std::string id, name, project, checksum;
  std::set<std::string> tags;
  std::map<std::string, std::string> properties;
  int64_t size = 0;
  Time created;
};
struct ServerGroup {
  std::string id, name, project, policy;
};
struct Segment {
  std::string path, etag;  // "container/object"
  int64_t bytes = 0;
};
struct Object {
  std::string data, etag, type, manifest;   // manifest: "container/prefix" of a dynamic large object
  std::vector<Segment> segments;            // of a static one
  std::map<std::string, std::string> meta;  // x-object-meta-…
  Time modified, delete_at;
};
struct Container {
  std::map<std::string, Object> objects;
  std::map<std::string, std::string> meta;
};
struct Account {
  std::map<std::string, Container> containers;
  std::map<std::string, std::string> meta;
};

struct World {
  SimCloud& cloud;
  const Clock& clock;
  Rng& rng;
  SimHttpOptions options;
  std::string base;                                  // "http://127.0.0.1:41234"
  std::map<std::string, std::string> projects = {};  // name -> id
  std::map<std::string, std::string> users = {};     // name -> id
  std::map<std::string, Session> tokens = {};
  std::map<std::string, Network> networks = {};
  std::map<std::string, Subnet> subnets = {};
  std::map<std::string, Group> groups = {};
  std::map<std::string, GroupRule> rules = {};
  std::map<std::string, Floating> floatings = {};
  std::map<std::string, Image> images = {};
  std::map<std::string, ServerGroup> server_groups = {};
  std::map<std::string, Account> accounts = {};          // by project id
  SimModel& model() { return cloud.model(); }
  void fill();  // the first user's cloud: networks, images, types
  const Group& default_group(const std::string& project);
};

http::Response keystone(World& world, Ask& ask);
http::Response nova(World& world, Ask& ask);
http::Response cinder(World& world, Ask& ask);
http::Response neutron(World& world, Ask& ask);
http::Response glance(World& world, Ask& ask);
http::Response swift(World& world, Ask& ask);

// Parts of Nova and Neutron, one file each.
http::Response nova_server(World& world, Ask& ask);  // /servers…
http::Response nova_action(World& world, Ask& ask, const std::string& id);
http::Response nova_deeds(const Ask& ask, const SimServerMore& more);
http::Response nova_attachments(World& world, Ask& ask, const std::string& id);
http::Response nova_interfaces(World& world, Ask& ask, const std::string& id);
Value nova_view(World& world, const Ask& ask, const Server& row, const SimServerMore& more, bool gone);
Value nova_hidden_view(World& world, const Ask& ask, const Server& row, const SimServerMore& more, bool detail);
http::Response neutron_ports(World& world, Ask& ask);
http::Response neutron_groups(World& world, Ask& ask);
http::Response neutron_networks(World& world, Ask& ask);

// Answers.
http::Response json(int status, const Value& value);
http::Response empty(int status);
// Nova's and Cinder's shape: {"itemNotFound": {"code": 404, "message": …}}.
http::Response fault(int status, const std::string& message);
http::Response refused(const SimRefusal& refusal);
// {"NeutronError": {"type", "message", "detail"}}.
http::Response neutron_error(int status, const std::string& type, const std::string& message);
http::Response neutron_refused(const SimRefusal& refusal);
// {"error": {"code", "message", "title"}}.
http::Response keystone_error(int status, const std::string& message);
http::Response swift_error(int status);                             // Swift's own pages
http::Response html_error(int status, const std::string& message);  // a proxy's, and Glance's
http::Response unauthorized(const World& world);                    // keystonemiddleware's
const char* title_of(int status);

// "2.93" in a header "compute 2.93": the minor version, or the refusal.
struct Microversion {
  std::string service;  // "compute"
  std::string legacy;   // "x-openstack-nova-api-version", or ""
  int major, least, most;
};
tl::expected<int, http::Response> microversion(const Ask& ask, const Microversion& known);
void say_version(http::Response& response, const Microversion& known, int minor);

// The slice of `ids` (in the list's order) that limit and marker ask for. `more` is the marker of the next page.
struct Page {
  std::vector<std::string> ids;
  std::string next;
};
enum class PageTrouble { bad_limit, bad_marker };
tl::expected<Page, PageTrouble> page_of(const Ask& ask, const std::vector<std::string>& ids, size_t most);
std::string next_url(const World& world, const Ask& ask, const std::string& marker);  // the same query, another marker

std::string seconds_text(Time t);                                // 2026-09-27T12:00:00Z
std::string micros_text(Time t);                                 // 2026-09-27T12:00:00.000000
std::vector<std::string> split(std::string_view text, char by);  // without empty parts
Value texts(const std::map<std::string, std::string>& map);
Value text_list(const std::set<std::string>& set);
bool is_true(const std::string& text);
std::string uid(World& world);  // a UUID
// Nova's id of a flavor is never its name, so that who takes the one for the other is refused.
std::string flavor_id(const std::string& name);
const Flavor* flavor_by_id(World& world, const std::string& id);
Token token_in(const std::map<std::string, std::string>& metadata, const std::string& name);

}  // namespace trove::sim
