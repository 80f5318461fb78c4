// What the planners do about a fact, and what they say of it, as text: one paragraph a fact in
// tests/golden/plans/facts-*.txt. TROVE_UPDATE_GOLDEN=1 writes them anew; read the diff before committing.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "kinds/bench.hpp"

namespace trove {

inline std::string told(const Bench& b, const Key& key) {
  const Object* object = b.facts.find(key);
  REQUIRE(object);
  const Plan plan = plan_object(*object, b.facts);
  std::ostringstream out;
  for (const Action& action : plan.actions) {
    out << "  does " << action_name(action) << ": " << describe(action);
    if (!action.interrupts.empty()) out << " (" << action.interrupts << ")";
    out << "\n";
  }
  if (!plan.suspects.empty()) out << "  looks again\n";
  if (!plan.waiting_reason.empty()) out << "  waits " << plan.waiting_reason << ": " << plan.waiting_message << "\n";
  if (plan.wake) out << "  wakes in " << format_duration(*plan.wake - b.facts.now) << "\n";
  if (plan.keep_status) {
    out << "  says nothing new\n";
    return out.str();
  }
  if (const std::string& phase = plan.status["phase"].text(); !phase.empty()) out << "  " << phase << "\n";
  for (const Condition& one : conditions_of(plan.status)) {
    const bool usual = one.type == "Ready" || one.type == "Synced" ? one.status == "True" : one.status == "False";
    if (usual && one.message.empty()) continue;
    out << "  " << one.type << "=" << one.status << " " << one.reason << ": " << one.message << "\n";
  }
  return out.str();
}

// Ids are drawn: they are named after what they are of.
inline std::string named(std::string text, const Bench& b) {
  std::vector<std::pair<std::string, std::string>> names = {
      {b.server.id, "<server>"}, {b.disk.id, "<volume>"}, {b.port.id, "<port>"}, {b.server.token.uid, "<uid>"},
      {b.other.id, "<other server>"}, {b.other_disk.id, "<other volume>"}, {b.disk.token.uid, "<volume uid>"}};
  std::sort(names.begin(), names.end(), [](auto& x, auto& y) { return x.first.size() > y.first.size(); });
  for (const auto& [id, name] : names)
    for (size_t at = 0; (at = text.find(id, at)) != std::string::npos; at += name.size()) {
      const size_t end = at + id.size();
      if (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) {  // sim-1 is no part of sim-12
        at = end - name.size();
        continue;
      }
      text.replace(at, id.size(), name);
    }
  return text;
}

class Facts {
 public:
  // `change` makes the fact true in a world that has converged; the plan of `subject` is told.
  void operator()(const std::string& title, const Key& subject, const std::function<void(Bench&)>& change,
                  const std::string& more = "") {
    INFO(title);
    Bench b(more);
    change(b);
    text_ += "== " + title + "\n" + named(told(b, subject), b);
  }
  void add(const std::string& text) { text_ += text; }
  void check(const std::string& name) const {
    const std::string path = std::string(TROVE_SOURCE_DIR) + "/tests/golden/plans/facts-" + name + ".txt";
    if (std::getenv("TROVE_UPDATE_GOLDEN")) std::ofstream(path) << text_;
    std::ifstream file(path);
    std::stringstream golden;
    golden << file.rdbuf();
    CHECK(text_ == golden.str());
  }

 private:
  std::string text_;
};

inline const Key kInstance{"p", "DatabaseInstance", "i"}, kVolume{"p", "Volume", "i-data"};

using Status = CloudVolume::Status;
inline const std::vector<Status> kEveryStatus = {Status::creating, Status::available, Status::reserved, Status::attaching,
                                          Status::in_use, Status::detaching, Status::extending, Status::retyping,
                                          Status::deleting, Status::error, Status::error_deleting,
                                          Status::error_extending, Status::unknown};
inline const std::vector<Server::Status> kEveryServer = {
    Server::Status::build,         Server::Status::active, Server::Status::shutoff,  Server::Status::reboot, Server::Status::resize,
    Server::Status::verify_resize, Server::Status::error,  Server::Status::deleting, Server::Status::unknown};

}  // namespace trove
