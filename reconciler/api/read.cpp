// Lists, single objects, their events and history.
#include <charconv>
#include "reconciler/api/api.hpp"
#include "reconciler/api/selector.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr size_t kDefaultEvents = 100, kMaxEvents = 1'000;

Attempt<size_t> number_of(const http::Request& request, const std::string& name, size_t fallback, size_t most) {
  const std::string text = request.parameter(name);
  if (text.empty()) return fallback;
  size_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > most) {
    return refuse(400, "CONFIG_INVALID", name + " must be a number from 1 to " + std::to_string(most));
  }
  return number;
}

// Base64 with the alphabet that needs no encoding in a URL.
std::string continue_token(const std::string& after, Revision revision) {
  std::string text = base64(dump_json(Value::map({{"after", after}, {"revision", std::to_string(revision)}})));
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

struct Place {
  std::string after, revision;
};
Attempt<Place> place_of(std::string token, const std::string& prefix) {
  if (token.empty()) return Place{};
  for (char& c : token) c = c == '-' ? '+' : c == '_' ? '/' : c;
  std::string text;
  Result<Value> parsed = from_base64(token, text) ? parse_json(text) : fail(Code::invalid, "");
  // It came back from outside: it must not lead into another project.
  if (!parsed || !(*parsed)["after"].text().starts_with(prefix)) {
    return refuse(400, "CONFIG_INVALID", "the continue token is not one of this list", "list again from the start");
  }
  return Place{(*parsed)["after"].text(), (*parsed)["revision"].text()};
}

}  // namespace

Value shown_spec(const Kind* kind, Value spec) {
  if (!kind) return spec;
  for (const Field& field : kind->fields) {
    if (!field.sensitive) continue;
    Value* found = spec.find(field.path);  // sensitive fields lie directly in a spec
    if (!found) continue;
    if (!found->is_map()) {
      *found = kHidden;
    } else {
      for (Value::Member& member : found->mutable_members()) member.value = kHidden;
    }
  }
  return spec;
}

Resource shown(Resource resource) {
  resource.spec = shown_spec(find_kind(resource.kind), std::move(resource.spec));
  return resource;
}

Attempt<Resource> Api::existing(const Key& key) {
  auto found = options_.objects.get(key);
  if (!found) return refuse(found.error());
  if (!*found) {
    return refuse(404, "NOT_FOUND", printable(to_string(key)) + " not found in project " + key.project);
  }
  return std::move(**found);
}

Attempt<http::Response> Api::get(const Call& call, const Kind& kind, const std::string& name) {
  const Key key{call.project, std::string(kind.name), name};
  if (const std::string at = call.request.parameter("at"); !at.empty()) return get_at(key, at);
  auto found = existing(key);
  if (!found) return tl::unexpected(found.error());
  std::string etag = etag_of(*found);
  Value object = to_value(shown(*found));
  if (call.request.parameter("managedFields") == "true")
    if (auto added = add_owners(*found, object); !added) return tl::unexpected(added.error());
  http::Response out = json_response(200, object);
  out.headers.emplace_back("ETag", std::move(etag));
  return out;
}

Attempt<http::Response> Api::list(const Call& call, const Kind& kind) {
  auto limit = number_of(call.request, "limit", kDefaultPage, kMaxPage);
  if (!limit) return tl::unexpected(limit.error());
  auto selector = Selector::parse(call.request.parameter("labelSelector"));
  if (!selector) return refuse(selector.error());
  const std::string prefix = Objects::spec_key({call.project, std::string(kind.name), ""});
  auto place = place_of(call.request.parameter("continue"), prefix);
  if (!place) return tl::unexpected(place.error());

  Value items = Value::list();
  std::string after = place->after;
  Revision revision = 0;
  for (size_t scanned = 0;;) {
    auto page = options_.objects.list(call.project, std::string(kind.name), *limit - items.size(), after);
    if (!page) return refuse(page.error());
    if (revision == 0) revision = page->revision;
    scanned += page->items.size();
    for (Resource& resource : page->items) {
      if (selector->matches(resource.metadata.labels)) items.push_back(to_value(shown(std::move(resource))));
    }
    after = page->next;
    if (after.empty() || items.size() >= *limit || scanned >= kMaxScan) break;
  }
  Value body = Value::map();
  body.set("apiVersion", kApiVersion);
  body.set("kind", "List");
  // The first page's revision in every page: a watch from there misses nothing that changed while the rest was read.
  std::string first = place->revision.empty() ? std::to_string(revision) : place->revision;
  body.set("revision", first);
  if (!after.empty()) {
    Revision seen = revision;
    std::from_chars(first.data(), first.data() + first.size(), seen);
    body.set("continue", continue_token(after, seen));
  }
  body.set("items", std::move(items));
  return json_response(200, body);
}

Attempt<http::Response> Api::events(const Call& call, const Kind& kind, const std::string& name) {
  auto limit = number_of(call.request, "limit", kDefaultEvents, kMaxEvents);
  if (!limit) return tl::unexpected(limit.error());
  const Key key{call.project, std::string(kind.name), name};
  auto events = options_.objects.events(key, *limit);
  if (!events) return refuse(events.error());
  if (events->empty()) {  // events outlive their object; without either there is nothing to tell
    if (auto found = existing(key); !found) return tl::unexpected(found.error());
  }
  Value items = Value::list();
  for (const Event& event : *events) items.push_back(to_value(event));
  return json_response(200, Value::map({{"items", std::move(items)}}));
}

}  // namespace trove
