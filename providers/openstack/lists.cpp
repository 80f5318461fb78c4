#include "providers/openstack/lists.hpp"
#include <unordered_set>

namespace trove::openstack {
namespace {

bool has_next(const Value& body, const std::string& key) {
  // Of volume_types they are the volume_type_links.
  for (const std::string& links : {key + "_links", key.substr(0, key.size() - 1) + "_links"})
    for (const Value& link : body[links].items())
      if (link["rel"].text() == "next") return true;
  return body["next"].is_string();  // Glance
}

Failure broken(const List& list, std::string why) {
  return no_answer(list.service, Error{Code::unavailable, list.key + ": " + std::move(why)}, "");
}

}  // namespace

tl::expected<std::vector<Value>, Failure> list_all(Session& session, const List& list, Time* said) {
  std::vector<Value> all;
  std::unordered_set<std::string> ids;
  std::string marker;
  for (size_t page = 0; page < kMostPages; ++page) {
    std::string path = list.path + "?limit=" + std::to_string(list.page);
    if (!list.query.empty()) path += "&" + list.query;
    if (!marker.empty()) path += "&marker=" + http::percent_encode(marker);
    auto reply = session.send({list.service, "GET", path, {}, {}});
    if (!reply) {
      Failure failure = reply.error();
      // What the marker named was deleted between two pages. The list can be read again from its beginning, later.
      if (!marker.empty() && (failure.error.code == Code::invalid || failure.error.code == Code::not_found))
        return tl::unexpected(broken(list, "the list changed while it was read"));
      return tl::unexpected(std::move(failure));
    }
    if (said && page == 0) *said = parse_http_date(reply->headers["date"]).value_or(Time{});
    const Value* items = reply->body.find(list.key);
    if (!items || !items->is_list()) return tl::unexpected(broken(list, "the answer holds no list"));
    size_t fresh = 0;
    for (const Value& item : items->items()) {
      const std::string& id = item["id"].text();
      if (id.empty()) return tl::unexpected(broken(list, "an item has no id"));
      // Something that moved between pages comes twice; that is no harm.
      if (!ids.insert(id).second) continue;
      ++fresh;
      all.push_back(item);
    }
    if (!has_next(reply->body, list.key)) return all;
    if (fresh == 0) return tl::unexpected(broken(list, "its pages repeat themselves"));
    marker = items->items().back()["id"].text();
  }
  return tl::unexpected(broken(list, "it has more than " + std::to_string(kMostPages) + " pages"));
}

}  // namespace trove::openstack
