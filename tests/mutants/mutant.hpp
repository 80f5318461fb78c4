// The switch of a deliberate mistake. tests/mutants/run puts this first into the files that it changes, and runs the
// program once for each name in the environment variable TROVE_MUTANT. Thread-safe.
#pragma once
#include <cstdlib>
#include <cstring>

namespace trove::mutants {

inline bool chosen(const char* name) {
  static const char* const one = std::getenv("TROVE_MUTANT");
  return one && std::strcmp(one, name) == 0;
}

}  // namespace trove::mutants

#define MUTANT(name)                                       \
  ([] {                                                    \
    static const bool on = ::trove::mutants::chosen(name); \
    return on;                                             \
  }())
