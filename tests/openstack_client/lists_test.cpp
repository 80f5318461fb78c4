// Lists come whole or not at all.
#include "providers/openstack/lists.hpp"
#include <catch2/catch.hpp>
#include "openstack_client/scripted.hpp"

using namespace trove;
using namespace trove::openstack;

namespace {

const List kServers{Service::compute, "/servers/detail", "servers", "", 2};

std::string page(std::initializer_list<const char*> ids, bool next) {
  std::string body;
  for (const char* id : ids) body += (body.empty() ? "" : ",") + std::string(R"({"id":")") + id + R"("})";
  return R"({"servers":[)" + body + "]" +
         (next ? R"(,"servers_links":[{"rel":"next","href":"http://elsewhere"}])" : "") + "}";
}

}  // namespace

TEST_CASE("pages are followed by the id of the last item") {
  Bed bed;
  bed.transport.answers = [](const Asked& asked) {
    if (asked.path == "/v2.1/servers/detail?limit=2") return Scripted::json(200, page({"a", "b"}, true));
    if (asked.path == "/v2.1/servers/detail?limit=2&marker=b") return Scripted::json(200, page({"b", "c"}, true));
    return Scripted::json(200, page({}, false));
  };
  auto list = list_all(bed.session, kServers);
  REQUIRE(list.has_value());
  REQUIRE(list->size() == 3);
  CHECK((*list)[2]["id"].text() == "c");
}

TEST_CASE("a page that failed makes the whole list unknown") {
  for (const char* what : {"fault", "html", "cut", "marker", "no list", "no id", "circle"}) {
    INFO(what);
    Bed bed;
    bed.transport.answers = [what = std::string(what)](const Asked& asked) {
      if (asked.path.find("marker") == std::string::npos) return Scripted::json(200, page({"a", "b"}, true));
      if (what == "fault") return Scripted::json(503, R"({"computeFault":{"message":"busy"}})");
      if (what == "html") return http::Answer{200, {{"content-type", "text/html"}}, "<html>"};
      if (what == "cut") return Scripted::json(200, R"({"servers":[{"id":"c")");
      if (what == "marker") return Scripted::json(400, R"({"badRequest":{"message":"marker [b] not found"}})");
      if (what == "no list") return Scripted::json(200, R"({"flavors":[]})");
      if (what == "no id") return Scripted::json(200, R"({"servers":[{}]})");
      return Scripted::json(200, page({"a", "b"}, true));
    };
    auto list = list_all(bed.session, kServers);
    REQUIRE_FALSE(list.has_value());
    INFO(list.error().error.message);
    CHECK(list.error().error.code == Code::unavailable);
  }
}

TEST_CASE("a list without an end is given up") {
  Bed bed;
  int next = 0;
  bed.transport.answers = [&](const Asked&) {
    const std::string id = std::to_string(++next);
    return Scripted::json(200, page({id.c_str()}, true));
  };
  CHECK_FALSE(list_all(bed.session, kServers).has_value());
  CHECK(bed.transport.count("/servers") == kMostPages);
}
