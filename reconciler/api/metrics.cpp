// Health and figures, in Prometheus' text format.
#include <fstream>
#include <unistd.h>
#include "reconciler/api/api.hpp"

namespace trove {
namespace {

void family(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += "# HELP ";
  out += name;
  out += ' ';
  out += help;
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}
void sample(std::string& out, std::string_view name, std::string_view labels, uint64_t value) {
  out += name;
  out += labels;
  out += ' ';
  out += std::to_string(value);
  out += '\n';
}
void single(std::string& out, std::string_view name, std::string_view type, std::string_view help, uint64_t value) {
  family(out, name, type, help);
  sample(out, name, "", value);
}

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Attempt<http::Response> Api::healthz() const { return json_response(200, Value::map({{"status", "ok"}})); }

Attempt<http::Response> Api::readyz() {
  auto store = options_.objects.store().health();
  LoopHealth loop = options_.loop.health();
  if (!store)
    return refuse(503, "UNAVAILABLE", "the store is not usable: " + store.error().message, store.error().hint);
  if (!loop.observing) {
    return refuse(503, "UNAVAILABLE",
                  "the cloud cannot be observed" + (loop.trouble.empty() ? std::string() : ": " + loop.trouble),
                  "nothing is created, replaced or deleted until it can");
  }
  return json_response(200, Value::map({{"status", "ok"}}));
}

Attempt<http::Response> Api::leaks() const {
  Value items = Value::list();
  for (const LeakSeen& leak : options_.loop.leaks()) {
    Value item = Value::map({{"what", leak.what},
                             {"id", leak.id},
                             {"name", leak.name},
                             {"mark", leak.mark},
                             {"since", format_time(leak.since)}});
    if (leak.removed_at) item.set("removedAt", format_time(*leak.removed_at));
    items.push_back(std::move(item));
  }
  return json_response(200, Value::map({{"items", std::move(items)}}));
}

Attempt<http::Response> Api::metrics() {
  Store& store = options_.objects.store();
  const Revision revision = store.revision();
  std::map<std::string, uint64_t> objects;
  {
    std::lock_guard lock(counted_mutex_);
    if (counted_.empty() || counted_at_ != revision) {  // counting reads every spec: once per revision is enough
      for (const Kind& kind : all_kinds()) objects[std::string(kind.name)] = 0;
      std::string first = "/spec/";
      while (true) {
        auto page = store.range(first, prefix_end("/spec/"), 0);
        if (!page) return refuse(page.error());
        for (const KeyValue& item : page->items) {
          if (auto key = Objects::key_of(item.key)) ++objects[key->kind];
        }
        if (!page->more || page->items.empty()) break;
        first = page->items.back().key + '\0';
      }
      counted_ = objects;
      counted_at_ = revision;
    }
    objects = counted_;
  }
  const LoopHealth loop = options_.loop.health();
  std::string out;
  family(out, "trove_build_info", "gauge", "Version of this control plane.");
  sample(out, "trove_build_info", "{version=\"" + options_.version + "\"}", 1);
  family(out, "trove_objects", "gauge", "Objects in the store.");
  for (const auto& [kind, count] : objects) sample(out, "trove_objects", "{kind=\"" + kind + "\"}", count);
  family(out, "trove_requests_total", "counter", "Requests answered, by status.");
  for (size_t status = 0; status < answers_.size(); ++status) {
    if (uint64_t n = answers_[status])
      sample(out, "trove_requests_total", "{code=\"" + std::to_string(status) + "\"}", n);
  }
  single(out, "trove_store_revision", "gauge", "Revision of the store.", revision);
  single(out, "trove_loop_observing", "gauge", "1 when the last observation of the cloud was complete.",
         loop.observing);
  single(out, "trove_loop_queue", "gauge", "Keys that wait to be planned.", loop.queue);
  single(out, "trove_loop_in_flight", "gauge", "Actions that are being performed.", loop.in_flight);
  single(out, "trove_loop_passes_total", "counter", "Plans made.", loop.passes);
  single(out, "trove_loop_actions_total", "counter", "Actions performed.", loop.actions);
  single(out, "trove_loop_failures_total", "counter", "Actions that failed.", loop.failures);
  single(out, "trove_loop_refused_total", "counter", "Actions that the guardian refused.", loop.refused);
  if (const auto requests = options_.cloud_requests ? options_.cloud_requests() : std::vector<CloudRequests>();
      !requests.empty()) {
    family(out, "trove_cloud_requests_total", "counter", "Requests to the cloud's services, logins included.");
    for (const CloudRequests& one : requests)
      sample(out, "trove_cloud_requests_total", "{service=\"" + one.service + "\",method=\"" + one.method + "\"}",
             one.count);
  }
  single(out, "trove_leaks", "gauge", "Things in the cloud that carry our mark and belong to nobody.",
         options_.loop.leaks().size());
  single(out, "trove_drifted_objects", "gauge", "Objects of which something was changed outside.", loop.drifted);
  single(out, "trove_instances", "gauge", "Database instances that the loop knows.", loop.instances);
  single(out, "trove_guests_heard", "gauge", "Guests that reported lately.", loop.guests_heard);
  single(out, "process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes());
  http::Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = std::move(out);
  return response;
}

}  // namespace trove
