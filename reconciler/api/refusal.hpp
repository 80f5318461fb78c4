// Why a request was refused, as problem+json tells it: what, where, who must act, and one next step. Plain values.
#pragma once
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>
#include "providers/http/server.hpp"
#include "specs/problem.hpp"

namespace trove {

struct Refusal {
  int status = 400;
  std::string code = "CONFIG_INVALID";
  std::string actor = "User";  // User, CloudOperator, System
  std::string detail, path, hint;
  // Problems of the set that was handed in, each with its own code.
  std::vector<std::pair<Problem, std::string>> problems;
  std::vector<std::pair<std::string, std::string>> headers;
};
template <class T>
using Attempt = tl::expected<T, Refusal>;

tl::unexpected<Refusal> refuse(int status, std::string code, std::string detail, std::string hint = {});
tl::unexpected<Refusal> refuse(const Error& error);
inline tl::unexpected<Refusal> refuse(Refusal refusal) { return tl::unexpected<Refusal>(std::move(refusal)); }
// One answer for all of them; its own code and status are those of the gravest.
tl::unexpected<Refusal> refuse(std::vector<std::pair<Problem, std::string>> problems);
std::string_view code_of(const Problem& problem);
http::Response to_response(const Refusal& refusal);

}  // namespace trove
