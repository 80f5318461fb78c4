// What the fuzz targets share. A target is one LLVMFuzzerTestOneInput: any bytes in, and properties that must hold
// whatever they are. One thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trove::fuzz {

// Says what was promised and does not hold, and aborts: the fuzzer keeps the input.
[[noreturn]] void broken(const char* promise, const std::string& detail);
inline void expect(bool holds, const char* promise) {
  if (!holds) broken(promise, "");
}
template <class Detail>
void expect(bool holds, const char* promise, Detail detail) {
  if (!holds) broken(promise, detail());
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}
// The text up to `mark`, which goes as well; everything when there is none.
std::string_view take(std::string_view& text, std::string_view mark);
// FNV-1a: a number that belongs to an input.
uint64_t hash_of(std::string_view text);

// A value that no answer, problem or stored byte may hold once it was handed in as a secret.
inline constexpr std::string_view kCanary = "S3CR3T-canary";

// What the structured mutator of mutate.cpp puts in: names of fields and kinds, enumerations, well-formed and
// malformed samples of every format, whole examples. Made from the tables of specs/kinds.
const std::vector<std::string>& words();

}  // namespace trove::fuzz
