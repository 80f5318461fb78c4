// Swift: accounts, containers, objects, temporary URLs, dynamic and static large objects.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <algorithm>
#include <charconv>
#include <ctime>
#include "providers/sim/http_world.hpp"
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove::sim {

namespace {

constexpr size_t kMostListed = 10'000;

std::string md5_hex(std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), out, &length, EVP_md5(), nullptr);
  return to_hex(std::string_view(reinterpret_cast<const char*>(out), length));
}

std::string hmac_hex(const EVP_MD* digest, const std::string& key, const std::string& text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &length);
  return to_hex(std::string_view(reinterpret_cast<const char*>(out), length));
}

std::string http_date(Time t) {
  const time_t seconds = t.ms / 1000;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

// A signature covers one path for one method until a time; GET's and PUT's are good for HEAD as well.
bool temporary_url_fits(World& world, const Ask& ask, const Account& account, const Container* container) {
  std::string signature = ask.parameter("temp_url_sig");
  const std::string expires = ask.parameter("temp_url_expires");
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  if (error != std::errc{} || end != expires.data() + expires.size()) {
    const auto time = parse_time(expires);
    if (!time) return false;
    seconds = time->ms / 1000;
  }
  if (seconds < world.clock.wall().ms / 1000) return false;
  if (const size_t colon = signature.find(':'); colon != std::string::npos) {  // "sha256:<base64>"
    std::string raw, text = signature.substr(colon + 1);
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    while (text.size() % 4 != 0) text += '=';
    if (!from_base64(text, raw)) return false;
    signature = to_hex(raw);
  }
  const EVP_MD* digest = signature.size() == 40    ? EVP_sha1()
                         : signature.size() == 64  ? EVP_sha256()
                         : signature.size() == 128 ? EVP_sha512()
                                                   : nullptr;
  if (!digest) return false;
  std::vector<std::string> methods = {ask.request.method};
  if (ask.request.method == "HEAD") methods = {"HEAD", "GET", "PUT", "POST"};
  std::string path = ask.request.path;
  if (ask.has("temp_url_prefix")) {
    const std::string prefix = "/v1/" + ask.at(0) + "/" + ask.at(1) + "/" + ask.parameter("temp_url_prefix");
    if (!path.starts_with(prefix)) return false;
    path = "prefix:" + prefix;
  }
  std::vector<std::string> keys;
  for (const auto* meta : {&account.meta, container ? &container->meta : nullptr})
    for (const char* name : {"temp-url-key", "temp-url-key-2"})
      if (meta && meta->contains(name)) keys.push_back(meta->at(name));
  for (const std::string& method : methods)
    for (const std::string& key : keys)
      if (same_bytes(hmac_hex(digest, key, method + "\n" + std::to_string(seconds) + "\n" + path), signature))
        return true;
  return false;
}

void read_meta(const Ask& ask, const std::string& prefix, std::map<std::string, std::string>& meta) {
  for (const auto& [name, value] : ask.request.headers) {
    if (name.starts_with(prefix + "-meta-")) {
      const std::string key = name.substr(prefix.size() + 6);
      if (value.empty())
        meta.erase(key);
      else
        meta[key] = value;
    }
    if (name.starts_with("x-remove-" + prefix.substr(2) + "-meta-")) meta.erase(name.substr(prefix.size() + 13));
  }
}

void say_meta(http::Response& response, const std::string& prefix, const std::map<std::string, std::string>& meta) {
  for (const auto& [name, value] : meta) response.headers.emplace_back(prefix + "-Meta-" + name, value);
}

http::Response plain(int status, std::string body = {}) {
  http::Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

struct Whole {
  std::string data, etag;
};

// The bytes behind a name: of the object itself, or put together from its segments.
std::optional<Whole> read_whole(const Account& account, const Object& object) {
  Whole whole;
  const auto segment = [&](const std::string& container, const std::string& name) -> const Object* {
    const auto holder = account.containers.find(container);
    if (holder == account.containers.end()) return nullptr;
    const auto found = holder->second.objects.find(name);
    return found == holder->second.objects.end() ? nullptr : &found->second;
  };
  if (!object.segments.empty()) {
    std::string etags;
    for (const Segment& part : object.segments) {
      const size_t slash = part.path.find('/');
      const Object* found = segment(part.path.substr(0, slash), part.path.substr(slash + 1));
      if (!found || found->etag != part.etag) return std::nullopt;
      whole.data += found->data;
      etags += found->etag;
    }
    whole.etag = "\"" + md5_hex(etags) + "\"";
    return whole;
  }
  if (!object.manifest.empty()) {
    const size_t slash = object.manifest.find('/');
    const std::string prefix = object.manifest.substr(slash + 1);
    const auto holder = account.containers.find(object.manifest.substr(0, slash));
    std::string etags;
    if (holder != account.containers.end())
      for (auto it = holder->second.objects.lower_bound(prefix);
           it != holder->second.objects.end() && it->first.starts_with(prefix); ++it)
        whole.data += it->second.data, etags += it->second.etag;
    whole.etag = "\"" + md5_hex(etags) + "\"";
    return whole;
  }
  return Whole{object.data, object.etag};
}

int64_t size_of(const Account& account, const Object& object) {
  if (object.segments.empty() && object.manifest.empty()) return static_cast<int64_t>(object.data.size());
  const auto whole = read_whole(account, object);
  return whole ? static_cast<int64_t>(whole->data.size()) : 0;
}

// A listing: names after the marker, with a prefix, rolled up at the delimiter.
template <class Things, class Row>
http::Response listing(const Ask& ask, const Things& things, Row row) {
  const std::string prefix = ask.parameter("prefix"), marker = ask.parameter("marker"),
                    end_marker = ask.parameter("end_marker"), delimiter = ask.parameter("delimiter");
  size_t limit = kMostListed;
  if (ask.has("limit")) {
    const std::string text = ask.parameter("limit");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit > kMostListed) return swift_error(412);
  }
  const bool as_json =
      ask.parameter("format") == "json" || ask.request.header("accept").starts_with("application/json");
  Value list = Value::list();
  std::string lines, last_rolled;
  size_t count = 0;
  for (const auto& [name, thing] : things) {
    if (count >= limit) break;
    if (!name.starts_with(prefix) || (!marker.empty() && name <= marker) || (!end_marker.empty() && name >= end_marker))
      continue;
    const size_t cut = delimiter.empty() ? std::string::npos : name.find(delimiter, prefix.size());
    if (cut != std::string::npos) {
      const std::string rolled = name.substr(0, cut + delimiter.size());
      if (rolled == last_rolled || (!marker.empty() && rolled <= marker)) continue;
      last_rolled = rolled;
      list.push_back(Value::map({{"subdir", rolled}}));
      lines += rolled + "\n";
    } else {
      list.push_back(row(name, thing));
      lines += name + "\n";
    }
    ++count;
  }
  if (as_json) {
    http::Response response = json(200, list);
    response.content_type = "application/json; charset=utf-8";
    return response;
  }
  return plain(lines.empty() ? 204 : 200, lines);
}

void drop_expired(World& world, Container& container) {
  const Time now = world.clock.wall();
  std::erase_if(container.objects,
                [&](const auto& object) { return object.second.delete_at.set() && object.second.delete_at <= now; });
}

http::Response of_account(World& world, Ask& ask, Account& account) {
  if (ask.request.method == "POST") {
    read_meta(ask, "x-account", account.meta);
    return plain(204);
  }
  if (ask.request.method != "GET" && ask.request.method != "HEAD") return swift_error(405);
  int64_t objects = 0, bytes = 0;
  for (auto& [name, container] : account.containers) {
    drop_expired(world, container);
    objects += static_cast<int64_t>(container.objects.size());
    for (const auto& [key, object] : container.objects) bytes += static_cast<int64_t>(object.data.size());
  }
  http::Response response = plain(204);
  if (ask.request.method == "GET") {
    response = listing(ask, account.containers, [&](const std::string& name, const Container& container) {
      int64_t sum = 0;
      for (const auto& [key, object] : container.objects) sum += static_cast<int64_t>(object.data.size());
      return Value::map({{"name", name}, {"count", container.objects.size()}, {"bytes", sum}});
    });
  }
  response.headers.emplace_back("X-Account-Container-Count", std::to_string(account.containers.size()));
  response.headers.emplace_back("X-Account-Object-Count", std::to_string(objects));
  response.headers.emplace_back("X-Account-Bytes-Used", std::to_string(bytes));
  say_meta(response, "X-Account", account.meta);
  return response;
}

http::Response of_container(World& world, Ask& ask, Account& account) {
  const std::string name = ask.at(1);
  const auto found = account.containers.find(name);
  if (ask.request.method == "PUT") {
    const bool fresh = found == account.containers.end();
    read_meta(ask, "x-container", account.containers[name].meta);
    if (fresh) return plain(201);
    http::Response response =
        plain(202, "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>");
    response.content_type = "text/html; charset=UTF-8";
    return response;
  }
  if (found == account.containers.end()) return swift_error(404);
  Container& container = found->second;
  drop_expired(world, container);
  if (ask.request.method == "POST") return read_meta(ask, "x-container", container.meta), plain(204);
  if (ask.request.method == "DELETE") {
    if (!container.objects.empty()) return swift_error(409);
    account.containers.erase(found);
    return plain(204);
  }
  if (ask.request.method != "GET" && ask.request.method != "HEAD") return swift_error(405);
  int64_t bytes = 0;
  for (const auto& [key, object] : container.objects) bytes += static_cast<int64_t>(object.data.size());
  http::Response response = plain(204);
  if (ask.request.method == "GET") {
    response = listing(ask, container.objects, [&](const std::string& key, const Object& object) {
      // A dynamic large object is listed as what it is itself: nothing. A static one with its sum.
      const int64_t size =
          object.segments.empty() ? static_cast<int64_t>(object.data.size()) : size_of(account, object);
      return Value::map({{"name", key},
                         {"hash", object.etag},
                         {"bytes", size},
                         {"content_type", object.type},
                         {"last_modified", micros_text(object.modified)}});
    });
  }
  response.headers.emplace_back("X-Container-Object-Count", std::to_string(container.objects.size()));
  response.headers.emplace_back("X-Container-Bytes-Used", std::to_string(bytes));
  say_meta(response, "X-Container", container.meta);
  return response;
}

void read_expiry(World& world, const Ask& ask, Object& object) {
  const std::string at = ask.request.header("x-delete-at"), after = ask.request.header("x-delete-after");
  if (!at.empty()) object.delete_at = Time{std::atoll(at.c_str()) * 1000};
  if (!after.empty()) object.delete_at = world.clock.wall() + Millis{std::atoll(after.c_str()) * 1000};
}

http::Response put_object(World& world, Ask& ask, Account& account, Container& container, const std::string& name) {
  if (ask.request.header("if-none-match") == "*" && container.objects.contains(name)) return swift_error(412);
  Object object;
  object.data = std::move(ask.bytes);
  object.etag = md5_hex(object.data);
  const std::string claimed = ask.request.header("etag");
  if (!claimed.empty() && claimed != object.etag && !ask.has("multipart-manifest")) return swift_error(422);
  object.type = ask.request.header("content-type");
  if (object.type.empty()) object.type = "application/octet-stream";
  object.modified = world.clock.wall();
  object.manifest = ask.request.header("x-object-manifest");
  if (!object.manifest.empty() && object.manifest.find('/') == std::string::npos) return swift_error(400);
  read_meta(ask, "x-object", object.meta);
  read_expiry(world, ask, object);
  if (ask.parameter("multipart-manifest") == "put") {
    const auto manifest = parse_json(object.data);
    if (!manifest || !manifest->is_list() || manifest->empty()) return plain(400, "Manifest must be valid JSON.\n");
    std::string wrong;
    for (const Value& part : manifest->items()) {
      std::string path = part["path"].text();
      if (path.starts_with("/")) path.erase(0, 1);
      const size_t slash = path.find('/');
      const auto holder = account.containers.find(path.substr(0, slash));
      const Object* segment = nullptr;
      if (slash != std::string::npos && holder != account.containers.end())
        if (auto it = holder->second.objects.find(path.substr(slash + 1)); it != holder->second.objects.end())
          segment = &it->second;
      if (!segment)
        wrong += path + ", 404 Not Found\n";
      else if (part["size_bytes"].is_int() &&
               part["size_bytes"].int_or(0) != static_cast<int64_t>(segment->data.size()))
        wrong += path + ", Size Mismatch\n";
      else if (part["etag"].is_string() && part["etag"].text() != segment->etag)
        wrong += path + ", Etag Mismatch\n";
      else
        object.segments.push_back({path, segment->etag, static_cast<int64_t>(segment->data.size())});
    }
    if (!wrong.empty()) return plain(400, "Errors:\n" + wrong);
    object.data.clear();
    object.etag = read_whole(account, object)->etag;
  }
  const std::string etag = object.etag;
  container.objects[name] = std::move(object);
  http::Response response = plain(201);
  response.headers.emplace_back("ETag", etag);
  response.headers.emplace_back("Last-Modified", http_date(world.clock.wall()));
  return response;
}

http::Response get_object(const Ask& ask, const Account& account, const Object& object) {
  if (ask.parameter("multipart-manifest") == "get" && !object.segments.empty()) {
    Value list = Value::list();
    for (const Segment& part : object.segments)
      list.push_back(Value::map({{"name", "/" + part.path}, {"hash", part.etag}, {"bytes", part.bytes}}));
    return json(200, list);
  }
  auto whole = read_whole(account, object);
  if (!whole) return swift_error(409);  // a segment is gone or another
  http::Response response;
  response.content_type = object.type;
  int64_t first = 0, last = static_cast<int64_t>(whole->data.size()) - 1;
  const std::string range = ask.request.header("range");
  if (range.starts_with("bytes=") && range.find(',') == std::string::npos && !whole->data.empty()) {
    const size_t dash = range.find('-');
    const std::string from = range.substr(6, dash - 6), to = range.substr(dash + 1);
    if (from.empty())
      first = std::max<int64_t>(0, last + 1 - std::atoll(to.c_str()));
    else
      first = std::atoll(from.c_str());
    if (!from.empty() && !to.empty()) last = std::min<int64_t>(last, std::atoll(to.c_str()));
    if (first > last) return swift_error(416);
    response.status = 206;
    response.headers.emplace_back("Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                                                       std::to_string(whole->data.size()));
    whole->data = whole->data.substr(static_cast<size_t>(first), static_cast<size_t>(last - first + 1));
  }
  response.body = std::move(whole->data);
  response.headers.emplace_back("ETag", whole->etag);
  response.headers.emplace_back("Last-Modified", http_date(object.modified));
  response.headers.emplace_back("X-Timestamp", std::to_string(object.modified.ms / 1000) + ".00000");
  if (!object.manifest.empty()) response.headers.emplace_back("X-Object-Manifest", object.manifest);
  if (!object.segments.empty()) response.headers.emplace_back("X-Static-Large-Object", "True");
  if (object.delete_at.set()) response.headers.emplace_back("X-Delete-At", std::to_string(object.delete_at.ms / 1000));
  say_meta(response, "X-Object", object.meta);
  return response;
}

http::Response of_object(World& world, Ask& ask, Account& account, const std::string& name) {
  const auto holder = account.containers.find(ask.at(1));
  if (holder == account.containers.end()) return swift_error(404);
  Container& container = holder->second;
  drop_expired(world, container);
  if (ask.request.method == "PUT") return put_object(world, ask, account, container, name);
  const auto found = container.objects.find(name);
  if (found == container.objects.end()) return swift_error(404);
  if (ask.request.method == "GET" || ask.request.method == "HEAD") return get_object(ask, account, found->second);
  if (ask.request.method == "POST") {
    found->second.meta.clear();
    read_meta(ask, "x-object", found->second.meta);
    read_expiry(world, ask, found->second);
    return plain(202);
  }
  if (ask.request.method != "DELETE") return swift_error(405);
  if (ask.parameter("multipart-manifest") == "delete") {
    const std::vector<Segment> segments = found->second.segments;
    container.objects.erase(found);
    for (const Segment& part : segments) {
      const size_t slash = part.path.find('/');
      if (auto it = account.containers.find(part.path.substr(0, slash)); it != account.containers.end())
        it->second.objects.erase(part.path.substr(slash + 1));
    }
    return json(200, Value::map({{"Number Deleted", segments.size() + 1},
                                 {"Number Not Found", 0},
                                 {"Response Status", "200 OK"},
                                 {"Errors", Value::list()}}));
  }
  container.objects.erase(found);
  return plain(204);
}

}  // namespace

http::Response swift(World& world, Ask& ask) {
  // /v1/AUTH_<project>/<container>/<object, slashes and all>
  std::string rest = ask.request.path.substr(std::min<size_t>(4, ask.request.path.size()));
  ask.path.clear();
  for (int part = 0; part < 2 && !rest.empty(); ++part) {
    const size_t slash = rest.find('/');
    ask.path.push_back(rest.substr(0, slash));
    rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
  }
  const std::string name = rest;
  if (!ask.at(0).starts_with("AUTH_")) return swift_error(404);
  const std::string project = ask.at(0).substr(5);
  const bool known =
      std::any_of(world.projects.begin(), world.projects.end(), [&](const auto& one) { return one.second == project; });
  if (!known) return swift_error(ask.session.user.empty() ? 401 : 403);
  Account& account = world.accounts[project];
  const auto holder = account.containers.find(ask.at(1));
  if (ask.has("temp_url_sig") || ask.has("temp_url_expires")) {
    const Container* container = holder == account.containers.end() ? nullptr : &holder->second;
    if (name.empty() || !temporary_url_fits(world, ask, account, container)) return swift_error(401);
    // Whoever may write one object must not make it a window to others.
    if (!ask.request.header("x-object-manifest").empty())
      return plain(400, "The header 'X-Object-Manifest' is not allowed in this tempurl");
  } else if (ask.session.user.empty()) {
    return swift_error(401);
  } else if (ask.session.project != project && !ask.session.admin) {
    return swift_error(403);
  }
  if (ask.path.size() == 1) return of_account(world, ask, account);
  if (name.empty()) return of_container(world, ask, account);
  return of_object(world, ask, account, name);
}

}  // namespace trove::sim
