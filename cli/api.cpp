#include "cli/api.hpp"

#include "specs/json.hpp"
#include "specs/problem.hpp"

namespace trove::cli {
namespace {

const JsonLimits kAnswerLimits{kAnswerBytes, 128, 20'000'000};

int exit_of_answer(int status, const std::string& code) {
  if (code == "POLICY_DENIED" || code == "DATA_SAFETY_HOLD") return kRefused;
  if (code == "CONFIG_INVALID" || code == "CONFIG_IMMUTABLE" || code == "REF_NOT_FOUND") return kUsage;
  if (code == "CONFLICT") return kConflict;
  switch (status) {
    case 401: case 403: return kAuth;
    case 404: return kNotFound;
    case 409: case 412: return kConflict;
    case 429: case 502: case 503: case 504: return kUnavailable;
    default: return status >= 400 && status < 500 ? kUsage : kInternal;
  }
}

}  // namespace

int exit_of(Code code) {
  switch (code) {
    case Code::invalid: case Code::too_large: return kUsage;
    case Code::not_found: return kNotFound;
    case Code::conflict: case Code::expired: return kConflict;
    case Code::denied: return kRefused;
    case Code::unauthenticated: return kAuth;
    case Code::throttled: case Code::unavailable: case Code::outcome_unknown: case Code::no_space: return kUnavailable;
    case Code::corrupt: case Code::internal: break;
  }
  return kInternal;
}
tl::unexpected<Failure> failed(const Error& error) { return failed(exit_of(error.code), error.message, error.hint); }

Failure failure_from_answer(int status, const std::string& body) {
  Failure failure;
  Value problem;
  if (auto parsed = parse_json(body, kAnswerLimits)) problem = std::move(*parsed);
  failure.code = printable(problem["code"].text(), 60);
  failure.actor = printable(problem["actor"].text(), 60);
  failure.path = printable(problem["path"].text(), 200);
  failure.hint = printable(problem["hint"].text(), 1000);
  failure.message = printable(problem["detail"].text(), 2000);
  if (failure.message.empty()) failure.message = printable(problem["title"].text(), 200);
  failure.exit = exit_of_answer(status, failure.code);
  for (const Value& item : problem["problems"].items()) {
    failure.problems.push_back({static_cast<int>(item["document"].int_or(-1)), item["path"].text(),
                                printable(item["message"].text(), 2000), printable(item["hint"].text(), 1000),
                                printable(item["code"].text(), 60)});
  }
  if (failure.message.empty()) {
    failure.message = status == 401
                          ? "the server does not accept the token"
                          : "the server answered with status " + std::to_string(status) + " and no explanation";
  }
  if (failure.hint.empty() && failure.exit == kAuth) {
    failure.hint = "see which token is used: trovectl config view";
  }
  return failure;
}

Try<std::unique_ptr<Api>> Api::connect(const Settings& settings) {
  auto token = read_token(settings);
  if (!token) return tl::unexpected(token.error());
  http::ClientOptions options;
  options.base_url = settings.server.value;
  options.bearer_token = token->reveal();
  options.answer_bytes = kAnswerBytes;
  auto client = http::Client::make(std::move(options));
  if (!client) {
    return usage_error("the server URL \"" + printable(settings.server.value) + "\" is not usable: " +
                           client.error().message,
                       "it comes from " + settings.server.source + "; see: trovectl config view");
  }
  return std::unique_ptr<Api>(new Api(std::move(*client), settings.server.value, settings.project.value));
}

std::string Api::base() const { return "/apis/trove/v1alpha1/projects/" + http::percent_encode(project_); }
std::string Api::path_of(const Kind& kind, const std::string& name) const {
  return base() + "/" + std::string(kind.plural) + "/" + http::percent_encode(name);
}

Failure Api::transport_failure(const Error& error) const {
  Failure failure{exit_of(error.code), "", error.hint};
  if (error.code == Code::outcome_unknown) {
    failure.message = "the server took the request, but its answer did not come: " + error.message;
    failure.hint = "the change may have happened; look with trovectl get, then repeat (applying twice is safe)";
  } else if (error.code == Code::unavailable) {
    failure.message = "cannot reach the server at " + server_ + ": " + error.message;
    if (failure.hint.empty()) failure.hint = "is troved running there? Settings: trovectl config view";
  } else {
    failure.message = error.message;
  }
  return failure;
}

Try<Value> Api::send(const char* method, const std::string& path, const Value* body) {
  http::Call call;
  call.method = method;
  call.path = path;
  call.deadline = deadline_;
  if (body) call.body = dump_json(*body);
  auto answer = client_->call(call);
  if (!answer) return tl::unexpected(transport_failure(answer.error()));
  if (answer->status < 200 || answer->status > 299) {
    return tl::unexpected(failure_from_answer(answer->status, answer->body));
  }
  auto value = parse_json(answer->body, kAnswerLimits);
  if (!value) {
    return failed(kInternal, "the server's answer is not JSON: " + value.error().message,
                  "is " + server_ + " really a trove server?");
  }
  return std::move(*value);
}

Try<Value> Api::get(const Kind& kind, const std::string& name) {
  auto found = send("GET", path_of(kind, name), nullptr);
  if (!found && found.error().exit == kNotFound) {
    Failure failure = found.error();
    std::string spelling(kind.name);
    for (char& c : spelling) c = static_cast<char>(tolower(static_cast<unsigned char>(c)));
    failure.message = spelling + "/" + printable(name) + " not found in project " + project_;
    if (failure.hint.empty()) failure.hint = "what there is: trovectl get " + std::string(kind.short_name);
    return tl::unexpected(failure);
  }
  return found;
}

Try<Listing> Api::list(const Kind& kind, const std::string& selector, const std::string& fields) {
  Listing listing;
  std::string next;
  do {
    std::string path = base() + "/" + std::string(kind.plural) + "?limit=" + std::to_string(kPageItems);
    if (!selector.empty()) path += "&labelSelector=" + http::percent_encode(selector);
    if (!fields.empty()) path += "&fieldSelector=" + http::percent_encode(fields);
    if (!next.empty()) path += "&continue=" + http::percent_encode(next);
    auto page = send("GET", path, nullptr);
    if (!page) return tl::unexpected(page.error());
    const Value& revision = (*page)["revision"];
    // All pages are as of the first one's revision: a watch from there misses nothing.
    if (listing.revision.empty()) {
      listing.revision = revision.is_int() ? std::to_string(revision.int_or(0)) : revision.text();
    }
    next = (*page)["continue"].text();
    if (Value* items = page->find("items")) {
      for (Value& item : items->mutable_items()) listing.items.push_back(std::move(item));
    }
    if (listing.items.size() > kListItems) {
      return usage_error("more than " + std::to_string(kListItems) + " objects", "narrow the list with -l");
    }
  } while (!next.empty());
  return listing;
}

Try<Value> Api::remove(const Kind& kind, const std::string& name) {
  return send("DELETE", path_of(kind, name), nullptr);
}
Try<Value> Api::apply(const Value& body, const std::string& query) {
  return send("POST", base() + "/apply" + query, &body);
}
Try<Value> Api::plan(const Value& body, const std::string& query) {
  return send("POST", base() + "/plans" + query, &body);
}
Try<Value> Api::kept_plan(const std::string& id) {
  return send("GET", base() + "/plans/" + http::percent_encode(id), nullptr);
}
Try<Value> Api::apply_plan(const std::string& id) {
  Value empty = Value::map();
  return send("POST", base() + "/plans/" + http::percent_encode(id) + "/apply", &empty);
}
Try<Value> Api::rollback(const Kind& kind, const std::string& name, const std::string& generation,
                         const std::string& query) {
  Value empty = Value::map();
  return send("POST", path_of(kind, name) + "/rollback" + query + (query.empty() ? "?" : "&") +
                          "to=" + http::percent_encode(generation), &empty);
}
Try<Value> Api::owners(const Kind& kind, const std::string& name) {
  return send("GET", path_of(kind, name) + "?managedFields=true", nullptr);
}
Try<Value> Api::get_at(const Kind& kind, const std::string& name, const std::string& time) {
  return send("GET", path_of(kind, name) + "?at=" + http::percent_encode(time), nullptr);
}
Try<Value> Api::plan_of(const Kind& kind, const std::string& name) {
  return send("GET", path_of(kind, name) + "/plan", nullptr);
}
Try<Value> Api::events(const Kind& kind, const std::string& name, int limit) {
  return send("GET", path_of(kind, name) + "/events?limit=" + std::to_string(limit), nullptr);
}
Try<Value> Api::history(const Kind& kind, const std::string& name) {
  return send("GET", path_of(kind, name) + "/history", nullptr);
}
Try<Value> Api::reveal(const std::string& secret) {
  Value empty = Value::map();
  return send("POST", base() + "/secrets/" + http::percent_encode(secret) + "/reveal", &empty);
}
Try<Value> Api::git_sync(const std::string& source, const Value& body) {
  return send("POST", base() + "/gitsources/" + http::percent_encode(source) + "/sync", &body);
}
Try<Value> Api::git_state(const std::string& source, bool with_drift) {
  return send("GET", base() + "/gitsources/" + http::percent_encode(source) + "/sync" + (with_drift ? "?drift=true" : ""),
              nullptr);
}
Try<Value> Api::version() { return send("GET", "/version", nullptr); }
Try<Value> Api::leaks() { return send("GET", "/leaks", nullptr); }
Try<Value> Api::drift(bool all_projects) {
  return send("GET", all_projects ? "/apis/trove/v1alpha1/drift" : base() + "/drift", nullptr);
}

Try<void> Api::watch(const Kind& kind, const std::string& revision, const std::function<bool(const Value&)>& on_line) {
  http::Call call;
  call.path = base() + "/" + std::string(kind.plural) + "?watch=true&resourceVersion=" + http::percent_encode(revision);
  call.deadline = kWatchGap;
  std::string pending;
  std::string trouble;
  bool ended_here = false;
  call.on_data = [&](std::string_view piece) {
    pending.append(piece);
    size_t from = 0;
    for (size_t end; (end = pending.find('\n', from)) != std::string::npos; from = end + 1) {
      std::string_view line(pending.data() + from, end - from);
      if (line.empty()) continue;
      auto value = parse_json(line, kAnswerLimits);
      if (!value) {
        trouble = "a line of the stream is not JSON";
        return false;
      }
      if (!on_line(*value)) {
        ended_here = true;
        return false;
      }
    }
    pending.erase(0, from);
    if (pending.size() > kWatchLineBytes) trouble = "a line of the stream is too long";
    return trouble.empty();
  };
  auto answer = client_->call(call);
  if (ended_here) return {};
  if (!trouble.empty()) return failed(kUnavailable, trouble);
  if (!answer) return tl::unexpected(transport_failure(answer.error()));
  if (answer->status < 200 || answer->status > 299) {
    return tl::unexpected(failure_from_answer(answer->status, answer->body.empty() ? pending : answer->body));
  }
  return {};
}

}  // namespace trove::cli
