// What Neutron's resources share: filters, fields, pages, addresses. Private to the face.
#pragma once
#include <optional>
#include <string>
#include <vector>
#include "providers/sim/http_world.hpp"
#include "specs/json.hpp"

namespace trove::sim {

std::optional<uint32_t> read_address(const std::string& text);  // of IPv4
bool is_mac(const std::string& text);
bool visible_to(const Ask& ask, const std::string& project, bool shared);
Value select_fields(const Ask& ask, Value whole);  // ?fields=id&fields=name
// The list of those that fit the query's filters, a page of it, with links.
http::Response neutron_list(World& world, Ask& ask, const std::string& plural, std::vector<Value> all);

}  // namespace trove::sim
