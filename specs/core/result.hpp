// Expected failures are values. A code says what the caller should do, not what broke.
// Thread-safe: plain values.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace trove {

using Millis = std::chrono::milliseconds;

enum class Code {
  invalid,          // tell the user; do not retry
  not_found,
  conflict,         // somebody else was faster: read again
  throttled,        // back off; see retry_after
  unavailable,      // back off and retry
  denied,           // refused by policy, protection or an invariant
  unauthenticated,
  outcome_unknown,  // a write may or may not have happened: observe, never blindly repeat
  too_large,        // a named bound was passed
  no_space,         // the disk or a quota is full
  corrupt,          // stored bytes fail their checksum
  expired,          // a moment of the past that is no longer kept: read anew
  internal,         // a bug of ours
};

std::string_view to_string(Code code);

struct Error {
  Code code = Code::internal;
  std::string message;                 // for people; never holds a secret
  std::string hint = {};               // what to do next; may be empty
  std::optional<Millis> retry_after = {};
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Code code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint), {}});
}

// A broken invariant: print and abort. The store holds the truth; a restart is the repair.
[[noreturn]] void check_failed(const char* what, const char* file, int line);

}  // namespace trove

#define TROVE_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::trove::check_failed(#condition, __FILE__, __LINE__))
