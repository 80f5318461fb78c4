#include "specs/core/result.hpp"
#include <cstdio>
#include <cstdlib>

namespace trove {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::not_found: return "not_found";
    case Code::conflict: return "conflict";
    case Code::throttled: return "throttled";
    case Code::unavailable: return "unavailable";
    case Code::denied: return "denied";
    case Code::unauthenticated: return "unauthenticated";
    case Code::outcome_unknown: return "outcome_unknown";
    case Code::too_large: return "too_large";
    case Code::no_space: return "no_space";
    case Code::corrupt: return "corrupt";
    case Code::expired: return "expired";
    case Code::internal: return "internal";
  }
  return "internal";
}

void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "broken invariant: %s (%s:%d)\n", what, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace trove
