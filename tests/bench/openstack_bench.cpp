// What troved costs an OpenStack cloud: requests for a create, requests at rest, memory. Over trove-sim-cloud, whose
// answers are OpenStack's; under tests/openstack/exec with TROVE_RIG_SERVICE set, over a real one.
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <sstream>
#include "openstack/fleet.hpp"
#include "providers/http/client.hpp"

using namespace trove;

namespace {

std::string yaml_of(int first, int count) {
  std::string out;
  for (int i = first; i < first + count; ++i)
    out += "---\napiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: db-" + std::to_string(i) +
           "}\nspec: {datastore: {type: mariadb}, flavor: db.nano, volume: {size: 1}, deletionPolicy: Delete}\n";
  return out;
}

std::map<std::string, int64_t> figures(Fleet& fleet) {
  const std::string data = fleet.control().data();
  auto client = *http::Client::make({.base_url = trimmed(read_file(data + "/endpoint")),
                                     .bearer_token = trimmed(read_file(data + "/token"))});
  auto answer = client->call({.path = "/metrics"});
  if (!answer || answer->status != 200) throw std::runtime_error("no figures");
  std::map<std::string, int64_t> out;
  std::istringstream lines(answer->body);
  for (std::string line; std::getline(lines, line);)
    if (const size_t space = line.rfind(' '); !line.starts_with('#') && space != std::string::npos)
      out[line.substr(0, space)] = std::stoll(line.substr(space + 1));
  return out;
}

struct Asked {
  std::map<std::string, int64_t> posts;  // by service
  int64_t gets = 0, all = 0;
};
Asked asked(const std::map<std::string, int64_t>& before, const std::map<std::string, int64_t>& after) {
  Asked out;
  for (const auto& [name, count] : after) {
    if (!name.starts_with("trove_cloud_requests_total{service=\"")) continue;
    const auto was = before.find(name);
    const int64_t more = count - (was == before.end() ? 0 : was->second);
    const size_t begin = name.find('"') + 1;
    const std::string service = name.substr(begin, name.find('"', begin) - begin);
    out.all += more;
    if (name.find("\"GET\"") != std::string::npos) out.gets += more;
    if (name.find("\"POST\"") != std::string::npos) out.posts[service] += more;
  }
  return out;
}

void row(const char* name, double value, const char* unit, double target, const std::string& note) {
  std::printf("{\"row\":\"%s\",\"value\":%.1f,\"unit\":\"%s\",\"target\":%.0f,\"met\":%s,\"note\":\"%s\"}\n", name, value, unit,
              target, value <= target ? "true" : "false", note.c_str());
  std::fflush(stdout);
}

void create(Fleet& fleet, int first, int count, const char* name) {
  const auto before = figures(fleet);
  fleet.control().apply(yaml_of(first, count));
  if (const std::string why = fleet.settle(yaml_of(first, count), 600); !why.empty()) throw std::runtime_error(why);
  Asked all = asked(before, figures(fleet));
  const double n = count;
  char note[256];
  std::snprintf(note, sizeof note,
                "of %d at once, each: POSTs nova %.2f, cinder %.2f, neutron %.2f, keystone %.2f; GETs, all lists: %.2f", count,
                static_cast<double>(all.posts["nova"]) / n, static_cast<double>(all.posts["cinder"]) / n,
                static_cast<double>(all.posts["neutron"]) / n, static_cast<double>(all.posts["keystone"]) / n,
                static_cast<double>(all.gets) / n);
  row(name, static_cast<double>(all.posts["nova"] + all.posts["cinder"]) / n, "POSTs of server and volume", 2, note);
}

// When an action on `key` was sent and answered, as the log has it.
struct Span {
  Time sent, answered;
};
Span span_of(const std::string& log, const std::string& key, const std::string& action) {
  Span out;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" done key=" + key + " ") == std::string::npos || line.find(" action=" + action + " ") == std::string::npos)
      continue;
    const size_t took = line.find("took_ms=");
    out.answered = parse_time(line.substr(0, line.find(' '))).value_or(Time{});
    out.sent = out.answered - Millis{std::atoll(line.c_str() + took + 8)};
  }
  if (!out.sent.set()) throw std::runtime_error(action + " of " + key + " is not in the log");
  return out;
}

// What we add to the cloud's own time until the server is asked for, of instances made one after the other: from the
// apply to the first request, from there to the volume's, from the volume being there to the server's.
void overhead(Fleet& fleet, int count) {
  const RealClock clock;
  std::vector<double> ours, gaps[3];
  const auto seconds = [](Millis time) { return static_cast<double>(std::max(time, Millis{0}).count()) / 1000; };
  for (int i = 0; i < count; ++i) {
    // A name that no earlier run has left in a real cloud.
    const std::string name = "alone-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    const Time applied = clock.wall();
    fleet.control().apply("apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: " + name +
                          "}\nspec: {datastore: {type: mariadb}, flavor: db.nano, volume: {size: 1}, deletionPolicy: Delete}\n");
    Time there;
    while (!there.set()) {
      if (clock.wall() - applied > Millis{120'000}) throw std::runtime_error(name + ": no volume in time");
      for (const Value& volume : fleet.volumes())
        if (volume["name"].text() == name + "-data" && volume["status"].text() != "creating") there = clock.wall();
    }
    fleet.control().must({"wait", "--for=Ready", "inst/" + name, "--timeout=120s"});
    const std::string log = fleet.control().log(), instance = "databaseinstance/" + name;
    const Span port = span_of(log, instance, "neutron.port.create");
    const Span volume = span_of(log, "volume/" + name + "-data", "cinder.volume.create");
    const Span server = span_of(log, instance, "nova.server.create");
    // The port and the volume are made side by side; what comes after both waits for the later one.
    const Time first = std::min(port.sent, volume.sent), last = std::max({there, volume.answered, port.answered});
    gaps[0].push_back(seconds(first - applied));
    gaps[1].push_back(seconds(volume.sent - first));
    gaps[2].push_back(seconds(server.sent - last));
    ours.push_back(gaps[0].back() + gaps[1].back() + gaps[2].back());
    fleet.control().must({"delete", "inst/" + name, "--yes", "--wait", "--timeout=120s"});
  }
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  const double most = *std::max_element(ours.begin(), ours.end());
  std::printf("{\"row\":\"openstack_overhead\",\"value\":%.2f,\"unit\":\"s\",\"target\":1,\"met\":%s,\"note\":"
              "\"largest of %d made one at a time; medians: all %.2f, apply (with trovectl) to the first request %.2f, to the "
              "volume's %.2f, from its being there to the server's %.2f\"}\n",
              most, most <= 1 ? "true" : "false", count, median(ours), median(gaps[0]), median(gaps[1]), median(gaps[2]));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) try {
  const int many = argc > 1 ? std::atoi(argv[1]) : 100;
  Fleet fleet(30);
  overhead(fleet, 8);
  if (many == 0) return 0;
  create(fleet, 0, 1, "openstack_create_1");
  create(fleet, 1, 19, "openstack_create_19");
  if (many > 20) create(fleet, 20, many - 20, "openstack_create_rest");
  ::sleep(90);  // what was on its way has come to rest
  const auto before = figures(fleet);
  ::sleep(120);
  const auto after = figures(fleet);
  row("openstack_idle_requests_per_minute", static_cast<double>(asked(before, after).all) / 2, "requests", 15,
      std::to_string(many) + " instances");
  row("openstack_troved_rss", static_cast<double>(after.at("process_resident_memory_bytes")) / (1 << 20), "MiB", 100,
      std::to_string(many) + " instances; a real Trove: 606 MiB in three services");
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
