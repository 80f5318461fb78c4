#include "providers/guest/agent/memory.hpp"
#include "providers/guest/engines/files.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostStateFile = 32u << 20;

Value texts(const std::map<std::string, std::string>& map) {
  Value v = Value::map();
  for (const auto& [key, value] : map) v.set(key, value);
  return v;
}
std::map<std::string, std::string> texts_from(const Value& v) {
  std::map<std::string, std::string> map;
  for (const auto& member : v.members()) map[member.key] = member.value.text();
  return map;
}
Value tried(const std::map<std::string, Memory::Tried>& map) {
  Value v = Value::map();
  for (const auto& [key, t] : map) v.set(key, Value::map({{"value", t.value}, {"running", t.running}}));
  return v;
}
std::map<std::string, Memory::Tried> tried_from(const Value& v) {
  std::map<std::string, Memory::Tried> map;
  for (const auto& member : v.members())
    map[member.key] = {member.value["value"].text(), member.value["running"].text()};
  return map;
}

}  // namespace

Memory load_memory(const std::string& path) {
  Memory m;
  const auto text = read_file(path, kMostStateFile);
  if (!text) return m;
  const auto json = parse_json(*text, {.bytes = kMostStateFile});
  if (!json) return m;
  const Value& v = *json;
  m.applied_restart = v["appliedRestart"].text();
  m.applied_memory_mib = v["appliedMemoryMib"].int_or(0);
  m.applied_address = v["appliedAddress"].text();
  m.engine_started = Time{v["engineStarted"].int_or(0)};
  m.settled = v["settled"].bool_or(false);
  for (const auto& member : v["items"].members()) {
    m.items[member.key] = {member.value["digest"].text(), texts_from(member.value["facets"]),
                           texts_from(member.value["wanted"]), member.value["repaired"].text(),
                           static_cast<int>(member.value["repairs"].int_or(0)),
                           Time{member.value["firstRepair"].int_or(0)}};
  }
  m.persisted = texts_from(v["persisted"]);
  m.started_with = texts_from(v["startedWith"]);
  m.parameters = tried_from(v["parameters"]);
  m.rejected = tried_from(v["rejected"]);
  m.originals = texts_from(v["originals"]);
  for (const Value& b : v["backups"].items()) {
    m.backups.push_back({{b["id"].text(), b["state"].text(), b["sha256"].text(), b["bytes"].int_or(0),
                          static_cast<int>(b["segments"].int_or(1)), Time{b["started"].int_or(0)},
                          Time{b["finished"].int_or(0)}, b["message"].text()},
                         static_cast<int>(b["attempts"].int_or(0))});
  }
  return m;
}

Result<void> save_memory(const std::string& path, const Memory& m) {
  Value v = Value::map({{"appliedRestart", m.applied_restart}, {"appliedMemoryMib", m.applied_memory_mib},
                        {"appliedAddress", m.applied_address}, {"engineStarted", m.engine_started.ms},
                        {"settled", m.settled}});
  Value items = Value::map();
  for (const auto& [key, item] : m.items) {
    items.mutable_members().push_back({key,
                                       Value::map({{"digest", item.digest},
                                                   {"facets", texts(item.facets)},
                                                   {"wanted", texts(item.wanted)},
                                                   {"repaired", item.repaired},
                                                   {"repairs", item.repairs},
                                                   {"firstRepair", item.first_repair.ms}}),
                                       {}});
  }
  v.set("items", std::move(items));
  v.set("persisted", texts(m.persisted));
  v.set("startedWith", texts(m.started_with));
  v.set("parameters", tried(m.parameters));
  v.set("rejected", tried(m.rejected));
  v.set("originals", texts(m.originals));
  Value backups = Value::list();
  for (const auto& b : m.backups) {
    backups.push_back(Value::map({{"id", b.state.id}, {"state", b.state.state}, {"sha256", b.state.sha256},
                                  {"bytes", b.state.bytes}, {"segments", b.state.segments},
                                  {"started", b.state.started.ms}, {"finished", b.state.finished.ms},
                                  {"message", b.state.message}, {"attempts", b.attempts}}));
  }
  v.set("backups", std::move(backups));
  return write_file(path, dump_json(v), 0600);
}

std::optional<Document> load_document(const std::string& path) {
  const auto text = read_file(path, kMostStateFile);
  if (!text) return std::nullopt;
  const auto json = parse_json(*text);
  if (!json) return std::nullopt;
  auto document = document_from_value(*json);
  if (!document) return std::nullopt;
  return std::move(*document);
}

Result<void> save_document(const std::string& path, const Document& document) {
  return write_file(path, dump_json(to_value(document)), 0600);
}

}  // namespace trove::guest
