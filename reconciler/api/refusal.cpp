#include "reconciler/api/refusal.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr size_t kMaxProblems = 1'000;  // of one answer
constexpr size_t kMaxDetail = 4'000;

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 401: return "Not authenticated";
    case 403: return "Not allowed";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 410: return "No longer kept";
    case 412: return "Precondition failed";
    case 413: return "Too large";
    case 415: return "Unsupported media type";
    case 422: return "Invalid";
    case 429: return "Too many requests";
    case 503: return "Unavailable";
    case 507: return "No space left";
    default: return status >= 500 ? "Internal error" : "Refused";
  }
}

int status_of(std::string_view code) { return code == "CONFLICT" || code == "POLICY_DENIED" ? 409 : 422; }

}  // namespace

std::string_view code_of(const Problem& problem) {
  switch (problem.code) {
    case Code::not_found: return "REF_NOT_FOUND";
    case Code::conflict: return "CONFLICT";
    case Code::denied: return "POLICY_DENIED";
    case Code::too_large: return "TOO_LARGE";
    default: return "CONFIG_INVALID";
  }
}

tl::unexpected<Refusal> refuse(int status, std::string code, std::string detail, std::string hint) {
  Refusal out;
  out.status = status;
  out.code = std::move(code);
  out.actor = status >= 500 ? "System" : "User";
  out.detail = std::move(detail);
  out.hint = std::move(hint);
  return tl::unexpected<Refusal>(std::move(out));
}

tl::unexpected<Refusal> refuse(const Error& error) {
  Refusal out;
  out.detail = error.message;
  out.hint = error.hint;
  auto is = [&](int status, const char* code, const char* actor) {
    out.status = status;
    out.code = code;
    out.actor = actor;
  };
  switch (error.code) {
    case Code::invalid: is(400, "CONFIG_INVALID", "User"); break;
    case Code::not_found: is(404, "NOT_FOUND", "User"); break;
    case Code::conflict: is(409, "CONFLICT", "User"); break;
    case Code::denied: is(403, "POLICY_DENIED", "User"); break;
    case Code::unauthenticated: is(401, "CLOUD_UNAUTHENTICATED", "User"); break;
    case Code::too_large: is(413, "TOO_LARGE", "User"); break;
    case Code::throttled: is(429, "UNAVAILABLE", "System"); break;
    case Code::unavailable: is(503, "UNAVAILABLE", "System"); break;
    case Code::outcome_unknown: is(503, "UNAVAILABLE", "System"); break;
    case Code::no_space: is(507, "UNAVAILABLE", "CloudOperator"); break;
    case Code::expired: is(410, "EXPIRED", "User"); break;
    case Code::corrupt:
    case Code::internal: is(500, "INTERNAL", "System"); break;
  }
  if (error.code == Code::outcome_unknown && out.hint.empty()) {
    out.hint = "it may have been stored: look, and apply again (the same apply twice is safe)";
  }
  if (out.status == 429 || out.status == 503) {
    int64_t seconds = error.retry_after ? (error.retry_after->count() + 999) / 1000 : 1;
    out.headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  return tl::unexpected<Refusal>(std::move(out));
}

tl::unexpected<Refusal> refuse(std::vector<std::pair<Problem, std::string>> problems) {
  // What the user must repair in the text comes before what depends on other objects.
  static constexpr std::string_view order[] = {"TOO_LARGE",     "CONFIG_INVALID", "CONFIG_IMMUTABLE",
                                               "REF_NOT_FOUND", "CONFLICT",       "POLICY_DENIED"};
  Refusal out;
  for (std::string_view code : order) {
    for (const auto& [problem, its] : problems) {
      if (its != code) continue;
      out.code = code;
      out.status = code == "TOO_LARGE" ? 413 : status_of(code);
      out.path = problem.path;
      out.hint = problem.hint;
      out.detail = problem.path.empty() ? problem.message : problem.path + ": " + problem.message;
      if (problems.size() > 1) out.detail += " (and " + std::to_string(problems.size() - 1) + " more)";
      out.problems = std::move(problems);
      return tl::unexpected<Refusal>(std::move(out));
    }
  }
  return refuse(500, "INTERNAL", "a refusal without a reason");
}

http::Response to_response(const Refusal& refusal) {
  Value body = Value::map();
  std::string type = "urn:trove:problem:";
  for (char c : refusal.code) type += c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  body.set("type", type);
  body.set("title", title_of(refusal.status));
  body.set("status", refusal.status);
  body.set("code", refusal.code);
  body.set("actor", refusal.actor);
  body.set("detail", printable(refusal.detail, kMaxDetail));
  if (!refusal.path.empty()) body.set("path", refusal.path);
  if (!refusal.hint.empty()) body.set("hint", printable(refusal.hint, kMaxDetail));
  if (!refusal.problems.empty()) {
    Value& list = body.set("problems", Value::list());
    for (const auto& [problem, code] : refusal.problems) {
      if (list.size() >= kMaxProblems) break;
      Value item = Value::map();
      if (problem.document >= 0) item.set("document", problem.document);
      if (!problem.file.empty() &&
          problem.at.line > 0) {  // of a text that was handed in, not of JSON made by a program
        item.set("line", problem.at.line);
        item.set("column", problem.at.column);
      }
      item.set("path", problem.path);
      item.set("message", printable(problem.message, kMaxDetail));
      if (!problem.hint.empty()) item.set("hint", printable(problem.hint, kMaxDetail));
      item.set("code", code);
      list.push_back(std::move(item));
    }
  }
  http::Response out;
  out.status = refusal.status;
  out.content_type = "application/problem+json";
  out.headers = refusal.headers;
  out.body = dump_json(body);
  return out;
}

}  // namespace trove
