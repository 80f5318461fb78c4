#include "providers/sim/http_world.hpp"
#include <algorithm>
#include <charconv>
#include "specs/core/digest.hpp"
#include "specs/json.hpp"

namespace trove::sim {

const char* title_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Request Entity Too Large";
    case 416:
      return "Requested Range Not Satisfiable";
    case 422:
      return "Unprocessable Entity";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Error";
  }
}

http::Response json(int status, const Value& value) {
  http::Response response;
  response.status = status;
  response.body = dump_json(value);
  return response;
}

http::Response empty(int status) {
  http::Response response;
  response.status = status;
  return response;
}

http::Response fault(int status, const std::string& message) {
  const auto name = [&]() -> std::string_view {
    switch (status) {
      case 400:
        return "badRequest";
      case 401:
        return "unauthorized";
      case 403:
        return "forbidden";
      case 404:
        return "itemNotFound";
      case 405:
        return "badMethod";
      case 409:
        return "conflictingRequest";
      case 413:
      case 429:
        return "overLimit";
      case 415:
        return "badMediaType";
      case 501:
        return "notImplemented";
      case 503:
        return "serviceUnavailable";
      default:
        return "computeFault";
    }
  };
  Value inner = Value::map({{"code", status}, {"message", message}});
  if (status == 413 || status == 429) inner.set("retryAfter", "0");
  http::Response response = json(status, Value::map({{name(), std::move(inner)}}));
  if (status == 413 || status == 429) response.headers.emplace_back("Retry-After", "0");
  return response;
}

http::Response refused(const SimRefusal& refusal) { return fault(refusal.status, refusal.message); }

http::Response neutron_error(int status, const std::string& type, const std::string& message) {
  return json(status,
              Value::map({{"NeutronError", Value::map({{"type", type}, {"message", message}, {"detail", ""}})}}));
}

http::Response neutron_refused(const SimRefusal& refusal) {
  return neutron_error(refusal.status, refusal.type, refusal.message);
}

http::Response keystone_error(int status, const std::string& message) {
  return json(
      status,
      Value::map({{"error", Value::map({{"code", status}, {"message", message}, {"title", title_of(status)}})}}));
}

http::Response swift_error(int status) {
  const auto words = [&] {
    switch (status) {
      case 400:
        return "The server could not comply with the request since it is either malformed or otherwise incorrect.";
      case 401:
        return "This server could not verify that you are authorized to access the document you requested.";
      case 403:
        return "Access was denied to this resource.";
      case 404:
        return "The resource could not be found.";
      case 405:
        return "The method is not allowed for this resource.";
      case 409:
        return "There was a conflict when trying to complete your request.";
      case 412:
        return "A precondition for this request was not met.";
      case 413:
        return "The body of your request was too large for this server.";
      case 416:
        return "The Range requested is not available.";
      case 422:
        return "Unable to process the contained instructions.";
      default:
        return "The server is currently unavailable. Please try again at a later time.";
    }
  };
  http::Response response;
  response.status = status;
  response.content_type = "text/html; charset=UTF-8";
  response.body = std::string("<html><h1>") + title_of(status) + "</h1><p>" + words() + "</p></html>";
  return response;
}

http::Response html_error(int status, const std::string& message) {
  const std::string title = std::to_string(status) + " " + title_of(status);
  http::Response response;
  response.status = status;
  response.content_type = "text/html; charset=UTF-8";
  response.body = "<html>\n <head>\n  <title>" + title + "</title>\n </head>\n <body>\n  <h1>" + title + "</h1>\n  " +
                  message + "<br /><br />\n\n\n\n </body>\n</html>";
  return response;
}

http::Response unauthorized(const World& world) {
  http::Response response = keystone_error(401, "The request you have made requires authentication.");
  response.headers.emplace_back("WWW-Authenticate", "Keystone uri=\"" + world.base + "\"");
  return response;
}

// ---- Microversions --------------------------------------------------------------------------------------------------

tl::expected<int, http::Response> microversion(const Ask& ask, const Microversion& known) {
  std::string wanted;
  const std::string header = ask.request.header("openstack-api-version");
  if (!header.empty()) {
    // One header may hold several services, "compute 2.90, volume 3.70".
    for (const std::string& one : split(header, ',')) {
      const auto words = split(one, ' ');
      if (words.size() == 2 && words[0] == known.service) wanted = words[1];
    }
    // Cinder's own way with a header that is for others.
    if (wanted.empty() && known.service == "volume")
      return tl::unexpected(fault(400, "API version None is not supported."));
  } else if (!known.legacy.empty()) {
    wanted = ask.request.header(known.legacy);
  }
  if (wanted.empty()) return known.least;
  if (wanted == "latest") return known.most;
  int major = 0, minor = 0;
  const size_t dot = wanted.find('.');
  const char* end = wanted.data() + wanted.size();
  const bool well_formed = dot != std::string::npos &&
                           std::from_chars(wanted.data(), wanted.data() + dot, major).ptr == wanted.data() + dot &&
                           dot > 0 && std::from_chars(wanted.data() + dot + 1, end, minor).ptr == end &&
                           dot + 1 < wanted.size();
  if (!well_formed) {
    return tl::unexpected(
        fault(400, "API Version String " + wanted + " is of invalid format. Must be of format MajorNum.MinorNum."));
  }
  if (major != known.major || minor < known.least || minor > known.most) {
    const std::string prefix = std::to_string(known.major) + ".";
    return tl::unexpected(fault(406, "Version " + wanted + " is not supported by the API. Minimum is " + prefix +
                                         std::to_string(known.least) + " and maximum is " + prefix +
                                         std::to_string(known.most) + "."));
  }
  return minor;
}

void say_version(http::Response& response, const Microversion& known, int minor) {
  const std::string version = std::to_string(known.major) + "." + std::to_string(minor);
  response.headers.emplace_back("OpenStack-API-Version", known.service + " " + version);
  if (known.legacy.empty()) {
    response.headers.emplace_back("Vary", "OpenStack-API-Version");
    return;
  }
  response.headers.emplace_back("X-OpenStack-Nova-API-Version", version);
  response.headers.emplace_back("Vary", "OpenStack-API-Version, X-OpenStack-Nova-API-Version");
}

// ---- Pages ----------------------------------------------------------------------------------------------------------

tl::expected<Page, PageTrouble> page_of(const Ask& ask, const std::vector<std::string>& ids, size_t most) {
  size_t limit = most;
  if (ask.has("limit")) {
    const std::string text = ask.parameter("limit");
    int64_t asked = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), asked);
    if (error != std::errc{} || end != text.data() + text.size() || asked < 0)
      return tl::unexpected(PageTrouble::bad_limit);
    limit = std::min(most, static_cast<size_t>(asked));
  }
  size_t first = 0;
  if (const std::string marker = ask.parameter("marker"); !marker.empty()) {
    const auto found = std::find(ids.begin(), ids.end(), marker);
    if (found == ids.end()) return tl::unexpected(PageTrouble::bad_marker);
    first = static_cast<size_t>(found - ids.begin()) + 1;
  }
  Page page;
  const size_t last = std::min(ids.size(), first + limit);
  page.ids.assign(ids.begin() + static_cast<ptrdiff_t>(first), ids.begin() + static_cast<ptrdiff_t>(last));
  // As the real ones: a full page names a next one, be that empty or not.
  if (limit > 0 && page.ids.size() == limit) page.next = page.ids.back();
  return page;
}

std::string next_url(const World& world, const Ask& ask, const std::string& marker) {
  const auto encoded = [](const std::string& text) {
    constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const unsigned char c : text) {
      if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
        out += static_cast<char>(c);
      else
        out += {'%', digits[c >> 4], digits[c & 15]};
    }
    return out;
  };
  std::string url = world.base + ask.request.path + "?";
  for (const auto& [name, value] : ask.request.query)
    if (name != "marker") url += encoded(name) + "=" + encoded(value) + "&";
  return url + "marker=" + encoded(marker);
}

// ---- Small things ---------------------------------------------------------------------------------------------------

std::string seconds_text(Time t) { return format_time(Time{t.ms / 1000 * 1000}); }

std::string micros_text(Time t) {
  std::string text = seconds_text(t);
  text.pop_back();  // Z
  std::string fraction = std::to_string(t.ms % 1000);
  return text + "." + std::string(3 - fraction.size(), '0') + fraction + "000";
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t at = text.find(by);
    std::string_view part = text.substr(0, at);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  }
  return parts;
}

Value texts(const std::map<std::string, std::string>& map) {
  Value v = Value::map();
  for (const auto& [key, value] : map) v.mutable_members().push_back({key, value, {}});
  return v;
}

Value text_list(const std::set<std::string>& set) {
  Value v = Value::list();
  for (const std::string& text : set) v.push_back(text);
  return v;
}

bool is_true(const std::string& text) { return text == "1" || text == "true" || text == "True" || text == "yes"; }

std::string uid(World& world) { return new_uid(world.rng); }

std::string flavor_id(const std::string& name) {
  std::string id = sha256_hex("flavor " + name).substr(0, 32);
  for (const size_t at : {8, 13, 18, 23}) id.insert(at, "-");
  return id;
}

const Flavor* flavor_by_id(World& world, const std::string& id) {
  for (const Flavor& flavor : world.model().options.flavors)
    if (flavor_id(flavor.name) == id) return &flavor;
  return nullptr;
}

// What other faces would call its token: as the control plane marks its things.
Token token_in(const std::map<std::string, std::string>& metadata, const std::string& name) {
  const auto owner = metadata.find("trove:uid"), role = metadata.find("trove:role"),
             incarnation = metadata.find("trove:incarnation");
  if (owner == metadata.end() || role == metadata.end()) return token_from(name).value_or(Token{});
  Token token{owner->second, role->second, 0};
  if (incarnation != metadata.end()) {
    const std::string& text = incarnation->second;
    std::from_chars(text.data(), text.data() + text.size(), token.incarnation);
  }
  return token;
}

void World::fill() {
  for (const SimUser& user : options.users) {
    users.emplace(user.name, uid(*this));
    projects.emplace(user.project, uid(*this));
  }
  const std::string owner = projects.at(options.users.front().project);
  Network inner{uid(*this), "sim-net", owner, true, false}, outer{uid(*this), "public", owner, false, true};
  Subnet in{uid(*this), "sim-subnet", owner, inner.id, "10.77.0.0/16", "10.77.0.1", 0x0A4D0000, 65'536};
  Subnet out{uid(*this), "public-subnet", owner, outer.id, "203.0.113.0/24", "203.0.113.1", 0xCB007100, 256};
  networks = {{inner.id, inner}, {outer.id, outer}};
  subnets = {{in.id, in}, {out.id, out}};
  Image image;
  image.id = uid(*this);
  image.name = "trove-guest";
  image.project = owner;
  image.tags = {"trove"};
  image.properties = {{"trove_datastores", "mariadb,postgresql,redis,memcached"}};
  image.size = 281 << 20;
  image.checksum = std::string(32, 'c');
  image.created = clock.wall();
  images[image.id] = image;
  for (VolumeType& type : model().options.volume_types) type.id = uid(*this);
  const ServerGroup apart{uid(*this), "apart", owner, "anti-affinity"};
  server_groups[apart.id] = apart;
}

const Group& World::default_group(const std::string& project) {
  for (const auto& [id, group] : groups)
    if (group.project == project && group.name == "default") return group;
  Group group{uid(*this), "default", "Default security group", project, clock.wall(), clock.wall()};
  for (const char* type : {"IPv4", "IPv6"}) {
    GroupRule out{uid(*this), group.id, "egress", type, "", "", "", "", {}, {}};
    GroupRule in{uid(*this), group.id, "ingress", type, "", "", group.id, "", {}, {}};
    rules[out.id] = out;
    rules[in.id] = in;
  }
  return groups[group.id] = group;
}

}  // namespace trove::sim
