// Why a command stopped: an Error with what the user also needs, namely the exit status, who must act and where. Made
// by whoever notices, printed in one place (print_failure). Plain values; thread-safe.
#pragma once
#include <string>
#include <vector>
#include <tl/expected.hpp>
#include "cli/exit_code.hpp"
#include "specs/core/result.hpp"

namespace trove::cli {

// One entry of `problems` in a problem+json answer, before its document index is mapped back to a file.
struct ServerProblem {
  int document = -1;
  std::string path, message, hint, code;
};

struct Failure {
  int exit = kInternal;
  std::string message;          // empty = everything was said already, only the status counts
  std::string hint = {};        // the next step
  std::string code = {};        // CONFIG_INVALID …; "" when it adds nothing
  std::string actor = {};       // User, CloudOperator, System
  std::string path = {};        // object or field
  std::vector<ServerProblem> problems = {};
};

template <class T>
using Try = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failed(int exit, std::string message, std::string hint = {}) {
  return tl::unexpected<Failure>(Failure{exit, std::move(message), std::move(hint)});
}
inline tl::unexpected<Failure> usage_error(std::string message, std::string hint = {}) {
  return failed(kUsage, std::move(message), std::move(hint));
}
int exit_of(Code code);
tl::unexpected<Failure> failed(const Error& error);

}  // namespace trove::cli
