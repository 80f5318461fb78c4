// Whole lists, page by page, or nothing: a page that failed, a marker that vanished or a list that goes in circles
// makes all of it unknown, because what is missing from half a list is not absent. Thread-safe.
#pragma once
#include <string>
#include <vector>
#include "providers/openstack/session.hpp"

namespace trove::openstack {

inline constexpr size_t kPage = 1000;  // asked for; a cloud may give less
inline constexpr size_t kMostPages = 500;

struct List {
  Service service;
  std::string path;   // "/servers/detail"
  std::string key;    // "servers": where the items are
  std::string query;  // "name=x", without ? and limit
  size_t page = kPage;
};
// `said` becomes the cloud's own time at the first page, when it says one.
tl::expected<std::vector<Value>, Failure> list_all(Session& session, const List& list, Time* said = nullptr);

}  // namespace trove::openstack
