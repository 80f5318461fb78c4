#include "kill9/generator.hpp"

#include <stdexcept>

#include "specs/json.hpp"

namespace trove::kill9 {

namespace {

constexpr size_t kRememberedDeletions = 8;

[[noreturn]] void lost(const std::string& what) { throw std::runtime_error(what); }

Value document(const std::string& kind, const std::string& name, uint64_t count, Value spec) {
  return Value::map(
      {{"object", Value::map({{"apiVersion", "trove/v1alpha1"},
                              {"kind", kind},
                              {"metadata", Value::map({{"name", name},
                                                       {"labels", Value::map({{"count", std::to_string(count)}})}})},
                              {"spec", std::move(spec)}})}});
}

Value group_of(uint64_t count) {
  return Value::map({{"datastore", Value::map({{"type", "mariadb"}})},
                     {"parameters", Value::map({{"max_connections", 10 + count % 90'000}})}});
}

uint64_t count_of(const Value& object) { return std::stoull("0" + object.at_path("metadata.labels.count").text()); }

uint64_t revision_of(const Value& object) {
  return std::stoull("0" + object.at_path("metadata.resourceVersion").as_written());
}

}  // namespace

std::string path_of(const std::string& rest) {
  return std::string("/apis/trove/v1alpha1/projects/") + kProject + "/" + rest;
}

Session::Session(const std::string& url, const std::string& token) {
  http::ClientOptions options;
  options.base_url = url;
  options.bearer_token = token;
  auto client = http::Client::make(std::move(options));
  if (!client) throw std::runtime_error(client.error().message);
  client_ = std::move(*client);
}

std::optional<Value> Session::call(const std::string& method, const std::string& path, const std::string& body) {
  http::Call call;
  call.method = method;
  call.path = path;
  call.body = body;
  call.deadline = Millis{20'000};
  auto answer = client_->call(call);
  if (!answer) {
    const Code code = answer.error().code;
    if (code == Code::unavailable || code == Code::outcome_unknown) return std::nullopt;
    throw std::runtime_error(path + ": " + answer.error().message);
  }
  if (answer->status / 100 != 2)
    throw std::runtime_error(method + " " + path + ": " + std::to_string(answer->status) + " " + answer->body);
  auto value = parse_json(answer->body);
  if (!value) throw std::runtime_error(path + ": not JSON: " + answer->body);
  return *value;
}

Writer::Writer(int number, int slots, uint64_t seed, Figures& figures)
    : number_(number), rng_(seed), figures_(figures) {
  for (int i = 0; i < slots; ++i) slots_.push_back({"w" + std::to_string(number) + "-" + std::to_string(i)});
}

void Writer::run(const std::string& url, const std::string& token) {
  try {
    Session session(url, token);
    for (bool there = true; there;) {
      there = rng_.below(10) == 0 ? make_and_delete(session) : apply(session, slots_[rng_.below(slots_.size())]);
    }
  } catch (const std::exception& e) {
    trouble_ = e.what();
  }
}

bool Writer::apply(Session& session, Slot& slot) {
  const uint64_t count = ++slot.asked;
  Value documents = Value::list();
  documents.push_back(
      document("Secret", slot.name, count, Value::map({{"data", Value::map({{"count", std::to_string(count)}})}})));
  documents.push_back(document("ConfigurationGroup", slot.name, count, group_of(count)));
  documents.push_back(document("Volume", slot.name, count, Value::map({{"size", 1}})));
  documents.push_back(
      document("Database", slot.name, count, Value::map({{"instanceRef", Value::map({{"name", "base"}})}})));
  const auto answer =
      session.call("POST", path_of("apply"), dump_json(Value::map({{"documents", std::move(documents)}})));
  if (!answer) return false;
  ++figures_.acknowledged;
  slot.acknowledged = count;
  slot.revision = std::stoull("0" + (*answer)["revision"].text());
  if (slot.revision <= newest_)
    lost(slot.name + " was written at revision " + std::to_string(slot.revision) + ", after " +
         std::to_string(newest_));
  newest_ = slot.revision;
  for (const Value& result : (*answer)["results"].items())
    slot.generation[result["kind"].text()] = result["generation"].int_or(0);
  return true;
}

// An object that comes and goes: acknowledged, it must go on going.
bool Writer::make_and_delete(Session& session) {
  const std::string name = "gone-" + std::to_string(number_) + "-" + std::to_string(++deletions_);
  Value documents = Value::list();
  documents.push_back(document("ConfigurationGroup", name, 1, group_of(1)));
  const auto made =
      session.call("POST", path_of("apply"), dump_json(Value::map({{"documents", std::move(documents)}})));
  if (!made) return false;
  newest_ = std::max<uint64_t>(newest_, std::stoull("0" + (*made)["revision"].text()));
  if (!session.call("DELETE", path_of("configurationgroups/" + name))) return false;
  figures_.acknowledged += 2;
  deleted_.push_back(name);
  if (deleted_.size() > kRememberedDeletions) deleted_.pop_front();
  return true;
}

void Writer::verify(const Objects& objects, Session& session) {
  for (Slot& slot : slots_) verify(slot, objects);
  const auto& groups = objects.at("ConfigurationGroup");
  for (const std::string& name : deleted_) {
    auto found = groups.find(name);
    if (found != groups.end() && found->second.at_path("metadata.deletionTimestamp").text().empty())
      lost(name + " was deleted, and is back");
  }
  // Of one slot each time, what is behind the lists: the sealed value and the history.
  const Slot& slot = slots_[rng_.below(slots_.size())];
  if (slot.acknowledged == 0) return;
  const auto revealed = session.call("POST", path_of("secrets/" + slot.name + "/reveal"));
  if (!revealed || revealed->at_path("data.count").text() != std::to_string(slot.acknowledged))
    lost(slot.name + ": the sealed value is not of count " + std::to_string(slot.acknowledged));
  const auto history = session.call("GET", path_of("configurationgroups/" + slot.name + "/history"));
  if (!history || history->find("items") == nullptr || (*history)["items"].empty() ||
      (*history)["items"].items().back()["generation"].int_or(0) != slot.generation.at("ConfigurationGroup"))
    lost(slot.name + ": its history ends before generation " +
         std::to_string(slot.generation.at("ConfigurationGroup")));
}

void Writer::verify(Slot& slot, const Objects& objects) {
  const uint64_t asked = slot.asked;
  std::optional<uint64_t> count, revision;
  for (const auto& [kind, plural] : kKinds) {
    const auto& there = objects.at(kind);
    auto found = there.find(slot.name);
    if (found == there.end()) {
      if (slot.acknowledged > 0 || count) lost(std::string(plural) + "/" + slot.name + " is gone");
      continue;
    }
    const std::string what = std::string(plural) + "/" + slot.name;
    const Value& object = found->second;
    const uint64_t its = count_of(object), at = revision_of(object);
    if (its < slot.acknowledged)
      lost(what + " has count " + std::to_string(its) + ", acknowledged was " + std::to_string(slot.acknowledged));
    if (its > asked) lost(what + " has count " + std::to_string(its) + ", which nobody wrote");
    if (count.value_or(its) != its || revision.value_or(at) != at || (kind != kKinds[0][0] && !count))
      lost(what + " is torn from its neighbours");
    if (at < slot.revision) lost(what + " went back to revision " + std::to_string(at));
    const int64_t generation = object.at_path("metadata.generation").int_or(0);
    if (generation < slot.generation[kind]) lost(what + " went back to generation " + std::to_string(generation));
    if (its == slot.acknowledged && generation != slot.generation[kind]) lost(what + " has another generation");
    slot.generation[kind] = generation;
    count = its;
    revision = at;
    ++figures_.checked;
  }
  if (asked > slot.acknowledged) {
    ++figures_.unanswered;
    if (count && *count > slot.acknowledged) ++figures_.unanswered_kept;
  }
  // What was found is what is: the next round builds on it.
  slot.acknowledged = count.value_or(0);
  slot.asked = slot.acknowledged;
  slot.revision = revision.value_or(0);
  newest_ = std::max(newest_, slot.revision);
}

}  // namespace trove::kill9
