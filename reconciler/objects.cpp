#include "reconciler/objects.hpp"
#include <algorithm>
#include <future>
#include <system_error>
#include "specs/json.hpp"

namespace trove {
namespace {

std::string path_of(std::string_view root, const Key& key) {
  std::string path(root);
  path += key.project;
  path += '/';
  path += key.kind;
  path += '/';
  path += key.name;
  return path;
}

std::string padded(int64_t number, int width) {
  std::string digits = std::to_string(number);
  return digits.size() >= static_cast<size_t>(width) ? digits : std::string(width - digits.size(), '0') + digits;
}

}  // namespace

Value to_value(const Event& event) {
  return Value::map({{"time", format_time(event.time)},
                     {"type", event.type},
                     {"object", to_string(event.object)},
                     {"project", event.object.project},
                     {"kind", event.object.kind},
                     {"name", event.object.name},
                     {"action", event.action},
                     {"by", event.by},
                     {"message", event.message}});
}

Event event_from_value(const Value& value) {
  Event event;
  event.time = parse_time(value["time"].text()).value_or(Time{});
  event.type = value["type"].text_or("Normal");
  event.object = {value["project"].text(), value["kind"].text(), value["name"].text()};
  event.action = value["action"].text();
  event.by = value["by"].text_or("system");
  event.message = value["message"].text();
  return event;
}

std::string Objects::spec_key(const Key& key) { return path_of("/spec/", key); }
std::string Objects::status_key(const Key& key) { return path_of("/status/", key); }
std::string Objects::fields_key(const Key& key) { return path_of("/fields/", key); }

namespace {

constexpr size_t kReadAhead = 500;  // objects: below, a thread costs more than it saves
constexpr std::string_view kSpecRoot = "/spec/", kStatusRoot = "/status/";

// Of the key of a spec: "/spec/PROJECT/KIND/NAME".
// Out of a value that is not needed any more, without a copy.
Value taken(Value& from, std::string_view member) {
  Value* found = from.find(member);
  return found ? std::move(*found) : Value();
}

bool is_of_kind(std::string_view key, std::string_view kind) {
  const size_t begin = key.find('/', kSpecRoot.size());
  return begin != std::string_view::npos && key.substr(begin + 1).starts_with(kind) &&
         key.substr(begin + 1 + kind.size()).starts_with('/');
}

}  // namespace

std::optional<Key> Objects::key_of(std::string_view store_key) {
  for (std::string_view root : {"/spec/", "/status/"}) {
    if (!store_key.starts_with(root)) continue;
    std::string_view rest = store_key.substr(root.size());
    size_t first = rest.find('/');
    if (first == std::string_view::npos) return std::nullopt;
    size_t second = rest.find('/', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    return Key{std::string(rest.substr(0, first)), std::string(rest.substr(first + 1, second - first - 1)),
               std::string(rest.substr(second + 1))};
  }
  return std::nullopt;
}

Result<Resource> Objects::parse_spec(const std::string& value, Revision revision) {
  Result<Value> parsed = parse_stored_json(value);
  if (!parsed) return fail(Code::corrupt, "a stored object is not JSON: " + parsed.error().message);
  Value spec = taken(*parsed, "spec");
  Resource resource = resource_from_value(*parsed);
  if (spec.is_map()) resource.spec = std::move(spec);
  resource.metadata.resource_version = revision;
  return resource;
}

Value Objects::parse_status(const std::string& value, const std::string& uid) {
  Result<Value> parsed = parse_stored_json(value);
  if (!parsed || (*parsed)["uid"].text() != uid) return {};
  return taken(*parsed, "status");
}

Ownership Objects::parse_fields(const std::string& value, const std::string& uid) {
  Result<Value> parsed = parse_stored_json(value);
  if (!parsed || (*parsed)["uid"].text() != uid) return Ownership();
  return ownership_from_value(*parsed);
}

Result<std::optional<Resource>> Objects::get(const Key& key) {
  auto stored = store_.get(spec_key(key));
  if (!stored) return tl::unexpected(stored.error());
  if (!*stored) return std::optional<Resource>{};
  Result<Resource> resource = parse_spec((*stored)->value, (*stored)->modified);
  if (!resource) return tl::unexpected(resource.error());
  auto status = store_.get(status_key(key));
  if (!status) return tl::unexpected(status.error());
  if (*status) {
    Value value = parse_status((*status)->value, resource->metadata.uid);
    if (value.is_map()) resource->status = std::move(value);
  }
  return std::optional<Resource>(std::move(*resource));
}

Result<Resource> Objects::parse(const StoredTexts& object) {
  Result<Resource> resource = parse_spec(object.spec, object.modified);
  if (!resource || object.status.empty()) return resource;
  Value status = parse_status(object.status, resource->metadata.uid);
  if (status.is_map()) resource->status = std::move(status);
  return resource;
}

Result<ResourcePage> Objects::list(const std::string& project, const std::string& kind, size_t limit,
                                   const std::string& after, Revision at) {
  auto stored = list_stored(project, kind, limit, after, at);
  if (!stored) return tl::unexpected(stored.error());
  ResourcePage page;
  page.revision = stored->revision;
  page.next = std::move(stored->next);
  page.items.reserve(stored->items.size());
  for (const StoredTexts& object : stored->items) {
    auto resource = parse(object);
    if (!resource) return tl::unexpected(resource.error());
    page.items.push_back(std::move(*resource));
  }
  return page;
}

Result<StoredPage> Objects::list_stored(const std::string& project, const std::string& kind, size_t limit,
                                        const std::string& after, Revision at) {
  // Across all projects the kind is the second path part, so those lists filter; within a project the range is exact.
  std::string prefix = project.empty() ? "/spec/" : "/spec/" + project + "/" + kind + "/";
  std::string first = after.empty() ? prefix : after + std::string(1, '\0');
  std::string last = prefix_end(prefix);
  StoredPage page;
  page.revision = at;
  const auto below_root = [](std::string_view root, const std::string& key) {
    return std::string_view(key).substr(std::min(root.size(), key.size()));
  };
  const auto status_of = [&](const std::string& spec) {
    return std::string(kStatusRoot).append(below_root(kSpecRoot, spec));
  };
  // Of many objects, the statuses are read at the same time as the specs: as many of them, which are theirs as a rule.
  std::future<Result<Page>> ahead;
  if (!project.empty() && limit >= kReadAhead) {
    if (page.revision == 0) page.revision = store_.revision();
    try {
      ahead = std::async(std::launch::async, [this, low = status_of(first), high = status_of(last), limit,
                                              revision = page.revision] {
        return store_.range(low, high, limit, revision);
      });
    } catch (const std::system_error&) {  // no thread is to be had: one after the other, then
    }
  }
  while (true) {
    size_t want = limit == 0 ? 1000 : limit - page.items.size();
    auto read = store_.range(first, last, want, page.revision);
    if (!read) return tl::unexpected(read.error());
    page.revision = read->revision;
    page.items.reserve(page.items.size() + read->items.size());
    if (!read->items.empty()) first = page.next = read->items.back().key;
    for (KeyValue& item : read->items)
      if (!project.empty() || is_of_kind(item.key, kind))
        page.items.push_back({std::move(item.key), std::move(item.value), {}, item.modified});
    first += '\0';
    if (!read->more) {
      page.next.clear();
      break;
    }
    if (limit != 0 && page.items.size() >= limit) break;
  }
  if (page.items.empty()) return page;
  // Statuses of the same stretch and moment, merged by walking both in step.
  std::string low = status_of(page.items.front().place);
  const std::string high = status_of(page.items.back().place) + std::string(1, '\0');
  size_t n = 0;
  while (low < high) {
    Result<Page> read = ahead.valid() ? ahead.get() : store_.range(low, high, 1000, page.revision);
    if (!read) return tl::unexpected(read.error());
    for (KeyValue& item : read->items) {
      const std::string_view path = below_root(kStatusRoot, item.key);
      int how = -1;
      while (n < page.items.size() && (how = below_root(kSpecRoot, page.items[n].place).compare(path)) < 0) ++n;
      if (how == 0) page.items[n].status = std::move(item.value);
      low = std::move(item.key);
    }
    low += '\0';
    if (!read->more) break;
  }
  return page;
}

namespace {

bool take(std::string_view& rest, std::string_view expected) {
  if (!rest.starts_with(expected)) return false;
  rest.remove_prefix(expected.size());
  return true;
}
// A string without escapes; what it says goes into `text`.
bool take_plain(std::string_view& rest, std::string_view& text) {
  if (!rest.starts_with('"')) return false;
  size_t end = 1;
  while (end < rest.size() && rest[end] != '"' && rest[end] != '\\') ++end;
  if (end == rest.size() || rest[end] != '"') return false;
  text = rest.substr(1, end - 1);
  rest.remove_prefix(end + 1);
  return true;
}

}  // namespace

bool Objects::splice(const StoredTexts& object, std::string& out) {
  // Of metadata, what comes before the resourceVersion: to_value() in specs/resource.cpp has the order.
  std::string_view rest = object.spec, other, uid;
  if (!take(rest, "{\"apiVersion\":\"") || !take(rest, kApiVersion) || !take(rest, "\",\"kind\":") ||
      !take_plain(rest, other) || !take(rest, ",\"metadata\":{\"name\":") || !take_plain(rest, other))
    return false;
  for (std::string_view member : {",\"generateName\":", ",\"project\":"})
    if (take(rest, member) && !take_plain(rest, other)) return false;
  if (take(rest, ",\"uid\":") && !take_plain(rest, uid)) return false;
  if (!take(rest, ",\"generation\":")) return false;
  rest.remove_prefix(std::min(rest.find_first_not_of("-0123456789"), rest.size()));
  if (rest.size() < 2 || !rest.ends_with('}')) return false;
  const size_t place = object.spec.size() - rest.size();

  std::string_view status = object.status;
  if (!status.empty()) {
    std::string_view its;
    if (!take(status, "{\"uid\":") || !take_plain(status, its) || !take(status, ",\"status\":") ||
        !status.ends_with('}'))
      return false;
    status.remove_suffix(1);
    if (its != uid || !status.starts_with('{') || status == "{}") status = {};  // of an object that was here before
  }
  out.append(object.spec, 0, place);
  if (object.modified != 0) out.append(",\"resourceVersion\":\"").append(std::to_string(object.modified)) += '"';
  out.append(rest.substr(0, rest.size() - 1));
  if (!status.empty()) out.append(",\"status\":").append(status);
  out += '}';
  return true;
}

Result<std::vector<Event>> Objects::events(const Key& key, size_t limit) {
  std::string prefix = path_of("/event/", key) + "/";
  auto read = store_.range(prefix, prefix_end(prefix), 0);
  if (!read) return tl::unexpected(read.error());
  std::vector<Event> events;
  size_t skip = limit != 0 && read->items.size() > limit ? read->items.size() - limit : 0;
  for (size_t i = skip; i < read->items.size(); ++i) {
    Result<Value> value = parse_stored_json(read->items[i].value);
    if (value) events.push_back(event_from_value(*value));
  }
  return events;
}

Result<std::vector<HistoryEntry>> Objects::history(const std::string& uid) {
  std::string prefix = "/history/" + uid + "/";
  auto read = store_.range(prefix, prefix_end(prefix), 0);
  if (!read) return tl::unexpected(read.error());
  std::vector<HistoryEntry> entries;
  for (const KeyValue& item : read->items) {
    Result<Value> value = parse_stored_json(item.value);
    if (!value) return fail(Code::corrupt, "a stored history entry is not JSON: " + item.key);
    HistoryEntry entry;
    entry.generation = (*value)["generation"].int_or(0);
    entry.time = parse_time((*value)["time"].text()).value_or(Time{});
    entry.author = (*value)["author"].text();
    entry.spec = (*value)["spec"];
    entry.plan = (*value)["plan"].text();
    entries.push_back(std::move(entry));
  }
  const std::string done = "/done/" + uid + "/";
  auto reached = store_.range(done, prefix_end(done), 0);
  if (!reached) return tl::unexpected(reached.error());
  for (const KeyValue& item : reached->items)
    for (HistoryEntry& entry : entries)
      if (padded(entry.generation, 10) == item.key.substr(done.size()))
        entry.done = parse_time(item.value).value_or(Time{});
  return entries;
}

void Objects::stage_done(Txn& txn, const Resource& resource, int64_t generation) const {
  txn.ops.push_back({Op::Kind::put, "/done/" + resource.metadata.uid + "/" + padded(generation, 10),
                     format_time(clock_.wall()), 0});
}

void Objects::stage_fields(Txn& txn, const Resource& resource, const Ownership& ownership) const {
  Value value = to_value(ownership);
  value.set("uid", resource.metadata.uid);
  txn.ops.push_back({Op::Kind::put, fields_key(resource.key()), dump_json(value), 0});
}

void Objects::stage_put(Txn& txn, const Resource& resource, const std::string& author, const std::string& plan) const {
  const std::string key = spec_key(resource.key());
  Guard guard;
  guard.key = key;
  if (resource.metadata.resource_version == 0) {
    guard.what = Guard::What::absent;
  } else {
    guard.what = Guard::What::modified_is;
    guard.revision = resource.metadata.resource_version;
  }
  txn.guards.push_back(std::move(guard));
  Resource stored = resource;
  stored.status = Value::map();
  stored.metadata.resource_version = 0;
  txn.ops.push_back({Op::Kind::put, key, dump_json(to_value(stored)), 0});
  if (author.empty()) return;
  Value entry = Value::map({{"generation", resource.metadata.generation},
                            {"time", format_time(clock_.wall())},
                            {"author", author},
                            {"kind", resource.kind},
                            {"name", resource.metadata.name},
                            {"spec", resource.spec}});
  if (!plan.empty()) entry.set("plan", plan);
  txn.ops.push_back({Op::Kind::put,
                     "/history/" + resource.metadata.uid + "/" + padded(resource.metadata.generation, 10),
                     dump_json(entry), 0});
}

void Objects::stage_status(Txn& txn, const Resource& resource) const {
  txn.guards.push_back({Guard::What::present, spec_key(resource.key()), 0});
  // As text, for the largest part of what the loop writes is statuses; splice() reads this order.
  std::string text = "{\"uid\":" + dump_json(Value(resource.metadata.uid)) + ",\"status\":" + dump_json(resource.status) + "}";
  txn.ops.push_back({Op::Kind::put, status_key(resource.key()), std::move(text), 0});
}

void Objects::stage_remove(Txn& txn, const Resource& resource) const {
  const std::string key = spec_key(resource.key());
  txn.guards.push_back({Guard::What::modified_is, key, resource.metadata.resource_version});
  txn.ops.push_back({Op::Kind::remove, key, "", 0});
  txn.ops.push_back({Op::Kind::remove, status_key(resource.key()), "", 0});
  txn.ops.push_back({Op::Kind::remove, fields_key(resource.key()), "", 0});
}

std::string bound_volume(const Resource& volume) {
  const Value* id = volume.status.find("id");
  return id ? id->text() : volume.metadata.annotations[kVolumeId].text();
}

bool may_hold_data(const Resource& volume) {
  return !bound_volume(volume).empty() && !volume.status["unused"].bool_or(false);
}

bool Objects::take_retained(Resource& fresh) {
  if (fresh.kind != "Volume") return false;
  auto stored = store_.get(path_of("/retained/", fresh.key()));
  if (!stored || !*stored) return false;
  Result<Value> value = parse_stored_json((*stored)->value);
  if (!value || (*value)["uid"].text().empty()) return false;
  fresh.metadata.uid = (*value)["uid"].text();
  fresh.metadata.annotations.set(kVolumeId, (*value)["id"].text());
  fresh.metadata.generation = (*value)["generation"].int_or(0) + 1;  // its history goes on
  return true;
}

void Objects::stage_retained(Txn& txn, const Resource& removed) const {
  if (removed.kind != "Volume") return;
  const std::string id = bound_volume(removed);
  const bool kept = removed.spec["deletionPolicy"].text_or("Retain") == "Retain" && may_hold_data(removed);
  const std::string key = path_of("/retained/", removed.key());
  if (kept) {
    Value value =
        Value::map({{"uid", removed.metadata.uid}, {"id", id}, {"generation", removed.metadata.generation}});
    txn.ops.push_back({Op::Kind::put, key, dump_json(value), 0});
  } else {
    txn.ops.push_back({Op::Kind::remove, key, "", 0});
  }
}

void Objects::stage_gone(Txn& txn, const Resource& removed) const {
  if (removed.kind != "Volume" && removed.kind != "DatabaseInstance" && removed.kind != "Backup") return;
  // What a late create may still make of a volume that was never of use holds nothing.
  const bool unused = removed.kind == "Volume" && !may_hold_data(removed);
  const std::string& policy = unused ? "Delete" : removed.spec["deletionPolicy"].text_or("Retain");
  Value value = Value::map({{"kind", removed.kind},
                            {"project", removed.metadata.project},
                            {"name", removed.metadata.name},
                            {"policy", policy},
                            {"time", format_time(clock_.wall())}});
  txn.ops.push_back({Op::Kind::put, "/gone/" + removed.metadata.uid, dump_json(value), 0});
}

void Objects::stage_event(Txn& txn, const Event& event) const {
  Event stamped = event;
  if (!stamped.time.set()) stamped.time = clock_.wall();
  const std::string stamp = padded(stamped.time.ms, 13) + "-" + padded(static_cast<int64_t>(stamps_++ % 1'000'000), 6);
  txn.ops.push_back({Op::Kind::put, path_of("/event/", event.object) + "/" + stamp, dump_json(to_value(stamped)), 0});
}

}  // namespace trove
