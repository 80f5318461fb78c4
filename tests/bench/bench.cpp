// The figures that we promise, one JSON object a line: {row, value, unit, target, met, peer?, peer_value?, note?}.
// Usage: bench [row…] [--table]. Uses real programs and real engines; nothing here is a test.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include "bench/rest_rows.hpp"
#include "providers/http/client.hpp"
#include "specs/json.hpp"
#include "support/loop_world.hpp"
#include "support/system.hpp"

using namespace trove;

namespace {

using Steady = std::chrono::steady_clock;
double ms_since(Steady::time_point began) {
  return std::chrono::duration<double, std::milli>(Steady::now() - began).count();
}
double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.at(values.size() / 2);
}

struct Row {
  std::string name;
  double value = 0;
  std::string unit;
  double target = 0;
  std::string peer;
  double peer_value = 0;
  std::string note;
};

bool table = false;
void print(const Row& row) {
  const bool met = row.value <= row.target;
  if (table) {
    std::printf("%-34s %10.2f %-4s target %8.0f  %-4s %s%s\n", row.name.c_str(), row.value, row.unit.c_str(),
                row.target, met ? "met" : "MISS", row.note.c_str(),
                row.peer.empty() ? "" : ("  (" + row.peer + ": " + std::to_string(row.peer_value) + ")").c_str());
  } else {
    Value line =
        Value::map({{"row", row.name}, {"value", row.value}, {"unit", row.unit}, {"target", row.target}, {"met", met}});
    if (!row.peer.empty()) line.set("peer", row.peer), line.set("peer_value", row.peer_value);
    if (!row.note.empty()) line.set("note", row.note);
    std::cout << dump_json(line) << "\n";
  }
  std::cout.flush();
}

void get_process_time() {
  System system;
  system.apply("apiVersion: trove/v1alpha1\nkind: Volume\nmetadata: {name: v}\nspec: {size: 1}\n");
  std::vector<double> times;
  for (int i = 0; i < 60; ++i) {
    auto began = Steady::now();
    if (system.ctl({"get", "vol/v"}).code != 0) throw std::runtime_error("get failed");
    times.push_back(ms_since(began));
  }
  std::vector<double> nothing;
  for (int i = 0; i < 60; ++i) {
    auto began = Steady::now();
    run({"/bin/true"});
    nothing.push_back(ms_since(began));
  }
  print({"trovectl_get_process", median(times), "ms", 10, "/bin/true started the same way", median(nothing),
         "median of 60, over loopback"});
}

void idle_rss() {
  System system;
  std::ifstream status("/proc/" + std::to_string(system.daemon_pid()) + "/status");
  std::string line;
  double kib = 0;
  while (std::getline(status, line))
    if (line.starts_with("VmRSS:")) kib = std::atof(line.c_str() + 6);
  print({"troved_idle_rss", kib / 1024, "MiB", 20, "", 0, "nothing in it"});
}

void apply_5000() {
  System system;
  system.apply(
      "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: m}\nspec: {datastore: {type: memcached}, "
      "flavor: db.nano, suspend: true}\n");
  std::string url = trimmed(read_file(system.data() + "/endpoint"));
  Value documents = Value::list();
  for (int i = 0; i < 5000; ++i) {
    Value object = Value::map({{"apiVersion", "trove/v1alpha1"}, {"kind", "ConfigurationGroup"}});
    object.set_path("metadata.name", "c" + std::to_string(i));
    object.set_path("metadata.labels.app", "bench");
    object.set_path("spec.datastore.type", "mariadb");
    object.set_path("spec.parameters.max_connections", 100 + i);
    documents.push_back(Value::map({{"source", "bench.yaml"}, {"object", std::move(object)}}));
  }
  const std::string body = dump_json(Value::map({{"documents", std::move(documents)}}));
  auto client = http::Client::make({.base_url = url, .bearer_token = trimmed(read_file(system.data() + "/token"))});
  http::Call call;
  call.method = "POST";
  call.path = "/apis/trove/v1alpha1/projects/default/apply";
  call.body = body;
  auto began = Steady::now();
  auto answer = (*client)->call(call);
  const double took = ms_since(began);
  if (!answer || answer->status != 200)
    throw std::runtime_error("apply failed: " + (answer ? answer->body.substr(0, 500) : answer.error().message));
  print({"apply_5000_durable", took, "ms", 1000, "", 0, "request to durable answer, loopback and JSON included"});
  began = Steady::now();
  answer = (*client)->call(call);
  print({"apply_5000_unchanged", ms_since(began), "ms", 1000, "", 0, "the same set again"});
}

void noop_plan() {
  LoopWorld world;
  const int instances = 5000;
  for (int i = 0; i < instances; ++i) {
    const std::string n = std::to_string(i);
    auto add = [&](const char* kind, const std::string& name, Value spec) {
      Resource r;
      r.kind = kind;
      r.metadata.name = name;
      r.metadata.project = "p";
      r.spec = std::move(spec);
      world.put(std::move(r));
    };
    add("DatabaseInstance", "i" + n,
        Value::map({{"datastore", Value::map({{"type", "mariadb"}})},
                    {"flavor", "db.tiny"},
                    {"volume", Value::map({{"size", 1}})}}));
    add("Database", "d" + n, Value::map({{"instanceRef", Value::map({{"name", "i" + n}})}}));
  }
  for (int i = 0; i < 400; ++i) {
    const Millis wait = world.turn();
    if (wait > Millis{0}) world.clock.advance(std::min(wait, Millis{2'000}));
  }
  std::vector<double> times;
  size_t actions = 0, ready = 0;
  const World snapshot = world.loop->snapshot();
  for (int round = 0; round < 21; ++round) {
    actions = ready = 0;
    auto began = Steady::now();
    for (const auto& [key, object] : snapshot.objects()) {
      if (key.kind != "DatabaseInstance") continue;
      Plan plan = plan_object(*object, snapshot);
      actions += plan.actions.size();
      ready += plan.status["phase"].text() == "HEALTHY";
    }
    times.push_back(ms_since(began));
  }
  print({"noop_plan_5000", median(times), "ms", 50, "", 0,
         std::to_string(ready) + " of 5000 instances Ready, " + std::to_string(actions) +
             " actions; each with a database"});
}

void print(const std::vector<RestFigure>& figures) {
  for (const RestFigure& figure : figures) print({figure.name, figure.value, "ms", figure.target, "", 0, figure.note});
}

void first_query() {
  // The engine's own share: the same engine, initialised and started by hand with small settings.
  std::vector<double> own, all;
  for (int round = 0; round < 3; ++round) {
    {
      TempDir dir;
      const std::string data = dir / "data", socket = dir / "s";
      auto began = Steady::now();
      run({"mariadb-install-db", "--no-defaults", "--datadir=" + data, "--auth-root-authentication-method=socket",
           "--skip-test-db", "--user=root", "--innodb-buffer-pool-size=64M"},
          {}, Millis{60'000});
      Process engine({"mariadbd", "--no-defaults", "--user=root", "--datadir=" + data, "--socket=" + socket,
                      "--skip-networking", "--innodb-buffer-pool-size=64M", "--performance-schema=off"});
      if (!eventually(
              [&] {
                return run({"mariadb", "--no-defaults", "-S", socket, "-e", "SELECT 1"}).code == 0;
              },
              Millis{60'000}))
        throw std::runtime_error("the engine did not start by hand");
      own.push_back(ms_since(began));
    }
    System system;
    const std::string yaml =
        "apiVersion: trove/v1alpha1\nkind: DatabaseInstance\nmetadata: {name: m}\nspec: {datastore: {type: mariadb}, "
        "flavor: db.nano, "
        "volume: {size: 1}}\n---\napiVersion: trove/v1alpha1\nkind: Database\nmetadata: {name: d}\nspec: {instanceRef: "
        "{name: m}}\n"
        "---\napiVersion: trove/v1alpha1\nkind: Secret\nmetadata: {name: s}\nspec: {data: {password: bench}}\n"
        "---\napiVersion: trove/v1alpha1\nkind: User\nmetadata: {name: a}\nspec: {instanceRef: {name: m}, password: "
        "{secretRef: {name: s}}, "
        "grants: [{privileges: [ALL], on: \"d.*\"}]}\n";
    auto began = Steady::now();
    system.apply(yaml);
    std::string address;
    if (!eventually(
            [&] {
              if (address.empty()) {
                try {
                  address = system.address("m");
                } catch (...) {
                  return false;
                }
              }
              if (address.empty()) return false;
              ProcessOptions options;
              options.env = {"MYSQL_PWD=bench"};
              return run({"mariadb", "--no-defaults", "-h", address, "-u", "a", "-e", "SELECT 1", "d"}, options).code ==
                     0;
            },
            Millis{120'000}))
      throw std::runtime_error("no query was answered");
    all.push_back(ms_since(began));
  }
  print({"apply_to_first_query_our_share", median(all) - median(own), "ms", 1000,
         "mariadb-install-db and mariadbd by hand", median(own),
         "median of 3; total " + std::to_string(static_cast<int>(median(all))) + " ms, polled every 50 ms"});
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::pair<std::string, std::function<void()>>> rows = {{"noop_plan_5000", noop_plan},
                                                                     {"trovectl_get_process", get_process_time},
                                                                     {"troved_idle_rss", idle_rss},
                                                                     {"apply_5000_durable", apply_5000},
                                                                     {"list_page", [] { print(list_page()); }},
                                                                     {"watch_latency", [] { print(watch_latency()); }},
                                                                     {"put_latency", [] { print(put_latency()); }},
                                                                     {"apply_to_first_query", first_query}};
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--table") == 0)
      table = true;
    else
      wanted.push_back(argv[i]);
  }
  int status = 0;
  for (auto& [name, measure] : rows) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    try {
      measure();
    } catch (const std::exception& e) {
      std::cerr << name << ": " << e.what() << "\n";
      status = 1;
    }
  }
  return status;
}
