// JSON forms of the document and the report. Reading is strict: a field that is missing keeps its default, a field of
// another type, an unknown word or a passed bound refuses the whole message and names the field.
#include "providers/guest/protocol.hpp"
#include <algorithm>
#include <span>
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove::guest {

namespace {

constexpr size_t kMostItems = 20'000;          // of one list
constexpr size_t kMostText = 64u << 10;        // of one string
constexpr int64_t kMostPort = 65'535;
constexpr int64_t kMostCount = int64_t{1} << 53;   // what JSON numbers hold exactly
constexpr size_t kSegmentDigits = 5;           // so that a list of keys is in order

std::string_view drift_word(Drift drift) {
  switch (drift) {
    case Drift::correct: return "Correct";
    case Drift::report: return "Report";
    case Drift::ignore: return "Ignore";
  }
  return "Correct";
}

// Collects the first thing that is wrong; later reads become no-ops, so that readers stay straight-line code.
class Reader {
 public:
  bool good() const { return !error_; }
  Error take_error() { return *error_; }
  void complain(const std::string& what) {
    if (!error_) error_ = Error{Code::invalid, what};
  }
  const Value* field(const Value& map, std::string_view name) {
    if (!good()) return nullptr;
    if (!map.is_map()) return complain("an object was expected around \"" + std::string(name) + "\""), nullptr;
    const Value* found = map.find(name);
    return found && !found->is_null() ? found : nullptr;
  }
  void text(const Value& map, std::string_view name, std::string& out) {
    if (const Value* v = field(map, name)) out = text_of(*v, name);
  }
  void integer(const Value& map, std::string_view name, int64_t& out, int64_t most = kMostCount) {
    const Value* v = field(map, name);
    if (!v) return;
    if (!v->is_int()) return complain("\"" + std::string(name) + "\" is not an integer");
    const int64_t n = v->int_or(0);
    if (n < 0 || n > most) return complain("\"" + std::string(name) + "\" is out of bounds");
    out = n;
  }
  void small(const Value& map, std::string_view name, int& out, int64_t most) {
    int64_t wide = out;
    integer(map, name, wide, most);
    out = static_cast<int>(wide);
  }
  void boolean(const Value& map, std::string_view name, bool& out) {
    const Value* v = field(map, name);
    if (!v) return;
    if (!v->is_bool()) return complain("\"" + std::string(name) + "\" is not true or false");
    out = v->bool_or(false);
  }
  void time(const Value& map, std::string_view name, Time& out) {
    std::string text_form;
    text(map, name, text_form);
    if (text_form.empty()) return;
    const auto parsed = parse_time(text_form);
    if (!parsed) return complain("\"" + std::string(name) + "\" is not a time");
    out = *parsed;
  }
  void drift(const Value& map, Drift& out) {
    std::string word;
    text(map, "drift", word);
    if (word.empty() || word == "Correct") out = Drift::correct;
    else if (word == "Report") out = Drift::report;
    else if (word == "Ignore") out = Drift::ignore;
    else complain("\"drift\" is none of Correct, Report, Ignore");
  }
  void word(const Value& map, std::string_view name, std::string& out, std::span<const std::string_view> allowed) {
    text(map, name, out);
    if (!good()) return;
    for (std::string_view each : allowed) {
      if (out == each) return;
    }
    complain("\"" + std::string(name) + "\" has an unknown word");
  }
  template <class Each>
  void list(const Value& map, std::string_view name, Each each) {
    const Value* v = field(map, name);
    if (!v) return;
    if (!v->is_list()) return complain("\"" + std::string(name) + "\" is not a list");
    if (v->size() > kMostItems) return complain("\"" + std::string(name) + "\" is too long");
    for (const Value& item : v->items()) {
      if (!good()) return;
      each(item);
    }
  }
  void texts(const Value& map, std::string_view name, std::vector<std::string>& out) {
    list(map, name, [&](const Value& item) { out.push_back(text_of(item, name)); });
  }
  std::string text_of(const Value& v, std::string_view name) {
    if (!v.is_string()) return complain("\"" + std::string(name) + "\" is not a string"), "";
    if (v.text().size() > kMostText) return complain("\"" + std::string(name) + "\" is too long"), "";
    // A NUL ends a C string in every engine's client library: what is checked would not be what is sent.
    if (v.text().find('\0') != std::string::npos) {
      return complain("\"" + std::string(name) + "\" holds a NUL"), "";
    }
    return v.text();
  }
  bool version(const Value& map) {
    const Value* v = field(map, "version");
    if (!good()) return false;
    if (!v || !v->is_int() || v->int_or(0) != kProtocolVersion) {
      complain("another version of the guest protocol; this side speaks " + std::to_string(kProtocolVersion));
      return false;
    }
    return true;
  }

 private:
  std::optional<Error> error_;
};

Value texts_value(const std::vector<std::string>& texts) {
  Value list = Value::list();
  for (const auto& t : texts) list.push_back(t);
  return list;
}
template <class Items, class Make>
Value list_value(const Items& items, Make make) {
  Value list = Value::list();
  for (const auto& item : items) list.push_back(make(item));
  return list;
}

// Only where there is one: an agent of an earlier release digests its document without.
Value with_ignored(Value item, const std::vector<std::string>& ignored) {
  if (!ignored.empty()) item.set("ignored", texts_value(ignored));
  return item;
}

Value database_value(const Database& d) {
  return with_ignored(Value::map({{"name", d.name},
                                  {"characterSet", d.character_set},
                                  {"collate", d.collate},
                                  {"owner", d.owner},
                                  {"drift", drift_word(d.drift)}}),
                      d.ignored);
}
Database read_database(Reader& r, const Value& v) {
  Database d;
  r.text(v, "name", d.name);
  r.text(v, "characterSet", d.character_set);
  r.text(v, "collate", d.collate);
  r.text(v, "owner", d.owner);
  r.drift(v, d.drift);
  r.texts(v, "ignored", d.ignored);
  return d;
}

Value user_value(const User& u) {
  Value grants = list_value(u.grants, [](const Grant& g) {
    return Value::map(
        {{"privileges", texts_value(g.privileges)}, {"on", g.on}, {"withGrantOption", g.with_grant_option}});
  });
  return with_ignored(Value::map({{"name", u.name},
                                  {"host", u.host},
                                  {"verifier", u.verifier},
                                  {"grants", std::move(grants)},
                                  {"maxConnections", u.max_connections},
                                  {"superuser", u.superuser},
                                  {"drift", drift_word(u.drift)}}),
                      u.ignored);
}
User read_user(Reader& r, const Value& v) {
  User u;
  r.text(v, "name", u.name);
  r.text(v, "host", u.host);
  r.text(v, "verifier", u.verifier);
  r.list(v, "grants", [&](const Value& item) {
    Grant g;
    r.texts(item, "privileges", g.privileges);
    r.text(item, "on", g.on);
    r.boolean(item, "withGrantOption", g.with_grant_option);
    u.grants.push_back(std::move(g));
  });
  r.integer(v, "maxConnections", u.max_connections);
  r.boolean(v, "superuser", u.superuser);
  r.drift(v, u.drift);
  r.texts(v, "ignored", u.ignored);
  return u;
}

Value item_value(const ItemState& s) {
  Value item = Value::map({{"name", s.name}, {"host", s.host}, {"state", s.state}, {"message", s.message}});
  if (!s.changed.empty())
    item.set("changed", list_value(s.changed, [](const auto& one) {
               return Value::map({{"facet", one.first}, {"actual", one.second}});
             }));
  return item;
}
constexpr std::string_view kItemStates[] = {"Applied", "Pending", "Drifted", "Failed", "Dropped"};
constexpr std::string_view kEngineStates[] = {"",       "Starting",     "Running",  "Stopped",
                                              "Failed", "Initialising", "Restoring"};
constexpr std::string_view kBackupStates[] = {"Running", "Completed", "Failed"};
constexpr std::string_view kRestoreStates[] = {"", "Restoring", "Restored", "Failed"};

ItemState read_item(Reader& r, const Value& v) {
  ItemState s;
  r.text(v, "name", s.name);
  r.text(v, "host", s.host);
  r.word(v, "state", s.state, kItemStates);
  r.text(v, "message", s.message);
  r.list(v, "changed", [&](const Value& item) {
    std::pair<std::string, std::string> one;
    r.text(item, "facet", one.first);
    r.text(item, "actual", one.second);
    s.changed.push_back(std::move(one));
  });
  return s;
}

std::string time_text(Time t) { return t.set() ? format_time(t) : ""; }

template <class T>
Result<T> finish(Reader& reader, T value) {
  if (!reader.good()) return tl::unexpected<Error>(reader.take_error());
  return value;
}

}  // namespace

std::string_view path_of_facet(std::string_view facet) {
  static constexpr std::pair<std::string_view, std::string_view> kPaths[] = {
      {"password", "/password"},         {"grants", "/grants"},
      {"memberships", "/grants"},        {"limits", "/maxConnections"},
      {"attributes", "/maxConnections"}, {"character set", "/characterSet"},
      {"encoding", "/characterSet"},     {"collation", "/collate"},
      {"owner", "/owner"}};
  for (const auto& [name, path] : kPaths)
    if (name == facet) return path;
  return "/";
}

std::string segment_url(const std::string& segments_url, int number) {
  const std::string digits = std::to_string(number);
  std::string url = segments_url;
  return url.insert(std::min(url.find('?'), url.size()),
                    std::string(kSegmentDigits - std::min(kSegmentDigits, digits.size()), '0') + digits);
}

std::string_view backup_key(std::string_view key) {
  if (key.size() <= kSegmentDigits + 1) return key;
  const size_t dot = key.size() - kSegmentDigits - 1;
  const bool segment = key[dot] == '.' && std::all_of(key.begin() + dot + 1, key.end(),
                                                      [](char c) { return c >= '0' && c <= '9'; });
  return segment ? key.substr(0, dot) : key;
}

std::string backup_uid(std::string_view key) {
  const std::string_view backup = backup_key(key);
  return std::string(backup.substr(backup.rfind('/') + 1));   // npos + 1 = 0
}

Value to_value(const Document& d) {
  Value v = Value::map({{"version", d.version},
                        {"engine", to_string(d.engine)},
                        {"instanceUid", d.instance_uid},
                        {"address", d.address},
                        {"port", d.port},
                        {"allowedCidrs", texts_value(d.allowed_cidrs)},
                        {"memoryMib", d.memory_mib},
                        {"volumeGib", d.volume_gib}});
  v.set("parameters", list_value(d.parameters, [](const Parameter& p) {
    return Value::map({{"name", p.name}, {"value", p.value}, {"drift", drift_word(p.drift)}});
  }));
  v.set("resetParameters", texts_value(d.reset_parameters));
  v.set("restart", d.restart);
  v.set("databases", list_value(d.databases, database_value));
  v.set("users", list_value(d.users, user_value));
  v.set("droppedDatabases", texts_value(d.dropped_databases));
  v.set("droppedUsers", list_value(d.dropped_users, [](const auto& user) {
    return Value::map({{"name", user.first}, {"host", user.second}});
  }));
  v.set("backups", list_value(d.backups, [](const BackupOrder& b) {
    Value order = Value::map({{"id", b.id}, {"uploadUrl", b.upload_url}});
    // As with `ignored`: only where it says something.
    if (b.segment_bytes > 0) {
      order.set("segmentBytes", b.segment_bytes);
      order.set("segmentsUrl", b.segments_url);
    }
    return order;
  }));
  if (d.restore) {
    Value order = Value::map({{"id", d.restore->id}, {"downloadUrl", d.restore->download_url},
                              {"sha256", d.restore->sha256}});
    if (d.restore->segments > 1) {
      order.set("segments", d.restore->segments);
      order.set("segmentsUrl", d.restore->segments_url);
    }
    v.set("restore", std::move(order));
  }
  v.set("suspended", d.suspended);
  return v;
}

Result<Document> document_from_value(const Value& v) {
  Reader r;
  Document d;
  if (!v.is_map()) r.complain("the guest document is not an object");
  if (!r.version(v)) return finish(r, d);
  std::string engine;
  r.text(v, "engine", engine);
  if (const auto known = engine_from(engine)) d.engine = *known;
  else r.complain("\"engine\" is unknown");
  r.text(v, "instanceUid", d.instance_uid);
  r.text(v, "address", d.address);
  r.small(v, "port", d.port, kMostPort);
  r.texts(v, "allowedCidrs", d.allowed_cidrs);
  r.integer(v, "memoryMib", d.memory_mib);
  r.integer(v, "volumeGib", d.volume_gib);
  r.list(v, "parameters", [&](const Value& item) {
    Parameter p;
    r.text(item, "name", p.name);
    r.text(item, "value", p.value);
    r.drift(item, p.drift);
    d.parameters.push_back(std::move(p));
  });
  r.texts(v, "resetParameters", d.reset_parameters);
  r.text(v, "restart", d.restart);
  r.list(v, "databases", [&](const Value& item) { d.databases.push_back(read_database(r, item)); });
  r.list(v, "users", [&](const Value& item) { d.users.push_back(read_user(r, item)); });
  r.texts(v, "droppedDatabases", d.dropped_databases);
  r.list(v, "droppedUsers", [&](const Value& item) {
    std::pair<std::string, std::string> user;
    r.text(item, "name", user.first);
    r.text(item, "host", user.second);
    d.dropped_users.push_back(std::move(user));
  });
  r.list(v, "backups", [&](const Value& item) {
    BackupOrder b;
    r.text(item, "id", b.id);
    r.text(item, "uploadUrl", b.upload_url);
    r.integer(item, "segmentBytes", b.segment_bytes);
    r.text(item, "segmentsUrl", b.segments_url);
    d.backups.push_back(std::move(b));
  });
  if (const Value* restore = r.field(v, "restore")) {
    RestoreOrder order;
    r.text(*restore, "id", order.id);
    r.text(*restore, "downloadUrl", order.download_url);
    r.text(*restore, "sha256", order.sha256);
    r.small(*restore, "segments", order.segments, kMostSegments);
    r.text(*restore, "segmentsUrl", order.segments_url);
    d.restore = std::move(order);
  }
  r.boolean(v, "suspended", d.suspended);
  return finish(r, std::move(d));
}

std::string digest(const Document& document) { return sha256_hex(canonical_json(to_value(document))); }

Value to_value(const Report& p) {
  Value v = Value::map({{"version", p.version},
                        {"agent", p.agent},
                        {"cutsBackups", p.cuts_backups},
                        {"documentDigest", p.document_digest},
                        {"engineState", p.engine_state},
                        {"engineMessage", p.engine_message},
                        {"engineVersion", p.engine_version},
                        {"engineStarted", time_text(p.engine_started)},
                        {"appliedRestart", p.applied_restart},
                        {"appliedMemoryMib", p.applied_memory_mib},
                        {"volumeUsedBytes", p.volume_used_bytes},
                        {"volumeTotalBytes", p.volume_total_bytes},
                        {"restarts", p.restarts}});
  v.set("databases", list_value(p.databases, item_value));
  v.set("users", list_value(p.users, item_value));
  v.set("parameters", list_value(p.parameters, [](const ParameterState& s) {
    return Value::map({{"name", s.name}, {"value", s.value}, {"pendingRestart", s.pending_restart}, {"state", s.state},
                       {"message", s.message}});
  }));
  v.set("backups", list_value(p.backups, [](const BackupState& b) {
    return Value::map({{"id", b.id}, {"state", b.state}, {"sha256", b.sha256}, {"bytes", b.bytes},
                       {"segments", b.segments}, {"started", time_text(b.started)},
                       {"finished", time_text(b.finished)}, {"message", b.message}});
  }));
  v.set("restoreState", p.restore_state);
  v.set("restoreMessage", p.restore_message);
  v.set("events", texts_value(p.events));
  return v;
}

Result<Report> report_from_value(const Value& v) {
  Reader r;
  Report p;
  if (!v.is_map()) r.complain("the guest report is not an object");
  if (!r.version(v)) return finish(r, p);
  r.text(v, "agent", p.agent);
  r.boolean(v, "cutsBackups", p.cuts_backups);
  r.text(v, "documentDigest", p.document_digest);
  r.word(v, "engineState", p.engine_state, kEngineStates);
  r.text(v, "engineMessage", p.engine_message);
  r.text(v, "engineVersion", p.engine_version);
  r.time(v, "engineStarted", p.engine_started);
  r.text(v, "appliedRestart", p.applied_restart);
  r.integer(v, "appliedMemoryMib", p.applied_memory_mib);
  r.integer(v, "volumeUsedBytes", p.volume_used_bytes);
  r.integer(v, "volumeTotalBytes", p.volume_total_bytes);
  r.small(v, "restarts", p.restarts, 1'000'000'000);
  r.list(v, "databases", [&](const Value& item) { p.databases.push_back(read_item(r, item)); });
  r.list(v, "users", [&](const Value& item) { p.users.push_back(read_item(r, item)); });
  r.list(v, "parameters", [&](const Value& item) {
    ParameterState s;
    r.text(item, "name", s.name);
    r.text(item, "value", s.value);
    r.boolean(item, "pendingRestart", s.pending_restart);
    r.word(item, "state", s.state, kItemStates);
    r.text(item, "message", s.message);
    p.parameters.push_back(std::move(s));
  });
  r.list(v, "backups", [&](const Value& item) {
    BackupState b;
    r.text(item, "id", b.id);
    r.word(item, "state", b.state, kBackupStates);
    r.text(item, "sha256", b.sha256);
    r.integer(item, "bytes", b.bytes);
    r.small(item, "segments", b.segments, kMostSegments);
    r.time(item, "started", b.started);
    r.time(item, "finished", b.finished);
    r.text(item, "message", b.message);
    p.backups.push_back(std::move(b));
  });
  r.word(v, "restoreState", p.restore_state, kRestoreStates);
  r.text(v, "restoreMessage", p.restore_message);
  r.texts(v, "events", p.events);
  return finish(r, std::move(p));
}

}  // namespace trove::guest
