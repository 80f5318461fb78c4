#include "specs/duplicate_keys.hpp"
#include <algorithm>
#include <tuple>

namespace trove {
namespace {

constexpr size_t kFew = 8;   // up to here comparing each with each is cheaper than sorting

}  // namespace

std::vector<DuplicateKey> duplicate_keys(const Value::Map& map) {
  std::vector<DuplicateKey> found;
  if (map.size() <= kFew) {
    for (size_t later = 1; later < map.size(); ++later) {
      for (size_t first = 0; first < later; ++first) {
        if (map[first].key != map[later].key) continue;
        found.push_back({&map[first], &map[later]});
        break;
      }
    }
    return found;
  }
  std::vector<const Value::Member*> sorted;
  sorted.reserve(map.size());
  for (const auto& member : map) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return std::tie(a->key, a) < std::tie(b->key, b); });
  const Value::Member* first = sorted[0];
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->key == first->key) {
      found.push_back({first, sorted[i]});
    } else {
      first = sorted[i];
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.later < b.later; });
  return found;
}

}  // namespace trove
