#include "providers/openstack/answer.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include "specs/core/utf8.hpp"
#include "specs/json.hpp"

namespace trove::openstack {
namespace {

constexpr size_t kMostWords = 400;           // of a service's message that we repeat
constexpr int64_t kMostRetrySeconds = 3600;  // a cloud that says more is asked again after an hour

std::string header(const std::map<std::string, std::string>& headers, const char* name) {
  auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::string request_id(const std::map<std::string, std::string>& headers, std::string ours) {
  for (const char* name : {"x-openstack-request-id", "x-compute-request-id", "x-trans-id"})
    if (std::string id = header(headers, name); !id.empty()) return visible(id, 80);
  return ours;
}

struct Words {
  std::string kind, message;
  bool own = false;  // the service's own, not of something in between
};

// {"badRequest": {"message": …}}, {"NeutronError": {"type": …, "message": …}}, {"error": {"title": …, "message": …}},
// {"message": …}
Words words_of(const Value& body) {
  Words words;
  if (!body.is_map()) return words;
  if (const Value& neutron = body["NeutronError"]; !neutron.is_null()) {
    words.own = true;
    if (neutron.is_string()) return words.message = neutron.text(), words;
    words.kind = neutron["type"].text();
    words.message = neutron["message"].text();
    if (const std::string& more = neutron["detail"].text(); !more.empty()) words.message += " " + more;
    return words;
  }
  if (body["message"].is_string()) return {body["title"].text(), body["message"].text(), true};
  for (const Value::Member& member : body.members()) {
    if (!member.value.is_map() || !member.value["message"].is_string()) continue;
    words.kind = member.key == "error" ? member.value["title"].text() : member.key;
    words.message = member.value["message"].text();
    words.own = true;
    return words;
  }
  return words;
}

bool mentions(const std::string& text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
         }) != text.end();
}

// "Quota exceeded for instances", OverQuota, VolumeLimitExceeded, VolumeSizeExceedsAvailableQuota: more will not fit,
// however long we wait. Rate limits use the same statuses.
bool about_quota(const Words& words) {
  return mentions(words.kind, "quota") || mentions(words.message, "quota") ||
         mentions(words.message, "limitexceeded") || mentions(words.message, "maximum number of volumes allowed");
}

Code code_of(int status, bool write, const Words& words) {
  switch (status) {
    case 400:
      return Code::invalid;
    case 401:
      return Code::unauthenticated;
    case 403:
      return about_quota(words) ? Code::no_space : Code::denied;
    case 404:
      return Code::not_found;
    case 409:
      return about_quota(words) ? Code::no_space : Code::conflict;
    case 413:
      return about_quota(words) ? Code::no_space : Code::throttled;
    case 429:
      return Code::throttled;
    case 501:
      return Code::invalid;
    case 507:
      return Code::no_space;
  }
  if (status >= 500) return write ? Code::outcome_unknown : Code::unavailable;
  if (status >= 400) return Code::invalid;
  return write ? Code::outcome_unknown : Code::unavailable;
}

Failure failure(Service service, Code code, int status, std::string_view words, std::string request_id) {
  Failure out;
  out.error.code = code;
  out.error.message = std::string(to_string(service)) + ": " + visible(words, kMostWords);
  out.status = status;
  out.request_id = std::move(request_id);
  return out;
}

}  // namespace

std::string_view to_string(Service service) {
  switch (service) {
    case Service::identity:
      return "keystone";
    case Service::compute:
      return "nova";
    case Service::volume:
      return "cinder";
    case Service::network:
      return "neutron";
    case Service::image:
      return "glance";
    case Service::object_store:
      return "swift";
  }
  return "";
}

Error with_request(const Failure& failure) {
  Error error = failure.error;
  if (!failure.request_id.empty()) error.message += " (" + failure.request_id + ")";
  return error;
}

std::optional<Time> parse_http_date(std::string_view text) {
  // "Sun, 06 Nov 1994 08:49:37 GMT", the only form that may be sent.
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(26) != "GMT") return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  if (month == kMonths.end()) return std::nullopt;
  const auto number = static_cast<int>(month - kMonths.begin()) + 1;
  return parse_time(std::string(text.substr(12, 4)) + (number < 10 ? "-0" : "-") + std::to_string(number) + "-" +
                    std::string(text.substr(5, 2)) + "T" + std::string(text.substr(17, 8)) + "Z");
}

std::optional<Millis> retry_after(const std::map<std::string, std::string>& headers, Time now) {
  const std::string text = header(headers, "retry-after");
  if (text.empty()) return std::nullopt;
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) {
    const auto then = parse_http_date(text);
    if (!then) return std::nullopt;
    const auto said = parse_http_date(header(headers, "date"));
    seconds = (*then - said.value_or(now)).count() / 1000;
  }
  return Millis{std::clamp<int64_t>(seconds, 0, kMostRetrySeconds) * 1000};
}

tl::expected<Reply, Failure> judge(Service service, bool write, http::Answer answer, Time now, std::string ours) {
  const std::string id = request_id(answer.headers, std::move(ours));
  const bool json = header(answer.headers, "content-type").find("json") != std::string::npos ||
                    answer.body.starts_with('{') || answer.body.starts_with('[');
  Result<Value> body = answer.body.empty() || !json ? Result<Value>(Value()) : parse_json(answer.body);
  if (answer.status >= 200 && answer.status < 300) {
    const bool text_is_fine = service == Service::object_store && !json;
    if (body && (json || answer.body.empty() || text_is_fine))
      return Reply{answer.status, std::move(*body), std::move(answer.headers), id};
    return tl::unexpected(failure(service, write ? Code::outcome_unknown : Code::unavailable, answer.status,
                                  !json ? "the answer is not JSON" : "the answer is broken: " + body.error().message,
                                  id));
  }
  const Words words = body ? words_of(*body) : Words{};
  Code code = code_of(answer.status, write, words);
  // Swift says everything in plain words, under an id of its own.
  const bool own = words.own || (service == Service::object_store && answer.headers.contains("x-trans-id"));
  const bool in_between = answer.status == 429 || answer.status >= 500;  // any proxy may say so
  if (!own && !in_between)
    code = write && answer.status != 401 ? Code::outcome_unknown
           : answer.status == 401        ? Code::unauthenticated
                                         : Code::unavailable;
  std::string text = std::to_string(answer.status);
  if (!words.kind.empty()) text += " " + words.kind;
  text += words.message.empty() ? " without a word from the service" : ": " + words.message;
  Failure out = failure(service, code, answer.status, text, id);
  out.kind = words.kind;
  out.error.retry_after = retry_after(answer.headers, now);
  // Nova and Cinder put it into the body as well.
  if (!out.error.retry_after && code == Code::throttled && body)
    for (const Value::Member& member : body->members())
      if (const std::string seconds = member.value["retryAfter"].as_written(); !seconds.empty())
        out.error.retry_after = retry_after({{"retry-after", seconds}}, now);
  return tl::unexpected(std::move(out));
}

Failure no_answer(Service service, Error error, std::string ours) {
  Failure out = failure(service, error.code, 0, error.message, std::move(ours));
  out.error.hint = std::move(error.hint);
  return out;
}

}  // namespace trove::openstack
