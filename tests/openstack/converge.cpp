// What users do to databases, with troved killed all the while and services taken away, over a cloud that answers as
// OpenStack does. At the end each thing exists once, nothing is left over, and what is not ours is as it was.
#include <catch2/catch.hpp>
#include <set>
#include "openstack/fleet.hpp"
#include "specs/json.hpp"

using namespace trove;
using openstack::Service;

namespace {

constexpr int kInstances = 20;

struct Want {
  std::string name, datastore, flavor;
  int64_t gib = 0;  // 0 = no volume
  std::string cidr = "10.0.0.0/8";
};

std::vector<Want> twenty() {
  std::vector<Want> out;
  const char* engines[] = {"mariadb", "postgresql", "redis", "memcached"};
  for (int i = 0; i < kInstances; ++i) {
    const std::string engine = engines[i % 4];
    out.push_back({"db-" + std::to_string(i), engine, "db.nano", i % 4 < 2 || i % 8 == 2 ? 1 : 0});
  }
  return out;
}

std::string yaml_of(const std::vector<Want>& wants) {
  std::string out;
  for (const Want& want : wants) {
    out += "---\napiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: " + want.name + "}\nspec:\n";
    out += "  datastore: {type: " + want.datastore + "}\n  flavor: " + want.flavor + "\n";
    if (want.gib > 0) out += "  volume: {size: " + std::to_string(want.gib) + "}\n";
    out += "  access: {allowedCidrs: [" + want.cidr + "]}\n  maintenance: {disruptiveChanges: Immediate}\n";
    out += "  deletionPolicy: Delete\n";
  }
  return out;
}

// All things of the project that are none of `uids`, as text: what must not change.
std::string others(Fleet& fleet, const std::set<std::string>& uids) {
  std::set<std::string> lines;
  const auto note = [&](const char* what, const Value& thing, std::initializer_list<const char*> fields) {
    for (const std::string& uid : uids)
      if (dump_json(thing).find(uid) != std::string::npos) return;
    std::string line = what;
    for (const char* field : fields) line += " " + dump_json(thing[field]);
    lines.insert(line + "\n");
  };
  for (const Value& v : fleet.servers()) note("server", v, {"id", "name", "status", "metadata", "flavor"});
  for (const Value& v : fleet.volumes()) note("volume", v, {"id", "name", "status", "size", "metadata"});
  for (const Value& v : fleet.ports())
    note("port", v, {"id", "name", "description", "device_id", "fixed_ips", "security_groups"});
  for (const Value& v : fleet.groups()) note("group", v, {"id", "name", "description", "security_group_rules"});
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

// Things of other people that look like ours: our names, half of our marks.
void plant_look_alikes(Fleet& fleet) {
  fleet.plant(Service::volume, "/volumes", "volume",
              Value::map({{"size", 1}, {"name", "db-0-data"}, {"metadata", Value::map({{"trove:uid", "mine"}})}}));
  fleet.plant(Service::network, "/ports", "port",
              Value::map({{"network_id", fleet.network_id()}, {"name", "db-0-0"}, {"description", "trove-of-another-kind"}}));
  fleet.plant(Service::network, "/security-groups", "security_group",
              Value::map({{"name", "db-0"}, {"description", "trove"}}));
  REQUIRE(eventually(
      [&] {
        for (const Value& volume : fleet.volumes())
          if (volume["name"].text() == "db-0-data" && volume["status"].text() != "available") return false;
        return true;
      },
      Millis{60'000}));
}

std::map<std::string, std::string> uids_of(Fleet& fleet, const std::vector<Want>& wants) {
  std::map<std::string, std::string> out;
  for (const Want& want : wants) out[want.name] = fleet.control().field("inst/" + want.name, "{.metadata.uid}");
  return out;
}

// Each instance has one server, one port with its address, one volume if any, as wanted; "" or what is wrong.
std::string wrong_with(Fleet& fleet, const std::vector<Want>& wants, const std::map<std::string, std::string>& uids) {
  std::string out;
  const auto say = [&](const std::string& text) { out += text + "\n"; };
  const auto servers = fleet.servers(), volumes = fleet.volumes(), ports = fleet.ports();
  std::map<std::string, Value> groups;
  for (const Value& group : fleet.groups()) groups[group["id"].text()] = group;
  for (const Want& want : wants) {
    const std::string& uid = uids.at(want.name);
    std::vector<Value> mine;
    for (const Value& server : servers)
      if (server["metadata"]["trove:uid"].text() == uid) mine.push_back(server);
    if (mine.size() != 1) {
      say(want.name + ": " + std::to_string(mine.size()) + " servers");
      continue;
    }
    const Value& server = mine.front();
    if (server["status"].text() != "ACTIVE") say(want.name + " is " + server["status"].text());
    if (server["flavor"]["original_name"].text() != want.flavor)
      say(want.name + " has flavor " + server["flavor"]["original_name"].text());
    const auto attached = server["os-extended-volumes:volumes_attached"].items();
    if (attached.size() != (want.gib > 0 ? 1u : 0u)) say(want.name + ": " + std::to_string(attached.size()) + " volumes");
    for (const Value& volume : volumes)
      if (!attached.empty() && volume["id"].text() == attached.front()["id"].text()) {
        if (volume["size"].int_or(0) != want.gib) say(want.name + ": " + std::to_string(volume["size"].int_or(0)) + " GiB");
        if (volume["status"].text() != "in-use") say(want.name + ": its volume is " + volume["status"].text());
      }
    int found = 0;
    for (const Value& port : ports) {
      if (port["description"].text().find(uid) == std::string::npos) continue;
      ++found;
      if (port["device_id"].text() != server["id"].text()) say(want.name + ": its port is elsewhere");
      if (port["security_groups"].items().size() != 1) {
        say(want.name + ": not one security group");
        continue;
      }
      std::set<std::string> open;
      for (const Value& rule : groups[port["security_groups"].items().front().text()]["security_group_rules"].items())
        if (rule["direction"].text() == "ingress") open.insert(rule["remote_ip_prefix"].text());
      if (open != std::set<std::string>{want.cidr}) say(want.name + ": its security group lets others in");
    }
    if (found != 1) say(want.name + ": " + std::to_string(found) + " ports");
  }
  return out;
}

}  // namespace

TEST_CASE("twenty databases are made, changed and deleted while troved is killed again and again", "[openstack]") {
  Fleet fleet;
  // Of the real cloud at least 50 in all; the simulated one is for every day.
  const int kills = fleet.is_real() ? 20 : 6;
  plant_look_alikes(fleet);
  const std::string foreign = others(fleet, {});
  auto wants = twenty();

  fleet.persist({"apply", "-f", "-"}, yaml_of(wants));
  fleet.kill_again_and_again(kills);
  CHECK(fleet.settle(yaml_of(wants)) == "");
  const auto uids = uids_of(fleet, wants);
  std::set<std::string> marks;
  for (const auto& [name, uid] : uids) marks.insert(uid);
  const Value volumes = *parse_json(fleet.control().must({"get", "volumes", "-o", "json"}));
  for (const Value& volume : volumes["items"].items()) marks.insert(volume["metadata"]["uid"].text());
  REQUIRE_FALSE(marks.contains(""));
  CHECK(wrong_with(fleet, wants, uids) == "");
  CHECK(others(fleet, marks) == foreign);
  CHECK(fleet.servers().size() == wants.size());
  std::map<std::string, std::string> servers;
  for (const Value& server : fleet.servers()) servers[server["metadata"]["trove:uid"].text()] = server["id"].text();

  for (size_t i = 0; i < wants.size(); ++i) {
    if (wants[i].gib > 0 && i % 2 == 0) wants[i].gib = 2;
    if (i % 3 == 0) wants[i].flavor = "db.tiny";
    if (i % 5 == 0) wants[i].cidr = "192.168.0.0/16";
  }
  fleet.persist({"apply", "-f", "-"}, yaml_of(wants));
  fleet.kill_again_and_again(kills);
  CHECK(fleet.settle(yaml_of(wants)) == "");
  CHECK(wrong_with(fleet, wants, uids) == "");
  CHECK(others(fleet, marks) == foreign);
  for (const Value& server : fleet.servers())  // grown and resized in place
    CHECK(servers[server["metadata"]["trove:uid"].text()] == server["id"].text());

  fleet.persist({"delete", "-f", "-", "--yes"}, yaml_of(wants));
  fleet.kill_again_and_again(kills / 2);
  const auto all_gone = [&] {
    return trimmed(fleet.control().ctl({"get", "databaseinstances,volumes", "-o", "name"}).out).empty() &&
           others(fleet, {}) == foreign;
  };
  CHECK(eventually(all_gone, Millis{240'000}));
  CHECK(others(fleet, {}) == foreign);
}

TEST_CASE("a server that is lost or broken is replaced, with the same volume and address", "[openstack]") {
  Fleet fleet;
  std::vector<Want> wants = {{"orders", "mariadb", "db.nano", 1}};
  const std::string database = "---\napiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: shop}\n"
                               "spec: {instanceRef: {name: orders}, deletionPolicy: Delete}\n";
  fleet.control().apply(yaml_of(wants) + database);
  REQUIRE(fleet.settle(yaml_of(wants) + database) == "");
  const auto uids = uids_of(fleet, wants);
  const std::string address = fleet.control().address("orders");
  std::string server, volume;
  const auto look = [&] {
    server = volume = "";
    for (const Value& row : fleet.servers())
      if (row["metadata"]["trove:uid"].text() == uids.at("orders")) {
        server = row["id"].text();
        const Value& held = row["os-extended-volumes:volumes_attached"];
        volume = held.items().size() == 1 ? held.items().front()["id"].text() : "";
      }
  };
  look();
  const std::string first_volume = volume;
  REQUIRE_FALSE(first_volume.empty());
  for (const char* how : {"deleted behind our back", "in ERROR"}) {
    INFO(how);
    const std::string before = server;
    if (std::string(how) == "in ERROR")
      fleet.break_server(server);
    else
      fleet.ask(Service::compute, "DELETE", "/servers/" + server);
    REQUIRE(eventually([&] { return look(), !server.empty() && server != before; }, Millis{120'000}));
    REQUIRE(eventually([&] { return wrong_with(fleet, wants, uids).empty(); }, Millis{120'000}));
    CHECK(fleet.settle(yaml_of(wants) + database) == "");
    look();
    CHECK(volume == first_volume);
    fleet.control().forget_address("orders");
    CHECK(fleet.control().address("orders") == address);
  }
  fleet.control().must({"delete", "-f", "-", "--yes", "--wait"}, yaml_of(wants));
  CHECK(eventually([&] { return fleet.servers().empty(); }, Millis{60'000}));
}

TEST_CASE("a service that is away is waited for by name, and then things go on", "[openstack]") {
  Fleet fleet;
  std::vector<Want> wants = {{"orders", "mariadb", "db.nano", 1}};
  fleet.control().apply(yaml_of(wants));
  REQUIRE(fleet.settle(yaml_of(wants)) == "");
  const auto uids = uids_of(fleet, wants);
  const struct {
    const char *service, *words;
    std::function<void(Want&)> change;
  } outages[] = {
      {"nova-api", "nova", [](Want& want) { want.flavor = "db.tiny"; }},
      {"cinder-api", "cinder", [](Want& want) { want.gib = 2; }},
      {"neutron-server", "neutron", [](Want& want) { want.cidr = "192.168.0.0/16"; }},
      {"keystone", "keystone", [](Want& want) { want.gib = 3; }},
  };
  for (const auto& outage : outages) {
    INFO(outage.service);
    fleet.service(outage.service, false);
    outage.change(wants.front());
    fleet.persist({"apply", "-f", "-"}, yaml_of(wants));
    std::string why;
    CHECK(eventually(
        [&] {
          why = fleet.control().ctl({"why", "inst/orders"}).out + fleet.control().ctl({"why", "vol/orders-data"}).out;
          // Services remember tokens that they have seen: without Keystone they may well go on.
          return why.find(outage.words) != std::string::npos ||
                 (std::string(outage.service) == "keystone" && wrong_with(fleet, wants, uids).empty());
        },
        Millis{60'000}));
    INFO(why);
    fleet.service(outage.service, true);
    CHECK(fleet.settle(yaml_of(wants)) == "");
    CHECK(wrong_with(fleet, wants, uids) == "");
  }
  fleet.control().must({"delete", "-f", "-", "--yes", "--wait"}, yaml_of(wants));
  CHECK(eventually([&] { return fleet.servers().empty(); }, Millis{60'000}));
}
