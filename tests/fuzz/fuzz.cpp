#include "tests/fuzz/fuzz.hpp"
#include <cstdio>
#include <cstdlib>

namespace trove::fuzz {

void broken(const char* promise, const std::string& detail) {
  std::fprintf(stderr, "BROKEN PROMISE: %s\n%s\n", promise, detail.c_str());
  std::abort();
}

std::string_view take(std::string_view& text, std::string_view mark) {
  const auto end = text.find(mark);
  const auto taken = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + mark.size());
  return taken;
}

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

}  // namespace trove::fuzz
