// Glance v2: images, to be listed and looked at.
#include <algorithm>
#include "providers/sim/http_world.hpp"

namespace trove::sim {

namespace {

Value view(const Image& image) {
  Value v = Value::map({{"id", image.id},
                        {"name", image.name},
                        {"status", "active"},
                        {"visibility", "public"},
                        {"owner", image.project},
                        {"protected", false},
                        {"disk_format", "qcow2"},
                        {"container_format", "bare"},
                        {"size", image.size},
                        {"virtual_size", Value()},
                        {"min_disk", 1},
                        {"min_ram", 0},
                        {"checksum", image.checksum},
                        {"os_hash_algo", "sha512"},
                        {"os_hash_value", std::string(128, 'd')},
                        {"os_hidden", false},
                        {"tags", text_list(image.tags)},
                        {"created_at", seconds_text(image.created)},
                        {"updated_at", seconds_text(image.created)},
                        {"self", "/v2/images/" + image.id},
                        {"file", "/v2/images/" + image.id + "/file"},
                        {"schema", "/v2/schemas/image"}});
  for (const auto& [key, value] : image.properties) v.set(key, value);
  return v;
}

// In the language that was asked for.
http::Response glance_error(const Ask& ask, int status, const std::string& message) {
  if (!ask.request.header("accept").starts_with("application/json")) return html_error(status, message);
  const std::string title = title_of(status);
  return json(status, Value::map({{"message", message + "<br /><br />\n\n\n"},
                                  {"code", std::to_string(status) + " " + title},
                                  {"title", title}}));
}

}  // namespace

http::Response glance(World& world, Ask& ask) {
  if (ask.path.empty() || ask.at(0) != "v2") {
    const Value version =
        Value::map({{"id", "v2.15"},
                    {"status", "CURRENT"},
                    {"links", Value::list({Value::map({{"rel", "self"}, {"href", world.base + "/image/v2/"}})})}});
    return ask.path.empty() || ask.at(0) == "versions"
               ? json(ask.path.empty() ? 300 : 200, Value::map({{"versions", Value::list({version})}}))
               : glance_error(ask, 404, "The resource could not be found.");
  }
  if (ask.session.user.empty()) {
    http::Response response = glance_error(
        ask, 401,
        "This server could not verify that you are authorized to access the document you requested. Either you "
        "supplied the wrong credentials (e.g., bad password), or your browser does not understand how to supply the "
        "credentials required.");
    response.headers.emplace_back("WWW-Authenticate", "Keystone uri=\"" + world.base + "\"");
    return response;
  }
  ask.path.erase(ask.path.begin());
  if (ask.at(0) != "images") return glance_error(ask, 404, "The resource could not be found.");
  if (ask.path.size() == 2) {
    const auto found = world.images.find(ask.at(1));
    if (found == world.images.end()) return glance_error(ask, 404, "No image found with ID " + ask.at(1));
    if (ask.request.method == "GET" || ask.request.method == "HEAD") return json(200, view(found->second));
    return glance_error(ask, 405, "The method is not allowed for this resource.");
  }
  if (!ask.is("GET", 1)) return glance_error(ask, 405, "The method is not allowed for this resource.");
  static const std::set<std::string> own = {"limit", "marker", "sort", "sort_key", "sort_dir", "tag"};
  std::vector<std::string> ids;
  for (const auto& [id, image] : world.images) {
    const Value whole = view(image);
    bool fit = true;
    for (const auto& [name, value] : ask.request.query)
      if (!own.contains(name)) fit = fit && whole[name].as_written() == value;
    for (const std::string& tag : ask.parameters("tag")) fit = fit && image.tags.contains(tag);
    if (fit) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end(), [&](const std::string& a, const std::string& b) {
    return std::pair(world.images.at(a).created, a) > std::pair(world.images.at(b).created, b);
  });
  const size_t most = world.model().options.page;
  const auto page = page_of(ask, ids, ask.has("limit") ? most : std::min<size_t>(most, 25));
  if (!page)
    return page.error() == PageTrouble::bad_marker
               ? glance_error(ask, 400, "Invalid marker. Image " + ask.parameter("marker") + " could not be found.")
               : glance_error(ask, 400, "limit param must be an integer");
  Value images = Value::list();
  for (const std::string& id : page->ids) images.push_back(view(world.images.at(id)));
  Value body = Value::map({{"images", std::move(images)}, {"first", "/v2/images"}, {"schema", "/v2/schemas/images"}});
  if (!page->next.empty()) body.set("next", next_url(world, ask, page->next).substr(world.base.size() + 6));
  return json(200, body);
}

}  // namespace trove::sim
