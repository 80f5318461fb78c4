#include "reconciler/api/api.hpp"
#include "reconciler/api/compression.hpp"
#include <algorithm>
#include "specs/core/log.hpp"
#include "specs/json.hpp"

namespace trove {
namespace {

constexpr std::string_view kBase[] = {"apis", "trove", "v1alpha1", "projects"};

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    size_t end = std::min(path.find('/'), path.size());
    parts.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

// HEAD is asked like GET; the server leaves the body out.
Attempt<void> only(const http::Request& request, std::initializer_list<std::string_view> methods) {
  std::string allowed;
  for (std::string_view method : methods) {
    if (request.method == method || (request.method == "HEAD" && method == "GET")) return {};
    if (!allowed.empty()) allowed += ", ";
    allowed += method;
    if (method == "GET") allowed += ", HEAD";
  }
  Refusal out;
  out.status = 405;
  out.detail = request.method + " is not possible here";
  out.hint = "possible: " + allowed;
  out.headers.emplace_back("Allow", allowed);
  return refuse(std::move(out));
}

tl::unexpected<Refusal> nothing_here(const http::Request& request) {
  return refuse(404, "NOT_FOUND", "there is nothing at " + printable(request.path),
                "the API begins at /apis/trove/v1alpha1/projects/{project}; its description is /openapi.json");
}

}  // namespace

http::Response json_response(int status, const Value& body) {
  http::Response out;
  out.status = status;
  out.body = dump_json(body);
  return out;
}

Api::Api(ApiOptions options)
    : options_(std::move(options)),
      book_(options_.objects, options_.applier, options_.sealer, options_.rng, options_.clock, options_.plans),
      tokens_(options_.tokens) {
  options_.tokens.assign(options_.tokens.size(), '\0');  // digests are enough from here on
  options_.tokens.clear();
  if (tokens_.size() == 0) log::warning("no token is accepted: the token file holds none");
}

// A body is only collected for somebody who may send one: for all others it stays unread, and the refusal closes the
// connection.
http::Route Api::classify(const http::Request& request) const {
  const std::string token = bearer_of(request.header("authorization"));
  if (request.path == "/guest/v1/document") return {.parks = true};
  if (request.path == "/guest/v1/report" || request.path == "/guest/v1/renew")
    return {.streams_body = !guest_of(request)};
  if (request.path == "/guest/v1/join") return {.streams_body = !options_.joins};
  if (request.path.starts_with("/git/v1/hooks/")) return {.streams_body = !is_short_hook(request)};
  if (request.path.starts_with("/objects/")) return {.parks = true, .streams_body = true};
  return {.parks = request.parameter("watch") == "true", .streams_body = !tokens_.find(token)};
}

http::Response Api::handle_guest(const http::Request& request, const http::Read& read) {
  if (request.path.starts_with("/guest/")) return handle(request, read);
  return to_response(Refusal{404, "NOT_FOUND", "there is nothing here for " + printable(request.path)});
}

http::Response Api::handle(const http::Request& request, const http::Read& read) {
  auto answer = route(request, read);
  http::Response out = answer ? std::move(*answer) : to_response(answer.error());
  if (out.status >= 0 && static_cast<size_t>(out.status) < answers_.size()) ++answers_[static_cast<size_t>(out.status)];
  compress(request, out);
  out.headers.emplace_back("Cache-Control", "no-store");
  out.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (out.status >= 500)
    log::error("answered with an error",
               {{"path", request.path}, {"status", out.status}, {"why", answer ? "" : answer.error().detail}});
  return out;
}

Attempt<Caller> Api::authenticate(const http::Request& request) const {
  std::string token = bearer_of(request.header("authorization"));
  if (auto caller = tokens_.find(token)) return *caller;
  Refusal out;
  out.status = 401;
  out.code = "CLOUD_UNAUTHENTICATED";
  out.detail = token.empty() ? "the request has no token" : "the token is not accepted";
  out.hint = "send Authorization: Bearer <token>; trovectl takes it from a file: trovectl config view";
  out.headers.emplace_back("WWW-Authenticate", "Bearer");
  return refuse(std::move(out));
}

Attempt<http::Response> Api::version() const {
  return json_response(200,
                       Value::map({{"name", "troved"}, {"version", options_.version}, {"apiVersion", kApiVersion}}));
}

Attempt<http::Response> Api::route(const http::Request& request, const http::Read& read) {
  const std::string& path = request.path;
  auto when = [&](std::initializer_list<std::string_view> methods, auto&& answer) -> Attempt<http::Response> {
    if (auto allowed = only(request, methods); !allowed) return tl::unexpected(allowed.error());
    return answer();
  };
  if (path == "/healthz") return when({"GET"}, [&] { return healthz(); });
  if (path == "/readyz") return when({"GET"}, [&] { return readyz(); });
  if (path == "/version") return when({"GET"}, [&] { return version(); });
  if (path == "/guest/v1/document") return when({"GET"}, [&] { return guest_document(request); });
  if (path == "/guest/v1/report") return when({"POST"}, [&] { return guest_report(request); });
  if (path == "/guest/v1/join" && options_.joins) return when({"POST"}, [&] { return guest_join(request); });
  if (path == "/guest/v1/renew" && options_.joins) return when({"POST"}, [&] { return guest_renew(request); });
  if (path.starts_with("/git/v1/hooks/")) return when({"POST"}, [&] { return git_hook(request, !read); });
  if (path.starts_with("/objects/") && options_.object_store)
    return when({"GET", "PUT"}, [&] { return object(request, read); });
  if (path == "/metrics" || path == "/leaks" || path == "/openapi.json") {
    auto caller = authenticate(request);
    if (!caller) return tl::unexpected(caller.error());
    if (path == "/openapi.json") return when({"GET"}, [&] { return openapi(); });
    // Figures of every project: not for somebody who may see one.
    if (caller->project != "*")
      return refuse(403, "CLOUD_UNAUTHORIZED", path.substr(1) + " need a token for all projects");
    if (path == "/leaks") return when({"GET"}, [&] { return leaks(); });
    return when({"GET"}, [&] { return metrics(); });
  }
  if (path == "/apis/trove/v1alpha1/drift") {
    auto caller = authenticate(request);
    if (!caller) return tl::unexpected(caller.error());
    return when({"GET"}, [&] { return drift(caller->project); });
  }
  std::vector<std::string> parts = split(path);
  if (parts.size() > std::size(kBase) && std::equal(std::begin(kBase), std::end(kBase), parts.begin())) {
    return route_project(request, {parts.begin() + std::size(kBase), parts.end()});
  }
  return nothing_here(request);
}

// parts: project, then what is asked for.
Attempt<http::Response> Api::route_project(const http::Request& request, const std::vector<std::string>& parts) {
  auto caller = authenticate(request);
  if (!caller) return tl::unexpected(caller.error());
  Call call{request, *caller, parts[0]};
  // Another project's name is answered as if it did not exist, whatever comes after it.
  if (!is_project_name(call.project) || !caller->sees(call.project)) {
    return refuse(404, "NOT_FOUND", "project " + printable(call.project) + " not found");
  }
  if (parts.size() < 2 || parts.size() > 4) return nothing_here(request);
  bool reads = request.method == "GET" || request.method == "HEAD";
  bool plans = request.method == "POST" && parts.size() == 2 && parts[1] == "plans";
  if (!reads && !plans && caller->role == Role::reader) {
    return refuse(403, "CLOUD_UNAUTHORIZED", "the role reader may look and change nothing",
                  "use a token with the role member");
  }
  if (parts.size() == 2 && (parts[1] == "apply" || parts[1] == "plans")) {
    if (auto allowed = only(request, {"POST"}); !allowed) return tl::unexpected(allowed.error());
    return parts[1] == "apply" ? apply(call) : make_plan(call);
  }
  if (parts[1] == "plans" && (parts.size() == 3 || parts[3] == "apply")) {
    if (auto allowed = only(request, {parts.size() == 3 ? "GET" : "POST"}); !allowed)
      return tl::unexpected(allowed.error());
    return parts.size() == 3 ? get_plan(call, parts[2]) : apply_plan(call, parts[2]);
  }
  if (parts.size() == 2 && parts[1] == "drift") {
    if (auto allowed = only(request, {"GET"}); !allowed) return tl::unexpected(allowed.error());
    return drift(call.project);
  }
  const Kind* kind = find_kind(parts[1]);
  if (!kind || kind->plural != parts[1]) {
    std::vector<std::string_view> plurals;
    for (const Kind& one : all_kinds()) plurals.push_back(one.plural);
    std::string near = kind ? std::string(kind->plural) : nearest(parts[1], plurals);
    return refuse(404, "NOT_FOUND", "there is no kind " + printable(parts[1]),
                  near.empty() ? "the kinds are in /openapi.json" : "did you mean " + near + "?");
  }
  return route_object(call, *kind, parts);
}

Attempt<http::Response> Api::route_object(const Call& call, const Kind& kind, const std::vector<std::string>& parts) {
  const http::Request& request = call.request;
  auto need = [&](std::initializer_list<std::string_view> methods) { return only(request, methods); };
  if (parts.size() == 2) {
    if (auto allowed = need({"GET"}); !allowed) return tl::unexpected(allowed.error());
    return request.parameter("watch") == "true" ? watch(call, kind) : list(call, kind);
  }
  const std::string& name = parts[2];
  if (parts.size() == 3) {
    if (auto allowed = need({"GET", "PUT", "DELETE"}); !allowed) return tl::unexpected(allowed.error());
    if (request.method == "PUT") return put(call, kind, name);
    if (request.method == "DELETE") return remove(call, kind, name);
    return get(call, kind, name);
  }
  const std::string& what = parts[3];
  if (what == "sync" && kind.name == "GitSource") {
    if (auto allowed = need({"GET", "POST"}); !allowed) return tl::unexpected(allowed.error());
    return git_sync(call, name);
  }
  if (what == "reveal" && kind.name == "Secret") {
    if (auto allowed = need({"POST"}); !allowed) return tl::unexpected(allowed.error());
    return reveal(call, name);
  }
  if (what == "rollback") {
    if (auto allowed = need({"POST"}); !allowed) return tl::unexpected(allowed.error());
    return rollback(call, kind, name);
  }
  if (what == "plan" || what == "events" || what == "history") {
    if (auto allowed = need({"GET"}); !allowed) return tl::unexpected(allowed.error());
    return what == "plan"     ? plan_of(call, kind, name)
           : what == "events" ? events(call, kind, name)
                              : history(call, kind, name);
  }
  return nothing_here(request);
}

}  // namespace trove
